//! The binary on an environment whose properties are the truth.

use super::stage::{DOCKER, NAME, UPDATE, seed};
use crate::support::cloud::Cloud;
use crate::support::cloud::beanstalk::deployment::Outcome;
use crate::support::env::TestEnv;
use jiff::Timestamp;

const MANIFEST: &str = r#"
version = 1
[project]
name = "shop"
region = "us-east-1"
[environments.prod]
home = "beanstalk"
account = "111122223333"
[environments.prod.copies.web]
kind = "beanstalk"
application = "shop"
environment = "shop-prod"
secrets = "value"
[groups.app.keys]
TOKEN = { secret = true }
HOST = {}
URL = { derive = "https://{TOKEN}@{HOST}" }
[groups.xero]
instances = true
env = "XERO_{instance}_{key}"
keys.token = { secret = true, optional = true }
"#;

fn project() -> (Cloud, TestEnv) {
    let cloud = Cloud::start();
    let seed =
        seed(DOCKER).properties([("HOST", "old.example"), ("UNKNOWN", "u"), ("XERO_7_token", "canary-x")]);
    cloud.world(|world| world.beanstalk.add(seed, Timestamp::now()));
    let mut env = TestEnv::new().with_manifest(MANIFEST);
    env.on(&cloud);
    env.set("STRONGROOM_POLL_INTERVAL_MS", "5");
    env.run("init --yes").success();
    (cloud, env)
}

#[test]
fn values_are_set_read_listed_deleted_and_taken_back() {
    let (cloud, env) = project();
    assert_eq!(env.run("get HOST").success(), "old.example");
    assert_eq!(
        env.run("get xero/7/token").success(),
        "canary-x",
        "instances are found by the pattern of names"
    );
    env.run_with_stdin("set TOKEN --yes", "canary-token").success();
    assert_eq!(cloud.count(UPDATE), 1);
    assert_eq!(env.run("get URL").success(), "https://canary-token@old.example");
    let properties = || cloud.world(|world| world.beanstalk.properties(NAME));
    let before = properties();
    assert_eq!(
        before["URL"], "https://canary-token@old.example",
        "a derived secret follows in the same update"
    );
    env.run_with_stdin("set HOST --yes", "new.example").success();
    assert_eq!(properties()["URL"], "https://canary-token@new.example");
    env.run("undo --yes").success();
    assert_eq!(properties(), before);
    env.run("delete xero/7/token --yes").success();
    assert!(!properties().contains_key("XERO_7_token"));
    assert_eq!(properties()["UNKNOWN"], "u");
    env.run("history HOST").failure(1);
}

#[test]
fn a_dry_run_tells_the_budget_and_the_restart_and_updates_nothing() {
    let (cloud, env) = project();
    let told = env.run_with_stdin("set TOKEN --dry-run", "canary-token");
    let text = format!("{}{}", told.stdout, told.stderr);
    assert!(text.contains("of 4,096 bytes") && text.contains("the app restarts"), "{text}");
    assert!(!text.contains("canary"), "{text}");
    assert_eq!(cloud.count(UPDATE), 0);
    let refused = env.run_with_stdin("set TOKEN --yes", "x".repeat(5000));
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("4,096"), "{}", refused.stderr);
    assert_eq!(cloud.count(UPDATE), 0);
}

#[test]
fn a_rolled_back_update_is_told_in_aws_s_words_and_leaves_nothing_behind() {
    let (cloud, env) = project();
    let why = "An invented failure of the instance.".to_owned();
    cloud.world(|world| world.beanstalk.behaviour.outcomes.extend([Outcome::Fail(why)]));
    let failed = env.run_with_stdin("set TOKEN --yes", "canary-token");
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert!(failed.stderr.contains("An invented failure of the instance."), "{}", failed.stderr);
    assert!(!failed.stderr.contains("canary"));
    env.run("resume --yes").success();
    env.run_with_stdin("set TOKEN --yes", "canary-token").success();
    assert_eq!(env.run("get TOKEN").success(), "canary-token");
}
