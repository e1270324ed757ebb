//! The thinnest path: a value set in home, one update of the copy, and what is told of both.

use super::project;
use crate::support::cloud::Effect;
use std::sync::{Arc, Mutex};

/// `set` for everything that the environment needs.
fn fill(env: &crate::support::env::TestEnv) {
    for (key, value) in
        [("SECRET_KEY", "canary-key"), ("RDS_HOSTNAME", "db.example"), ("RDS_USERNAME", "app")]
    {
        env.run_with_stdin(&format!("set {key} --yes"), value).success();
    }
    env.run_with_stdin("set RDS_PASSWORD --yes", "canary-pass/word").success();
}

#[test]
fn what_is_set_in_home_reaches_the_containers_by_one_update() {
    for secrets in ["value", "reference"] {
        let (cloud, env) = project(secrets);
        fill(&env);
        assert_eq!(
            env.run("get DATABASE_URL").success(),
            "postgres://app:canary-pass%2Fword@db.example:5432/app"
        );
        assert_eq!(env.run("status --check").code, Some(3));
        env.run("sync --yes").success();
        assert_eq!(cloud.count("elasticbeanstalk:UpdateEnvironment"), 1);
        let seen = cloud.world(|world| world.beanstalk.container_environment("dev-app-prod"));
        assert_eq!(seen["RDS_PASSWORD"], "canary-pass/word");
        assert_eq!(seen["DATABASE_URL"], "postgres://app:canary-pass%2Fword@db.example:5432/app");
        assert_eq!(seen["DJANGO_SETTINGS_MODULE"], "dev_app.settings.production");
        assert_eq!(seen["LEFT_ALONE"], "theirs");
        env.run("status --check").success();
        env.run("sync --yes").success();
        assert_eq!(cloud.count("elasticbeanstalk:UpdateEnvironment"), 1, "nothing differs: no update");
    }
}

#[test]
fn a_referenced_secret_that_changes_is_drift_until_the_copy_is_deployed_again() {
    let (cloud, env) = project("reference");
    fill(&env);
    env.run("sync --yes").success();
    env.run_with_stdin("set SECRET_KEY --yes", "canary-new").success();
    let seen = || cloud.world(|world| world.beanstalk.container_environment("dev-app-prod"));
    assert_eq!(seen()["SECRET_KEY"], "canary-key", "references are resolved when an instance starts");
    assert_eq!(env.run("status --check").code, Some(3));
    env.run("sync --yes").success();
    assert_eq!(seen()["SECRET_KEY"], "canary-new");
    env.run("status --check").success();
}

#[test]
fn secrets_become_references_key_by_key_and_a_plain_one_can_go_first() {
    let (cloud, env) = project("value");
    fill(&env);
    let names = || {
        cloud.world(|world| world.beanstalk.references("dev-app-prod").keys().cloned().collect::<Vec<_>>())
    };
    let seen = || cloud.world(|world| world.beanstalk.container_environment("dev-app-prod"));
    env.run("sync --yes").success();
    let before = seen();
    for list in [&["RDS_HOSTNAME"][..], &["RDS_HOSTNAME", "SECRET_KEY"], &["SECRET_KEY"]] {
        let line = format!("secrets = \"value\"\nreferences = {list:?}");
        env.write("strongroom.toml", super::MANIFEST.replace("secrets = \"SECRETS\"", &line));
        assert_eq!(env.run("status --check").code, Some(3), "{list:?}");
        env.run("sync --yes").success();
        assert_eq!(names(), list);
        let after = seen();
        assert!(before.iter().all(|(name, value)| after[name] == *value), "containers see what they saw");
        env.run("status --check").success();
    }
    env.run_with_stdin("set RDS_PASSWORD --yes", "canary-new").success();
    let told = env.run("status --json").success().replace(' ', "");
    assert!(told.contains("\"current\":true"), "what is not referred to makes no reference stale: {told}");
    env.run_with_stdin("set SECRET_KEY --yes", "canary-new").success();
    env.run("sync --yes").success();
    assert_eq!(
        (seen()["SECRET_KEY"].as_str(), seen()["RDS_PASSWORD"].as_str()),
        ("canary-new", "canary-new")
    );
}

#[test]
fn an_undo_takes_a_sync_back_with_its_namespaces() {
    let (cloud, env) = project("reference");
    fill(&env);
    let properties = || {
        cloud.world(|world| {
            (
                world.beanstalk.properties("dev-app-prod").clone(),
                world.beanstalk.references("dev-app-prod").clone(),
            )
        })
    };
    let before = properties();
    env.run("sync --yes").success();
    assert_ne!(properties(), before);
    env.run("undo --yes").success();
    assert_eq!(properties(), before);
}

#[test]
fn a_second_operator_is_told_who_holds_the_lease() {
    let (cloud, env) = project("value");
    fill(&env);
    let other = super::operator(&cloud, "value");
    let told = Arc::new(Mutex::new(None));
    let (heard, colleague) = (told.clone(), Arc::new(other));
    let meanwhile = move || {
        let end = colleague.run("sync --yes");
        *heard.lock().unwrap() = Some((end.code, end.stderr));
    };
    cloud.fault("elasticbeanstalk:UpdateEnvironment", 1..=1, Effect::Meanwhile(Arc::new(meanwhile)));
    env.run("sync --yes").success();
    let (code, stderr) = told.lock().unwrap().take().unwrap();
    assert_eq!(code, Some(9), "{stderr}");
    assert!(stderr.contains("sync web"), "{stderr}");
    assert_eq!(cloud.count("elasticbeanstalk:UpdateEnvironment"), 1);
}

#[test]
fn a_vault_with_a_copy_on_aws_can_be_used_where_aws_cannot_be_reached() {
    let manifest = super::MANIFEST.replace("home = \"ssm\"", "home = \"vault\"").replace("SECRETS", "value");
    let mut env = crate::support::env::TestEnv::new();
    env.run("init --yes").success();
    let identity = std::fs::read_to_string(env.config("identity.txt")).unwrap();
    let public = identity.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    let recipients = format!("[project]\nrecipients = [\"{public}\"]");
    env.write("strongroom.toml", manifest.replace("[project]", &recipients));
    env.set("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    env.set("AWS_EC2_METADATA_DISABLED", "true");
    env.run_with_stdin("set SECRET_KEY --yes", "canary").success();
    let told = env.run("status");
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(told.stdout.contains("app/SECRET_KEY") || told.stdout.contains("missing"), "{}", told.stdout);
}

#[test]
fn values_of_another_account_are_not_taken_for_this_ones() {
    let (_cloud, env) = project("value");
    fill(&env);
    let manifest = env.read("strongroom.toml").replace("111122223333", "444455556666");
    env.write("strongroom.toml", manifest);
    let told = env.run("get RDS_PASSWORD").failure(5);
    assert!(told.contains("111122223333") && told.contains("444455556666"), "{told}");
}

#[test]
fn what_was_changed_while_the_question_stood_is_left_alone() {
    let (cloud, env) = project("value");
    fill(&env);
    let mut terminal = env.terminal("set SECRET_KEY --generate");
    terminal.expect("[y/N]");
    env.run_with_stdin("set SECRET_KEY --yes", "theirs").success();
    let puts = cloud.count("ssm:PutParameter");
    terminal.type_line("y");
    let (told, code) = terminal.end();
    assert_eq!(code, Some(6), "{told}");
    assert_eq!(cloud.count("ssm:PutParameter"), puts);
    assert_eq!(env.run("get SECRET_KEY").success(), "theirs");
}

#[test]
fn next_steps_name_the_environment_that_was_named() {
    let (_cloud, env) = project("value");
    let told = env.run_with_stdin("-e prod set SECRET_KEY --yes", "canary");
    assert!(told.stderr.contains("`strongroom -e prod undo "), "{}", told.stderr);
    assert!(told.stderr.contains("`strongroom -e prod sync web`"), "{}", told.stderr);
}
