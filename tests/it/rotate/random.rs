//! Generated values: chosen once, in home, and in every copy.

use super::site::{self, Site};
use crate::support::cloud::{Cloud, Effect};
use crate::support::env::TestEnv;
use std::collections::BTreeMap;

const ROTATION: &str = r#"
[environments.local]
home = "vault"

[groups.app.keys]
TOKEN = { secret = true, generate = "hex" }
OTHER = { secret = true }
HOOK = { derive = "https://hook:{TOKEN}@hook.example/" }

[rotate.token]
kind = "random"
keys = ["TOKEN"]
every = "30d"
"#;

/// Two environments of Beanstalk that hold what home holds.
fn site(home: &str, secrets: &str) -> (Cloud, TestEnv) {
    let copies = [("web", secrets), ("worker", "value")];
    let Site { cloud, env } = Site::new(&site::manifest(home, &copies, ROTATION));
    env.run_with_stdin("set TOKEN --yes", "canary-old").success();
    env.run_with_stdin("set OTHER --yes", "canary-other").success();
    env.run("sync --yes").success();
    cloud.reset_calls();
    (cloud, env)
}

fn seen(cloud: &Cloud, environment: &str) -> BTreeMap<String, String> {
    cloud.world(|world| world.beanstalk.container_environment(environment).clone().into_iter().collect())
}

#[test]
fn a_new_value_is_in_home_and_in_every_copy_with_what_is_derived_from_it() {
    for (home, secrets) in [("ssm", "value"), ("ssm", "reference"), ("secretsmanager", "reference")] {
        let (cloud, env) = site(home, secrets);
        let output = env.run("rotate token --yes");
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert!(!output.stdout.contains("canary-old") && !output.stderr.contains("canary-old"));
        let new = env.run("get TOKEN").success();
        assert_eq!(new.len(), 64, "as `generate` says");
        for environment in ["shop-web", "shop-worker"] {
            let seen = seen(&cloud, environment);
            assert_eq!(seen["TOKEN"], new, "{home} {secrets} {environment}");
            assert_eq!(seen["HOOK"], format!("https://hook:{new}@hook.example/"));
            assert_eq!((seen["OTHER"].as_str(), seen["LEFT_ALONE"].as_str()), ("canary-other", "theirs"));
        }
        assert!(!output.stderr.contains(&new), "{}", output.stderr);
        assert_eq!(cloud.count("elasticbeanstalk:UpdateEnvironment"), 2, "one for each copy");
        env.run("status --check").success();
        let undo = env.run("undo --yes");
        assert_eq!(undo.code, Some(0), "{}", undo.stderr);
        assert_eq!(env.run("get TOKEN").success(), "canary-old", "{}", undo.stderr);
        assert_eq!(seen(&cloud, "shop-web")["TOKEN"], "canary-old");
        assert_eq!(seen(&cloud, "shop-worker")["TOKEN"], "canary-old");
        env.run("status --check").success();
        let synced = env.run("sync --dry-run");
        assert!(synced.stderr.contains("nothing to do"), "{home} {secrets}: {}", synced.stderr);
    }
}

#[test]
fn an_undo_of_what_copies_refer_to_is_finished_from_wherever_it_stopped_and_nothing_is_left_to_sync() {
    const UPDATE: &str = "elasticbeanstalk:UpdateEnvironment";
    for (call, stops, left) in [("ssm:PutParameter", 2, 2), (UPDATE, 1, 2), (UPDATE, 2, 1)] {
        let (cloud, env) = site("ssm", "reference");
        env.run("rotate token --yes").success();
        cloud.fault(call, stops..=stops, Effect::Deny);
        let stopped = env.run("undo --yes");
        assert_eq!(stopped.code, Some(7), "{stops}: {}", stopped.stderr);
        cloud.heal();
        cloud.reset_calls();
        let resumed = env.run("resume --yes --json");
        assert_eq!(resumed.code, Some(0), "{stops}: {}", resumed.stderr);
        let said: serde_json::Value = serde_json::from_str(&resumed.stdout).unwrap();
        assert_eq!((&said["kind"], &said["home"][1]), (&"rotation".into(), &"app/TOKEN".into()), "{said}");
        assert_eq!(cloud.count(UPDATE), left, "{call} {stops}");
        assert_eq!(env.run("get TOKEN").success(), "canary-old");
        for environment in ["shop-web", "shop-worker"] {
            assert_eq!(seen(&cloud, environment)["TOKEN"], "canary-old", "{stops}");
        }
        env.run("status --check").success();
        assert!(env.run("resume --yes").stderr.contains("nothing to resume"));
    }
}

#[test]
fn json_is_one_document_for_each_rotation_whether_it_is_due_waits_or_is_gone_on_with() {
    let (cloud, env) = site("ssm", "value");
    let document = |words: &str| -> serde_json::Value {
        let output = env.run(words);
        serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{words}: {output:?}"))
    };
    for words in ["rotate token --if-older 30d", "rotate --due", "rotate token --if-older 30d --dry-run"] {
        let said = document(&format!("{words} --json --yes"));
        assert_eq!((&said["kind"], &said["command"]), (&"rotation".into(), &"rotate token".into()), "{said}");
        assert!(said["operation"].is_null() && said["home"].as_array().unwrap().is_empty(), "{said}");
    }
    assert_eq!(document("resume --json --yes")["kind"], "change");
    cloud.fault("elasticbeanstalk:UpdateEnvironment", 1..2, Effect::Deny);
    env.run("rotate token --yes").failure(7);
    cloud.heal();
    for (words, dry_run) in [("resume --dry-run", true), ("resume --yes", false)] {
        let said = document(&format!("{words} --json"));
        assert_eq!((&said["kind"], &said["dry_run"]), (&"rotation".into(), &dry_run.into()));
        assert_eq!(said["operation"].is_string(), !dry_run, "{said}");
        assert_eq!(said["home"], serde_json::json!(["app/HOOK", "app/TOKEN"]), "{said}");
    }
    let copies = document("rotate token --dry-run --json")["copies"].clone();
    assert_eq!(copies[0]["place"], "beanstalk:web", "{copies}");
}

#[test]
fn a_vault_without_copies_is_rotated_too() {
    let env = site::vault(
        &[("app/TOKEN", "canary-old")],
        "[groups.app.keys]\nTOKEN = { secret = true, generate = \"hex\" }\n\
         [rotate.token]\nkind = \"random\"\nkeys = [\"TOKEN\"]\n",
    );
    env.run("rotate token --yes").success();
    assert_eq!(env.run("get TOKEN").success().len(), 64);
    env.run("undo --yes").success();
    assert_eq!(env.run("get TOKEN").success(), "canary-old");
}

#[test]
fn what_somebody_put_into_a_copy_stops_it_before_that_copy_and_is_theirs() {
    let (cloud, env) = site("ssm", "reference");
    cloud.world(|world| world.deploy_elsewhere("shop-worker", &[("TOKEN", Some("theirs"))]));
    let output = env.run("rotate token --yes");
    assert_eq!(output.code, Some(6), "{}", output.stderr);
    assert!(output.stderr.contains("beanstalk:worker app/TOKEN"), "{}", output.stderr);
    assert_eq!(seen(&cloud, "shop-worker")["TOKEN"], "theirs");
    let again = env.run("rotate token --yes");
    assert_eq!(again.code, Some(7), "one that stopped is not begun again: {}", again.stderr);
    // What it has no part in may have to be set right before it can go on.
    env.run_with_stdin("set TOKEN --yes", "mine").failure(7);
    env.run_with_stdin("set OTHER --yes", "canary-newer").success();
    env.run("undo --yes").success();
    assert_eq!(env.run("get TOKEN").success(), "canary-old");
    assert_eq!(seen(&cloud, "shop-web")["TOKEN"], "canary-old");
    assert_eq!(seen(&cloud, "shop-worker")["TOKEN"], "theirs");
}

#[test]
fn what_somebody_put_somewhere_is_left_in_every_place_and_the_rest_is_rotated() {
    let (cloud, env) = site("ssm", "value");
    cloud.world(|world| world.deploy_elsewhere("shop-worker", &[("TOKEN", Some("theirs"))]));
    env.run("rotate token --yes").failure(6);
    let new = env.run("get TOKEN").success();
    let output = env.run("resume --yes --skip-changed");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("left as it is: beanstalk:worker app/TOKEN"), "{}", output.stderr);
    assert_eq!(seen(&cloud, "shop-web")["TOKEN"], new);
    assert_eq!(seen(&cloud, "shop-worker")["TOKEN"], "theirs");
    // Nothing stands in anybody's way after that.
    env.run("sync --yes").success();
    env.run("status --check").success();
}

#[test]
fn a_copy_that_is_behind_in_something_else_keeps_no_rotation_from_its_end() {
    let (cloud, env) = site("ssm", "reference");
    env.run_with_stdin("set OTHER --yes", "canary-newer").success();
    let output = env.run("rotate token --yes");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(seen(&cloud, "shop-worker")["OTHER"], "canary-other", "that is for a sync");
    env.run("sync --yes").success();
    env.run("status --check").success();
}

#[test]
fn what_is_for_another_kind_is_refused_and_changes_nothing() {
    let (_cloud, env) = site("ssm", "value");
    for flags in ["--setup", "--if-expiring 10m", "--compromised", "--via localhost:1", "--fast"] {
        let refused = env.run(&format!("rotate token --yes {flags}")).failure(2);
        assert!(refused.contains("is not for `token`"), "{refused}");
    }
    assert_eq!(env.run("get TOKEN").success(), "canary-old");
}

#[test]
fn one_that_was_cut_off_goes_on_with_the_values_that_it_chose() {
    let (cloud, env) = site("ssm", "value");
    cloud.fault("elasticbeanstalk:UpdateEnvironment", 1..2, Effect::Deny);
    let output = env.run("rotate token --yes");
    assert_eq!(output.code, Some(7), "{}", output.stderr);
    let chosen = env.run("get TOKEN").success();
    env.run("resume --yes").success();
    assert_eq!(env.run("get TOKEN").success(), chosen, "no second value");
    assert_eq!(seen(&cloud, "shop-worker")["TOKEN"], chosen);
    env.run("status --check").success();
}

#[test]
fn what_is_due_is_told_by_the_dates_that_home_keeps_and_nothing_due_is_silence() {
    let (cloud, env) = site("ssm", "value");
    let output = env.run("rotate --due --yes --quiet");
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (Some(0), "", ""));
    let young = env.run("rotate token --if-older 30d --yes");
    assert_eq!(young.code, Some(0));
    assert!(young.stderr.contains("nothing to do, last changed"), "{}", young.stderr);
    assert_eq!(cloud.count("elasticbeanstalk:UpdateEnvironment"), 0);
    assert_eq!(env.run("rotate nothing --yes").code, Some(2));
    assert_eq!(env.run("rotate --yes").code, Some(2));
    let dry = env.run("rotate token --dry-run --json");
    assert!(dry.success().contains("\"kind\":\"rotation\""));
    assert_eq!(env.run("get TOKEN").success(), "canary-old");
}
