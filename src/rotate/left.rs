//! What somebody else put where a rotation would write: how it is told from what was there, and that it is left alone.
//!
//! Owns the marks of what home held when new values were chosen. It writes nothing.

use crate::journal::Operation;
use crate::name::Address;
use crate::plan::{Desired, Place, Want};
use crate::snapshot::{Entry, Snapshot};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// What somebody else changed and is left alone, in every place: an old value beside a new one would be worse than either.
#[derive(Debug, Default)]
pub struct Left(Mutex<Option<BTreeSet<(Place, Address)>>>);

impl Left {
    /// From now on, what somebody else changed is left, this to begin with.
    pub fn leave(&self, all: impl IntoIterator<Item = (Place, Address)>) {
        let mut left = self.0.lock().expect("no code panics while it holds the lock");
        left.get_or_insert_default().extend(all);
    }

    /// Whether anything is left at all, or a change of somebody else stops the rotation.
    pub(super) fn leaves(&self) -> bool {
        self.0.lock().expect("no code panics while it holds the lock").is_some()
    }

    /// All that was left.
    pub fn all(&self) -> Vec<(Place, Address)> {
        let left = self.0.lock().expect("no code panics while it holds the lock");
        left.iter().flatten().cloned().collect()
    }

    pub(super) fn has(&self, address: &Address) -> bool {
        let left = self.0.lock().expect("no code panics while it holds the lock");
        left.iter().flatten().any(|(_, left)| left == address)
    }
}

/// What home held of these when new values were chosen, to be written down with them: a fingerprint under the operation's key.
pub(super) fn marks(
    operation: &Operation,
    home: &Snapshot,
    addresses: Vec<Address>,
) -> BTreeMap<String, String> {
    addresses
        .into_iter()
        .map(|address| (mark_name(&address), mark(operation, home.entries.get(&address))))
        .collect()
}

fn mark_name(address: &Address) -> String {
    format!("before {address}")
}

fn mark(operation: &Operation, entry: Option<&Entry>) -> String {
    let value = entry.and_then(|entry| entry.held.value());
    value.map_or_else(|| "nothing".to_owned(), |value| value.fingerprint(operation.key()).to_string())
}

/// What home holds otherwise than when the values were chosen, and otherwise than this operation has ever found or written it.
pub(super) fn strangers_in_home(
    operation: &Operation,
    home: &str,
    stage: &Desired,
    before: &Snapshot,
) -> Vec<Address> {
    let is_ours = |address: &Address, entry: Option<&Entry>| {
        let writes = operation.writes().iter().filter(|write| write.place == home);
        let mut changes = writes.flat_map(|write| &write.changes).filter(|change| change.address == *address);
        changes.any(|change| change.after.met_by(entry) || was(change.before.as_ref(), entry))
    };
    let is_other = |(address, want): &(&Address, &Want)| {
        let (marked, entry) = (operation.facts().get(&mark_name(address)), before.entries.get(*address));
        let differs = marked.is_some_and(|marked| *marked != mark(operation, entry));
        differs && !want.met_by(entry) && !is_ours(address, entry)
    };
    stage.iter().filter(is_other).map(|(address, _)| address.clone()).collect()
}

fn was(before: Option<&Entry>, now: Option<&Entry>) -> bool {
    match (before, now) {
        (Some(before), Some(now)) => before.held.same_as(&now.held),
        (before, now) => before.is_none() && now.is_none(),
    }
}
