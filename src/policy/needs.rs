//! Who needs what: the groups that each bearer of a policy reads and changes, and the copies that they update.
//!
//! Owns the reasoning about the manifest; it knows no action and no ARN. The unit is the group, because a group is what
//! has one audience.

use super::Bearer;
use crate::desired::needed_to_follow;
use crate::manifest::{
    Audience, CopySpec, EnvironmentSpec, GroupSpec, InstancesSpec, Manifest, Place, RotationKind, Secrets,
    ValueSource,
};
use crate::name::{Address, Group, Key};
use std::collections::{BTreeMap, BTreeSet};

/// What is done with the values of a group, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Access {
    /// Beanstalk resolves references to them when an instance starts.
    Resolve,
    /// The app reads them itself.
    AppReads,
    /// The app reads and writes them itself.
    AppWrites,
    /// A command of strongroom reads them.
    Read,
    /// A command of strongroom changes them.
    Change,
    /// Commands change them, and back up whatever is there beside what is declared.
    Keep,
}

/// What a bearer needs.
#[derive(Debug, Default)]
pub(super) struct Needs<'a> {
    /// The groups, in home.
    pub(super) groups: BTreeMap<&'a Group, Access>,
    /// The groups of which these values alone are needed.
    pub(super) only: BTreeMap<&'a Group, BTreeSet<Address>>,
    /// The Beanstalk environments, and whether they are updated.
    pub(super) copies: Vec<(&'a CopySpec, Updates)>,
    /// What strongroom keeps for itself in home.
    pub(super) own: Own,
    /// Secrets that others keep, by their ARNs, which are read.
    pub(super) followed: Vec<&'a str>,
    /// Whether the saved configurations of applications are looked at, for old values of what goes by reference.
    pub(super) looks_at_saved: bool,
}

/// What is done with a Beanstalk environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Updates {
    /// It is looked at.
    No,
    /// It is updated.
    Yes,
}

/// What strongroom keeps for itself in home.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Own {
    /// None of it is needed.
    #[default]
    Nothing,
    /// The lease.
    Lease,
    /// The lease, and values that are minted.
    Minted,
}

/// What a bearer needs in an environment.
pub(super) fn needs<'a>(
    manifest: &'a Manifest,
    environment: &'a EnvironmentSpec,
    bearer: Bearer,
) -> Needs<'a> {
    let copies = |updates| environment.copies.values().map(move |copy| (copy, updates)).collect();
    let groups = || manifest.groups_in(&environment.name);
    match bearer {
        Bearer::Operator => Needs {
            groups: groups().map(|group| (&group.name, Access::Keep)).collect(),
            copies: copies(Updates::Yes),
            own: own(manifest, environment),
            followed: followed(manifest, environment),
            looks_at_saved: true,
            ..Needs::default()
        },
        Bearer::Reader => Needs {
            groups: groups()
                .filter(|group| is_for_app(group))
                .map(|group| (&group.name, Access::Read))
                .collect(),
            copies: copies(Updates::No),
            ..Needs::default()
        },
        Bearer::Instance => of_instance(manifest, environment),
        Bearer::Rotator => of_rotator(manifest, environment),
    }
}

/// What whoever runs rotations needs of what strongroom keeps for itself: only Xero chooses values that are kept there.
fn own(manifest: &Manifest, environment: &EnvironmentSpec) -> Own {
    match rotations(manifest, environment).any(|kind| matches!(kind, RotationKind::Xero(_))) {
        true => Own::Minted,
        false => Own::Lease,
    }
}

fn followed<'a>(manifest: &'a Manifest, environment: &'a EnvironmentSpec) -> Vec<&'a str> {
    let secret = |kind: &'a RotationKind| match kind {
        RotationKind::Follow { secret, .. } => Some(secret.as_str()),
        _ => None,
    };
    rotations(manifest, environment).filter_map(secret).collect()
}

fn is_for_app(group: &GroupSpec) -> bool {
    group.audience == Audience::App
}

/// What references lead to; and an instanced group that no copy gets is one that the app reads for itself, and writes
/// too where it is of tokens that whoever uses them has to renew.
fn of_instance<'a>(manifest: &'a Manifest, environment: &'a EnvironmentSpec) -> Needs<'a> {
    let renewed: Vec<&Group> = rotations(manifest, environment)
        .filter_map(|kind| match kind {
            RotationKind::Xero(xero) => Some(&xero.group),
            _ => None,
        })
        .collect();
    let mut needs = Needs::default();
    for group in manifest.groups_in(&environment.name).filter(|group| is_for_app(group)) {
        let taken = |copy: &&CopySpec| takes(manifest, environment, copy, group);
        let referred =
            environment.copies.values().filter(taken).any(|copy| copy.secrets == Secrets::Reference);
        let listed = environment.copies.values().flat_map(|copy| &copy.references);
        let listed = listed.filter(|address| address.group == group.name);
        // An instance may start while another slot than the deployed one is in use: it may read both.
        let led_to = |address: &Address| {
            let slots = manifest.slot_addresses(&environment.name, address);
            [address.clone()].into_iter().chain(slots.into_iter().flat_map(<[Address; 2]>::from))
        };
        let listed: BTreeSet<Address> = listed.flat_map(led_to).collect();
        let own = group.instances == InstancesSpec::Discovered
            && !environment.copies.values().any(|copy| taken(&copy));
        let access = match (renewed.contains(&&group.name), own, referred) {
            (true, ..) => Access::AppWrites,
            (_, true, _) => Access::AppReads,
            (_, _, true) if has_secret(manifest, environment, group) => Access::Resolve,
            _ if !listed.is_empty() => {
                needs.only.insert(&group.name, listed);
                Access::Resolve
            }
            _ => continue,
        };
        needs.groups.insert(&group.name, access);
    }
    // Whoever renews tokens holds the lease meanwhile, as strongroom does: docs/xero.md.
    if environment.home == Place::Ssm && needs.groups.values().any(|access| *access == Access::AppWrites) {
        needs.own = Own::Lease;
    }
    needs
}

/// Whether a copy gets something of a group.
fn takes(manifest: &Manifest, environment: &EnvironmentSpec, copy: &CopySpec, group: &GroupSpec) -> bool {
    group.reaches_environments()
        && in_home(manifest, environment, group).any(|address| copy.selection.takes(&address))
}

fn has_secret(manifest: &Manifest, environment: &EnvironmentSpec, group: &GroupSpec) -> bool {
    in_home(manifest, environment, group).any(|address| manifest.key(&address).is_some_and(|key| key.secret))
}

/// The addresses of a group that home holds, with one instance for all that would be discovered.
fn in_home<'a>(
    manifest: &'a Manifest,
    environment: &'a EnvironmentSpec,
    group: &'a GroupSpec,
) -> impl Iterator<Item = Address> + 'a {
    let address = |key: &Key| Address {
        group: group.name.clone(),
        instance: super::any_instance(group),
        key: key.clone(),
    };
    let addresses = group.keys.keys().map(address);
    addresses.filter(|address| manifest.lives_in_home(&environment.name, address))
}

fn rotations<'a>(
    manifest: &'a Manifest,
    environment: &'a EnvironmentSpec,
) -> impl Iterator<Item = &'a RotationKind> {
    let here = manifest.rotations().filter(|rotation| rotation.environments.contains(&environment.name));
    here.map(|rotation| &rotation.kind)
}

/// What is rotated and what follows from it is changed; what a rotation or a derived value is made with, and all that
/// copies may get, is read.
fn of_rotator<'a>(manifest: &'a Manifest, environment: &'a EnvironmentSpec) -> Needs<'a> {
    let mut changed: BTreeSet<(Group, Key)> = BTreeSet::new();
    let mut read: BTreeSet<Group> = BTreeSet::new();
    for kind in rotations(manifest, environment) {
        let (writes, reads) = touched(manifest, kind);
        changed.extend(writes);
        read.extend(reads.into_iter().map(|address| address.group.clone()));
    }
    if changed.is_empty() {
        return Needs::default();
    }
    follow(manifest, environment, &mut changed, &mut read);
    let looks_around = rotations(manifest, environment).any(|kind| looks_around(manifest, environment, kind));
    let mut copies = Vec::new();
    for copy in environment.copies.values() {
        let gets = |(group, key): &(Group, Key)| {
            let group = manifest.groups_in(&environment.name).find(|found| found.name == *group);
            group.is_some_and(|group| {
                let address = Address {
                    group: group.name.clone(),
                    instance: super::any_instance(group),
                    key: key.clone(),
                };
                group.reaches_environments() && copy.selection.takes(&address)
            })
        };
        let is_home = matches!(&environment.home, Place::Beanstalk { copy: home } if *home == copy.name);
        if is_home || changed.iter().any(gets) {
            copies.push((copy, Updates::Yes));
        }
    }
    let mut groups = BTreeMap::new();
    for group in manifest.groups_in(&environment.name) {
        let is_changed = changed.iter().any(|(name, _)| *name == group.name);
        let is_looked_at = is_for_app(group) && (looks_around || !copies.is_empty());
        if is_changed {
            groups.insert(&group.name, Access::Change);
        } else if is_looked_at || read.contains(&group.name) {
            groups.insert(&group.name, Access::Read);
        }
    }
    Needs { groups, copies, own: Own::Minted, followed: followed(manifest, environment), ..Needs::default() }
}

/// Whether a rotation finds out what holds what by all that is the app's. Xero's tokens are looked at alone where nothing is
/// derived from them; whether a copy gets them is seen by the copies.
fn looks_around(manifest: &Manifest, environment: &EnvironmentSpec, kind: &RotationKind) -> bool {
    let RotationKind::Xero(spec) = kind else { return true };
    let group = manifest.groups().find(|group| group.name == spec.group);
    let instance = group.and_then(super::any_instance);
    let keys = [&spec.refresh_token, &spec.access_token, &spec.token_expires_at];
    let tokens =
        keys.map(|key| Address { group: spec.group.clone(), instance: instance.clone(), key: key.clone() });
    !needed_to_follow(manifest, &environment.name, &tokens.into()).is_empty()
}

/// Adds what is derived from what is changed, however far that goes, and the groups that it is derived from besides.
fn follow(
    manifest: &Manifest,
    environment: &EnvironmentSpec,
    changed: &mut BTreeSet<(Group, Key)>,
    read: &mut BTreeSet<Group>,
) {
    loop {
        let before = changed.len();
        for group in manifest.groups_in(&environment.name) {
            for address in in_home(manifest, environment, group) {
                let Some(ValueSource::Derived { template, .. }) =
                    manifest.source(&environment.name, &address)
                else {
                    continue;
                };
                let parts: Vec<Address> =
                    template.parts().map(|part| part.address(address.instance.as_ref())).collect();
                let is_changed = |part: &Address| changed.contains(&(part.group.clone(), part.key.clone()));
                if parts.iter().any(is_changed) {
                    read.extend(parts.into_iter().map(|part| part.group));
                    changed.insert((address.group, address.key));
                }
            }
        }
        if changed.len() == before {
            return;
        }
    }
}

/// What a rotation writes, and what else it reads.
fn touched<'a>(manifest: &Manifest, kind: &'a RotationKind) -> (Vec<(Group, Key)>, Vec<&'a Address>) {
    let name = |address: &Address| (address.group.clone(), address.key.clone());
    match kind {
        RotationKind::Postgres(spec) => {
            let written = [&spec.user, &spec.password].into_iter().chain(&spec.urls);
            let admin = spec.admin.iter().flat_map(|admin| [&admin.user, &admin.password]);
            let read = [&spec.host, &spec.database].into_iter().chain(&spec.port).chain(admin);
            (written.map(name).collect(), read.collect())
        }
        RotationKind::Xero(spec) => {
            let keys = manifest.groups().filter(|group| group.name == spec.group);
            let keys = keys.flat_map(|group| group.keys.keys());
            (keys.map(|key| (spec.group.clone(), key.clone())).collect(), Vec::new())
        }
        RotationKind::Follow { keys, .. } => {
            (keys.iter().map(|(address, _)| name(address)).collect(), Vec::new())
        }
        RotationKind::DjangoSecretKey { key, fallbacks, .. } => {
            ([key].into_iter().chain(fallbacks).map(name).collect(), Vec::new())
        }
        RotationKind::Random { keys, .. } | RotationKind::Command { keys, .. } => {
            (keys.iter().map(name).collect(), Vec::new())
        }
    }
}
