//! How an environment changes: looks, drafts, events, roll-backs, and what must be Ready.

use super::stage::{APP, DOCKER, ENVIRONMENT, Refused, Stage, option, setting};
use crate::support::cloud::Effect;
use crate::support::cloud::beanstalk::deployment::{Delivery, Outcome};
use crate::support::cloud::beanstalk::handles::{Members, Seed};
use crate::support::cloud::beanstalk::settings::{BUDGET, PROPERTIES, TEMPLATE};
use jiff::Timestamp;
use std::sync::Arc;

const NOT_READY: &str =
    "Environment named shop-prod is in an invalid state for this operation. Must be Ready.";

fn invalid(message: &str) -> Refused {
    Refused { code: "InvalidParameterValue".to_owned(), message: message.to_owned() }
}

#[test]
fn an_update_is_pending_until_it_was_looked_at_often_enough_and_then_deployed() {
    let stage = Stage::with([("A", "1"), ("B", "2")]);
    let request = stage.update(&[("A", Some("one, two")), ("B", None), ("C", Some("3"))]).unwrap();
    let members = stage.settings();
    let statuses: Vec<&str> = members.iter().map(|member| member.status.as_str()).collect();
    assert_eq!(statuses, ["deployed", "pending"]);
    assert_eq!((members[0].property("A"), members[1].property("A")), (Some("1"), Some("one, two")));
    let begun = [
        "INFO Environment update is starting.",
        "INFO Updating environment shop-prod's configuration settings.",
    ];
    assert_eq!(stage.events(&request), begun);
    assert_eq!(stage.status(), "Updating");
    assert_eq!(stage.status(), "Ready");
    let members = stage.settings();
    assert_eq!(members.len(), 1);
    assert_eq!((members[0].status.as_str(), members[0].property("B")), ("deployed", None));
    assert_eq!(members[0].option(TEMPLATE, "EnvironmentVariables"), Some("A=one, two,C=3"));
    let events = stage.events(&request);
    assert_eq!(events[..2], begun);
    assert_eq!(
        events[2..],
        [
            "INFO Successfully deployed new configuration to environment.",
            "INFO Environment update completed successfully.",
        ]
    );
}

#[test]
fn a_failed_deployment_runs_the_old_values_and_keeps_a_failed_draft_until_it_is_deleted() {
    let stage = Stage::with([("A", "1")]);
    let why = "Service:AmazonCloudFormation, Message:Stack named 'invented' aborted operation.";
    stage.beanstalk(|beanstalk| beanstalk.behaviour.outcomes.push_back(Outcome::Fail(why.to_owned())));
    let request = stage.update(&[("A", Some("2"))]).unwrap();
    stage.wait();
    let events = stage.events(&request);
    assert_eq!(
        events[2..],
        [
            &format!("ERROR {why}"),
            "ERROR Failed to deploy configuration.",
            "INFO The environment was reverted to the previous configuration setting.",
        ]
    );
    stage.beanstalk(|beanstalk| beanstalk.behaviour.members = Members::DraftFirst);
    let members = stage.settings();
    assert_eq!((members[0].status.as_str(), members[0].property("A")), ("failed", Some("2")));
    assert_eq!((members[1].status.as_str(), members[1].property("A")), ("deployed", Some("1")));
    assert_eq!(stage.beanstalk(|beanstalk| beanstalk.container_environment(ENVIRONMENT))["A"], "1");
    let delete = stage.client.delete_environment_configuration();
    stage.call(delete.application_name(APP).environment_name(ENVIRONMENT).send()).unwrap();
    assert_eq!(stage.settings().len(), 1);
    stage.update(&[("A", Some("3"))]).unwrap();
    stage.wait();
    assert_eq!(stage.beanstalk(|beanstalk| beanstalk.container_environment(ENVIRONMENT))["A"], "3");
}

#[test]
fn properties_that_joined_are_one_byte_over_the_budget_fail_by_event_and_not_before() {
    let stage = Stage::with([("A", "1")]);
    // `A=1,B=` and the value.
    let fits = "x".repeat(BUDGET - 6);
    for (value, ends_in) in [(fits.clone() + "x", 1), (fits, 0)] {
        let request = stage.update(&[("B", Some(&value))]).unwrap();
        stage.wait();
        let errors =
            stage.events(&request).iter().filter(|line| line.contains("length is greater than 4096")).count();
        assert_eq!(errors, ends_in);
    }
    assert_eq!(stage.settings().len(), 1);
}

#[test]
fn only_an_environment_that_is_ready_can_be_changed() {
    let stage = Stage::with([("A", "1")]);
    stage.update(&[("A", Some("2"))]).unwrap();
    assert_eq!(stage.update(&[("A", Some("3"))]).unwrap_err(), invalid(NOT_READY));
    let restart = stage.client.restart_app_server().environment_name(ENVIRONMENT);
    assert_eq!(stage.call(restart.send()).unwrap_err(), invalid(NOT_READY));
    stage.wait();
    let arn = "arn:aws:elasticbeanstalk:us-east-1:111122223333:environment/shop/shop-prod";
    let tag = aws_sdk_elasticbeanstalk::types::Tag::builder().key("team").value("invented").build();
    let tags = stage.client.update_tags_for_resource().resource_arn(arn).tags_to_add(tag);
    stage.call(tags.clone().send()).unwrap();
    assert_eq!(stage.update(&[("A", Some("3"))]).unwrap_err(), invalid(NOT_READY));
    assert_eq!(stage.call(tags.send()).unwrap_err(), invalid(NOT_READY));
    let listed = stage.call(stage.client.list_tags_for_resource().resource_arn(arn).send()).unwrap();
    assert_eq!(listed.resource_tags()[0].value(), Some("invented"));
}

#[test]
fn an_aborted_update_reverts() {
    let stage = Stage::with([("A", "1")]);
    let abort = || stage.client.abort_environment_update().environment_name(ENVIRONMENT);
    let refused = stage.call(abort().send()).unwrap_err();
    assert!(refused.message.ends_with("Must be pending deployment."), "{refused:?}");
    let request = stage.update(&[("A", Some("2"))]).unwrap();
    stage.call(abort().send()).unwrap();
    stage.wait();
    let events = stage.events(&request);
    assert_eq!(
        events.last().unwrap(),
        "INFO The environment was reverted to the previous configuration setting."
    );
    assert_eq!(stage.settings()[0].property("A"), Some("1"));
}

#[test]
fn events_that_end_a_deployment_can_come_late_or_never() {
    let stage = Stage::with([("A", "1")]);
    stage.beanstalk(|beanstalk| {
        beanstalk.behaviour.looks = 0;
        beanstalk.behaviour.delivery = Delivery::Late(2);
    });
    let request = stage.update(&[("A", Some("2"))]).unwrap();
    assert_eq!(stage.status(), "Ready");
    assert_eq!(stage.events(&request).len(), 2);
    assert_eq!(stage.events(&request).len(), 4);
    stage.beanstalk(|beanstalk| beanstalk.behaviour.delivery = Delivery::Missing);
    let request = stage.update(&[("A", Some("3"))]).unwrap();
    assert_eq!(stage.status(), "Ready");
    assert_eq!(stage.events(&request).len(), 2);
    assert_eq!(stage.settings()[0].property("A"), Some("3"));
}

#[test]
fn a_removed_direct_value_surfaces_that_of_the_saved_configuration_then_that_of_ebextensions() {
    let seed = Seed::new(APP, ENVIRONMENT, DOCKER);
    let seed =
        seed.shipped("A", "shipped").saved("A", "saved").property("A", "direct").shipped("B", "shipped");
    let stage = Stage::seeded(seed);
    assert_eq!(stage.settings()[0].property("A"), Some("direct"));
    stage.update(&[("A", None), ("B", None)]).unwrap();
    stage.wait();
    let members = stage.settings();
    assert_eq!((members[0].property("A"), members[0].property("B")), (Some("saved"), Some("shipped")));
    // Only a version without it takes away what .ebextensions set.
    stage.beanstalk(|beanstalk| beanstalk.add_version(APP, "v2", Default::default(), Timestamp::now()));
    let version = stage.client.update_environment().environment_name(ENVIRONMENT).version_label("v2");
    stage.call(version.send()).unwrap();
    stage.wait();
    assert_eq!(stage.settings()[0].property("B"), None);
}

#[test]
fn an_empty_value_takes_the_direct_one_away() {
    let stage =
        Stage::seeded(Seed::new(APP, ENVIRONMENT, DOCKER).shipped("A", "shipped").property("A", "direct"));
    stage.update(&[("A", Some(""))]).unwrap();
    stage.wait();
    assert_eq!(stage.settings()[0].property("A"), Some("shipped"));
}

#[test]
fn what_somebody_else_deploys_just_before_a_write_stays_where_the_write_does_not_name_it() {
    let stage = Stage::with([("A", "1")]);
    let cloud = stage.cloud.clone();
    let theirs = Effect::Meanwhile(Arc::new(move || {
        cloud.world(|world| {
            world.deploy_elsewhere(ENVIRONMENT, &[("A", Some("theirs")), ("B", Some("new"))]);
        });
    }));
    stage.cloud.fault("elasticbeanstalk:UpdateEnvironment", 1..2, theirs);
    stage.update(&[("C", Some("ours"))]).unwrap();
    stage.wait();
    let after = &stage.settings()[0];
    let values = ["A", "B", "C"].map(|name| after.property(name).unwrap());
    assert_eq!(values, ["theirs", "new", "ours"]);
    stage.beanstalk(|beanstalk| beanstalk.occupy_elsewhere(ENVIRONMENT, 1, Timestamp::now()));
    assert_eq!(stage.update(&[("A", Some("2"))]).unwrap_err(), invalid(NOT_READY));
    stage.wait();
    stage.update(&[("A", Some("2"))]).unwrap();
}

#[test]
fn what_cannot_be_updated_is_refused_with_the_codes_of_aws() {
    let stage = Stage::with([("A", "1")]);
    let update = || stage.client.update_environment().environment_name(ENVIRONMENT);
    let both = update().version_label("v1").option_settings(setting(PROPERTIES, "A", "2"));
    assert_eq!(stage.call(both.send()).unwrap_err().code, "InvalidParameterCombination");
    let twice =
        update().option_settings(setting(PROPERTIES, "A", "2")).options_to_remove(option(PROPERTIES, "A"));
    assert_eq!(stage.call(twice.send()).unwrap_err().code, "InvalidParameterCombination");
    let asg = "aws:autoscaling:asg";
    let unknown = stage.call(update().option_settings(setting(asg, "Colour", "2")).send()).unwrap_err();
    assert_eq!(unknown.code, "ConfigurationValidationException");
    assert_eq!(
        unknown.message,
        "Configuration validation exception: Invalid option specification (Namespace: 'aws:autoscaling:asg', \
         OptionName: 'Colour'): Unknown configuration setting."
    );
    let nowhere = stage.client.update_environment().environment_name("nowhere");
    let refused = stage.call(nowhere.send()).unwrap_err();
    assert_eq!(refused, invalid("No Environment found for EnvironmentName = 'nowhere'."));
    let unnamed = stage.call(stage.client.update_environment().send()).unwrap_err();
    assert_eq!(unnamed.code, "MissingRequiredParameter");
    assert_eq!(stage.call(update().version_label("v9").send()).unwrap_err().code, "InvalidParameterValue");
    assert_eq!(stage.status(), "Ready");
    // The same complaint as a message, where it is only asked for.
    let validate = stage.client.validate_configuration_settings().application_name(APP);
    let validate = validate.environment_name(ENVIRONMENT).option_settings(setting(asg, "Colour", "2"));
    let answer = stage.call(validate.send()).unwrap();
    let message = &answer.messages()[0];
    assert_eq!(message.severity().unwrap().as_str(), "error");
    assert!(message.message().unwrap().contains("Unknown configuration setting"));
}
