//! Every command under exactly the policy that is printed for whoever runs it: nothing is missing from it, and what it does
//! not hold is refused with exit 5.

use crate::support::cloud::Cloud;
use crate::support::env::TestEnv;
use crate::support::policy::become_bearer;

const MANIFEST: &str = r#"
version = 1
[project]
name = "dev-app"
region = "us-east-1"
default_environment = "prod"
[environments.prod]
home = "HOME"
account = "111122223333"
tags = { team = "invented" }
[groups.app.keys]
SECRET_KEY = { secret = true }
EMAIL_CC = { optional = true }
[groups.xero]
instances = true
env = "XERO_{instance}_{key}"
keys.client_secret = { secret = true }
[groups.operator]
audience = "operator"
keys.ADMIN_PASSWORD = { secret = true, optional = true }
"#;

/// A project whose values the administrator has set.
fn project(manifest: &str) -> (Cloud, TestEnv) {
    let cloud = Cloud::start();
    let mut env = TestEnv::new().with_manifest(manifest);
    env.on(&cloud);
    env.run("init --yes").success();
    let identity = std::fs::read_to_string(env.config("identity.txt")).unwrap();
    let public = identity.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    env.run(&format!("recipients add {public} --yes")).success();
    for key in ["SECRET_KEY", "xero/1/client_secret", "operator/ADMIN_PASSWORD"] {
        env.run_with_stdin(&format!("set {key} --yes"), "canary-value").success();
    }
    (cloud, env)
}

fn manifests() -> Vec<String> {
    let of = |home: &str| MANIFEST.replace("HOME", home);
    vec![of("ssm"), of("secretsmanager")]
}

#[test]
fn an_operator_needs_nothing_but_the_operators_policy() {
    for manifest in manifests() {
        let (cloud, mut env) = project(&manifest);
        become_bearer(&cloud, &mut env, "prod", "operator");
        for key in ["SECRET_KEY", "EMAIL_CC", "xero/1/client_secret", "xero/2/client_secret"] {
            env.run_with_stdin(&format!("set {key} --yes"), "canary-other").success();
        }
        env.run("get operator/ADMIN_PASSWORD").success();
        env.run("delete EMAIL_CC --yes").success();
        env.run("undo --yes").success();
        env.run("undo --yes").success();
        env.run("history SECRET_KEY").success();
        env.run("export --format json").success();
        env.run("status").success();
        env.run("backup create").success();
    }
}

#[test]
fn a_reader_reads_and_changes_nothing_and_sees_nothing_of_the_operators() {
    for manifest in manifests() {
        let (cloud, mut env) = project(&manifest);
        become_bearer(&cloud, &mut env, "prod", "reader");
        env.run("get SECRET_KEY").success();
        env.run("get xero/1/client_secret").success();
        env.run("history SECRET_KEY").success();
        env.run_with_stdin("set SECRET_KEY --yes", "canary-other").failure(5);
        env.run("get operator/ADMIN_PASSWORD").failure(5);
    }
}

/// A home with a Beanstalk copy by reference, filled by the administrator.
fn with_a_copy(home: &str) -> (Cloud, TestEnv) {
    let (cloud, env) = super::project("reference");
    let manifest = env.read("strongroom.toml").replace("home = \"ssm\"", &format!("home = \"{home}\""));
    env.write("strongroom.toml", manifest);
    for key in ["SECRET_KEY", "RDS_HOSTNAME", "RDS_USERNAME", "RDS_PASSWORD"] {
        env.run_with_stdin(&format!("set {key} --yes"), "canary-value").success();
    }
    (cloud, env)
}

#[test]
fn what_reaches_a_copy_needs_nothing_but_the_policies_that_are_printed() {
    for home in ["ssm", "secretsmanager"] {
        let (cloud, mut env) = with_a_copy(home);
        let instance = crate::support::policy::of(&env, "prod", "instance").to_string();
        let instance = crate::support::cloud::iam::Policy::parse(&instance).unwrap();
        cloud.world(|world| world.instance_policy = Some(instance));
        become_bearer(&cloud, &mut env, "prod", "operator");
        env.run("sync --yes").success();
        let seen = cloud.world(|world| world.beanstalk.container_environment("dev-app-prod"));
        assert_eq!(seen["RDS_PASSWORD"], "canary-value", "the instance fetched it under its own policy");
        env.run("status --check").success();
        env.run("diff home web --check").success();
        env.run("pull --yes").success();
        env.run_with_stdin("set RDS_PASSWORD --yes", "canary-other").success();
        env.run("sync --yes").success();
        env.run("undo --yes").success();
        become_bearer(&cloud, &mut env, "prod", "reader");
        env.run("status").success();
        env.run("diff home web").success();
        env.run("export --format json").success();
        env.run("sync --yes").failure(5);
    }
}
