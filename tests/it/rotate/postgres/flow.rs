//! A rotation from one slot to the other and back, by value and by reference.

use super::super::rig::site::{APP, BY_REFERENCE, BY_VALUE, DOCUMENTS};
use super::{World, local_on, takes};
use crate::support::postgres::Cluster;

#[test]
fn a_login_goes_from_one_slot_to_the_other_and_back_and_every_holder_works_throughout() {
    for kind in [BY_VALUE, BY_REFERENCE, DOCUMENTS] {
        let world = World::new(kind);
        world.holds("set up");
        let mut users = Vec::new();
        for round in 0..3 {
            let (before_user, before) = world.login();
            world.site.cloud.reset_calls();
            let output = world.rotate("database");
            assert_eq!(output.code, Some(0), "{kind:?} {round}: {}", output.stderr);
            let (user, password) = world.login();
            assert_ne!(password, before);
            assert!(!output.stderr.contains(&password) && !output.stdout.contains(&password));
            world.holds("rotated");
            assert!(world.takes(&before_user, &before), "the old login goes on until the next rotation");
            assert_eq!(world.site.cloud.count("elasticbeanstalk:UpdateEnvironment"), 1, "{}", output.stderr);
            assert!(world.site.is_in_order());
            users.push(user);
        }
        assert_eq!(users, ["app_b", "app", "app_b"]);
        assert!(!world.takes("app", APP), "its password is another since the second rotation");
        assert_eq!(
            world.ask("SELECT string_agg(role || epoch, ' ' ORDER BY role) FROM strongroom.fence"),
            "app1 app_b2"
        );

        let (user, password) = world.login();
        let output = world.site.env.run("undo");
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert_ne!(world.login(), (user, password));
        world.holds("undone");
    }
}

/// From 16 on a rotator has to be the roles' admin, which the master user makes him.
#[test]
fn every_major_that_is_supported_rotates_and_takes_back_and_ends_a_login() {
    for (major, cluster) in Cluster::majors() {
        let (runtime, cluster, env) = local_on(cluster, "alternating");
        assert!(runtime.block_on(cluster.ask("SHOW server_version")).starts_with(&major.to_string()));
        let run = |words: &str, code: i32| {
            let output = env.run(words);
            assert_eq!(output.code, Some(code), "{major}: {words}: {}", output.stderr);
            let login = ["RDS_USERNAME", "RDS_PASSWORD"].map(|key| env.run(&format!("get {key}")).success());
            assert!(takes(&runtime, &cluster, &login[0], &login[1]), "{major}: {words}");
            (output.stderr, login)
        };
        let (said, _) = run("rotate database --setup", 8);
        assert!(said.contains("GRANT \"app\" TO \"rotator\" WITH ADMIN OPTION"), "{major}: {said}");
        runtime.block_on(cluster.sql("GRANT app TO rotator WITH ADMIN OPTION"));
        run("rotate database --setup", 0);
        let (_, first) = run("rotate database", 0);
        let (_, second) = run("rotate database", 0);
        assert_eq!([first[0].as_str(), second[0].as_str()], ["app_b", "app"]);
        let (_, back) = run("undo", 0);
        assert_eq!(back, first, "{major}");
        let old = runtime.block_on(cluster.app("app_b", &first[1]));
        run("rotate database --compromised", 0);
        assert!(!takes(&runtime, &cluster, "app_b", &first[1]), "{major}");
        runtime.block_on(old.simple_query("SELECT 1")).unwrap_err();
    }
}
