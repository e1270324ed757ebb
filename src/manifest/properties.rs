//! What an address is called among the properties of a copy, and which address the name of a property means.
//!
//! Owns both directions, renames and the patterns of groups with instances included. It reads no place.

use crate::manifest::model::{GroupSpec, InstancesSpec, KeySpec, Manifest, Selection};
use crate::manifest::template::{Names, Placeholder};
use crate::name::{self, Address, Instance, Key};

impl Manifest {
    /// The variable that the value of an address is, where a selection takes it; nothing where it goes nowhere.
    pub fn property_of(
        &self,
        environment: &name::Environment,
        selection: &Selection,
        address: &Address,
    ) -> Option<Key> {
        let group = self.groups.get(&address.group)?;
        let key = self.key(address)?;
        let goes = group.environments.contains(environment)
            && group.reaches_environments()
            && key.environments.contains(environment)
            && key.stands_for.is_none()
            && selection.takes(address);
        let name = if goes { self.variable_name(environment, group, address).ok()? } else { return None };
        Some(selection.rename.get(&name).cloned().unwrap_or(name))
    }

    /// The address whose value the variable of this name is, where the selection takes it. An instance that nobody has
    /// listed is found by the group's pattern; of several readings that with the shortest instance counts, so that
    /// `XERO_1_access_token` is the `access_token` of `1`.
    pub fn address_of_property(
        &self,
        environment: &name::Environment,
        selection: &Selection,
        name: &Key,
    ) -> Option<Address> {
        let groups = self.groups_in(environment).filter(|group| group.reaches_environments());
        let keys = groups.flat_map(|group| group.keys.values().map(move |key| (group, key)));
        let readings =
            keys.flat_map(|(group, key)| self.readings(environment, selection, (group, key), name));
        let means =
            |address: &Address| self.property_of(environment, selection, address).as_ref() == Some(name);
        let length =
            |address: &Address| address.instance.as_ref().map_or(0, |instance| instance.as_str().len());
        readings.filter(means).min_by_key(length)
    }

    /// The addresses of a key that a variable of this name may be, to be checked by the way back.
    fn readings(
        &self,
        environment: &name::Environment,
        selection: &Selection,
        (group, key): (&GroupSpec, &KeySpec),
        name: &Key,
    ) -> Vec<Address> {
        let address = |instance: Option<Instance>| Address {
            group: group.name.clone(),
            instance,
            key: key.name.clone(),
        };
        match &group.instances {
            InstancesSpec::None => vec![address(None)],
            InstancesSpec::Listed(names) => names.iter().cloned().map(|name| address(Some(name))).collect(),
            InstancesSpec::Discovered => {
                let renamed = selection.rename.iter().filter(|(_, to)| *to == name).map(|(from, _)| from);
                let before = renamed.chain([name]);
                let instances = before.filter_map(|name| self.instance_in(environment, group, key, name));
                instances.map(|instance| address(Some(instance))).collect()
            }
        }
    }

    /// The instance in a variable's name, if that follows the group's pattern.
    fn instance_in(
        &self,
        environment: &name::Environment,
        group: &GroupSpec,
        key: &KeySpec,
        name: &Key,
    ) -> Option<Instance> {
        const OPEN: &str = "{instance}";
        let pattern = group.env.as_ref().filter(|pattern| pattern.uses(Placeholder::Instance))?;
        let names = Names {
            project: Some(&self.project),
            environment: Some(environment),
            group: Some(&group.name),
            instance: None,
            key: Some(&key.name),
        };
        let open = pattern.fill(&names);
        let (start, count) = (open.find(OPEN)?, open.matches(OPEN).count());
        let fixed = open.len() - count * OPEN.len();
        let length = name.as_str().len().checked_sub(fixed)? / count;
        Instance::parse(name.as_str().get(start..start + length)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
version = 1
project.name = "shop"
[environments.prod]
home = "ssm"
region = "us-east-1"
[groups.app.keys]
SECRET_KEY = { secret = true }
STAGE = { value = "x" }
[groups.other.keys]
OTHER = {}
[groups.operator]
audience = "operator"
keys.ROOT = {}
[groups.xero]
instances = true
env = "XERO_{instance}_{key}"
keys.token = {}
keys.access_token = {}
[groups.relay]
instances = ["in-1", "out"]
env = "{key}_{instance}"
keys.HOST = {}
[groups.hidden]
instances = true
keys.token = {}
"#;

    fn manifest() -> Manifest {
        Manifest::parse("f", TEXT).unwrap_or_else(|error| panic!("{error}"))
    }

    fn selection(rename: &[(&str, &str)]) -> Selection {
        let groups = ["app", "xero", "relay", "operator", "hidden"].map(|group| group.parse().unwrap());
        let rename = rename.iter().map(|(from, to)| (from.parse().unwrap(), to.parse().unwrap())).collect();
        Selection { groups: Some(groups.into()), keys: None, rename }
    }

    #[test]
    fn an_address_and_the_name_of_its_property_mean_each_other() {
        let (manifest, prod) = (manifest(), "prod".parse().unwrap());
        let selection = selection(&[("SECRET_KEY", "DJANGO_KEY"), ("XERO_7_token", "TOKEN")]);
        for (address, name) in [
            ("app/SECRET_KEY", "DJANGO_KEY"),
            ("app/STAGE", "STAGE"),
            ("xero/1/token", "XERO_1_token"),
            ("xero/1/access_token", "XERO_1_access_token"),
            ("xero/7/token", "TOKEN"),
            ("relay/in-1/HOST", "HOST_in_1"),
        ] {
            let address: Address = address.parse().unwrap();
            assert_eq!(manifest.property_of(&prod, &selection, &address).unwrap().as_str(), name);
            let back = manifest.address_of_property(&prod, &selection, &name.parse().unwrap());
            assert_eq!(back, Some(address), "{name}");
        }
    }

    #[test]
    fn what_the_copy_does_not_get_has_no_name_and_a_name_that_nobody_gives_has_no_address() {
        let (manifest, prod, selection) = (manifest(), "prod".parse().unwrap(), selection(&[]));
        for address in ["other/OTHER", "operator/ROOT", "hidden/1/token", "app/NO"] {
            assert_eq!(manifest.property_of(&prod, &selection, &address.parse().unwrap()), None, "{address}");
        }
        for name in ["OTHER", "ROOT", "XERO__token", "XERO_1", "HOST_up", "token", "PATH"] {
            let found = manifest.address_of_property(&prod, &selection, &name.parse().unwrap());
            assert_eq!(found, None, "{name}");
        }
    }
}
