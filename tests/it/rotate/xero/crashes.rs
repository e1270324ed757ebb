//! A process that is killed, refused or left without an answer at any of its calls: whoever comes next, here or on another
//! host, ends with a pair that is good.

use super::site::{Site, each, signal};
use crate::support::cloud::{Call, Effect};
use crate::support::xero::{self as local, Siblings, Standing};
use jiff::SignedDuration;
use rustix::process::Signal;
use std::sync::{Arc, OnceLock};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    KillBefore,
    KillAfter,
    LoseReply,
    Reset,
    Deny,
    Throttle,
    Internal,
    InternalAfter,
}

const ALL: [How; 8] = [
    How::KillBefore,
    How::KillAfter,
    How::LoseReply,
    How::Reset,
    How::Deny,
    How::Throttle,
    How::Internal,
    How::InternalAfter,
];

const LOOKS: [How; 3] = [How::KillBefore, How::Reset, How::Deny];

#[test]
fn after_a_fault_at_any_call_to_home_the_next_run_ends_with_a_good_pair() {
    let calls = {
        let site = Site::connected("ssm");
        site.cloud.reset_calls();
        let _ = site.env.run("rotate xero --yes").success();
        site.cloud.calls().iter().map(Call::name).collect::<Vec<_>>()
    };
    assert!(calls.len() > 12, "{calls:?}");
    let mut cases = Vec::new();
    for at in 1..=calls.len() {
        // What only looks can be lost or refused in fewer ways: each call meets one of them.
        let looks = !calls[at - 1].contains("Put");
        let met: Vec<How> = if looks { vec![LOOKS[at % LOOKS.len()]] } else { ALL.to_vec() };
        for (index, how) in met.into_iter().enumerate() {
            // Each fault meets both ways that Xero may be and both hosts, over its calls.
            let siblings = if (at + index) % 2 == 0 { Siblings::Valid } else { Siblings::LastOnly };
            cases.push((at, how, siblings, (at / 2 + index) % 2 == 0));
        }
    }
    each(&cases, |(at, how, siblings, elsewhere)| {
        let site = Site::connected("ssm");
        site.xero.world(|world| world.behaviour.siblings = *siblings);
        let id = Arc::new(OnceLock::new());
        site.cloud.fault(
            "*",
            *at..=*at,
            match how {
                How::KillBefore => Effect::KillBefore(signal(&id, Signal::KILL)),
                How::KillAfter => Effect::KillAfter(signal(&id, Signal::KILL)),
                How::LoseReply => Effect::LoseReply,
                How::Reset => Effect::Reset,
                How::Deny => Effect::Deny,
                How::Throttle => Effect::Throttle,
                How::Internal => Effect::Internal,
                How::InternalAfter => Effect::InternalAfter,
            },
        );
        let first = site.run_known("rotate xero --yes", &id);
        site.cloud.heal();
        site.lease_ends();
        let what = format!("{how:?} at {} {at} {siblings:?}, elsewhere: {elsewhere}", calls[at - 1]);
        let what = format!("{what}\n{:?} {}", first.code, first.stderr);
        // Some holder has a refresh token that leads on, at every moment.
        let held = site.tokens("1").refresh;
        assert_ne!(site.xero.standing(&held), Standing::Dead, "{what}");
        let other = site.elsewhere();
        let host = if *elsewhere { &other } else { &site };
        let asked = site.xero.count(local::TOKEN);
        let open = host.unfinished();
        let next = host.env.run(if open > 0 { "resume --yes" } else { "rotate xero --yes" });
        let what = format!("{what}\nthen {:?} {}", next.code, next.stderr);
        assert_eq!(next.code, Some(0), "{what}");
        site.assert_good(&what, "1");
        assert!(site.xero.count(local::TOKEN) <= asked + 1, "{what}");
        assert_eq!(host.unfinished(), 0, "{what}");
        assert!(site.record("1").is_none_or(|text| text.contains("\"open\":null")), "{what}");
        if *elsewhere {
            // And the first host comes back.
            let again = site.env.run("resume --yes");
            assert_eq!(again.code, Some(0), "{what}\nagain {}", again.stderr);
            site.assert_good(&what, "1");
        }
    });
}

/// The answer came, and home takes nothing any more.
#[test]
fn an_answer_that_home_did_not_take_is_stored_by_this_host_or_by_another() {
    // Puts: 1 the lease, 2 the time put back, 3 the intent, 4 the answer, 5 the refresh token, 6 the access token, 7 the time.
    for from in 4..=7 {
        for elsewhere in [false, true] {
            let site = Site::connected("ssm");
            site.cloud.fault("ssm:PutParameter", from..=200, Effect::Deny);
            let output = site.env.run("rotate xero --yes");
            let what = format!("from put {from}, elsewhere: {elsewhere}: {}", output.stderr);
            assert_eq!(output.code, Some(7), "{what}");
            assert!(output.stderr.contains("strongroom resume"), "{what}");
            site.cloud.heal();
            site.lease_ends();
            let other = site.elsewhere();
            let next = match elsewhere {
                true => other.env.run("rotate xero --yes"),
                false => site.env.run("resume --yes"),
            };
            assert_eq!(next.code, Some(0), "{what}\n{}", next.stderr);
            site.assert_good(&what, "1");
            // Only who has neither the journal nor the answer asks again.
            let asked = if elsewhere && from == 4 { 2 } else { 1 };
            assert_eq!(site.xero.count(local::TOKEN), asked, "{what}\n{}", next.stderr);
        }
    }
}

/// The app has refreshed too and died while it stored its pair, or has not stored all of it yet.
#[test]
fn an_answer_that_another_host_finds_never_takes_the_place_of_a_later_pair_that_is_half_stored() {
    let mut cases = Vec::new();
    for siblings in [Siblings::Valid, Siblings::LastOnly] {
        for parts in 1..=3 {
            for (later, apart) in [(true, 0), (true, 5), (false, 0), (false, 5)] {
                cases.push((siblings, parts, later, apart));
            }
        }
    }
    each(&cases, |(siblings, parts, later, apart)| {
        let site = Site::connected("ssm");
        site.xero.world(|world| world.behaviour.siblings = *siblings);
        let old = site.tokens("1").refresh;
        let apart = SignedDuration::from_secs(*apart);
        let mut theirs = None;
        if !later {
            theirs = site.app_refreshes(&old);
            site.xero.advance(apart);
        }
        let id = Arc::new(OnceLock::new());
        // With the answer in home's record, and none of it stored.
        site.cloud.fault("ssm:PutParameter", 5..=5, Effect::KillBefore(signal(&id, Signal::KILL)));
        assert_eq!(site.run_known("rotate xero --yes", &id).code, None);
        site.cloud.heal();
        site.lease_ends();
        if *later {
            site.xero.advance(apart);
            theirs = site.app_refreshes(&old);
        }
        let theirs = theirs.unwrap();
        let values = [
            ("refresh_token", &theirs.refresh),
            ("access_token", &theirs.access),
            ("token_expires_at", &theirs.expires),
        ];
        for (key, value) in &values[..*parts] {
            site.put("1", key, value);
        }
        let output = site.elsewhere().env.run("rotate xero --yes");
        let what = format!("{siblings:?} {parts} later: {later} {apart:?}: {}", output.stderr);
        assert_eq!(output.code, Some(0), "{what}");
        let held = site.tokens("1");
        assert_eq!(site.xero.standing(&held.refresh), Standing::Live, "{what}\n{:#?}", site.story());
        assert!(site.xero.world(|world| world.bearer(&held.access)).is_some(), "{what}");
        assert!(site.record("1").is_none_or(|text| text.contains("\"open\":null")), "{what}");
    });
}

#[test]
fn instances_of_one_login_are_all_written_in_the_end() {
    // Puts: 1 the lease, 2 and 3 the times put back, 4 the intent, 5 the answer, then two of each, and the end.
    let cases: Vec<(usize, bool)> = (2..=12).map(|put| (put, put % 2 == 0)).collect();
    each(&cases, |(put, elsewhere)| {
        let site = Site::connected("ssm");
        let tokens = site.connect("2", "demo", "Beta Ltd");
        site.store("1", &tokens);
        let id = Arc::new(OnceLock::new());
        let kill = Effect::KillAfter(signal(&id, Signal::KILL));
        site.cloud.fault("ssm:PutParameter", *put..=*put, kill);
        assert_eq!(site.run_known("rotate xero --yes", &id).code, None);
        site.lease_ends();
        let other = site.elsewhere();
        let next = match elsewhere {
            true => other.env.run("rotate xero --yes"),
            false => site.env.run("resume --yes"),
        };
        let what = format!("put {put} elsewhere: {elsewhere}: {}", next.stderr);
        assert_eq!(next.code, Some(0), "{what}");
        site.assert_good(&what, "1");
        assert_eq!(site.tokens("1"), site.tokens("2"), "{what}");
        assert!(site.xero.count(local::TOKEN) <= 2, "{what}");
    });
}

#[test]
fn a_token_that_is_too_long_for_home_leaves_the_refresh_token_stored() {
    let site = Site::connected("ssm");
    site.xero.world(|world| world.behaviour.big_tokens = true);
    let before = site.tokens("1");
    let output = site.env.run("rotate xero --yes");
    assert_eq!(output.code, Some(7), "{}", output.stderr);
    assert!(output.stderr.contains("parameter_tier"), "{}", output.stderr);
    let now = site.tokens("1");
    assert_eq!((&now.access, &now.expires), (&before.access, &before.expires));
    assert_eq!(site.xero.standing(&now.refresh), Standing::Live);
    let manifest = site.env.read("strongroom.toml");
    let larger = manifest.replace("home = \"ssm\"", "home = \"ssm\"\nparameter_tier = \"intelligent\"");
    site.env.write("strongroom.toml", larger);
    let _ = site.env.run("resume --yes").success();
    site.assert_good("with a larger tier", "1");
    assert_eq!(site.xero.count(local::TOKEN), 1);
}
