//! Secrets Manager as home, on the local AWS: what a change costs in calls, what it leaves alone, what becomes of it when
//! a call fails, and what others get wrong here.

mod budget;
mod cli;
mod documents;
mod faults;
mod lifecycle;
mod races;

use crate::support::account::{settings, settings_of};
use crate::support::cloud::Cloud;
use std::sync::Arc;
use strongroom::apply::{self, ApplyError, Done};
use strongroom::journal::{Journal, Outside, Standing};
use strongroom::manifest::Manifest;
use strongroom::name::Address;
use strongroom::plan::{Desired, Plan, Want};
use strongroom::seal::Identities;
use strongroom::secret::Secret;
use strongroom::snapshot::Snapshot;
use strongroom::store::{Aws, SecretsManager, Settings, Store, StoreError, Stores};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const MANIFEST: &str = r#"
version = 1
project.name = "shop"
[environments.prod]
home = "secretsmanager"
tags = { team = "web" }
[groups.app.keys]
A = { secret = true }
B = { secret = true }
C = { secret = true }
[groups.db.keys]
ONLY = { secret = true }
[groups.made.keys]
NEW = { secret = true }
[groups.single]
path.secretsmanager = "{project}/{environment}/single/{key}"
[groups.single.keys]
ONE = { secret = true, tags = { level = "high" } }
TWO = { secret = true }
[groups.xero]
instances = true
path.secretsmanager = "{project}/xero/{instance}"
[groups.xero.keys]
token = { secret = true }
"#;

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned()).unwrap()
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn desired(wants: &[(&str, Option<&str>)]) -> Desired {
    let want = |value: &Option<&str>| value.map_or(Want::Absent, |value| Want::value(secret(value)));
    wants.iter().map(|(at, value)| (address(at), want(value))).collect()
}

/// An account and a journal; what is done with them is done by a new process each time.
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
        let cloud = Cloud::start();
        let memory = std::path::Path::new("/dev/shm");
        let state = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        let settings = settings(&cloud);
        World {
            manifest: Arc::new(Manifest::parse("strongroom.toml", MANIFEST).unwrap()),
            settings: Settings { tags: [("team".to_owned(), "web".to_owned())].into(), ..settings },
            cloud,
            state: state.unwrap(),
            person: Arc::new(Identities::generate()),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        }
    }

    /// The same account as a principal sees it who may do what this policy says.
    fn only_allowed(&mut self, policy: &str) {
        let (key, arn) = ("AKIALOCALSOMEBODYEXA", "arn:aws:iam::111122223333:user/somebody");
        self.cloud.principal(key, arn, policy).unwrap();
        self.settings = settings_of(&self.cloud, key);
    }

    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// The store as a new process opens it.
    fn store(&self) -> SecretsManager {
        let name = self.manifest.environment("prod").unwrap().name.clone();
        SecretsManager::new(Arc::new(Aws::new(self.settings.clone())), self.manifest.clone(), name)
    }

    fn stores(&self) -> Stores {
        Stores::from([("home".to_owned(), Box::new(self.store()) as Box<dyn Store>)])
    }

    fn journal(&self) -> Journal {
        let outside = Outside { clock: jiff::Timestamp::now, random: || rand::random() };
        let names = ("shop".parse().unwrap(), "prod".parse().unwrap());
        Journal::new(self.state.path(), names, self.person.recipients(), Some(self.person.clone()), outside)
    }

    fn try_read(&self, addresses: &[&str]) -> Result<Snapshot, StoreError> {
        let addresses: Vec<Address> = addresses.iter().map(|text| address(text)).collect();
        self.wait(self.store().read(&addresses))
    }

    fn read(&self, addresses: &[&str]) -> Snapshot {
        self.try_read(addresses).unwrap()
    }

    fn value(&self, at: &str) -> Option<String> {
        self.read(&[at]).value(&address(at)).map(|value| value.expose().to_owned())
    }

    async fn run(&self, desired: &Desired) -> Result<Done, ApplyError> {
        let stores = self.stores();
        let plan = apply::plan("home", stores["home"].as_ref(), desired).await?;
        apply::run(&self.journal(), "set", &plan, &stores, &mut |_| ()).await
    }

    fn set(&self, wants: &[(&str, Option<&str>)]) -> Done {
        self.wait(self.run(&desired(wants))).unwrap()
    }

    fn plan(&self, wants: &[(&str, Option<&str>)]) -> Result<Plan, ApplyError> {
        let store = self.store();
        self.wait(apply::plan("home", &store, &desired(wants)))
    }

    /// Takes back what was done last.
    async fn undo(&self) -> Result<Done, ApplyError> {
        let (journal, stores) = (self.journal(), self.stores());
        let listed = journal.list().unwrap();
        let can_be_undone = listed.iter().rev().find(|summary| {
            matches!(summary.standing, Standing::Done | Standing::Unfinished)
                && summary.touched
                && summary.undoes.is_none()
        });
        let undo = apply::plan_undo(&journal, &can_be_undone.unwrap().id, &stores, false).await?;
        apply::undo(&journal, undo, &stores, &mut |_| ()).await
    }

    /// The text of a secret, as everybody sees it.
    fn text(&self, name: &str) -> Option<String> {
        let held = self.cloud.world(|world| world.secrets.held(name))?;
        held.text.filter(|_| !held.is_scheduled_for_deletion)
    }

    fn seed(&self, name: &str, text: &str) {
        self.cloud.world(|world| world.secrets.seed(name, text));
    }

    fn leaving(&self, name: &str) -> bool {
        self.cloud.world(|world| world.secrets.held(name)).unwrap().is_scheduled_for_deletion
    }

    /// What of Secrets Manager was called since the last reset, in its order.
    fn calls(&self) -> Vec<String> {
        let calls = self.cloud.calls().into_iter();
        let ours = calls.filter(|call| call.service == "secretsmanager").map(|call| call.action);
        self.cloud.reset_calls();
        ours.collect()
    }

    /// Another tool's way to the same account.
    fn client(&self) -> aws_sdk_secretsmanager::Client {
        use aws_sdk_secretsmanager::config::{BehaviorVersion, Region};
        let http = aws_smithy_http_client::Builder::new().build_http();
        let config = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .region(Region::new("us-east-1"))
            .endpoint_url(self.cloud.endpoint())
            .credentials_provider(self.settings.credentials.clone().unwrap());
        aws_sdk_secretsmanager::Client::from_conf(config.build())
    }
}
