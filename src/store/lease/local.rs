//! A lease for homes that keep nothing of their own: a file of this host, locked while its process lives.

use super::entry::Entry;
use super::rule::Mark;
use super::{Lease, Leases, Terms};
use crate::durable;
use crate::store::{ErrorKind, StoreError};
use async_trait::async_trait;
use jiff::Timestamp;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

/// The lease of an environment among the processes of this host.
#[derive(Debug, Clone)]
pub struct LocalLeases {
    path: PathBuf,
    terms: Terms,
}

struct LocalLease {
    file: File,
}

impl LocalLeases {
    /// The lease that this file stands for; it is made when first taken.
    pub fn new(path: PathBuf, terms: Terms) -> LocalLeases {
        LocalLeases { path, terms }
    }

    fn location(&self) -> String {
        format!("lease {}", self.path.display())
    }

    fn failed(&self, error: io::Error) -> StoreError {
        StoreError::new(ErrorKind::Failed, self.location(), "cannot be taken").because(error)
    }
}

#[async_trait]
impl Leases for LocalLeases {
    async fn take(&self, operation: &str) -> Result<Box<dyn Lease>, StoreError> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(|error| self.failed(error))?;
        }
        let mut file = durable::lock_file(&self.path).map_err(|error| self.failed(error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = fs::read_to_string(&self.path).unwrap_or_default();
                let written = fs::metadata(&self.path).and_then(|about| about.modified()).ok();
                let written = written.and_then(|at| Timestamp::try_from(at).ok());
                return Err(Entry::read(&text).busy(&self.location(), written));
            }
            Err(TryLockError::Error(error)) => return Err(self.failed(error)),
        }
        let mark = Mark { nonce: String::new(), base: 0, after: None };
        let entry = Entry::held(&self.terms, operation, mark);
        let told = file.set_len(0).and_then(|()| file.write_all(entry.text().as_bytes()));
        told.map_err(|error| self.failed(error))?;
        Ok(Box::new(LocalLease { file }))
    }
}

#[async_trait]
impl Lease for LocalLease {
    /// The lock is the system's: it is ours while we live.
    async fn still_ours(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn every(&self) -> Duration {
        Duration::from_secs(3_600)
    }

    async fn release(&self) -> Result<(), StoreError> {
        let _ = self.file.unlock();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_told_who_has_it_and_gets_it_when_it_is_given_back() {
        let folder = tempfile::TempDir::new().unwrap();
        let leases = |owner: &str| {
            let terms = Terms::new(owner.to_owned(), Duration::from_secs(90));
            LocalLeases::new(folder.path().join("state/lease"), terms)
        };
        let run = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let first = run.block_on(leases("alice@laptop").take("sync")).unwrap();
        let error = run.block_on(leases("bob@laptop").take("sync")).err().unwrap();
        assert_eq!(error.kind, ErrorKind::Busy);
        assert!(error.to_string().contains("held by alice@laptop for `sync`, since 2"), "{error}");
        run.block_on(first.release()).unwrap();
        run.block_on(leases("bob@laptop").take("sync")).unwrap();
    }
}
