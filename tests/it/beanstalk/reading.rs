//! What is deployed, and how it is told.

use super::stage::{DOCKER, SECRET, Stage, address, seed, store, tells};
use crate::support::account::settings_of;
use crate::support::cloud::Effect;
use crate::support::cloud::beanstalk::handles::Members;
use crate::support::cloud::beanstalk::settings::{PROPERTIES, options};
use jiff::Timestamp;
use strongroom::name::Group;
use strongroom::store::{Discover, ErrorKind, History, Store};

#[test]
fn the_deployed_settings_are_read_also_behind_a_failed_draft() {
    let stage = Stage::with([("A", "live")]);
    stage.beanstalk(|service| {
        service.behaviour.members = Members::DraftFirst;
        service.add_failed_draft("shop-prod", &options(PROPERTIES, [("A", "draft")]), Timestamp::now());
    });
    assert_eq!(stage.at("app/A").as_deref(), Some("live"));
    assert!(stage.wait(stage.store.condition()).unwrap().failed_draft);
}

#[test]
fn an_empty_answer_is_a_refusal_and_no_absence() {
    let stage = Stage::with([("A", "1")]);
    stage.beanstalk(|service| service.behaviour.hides_settings = true);
    let error = stage.read(&["app/A"]).unwrap_err();
    tells(&error, ErrorKind::Denied, &["empty list", "elasticbeanstalk:DescribeConfigurationSettings"]);
}

#[test]
fn who_may_not_see_the_settings_is_told_which_permission_is_missing() {
    let stage = Stage::with([("A", "1")]);
    let policy = r#"{"Version": "2012-10-17", "Statement": []}"#;
    let arn = "arn:aws:iam::111122223333:user/nobody";
    stage.cloud.principal("AKIALOCALNOBODY00EXA", arn, policy).unwrap();
    let nobody = store(settings_of(&stage.cloud, "AKIALOCALNOBODY00EXA"));
    let error = stage.wait(nobody.read(&[address("app/A")])).unwrap_err();
    tells(&error, ErrorKind::Denied, &["elasticbeanstalk:DescribeConfigurationSettings", "shop-prod"]);
}

#[test]
fn values_and_references_are_told_apart_and_names_follow_the_manifest() {
    let stage = Stage::seeded(
        seed(DOCKER)
            .property("A", "1")
            .property("XERO_7_token", "t")
            .property("STRONGROOM_REVISION", "r")
            .property("UNKNOWN", "u")
            .property("PATH", "/bin")
            .reference("TOKEN", &format!("{SECRET}:TOKEN")),
    );
    assert_eq!(stage.at("app/TOKEN"), Some(format!("-> {SECRET}:TOKEN")));
    assert_eq!(stage.at("xero/7/token").as_deref(), Some("t"));
    assert_eq!(stage.at("_strongroom/REVISION").as_deref(), Some("r"));
    assert_eq!(stage.at("elsewhere/ELSEWHERE"), None);
    let names = |groups: &[Group]| {
        let found = stage.wait(stage.store.walk(groups)).unwrap();
        found.entries.keys().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        names(&["app".parse().unwrap(), "xero".parse().unwrap()]),
        ["app/A", "app/TOKEN", "xero/7/token"]
    );
    assert_eq!(names(&[Group::undeclared()]), ["_undeclared/UNKNOWN"], "the platform's own are nobody's");
    assert_eq!(stage.at("_undeclared/UNKNOWN").as_deref(), Some("u"));
}

#[test]
fn ecs_spells_a_json_key_in_its_own_way_and_nobody_sees_it() {
    let spelled = format!("{SECRET}:TOKEN::");
    let stage =
        Stage::seeded(seed("64bit Amazon Linux 2023 v4.3.2 running ECS").reference("TOKEN", &spelled));
    assert_eq!(stage.at("app/TOKEN"), Some(format!("-> {SECRET}:TOKEN")));
}

#[test]
fn a_read_is_one_call_and_survives_throttling() {
    let stage = Stage::with([("A", "1"), ("B", "2")]);
    stage.cloud.fault("elasticbeanstalk:*", 1..3, Effect::Throttle);
    assert_eq!(stage.read(&["app/A", "app/B", "app/TOKEN"]).unwrap().entries.len(), 2);
    assert_eq!(stage.cloud.calls().len(), 3, "two of them throttled");
}

#[test]
fn an_environment_that_is_not_there_is_an_error_and_no_absence() {
    let stage = Stage::with([("A", "1")]);
    stage.beanstalk(|service| *service = Default::default());
    tells(&stage.read(&["app/A"]).unwrap_err(), ErrorKind::Failed, &["No Application", "shop"]);
}

#[test]
fn its_condition_tells_the_budget_the_platform_and_what_is_there_twice() {
    let stage = Stage::seeded(
        seed("64bit Amazon Linux 2023 v4.9.1 running Python 3.11")
            .property("TOKEN", "plain")
            .property("UNKNOWN", "u")
            .reference("TOKEN", SECRET),
    );
    let condition = stage.wait(stage.store.condition()).unwrap();
    let joined = "PYTHONPATH=/var/app/venv/staging-LQM1lest/bin,TOKEN=plain,UNKNOWN=u";
    assert_eq!(condition.bytes, joined.len(), "what the platform sets counts");
    assert_eq!((condition.status.as_str(), condition.health.as_str()), ("Ready", "Green"));
    assert_eq!(condition.platform, "64bit Amazon Linux 2023 v4.9.1 running Python 3.11");
    assert_eq!(condition.doubled, ["TOKEN"]);
    assert_eq!(condition.undeclared, ["UNKNOWN".parse().unwrap()]);
    assert_eq!(stage.at("app/TOKEN"), Some(format!("-> {SECRET}")), "the reference tells what was meant");
}

#[test]
fn it_says_that_it_keeps_no_history() {
    let stage = Stage::with([("A", "1")]);
    let error = stage.wait(stage.store.history(&address("app/A"))).unwrap_err();
    tells(&error, ErrorKind::Invalid, &["keeps no earlier values"]);
}
