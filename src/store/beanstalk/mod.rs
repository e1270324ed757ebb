//! The properties of an Elastic Beanstalk environment, as home or as a copy.
//!
//! Owns how an address becomes a property or a reference of the environment, and the one UpdateEnvironment of a write:
//! its unit is the whole environment. It never writes what is deployed already, and never touches a property that it was
//! not asked for. What AWS says is quoted without values.
//!
//! AWS has no version of an environment's properties and no compare-and-swap: a write reads them once more just before
//! its call. What makes a deployment done is in `deployment`.

mod deployed;
mod deployment;
mod limits;
mod naming;
mod platform;
mod probe;
mod review;
mod saved;
mod update;

pub use limits::BUDGET;
pub use platform::PlatformFacts;
pub use probe::Support;
pub use saved::{Saved, SavedConfiguration};

use super::aws::{Again, Failure, Family, Reach, Request};
use super::{
    Applied, Aws, Discover, ErrorKind, History, OperationId, Receipt, Store, StoreError, unchanged_since,
};
use crate::manifest::Manifest;
use crate::name::{Address, Environment, Group, Key};
use crate::plan::{Change, Write};
use crate::secret::Secret;
use crate::snapshot::{Past, Setting, Snapshot, Unit, Version};
use async_trait::async_trait;
use aws_sdk_elasticbeanstalk::operation::RequestId;
use deployed::{Deployed, Unreadable};
use naming::Naming;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use update::Update;

/// Is told each event of AWS's stream while a deployment is waited for.
type OnEvent = Box<dyn Fn(&str) + Send + Sync>;

/// The properties of one environment, under the names of one copy of the manifest.
pub struct Beanstalk {
    aws: Arc<Aws>,
    naming: Naming,
    application: String,
    name: String,
    on_event: OnEvent,
    memory: Mutex<Memory>,
}

/// What this process knows of the environment beside what AWS answers.
#[derive(Default)]
struct Memory {
    /// What was last read, for the review of a plan that was made from it.
    read: Option<Arc<Deployed>>,
    /// What was last sent, and AWS's name for the call where it was heard.
    sent: Option<Sent>,
    /// The events that were told, with their times: a deployment is looked at several times, and each is told once.
    told: BTreeSet<(i64, String)>,
}

#[derive(Clone)]
struct Sent {
    update: Arc<Update>,
    request: Option<String>,
}

/// How an environment stands, for whoever looks at more than its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// AWS's word: `Ready`, `Updating`.
    pub status: String,
    /// AWS's colour: `Green`, `Red`.
    pub health: String,
    /// The platform version, as AWS names it.
    pub platform: String,
    /// What that is.
    pub facts: PlatformFacts,
    /// Bytes of [`BUDGET`] that the plain properties use.
    pub bytes: usize,
    /// Names that are a plain property and a reference; AWS does not say which of the two the app gets.
    pub doubled: Vec<String>,
    /// Properties that the manifest does not declare; those of the platform are not among them.
    pub undeclared: Vec<Key>,
    /// A deployment failed, and its draft was not deleted.
    pub failed_draft: bool,
    /// The names of the plain properties in that draft.
    pub in_draft: Vec<String>,
}

impl Beanstalk {
    /// The properties that a copy of the manifest means.
    pub fn new(
        aws: Arc<Aws>,
        manifest: Arc<Manifest>,
        environment: Environment,
        copy: &str,
    ) -> Result<Beanstalk, StoreError> {
        let known = manifest.environment(environment.as_str()).ok().and_then(|spec| spec.copies.get(copy));
        let Some(spec) = known.cloned() else {
            let message = format!("`{environment}` has no copy `{copy}`");
            return Err(StoreError::new(ErrorKind::Failed, "beanstalk", message));
        };
        let naming = Naming { manifest, environment, selection: spec.selection };
        let (application, name) = (spec.application, spec.environment);
        let memory = Mutex::default();
        Ok(Beanstalk { aws, naming, application, name, on_event: Box::new(|_| ()), memory })
    }

    /// The same, telling each event of a deployment that is waited for. The text is AWS's, without values.
    pub fn watched(mut self, on_event: impl Fn(&str) + Send + Sync + 'static) -> Beanstalk {
        self.on_event = Box::new(on_event);
        self
    }

    /// What is there under names that the manifest does not declare, at addresses of [`Group::undeclared`]. What the
    /// platform sets is not among it, nor what no variable can be named.
    pub async fn undeclared(&self) -> Result<Snapshot, StoreError> {
        self.walk(&[Group::undeclared()]).await
    }

    /// What is there in these groups, and every setting of a variable beside it: plain or by reference, under whatever
    /// name, those of the platform too. Both are out of one answer of AWS.
    pub async fn walk_raw(&self, groups: &[Group]) -> Result<(Snapshot, Vec<Setting>), StoreError> {
        let deployed = self.deployed().await?;
        Ok((self.inside(&deployed, groups), deployed.variables.settings()))
    }

    /// The address of a variable; none where no key can have its name, or the platform sets it.
    pub fn address_of(&self, variable: &str) -> Option<Address> {
        self.naming.address_of(variable)
    }

    /// How the environment stands.
    pub async fn condition(&self) -> Result<Condition, StoreError> {
        let (look, deployed) = (self.look().await?, self.deployed().await?);
        let names = deployed.variables.names().filter_map(|name| self.naming.address_of(name));
        let undeclared = names.filter(|address| address.group == Group::undeclared());
        let in_draft = match &deployed.draft {
            Some(deployed::Draft::Failed(draft)) => draft.properties.keys().cloned().collect(),
            Some(deployed::Draft::Pending) | None => Vec::new(),
        };
        Ok(Condition {
            status: look.status,
            health: look.health,
            platform: deployed.platform.name.clone(),
            facts: deployed.platform.facts(),
            bytes: deployed.variables.bytes(),
            doubled: deployed.variables.doubled().map(str::to_owned).collect(),
            undeclared: undeclared.map(|address| address.key).collect(),
            failed_draft: matches!(deployed.draft, Some(deployed::Draft::Failed(_))),
            in_draft,
        })
    }

    fn unit(&self) -> Unit {
        Unit(format!("environment {}", self.name))
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("no code panics while it holds the lock")
    }

    fn error(&self, kind: ErrorKind, message: impl Into<String>) -> StoreError {
        StoreError::new(kind, self.location(), message)
    }

    /// What an identity must be allowed to act on.
    async fn resource(&self) -> String {
        self.arn(&format!("environment/{}/{}", self.application, self.name)).await
    }

    /// The ARN of something of Beanstalk.
    async fn arn(&self, of: &str) -> String {
        let region = self.aws.clients().await.map_or("*", |clients| clients.region.as_str());
        let account = self.aws.settings().account.as_deref().unwrap_or("*");
        let partition = match region {
            _ if region.starts_with("cn-") => "aws-cn",
            _ if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        format!("arn:{partition}:elasticbeanstalk:{region}:{account}:{of}")
    }

    async fn failed(&self, failure: Failure, action: &str) -> StoreError {
        failure.at(&self.location(), action, &self.resource().await)
    }

    /// What is deployed now.
    async fn deployed(&self) -> Result<Arc<Deployed>, StoreError> {
        let clients = self.aws.clients().await?;
        let request = Request::read("elasticbeanstalk:DescribeConfigurationSettings", Family::Beanstalk);
        let send = || {
            let call = clients.beanstalk.describe_configuration_settings();
            call.application_name(&self.application).environment_name(&self.name).send()
        };
        let answer = match self.aws.call(&request, send).await {
            Ok(answer) => answer,
            Err(failure) => return Err(self.failed(failure, request.action).await),
        };
        let taken = Deployed::of(answer.configuration_settings.unwrap_or_default());
        let deployed = match taken {
            Ok(deployed) => Arc::new(deployed),
            Err(unreadable) => return Err(self.unreadable(unreadable).await),
        };
        self.memory().read = Some(deployed.clone());
        Ok(deployed)
    }

    async fn unreadable(&self, why: Unreadable) -> StoreError {
        match why {
            Unreadable::Hidden => self.hidden(&self.resource().await),
            Unreadable::NotDeployed => self
                .error(ErrorKind::Busy, "none of its configurations is deployed yet")
                .hint("wait until the environment is Ready, and run the command again"),
            Unreadable::Value(name, invalid) => {
                self.error(ErrorKind::Damaged, format!("the property `{name}` is no value")).because(invalid)
            }
        }
    }

    fn hidden(&self, resource: &str) -> StoreError {
        let message = "AWS answers with an empty list of settings instead of a refusal";
        self.error(ErrorKind::Denied, message).hint(format!(
            "your identity must be allowed `elasticbeanstalk:DescribeConfigurationSettings` on `{resource}`, and to see what the environment is made of; `strongroom policy --for operator` prints all that is needed"
        ))
    }

    fn snapshot<'a>(&self, deployed: &Deployed, addresses: impl Iterator<Item = &'a Address>) -> Snapshot {
        let entry = |address: &Address| Some((address.clone(), self.naming.entry(deployed, address)?));
        Snapshot { entries: addresses.filter_map(entry).collect(), ..Snapshot::default() }
    }

    fn inside(&self, deployed: &Deployed, groups: &[Group]) -> Snapshot {
        let all = deployed.variables.names().filter_map(|name| self.naming.address_of(name));
        let inside: Vec<Address> = all.filter(|address| groups.contains(&address.group)).collect();
        self.snapshot(deployed, inside.iter())
    }

    /// Waits until the environment is Ready, reads it once more, and makes the one call. While somebody else's update
    /// comes in between it starts over.
    async fn update(&self, changes: &[Change]) -> Result<Applied, Receipt> {
        let refused = Receipt::NotApplied;
        if self.aws.settings().account.is_some() {
            self.aws.check_account().await.map_err(refused)?;
        }
        if let Some(stranger) = self.naming.stranger(changes) {
            return Err(refused(self.error(ErrorKind::Invalid, "the copy does not get it").at(stranger)));
        }
        let mut patience = deployment::PATIENCE;
        loop {
            self.wait_until_ready(&mut patience).await.map_err(refused)?;
            let deployed = self.deployed().await.map_err(refused)?;
            let seen = self.snapshot(&deployed, changes.iter().map(|change| &change.address));
            unchanged_since(&self.location(), changes, |address| seen.entries.get(address))
                .map_err(refused)?;
            let update = Arc::new(Update::of(&self.naming, &deployed, changes));
            if update.is_empty() {
                return Ok(Applied::unheard(self.unit()));
            }
            self.within_budget(&update, &deployed).map_err(refused)?;
            match self.send(&update).await {
                Ok(request) => return Ok(Applied { request, ..Applied::unheard(self.unit()) }),
                Err(Receipt::NotApplied(error)) if error.kind == ErrorKind::Busy && patience > 0 => {
                    patience -= 1;
                    self.pause().await;
                }
                Err(receipt) => return Err(receipt),
            }
        }
    }

    /// Makes the call, and tells AWS's name for it.
    async fn send(&self, update: &Arc<Update>) -> Result<Option<String>, Receipt> {
        let clients = self.aws.clients().await.map_err(Receipt::NotApplied)?;
        let values: Vec<&Secret> = update.properties.values().collect();
        let request = Request {
            action: "elasticbeanstalk:UpdateEnvironment",
            family: Family::Beanstalk,
            again: Again::IfRefused,
            values: &values,
        };
        self.memory().sent = Some(Sent { update: update.clone(), request: None });
        let answer = self
            .aws
            .call(&request, || {
                let call = clients.beanstalk.update_environment().environment_name(&self.name);
                let call = call.application_name(&self.application);
                call.set_option_settings(Some(update.settings()))
                    .set_options_to_remove(Some(update.removals()))
                    .send()
            })
            .await;
        match answer {
            Ok(answer) => {
                let id = answer.request_id().map(str::to_owned);
                self.memory().sent = Some(Sent { update: update.clone(), request: id.clone() });
                Ok(id)
            }
            Err(failure) if failure.reach == Reach::Nothing => {
                self.memory().sent = None;
                Err(Receipt::NotApplied(self.failed(failure, request.action).await))
            }
            Err(failure) => Err(Receipt::Unknown(self.failed(failure, request.action).await)),
        }
    }
}

#[async_trait]
impl Store for Beanstalk {
    fn location(&self) -> String {
        let whereabouts = self.aws.whereabouts(self.aws.settings().endpoints.beanstalk.as_ref());
        format!("beanstalk {}/{} in {whereabouts}", self.application, self.name)
    }

    fn unit_of(&self, _address: &Address) -> Unit {
        self.unit()
    }

    async fn read(&self, addresses: &[Address]) -> Result<Snapshot, StoreError> {
        let deployed = self.deployed().await?;
        Ok(self.snapshot(&deployed, addresses.iter()))
    }

    async fn write(
        &self,
        _unit: &Unit,
        _base: Option<&Version>,
        _operation: &OperationId,
        changes: &[Change],
    ) -> Receipt {
        match self.update(changes).await {
            Ok(applied) => Receipt::Applied(applied),
            Err(receipt) => receipt,
        }
    }

    async fn review(&self, write: &Write) -> Result<Vec<String>, StoreError> {
        self.reviewed(write).await
    }

    async fn settle(&self, receipt: &Applied) -> Result<(), StoreError> {
        match &receipt.request {
            Some(request) => self.settle_heard(request).await,
            None => self.settle_unheard().await,
        }
    }
}

#[async_trait]
impl Discover for Beanstalk {
    async fn walk(&self, groups: &[Group]) -> Result<Snapshot, StoreError> {
        let deployed = self.deployed().await?;
        Ok(self.inside(&deployed, groups))
    }
}

#[async_trait]
impl History for Beanstalk {
    async fn history(&self, address: &Address) -> Result<Vec<Past>, StoreError> {
        let message = "Elastic Beanstalk keeps no earlier values";
        Err(self
            .error(ErrorKind::Invalid, message)
            .at(address)
            .hint("`strongroom operations` lists what was changed from this host, and backups keep values"))
    }
}
