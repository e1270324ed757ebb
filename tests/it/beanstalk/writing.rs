//! One update for everything, against what is deployed at that moment.

use super::stage::{DOCKER, NAME, SECRET, Stage, address, deploy, reference, seed, tells, value};
use crate::support::cloud::Effect;
use crate::support::cloud::beanstalk::settings::{PROPERTIES, options};
use jiff::Timestamp;
use std::sync::Arc;
use strongroom::plan::Want;
use strongroom::store::{Applied, ErrorKind, Receipt, Store};

#[test]
fn sets_and_removals_are_one_update_with_a_request_id() {
    let stage = Stage::with([("A", "1"), ("B", "2"), ("UNKNOWN", "u")]);
    let applied =
        stage.applied(&[("app/A", value("new")), ("app/B", Want::Absent), ("app/MODE", value("live"))]);
    assert!(applied.request.is_some());
    stage.settle(&applied).unwrap();
    assert_eq!(stage.updates(), 1);
    let now = stage.beanstalk(|service| service.properties(NAME));
    let expected = [("A", "new"), ("MODE", "live"), ("UNKNOWN", "u")];
    assert_eq!(now, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[test]
fn a_value_that_becomes_a_reference_is_set_and_removed_in_one_update_and_back() {
    let stage = Stage::with([("TOKEN", "plain")]);
    let parameter = "arn:aws:ssm:us-east-1:111122223333:parameter/shop/prod/app/TOKEN";
    stage.parameter("/shop/prod/app/TOKEN", "stored");
    stage.set(&[("app/TOKEN", reference(parameter))]).unwrap();
    assert_eq!((stage.updates(), stage.at("app/TOKEN")), (1, Some(format!("-> {parameter}"))));
    assert!(stage.beanstalk(|service| service.properties(NAME)).is_empty());
    stage.set(&[("app/TOKEN", value("plain"))]).unwrap();
    assert_eq!((stage.updates(), stage.at("app/TOKEN").as_deref()), (2, Some("plain")));
    assert!(stage.beanstalk(|service| service.references(NAME)).is_empty());
}

#[test]
fn ecs_gets_a_json_key_in_its_own_spelling() {
    let stage = Stage::seeded(seed("64bit Amazon Linux 2023 v4.3.2 running ECS"));
    stage.applied(&[("app/TOKEN", reference(&format!("{SECRET}:TOKEN")))]);
    let sent = stage.cloud.calls().into_iter().find(|call| call.action == "UpdateEnvironment").unwrap().body;
    assert!(sent.contains("app-AbCdEf%3ATOKEN%3A%3A"), "{sent}");
}

#[test]
fn what_somebody_else_changed_is_left_as_it_is() {
    let stage = Stage::with([("A", "1"), ("B", "2")]);
    let stale = stage.plan(&[("app/A", value("ours"))]);
    stage.theirs("B", "theirs");
    let still = stage.plan(&[("app/A", value("ours"))]);
    stage.theirs("A", "theirs");
    for plan in [stale, still] {
        let error = stage.refused(&plan);
        assert_eq!(error.kind, ErrorKind::Conflict);
        assert_eq!(error.address.as_deref(), Some(&address("app/A")));
    }
    assert_eq!((stage.updates(), stage.at("app/A").as_deref()), (0, Some("theirs")));
}

#[test]
fn a_change_of_somebody_else_just_before_the_call_is_waited_for_and_seen() {
    let stage = Stage::with([("A", "1")]);
    let plan = stage.plan(&[("app/A", value("ours"))]);
    let cloud = stage.cloud.clone();
    let theirs = move || {
        deploy(&cloud, "A", "theirs");
        cloud.world(|world| world.beanstalk.occupy_elsewhere(NAME, 3, Timestamp::now()));
    };
    stage.cloud.fault("elasticbeanstalk:UpdateEnvironment", 1..=1, Effect::Meanwhile(Arc::new(theirs)));
    assert_eq!(stage.refused(&plan).kind, ErrorKind::Conflict);
    assert_eq!((stage.updates(), stage.at("app/A").as_deref()), (1, Some("theirs")), "refused as not Ready");
}

#[test]
fn an_environment_that_is_updating_is_waited_for_with_its_events_told() {
    let stage = Stage::with([("A", "1")]);
    let plan = stage.plan(&[("app/A", value("2"))]);
    stage.beanstalk(|service| service.occupy_elsewhere(NAME, 5, Timestamp::now()));
    let Receipt::Applied(applied) = stage.write(&plan) else { panic!("it becomes Ready") };
    assert!(stage.told.lock().unwrap().iter().any(|event| event.contains("Environment update is starting")));
    stage.settle(&applied).unwrap();
    assert_eq!((stage.updates(), stage.at("app/A").as_deref()), (1, Some("2")));
}

#[test]
fn a_lost_answer_is_told_as_unknown_and_settles_once_the_environment_is_ready() {
    let stage = Stage::with([("A", "1")]);
    stage.cloud.fault("elasticbeanstalk:UpdateEnvironment", 1..=1, Effect::LoseReply);
    let plan = stage.plan(&[("app/A", value("2"))]);
    assert!(matches!(stage.write(&plan), Receipt::Unknown(_)));
    stage.settle(&Applied::unheard(plan.writes[0].unit.clone())).unwrap();
    assert_eq!((stage.updates(), stage.at("app/A").as_deref()), (1, Some("2")));
}

#[test]
fn a_deployment_that_failed_behind_a_lost_answer_is_told_and_not_begun_again() {
    let stage = Stage::with([("A", "1")]);
    stage.beanstalk(|service| service.behaviour.outcomes.extend([super::settling::failure()]));
    stage.cloud.fault("elasticbeanstalk:UpdateEnvironment", 1..=1, Effect::LoseReply);
    let plan = stage.plan(&[("app/A", value("2"))]);
    assert!(matches!(stage.write(&plan), Receipt::Unknown(_)));
    let error = stage.settle(&Applied::unheard(plan.writes[0].unit.clone())).unwrap_err();
    tells(&error, ErrorKind::RolledBack, &["invented failure"]);
}

#[test]
fn the_budget_is_checked_again_when_the_call_is_made() {
    let stage = Stage::with([("A", "1")]);
    let plan = stage.plan(&[("app/A", value(&"x".repeat(2000)))]);
    stage.theirs("UNKNOWN", &"y".repeat(2500));
    tells(&stage.refused(&plan), ErrorKind::Invalid, &["4,511 bytes", "4,096"]);
    assert_eq!(stage.updates(), 0);
}

#[test]
fn another_account_than_the_declared_one_is_never_written_to() {
    let stage = Stage::with([("A", "1")]);
    let plan = stage.plan(&[("app/A", value("2"))]);
    let settings = crate::support::account::settings(&stage.cloud);
    let other = super::stage::store(strongroom::store::Settings {
        account: Some("999900001111".to_owned()),
        ..settings
    });
    let write = &plan.writes[0];
    let operation = strongroom::store::OperationId::parse("20260102-030405-abcdef").unwrap();
    let receipt = stage.wait(other.write(&write.unit, None, &operation, &write.changes));
    assert!(matches!(receipt, Receipt::NotApplied(error) if error.kind == ErrorKind::Denied));
    assert_eq!(stage.updates(), 0);
}

#[test]
fn an_address_that_the_copy_does_not_get_is_refused_by_name() {
    let stage = Stage::seeded(seed(DOCKER));
    let error = stage.refused(&stage.plan(&[("elsewhere/ELSEWHERE", value("x"))]));
    assert_eq!(error.address.as_deref(), Some(&address("elsewhere/ELSEWHERE")));
    stage.beanstalk(|service| {
        service.add_failed_draft(NAME, &options(PROPERTIES, [("A", "draft")]), Timestamp::now());
    });
    stage.set(&[("app/A", value("1"))]).unwrap();
    assert_eq!(stage.at("app/A").as_deref(), Some("1"), "an old failed draft is in nobody's way");
}
