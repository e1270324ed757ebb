//! A rotation from one slot to the other and back, by value and by reference.

use super::super::rig::site::{APP, BY_REFERENCE, BY_VALUE, DOCUMENTS};
use super::World;

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
