//! What is told: members and options, filters, pages, events, health and platforms.

use super::stage::{APP, DOCKER, ENVIRONMENT, Stage, option, setting};
use crate::support::cloud::beanstalk::handles::Seed;
use crate::support::cloud::beanstalk::settings::{PROPERTIES, TEMPLATE};
use aws_sdk_elasticbeanstalk::operation::describe_configuration_settings::builders::DescribeConfigurationSettingsFluentBuilder;
use aws_sdk_elasticbeanstalk::operation::describe_environments::DescribeEnvironmentsOutput;
use aws_sdk_elasticbeanstalk::operation::describe_events::builders::DescribeEventsFluentBuilder;
use aws_sdk_elasticbeanstalk::types::EventSeverity;
use jiff::{SignedDuration, Timestamp};

#[test]
fn settings_tell_platform_options_defaults_and_all_properties_once_more_in_one_string() {
    let python = "64bit Amazon Linux 2023 v4.9.1 running Python 3.11";
    let stage = Stage::seeded(Seed::new(APP, ENVIRONMENT, python).property("A", " spaced & <angled> "));
    let deployed = &stage.settings()[0];
    assert_eq!(deployed.property("A"), Some(" spaced & <angled> "));
    assert_eq!(deployed.property("PYTHONPATH"), Some("/var/app/venv/staging-LQM1lest/bin"));
    let launch = "aws:autoscaling:launchconfiguration";
    assert_eq!(deployed.option(launch, "InstanceType"), Some("t3.micro"));
    assert_eq!(deployed.option(launch, "IamInstanceProfile"), Some("aws-elasticbeanstalk-ec2-role"));
    assert!(deployed.has(launch, "EC2KeyName") && deployed.option(launch, "EC2KeyName").is_none());
    assert_eq!(
        deployed.option(TEMPLATE, "EnvironmentVariables"),
        Some("A= spaced & <angled> ,PYTHONPATH=/var/app/venv/staging-LQM1lest/bin")
    );
}

#[test]
fn settings_are_those_of_one_environment_or_one_template() {
    let stage = Stage::with([("A", "1")]);
    let template = Seed::new(APP, "unused", DOCKER).property("A", "saved");
    stage.beanstalk(|beanstalk| beanstalk.add_template(template, "blue", Timestamp::now()));
    let describe = || stage.client.describe_configuration_settings().application_name(APP);
    let code = |call: DescribeConfigurationSettingsFluentBuilder| stage.call(call.send()).unwrap_err().code;
    assert_eq!(code(describe()), "MissingRequiredParameter");
    let both = describe().environment_name(ENVIRONMENT).template_name("blue");
    assert_eq!(code(both), "InvalidParameterCombination");
    assert_eq!(code(describe().environment_name("nowhere")), "InvalidParameterValue");
    let saved = stage.call(describe().template_name("blue").send()).unwrap();
    let member = &saved.configuration_settings()[0];
    assert!(member.deployment_status().is_none());
    assert!(member.option_settings().contains(&setting(PROPERTIES, "A", "saved")));
    // A template's values lie below those that are set directly.
    let update = stage.client.update_environment().environment_name(ENVIRONMENT).template_name("blue");
    stage.call(update.send()).unwrap();
    stage.wait();
    assert_eq!(stage.settings()[0].property("A"), Some("1"));
}

#[test]
fn who_may_not_see_settings_gets_an_empty_list() {
    let stage = Stage::with([("A", "1")]);
    stage.beanstalk(|beanstalk| beanstalk.behaviour.hides_settings = true);
    assert!(stage.settings().is_empty());
}

#[test]
fn a_policy_hides_settings_and_denies_everything_else_that_it_does_not_allow() {
    let environment = "arn:aws:elasticbeanstalk:us-east-1:111122223333:environment/shop/shop-prod";
    let allow = |resource: &str| {
        let actions = ["elasticbeanstalk:DescribeEnvironments", "elasticbeanstalk:UpdateEnvironment"];
        let statement = serde_json::json!({"Effect": "Allow", "Action": actions, "Resource": resource});
        serde_json::json!({"Version": "2012-10-17", "Statement": [statement]})
    };
    let stage = Stage::with([("A", "1")]).limited(&allow(environment));
    assert!(stage.settings().is_empty());
    assert_eq!(stage.status(), "Ready");
    stage.update(&[("A", Some("2"))]).unwrap();
    let restart = stage.client.restart_app_server().environment_name(ENVIRONMENT);
    assert_eq!(stage.call(restart.send()).unwrap_err().code, "AccessDenied");
    let all = stage.client.describe_environments();
    assert_eq!(stage.call(all.send()).unwrap_err().code, "AccessDenied");
    let stage = stage.limited(&allow(&environment.replace("shop-prod", "shop-test")));
    assert_eq!(stage.update(&[("A", Some("2"))]).unwrap_err().code, "AccessDenied");
}

#[test]
fn environments_are_filtered_paged_and_told_for_a_while_after_their_end() {
    let stage = Stage::with([]);
    for name in ["shop-blue", "shop-green", "other-prod"] {
        let application = name.split('-').next().unwrap();
        let seed = Seed::new(application, name, DOCKER);
        stage.beanstalk(|beanstalk| beanstalk.add(seed, Timestamp::now()));
    }
    let describe = || stage.client.describe_environments();
    let names = |answer: &DescribeEnvironmentsOutput| {
        let names = answer.environments().iter().map(|one| one.environment_name().unwrap().to_owned());
        names.collect::<Vec<String>>()
    };
    let shop = stage.call(describe().application_name(APP).send()).unwrap();
    assert_eq!(names(&shop), [ENVIRONMENT, "shop-blue", "shop-green"]);
    let page = stage.call(describe().max_records(3).send()).unwrap();
    let rest = stage.call(describe().max_records(3).next_token(page.next_token().unwrap()).send()).unwrap();
    assert_eq!(
        (names(&page).len(), names(&rest), rest.next_token()),
        (3, vec!["other-prod".to_owned()], None)
    );
    assert!(names(&stage.call(describe().environment_names("nowhere").send()).unwrap()).is_empty());
    stage.call(stage.client.terminate_environment().environment_name("shop-blue").send()).unwrap();
    let of_blue = || describe().environment_names("shop-blue");
    let status =
        || stage.call(of_blue().send()).unwrap().environments()[0].status().unwrap().as_str().to_owned();
    assert_eq!(
        (status(), status(), status()),
        ("Terminating".into(), "Terminating".into(), "Terminated".into())
    );
    assert!(names(&stage.call(of_blue().include_deleted(false).send()).unwrap()).is_empty());
    let applications = stage.call(stage.client.describe_applications().send()).unwrap();
    assert_eq!(applications.applications().len(), 2);
}

#[test]
fn events_are_told_newest_first_and_filtered_by_request_severity_and_time() {
    let stage = Stage::with([("A", "1")]);
    stage.beanstalk(|beanstalk| beanstalk.behaviour.looks = 0);
    let requests: Vec<String> = ["2", "3"]
        .map(|value| {
            let request = stage.update(&[("A", Some(value))]).unwrap();
            stage.wait();
            request
        })
        .into();
    stage.update(&[("B", Some(&"x".repeat(5000)))]).unwrap();
    stage.wait();
    assert_eq!((stage.events(&requests[0]).len(), stage.events(&requests[1]).len()), (4, 4));
    assert!(stage.events("another").is_empty());
    let describe = || stage.client.describe_events().environment_name(ENVIRONMENT);
    let count = |call: DescribeEventsFluentBuilder| stage.call(call.send()).unwrap().events().len();
    let all = stage.call(describe().send()).unwrap();
    assert!(all.events().iter().is_sorted_by_key(|event| std::cmp::Reverse(*event.event_date().unwrap())));
    assert!(all.events().iter().any(|event| event.request_id().is_none()));
    assert_eq!(count(describe().severity(EventSeverity::Error)), 2);
    let hour = |hours: i64| {
        let at = Timestamp::now() + SignedDuration::from_hours(hours);
        aws_sdk_elasticbeanstalk::primitives::DateTime::from_secs(at.as_second())
    };
    assert_eq!(
        (count(describe().start_time(hour(-1))), count(describe().start_time(hour(1)))),
        (all.events().len(), 0)
    );
    assert_eq!(count(describe().end_time(hour(-1))), 0);
    let first = stage.call(describe().max_records(1).send()).unwrap();
    let next = stage.call(describe().max_records(1).next_token(first.next_token().unwrap()).send()).unwrap();
    assert_eq!((&first.events()[0], &next.events()[0]), (&all.events()[0], &all.events()[1]));
}

#[test]
fn health_is_told_of_environments_with_enhanced_health_only() {
    let stage = Stage::with([]);
    let all = aws_sdk_elasticbeanstalk::types::EnvironmentHealthAttribute::All;
    let health = || {
        stage.client.describe_environment_health().environment_name(ENVIRONMENT).attribute_names(all.clone())
    };
    let told = stage.call(health().send()).unwrap();
    assert_eq!((told.health_status(), told.color()), (Some("Ok"), Some("Green")));
    let instances = stage.client.describe_instances_health().environment_name(ENVIRONMENT);
    assert_eq!(stage.call(instances.send()).unwrap().instance_health_list().len(), 1);
    let basic = setting("aws:elasticbeanstalk:healthreporting:system", "SystemType", "basic");
    let update = stage.client.update_environment().environment_name(ENVIRONMENT).option_settings(basic);
    stage.call(update.send()).unwrap();
    stage.wait();
    assert_eq!(stage.call(health().send()).unwrap_err().code, "InvalidRequestException");
}

#[test]
fn a_platform_version_tells_the_day_it_came_out() {
    let stage = Stage::with([]);
    let environment = stage.call(stage.client.describe_environments().send()).unwrap();
    let arn = environment.environments()[0].platform_arn().unwrap();
    assert_eq!(
        arn,
        "arn:aws:elasticbeanstalk:us-east-1::platform/Docker running on 64bit Amazon Linux 2023/4.9.1"
    );
    let platform = stage.call(stage.client.describe_platform_version().platform_arn(arn).send()).unwrap();
    let platform = platform.platform_description().unwrap();
    assert_eq!(platform.date_created().unwrap().to_string(), "2026-01-13T00:00:00Z");
    assert_eq!(platform.solution_stack_name(), Some(DOCKER));
    let unknown = stage.client.describe_platform_version().platform_arn(format!("{arn}0"));
    assert_eq!(stage.call(unknown.send()).unwrap_err().code, "InvalidParameterValue");
    let filter = aws_sdk_elasticbeanstalk::types::PlatformFilter::builder()
        .r#type("PlatformName")
        .operator("contains")
        .values("ECS")
        .build();
    let listed = stage.call(stage.client.list_platform_versions().filters(filter).send()).unwrap();
    assert_eq!(listed.platform_summary_list().len(), 5);
}

#[test]
fn an_environment_tells_its_resources_and_which_options_it_knows() {
    let stage = Stage::with([]);
    let resources = stage.client.describe_environment_resources().environment_name(ENVIRONMENT);
    let resources = stage.call(resources.send()).unwrap();
    assert_eq!(resources.environment_resources().unwrap().instances().len(), 1);
    let wanted = option("aws:autoscaling:launchconfiguration", "InstanceType");
    let options = stage.client.describe_configuration_options().environment_name(ENVIRONMENT);
    let options = stage.call(options.options(wanted).send()).unwrap();
    let defaults: Vec<_> = options.options().iter().map(|option| option.default_value()).collect();
    assert_eq!(defaults, [Some("t3.micro")]);
}
