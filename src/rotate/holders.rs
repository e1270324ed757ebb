//! Everything that holds a value that is rotated: home, what is derived there, and the copies by value or by reference.
//!
//! Owns the law that a holder is written to only if it holds what home held before, or nothing; what holds something else
//! was edited by somebody, and stops the rotation. All that changes in one copy goes in one update.

use super::left::{Left, strangers_in_home};
use super::was::{Before, as_it_was, overlaid, was};
use crate::apply::{self, ApplyError, Watch};
use crate::desired::{CopyError, Revision, View, copy, followed, parts};
use crate::journal::Operation;
use crate::manifest::{CopySpec, EnvironmentSpec, Instances, Manifest};
use crate::name::{Address, Group};
use crate::plan::{Change, Desired, Place, Plan, Want};
use crate::snapshot::{Entry, Held, Snapshot};
use crate::store::{ErrorKind, Guard, StoreError, Stores};
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
    /// Holds the lease, where one was taken.
    pub guard: &'a Guard,
    /// The one group that this is about, where nothing else in home or in a copy hangs on it: the others are not read,
    /// which whoever rotates need not be allowed to.
    pub alone: Option<&'a Group>,
    /// What is left as somebody else changed it; nothing where that stops the rotation.
    pub left: Left,
    /// What home held before any of it, where that is known beside what was written down.
    pub before: Before,
}

/// Values for every holder.
#[derive(Debug, Clone, Default)]
pub struct Publication {
    /// What home shall hold, one after the other: each stage is read back before the next one is written. Where home keeps
    /// all of it in one unit it is one write.
    pub stages: Vec<Desired>,
    /// Whether an undo leaves it: what the values are for knows no others any more.
    pub lasting: bool,
}

impl Publication {
    /// One stage, which an undo takes back.
    pub fn of(desired: Desired) -> Publication {
        Publication { stages: vec![desired], lasting: false }
    }

    /// All that home shall hold in the end.
    pub fn desired(&self) -> Desired {
        self.stages.iter().flatten().map(|(address, want)| (address.clone(), want.clone())).collect()
    }
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
    pub(super) fn home(&self) -> Place {
        self.spec.home.to_string()
    }

    /// What home holds of everything that is declared, but for groups that are for operators.
    pub async fn held(&self) -> Result<Snapshot, StoreError> {
        let mut addresses = self.manifest.home_addresses(&self.spec.name, self.instances);
        addresses.retain(|address| {
            if let Some(alone) = self.alone {
                return address.group == *alone;
            }
            let group = self.manifest.group(address.group.as_str());
            group.is_ok_and(|group| group.reaches_environments() || group.is_instanced())
        });
        self.stores[&self.home()].read(&addresses).await
    }

    /// The same, and what it holds at these addresses, whoever they are for.
    pub async fn held_with<'b>(
        &self,
        addresses: impl IntoIterator<Item = &'b Address>,
    ) -> Result<Snapshot, StoreError> {
        let mut held = self.held().await?;
        let reaches = |group: &str| {
            self.manifest.group(group).is_ok_and(|group| group.reaches_environments() || group.is_instanced())
        };
        let more: Vec<Address> =
            addresses.into_iter().filter(|address| !reaches(address.group.as_str())).cloned().collect();
        if !more.is_empty() {
            let more = self.stores[&self.home()].read(&more).await?;
            held.entries.extend(more.entries);
            held.bases.extend(more.bases);
        }
        Ok(held)
    }

    /// What will change where once home, which holds `old` now, holds this.
    pub fn foresee(&self, old: &Snapshot, desired: &Desired) -> Result<Foreseen, ApplyError> {
        let desired = followed(&self.view(old), desired);
        let new = overlaid(old, &desired);
        let mut foreseen = Foreseen { home: desired.keys().cloned().collect(), copies: Vec::new() };
        for (place, spec) in &self.copies {
            let before = self.wanted(spec, old).map_err(|error| self.unclear(error))?;
            let affected = self.affected(&before, spec, &new).map_err(|error| self.unclear(error))?;
            let addresses = affected.into_keys().filter(|address| *address != Revision::address());
            // A reference stays the same text, and is resolved again.
            let taken = desired.keys().filter(|address| before.contains_key(*address)).cloned();
            let all: BTreeSet<Address> = addresses.chain(taken).collect();
            if !all.is_empty() {
                foreseen.copies.push((place.clone(), all.into_iter().collect()));
            }
        }
        Ok(foreseen)
    }

    /// Whether every copy can take what it gets once home, which holds `old` now, holds this: its size, the state that it
    /// is in. Nothing is written.
    pub async fn review(&self, old: &Snapshot, desired: &Desired) -> Result<(), ApplyError> {
        let desired = followed(&self.view(old), desired);
        let mut new = overlaid(old, &desired);
        // What home does not hold yet has no name that others could use: one like it is as long.
        let named = old.entries.values().find(|entry| entry.arn.is_some());
        for (address, want) in &desired {
            if let (Want::Present(wanted), None, Some(named)) = (want, old.entries.get(address), named) {
                let (held, arn) = (wanted.held.clone(), named.arn.clone());
                new.entries.insert(address.clone(), Entry { held, arn, ..named.clone() });
            }
        }
        for (place, spec) in &self.copies {
            let before = self.wanted(spec, old).map_err(|error| self.unclear(error))?;
            let affected = self.affected(&before, spec, &new).map_err(|error| self.unclear(error))?;
            apply::plan(place, self.stores[place].as_ref(), &affected).await?;
        }
        Ok(())
    }

    /// Whether home and every copy hold this already, but for what is left.
    pub async fn have(&self, desired: &Desired) -> Result<bool, StoreError> {
        let home = self.held_with(desired.keys()).await?;
        let mut desired = followed(&self.view(&home), desired);
        desired.retain(|address, _| !self.left.has(address));
        if !desired.iter().all(|(address, want)| want.met_by(home.entries.get(address))) {
            return Ok(false);
        }
        for (place, spec) in &self.copies {
            let Ok(wanted) = self.wanted(spec, &home) else { return Ok(false) };
            let mut touched = wanted.clone();
            touched.retain(|address, _| self.depends(address, &desired) && !self.left.has(address));
            // Of what does not concern the rotation a copy may be behind: that is for a sync.
            let store = &self.stores[&self.home()];
            let units: BTreeSet<_> = desired.keys().map(|address| store.unit_of(address)).collect();
            let refers = |(address, want): (&Address, &Want)| {
                let is_reference = matches!(want, Want::Present(to) if matches!(to.held, Held::Reference(_)));
                is_reference && units.contains(&store.unit_of(address))
            };
            if !touched.is_empty() && wanted.iter().any(refers) {
                let revision = Revision::address();
                touched.extend(wanted.get(&revision).map(|want| (revision, want.clone())));
            }
            let addresses: Vec<Address> = touched.keys().cloned().collect();
            let seen = self.stores[place].read(&addresses).await?;
            if !touched.iter().all(|(address, want)| want.met_by(seen.entries.get(address))) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What copies hold otherwise than home does, of these and of what follows from them. What a copy does not have at all is
    /// not told.
    pub async fn behind(&self, addresses: &[Address]) -> Result<Vec<(Place, Address)>, StoreError> {
        let home = self.held().await?;
        let changing = |address: &Address| (address.clone(), Want::Absent);
        let changing: Desired = addresses.iter().map(changing).collect();
        let mut behind = Vec::new();
        for (place, spec) in &self.copies {
            let Ok(mut wanted) = self.wanted(spec, &home) else { continue };
            wanted.retain(|address, _| self.depends(address, &changing));
            let sought: Vec<Address> = wanted.keys().cloned().collect();
            let seen = self.stores[place].read(&sought).await?;
            let differs = |(address, want): &(&Address, &Want)| {
                let entry = seen.entries.get(*address);
                entry.is_some() && !want.met_by(entry)
            };
            let all = wanted.iter().filter(differs).map(|(address, _)| (place.clone(), address.clone()));
            behind.extend(all);
        }
        Ok(behind)
    }

    /// Whether every copy that refers to this address is deployed with a reference to the slot that holds its value: then it
    /// may be overwritten under them. So it may where no copy refers to it, or nothing alternates.
    pub async fn refer_to_slots(&self, address: &Address) -> Result<bool, StoreError> {
        if self.manifest.slot_addresses(&self.spec.name, address).is_none() {
            return Ok(true);
        }
        let home = self.held().await?;
        let slot = self.manifest.refers_through(&self.spec.name, address, &home);
        let arn = slot.and_then(|slot| home.entries.get(&slot)?.arn.clone());
        let refers_there =
            |held: &Option<Held>| matches!((held, &arn), (Some(Held::Reference(to)), Some(arn)) if to == arn);
        Ok(self.deployed(address).await?.iter().all(|(_, held)| refers_there(held)))
    }

    /// A copy that is to refer to this address, and has its value still.
    pub async fn plain_in(&self, address: &Address) -> Result<Option<Place>, StoreError> {
        let mut deployed = self.deployed(address).await?.into_iter();
        Ok(deployed.find(|(_, held)| matches!(held, Some(Held::Value(_)))).map(|(place, _)| place))
    }

    /// What each copy that is to refer to this address has there.
    async fn deployed(&self, address: &Address) -> Result<Vec<(Place, Option<Held>)>, StoreError> {
        let secret = self.manifest.key(address).is_some_and(|key| key.secret);
        let mut deployed = Vec::new();
        for (place, spec) in &self.copies {
            if spec.selection.takes(address) && spec.refers_to(address, secret) {
                let mut seen = self.stores[place].read(std::slice::from_ref(address)).await?;
                deployed.push((place.clone(), seen.entries.remove(address).map(|entry| entry.held)));
            }
        }
        Ok(deployed)
    }

    /// Brings home to this, stage by stage, and every copy that gets something of it after it, each in one update.
    pub async fn publish(
        &self,
        operation: &mut Operation,
        publication: &Publication,
        watch: Watch<'_>,
    ) -> Result<(), ApplyError> {
        let home = self.home();
        let (stages, taken) = self.stages(publication);
        let mut all: BTreeSet<Address> = taken.keys().cloned().collect();
        for stage in stages {
            all.extend(self.write_home(operation, &stage, publication, watch).await?);
        }
        let now = self.read(operation).await?;
        let old = as_it_was(operation, &home, &now);
        let ever = was(operation, &home, &now, &self.before);
        let now = overlaid(&now, &followed(&self.view(&now), &taken));
        for (place, spec) in &self.copies {
            let unclear = |error| apply::midway(operation, self.unclear(error));
            let wanted = self.wanted(spec, &old).map_err(unclear)?;
            let mut affected = self.affected(&wanted, spec, &now).map_err(unclear)?;
            affected.retain(|address, _| !self.left.has(address));
            // A document has one version for all that is in it: of what changes nothing for the copy it need not hear.
            let is_new = |address: &Address| *address != Revision::address();
            if !all.iter().any(|address| wanted.contains_key(address)) && !affected.keys().any(is_new) {
                continue;
            }
            // Of a home that was written to in part no copy was ever made.
            let behind: Vec<Desired> = ever.iter().filter_map(|home| self.wanted(spec, home).ok()).collect();
            let mut plan = apply::plan(place, self.stores[place].as_ref(), &affected).await;
            let changes = plan.iter().flat_map(Plan::changes);
            let strangers: Vec<Address> = changes
                .filter(|(_, change)| is_somebodys(change, std::iter::once(&wanted).chain(&behind)))
                .map(|(_, change)| change.address.clone())
                .collect();
            if !strangers.is_empty() {
                self.leave(operation, place, &strangers)?;
                affected.retain(|address, _| !strangers.contains(address));
                plan = apply::plan(place, self.stores[place].as_ref(), &affected).await;
            }
            self.write(operation, plan, publication, watch).await?;
        }
        self.write_home(operation, &taken, publication, watch).await.map(drop)
    }

    /// Writes one stage, with what follows from it, and tells the addresses of all that.
    async fn write_home(
        &self,
        operation: &mut Operation,
        stage: &Desired,
        publication: &Publication,
        watch: Watch<'_>,
    ) -> Result<BTreeSet<Address>, ApplyError> {
        if stage.is_empty() {
            return Ok(BTreeSet::new());
        }
        let home = self.home();
        let before = self.held_with(stage.keys()).await;
        let before = before.map_err(|error| apply::midway(operation, ApplyError::Read(Box::new(error))))?;
        let is_left = |stage: &mut Desired| stage.retain(|address, _| !self.left.has(address));
        let mut stage = stage.clone();
        let strangers = strangers_in_home(operation, &home, &stage, &before);
        if !strangers.is_empty() {
            self.leave(operation, &home, &strangers)?;
        }
        is_left(&mut stage);
        let mut desired = followed(&self.view(&before), &stage);
        is_left(&mut desired);
        let plan = apply::plan_against(&home, self.stores[&home].as_ref(), &desired, &before).await;
        self.write(operation, plan, publication, watch).await?;
        Ok(desired.into_keys().collect())
    }

    /// Leaves what is somebody else's, where that was asked for; otherwise it is a conflict.
    fn leave(&self, operation: &Operation, place: &Place, all: &[Address]) -> Result<(), ApplyError> {
        if !self.left.leaves() {
            return Err(apply::conflict(operation, place, all.to_vec()));
        }
        self.left.leave(all.iter().map(|address| (place.clone(), address.clone())));
        Ok(())
    }

    async fn write(
        &self,
        operation: &mut Operation,
        plan: Result<Plan, ApplyError>,
        publication: &Publication,
        watch: Watch<'_>,
    ) -> Result<(), ApplyError> {
        let plan = plan.map_err(|error| apply::midway(operation, error))?;
        if plan.is_empty() {
            return Ok(());
        }
        apply::publish(operation, &Plan { lasting: publication.lasting, ..plan }, self.stores, watch).await
    }

    /// The stages, or one of all of them where home writes it in one call; and what home loses, which it does when no copy
    /// has it any more: an instance that starts must not be led to what is not there.
    fn stages(&self, publication: &Publication) -> (Vec<Desired>, Desired) {
        let (taken, all): (Desired, Desired) =
            publication.desired().into_iter().partition(|(_, want)| matches!(want, Want::Absent));
        let home = &self.stores[&self.home()];
        let units: BTreeSet<_> = all.keys().map(|address| home.unit_of(address)).collect();
        if units.len() <= 1 {
            return (vec![all], taken);
        }
        let mut stages = publication.stages.clone();
        stages.iter_mut().for_each(|stage| stage.retain(|address, _| !taken.contains_key(address)));
        (stages, taken)
    }

    /// What a copy is to be told of the versions that it refers to, once home, which holds this, holds these too; none where
    /// that cannot be told.
    pub(super) fn revision_in(&self, place: &Place, home: &Snapshot, desired: &Desired) -> Option<Want> {
        let (_, spec) = self.copies.iter().find(|(copy, _)| copy == place)?;
        self.wanted(spec, &overlaid(home, desired)).ok()?.remove(&Revision::address())
    }

    pub(super) async fn read(&self, operation: &Operation) -> Result<Snapshot, ApplyError> {
        let held = self.held().await;
        held.map_err(|error| apply::midway(operation, ApplyError::Read(Box::new(error))))
    }

    fn view<'v>(&'v self, home: &'v Snapshot) -> View<'v> {
        View { manifest: self.manifest, environment: &self.spec.name, home, instances: self.instances }
    }

    fn wanted(&self, spec: &CopySpec, home: &Snapshot) -> Result<Desired, CopyError> {
        copy(&self.view(home), spec)
    }

    /// Whether what a copy holds at an address follows from what changes in home.
    fn depends(&self, address: &Address, changing: &Desired) -> bool {
        changing.contains_key(address)
            || parts(self.manifest, &self.spec.name, address).iter().any(|part| changing.contains_key(part))
    }

    /// What a copy should hold otherwise than before, now that home holds this.
    fn affected(&self, before: &Desired, spec: &CopySpec, new: &Snapshot) -> Result<Desired, CopyError> {
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

/// Whether a copy holds something else than what home ever made of it: somebody edited it. Our own revision says nothing of
/// that, and where nothing is, nobody is overwritten.
fn is_somebodys<'a>(change: &Change, mut expected: impl Iterator<Item = &'a Desired>) -> bool {
    if change.address == Revision::address() || change.before.is_none() {
        return false;
    }
    let met =
        |all: &Desired| all.get(&change.address).is_some_and(|want| want.met_by(change.before.as_ref()));
    !expected.any(met)
}
