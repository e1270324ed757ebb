//! Which names a group has in home, as patterns with `*`, and no wider than the group.
//!
//! Owns the choice between one pattern for all keys of a group and a name for each: a pattern that would also match names
//! of somebody else is not used where names can be told one by one. In IAM a `*` matches slashes too.

use super::needs::Access;
use crate::manifest::{EnvironmentSpec, GroupSpec, InstancesSpec, Manifest, NameTemplate, Names, Place};
use crate::name::{Address, Instance, Key};
use std::collections::BTreeSet;

/// What may stand for an instance or a key in a pattern.
const ANYTHING: &str = "*";

/// The names of one group in home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Patterns {
    /// The names, without a first slash.
    pub(super) names: BTreeSet<String>,
    /// The path that is walked, without slashes at its ends, where what is there is not known from the manifest.
    pub(super) walked: Option<String>,
}

impl Patterns {
    /// Whether a pattern, or a walk, also matches one of these names.
    pub(super) fn meet(&self, names: &BTreeSet<String>) -> bool {
        let below = self.walked.iter().map(|path| format!("{path}/*"));
        let mut patterns = self.names.iter().cloned().chain(below);
        patterns.any(|pattern| names.iter().any(|name| may_meet(&pattern, name)))
    }
}

/// The names in home that a policy is about.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Those of each group, with what is done with them.
    pub(super) groups: Vec<(Access, Patterns)>,
    /// Those of strongroom itself.
    pub(super) own: BTreeSet<String>,
    /// Names that no pattern may match if it can be avoided.
    pub(super) foreign: BTreeSet<String>,
}

impl Held {
    /// Draws the names of several groups together where they have a common path with nothing foreign below it; says
    /// whether that changed anything.
    pub(super) fn fold(&mut self) -> bool {
        let mut folded = false;
        let foreign = &self.foreign;
        let parent = |path: &str| {
            let (parent, _) = path.rsplit_once('/')?;
            let all = format!("{parent}/*");
            (!foreign.iter().any(|name| may_meet(&all, name))).then(|| parent.to_owned())
        };
        for (_, patterns) in &mut self.groups {
            let wider = |name: &String| match parent(name.trim_end_matches("/*")) {
                Some(parent) => format!("{parent}/*"),
                None => name.clone(),
            };
            let names: BTreeSet<String> = patterns.names.iter().map(wider).collect();
            folded |= names != patterns.names;
            patterns.names = names;
            patterns.walked = patterns.walked.take().map(|path| parent(&path).unwrap_or(path));
        }
        folded
    }
}

/// The patterns of a group that match none of the names in `others`; all of them are patterns of one home.
pub(super) fn patterns(
    manifest: &Manifest,
    environment: &EnvironmentSpec,
    group: &GroupSpec,
    access: Access,
    others: &BTreeSet<String>,
) -> Option<Patterns> {
    let wide = names(manifest, environment, group, Keys::Any)?;
    let narrow = || names(manifest, environment, group, Keys::ByName);
    let meets = wide.iter().any(|name| others.iter().any(|other| may_meet(name, other)));
    let names = if meets { narrow()? } else { wide };
    let is_walked = group.instances == InstancesSpec::Discovered || access == Access::Keep;
    let walked = names.iter().next().filter(|_| is_walked).and_then(|name| root(name));
    Some(Patterns { names, walked })
}

/// Where a walk begins that finds a name: at a whole level, so that what fits `p/xero-*` is looked for below `p`.
fn root(name: &str) -> Option<String> {
    let fixed = name.split(ANYTHING).next().unwrap_or_default();
    let (path, _) = fixed.rsplit_once('/')?;
    Some(path.to_owned())
}

/// The names of a group in home with a `*` for each instance that is not listed, one by one for its keys.
pub(super) fn each_name(
    manifest: &Manifest,
    environment: &EnvironmentSpec,
    group: &GroupSpec,
) -> BTreeSet<String> {
    names(manifest, environment, group, Keys::ByName).unwrap_or_default()
}

/// The names in home of these values alone.
pub(super) fn listed_names(
    manifest: &Manifest,
    environment: &EnvironmentSpec,
    only: &BTreeSet<Address>,
) -> BTreeSet<String> {
    let name = |address: &Address| match environment.home {
        Place::Ssm => manifest.ssm_name(&environment.name, address),
        Place::SecretsManager => manifest.document_name(&environment.name, address),
        Place::Vault | Place::Beanstalk { .. } | Place::Memory => None,
    };
    only.iter().filter_map(|address| Some(pattern(&name(address)?))).collect()
}

#[derive(Clone, Copy)]
enum Keys {
    Any,
    ByName,
}

fn names(
    manifest: &Manifest,
    environment: &EnvironmentSpec,
    group: &GroupSpec,
    keys: Keys,
) -> Option<BTreeSet<String>> {
    let template = template(environment, group)?;
    let mut found = BTreeSet::new();
    let stored = group.keys.values().map(|key| &key.name);
    let stored = stored.filter(|key| is_stored(manifest, environment, group, key));
    for instance in instances(group) {
        let fill = |key: Option<&Key>| {
            let names = Names {
                project: Some(manifest.project()),
                environment: Some(&environment.name),
                group: Some(&group.name),
                instance,
                key,
            };
            pattern(&template.fill(&names))
        };
        match keys {
            Keys::Any => found.extend(stored.clone().next().map(|_| fill(None))),
            Keys::ByName => found.extend(stored.clone().map(|key| fill(Some(key)))),
        }
    }
    Some(found)
}

fn template<'a>(environment: &EnvironmentSpec, group: &'a GroupSpec) -> Option<&'a NameTemplate> {
    match environment.home {
        Place::Ssm => Some(&group.ssm_path),
        Place::SecretsManager => Some(&group.secretsmanager_path),
        Place::Vault | Place::Beanstalk { .. } | Place::Memory => None,
    }
}

fn instances(group: &GroupSpec) -> Vec<Option<&Instance>> {
    match &group.instances {
        InstancesSpec::None | InstancesSpec::Discovered => vec![None],
        InstancesSpec::Listed(names) => names.iter().map(Some).collect(),
    }
}

fn is_stored(manifest: &Manifest, environment: &EnvironmentSpec, group: &GroupSpec, key: &Key) -> bool {
    let instance = super::any_instance(group);
    let address = Address { group: group.name.clone(), instance, key: key.clone() };
    manifest.lives_in_home(&environment.name, &address)
}

/// What is left open stands for anything; `a/*/*` is written as `a/*`, which is how a walk below `a` is allowed too.
fn pattern(filled: &str) -> String {
    let open = filled.replace("{instance}", ANYTHING).replace("{key}", ANYTHING);
    let mut text = open.trim_start_matches('/');
    while let Some(shorter) = text.strip_suffix("/*").filter(|shorter| shorter.ends_with("/*")) {
        text = shorter;
    }
    text.to_owned()
}

/// Whether some name is matched by both patterns.
pub(super) fn may_meet(one: &str, other: &str) -> bool {
    fn meet(one: &[u8], other: &[u8]) -> bool {
        match (one, other) {
            ([b'*', rest @ ..], _) => (0..=other.len()).any(|skip| meet(rest, &other[skip..])),
            (_, [b'*', rest @ ..]) => (0..=one.len()).any(|skip| meet(&one[skip..], rest)),
            ([a, one @ ..], [b, other @ ..]) => a == b && meet(one, other),
            (one, other) => one.is_empty() && other.is_empty(),
        }
    }
    meet(one.as_bytes(), other.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_meet_where_one_name_fits_both() {
        for (one, other) in [("a/*", "a/b/c"), ("a/*/x", "a/b/*"), ("*", ""), ("a/*", "*/c"), ("a", "a")] {
            assert!(may_meet(one, other) && may_meet(other, one), "{one} {other}");
        }
        for (one, other) in [("a/*", "a"), ("a/*/x", "a/*/y"), ("a/b", "a/c"), ("a/*", "b/*")] {
            assert!(!may_meet(one, other) && !may_meet(other, one), "{one} {other}");
        }
    }

    #[test]
    fn what_is_open_at_the_end_is_one_star() {
        assert_eq!(pattern("/p/xero/{instance}/{key}"), "p/xero/*");
        assert_eq!(pattern("/p/{instance}/tokens/{key}"), "p/*/tokens/*");
        assert_eq!(pattern("p/prod/xero/{instance}"), "p/prod/xero/*");
    }
}
