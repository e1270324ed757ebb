//! Tokens that an environment of Beanstalk gets too: whatever a run dies in, the next one leaves it with those of home.

use super::site::{Site, Tokens, each, signal};
use crate::support::cloud::beanstalk::handles::Seed;
use crate::support::cloud::{Call, Effect};
use crate::support::xero as local;
use rustix::process::Signal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

const WEB: &str = "dev-app-prod";

/// A connection whose tokens a copy has.
fn site(secrets: &str) -> Site {
    let site = Site::connected("ssm");
    site.cloud.world(|world| {
        world.beanstalk.add(Seed::new("dev-app", WEB, crate::aws::DOCKER), jiff::Timestamp::now());
    });
    let copy = format!(
        "[environments.prod.copies.web]\nkind = \"beanstalk\"\napplication = \"dev-app\"\nenvironment = \"{WEB}\"\n\
         groups = [\"xero\"]\nsecrets = \"{secrets}\"\n\n[groups.xero]\nenv = \"XERO_{{instance}}_{{key}}\""
    );
    let text = site.env.read("strongroom.toml");
    site.env.write("strongroom.toml", text.replace("[groups.xero]", &copy));
    site.env.run("sync --yes").success();
    assert_eq!(deployed(&site), site.tokens("1"));
    site.cloud.reset_calls();
    site
}

/// What the containers have.
fn deployed(site: &Site) -> Tokens {
    let seen = site.cloud.world(|world| world.beanstalk.container_environment(WEB).clone());
    let get = |key: &str| seen.get(&format!("XERO_1_{key}")).cloned().unwrap_or_default();
    Tokens { refresh: get("refresh_token"), access: get("access_token"), expires: get("token_expires_at") }
}

#[test]
fn a_copy_that_a_killed_run_left_behind_is_brought_along_by_the_next_one() {
    for secrets in ["value", "reference"] {
        let calls = {
            let site = site(secrets);
            let _ = site.env.run("rotate xero --yes").success();
            assert_eq!(deployed(&site), site.tokens("1"), "{secrets}");
            site.cloud.calls().iter().map(Call::name).collect::<Vec<_>>()
        };
        let updates = calls.iter().filter(|call| call.contains("UpdateEnvironment")).count();
        assert_eq!(updates, 1, "{calls:?}");
        let last = calls.iter().rposition(|call| call.contains("UpdateEnvironment")).unwrap() + 1;
        // From the answer on: before it there is nothing to bring along.
        let puts = calls.iter().enumerate().filter(|(_, call)| call.contains("PutParameter"));
        let first = puts.map(|(at, _)| at + 1).nth(4).unwrap();
        let cases: Vec<(usize, bool, bool)> =
            (first..=last + 2).flat_map(|at| [(at, false, at % 2 == 0), (at, true, at % 2 == 1)]).collect();
        each(&cases, |(at, after, resumes)| {
            let site = site(secrets);
            let id = Arc::new(OnceLock::new());
            let kill = signal(&id, Signal::KILL);
            let effect = if *after { Effect::KillAfter(kill) } else { Effect::KillBefore(kill) };
            site.cloud.fault("*", *at..=*at, effect);
            let first = site.run_known("rotate xero --yes", &id);
            site.cloud.heal();
            site.lease_ends();
            let next = site.env.run(if *resumes { "resume --yes" } else { "rotate xero --yes" });
            let what = format!(
                "{secrets}: after: {after}, {} {at}\n{:?} {}\nthen {:?} {}",
                calls[at - 1],
                first.code,
                first.stderr,
                next.code,
                next.stderr
            );
            assert_eq!(next.code, Some(0), "{what}");
            site.assert_good(&what, "1");
            assert_eq!(deployed(&site), site.tokens("1"), "{what}");
            assert_eq!((site.unfinished(), site.xero.count(local::TOKEN)), (0, 1), "{what}");
        });
    }
}

#[test]
fn what_somebody_put_into_a_copy_meanwhile_is_neither_overwritten_nor_passed_over() {
    let site = site("value");
    let id = Arc::new(OnceLock::new());
    let kill = Effect::KillBefore(signal(&id, Signal::KILL));
    site.cloud.fault("elasticbeanstalk:UpdateEnvironment", 1..=1, kill);
    let _ = site.run_known("rotate xero --yes", &id);
    site.cloud.heal();
    site.lease_ends();
    let theirs = [("XERO_1_access_token", Some("canary-by-hand"))];
    site.cloud.world(|world| world.deploy_elsewhere(WEB, &theirs));
    let next = site.env.run("resume --yes");
    assert_eq!(next.code, Some(6), "{}", next.stderr);
    assert!(next.stderr.contains("web xero/1/access_token"), "{}", next.stderr);
    site.assert_good("home", "1");
}

#[test]
fn an_app_that_refreshes_while_home_is_written_to_makes_no_conflict_of_what_a_copy_has_from_before() {
    // Puts: 1 the lease, 2 the time put back, 3 the intent, 4 the answer, then the three values.
    let puts = (5..=7).flat_map(|put| [(put, true), (put, false)]);
    let cases: Vec<_> = puts.flat_map(|(put, after)| [(put, after, true), (put, after, false)]).collect();
    each(&cases, |(put, after, torn)| {
        let site = site("value");
        let first = site.tokens("1");
        let app = {
            let (site, torn, once) = (site.elsewhere(), *torn, AtomicBool::new(false));
            Arc::new(move || {
                if !once.swap(true, Ordering::Relaxed) {
                    let tokens = site.app_refreshes(&first.refresh).unwrap();
                    match torn {
                        true => site.put("1", "refresh_token", &tokens.refresh),
                        false => site.store("1", &tokens),
                    }
                }
            })
        };
        let effect = if *after { Effect::Afterwards(app) } else { Effect::Meanwhile(app) };
        site.cloud.fault("ssm:PutParameter", *put..=*put, effect);
        let output = site.env.run("rotate xero --yes");
        let what = format!("put {put} after: {after} torn: {torn}: {}", output.stderr);
        assert_eq!((output.code, site.unfinished()), (Some(0), 0), "{what}");
        let sync = site.env.run("sync --yes");
        assert_eq!(sync.code, Some(0), "{what}\n{}", sync.stderr);
        assert_eq!(deployed(&site), site.tokens("1"), "{what}");
    });
}
