//! Everything that holds a value that is rotated: home, what is derived there, and the copies by value or by reference.
//!
//! Owns the law that a holder is written to only if it holds what home held before, or nothing; what holds something else
//! was edited by somebody, and stops the rotation. All that changes in one copy goes in one update.

use super::Values;
use crate::apply::{self, ApplyError, Watch};
use crate::desired::{CopyError, Revision, View, copy, followed};
use crate::journal::Operation;
use crate::manifest::{CopySpec, EnvironmentSpec, Instances, Manifest};
use crate::name::Address;
use crate::plan::{Change, Desired, Place, Want};
use crate::snapshot::{Held, Snapshot};
use crate::store::{ErrorKind, StoreError, Stores};
use std::collections::BTreeSet;

/// The places of an environment, by its manifest.
pub struct Holders<'a> {
    /// The declarations.
    pub manifest: &'a Manifest,
    /// The environment.
    pub spec: &'a EnvironmentSpec,
    /// Its copies by the names of their places.
    pub copies: Vec<(Place, &'a CopySpec)>,
    /// Home and the copies.
    pub stores: &'a Stores,
    /// The instances of groups that are discovered.
    pub instances: &'a Instances,
}

/// What a publish of some addresses will change.
#[derive(Debug, Clone, Default)]
pub struct Foreseen {
    /// What home gets, what is derived included.
    pub home: Vec<Address>,
    /// What each copy gets anew, by value or as a reference to be resolved again.
    pub copies: Vec<(Place, Vec<Address>)>,
}

impl Holders<'_> {
    fn home(&self) -> Place {
        self.spec.home.to_string()
    }

    /// What home holds of everything that is declared, but for groups that are for operators.
    pub async fn held(&self) -> Result<Snapshot, StoreError> {
        let mut addresses = self.manifest.home_addresses(&self.spec.name, self.instances);
        addresses.retain(|address| {
            let group = self.manifest.group(address.group.as_str());
            group.is_ok_and(|group| group.reaches_environments() || group.is_instanced())
        });
        self.stores[&self.home()].read(&addresses).await
    }

    /// What will change where once these values are others.
    pub async fn foresee(&self, values: &Values) -> Result<Foreseen, ApplyError> {
        let old = self.held().await.map_err(|error| ApplyError::Read(Box::new(error)))?;
        let desired = self.desired(&old, values);
        let new = overlaid(&old, &desired);
        let mut foreseen = Foreseen { home: desired.keys().cloned().collect(), copies: Vec::new() };
        for (place, spec) in &self.copies {
            let affected = self.affected(spec, &old, &new).map_err(|error| self.unclear(error))?;
            let addresses: Vec<Address> =
                affected.into_keys().filter(|address| *address != Revision::address()).collect();
            let referred = desired.keys().filter(|address| self.refers(spec, address));
            let all: BTreeSet<Address> = addresses.into_iter().chain(referred.cloned()).collect();
            if !all.is_empty() {
                foreseen.copies.push((place.clone(), all.into_iter().collect()));
            }
        }
        Ok(foreseen)
    }

    fn refers(&self, spec: &CopySpec, address: &Address) -> bool {
        let key = self.manifest.key(address).filter(|key| key.stands_for.is_none());
        key.is_some_and(|key| spec.selection.takes(address) && spec.refers_to(address, key.secret))
    }

    /// Whether home and every copy hold these values already.
    pub async fn have(&self, values: &Values) -> Result<bool, StoreError> {
        let home = self.held().await?;
        let desired = self.desired(&home, values);
        if !desired.iter().all(|(address, want)| want.met_by(home.entries.get(address))) {
            return Ok(false);
        }
        for (place, spec) in &self.copies {
            let Ok(wanted) = self.wanted(spec, &home) else { return Ok(false) };
            let touched: Desired = wanted
                .into_iter()
                .filter(|(address, _)| *address == Revision::address() || self.depends(address, &desired))
                .collect();
            let addresses: Vec<Address> = touched.keys().cloned().collect();
            let seen = self.stores[place].read(&addresses).await?;
            if !touched.iter().all(|(address, want)| want.met_by(seen.entries.get(address))) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Brings home to these values, and every copy after it.
    pub async fn publish(
        &self,
        operation: &mut Operation,
        values: &Values,
        watch: Watch<'_>,
    ) -> Result<(), ApplyError> {
        let home = self.home();
        let before = self.read(operation).await?;
        let desired = self.desired(&before, values);
        let plan = apply::plan_against(&home, self.stores[&home].as_ref(), &desired, &before).await;
        let plan = plan.map_err(|error| apply::midway(operation, error))?;
        if !plan.is_empty() {
            apply::publish(operation, &plan, self.stores, watch).await?;
        }
        let now = self.read(operation).await?;
        let old = as_it_was(operation, &home, &now);
        for (place, spec) in &self.copies {
            let affected = self.affected(spec, &old, &now);
            let affected = affected.map_err(|error| apply::midway(operation, self.unclear(error)))?;
            let wanted =
                self.wanted(spec, &old).map_err(|error| apply::midway(operation, self.unclear(error)))?;
            let store = self.stores[place].as_ref();
            let plan = apply::plan(place, store, &affected).await;
            let plan = plan.map_err(|error| apply::midway(operation, error))?;
            let strangers: Vec<Address> = plan
                .changes()
                .filter(|(_, change)| is_somebodys(change, wanted.get(&change.address)))
                .map(|(_, change)| change.address.clone())
                .collect();
            if !strangers.is_empty() {
                return Err(apply::conflict(operation, place, strangers));
            }
            if !plan.is_empty() {
                apply::publish(operation, &plan, self.stores, watch).await?;
            }
        }
        Ok(())
    }

    async fn read(&self, operation: &Operation) -> Result<Snapshot, ApplyError> {
        let held = self.held().await;
        held.map_err(|error| apply::midway(operation, ApplyError::Read(Box::new(error))))
    }

    /// The values, and what follows from them in home.
    fn desired(&self, home: &Snapshot, values: &Values) -> Desired {
        let values = values.iter().map(|(at, value)| (at.clone(), Want::value(value.clone()))).collect();
        followed(&self.view(home), &values)
    }

    fn view<'v>(&'v self, home: &'v Snapshot) -> View<'v> {
        View { manifest: self.manifest, environment: &self.spec.name, home, instances: self.instances }
    }

    fn wanted(&self, spec: &CopySpec, home: &Snapshot) -> Result<Desired, CopyError> {
        copy(&self.view(home), spec)
    }

    /// Whether what a copy holds at an address follows from what changes in home.
    fn depends(&self, address: &Address, changing: &Desired) -> bool {
        use crate::manifest::ValueSource;
        if changing.contains_key(address) {
            return true;
        }
        match self.manifest.source(&self.spec.name, address) {
            Some(ValueSource::Derived { template, .. }) => {
                template.parts().any(|part| self.depends(&part.address(address.instance.as_ref()), changing))
            }
            _ => false,
        }
    }

    /// What a copy should hold otherwise than before, by what home held and holds.
    fn affected(&self, spec: &CopySpec, old: &Snapshot, new: &Snapshot) -> Result<Desired, CopyError> {
        let before = self.wanted(spec, old)?;
        let mut after = self.wanted(spec, new)?;
        after.retain(|address, want| !before.get(address).is_some_and(|was| same(was, want)));
        Ok(after)
    }

    fn unclear(&self, error: CopyError) -> ApplyError {
        let why = StoreError::new(ErrorKind::Failed, self.home(), "what a copy should hold cannot be told");
        ApplyError::Read(Box::new(why.because(error)))
    }
}

fn same(one: &Want, other: &Want) -> bool {
    match (one, other) {
        (Want::Absent, Want::Absent) => true,
        (Want::Present(one), Want::Present(other)) => one.held.same_as(&other.held),
        _ => false,
    }
}

/// Whether a copy holds something else than what home held: somebody edited it. Our own revision says nothing of that,
/// and where nothing is, nobody is overwritten.
fn is_somebodys(change: &Change, expected: Option<&Want>) -> bool {
    if change.address == Revision::address() || change.before.is_none() {
        return false;
    }
    !expected.is_some_and(|want| want.met_by(change.before.as_ref()))
}

/// Home with what is desired in it.
fn overlaid(home: &Snapshot, desired: &Desired) -> Snapshot {
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

/// Home as it was before this operation, as far as it changed it.
fn as_it_was(operation: &Operation, home: &str, now: &Snapshot) -> Snapshot {
    let mut old = now.clone();
    let mut seen = BTreeSet::new();
    for change in
        operation.writes().iter().filter(|write| write.place == home).flat_map(|write| &write.changes)
    {
        if !seen.insert(&change.address) {
            continue;
        }
        match (&change.before, old.entries.get_mut(&change.address)) {
            (Some(before), Some(entry)) => {
                if let Held::Value(_) = &before.held {
                    entry.held = before.held.clone();
                    entry.version.clone_from(&before.version);
                    entry.modified = before.modified;
                }
            }
            (None, Some(_)) => {
                old.entries.remove(&change.address);
            }
            (_, None) => {}
        }
    }
    old
}
