//! What the new home is to hold, and what copies are to hold then: as a plan before anything is there.
//!
//! Owns the law of a migration: a container sees after it what it saw before. What would change a value is told, and
//! nothing is planned.

use super::names;
use crate::apply::{self, ApplyError};
use crate::desired::{CopyError, Revision, View, copy};
use crate::manifest::{CopySpec, EnvironmentSpec, Instances, Manifest, with_instances};
use crate::name::{Address, Environment};
use crate::plan::{Change, Desired, Place, Plan, Want};
use crate::snapshot::{Entry, Held, Snapshot};
use crate::store::Stores;

/// What the new home is to hold, by the manifest that is to stand afterwards.
#[derive(Debug, Clone, Default)]
pub struct Values {
    /// Every value that lives there, what is derived included.
    pub held: Snapshot,
    /// The instances that there are.
    pub instances: Instances,
}

impl Values {
    /// What was held, as the manifest has it live in home. What is missing is left out: whether anybody needs it is for
    /// the copies to say.
    pub fn of(manifest: &Manifest, environment: &Environment, held: &Snapshot) -> Values {
        let instances = with_instances(Instances::new(), held.entries.keys());
        let mut all = Snapshot::default();
        for address in manifest.home_addresses(environment, &instances) {
            if let Ok(Some(value)) = manifest.value_of(environment, held, &address) {
                all.entries.insert(address, Entry::of(value));
            }
        }
        Values { held: all, instances }
    }

    /// As what home should hold.
    pub fn desired(&self) -> Desired {
        let value = |(address, entry): (&Address, &Entry)| (address.clone(), Want::held(entry.held.clone()));
        self.held.entries.iter().map(value).collect()
    }

    /// The same as home will have it: what is there already as it is, and the rest with the name that it will have.
    fn once_there(&self, manifest: &Manifest, spec: &EnvironmentSpec, seen: &Snapshot) -> Snapshot {
        let mut after = self.held.clone();
        for (address, entry) in &mut after.entries {
            match seen.entries.get(address).filter(|seen| seen.held.same_as(&entry.held)) {
                Some(seen) => *entry = seen.clone(),
                None => entry.arn = names::foreseen(manifest, spec, address),
            }
        }
        after
    }
}

/// The whole of a migration before anything of it is there.
#[derive(Debug)]
pub struct Foreseen {
    /// What home gets.
    pub home: Plan,
    /// What each copy gets; a reference to a secret that is not there yet has `??????` where AWS chooses.
    pub copies: Plan,
    /// What would be seen differently by the containers, where something would: then nothing is to be done.
    pub unfaithful: Vec<Unfaithful>,
    /// What the copies get beside what they have.
    pub added: Vec<(Place, Address)>,
}

/// An address at which a container would see something else than now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfaithful {
    /// The copy.
    pub place: Place,
    /// The address.
    pub address: Address,
    /// What is in the way, as a fragment.
    pub why: &'static str,
}

/// Why a migration cannot be foreseen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForeseeError {
    /// A place could not be read, or cannot hold what it is to hold.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// A copy's contents cannot be told.
    #[error(transparent)]
    Copy(#[from] CopyError),
}

/// Plans all of it against what the places hold now, by the manifest that is to stand afterwards.
pub async fn foresee(
    (manifest, spec): (&Manifest, &EnvironmentSpec),
    copies: &[(Place, &CopySpec)],
    values: &Values,
    stores: &Stores,
) -> Result<Foreseen, ForeseeError> {
    let home = spec.home.to_string();
    let store = stores[&home].as_ref();
    let desired = values.desired();
    let addresses: Vec<Address> = desired.keys().cloned().collect();
    let seen = store.read(&addresses).await.map_err(|error| ApplyError::Read(Box::new(error)))?;
    let home = apply::plan_against(&home, store, &desired, &seen).await?;
    let mut foreseen = Foreseen { home, copies: Plan::default(), unfaithful: Vec::new(), added: Vec::new() };
    let after = values.once_there(manifest, spec, &seen);
    for (place, copied) in copies {
        let view = View { manifest, environment: &spec.name, home: &after, instances: &values.instances };
        let plan = apply::plan(place, stores[place].as_ref(), &copy(&view, copied)?).await?;
        foreseen.unfaithful.extend(unfaithful(&plan, &values.held, None));
        let added = plan.changes().filter(|(_, change)| change.before.is_none());
        let added = added.filter(|(_, change)| change.address != Revision::address());
        foreseen.added.extend(added.map(|(place, change)| (place.clone(), change.address.clone())));
        foreseen.copies = foreseen.copies.then(plan);
    }
    Ok(foreseen)
}

/// The changes of a plan for copies after which a container would see something else: `held` is what home holds, and
/// `added` what was known not to be there, where that is known.
pub(super) fn unfaithful(
    plan: &Plan,
    held: &Snapshot,
    added: Option<&[(Place, Address)]>,
) -> Vec<Unfaithful> {
    let why = |place: &Place, change: &Change| -> Option<&'static str> {
        let Some(before) = change.before.as_ref().map(|before| &before.held) else {
            let known = |one: &(Place, Address)| one.0 == *place && one.1 == change.address;
            let is_gone = added.is_some_and(|added| !added.iter().any(known));
            return is_gone.then_some("it is not there any more");
        };
        let now = match before {
            Held::Value(value) => value,
            // A canary of ours, which goes back to its value.
            Held::Reference(_) if held.value(&change.address).is_some() && gives_back(change, held) => {
                return None;
            }
            Held::Reference(_) => return Some("it is a reference already, to something else"),
        };
        match &change.after {
            Want::Absent => Some("home has no value of it, and it would go"),
            Want::Present(wanted) => match &wanted.held {
                Held::Value(value) if value.same_as(now) => None,
                Held::Value(_) => Some("it differs from what the manifest says"),
                Held::Reference(_) if held.value(&change.address).is_some_and(|value| value.same_as(now)) => {
                    None
                }
                Held::Reference(_) => Some("it differs from what home would hold"),
            },
        }
    };
    let own = |change: &Change| change.address == Revision::address();
    let changes = plan.changes().filter(|(_, change)| !own(change));
    let told = changes.filter_map(|(place, change)| {
        let (place, address) = (place.clone(), change.address.clone());
        why(&place, change).map(|why| Unfaithful { place, address, why })
    });
    told.collect()
}

/// Whether a change puts home's value in the place of a reference.
fn gives_back(change: &Change, held: &Snapshot) -> bool {
    match &change.after {
        Want::Present(wanted) => {
            let value = wanted.held.value();
            value.zip(held.value(&change.address)).is_some_and(|(after, home)| after.same_as(home))
        }
        Want::Absent => false,
    }
}
