//! AWS Systems Manager's Parameter Store: a parameter for each address.
//!
//! Owns how an environment's addresses become parameters, and what this process knows about the parameters that it has
//! written. `read` and `write` have the calls, `details` what a read does not tell, `history` the versions, `names` the
//! rules of names. It never lists what the manifest already names, and never repeats a write that may have been made.

mod details;
mod history;
mod listing;
mod names;
mod probe;
mod read;
mod write;

use crate::manifest::{EnvironmentSpec, KeySpec, Manifest, ParameterTier};
use crate::name::{Address, Environment, Group};
use crate::plan::{Change, Want, Write};
use crate::snapshot::{Attributes, Held, Snapshot, Unit, Version};
use crate::store::aws::{Aws, Failure, Family};
use crate::store::{Applied, Discover, ErrorKind, OperationId, Receipt, Store, StoreError};
use async_trait::async_trait;
use details::Details;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// The attribute that has a parameter's type.
pub(super) const TYPE: &str = "type";
/// The attribute that has the KMS key of a SecureString, as its last writer named it.
pub(super) const KMS_KEY: &str = "kms_key";
/// The attribute that an advanced parameter has.
pub(super) const TIER: &str = "tier";
/// The attribute that has a parameter's description.
pub(super) const DESCRIPTION: &str = "description";

/// The parameters of one environment.
pub struct Ssm {
    aws: Arc<Aws>,
    manifest: Arc<Manifest>,
    environment: Environment,
    location: String,
    known: Mutex<BTreeMap<String, Known>>,
}

/// What this process knows of a parameter beside what a read tells.
#[derive(Debug, Default)]
struct Known {
    /// What a read must see: the state that a write of ours has left.
    left: Option<Left>,
    /// What is told by no read, and the version that it is true of: a version never changes.
    details: Option<(i64, Details)>,
}

/// What a write of ours has left. SSM is consistent eventually: a read may still answer what was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// This version, or a later one.
    Version(i64),
    /// Nothing where this version was.
    Nothing(i64),
}

impl Ssm {
    /// The parameters that the manifest names in an environment. No call is made.
    pub fn new(aws: Arc<Aws>, manifest: Arc<Manifest>, environment: Environment) -> Ssm {
        let whereabouts = aws.whereabouts(aws.settings().endpoints.ssm.as_ref());
        let location = format!("ssm in {whereabouts}, {}/{environment}", manifest.project());
        Ssm { aws, manifest, environment, location, known: Mutex::default() }
    }

    /// The name of an address's parameter.
    fn name_of(&self, address: &Address) -> Result<String, StoreError> {
        let declared = self.manifest.ssm_name(&self.environment, address);
        let own = || self.manifest.own_name(&self.environment, address);
        let name = declared.or_else(own).ok_or_else(|| {
            self.error(ErrorKind::Invalid, "the manifest has no such group, so it names no parameter")
                .at(address)
        })?;
        match names::refusal_of_name(&name) {
            Some(refusal) => Err(self
                .error(ErrorKind::Invalid, refusal)
                .at(address)
                .hint("correct the group's `path.ssm` in the manifest")),
            None => Ok(name),
        }
    }

    fn spec(&self) -> &EnvironmentSpec {
        let spec = self.manifest.environment(self.environment.as_str());
        spec.expect("the environment is the manifest's own")
    }

    fn key(&self, address: &Address) -> Option<&KeySpec> {
        self.manifest.key(address)
    }

    /// The type and the KMS key that the manifest gives an address's parameter, as attributes: what stands in the
    /// account may be other than that, and is left so unless somebody asks for these.
    pub fn declared(&self, address: &Address) -> Attributes {
        let kind = self.key(address).map(|key| key.parameter_type).unwrap_or_default();
        let mut attributes = Attributes::from([(TYPE.to_owned(), write::kind_name(kind).to_owned())]);
        if let Some(key) = self.spec().kms_key.clone().filter(|_| kind.is_encrypted()) {
            attributes.insert(KMS_KEY.to_owned(), key);
        }
        attributes
    }

    fn error(&self, kind: ErrorKind, message: impl Into<String>) -> StoreError {
        StoreError::new(kind, &self.location, message)
    }

    /// A failed call as an error of this place, about a parameter's name or path.
    fn failed(&self, failure: Failure, action: &str, name: &str) -> StoreError {
        failure.at(&self.location, action, name)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().expect("no code panics while it holds the lock")
    }

    /// What the parameter can hold that a write makes or overwrites.
    fn room(&self, change: &Change) -> usize {
        let was = change.before.as_ref().map(|entry| &entry.attributes);
        let advanced = was.is_some_and(|was| was.contains_key(TIER))
            || matches!(&change.after, Want::Present(wanted) if wanted.attributes.contains_key(TIER));
        match self.spec().parameter_tier {
            ParameterTier::Standard if !advanced => names::STANDARD,
            _ => names::ADVANCED,
        }
    }
}

#[async_trait]
impl Store for Ssm {
    fn location(&self) -> String {
        self.location.clone()
    }

    fn unit_of(&self, address: &Address) -> Unit {
        Unit(self.name_of(address).unwrap_or_else(|_| address.to_string()))
    }

    async fn read(&self, addresses: &[Address]) -> Result<Snapshot, StoreError> {
        self.read_all(addresses).await
    }

    async fn write(
        &self,
        unit: &Unit,
        base: Option<&Version>,
        _: &OperationId,
        changes: &[Change],
    ) -> Receipt {
        let [change] = changes else {
            return Receipt::NotApplied(self.error(ErrorKind::Failed, "a parameter is written alone"));
        };
        self.write_one(&unit.0, number(base), change).await
    }

    async fn review(&self, write: &Write) -> Result<Vec<String>, StoreError> {
        let mut notes = Vec::new();
        for change in &write.changes {
            self.name_of(&change.address)?;
            match &change.after {
                Want::Present(wanted) => self.review_value(change, &wanted.held)?,
                Want::Absent => notes.push(
                    "the parameter's history, version numbers and labels go with it, and AWS takes its name again after 30 seconds only"
                        .to_owned(),
                ),
            }
            notes.extend(self.finding(change));
        }
        Ok(notes)
    }

    async fn detail(&self, seen: &mut Snapshot, addresses: &[Address]) -> Result<(), StoreError> {
        self.tell_details(seen, addresses).await
    }

    fn interval(&self, _write: &Write) -> Duration {
        self.aws.interval(Family::ParameterWrites)
    }

    async fn settle(&self, receipt: &Applied) -> Result<(), StoreError> {
        self.let_settle(receipt).await
    }

    fn overwrote(&self, unit: &Unit, base: Option<&Version>, seen: &Snapshot) -> Option<Version> {
        let now = number(seen.bases.get(unit));
        (now > number(base) + 1).then(|| Version((now - 1).to_string()))
    }
}

impl Ssm {
    fn review_value(&self, change: &Change, held: &Held) -> Result<(), StoreError> {
        let refusal = match held {
            Held::Value(value) => names::refusal_of_value(value.expose(), self.room(change)),
            Held::Reference(_) => Some("a parameter holds values, not references".to_owned()),
        };
        let Some(refusal) = refusal else { return Ok(()) };
        let error = self.error(ErrorKind::Invalid, refusal).at(&change.address);
        let larger =
            matches!(held, Held::Value(value) if (names::STANDARD..names::ADVANCED).contains(&value.len()));
        Err(match larger && self.room(change) == names::STANDARD {
            true => error.hint("`parameter_tier = \"intelligent\"` in the environment's manifest allows 8 KB, which AWS charges for"),
            false => error,
        })
    }

    /// What is other than the manifest says, where nobody asked to change it.
    fn finding(&self, change: &Change) -> Option<String> {
        let (before, Want::Present(wanted)) = (change.before.as_ref()?, &change.after) else { return None };
        self.key(&change.address)?;
        let strays = self.strays(&change.address, &before.attributes);
        let kept: Vec<_> =
            strays.into_iter().filter(|stray| !wanted.attributes.contains_key(stray.name)).collect();
        (!kept.is_empty()).then(|| {
            let texts: Vec<String> = kept.iter().map(ToString::to_string).collect();
            format!("{}; kept, unless you say --rekey", texts.join(", "))
        })
    }

    /// The attributes of a parameter that are other than the manifest declares.
    pub fn strays(&self, address: &Address, seen: &Attributes) -> Vec<Stray> {
        let declared = self.declared(address).into_iter();
        let strays = declared.filter_map(|(name, declared)| {
            let found = seen.get(&name).filter(|found| **found != declared)?;
            let name = if name == TYPE { TYPE } else { KMS_KEY };
            Some(Stray { name, found: found.clone(), declared })
        });
        strays.collect()
    }
}

/// An attribute of a parameter that is other than the manifest declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// Which one.
    pub name: &'static str,
    /// What the account has.
    pub found: String,
    /// What the manifest says.
    pub declared: String,
}

impl std::fmt::Display for Stray {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = if self.name == TYPE { "its type" } else { "its KMS key" };
        write!(f, "{what} is {}, the manifest says {}", self.found, self.declared)
    }
}

#[async_trait]
impl Discover for Ssm {
    async fn walk(&self, groups: &[Group]) -> Result<Snapshot, StoreError> {
        self.walk_groups(groups).await
    }
}

/// A version as a number; 0 where there is none.
fn number(version: Option<&Version>) -> i64 {
    version.and_then(|version| version.0.parse().ok()).unwrap_or(0)
}

/// What became of a call that writes.
fn receipt(outcome: Result<Applied, Receipt>) -> Receipt {
    outcome.map_or_else(|receipt| receipt, Receipt::Applied)
}
