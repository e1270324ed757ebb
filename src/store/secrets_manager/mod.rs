//! Secrets Manager: a JSON document for each group (or instance of one), or a secret for each key where the group's path
//! says so.
//!
//! Owns what a unit is, and what a secret's text means at an address: `text` reads and changes it, `read`, `write`
//! and `lifecycle` make the calls, `past` tells what was there before. Writes are compare-and-swap on the label AWSCURRENT, so nobody is
//! overwritten, and only members that are spoken of are touched. It never deletes a secret that strongroom did not
//! create.
//!
//! A member that is `null` counts as absent. What else is no string in a document (a number, `true`, an object) is read as
//! its JSON text, is named by the attribute `json`, and stays what it is where the new value reads as that.

mod elsewhere;
mod json_document;
mod lifecycle;
mod past;
mod probe;
mod read;
mod review;
mod seen;
mod text;
mod write;

pub use elsewhere::members;

use super::aws::{Aws, Failure, Family};
use super::{Applied, ErrorKind, OperationId, Receipt, Store, StoreError};
use crate::manifest::{Manifest, Placeholder};
use crate::name::{self, Address};
use crate::plan::{Change, Write};
use crate::snapshot::{Snapshot, Unit, Version};
use async_trait::async_trait;
use seen::Seen;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use text::Form;

/// The label of the version that counts.
const CURRENT: &str = "AWSCURRENT";
/// The label of the version that strongroom wrote last. A new version gets it before it gets [`CURRENT`]; it sits on one
/// version of a secret at most, so it never fills up a secret's labels.
const WRITTEN: &str = "STRONGROOM_WRITTEN";

/// The secrets of one environment.
///
/// `ListSecrets`, by which instances are discovered, may lag behind by up to five minutes: an instance that somebody just
/// created may not be there yet. What is known by name is read at once.
pub struct SecretsManager {
    aws: Arc<Aws>,
    manifest: Arc<Manifest>,
    environment: name::Environment,
    seen: Seen,
}

impl SecretsManager {
    /// The secrets that a manifest names for an environment, in an account.
    pub fn new(aws: Arc<Aws>, manifest: Arc<Manifest>, environment: name::Environment) -> SecretsManager {
        SecretsManager { aws, manifest, environment, seen: Seen::default() }
    }

    /// The name of the secret that holds an address; `None` where the manifest does not know the group, and it is not the
    /// tool's own.
    fn name_of(&self, address: &Address) -> Option<String> {
        let declared = self.manifest.document_name(&self.environment, address);
        // Its revision is a copy's, and never in home.
        let kept = address.instance.is_some();
        declared.or_else(|| self.manifest.own_name(&self.environment, address).filter(|_| kept))
    }

    /// Whether the secrets of a group are documents or single values.
    fn form_of(&self, group: &name::Group) -> Form {
        let plain = self.manifest.group(group.as_str());
        let plain = plain.is_ok_and(|group| group.secretsmanager_path.uses(Placeholder::Key));
        // What is strongroom's own is a secret for each thing.
        if plain || *group == name::Group::own() { Form::Value } else { Form::Document }
    }

    /// The ARN of a secret as a policy would name it.
    fn resource(&self, name: &str) -> String {
        let settings = self.aws.settings();
        let region = settings.region.as_deref().unwrap_or("*");
        let account = settings.account.as_deref().unwrap_or("*");
        format!("arn:aws:secretsmanager:{region}:{account}:secret:{name}-??????")
    }

    fn error(&self, kind: ErrorKind, message: impl Into<String>) -> StoreError {
        StoreError::new(kind, self.location(), message)
    }

    /// A call that failed, as this place tells it.
    fn failed(&self, failure: Failure, action: &str, name: &str) -> StoreError {
        let too_many = failure.is("LimitExceededException");
        let error = failure.at(&self.location(), action, &self.resource(name));
        if too_many {
            return error.hint(
                "Secrets Manager keeps every version of the last 24 hours and takes about 100 of them: \
                 change several keys of a group in one command, and try again tomorrow",
            );
        }
        error
    }
}

#[async_trait]
impl Store for SecretsManager {
    fn location(&self) -> String {
        let whereabouts = self.aws.whereabouts(self.aws.settings().endpoints.secrets_manager.as_ref());
        format!("Secrets Manager {whereabouts}, {} {}", self.manifest.project(), self.environment)
    }

    fn unit_of(&self, address: &Address) -> Unit {
        Unit(self.name_of(address).unwrap_or_else(|| address.to_string()))
    }

    async fn read(&self, addresses: &[Address]) -> Result<Snapshot, StoreError> {
        let mut wanted: BTreeMap<String, Vec<&Address>> = BTreeMap::new();
        for address in addresses {
            if let Some(name) = self.name_of(address) {
                wanted.entry(name).or_default().push(address);
            }
        }
        let names: Vec<String> = wanted.keys().cloned().collect();
        let found = self.current(&names).await?;
        let mut snapshot = Snapshot::default();
        for (name, addresses) in wanted {
            let Some(secret) = found.get(&name) else { continue };
            snapshot.bases.insert(Unit(name), secret.version.clone());
            let text = self.text(self.form_of(&addresses[0].group), secret)?;
            for address in addresses {
                let entry = secret.entry(&text, &address.key);
                if let Some(entry) = entry.map_err(|why| self.unreadable(secret, address, &why))? {
                    snapshot.entries.insert(address.clone(), entry);
                }
            }
        }
        Ok(snapshot)
    }

    async fn write(
        &self,
        unit: &Unit,
        base: Option<&Version>,
        operation: &OperationId,
        changes: &[Change],
    ) -> Receipt {
        match self.swap(&unit.0, base, operation, changes).await {
            Ok((version, request)) => {
                Receipt::Applied(Applied { unit: unit.clone(), version, request, overwrote: None })
            }
            Err(write::Missed::Refused(error)) => Receipt::NotApplied(error),
            Err(write::Missed::Unheard(error)) => Receipt::Unknown(error),
        }
    }

    /// A write is in force at once. But one whose process ended between emptying a document and deleting it, or whose
    /// answer was lost there, is only now known to have emptied it.
    async fn settle(&self, applied: &Applied) -> Result<(), StoreError> {
        let Some(version) = &applied.version else { return Ok(()) };
        self.bury(&applied.unit.0, version).await
    }

    fn interval(&self, write: &Write) -> Duration {
        // A secret that is there is changed in two calls: a version is put, and then promoted.
        let calls = if write.base.is_none() { 1 } else { 2 };
        self.aws.interval(Family::SecretWrites) * calls
    }

    async fn review(&self, write: &Write) -> Result<Vec<String>, StoreError> {
        self.look_over(write).await
    }
}
