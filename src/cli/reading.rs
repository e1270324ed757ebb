//! What a verb reads of home: exactly what its wish needs, and the parts that those values are derived from.
//!
//! Owns the way from a wish to addresses: instances are discovered only where the wish cannot name them, at the same
//! time as the rest is read. It never writes.

use super::context::Context;
use crate::manifest::{
    Audience, EnvironmentSpec, GroupSpec, Instances, InstancesSpec, Manifest, Selection, ValueSource,
    with_instances,
};
use crate::name::{Address, Group};
use crate::snapshot::Snapshot;
use crate::store::{Discover, ErrorKind, StoreError};
use anyhow::Result;
use std::collections::BTreeSet;

/// What was read of a home: values, and the instances that groups turned out to have.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) snapshot: Snapshot,
    pub(super) instances: Instances,
}

impl From<Snapshot> for Held {
    /// What was read, with the instances that something is held of.
    fn from(snapshot: Snapshot) -> Held {
        let instances = with_instances(Instances::new(), snapshot.entries.keys());
        Held { snapshot, instances }
    }
}

/// Which of an environment's values are wanted.
#[derive(Debug)]
pub(super) struct Wish {
    groups: Groups,
    /// And these.
    addresses: BTreeSet<Address>,
}

/// Groups of which everything is wanted.
#[derive(Debug)]
enum Groups {
    All,
    /// Those whose values reach an environment at all: others may be forbidden to whoever asks.
    Reaching,
    /// Those that are not for operators only.
    ForApp,
    Named(BTreeSet<Group>),
}

impl Wish {
    /// Every value that the environment declares.
    pub(super) fn all() -> Wish {
        Wish { groups: Groups::All, addresses: BTreeSet::new() }
    }

    /// These values.
    pub(super) fn these<'a>(addresses: impl IntoIterator<Item = &'a Address>) -> Wish {
        let addresses = addresses.into_iter().cloned().collect();
        Wish { groups: Groups::Named(BTreeSet::new()), addresses }
    }

    /// What any of these selections takes.
    pub(super) fn selections<'a>(selections: impl IntoIterator<Item = &'a Selection>) -> Wish {
        let mut wish = Wish::these([]);
        for selection in selections {
            if selection.groups.is_none() && selection.keys.is_none() {
                wish.groups = Groups::Reaching;
            }
            if let Groups::Named(groups) = &mut wish.groups {
                groups.extend(selection.groups.iter().flatten().cloned());
            }
            wish.addresses.extend(selection.keys.iter().flatten().cloned());
        }
        wish
    }

    fn takes(&self, manifest: &Manifest, address: &Address) -> bool {
        let group = manifest.group(address.group.as_str());
        group.is_ok_and(|group| self.takes_all_of(group)) || self.addresses.contains(address)
    }

    fn takes_all_of(&self, group: &GroupSpec) -> bool {
        match &self.groups {
            Groups::All => true,
            Groups::Reaching => group.reaches_environments(),
            Groups::ForApp => group.audience == Audience::App,
            Groups::Named(names) => names.contains(&group.name),
        }
    }

    /// The instances that it names by itself.
    fn instances(&self) -> Instances {
        with_instances(Instances::new(), &self.addresses)
    }
}

impl Context {
    /// Everything that home holds in the groups of the manifest, declared or not.
    pub(super) fn everything(&self) -> Result<Snapshot> {
        let manifest = &self.project()?.manifest;
        let groups: Vec<Group> = manifest.groups().map(|group| group.name.clone()).collect();
        let home = self.home()?;
        self.wait_for(async { Ok(home.walk(&groups).await?) })
    }

    /// Everything that a copy holds in the groups of the environment.
    pub(super) fn declared_in(&self, copy: &dyn Discover) -> Result<Snapshot> {
        let groups = self.project()?.manifest.groups_in(&self.environment()?.name);
        let groups: Vec<Group> = groups.map(|group| group.name.clone()).collect();
        self.wait_for(async { Ok(copy.walk(&groups).await?) })
    }

    /// Everything that this identity may read: where it may not read what is for operators, the rest, and that is said.
    pub(super) fn read_allowed(&self) -> Result<Held> {
        let (held, all) = self.read_as_allowed()?;
        if !all {
            self.ui.warning("what is for operators is left out: this identity may not read it");
        }
        Ok(held)
    }

    /// The same, and whether it is all.
    pub(super) fn read_as_allowed(&self) -> Result<(Held, bool)> {
        let error = match self.read_home(&Wish::all()) {
            Ok(held) => return Ok((held, true)),
            Err(error) => error,
        };
        let denied = error.downcast_ref::<StoreError>().is_some_and(|error| error.kind == ErrorKind::Denied);
        let manifest = &self.project()?.manifest;
        let mut operators = manifest.groups_in(&self.environment()?.name);
        if !denied || operators.all(|group| group.audience == Audience::App) {
            return Err(error);
        }
        Ok((self.read_home(&Wish { groups: Groups::ForApp, addresses: BTreeSet::new() })?, false))
    }

    /// Reads what home holds of a wish. Home is not opened where nothing of it is needed.
    pub(super) fn read_home(&self, wish: &Wish) -> Result<Held> {
        let manifest = &self.project()?.manifest;
        let environment = self.environment()?;
        let discovered = to_discover(manifest, environment, wish);
        let mut instances = wish.instances();
        instances.retain(|group, _| !discovered.contains(group));
        let mut held = Held { snapshot: Snapshot::default(), instances };
        let needed = needed(manifest, environment, &held.instances, wish);
        if needed.is_empty() && discovered.is_empty() {
            return Ok(held);
        }
        let home = self.home()?;
        self.wait_for(async {
            let reading = async {
                match needed.is_empty() {
                    true => Ok(Snapshot::default()),
                    false => home.read(&needed).await,
                }
            };
            let walking = async {
                match discovered.is_empty() {
                    true => Ok(Snapshot::default()),
                    false => home.walk(&discovered).await,
                }
            };
            let (read, walked) = futures::future::try_join(reading, walking).await?;
            held.instances = with_instances(held.instances, walked.entries.keys());
            held.snapshot = joined(read, walked);
            // What values of discovered instances are derived from, where the walk did not come by it.
            let mut open = self::needed(manifest, environment, &held.instances, wish);
            open.retain(|address| !needed.contains(address) && !discovered.contains(&address.group));
            if !open.is_empty() {
                held.snapshot = joined(held.snapshot, home.read(&open).await?);
            }
            Ok(held)
        })
    }
}

/// Two parts of one place, as one.
fn joined(mut one: Snapshot, other: Snapshot) -> Snapshot {
    one.entries.extend(other.entries);
    one.bases.extend(other.bases);
    one
}

/// The groups whose instances nobody can name without a look.
fn to_discover(manifest: &Manifest, environment: &EnvironmentSpec, wish: &Wish) -> Vec<Group> {
    let groups = manifest.groups_in(&environment.name);
    groups
        .filter(|group| group.instances == InstancesSpec::Discovered && wish.takes_all_of(group))
        .map(|group| group.name.clone())
        .collect()
}

/// The addresses in home that the wanted ones need: themselves, or the parts that they are derived from. A derived value
/// that home keeps is needed too: others refer to it there.
fn needed(
    manifest: &Manifest,
    environment: &EnvironmentSpec,
    instances: &Instances,
    wish: &Wish,
) -> Vec<Address> {
    let mut open: Vec<Address> = manifest.addresses(&environment.name, instances);
    open.retain(|address| wish.takes(manifest, address));
    let mut seen = BTreeSet::new();
    let mut needed = Vec::new();
    while let Some(address) = open.pop() {
        if !seen.insert(address.clone()) {
            continue;
        }
        match manifest.source(&environment.name, &address) {
            Some(ValueSource::Home) => needed.push(address),
            Some(ValueSource::Derived { template, .. }) => {
                open.extend(template.parts().map(|part| part.address(address.instance.as_ref())));
                if manifest.lives_in_home(&environment.name, &address) {
                    needed.push(address);
                }
            }
            Some(ValueSource::Literal { .. } | ValueSource::Absent) | None => {}
        }
    }
    needed
}
