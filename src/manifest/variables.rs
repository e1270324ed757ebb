//! The variables of an environment: what goes into a process, a rendered file or a copy, under which names.
//!
//! Owns how literals, stored and derived values come together, and what is missing. Missing values are told all at once,
//! so that a person fills a new environment in one go.

use crate::manifest::model::{GroupSpec, KeySpec, Manifest, Selection, ValueSource};
use crate::manifest::template::Names;
use crate::name::{self, Address, Instance, Key};
use crate::secret::Secret;
use crate::snapshot::Snapshot;
use std::collections::BTreeMap;
use std::fmt;

/// The instances that were discovered, by group. Groups that list theirs need no entry.
pub type Instances = BTreeMap<name::Group, Vec<Instance>>;

/// The instances that are known, with those of these addresses.
pub fn with_instances<'a>(
    mut instances: Instances,
    addresses: impl IntoIterator<Item = &'a Address>,
) -> Instances {
    for address in addresses {
        if let Some(instance) = &address.instance {
            let known = instances.entry(address.group.clone()).or_default();
            if !known.contains(instance) {
                known.push(instance.clone());
            }
        }
    }
    instances
}

/// A variable's name, and whose value it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableName {
    /// The name in the environment.
    pub name: Key,
    /// The address.
    pub address: Address,
    /// Whether its value is a secret.
    pub secret: bool,
}

/// A variable with its value.
#[derive(Debug, Clone)]
pub struct Variable {
    /// The name in the environment.
    pub name: Key,
    /// The address.
    pub address: Address,
    /// Whether its value is a secret.
    pub secret: bool,
    /// The value.
    pub value: Secret,
}

/// Two values that would have one name, or a value whose name no environment can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameClash {
    /// Two values have one name.
    #[error("`{}` and `{}` would both be the variable `{name}`", .addresses[0], .addresses[1])]
    Two {
        /// The name.
        name: Key,
        /// Both, in the order of the manifest.
        addresses: Box<[Address; 2]>,
    },
    /// The group's `env` pattern makes a name of this address that is none.
    #[error("`{address}` would be the variable `{name}`, which is no name for one")]
    NoName {
        /// The address.
        address: Address,
        /// What the pattern makes.
        name: String,
    },
}

/// Values that are required and missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The environment.
    pub environment: name::Environment,
    /// The addresses, in the order of the manifest.
    pub addresses: Vec<Address>,
}

/// More names than that make a paragraph that nobody reads; `status` has them all.
const MOST_NAMES: usize = 20;

impl std::error::Error for Missing {}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.addresses.iter().take(MOST_NAMES).map(|address| format!("`{address}`"));
        let names: Vec<String> = shown.collect();
        let values = if self.addresses.len() == 1 { "a value" } else { "values" };
        write!(f, "the environment `{}` lacks {values} for {}", self.environment, names.join(", "))?;
        match self.addresses.len().saturating_sub(MOST_NAMES) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Why an environment has no variables.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VariablesError {
    /// Required values are missing.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// Names clash.
    #[error(transparent)]
    Clash(#[from] NameClash),
}

impl Manifest {
    /// The variables of an environment: literals, what `home` holds and what is derived from both, in the order of the
    /// manifest. Optional values that are missing are left out; required ones are all in the error.
    pub fn variables(
        &self,
        environment: &name::Environment,
        home: &Snapshot,
        instances: &Instances,
        selection: &Selection,
    ) -> Result<Vec<Variable>, VariablesError> {
        let mut variables = Vec::new();
        let mut missing = Vec::new();
        for VariableName { name, address, secret } in self.names(environment, instances, selection)? {
            match self.value(environment, home, &address) {
                Ok(Some(value)) => variables.push(Variable { name, address, secret, value }),
                Ok(None) => {}
                Err(addresses) => missing.extend(addresses),
            }
        }
        self.all_there(environment, missing)?;
        Ok(variables)
    }

    /// The names of an environment's variables, without their values; also of those that may turn out to be missing.
    pub fn names(
        &self,
        environment: &name::Environment,
        instances: &Instances,
        selection: &Selection,
    ) -> Result<Vec<VariableName>, NameClash> {
        let mut names = Vec::new();
        let mut taken: BTreeMap<Key, Address> = BTreeMap::new();
        for group in self.groups_in(environment).filter(|group| group.reaches_environments()) {
            for instance in self.instances(group, instances) {
                let sent =
                    |key: &&KeySpec| key.environments.contains(environment) && key.stands_for.is_none();
                for key in group.keys.values().filter(sent) {
                    let address = address(group, instance, key);
                    if !selection.takes(&address) {
                        continue;
                    }
                    let name = self.variable_name(environment, group, &address)?;
                    let name = selection.rename.get(&name).cloned().unwrap_or(name);
                    if let Some(first) = taken.insert(name.clone(), address.clone()) {
                        return Err(NameClash::Two { name, addresses: Box::new([first, address]) });
                    }
                    names.push(VariableName { name, address, secret: key.secret });
                }
            }
        }
        Ok(names)
    }

    /// What the environment's home should hold of derived values, each with the value that follows from the others in
    /// `home`; none where a part is missing that the key cannot be without, or where the key is optional and a part is
    /// absent.
    pub fn derived_in_home(
        &self,
        environment: &name::Environment,
        home: &Snapshot,
        instances: &Instances,
    ) -> Vec<(Address, Option<Secret>)> {
        let stored = self.home_addresses(environment, instances).into_iter();
        let derived = stored
            .filter(|address| matches!(self.source(environment, address), Some(ValueSource::Derived { .. })));
        derived
            .map(|address| (address.clone(), self.value(environment, home, &address).ok().flatten()))
            .collect()
    }

    /// The value of one address: the literal, what `home` holds, or what is derived. Absent and optional is `None`.
    pub fn value_of(
        &self,
        environment: &name::Environment,
        home: &Snapshot,
        address: &Address,
    ) -> Result<Option<Secret>, Missing> {
        match self.value(environment, home, address) {
            Ok(value) => Ok(value),
            Err(addresses) => self.all_there(environment, addresses).map(|()| None),
        }
    }

    fn value(
        &self,
        environment: &name::Environment,
        home: &Snapshot,
        address: &Address,
    ) -> Result<Option<Secret>, Vec<Address>> {
        let Some(key) = self.key(address) else { return Err(vec![address.clone()]) };
        let found = match key.source(environment) {
            ValueSource::Literal { value, .. } => Some(value.clone()),
            ValueSource::Home => home.value(address).cloned(),
            ValueSource::Absent => None,
            ValueSource::Derived { template, .. } => {
                let mut parts: Vec<(Address, Secret)> = Vec::new();
                let mut missing = Vec::new();
                for part in template.parts() {
                    let part = part.address(address.instance.as_ref());
                    match self.value(environment, home, &part) {
                        Ok(Some(value)) => parts.push((part, value)),
                        Ok(None) if key.optional => return Ok(None),
                        Ok(None) => missing.push(part),
                        Err(addresses) => missing.extend(addresses),
                    }
                }
                if !missing.is_empty() {
                    return Err(missing);
                }
                template.fill(|part| {
                    let part = part.address(address.instance.as_ref());
                    parts.iter().find(|(address, _)| *address == part).map(|(_, value)| value)
                })
            }
        };
        match found {
            None if !key.optional => Err(vec![address.clone()]),
            found => Ok(found),
        }
    }

    fn all_there(&self, environment: &name::Environment, missing: Vec<Address>) -> Result<(), Missing> {
        let mut addresses = Vec::new();
        for address in missing {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        if addresses.is_empty() {
            return Ok(());
        }
        Err(Missing { environment: environment.clone(), addresses })
    }

    pub(super) fn variable_name(
        &self,
        environment: &name::Environment,
        group: &GroupSpec,
        address: &Address,
    ) -> Result<Key, NameClash> {
        let pattern = group.env.as_ref().expect("only groups that reach environments are asked");
        let names = Names {
            project: Some(&self.project),
            environment: Some(environment),
            group: Some(&group.name),
            instance: address.instance.as_ref(),
            key: Some(&address.key),
        };
        // Names of instances, groups, environments and projects may have `-` and `.`, and no variable has.
        let name = pattern.fill(&names).replace(['-', '.'], "_");
        Key::parse(&name).map_err(|_| NameClash::NoName { address: address.clone(), name })
    }
}

impl Selection {
    /// Whether a selection takes the value of an address; without groups and keys it takes all.
    pub fn takes(&self, address: &Address) -> bool {
        match (&self.groups, &self.keys) {
            (None, None) => true,
            (groups, keys) => {
                groups.as_ref().is_some_and(|groups| groups.contains(&address.group))
                    || keys.as_ref().is_some_and(|keys| keys.contains(address))
            }
        }
    }
}

fn address(group: &GroupSpec, instance: Option<&Instance>, key: &KeySpec) -> Address {
    Address { group: group.name.clone(), instance: instance.cloned(), key: key.name.clone() }
}

#[cfg(test)]
mod tests;
