//! What this host knows of a lease that one of its processes holds: that the process lives.
//!
//! A lease far away ends some time after its owner has died, because nobody there can tell the dead from the slow. Here it
//! can be told: whoever takes a lease writes its name into a file and keeps that locked, which the system ends with the
//! process. So a lease whose name stands in a file that nobody has locked is nobody's any more, and cannot be again.

use super::entry::Entry;
use crate::durable;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

/// The file, locked for as long as this is kept.
pub(super) struct Witness {
    file: File,
    /// The lease of the process that had it before, which has ended.
    outlived: String,
}

impl Witness {
    /// Locks the file; none where a process of this host has it, or it cannot be had: a lease is as good without.
    pub(super) fn at(path: &Path) -> Option<Witness> {
        fs::create_dir_all(path.parent()?).ok()?;
        let mut file = durable::lock_file(path).ok()?;
        file.try_lock().ok()?;
        let mut outlived = String::new();
        file.read_to_string(&mut outlived).ok()?;
        Some(Witness { file, outlived })
    }

    /// Whether a lease is of the process that has ended.
    pub(super) fn has_outlived(&self, entry: &Entry) -> bool {
        entry.session.as_ref().is_some_and(|session| *session == self.outlived)
    }

    /// Names the lease that is about to be taken; nothing where that cannot be written: then it has no name.
    pub(super) fn name(&mut self) -> Option<String> {
        use std::io::Seek;
        let name = uuid::Uuid::new_v4().to_string();
        self.file.set_len(0).and_then(|()| self.file.rewind()).ok()?;
        self.file.write_all(name.as_bytes()).ok()?;
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::lease::Terms;
    use crate::store::lease::rule::Mark;
    use std::time::Duration;

    #[test]
    fn a_lease_is_outlived_by_whoever_gets_the_file_and_by_nobody_while_its_owner_lives() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("state/held");
        let mut first = Witness::at(&path).unwrap();
        let entry = |session: Option<String>| {
            let terms = Terms { session, ..Terms::new("alice".to_owned(), Duration::from_secs(90)) };
            Entry::held(&terms, "sync", Mark { nonce: "1".to_owned(), base: 0, after: None })
        };
        let named = entry(first.name());
        assert!(named.session.is_some() && Witness::at(&path).is_none());
        drop(first);
        let mut second = Witness::at(&path).unwrap();
        assert!(second.has_outlived(&named) && !second.has_outlived(&entry(None)));
        let newer = entry(second.name());
        drop(second);
        let third = Witness::at(&path).unwrap();
        assert!(third.has_outlived(&newer) && !third.has_outlived(&named));
    }
}
