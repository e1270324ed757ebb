//! An address for the password of each slot: where a copy refers to, as home goes from one to the other and is changed by
//! hand.

use super::rig::site::{APP, BY_REFERENCE, BY_VALUE, DOCUMENTS, Site};

/// No server is asked.
const NO_PORT: u16 = 1;

#[test]
fn a_reference_leads_to_the_slot_that_has_the_password_and_else_to_the_password() {
    for kind in [BY_REFERENCE, DOCUMENTS] {
        let site = Site::new(kind, NO_PORT);
        assert_eq!(site.referred(), "RDS_PASSWORD", "not set up");
        assert!(site.is_in_order());

        site.set("RDS_PASSWORD_A", APP);
        assert!(!site.is_in_order(), "the copy refers to what a rotation overwrites");
        site.cloud.reset_calls();
        site.env.run("sync").success();
        assert_eq!(site.cloud.count("elasticbeanstalk:UpdateEnvironment"), 1);
        assert_eq!((site.referred().as_str(), site.is_in_order()), ("RDS_PASSWORD_A", true));
        assert_eq!(site.env.run("diff home web --check").code, Some(0), "what it refers to has the value");

        site.set("RDS_PASSWORD_B", "canary-next");
        // A document is one version: whatever changes in it, its references may stand for something else.
        assert_eq!(site.is_in_order(), kind.home == "ssm", "what is staged is nobody's yet");
        site.set("RDS_USERNAME", "app_b");
        site.set("RDS_PASSWORD", "canary-next");
        let starting = site.starting();
        let pair = (starting["RDS_USERNAME"].as_str(), starting["RDS_PASSWORD"].as_str());
        assert_eq!(pair, ("app", APP), "whoever starts now has a pair that goes together");
        assert_eq!(
            starting["DATABASE_URL"],
            format!("postgres://app_b:canary-next@127.0.0.1:{NO_PORT}/postgres")
        );
        site.env.run("sync").success();
        assert_eq!((site.referred().as_str(), site.is_in_order()), ("RDS_PASSWORD_B", true));
        assert_eq!(site.running()["RDS_PASSWORD"], "canary-next");
        assert_eq!(site.running()["RDS_USERNAME"], "app_b");
    }
}

#[test]
fn a_password_that_was_changed_by_hand_is_referred_to_by_its_own_name_until_the_next_set_up() {
    let site = Site::new(BY_REFERENCE, NO_PORT);
    site.set("RDS_PASSWORD_A", APP);
    site.env.run("sync").success();
    site.set("RDS_PASSWORD", "canary-by-hand");
    assert!(!site.is_in_order(), "the copy refers to the value before");
    assert_eq!(site.starting()["RDS_PASSWORD"], APP);
    site.env.run("sync").success();
    assert_eq!((site.referred().as_str(), site.is_in_order()), ("RDS_PASSWORD", true));
    assert_eq!(site.running()["RDS_PASSWORD"], "canary-by-hand");
    site.env.run("undo").success();
    site.env.run("undo").success();
    assert_eq!((site.referred().as_str(), site.running()["RDS_PASSWORD"].as_str()), ("RDS_PASSWORD_A", APP));
}

#[test]
fn a_slot_is_no_variable_of_anything_and_is_there_only_where_something_refers() {
    let site = Site::new(BY_REFERENCE, NO_PORT);
    site.set("RDS_PASSWORD_A", APP);
    site.set("RDS_PASSWORD_B", "canary-other");
    site.env.run("sync").success();
    let text = site.env.read("strongroom.toml");
    site.env
        .write("strongroom.toml", format!("{text}\n[render.all]\nfile = \".env\"\ndialect = \"compose\"\n"));
    site.env.run("render").success();
    let told = [
        site.env.run("export --format json").success(),
        site.env.run("exec -- env").success(),
        site.env.read(".env"),
        format!("{:?}", site.running()),
        site.cloud.world(|world| format!("{:?}", world.beanstalk.properties(super::rig::site::WEB))),
    ];
    for text in told {
        assert!(text.contains("RDS_PASSWORD") || text.contains("LEFT_ALONE"));
        assert!(!text.contains("RDS_PASSWORD_") && !text.contains("canary-other"), "{text}");
    }
    assert_eq!(site.env.run("exec --only RDS_PASSWORD_A -- env").code, Some(1));
    assert_eq!(site.env.run("get RDS_PASSWORD_B").success(), "canary-other");
    let policy = site.env.run("policy --for instance").success();
    assert!(policy.contains("parameter/dev-app/prod/database/*"), "{policy}");
    let list = site.env.run("list").success();
    assert!(list.contains("database/RDS_PASSWORD_A"), "{list}");

    let by_value = Site::new(BY_VALUE, NO_PORT);
    assert_eq!(by_value.env.run_with_stdin("set RDS_PASSWORD_A", "x").code, Some(2));
    assert!(!by_value.env.run("list").success().contains("RDS_PASSWORD_A"));
}

#[test]
fn after_a_migration_a_password_that_alternates_goes_by_its_own_name_until_the_set_up() {
    let site = Site::new(BY_VALUE, NO_PORT);
    let identity = std::fs::read_to_string(site.env.config("identity.txt")).unwrap();
    let public = identity.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    site.env.run(&format!("recipients add {public}")).success();
    site.env.run("migrate --to secretsmanager").success();
    assert_eq!((site.referred().as_str(), site.is_in_order()), ("RDS_PASSWORD", true));
    site.set("RDS_PASSWORD_A", APP);
    site.env.run("sync").success();
    assert_eq!((site.referred().as_str(), site.is_in_order()), ("RDS_PASSWORD_A", true));
    assert_eq!(site.running()["RDS_PASSWORD"], APP);
}
