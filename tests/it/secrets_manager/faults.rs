//! Every call of a change × every fault, then every call of the `resume` or `undo` that follows × some, then a clean end:
//! everything is as planned or as it was, and no value is lost on the way.

use super::{World, desired};
use crate::support::cloud::{Effect, Refusal};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use strongroom::apply::{self, ApplyError};
use strongroom::journal::{Standing, Summary};
use strongroom::plan::Desired;
use tokio::sync::Notify;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Throttled,
    Denied,
    Broken,
    BrokenAfter,
    Reset,
    ReplyLost,
    Stale,
    /// From this call on nothing gets through.
    Gone,
    KilledBefore,
    KilledAfter,
}

const ALL: [Fault; 10] = [
    Fault::Throttled,
    Fault::Denied,
    Fault::Broken,
    Fault::BrokenAfter,
    Fault::Reset,
    Fault::ReplyLost,
    Fault::Stale,
    Fault::Gone,
    Fault::KilledBefore,
    Fault::KilledAfter,
];
/// What else can go wrong after it: killed before a call is killed after the one before.
const AGAIN: [Fault; 2] = [Fault::Denied, Fault::KilledAfter];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Resume,
    Undo,
}

/// Members of others, a document of ours that ends, one that is made.
const FOREIGN: &str = "{ \"A\": \"old\", \"n\": 1.50, \"C\": 7 }";
const DONE: &str = "{ \"A\": \"new\", \"n\": 1.50, \"B\": \"added\" }";

fn change() -> Desired {
    desired(&[
        ("app/A", Some("new")),
        ("app/B", Some("added")),
        ("app/C", None),
        ("db/ONLY", None),
        ("made/NEW", Some("made")),
    ])
}

/// What everybody sees.
fn contents(world: &World) -> BTreeMap<&'static str, Option<String>> {
    let names = ["shop/prod/app", "shop/prod/db", "shop/prod/made"];
    // An empty document of ours is as good as none.
    names.map(|name| (name, world.text(name).filter(|text| text != "{}"))).into()
}

fn fresh() -> World {
    let world = World::new();
    world.seed("shop/prod/app", FOREIGN);
    let setup = World { cloud: world.cloud.clone(), ..World::new() };
    let setup = World { settings: world.settings.clone(), ..setup };
    setup.set(&[("db/ONLY", Some("only"))]);
    world.cloud.reset_calls();
    world
}

/// Plans a fault for the calls of one process; the callback of a kill ends it.
fn plan(world: &World, call: usize, fault: Fault, killed: &Arc<Notify>) {
    let killed = killed.clone();
    let kill: Arc<dyn Fn() + Send + Sync> = Arc::new(move || killed.notify_one());
    let at = call..call + 1;
    let effect = match fault {
        Fault::Throttled => Effect::Throttle,
        Fault::Denied => Effect::Deny,
        Fault::Broken => Effect::Internal,
        Fault::BrokenAfter => Effect::InternalAfter,
        Fault::Reset => Effect::Reset,
        Fault::ReplyLost => Effect::LoseReply,
        Fault::Stale => Effect::StaleRead,
        Fault::KilledBefore => Effect::KillBefore(kill),
        Fault::KilledAfter => Effect::KillAfter(kill),
        // Without repetitions, so that it takes no time.
        Fault::Gone => {
            let gone = Effect::Refuse(Refusal::new("RequestExpired", "the request is too old"));
            return world.cloud.fault("secretsmanager:*", call.., gone);
        }
    };
    world.cloud.fault("secretsmanager:*", at, effect);
}

/// One process: does its work until it ends or dies, and tells how many calls it made.
fn process<T>(
    world: &World,
    fault: Option<(usize, Fault)>,
    work: impl Future<Output = Result<T, ApplyError>>,
) -> (usize, Option<Result<T, ApplyError>>) {
    let killed = Arc::new(Notify::new());
    world.cloud.reset_calls();
    if let Some((call, fault)) = fault {
        plan(world, call, fault, &killed);
    }
    let ended = world.wait(async {
        tokio::select! {
            biased;
            () = killed.notified() => None,
            ended = work => Some(ended),
        }
    });
    world.cloud.heal();
    (world.calls().len(), ended)
}

/// The operations, of which none runs. A process that another test starts holds our locks too, until it is itself.
fn listed(world: &World) -> Vec<Summary> {
    loop {
        let listed = world.journal().list().unwrap();
        if listed.iter().all(|summary| summary.standing != Standing::Running) {
            return listed;
        }
        std::thread::yield_now();
    }
}

async fn follow(world: &World, action: Action) -> Result<(), ApplyError> {
    let (journal, stores) = (world.journal(), world.stores());
    let listed = listed(world);
    let unfinished = listed.iter().rev().find(|summary| summary.standing == Standing::Unfinished);
    let done = listed.iter().rev().find(|summary| {
        matches!(summary.standing, Standing::Done | Standing::Unfinished)
            && summary.touched
            && summary.undoes.is_none()
    });
    match (action, unfinished) {
        (Action::Resume, Some(summary)) => {
            apply::resume(&journal, &summary.id, &stores, false, &mut |_| ()).await?;
        }
        (Action::Undo, Some(summary)) if summary.undoes.is_some() => {
            apply::resume(&journal, &summary.id, &stores, false, &mut |_| ()).await?;
        }
        (Action::Undo, _) if done.is_some() => drop(world.undo().await?),
        _ => {}
    }
    Ok(())
}

/// A value of before is in the account, as a version that can be read or restored, or sealed in the journal.
fn nothing_is_lost(world: &World) -> Result<(), String> {
    for (name, value) in [("shop/prod/app", "old"), ("shop/prod/db", "only")] {
        let held = world.cloud.world(|world| world.secrets.held(name));
        let versions = held.into_iter().flat_map(|held| held.versions);
        if !versions.filter_map(|(_, _, text)| text).any(|text| text.contains(value)) {
            return Err(format!("{value} is nowhere"));
        }
    }
    Ok(())
}

/// What a history came to: the calls of its second process, and whether the first left something to resume.
struct Told {
    calls: usize,
    begun: bool,
}

/// Follows one history.
fn history(first: (usize, Fault), action: Action, second: Option<(usize, Fault)>) -> Result<Told, String> {
    let world = fresh();
    let initial = contents(&world);
    let (_, ended) = process(&world, Some(first), world.run(&change()));
    nothing_is_lost(&world)?;
    let unfinished = |world: &World| listed(world).iter().any(|it| it.standing == Standing::Unfinished);
    let begun = unfinished(&world);
    let after_run = contents(&world);
    let done = BTreeMap::from([
        ("shop/prod/app", Some(DONE.to_owned())),
        ("shop/prod/db", None),
        ("shop/prod/made", Some("{\"NEW\":\"made\"}".to_owned())),
    ]);
    if !begun && after_run != initial && after_run != done {
        return Err(format!("{ended:?} left a mix and nothing to resume: {after_run:?}"));
    }
    let mut calls = 0;
    if second.is_some() {
        (calls, _) = process(&world, second, follow(&world, action));
        nothing_is_lost(&world)?;
    }
    for _ in 0..2 {
        let (made, ended) = process(&world, None, follow(&world, action));
        if second.is_none() {
            calls = calls.max(made);
        }
        match ended {
            Some(Ok(())) => {}
            other => return Err(format!("the clean {action:?} ended with {other:?}")),
        }
        if action == Action::Resume {
            break;
        }
    }
    let end = contents(&world);
    let right = match action {
        Action::Undo => end == initial,
        Action::Resume if begun => end == done,
        Action::Resume => end == after_run,
    };
    if !right {
        return Err(format!("the end is {end:?}"));
    }
    if unfinished(&world) {
        return Err("something is unfinished still".to_owned());
    }
    Ok(Told { calls, begun })
}

type Case = (usize, Fault, Action);

/// One way in, and what can go wrong after it. Counts the histories, and those whose first process stopped midway.
fn case((call, fault, action): Case) -> Result<(usize, usize), String> {
    let told = |second: Option<(usize, Fault)>, violation: String| {
        format!("{fault:?} at call {call} of the run, {second:?} of the {action:?}: {violation}")
    };
    let first = history((call, fault), action, None).map_err(|violation| told(None, violation))?;
    let mut cases = 1;
    if AGAIN.contains(&fault) {
        for second in 1..=first.calls {
            for next in AGAIN {
                let second = Some((second, next));
                history((call, fault), action, second).map_err(|violation| told(second, violation))?;
                cases += 1;
            }
        }
    }
    Ok((cases, usize::from(first.begun)))
}

#[test]
fn no_fault_at_any_call_loses_a_value_or_leaves_a_mix() {
    let world = fresh();
    let (calls, ended) = process(&world, None, world.run(&change()));
    ended.unwrap().unwrap();
    assert!((8..=16).contains(&calls), "{calls}");
    let cases: Vec<Case> = (1..=calls)
        .flat_map(|call| ALL.map(|fault| (call, fault)))
        .flat_map(|(call, fault)| [Action::Resume, Action::Undo].map(|action| (call, fault, action)))
        .collect();
    let (next, made, stopped) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    // Mostly they wait: many at a time.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(of_this) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (count, midway) = case(*of_this).unwrap_or_else(|violation| panic!("{violation}"));
                    made.fetch_add(count, Ordering::Relaxed);
                    stopped.fetch_add(midway, Ordering::Relaxed);
                }
            });
        }
    });
    assert!(made.into_inner() > 500);
    assert!(stopped.into_inner() > 50, "faults do stop it midway");
}
