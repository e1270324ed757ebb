//! Several at once: nobody is overwritten, and a read sees what was written.

use super::{World, address, desired};
use crate::support::cloud::Effect;
use std::sync::Arc;
use strongroom::apply::ApplyError;
use strongroom::store::ErrorKind;

fn is_conflict(error: &ApplyError) -> bool {
    match error {
        ApplyError::Conflict { .. } => true,
        ApplyError::Nothing(source) | ApplyError::Stopped { source, .. } => {
            source.kind == ErrorKind::Conflict
        }
        _ => false,
    }
}

#[test]
fn six_writers_of_one_document_all_get_through_and_nobody_s_value_is_lost() {
    let world = World::new();
    world.seed("shop/prod/app", "{}");
    let turns = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for writer in 0..6 {
            let (cloud, turns) = (&world.cloud, &turns);
            scope.spawn(move || {
                let own = World { cloud: cloud.clone(), ..World::new() };
                let own = World { settings: super::settings(cloud), ..own };
                let at = format!("app/K{writer}");
                for value in 0..3 {
                    let wants = desired(&[(&at, Some(&value.to_string()))]);
                    while let Err(error) = own.wait(own.run(&wants)) {
                        turns.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        assert!(is_conflict(&error), "{error:?}");
                    }
                }
            });
        }
    });
    let document = world.text("shop/prod/app").unwrap();
    for writer in 0..6 {
        assert!(document.contains(&format!("\"K{writer}\":\"2\"")), "{document}");
    }
}

#[test]
fn somebody_between_the_new_version_and_its_promotion_is_found_and_theirs_stands() {
    let world = World::new();
    world.seed("shop/prod/app", "{\"A\": \"old\"}");
    let other = world.cloud.clone();
    let seed = move || other.world(|world| world.secrets.seed("shop/prod/app", "{\"A\": \"theirs\"}"));
    world.cloud.fault("secretsmanager:UpdateSecretVersionStage", 1..2, Effect::Meanwhile(Arc::new(seed)));
    let refused = world.wait(world.run(&desired(&[("app/A", Some("ours"))]))).unwrap_err();
    assert!(is_conflict(&refused), "{refused:?}");
    assert_eq!(world.value("app/A").as_deref(), Some("theirs"));
    let held = world.cloud.world(|world| world.secrets.held("shop/prod/app")).unwrap();
    assert!(
        held.versions.iter().all(|(_, labels, _)| !labels.iter().any(|label| label == "STRONGROOM_WRITTEN"))
    );
}

#[test]
fn somebody_who_creates_the_document_first_is_not_overwritten() {
    let world = World::new();
    let other = world.cloud.clone();
    let seed = move || other.world(|world| world.secrets.seed("shop/prod/app", "{\"A\": \"theirs\"}"));
    world.cloud.fault("secretsmanager:CreateSecret", 1..2, Effect::Meanwhile(Arc::new(seed)));
    let refused = world.wait(world.run(&desired(&[("app/A", Some("ours"))]))).unwrap_err();
    assert!(is_conflict(&refused), "{refused:?}");
    assert_eq!(world.value("app/A").as_deref(), Some("theirs"));
}

#[test]
fn what_somebody_puts_in_while_a_document_goes_brings_it_back() {
    let world = World::new();
    world.set(&[("db/ONLY", Some("x"))]);
    let other = world.cloud.clone();
    let seed = move || other.world(|world| world.secrets.seed("shop/prod/db", "{\"theirs\": 1}"));
    world.cloud.fault("secretsmanager:DeleteSecret", 1..2, Effect::Meanwhile(Arc::new(seed)));
    world.set(&[("db/ONLY", None)]);
    assert_eq!(world.text("shop/prod/db").as_deref(), Some("{\"theirs\": 1}"));
}

#[test]
fn a_read_that_lags_behind_our_own_write_is_repeated() {
    let world = World::new();
    world.set(&[("app/A", Some("1"))]);
    world.cloud.fault("secretsmanager:GetSecretValue", 2..4, Effect::StaleRead);
    world.set(&[("app/A", Some("2"))]);
    assert_eq!(world.value("app/A").as_deref(), Some("2"));
}

#[test]
fn an_answer_that_is_lost_is_no_second_version() {
    for (call, effect) in [
        ("CreateSecret", Effect::LoseReply),
        ("CreateSecret", Effect::InternalAfter),
        ("PutSecretValue", Effect::LoseReply),
        ("PutSecretValue", Effect::InternalAfter),
        ("UpdateSecretVersionStage", Effect::LoseReply),
        ("UpdateSecretVersionStage", Effect::InternalAfter),
    ] {
        let world = World::new();
        world.cloud.fault(&format!("secretsmanager:{call}"), 1..2, effect);
        world.set(&[("app/A", Some("1"))]);
        world.set(&[("app/A", Some("2"))]);
        let held = world.cloud.world(|world| world.secrets.held("shop/prod/app")).unwrap();
        assert_eq!(held.versions.len(), 2, "{call}");
        assert_eq!(held.text.as_deref(), Some("{\"A\":\"2\"}"), "{call}");
        assert_eq!(
            world.read(&["app/A"]).entries[&address("app/A")].version.as_ref().unwrap().0,
            held.versions[1].0
        );
    }
}
