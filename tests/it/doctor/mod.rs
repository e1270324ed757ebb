//! `doctor`: each fault is found where it was planted, a project without one is left alone, and no value is in what it
//! says.

mod aws;

use crate::examples::copy;
use crate::support::env::TestEnv;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// The deployment of an example in a repository of its own, with everything in its index.
fn deployment(example: &str) -> TestEnv {
    let env = copy(example);
    git(&env, "init --quiet");
    git(&env, "add --all");
    env
}

fn git(env: &TestEnv, words: &str) {
    let mut command = env.command("git");
    command.args(words.split_whitespace());
    let _ = env.finish(command, b"").success();
}

/// What is found, as `code place`; the exit code goes with it.
fn found(env: &TestEnv) -> BTreeSet<String> {
    let output = env.run("--json doctor");
    let told: Value = serde_json::from_str(&output.stdout).unwrap();
    let findings = told["findings"].as_array().unwrap();
    let grave = findings.iter().any(|finding| finding["severity"] != "note");
    assert_eq!(output.code, Some(if grave { 3 } else { 0 }), "{told}");
    let line = |finding: &Value| {
        for field in ["what", "why", "fix"] {
            assert!(!finding[field].as_str().unwrap().is_empty(), "{finding}");
        }
        format!("{} {}", finding["code"].as_str().unwrap(), finding["place"].as_str().unwrap_or_default())
    };
    findings.iter().map(line).collect()
}

/// What the examples have on purpose: an identity that is public, and one fault of the deployment that they stand for.
const DEV_APP: [&str; 2] =
    ["demo-identity demo-identity.txt", "env-from-get-config .ebextensions/04_docker_env.config:11"];
const ANTENNA: [&str; 2] = ["demo-identity demo-identity.txt", "redis-tls-unchecked django/REDIS_URL"];

fn set(lines: &[&str]) -> BTreeSet<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// What is found beyond what the example has.
fn planted(env: &TestEnv, known: &[&str]) -> BTreeSet<String> {
    &found(env) - &set(known)
}

#[test]
fn the_examples_have_the_faults_of_their_deployments_and_no_others() {
    for (example, known) in [("dev-app", DEV_APP), ("antenna", ANTENNA)] {
        let mut env = deployment(example);
        env.set("STRONGROOM_IDENTITY", "demo-identity.txt");
        assert_eq!(found(&env), set(&known), "{example}");
        env.run("render").success();
        assert_eq!(found(&env), set(&known), "{example}, rendered");
    }
}

#[test]
fn a_new_project_is_in_order() {
    let env = TestEnv::new()
        .with("STRONGROOM_YES", "1")
        .with_file(".env", "SECRET_KEY=x7Kp2mQ9vT4wZ8bN3cR6yL1d\nDEBUG=1\n");
    git(&env, "init --quiet");
    env.run("init --from-dotenv .env").success();
    env.run("render").success();
    let output = env.run("doctor");
    assert!(output.stderr.contains("nothing is wrong in files, values, this machine"), "{}", output.stderr);
    assert_eq!(output.success(), "");
}

#[test]
fn faults_in_the_files_of_dev_app_are_found_where_they_are() {
    let mut env = deployment("dev-app");
    env.set("STRONGROOM_IDENTITY", "demo-identity.txt");
    let password = env.run("get RDS_PASSWORD").success();
    env.write(
        ".ebextensions/00_secrets.config",
        "option_settings:\n  aws:elasticbeanstalk:application:environment:\n    SECRET_KEY: something-real-1\n",
    );
    env.write(
        "app/settings.py",
        "DEBUG = False\nSECRET_KEY = os.environ.get('SECRET_KEY', 'a-real-fallback')\n",
    );
    env.write("notes.md", format!("the password is\n{password}\n"));
    env.write(".platform/hooks/predeploy/10_env.sh", "#!/bin/sh\n");
    let compose = env.read("docker-compose.yml").replace("env_file: [.env, .env.xero]", "tty: true");
    env.write("docker-compose.yml", compose);
    git(&env, "add --all");
    assert_eq!(
        planted(&env, &DEV_APP),
        set(&[
            "secret-in-file .ebextensions/00_secrets.config:3",
            "secret-in-file app/settings.py:2",
            "secret-in-file notes.md:2",
            "hook-without-twin .platform/hooks/predeploy/10_env.sh",
            "hook-not-executable .platform/hooks/predeploy/10_env.sh",
            "compose-without-env-file docker-compose.yml:3",
        ])
    );
}

#[test]
fn faults_in_the_files_of_antenna_are_found_where_they_are() {
    let mut env = deployment("antenna");
    env.set("STRONGROOM_IDENTITY", "demo-identity.txt");
    let dockerrun = env.read("Dockerrun.aws.json").replacen(
        "\"environment\": [{",
        "\"environment\": [{ \"name\": \"SENDGRID_API_KEY\", \"value\": \"SG.real.key-of-somebody\" }, {",
        1,
    );
    env.write("Dockerrun.aws.json", dockerrun);
    env.run("render").success();
    fs::set_permissions(env.path(".envs/.production/.django"), fs::Permissions::from_mode(0o644)).unwrap();
    git(&env, "add --force .envs/.production/.postgres Dockerrun.aws.json");
    let found = planted(&env, &ANTENNA);
    for line in [
        "secret-in-file Dockerrun.aws.json:10",
        "env-file-mode .envs/.production/.django",
        "env-file-in-git .envs/.production/.postgres",
    ] {
        assert!(found.contains(line), "{line}: {found:?}");
    }
    let of_postgres = |line: &&String| line.starts_with("secret-in-file .envs/.production/.postgres:");
    assert_eq!(found.iter().filter(of_postgres).count(), 2, "{found:?}");
    assert_eq!(found.len(), 5, "{found:?}");
}

const MANIFEST: &str = r#"
version = 1
project = { name = "demo", region = "us-east-1" }
[environments.local]
home = "vault"
[groups.app.keys]
TOKEN = { secret = true }
CACHE_URL = {}
DATABASE_URL = { secret = true }
DB_HOST = {}
DB_PASSWORD = { secret = true }
NEEDED = {}
"#;

#[test]
fn faults_in_values_are_found_by_address_and_told_without_them() {
    let env = TestEnv::new().with("STRONGROOM_YES", "1").with_manifest(MANIFEST);
    env.run("init").success();
    let identity = fs::read_to_string(env.config("identity.txt")).unwrap();
    let public = identity.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    env.args(["recipients", "add", public]).success();
    let values = [
        ("TOKEN", "django-insecure-canary"),
        ("CACHE_URL", "rediss://canary.example:6379/0"),
        ("DATABASE_URL", "postgres://me:canary-old@db.canary:5432/x"),
        ("DB_HOST", "db.canary"),
        ("DB_PASSWORD", "canary-new"),
    ];
    for (key, value) in values {
        env.run_with_stdin(&format!("set {key}"), value).success();
    }
    fs::set_permissions(env.config("identity.txt"), fs::Permissions::from_mode(0o644)).unwrap();
    let output = env.run("doctor");
    assert_eq!(output.code, Some(3));
    for text in [&output.stdout, &output.stderr, &env.run("--json doctor").stdout] {
        assert!(!text.contains("canary"), "{text}");
    }
    let expected = [
        "weak-value app/TOKEN",
        "redis-tls-unsaid app/CACHE_URL",
        "url-disagrees app/DATABASE_URL",
        "missing-value app/NEEDED",
        "identity-mode [ROOT]/config/strongroom/identity.txt",
    ];
    assert_eq!(found(&env), set(&expected));
}

#[test]
fn a_home_that_does_not_open_is_a_finding_and_the_rest_is_looked_at() {
    let mut env = deployment("dev-app");
    env.set("STRONGROOM_IDENTITY", env.config("identity.txt"));
    fs::create_dir_all(env.config("")).unwrap();
    let stranger = TestEnv::new().with("STRONGROOM_YES", "1");
    stranger.run("init").success();
    fs::copy(stranger.config("identity.txt"), env.config("identity.txt")).unwrap();
    assert_eq!(found(&env), set(&["home-not-read ", DEV_APP[1]]));
}

#[test]
fn without_a_manifest_there_is_nothing_to_look_at() {
    let said = TestEnv::new().run("doctor").failure(4);
    assert!(said.contains("strongroom init"), "{said}");
}

#[test]
fn offline_asks_no_place_on_aws() {
    let mut env = deployment("dev-app");
    env.set("STRONGROOM_IDENTITY", "demo-identity.txt");
    env.set("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    let output = env.run("-e prod --json doctor --offline");
    assert!(output.stdout.contains("\"not-looked-at\""), "{}", output.stdout);
    assert!(!output.stdout.contains("127.0.0.1"), "{}", output.stdout);
    assert_eq!(output.code, Some(3));
}

/// Every code that a finding can have, as the sources spell it.
fn codes() -> BTreeSet<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut codes = BTreeSet::new();
    for folder in ["doctor", "cli/doctor", "migrate/obstacles"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            for maker in
                ["Finding::new(", "Finding::problem(", "Finding::warning(", "Finding::note(", "not_checked("]
            {
                let calls = text.split(maker).skip(1).map(str::trim_start);
                let literals = calls.filter_map(|call| call.strip_prefix('"')?.split('"').next());
                codes.extend(literals.map(str::to_owned));
            }
        }
    }
    codes
}

#[test]
fn the_document_tells_every_finding_and_no_other() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/doctor.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
    let told: BTreeSet<String> = rows
        .flat_map(|cell| {
            cell.split(',').map(|code| code.trim().trim_matches('`').to_owned()).collect::<Vec<_>>()
        })
        .collect();
    assert!(codes().len() > 30);
    assert_eq!(told, codes());
}
