//! The app refreshes too, without our lease, and two hosts of ours at once: the pair that was given last stands at the end.

use super::site::{RECORD, Site, each};
use crate::support::cloud::Effect as AwsEffect;
use crate::support::xero::{self as local, Effect, Siblings, Standing, When};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// When the app refreshes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Between our look at home and our call.
    BeforeTheCall,
    /// After Xero has given us a pair, before we have it.
    AfterTheCall,
    /// The same, and our answer is lost.
    AnswerLost,
    /// Before ours, and our answer is lost.
    BeforeALostAnswer,
    /// Just before one of our writes: the time put back, the intent, the answer, the refresh token, the access token, the
    /// time, the end.
    BeforePut(usize),
    /// Just after one.
    AfterPut(usize),
}

fn moments() -> Vec<Moment> {
    let mut all =
        vec![Moment::BeforeTheCall, Moment::AfterTheCall, Moment::AnswerLost, Moment::BeforeALostAnswer];
    all.extend((2..=8).flat_map(|put| [Moment::BeforePut(put), Moment::AfterPut(put)]));
    all
}

#[test]
fn the_app_may_refresh_at_any_moment() {
    let mut cases = Vec::new();
    for siblings in [Siblings::Valid, Siblings::LastOnly] {
        for moment in moments() {
            for torn in [false, true] {
                cases.push((siblings, moment, torn));
            }
        }
    }
    each(&cases, |(siblings, moment, torn)| {
        let site = Site::connected("ssm");
        site.xero.world(|world| world.behaviour.siblings = *siblings);
        let first = site.tokens("1");
        let app = {
            let (site, torn, once) = (site.elsewhere(), *torn, AtomicBool::new(false));
            Arc::new(move || {
                if !once.swap(true, Ordering::Relaxed) {
                    // It uses what it read a while ago; that is stored in parts where it dies in between.
                    if let Some(tokens) = site.app_refreshes(&first.refresh) {
                        match torn {
                            true => site.put("1", "refresh_token", &tokens.refresh),
                            false => site.store("1", &tokens),
                        }
                    }
                }
            })
        };
        match *moment {
            Moment::BeforeTheCall => site.xero.fault(local::TOKEN, 1..=1, Effect::Meanwhile(app)),
            Moment::AfterTheCall => site.xero.fault(local::TOKEN, 1..=1, Effect::Afterwards(app)),
            Moment::AnswerLost => {
                site.xero.fault(local::TOKEN, 1..=1, Effect::Afterwards(app));
                site.xero.fault(local::TOKEN, 1..=1, Effect::Drop(When::After));
            }
            Moment::BeforeALostAnswer => {
                site.xero.fault(local::TOKEN, 1..=1, Effect::Meanwhile(app));
                site.xero.fault(local::TOKEN, 1..=1, Effect::Drop(When::After));
            }
            Moment::BeforePut(put) => {
                site.cloud.fault("ssm:PutParameter", put..=put, AwsEffect::Meanwhile(app));
            }
            Moment::AfterPut(put) => {
                site.cloud.fault("ssm:PutParameter", put..=put, AwsEffect::Afterwards(app));
            }
        }
        let output = site.env.run("rotate xero --yes");
        let what = format!("{siblings:?} {moment:?} torn: {torn}: {}", output.stderr);
        assert_eq!(output.code, Some(0), "{what}");
        let held = site.tokens("1");
        assert_eq!(site.xero.standing(&held.refresh), Standing::Live, "{what}\n{:#?}", site.story());
        if !torn {
            assert!(site.xero.world(|world| world.bearer(&held.access)).is_some(), "{what}");
        }
        assert_eq!(site.unfinished(), 0, "{what}");
    });
}

#[test]
fn of_two_hosts_at_once_one_refreshes_and_the_other_is_told_or_comes_later() {
    let rounds: Vec<usize> = (0..6).collect();
    each(&rounds, |round| {
        let site = Site::connected("ssm");
        site.xero.world(|world| {
            world.behaviour.siblings = if round % 2 == 0 { Siblings::Valid } else { Siblings::LastOnly };
        });
        let other = site.elsewhere();
        let (one, two) = std::thread::scope(|scope| {
            let one = scope.spawn(|| site.env.run("rotate xero --yes"));
            let two = scope.spawn(|| other.env.run("rotate xero --yes"));
            (one.join().unwrap(), two.join().unwrap())
        });
        let codes = [one.code, two.code];
        let what = format!("{codes:?}\n{}\n{}", one.stderr, two.stderr);
        assert!(codes.contains(&Some(0)), "{what}");
        assert!(codes.iter().all(|code| [Some(0), Some(9)].contains(code)), "{what}");
        assert_eq!(site.xero.count(local::TOKEN), codes.iter().filter(|code| **code == Some(0)).count());
        site.assert_good(&what, "1");
    });
}

#[test]
fn instances_of_one_user_are_refreshed_once_and_all_of_them_written() {
    let site = Site::connected("ssm");
    let second = site.connect("2", "demo", "Beta Ltd");
    site.store("1", &second);
    site.connect("3", "somebody", "Other Ltd");
    let output = site.env.run("rotate xero/2 --yes");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("instances 1 and 2 share one Xero login"), "{}", output.stderr);
    assert_eq!(site.xero.count(local::TOKEN), 1);
    site.assert_good("shared", "1");
    assert_eq!(site.tokens("1"), site.tokens("2"));
    // The app writes only the one that it works with: they are one login all the same, by the user.
    let tokens = site.app_refreshes(&site.tokens("1").refresh).unwrap();
    site.store("1", &tokens);
    let output = site.env.run("rotate xero --yes");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(site.xero.count(local::TOKEN), 4, "two logins, and the app's own call");
    site.assert_good("shared again", "2");
    assert_eq!(site.tokens("1"), site.tokens("2"));
    site.assert_good("the other login", "3");
}

#[test]
fn only_what_is_about_to_end_or_old_enough_is_refreshed_where_that_is_asked_for() {
    let site = Site::connected("ssm");
    let _ = site.env.run("rotate xero --yes").success();
    let output = site.env.run("rotate xero --if-expiring 10m --yes");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("nothing to do, good until"), "{}", output.stderr);
    let _ = site.env.run("rotate xero --if-older 7d --yes").success();
    let quiet = site.env.run("rotate --due --yes --quiet");
    assert_eq!((quiet.code, quiet.stderr.as_str()), (Some(0), ""));
    assert_eq!(site.xero.count(local::TOKEN), 1);
    let _ = site.env.run("rotate xero --if-expiring 31m --yes").success();
    assert_eq!(site.xero.count(local::TOKEN), 2);
    // A week later it is kept alive; near the end of its 60 days that is said.
    site.cloud.world(|world| world.ssm.age("/dev-app/xero/1/refresh_token", 50 * 24 * 3600));
    let output = site.env.run("rotate xero --dry-run");
    assert!(output.stderr.contains("was not renewed for 50 days and ends in 9 days"), "{}", output.stderr);
    let _ = site.env.run("rotate --due --yes").success();
    assert_eq!(site.xero.count(local::TOKEN), 3);
    site.assert_good("kept alive", "1");
    // Who never logged in is no reason for a bad night, but is one where he is asked for.
    site.put("2", "client_id", local::CLIENT_ID);
    for (words, code) in [("rotate --due --yes", 0), ("rotate xero --if-expiring 10m --yes", 0)] {
        assert_eq!(site.env.run(words).code, Some(code), "{words}");
    }
    assert_eq!(site.env.run("rotate xero --yes").code, Some(8));
}

#[test]
fn an_organisation_that_is_not_connected_any_more_is_told_with_those_that_are() {
    let site = Site::connected("ssm");
    site.put("1", "tenant_id", "00000000-0000-0000-0000-000000000000");
    let output = site.env.run("rotate xero --yes");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("tenant_id is not among"), "{}", output.stderr);
    assert!(output.stderr.contains("(Acme Ltd)"), "{}", output.stderr);
    assert_eq!(site.get("1", "tenant_id"), "00000000-0000-0000-0000-000000000000");
    site.assert_good("all the same", "1");
    assert!(site.cloud.world(|world| world.ssm.past(&format!("{RECORD}/1"))).len() == 3);
}
