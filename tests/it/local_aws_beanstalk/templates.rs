//! Saved configurations: they keep what an environment had set, secrets too, and belong to no environment.

use super::stage::{APP, DOCKER, ENVIRONMENT, Refused, Stage, option, setting};
use crate::support::cloud::beanstalk::handles::Seed;
use crate::support::cloud::beanstalk::settings::PROPERTIES;
use aws_sdk_elasticbeanstalk::types::ConfigurationOptionSetting;
use jiff::Timestamp;
use serde_json::json;

/// The names of the application's saved configurations.
fn names(stage: &Stage) -> Vec<String> {
    let call = stage.client.describe_applications().application_names(APP);
    stage.call(call.send()).unwrap().applications()[0].configuration_templates().to_vec()
}

fn options(stage: &Stage, name: &str) -> Result<Vec<ConfigurationOptionSetting>, Refused> {
    let call = stage.client.describe_configuration_settings().application_name(APP).template_name(name);
    stage.call(call.send()).map(|told| told.configuration_settings()[0].option_settings().to_vec())
}

/// Saves the environment's settings under a name.
fn save(stage: &Stage, name: &str) -> Result<(), Refused> {
    let told =
        stage.call(stage.client.describe_environments().environment_names(ENVIRONMENT).send()).unwrap();
    let id = told.environments()[0].environment_id().unwrap();
    let call = stage.client.create_configuration_template().application_name(APP).template_name(name);
    stage.call(call.environment_id(id).send()).map(drop)
}

#[test]
fn what_was_saved_of_an_environment_stays_when_the_environment_has_it_no_longer() {
    let stage = Stage::with([("TOKEN", "invented"), ("MODE", "1")]);
    save(&stage, "before").unwrap();
    let again = save(&stage, "before").unwrap_err();
    assert_eq!(again.code, "InvalidParameterValue");
    stage.update(&[("TOKEN", None)]).unwrap();
    stage.wait();
    assert_eq!(names(&stage), ["before"]);
    assert!(options(&stage, "before").unwrap().contains(&setting(PROPERTIES, "TOKEN", "invented")));
    // Applied, it lies below what is set directly, and is kept beside the environment's own copy.
    let apply = stage.client.update_environment().environment_name(ENVIRONMENT).template_name("before");
    stage.call(apply.send()).unwrap();
    stage.wait();
    assert_eq!(stage.settings()[0].property("TOKEN"), Some("invented"));
    let delete =
        || stage.client.delete_configuration_template().application_name(APP).template_name("before");
    stage.call(delete().send()).unwrap();
    assert!(names(&stage).is_empty());
    assert_eq!(stage.settings()[0].property("TOKEN"), Some("invented"));
    let gone = "No Configuration Template named 'shop/before' found.";
    for refused in [stage.call(delete().send()).unwrap_err(), options(&stage, "before").unwrap_err()] {
        assert_eq!((refused.code.as_str(), refused.message.as_str()), ("InvalidParameterValue", gone));
    }
}

#[test]
fn a_saved_configuration_can_lose_a_secret_without_being_deleted() {
    let stage = Stage::with([("TOKEN", "invented"), ("MODE", "1")]);
    save(&stage, "before").unwrap();
    let update = stage.client.update_configuration_template().application_name(APP).template_name("before");
    let update = update.options_to_remove(option(PROPERTIES, "TOKEN"));
    stage.call(update.option_settings(setting(PROPERTIES, "MODE", "2")).send()).unwrap();
    let kept = options(&stage, "before").unwrap();
    assert!(kept.contains(&setting(PROPERTIES, "MODE", "2")));
    assert!(!kept.iter().any(|option| option.option_name() == Some("TOKEN")));
    assert_eq!(stage.settings()[0].property("TOKEN"), Some("invented"));
}

#[test]
fn a_saved_configuration_is_a_resource_of_its_own_for_policies() {
    let arn = "arn:aws:elasticbeanstalk:us-east-1:111122223333:configurationtemplate/shop/before";
    let actions =
        ["elasticbeanstalk:DescribeConfigurationSettings", "elasticbeanstalk:DeleteConfigurationTemplate"];
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": arn});
    let stage = Stage::with([("A", "1")]);
    let seed = || Seed::new(APP, "unused", DOCKER).property("A", "1");
    stage.beanstalk(|beanstalk| {
        beanstalk.add_template(seed(), "before", Timestamp::now());
        beanstalk.add_template(seed(), "other", Timestamp::now());
    });
    let stage = stage.limited(&json!({"Version": "2012-10-17", "Statement": [statement]}));
    assert!(!options(&stage, "before").unwrap().is_empty());
    let hidden = stage.client.describe_configuration_settings().application_name(APP).template_name("other");
    assert!(stage.call(hidden.send()).unwrap().configuration_settings().is_empty());
    let delete =
        |name: &str| stage.client.delete_configuration_template().application_name(APP).template_name(name);
    assert_eq!(stage.call(delete("other").send()).unwrap_err().code, "AccessDenied");
    stage.call(delete("before").send()).unwrap();
}
