//! The end of a deployment: what counts as done, and what is said when it failed.

use super::stage::{DOCKER, NAME, SECRET, Stage, reference, seed, tells, value};
use crate::support::cloud::Effect;
use crate::support::cloud::beanstalk::deployment::{Delivery, Outcome};
use strongroom::plan::Want;
use strongroom::store::{ErrorKind, Store};

pub(super) fn failure() -> Outcome {
    Outcome::Fail("An invented failure of the instance.".to_owned())
}

#[test]
fn a_deployment_is_over_when_it_is_ready_and_its_events_say_so() {
    let stage = Stage::with([("A", "1")]);
    stage.beanstalk(|service| service.behaviour.looks = 7);
    stage.set(&[("app/A", value("2"))]).unwrap();
    let told = stage.told.lock().unwrap();
    let expected = [
        "Environment update is starting.",
        "Updating environment shop-prod's configuration settings.",
        "Successfully deployed new configuration to environment.",
        "Environment update completed successfully.",
    ];
    assert_eq!(*told, expected, "each event once, in its order");
}

#[test]
fn a_deployment_that_was_rolled_back_is_told_in_aws_s_own_words() {
    let stage = Stage::with([("A", "1"), ("PASSWORD", "canary-password")]);
    stage.beanstalk(|service| service.behaviour.outcomes.extend([failure()]));
    let error = stage.set(&[("app/A", value("2"))]).unwrap_err();
    tells(
        &error,
        ErrorKind::RolledBack,
        &[
            "An invented failure of the instance.",
            "reverted to the previous configuration",
            "what was deployed before stands",
            "aws elasticbeanstalk delete-environment-configuration --application-name shop --environment-name shop-prod",
        ],
    );
    assert_eq!(stage.at("app/A").as_deref(), Some("1"));
    // Another process hears the same of it.
    let applied = stage.applied(&[("app/A", value("3"))]);
    stage.settle(&applied).unwrap();
}

#[test]
fn a_process_that_resumes_hears_how_the_request_ended() {
    let stage = Stage::with([("A", "1")]);
    stage.beanstalk(|service| service.behaviour.outcomes.extend([failure()]));
    let applied = stage.applied(&[("app/A", value("2"))]);
    let other = stage.elsewhere();
    let error = stage.wait(other.settle(&applied)).unwrap_err();
    tells(&error, ErrorKind::RolledBack, &["An invented failure", "what is deployed now stands"]);
    let applied = stage.applied(&[("app/A", value("3"))]);
    stage.wait(other.settle(&applied)).unwrap();
}

#[test]
fn a_secret_that_no_instance_may_read_is_a_failure_with_what_to_allow() {
    let stage = Stage::with([("TOKEN", "plain")]);
    let error = stage.set(&[("app/TOKEN", reference(SECRET))]).unwrap_err();
    tells(
        &error,
        ErrorKind::RolledBack,
        &["failed to get one or more secrets", "strongroom policy --for instance"],
    );
    assert_eq!(stage.at("app/TOKEN").as_deref(), Some("plain"), "what was there is there again");
}

#[test]
fn events_that_come_late_are_waited_for_and_those_that_never_come_are_done_without() {
    for delivery in [Delivery::Late(4), Delivery::Missing] {
        let stage = Stage::with([("A", "1")]);
        stage.beanstalk(|service| service.behaviour.delivery = delivery);
        stage.set(&[("app/A", value("2"))]).unwrap();
        assert_eq!(stage.at("app/A").as_deref(), Some("2"));
    }
}

#[test]
fn a_failure_without_an_event_is_found_by_the_draft_that_it_left() {
    let stage = Stage::with([("A", "1")]);
    stage.beanstalk(|service| {
        service.behaviour.delivery = Delivery::Missing;
        service.behaviour.outcomes.extend([failure()]);
    });
    let applied = stage.applied(&[("app/A", value("2"))]);
    assert_eq!(stage.settle(&applied).unwrap_err().kind, ErrorKind::RolledBack);
    assert_eq!(stage.wait(stage.elsewhere().settle(&applied)).unwrap_err().kind, ErrorKind::RolledBack);
}

#[test]
fn a_property_that_comes_back_is_told_to_be_that_of_the_ebextensions() {
    let stage = Stage::seeded(seed(DOCKER).shipped("MODE", "shipped").property("MODE", "direct"));
    let error = stage.set(&[("app/MODE", Want::Absent)]).unwrap_err();
    tells(&error, ErrorKind::Failed, &["`MODE` was removed and came back", ".ebextensions"]);
    assert_eq!(stage.at("app/MODE").as_deref(), Some("shipped"));
}

#[test]
fn a_secret_of_the_ebextensions_that_became_a_reference_is_told_to_be_there_twice_and_can_be_taken_back() {
    let parameter = "arn:aws:ssm:us-east-1:111122223333:parameter/shop/prod/app/TOKEN";
    let stage = Stage::seeded(seed(DOCKER).shipped("TOKEN", "shipped").property("TOKEN", "direct"));
    stage.parameter("/shop/prod/app/TOKEN", "stored");
    let error = stage.set(&[("app/TOKEN", reference(parameter))]).unwrap_err();
    tells(
        &error,
        ErrorKind::Failed,
        &["`TOKEN` was removed and came back", "a property and a reference now"],
    );
    assert_eq!(stage.at("app/TOKEN"), Some(format!("-> {parameter}")));
    stage.set(&[("app/TOKEN", value("direct"))]).unwrap();
    assert_eq!(stage.at("app/TOKEN").as_deref(), Some("direct"));
    assert!(stage.beanstalk(|service| service.references(NAME)).is_empty());
}

#[test]
fn a_look_that_fails_in_a_deployment_of_minutes_does_not_end_it() {
    let stage = Stage::with([("A", "1")]);
    stage.beanstalk(|service| service.behaviour.looks = 4);
    stage.cloud.fault("elasticbeanstalk:DescribeEvents", 1..=1, Effect::Reset);
    stage.cloud.fault("elasticbeanstalk:DescribeEnvironments", 2..=3, Effect::Throttle);
    stage.set(&[("app/A", value("2"))]).unwrap();
    assert_eq!(stage.updates(), 1);
}

#[test]
fn no_event_is_told_that_quotes_a_secret() {
    let stage = Stage::with([("PASSWORD", "canary-password"), ("UNKNOWN", "canary-unknown")]);
    let why = "Output: PASSWORD=canary-password TOKEN=canary-token UNKNOWN=canary-unknown".to_owned();
    stage.beanstalk(|service| service.behaviour.outcomes.extend([Outcome::Fail(why)]));
    let applied = stage.applied(&[("app/TOKEN", value("canary-token"))]);
    let error = stage.settle(&applied).unwrap_err();
    let again = stage.wait(stage.elsewhere().settle(&applied)).unwrap_err();
    let all = format!("{error} {error:?} {again} {again:?} {:?}", stage.told.lock().unwrap());
    assert!(!all.contains("canary"), "{all}");
    assert_eq!(error.kind, ErrorKind::RolledBack);
}
