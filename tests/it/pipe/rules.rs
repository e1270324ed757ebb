//! What the pipe promises besides surviving crashes: nobody is overwritten unseen, one call for one unit, a failed
//! deployment is a failure, an unfinished operation is in the way of what it covers.

use super::faults::{Fault, Faulty, Place, Schedule};
use super::matrix::{Action, Host, block_on, process};
use super::places::{Deployment, Documents, Parameters, World, address, secret};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use strongroom::apply::{self, ApplyError};
use strongroom::journal::{Begin, Ending, KEPT, Standing, Step};
use strongroom::name::Address;
use strongroom::plan::{Change, Desired, Want};
use strongroom::snapshot::{Snapshot, Unit, Version};
use strongroom::store::{ErrorKind, Memory, OperationId, Receipt, Store, StoreError, Stores};

fn set(values: &[(&str, &str)]) -> Desired {
    values.iter().map(|(at, value)| (address(at), Want::value(secret(value)))).collect()
}

fn value(world: &dyn World, at: &str) -> String {
    world.contents()[at].0.clone()
}

/// Somebody writes between the plan and the call.
fn meddled(place: &Place, host: &Host, theirs: &str) -> Result<apply::Done, ApplyError> {
    block_on(async {
        let stores = Stores::from([("place".to_owned(), (place.door)(Schedule::clean()))]);
        let plan = apply::plan("place", stores["place"].as_ref(), &set(&[("app/A", "ours")])).await?;
        place.world.meddle("app/A", theirs);
        apply::run(&host.journal(), "set", &plan, &stores, &mut |_| ()).await
    })
}

#[test]
fn a_document_or_a_deployment_that_somebody_changed_after_the_plan_is_left_to_them() {
    let places = [
        Place::of("a document", Documents::with(&[("app/A", "old")])),
        Place::of("a deployment", Deployment::with(&[("app/A", "old")])),
    ];
    for place in places {
        let host = Host::new();
        let error = meddled(&place, &host, "theirs").unwrap_err();
        assert!(matches!(error, ApplyError::Conflict { midway: false, .. }), "{}: {error:?}", place.name);
        assert_eq!(value(place.world.as_ref(), "app/A"), "theirs", "{}", place.name);
        assert_eq!(host.operations()[0].standing, Standing::Nothing, "nothing is left to resume");
    }
}

#[test]
fn a_parameter_that_somebody_changed_after_the_plan_is_told_with_both_values_in_its_history() {
    let world = Parameters::with(&[("app/A", "old", "SecureString")]);
    let place = Place::of("a parameter", world);
    let host = Host::new();
    let error = meddled(&place, &host, "theirs").unwrap_err();
    let ApplyError::Conflict { covered: Some(theirs), midway: true, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(theirs.0, "2");
    assert!(error.to_string().contains("theirs is version 2 in its history"), "{error}");
    assert_eq!(host.operations()[0].standing, Standing::Unfinished);
    // Nor is it forgotten by a resume.
    let resumed =
        block_on(process(&host, &place, &Schedule::clean(), Action::Resume, &Desired::new())).unwrap();
    assert!(matches!(resumed, Err(ApplyError::Conflict { .. })), "{resumed:?}");
}

/// Home has the password, and a copy the same: after somebody changed the one, the other is not to have the old one again.
#[test]
fn what_somebody_changed_in_one_place_is_left_by_an_undo_in_every_place() {
    let (home, copy) = (
        Documents::with(&[("app/A", "old"), ("app/B", "old")]),
        Deployment::with(&[("app/A", "old"), ("app/B", "old")]),
    );
    let (home, copy) = (Place::of("home", home), Place::of("copy", copy));
    let (host, both) = (Host::new(), set(&[("app/A", "new"), ("app/B", "new")]));
    let stores = || {
        let door = |place: &Place| (place.door)(Schedule::clean());
        Stores::from([("home".to_owned(), door(&home)), ("copy".to_owned(), door(&copy))])
    };
    let left = block_on(async {
        let stores = stores();
        let mut plan = apply::plan("home", stores["home"].as_ref(), &both).await?;
        plan = plan.then(apply::plan("copy", stores["copy"].as_ref(), &both).await?);
        let done = apply::run(&host.journal(), "set", &plan, &stores, &mut |_| ()).await?;
        home.world.meddle("app/A", "theirs");
        let journal = host.journal();
        let refused = apply::plan_undo(&journal, &done.operation, &stores, false).await;
        assert!(matches!(refused, Err(ApplyError::Conflict { .. })));
        let undo = apply::plan_undo(&journal, &done.operation, &stores, true).await?;
        Ok::<_, ApplyError>(apply::undo(&journal, undo, &stores, &mut |_| ()).await?.left)
    })
    .unwrap();
    assert_eq!(left, [("home".to_owned(), address("app/A"))]);
    let now = |place: &Place| ["app/A", "app/B"].map(|at| value(place.world.as_ref(), at));
    assert_eq!(
        (now(&home), now(&copy)),
        (["theirs", "old"].map(str::to_owned), ["new", "old"].map(str::to_owned))
    );
}

#[test]
fn an_overwrite_that_is_found_after_a_lost_answer_is_told_too() {
    let (host, place) =
        (Host::new(), Place::of("a parameter", Parameters::with(&[("app/A", "old", "SecureString")])));
    let ended = block_on(async {
        // Calls: read, write.
        let stores =
            Stores::from([("place".to_owned(), (place.door)(Schedule::fault_at(1, Fault::ReplyLost)))]);
        let plan = apply::plan("place", stores["place"].as_ref(), &set(&[("app/A", "ours")])).await?;
        place.world.meddle("app/A", "theirs");
        apply::run(&host.journal(), "set", &plan, &stores, &mut |_| ()).await
    });
    let Err(ApplyError::Conflict { covered: Some(theirs), .. }) = ended else { panic!("{ended:?}") };
    assert_eq!(theirs.0, "2");
}

#[test]
fn an_undo_of_a_deployment_that_is_still_under_way_waits_for_it_and_takes_it_back() {
    let (host, place) = (Host::new(), Place::of("a deployment", Deployment::with(&[("app/A", "old")])));
    let desired = set(&[("app/A", "new")]);
    // Calls: read, write, settle.
    let died = Schedule::fault_at(2, Fault::KilledBefore);
    assert!(block_on(process(&host, &place, &died, Action::Run, &desired)).is_none());
    block_on(process(&host, &place, &Schedule::clean(), Action::Undo, &desired)).unwrap().unwrap();
    assert_eq!(value(place.world.as_ref(), "app/A"), "old");
    assert!(matches!(host.operations()[0].standing, Standing::Undone(_)));
}

/// A place whose first write says nothing, lands only when it is told to, and which then refuses.
struct Late {
    inside: Documents,
    held_back: Mutex<Vec<Change>>,
    calls: AtomicUsize,
}

#[async_trait::async_trait]
impl Store for Late {
    fn location(&self) -> String {
        "late".to_owned()
    }
    fn unit_of(&self, address: &Address) -> Unit {
        self.inside.unit_of(address)
    }
    async fn read(&self, addresses: &[Address]) -> Result<Snapshot, StoreError> {
        self.inside.read(addresses).await
    }
    async fn write(&self, _: &Unit, _: Option<&Version>, _: &OperationId, changes: &[Change]) -> Receipt {
        if self.calls.fetch_add(1, Ordering::SeqCst) == 0 {
            self.held_back.lock().unwrap().extend(changes.iter().cloned());
            return Receipt::Unknown(StoreError::new(ErrorKind::Transient, "late", "no answer"));
        }
        Receipt::NotApplied(StoreError::new(ErrorKind::Denied, "late", "the token has expired"))
    }
}

#[test]
fn a_call_that_lands_after_its_retry_was_refused_leaves_an_operation_to_undo() {
    let host = Host::new();
    let inside = Documents::default();
    inside.meddle("app/A", "old");
    let late = Arc::new(Late { inside, held_back: Mutex::default(), calls: AtomicUsize::new(0) });
    let door: Box<dyn Store> = Box::new(Faulty { store: late.clone(), schedule: Schedule::clean() });
    let stores = Stores::from([("place".to_owned(), door)]);
    let journal = host.journal();
    let ended = block_on(async {
        let plan = apply::plan("place", stores["place"].as_ref(), &set(&[("app/A", "new")])).await?;
        apply::run(&journal, "set", &plan, &stores, &mut |_| ()).await
    });
    let Err(ApplyError::Stopped { operation, .. }) = ended else { panic!("{ended:?}") };
    late.inside.meddle("app/A", "new");
    let undo = block_on(apply::plan_undo(&journal, &operation, &stores, false)).unwrap();
    assert_eq!(undo.plan.changes().count(), 1, "the old value can be brought back");
}

#[test]
fn somebody_who_wrote_the_very_value_that_was_wanted_is_no_conflict() {
    let place = Place::of("a document", Documents::with(&[("app/A", "old")]));
    meddled(&place, &Host::new(), "ours").unwrap();
}

#[test]
fn a_deployment_of_many_changes_is_one_update() {
    let world = Deployment::with(&[("app/A", "old"), ("app/B", "old")]);
    let place = Place::of("a deployment", world.clone());
    let desired = Desired::from([
        (address("app/A"), Want::value(secret("new"))),
        (address("app/B"), Want::Absent),
        (address("db/C"), Want::value(secret("new"))),
    ]);
    block_on(process(&Host::new(), &place, &Schedule::clean(), Action::Run, &desired)).unwrap().unwrap();
    assert_eq!(world.updates(), 1);
}

#[test]
fn a_rolled_back_deployment_is_a_failure_that_left_the_old_state_and_nothing_to_resume() {
    let world = Deployment::with(&[("app/A", "old")]);
    world.doom_next();
    let (host, place) = (Host::new(), Place::of("a deployment", world));
    let desired = set(&[("app/A", "new")]);
    let ended = block_on(process(&host, &place, &Schedule::clean(), Action::Run, &desired)).unwrap();
    let Err(ApplyError::Nothing(error)) = ended else { panic!("{ended:?}") };
    assert_eq!(error.kind, ErrorKind::RolledBack);
    assert!(error.to_string().contains("instance i-0 did not start"), "the place's own words");
    assert_eq!(value(place.world.as_ref(), "app/A"), "old");
    assert_eq!(host.operations()[0].standing, Standing::Nothing);
}

#[test]
fn a_deployment_that_was_rolled_back_while_nobody_looked_is_made_again_by_resume() {
    let world = Deployment::with(&[("app/A", "old")]);
    world.doom_next();
    let (host, place) = (Host::new(), Place::of("a deployment", world));
    let desired = set(&[("app/A", "new")]);
    // Calls: read, write, settle.
    let died = Schedule::fault_at(2, Fault::KilledBefore);
    assert!(block_on(process(&host, &place, &died, Action::Run, &desired)).is_none());
    assert_eq!(value(place.world.as_ref(), "app/A"), "old");
    block_on(process(&host, &place, &Schedule::clean(), Action::Resume, &desired)).unwrap().unwrap();
    assert_eq!(value(place.world.as_ref(), "app/A"), "new");
}

/// An operation that was killed after its first of two writes, and what somebody else did since.
fn half_done_and_meddled() -> (Host, Place, Desired) {
    let typed = [("app/A", "old", "SecureString"), ("app/B", "old", "SecureString")];
    let (host, place) = (Host::new(), Place::of("a parameter", Parameters::with(&typed)));
    let desired = set(&[("app/A", "new"), ("app/B", "new")]);
    let died = Schedule::fault_at(3, Fault::KilledBefore);
    assert!(block_on(process(&host, &place, &died, Action::Run, &desired)).is_none());
    place.world.meddle("app/A", "theirs");
    (host, place, desired)
}

#[test]
fn resume_and_undo_write_nothing_where_somebody_changed_an_address_meanwhile() {
    for action in [Action::Resume, Action::Undo] {
        let (host, place, desired) = half_done_and_meddled();
        let ended = block_on(process(&host, &place, &Schedule::clean(), action, &desired)).unwrap();
        let Err(ApplyError::Conflict { addresses, .. }) = ended else { panic!("{action:?}: {ended:?}") };
        assert_eq!(addresses, [("place".to_owned(), address("app/A"))]);
        let now = (value(place.world.as_ref(), "app/A"), value(place.world.as_ref(), "app/B"));
        assert_eq!(now, ("theirs".to_owned(), "old".to_owned()), "{action:?}");
    }
}

#[test]
fn what_somebody_changed_can_be_left_to_them_while_the_rest_is_resumed_or_undone() {
    let (host, place, _) = half_done_and_meddled();
    let stores = Stores::from([("place".to_owned(), (place.door)(Schedule::clean()))]);
    let journal = host.journal();
    let id = host.operations()[0].id.clone();
    let done = block_on(apply::resume(&journal, &id, &stores, true, &mut |_| ())).unwrap();
    assert_eq!(done.left, [("place".to_owned(), address("app/A"))]);
    assert_eq!(value(place.world.as_ref(), "app/A"), "theirs");
    assert_eq!(value(place.world.as_ref(), "app/B"), "new");
    assert_eq!(host.operations()[0].standing, Standing::Done);

    let undo = block_on(apply::plan_undo(&journal, &id, &stores, true)).unwrap();
    block_on(apply::undo(&journal, undo, &stores, &mut |_| ())).unwrap();
    assert_eq!(value(place.world.as_ref(), "app/A"), "theirs");
    assert_eq!(value(place.world.as_ref(), "app/B"), "old");
    assert!(matches!(host.operations()[0].standing, Standing::Undone(_)));
}

#[test]
fn a_new_operation_waits_for_an_unfinished_one_only_where_both_change_the_same_address() {
    let (host, place, _) = half_done_and_meddled();
    let run = |at: &str| {
        block_on(process(&host, &place, &Schedule::clean(), Action::Run, &set(&[(at, "later")]))).unwrap()
    };
    assert!(matches!(run("app/B"), Err(ApplyError::Unfinished { .. })));
    run("app/C").unwrap();
}

#[test]
fn an_operation_of_one_place_is_not_resumed_on_another_of_the_same_name() {
    let (host, _, _) = half_done_and_meddled();
    let elsewhere: Box<dyn Store> = Box::new(Memory::new());
    let stores = Stores::from([("place".to_owned(), elsewhere)]);
    let journal = host.journal();
    let id = host.operations()[0].id.clone();
    let ended = block_on(apply::resume(&journal, &id, &stores, false, &mut |_| ()));
    assert!(matches!(ended, Err(ApplyError::OtherPlace { .. })), "{ended:?}");
}

#[test]
fn what_was_undone_is_not_resumed_and_undoing_twice_changes_nothing() {
    let place = Place::of("a document", Documents::with(&[("app/A", "old")]));
    let host = Host::new();
    let desired = set(&[("app/A", "new")]);
    let run = |action| block_on(process(&host, &place, &Schedule::clean(), action, &desired)).unwrap();
    run(Action::Run).unwrap();
    run(Action::Undo).unwrap();
    run(Action::Undo).unwrap();
    assert_eq!(value(place.world.as_ref(), "app/A"), "old");
    let journal = host.journal();
    assert_eq!(host.operations().len(), 2, "the second undo found nothing to do");
    let stores = Stores::from([("place".to_owned(), (place.door)(Schedule::clean()))]);
    let first = host.operations()[0].id.clone();
    let ended = block_on(apply::resume(&journal, &first, &stores, false, &mut |_| ()));
    assert!(matches!(ended, Err(ApplyError::Undone { .. })), "{ended:?}");
}

#[test]
fn an_operation_whose_undo_was_undone_stands_and_can_be_undone_again() {
    let (host, place) = (Host::new(), Place::of("a document", Documents::with(&[("app/A", "old")])));
    let desired = set(&[("app/A", "new")]);
    let run =
        |action| block_on(process(&host, &place, &Schedule::clean(), action, &desired)).unwrap().unwrap();
    run(Action::Run);
    run(Action::Undo);
    let journal = host.journal();
    let stores = Stores::from([("place".to_owned(), (place.door)(Schedule::clean()))]);
    let the_undo = host.operations()[1].id.clone();
    let undo = block_on(apply::plan_undo(&journal, &the_undo, &stores, false)).unwrap();
    block_on(apply::undo(&journal, undo, &stores, &mut |_| ())).unwrap();
    assert_eq!(value(place.world.as_ref(), "app/A"), "new");
    assert_eq!(host.operations()[0].standing, Standing::Done);
    run(Action::Undo);
    assert_eq!(value(place.world.as_ref(), "app/A"), "old");
}

#[test]
fn cancelling_an_undo_that_wrote_nothing_leaves_the_original_to_resume() {
    let (host, place, desired) = half_done_and_meddled();
    place.world.meddle("app/A", "new");
    // Calls of an undo: settle, read, write.
    let died = Schedule::fault_at(2, Fault::KilledBefore);
    assert!(block_on(process(&host, &place, &died, Action::Undo, &desired)).is_none());
    let journal = host.journal();
    let stores = Stores::from([("place".to_owned(), (place.door)(Schedule::clean()))]);
    let the_undo = host.operations()[1].id.clone();
    let cancel = block_on(apply::plan_undo(&journal, &the_undo, &stores, false)).unwrap();
    assert!(cancel.plan.is_empty());
    block_on(apply::undo(&journal, cancel, &stores, &mut |_| ())).unwrap();
    assert_eq!(host.operations()[0].standing, Standing::Unfinished);
    block_on(process(&host, &place, &Schedule::clean(), Action::Resume, &desired)).unwrap().unwrap();
    assert_eq!(value(place.world.as_ref(), "app/B"), "new");
}

#[test]
fn an_undo_that_left_everything_to_others_undoes_nothing_and_says_so() {
    let (host, place) = (Host::new(), Place::of("a document", Documents::with(&[("app/A", "old")])));
    block_on(process(&host, &place, &Schedule::clean(), Action::Run, &set(&[("app/A", "new")])))
        .unwrap()
        .unwrap();
    place.world.meddle("app/A", "theirs");
    let journal = host.journal();
    let stores = Stores::from([("place".to_owned(), (place.door)(Schedule::clean()))]);
    let id = host.operations()[0].id.clone();
    let undo = block_on(apply::plan_undo(&journal, &id, &stores, true)).unwrap();
    let done = block_on(apply::undo(&journal, undo, &stores, &mut |_| ())).unwrap();
    assert_eq!((done.changes, done.left.len()), (0, 1));
    assert_eq!(host.operations()[0].standing, Standing::Done, "it can be undone on another day");
}

#[test]
fn a_throttled_write_is_tried_again_though_another_address_of_its_unit_was_left() {
    let (host, place) =
        (Host::new(), Place::of("a document", Documents::with(&[("app/A", "old"), ("app/B", "old")])));
    let desired = set(&[("app/A", "new"), ("app/B", "new")]);
    let died = Schedule::fault_at(1, Fault::KilledBefore);
    assert!(block_on(process(&host, &place, &died, Action::Run, &desired)).is_none());
    place.world.meddle("app/A", "theirs");
    let journal = host.journal();
    // Calls of a resume: settle, read, write.
    let stores = Stores::from([("place".to_owned(), (place.door)(Schedule::fault_at(2, Fault::Throttled)))]);
    let id = host.operations()[0].id.clone();
    block_on(apply::resume(&journal, &id, &stores, true, &mut |_| ())).unwrap();
    assert_eq!(value(place.world.as_ref(), "app/A"), "theirs");
    assert_eq!(value(place.world.as_ref(), "app/B"), "new");
}

#[test]
fn a_damaged_journal_is_listed_as_such_and_stops_no_other_operation() {
    let (host, place, _) = half_done_and_meddled();
    std::fs::write(host.journal_file(), b"\0\0\0\n{}\n").unwrap();
    block_on(process(&host, &place, &Schedule::clean(), Action::Run, &set(&[("app/B", "later")])))
        .unwrap()
        .unwrap();
    let standings: Vec<_> = host.operations().into_iter().map(|summary| summary.standing).collect();
    assert!(matches!(standings.as_slice(), [Standing::Damaged(_), Standing::Done]), "{standings:?}");
}

#[test]
fn an_unfinished_operation_of_another_place_of_that_name_is_not_in_the_way() {
    let (host, _, _) = half_done_and_meddled();
    let elsewhere = Place::of("elsewhere", Documents::with(&[]));
    block_on(process(&host, &elsewhere, &Schedule::clean(), Action::Run, &set(&[("app/B", "x")])))
        .unwrap()
        .unwrap();
}

#[test]
fn old_operations_are_removed_an_undone_one_with_its_undo_and_an_unfinished_one_never() {
    let (host, place, _) = half_done_and_meddled();
    let run = |action, at: &str, value: &str| {
        block_on(process(&host, &place, &Schedule::clean(), action, &set(&[(at, value)]))).unwrap().unwrap();
    };
    for count in 0..KEPT + 5 {
        run(Action::Run, "app/OTHER", &count.to_string());
    }
    let listed = host.operations();
    assert!(listed.len() <= KEPT + 2, "{}", listed.len());
    assert_eq!(listed[0].standing, Standing::Unfinished);
}

/// What was given up after it had written something has changed something, and is what an undo is about.
#[test]
fn what_was_given_up_is_told_and_taken_back_by_what_it_had_done() {
    let host = Host::new();
    let stores = Stores::from([("place".to_owned(), Box::new(Memory::default()) as Box<dyn Store>)]);
    let journal = host.journal();
    for writes in [false, true] {
        let mut operation = journal.begin(&Begin { command: "rotate x", ..Begin::default() }).unwrap();
        if writes {
            let wanted = set(&[("app/A", "new")]);
            let plan = block_on(apply::plan("place", stores["place"].as_ref(), &wanted)).unwrap();
            block_on(apply::publish(&mut operation, &plan, &stores, &mut |_| ())).unwrap();
        }
        apply::give_up(&mut operation, "invented".to_owned()).unwrap();
    }
    let standings: Vec<Standing> = host.operations().into_iter().map(|one| one.standing).collect();
    assert_eq!(standings, [Standing::Nothing, Standing::GivenUp]);
    let id = host.operations()[1].id.clone();
    let undo = block_on(apply::plan_undo(&journal, &id, &stores, false)).unwrap();
    block_on(apply::undo(&journal, undo, &stores, &mut |_| ())).unwrap();
    let seen = block_on(stores["place"].read(&[address("app/A")])).unwrap();
    assert!(seen.entries.is_empty());
    assert!(matches!(host.operations()[1].standing, Standing::Undone(_)));
}

#[test]
fn two_processes_that_prune_at_once_both_begin() {
    let host = Host::new();
    let begin = || host.journal().begin(&Begin { command: "set", ..Begin::default() }).map(drop).unwrap();
    for _ in 0..KEPT + 60 {
        let journal = host.journal();
        let mut operation = journal.begin(&Begin { command: "set", ..Begin::default() }).unwrap();
        operation.record(Step::Ended { ending: Ending::Nothing, reason: None }).unwrap();
    }
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..20).for_each(|_| begin()));
        }
    });
}

#[test]
fn a_place_that_says_done_and_did_nothing_is_not_believed() {
    struct Liar;
    #[async_trait::async_trait]
    impl Store for Liar {
        fn location(&self) -> String {
            "liar".to_owned()
        }
        fn unit_of(&self, _: &Address) -> Unit {
            Unit("unit".to_owned())
        }
        async fn read(&self, _: &[Address]) -> Result<Snapshot, StoreError> {
            Ok(Snapshot::default())
        }
        async fn write(&self, unit: &Unit, _: Option<&Version>, _: &OperationId, _: &[Change]) -> Receipt {
            let unit = unit.clone();
            let done = strongroom::store::Applied { unit, version: None, request: None, overwrote: None };
            Receipt::Applied(done)
        }
    }
    let liar: Box<dyn Store> = Box::new(Liar);
    let stores = Stores::from([("place".to_owned(), liar)]);
    let ended = block_on(async {
        let plan = apply::plan("place", stores["place"].as_ref(), &set(&[("app/A", "new")])).await?;
        apply::run(&Host::new().journal(), "set", &plan, &stores, &mut |_| ()).await
    });
    assert!(matches!(ended, Err(ApplyError::NotVerified { .. })), "{ended:?}");
}

#[test]
fn a_journal_whose_last_line_a_crash_cut_off_is_read_to_the_line_before() {
    let (host, place, desired) = half_done_and_meddled();
    place.world.meddle("app/A", "new");
    let lines = host.journal_file();
    let text = std::fs::read(&lines).unwrap();
    std::fs::write(&lines, [text.as_slice(), b"{\"at\":\"2026-"].concat()).unwrap();
    block_on(process(&host, &place, &Schedule::clean(), Action::Resume, &desired)).unwrap().unwrap();
    assert_eq!(value(place.world.as_ref(), "app/B"), "new");
}

#[test]
fn a_sealed_plan_that_was_damaged_is_told_and_nothing_is_written() {
    let (host, place, desired) = half_done_and_meddled();
    place.world.meddle("app/A", "new");
    let plan = host.journal_file().with_file_name("plan-1.age");
    let sealed = std::fs::read(&plan).unwrap();
    std::fs::write(&plan, &sealed[..sealed.len() - 1]).unwrap();
    let ended = block_on(process(&host, &place, &Schedule::clean(), Action::Resume, &desired)).unwrap();
    assert!(matches!(ended, Err(ApplyError::Journal(_))), "{ended:?}");
    assert_eq!(value(place.world.as_ref(), "app/B"), "old");
}
