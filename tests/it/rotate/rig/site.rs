//! A project whose app logs in to PostgreSQL: home, one environment of Beanstalk, and the rotation of its login.

use crate::support::cloud::Cloud;
use crate::support::cloud::beanstalk::handles::Seed;
use crate::support::env::TestEnv;
use std::collections::BTreeMap;

pub(in crate::rotate) const WEB: &str = "dev-app-prod";
pub(in crate::rotate) const APP: &str = "canary-app-password";
pub(in crate::rotate) const ROTATOR: &str = "canary-rotator-password";

const MANIFEST: &str = r#"
version = 1
[project]
name = "dev-app"
region = "us-east-1"
default_environment = "prod"

[environments.prod]
home = "HOME"
account = "111122223333"
quota = { reads = 5000, writes = 5000 }

[environments.prod.copies.web]
kind = "beanstalk"
application = "dev-app"
environment = "dev-app-prod"
groups = ["app", "database"]
secrets = "SECRETS"

[groups.app.keys]
SECRET_KEY = { secret = true }

[groups.database.keys]
RDS_HOSTNAME = { value = "127.0.0.1" }
RDS_PORT = { value = "NUMBER" }
RDS_DB_NAME = { value = "postgres" }
RDS_USERNAME = {}
RDS_PASSWORD = { secret = true }
DATABASE_URL = { derive = "postgres://{RDS_USERNAME}:{RDS_PASSWORD}@{RDS_HOSTNAME}:{RDS_PORT}/{RDS_DB_NAME}" }

[groups.operator]
audience = "operator"
[groups.operator.keys]
ROTATOR_USERNAME = {}
ROTATOR_PASSWORD = { secret = true }

[rotate.database]
kind = "postgres"
strategy = "STRATEGY"
host = "RDS_HOSTNAME"
port = "RDS_PORT"
database = "RDS_DB_NAME"
user = "RDS_USERNAME"
password = "RDS_PASSWORD"
admin = { user = "operator/ROTATOR_USERNAME", password = "operator/ROTATOR_PASSWORD" }
tls = { mode = "disable" }
every = "90d"
"#;

/// How a project is made.
#[derive(Debug, Clone, Copy)]
pub(in crate::rotate) struct Kind {
    pub(in crate::rotate) home: &'static str,
    pub(in crate::rotate) secrets: &'static str,
    pub(in crate::rotate) strategy: &'static str,
}

pub(in crate::rotate) const BY_VALUE: Kind = Kind { home: "ssm", secrets: "value", strategy: "alternating" };
pub(in crate::rotate) const BY_REFERENCE: Kind = Kind { secrets: "reference", ..BY_VALUE };
pub(in crate::rotate) const DOCUMENTS: Kind = Kind { home: "secretsmanager", ..BY_REFERENCE };

/// The project, its account and whoever works on it.
pub(in crate::rotate) struct Site {
    pub(in crate::rotate) cloud: Cloud,
    pub(in crate::rotate) env: TestEnv,
}

impl Site {
    /// Everything in place for a server on that port, and deployed.
    pub(in crate::rotate) fn new(kind: Kind, port: u16) -> Site {
        let cloud = Cloud::start();
        cloud.world(|world| {
            let seed = Seed::new("dev-app", WEB, crate::aws::DOCKER).property("LEFT_ALONE", "theirs");
            world.beanstalk.add(seed, jiff::Timestamp::now());
        });
        let text = MANIFEST.replace("HOME", kind.home).replace("SECRETS", kind.secrets);
        let text = text.replace("STRATEGY", kind.strategy).replace("NUMBER", &port.to_string());
        let mut env = TestEnv::new().with_manifest(&text);
        env.on(&cloud);
        env.set("STRONGROOM_POLL_INTERVAL_MS", "2");
        env.set("STRONGROOM_YES", "1");
        env.run("init").success();
        let site = Site { cloud, env };
        for (key, value) in [
            ("SECRET_KEY", "canary-secret-key"),
            ("RDS_USERNAME", "app"),
            ("RDS_PASSWORD", APP),
            ("ROTATOR_USERNAME", "rotator"),
            ("ROTATOR_PASSWORD", ROTATOR),
        ] {
            site.set(key, value);
        }
        site.env.run("sync").success();
        site.cloud.reset_calls();
        site
    }

    pub(in crate::rotate) fn set(&self, key: &str, value: &str) {
        self.env.run_with_stdin(&format!("set {key}"), value).success();
    }

    /// What the containers see that run.
    pub(in crate::rotate) fn running(&self) -> BTreeMap<String, String> {
        self.cloud.world(|world| world.beanstalk.container_environment(WEB))
    }

    /// What an instance would see that starts now.
    pub(in crate::rotate) fn starting(&self) -> BTreeMap<String, String> {
        self.cloud.world(|world| world.bootstrap_now(WEB)).unwrap()
    }

    /// What the deployed reference of the password ends with.
    pub(in crate::rotate) fn referred(&self) -> String {
        let references = self.cloud.world(|world| world.beanstalk.references(WEB));
        let arn = &references["RDS_PASSWORD"];
        arn.rsplit(['/', ':']).next().unwrap_or_default().to_owned()
    }

    /// Whether everything is as home and the manifest have it.
    pub(in crate::rotate) fn is_in_order(&self) -> bool {
        let status = self.env.run("status --check");
        assert!(matches!(status.code, Some(0 | 3)), "{}{}", status.stdout, status.stderr);
        status.code == Some(0)
    }
}
