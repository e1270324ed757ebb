//! docs/recovery.md, run as it is written: what is sealed opens without strongroom.

use crate::aws::DOCKER;
use crate::support::cloud::Cloud;
use crate::support::cloud::beanstalk::handles::Seed;
use crate::support::env::TestEnv;
use crate::support::machine::program;
use crate::support::provision;
use std::fs;
use std::os::unix::fs::symlink;

const PAGE: &str = include_str!("../../docs/recovery.md");

/// Where the page begins to speak of AWS, with a story of its own.
const ON_AWS: &str = "### An environment on AWS\n";

const MANIFEST: &str = r#"
version = 1
[project]
name = "dev-app"
region = "us-east-1"
default_environment = "local"
recipients = ["RECIPIENT"]
[environments.local]
home = "vault"
[environments.prod]
home = "HOME"
account = "111122223333"
[environments.prod.copies.web]
kind = "beanstalk"
application = "dev-app"
environment = "dev-app-prod"
secrets = "SECRETS"
[environments.staging]
home = "ssm"
account = "111122223333"
[groups.app.keys]
SECRET_KEY = { secret = true }
EMAIL_CC = { optional = true }
"#;

/// The commands of console blocks as one script, and what they print.
fn console(page: &str) -> (String, String) {
    let mut blocks = page.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap_or(rest));
    let lines: Vec<&str> = blocks.by_ref().flat_map(str::lines).collect();
    let (commands, shown): (Vec<&str>, Vec<&str>) = lines.iter().partition(|line| line.starts_with("$ "));
    let script = commands.iter().map(|line| format!("{}\n", &line[2..])).collect();
    (script, shown.iter().map(|line| format!("{line}\n")).collect())
}

/// The page's own project, with its files where a person has them.
fn project() -> TestEnv {
    let env = TestEnv::new().with_vault("local", &[]);
    fs::remove_file(env.path(".strongroom/local.age")).unwrap();
    fs::create_dir(env.home(".local")).unwrap();
    symlink(env.root().join("config"), env.home(".config")).unwrap();
    symlink(env.root().join("state"), env.home(".local/state")).unwrap();
    live_in(&env, "beanstalk", "value");
    env
}

/// What the manifest says from now on of the environment on AWS.
fn live_in(env: &TestEnv, home: &str, secrets: &str) {
    let identity = fs::read_to_string(env.config("identity.txt")).unwrap();
    let public = identity.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    let manifest = MANIFEST.replace("RECIPIENT", public).replace("HOME", home).replace("SECRETS", secrets);
    env.write("strongroom.toml", manifest);
}

#[test]
fn what_is_sealed_opens_as_the_page_says_to_the_letter() {
    let (Some(_), Some(_)) = (program("age"), program("python3")) else { return };
    let env = project();
    env.run_with_stdin("set EMAIL_CC --yes", "someone@dev-app.example").success();
    env.run_with_stdin("set SECRET_KEY --yes", "the first value").success();
    env.run("backup create").success();
    // The page takes the newest by name, and names tell seconds.
    for entry in fs::read_dir(env.state("dev-app/local")).unwrap() {
        let path = entry.unwrap().path();
        if path.join("plan-1.age").exists() {
            fs::remove_dir_all(path).unwrap();
        }
    }
    env.run_with_stdin("set SECRET_KEY --yes", "the second value").success();
    let (script, shown) = console(PAGE.split(ON_AWS).next().unwrap());
    assert!(script.lines().count() > 4, "the page has lost its commands");
    assert_eq!(env.sh(&format!("set -e\n{script}")).success(), shown);
}

/// The page's environments on AWS: Beanstalk was home when `prod.age` was made, Secrets Manager when `moved.age` was, and
/// everything has changed since.
fn on_aws(cloud: &Cloud) -> TestEnv {
    cloud.world(|world| {
        world.beanstalk.behaviour.looks = 0;
        let seed = Seed::new("dev-app", "dev-app-prod", DOCKER)
            .properties([("SECRET_KEY", "the first value"), ("EMAIL_CC", "someone@dev-app.example")])
            .properties([("LEGACY_FLAG", "on"), ("legacy-flag", "on")]);
        world.beanstalk.add(seed, jiff::Timestamp::now());
    });
    let mut env = project();
    env.on(cloud);
    env.set("STRONGROOM_POLL_INTERVAL_MS", "5");
    let path = std::env::var("PATH").unwrap();
    env.set("PATH", format!("{}:{path}", provision::aws().parent().unwrap().display()));
    let set = |environment: &str, key: &str, value: &str| {
        env.run_with_stdin(&format!("-e {environment} set {key} --yes"), value).success();
    };
    env.run("-e prod backup create -o prod.age").success();
    live_in(&env, "secretsmanager", "reference");
    set("prod", "SECRET_KEY", "the first value");
    set("prod", "EMAIL_CC", "someone@dev-app.example");
    set("staging", "SECRET_KEY", "the first value");
    env.run("-e prod sync --yes").success();
    env.run("-e prod backup create -o moved.age").success();
    env.run("-e staging backup create -o staging.age").success();
    set("prod", "SECRET_KEY", "the second value");
    set("staging", "SECRET_KEY", "the second value");
    env
}

#[test]
fn what_a_backup_of_aws_holds_goes_back_as_the_page_says_to_the_letter() {
    let (Some(_), Some(_)) = (program("age"), program("jq")) else { return };
    let cloud = Cloud::start();
    let env = on_aws(&cloud);
    let settings = || {
        let of = |world: &mut crate::support::cloud::World| {
            let service = &world.beanstalk;
            (service.properties("dev-app-prod"), service.references("dev-app-prod").len())
        };
        cloud.world(of)
    };
    assert_eq!(settings().1, 1);
    let (script, shown) = console(PAGE.split(ON_AWS).nth(1).unwrap());
    assert_eq!(env.sh(&format!("set -e\n{script}")).success(), shown);
    let (properties, references) = settings();
    assert_eq!(references, 0);
    for (name, value) in [("SECRET_KEY", "the first value"), ("legacy-flag", "on"), ("LEGACY_FLAG", "on")] {
        assert_eq!(properties[name], value);
    }
    assert!(!properties.contains_key("STRONGROOM_REVISION"));
    for environment in ["prod", "staging"] {
        let value = env.run(&format!("-e {environment} get SECRET_KEY")).success();
        assert_eq!(value, "the first value", "{environment}");
    }
    assert!(env.read("manifest-then.toml").contains("home = \"beanstalk\""));
}
