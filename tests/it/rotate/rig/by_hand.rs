//! Rotations as somebody would make them by hand, with `set` and `sync` and the change of the password in between: what the
//! rig is tried with.

use super::site::{APP, ROTATOR};
use super::{Rig, wait};
use strongroom::database::{Change, Outcome, Role, Slots, Verifier, alter, login, prepare};
use strongroom::secret::Secret;

impl Rig {
    /// What is done once: the other slot, and the address of the one that is in use.
    pub(super) fn set_up(&self) {
        wait(async {
            let session = self.cluster.login("rotator", ROTATOR).await;
            let slots = Slots::of(role("app"), role("rotator")).unwrap();
            prepare(&session, &slots).await.unwrap();
        });
    }

    /// Two logins that take turns, and an address for each of them.
    pub(super) fn alternate(&self, number: usize) {
        if number == 0 && self.has_slots() {
            self.site.set("RDS_PASSWORD_A", APP);
            self.site.env.run("sync").success();
        }
        self.turn(number, self.has_slots());
    }

    /// The same where the password is overwritten in home.
    pub(super) fn alternate_without_addresses(&self, number: usize) {
        self.turn(number, false);
    }

    /// One login that gets another password.
    pub(super) fn change_the_one(&self, number: usize) {
        if number == 0 {
            self.set_up();
        }
        self.alter("app", number);
        self.site.set("RDS_PASSWORD", &password(number));
        self.site.env.run("sync").success();
    }

    fn turn(&self, number: usize, has_slots: bool) {
        let (name, slot) = [("app_b", "RDS_PASSWORD_B"), ("app", "RDS_PASSWORD_A")][number % 2];
        if has_slots {
            self.site.set(slot, &password(number));
        }
        self.alter(name, number);
        // Both at once: what is derived from them would be neither in between.
        let pair = format!(r#"{{"RDS_USERNAME": "{name}", "RDS_PASSWORD": "{}"}}"#, password(number));
        self.site.env.run_with_stdin("import - --format json", pair).success();
        self.site.env.run("sync").success();
    }

    fn has_slots(&self) -> bool {
        self.site.env.run("list").success().contains("RDS_PASSWORD_A")
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
