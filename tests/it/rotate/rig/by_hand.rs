//! A rotation as somebody would make it by hand who knows nothing of addresses for slots: what the rig is tried with.

use super::site::ROTATOR;
use super::{Rig, wait};
use strongroom::database::{Change, Outcome, Role, Slots, Verifier, alter, login, prepare};
use strongroom::secret::Secret;

impl Rig {
    /// The other login and the fences, and no address for a slot.
    pub(super) fn set_up_by_hand(&self) {
        wait(async {
            let session = self.cluster.login("rotator", ROTATOR).await;
            let slots = Slots::of(role("app"), role("rotator")).unwrap();
            prepare(&session, &slots).await.unwrap();
        });
    }

    /// Two logins that take turns, and a password that is overwritten in home while a copy refers to it.
    pub(super) fn alternate_without_addresses(&self, number: usize) {
        let name = ["app_b", "app"][number % 2];
        self.alter(name, number);
        // Both at once: what is derived from them would be neither in between.
        let pair = format!(r#"{{"RDS_USERNAME": "{name}", "RDS_PASSWORD": "{}"}}"#, password(number));
        self.site.env.run_with_stdin("import - --format json", pair).success();
        self.site.env.run("sync").success();
    }

    fn alter(&self, name: &str, number: usize) {
        let password = Secret::new(password(number)).unwrap();
        let verifier = Verifier::of(&password).unwrap();
        let operation = format!("by-hand-{number}");
        let epoch = i64::try_from(number).unwrap() + 1;
        let outcome = wait(async {
            let rotator = Secret::new(ROTATOR.to_owned()).unwrap();
            let session = login(&self.cluster.plain(), "rotator", &rotator).await.unwrap();
            let change = Change { role: &role(name), verifier: &verifier, epoch, operation: &operation };
            alter(session, &change).await
        });
        assert_eq!(outcome, Ok(Outcome::Altered));
    }
}

fn role(name: &str) -> Role {
    Role::parse(name).unwrap()
}

fn password(number: usize) -> String {
    format!("canary-by-hand-{number}")
}
