//! On AWS: what `doctor` finds in places that were spoiled by other hands, and that it never writes there.

use super::{found, set};
use crate::aws::{DOCKER, MANIFEST, project};
use crate::support::cloud::beanstalk::handles::Seed;
use crate::support::cloud::beanstalk::settings::{OptionName, Options, PROPERTIES};
use crate::support::cloud::ssm;
use crate::support::cloud::{ACCOUNT, Cloud};
use crate::support::env::TestEnv;
use crate::support::policy::become_bearer;
use jiff::Timestamp;
use std::collections::BTreeSet;

const AT: &str = "dev-app/dev-app-prod";

/// A project whose home and copy hold everything and agree.
fn in_order(secrets: &str) -> (Cloud, TestEnv) {
    let (cloud, env) = project(secrets);
    for (key, value) in [
        ("SECRET_KEY", "canary-key-0123456789"),
        ("RDS_HOSTNAME", "db.canary.example"),
        ("RDS_USERNAME", "canary_app"),
        ("RDS_PASSWORD", "canary-pass/word"),
    ] {
        env.run_with_stdin(&format!("set {key} --yes"), value).success();
    }
    env.run("sync --yes").success();
    (cloud, env)
}

/// What `doctor` says of an environment in order: somebody else's property, and what no command can take back.
fn notes() -> BTreeSet<String> {
    at(&["undeclared-properties", "old-values"])
}

fn more(env: &TestEnv) -> BTreeSet<String> {
    &found(env) - &notes()
}

fn at(codes: &[&str]) -> BTreeSet<String> {
    codes.iter().map(|code| format!("{code} {AT}")).collect()
}

#[test]
fn what_is_in_order_is_left_alone_and_nothing_is_written() {
    let (cloud, env) = in_order("reference");
    cloud.reset_calls();
    assert_eq!(found(&env), notes());
    let reads = ["Get", "Describe", "List", "BatchGet"];
    for call in cloud.calls() {
        let (_, action) = call.name().split_once(':').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert!(reads.iter().any(|start| action.starts_with(start)), "{action}");
    }
    let output = env.run("doctor");
    assert!(output.stderr.contains(&format!("account {ACCOUNT}")), "{}", output.stderr);
    let text = output.success();
    assert!(text.contains("LEFT_ALONE") && !text.contains("theirs") && !text.contains("canary"), "{text}");
}

#[test]
fn every_way_in_which_the_places_differ_is_told() {
    let (cloud, env) = in_order("reference");
    env.run_with_stdin("set SECRET_KEY --yes", "canary-new-0123456789").success();
    assert_eq!(more(&env), at(&["stale-references"]));
    let now = Timestamp::now();
    cloud.world(|world| {
        world.deploy_elsewhere("dev-app-prod", &[("RDS_HOSTNAME", Some("canary.elsewhere"))]);
        world.beanstalk.add_failed_draft("dev-app-prod", &Default::default(), now);
    });
    assert_eq!(more(&env), at(&["drift", "failed-draft"]));
    cloud.world(|world| {
        let long = "x".repeat(3_900);
        world.deploy_elsewhere(
            "dev-app-prod",
            &[("LONG", Some(&long)), ("RDS_PASSWORD", Some("canary-in-both"))],
        );
    });
    assert_eq!(more(&env), at(&["drift", "budget", "in-both-namespaces"]));
    let output = env.run("doctor");
    assert!(!output.stdout.contains("canary") && !output.stdout.contains("xxxx"), "{}", output.stdout);
}

#[test]
fn secrets_that_stand_in_the_console_are_told_and_so_is_a_platform_that_cannot_refer() {
    let (cloud, env) = in_order("value");
    assert_eq!(more(&env), at(&["secrets-by-value"]));
    env.write("strongroom.toml", MANIFEST.replace("SECRETS", "reference"));
    assert_eq!(more(&env), at(&["plain-secret"]));
    let old = "64bit Amazon Linux 2 v4.0.8 running Docker";
    cloud.world(|world| {
        world.beanstalk.add(Seed::new("dev-app", "dev-app-old", old), Timestamp::now());
    });
    env.write(
        "strongroom.toml",
        MANIFEST.replace("SECRETS", "reference").replace("dev-app-prod", "dev-app-old"),
    );
    assert!(found(&env).contains("platform-too-old dev-app/dev-app-old"), "{:?}", found(&env));
}

#[test]
fn parameters_that_are_open_or_have_another_key_are_told_by_name() {
    let (cloud, env) = in_order("reference");
    let name = "/dev-app/prod/app/SECRET_KEY";
    cloud.world(|world| {
        let held = world.ssm.held(name).unwrap().value;
        world.ssm.seed(ssm::Seed { name, value: &held, kind: "String" });
    });
    assert!(found(&env).contains(&format!("secret-not-encrypted {name}")), "{:?}", found(&env));
    let (cloud, env) = in_order("reference");
    let key = cloud.kms_key("alias/own");
    let with_key = MANIFEST.replace("SECRETS", "reference");
    env.write(
        "strongroom.toml",
        with_key.replace("home = \"ssm\"", &format!("home = \"ssm\"\nkms_key = \"{key}\"")),
    );
    assert!(found(&env).contains(&format!("parameter-differs {name}")), "{:?}", found(&env));
}

#[test]
fn each_permission_that_is_missing_is_named_with_what_it_is_missing_on() {
    let (cloud, mut env) = in_order("reference");
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/limited");
    let policy = r#"{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": ["ssm:GetParameters", "elasticbeanstalk:DescribeEvents",
            "elasticbeanstalk:DescribeConfigurationSettings"], "Resource": "*"}]}"#;
    cloud.principal("AKIALOCALDOCTOR00EXA", &arn, policy).unwrap();
    for (name, value) in cloud.environment_of("AKIALOCALDOCTOR00EXA") {
        env.set(name, value);
    }
    let output = env.run("doctor");
    assert_eq!(output.code, Some(3));
    for (action, resource) in [
        ("ssm:GetParameters", "arn:aws:ssm:us-east-1:111122223333:parameter/dev-app/prod/app/SECRET_KEY"),
        (
            "elasticbeanstalk:DescribeConfigurationSettings",
            "arn:aws:elasticbeanstalk:us-east-1:111122223333:environment/dev-app/dev-app-prod",
        ),
        (
            "elasticbeanstalk:DescribeEvents",
            "arn:aws:elasticbeanstalk:us-east-1:111122223333:environment/dev-app/dev-app-prod",
        ),
    ] {
        let said = format!("`{action}` on `{resource}` is not allowed");
        assert!(output.stdout.contains(&said), "{said}\n{}", output.stdout);
    }
    assert_eq!(output.stdout.matches("is not allowed").count(), 3, "{}", output.stdout);
}

#[test]
fn under_the_policy_that_is_printed_for_an_operator_no_permission_is_missing() {
    let (cloud, mut env) = in_order("reference");
    save(&cloud, "before", &[("SECRET_KEY", "canary-old")]);
    become_bearer(&cloud, &mut env, "prod", "operator");
    assert_eq!(more(&env), set(&["saved-configuration dev-app"]));
}

/// Somebody saved the configuration of an environment with these properties.
fn save(cloud: &Cloud, name: &str, properties: &[(&str, &str)]) {
    let seed = Seed::new("dev-app", "dev-app-prod", DOCKER).properties(properties.iter().copied());
    cloud.world(|world| world.beanstalk.add_template(seed, name, Timestamp::now()));
}

#[test]
fn what_was_saved_while_secrets_were_plain_is_told_by_their_names() {
    let (cloud, env) = in_order("reference");
    save(&cloud, "before", &[("SECRET_KEY", "canary-old-1"), ("RDS_PASSWORD", "canary-old-2"), ("A", "b")]);
    save(&cloud, "harmless", &[("RDS_HOSTNAME", "db.canary")]);
    let was = [("RDS_PASSWORD", "canary-old-2")];
    let was = was.map(|(name, value)| (OptionName::new(PROPERTIES, name), value.to_owned()));
    cloud.world(|world| {
        world.beanstalk.add_failed_draft("dev-app-prod", &Options::from(was), Timestamp::now());
    });
    let expected: BTreeSet<String> =
        &at(&["failed-draft", "secrets-in-draft"]) | &set(&["saved-configuration dev-app"]);
    assert_eq!(more(&env), expected);
    let output = env.run("doctor");
    assert!(!output.stdout.contains("canary"), "{}", output.stdout);
    for said in [
        "the saved configuration `before` holds plain values of RDS_PASSWORD, SECRET_KEY",
        "`aws elasticbeanstalk delete-configuration-template --application-name dev-app --template-name before`",
        "the draft that failed holds plain values of RDS_PASSWORD",
        "give each a new value: `strongroom set app/SECRET_KEY --generate`",
    ] {
        assert!(output.stdout.contains(said), "{said}\n{}", output.stdout);
    }
    env.write("strongroom.toml", MANIFEST.replace("SECRETS", "value"));
    assert!(!found(&env).contains("saved-configuration dev-app"));
}

#[test]
fn who_may_not_look_at_what_was_saved_is_told_which_permission_that_takes() {
    let (cloud, mut env) = in_order("reference");
    save(&cloud, "before", &[("SECRET_KEY", "canary-old")]);
    let template = "arn:aws:elasticbeanstalk:us-east-1:111122223333:configurationtemplate/dev-app/before";
    let application = "arn:aws:elasticbeanstalk:us-east-1:111122223333:application/dev-app";
    for (number, action, resource) in [
        (1, "elasticbeanstalk:DescribeApplications", application),
        (2, "elasticbeanstalk:DescribeConfigurationSettings", template),
    ] {
        let policy = format!(
            r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Action": "*", "Resource": "*"}},
            {{"Effect": "Deny", "Action": "{action}", "Resource": "{resource}"}}]}}"#
        );
        let key = format!("AKIALOCALSAVED{number}00EXA");
        let user = format!("arn:aws:iam::{ACCOUNT}:user/limited{number}");
        cloud.principal(&key, &user, &policy).unwrap();
        for (name, value) in cloud.environment_of(&key) {
            env.set(name, value);
        }
        let output = env.run("doctor");
        assert_eq!(output.code, Some(0), "a note: {}", output.stdout);
        for said in ["[saved-not-looked-at]", &format!("`{action}` on `{resource}`")] {
            assert!(output.stdout.contains(said), "{said}\n{}", output.stdout);
        }
    }
}

#[test]
fn another_account_or_no_answer_is_a_finding_and_the_files_are_looked_at() {
    let (_cloud, mut env) = in_order("reference");
    env.write(
        ".ebextensions/a.config",
        "option_settings:\n  - option_name: SECRET_KEY\n    value: something-real\n",
    );
    let file = ["secret-in-file .ebextensions/a.config:3", "value-comes-back .ebextensions/a.config:3"];
    env.write(
        "strongroom.toml",
        MANIFEST.replace("SECRETS", "reference").replace("111122223333", "999900001111"),
    );
    assert_eq!(found(&env), set(&["no-access ", file[0], file[1]]));
    env.set("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    env.set("AWS_ACCESS_KEY_ID", "AKIALOCALSOMEBODYELS");
    assert_eq!(found(&env), set(&["no-access ", file[0], file[1]]));
}

#[test]
fn a_document_that_is_scheduled_for_deletion_is_told() {
    let (cloud, env) = project("reference");
    env.write(
        "strongroom.toml",
        MANIFEST.replace("SECRETS", "reference").replace("\"ssm\"", "\"secretsmanager\""),
    );
    env.run_with_stdin("set SECRET_KEY --yes", "canary-key-0123456789").success();
    env.run("delete SECRET_KEY --yes").success();
    let held = cloud.world(|world| world.secrets.held("dev-app/prod/app"));
    assert!(held.unwrap().is_scheduled_for_deletion);
    let found = found(&env);
    assert!(found.iter().any(|line| line.starts_with("scheduled-for-deletion ")), "{found:?}");
    assert!(found.contains("missing-value app/SECRET_KEY"), "{found:?}");
}
