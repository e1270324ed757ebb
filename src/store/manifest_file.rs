//! The manifest itself as a place of one value, its text: so that its edit is a step of an operation like any other,
//! with a plan, a journal and an undo.
//!
//! Owns reading and replacing that one file. It never interprets the text, but for refusing what is no manifest.

use super::{Applied, ErrorKind, OperationId, Receipt, Store, StoreError, unchanged_since};
use crate::durable;
use crate::manifest::Manifest;
use crate::name::{Address, Group, Key};
use crate::plan::{Change, Want, Write};
use crate::secret::Secret;
use crate::snapshot::{Entry, Held, Snapshot, Unit, Version};
use async_trait::async_trait;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The mode of a manifest that was not there before: it is committed, and holds no secret.
const MODE: u32 = 0o644;

/// The file of a manifest.
#[derive(Debug, Clone)]
pub struct ManifestFile {
    path: PathBuf,
}

impl ManifestFile {
    /// The name of the place in plans.
    pub const PLACE: &'static str = "manifest";

    /// The manifest at this path, which need not be there. A link to one elsewhere stays a link.
    pub fn new(path: &Path) -> ManifestFile {
        let real = fs::canonicalize(path).ok();
        let beside = || {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?;
            Some(folder.join(path.file_name()?))
        };
        ManifestFile { path: real.or_else(beside).unwrap_or_else(|| path.to_owned()) }
    }

    /// The one address of the place.
    pub fn address() -> Address {
        Address::new(Group::own(), Key::parse("MANIFEST").expect("a key"))
    }

    fn unit(&self) -> Unit {
        Unit(self.path.display().to_string())
    }

    fn error(&self, action: &str, error: io::Error) -> StoreError {
        let kind = match error.kind() {
            io::ErrorKind::PermissionDenied => ErrorKind::Denied,
            _ => ErrorKind::Failed,
        };
        StoreError::new(kind, self.location(), format!("cannot be {action}")).because(error)
    }

    fn look(&self) -> Result<Option<Entry>, StoreError> {
        match fs::read(&self.path) {
            Ok(bytes) => match Secret::from_bytes(bytes) {
                Ok(text) => Ok(Some(Entry::of(text))),
                Err(invalid) => {
                    Err(StoreError::new(ErrorKind::Damaged, self.location(), "it is no text")
                        .because(invalid))
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.error("read", error)),
        }
    }

    /// Replaces the file; else the receipt of what did not happen, or may have.
    fn change(&self, changes: &[Change]) -> Result<(), Receipt> {
        for change in changes {
            let now = self.look().map_err(Receipt::NotApplied)?;
            unchanged_since(&self.location(), changes, |_| now.as_ref()).map_err(Receipt::NotApplied)?;
            match &change.after {
                Want::Present(wanted) => {
                    let text = wanted.held.value();
                    let text = text.ok_or_else(|| Receipt::NotApplied(self.no_text(change)))?;
                    let mode =
                        fs::metadata(&self.path).map_or(MODE, |meta| meta.permissions().mode() & 0o7777);
                    durable::replace(&self.path, text.expose().as_bytes(), mode)
                        // The rename may have happened, and the folder not have been flushed.
                        .map_err(|error| Receipt::Unknown(self.error("written", error)))?;
                }
                Want::Absent => match fs::remove_file(&self.path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(Receipt::NotApplied(self.error("removed", error)));
                    }
                    _ => {}
                },
            }
        }
        Ok(())
    }

    fn no_text(&self, change: &Change) -> StoreError {
        StoreError::new(ErrorKind::Invalid, self.location(), "a manifest is a text").at(&change.address)
    }
}

#[async_trait]
impl Store for ManifestFile {
    fn location(&self) -> String {
        format!("manifest {}", self.path.display())
    }

    fn unit_of(&self, _address: &Address) -> Unit {
        self.unit()
    }

    async fn read(&self, addresses: &[Address]) -> Result<Snapshot, StoreError> {
        let mut snapshot = Snapshot::default();
        if addresses.contains(&Self::address())
            && let Some(entry) = self.look()?
        {
            snapshot.entries.insert(Self::address(), entry);
        }
        Ok(snapshot)
    }

    async fn write(&self, unit: &Unit, _: Option<&Version>, _: &OperationId, changes: &[Change]) -> Receipt {
        match self.change(changes) {
            Ok(()) => Receipt::Applied(Applied::unheard(unit.clone())),
            Err(receipt) => receipt,
        }
    }

    async fn review(&self, write: &Write) -> Result<Vec<String>, StoreError> {
        for change in &write.changes {
            let Want::Present(wanted) = &change.after else { continue };
            let Held::Value(text) = &wanted.held else { return Err(self.no_text(change)) };
            if let Err(problem) = Manifest::parse(&self.path.display().to_string(), text.expose()) {
                return Err(StoreError::new(ErrorKind::Invalid, self.location(), "it would be no manifest")
                    .because(problem));
            }
        }
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply;
    use crate::plan::{Desired, Plan};

    const ONE: &str = "version = 1\nproject.name = \"demo\"\nenvironments.a.home = \"vault\"\n";

    fn want(text: &str) -> Desired {
        let text = Secret::new(text.to_owned()).expect("a text");
        Desired::from([(ManifestFile::address(), Want::value(text))])
    }

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("strongroom.toml");
        (folder, path)
    }

    async fn plan(store: &ManifestFile, desired: &Desired) -> Result<Plan, apply::ApplyError> {
        apply::plan(ManifestFile::PLACE, store, desired).await
    }

    async fn write(store: &ManifestFile, plan: &Plan) -> Receipt {
        let (write, id) = (&plan.writes[0], OperationId::parse("1").expect("a name"));
        store.write(&write.unit, None, &id, &write.changes).await
    }

    #[tokio::test]
    async fn the_text_is_replaced_whole_and_keeps_its_mode() {
        let (_folder, path) = folder();
        fs::write(&path, ONE).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let (store, two) = (ManifestFile::new(&path), format!("# x\n{ONE}"));
        let plan = plan(&store, &want(&two)).await.unwrap();
        assert!(matches!(write(&store, &plan).await, Receipt::Applied(_)));
        assert_eq!(fs::read_to_string(&path).unwrap(), two);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[tokio::test]
    async fn what_somebody_edited_meanwhile_stays() {
        let (_folder, path) = folder();
        fs::write(&path, ONE).unwrap();
        let store = ManifestFile::new(&path);
        let plan = plan(&store, &want(&format!("# ours\n{ONE}"))).await.unwrap();
        fs::write(&path, format!("# theirs\n{ONE}")).unwrap();
        let receipt = write(&store, &plan).await;
        assert!(matches!(receipt, Receipt::NotApplied(error) if error.kind == ErrorKind::Conflict));
        assert!(fs::read_to_string(&path).unwrap().starts_with("# theirs"));
    }

    #[tokio::test]
    async fn what_is_no_manifest_is_refused_while_the_plan_is_made() {
        let (_folder, path) = folder();
        let store = ManifestFile::new(&path);
        assert!(matches!(plan(&store, &want("version = ")).await, Err(apply::ApplyError::Refused(_))));
        assert!(plan(&store, &want(ONE)).await.is_ok());
    }

    #[tokio::test]
    async fn a_link_stays_a_link_and_one_file_has_one_name() {
        let (folder, path) = folder();
        let real = folder.path().join("real.toml");
        fs::write(&real, ONE).unwrap();
        std::os::unix::fs::symlink(&real, &path).unwrap();
        let store = ManifestFile::new(&path);
        assert_eq!(store.location(), ManifestFile::new(&real).location());
        let plan = plan(&store, &want(&format!("# x\n{ONE}"))).await.unwrap();
        assert!(matches!(write(&store, &plan).await, Receipt::Applied(_)));
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
        assert!(fs::read_to_string(&real).unwrap().starts_with("# x"));
    }
}
