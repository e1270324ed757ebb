//! Parameters as home, on the local AWS: what a change costs in calls, what becomes of it when a call fails, and what
//! others get wrong here.

mod budget;
mod cli;
mod faults;
mod rules;

use crate::support::account::{settings, settings_of};
use crate::support::cloud::Cloud;
use crate::support::cloud::ssm::{Held, Seed};
use std::sync::Arc;
use strongroom::apply::{self, ApplyError, Done};
use strongroom::journal::{Journal, Outside, Standing};
use strongroom::manifest::Manifest;
use strongroom::name::Address;
use strongroom::plan::{Desired, Want};
use strongroom::seal::Identities;
use strongroom::secret::Secret;
use strongroom::snapshot::Snapshot;
use strongroom::store::{Aws, Settings, Ssm, Store, Stores};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const MANIFEST: &str = r#"
version = 1
project.name = "shop"
[environments.prod]
home = "ssm"
tags = { team = "web" }
quota = { reads = 5000, writes = 5000 }
[groups.app.keys]
A = { secret = true, tags = { level = "high" } }
B = { secret = true }
C = { type = "String" }
[groups.xero]
instances = true
path.ssm = "/{project}/xero/{instance}/{key}"
[groups.xero.keys]
token = { secret = true }
"#;

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned()).unwrap()
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// An account, a manifest and a journal; what is done with them is done by a new process each time.
struct World {
    cloud: Cloud,
    manifest: Arc<Manifest>,
    settings: Settings,
    state: TempDir,
    person: Arc<Identities>,
    runtime: Runtime,
}

impl World {
    fn new() -> World {
        World::of(MANIFEST)
    }

    fn of(manifest: &str) -> World {
        let cloud = Cloud::start();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        World {
            manifest: Arc::new(Manifest::parse("strongroom.toml", manifest).unwrap()),
            settings: settings(&cloud),
            cloud,
            state: TempDir::new().unwrap(),
            person: Arc::new(Identities::generate()),
            runtime,
        }
    }

    /// The same account as a principal sees it who may do what this policy says.
    fn only_allowed(&mut self, policy: &str) {
        let (key, arn) = ("AKIALOCALSOMEBODYEXA", "arn:aws:iam::111122223333:user/somebody");
        self.cloud.principal(key, arn, policy).unwrap();
        self.settings = settings_of(&self.cloud, key);
    }

    fn ssm(&self) -> Ssm {
        let prod = self.manifest.environment("prod").unwrap();
        let settings = Settings {
            quota: prod.quota,
            tags: prod.tags.clone(),
            kms_key: prod.kms_key.clone(),
            ..self.settings.clone()
        };
        Ssm::new(Arc::new(Aws::new(settings)), self.manifest.clone(), prod.name.clone())
    }

    fn stores(&self) -> Stores {
        let ssm: Box<dyn Store> = Box::new(self.ssm());
        Stores::from([("ssm".to_owned(), ssm)])
    }

    fn journal(&self) -> Journal {
        let names = ("shop".parse().unwrap(), "prod".parse().unwrap());
        let outside = Outside { clock: jiff::Timestamp::now, random: rand::random };
        let recipients = self.person.recipients();
        Journal::new(self.state.path(), names, recipients, Some(self.person.clone()), outside)
    }

    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    fn seed(&self, name: &str, value: &str, kind: &str) {
        self.cloud.world(|world| world.ssm.seed(Seed { name, value, kind }));
    }

    fn held(&self, name: &str) -> Option<Held> {
        self.cloud.world(|world| world.ssm.held(name))
    }

    fn value(&self, name: &str) -> Option<String> {
        self.held(name).map(|held| held.value)
    }

    fn read(&self, addresses: &[&str]) -> Snapshot {
        let addresses: Vec<Address> = addresses.iter().map(|text| address(text)).collect();
        self.wait(self.ssm().read(&addresses)).unwrap()
    }

    /// A whole change by one process.
    fn change(&self, desired: &Desired) -> Result<Done, ApplyError> {
        let stores = self.stores();
        self.wait(async {
            let plan = apply::plan("ssm", stores["ssm"].as_ref(), desired).await?;
            apply::run(&self.journal(), "set", &plan, &stores, &mut |_| ()).await
        })
    }

    fn set(&self, wants: &[(&str, Option<&str>)]) -> Result<Done, ApplyError> {
        self.change(&desired(wants))
    }

    fn undo(&self, done: &Done) -> Done {
        let (journal, stores) = (self.journal(), self.stores());
        self.wait(async {
            let undo = apply::plan_undo(&journal, &done.operation, &stores, false).await.unwrap();
            apply::undo(&journal, undo, &stores, &mut |_| ()).await.unwrap()
        })
    }

    /// What a person does after a change that failed: resume what is unfinished; with nothing to resume, do it again.
    fn mend(&self, desired: &Desired) {
        let unfinished = |summary: &strongroom::journal::Summary| summary.standing == Standing::Unfinished;
        let open = self.journal().list().unwrap().into_iter().find(unfinished);
        match open {
            Some(summary) => {
                let stores = self.stores();
                let journal = self.journal();
                self.wait(apply::resume(&journal, &summary.id, &stores, false, &mut |_| ())).unwrap();
            }
            None => drop(self.change(desired).unwrap()),
        }
    }

    fn calls(&self) -> Vec<String> {
        self.cloud.calls().iter().map(|call| call.action.clone()).collect()
    }
}

fn desired(wants: &[(&str, Option<&str>)]) -> Desired {
    let want = |value: &Option<&str>| value.map_or(Want::Absent, |value| Want::value(secret(value)));
    wants.iter().map(|(at, value)| (address(at), want(value))).collect()
}
