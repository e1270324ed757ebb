//! Deployments that fail in the middle of a migration: the old state stands and that is said; `resume` finishes once the
//! cause is mended, and `undo` brings everything back.

use super::super::site::{BEANSTALK, Site};
use super::{from_properties, whole};
use crate::support::cloud::beanstalk::deployment::{Aftermath, Outcome};
use crate::support::cloud::iam::Policy;
use std::collections::BTreeMap;

const WORDS: &str = "--yes migrate --to secretsmanager";
const NOTHING: &str = r#"{"Version": "2012-10-17", "Statement": []}"#;

/// Without what a failed deployment leaves beside the old settings.
fn settled(site: &Site) -> BTreeMap<String, String> {
    let mut held = site.held();
    held.remove("draft");
    held
}

/// What is held at the end of a migration in which nothing goes wrong.
fn migrated(site: &Site, words: &str) -> BTreeMap<String, String> {
    let base = site.still();
    let _ = site.run(words, "", None).success();
    let end = settled(site);
    site.restore(&base);
    end
}

/// It stopped midway, says why, and what containers see and the manifest are as before.
fn stopped(site: &Site, words: &str, said: &str) {
    let before = site.held();
    let output = site.run(words, "", None);
    assert_eq!(output.code, Some(7), "{}", output.stderr);
    assert!(output.stderr.contains(said), "{}", output.stderr);
    assert!(
        output.stderr.contains("`strongroom resume") && output.stderr.contains("`strongroom undo"),
        "{}",
        output.stderr
    );
    let now = site.held();
    for (name, value) in before.iter().filter(|(name, _)| !name.starts_with("secret ")) {
        assert_eq!(now.get(name), Some(value), "{name}");
    }
    whole(site).unwrap();
}

/// Both ways out of what is there; the cause is mended.
fn both_ways(site: &Site, before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) {
    let left = site.still();
    let output = site.run("--yes resume", "", None);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(settled(site), *after);
    whole(site).unwrap();
    let _ = site.run("--yes undo", "", None).success();
    assert_eq!(settled(site), *before);
    site.restore(&left);
    let output = site.run("--yes undo", "", None);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(settled(site), *before);
    whole(site).unwrap();
}

#[test]
fn a_deployment_that_is_rolled_back_leaves_the_old_state_and_can_be_made_again() {
    for words in [WORDS, "--yes migrate --to ssm", "--yes migrate --to secretsmanager --canary EMAIL_CC"] {
        for aftermath in [Aftermath::Reverted, Aftermath::Clean] {
            let site = from_properties(BEANSTALK);
            let (before, after) = (site.held(), migrated(&site, words));
            site.cloud.world(|world| {
                world.beanstalk.behaviour.aftermath = aftermath;
                let why = Outcome::Fail("an instance did not answer".to_owned());
                world.beanstalk.behaviour.outcomes.extend([why]);
            });
            stopped(&site, words, "an instance did not answer");
            both_ways(&site, &before, &after);
        }
    }
}

#[test]
fn instances_that_may_not_read_the_secrets_leave_the_old_state() {
    let site = from_properties(BEANSTALK);
    let (before, after) = (site.held(), migrated(&site, WORDS));
    site.cloud.world(|world| world.instance_policy = Some(Policy::parse(NOTHING).unwrap()));
    stopped(&site, WORDS, "get one or more secrets");
    let told = site.run("--yes resume", "", None);
    assert_eq!(told.code, Some(7), "{}", told.stderr);
    whole(&site).unwrap();
    site.cloud.world(|world| world.instance_policy = None);
    both_ways(&site, &before, &after);
}

#[test]
fn a_canary_that_cannot_be_resolved_leaves_all_others_untouched() {
    let site = from_properties(BEANSTALK);
    let words = "--yes migrate --to secretsmanager --canary SENTRY_DSN";
    let (before, after) = (site.held(), migrated(&site, words));
    site.cloud.world(|world| world.instance_policy = Some(Policy::parse(NOTHING).unwrap()));
    site.cloud.reset_calls();
    stopped(&site, words, "get one or more secrets");
    let updates = site.cloud.calls();
    let mut updates = updates.iter().filter(|call| call.action == "UpdateEnvironment");
    let (first, second) = (updates.next().unwrap(), updates.next());
    assert!(first.body.contains("SENTRY_DSN") && !first.body.contains("REDIS_URL"), "{}", first.body);
    assert!(second.is_none(), "nothing goes after a canary that failed");
    site.cloud.world(|world| world.instance_policy = None);
    both_ways(&site, &before, &after);
}

#[test]
fn an_app_that_does_not_answer_stops_it_before_the_manifest_is_changed() {
    let site = from_properties(BEANSTALK);
    let words = format!("{WORDS} --probe {}", site.cloud.app("dev-app-prod"));
    let (before, after, manifest) = (site.held(), migrated(&site, &words), site.env.read("strongroom.toml"));
    site.cloud.world(|world| world.beanstalk.app_answers("dev-app-prod", Some(503)));
    let output = site.run(&words, "", None);
    assert_eq!(output.code, Some(7), "{}", output.stderr);
    assert!(output.stderr.contains("503"), "{}", output.stderr);
    assert_eq!(site.env.read("strongroom.toml"), manifest);
    whole(&site).unwrap();
    site.cloud.world(|world| world.beanstalk.app_answers("dev-app-prod", None));
    both_ways(&site, &before, &after);
}

#[test]
fn an_undo_whose_deployment_is_rolled_back_keeps_the_secrets_until_it_is_resumed() {
    let site = from_properties(BEANSTALK);
    let before = site.held();
    let _ = site.run(WORDS, "", None).success();
    let why = Outcome::Fail("an instance did not answer".to_owned());
    site.cloud.world(|world| world.beanstalk.behaviour.outcomes.extend([why]));
    let output = site.run("--yes undo", "", None);
    assert_eq!(output.code, Some(7), "{}", output.stderr);
    whole(&site).unwrap();
    let output = site.run("--yes resume", "", None);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(settled(&site), before);
    whole(&site).unwrap();
}
