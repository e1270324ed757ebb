//! The examples run: in a copy of their folder, as README says, and their files are read by Docker Compose itself.

use crate::support::cloud::beanstalk::seeds::Example;
use crate::support::cloud::{Cloud, Realm};
use crate::support::env::{STRONGROOM, TestEnv};
use crate::support::provision;
use std::collections::BTreeMap;
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
fn dev_apps_key_is_rotated_and_the_app_accepts_the_old_one_until_it_is_taken_back() {
    let env = copy("dev-app").with("STRONGROOM_YES", "1");
    let old = env.run("get SECRET_KEY").success();
    env.run("rotate django").success();
    assert_ne!(env.run("get SECRET_KEY").success(), old);
    assert_eq!(env.run("get SECRET_KEY_FALLBACKS").success(), old);
    let told = |env: &TestEnv| env.run("exec -- python3 app/app.py").success();
    assert!(told(&env).contains("50 characters, 1 old ones accepted"), "{}", told(&env));
    env.run("render").success();
    assert_eq!(container(&env, "web")["SECRET_KEY_FALLBACKS"], old);
    env.run("undo").success();
    assert_eq!(env.run("get SECRET_KEY").success(), old);
    assert!(told(&env).contains("50 characters, 0 old ones accepted"), "{}", told(&env));
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
    let role = dockerrun["executionRoleArn"].as_str().unwrap();
    assert!(role.starts_with("arn:aws:iam::444455556666:role/"), "ECS fetches nothing without one");
}

#[test]
fn demo_identities_say_that_they_are_public() {
    for example in ["dev-app", "antenna"] {
        assert!(copy(example).read("demo-identity.txt").starts_with("# DEMO IDENTITY"), "{example}");
    }
}

/// An account with the environment of an example, and the project as somebody who is logged in there.
fn deployed(env: &mut TestEnv, example: Example, realm: Realm) -> Cloud {
    let cloud = Cloud::of(realm);
    cloud.world(|world| world.beanstalk.add_example(example, jiff::Timestamp::now()));
    env.on(&cloud);
    cloud
}

/// Everything that the project's home holds, by name.
fn exported(env: &TestEnv, options: &str) -> BTreeMap<String, String> {
    let text = env.run(&format!("{options} export --format json")).success();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_console_of_antenna_holds_what_its_manifest_means_on_both_platforms() {
    for example in [Example::Antenna, Example::AntennaAl2023] {
        let mut env = copy("antenna");
        let cloud = deployed(&mut env, example, Realm::new("444455556666", "us-west-2"));
        let console = cloud.world(|world| world.beanstalk.properties("antenna-prod"));
        assert_eq!(exported(&env, "-e prod"), console);
        let status = env.run("-e prod status --check");
        assert_eq!(status.code, Some(0), "{}{}", status.stdout, status.stderr);
    }
}

#[test]
fn the_console_of_dev_app_is_what_its_manifest_and_a_new_one_find_there() {
    let mut env = TestEnv::new().with("STRONGROOM_YES", "1");
    let cloud = deployed(&mut env, Example::DevAppConsole, Realm::default());
    let console = cloud.world(|world| world.beanstalk.properties("dev-app-prod"));
    env.run("init --from-beanstalk dev-app/dev-app-prod").success();
    assert_eq!(exported(&env, ""), console);
    // Its own manifest has another home; what it says by itself agrees with the console.
    let mut manifest = copy("dev-app").read("strongroom.toml");
    for (here, there) in [
        ("home = \"ssm\"", "home = \"beanstalk\""),
        ("secrets = \"reference\"", "secrets = \"value\""),
        ("profile = \"dev-app\"", ""),
        ("[groups.xero]", "[groups.xero]\nenvironments = [\"local\"]"),
        ("environments = [\"prod\"]  ", "environments = [\"local\"]"),
    ] {
        manifest = manifest.replace(here, there);
    }
    env.write("strongroom.toml", manifest);
    let meant = exported(&env, "-e prod");
    let of_the_app_alone = |name: &&String| !meant.contains_key(*name);
    assert_eq!(console.keys().filter(of_the_app_alone).collect::<Vec<_>>(), ["XERO_ENCRYPTION_KEY"]);
    assert!(meant.iter().all(|(name, value)| console[name] == *value), "{:?}", meant.keys());
}
