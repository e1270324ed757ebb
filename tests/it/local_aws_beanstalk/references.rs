//! Variables by reference: what instances resolve when they bootstrap, and what becomes of it when they cannot.

use super::stage::{APP, DOCKER, ENVIRONMENT, Stage};
use crate::support::cloud::beanstalk::handles::Seed;
use crate::support::cloud::iam::Policy;
use crate::support::cloud::ssm;
use serde_json::json;
use std::collections::BTreeMap;

const PARAMETER: &str = "arn:aws:ssm:us-east-1:111122223333:parameter/shop/prod/TOKEN";

fn put(stage: &Stage, value: &str) {
    let seed = ssm::Seed { name: "/shop/prod/TOKEN", value, kind: "SecureString" };
    stage.cloud.world(|world| world.ssm.seed(seed));
}

fn containers(stage: &Stage) -> BTreeMap<String, String> {
    stage.beanstalk(|beanstalk| beanstalk.container_environment(ENVIRONMENT))
}

#[test]
fn a_reference_is_resolved_when_instances_bootstrap_and_not_again_until_a_restart() {
    let stage = Stage::with([("A", "1")]);
    put(&stage, "first");
    stage.refer("TOKEN", PARAMETER).unwrap();
    stage.wait();
    assert_eq!(containers(&stage)["TOKEN"], "first");
    // Whoever may describe the settings sees the reference, never the value.
    assert!(!format!("{:?}", stage.settings()).contains("first"));
    put(&stage, "second");
    assert_eq!(containers(&stage)["TOKEN"], "first");
    let restart = stage.client.restart_app_server().environment_name(ENVIRONMENT);
    stage.call(restart.send()).unwrap();
    stage.wait();
    assert_eq!(containers(&stage)["TOKEN"], "second");
}

#[test]
fn a_reference_to_nothing_fails_by_event_and_the_old_values_run_on() {
    let stage = Stage::with([("A", "1")]);
    let request = stage.refer("TOKEN", PARAMETER).unwrap();
    stage.wait();
    let events = stage.events(&request);
    assert!(
        events[2].starts_with("ERROR Instance deployment failed to get one or more secrets"),
        "{events:?}"
    );
    assert!(events.contains(&"ERROR Failed to deploy configuration.".to_owned()));
    assert_eq!(containers(&stage), BTreeMap::from([("A".to_owned(), "1".to_owned())]));
    assert_eq!(stage.settings()[1].status, "failed");
    put(&stage, "there now");
    stage.refer("TOKEN", PARAMETER).unwrap();
    stage.wait();
    assert_eq!(containers(&stage)["TOKEN"], "there now");
}

#[test]
fn an_instance_that_scaling_adds_sees_newer_values_than_the_others() {
    let stage = Stage::with([("A", "1")]);
    put(&stage, "older");
    stage.refer("TOKEN", PARAMETER).unwrap();
    stage.wait();
    put(&stage, "newer");
    let added = stage.cloud.world(|world| world.bootstrap_now(ENVIRONMENT)).unwrap();
    assert_eq!((containers(&stage)["TOKEN"].as_str(), added["TOKEN"].as_str()), ("older", "newer"));
}

#[test]
fn a_key_of_a_secrets_json_reaches_the_containers_until_the_secret_is_made_anew() {
    let stage = Stage::with([]);
    let seed = |text: &str| {
        stage.cloud.world(|world| {
            world.secrets.seed("shop/prod/database", text);
            world.secrets.held("shop/prod/database").unwrap().arn
        })
    };
    let arn = seed(r#"{"PASSWORD": "invented", "PORT": 5432}"#);
    stage.refer("RDS_PASSWORD", &format!("{arn}:PASSWORD")).unwrap();
    stage.wait();
    stage.refer("RDS_PORT", &format!("{arn}:PORT")).unwrap();
    stage.wait();
    let seen = containers(&stage);
    assert_eq!((seen["RDS_PASSWORD"].as_str(), seen["RDS_PORT"].as_str()), ("invented", "5432"));
    let request = stage.refer("ABSENT", &format!("{arn}:ABSENT")).unwrap();
    stage.wait();
    assert!(stage.events(&request)[2].contains("failed to get one or more secrets"));
    let other = arn.split_at(arn.len() - 6).0.to_owned() + "OtherX";
    let request = stage.refer("RDS_PASSWORD", &format!("{other}:PASSWORD")).unwrap();
    stage.wait();
    assert!(stage.events(&request)[2].contains("failed to get one or more secrets"));
    assert_eq!(containers(&stage), seen);
}

#[test]
fn instances_read_only_what_their_profile_allows() {
    let stage = Stage::with([]);
    put(&stage, "invented");
    let policy = |resource: &str| {
        let statement = json!({"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": resource});
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
        let policy = Policy::parse(&policy.to_string()).unwrap();
        stage.cloud.world(|world| world.instance_policy = Some(policy));
    };
    policy("arn:aws:ssm:us-east-1:111122223333:parameter/other/*");
    stage.refer("TOKEN", PARAMETER).unwrap();
    stage.wait();
    assert!(!containers(&stage).contains_key("TOKEN"));
    let log = stage.cloud.world(|world| world.bootstrap_now(ENVIRONMENT)).unwrap();
    assert!(log.is_empty(), "the failed draft is not what new instances start with");
    policy(PARAMETER);
    stage.refer("TOKEN", PARAMETER).unwrap();
    stage.wait();
    assert_eq!(containers(&stage)["TOKEN"], "invented");
}

#[test]
fn what_is_no_arn_and_a_platform_that_knows_no_references_are_refused_at_once() {
    let stage = Stage::with([]);
    let refused = stage.refer("TOKEN", "not-an-arn").unwrap_err();
    assert_eq!(refused.code, "ConfigurationValidationException");
    let old = "64bit Amazon Linux 2023 v4.4.4 running Docker";
    let stage = Stage::seeded(Seed::new(APP, ENVIRONMENT, old));
    let refused = stage.refer("TOKEN", PARAMETER).unwrap_err();
    assert!(refused.message.ends_with("Unknown configuration setting."), "{refused:?}");
}

#[test]
fn a_value_of_several_lines_fails_on_amazon_linux_2_without_docker() {
    for (stack, deploys) in [(DOCKER, true), ("64bit Amazon Linux 2 v3.11.1 running Python 3.8", false)] {
        let stage = Stage::seeded(Seed::new(APP, ENVIRONMENT, stack));
        put(&stage, "two\nlines");
        let request = stage.refer("TOKEN", PARAMETER).unwrap();
        stage.wait();
        let complained =
            stage.events(&request).iter().any(|line| line.contains("multiline environment values"));
        assert_eq!((containers(&stage).contains_key("TOKEN"), complained), (deploys, !deploys), "{stack}");
    }
}
