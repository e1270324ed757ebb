//! From what a person writes (`KEY`, `group/KEY`, `group/instance/KEY`) to the one address that is meant.
//!
//! Owns the search, and what is said where nothing or several things are found. It looks at declarations only, never at
//! what a place holds.

use crate::manifest::model::{GroupSpec, InstancesSpec, KeySpec, Manifest};
use crate::manifest::problem::{any_of, instead, nearest};
use crate::name::{self, Address, Instance};
use indexmap::IndexMap;

pub(super) type Groups = IndexMap<name::Group, GroupSpec>;

/// A name that the manifest does not declare, or not here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", .help.as_ref().map(|help| format!("; {help}")).unwrap_or_default())]
pub struct UnknownName {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

impl UnknownName {
    pub(super) fn new(message: String, help: Option<String>) -> UnknownName {
        UnknownName { message, help }
    }

    /// A name that is no environment `of_what` (` of this group`) has.
    pub(super) fn environment(text: &str, of_what: &str, valid: &[name::Environment]) -> UnknownName {
        let known = valid.iter().map(name::Environment::as_str);
        UnknownName::new(format!("`{}` is no environment{of_what}", shown(text)), instead(text, known))
    }

    pub(crate) fn of<'a>(what: &str, text: &str, valid: impl IntoIterator<Item = &'a str>) -> UnknownName {
        UnknownName::new(format!("unknown {what} `{}`", shown(text)), instead(text, valid))
    }
}

/// Text of a person, cut and with nothing that a terminal would act on.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}

impl Manifest {
    /// The address that a text means in an environment.
    pub fn address(&self, environment: &name::Environment, text: &str) -> Result<Address, UnknownName> {
        let here = |key: &KeySpec| key.environments.contains(environment);
        match find(&self.groups, text, here) {
            Ok(address) => Ok(address),
            Err(error) => Err(match find(&self.groups, text, |_| true) {
                Ok(elsewhere) => self.elsewhere(environment, &elsewhere),
                Err(_) => error,
            }),
        }
    }

    fn elsewhere(&self, environment: &name::Environment, address: &Address) -> UnknownName {
        let key = self.key(address);
        let names = key.map(|key| any_of(key.environments.iter().map(name::Environment::as_str)));
        let help = names.map(|names| format!("it belongs to {names}"));
        UnknownName::new(format!("`{address}` does not belong to the environment `{environment}`"), help)
    }
}

/// The address that `text` means among the keys that are `here`.
pub(super) fn find(
    groups: &Groups,
    text: &str,
    here: impl Fn(&KeySpec) -> bool,
) -> Result<Address, UnknownName> {
    match text.split('/').collect::<Vec<_>>().as_slice() {
        [key] => by_key(groups, key, here),
        [group, key] => {
            let group = group_of(groups, group)?;
            let key = key_of(group, key, here)?;
            if group.is_instanced() {
                return Err(without_instance(group, key));
            }
            Ok(Address::new(group.name.clone(), key.name.clone()))
        }
        [group, instance, key] => {
            let group = group_of(groups, group)?;
            let instance = instance_of(group, instance)?;
            let key = key_of(group, key, here)?;
            Ok(Address::in_instance(group.name.clone(), instance, key.name.clone()))
        }
        _ => Err(UnknownName::new(
            format!("`{}` is no address", shown(text)),
            Some("an address is KEY, group/KEY or group/instance/KEY".to_owned()),
        )),
    }
}

fn by_key(groups: &Groups, text: &str, here: impl Fn(&KeySpec) -> bool) -> Result<Address, UnknownName> {
    let declared = |group: &GroupSpec| group.keys.values().any(|key| key.name.as_str() == text && here(key));
    let holders: Vec<&GroupSpec> = groups.values().filter(|group| declared(group)).collect();
    match holders.as_slice() {
        [group] => {
            let key = key_of(group, text, here)?;
            if group.is_instanced() {
                return Err(without_instance(group, key));
            }
            Ok(Address::new(group.name.clone(), key.name.clone()))
        }
        [] => {
            let keys = groups.values().flat_map(|group| group.keys.values().filter(|key| here(key)));
            let help = nearest(text, keys.map(|key| key.name.as_str()));
            let help = help.map(|name| format!("did you mean `{name}`?"));
            Err(UnknownName::new(format!("unknown key `{}`", shown(text)), help))
        }
        several => {
            let addresses: Vec<String> =
                several.iter().map(|group| format!("{}/{text}", group.name)).collect();
            Err(UnknownName::new(
                format!("`{text}` is a key of {} groups", several.len()),
                Some(format!("write {}", any_of(addresses.iter().map(String::as_str)))),
            ))
        }
    }
}

fn without_instance(group: &GroupSpec, key: &KeySpec) -> UnknownName {
    let example = match &group.instances {
        InstancesSpec::Listed(names) => names.first().map(Instance::as_str),
        InstancesSpec::Discovered | InstancesSpec::None => None,
    };
    let (name, key) = (&group.name, &key.name);
    UnknownName::new(
        format!("`{name}` has instances"),
        Some(format!("write `{name}/{}/{key}`", example.unwrap_or("INSTANCE"))),
    )
}

pub(super) fn group_of<'a>(groups: &'a Groups, text: &str) -> Result<&'a GroupSpec, UnknownName> {
    let found = groups.values().find(|group| group.name.as_str() == text);
    found.ok_or_else(|| UnknownName::of("group", text, groups.keys().map(name::Group::as_str)))
}

fn instance_of(group: &GroupSpec, text: &str) -> Result<Instance, UnknownName> {
    match &group.instances {
        InstancesSpec::None => {
            let help = format!("write `{}/KEY`", group.name);
            Err(UnknownName::new(format!("`{}` has no instances", group.name), Some(help)))
        }
        InstancesSpec::Discovered => {
            Instance::parse(text).map_err(|error| UnknownName::new(error.to_string(), None))
        }
        InstancesSpec::Listed(names) => {
            let found = names.iter().find(|name| name.as_str() == text);
            let known = || names.iter().map(Instance::as_str);
            let message = || format!("`{}` has no instance `{}`", group.name, shown(text));
            found.cloned().ok_or_else(|| UnknownName::new(message(), instead(text, known())))
        }
    }
}

pub(super) fn key_of<'a>(
    group: &'a GroupSpec,
    text: &str,
    here: impl Fn(&KeySpec) -> bool,
) -> Result<&'a KeySpec, UnknownName> {
    let found = group.keys.values().find(|key| key.name.as_str() == text && here(key));
    found.ok_or_else(|| {
        let known = group.keys.values().filter(|key| here(key)).map(|key| key.name.as_str());
        UnknownName::new(format!("`{}` has no key `{}`", group.name, shown(text)), instead(text, known))
    })
}
