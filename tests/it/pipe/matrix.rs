//! The crash matrix of the pipe: every call of a run × every fault, then every call of the `resume` or `undo` that follows
//! × every fault, then a clean end. At each stop no value may be lost; at the end everything is as planned, or as it was.

use super::faults::{Fault, Place, Schedule};
use super::places::{Contents, Deployment, Documents, Parameters, address, secret};
use std::sync::Arc;
use strongroom::apply::{self, ApplyError};
use strongroom::journal::{Journal, Outside, Standing, Summary};
use strongroom::plan::{Desired, Want};
use strongroom::seal::Identities;
use strongroom::snapshot::Attributes;
use strongroom::store::Stores;

/// A host: what stays when a process dies.
pub(super) struct Host {
    state: tempfile::TempDir,
    identities: Arc<Identities>,
}

impl Host {
    pub(super) fn new() -> Host {
        // Memory instead of a disk where there is some: the matrix flushes files some hundred thousand times.
        let memory = std::path::Path::new("/dev/shm");
        let state = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Host { state: state.unwrap(), identities: Arc::new(Identities::generate()) }
    }

    pub(super) fn journal(&self) -> Journal {
        let outside = Outside { clock: jiff::Timestamp::now, random: || rand::random() };
        let names = ("dev-app".parse().unwrap(), "prod".parse().unwrap());
        let recipients = self.identities.recipients();
        Journal::new(self.state.path(), names, recipients, None, outside)
    }

    /// The operations, once nobody seems to work on them: a child that another test starts at this moment inherits our
    /// locks for the instant until it is another program.
    pub(super) fn operations(&self) -> Vec<Summary> {
        loop {
            let listed = self.journal().list().unwrap();
            if listed.iter().all(|summary| summary.standing != Standing::Running) {
                return listed;
            }
            std::thread::yield_now();
        }
    }

    /// The journal's lines of the only operation.
    pub(super) fn journal_file(&self) -> std::path::PathBuf {
        let folder = self.state.path().join("dev-app/prod");
        let only = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap();
        only.path().join("journal.jsonl")
    }

    /// Whether every one of these values can be read: in the place, or in the sealed values of an operation.
    fn keeps(&self, initial: &Contents, place: &Place) -> Result<(), String> {
        let present = place.world.contents();
        let journal = self.journal();
        let mut sealed: Vec<(String, String)> = Vec::new();
        for summary in self.operations() {
            let operation = journal.open(&summary.id).unwrap();
            for change in operation.writes().iter().flat_map(|write| &write.changes) {
                if let Some(entry) = &change.before {
                    let value = entry.held.value().unwrap().expose().to_owned();
                    sealed.push((change.address.to_string(), value));
                }
            }
        }
        for (at, (value, _)) in initial {
            let there = present.get(at).is_some_and(|(now, _)| now == value);
            if !there && !sealed.contains(&(at.clone(), value.clone())) {
                return Err(format!("the value of {at} is nowhere"));
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Run,
    Resume,
    Undo,
}

/// One process: does its action until it ends or dies. `None` where it died.
pub(super) async fn process(
    host: &Host,
    place: &Place,
    schedule: &Arc<Schedule>,
    action: Action,
    desired: &Desired,
) -> Option<Result<(), ApplyError>> {
    let work = async {
        let journal = host.journal();
        let stores = Stores::from([("place".to_owned(), (place.door)(schedule.clone()))]);
        let watch = &mut |_: &apply::Event| ();
        let listed = host.operations();
        let unfinished = listed.iter().rev().find(|summary| summary.standing == Standing::Unfinished);
        match action {
            Action::Run => {
                let plan = apply::plan("place", stores["place"].as_ref(), desired).await?;
                apply::run(&journal, "set", &plan, &stores, watch).await?;
            }
            Action::Resume => {
                if let Some(summary) = unfinished {
                    apply::resume(&journal, &summary.id, &stores, false, watch).await?;
                }
            }
            Action::Undo => {
                let begun_undo = unfinished.filter(|summary| summary.undoes.is_some());
                let can_be_undone = |summary: &&Summary| {
                    let standing = matches!(summary.standing, Standing::Done | Standing::Unfinished);
                    standing && summary.touched && summary.undoes.is_none()
                };
                if let Some(summary) = begun_undo {
                    apply::resume(&journal, &summary.id, &stores, false, watch).await?;
                } else if let Some(summary) = listed.iter().rev().find(can_be_undone) {
                    let undo = apply::plan_undo(&journal, &summary.id, &stores, false).await?;
                    apply::undo(&journal, undo, &stores, watch).await?;
                }
            }
        }
        Ok(())
    };
    tokio::select! {
        biased;
        () = schedule.killed.notified() => None,
        result = work => Some(result),
    }
}

pub(super) fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(work)
}

fn with_type(kind: &str) -> Attributes {
    Attributes::from([("type".to_owned(), kind.to_owned())])
}

fn desired() -> Desired {
    Desired::from([
        (address("app/CHANGED"), Want::value(secret("new"))),
        (address("app/MADE"), Want::value(secret("made"))),
        (address("db/GONE"), Want::Absent),
        (address("db/SAME"), Want::value(secret("same"))),
    ])
}

fn expected(attributes: impl Fn(&str) -> Attributes) -> Contents {
    [("app/CHANGED", "new"), ("app/MADE", "made"), ("db/SAME", "same"), ("db/OTHER", "other")]
        .into_iter()
        .map(|(at, value)| (at.to_owned(), (value.to_owned(), attributes(at))))
        .collect()
}

const INITIAL: [(&str, &str); 4] =
    [("app/CHANGED", "old"), ("db/GONE", "gone"), ("db/SAME", "same"), ("db/OTHER", "other")];

fn parameters() -> Place {
    let typed =
        INITIAL.map(|(at, value)| (at, value, if at == "db/GONE" { "String" } else { "SecureString" }));
    Place::of("a parameter", Parameters::with(&typed))
}

fn documents() -> Place {
    Place::of("a document", Documents::with(&INITIAL))
}

fn deployment() -> Place {
    Place::of("a deployment", Deployment::with(&INITIAL))
}

/// Follows one history: a run that goes wrong at one call, what follows going wrong at another, and a clean end.
async fn history(
    fresh: fn() -> Place,
    done: &Contents,
    first: (usize, Fault),
    action: Action,
    second: Option<(usize, Fault)>,
) -> Result<bool, String> {
    let (host, place) = (Host::new(), fresh());
    let initial = place.world.contents();
    let schedule = Schedule::fault_at(first.0, first.1);
    process(&host, &place, &schedule, Action::Run, &desired()).await;
    host.keeps(&initial, &place)?;
    let unfinished =
        |host: &Host| host.operations().iter().any(|summary| summary.standing == Standing::Unfinished);
    let begun = unfinished(&host);
    let after_run = place.world.contents();
    if !begun && after_run != initial && after_run != *done {
        return Err("something was changed, and there is nothing to resume".to_owned());
    }
    let mut reached = true;
    if let Some((call, fault)) = second {
        let schedule = Schedule::fault_at(call, fault);
        process(&host, &place, &schedule, action, &desired()).await;
        host.keeps(&initial, &place)?;
        reached = schedule.calls() > call;
    }
    // What was begun is finished in the end; an undo is asked for again only where the first one never began.
    for _ in 0..2 {
        let ended = process(&host, &place, &Schedule::clean(), action, &desired()).await;
        match ended {
            Some(Ok(())) => {}
            other => return Err(format!("the clean {action:?} ended with {other:?}")),
        }
        if action == Action::Resume {
            break;
        }
    }
    host.keeps(&initial, &place)?;
    let end = place.world.contents();
    let right = match action {
        Action::Undo => end == initial,
        _ if begun => end == *done,
        _ => end == after_run,
    };
    if !right {
        return Err(format!("the end is {end:?}"));
    }
    if unfinished(&host) {
        return Err("something is unfinished still".to_owned());
    }
    Ok(reached)
}

async fn matrix(fresh: fn() -> Place, done: Contents) -> usize {
    let clean = Schedule::clean();
    let (host, place) = (Host::new(), fresh());
    process(&host, &place, &clean, Action::Run, &desired()).await.unwrap().unwrap();
    assert_eq!(place.world.contents(), done, "a clean run of {}", place.name);
    let mut cases = 0;
    for call in 0..clean.calls() {
        for fault in Fault::ALL {
            for action in [Action::Resume, Action::Undo] {
                let mut seconds: Vec<Option<(usize, Fault)>> = vec![None];
                for second in 0.. {
                    seconds.extend(Fault::ALL.map(|fault| Some((second, fault))));
                    let mut reached = false;
                    for next in seconds.drain(..) {
                        cases += 1;
                        match history(fresh, &done, (call, fault), action, next).await {
                            Ok(got_there) => reached |= got_there && next.is_some(),
                            Err(violation) => panic!(
                                "{}: {fault:?} at call {call} of the run, {next:?} of the {action:?}: {violation}",
                                place.name
                            ),
                        }
                    }
                    if !reached {
                        break;
                    }
                }
            }
        }
    }
    cases
}

#[test]
fn no_fault_at_any_call_of_parameters_loses_a_value_or_leaves_a_mix() {
    let typed = |at: &str| with_type(if at == "db/GONE" { "String" } else { "SecureString" });
    assert!(block_on(matrix(parameters, expected(typed))) > 1000);
}

#[test]
fn no_fault_at_any_call_of_parameters_that_are_written_together_loses_a_value_or_leaves_a_mix() {
    fn together() -> Place {
        let typed =
            INITIAL.map(|(at, value)| (at, value, if at == "db/GONE" { "String" } else { "SecureString" }));
        super::together::slow("parameters together", Parameters::with(&typed))
    }
    let typed = |at: &str| with_type(if at == "db/GONE" { "String" } else { "SecureString" });
    assert!(block_on(matrix(together, expected(typed))) > 1000);
}

#[test]
fn no_fault_at_any_call_of_documents_loses_a_value_or_leaves_a_mix() {
    assert!(block_on(matrix(documents, expected(|_| Attributes::new()))) > 1000);
}

#[test]
fn no_fault_at_any_call_of_a_deployment_loses_a_value_or_leaves_a_mix() {
    assert!(block_on(matrix(deployment, expected(|_| Attributes::new()))) > 500);
}

/// The matrix can fail: a place that drops a value when it is told to set another one is found out.
#[test]
#[should_panic(expected = "the value of db/OTHER is nowhere")]
fn the_matrix_finds_a_place_that_loses_a_value() {
    struct Careless(Arc<Parameters>);
    impl super::places::World for Careless {
        fn contents(&self) -> Contents {
            let mut contents = self.0.contents();
            if contents.contains_key("app/MADE") {
                contents.remove("db/OTHER");
            }
            contents
        }
        fn meddle(&self, address: &str, value: &str) {
            self.0.meddle(address, value);
        }
    }
    fn careless() -> Place {
        let typed = INITIAL.map(|(at, value)| (at, value, "SecureString"));
        let world = Parameters::with(&typed);
        let place = Place::of("a careless place", world.clone());
        Place { world: Arc::new(Careless(world)), ..place }
    }
    let _ = block_on(history(careless, &Contents::new(), (7, Fault::KilledAfter), Action::Resume, None))
        .map_err(|violation| panic!("{violation}"));
}
