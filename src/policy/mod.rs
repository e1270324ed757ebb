//! Least privilege: the IAM policy that each bearer needs in one environment, from the manifest alone.
//!
//! Owns who may do what ([`Bearer`]), and what has to be said beside the document ([`Remark`]). It asks AWS nothing, and
//! it knows names only. [`policy`] is the story: what is needed, under which names that is, and what to call it on.

mod arn;
mod document;
mod needs;
mod pattern;
mod services;

pub(crate) use arn::{ANY_SUFFIX, Site};
pub use document::{MANAGED_POLICY, Policy, Statement, USER_POLICIES};

use crate::manifest::{EnvironmentSpec, GroupSpec, InstancesSpec, Manifest, Place};
use crate::name::Instance;
use needs::{Needs, Own, Updates, needs};
use pattern::{Held, Patterns, each_name, listed_names, patterns};
use std::collections::BTreeSet;
use std::fmt;

/// Whom a policy is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bearer {
    /// A person, or a pipeline, that uses every command but `rotate`.
    Operator,
    /// The instance profile: Beanstalk resolving references, and the app itself.
    Instance,
    /// What runs `rotate`.
    Rotator,
    /// What only looks: `get`, `render`, `exec`, `export`, `status`, `diff`, `history`.
    Reader,
}

/// A policy, and what has to be known about it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The policy; it allows nothing where nothing is needed.
    pub policy: Policy,
    /// What the manifest does not say, or IAM cannot.
    pub remarks: Vec<Remark>,
}

/// What has to be known about a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// No account is declared, so `*` stands for it.
    AnyAccount,
    /// No region is declared, so `*` stands for it.
    AnyRegion,
    /// The names of one group cannot be told from those of another that the bearer is not to have.
    Overlap {
        /// The group that is allowed.
        group: String,
        /// The group that is allowed with it.
        other: String,
    },
    /// The key is named by an alias.
    Alias(String),
    /// A Beanstalk environment is updated.
    UpdatesEnvironment,
    /// References are resolved.
    ResolvesReferences,
    /// Names were drawn together so that it is not too large.
    Folded,
    /// It is larger than a managed policy may be.
    TooLarge(usize),
    /// It is larger than what can be written into a user.
    NotInline(usize),
}

impl Remark {
    /// Whether the policy is not what it should be until something is done about it.
    pub fn is_warning(&self) -> bool {
        match self {
            Remark::AnyAccount | Remark::AnyRegion | Remark::Overlap { .. } | Remark::TooLarge(_) => true,
            Remark::Alias(_)
            | Remark::UpdatesEnvironment
            | Remark::ResolvesReferences
            | Remark::Folded
            | Remark::NotInline(_) => false,
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remark::AnyAccount => f.write_str(
                "the environment declares no `account`: `*` stands for it, and the policy is right in whichever \
                 account it is made in",
            ),
            Remark::AnyRegion => f.write_str(
                "neither the environment nor the project declares a `region`: `*` stands for it",
            ),
            Remark::Overlap { group, other } => write!(
                f,
                "no pattern for the names of `{group}` leaves out those of `{other}`: give one of them a path of its own"
            ),
            Remark::Alias(alias) => write!(
                f,
                "a policy cannot name a key by `{alias}`: it names every key, if `{alias}` is among the key's aliases"
            ),
            Remark::UpdatesEnvironment => f.write_str(
                "UpdateEnvironment works in CloudFormation, Auto Scaling, EC2, load balancing and S3 with the permissions \
                 of whoever calls it; which ones depends on the environment and no manifest knows them: attach \
                 AdministratorAccess-AWSElasticBeanstalk too, or what the environment's events say is missing",
            ),
            Remark::ResolvesReferences => f.write_str(
                "on the ECS platform the execution role of Dockerrun.aws.json needs this policy too, and the instance \
                 profile iam:PassRole on that role for ecs-tasks.amazonaws.com",
            ),
            Remark::Folded => f.write_str(
                "names of several groups are drawn together under their common path, because a managed policy could not \
                 hold them one by one",
            ),
            Remark::TooLarge(characters) => write!(
                f,
                "the policy has {characters} characters and a managed policy at most {MANAGED_POLICY}: attach its \
                 statements as several policies, or give groups a common path"
            ),
            Remark::NotInline(characters) => write!(
                f,
                "the policy has {characters} characters, and the inline policies of a user at most {USER_POLICIES}: \
                 make it a managed policy, or one of a role"
            ),
        }
    }
}

/// The policy that a bearer needs in an environment.
pub fn policy(manifest: &Manifest, environment: &EnvironmentSpec, bearer: Bearer) -> Answer {
    let needs = needs(manifest, environment, bearer);
    let (mut held, overlaps) = held(manifest, environment, &needs);
    let mut policy = written(environment, &needs, &held);
    let mut remarks = Vec::new();
    if policy.characters() > MANAGED_POLICY && held.fold() {
        policy = written(environment, &needs, &held);
        remarks.push(Remark::Folded);
    }
    if !policy.is_empty() {
        remarks.extend(of_document(environment, bearer, &needs, &policy));
    }
    remarks.extend(overlaps);
    Answer { policy, remarks }
}

fn written(environment: &EnvironmentSpec, needs: &Needs<'_>, held: &Held) -> Policy {
    let site = Site::of(environment);
    let mut policy = Policy::default();
    match environment.home {
        Place::Ssm => services::parameters(&mut policy, environment, &site, held),
        Place::SecretsManager => services::secrets(&mut policy, environment, &site, held),
        Place::Vault | Place::Beanstalk { .. } | Place::Memory => {}
    }
    services::beanstalk(&mut policy, &site, needs);
    services::followed(&mut policy, &needs.followed);
    policy
}

/// The names that are needed in home, and where they cannot be told from names that are not.
fn held(manifest: &Manifest, environment: &EnvironmentSpec, needs: &Needs<'_>) -> (Held, Vec<Remark>) {
    let all: Vec<(&GroupSpec, BTreeSet<String>)> = manifest
        .groups_in(&environment.name)
        .map(|group| (group, each_name(manifest, environment, group)))
        .collect();
    let mut strange = elsewhere(manifest, environment);
    strange.retain(|name| !all.iter().any(|(_, names)| names.contains(name)));
    strange.extend(services::own_names(manifest, environment, Own::Minted));
    let mut held = Held { own: services::own_names(manifest, environment, needs.own), ..Held::default() };
    let mut overlaps = Vec::new();
    for (group, _) in &all {
        let Some(access) = needs.groups.get(&group.name) else { continue };
        let is_other = |other: &GroupSpec| needs.groups.get(&other.name).is_none_or(|theirs| theirs < access);
        let others = all.iter().filter(|(other, _)| is_other(other));
        let unlisted = all.iter().filter_map(|(group, names)| {
            let only = needs.only.get(&group.name)?;
            Some(names - &listed_names(manifest, environment, only))
        });
        let mut foreign: BTreeSet<String> = unlisted.flatten().collect();
        foreign.extend(others.clone().flat_map(|(_, names)| names).chain(&strange).cloned());
        let patterns = match needs.only.get(&group.name) {
            Some(only) => Some(Patterns { names: listed_names(manifest, environment, only), walked: None }),
            None => patterns(manifest, environment, group, *access, &foreign),
        };
        let Some(patterns) = patterns else { continue };
        for (other, names) in others {
            if patterns.meet(names) {
                overlaps
                    .push(Remark::Overlap { group: group.name.to_string(), other: other.name.to_string() });
            }
        }
        held.groups.push((*access, patterns));
        held.foreign.extend(foreign);
    }
    (held, overlaps)
}

/// The names of other environments in the same account and region, as far as the manifest tells accounts apart.
fn elsewhere(manifest: &Manifest, environment: &EnvironmentSpec) -> BTreeSet<String> {
    let site = |spec: &EnvironmentSpec| (spec.home.clone(), spec.account.clone(), spec.region.clone());
    let here = manifest.environments().filter(|other| site(other) == site(environment));
    let mut names = BTreeSet::new();
    for other in here.filter(|other| other.name != environment.name) {
        names.extend(manifest.groups_in(&other.name).flat_map(|group| each_name(manifest, other, group)));
    }
    names
}

fn of_document(
    environment: &EnvironmentSpec,
    bearer: Bearer,
    needs: &Needs<'_>,
    policy: &Policy,
) -> Vec<Remark> {
    let mut found = Vec::new();
    let mut note = |holds: bool, remark: Remark| found.extend(holds.then_some(remark));
    note(environment.account.is_none(), Remark::AnyAccount);
    note(environment.region.is_none(), Remark::AnyRegion);
    if let Some(alias) = environment.kms_key.as_deref().and_then(services::alias) {
        note(!needs.groups.is_empty(), Remark::Alias(alias.to_owned()));
    }
    note(needs.copies.iter().any(|(_, updates)| *updates == Updates::Yes), Remark::UpdatesEnvironment);
    note(needs.groups.values().any(|access| *access == needs::Access::Resolve), Remark::ResolvesReferences);
    let characters = policy.characters();
    note(characters > MANAGED_POLICY, Remark::TooLarge(characters));
    let is_person = matches!(bearer, Bearer::Operator | Bearer::Reader);
    let between = USER_POLICIES < characters && characters <= MANAGED_POLICY;
    note(is_person && between, Remark::NotInline(characters));
    found
}

/// An instance of a group that stands for all of those that would be discovered; none where it has none.
fn any_instance(group: &GroupSpec) -> Option<Instance> {
    match &group.instances {
        InstancesSpec::None => None,
        InstancesSpec::Listed(names) => names.first().cloned(),
        InstancesSpec::Discovered => Some(Instance::parse("1").expect("a digit is an instance's name")),
    }
}

#[cfg(test)]
mod tests;
