//! The same Beanstalk through the aws program and boto3.

use super::stage::{DOCKER, ENVIRONMENT, Stage};
use crate::support::cloud::Cloud;
use crate::support::cloud::beanstalk::deployment::Outcome;
use crate::support::cloud::beanstalk::seeds::Example;
use crate::support::cloud::beanstalk::settings::PROPERTIES;
use crate::support::env::TestEnv;
use crate::support::provision;
use jiff::Timestamp;
use serde_json::Value;

fn env_of(cloud: &Cloud) -> TestEnv {
    let mut env = TestEnv::new();
    env.on(cloud);
    env
}

/// `aws elasticbeanstalk` with these words; the answer is JSON, or null where there is none.
fn aws(env: &TestEnv, words: &str) -> Value {
    let mut command = env.command(provision::aws());
    command.args(["elasticbeanstalk", "--output", "json"]).args(words.split_whitespace());
    let said = env.finish(command, b"").success();
    if said.trim().is_empty() { Value::Null } else { serde_json::from_str(&said).unwrap() }
}

#[test]
fn the_aws_program_creates_updates_watches_rolls_back_and_cleans_up() {
    let cloud = Cloud::start();
    // A call of the program takes long: the first look at a deployment sees it done.
    cloud.world(|world| world.beanstalk.behaviour.looks = 0);
    let env = env_of(&cloud);
    aws(&env, "create-application --application-name shop");
    let option = serde_json::json!({"Namespace": PROPERTIES, "OptionName": "A", "Value": "1 & <2>"});
    env.write("options.json", serde_json::json!([option]).to_string());
    env.write("platform.txt", DOCKER);
    let created = aws(
        &env,
        "create-environment --application-name shop --environment-name shop-prod \
         --solution-stack-name file://platform.txt --option-settings file://options.json",
    );
    assert_eq!(created["Status"], "Launching");
    let ready = || {
        aws(&env, "describe-environments --environment-names shop-prod")["Environments"][0]["Status"].clone()
    };
    assert_eq!(ready(), "Ready");
    let settings = "describe-configuration-settings --application-name shop --environment-name shop-prod";
    let members = aws(&env, settings);
    let options = members["ConfigurationSettings"][0]["OptionSettings"].as_array().unwrap();
    let a = options.iter().find(|option| option["OptionName"] == "A").unwrap();
    assert_eq!(a["Value"], "1 & <2>");

    cloud.world(|world| {
        let why = "Invented failure.".to_owned();
        world.beanstalk.behaviour.outcomes.push_back(Outcome::Fail(why));
    });
    let set = "Namespace=aws:elasticbeanstalk:application:environment,OptionName=B,Value=2";
    let updated =
        aws(&env, &format!("update-environment --environment-name shop-prod --option-settings {set}"));
    assert_eq!((&updated["Status"], &updated["Health"]), (&"Updating".into(), &"Grey".into()));
    assert_eq!(ready(), "Ready");
    let events = aws(&env, "describe-events --environment-name shop-prod --severity ERROR");
    let messages: Vec<&str> =
        events["Events"].as_array().unwrap().iter().map(|one| one["Message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["Failed to deploy configuration.", "Invented failure."]);
    let statuses = |members: &Value| {
        let all = members["ConfigurationSettings"].as_array().unwrap();
        all.iter().map(|one| one["DeploymentStatus"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(statuses(&aws(&env, settings)), ["deployed", "failed"]);
    aws(&env, "delete-environment-configuration --application-name shop --environment-name shop-prod");
    assert_eq!(statuses(&aws(&env, settings)), ["deployed"]);
    let health = aws(&env, "describe-environment-health --environment-name shop-prod --attribute-names All");
    assert_eq!(health["HealthStatus"], "Ok");
    aws(&env, "restart-app-server --environment-name shop-prod");
    assert_eq!(cloud.count("elasticbeanstalk:UpdateEnvironment"), 1);
}

#[test]
fn boto3_pages_through_environments_and_events_and_reads_the_examples_settings() {
    const SCRIPT: &str = r"
import boto3
client = boto3.client('elasticbeanstalk')
def pages(operation, key, **more):
    paginator = client.get_paginator(operation)
    return [one for page in paginator.paginate(PaginationConfig={'PageSize': 1}, **more) for one in page[key]]
names = [one['EnvironmentName'] for one in pages('describe_environments', 'Environments')]
assert sorted(names) == ['antenna-prod', 'dev-app-prod', 'shop-prod'], names
properties = 'aws:elasticbeanstalk:application:environment'
client.update_environment(EnvironmentName='shop-prod',
    OptionSettings=[{'Namespace': properties, 'OptionName': 'A', 'Value': 'new\nline'}],
    OptionsToRemove=[{'Namespace': properties, 'OptionName': 'B'}])
client.get_waiter('environment_updated').config.delay = 0
client.get_waiter('environment_updated').wait(EnvironmentNames=['shop-prod'], WaiterConfig={'Delay': 0})
events = pages('describe_events', 'Events', EnvironmentName='shop-prod')
assert len(events) == 6, events
def settings(application, environment):
    members = client.describe_configuration_settings(ApplicationName=application, EnvironmentName=environment)
    options = members['ConfigurationSettings'][0]['OptionSettings']
    return {one['OptionName']: one['Value'] for one in options if one['Namespace'] == properties}
assert settings('shop', 'shop-prod') == {'A': 'new\nline'}
assert settings('dev-app', 'dev-app-prod')['RDS_PORT'] == '5432'
antenna = settings('antenna-backend', 'antenna-prod')
assert antenna['CELERY_BROKER_URL'].startswith('rediss://') and antenna['EB_HEALTHCHECK'] == '1'
try:
    client.update_environment(EnvironmentName='nowhere')
except client.exceptions.ClientError as error:
    assert error.response['Error']['Code'] == 'InvalidParameterValue', error
else:
    raise AssertionError('an environment that does not exist was updated')
";
    let stage = Stage::with([("A", "1"), ("B", "2")]);
    stage.beanstalk(|beanstalk| {
        beanstalk.add_example(Example::DevApp, Timestamp::now());
        beanstalk.add_example(Example::Antenna, Timestamp::now());
    });
    let env = env_of(&stage.cloud);
    let mut python = env.command(provision::boto3());
    python.args(["-c", SCRIPT]);
    env.finish(python, b"").success();
    let seen = stage.beanstalk(|beanstalk| beanstalk.container_environment(ENVIRONMENT));
    assert_eq!(seen["A"], "new\nline");
}
