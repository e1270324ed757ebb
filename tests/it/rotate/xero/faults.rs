//! Everything that can go wrong at the token endpoint: at the end home has a pair that is good, or it is said what a person
//! must do.

use super::site::{Site, each, signal};
use crate::support::cloud;
use crate::support::env::STRONGROOM;
use crate::support::policy;
use crate::support::xero::{self as local, Effect, Siblings, Standing, When};
use jiff::SignedDuration;
use rustix::process::Signal;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// How a run ends that meets a fault at its first call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It asks again by itself.
    Done,
    /// A person has to set something right, and nothing was used up: the operation has ended.
    Unspent,
    /// A person has to set something right, and the token may be used up: the operation waits for that.
    Elsewhere,
}

fn faults() -> Vec<(String, Effect, End)> {
    use End::{Done, Elsewhere, Unspent};
    let mut list: Vec<(String, Effect, End)> = Vec::new();
    for when in [When::Before, When::After] {
        let mut add = |name: &str, effect, end| list.push((format!("{name} {when:?}"), effect, end));
        add("drop", Effect::Drop(when), Done);
        add("reset", Effect::Reset(when), Done);
        for status in [500, 502, 503] {
            add(&status.to_string(), Effect::Page(when, status), Done);
        }
        add("404", Effect::Page(when, 404), Elsewhere);
        for retry in [Some("1"), Some("Sun, 22 Nov 2020 14:00:00 GMT"), Some("soon"), None] {
            add(&format!("429 {retry:?}"), Effect::TooMany(when, retry, "minute"), Done);
        }
    }
    let mut add = |name: &str, effect, end| list.push((name.to_owned(), effect, end));
    add("slow", Effect::Slow(Duration::from_millis(50)), Done);
    add("cut", Effect::Cut, Done);
    add("short", Effect::Short, Done);
    add("packed", Effect::Packed, Done);
    add("elsewhere", Effect::Redirect("https://identity.example/connect/token".to_owned()), Elsewhere);
    for body in ["", "{}", "null", "[]", "<html></html>", r#"{"error":"invalid_grant"}"#] {
        add(&format!("body {body}"), Effect::Body(body), Done);
    }
    for name in ["refresh_token", "access_token"] {
        add(&format!("without {name}"), Effect::Without(name), Done);
        add(&format!("number {name}"), Effect::Odd(name, "1"), Done);
        add(&format!("twice {name}"), Effect::Twice(name, "\"another\""), Done);
    }
    for odd in ["\"1800\"", "1800000", "null"] {
        add(&format!("expires_in {odd}"), Effect::Odd("expires_in", odd), Done);
    }
    add("called HTML", Effect::Content("text/html"), Done);
    list.extend(
        ["invalid_client", "unauthorized_client", "invalid_request", "unsupported_grant_type"]
            .map(|code| (code.to_owned(), Effect::Error(400, code), Unspent)),
    );
    list.push(("something new".to_owned(), Effect::Error(400, "something_new"), Elsewhere));
    list
}

#[test]
fn whatever_the_endpoint_does_home_has_a_good_pair_at_the_end() {
    let both = [Siblings::Valid, Siblings::LastOnly];
    let cases: Vec<_> =
        both.into_iter().flat_map(|mode| faults().into_iter().map(move |one| (mode, one))).collect();
    each(&cases, |(siblings, (name, effect, end))| {
        let site = Site::connected("ssm");
        site.xero.world(|world| world.behaviour.siblings = *siblings);
        let first = site.tokens("1").refresh;
        site.xero.fault(local::TOKEN, 1..=1, effect.clone());
        let output = site.env.run("rotate xero --yes");
        let what = format!("{name} {siblings:?}: {}", output.stderr);
        assert!(!output.stderr.contains(&first) && !output.stderr.contains(local::CLIENT_SECRET), "{what}");
        match end {
            End::Done => assert_eq!(output.code, Some(0), "{what}"),
            End::Unspent => {
                assert_eq!((output.code, site.xero.standing(&first)), (Some(8), Standing::Live), "{what}");
                assert!(output.stderr.contains("xero/1") && output.stderr.contains("not used up"), "{what}");
                assert!(site.env.run("resume --yes").stderr.contains("nothing to resume"), "{what}");
                let _ = site.env.run("rotate xero --yes").success();
            }
            End::Elsewhere => {
                assert_eq!(output.code, Some(8), "{what}");
                assert!(output.stderr.contains("is taken again until"), "{what}");
                let _ = site.env.run("resume --yes").success();
            }
        }
        site.assert_good(&what, "1");
        assert_eq!(site.unfinished(), 0, "{what}");
    });
}

/// A process that dies in the call leaves a token that may be used up: until the half hour is over it is asked again, by
/// this host or by another one; after that one login is lost, that is said once, and the other one is well.
#[test]
fn an_answer_that_died_with_its_process_is_asked_for_again_or_told_as_lost() {
    let cases: Vec<(When, bool, i64)> = [When::Before, When::After]
        .into_iter()
        .flat_map(|when| [false, true].map(|elsewhere| (when, elsewhere)))
        .flat_map(|(when, elsewhere)| [29, 31].map(|minutes| (when, elsewhere, minutes)))
        .collect();
    each(&cases, |(when, elsewhere, minutes)| {
        let site = Site::connected("ssm");
        site.connect("2", "somebody", "Other Ltd");
        let id = Arc::new(OnceLock::new());
        let kill = signal(&id, Signal::KILL);
        site.xero.fault(
            local::TOKEN,
            1..=1,
            match when {
                When::Before => Effect::Meanwhile(kill),
                When::After => Effect::Afterwards(kill),
            },
        );
        if *when == When::Before {
            site.xero.fault(local::TOKEN, 1..=1, Effect::Drop(When::Before));
        }
        assert_eq!(site.run_known("rotate xero/1 --yes", &id).code, None, "it was killed");
        site.xero.heal();
        site.xero.advance(SignedDuration::from_mins(*minutes));
        site.lease_ends();
        let other = site.elsewhere();
        let host = if *elsewhere { &other } else { &site };
        let output = host.env.run("rotate xero --yes");
        let what = format!("{when:?} elsewhere: {elsewhere} {minutes} min: {}", output.stderr);
        let lost = *when == When::After && *minutes > 30;
        assert_eq!(output.code, Some(if lost { 8 } else { 0 }), "{what}");
        site.assert_good(&what, "2");
        if lost {
            assert_eq!(output.stderr.matches("is lost").count(), 1, "{what}");
            assert!(output.stderr.contains("connection of xero/1 is lost"), "{what}");
            assert!(output.stderr.contains("xero login xero/1`"), "{what}");
            assert!(output.stderr.contains("1 of 2 logins refreshed; not xero/1"), "{what}");
        } else {
            site.assert_good(&what, "1");
        }
        assert_eq!(host.unfinished(), 0, "{what}");
    });
}

#[test]
fn a_user_who_disconnected_the_app_is_named_and_nobody_else_is_touched() {
    let site = Site::connected("ssm");
    site.connect("2", "somebody", "Other Ltd");
    let _ = site.env.run("rotate xero --yes").success();
    site.xero.world(|world| world.disconnect(local::CLIENT_ID, "demo"));
    let output = site.env.run("rotate xero --yes");
    assert_eq!(output.code, Some(8), "{}", output.stderr);
    assert!(output.stderr.contains("xero/1 (Acme Ltd)"), "{}", output.stderr);
    assert!(output.stderr.contains("`strongroom -e prod xero login xero/1`"), "{}", output.stderr);
    assert!(!output.stderr.contains("login 2"), "{}", output.stderr);
    site.assert_good("the other one", "2");
    assert_eq!(site.unfinished(), 0);
    // Whoever has no token at all is told so, too.
    site.connect("3", "third", "Third Ltd");
    let _ = site.env.run("delete xero/3/refresh_token --yes").success();
    let output = site.env.run("rotate xero/3 --yes");
    assert_eq!(output.code, Some(8), "{}", output.stderr);
    assert!(output.stderr.contains("xero/3 has no refresh_token"), "{}", output.stderr);
}

#[test]
fn where_xero_is_not_reached_nothing_is_used_up_and_nothing_is_left_open() {
    let site = Site::connected("ssm");
    let manifest = site.env.read("strongroom.toml");
    site.env.write(
        "strongroom.toml",
        manifest.replace(&site.xero.url(local::TOKEN), "http://127.0.0.1:1/connect/token"),
    );
    let output = site.env.run("rotate xero --yes");
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("nothing has changed"), "{}", output.stderr);
    assert_eq!((site.unfinished(), site.xero.count(local::TOKEN)), (0, 0));
    let in_clear = manifest.replace(&site.xero.url(local::TOKEN), "http://identity.example/connect/token");
    site.env.write("strongroom.toml", in_clear);
    let output = site.env.run("rotate xero --yes");
    assert_eq!(output.code, Some(4), "{}", output.stderr);
    site.env.write("strongroom.toml", manifest);
    let _ = site.env.run("rotate xero --yes").success();
    site.assert_good("at last", "1");
}

#[test]
fn who_waits_for_xero_can_be_interrupted_and_says_until_when_the_token_is_taken() {
    let site = Site::connected("ssm");
    site.xero.fault(local::TOKEN, 1..=1, Effect::TooMany(When::After, Some("120"), "minute"));
    let id = Arc::new(OnceLock::new());
    // Its last call before the wait tells home nothing; the one that renews the lease would come much later.
    let interrupt = signal(&id, Signal::INT);
    let told = std::thread::spawn({
        let xero = site.xero.clone();
        move || {
            while xero.count(local::TOKEN) == 0 {
                std::thread::yield_now();
            }
            interrupt();
        }
    });
    let output = site.run_known("rotate xero --yes", &id);
    told.join().unwrap();
    assert_eq!(output.code, Some(7), "{}", output.stderr);
    assert!(output.stderr.contains("`strongroom resume` before "), "{}", output.stderr);
    assert!(output.stderr.contains("xero/1: the token was sent"), "{}", output.stderr);
    assert!(output.stderr.contains("it is taken again until "), "{}", output.stderr);
    assert!(
        !output.stderr.contains("takes it back,") && !output.stderr.contains("`strongroom undo`"),
        "{}",
        output.stderr
    );
    assert_eq!(site.unfinished(), 1);
}

#[test]
fn the_endpoint_is_only_called_by_who_has_the_lease() {
    for home in ["ssm", "secretsmanager", "vault"] {
        let site = Site::connected(home);
        let seen = Arc::new(OnceLock::new());
        // In the middle of the call somebody else wants to do the same.
        let mut second = site.env.command(STRONGROOM);
        second.args(["rotate", "xero", "--yes"]);
        let other = {
            let (seen, second) = (Arc::clone(&seen), Mutex::new(second));
            move || {
                let output = second.lock().unwrap().output().unwrap();
                seen.set((output.status.code(), output.stderr)).unwrap();
            }
        };
        site.xero.fault(local::TOKEN, 1..=1, Effect::Meanwhile(Arc::new(other)));
        let output = site.env.run("rotate xero --yes");
        let (code, told) = seen.get().unwrap();
        let told = String::from_utf8_lossy(told);
        assert_eq!((output.code, *code), (Some(0), Some(9)), "{home}: {}\n{told}", output.stderr);
        assert_eq!(site.xero.count(local::TOKEN), 1, "{home}");
        site.assert_good(home, "1");
    }
}

/// A checkout of the same name has a vault of its own, and what Xero answered for this one has no place there.
#[test]
fn what_another_checkout_was_answered_is_not_stored_in_this_one() {
    let site = Site::connected("vault");
    let (env, id) = (&site.env, Arc::new(OnceLock::new()));
    env.write("elsewhere/strongroom.toml", env.read("strongroom.toml"));
    let vault = std::fs::read(env.path(".strongroom/prod.age")).unwrap();
    env.write("elsewhere/.strongroom/prod.age", vault);
    site.xero.fault(local::TOKEN, 1..=1, Effect::Afterwards(signal(&id, Signal::KILL)));
    assert_eq!(site.run_known("rotate xero/1 --yes", &id).code, None, "it was killed");
    let neighbour = |words: &str| env.run(&format!("-c elsewhere/strongroom.toml {words}"));
    let _ = neighbour("rotate xero/1 --yes").success();
    assert_eq!(site.unfinished(), 1, "it has an operation of its own");
    assert_eq!(site.xero.count(local::TOKEN), 2);
}

/// Each ask is a step of the run, and there may be as many as half an hour holds.
#[test]
fn an_endpoint_that_answers_late_is_asked_for_as_long_as_it_takes_the_token() {
    let mut site = Site::connected("ssm");
    site.env.set("STRONGROOM_POLL_INTERVAL_MS", "50");
    site.xero.fault(local::TOKEN, 1..=80, Effect::Page(When::Before, 503));
    let output = site.env.run("rotate xero --yes");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(site.xero.count(local::TOKEN), 81);
    site.assert_good("late", "1");
}

#[test]
fn home_that_cannot_be_written_to_is_found_before_anything_is_sent() {
    // The first put is the lease, the second the time as it is, the third the intent.
    for put in 2..=3 {
        let site = Site::connected("ssm");
        site.cloud.fault("ssm:PutParameter", put..=put, cloud::Effect::Deny);
        let output = site.env.run("rotate xero --yes");
        assert_eq!(output.code, Some(5), "{}", output.stderr);
        assert!(output.stderr.contains("nothing was sent"), "{}", output.stderr);
        assert_eq!((site.xero.count(local::TOKEN), site.unfinished()), (0, 0));
        let _ = site.env.run("rotate xero --yes").success();
        site.assert_good("healed", "1");
    }
}

/// Whatever was put in the token's place: the one from before is taken again for half an hour, and was never used.
#[test]
fn a_token_that_somebody_has_overwritten_is_found_in_homes_history() {
    let site = Site::connected("ssm");
    site.put("1", "refresh_token", "not-a-token");
    let output = site.env.run("rotate xero --yes");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    site.assert_good("from the history", "1");
    assert_eq!(site.xero.count(local::TOKEN), 2);
}

#[test]
fn what_is_rotated_is_rotated_under_the_printed_policy_and_not_taken_back() {
    for home in ["ssm", "secretsmanager"] {
        let mut site = Site::connected(home);
        policy::become_bearer(&site.cloud, &mut site.env, "prod", "rotator");
        let output = site.env.run("rotate xero --yes");
        assert_eq!(output.code, Some(0), "{home}: {}", output.stderr);
        let after = site.tokens("1");
        let listed: serde_json::Value =
            serde_json::from_str(&site.env.run("operations --json").success()).unwrap();
        let newest = listed["operations"].as_array().unwrap().last().unwrap();
        let id = newest["id"].as_str().unwrap().to_owned();
        let undo = site.env.run(&format!("undo {id} --yes"));
        assert!(undo.stderr.contains("cannot be taken back"), "{home}: {:?} {}", undo.code, undo.stderr);
        assert_eq!(site.tokens("1"), after);
    }
}

/// Homes that keep all of an instance in one document, or on this host.
#[test]
fn other_homes_get_over_a_death_in_the_call_and_over_an_app_that_refreshes_too() {
    let cases: Vec<(&'static str, Siblings, usize)> = ["secretsmanager", "vault"]
        .into_iter()
        .flat_map(|home| [Siblings::Valid, Siblings::LastOnly].map(|mode| (home, mode)))
        .flat_map(|(home, mode)| [0, 1, 2].map(|case| (home, mode, case)))
        .collect();
    each(&cases, |(home, siblings, case)| {
        let site = Site::connected(home);
        site.xero.world(|world| world.behaviour.siblings = *siblings);
        let what = format!("{home} {siblings:?} {case}");
        if *case == 0 {
            let id = Arc::new(OnceLock::new());
            site.xero.fault(local::TOKEN, 1..=1, Effect::Afterwards(signal(&id, Signal::KILL)));
            assert_eq!(site.run_known("rotate xero --yes", &id).code, None, "{what}");
            site.lease_ends();
            let output = site.env.run("resume --yes");
            assert_eq!(output.code, Some(0), "{what}: {}", output.stderr);
            site.assert_good(&what, "1");
            return;
        }
        let first = site.tokens("1").refresh;
        let app = site.app(move |app| {
            let tokens = app.refreshes(&first).unwrap();
            app.store("1", &tokens);
        });
        site.xero.fault(
            local::TOKEN,
            1..=1,
            if *case == 1 { Effect::Meanwhile(app) } else { Effect::Afterwards(app) },
        );
        let output = site.env.run("rotate xero --yes");
        assert_eq!(output.code, Some(0), "{what}: {}", output.stderr);
        site.assert_good(&what, "1");
        assert_eq!(site.unfinished(), 0, "{what}");
    });
}
