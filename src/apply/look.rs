//! Reading a place so that what was seen can be compared with what is wanted.
//!
//! Owns when a place is asked for the attributes that its reads leave out: where the comparison hangs on one, and of
//! what is about to be changed, because an undo must give it back.

use crate::name::Address;
use crate::plan::{Desired, Plan, Want, diff};
use crate::snapshot::Snapshot;
use crate::store::{Store, StoreError};
use std::collections::BTreeSet;

/// What is at the addresses that are spoken of, with each attribute on which it hangs whether a want is met.
pub(super) async fn look(store: &dyn Store, wants: &[(&Address, Want)]) -> Result<Snapshot, StoreError> {
    let addresses: BTreeSet<&Address> = wants.iter().map(|(address, _)| *address).collect();
    let addresses: Vec<Address> = addresses.into_iter().cloned().collect();
    let mut seen = store.read(&addresses).await?;
    let open = wants.iter().filter(|(address, want)| want.hangs_on_more(seen.entries.get(*address)));
    let open: BTreeSet<&Address> = open.map(|(address, _)| *address).collect();
    if !open.is_empty() {
        let open: Vec<Address> = open.into_iter().cloned().collect();
        store.detail(&mut seen, &open).await?;
    }
    Ok(seen)
}

/// The plan from what was seen to what is desired. What it overwrites or removes is known with all of its attributes.
pub(super) async fn compared(
    place: &str,
    store: &dyn Store,
    desired: &Desired,
    seen: &Snapshot,
) -> Result<Plan, StoreError> {
    let plan = diff(place, desired, seen, |address| store.unit_of(address));
    let there = plan.changes().filter(|(_, change)| change.before.is_some());
    let there: Vec<Address> = there.map(|(_, change)| change.address.clone()).collect();
    if there.is_empty() {
        return Ok(plan);
    }
    let mut seen = seen.clone();
    store.detail(&mut seen, &there).await?;
    Ok(diff(place, desired, &seen, |address| store.unit_of(address)))
}
