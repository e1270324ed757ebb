//! What the pipe promises besides surviving crashes: nobody is overwritten unseen, one call for one unit, a failed
//! deployment is a failure, an unfinished operation is in the way of what it covers.

use super::faults::{Fault, Place, Schedule};
use super::matrix::{Action, Host, block_on, process};
use super::places::{Deployment, Documents, Parameters, World, address, secret};
use strongroom::apply::{self, ApplyError};
use strongroom::journal::Standing;
use strongroom::plan::{Desired, Want};
use strongroom::store::{ErrorKind, Memory, Store, Stores};

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
        assert_eq!(
            host.journal().list().unwrap()[0].standing,
            Standing::Nothing,
            "nothing is left to resume"
        );
    }
}

#[test]
fn a_parameter_that_somebody_changed_after_the_plan_is_told_with_both_values_in_its_history() {
    let world = Parameters::with(&[("app/A", "old", "SecureString")]);
    let place = Place::of("a parameter", world);
    let host = Host::new();
    let error = meddled(&place, &host, "theirs").unwrap_err();
    assert!(matches!(error, ApplyError::Conflict { midway: true, .. }), "{error:?}");
    assert_eq!(host.journal().list().unwrap()[0].standing, Standing::Unfinished);
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
    assert_eq!(host.journal().list().unwrap()[0].standing, Standing::Nothing);
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
    let id = journal.list().unwrap()[0].id.clone();
    let done = block_on(apply::resume(&journal, &id, &stores, true, &mut |_| ())).unwrap();
    assert_eq!(done.left, [("place".to_owned(), address("app/A"))]);
    assert_eq!(value(place.world.as_ref(), "app/A"), "theirs");
    assert_eq!(value(place.world.as_ref(), "app/B"), "new");
    assert_eq!(journal.list().unwrap()[0].standing, Standing::Done);

    let undo = block_on(apply::plan_undo(&journal, &id, &stores, true)).unwrap();
    block_on(apply::undo(&journal, undo, &stores, &mut |_| ())).unwrap();
    assert_eq!(value(place.world.as_ref(), "app/A"), "theirs");
    assert_eq!(value(place.world.as_ref(), "app/B"), "old");
    assert!(matches!(journal.list().unwrap()[0].standing, Standing::Undone(_)));
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
    let id = journal.list().unwrap()[0].id.clone();
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
    assert_eq!(journal.list().unwrap().len(), 2, "the second undo found nothing to do");
    let stores = Stores::from([("place".to_owned(), (place.door)(Schedule::clean()))]);
    let first = journal.list().unwrap()[0].id.clone();
    let ended = block_on(apply::resume(&journal, &first, &stores, false, &mut |_| ()));
    assert!(matches!(ended, Err(ApplyError::Undone { .. })), "{ended:?}");
}

#[test]
fn a_place_that_says_done_and_did_nothing_is_not_believed() {
    struct Liar;
    #[async_trait::async_trait]
    impl Store for Liar {
        fn location(&self) -> String {
            "liar".to_owned()
        }
        fn unit_of(&self, _: &strongroom::name::Address) -> strongroom::snapshot::Unit {
            strongroom::snapshot::Unit("unit".to_owned())
        }
        async fn read(
            &self,
            _: &[strongroom::name::Address],
        ) -> Result<strongroom::snapshot::Snapshot, strongroom::store::StoreError> {
            Ok(strongroom::snapshot::Snapshot::default())
        }
        async fn write(
            &self,
            unit: &strongroom::snapshot::Unit,
            _: Option<&strongroom::snapshot::Version>,
            _: &strongroom::store::OperationId,
            _: &[strongroom::plan::Change],
        ) -> strongroom::store::Receipt {
            let unit = unit.clone();
            let done = strongroom::store::Applied { unit, version: None, request: None, overwrote: None };
            strongroom::store::Receipt::Applied(done)
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
