//! Several logins in one run: one that Xero is silent about or refuses is in nobody's way.

use super::site::Site;
use crate::support::xero::{self as local, Effect, When};

const WEEK: i64 = 8 * 24 * 3600;

/// Which of the first logins the new refresh tokens are of, in the order in which Xero gave them.
fn order(site: &Site, logins: usize) -> Vec<usize> {
    let name = |token: &str| token.strip_prefix("token ").unwrap().parse::<usize>().unwrap();
    site.story()[logins..].iter().map(|(_, parent, _)| name(parent.as_deref().unwrap())).collect()
}

fn of_three() -> Site {
    let site = Site::connected("ssm");
    site.connect("2", "somebody", "Other Ltd");
    site.connect("3", "a third", "Third Ltd");
    site
}

#[test]
fn a_login_that_xero_is_silent_about_comes_after_the_others() {
    let site = of_three();
    site.xero.fault(local::TOKEN, 1..=2, Effect::Page(When::Before, 503));
    let output = site.env.run("rotate xero --yes");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(order(&site, 3), [1, 2, 0], "{}", output.stderr);
    assert!(
        output.stderr.contains("rotate xero/1: Xero does not answer; the others come first"),
        "{}",
        output.stderr
    );
    for instance in ["1", "2", "3"] {
        site.assert_good(&output.stderr, instance);
    }
    assert_eq!((site.unfinished(), site.xero.count(local::TOKEN)), (0, 5));
}

#[test]
fn while_xero_is_silent_about_two_no_third_token_is_sent() {
    let site = of_three();
    site.xero.fault(local::TOKEN, 1..=4, Effect::Page(When::Before, 503));
    let output = site.env.run("rotate xero --yes");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(order(&site, 3), [0, 1, 2], "{}", output.stderr);
    assert_eq!((site.unfinished(), site.xero.count(local::TOKEN)), (0, 7));
    for instance in ["1", "2", "3"] {
        site.assert_good(&output.stderr, instance);
    }
}

#[test]
fn from_cron_a_dead_login_is_one_clear_error_each_time_and_the_others_are_refreshed() {
    let site = of_three();
    site.xero.world(|world| world.disconnect(local::CLIENT_ID, "demo"));
    for night in 0..2 {
        site.cloud.world(|world| {
            for instance in 1..=3 {
                world.ssm.age(&format!("/dev-app/xero/{instance}/refresh_token"), WEEK);
            }
        });
        let before = site.tokens("2");
        let output = site.env.run("rotate --due --yes --quiet");
        let what = format!("night {night}: {}", output.stderr);
        assert_eq!(output.code, Some(8), "{what}");
        assert_eq!(output.stderr.matches("error").count(), 1, "{what}");
        assert!(output.stderr.contains("xero login xero/1`"), "{what}");
        assert!(!output.stderr.contains("login 2") && !output.stderr.contains("login 3"), "{what}");
        assert_ne!(site.tokens("2"), before, "{what}");
        site.assert_good(&what, "2");
        site.assert_good(&what, "3");
        assert_eq!(site.unfinished(), 0, "{what}");
    }
}

#[test]
fn all_is_every_instance() {
    let site = of_three();
    let _ = site.env.run("rotate xero --all --yes").success();
    assert_eq!(site.xero.count(local::TOKEN), 3);
    let output = site.env.run("rotate xero --all --if-expiring 10m --yes");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(output.stderr.matches("nothing to do").count(), 3, "{}", output.stderr);
    for words in ["rotate xero/1 --all --yes", "rotate --all --yes", "rotate --all --due --yes"] {
        let output = site.env.run(words);
        assert_eq!(output.code, Some(2), "{words}: {}", output.stderr);
    }
    assert_eq!(site.xero.count(local::TOKEN), 3);
}
