//! What happened between a migration and its undo, and wishes that cannot be meant.

use super::{NAME, PROPERTIES, Site, TO_SSM};
use crate::aws::DOCKER;
use crate::support::cloud::beanstalk::handles::Seed;

#[test]
fn an_undo_gives_a_manifest_back_that_somebody_edited_since_without_losing_their_lines() {
    let site = Site::new();
    let (begun, seen) = (site.manifest(), site.seen());
    let _ = site.run(TO_SSM).success();
    let theirs = format!("# theirs\n{}NEW = {{ optional = true }}\n", site.manifest());
    site.env.write("strongroom.toml", &theirs);
    let _ = site.run("undo --yes").success();
    assert_eq!(site.manifest(), format!("# theirs\n{begun}NEW = {{ optional = true }}\n"));
    assert_eq!(site.references(), [""; 0]);
    assert_eq!(site.seen(), seen);
}

#[test]
fn a_migration_is_taken_back_whole_or_not_at_all() {
    let site = Site::new();
    let _ = site.run(TO_SSM).success();
    let _ = site.env.run_with_stdin("set SECRET_KEY --yes", "canary-rotated").success();
    let (references, manifest) = (site.references(), site.manifest());
    for words in ["undo --yes", "undo --yes --skip-changed"] {
        // The last operation is the `set`.
        let migration = site.operation("migrate --to ssm");
        let told = site.run(&format!("{words} {migration}"));
        assert_eq!(told.code, Some(6), "{}", told.stderr);
        assert!(told.stderr.contains("app/SECRET_KEY"), "{}", told.stderr);
        assert_eq!((site.references(), site.manifest()), (references.clone(), manifest.clone()));
    }
}

#[test]
fn one_that_another_rests_on_is_not_taken_back_before_it() {
    let site = Site::new();
    let _ = site.run("migrate --to ssm --yes --only DB_PASSWORD").success();
    let first = site.operation("migrate --to ssm --only DB_PASSWORD");
    let _ = site.run("migrate --to ssm --yes --only SECRET_KEY").success();
    let second = site.operation("migrate --to ssm --only SECRET_KEY");
    let seen = site.seen();
    let told = site.run(&format!("undo --yes {first}"));
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    assert!(told.stderr.contains(&format!("undo {second}` first")), "{}", told.stderr);
    assert_eq!(site.references(), ["DB_PASSWORD", "SECRET_KEY"]);
    let _ = site.run(&format!("undo --yes {second}")).success();
    let _ = site.run(&format!("undo --yes {first}")).success();
    assert_eq!(site.references(), [""; 0]);
    assert_eq!(site.seen(), seen);
}

#[test]
fn only_what_does_not_move_moves_nothing_else() {
    let seed = Seed::new("shop", NAME, DOCKER).properties(PROPERTIES).properties([("THEME", "dark")]);
    let site = Site::of(seed);
    let told = site.run("migrate --to ssm --yes --only THEME");
    assert_ne!(told.code, Some(0), "{}", told.stderr);
    assert!(told.stderr.contains("looks plain"), "{}", told.stderr);
    assert_eq!(site.references(), [""; 0]);
    let _ = site.run("migrate --to ssm --yes --only THEME --secret THEME").success();
    assert_eq!(site.references(), ["THEME"]);
}

#[test]
fn a_canary_that_would_prove_nothing_is_none() {
    let site = Site::new();
    let told = site.run("migrate --to ssm --yes --canary CERTIFICATE");
    assert_eq!(told.code, Some(2), "{}", told.stderr);
    assert!(told.stderr.contains("it has no value"), "{}", told.stderr);
    assert_eq!(site.writes(), [""; 0]);
}

#[test]
fn a_canary_that_the_app_was_not_asked_about_holds_everything_else_back_when_it_is_resumed() {
    let site = Site::new();
    let probe = site.cloud.app(NAME);
    site.cloud.world(|world| world.beanstalk.app_answers(NAME, Some(503)));
    let words = format!("migrate --to ssm --yes --canary EMAIL_CC --probe {probe}");
    assert_eq!(site.run(&words).code, Some(7));
    assert_eq!(site.references(), ["EMAIL_CC"]);
    assert_eq!(site.run("resume --yes").code, Some(7));
    assert_eq!(site.references(), ["EMAIL_CC"], "nothing else goes before the app has answered");
    site.cloud.world(|world| world.beanstalk.app_answers(NAME, None));
    let _ = site.run("resume --yes").success();
    assert_eq!(site.references(), ["DATABASE_URL", "DB_PASSWORD", "SECRET_KEY"]);
}

/// A value that is set while others are on their way would be beside an older one in the new home.
#[test]
fn nothing_else_is_changed_while_a_migration_is_unfinished() {
    let site = Site::new();
    let probe = site.cloud.app(NAME);
    site.cloud.world(|world| world.beanstalk.app_answers(NAME, Some(503)));
    let words = format!("migrate --to ssm --yes --canary EMAIL_CC --probe {probe}");
    assert_eq!(site.run(&words).code, Some(7));
    let set = site.env.run_with_stdin("set SECRET_KEY --yes", "canary-new");
    assert_eq!(set.code, Some(7), "{}", set.stderr);
    assert!(set.stderr.contains("resume"), "{}", set.stderr);
    assert_eq!(site.run("sync --yes").code, Some(7));
    assert_eq!(site.seen()["SECRET_KEY"], "canary-key");
    let _ = site.run("undo --yes").success();
    let _ = site.env.run_with_stdin("set SECRET_KEY --yes", "canary-new").success();
}

#[test]
fn what_is_declared_for_one_environment_is_asked_of_no_other() {
    let seed = Seed::new("shop", NAME, DOCKER).properties(PROPERTIES);
    let site = Site::of(seed.properties([("STRIPE_API_KEY", "canary-stripe")]));
    let text = site
        .manifest()
        .replace("[groups.app.keys]", "[environments.local]\nhome = \"vault\"\n\n[groups.app.keys]");
    site.env.write("strongroom.toml", &text);
    let _ = site.run(TO_SSM).success();
    let line = site.manifest();
    let line = line.lines().find(|line| line.starts_with("STRIPE_API_KEY")).unwrap();
    assert!(line.contains("environments = [\"prod\"]"), "{line}");
}

#[test]
fn an_environment_that_is_unwell_is_no_reason_to_say_no_to_nothing() {
    let site = Site::new();
    let _ = site.run(TO_SSM).success();
    site.cloud.world(|world| {
        use crate::support::cloud::beanstalk::environment::Health;
        world.beanstalk.tell_health(NAME, Some(Health::Yellow));
    });
    assert!(site.run(TO_SSM).stderr.contains("nothing to do"));
}

#[test]
fn a_login_in_the_probe_is_refused_before_it_is_written_down() {
    let site = Site::new();
    let told = site.run("migrate --to ssm --yes --probe https://ops:canary-login@app.example/");
    assert_eq!(told.code, Some(2), "{}", told.stderr);
    assert!(!told.stderr.contains("canary-login"), "{}", told.stderr);
}

#[test]
fn somebody_elses_migration_is_told_as_that() {
    let site = Site::new();
    let old = site.manifest();
    let _ = site.run(TO_SSM).success();
    site.env.write("strongroom.toml", &old);
    let told = site.run(TO_SSM);
    assert_eq!(told.code, Some(6), "{}", told.stderr);
    assert!(told.stderr.contains("git pull"), "{}", told.stderr);
}
