//! The vault: one age file beside the manifest that holds every value of an environment with its history.
//!
//! Owns how that file is read, locked and replaced. It never changes a file that it could not open first, and never
//! writes one that it could not open again. Safe to commit: sealed, and its folder ignores the lock and what a crash
//! leaves.

use super::{
    Applied, Discover, ErrorKind, History, OperationId, Receipt, Store, StoreError, unchanged_since,
};
use crate::document::{Document, Kind, Record, Section, State};
use crate::durable;
use crate::name::{Address, Environment, Group, Project};
use crate::plan::{Change, Want};
use crate::seal::{self, Identities, OpenError, Recipient};
use crate::snapshot::{Entry, Past, Snapshot, Unit, Version};
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How many versions of a value a vault keeps, the present one among them.
pub const HISTORY: usize = 20;

/// How often it is looked whether the lock is free, and for how long.
const PAUSE: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(60);

const IGNORED: &str = "# what strongroom keeps beside its sealed files\n*\n!.gitignore\n!*.age\n";

/// The vault of one environment. Its unit of write is the whole file, replaced by rename under a lock; a change is
/// refused as a conflict only where its own address was changed meanwhile, so two people who set different keys do not
/// meet.
pub struct Vault {
    path: PathBuf,
    project: Project,
    environment: Environment,
    recipients: Vec<Recipient>,
    identities: Option<Arc<Identities>>,
    clock: fn() -> Timestamp,
}

impl Vault {
    /// The vault at a path; the file and its folder are made by the first write. `identities` is `None` where this
    /// person has none: then only a vault that is not there yet can be read.
    pub fn new(
        path: PathBuf,
        (project, environment): (Project, Environment),
        recipients: Vec<Recipient>,
        identities: Option<Arc<Identities>>,
        clock: fn() -> Timestamp,
    ) -> Vault {
        let path = real_path(path);
        Vault { path, project, environment, recipients, identities, clock }
    }

    /// The whole document; `None` where the vault is not made yet.
    pub fn document(&self) -> Result<Option<Document>, StoreError> {
        let sealed = match std::fs::read(&self.path) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("cannot be read", error)),
        };
        self.open(&sealed).map(Some)
    }

    /// Seals the same values again, to the recipients that this vault was given. Nothing happens where there is no vault.
    pub async fn reseal(&self) -> Result<(), StoreError> {
        if !self.path.exists() {
            return Ok(());
        }
        let _lock = self.lock().await?;
        match self.document()? {
            Some(document) => {
                self.stage(&document)?.publish().map_err(|error| self.failed("cannot be written", error))?;
                self.flush()
            }
            None => Ok(()),
        }
    }

    fn open(&self, sealed: &[u8]) -> Result<Document, StoreError> {
        let Some(identities) = &self.identities else {
            return Err(self.error(ErrorKind::Denied, "it is sealed, and there is no identity to open it with").hint(
                "set STRONGROOM_IDENTITY to the path of an identity that is among its recipients, or make one with `strongroom init` and ask somebody who can open it to run `strongroom recipients add`",
            ));
        };
        let text = seal::open(sealed, identities).map_err(|error| self.cannot_open(&error))?;
        let document = Document::from_json(&text).map_err(|error| {
            self.error(ErrorKind::Damaged, "it opened, and cannot be read").because(error)
        })?;
        if document.kind != Kind::Vault {
            return Err(self
                .error(ErrorKind::Damaged, "it is a backup or an operation's snapshot, not a vault")
                .hint("`strongroom backup restore FILE` brings a backup's values back"));
        }
        Ok(document)
    }

    fn cannot_open(&self, error: &OpenError) -> StoreError {
        let (kind, hint) = match error {
            OpenError::WrongIdentity => (
                ErrorKind::Denied,
                "ask somebody who can open it to run `strongroom recipients add` with your public key, or point STRONGROOM_IDENTITY to the right identity",
            ),
            OpenError::Passphrase | OpenError::NotAge | OpenError::Damaged => (
                ErrorKind::Damaged,
                "the file was left as it is; move it away, and bring an older one back from version control, or its values from a backup (`strongroom backup restore`)",
            ),
        };
        self.error(kind, error.to_string()).hint(hint)
    }

    /// Waits for whoever is writing; each holds the lock for as long as a file takes to be written.
    async fn lock(&self) -> Result<File, StoreError> {
        let failed = |error| self.failed("cannot be locked for writing", error);
        durable::create_folder(durable::folder_of(&self.path)).map_err(failed)?;
        let file = durable::lock_file(&self.path.with_extension("lock")).map_err(failed)?;
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) if waited >= PATIENCE => {
                    return Err(self
                        .error(ErrorKind::Busy, "another process has been writing to it for too long")
                        .hint(
                            "look for a stopped strongroom: `fuser` on the .lock file beside it tells which",
                        ));
                }
                Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
            }
            waited += PAUSE;
        }
        self.keep_from_git().map_err(failed)?;
        Ok(file)
    }

    /// Sees to it that git takes neither the lock nor what a crash leaves.
    fn keep_from_git(&self) -> io::Result<()> {
        let folder = durable::folder_of(&self.path);
        let ignore = folder.join(".gitignore");
        // A vault that is a link to somewhere else must not hide that folder's other files from git.
        if folder.ends_with(".strongroom") && !ignore.exists() {
            durable::replace(&ignore, IGNORED.as_bytes(), 0o644)?;
        }
        Ok(())
    }

    fn stage(&self, document: &Document) -> Result<durable::Staged, StoreError> {
        let sealed = seal::seal(&document.to_json(), &self.recipients).map_err(|error| {
            self.error(ErrorKind::Failed, "nothing was sealed")
                .hint("name who may open it: `strongroom recipients add age1…`, or `strongroom init`")
                .because(error)
        })?;
        let Some(own) = &self.identities else {
            return Err(self
                .error(ErrorKind::Denied, "there is no identity that could open it after this write")
                .hint("`strongroom init` makes one; or point STRONGROOM_IDENTITY to yours"));
        };
        if seal::open(&sealed, own).is_err() {
            let message = "after this write you could not open it any more: you are not among its recipients";
            return Err(self
                .error(ErrorKind::Denied, message)
                .hint("add your public key first: `strongroom recipients add`"));
        }
        durable::stage(&self.path, &sealed, durable::PRIVATE)
            .map_err(|error| self.failed("cannot be written", error))
    }

    fn flush(&self) -> Result<(), StoreError> {
        match durable::flush_folder(durable::folder_of(&self.path)) {
            // A write that came to nothing had no folder to make it last.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.failed("was replaced, and its folder cannot be flushed", error))
            }
            _ => Ok(()),
        }
    }

    fn change(&self, changes: &[Change]) -> Result<durable::Staged, StoreError> {
        let mut document = self.document()?.unwrap_or_else(|| Document {
            kind: Kind::Vault,
            project: self.project.to_string(),
            environment: self.environment.to_string(),
            created: (self.clock)(),
            fingerprint_key: None,
            sections: Vec::new(),
        });
        if document.sections.is_empty() {
            let records = BTreeMap::new();
            document.sections.push(Section::new("vault", State::Held, records));
        }
        let records = &mut document.sections[0].records;
        unchanged_since(&self.location(), changes, |address| records.get(address)?.entry.as_ref())?;
        let at = (self.clock)();
        for change in changes {
            let record = records.entry(change.address.clone()).or_default();
            record_change(record, &change.after, at);
        }
        self.stage(&document)
    }

    fn error(&self, kind: ErrorKind, message: impl Into<String>) -> StoreError {
        StoreError::new(kind, self.location(), message)
    }

    fn failed(&self, message: &str, error: io::Error) -> StoreError {
        let kind = match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
            _ => ErrorKind::Failed,
        };
        self.error(kind, message).because(error)
    }

    fn select(&self, wanted: impl Fn(&Address) -> bool) -> Result<Snapshot, StoreError> {
        let mut snapshot = Snapshot::default();
        for section in self.document()?.into_iter().flat_map(|document| document.sections) {
            for (address, record) in section.records {
                if let Some(entry) = record.entry
                    && wanted(&address)
                {
                    snapshot.entries.insert(address, entry);
                }
            }
        }
        Ok(snapshot)
    }
}

/// Puts a new state on top of an address's history. Deletions count as versions, so that a number never comes back.
fn record_change(record: &mut Record, after: &Want, at: Timestamp) {
    let present = present_state(record);
    let next = present.as_ref().and_then(|past| past.version.0.parse::<u64>().ok()).unwrap_or(0) + 1;
    let version = Version(next.to_string());
    if let Some(past) = present {
        record.history.insert(0, past);
        record.history.truncate(HISTORY - 1);
    }
    match after {
        Want::Present(wanted) => {
            let mut attributes = record.entry.take().map(|entry| entry.attributes).unwrap_or_default();
            attributes.extend(wanted.attributes.clone());
            record.absent_since = None;
            let (held, version, modified) = (wanted.held.clone(), Some(version), Some(at));
            record.entry = Some(Entry { held, version, modified, attributes, arn: None });
        }
        Want::Absent => {
            record.entry = None;
            record.absent_since = Some((version, at));
        }
    }
}

fn present_state(record: &Record) -> Option<Past> {
    match &record.entry {
        Some(entry) => Some(Past {
            value: entry.held.value().cloned(),
            version: entry.version.clone()?,
            modified: entry.modified?,
        }),
        None => {
            let (version, modified) = record.absent_since.clone()?;
            Some(Past { value: None, version, modified })
        }
    }
}

#[async_trait]
impl Store for Vault {
    fn location(&self) -> String {
        format!("vault {}", self.path.display())
    }

    fn unit_of(&self, _: &Address) -> Unit {
        Unit(file_name(&self.path))
    }

    async fn read(&self, addresses: &[Address]) -> Result<Snapshot, StoreError> {
        let wanted: std::collections::BTreeSet<&Address> = addresses.iter().collect();
        self.select(|address| wanted.contains(address))
    }

    async fn write(&self, unit: &Unit, _: Option<&Version>, _: &OperationId, changes: &[Change]) -> Receipt {
        let _lock = match self.lock().await {
            Ok(lock) => lock,
            Err(error) => return Receipt::NotApplied(error),
        };
        let staged = match self.change(changes) {
            Ok(staged) => staged,
            Err(error) => return Receipt::NotApplied(error),
        };
        match staged.publish() {
            Ok(()) => Receipt::Applied(Applied {
                unit: unit.clone(),
                version: None,
                request: None,
                overwrote: None,
            }),
            Err(error) => Receipt::NotApplied(self.failed("cannot be replaced", error)),
        }
    }

    /// A vault is in force once a power failure cannot bring the old one back.
    async fn settle(&self, _: &Applied) -> Result<(), StoreError> {
        // A first write that never came to be has not even left a folder.
        if durable::folder_of(&self.path).is_dir() { self.flush() } else { Ok(()) }
    }
}

#[async_trait]
impl Discover for Vault {
    async fn walk(&self, groups: &[Group]) -> Result<Snapshot, StoreError> {
        self.select(|address| groups.contains(&address.group))
    }
}

#[async_trait]
impl History for Vault {
    async fn history(&self, address: &Address) -> Result<Vec<Past>, StoreError> {
        let document = self.document()?;
        let mut sections = document.iter().flat_map(|document| &document.sections);
        let Some(record) = sections.find_map(|section| section.records.get(address)) else {
            return Ok(Vec::new());
        };
        Ok(present_state(record).into_iter().chain(record.history.iter().cloned()).collect())
    }
}

/// One name for the vault, whether it is there yet or not, and from whatever folder it is named: operations are tied to
/// it. A link to a vault elsewhere stays a link, as the file that it leads to is the one that is replaced.
fn real_path(path: PathBuf) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    let there = |ancestor: &Path| match ancestor.as_os_str().is_empty() {
        true => Path::new(".").canonicalize(),
        false => ancestor.canonicalize(),
    };
    for ancestor in path.ancestors().skip(1) {
        if let (Ok(real), Ok(rest)) = (there(ancestor), path.strip_prefix(ancestor)) {
            return real.join(rest);
        }
    }
    path
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_has_one_name_before_and_after_it_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("./.strongroom/local.age");
        let before = real_path(path.clone());
        std::fs::create_dir(folder.path().join(".strongroom")).unwrap();
        std::fs::write(&path, b"").unwrap();
        assert_eq!(real_path(path), before);
        assert_eq!(
            real_path(PathBuf::from("not-there.age")),
            std::env::current_dir().unwrap().join("not-there.age")
        );
    }
}
