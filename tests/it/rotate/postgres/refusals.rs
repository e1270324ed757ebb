//! What stands in the way of a rotation: told before anything is changed, each with what to type. Only a password that is
//! refused as wrong leads to a new one.

use super::super::rig::site::{APP, BY_REFERENCE, BY_VALUE, WEB};
use super::World;
use crate::support::env::Output;

impl World {
    /// Nothing was changed: neither home nor any password, and no operation is open.
    #[track_caller]
    fn refused(&self, output: &Output, code: i32, told: &[&str]) {
        let said = &output.stderr;
        assert_eq!(output.code, Some(code), "{said}");
        for part in told {
            assert!(said.contains(part), "`{part}` is not in: {said}");
        }
        assert!(!self.cluster.log().contains("PASSWORD 'SCRAM"), "a password was changed: {said}");
        assert_eq!(self.login(), ("app".to_owned(), APP.to_owned()));
        let resumed = self.site.env.run("resume");
        assert!(resumed.stderr.contains("nothing to resume"), "{}", resumed.stderr);
    }
}

#[test]
fn what_is_not_right_on_the_server_is_told_and_nothing_is_changed() {
    let world = World::new(BY_VALUE);
    let app_b = |sql: &str| format!("ALTER ROLE app_b {sql}");
    let cases: [(String, String, i32, &[&str]); 8] = [
        (app_b("NOLOGIN"), app_b("LOGIN"), 8, &["ALTER ROLE \"app_b\" LOGIN", "--setup"]),
        (app_b("VALID UNTIL '2020-01-01'"), app_b("VALID UNTIL 'infinity'"), 8, &["VALID UNTIL", "app_b"]),
        (app_b("RESET role"), app_b("SET role = 'app'"), 8, &["SET role", "--setup"]),
        (
            "ALTER ROLE rotator NOCREATEROLE".to_owned(),
            "ALTER ROLE rotator CREATEROLE".to_owned(),
            8,
            &["CREATEROLE", "--setup"],
        ),
        (
            "ALTER ROLE rotator PASSWORD 'another'".to_owned(),
            format!("ALTER ROLE rotator PASSWORD '{}'", super::ROTATOR),
            8,
            &["the rotator `rotator` is refused", "28P01"],
        ),
        (
            "ALTER ROLE app PASSWORD 'another'".to_owned(),
            format!("ALTER ROLE app PASSWORD '{APP}'"),
            8,
            &["the login that home holds is refused (`app`)"],
        ),
        (
            "CREATE ROLE rds_superuser; CREATE ROLE rds_iam; CREATE ROLE rds_password; GRANT rds_superuser TO app".to_owned(),
            "REVOKE rds_superuser FROM app".to_owned(),
            8,
            &["RDS's master user", "kind = \"follow\""],
        ),
        ("GRANT rds_iam TO app".to_owned(), "REVOKE rds_iam FROM app".to_owned(), 8, &["IAM tokens", "rds_iam"]),
    ];
    for (wrong, right, code, told) in cases {
        world.sql(&wrong);
        let output = world.rotate("database");
        world.refused(&output, code, told);
        world.sql(&right);
    }
    world.site.set("RDS_PASSWORD", "canary-by-hand");
    let output = world.rotate("database");
    assert_eq!(output.code, Some(8), "{}", output.stderr);
    world.site.env.run("undo").success();
    world.rotate("database").success();
    world.holds("nothing of it is left");
}

#[test]
fn a_login_that_proves_nothing_leads_to_no_new_password() {
    let world = World::new(BY_VALUE);
    let changes = || world.cluster.log().matches("PASSWORD 'SCRAM").count();
    let hba = |first: &'static str| {
        world.cluster.restarted(move |data| {
            let path = data.join("pg_hba.conf");
            let rest = std::fs::read_to_string(&path).unwrap().replace("host all app_b all reject\n", "");
            std::fs::write(path, format!("{first}{rest}")).unwrap();
        });
    };
    hba("host all app_b all reject\n");
    let output = world.rotate("database");
    world.refused(&output, 5, &["(28000)", "pg_hba.conf"]);
    // Now it is wrong, and gets the new one; whether that works cannot be told.
    hba("");
    world.sql("ALTER ROLE app_b CONNECTION LIMIT 0");
    let output = world.rotate("database");
    assert_eq!(output.code, Some(7), "{}", output.stderr);
    assert!(output.stderr.contains("53300"), "{}", output.stderr);
    let once = changes();
    assert!(once > 0);
    assert_eq!(world.site.env.run("resume").code, Some(7));
    world.holds("not told yet");
    world.sql("ALTER ROLE app_b CONNECTION LIMIT -1");
    world.site.env.run("resume").success();
    assert_eq!((changes(), world.login().0.as_str()), (once, "app_b"));
    world.holds("resumed");
}

#[test]
fn a_slot_that_somebody_uses_gets_no_other_password_unless_that_is_wanted() {
    let world = World::new(BY_VALUE);
    world.sql("ALTER ROLE app_b PASSWORD 'somebodys'");
    let client = world.runtime.block_on(world.cluster.app("app_b", "somebodys"));
    let output = world.rotate("database");
    world.refused(
        &output,
        8,
        &["somebody still uses `app_b`", "1 from 127.0.0.1 (the-app)", "--despite-sessions"],
    );
    let output = world.rotate("database --despite-sessions");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("they cannot log in anew"), "{}", output.stderr);
    world.runtime.block_on(client.simple_query("SELECT 1")).unwrap();
    world.holds("despite a session");
}

#[test]
fn a_copy_that_has_another_login_than_home_is_told_in_the_plan() {
    let world = World::new(BY_VALUE);
    // The right one in home, and the copy with one that may be the other slot's.
    world.sql("ALTER ROLE app PASSWORD 'canary-by-hand'");
    world.site.set("RDS_PASSWORD", "canary-by-hand");
    world.site.cloud.reset_calls();
    let output = world.rotate("database --dry-run");
    assert_eq!(output.code, Some(6), "{}", output.stderr);
    for part in ["another login than home does", "beanstalk:web database/RDS_PASSWORD", "strongroom sync"] {
        assert!(output.stderr.contains(part), "`{part}` is not in: {}", output.stderr);
    }
    assert_eq!(world.site.cloud.count("ssm:PutParameter"), 0, "a dry run takes no lease");
    let output = world.rotate("database");
    assert_eq!(output.code, Some(6), "{}", output.stderr);
    assert!(!output.stderr.contains("gets the new password"), "it is asked before: {}", output.stderr);
    world.site.env.run("sync").success();
    world.rotate("database").success();
    world.holds("after a sync");
}

#[test]
fn a_server_that_is_not_set_up_is_told_so_and_a_set_up_is_shown_with_its_reasons_and_is_made_once() {
    let world = World::bare(BY_REFERENCE);
    let output = world.rotate("database");
    world.refused(&output, 8, &["CREATE ROLE \"app_b\" LOGIN", "`strongroom rotate database --setup`"]);
    let output = world.rotate("database --setup --dry-run");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("its sessions act as app"), "{}", output.stderr);
    assert_eq!(world.ask("SELECT count(*) FROM pg_roles WHERE rolname = 'app_b'"), "0");
    let output = world.rotate("database --setup");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(world.site.referred(), "RDS_PASSWORD_A");
    assert!(world.site.is_in_order());
    world.holds("set up");
    let operations = world.site.env.run("operations").success();
    assert!(operations.contains("rotate database --setup"), "{operations}");
    let output = world.rotate("database --setup");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("is set up"), "{}", output.stderr);
    // A copy that refers to the password itself would get the old name with the new password.
    world.site.env.run("undo").success();
    assert_eq!(world.site.referred(), "RDS_PASSWORD");
    let output = world.rotate("database");
    world.refused(&output, 8, &["an instance that starts meanwhile", "--setup"]);
}

#[test]
fn a_rotator_that_may_not_set_up_is_told_what_somebody_else_has_to_run() {
    let world = World::bare(BY_VALUE);
    world.sql("REVOKE CREATE ON DATABASE postgres FROM rotator");
    let output = world.rotate("database --setup");
    world.refused(&output, 8, &["CREATE SCHEMA strongroom", "let him run exactly this"]);
    assert_eq!(
        world.ask("SELECT count(*) FROM pg_roles WHERE rolname = 'app_b'"),
        "0",
        "all of it or nothing"
    );
}

/// A name with another's password would lock the app out: a copy that somebody changed is left as a whole, and nothing of
/// that keeps home's login from coming back.
#[test]
fn a_copy_that_somebody_changed_is_left_as_a_whole_by_an_undo_and_a_sync_brings_it_home() {
    let world = World::new(BY_VALUE);
    world.rotate("database").success();
    let meddle = |value| {
        let theirs = [("RDS_PASSWORD", Some(value))];
        world.site.cloud.world(|cloud| cloud.deploy_elsewhere(WEB, &theirs));
    };
    meddle("theirs");
    let output = world.site.env.run("undo");
    assert_eq!(output.code, Some(6), "{}", output.stderr);
    let output = world.site.env.run("undo --skip-changed");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(
        output.stderr.contains("left as it is: beanstalk:web database/RDS_PASSWORD"),
        "{}",
        output.stderr
    );
    let running = world.site.running();
    assert_eq!((running["RDS_USERNAME"].as_str(), running["RDS_PASSWORD"].as_str()), ("app_b", "theirs"));
    let (user, password) = world.login();
    assert!(user == "app" && world.takes(&user, &password));
    world.site.env.run("sync").success();
    world.holds("synced");
}
