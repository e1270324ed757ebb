//! The canary on AWS: in the requests that must carry it and in no other, and in nothing that is said or written, also
//! where AWS quotes it.

use super::{CANARY, Told, clean, seen, spilled, verbs};
use crate::support::cloud::beanstalk::deployment::Outcome;
use crate::support::cloud::beanstalk::handles::Seed;
use crate::support::cloud::{Cloud, Effect, Refusal};
use crate::support::env::{STRONGROOM, TestEnv};
use rustix::process::{Pid, Signal, kill_process};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use strongroom::seal::Identities;

/// The requests that are there to carry a value.
const CARRIERS: [&str; 4] = [
    "ssm:PutParameter",
    "secretsmanager:PutSecretValue",
    "secretsmanager:CreateSecret",
    "elasticbeanstalk:UpdateEnvironment",
];

/// A project whose every secret is the canary, at home there, and its copy by value.
fn project(home: &str) -> (Cloud, TestEnv) {
    let cloud = Cloud::start();
    cloud.world(|world| {
        let seed = Seed::new("demo", "demo-prod", "64bit Amazon Linux 2023 v4.9.1 running Docker");
        world.beanstalk.add(seed, jiff::Timestamp::now());
    });
    let identities = Identities::generate();
    let mut env = TestEnv::in_memory().with_manifest(&format!(
        r#"version = 1
[project]
name = "demo"
region = "us-east-1"
default_environment = "prod"
recipients = ["{}"]
[environments.prod]
home = "{home}"
account = "111122223333"
quota = {{ reads = 5000, writes = 5000 }}
[environments.prod.copies.web]
kind = "beanstalk"
application = "demo"
environment = "demo-prod"
groups = ["app"]
secrets = "value"
[environments.staging]
home = "vault"
[groups.app.keys]
TOKEN = {{ secret = true }}
OTHER = {{ secret = true, optional = true }}
URL = {{ derive = "https://me:{{TOKEN}}@host.example/" }}
"#,
        identities.recipients()[0]
    ));
    env.on(&cloud);
    env.set("STRONGROOM_POLL_INTERVAL_MS", "1");
    env.set("RUST_LOG", "trace");
    env.set("RUST_BACKTRACE", "full");
    env.keep_identity(&identities);
    let output = env.run_with_stdin("-vv --yes set TOKEN", CANARY);
    clean("set", &output, Told::Nothing);
    let _ = output.success();
    if home != "beanstalk" {
        let output = env.run("-vv --yes sync");
        clean("sync", &output, Told::Nothing);
        let _ = output.success();
    }
    (cloud, env)
}

/// Words that may follow a verb, those first that change something.
const FOLLOWED_BY: &[&str] = &[
    "TOKEN",
    "",
    "--json",
    "create",
    "restore 2",
    "values.json",
    "--to staging",
    "--prune",
    "--check",
    "app/TOKEN --version 1",
    "web home",
    "--format json",
    "--for operator",
    "TOKEN --generate",
    "URL",
];

/// Nothing below the project's folders shows the canary but what a person put there.
#[track_caller]
fn nothing_spilled(env: &TestEnv) {
    let mut found = Vec::new();
    spilled(&env.root(), &mut found);
    found.retain(|path| *path != env.path("values.json"));
    assert_eq!(found, Vec::<PathBuf>::new());
}

/// Each request with the canary in it is one that carries values; the names of those that were seen.
#[track_caller]
fn carried(cloud: &Cloud) -> Vec<String> {
    let calls = cloud.calls();
    let with = calls.iter().filter(|call| seen(call.body.as_bytes()).is_some());
    let names: Vec<String> = with.map(crate::support::cloud::Call::name).collect();
    let wrong: Vec<&String> = names.iter().filter(|name| !CARRIERS.contains(&name.as_str())).collect();
    assert!(wrong.is_empty(), "the value is in requests of {wrong:?}");
    names
}

fn every_verb(home: &str, followed_by: &[&str]) {
    let (cloud, env) = project(home);
    let carriers = carried(&cloud);
    assert!(!carriers.is_empty(), "the search finds the canary where it has to be");
    assert_eq!(env.run("get TOKEN").stdout, CANARY);
    env.write("values.json", serde_json::json!({"TOKEN": CANARY, "OTHER": format!("{CANARY}2")}).to_string());
    for verb in verbs() {
        for rest in followed_by {
            let words = format!("-vv --yes --non-interactive {verb} {rest}");
            let output = env.run_with_stdin(&words, format!("{CANARY}3"));
            let may_tell = matches!(verb.as_str(), "get" | "export");
            clean(&words, &output, if may_tell { Told::OnStdout } else { Told::Nothing });
            assert!(!output.stderr.contains("a bug in strongroom"), "{words}: {}", output.stderr);
        }
    }
    carried(&cloud);
    nothing_spilled(&env);
}

#[test]
fn no_verb_tells_a_value_of_a_parameter() {
    every_verb("ssm", FOLLOWED_BY);
}

#[test]
fn no_verb_tells_a_value_of_a_document() {
    every_verb("secretsmanager", &FOLLOWED_BY[..7]);
}

#[test]
fn no_verb_tells_a_value_of_an_environment() {
    every_verb("beanstalk", &FOLLOWED_BY[..7]);
}

/// How AWS may quote a value: as it is, escaped, cut behind, and cut before.
fn quotations(value: &str) -> Vec<String> {
    let json = serde_json::to_string(value).unwrap();
    let cut: String = value.chars().take(11).collect();
    vec![
        format!("Invalid option value: '{value}' (Namespace: 'x', OptionName: 'TOKEN'): it is not valid"),
        format!("1 validation error detected: Value '{value}' at 'value' failed to satisfy constraint"),
        format!("1 validation error detected: Value '{cut}…"),
        format!("got {json}, which is not valid"),
        format!("got {{\"TOKEN\": {json}}}"),
        format!("got {cut}… and more"),
        format!("got …{}", &value[1..]),
        format!("got {value}"),
    ]
}

#[test]
fn what_aws_quotes_of_a_value_is_not_repeated() {
    for (home, action) in [
        ("ssm", "ssm:PutParameter"),
        ("secretsmanager", "secretsmanager:PutSecretValue"),
        ("beanstalk", "elasticbeanstalk:UpdateEnvironment"),
    ] {
        let (cloud, env) = project(home);
        for value in [format!("{CANARY}4"), format!("https://me:{CANARY}@host.example/")] {
            for quotation in quotations(&value) {
                for code in
                    ["ValidationException", "InvalidParameterValue", "ConfigurationValidationException"]
                {
                    cloud.fault(action, 1..=1, Effect::Refuse(Refusal::new(code, quotation.clone())));
                    let output = env.run_with_stdin("-vv --yes set OTHER", &value);
                    cloud.heal();
                    let what = format!("{home}, {code}: {quotation}");
                    assert!(matches!(output.code, Some(1)), "{what}: {}", output.stderr);
                    clean(&what, &output, Told::Nothing);
                    assert!(!output.stderr.contains(&CANARY[1..9]), "{what}: {}", output.stderr);
                }
            }
        }
        nothing_spilled(&env);
    }
}

/// AWS tells why it rolls back, and may quote what it could not take; told to who deployed, and to who resumes.
#[test]
fn what_a_rolled_back_deployment_quotes_is_not_repeated() {
    for quotation in quotations(&format!("{CANARY}4")) {
        let (cloud, env) = project("beanstalk");
        let rolls_back = || {
            let outcome = Outcome::Fail(quotation.clone());
            cloud.world(|world| world.beanstalk.behaviour.outcomes.extend([outcome]));
        };
        rolls_back();
        let output = env.run_with_stdin("-vv --yes set OTHER", format!("{CANARY}4"));
        assert_eq!(output.code, Some(1), "{}", output.stderr);
        clean(&quotation, &output, Told::Nothing);
        rolls_back();
        let id = Arc::new(OnceLock::<u32>::new());
        let known = Arc::clone(&id);
        let kill = move || {
            let pid = i32::try_from(*known.wait()).ok().and_then(Pid::from_raw).unwrap();
            let _ = kill_process(pid, Signal::KILL);
        };
        cloud.fault("elasticbeanstalk:UpdateEnvironment", 1..=1, Effect::KillAfter(Arc::new(kill)));
        let mut command = env.command(STRONGROOM);
        command.args(["--yes", "set", "OTHER"]);
        let output =
            env.finish_known(command, format!("{CANARY}4").as_bytes(), |known| id.set(known).unwrap());
        assert_eq!(output.code, None, "{}", output.stderr);
        cloud.heal();
        for verb in ["doctor", "resume", "operations", "status"] {
            clean(&quotation, &env.run(&format!("-vv --yes {verb}")), Told::Nothing);
        }
        nothing_spilled(&env);
    }
}

#[test]
fn a_project_that_is_made_from_aws_tells_no_value() {
    for home in ["ssm", "beanstalk"] {
        let (cloud, _) = project(home);
        let mut env = TestEnv::in_memory().with("RUST_LOG", "trace");
        env.on(&cloud);
        let from = if home == "ssm" { "--from-ssm /demo/prod" } else { "--from-beanstalk demo/demo-prod" };
        for rest in ["--dry-run", "--dry-run --json", ""] {
            let words = format!("-vv --yes --non-interactive init {from} {rest}");
            let output = env.run(&words);
            clean(&words, &output, Told::Nothing);
            assert_eq!(output.code, Some(0), "{words}: {}", output.stderr);
        }
        nothing_spilled(&env);
    }
}

/// What somebody saved, or a deployment left behind, holds every value; only names come out.
#[test]
fn old_values_that_doctor_finds_are_told_by_name() {
    let (cloud, env) = project("ssm");
    cloud.world(|world| {
        let now = jiff::Timestamp::now();
        let stack = "64bit Amazon Linux 2023 v4.9.1 running Docker";
        let seed = Seed::new("demo", "demo-prod", stack).property("TOKEN", &format!("{CANARY}5"));
        world.beanstalk.add_template(seed, "before", now);
        world.beanstalk.add_failed_draft("demo-prod", &Default::default(), now);
    });
    let manifest = env.read("strongroom.toml").replace("secrets = \"value\"", "secrets = \"reference\"");
    env.write("strongroom.toml", manifest);
    for words in ["-vv doctor", "-vv --json doctor"] {
        let output = env.run(words);
        clean(words, &output, Told::Nothing);
        assert!(output.stdout.contains("the saved configuration `before` holds plain values of TOKEN"));
        assert!(output.stdout.contains("the draft that failed holds plain values of"));
    }
    nothing_spilled(&env);
}
