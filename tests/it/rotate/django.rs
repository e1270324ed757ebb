//! Django's key: at no moment of any deployment does an instance refuse what its neighbour has signed; asked of Django.

use super::site::{self, Site, Variables, When};
use crate::support::cloud::Effect;
use crate::support::env::{Output, TestEnv};
use crate::support::provision;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const ROTATION: &str = r#"
[groups.app.keys]
SECRET_KEY = { secret = true, generate = { length = 50, alphabet = "url-safe" } }
SECRET_KEY_FALLBACKS = { secret = true, optional = true }

[rotate.signing]
kind = "django-secret-key"
key = "SECRET_KEY"
fallbacks = "SECRET_KEY_FALLBACKS"
every = "90d"
"#;

const OLD: &str = "canary-old-key-of-fifty-characters-canary-old-key-of";
const BOTH: [&str; 2] = ["SECRET_KEY", "SECRET_KEY_FALLBACKS"];

fn site(home: &str, secrets: &str) -> Site {
    let copies = [("web", secrets), ("worker", "value")];
    let site = Site::new(&site::manifest(home, &copies, ROTATION));
    site.env.run_with_stdin("set SECRET_KEY --yes", OLD).success();
    site.env.run("sync --yes").success();
    site.cloud.reset_calls();
    site
}

/// What a run told people that ended well.
fn said(output: Output) -> String {
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    output.stderr
}

/// What Django says of these moments.
#[derive(Debug)]
struct Verdict {
    refused: Vec<u64>,
    carried: bool,
}

fn ask_django(python: &Path, moments: &[Vec<Variables>]) -> Verdict {
    let different = |moment: &Vec<Variables>| moment.iter().cloned().collect::<BTreeSet<_>>();
    let moments: Vec<BTreeSet<Variables>> = moments.iter().map(different).collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/rotate/moments.py");
    let mut child =
        Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(serde_json::to_string(&moments).unwrap().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let refused = said["refused"].as_array().unwrap().iter().map(|number| number.as_u64().unwrap());
    Verdict { refused: refused.collect(), carried: said["carried"].as_bool().unwrap() }
}

/// Everything that runs at this moment, and everything that would start.
fn moment(site: &Site) -> Vec<Variables> {
    let environments = ["shop-web", "shop-worker"];
    let running = environments.iter().map(|environment| site.seen(environment));
    running.chain(environments.iter().map(|environment| site.starting(environment))).collect()
}

/// Runs a command that is denied one update after the other, and looks each time.
fn watched(site: &Site, words: &str, moments: &mut Vec<Vec<Variables>>) -> usize {
    let mut words = words.to_owned();
    for stops in 0..9 {
        let next = if stops == 0 { 1 } else { 2 };
        site.cloud.fault("elasticbeanstalk:UpdateEnvironment", next..=next, Effect::Deny);
        let output = site.env.run(&words);
        site.cloud.heal();
        let (before, after) = (moments.last().unwrap().clone(), moment(site));
        // While one environment is deployed, its old and its new instances run beside the others.
        moments.push(before.into_iter().chain(after[..2].iter().cloned()).collect());
        moments.push(after);
        match output.code {
            Some(0) => return stops,
            Some(7) => "resume --yes".clone_into(&mut words),
            // Where no update was made before this one, nothing was changed.
            Some(5) => {}
            other => panic!("{other:?}: {}", output.stderr),
        }
    }
    panic!("it does not end");
}

#[test]
fn no_instance_refuses_what_another_signed_at_any_moment_of_both_deployments_and_of_the_retirement() {
    for (home, secrets) in [("ssm", "value"), ("ssm", "reference"), ("secretsmanager", "reference")] {
        let site = site(home, secrets);
        let mut moments = vec![moment(&site)];
        let stops = watched(&site, "rotate signing --yes", &mut moments);
        assert_eq!(stops, 4, "two deployments of two copies");
        let new = site.env.run("get SECRET_KEY").success();
        assert_eq!(new.len(), 50);
        for environment in ["shop-web", "shop-worker"] {
            let seen = site.seen(environment);
            assert_eq!((seen["SECRET_KEY"].as_str(), seen["SECRET_KEY_FALLBACKS"].as_str()), (&*new, OLD));
            assert_eq!(seen["LEFT_ALONE"], "theirs");
        }
        site.env.run("status --check").success();

        let early = said(site.env.run("rotate signing --yes"));
        assert!(early.contains("the old key is accepted until"), "{early}");
        assert_eq!(site.env.run("rotate --due --yes --quiet").success(), "");
        assert_eq!(site.env.run("get SECRET_KEY").success(), new);

        site.age(&BOTH, 15);
        watched(&site, "rotate --due --yes", &mut moments);
        for environment in ["shop-web", "shop-worker"] {
            let seen = site.seen(environment);
            assert_eq!((seen["SECRET_KEY"].as_str(), seen.get("SECRET_KEY_FALLBACKS")), (&*new, None));
        }
        site.env.run("status --check").success();
        let old = (secrets == "value").then(provision::old_django);
        for python in [provision::django()].into_iter().chain(old) {
            let verdict = ask_django(&python, &moments);
            assert!(verdict.refused.is_empty() && verdict.carried, "{home} {secrets}: {verdict:?}");
        }
    }
}

#[test]
fn as_a_plain_generated_value_it_logs_everybody_out_and_django_sees_it() {
    let site = site("ssm", "value");
    let manifest = site.env.read("strongroom.toml");
    let plain = manifest.split("[rotate.signing]").next().unwrap().to_owned()
        + "[rotate.signing]\nkind = \"random\"\nkeys = [\"SECRET_KEY\"]\n";
    site.env.write("strongroom.toml", plain);
    let mut moments = vec![moment(&site)];
    watched(&site, "rotate signing --yes", &mut moments);
    let verdict = ask_django(&provision::django(), &moments);
    assert!(!verdict.refused.is_empty() && !verdict.carried, "{verdict:?}");
}

#[test]
fn a_run_that_is_killed_at_any_call_is_resumed_or_taken_back_and_no_instance_is_ever_alone() {
    let site = site("ssm", "reference");
    let base = site.past();
    site.env.run("rotate signing --yes").success();
    let calls = site.cloud.calls().len();
    assert!(calls > 30, "{calls}");
    let (mut moments, mut begun) = (Vec::new(), 0);
    for (index, at) in (1..=calls).step_by(calls / 12).enumerate() {
        let when = if index % 2 == 0 { When::Before } else { When::After };
        site.restore(&base);
        let output = site.killed("rotate signing --yes", at, when);
        assert_eq!(output.code, None, "{at} {when:?}: {}", output.stderr);
        moments.push(moment(&site));
        let left = site.past();
        site.env.run("resume --yes").success();
        if site.seen("shop-web")["SECRET_KEY"] == OLD {
            // It had not begun: there was nothing to resume, and there is nothing to take back.
            assert_eq!(site.starting("shop-web").get("SECRET_KEY_FALLBACKS"), None, "{at} {when:?}");
            continue;
        }
        begun += 1;
        let (web, worker) = (site.seen("shop-web"), site.seen("shop-worker"));
        assert_ne!(web["SECRET_KEY"], OLD, "{at} {when:?}");
        assert_eq!((&web["SECRET_KEY"], web["SECRET_KEY_FALLBACKS"].as_str()), (&worker["SECRET_KEY"], OLD));
        site.env.run("status --check").success();
        site.restore(&left);
        site.env.run("undo --yes").success();
        for environment in ["shop-web", "shop-worker"] {
            let seen = site.seen(environment);
            let both = (seen["SECRET_KEY"].as_str(), seen.get("SECRET_KEY_FALLBACKS"));
            assert_eq!(both, (OLD, None), "{at} {when:?}");
        }
    }
    assert!(begun > 4, "{begun} of {calls}");
    let verdict = ask_django(&provision::django(), &moments);
    assert!(verdict.refused.is_empty(), "{verdict:?}");
}

#[test]
fn whoever_resumes_takes_over_from_a_dead_process_of_this_host_at_once_and_nobody_else_does() {
    for home in ["ssm", "secretsmanager"] {
        let mut site = site(home, "value");
        let killed =
            site.killed_with_its_lease("rotate signing --yes", "elasticbeanstalk:UpdateEnvironment", 2);
        assert_eq!(killed.code, None, "{home}: {}", killed.stderr);
        let here = site.env.root().join("state");
        site.env.set("XDG_STATE_HOME", site.env.root().join("elsewhere"));
        let other = site.env.run("sync --yes").failure(9);
        assert!(other.contains("for `rotate signing`"), "{home}: {other}");
        site.env.set("XDG_STATE_HOME", &here);
        assert_eq!(site.env.run("undo --yes").code, Some(9), "{home}: only who goes the same way");
        site.cloud.reset_calls();
        let resumed = site.env.run("resume --yes");
        assert_eq!(resumed.code, Some(0), "{home}: {}", resumed.stderr);
        assert_eq!(
            site.cloud.count("elasticbeanstalk:UpdateEnvironment"),
            2,
            "{home}: what is done is not repeated"
        );
        site.env.run("status --check").success();
    }
}

#[test]
fn the_events_of_both_deployments_are_told() {
    let site = site("ssm", "value");
    site.past();
    site.cloud.reset_calls();
    let told = said(site.env.run("rotate signing --yes"));
    assert_eq!(site.cloud.count("elasticbeanstalk:UpdateEnvironment"), 4, "{told}");
    assert_eq!(told.matches("Environment update is starting.").count(), 4, "{told}");
}

#[test]
fn fast_is_one_deployment_compromised_keeps_nothing_and_a_new_key_that_is_due_keeps_what_is_young() {
    let site = site("ssm", "value");
    let base = site.past();
    let fast = said(site.env.run("rotate signing --fast --yes"));
    assert!(fast.contains("some sessions fail"), "{fast}");
    assert_eq!(site.cloud.count("elasticbeanstalk:UpdateEnvironment"), 2);
    assert_eq!(site.seen("shop-web")["SECRET_KEY_FALLBACKS"], OLD);
    let first = site.env.run("get SECRET_KEY").success();

    site.age(&["SECRET_KEY"], 91);
    site.env.run("rotate --due --yes").success();
    assert_eq!(site.seen("shop-web")["SECRET_KEY_FALLBACKS"], format!("{first},{OLD}"));

    site.env.run("undo --yes").success();
    let back = site.seen("shop-web");
    assert_eq!((&back["SECRET_KEY"], back["SECRET_KEY_FALLBACKS"].as_str()), (&first, OLD));

    site.env.run("rotate signing --compromised --yes").success();
    let seen = site.seen("shop-web");
    assert_eq!((seen["SECRET_KEY"].len(), seen.get("SECRET_KEY_FALLBACKS")), (50, None));

    site.restore(&base);
    let output = site.env.run("rotate signing --compromised --yes");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("everybody is logged out"), "{}", output.stderr);
    let undo = said(site.env.run("undo --dry-run"));
    assert!(undo.contains("! this was rotated with --compromised"), "{undo}");
    let noted = site.env.run("undo --dry-run --json").success();
    assert!(noted.contains("it brings back values that somebody else may know"), "{noted}");
}

#[test]
fn a_key_that_somebody_set_meanwhile_stays_and_the_way_that_is_named_leads_out() {
    let mut site = site("ssm", "value");
    site.cloud.fault("elasticbeanstalk:UpdateEnvironment", 2..=2, Effect::Deny);
    site.env.run("rotate signing --yes").failure(7);
    site.cloud.heal();
    let (here, theirs) = (site.env.root().join("state"), "canary-theirs");
    site.env.set("XDG_STATE_HOME", site.env.root().join("elsewhere"));
    site.env.run_with_stdin("set SECRET_KEY --yes", theirs).success();
    site.env.set("XDG_STATE_HOME", &here);
    let told = site.env.run("resume --yes").failure(7);
    assert!(told.contains("neither the old key nor the new one"), "{told}");
    assert!(told.contains("`strongroom undo`: theirs stays") && !told.contains("--skip-changed"), "{told}");
    site.env.run("undo --yes").success();
    site.env.run("sync --yes").success();
    for environment in ["shop-web", "shop-worker"] {
        let seen = site.seen(environment);
        let both = (seen["SECRET_KEY"].as_str(), seen.get("SECRET_KEY_FALLBACKS"));
        assert_eq!(both, (theirs, None), "{environment}");
    }
}

#[test]
fn what_does_not_fit_is_refused_before_the_first_write() {
    let site = site("ssm", "value");
    site.cloud.world(|world| {
        let room = "x".repeat(3_900);
        world.deploy_elsewhere("shop-web", &[("LEFT_ALONE", Some(&room))]);
    });
    site.cloud.reset_calls();
    let output = site.env.run("rotate signing --yes");
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("4,096"), "{}", output.stderr);
    assert_eq!(site.cloud.count("ssm:PutParameter"), 0);
}

/// A vault with this key, and a rotation declared so.
fn vault(key: &str, rotation: &str) -> TestEnv {
    let keys = "[groups.app.keys]\nSECRET_KEY = { secret = true }\n\
                SECRET_KEY_FALLBACKS = { secret = true, optional = true }\n";
    let kind = "[rotate.signing]\nkind = \"django-secret-key\"\nkey = \"SECRET_KEY\"\n";
    site::vault(&[("app/SECRET_KEY", key)], &format!("{keys}{kind}{rotation}"))
}

#[test]
fn without_fallbacks_or_with_a_comma_only_compromised_goes_and_that_is_said() {
    let env = vault("canary-old", "");
    let output = env.run("rotate signing --yes");
    assert_eq!(output.code, Some(4), "{}", output.stderr);
    assert!(output.stderr.contains("add `fallbacks = \"SECRET_KEY_FALLBACKS\"`"), "{}", output.stderr);
    env.run("rotate signing --compromised --yes").success();
    assert_eq!(env.run("get SECRET_KEY").success().len(), 50);

    let env = vault("canary,old", "fallbacks = \"SECRET_KEY_FALLBACKS\"\n");
    let output = env.run("rotate signing --yes");
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("comma") && output.stderr.contains("--compromised"), "{}", output.stderr);
    assert!(!output.stderr.contains("canary"), "{}", output.stderr);
    env.run("rotate signing --compromised --yes").success();
    env.run("rotate signing --yes").success();
    let (new, old) = (env.run("get SECRET_KEY").success(), env.run("get SECRET_KEY_FALLBACKS").success());
    assert!(new.len() == 50 && old.len() == 50 && new != old);
}
