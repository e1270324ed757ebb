//! A place in memory, for tests and for programs that try the pipe out. Nothing of it outlives the process.

use super::{Applied, Discover, OperationId, Receipt, Store, StoreError, unchanged_since};
use crate::name::{Address, Group};
use crate::plan::{Change, Want};
use crate::snapshot::{Entry, Snapshot, Unit, Version};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// A place whose unit is one address, with a version that counts up.
#[derive(Debug, Default)]
pub struct Memory(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<Address, Entry>,
    /// Counts every write of the place, so that no version is used twice.
    writes: u64,
}

impl Memory {
    /// An empty place.
    pub fn new() -> Memory {
        Memory::default()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no write of it panics")
    }
}

#[async_trait]
impl Store for Memory {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    fn unit_of(&self, address: &Address) -> Unit {
        Unit(address.to_string())
    }

    async fn read(&self, addresses: &[Address]) -> Result<Snapshot, StoreError> {
        let state = self.state();
        let present = |address: &Address| Some((address.clone(), state.entries.get(address)?.clone()));
        Ok(Snapshot { entries: addresses.iter().filter_map(present).collect(), bases: BTreeMap::new() })
    }

    async fn write(&self, unit: &Unit, _: Option<&Version>, _: &OperationId, changes: &[Change]) -> Receipt {
        let mut state = self.state();
        if let Err(conflict) = unchanged_since("memory", changes, |address| state.entries.get(address)) {
            return Receipt::NotApplied(conflict);
        }
        state.writes += 1;
        let version = Version(state.writes.to_string());
        for change in changes {
            match &change.after {
                Want::Absent => {
                    state.entries.remove(&change.address);
                }
                Want::Present(wanted) => {
                    let mut attributes =
                        change.before.as_ref().map(|entry| entry.attributes.clone()).unwrap_or_default();
                    attributes.extend(wanted.attributes.clone());
                    let held = wanted.held.clone();
                    let version = Some(version.clone());
                    let entry = Entry { held, version, modified: None, attributes, arn: None };
                    state.entries.insert(change.address.clone(), entry);
                }
            }
        }
        Receipt::Applied(Applied {
            unit: unit.clone(),
            version: Some(version),
            request: None,
            overwrote: None,
        })
    }
}

#[async_trait]
impl Discover for Memory {
    async fn walk(&self, groups: &[Group]) -> Result<Snapshot, StoreError> {
        let state = self.state();
        let inside = state.entries.iter().filter(|(address, _)| groups.contains(&address.group));
        let entries = inside.map(|(address, entry)| (address.clone(), entry.clone())).collect();
        Ok(Snapshot { entries, bases: BTreeMap::new() })
    }
}
