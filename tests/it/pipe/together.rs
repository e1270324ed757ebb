//! Writes of one place that are under way together: what the pipe promises holds for each of them, whichever goes wrong
//! and however the answers of the others come in between.

use super::faults::{Fault, Faulty, Place, Schedule};
use super::matrix::{Action, Host, block_on, process};
use super::places::{Documents, Parameters, World, address, secret};
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use strongroom::apply::{self, ApplyError};
use strongroom::journal::Step;
use strongroom::name::Address;
use strongroom::plan::{Change, Desired, Want, Write};
use strongroom::snapshot::{Snapshot, Unit, Version};
use strongroom::store::{Applied, OperationId, Receipt, Store, StoreError, Stores};

/// So many parameters, more than are ever under way together.
const MANY: usize = 12;
/// So many are.
const AT_ONCE: usize = 8;

/// What reached a place and what came back, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Sent(String),
    Answered(String),
}

/// A place whose calls take a time, each another one, and whose quota makes it worth while to send several.
struct Slow<S> {
    inside: S,
    calls: AtomicUsize,
    log: Arc<Mutex<Vec<Word>>>,
}

#[async_trait]
impl<S: Store> Store for Slow<S> {
    fn location(&self) -> String {
        self.inside.location()
    }

    fn unit_of(&self, address: &Address) -> Unit {
        self.inside.unit_of(address)
    }

    fn interval(&self, _: &Write) -> Duration {
        Duration::from_millis(20)
    }

    async fn read(&self, addresses: &[Address]) -> Result<Snapshot, StoreError> {
        self.inside.read(addresses).await
    }

    async fn write(
        &self,
        unit: &Unit,
        base: Option<&Version>,
        operation: &OperationId,
        changes: &[Change],
    ) -> Receipt {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        self.log.lock().unwrap().push(Word::Sent(unit.0.clone()));
        tokio::time::sleep(Duration::from_millis(10 + (call as u64 * 7) % 5)).await;
        let receipt = self.inside.write(unit, base, operation, changes).await;
        tokio::time::sleep(Duration::from_millis(10 + (call as u64 * 3) % 7)).await;
        self.log.lock().unwrap().push(Word::Answered(unit.0.clone()));
        receipt
    }

    async fn settle(&self, receipt: &Applied) -> Result<(), StoreError> {
        self.inside.settle(receipt).await
    }

    fn overwrote(&self, unit: &Unit, base: Option<&Version>, seen: &Snapshot) -> Option<Version> {
        self.inside.overwrote(unit, base, seen)
    }
}

fn logged<W>(name: &'static str, world: Arc<W>, log: Arc<Mutex<Vec<Word>>>) -> Place
where
    W: World + Store + 'static,
{
    let inside = world.clone();
    let door = move |schedule| -> Box<dyn Store> {
        let (inside, log) = (Faulty { store: inside.clone(), schedule }, log.clone());
        Box::new(Slow { inside, calls: AtomicUsize::new(0), log })
    };
    Place { name, world, door: Box::new(door) }
}

/// A place that takes several writes at once.
pub(super) fn slow<W>(name: &'static str, world: Arc<W>) -> Place
where
    W: World + Store + 'static,
{
    logged(name, world, Arc::default())
}

fn name(number: usize) -> String {
    format!("app/P{number:02}")
}

fn many(value: &str) -> Desired {
    (0..MANY).map(|number| (address(&name(number)), Want::value(secret(value)))).collect()
}

/// All of them, with the value of before.
fn before() -> (Place, Arc<Mutex<Vec<Word>>>) {
    let names: Vec<String> = (0..MANY).map(name).collect();
    let typed: Vec<_> = names.iter().map(|name| (name.as_str(), "old", "SecureString")).collect();
    let log = Arc::default();
    (logged("parameters together", Parameters::with(&typed), Arc::clone(&log)), log)
}

fn how_many_hold(place: &Place, value: &str) -> usize {
    place.world.contents().values().filter(|(held, _)| held == value).count()
}

/// The numbers of the writes whose journal has such a step.
fn told(host: &Host, of: impl Fn(&Step) -> Option<usize>) -> BTreeSet<usize> {
    let journal = host.journal();
    let ids = host.operations().into_iter().map(|summary| summary.id);
    ids.flat_map(|id| journal.steps(&id).unwrap()).filter_map(|(_, step)| of(&step)).collect()
}

fn intents(host: &Host) -> BTreeSet<usize> {
    told(host, |step| match step {
        Step::Intent { write } => Some(*write),
        _ => None,
    })
}

#[test]
fn eight_are_under_way_together_and_never_more() {
    let (place, log) = before();
    block_on(process(&Host::new(), &place, &Schedule::clean(), Action::Run, &many("new"))).unwrap().unwrap();
    assert_eq!(how_many_hold(&place, "new"), MANY);
    let (mut under_way, mut most) = (0_usize, 0);
    for word in log.lock().unwrap().iter() {
        match word {
            Word::Sent(_) => under_way += 1,
            Word::Answered(_) => under_way -= 1,
        }
        most = most.max(under_way);
    }
    assert_eq!(most, AT_ONCE);
}

#[test]
fn whatever_goes_wrong_at_one_of_many_each_is_told_and_resume_or_undo_ends_them_all() {
    let (host, (place, _)) = (Host::new(), before());
    let clean = Schedule::clean();
    block_on(process(&host, &place, &clean, Action::Run, &many("new"))).unwrap().unwrap();
    let calls = clean.calls();
    assert!(calls > 2 * MANY, "a read, and a write and a settling for each: {calls}");
    for call in 0..calls {
        for fault in Fault::ALL {
            for action in [Action::Resume, Action::Undo] {
                let case = format!("{fault:?} at call {call}, then {action:?}");
                let (host, (place, _)) = (Host::new(), before());
                let schedule = Schedule::fault_at(call, fault);
                let ended = block_on(process(&host, &place, &schedule, Action::Run, &many("new")));
                let written = how_many_hold(&place, "new");
                assert!(intents(&host).len() >= written, "{case}: a write without an intent");
                if let Some(Err(ApplyError::Nothing(_))) = &ended {
                    assert_eq!(written, 0, "{case}");
                }
                let begun = !host.operations().is_empty();
                for _ in 0..2 {
                    let ended = block_on(process(&host, &place, &Schedule::clean(), action, &many("new")));
                    ended.unwrap().unwrap_or_else(|error| panic!("{case}: {error:?}"));
                }
                let (new, old) = (how_many_hold(&place, "new"), how_many_hold(&place, "old"));
                assert!((new, old) == (MANY, 0) || (new, old) == (0, MANY), "{case}: {new} and {old}");
                if action == Action::Undo {
                    assert_eq!(old, MANY, "{case}");
                } else if begun && written > 0 {
                    assert_eq!(new, MANY, "{case}");
                }
            }
        }
    }
}

#[test]
fn a_refusal_lets_nothing_new_begin_and_waits_for_what_is_under_way() {
    let (host, (place, log)) = (Host::new(), before());
    // Calls: read, and then the first write that arrives.
    let schedule = Schedule::fault_at(1, Fault::Denied);
    let ended = block_on(process(&host, &place, &schedule, Action::Run, &many("new"))).unwrap();
    let Err(ApplyError::Stopped { done, total, .. }) = ended else { panic!("{ended:?}") };
    assert_eq!((done, total), (AT_ONCE - 1, MANY));
    assert_eq!(how_many_hold(&place, "new"), AT_ONCE - 1);
    assert_eq!(intents(&host).len(), AT_ONCE);
    let log = log.lock().unwrap();
    let answered = log.iter().filter(|word| matches!(word, Word::Answered(_))).count();
    assert_eq!((log.len(), answered), (2 * AT_ONCE, AT_ONCE), "nobody hung up on a call");
    let known = told(&host, |step| match step {
        Step::Settled { write } | Step::Refused { write, .. } => Some(*write),
        _ => None,
    });
    assert_eq!(known, intents(&host), "what came of each is written down");
}

#[test]
fn where_all_that_were_under_way_are_refused_nothing_was_changed_and_nothing_is_left_to_resume() {
    struct Closed(Parameters);
    #[async_trait]
    impl Store for Closed {
        fn location(&self) -> String {
            "closed".to_owned()
        }
        fn unit_of(&self, address: &Address) -> Unit {
            self.0.unit_of(address)
        }
        fn interval(&self, _: &Write) -> Duration {
            Duration::from_millis(20)
        }
        async fn read(&self, addresses: &[Address]) -> Result<Snapshot, StoreError> {
            self.0.read(addresses).await
        }
        async fn write(&self, _: &Unit, _: Option<&Version>, _: &OperationId, _: &[Change]) -> Receipt {
            tokio::task::yield_now().await;
            Receipt::NotApplied(super::faults::error(Fault::Denied))
        }
    }
    let host = Host::new();
    let closed: Box<dyn Store> = Box::new(Closed(Parameters::default()));
    let stores = Stores::from([("place".to_owned(), closed)]);
    let ended = block_on(async {
        let plan = apply::plan("place", stores["place"].as_ref(), &many("new")).await?;
        apply::run(&host.journal(), "set", &plan, &stores, &mut |_| ()).await
    });
    assert!(matches!(ended, Err(ApplyError::Nothing(_))), "{ended:?}");
    assert_eq!(host.operations()[0].standing, strongroom::journal::Standing::Nothing);
}

#[test]
fn all_of_one_place_is_there_before_the_next_one_begins() {
    let (host, (home, log)) = (Host::new(), before());
    let copy = logged("a copy", Documents::with(&[]), Arc::clone(&log));
    let stores = Stores::from([
        ("home".to_owned(), (home.door)(Schedule::clean())),
        ("copy".to_owned(), (copy.door)(Schedule::clean())),
    ]);
    block_on(async {
        let first = apply::plan("home", stores["home"].as_ref(), &many("new")).await.unwrap();
        let second = apply::plan("copy", stores["copy"].as_ref(), &many("new")).await.unwrap();
        apply::run(&host.journal(), "sync", &first.then(second), &stores, &mut |_| ()).await.unwrap();
    });
    let log = log.lock().unwrap();
    assert_eq!(log[log.len() - 2..], [Word::Sent("app".to_owned()), Word::Answered("app".to_owned())]);
    assert_eq!(log.len(), 2 * MANY + 2);
}

#[test]
fn several_that_somebody_changed_are_all_named() {
    let world = Documents::with(&[("a/A", "old"), ("b/A", "old"), ("c/A", "old")]);
    let (host, place) = (Host::new(), slow("documents", world));
    let desired: Desired =
        ["a/A", "b/A", "c/A"].into_iter().map(|at| (address(at), Want::value(secret("ours")))).collect();
    let ended = block_on(async {
        let stores = Stores::from([("place".to_owned(), (place.door)(Schedule::clean()))]);
        let plan = apply::plan("place", stores["place"].as_ref(), &desired).await?;
        place.world.meddle("a/A", "theirs");
        place.world.meddle("c/A", "theirs");
        apply::run(&host.journal(), "set", &plan, &stores, &mut |_| ()).await
    });
    let Err(ApplyError::Conflict { addresses, midway: true, covered: None, .. }) = ended else {
        panic!("{ended:?}")
    };
    let named: BTreeSet<String> = addresses.iter().map(|(_, at)| at.to_string()).collect();
    assert_eq!(named, BTreeSet::from(["a/A".to_owned(), "c/A".to_owned()]));
    let held = place.world.contents();
    assert_eq!(held["a/A"].0, "theirs");
    assert_eq!(held["b/A"].0, "ours");
    assert_eq!(held["c/A"].0, "theirs");
}
