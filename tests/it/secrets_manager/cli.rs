//! The binary with Secrets Manager as home, as the identity that `policy` prints a policy for.

use crate::aws::DOCKER;
use crate::support::cloud::Cloud;
use crate::support::cloud::beanstalk::handles::Seed;
use crate::support::env::TestEnv;

const MANIFEST: &str = r#"
version = 1
[project]
name = "shop"
region = "us-east-1"
default_environment = "prod"
[environments.prod]
home = "secretsmanager"
account = "111122223333"
[environments.prod.copies.web]
kind = "beanstalk"
application = "shop"
environment = "shop-prod"
groups = ["app"]
secrets = "reference"
[groups.app.keys]
A = { secret = true }
B = { secret = true, optional = true }
[groups.single]
path.secretsmanager = "{project}/{environment}/single/{key}"
[groups.single.keys]
ONE = { secret = true, optional = true }
[groups.xero]
instances = true
path.secretsmanager = "{project}/xero/{instance}"
[groups.xero.keys]
token = { secret = true, optional = true }
"#;

fn project() -> (Cloud, TestEnv) {
    let cloud = Cloud::start();
    cloud.world(|world| world.beanstalk.add(Seed::new("shop", "shop-prod", DOCKER), jiff::Timestamp::now()));
    let mut env = TestEnv::new().with_manifest(MANIFEST);
    env.on(&cloud);
    env.set("STRONGROOM_POLL_INTERVAL_MS", "5");
    env.run("init --yes").success();
    (cloud, env)
}

#[test]
fn an_operator_needs_no_more_than_the_policy_that_is_printed_for_it() {
    let (cloud, mut env) = project();
    let policy = env.run("policy --for operator").success();
    let (key, arn) = ("AKIALOCALSOMEBODYEXA", "arn:aws:iam::111122223333:user/operator");
    cloud.principal(key, arn, &policy).unwrap();
    for (name, value) in cloud.environment_of(key) {
        env.set(name, value);
    }
    env.run_with_stdin("set A --yes", "first").success();
    env.run_with_stdin("set A --yes", "second").success();
    env.run_with_stdin("set B --yes", "b").success();
    env.run_with_stdin("set ONE --yes", "one").success();
    env.run_with_stdin("set xero/7/token --yes", "t7").success();
    assert_eq!(env.run("get xero/7/token").success(), "t7");
    let status = env.run("status --all").success();
    assert!(status.contains("xero/7/token"), "{status}");
    let history = env.run("history A").success();
    assert_eq!(history.lines().count(), env.run("history B").success().lines().count() + 1, "{history}");
    let held = |name: &str| cloud.world(|world| world.secrets.held(name)).unwrap();
    for command in ["delete ONE --yes", "delete xero/7/token --yes"] {
        env.run(command).success();
        env.run("undo --yes").success();
    }
    assert_eq!(held("shop/xero/7").text.as_deref(), Some("{\"token\":\"t7\"}"));
    assert!(!held("shop/prod/single/ONE").is_scheduled_for_deletion);
    env.run("delete xero/7/token --yes").success();
    assert!(held("shop/xero/7").is_scheduled_for_deletion);
    assert!(!env.run("status --all").success().contains("xero/7/token"));
    let plan = env.run_with_stdin("set xero/7/token --dry-run --json", "again").success();
    assert!(plan.contains("it is restored"), "{plan}");
    env.run_with_stdin("set xero/7/token --yes", "again").success();
    assert_eq!(env.run("get xero/7/token").success(), "again");
}

#[test]
fn a_member_of_a_document_reaches_the_containers_of_a_copy_by_reference() {
    let (cloud, env) = project();
    env.run_with_stdin("set A --yes", "a").success();
    env.run_with_stdin("set B --yes", "b").success();
    env.run("sync --yes").success();
    let seen = cloud.world(|world| world.beanstalk.container_environment("shop-prod"));
    assert_eq!((seen["A"].as_str(), seen["B"].as_str()), ("a", "b"));
    env.run("status --check").success();
    env.run_with_stdin("set A --yes", "new").success();
    env.run("status --check").failure(3);
}
