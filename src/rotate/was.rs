//! Home as it was while an operation changed it, by what the operation wrote down.
//!
//! Owns what a copy may hold without anybody having edited it: whatever home held before or after one of the writes. It reads
//! and writes nothing.

use crate::journal::Operation;
use crate::name::Address;
use crate::plan::{Desired, Want};
use crate::snapshot::{Entry, Held, Snapshot};
use std::collections::BTreeSet;
use std::sync::Mutex;

/// What home held before an operation wrote anything, as far as whoever rotates knows: what somebody else wrote over
/// meanwhile is not written down with a write.
#[derive(Debug, Default)]
pub struct Before(Mutex<Desired>);

impl Before {
    /// Home held this.
    pub fn know(&self, all: impl IntoIterator<Item = (Address, Want)>) {
        self.0.lock().expect("no code panics while it holds the lock").extend(all);
    }

    fn in_home(&self, home: &Snapshot) -> Snapshot {
        overlaid(home, &self.0.lock().expect("no code panics while it holds the lock"))
    }
}

/// Home with what is desired in it.
pub(super) fn overlaid(home: &Snapshot, desired: &Desired) -> Snapshot {
    let mut after = home.clone();
    for (address, want) in desired {
        match want {
            Want::Present(wanted) => {
                if let Some(entry) = after.entries.get_mut(address) {
                    entry.held = wanted.held.clone();
                    // A new version, of which nobody knows yet what it is called.
                    entry.version = None;
                }
            }
            Want::Absent => {
                after.entries.remove(address);
            }
        }
    }
    after
}

/// Home as it was before the last change that this operation made at each address.
pub(super) fn as_it_was(operation: &Operation, home: &str, now: &Snapshot) -> Snapshot {
    let mut old = now.clone();
    let mut seen = BTreeSet::new();
    let writes = operation.writes().iter().rev().filter(|write| write.place == home);
    for change in writes.flat_map(|write| &write.changes) {
        if seen.insert(&change.address) {
            put_back(&mut old, &change.address, change.before.as_ref());
        }
    }
    old
}

/// Home before and after each write that this operation made, the newest first, and before all of them: a run may have stopped before a copy got
/// any of it, and somebody else may have written to home between two of them.
pub(super) fn was(operation: &Operation, home: &str, now: &Snapshot, before: &Before) -> Vec<Snapshot> {
    let mut all = vec![now.clone()];
    for write in operation.writes().iter().rev().filter(|write| write.place == home) {
        let put = write.changes.iter().map(|change| (change.address.clone(), change.after.clone()));
        let mut was = overlaid(all.last().expect("the first is there"), &put.collect());
        all.push(was.clone());
        for change in &write.changes {
            put_back(&mut was, &change.address, change.before.as_ref());
        }
        all.push(was);
    }
    all.push(before.in_home(all.last().expect("the first is there")));
    all
}

fn put_back(home: &mut Snapshot, address: &Address, before: Option<&Entry>) {
    match (before, home.entries.get_mut(address)) {
        (Some(before), Some(entry)) => {
            if let Held::Value(_) = &before.held {
                entry.held = before.held.clone();
                entry.version.clone_from(&before.version);
                entry.modified = before.modified;
            }
        }
        (None, Some(_)) => {
            home.entries.remove(address);
        }
        (Some(before), None) => {
            home.entries.insert(address.clone(), before.clone());
        }
        (None, None) => {}
    }
}
