//! From where to where: other homes than the console, several copies, instances and names of their own.

use super::{NAME, PROPERTIES, Site, TO_SECRETS_MANAGER, TO_SSM};
use crate::aws::DOCKER;
use crate::support::cloud::beanstalk::handles::Seed;

const WORKER: &str = "\n[environments.prod.copies.worker]\nkind = \"beanstalk\"\napplication = \"shop\"\nenvironment = \"shop-worker\"\ngroups = [\"database\"]\nsecrets = \"value\"\n";

/// A home that is not Beanstalk, filled with what the copy has.
fn from(home: &str) -> Site {
    let site = Site::new();
    site.edit("home = \"beanstalk\"", &format!("home = \"{home}\""));
    for (key, value) in PROPERTIES.iter().filter(|(key, _)| !["DEBUG", "DATABASE_URL"].contains(key)) {
        let _ = site.env.run_with_stdin(&format!("set {key} --yes"), value).success();
    }
    site
}

#[test]
fn values_leave_a_vault_or_parameters_for_secrets_manager() {
    for (home, to) in [
        ("vault", TO_SSM),
        ("vault", TO_SECRETS_MANAGER),
        ("ssm", TO_SECRETS_MANAGER),
        ("secretsmanager", TO_SSM),
    ] {
        let site = from(home);
        let (begun, seen) = (site.manifest(), site.seen());
        let _ = site.run(to).success();
        assert_eq!(site.references(), ["DATABASE_URL", "DB_PASSWORD", "SECRET_KEY"], "{home}, {to}");
        assert_eq!(site.seen(), seen);
        let _ = site.run("status --check").success();
        assert_eq!(site.run("get SECRET_KEY").success(), "canary-key");
        let _ = site.run("undo --yes").success();
        assert_eq!((site.manifest(), site.seen()), (begun, seen), "{home}, {to}");
        assert_eq!(
            site.run("get SECRET_KEY").success(),
            "canary-key",
            "what the old home held it holds again"
        );
    }
}

#[test]
fn a_copy_by_value_gets_references_to_the_home_that_it_has() {
    let site = from("ssm");
    let before = site.cloud.world(|world| world.ssm.held("/shop/prod/app/SECRET_KEY")).unwrap();
    let _ = site.run(TO_SSM).success();
    assert_eq!(site.references(), ["DATABASE_URL", "DB_PASSWORD", "SECRET_KEY"]);
    let after = site.cloud.world(|world| world.ssm.held("/shop/prod/app/SECRET_KEY")).unwrap();
    assert_eq!(before.version, after.version, "what is there already is not written again");
    assert!(site.manifest().contains("home = \"ssm\""));
}

#[test]
fn two_copies_are_updated_once_each_and_go_back_together() {
    let site = Site::new();
    site.cloud.world(|world| {
        let worker = Seed::new("shop", "shop-worker", DOCKER);
        world.beanstalk.add(worker.properties(PROPERTIES[3..].iter().copied()), jiff::Timestamp::now());
    });
    site.edit("home = \"beanstalk\"", "home = \"beanstalk:web\"");
    site.edit("\n[groups.app.keys]", &format!("{WORKER}\n[groups.app.keys]"));
    let begun = site.manifest();
    let worker = || {
        site.cloud.world(|world| {
            (
                world.beanstalk.references("shop-worker").into_keys().collect::<Vec<_>>(),
                world.beanstalk.container_environment("shop-worker"),
            )
        })
    };
    let seen = (site.seen(), worker().1);
    site.cloud.reset_calls();
    let _ = site.run(TO_SECRETS_MANAGER).success();
    assert_eq!(site.cloud.count("elasticbeanstalk:UpdateEnvironment"), 2);
    assert_eq!(worker().0, ["DATABASE_URL", "DB_PASSWORD"]);
    assert_eq!(site.references(), ["DATABASE_URL", "DB_PASSWORD", "SECRET_KEY"]);
    assert!(seen.1.iter().all(|(name, value)| worker().1[name] == *value));
    let _ = site.run("undo --yes").success();
    assert_eq!((site.seen(), worker()), (seen.0, (Vec::new(), seen.1)));
    assert_eq!(site.manifest(), begun);
}

#[test]
fn a_copy_that_holds_another_value_than_home_is_not_overwritten() {
    let site = Site::new();
    site.cloud.world(|world| {
        let worker = Seed::new("shop", "shop-worker", DOCKER).properties(PROPERTIES[3..].iter().copied());
        world.beanstalk.add(worker.property("DB_PASSWORD", "canary-older"), jiff::Timestamp::now());
    });
    site.edit("home = \"beanstalk\"", "home = \"beanstalk:web\"");
    site.edit("\n[groups.app.keys]", &format!("{WORKER}\n[groups.app.keys]"));
    let told = site.refused(TO_SSM, 1);
    assert!(told.contains("beanstalk:worker database/DB_PASSWORD"), "{told}");
}

#[test]
fn variables_of_instances_keep_the_names_that_the_containers_know() {
    let seed = Seed::new("shop", NAME, DOCKER).properties(PROPERTIES);
    let site = Site::of(seed.properties([("PAY_1_token", "canary-one"), ("PAY_2_token", "canary-two")]));
    let pay = "[groups.pay]\ninstances = [\"1\", \"2\"]\nenv = \"PAY_{instance}_{key}\"\n";
    let keys = "[groups.pay.keys]\ntoken = { secret = true }\n";
    site.env.write("strongroom.toml", format!("{}\n{pay}{keys}", site.manifest()));
    let seen = site.seen();
    let _ = site.run("migrate --to ssm --yes --canary DB_USER").success();
    assert_eq!(
        site.references(),
        ["DATABASE_URL", "DB_PASSWORD", "PAY_1_token", "PAY_2_token", "SECRET_KEY"]
    );
    assert_eq!(site.seen(), seen);
    assert_eq!(site.properties()["DB_USER"], "shop", "the canary is a plain property again");
    assert_eq!(site.run("get pay/2/token").success(), "canary-two");
    let _ = site.run("undo --yes").success();
    assert_eq!((site.references(), site.seen()), (Vec::new(), seen));
}
