//! The examples run: in a copy of their folder, as README says, and their files are read by Docker Compose itself.

use crate::support::env::{STRONGROOM, TestEnv};
use crate::support::provision;
use std::path::{Path, PathBuf};

/// A copy of an example in the project folder, with its demo identity in use.
pub(crate) fn copy(example: &str) -> TestEnv {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example);
    let mut env = TestEnv::new();
    copy_folder(&source, &env.path(""));
    env.set("STRONGROOM_IDENTITY", env.path("demo-identity.txt"));
    env
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else if !entry.file_name().to_string_lossy().starts_with(".env") {
            // What somebody rendered here before stays out of it.
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What a service's container would see, says Docker Compose.
fn container(env: &TestEnv, service: &str) -> serde_json::Map<String, serde_json::Value> {
    let mut compose = env.command(provision::docker_compose());
    compose.args(["config", "--format", "json"]);
    let text = env.finish(compose, b"").success();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
    let seen = config["services"][service]["environment"].take();
    let serde_json::Value::Object(seen) = seen else { panic!("{seen}") };
    // What Compose prints is a compose file again, in which `$$` is a `$`.
    let undoubled = |value: serde_json::Value| value.as_str().unwrap().replace("$$", "$").into();
    seen.into_iter().map(|(name, value)| (name, undoubled(value))).collect()
}

#[test]
fn dev_app_goes_from_its_sealed_vault_to_files_and_to_a_process() {
    let env = copy("dev-app");
    let folder = PathBuf::from(STRONGROOM).parent().unwrap().to_owned();
    let mut run = env.command(env.path("run"));
    run.arg(folder);
    let said = env.finish(run, b"").success();
    for line in ["database    dev_app at db:5432/dev_app", "xero        1, 2", "ours        0 variables"] {
        assert!(said.contains(line), "{said}");
    }
    let seen = container(&env, "web");
    let mut count = 0;
    for name in ["SECRET_KEY", "RDS_PASSWORD", "DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "DEFAULT_FROM_EMAIL"]
    {
        assert_eq!(seen[name], env.args(["get", name]).success(), "{name}");
        count += 1;
    }
    assert_eq!(seen["XERO_1_client_secret"], env.run("get xero/1/client_secret").success());
    assert_eq!(container(&env, "db")["POSTGRES_PASSWORD"], env.run("get RDS_PASSWORD").success());
    assert_eq!(count, 5);
    assert_eq!(env.run("render --check").code, Some(0));
}

#[test]
fn antenna_renders_the_two_files_that_its_containers_read() {
    let env = copy("antenna");
    env.run("render").success();
    let seen = container(&env, "django");
    for name in ["DJANGO_SECRET_KEY", "POSTGRES_PASSWORD", "DATABASE_URL", "CELERY_BROKER_URL"] {
        assert_eq!(seen[name], env.args(["get", name]).success(), "{name}");
    }
    assert_eq!(seen["REDIS_URL"], seen["CELERY_BROKER_URL"]);
    assert!(env.path(".envs/.production/.postgres").is_file());
    let dockerrun: serde_json::Value = serde_json::from_str(&env.read("Dockerrun.aws.json")).unwrap();
    assert_eq!(dockerrun["containerDefinitions"].as_array().unwrap().len(), 5);
}

#[test]
fn demo_identities_say_that_they_are_public() {
    for example in ["dev-app", "antenna"] {
        assert!(copy(example).read("demo-identity.txt").starts_with("# DEMO IDENTITY"), "{example}");
    }
}
