//! Every call of a change failing in every way, and then a resume: the right end, and nothing written twice.

use super::{World, desired};
use crate::support::cloud::Effect;
use std::time::Duration;

const WANTS: &[(&str, Option<&str>)] =
    &[("app/A", Some("new")), ("app/B", Some("made")), ("xero/1/token", None)];

fn prepared() -> World {
    let world = World::new();
    world.seed("/shop/prod/app/A", "old", "SecureString");
    world.seed("/shop/xero/1/token", "gone", "SecureString");
    world.cloud.reset_calls();
    world
}

fn is_right(world: &World, case: &str) {
    let (a, b) = (world.held("/shop/prod/app/A"), world.held("/shop/prod/app/B"));
    let state = |held: Option<crate::support::cloud::ssm::Held>| held.map(|held| (held.value, held.version));
    assert_eq!(state(a), Some(("new".to_owned(), 2)), "{case}: overwritten once");
    assert_eq!(state(b), Some(("made".to_owned(), 1)), "{case}: created once");
    assert_eq!(world.held("/shop/xero/1/token"), None, "{case}");
}

/// Runs the change with a fault in it, and mends what it left.
fn survives(faults: &[(&str, usize, Effect)], case: &str) {
    let world = prepared();
    for (pattern, call, effect) in faults {
        world.cloud.fault(pattern, *call..=*call, effect.clone());
    }
    let outcome = world.set(WANTS);
    world.cloud.heal();
    if outcome.is_err() {
        world.mend(&desired(WANTS));
    }
    is_right(&world, case);
}

#[test]
fn a_fault_at_any_call_of_a_change_is_survived_and_nothing_is_written_twice() {
    let clean = prepared();
    clean.set(WANTS).unwrap();
    is_right(&clean, "without a fault");
    let calls = clean.cloud.calls().len();
    let effects = [
        ("throttled", Effect::Throttle),
        ("denied", Effect::Deny),
        ("500", Effect::Internal),
        ("500 after", Effect::InternalAfter),
        ("reset", Effect::Reset),
        ("lost", Effect::LoseReply),
        ("stale", Effect::StaleRead),
        ("slow", Effect::Delay(Duration::from_millis(20))),
    ];
    std::thread::scope(|scope| {
        for (name, effect) in &effects {
            scope.spawn(move || {
                for call in 1..=calls {
                    survives(&[("ssm:*", call, effect.clone())], &format!("call {call} {name}"));
                }
            });
        }
    });
}

#[test]
fn a_put_whose_answer_was_lost_and_that_a_late_read_does_not_show_is_not_made_twice() {
    for call in 1..=2 {
        let faults =
            [("ssm:PutParameter", call, Effect::LoseReply), ("ssm:GetParameters", 2, Effect::StaleRead)];
        survives(&faults, &format!("put {call}"));
    }
}

#[test]
fn a_delete_whose_answer_was_lost_and_that_a_late_read_does_not_show_is_made_once() {
    // The second read looks before the deletion, the third after it.
    let faults = [("ssm:DeleteParameter", 1, Effect::LoseReply), ("ssm:GetParameters", 3, Effect::StaleRead)];
    survives(&faults, "delete");
}

#[test]
fn a_name_that_was_deleted_just_now_is_waited_for() {
    let world = prepared();
    let taken =
        crate::support::cloud::Refusal::new("ParameterAlreadyExists", "The parameter already exists.");
    world.cloud.fault("ssm:PutParameter", 1..=1, Effect::Refuse(taken));
    world.set(&[("app/B", Some("made"))]).unwrap();
    assert_eq!(world.held("/shop/prod/app/B").unwrap().version, 1);
}

#[test]
fn what_somebody_else_wrote_meanwhile_is_told_with_its_version() {
    let world = prepared();
    let cloud = world.cloud.clone();
    let meddle = move || {
        let seed = crate::support::cloud::ssm::Seed {
            name: "/shop/prod/app/A",
            value: "theirs",
            kind: "SecureString",
        };
        cloud.world(|world| world.ssm.seed(seed));
    };
    world.cloud.fault("ssm:PutParameter", 1..=1, Effect::Meanwhile(std::sync::Arc::new(meddle)));
    let error = world.set(&[("app/A", Some("ours"))]).unwrap_err();
    let strongroom::apply::ApplyError::Conflict { covered, .. } = error else { panic!("{error:?}") };
    assert_eq!(covered.unwrap().0, "2");
    let past = world.cloud.world(|world| world.ssm.past("/shop/prod/app/A"));
    assert_eq!(past[1], (2, "theirs".to_owned()), "theirs is in the history");
    assert_eq!(world.value("/shop/prod/app/A").as_deref(), Some("ours"));
}

#[test]
fn what_somebody_else_created_or_deleted_meanwhile_is_a_conflict_and_stays() {
    let world = prepared();
    let cloud = world.cloud.clone();
    let create = move || {
        let seed = crate::support::cloud::ssm::Seed {
            name: "/shop/prod/app/B",
            value: "theirs",
            kind: "SecureString",
        };
        cloud.world(|world| world.ssm.seed(seed));
    };
    world.cloud.fault("ssm:PutParameter", 1..=1, Effect::Meanwhile(std::sync::Arc::new(create)));
    let error = world.set(&[("app/B", Some("ours"))]).unwrap_err();
    assert!(matches!(error, strongroom::apply::ApplyError::Conflict { covered: None, .. }), "{error:?}");
    assert_eq!(world.value("/shop/prod/app/B").as_deref(), Some("theirs"));
}
