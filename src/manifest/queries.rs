//! What the use cases ask of a manifest: its parts by name, what lives in home, and where.
//!
//! Owns small questions with small answers. It reads no place: what was discovered or read is given to it.

use crate::manifest::address::UnknownName;
use crate::manifest::model::{
    EnvironmentSpec, GroupSpec, InstancesSpec, KeySpec, Manifest, Place, RenderSpec, RotationSpec,
    ValueSource,
};
use crate::manifest::prices::PricesSpec;
use crate::manifest::template::{Names, Placeholder};
use crate::manifest::variables::Instances;
use crate::name::{self, Address, Instance};

impl Manifest {
    /// The file that it was read from, as the caller named it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The project's name.
    pub fn project(&self) -> &name::Project {
        &self.project
    }

    /// Who can open vaults and backups, as written.
    pub fn recipients(&self) -> &[String] {
        &self.recipients
    }

    /// The environments.
    pub fn environments(&self) -> impl Iterator<Item = &EnvironmentSpec> {
        self.environments.values()
    }

    /// The environment of this name.
    pub fn environment(&self, text: &str) -> Result<&EnvironmentSpec, UnknownName> {
        let found = self.environments.values().find(|environment| environment.name.as_str() == text);
        let known = || self.environments.keys().map(name::Environment::as_str);
        found.ok_or_else(|| UnknownName::of("environment", text, known()))
    }

    /// The environment that is meant where none is named: the manifest's default, or the only one.
    pub fn default_environment(&self) -> Option<&EnvironmentSpec> {
        match &self.default_environment {
            Some(name) => self.environments.get(name),
            None if self.environments.len() == 1 => self.environments.values().next(),
            None => None,
        }
    }

    /// Every group.
    pub fn groups(&self) -> impl Iterator<Item = &GroupSpec> {
        self.groups.values()
    }

    /// The groups that belong to an environment.
    pub fn groups_in(&self, environment: &name::Environment) -> impl Iterator<Item = &GroupSpec> {
        self.groups.values().filter(move |group| group.environments.contains(environment))
    }

    /// The group of this name.
    pub fn group(&self, text: &str) -> Result<&GroupSpec, UnknownName> {
        crate::manifest::address::group_of(&self.groups, text)
    }

    /// The declaration of an address; nothing where the group, the key or a listed instance does not exist.
    pub fn key(&self, address: &Address) -> Option<&KeySpec> {
        let group = self.groups.get(&address.group)?;
        let fits = match (&group.instances, &address.instance) {
            (InstancesSpec::None, None) | (InstancesSpec::Discovered, Some(_)) => true,
            (InstancesSpec::Listed(names), Some(instance)) => names.contains(instance),
            _ => false,
        };
        group.keys.get(&address.key).filter(|_| fits)
    }

    /// Where the value of an address comes from in an environment; nothing where it does not belong there.
    pub fn source(&self, environment: &name::Environment, address: &Address) -> Option<ValueSource<'_>> {
        let key = self.key(address)?;
        key.environments.contains(environment).then(|| key.source(environment))
    }

    /// The render targets.
    pub fn renders(&self) -> impl Iterator<Item = &RenderSpec> {
        self.renders.values()
    }

    /// The render target of this name.
    pub fn render(&self, text: &str) -> Result<&RenderSpec, UnknownName> {
        let known = || self.renders.keys().map(String::as_str);
        self.renders.get(text).ok_or_else(|| UnknownName::of("render target", text, known()))
    }

    /// What can be rotated.
    pub fn rotations(&self) -> impl Iterator<Item = &RotationSpec> {
        self.rotations.values()
    }

    /// The rotation of this name.
    pub fn rotation(&self, text: &str) -> Result<&RotationSpec, UnknownName> {
        let known = || self.rotations.keys().map(String::as_str);
        self.rotations.get(text).ok_or_else(|| UnknownName::of("rotation", text, known()))
    }

    /// The prices that it gives.
    pub fn prices(&self) -> &PricesSpec {
        &self.prices
    }

    /// Every address of an environment in the order of the manifest, whatever its source; instances in the order given.
    pub fn addresses(&self, environment: &name::Environment, instances: &Instances) -> Vec<Address> {
        self.chosen(environment, instances, |_| true)
    }

    /// The addresses whose values the environment's home holds. What stands in the manifest is not among them; what is
    /// derived is where it has a secret part and home is a place that others refer to.
    pub fn home_addresses(&self, environment: &name::Environment, instances: &Instances) -> Vec<Address> {
        let Some(spec) = self.environments.get(environment) else { return Vec::new() };
        self.chosen(environment, instances, |key| key.lives_in(&spec.home))
    }

    /// Whether an environment's home holds the value of this address.
    pub fn lives_in_home(&self, environment: &name::Environment, address: &Address) -> bool {
        let home = self.environments.get(environment).map(|spec| &spec.home);
        let key = self.key(address).filter(|key| key.environments.contains(environment));
        key.zip(home).is_some_and(|(key, home)| key.lives_in(home))
    }

    fn chosen(
        &self,
        environment: &name::Environment,
        instances: &Instances,
        wanted: impl Fn(&KeySpec) -> bool,
    ) -> Vec<Address> {
        let mut found = Vec::new();
        for group in self.groups_in(environment) {
            let keys =
                || group.keys.values().filter(|key| key.environments.contains(environment) && wanted(key));
            for instance in self.instances(group, instances) {
                found.extend(keys().map(|key| Address {
                    group: group.name.clone(),
                    instance: instance.cloned(),
                    key: key.name.clone(),
                }));
            }
        }
        found
    }

    /// The instances of a group: one that is none where it has none, those that are listed, or those that were
    /// discovered.
    pub(super) fn instances<'a>(
        &'a self,
        group: &'a GroupSpec,
        found: &'a Instances,
    ) -> Vec<Option<&'a Instance>> {
        match &group.instances {
            InstancesSpec::None => vec![None],
            InstancesSpec::Listed(names) => names.iter().map(Some).collect(),
            InstancesSpec::Discovered => found.get(&group.name).into_iter().flatten().map(Some).collect(),
        }
    }

    /// The instances of a group; none where it has none.
    pub fn instances_of(&self, group: &name::Group, found: &Instances) -> Vec<Instance> {
        let Some(spec) = self.groups.get(group) else { return Vec::new() };
        self.instances(spec, found).into_iter().flatten().cloned().collect()
    }

    /// The name of an address's SSM parameter.
    pub fn ssm_name(&self, environment: &name::Environment, address: &Address) -> Option<String> {
        let group = self.groups.get(&address.group)?;
        Some(group.ssm_path.fill(&self.fill(environment, address)))
    }

    /// The name of the Secrets Manager document that holds an address, under its key's name.
    pub fn document_name(&self, environment: &name::Environment, address: &Address) -> Option<String> {
        let group = self.groups.get(&address.group)?;
        Some(group.secretsmanager_path.fill(&self.fill(environment, address)))
    }

    /// The start that the names of every instance of a group have, in the place that is home: where to look for them.
    /// Nothing for a group without instances, or a home that has no paths.
    pub fn discovery_prefix(&self, environment: &name::Environment, group: &GroupSpec) -> Option<String> {
        let path = self.open_group_path(environment, group)?;
        path.split_once("{instance}").map(|(before, _)| before.to_owned())
    }

    /// The instance that a name in home belongs to, where it is a name of this group.
    pub fn discovered_instance(
        &self,
        environment: &name::Environment,
        group: &GroupSpec,
        found: &str,
    ) -> Option<Instance> {
        let path = self.open_group_path(environment, group)?;
        let at = path.split('/').position(|segment| segment == "{instance}")?;
        let instance = Instance::parse(found.split('/').nth(at)?).ok()?;
        let names = Names {
            project: Some(&self.project),
            environment: Some(environment),
            group: Some(&group.name),
            instance: Some(&instance),
            key: None,
        };
        let template = self.path_template(environment, group)?;
        let mut keys = group.keys.values();
        let fits = if template.uses(Placeholder::Key) {
            keys.any(|key| template.fill(&Names { key: Some(&key.name), ..names }) == found)
        } else {
            template.fill(&names) == found
        };
        fits.then_some(instance)
    }

    fn open_group_path(&self, environment: &name::Environment, group: &GroupSpec) -> Option<String> {
        let names = Names {
            project: Some(&self.project),
            environment: Some(environment),
            group: Some(&group.name),
            ..Names::default()
        };
        Some(self.path_template(environment, group)?.fill(&names))
    }

    fn path_template<'a>(
        &self,
        environment: &name::Environment,
        group: &'a GroupSpec,
    ) -> Option<&'a crate::manifest::template::NameTemplate> {
        match self.environments.get(environment)?.home {
            Place::Ssm => Some(&group.ssm_path),
            Place::SecretsManager => Some(&group.secretsmanager_path),
            Place::Vault | Place::Beanstalk { .. } | Place::Memory => None,
        }
    }

    /// The path of a key in a home that has paths, with `{instance}` left open where none is given.
    pub(super) fn open_path(
        &self,
        environment: &EnvironmentSpec,
        group: &GroupSpec,
        instance: Option<&Instance>,
        key: &KeySpec,
    ) -> Option<String> {
        let names = Names {
            project: Some(&self.project),
            environment: Some(&environment.name),
            group: Some(&group.name),
            instance,
            key: Some(&key.name),
        };
        Some(self.path_template(&environment.name, group)?.fill(&names))
    }

    fn fill<'a>(&'a self, environment: &'a name::Environment, address: &'a Address) -> Names<'a> {
        Names {
            project: Some(&self.project),
            environment: Some(environment),
            group: Some(&address.group),
            instance: address.instance.as_ref(),
            key: Some(&address.key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
version = 1
project = { name = "shop", region = "us-east-1" }

[environments.local]
home = "vault"
[environments.prod]
home = "ssm"
region = "eu-west-1"
[environments.docs]
home = "secretsmanager"

[groups.app.keys]
SECRET_KEY = { secret = true }
HOST = { environments = ["prod"] }

[groups.mail.keys]
SECRET_KEY = { secret = true }
PLAIN = { value = "x" }

[groups.xero]
instances = true
path.ssm = "/{project}/xero/{environment}/{instance}/{key}"
keys.client_id = {}

[groups.relay]
instances = ["in", "out"]
keys.host = {}
"#;

    fn manifest() -> Manifest {
        Manifest::parse("f", TEXT).unwrap_or_else(|error| panic!("{error}"))
    }

    fn environment(text: &str) -> name::Environment {
        text.parse().unwrap()
    }

    #[test]
    fn what_a_person_writes_becomes_the_one_address_that_is_meant() {
        for (text, expected) in [
            ("HOST", Ok("app/HOST")),
            ("mail/SECRET_KEY", Ok("mail/SECRET_KEY")),
            ("xero/7/client_id", Ok("xero/7/client_id")),
            ("relay/in/host", Ok("relay/in/host")),
            (
                "SECRET_KEY",
                Err("`SECRET_KEY` is a key of 2 groups; write `app/SECRET_KEY` or `mail/SECRET_KEY`"),
            ),
            ("PLIAN", Err("unknown key `PLIAN`; did you mean `PLAIN`?")),
            ("mial/PLAIN", Err("unknown group `mial`; did you mean `mail`?")),
            ("mail/PLAYN", Err("`mail` has no key `PLAYN`; did you mean `PLAIN`?")),
            ("client_id", Err("`xero` has instances; write `xero/INSTANCE/client_id`")),
            ("relay/host", Err("`relay` has instances; write `relay/in/host`")),
            ("relay/ou/host", Err("`relay` has no instance `ou`; did you mean `out`?")),
            ("mail/1/PLAIN", Err("`mail` has no instances; write `mail/KEY`")),
        ] {
            let found = manifest().address(&environment("prod"), text);
            let found = found.map(|address| address.to_string()).map_err(|error| error.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), expected);
        }
    }

    #[test]
    fn a_key_of_another_environment_is_told_from_one_that_does_not_exist() {
        let error = manifest().address(&environment("local"), "HOST").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`app/HOST` does not belong to the environment `local`; it belongs to `prod`"
        );
    }

    #[test]
    fn values_lie_where_the_paths_say_and_by_default_under_project_and_environment() {
        let (manifest, prod) = (manifest(), environment("prod"));
        for (address, name, document) in [
            ("app/HOST", "/shop/prod/app/HOST", "shop/prod/app"),
            ("xero/7/client_id", "/shop/xero/prod/7/client_id", "shop/prod/xero/7"),
            ("relay/in/host", "/shop/prod/relay/in/host", "shop/prod/relay/in"),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(manifest.ssm_name(&prod, &address).unwrap(), name);
            assert_eq!(manifest.document_name(&prod, &address).unwrap(), document);
        }
    }

    #[test]
    fn instances_are_discovered_from_the_names_in_home() {
        let manifest = manifest();
        let xero = manifest.group("xero").unwrap();
        let discovered = |name: &str, found: &str| {
            let instance = manifest.discovered_instance(&environment(name), xero, found);
            instance.map(|instance| instance.to_string())
        };
        assert_eq!(manifest.discovery_prefix(&environment("prod"), xero).unwrap(), "/shop/xero/prod/");
        assert_eq!(discovered("prod", "/shop/xero/prod/7/client_id").unwrap(), "7");
        assert_eq!(discovered("docs", "shop/docs/xero/7").unwrap(), "7");
        assert_eq!(manifest.discovery_prefix(&environment("local"), xero), None);
        for other in ["/shop/xero/prod/7/other", "/shop/xero/prod/7", "/shop/xero/prod/_x/client_id", "/x"] {
            assert_eq!(discovered("prod", other), None, "{other}");
        }
    }

    #[test]
    fn an_environment_has_its_own_region_or_the_projects() {
        let manifest = manifest();
        let region = |name| manifest.environment(name).unwrap().region.clone().unwrap();
        assert_eq!((region("local").as_str(), region("prod").as_str()), ("us-east-1", "eu-west-1"));
        let error = manifest.environment("pord").unwrap_err();
        assert_eq!(error.to_string(), "unknown environment `pord`; did you mean `prod`?");
    }

    #[test]
    fn only_listed_instances_are_declared() {
        let manifest = manifest();
        let declared = |address: &str| manifest.key(&address.parse().unwrap()).is_some();
        assert!(declared("relay/in/host") && declared("xero/any/client_id"));
        assert!(!declared("relay/up/host") && !declared("relay/host") && !declared("app/1/HOST"));
    }
}
