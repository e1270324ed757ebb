//! Which step follows: no value is published that the target was not told of, none is ended that somebody holds.

use super::*;
use crate::program::Surroundings;
use std::sync::Arc;

fn key() -> Address {
    "app/TOKEN".parse().unwrap()
}

fn values() -> Values {
    Values::from([(key(), Secret::new("new".to_owned()).unwrap())])
}

fn rotation(chosen_by: ChosenBy, verify: bool, retire: bool) -> Command {
    let program = || Program { words: vec!["./it".to_owned()], timeout: Duration::from_secs(1) };
    let surroundings = Surroundings {
        folder: "/".into(),
        environment: Vec::new(),
        told: Arc::new(|_: &str| ()),
        lock: "/".into(),
    };
    let programs = Programs { rotation: "it".to_owned(), environment: "prod".to_owned(), surroundings };
    let three = (program(), verify.then(program), retire.then(program));
    let generate = |_: &Generator| Secret::new("new".to_owned()).unwrap();
    Command::new(vec![(key(), None)], generate, chosen_by, programs, three, Duration::ZERO, false)
}

fn facts() -> Facts {
    Facts {
        begun: true,
        new: Ok(Some(values())),
        applied: Applied::Never,
        tried: false,
        accepted: None,
        published: false,
        retired: false,
        waited: Waited::NotYet,
        clings: None,
        now: "2026-01-01T00:00:00Z".parse().unwrap(),
        soak: Duration::ZERO,
    }
}

fn told(step: &Step<Effect>) -> String {
    match step {
        Step::Act(effect) => effect.to_string(),
        Step::Publish(publication) if publication.lasting => "publish for good".to_owned(),
        Step::Publish(_) => "publish".to_owned(),
        Step::Soak(until) => format!("soak until {until}"),
        Step::Person(error) => format!("person: {}", error.message),
        Step::GiveUp(error) => format!("give up: {}", error.message),
        Step::Choose => "choose".to_owned(),
        Step::Done => "done".to_owned(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn follows(rotation: &Command, facts: &Facts, step: &str) {
    let told = told(&rotation.next(facts));
    assert!(told.starts_with(step), "{told}: {facts:?}");
}

#[test]
fn without_a_verify_apply_is_called_until_it_has_said_yes() {
    let rotation = rotation(ChosenBy::Strongroom, false, true);
    follows(&rotation, &Facts { begun: false, new: Ok(None), ..facts() }, "choose");
    follows(&rotation, &facts(), "apply");
    follows(&rotation, &Facts { applied: Applied::Unknown, ..facts() }, "apply");
    follows(&rotation, &Facts { applied: Applied::Done, tried: true, ..facts() }, "publish");
    follows(&rotation, &Facts { applied: Applied::Refused, tried: true, ..facts() }, "give up: it says no");
    follows(&rotation, &Facts { applied: Applied::Refused, ..facts() }, "apply");
    let doubt = Facts { applied: Applied::RefusedAfterUnknown, tried: true, ..facts() };
    follows(&rotation, &doubt, "person: it says no, and an earlier call");
}

#[test]
fn with_a_verify_its_word_decides_and_apply_is_called_once_in_a_run() {
    let rotation = rotation(ChosenBy::Strongroom, true, true);
    let says = |accepted| Facts { accepted: Some(accepted), applied: Applied::Unknown, ..facts() };
    follows(&rotation, &says(true), "publish");
    follows(&rotation, &says(false), "apply");
    follows(
        &rotation,
        &Facts { applied: Applied::Done, tried: true, ..says(false) },
        "person: it says that it is done",
    );
    let refused = Facts { applied: Applied::RefusedAfterUnknown, tried: true, ..says(false) };
    follows(&rotation, &refused, "give up: it says no");
}

#[test]
fn what_the_target_chose_is_asked_for_once_and_a_bad_answer_changes_no_holder() {
    let rotation = rotation(ChosenBy::Target, true, true);
    follows(&rotation, &Facts { new: Ok(None), ..facts() }, "apply");
    follows(&rotation, &Facts { applied: Applied::Done, accepted: Some(true), ..facts() }, "publish");
    follows(
        &rotation,
        &Facts { applied: Applied::Done, accepted: Some(false), ..facts() },
        "person: it says that",
    );
    follows(
        &rotation,
        &Facts { new: Err("no".to_owned()), ..facts() },
        "give up: what it answered is no answer",
    );
}

#[test]
fn old_values_are_ended_after_the_soak_and_only_when_nobody_holds_them() {
    let day = Duration::from_secs(86_400);
    let published = Facts { published: true, soak: day, ..facts() };
    follows(&rotation(ChosenBy::Strongroom, false, false), &published, "done");
    let rotation = rotation(ChosenBy::Strongroom, false, true);
    follows(&rotation, &published, "soak until 2026-01-02T00:00:00Z");
    let until = "2026-01-01T12:00:00Z".parse().unwrap();
    let waiting = Facts { waited: Waited::Until(until), published: true, soak: day, ..facts() };
    follows(&rotation, &waiting, "soak until 2026-01-01T12:00:00Z");
    let over = || Facts { waited: Waited::Over, published: true, soak: day, ..facts() };
    follows(&rotation, &over(), "retire");
    follows(&rotation, &Facts { clings: Some(Clings::Home), ..over() }, "person: home holds an old value");
    follows(&rotation, &Facts { clings: Some(Clings::Copy), ..over() }, "person: a copy does not hold");
    follows(&rotation, &Facts { retired: true, ..over() }, "done");
    follows(&rotation, &Facts { published: true, ..facts() }, "retire");
}

#[test]
fn an_undo_leaves_what_the_target_would_not_take_back() {
    let kept = rotation(ChosenBy::Strongroom, false, true);
    let replaced = rotation(ChosenBy::Strongroom, false, false);
    assert!(!kept.lasts(&Effect::Apply) && kept.lasts(&Effect::Retire) && replaced.lasts(&Effect::Apply));
    let done = Facts { applied: Applied::Done, ..facts() };
    follows(&kept, &done, "publish");
    follows(&replaced, &done, "publish for good");
}

#[test]
fn what_became_of_apply_is_read_from_the_journal_with_all_its_doubts() {
    let call = |outcome: Option<&str>| Acted {
        lasting: false,
        effect: "apply".to_owned(),
        at: "2026-01-01T00:00:00Z".parse().unwrap(),
        outcome: outcome.map(|text| (text.to_owned(), "2026-01-01T00:00:01Z".parse().unwrap())),
    };
    let read =
        |calls: &[Option<&str>]| applied(&calls.iter().map(|outcome| call(*outcome)).collect::<Vec<_>>());
    assert_eq!(read(&[]), Applied::Never);
    assert_eq!(read(&[None]), Applied::Unknown);
    assert_eq!(read(&[Some("failed: it was killed after 1 s")]), Applied::Unknown);
    assert_eq!(read(&[Some("refused"), Some("refused")]), Applied::Refused);
    assert_eq!(read(&[None, Some("refused")]), Applied::RefusedAfterUnknown);
    assert_eq!(read(&[None, Some("refused"), Some("done")]), Applied::Done);
}
