//! What an app answers, what its bundle does with references, and how well its environment is.

use super::stage::{APP, DOCKER, ENVIRONMENT, Stage};
use crate::support::cloud::beanstalk::applications::Bundle;
use crate::support::cloud::beanstalk::deployment::{Aftermath, Outcome};
use crate::support::cloud::beanstalk::environment::Health;
use crate::support::cloud::beanstalk::handles::Seed;
use crate::support::cloud::ssm;
use jiff::Timestamp;

const PARAMETER: &str = "arn:aws:ssm:us-east-1:111122223333:parameter/shop/prod/TOKEN";

fn put(stage: &Stage) {
    let seed = ssm::Seed { name: "/shop/prod/TOKEN", value: "invented", kind: "SecureString" };
    stage.cloud.world(|world| world.ssm.seed(seed));
}

#[test]
fn an_app_answers_while_its_environment_is_ready_and_its_containers_have_everything() {
    let stage = Stage::with([("A", "1")]);
    assert_eq!(stage.app(), 200);
    put(&stage);
    stage.refer("TOKEN", PARAMETER).unwrap();
    let calls = stage.cloud.calls().len();
    assert_eq!(stage.app(), 503);
    assert_eq!(stage.cloud.calls().len(), calls, "it is no call of AWS");
    stage.wait();
    assert_eq!(stage.app(), 200);
    for status in [404, 500] {
        stage.beanstalk(|beanstalk| beanstalk.app_answers(ENVIRONMENT, Some(status)));
        assert_eq!(stage.app(), status);
    }
    stage.beanstalk(|beanstalk| beanstalk.app_answers(ENVIRONMENT, None));
    assert_eq!(stage.app(), 200);
}

#[test]
fn an_app_does_not_answer_where_a_reference_was_never_resolved_or_a_value_is_empty() {
    let seed = || Seed::new(APP, ENVIRONMENT, DOCKER);
    assert_eq!(Stage::seeded(seed().reference("TOKEN", PARAMETER)).app(), 503);
    assert_eq!(Stage::seeded(seed().property("A", "")).app(), 503);
}

#[test]
fn a_bundle_that_makes_its_env_file_from_get_config_does_not_see_what_was_resolved() {
    let trap = Bundle { env_from_get_config: true, ..Bundle::default() };
    let stage = Stage::seeded(Seed::new(APP, ENVIRONMENT, DOCKER).property("A", "1").bundled(trap));
    put(&stage);
    stage.refer("TOKEN", PARAMETER).unwrap();
    stage.wait();
    let containers = || stage.beanstalk(|beanstalk| beanstalk.container_environment(ENVIRONMENT));
    assert_eq!(containers().keys().collect::<Vec<_>>(), ["A"]);
    assert_eq!(stage.app(), 503);
    // The deployment itself went well: only the next version of the app, without the script, helps.
    assert_eq!(stage.settings().len(), 1);
    stage.beanstalk(|beanstalk| beanstalk.add_version(APP, "v2", Default::default(), Timestamp::now()));
    let version = stage.client.update_environment().environment_name(ENVIRONMENT).version_label("v2");
    stage.call(version.send()).unwrap();
    stage.wait();
    assert_eq!((containers()["TOKEN"].as_str(), stage.app()), ("invented", 200));
}

#[test]
fn ecs_fetches_nothing_without_an_execution_role() {
    let stack = "64bit Amazon Linux 2023 v4.3.2 running ECS";
    let stage = Stage::seeded(Seed::new(APP, ENVIRONMENT, stack).property("A", "1"));
    put(&stage);
    for (lacks_execution_role, deploys) in [(true, false), (false, true)] {
        let bundle = Bundle { lacks_execution_role, ..Bundle::default() };
        stage.beanstalk(|beanstalk| beanstalk.bundle(ENVIRONMENT, bundle));
        let request = stage.refer("TOKEN", PARAMETER).unwrap();
        stage.wait();
        let failed =
            stage.events(&request).iter().any(|line| line.contains("failed to get one or more secrets"));
        let seen = stage.beanstalk(|beanstalk| beanstalk.container_environment(ENVIRONMENT));
        assert_eq!((failed, seen.contains_key("TOKEN"), stage.app()), (!deploys, deploys, 200));
    }
}

#[test]
fn a_deployment_that_fails_leaves_a_draft_or_nothing_or_an_environment_that_is_not_well() {
    for (aftermath, members, colour, last) in [
        (
            Aftermath::Reverted,
            2,
            "Green",
            "The environment was reverted to the previous configuration setting.",
        ),
        (Aftermath::Clean, 1, "Green", "The environment was reverted to the previous configuration setting."),
        (Aftermath::Left, 2, "Red", "Update environment operation is complete, but with errors."),
    ] {
        let stage = Stage::with([("A", "1")]);
        stage.beanstalk(|beanstalk| {
            beanstalk.behaviour.aftermath = aftermath;
            beanstalk.behaviour.outcomes.push_back(Outcome::Fail("Invented failure.".to_owned()));
        });
        let request = stage.update(&[("A", Some("2"))]).unwrap();
        stage.wait();
        assert!(stage.events(&request).last().unwrap().contains(last), "{aftermath:?}");
        let settings = stage.settings();
        assert_eq!((settings.len(), settings[0].property("A")), (members, Some("1")), "{aftermath:?}");
        assert_eq!(health(&stage), colour, "{aftermath:?}");
        stage.update(&[("A", Some("3"))]).unwrap();
        stage.wait();
        assert_eq!((health(&stage).as_str(), stage.settings()[0].property("A")), ("Green", Some("3")));
    }
}

fn health(stage: &Stage) -> String {
    let told =
        stage.call(stage.client.describe_environments().environment_names(ENVIRONMENT).send()).unwrap();
    told.environments()[0].health().unwrap().as_str().to_owned()
}

#[test]
fn an_environment_is_as_well_as_a_test_says_until_it_says_otherwise() {
    let stage = Stage::with([("A", "1")]);
    for (told, colour) in [(Some(Health::Yellow), "Yellow"), (Some(Health::Red), "Red"), (None, "Green")] {
        stage.beanstalk(|beanstalk| beanstalk.tell_health(ENVIRONMENT, told));
        stage.update(&[("A", Some(colour))]).unwrap();
        assert_eq!(health(&stage), "Grey");
        stage.wait();
        assert_eq!(health(&stage), colour);
    }
}
