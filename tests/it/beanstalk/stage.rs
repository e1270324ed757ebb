//! An environment in a cloud of its own, the store over it, and short words for what tests do with both.

use crate::support::account::settings;
use crate::support::cloud::beanstalk::handles::Seed;
use crate::support::cloud::beanstalk::{Beanstalk as Service, Resolver};
use crate::support::cloud::{ACCESS_KEY, Cloud, REGION, SECRET_KEY, ssm};
use aws_sdk_elasticbeanstalk::config::{BehaviorVersion, Credentials, Region};
use jiff::Timestamp;
use std::sync::{Arc, Mutex};
use strongroom::manifest::Manifest;
use strongroom::name::Address;
use strongroom::plan::{Desired, Plan, Want, diff};
use strongroom::secret::Secret;
use strongroom::snapshot::{Held, Snapshot};
use strongroom::store::{
    Applied, Aws, Beanstalk, ErrorKind, OperationId, Receipt, Settings, Store, StoreError,
};

pub(super) const DOCKER: &str = "64bit Amazon Linux 2023 v4.9.1 running Docker";
pub(super) const UPDATE: &str = "elasticbeanstalk:UpdateEnvironment";
pub(super) const NAME: &str = "shop-prod";
pub(super) const SECRET: &str = "arn:aws:secretsmanager:us-east-1:111122223333:secret:shop/prod/app-AbCdEf";

const MANIFEST: &str = r#"
version = 1
project.name = "shop"
[environments.prod]
home = "ssm"
region = "us-east-1"
account = "111122223333"
[environments.prod.copies.web]
kind = "beanstalk"
application = "shop"
environment = "shop-prod"
groups = ["app", "xero"]
secrets = "reference"
[groups.app.keys]
A = {}
B = {}
MODE = {}
TOKEN = { secret = true }
PASSWORD = { secret = true }
[groups.xero]
instances = true
env = "XERO_{instance}_{key}"
keys.token = { secret = true }
[groups.elsewhere.keys]
ELSEWHERE = {}
"#;

/// An environment and the store over it.
pub(super) struct Stage {
    pub(super) cloud: Cloud,
    pub(super) store: Beanstalk,
    /// What was told of AWS's events.
    pub(super) told: Arc<Mutex<Vec<String>>>,
    runtime: tokio::runtime::Runtime,
}

/// The environment of the manifest on a platform.
pub(super) fn seed(stack: &str) -> Seed {
    Seed::new("shop", NAME, stack)
}

impl Stage {
    pub(super) fn with<'a>(properties: impl IntoIterator<Item = (&'a str, &'a str)>) -> Stage {
        Stage::seeded(seed(DOCKER).properties(properties))
    }

    pub(super) fn seeded(seed: Seed) -> Stage {
        let cloud = Cloud::start();
        cloud.world(|world| world.beanstalk.add(seed, Timestamp::now()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = told.clone();
        let store =
            store(settings(&cloud)).watched(move |event| heard.lock().unwrap().push(event.to_owned()));
        Stage { cloud, store, told, runtime }
    }

    /// The same environment, seen by another process.
    pub(super) fn elsewhere(&self) -> Beanstalk {
        store(settings(&self.cloud))
    }

    pub(super) fn beanstalk<T>(&self, visit: impl FnOnce(&mut Service) -> T) -> T {
        self.cloud.world(|world| visit(&mut world.beanstalk))
    }

    /// Somebody else deploys a property at once.
    pub(super) fn theirs(&self, name: &str, value: &str) {
        deploy(&self.cloud, name, value);
    }

    /// Somebody deploys a version of the app whose .ebextensions set nothing.
    pub(super) fn deploy_version_without_ebextensions(&self) {
        self.beanstalk(|service| service.add_version("shop", "v2", Default::default(), Timestamp::now()));
        let work = async {
            let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "invented");
            let config = aws_sdk_elasticbeanstalk::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new(REGION))
                .endpoint_url(self.cloud.endpoint())
                .credentials_provider(credentials)
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .build();
            let client = aws_sdk_elasticbeanstalk::Client::from_conf(config);
            client.update_environment().environment_name(NAME).version_label("v2").send().await.unwrap();
        };
        self.wait(work);
    }

    /// A parameter that references can name.
    pub(super) fn parameter(&self, name: &str, value: &str) {
        self.cloud.world(|world| world.ssm.seed(ssm::Seed { name, value, kind: "SecureString" }));
    }

    pub(super) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub(super) fn read(&self, addresses: &[&str]) -> Result<Snapshot, StoreError> {
        let addresses: Vec<Address> = addresses.iter().map(|text| address(text)).collect();
        self.wait(self.store.read(&addresses))
    }

    /// What stands at an address: the value, `-> ` and the reference, or nothing.
    pub(super) fn at(&self, at: &str) -> Option<String> {
        let snapshot = self.read(&[at]).unwrap();
        snapshot.entries.get(&address(at)).map(|entry| match &entry.held {
            Held::Value(value) => value.expose().to_owned(),
            Held::Reference(reference) => format!("-> {reference}"),
        })
    }

    pub(super) fn plan(&self, wants: &[(&str, Want)]) -> Plan {
        let names: Vec<&str> = wants.iter().map(|(at, _)| *at).collect();
        let desired: Desired = wants.iter().map(|(at, want)| (address(at), want.clone())).collect();
        diff("web", &desired, &self.read(&names).unwrap(), |address| self.store.unit_of(address))
    }

    pub(super) fn review(&self, wants: &[(&str, Want)]) -> Result<Vec<String>, StoreError> {
        let plan = self.plan(wants);
        self.wait(self.store.review(&plan.writes[0]))
    }

    pub(super) fn write(&self, plan: &Plan) -> Receipt {
        assert_eq!(plan.writes.len(), 1, "all of it is one write");
        let write = &plan.writes[0];
        let operation = OperationId::parse("20260102-030405-abcdef").unwrap();
        self.wait(self.store.write(&write.unit, write.base.as_ref(), &operation, &write.changes))
    }

    pub(super) fn applied(&self, wants: &[(&str, Want)]) -> Applied {
        match self.write(&self.plan(wants)) {
            Receipt::Applied(applied) => applied,
            receipt => panic!("{receipt:?}"),
        }
    }

    pub(super) fn settle(&self, applied: &Applied) -> Result<(), StoreError> {
        self.wait(self.store.settle(applied))
    }

    /// Writes and waits for the end.
    pub(super) fn set(&self, wants: &[(&str, Want)]) -> Result<(), StoreError> {
        self.settle(&self.applied(wants))
    }

    pub(super) fn refused(&self, plan: &Plan) -> StoreError {
        match self.write(plan) {
            Receipt::NotApplied(error) => error,
            receipt => panic!("{receipt:?}"),
        }
    }

    pub(super) fn updates(&self) -> usize {
        self.cloud.count(UPDATE)
    }
}

pub(super) fn store(settings: Settings) -> Beanstalk {
    let manifest = Arc::new(Manifest::parse("strongroom.toml", MANIFEST).unwrap());
    Beanstalk::new(Arc::new(Aws::new(settings)), manifest, "prod".parse().unwrap(), "web").unwrap()
}

/// Somebody else deploys a property at once.
pub(super) fn deploy(cloud: &Cloud, name: &str, value: &str) {
    struct NoSecrets;
    impl Resolver for NoSecrets {
        fn resolve(&self, _: &str) -> Result<String, String> {
            Err("there is none".to_owned())
        }
    }
    let values = [(name, Some(value))];
    cloud.world(|world| world.beanstalk.deploy_elsewhere(NAME, &values, Timestamp::now(), &NoSecrets));
}

pub(super) fn address(text: &str) -> Address {
    text.parse().unwrap()
}

pub(super) fn value(text: &str) -> Want {
    Want::value(Secret::new(text.to_owned()).unwrap())
}

pub(super) fn reference(text: &str) -> Want {
    Want::held(Held::Reference(text.to_owned()))
}

#[track_caller]
pub(super) fn tells(error: &StoreError, kind: ErrorKind, parts: &[&str]) {
    let text = format!("{error} {}", error.hint.as_deref().unwrap_or_default());
    assert_eq!(error.kind, kind, "{text}");
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
}
