//! The fourth kind: a server that chooses the value. Its answer is sealed the moment it comes, before it is looked into,
//! and published through the same pipe; killed or unheard at any call, what follows ends with a token that works.

use super::faults::{Fault, Schedule};
use super::matrix::{Host, block_on};
use super::places::{Parameters, World, address, secret};
use std::sync::{Arc, Mutex};
use strongroom::apply::{self, ApplyError, MintError};
use strongroom::journal::{Answer, Begin, Standing};
use strongroom::plan::{Desired, Want};
use strongroom::store::{Store, Stores};

/// Exchanges the present token for a new one. The old one is still taken while nobody has used the new one: a client
/// whose answer was lost asks again with it.
#[derive(Default)]
struct Issuer(Mutex<Vec<String>>);

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(&'static str);

impl Issuer {
    fn exchange(&self, token: &str) -> Result<Answer, Refused> {
        let mut issued = self.0.lock().unwrap();
        if token != "token-0" && !issued.iter().any(|known| known == token) {
            return Err(Refused("unknown token"));
        }
        let next = format!("token-{}", issued.len() + 1);
        issued.push(next.clone());
        Ok(Answer::new(format!("{{\"refresh_token\": \"{next}\"}}").into_bytes()))
    }

    fn knows(&self, token: &str) -> bool {
        self.0.lock().unwrap().iter().any(|known| known == token)
    }

    fn exchanges(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error("publish")]
    Apply(#[from] ApplyError),
    #[error("journal")]
    Journal(#[from] strongroom::journal::JournalError),
    #[error("mint")]
    Mint(#[from] MintError<Refused>),
}

/// A refresh as a use case writes it: go on with what stopped, or begin; mint; publish; done.
async fn refresh(
    host: &Host,
    world: &Arc<Parameters>,
    issuer: &Issuer,
    schedule: &Arc<Schedule>,
) -> Result<(), RefreshError> {
    let journal = host.journal();
    let door: Box<dyn Store> =
        Box::new(super::faults::Faulty { store: world.clone(), schedule: schedule.clone() });
    let stores = Stores::from([("place".to_owned(), door)]);
    let unfinished = host.operations().into_iter().find(|summary| summary.standing == Standing::Unfinished);
    let mut operation = match &unfinished {
        Some(summary) => journal.open(&summary.id)?,
        None => {
            let goes_on = Some("strongroom rotate xero/1");
            journal.begin(&Begin { command: "rotate xero/1", goes_on, ..Begin::default() })?
        }
    };
    let at = address("xero/refresh_token");
    let held =
        stores["place"].read(std::slice::from_ref(&at)).await.map_err(|e| ApplyError::Read(e.into()))?;
    let present = held.value(&at).unwrap().expose().to_owned();
    let answer = apply::mint(&mut operation, "token", async {
        match schedule.next() {
            None => issuer.exchange(&present),
            Some(Fault::KilledBefore) => schedule.die().await,
            Some(Fault::KilledAfter) => {
                let _ = issuer.exchange(&present);
                schedule.die().await
            }
            Some(Fault::ReplyLost) => {
                let _ = issuer.exchange(&present);
                Err(Refused("no answer"))
            }
            Some(_) => Err(Refused("not reached")),
        }
    })
    .await?;
    let parsed: serde_json::Value = serde_json::from_slice(answer.expose()).unwrap();
    let token = parsed["refresh_token"].as_str().unwrap();
    if operation.writes().is_empty() {
        let desired = Desired::from([(at.clone(), Want::value(secret(token)))]);
        let plan = apply::plan("place", stores["place"].as_ref(), &desired).await?;
        apply::publish(&mut operation, &plan, &stores, &mut |_| ()).await?;
    } else {
        apply::catch_up(&mut operation, &stores, false, &mut |_| ()).await?;
    }
    apply::finish(&mut operation)?;
    Ok(())
}

fn one_process(
    host: &Host,
    world: &Arc<Parameters>,
    issuer: &Issuer,
    schedule: &Arc<Schedule>,
) -> Option<Result<(), RefreshError>> {
    block_on(async {
        tokio::select! {
            biased;
            () = schedule.killed.notified() => None,
            result = refresh(host, world, issuer, schedule) => Some(result),
        }
    })
}

#[test]
fn whatever_happens_at_any_call_the_next_run_ends_with_a_token_that_the_server_knows() {
    let mut cases = 0;
    for (first, second) in (0..12).flat_map(|first| (0..12).map(move |second| (first, second))) {
        for (one, two) in Fault::ALL.into_iter().flat_map(|one| Fault::ALL.map(|two| (one, two))) {
            let (host, issuer) = (Host::new(), Issuer::default());
            let world = Parameters::with(&[("xero/refresh_token", "token-0", "SecureString")]);
            let schedule = Schedule::fault_at(first, one);
            one_process(&host, &world, &issuer, &schedule);
            if schedule.calls() <= first {
                continue;
            }
            let again = Schedule::fault_at(second, two);
            one_process(&host, &world, &issuer, &again);
            if again.calls() <= second {
                continue;
            }
            let ended = one_process(&host, &world, &issuer, &Schedule::clean());
            let case = format!("{one:?} at {first}, then {two:?} at {second}");
            assert!(matches!(ended, Some(Ok(()))), "{case}: {ended:?}");
            let token = world.contents()["xero/refresh_token"].0.clone();
            assert!(issuer.knows(&token), "{case}: `{token}` is no token");
            cases += 1;
        }
    }
    assert!(cases > 500, "{cases} cases");
}

#[test]
fn an_answer_that_was_sealed_is_not_asked_for_again() {
    let (host, issuer) = (Host::new(), Issuer::default());
    let world = Parameters::with(&[("xero/refresh_token", "token-0", "SecureString")]);
    // Calls: read, exchange, read, write.
    let died = Schedule::fault_at(3, Fault::KilledBefore);
    assert!(one_process(&host, &world, &issuer, &died).is_none());
    one_process(&host, &world, &issuer, &Schedule::clean()).unwrap().unwrap();
    assert_eq!(issuer.exchanges(), 1);
    assert_eq!(world.contents()["xero/refresh_token"].0, "token-1");
}

/// The verbs that every hint names do not know the protocol: they leave the one-time answer where it is.
#[test]
fn neither_resume_nor_undo_ends_an_operation_that_holds_a_minted_value() {
    let (host, issuer) = (Host::new(), Issuer::default());
    let world = Parameters::with(&[("xero/refresh_token", "token-0", "SecureString")]);
    let died = Schedule::fault_at(2, Fault::KilledBefore);
    assert!(one_process(&host, &world, &issuer, &died).is_none());
    let journal = host.journal();
    let id = host.operations()[0].id.clone();
    let door: Box<dyn Store> =
        Box::new(super::faults::Faulty { store: world.clone(), schedule: Schedule::clean() });
    let stores = Stores::from([("place".to_owned(), door)]);
    let resumed = block_on(apply::resume(&journal, &id, &stores, false, &mut |_| ())).map(drop).unwrap_err();
    let undone = block_on(apply::plan_undo(&journal, &id, &stores, false)).map(drop).unwrap_err();
    for error in [resumed, undone] {
        let ApplyError::GoesOn { command, .. } = error else { panic!("{error:?}") };
        assert_eq!(command, "strongroom rotate xero/1");
    }
    one_process(&host, &world, &issuer, &Schedule::clean()).unwrap().unwrap();
    assert_eq!(world.contents()["xero/refresh_token"].0, "token-1");
}

#[test]
fn an_answer_that_cannot_be_sealed_is_handed_back_and_a_bad_name_makes_no_call() {
    let (host, issuer) = (Host::new(), Issuer::default());
    let mut operation = host.journal().begin(&Begin { command: "rotate", ..Begin::default() }).unwrap();
    let bad = block_on(apply::mint(&mut operation, "xero/1", async { issuer.exchange("token-0") }));
    assert!(matches!(bad, Err(MintError::Journal(_))), "{bad:?}");
    assert_eq!(issuer.exchanges(), 0);
    let folder = host.journal_file().parent().unwrap().to_owned();
    let unkept = block_on(apply::mint(&mut operation, "token", async {
        std::fs::create_dir(folder.join("minted-token.age")).unwrap();
        issuer.exchange("token-0")
    }));
    let Err(MintError::Unkept { answer, .. }) = unkept else { panic!("{unkept:?}") };
    assert!(answer.expose().ends_with(b"token-1\"}"));
    assert!(!format!("{answer:?}").contains("token-1"));
}
