//! `init` from what AWS holds: a manifest, and every value where it was.

use super::{DOCKER, project};
use crate::support::cloud::Cloud;
use crate::support::cloud::beanstalk::handles::Seed;
use crate::support::env::TestEnv;

fn empty(cloud: &Cloud) -> TestEnv {
    let mut env = TestEnv::new();
    env.on(cloud);
    env
}

#[test]
fn a_project_begins_from_the_properties_of_a_beanstalk_environment_and_leaves_them_alone() {
    let cloud = Cloud::start();
    cloud.world(|world| {
        let values = [
            ("DJANGO_SECRET_KEY", "canary-key-of-fifty-characters-invented-for-a-test"),
            ("POSTGRES_HOST", "db.example"),
            ("POSTGRES_USER", "antenna"),
            ("POSTGRES_PASSWORD", "canary/pass"),
            ("DATABASE_URL", "postgres://antenna:canary%2Fpass@db.example:5432/antenna"),
        ];
        let seed = Seed::new("antenna", "antenna-prod", DOCKER).properties(values);
        world.beanstalk.add(seed, jiff::Timestamp::now());
    });
    let env = empty(&cloud);
    let before = cloud.world(|world| world.beanstalk.properties("antenna-prod").clone());
    env.run("init --from-beanstalk antenna/antenna-prod --yes").success();
    let manifest = env.read("strongroom.toml");
    assert!(
        manifest.contains("home = \"beanstalk\"") && manifest.contains("account = \"111122223333\""),
        "{manifest}"
    );
    assert!(!manifest.contains("canary"), "no value is in the manifest");
    assert_eq!(env.run("get POSTGRES_PASSWORD").success(), "canary/pass");
    assert_eq!(
        env.run("get DATABASE_URL").success(),
        "postgres://antenna:canary%2Fpass@db.example:5432/antenna"
    );
    env.run("status --check --json").code.filter(|code| [0, 3].contains(code)).unwrap();
    env.run("render --stdout app").success();
    assert_eq!(cloud.world(|world| world.beanstalk.properties("antenna-prod").clone()), before);
    assert_eq!(cloud.count("elasticbeanstalk:UpdateEnvironment"), 0);
}

#[test]
fn a_project_begins_from_the_parameters_below_a_path() {
    let (cloud, filled) = project("value");
    for (key, value) in [("SECRET_KEY", "canary-key"), ("RDS_HOSTNAME", "db.example")] {
        filled.run_with_stdin(&format!("set {key} --yes"), value).success();
    }
    let env = empty(&cloud);
    let puts = cloud.count("ssm:PutParameter");
    env.run("init --from-ssm /dev-app/prod --yes").success();
    assert_eq!(env.run("get SECRET_KEY").success(), "canary-key");
    assert_eq!(cloud.count("ssm:PutParameter"), puts, "nothing is written");
    env.run("init --from-ssm /nowhere --yes").failure(2);
    let elsewhere = empty(&cloud);
    let told = elsewhere.run("init --from-ssm /nowhere --yes").failure(1);
    assert!(told.contains("no parameter lies below /nowhere"), "{told}");
}
