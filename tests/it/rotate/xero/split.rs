//! A login whose first instance is deleted, or gets another user, while a refresh of it is open.

use super::site::{RECORD, Site, signal};
use crate::support::cloud::Effect as Fault;
use crate::support::cloud::ssm::Seed;
use crate::support::xero::{self as local, Effect, Standing, When};
use rustix::process::Signal;
use std::sync::{Arc, OnceLock};

/// Two instances of one login, and a refresh that was killed with its answer kept, or in its call.
fn stopped(answered: bool) -> Site {
    let site = Site::connected("ssm");
    let shared = site.connect("2", "demo", "Beta Ltd");
    site.store("1", &shared);
    let id = Arc::new(OnceLock::new());
    let kill = signal(&id, Signal::KILL);
    match answered {
        // Puts: 1 the lease, 2 and 3 the times put back, 4 the intent, 5 the answer.
        true => site.cloud.fault("ssm:PutParameter", 5..=5, Fault::KillAfter(kill)),
        false => site.xero.fault(local::TOKEN, 1..=1, Effect::Afterwards(kill)),
    }
    site.is_killed("rotate xero/1 --yes", &id);
    assert_eq!(site.unfinished(), 1);
    site
}

#[test]
fn the_others_go_on_with_it_here() {
    for words in ["resume --yes", "rotate xero/2 --yes", "rotate xero --yes"] {
        for deleted in [true, false] {
            let site = stopped(true);
            match deleted {
                true => site.delete_first(),
                false => drop(site.connect("1", "somebody", "Other Ltd")),
            }
            let theirs = (!deleted).then(|| site.tokens("1").refresh);
            let output = site.env.run(words);
            let what = format!("{words}, deleted: {deleted}: {}", output.stderr);
            // Who asks for all is told of the one that has none.
            let missing = deleted && words == "rotate xero --yes";
            assert_eq!(output.code, Some(if missing { 8 } else { 0 }), "{what}");
            site.assert_good(&what, "2");
            let others = !deleted && words == "rotate xero --yes";
            assert_eq!(site.xero.count(local::TOKEN), 1 + usize::from(others), "{what}");
            assert_eq!(site.unfinished(), 0, "{what}");
            if let Some(theirs) = theirs.filter(|_| !others) {
                assert_eq!(site.tokens("1").refresh, theirs, "{what}");
            }
        }
    }
}

#[test]
fn an_answer_in_the_record_of_the_first_one_is_handed_over_before_that_is_used_for_another_login() {
    let site = stopped(true);
    site.connect("1", "somebody", "Other Ltd");
    let other = site.elsewhere();
    let _ = other.env.run("rotate xero/1 --yes").success();
    assert_eq!(site.xero.count(local::TOKEN), 2);
    let output = other.env.run("rotate xero/2 --yes");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    site.assert_good("with the answer that the first host was given", "2");
    site.assert_good("the other login", "1");
    assert_eq!(site.xero.count(local::TOKEN), 2);
}

#[test]
fn what_a_person_has_to_set_right_is_named_of_an_instance_that_is_of_it_still() {
    let site = stopped(false);
    site.connect("1", "somebody", "Other Ltd");
    site.put("2", "client_secret", "wrong");
    let output = site.env.run("resume --yes");
    assert_eq!(output.code, Some(8), "{}", output.stderr);
    assert!(output.stderr.contains("strongroom set xero/2/client_secret"), "{}", output.stderr);
    site.put("2", "client_secret", local::CLIENT_SECRET);
    let _ = site.env.run("resume --yes").success();
    site.assert_good("afterwards", "2");
}

/// The first host was killed in its call, and so is the second one once home knows of its own intent.
#[test]
fn a_token_that_another_host_may_have_used_up_stays_in_doubt_whoever_dies_next() {
    let site = Site::connected("ssm");
    let id = Arc::new(OnceLock::new());
    site.xero.fault(local::TOKEN, 1..=1, Effect::Afterwards(signal(&id, Signal::KILL)));
    site.is_killed("rotate xero --yes", &id);
    let other = site.elsewhere();
    let id = Arc::new(OnceLock::new());
    // Puts: 1 the lease, 2 the time put back, 3 the intent.
    site.cloud.fault("ssm:PutParameter", 3..=3, Fault::KillAfter(signal(&id, Signal::KILL)));
    other.is_killed("rotate xero --yes", &id);
    site.put("1", "client_secret", "wrong");
    let output = other.env.run("resume --yes");
    assert_eq!(output.code, Some(8), "{}", output.stderr);
    assert!(output.stderr.contains("may be used up"), "{}", output.stderr);
    assert_eq!(other.unfinished(), 1);
    site.put("1", "client_secret", local::CLIENT_SECRET);
    let _ = other.env.run("resume --yes").success();
    site.assert_good("afterwards", "1");
}

#[test]
fn until_when_the_old_token_works_is_counted_from_its_first_use() {
    let site = Site::connected("ssm");
    let id = Arc::new(OnceLock::new());
    site.xero.fault(local::TOKEN, 1..=1, Effect::Afterwards(signal(&id, Signal::KILL)));
    site.is_killed("rotate xero --yes", &id);
    // As if that had been twenty minutes ago.
    let record = site.record("1").unwrap();
    let first = record.split("\"first\":").nth(1).unwrap().split(',').next().unwrap().parse::<i64>().unwrap();
    let earlier = record.replace(&format!("\"first\":{first}"), &format!("\"first\":{}", first - 1200));
    site.cloud.world(|world| {
        let name = format!("{RECORD}/1");
        world.ssm.seed(Seed { name: &name, value: &earlier, kind: "SecureString" });
    });
    site.xero.fault(local::TOKEN, 1..=1, Effect::Drop(When::After));
    let output = site.elsewhere().env.run("rotate xero --yes");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let until = jiff::Timestamp::from_second(first + 600).unwrap().strftime("%H:%M UTC").to_string();
    assert!(output.stderr.contains(&format!("still works until {until}")), "{until}: {}", output.stderr);
    assert_eq!(site.xero.standing(&site.tokens("1").refresh), Standing::Live);
}
