//! The binary on an environment whose parameters are the truth.

use crate::support::cloud::Cloud;
use crate::support::env::TestEnv;

const MANIFEST: &str = r#"
version = 1
[project]
name = "shop"
region = "us-east-1"
[environments.prod]
home = "ssm"
account = "111122223333"
quota = { reads = 1000, writes = 1000 }
[groups.app.keys]
TOKEN = { secret = true }
HOST = {}
URL = { derive = "https://{TOKEN}@{HOST}" }
[groups.xero]
instances = true
path.ssm = "/{project}/xero/{instance}/{key}"
env = "XERO_{instance}_{key}"
keys.token = { secret = true, optional = true }
"#;

fn project() -> (Cloud, TestEnv) {
    let cloud = Cloud::start();
    let mut env = TestEnv::new().with_manifest(MANIFEST);
    env.on(&cloud);
    env.run("init --yes").success();
    (cloud, env)
}

fn calls(cloud: &Cloud) -> Vec<String> {
    let calls = cloud.calls().into_iter().map(|call| call.action).collect();
    cloud.reset_calls();
    calls
}

#[test]
fn values_are_set_read_listed_deleted_and_taken_back_in_few_calls() {
    let (cloud, env) = project();
    env.run_with_stdin("set HOST --yes", "db.example").success();
    env.run_with_stdin("set TOKEN --yes", "canary-1").success();
    assert_eq!(env.run("get URL").success(), "https://canary-1@db.example");
    let held = |name: &str| cloud.world(|world| world.ssm.held(name)).map(|held| (held.value, held.kind));
    assert_eq!(
        held("/shop/prod/app/URL"),
        Some(("https://canary-1@db.example".to_owned(), "SecureString".to_owned())),
        "what is derived from a secret is kept, so that it can be referred to"
    );

    calls(&cloud);
    assert_eq!(env.run("get TOKEN").success(), "canary-1");
    assert_eq!(calls(&cloud), ["GetParameters"]);

    env.run_with_stdin("set xero/7/token --yes", "one").success();
    calls(&cloud);
    env.run_with_stdin("set xero/7/token --yes", "two").success();
    assert_eq!(calls(&cloud), ["GetParameters", "DescribeParameters", "PutParameter", "GetParameters"]);
    assert_eq!(env.run("get xero/7/token --version 1").success(), "one");
    assert_eq!(calls(&cloud), ["GetParameter"]);
    assert_eq!(env.run("get xero/7/token --version 3").failure(1).lines().count(), 2);
    let history = env.run("history xero/7/token").success();
    assert_eq!(history.lines().count(), 3, "{history}");
    assert!(env.run("status --all").success().contains("xero/7/token"));

    env.run("delete xero/7/token --yes").success();
    assert_eq!(held("/shop/xero/7/token"), None);
    env.run("undo --yes").success();
    assert_eq!(held("/shop/xero/7/token"), Some(("two".to_owned(), "SecureString".to_owned())));
}

#[test]
fn what_no_parameter_can_hold_is_refused_with_its_name_and_nothing_is_written() {
    let (cloud, env) = project();
    let refused = env.run_with_stdin("set HOST --yes", "x".repeat(5_000)).failure(1);
    assert!(refused.contains("app/HOST") && refused.contains("parameter_tier"), "{refused}");
    assert_eq!(cloud.count("ssm:PutParameter"), 0);
}
