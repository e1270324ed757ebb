//! A person's own programs: asked once where that matters, again where nobody knows, and never told in arguments.

use super::site::{self, Site};
use crate::crash::shim::{How, run_in};
use crate::support::env::{Output, STRONGROOM, TestEnv};
use crate::support::tree::Tree;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

const PARTNER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/rotate/partner.py");

/// The programs of a rotation, as the manifest names them; none of them sees the faults that the binary is given.
fn programs(fields: &[&str]) -> String {
    let program = format!("[\"env\", \"-u\", \"LD_PRELOAD\", \"python3\", \"-ISs\", \"{PARTNER}\"]");
    fields.iter().map(|field| format!("{field} = {program}\n")).collect()
}

/// A vault with a token that the partner knows, and this rotation of it.
fn vault(rotation: &str) -> TestEnv {
    let keys = "[groups.app.keys]\nTOKEN = { secret = true, generate = \"hex\" }\n";
    let rotation = format!("{keys}[rotate.partner]\nkeys = [\"TOKEN\"]\n{rotation}");
    let env = site::vault(&[("app/TOKEN", "canary-old")], &rotation);
    env.write("target.json", json!({"known": ["canary-old"], "calls": [], "chooses": false}).to_string());
    env
}

fn command(fields: &[&str], more: &str) -> TestEnv {
    vault(&format!("kind = \"command\"\n{}{more}", programs(fields)))
}

fn target(env: &TestEnv) -> Value {
    serde_json::from_str(&env.read("target.json")).unwrap()
}

fn calls(env: &TestEnv) -> Vec<String> {
    let calls = target(env)["calls"].as_array().unwrap().clone();
    calls.iter().map(|call| call.as_str().unwrap().to_owned()).collect()
}

fn home(env: &TestEnv) -> String {
    env.run("get TOKEN").success()
}

/// The token that home holds works, and is the only one.
#[track_caller]
fn ended_well(env: &TestEnv) {
    let token = home(env);
    assert_ne!(token, "canary-old");
    assert_eq!(target(env)["known"], json!([token]));
    let again = env.run("resume --yes");
    assert_eq!((again.code, target(env)["known"].clone()), (Some(0), json!([token])), "{}", again.stderr);
}

#[track_caller]
fn failed(output: &Output, code: i32, part: &str) {
    assert_eq!(output.code, Some(code), "{}", output.stderr);
    assert!(output.stderr.contains(part), "{}", output.stderr);
    assert!(!output.stderr.contains("canary"), "{}", output.stderr);
}

#[test]
fn the_target_is_told_before_home_and_the_old_value_ends_last() {
    let env = command(&["apply", "verify", "retire"], "");
    let output = env.run("rotate partner --yes");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(calls(&env), ["apply", "verify", "retire"]);
    ended_well(&env);
    failed(&env.run("undo --yes"), 1, "cannot be taken back");
    assert_eq!(target(&env)["known"], json!([home(&env)]));
    // What a killed program left behind is nobody's value.
    let state = Tree::of(&env);
    let token = home(&env);
    let spilled = state.files().filter(|path| {
        let text = String::from_utf8_lossy(state.bytes(path)).into_owned();
        !path.ends_with("target.json") && (text.contains("canary-old") || text.contains(&token))
    });
    assert_eq!(spilled.count(), 0);
}

#[test]
fn killed_before_or_after_each_step_it_is_resumed_and_at_every_moment_homes_value_works() {
    for fields in [&["apply", "verify", "retire"][..], &["apply", "retire"]] {
        for step in fields {
            for fault in ["kill-before", "kill-after", "break", "hang"] {
                let env = command(fields, if fault == "hang" { "timeout = \"1s\"\n" } else { "" });
                env.write("fault", format!("{step} {fault}"));
                let output = env.run("rotate partner --yes");
                assert_eq!(
                    output.code.is_none(),
                    fault.starts_with("kill"),
                    "{step} {fault}: {}",
                    output.stderr
                );
                if let Some(code) = output.code {
                    assert_eq!(code, 7, "{step} {fault}: {}", output.stderr);
                    assert!(output.stderr.contains("`strongroom resume"), "{}", output.stderr);
                    assert!(!output.stderr.contains(&home(&env)), "{}", output.stderr);
                }
                let known = target(&env)["known"].clone();
                assert!(known.as_array().unwrap().contains(&json!(home(&env))), "{step} {fault}: {known}");
                let left = Tree::of(&env);
                env.run("resume --yes").success();
                ended_well(&env);
                left.restore(&env);
                if *step != "retire" {
                    env.run("undo --yes").success();
                    assert_eq!(home(&env), "canary-old", "{step} {fault}");
                    assert!(target(&env)["known"].as_array().unwrap().contains(&json!("canary-old")));
                } else {
                    assert_ne!(env.run("undo --yes").code, Some(0), "it may have been ended");
                }
            }
        }
    }
}

#[test]
fn killed_or_refused_at_any_call_to_the_file_system_it_is_resumed() {
    let env = command(&["apply", "verify", "retire"], "");
    let base = Tree::of(&env);
    let (output, all) = run_in(&env, "rotate partner --yes", "", None);
    let _ = output.success();
    assert!(all.len() > 40, "{}", all.len());
    for (index, at) in (1..=all.len()).step_by(4).enumerate() {
        base.restore(&env);
        let how = [How::Before, How::After, How::Eio][index % 3];
        let (output, _) = run_in(&env, "rotate partner --yes", "", Some((at, how)));
        let known = target(&env)["known"].clone();
        assert!(known.as_array().unwrap().contains(&json!(home(&env))), "{at} {how:?}: {}", output.stderr);
        env.run("resume --yes").success();
        if home(&env) == "canary-old" {
            // It had not begun.
            env.run("rotate partner --yes").success();
        }
        ended_well(&env);
    }
}

#[test]
fn a_no_ends_it_where_nothing_has_happened_and_asks_a_person_where_something_may_have() {
    let env = command(&["apply", "retire"], "");
    env.write("fault", "apply no");
    failed(&env.run("rotate partner --yes"), 8, "the target did not take the new values");
    assert_eq!((home(&env).as_str(), calls(&env)), ("canary-old", vec!["apply".to_owned()]));
    assert_eq!(env.run("resume --yes").code, Some(0), "nothing is left");

    env.write("fault", "apply kill-after");
    assert_eq!(env.run("rotate partner --yes").code, None);
    env.write("fault", "apply no");
    failed(&env.run("resume --yes"), 8, "nobody knows what the target accepts");
    env.run("resume --yes").success();
    ended_well(&env);

    env.write("fault", "retire no");
    failed(&env.run("rotate partner --yes"), 8, "the old values are still accepted");
    env.run("resume --yes").success();
    ended_well(&env);
}

#[test]
fn without_a_retire_the_target_has_one_value_and_there_is_no_way_back() {
    let env = command(&["apply", "verify"], "");
    let output = env.run("rotate partner --yes --dry-run");
    assert!(output.stderr.contains("no undo"), "{}", output.stderr);
    env.write("fault", "apply kill-after");
    assert_eq!(env.run("rotate partner --yes").code, None);
    failed(&env.run("undo --yes"), 7, "strongroom resume");
    env.run("resume --yes").success();
    assert_eq!(calls(&env), ["apply", "verify"], "what is accepted is not applied again");
    failed(&env.run("undo --yes"), 1, "cannot be taken back");
}

#[test]
fn what_the_target_chooses_is_sealed_before_it_is_read_and_asked_for_again_only_if_it_was_lost() {
    let env = command(&["apply", "verify", "retire"], "chosen_by = \"target\"\n");
    let chooses = json!({"known": ["canary-old"], "calls": [], "chooses": true});
    env.write("target.json", chooses.to_string());
    let base = Tree::of(&env);
    for (fault, asked) in [("apply kill-before", 1), ("apply kill-after", 2), ("verify kill-after", 1)] {
        base.restore(&env);
        env.write("fault", fault);
        assert_eq!(env.run("rotate partner --yes").code, None, "{fault}");
        failed(&env.run("undo --yes"), 7, "strongroom resume");
        env.run("resume --yes").success();
        ended_well(&env);
        assert_eq!(calls(&env).iter().filter(|call| *call == "apply").count(), asked, "{fault}");
    }
    base.restore(&env);
    env.write("fault", "apply babble");
    failed(&env.run("rotate partner --yes"), 8, "is no answer");
    assert_eq!(home(&env), "canary-old");
    let output = env.run("rotate partner --yes");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("no undo") && !output.stderr.contains("brings the old values back"));
}

#[test]
fn a_soak_holds_nothing_and_nobody_and_ends_when_somebody_may_know_the_old_value() {
    let keys =
        "[groups.app.keys]\nTOKEN = { secret = true, generate = \"hex\" }\nOTHER = { secret = true }\n";
    let programs = programs(&["apply", "verify", "retire"]);
    let rotation =
        format!("{keys}[rotate.partner]\nkind = \"command\"\nkeys = [\"TOKEN\"]\nsoak = \"1h\"\n{programs}");
    let site = Site::new(&site::manifest("ssm", &[("web", "reference")], &rotation));
    let env = &site.env;
    env.write("target.json", json!({"known": ["canary-old"], "calls": [], "chooses": false}).to_string());
    env.run_with_stdin("set TOKEN --yes", "canary-old").success();
    env.run_with_stdin("set OTHER --yes", "other").success();
    env.run("sync --yes").success();

    let output = env.run("rotate partner --yes");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(calls(env), ["apply", "verify"]);
    let token = home(env);
    assert_eq!(site.seen("shop-web")["TOKEN"], token);
    assert_eq!(target(env)["known"], json!(["canary-old", token]));
    env.run_with_stdin("set OTHER --yes", "another").success();
    for words in ["rotate partner --yes", "rotate --due --yes"] {
        let waits = env.run(words);
        assert!(waits.code == Some(0) && waits.stderr.contains("waits until"), "{}", waits.stderr);
        let said: Value = serde_json::from_str(&env.run(&format!("{words} --json")).stdout).unwrap();
        let told = said["operation"].is_string() && said["soaking_until"].is_string();
        assert!(told && said["kind"] == "rotation", "{said}");
    }
    // Somebody has put the old value back into home: it is not ended under him.
    env.run_with_stdin("set TOKEN --yes", "canary-old").success();
    let clings = env.run("rotate partner --compromised --yes");
    failed(&clings, 8, "home holds an old value again");
    env.run_with_stdin("set TOKEN --yes", &token).success();
    let clings = env.run("rotate partner --compromised --yes");
    failed(&clings, 8, "a copy does not hold what home holds");
    env.run("sync --yes").success();
    env.write("fault", "retire kill-after");
    assert_eq!(env.run("rotate partner --compromised --yes").code, None);
    site.lease_ends();
    env.run("resume --yes").success();
    ended_well(env);
}

/// What somebody on another host does to home meanwhile.
fn elsewhere(env: &mut TestEnv, words: &str, value: &str) {
    let here = env.root().join("state");
    env.set("XDG_STATE_HOME", env.root().join("elsewhere"));
    env.run_with_stdin(words, value).success();
    env.set("XDG_STATE_HOME", &here);
}

#[test]
fn a_retire_that_could_not_be_run_is_called_once_it_can_and_overwrites_nobody_meanwhile() {
    for (soak, theirs) in [("soak = \"1h\"\n", false), ("soak = \"1h\"\n", true), ("", true)] {
        let missing = "retire = [\"./retire\"]\n";
        let fields = programs(&["apply", "verify"]);
        let mut env = vault(&format!("kind = \"command\"\n{fields}{missing}{soak}"));
        let code = env.run("rotate partner --yes").code;
        if soak.is_empty() {
            assert_eq!(code, Some(7));
        } else {
            failed(&env.run("rotate partner --compromised --yes"), 7, "it cannot be run");
        }
        let mut token = home(&env);
        if theirs {
            elsewhere(&mut env, "set TOKEN --yes", "canary-newer");
            "canary-newer".clone_into(&mut token);
        }
        env.write("retire", format!("#!/bin/sh\nexec env -u LD_PRELOAD python3 -ISs {PARTNER}\n"));
        env.sh("chmod +x retire").success();
        let resumed = env.run("resume --yes");
        assert_eq!(home(&env), token, "{}", resumed.stderr);
        if soak.is_empty() {
            failed(&resumed, 6, "changed by somebody else");
        } else {
            assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
            assert_eq!(calls(&env), ["apply", "verify", "retire"]);
        }
    }
}

#[test]
fn what_somebody_put_into_home_before_the_targets_choice_came_there_is_not_overwritten() {
    let mut env = command(&["apply", "verify", "retire"], "chosen_by = \"target\"\n");
    env.write("target.json", json!({"known": ["canary-old"], "calls": [], "chooses": true}).to_string());
    env.write("fault", "verify kill-before");
    assert_eq!(env.run("rotate partner --yes").code, None);
    elsewhere(&mut env, "set TOKEN --yes", "canary-newer");
    failed(&env.run("resume --yes"), 6, "changed by somebody else");
    assert_eq!(home(&env), "canary-newer");
    // And what home has is not ended as the old value.
    failed(&env.run("resume --skip-changed --yes"), 8, "home holds an old value again");
    assert_eq!(home(&env), "canary-newer");
}

#[test]
fn what_a_retire_waits_for_can_be_done_while_it_waits() {
    let keys =
        "[groups.app.keys]\nTOKEN = { secret = true, generate = \"hex\" }\nOTHER = { secret = true }\n";
    let programs = programs(&["apply", "verify", "retire"]);
    let rotation =
        format!("{keys}[rotate.partner]\nkind = \"command\"\nkeys = [\"TOKEN\"]\nsoak = \"1h\"\n{programs}");
    let site = Site::new(&site::manifest("secretsmanager", &[("web", "reference")], &rotation));
    let env = &site.env;
    env.write("target.json", json!({"known": ["canary-old"], "calls": [], "chooses": false}).to_string());
    env.run_with_stdin("set TOKEN --yes", "canary-old").success();
    env.run_with_stdin("set OTHER --yes", "other").success();
    env.run("sync --yes").success();
    env.run("rotate partner --yes").success();
    env.write("fault", "retire no");
    failed(&env.run("rotate partner --compromised --yes"), 8, "the old values are still accepted");
    // One document, so one version: the copy refers to another one than home has by now.
    env.run_with_stdin("set OTHER --yes", "another").success();
    failed(&env.run("resume --yes"), 8, "a copy does not hold what home holds");
    let token = home(env);
    env.run_with_stdin("set TOKEN --yes", "canary-old").success();
    failed(&env.run("resume --yes"), 8, "home holds an old value again");
    env.run_with_stdin("set TOKEN --yes", &token).success();
    env.run("sync --yes").success();
    env.run("resume --yes").success();
    ended_well(env);
}

#[test]
fn among_all_that_is_due_one_that_stopped_and_does_not_recur_is_told_and_keeps_no_other_waiting() {
    let other = "[groups.more.keys]\nOTHER = { secret = true, generate = \"hex\" }\n\
                 [rotate.other]\nkind = \"random\"\nkeys = [\"more/OTHER\"]\nevery = \"30d\"\n";
    let env = vault(&format!("kind = \"random\"\n{}{other}", programs(&["verify"])));
    env.run("set OTHER --generate --yes").success();
    assert_eq!(env.run("rotate --due --yes --quiet").stderr, "");
    env.run("rotate partner --yes").failure(7);
    for manifest in
        [env.read("strongroom.toml"), env.read("strongroom.toml").replace("rotate.partner", "rotate.new")]
    {
        env.write("strongroom.toml", manifest);
        let output = env.run("rotate --due --yes");
        failed(&output, 7, "(rotate partner) stopped midway");
        assert!(output.stderr.contains("rotate other: nothing to do"), "{}", output.stderr);
    }
}

#[test]
fn generated_values_are_verified_where_a_program_says_so() {
    let env = vault(&format!("kind = \"random\"\n{}", programs(&["verify"])));
    let output = env.run("rotate partner --yes");
    failed(&output, 7, "it says no; every holder has the new values");
    let token = home(&env);
    let known = |token: &str| json!({"known": [token], "calls": [], "chooses": false}).to_string();
    let left = Tree::of(&env);
    env.write("target.json", known(&token));
    env.run("resume --yes").success();
    assert_eq!((home(&env), calls(&env)), (token, vec!["verify".to_owned()]));
    left.restore(&env);
    env.run("undo --yes").success();
    assert_eq!(home(&env), "canary-old");
    assert_eq!(env.run("rotate partner --fast --yes").code, Some(2));
}

#[test]
fn a_checkout_of_the_same_name_is_in_nobodys_way_and_goes_on_with_nothing_of_it() {
    let stopped_before_home_and_after =
        [("command", &["apply"][..], "every = \"1d\"\n"), ("random", &["verify"], "every = \"1d\"\n")];
    for (kind, fields, more) in stopped_before_home_and_after {
        let env = vault(&format!("kind = \"{kind}\"\n{}{more}", programs(fields)));
        env.write("elsewhere/strongroom.toml", env.read("strongroom.toml"));
        let neighbour = |words: &str| env.run(&format!("-c elsewhere/strongroom.toml {words}"));
        env.run_with_stdin("-c elsewhere/strongroom.toml set TOKEN --yes", "theirs").success();
        env.write("elsewhere/target.json", env.read("target.json"));
        env.write("fault", format!("{} break", fields[0]));
        env.run("rotate partner --yes").failure(7);
        let told = neighbour("rotate --due --yes");
        assert_eq!(told.code, Some(0), "{kind}: {}", told.stderr);
        assert!(!told.stderr.contains("resume"), "{kind}: {}", told.stderr);
        assert!(neighbour("resume --yes").stderr.contains("nothing to resume"), "{kind}");
        let told: Value = serde_json::from_str(&env.run("operations --json").success()).unwrap();
        let all = told["operations"].as_array().unwrap().iter();
        let id = all.clone().find(|one| one["state"] == "unfinished").unwrap()["id"].as_str().unwrap();
        for words in [format!("resume {id} --yes"), format!("undo {id} --forget --yes")] {
            let told = neighbour(&words);
            assert_eq!(told.code, Some(1), "{kind}: {}", told.stderr);
            assert!(told.stderr.contains("was begun where home is"), "{kind}: {}", told.stderr);
        }
        assert_eq!(neighbour("get TOKEN").success(), "theirs", "{kind}");
        assert_eq!(env.run("operations --json").success().matches("\"unfinished\"").count(), 1, "{kind}");
    }
}

#[test]
fn what_cannot_be_run_has_told_nobody_anything_and_is_in_nobodys_way() {
    let missing =
        |fields: &[&str]| fields.iter().map(|field| format!("{field} = [\"./gone\"]\n")).collect::<String>();
    for more in ["", "chosen_by = \"target\"\n"] {
        let env = vault(&format!("kind = \"command\"\n{}{more}", missing(&["apply"])));
        failed(&env.run("rotate partner --yes"), 1, "it cannot be run");
        for words in ["resume --yes", "undo --yes"] {
            let nothing = env.run(words);
            assert_eq!(nothing.code, Some(0), "{words}: {}", nothing.stderr);
            assert!(nothing.stderr.contains("nothing to"), "{words}: {}", nothing.stderr);
        }
        env.run_with_stdin("set TOKEN --yes", "canary-newer").success();
    }
    // Where the old values were to be ended and are not, there is a way back.
    let env =
        vault(&format!("kind = \"command\"\n{}{}", programs(&["apply", "verify"]), missing(&["retire"])));
    failed(&env.run("rotate partner --yes"), 7, "it cannot be run");
    assert_ne!(home(&env), "canary-old");
    env.run("undo --yes").success();
    assert_eq!(home(&env), "canary-old");
}

#[test]
fn what_can_neither_be_finished_nor_taken_back_is_ended_as_it_stands_by_name() {
    for more in ["", "chosen_by = \"target\"\n"] {
        let env = command(&["apply"], more);
        env.write("fault", "apply break");
        let stopped = env.run("rotate partner --yes");
        failed(&stopped, 7, "strongroom resume");
        assert!(!stopped.stderr.contains("strongroom undo"), "{}", stopped.stderr);
        failed(&env.run("undo --yes"), 7, "--forget` ends it as it stands");
        let listed: Value = serde_json::from_str(&env.run("operations --json").success()).unwrap();
        let id = listed["operations"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(env.run("undo --forget --yes").code, Some(2), "by its name only");
        let told = env.run(&format!("undo {id} --forget --yes"));
        assert_eq!(told.code, Some(0), "{}", told.stderr);
        for part in ["apply, begun", "failed: ", "home and the copies keep the old values", "stays sealed in"]
        {
            assert!(told.stderr.contains(part), "{part}: {}", told.stderr);
        }
        assert_eq!(home(&env), "canary-old");
        assert!(env.run("resume --yes").stderr.contains("nothing to resume"));
        assert_eq!(env.run(&format!("undo {id} --forget --yes")).code, Some(2), "it is over");
        env.run_with_stdin("set TOKEN --yes", "canary-newer").success();
    }
    // What can be taken back is, and other kinds find out by themselves.
    let env = command(&["apply", "retire"], "soak = \"1h\"\n");
    env.run("rotate partner --yes").success();
    let listed: Value = serde_json::from_str(&env.run("operations --json").success()).unwrap();
    let id = listed["operations"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(env.run(&format!("undo {id} --forget --yes")).code, Some(2));
    env.run("undo --yes").success();
}

#[test]
fn a_program_that_outlives_a_killed_run_is_waited_for_and_acts_beside_nobody() {
    for (timeout, waits) in [("1s", false), ("60s", true)] {
        let env = command(&["apply", "verify", "retire"], &format!("timeout = \"{timeout}\"\n"));
        env.sh("mkfifo gate").success();
        env.write("fault", "apply orphan");
        assert_eq!(env.run("rotate partner --yes").code, None);
        if !waits {
            failed(&env.run("resume --yes"), 7, "is still at work");
        }
        let mut resume = env.command(STRONGROOM);
        resume.args(["resume", "--yes"]).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut resume = resume.spawn().unwrap();
        let mut lines = BufReader::new(resume.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains("waiting for a program")), "{timeout}");
        std::fs::write(env.path("gate"), "").unwrap();
        let rest: Vec<String> = lines.collect();
        assert!(resume.wait().unwrap().success(), "{timeout}: {rest:?}");
        assert_eq!(calls(&env), ["apply", "verify", "retire"], "{timeout}");
        ended_well(&env);
    }
}

#[test]
fn what_only_operators_have_is_rotated_and_taken_back_too() {
    let env = command(&["apply", "verify", "retire"], "soak = \"1h\"\n");
    let manifest = env
        .read("strongroom.toml")
        .replace("[groups.app.keys]", "[groups.app]\naudience = \"operator\"\n[groups.app.keys]");
    env.write("strongroom.toml", manifest);
    env.run("rotate partner --yes").success();
    assert_eq!(calls(&env), ["apply", "verify"]);
    assert_eq!(target(&env)["known"], json!(["canary-old", home(&env)]));
    env.run("undo --yes").success();
    assert_eq!(home(&env), "canary-old");
}
