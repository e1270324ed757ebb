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

impl std::error::Error for Missing {}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.addresses.iter().map(|address| format!("`{address}`")).collect();
        let values = if names.len() == 1 { "a value" } else { "values" };
        write!(f, "the environment `{}` lacks {values} for {}", self.environment, names.join(", "))
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
                for key in group.keys.values().filter(|key| key.environments.contains(environment)) {
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

    fn variable_name(
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
mod tests {
    use super::*;
    use crate::snapshot::Entry;

    const TEXT: &str = r#"
version = 1
project.name = "shop"

[environments.local]
home = "vault"
[environments.prod]
home = "ssm"

[groups.app.keys]
DEBUG = { value = "0", values.local = "1" }
ONLY_LOCAL = { optional = true, values.local = "x" }
SECRET_KEY = { secret = true }
EMAIL_CC = { optional = true }
COPY_URL = { derive = "mailto:{EMAIL_CC}", optional = true }

[groups.database.keys]
DATABASE_URL = { derive = "postgres://u:{PASSWORD}@{HOST}/db" }
PASSWORD = { secret = true }
HOST = {}
READ_URL = { derive = "{DATABASE_URL}" }

[groups.xero]
instances = true
env = "XERO_{instance}_{key}"
keys.id = {}
keys.login = { derive = "{id}:{app/SECRET_KEY}" }

[groups.silent]
instances = ["a"]
keys.id = {}

[groups.operator]
audience = "operator"
keys.ADMIN = { secret = true }
"#;

    fn manifest() -> Manifest {
        Manifest::parse("f", TEXT).unwrap_or_else(|error| panic!("{error}"))
    }

    fn home(values: &[(&str, &str)]) -> Snapshot {
        let entry = |value: &str| Entry::of(Secret::new(value.to_owned()).unwrap());
        let entries = values.iter().map(|(address, value)| (address.parse().unwrap(), entry(value)));
        Snapshot { entries: entries.collect(), ..Snapshot::default() }
    }

    fn instances(names: &[&str]) -> Instances {
        let names = names.iter().map(|name| name.parse().unwrap()).collect();
        [("xero".parse().unwrap(), names)].into()
    }

    const FULL: [(&str, &str); 6] = [
        ("app/SECRET_KEY", "k/1"),
        ("database/PASSWORD", "p@ss"),
        ("database/HOST", "db"),
        ("xero/1/id", "i1"),
        ("xero/b-c/id", "i2"),
        ("operator/ADMIN", "a"),
    ];

    fn lines(environment: &str, home: &Snapshot, found: &[&str], selection: &Selection) -> Vec<String> {
        let environment = environment.parse().unwrap();
        let variables = manifest().variables(&environment, home, &instances(found), selection).unwrap();
        variables.iter().map(|variable| format!("{}={}", variable.name, variable.value.expose())).collect()
    }

    #[test]
    fn literals_stored_and_derived_values_come_in_the_order_of_the_manifest() {
        assert_eq!(
            lines("local", &home(&FULL), &["1", "b-c"], &Selection::default()),
            [
                "DEBUG=1",
                "ONLY_LOCAL=x",
                "SECRET_KEY=k/1",
                "DATABASE_URL=postgres://u:p%40ss@db/db",
                "PASSWORD=p@ss",
                "HOST=db",
                "READ_URL=postgres://u:p%40ss@db/db",
                "XERO_1_id=i1",
                "XERO_1_login=i1:k%2F1",
                "XERO_b_c_id=i2",
                "XERO_b_c_login=i2:k%2F1",
            ]
        );
    }

    #[test]
    fn optional_values_that_are_missing_are_left_out_and_what_is_derived_from_them() {
        let mut all = FULL.to_vec();
        let prod = lines("prod", &home(&all), &[], &Selection::default());
        assert_eq!(prod[..2], ["DEBUG=0", "SECRET_KEY=k/1"]);
        all.push(("app/EMAIL_CC", "a@b"));
        let prod = lines("prod", &home(&all), &[], &Selection::default());
        assert_eq!(prod[2..4], ["EMAIL_CC=a@b", "COPY_URL=mailto:a%40b"]);
    }

    #[test]
    fn everything_that_is_required_and_missing_is_told_at_once_and_by_its_own_name() {
        let environment = "prod".parse().unwrap();
        let error = manifest().variables(&environment, &home(&[]), &instances(&["1"]), &Selection::default());
        assert_eq!(
            error.unwrap_err().to_string(),
            "the environment `prod` lacks values for `app/SECRET_KEY`, `database/PASSWORD`, `database/HOST`, `xero/1/id`"
        );
    }

    #[test]
    fn a_selection_takes_groups_and_single_keys_and_renames() {
        let selection = Selection {
            groups: Some(vec!["app".parse().unwrap()]),
            keys: Some(vec!["database/HOST".parse().unwrap()]),
            rename: [("HOST".parse().unwrap(), "PGHOST".parse().unwrap())].into(),
        };
        let names = lines("prod", &home(&FULL), &["1"], &selection);
        assert_eq!(names, ["DEBUG=0", "SECRET_KEY=k/1", "PGHOST=db"]);
    }

    #[test]
    fn instances_whose_names_become_one_name_clash() {
        let error =
            manifest().names(&"prod".parse().unwrap(), &instances(&["a.b", "a-b"]), &Selection::default());
        assert_eq!(
            error.unwrap_err().to_string(),
            "`xero/a.b/id` and `xero/a-b/id` would both be the variable `XERO_a_b_id`"
        );
    }

    #[test]
    fn derived_secrets_live_in_a_home_that_others_refer_to_and_not_in_a_vault() {
        let (manifest, found) = (manifest(), instances(&["1"]));
        let addresses = |environment: &str| {
            let all = manifest.home_addresses(&environment.parse().unwrap(), &found);
            all.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let stored = ["database/DATABASE_URL", "database/READ_URL", "xero/1/login"].map(String::from);
        assert!(stored.iter().all(|address| addresses("prod").contains(address)));
        assert!(!stored.iter().any(|address| addresses("local").contains(address)));
        let derived = manifest.derived_in_home(&"prod".parse().unwrap(), &home(&FULL), &found);
        let names: Vec<String> = derived.iter().map(|(address, _)| address.to_string()).collect();
        assert_eq!(names, stored);
        assert_eq!(derived[2].1.as_ref().unwrap().expose(), "i1:k%2F1");
    }

    #[test]
    fn a_key_is_as_secret_as_its_parts() {
        let manifest = manifest();
        for (address, secret) in
            [("database/DATABASE_URL", true), ("database/READ_URL", true), ("app/COPY_URL", false)]
        {
            assert_eq!(manifest.key(&address.parse().unwrap()).unwrap().secret, secret, "{address}");
        }
    }
}
