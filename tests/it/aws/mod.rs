//! The binary against a strict local AWS: one project with SSM as home and a Beanstalk environment as its copy.

mod begin;
mod budgets;
mod matrix;
mod migrate;
mod permissions;
pub(crate) mod site;
mod slice;
mod telling;
mod together;

use crate::support::cloud::Cloud;
use crate::support::cloud::beanstalk::handles::Seed;
use crate::support::env::TestEnv;

/// A project on AWS: parameters at home, the variables of a Docker environment as a copy.
pub(crate) const MANIFEST: &str = r#"
version = 1
[project]
name = "dev-app"
region = "us-east-1"
default_environment = "prod"

[environments.prod]
home = "ssm"
account = "111122223333"

[environments.prod.copies.web]
kind = "beanstalk"
application = "dev-app"
environment = "dev-app-prod"
groups = ["app", "database"]
secrets = "SECRETS"

[groups.app.keys]
DJANGO_SETTINGS_MODULE = { value = "dev_app.settings.production" }
SECRET_KEY = { secret = true, generate = { length = 50, alphabet = "url-safe" } }
EMAIL_CC = { optional = true }

[groups.database.keys]
RDS_HOSTNAME = {}
RDS_USERNAME = {}
RDS_PASSWORD = { secret = true }
DATABASE_URL = { derive = "postgres://{RDS_USERNAME}:{RDS_PASSWORD}@{RDS_HOSTNAME}:5432/app" }
"#;

/// A stack whose platform resolves references with JSON keys.
pub(crate) const DOCKER: &str = "64bit Amazon Linux 2023 v4.9.1 running Docker";

/// The local AWS with the Beanstalk environment, and a project that uses it.
pub(crate) fn project(secrets: &str) -> (Cloud, TestEnv) {
    let cloud = Cloud::start();
    cloud.world(|world| {
        let seed = Seed::new("dev-app", "dev-app-prod", DOCKER).property("LEFT_ALONE", "theirs");
        world.beanstalk.add(seed, jiff::Timestamp::now());
    });
    let env = operator(&cloud, secrets);
    (cloud, env)
}

/// Somebody with that project on a machine of their own.
pub(crate) fn operator(cloud: &Cloud, secrets: &str) -> TestEnv {
    let mut env = TestEnv::new().with_manifest(&MANIFEST.replace("SECRETS", secrets));
    env.on(cloud);
    env.set("STRONGROOM_POLL_INTERVAL_MS", "5");
    env.run("init --yes").success();
    env
}
