//! What an undo of a migration brings back, what it deletes and what it leaves alone, and migrating once more after it.

use super::super::site::{BEANSTALK, How, Site};
use super::{from_properties, whole};

const WORDS: &str = "--yes migrate --to secretsmanager";

/// The names of the secrets that wait for their deletion.
fn scheduled(site: &Site) -> Vec<String> {
    site.cloud.world(|world| {
        let waits =
            |name: &String| world.secrets.held(name).is_some_and(|held| held.is_scheduled_for_deletion);
        world.secrets.names().into_iter().filter(waits).filter(|name| !name.contains("_strongroom")).collect()
    })
}

#[test]
fn only_secrets_that_the_migration_made_are_deleted_and_others_keep_what_they_had() {
    let site = from_properties(BEANSTALK);
    let text = r#"{"foreign": 1.50, "SECRET_KEY": "canary-older", "EMAIL_HOST": "canary-mail.example"}"#;
    site.cloud.world(|world| world.secrets.seed("dev-app/prod/app", text));
    let before = site.held();
    let _ = site.run(WORDS, "", None).success();
    whole(&site).unwrap();
    let migrated = site.held();
    assert!(
        migrated["secret dev-app/prod/app"].contains(r#""foreign": 1.50"#)
            || migrated["secret dev-app/prod/app"].contains(r#""foreign":1.50"#),
        "{}",
        migrated["secret dev-app/prod/app"]
    );
    let _ = site.run("--yes undo", "", None).success();
    whole(&site).unwrap();
    let made = ["dev-app/prod/database", "dev-app/prod/xero/1", "dev-app/prod/xero/2"];
    assert_eq!(scheduled(&site), made);
    let mut now = site.held();
    let app =
        now.insert("secret dev-app/prod/app".to_owned(), before["secret dev-app/prod/app"].clone()).unwrap();
    assert_eq!(now, before);
    let app: serde_json::Value = serde_json::from_str(app.trim_end_matches(" ()")).unwrap();
    assert_eq!(app, serde_json::from_str::<serde_json::Value>(text).unwrap());
    let _ = site.run(WORDS, "", None).success();
    assert!(scheduled(&site).is_empty());
    whole(&site).unwrap();
    assert_eq!(site.held().keys().collect::<Vec<_>>(), migrated.keys().collect::<Vec<_>>());
    assert_eq!(site.held()["manifest"], migrated["manifest"]);
}

#[test]
fn migrating_again_after_an_undo_ends_as_it_did_at_first() {
    for words in [WORDS, "--yes migrate --to secretsmanager --secret-per-key", "--yes migrate --to ssm"] {
        let site = from_properties(BEANSTALK);
        let before = site.held();
        let _ = site.run(words, "", None).success();
        let migrated = site.held();
        for _ in 0..2 {
            let _ = site.run("--yes undo", "", None).success();
            assert_eq!(site.held(), before, "{words}");
            whole(&site).unwrap();
            let _ = site.run(words, "", None).success();
            assert_eq!(site.held(), migrated, "{words}");
            whole(&site).unwrap();
            assert_eq!(site.run("status --check", "", None).code, Some(0), "{words}");
        }
    }
}

#[test]
fn a_migration_that_is_done_already_changes_nothing() {
    let site = from_properties(BEANSTALK);
    let _ = site.run(WORDS, "", None).success();
    let migrated = site.held();
    let output = site.run(WORDS, "", None);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("nothing to do"), "{}", output.stderr);
    assert_eq!(site.held(), migrated);
    assert_eq!(site.cloud.count("elasticbeanstalk:UpdateEnvironment"), 0);
}

/// Somebody committed the manifest that the migration was to leave behind, or checked out the one from before.
#[test]
fn a_manifest_that_is_already_as_it_shall_be_is_in_nobodys_way() {
    let site = from_properties(BEANSTALK);
    let (before, text) = (site.held(), site.env.read("strongroom.toml"));
    let base = site.still();
    let _ = site.run(WORDS, "", None).success();
    let (migrated, edited) = (site.held(), site.env.read("strongroom.toml"));
    site.env.write("strongroom.toml", &text);
    let _ = site.run("--yes undo", "", None).success();
    assert_eq!(site.held(), before);
    site.restore(&base);
    let update = |call: &String| call.ends_with(":UpdateEnvironment");
    let at = {
        let _ = site.run(WORDS, "", None).success();
        site.called().iter().position(update).unwrap() + 1
    };
    site.restore(&base);
    let _ = site.run(WORDS, "", Some((at, How::KillAfter)));
    site.env.write("strongroom.toml", &edited);
    site.lease_ends();
    let output = site.run("--yes resume", "", None);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(site.held(), migrated);
    let _ = site.run("--yes undo", "", None).success();
    // The migration never wrote it: it is theirs.
    site.env.write("strongroom.toml", &text);
    assert_eq!(site.held(), before);
}

/// What stopped midway is gone on with or taken back, and not begun a second time.
#[test]
fn a_second_migration_is_refused_while_one_is_unfinished() {
    let site = from_properties(BEANSTALK);
    let base = site.still();
    let _ = site.run(WORDS, "", None).success();
    let calls = site.called();
    let last = |name: &str| calls.iter().rposition(|call| call.ends_with(name)).unwrap() + 1;
    for at in [last(":CreateSecret"), last(":UpdateEnvironment")] {
        site.restore(&base);
        let _ = site.run(WORDS, "", Some((at, How::KillAfter)));
        site.lease_ends();
        let left = site.held();
        let output = site.run(WORDS, "", None);
        assert_eq!(output.code, Some(7), "{}", output.stderr);
        assert!(output.stderr.contains("resume"), "{}", output.stderr);
        let mut now = site.held();
        now.remove("draft");
        assert_eq!(
            now.keys().filter(|name| name.starts_with("secret")).count(),
            left.keys().filter(|name| name.starts_with("secret")).count()
        );
        assert_eq!(site.cloud.count("elasticbeanstalk:UpdateEnvironment"), 0);
        whole(&site).unwrap();
        let _ = site.run("--yes resume", "", None).success();
        whole(&site).unwrap();
    }
}
