//! Refreshes that nobody can go on with, or need not: they are forgotten, what is given up is said, and nothing is kept
//! waiting by them.

use super::site::{Site, signal};
use crate::support::cloud::Effect as Fault;
use crate::support::env::Output;
use crate::support::xero::{self as local, Effect};
use rustix::process::Signal;
use std::sync::{Arc, OnceLock};

/// Where a run stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Home knows the intent.
    Intent,
    /// Xero has answered, and nobody has the answer.
    Call,
    /// The answer is kept, and not stored.
    Answer,
    /// Home has its refresh token.
    Token,
}

fn stopped(at: At) -> Site {
    let site = Site::connected("ssm");
    site.connect("2", "somebody", "Other Ltd");
    let id = Arc::new(OnceLock::new());
    let kill = signal(&id, Signal::KILL);
    // Puts: 1 the lease, 2 the time as it is, 3 the intent, 4 the answer, 5 the refresh token.
    let put =
        |number: usize| site.cloud.fault("ssm:PutParameter", number..=number, Fault::KillAfter(kill.clone()));
    match at {
        At::Intent => put(3),
        At::Call => site.xero.fault(local::TOKEN, 1..=1, Effect::Afterwards(kill.clone())),
        At::Answer => put(4),
        At::Token => put(5),
    }
    site.is_killed("rotate xero/1 --yes", &id);
    assert_eq!(site.unfinished(), 1);
    site
}

fn said(output: &Output, text: &str) {
    assert!(output.stderr.contains(text) || output.stdout.contains(text), "{text}: {output:?}");
}

#[test]
fn what_can_still_be_saved_is_not_forgotten() {
    for at in [At::Call, At::Answer, At::Token] {
        let site = stopped(at);
        let output = site.env.run("undo --yes");
        assert_eq!(output.code, Some(7), "{at:?}: {}", output.stderr);
        said(&output, "strongroom resume");
        let output = site.env.run("resume --yes");
        assert_eq!(output.code, Some(0), "{at:?}: {}", output.stderr);
        site.assert_good("afterwards", "1");
    }
}

#[test]
fn a_refresh_that_sent_nothing_is_taken_back_and_home_is_told() {
    let site = stopped(At::Intent);
    assert!(site.record("1").unwrap().contains("\"first\":"));
    let output = site.env.run("undo --dry-run");
    said(&output, "dry run");
    assert_eq!(site.unfinished(), 1);
    let output = site.env.run("undo --yes");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    said(&output, "no token was used up");
    assert!(site.record("1").unwrap().contains("\"open\":null"));
    assert_eq!((site.unfinished(), site.xero.count(local::TOKEN)), (0, 0));
    let _ = site.env.run("rotate xero --yes").success();
    site.assert_good("afterwards", "1");
}

#[test]
fn a_refresh_whose_instance_was_deleted_says_what_is_given_up_and_is_in_nobodys_way() {
    for (at, given_up) in [
        (At::Intent, "no token was used up"),
        (At::Call, "whether its token was used up is not known"),
        (At::Answer, "the only token that Xero takes"),
        (At::Token, "the only token that Xero takes"),
    ] {
        let site = stopped(at);
        site.delete_first();
        let output = site.env.run("resume --yes");
        assert_eq!(output.code, Some(1), "{at:?}: {}", output.stderr);
        said(&output, "`strongroom undo 2");
        let output = site.env.run("undo --yes");
        assert_eq!(output.code, Some(0), "{at:?}: {}", output.stderr);
        said(&output, given_up);
        assert!(site.record("1").unwrap().contains("\"open\":null"), "{at:?}");
        assert_eq!(site.unfinished(), 0, "{at:?}");
        let output = site.env.run_with_stdin("set xero/1/refresh_token --yes", "canary-of-another-login");
        assert_eq!(output.code, Some(0), "{at:?}: {}", output.stderr);
        let _ = site.env.run("rotate xero/2 --yes").success();
        site.assert_good("the other one", "2");
    }
}

#[test]
fn a_refresh_whose_rotation_is_declared_no_more_keeps_its_answer_until_it_is_declared_again() {
    for (at, has) in [(At::Intent, false), (At::Call, true), (At::Answer, true)] {
        let site = stopped(at);
        let text = site.env.read("strongroom.toml");
        site.env.write("strongroom.toml", text.split("[rotate.xero]").next().unwrap());
        let output = site.env.run("undo --yes");
        if has {
            assert_eq!(output.code, Some(4), "{at:?}: {}", output.stderr);
            said(&output, "declare `[rotate.xero]` again");
            site.env.write("strongroom.toml", text);
            let _ = site.env.run("resume --yes").success();
            site.assert_good("declared again", "1");
        } else {
            assert_eq!(output.code, Some(0), "{at:?}: {}", output.stderr);
            said(&output, "no token was used up");
        }
        assert_eq!(site.unfinished(), 0, "{at:?}");
    }
}

#[test]
fn what_went_on_while_it_was_asked_is_not_forgotten() {
    for finishes in [true, false] {
        let site = stopped(At::Intent);
        let mut undo = site.env.terminal("undo");
        undo.expect("no token was used up");
        undo.expect("Forget");
        if !finishes {
            // Home takes the answer, and no token.
            site.cloud.fault("ssm:PutParameter", 4..=200, Fault::Deny);
        }
        let other = site.env.run("rotate xero/1 --yes");
        assert_eq!(other.code, Some(if finishes { 0 } else { 7 }), "{}", other.stderr);
        site.cloud.heal();
        site.lease_ends();
        let asked = site.xero.count(local::TOKEN);
        undo.type_line("y");
        let (shown, code) = undo.end();
        assert_eq!(code, Some(6), "{shown}");
        assert!(shown.contains("went on while it was asked"), "{shown}");
        assert_eq!(site.unfinished(), usize::from(!finishes), "{shown}");
        let _ = site.env.run("resume --yes").success();
        site.assert_good("afterwards", "1");
        assert_eq!(site.xero.count(local::TOKEN), asked, "its answer was kept");
    }
}

#[test]
fn a_token_that_is_stored_while_a_refresh_is_open_is_taken_over_by_it() {
    let site = stopped(At::Call);
    let (access, refresh) = site.xero.login("demo", &["Acme Ltd"]);
    for (key, value) in [("refresh_token", &refresh), ("access_token", &access)] {
        let output = site.env.run_with_stdin(&format!("set xero/1/{key} --yes"), value);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
    }
    let output = site.env.run("resume --yes");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let held = site.tokens("1").refresh;
    assert_eq!(site.xero.standing(&held), local::Standing::Live);
    assert_eq!(site.unfinished(), 0);
}
