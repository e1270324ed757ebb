//! Places that hold values, behind one port.
//!
//! Owns the trait that the pipe talks to and the errors that stores speak in. It knows no place by name: each has a file
//! of its own here.

mod aws;
mod beanstalk;
mod lease;
mod manifest_file;
mod memory;
mod probe;
mod secrets_manager;
mod ssm;
mod vault;

pub use aws::{Aws, Caller, Endpoints, Settings, created_tags};
pub use beanstalk::{BUDGET, Beanstalk, Condition, PlatformFacts, Saved, SavedConfiguration, Support};
pub use lease::{Guard, Lease, Leases, LocalLeases, ParameterLeases, SecretLeases, Terms};
pub use manifest_file::ManifestFile;
pub use memory::Memory;
pub use probe::Probe;
pub use secrets_manager::{SecretsManager, members};
pub use ssm::{Ssm, Stray};
pub use vault::{HISTORY, Vault};

use crate::name::{Address, Group};
use crate::plan::{Change, Write};
use crate::snapshot::{Entry, Past, Snapshot, Unit, Version};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A place that holds values.
///
/// A store says what one of its writes covers ([`Store::unit_of`]); the pipe groups changes accordingly and makes one
/// call for each unit.
#[async_trait]
pub trait Store: Send + Sync {
    /// Which place of the world this is (`vault /srv/app/.strongroom/local.age`), so that an operation that was begun on
    /// one is not resumed on another of the same name. Not secret.
    fn location(&self) -> String;

    /// What one write that changes this address covers.
    fn unit_of(&self, address: &Address) -> Unit;

    /// What the place holds at these addresses, all at once so that batches can cross groups. An address where nothing
    /// is is not in the answer; every other failure is an error, never an absence.
    async fn read(&self, addresses: &[Address]) -> Result<Snapshot, StoreError>;

    /// Makes the changes of one unit in one call, if what is there is still what the plan was made against: `base` is
    /// the version of the unit, and each change knows its own entry before. It never retries blindly.
    async fn write(
        &self,
        unit: &Unit,
        base: Option<&Version>,
        operation: &OperationId,
        changes: &[Change],
    ) -> Receipt;

    /// What a person should know before this write is made (a restart, a restore, how much room is left), or why the
    /// place cannot take it: sizes, names, the state it is in. Asked while the plan is made; nothing is written.
    async fn review(&self, _write: &Write) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    /// The least time between this write and the next one like it, by the place's quota; none where it has no quota. From
    /// that follow how many writes are worth having under way together, and how long all of them take at least.
    fn interval(&self, _write: &Write) -> Duration {
        Duration::ZERO
    }

    /// Fills in attributes that a read of these addresses leaves out because they cost calls of their own, and that an
    /// undo must give back. Asked for what a plan is about to change, and where an attribute is wanted that was not read.
    async fn detail(&self, _seen: &mut Snapshot, _addresses: &[Address]) -> Result<(), StoreError> {
        Ok(())
    }

    /// Waits until a write that was applied is in force, so that a read after it sees it. Most places have nothing to
    /// wait for; a deployment takes minutes and may be rolled back, which is an error of kind
    /// [`ErrorKind::RolledBack`]. Of a write whose answer was lost nothing but the unit is known: then it waits until
    /// nothing is under way there.
    async fn settle(&self, _receipt: &Applied) -> Result<(), StoreError> {
        Ok(())
    }

    /// Somebody else's version that a write of ours with a lost answer has covered, judged by what was read since, in
    /// places where a write always wins.
    fn overwrote(&self, _unit: &Unit, _base: Option<&Version>, _seen: &Snapshot) -> Option<Version> {
        None
    }
}

/// A place that can be asked what is there, where names are not all known from the manifest.
#[async_trait]
pub trait Discover {
    /// Everything that is held in these groups, whatever the instances and keys are.
    async fn walk(&self, groups: &[Group]) -> Result<Snapshot, StoreError>;
}

/// A place that keeps earlier values.
#[async_trait]
pub trait History {
    /// The states of an address, the present one first. Empty where the place never held anything there.
    async fn history(&self, address: &Address) -> Result<Vec<Past>, StoreError>;

    /// One state of an address; nothing where the place does not know it, or no longer.
    async fn version(&self, address: &Address, version: &Version) -> Result<Option<Past>, StoreError> {
        let all = self.history(address).await?;
        Ok(all.into_iter().find(|past| past.version == *version))
    }
}

/// What the truth of an environment may live in.
pub trait Home: Store + Discover + History {}

impl<T: Store + Discover + History> Home for T {}

/// The stores of one environment by the name that plans use.
pub type Stores = BTreeMap<crate::plan::Place, Box<dyn Store>>;

/// The name of one operation, for people and for places that take a token to recognise a repeated call:
/// `20260102-030405-k3x9pq`, in UTC. Sorts by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(String);

impl OperationId {
    /// Takes the name of an operation that exists or shall exist: letters, digits and `-`.
    pub fn parse(text: &str) -> Option<OperationId> {
        let good = !text.is_empty() && text.len() <= 64;
        let plain =
            text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        (good && plain).then(|| OperationId(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What became of a write.
#[derive(Debug)]
pub enum Receipt {
    /// The place says that it is done.
    Applied(Applied),
    /// The place says that nothing was changed, and why.
    NotApplied(StoreError),
    /// No answer, or one that says neither: read back before anything else is done.
    Unknown(StoreError),
}

impl Applied {
    /// A write of which nothing is known but where it went.
    pub fn unheard(unit: Unit) -> Applied {
        Applied { unit, version: None, request: None, overwrote: None }
    }
}

/// What a place answers to a write that it made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The unit.
    pub unit: Unit,
    /// The unit's new version, where the place has versions.
    pub version: Option<Version>,
    /// The place's name for the call, for its owner's support desk. A write whose answer was lost has none.
    pub request: Option<String>,
    /// Somebody else's version that this write covered, in places that find a clash only with the write; it is in the
    /// place's history.
    pub overwrote: Option<Version>,
}

/// A failure of a place. Its text never holds a value.
#[derive(Debug, thiserror::Error)]
#[error("{location}{}: {message}", .address.as_ref().map(|address| format!(", {address}")).unwrap_or_default())]
pub struct StoreError {
    /// Decides what the pipe does next, and the exit code.
    pub kind: ErrorKind,
    /// The place, as [`Store::location`] tells it.
    pub location: String,
    /// The address, where one is to blame.
    pub address: Option<Box<Address>>,
    /// What went wrong, in lower case.
    pub message: String,
    /// What to do about it, as a sentence for the command line.
    pub hint: Option<String>,
    /// What the place, or the system, said.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The failures that callers tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The identity in use is not allowed to do this, or opens nothing here.
    Denied,
    /// Somebody else changed it after the plan was made.
    Conflict,
    /// The place is busy with somebody else's change.
    Busy,
    /// It may work when tried again (throttled, connection refused).
    Transient,
    /// The place took the change and gave it back.
    RolledBack,
    /// The place cannot hold this: an empty value, a name, a size.
    Invalid,
    /// What the place holds cannot be read: damaged, or made by a later version.
    Damaged,
    /// Only a person can do what is next: authorise an app, set something right elsewhere.
    Person,
    /// Nothing was even begun: a program that cannot be run.
    NotBegun,
    /// Everything else.
    Failed,
}

impl StoreError {
    /// An error about a place.
    pub fn new(kind: ErrorKind, location: impl Into<String>, message: impl Into<String>) -> StoreError {
        let (location, message) = (location.into(), message.into());
        StoreError { kind, location, address: None, message, hint: None, source: None }
    }

    /// The same, about one address.
    pub fn at(mut self, address: &Address) -> StoreError {
        self.address = Some(Box::new(address.clone()));
        self
    }

    /// The same, with what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> StoreError {
        self.hint = Some(hint.into());
        self
    }

    /// The same, with its cause.
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
        self.source = Some(source.into());
        self
    }
}

/// Refuses a write whose changes were planned against something else than what is there now: the check of places that
/// can look at every address of a unit in the moment of the write.
pub fn unchanged_since<'s>(
    location: &str,
    changes: &[Change],
    now: impl for<'a> Fn(&'a Address) -> Option<&'s Entry>,
) -> Result<(), StoreError> {
    for change in changes {
        // The value too: an older file with the same numbers may have been put back.
        let same = match (&change.before, now(&change.address)) {
            (Some(before), Some(entry)) => {
                before.version == entry.version && before.held.same_as(&entry.held)
            }
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !same {
            let message = "somebody else changed it after the plan was made";
            return Err(StoreError::new(ErrorKind::Conflict, location, message)
                .at(&change.address)
                .hint("look at what is there now, and run the command again"));
        }
    }
    Ok(())
}
