//! What an app's bundle needs so that its containers see the variables of a Beanstalk copy: hooks and snippets, from the
//! manifest alone.
//!
//! Owns which variables those are, and which files. It holds no value, reads no file and asks nobody; who writes the
//! files, and whether they may, is decided elsewhere.

mod dockerrun;
mod script;

pub use dockerrun::{Dockerrun, SUFFIX, dockerrun};
pub use script::HOOK_FILES;

use crate::manifest::{
    CopySpec, EnvironmentSpec, Instances, InstancesSpec, Manifest, NameClash, ValueSource,
};
use crate::name::{Address, Group, Key};

/// A variable that a copy gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Its name.
    pub name: Key,
    /// Whose value it is.
    pub address: Address,
    /// Whether it may be missing.
    pub optional: bool,
    /// Whether its value is a secret.
    pub secret: bool,
}

/// The variables that a copy gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variables {
    /// Those whose names the manifest tells.
    pub given: Vec<Given>,
    /// Groups of instances that only home knows: their variables have no names yet.
    pub unknown: Vec<Group>,
}

/// Why there can be no hook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HooksError {
    /// Two values have one name.
    #[error(transparent)]
    Clash(#[from] NameClash),
    /// A shell sets these itself, whatever the environment says.
    #[error("the shell that runs the hook gives {} a meaning of its own; such a variable needs another name", .names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))]
    OfTheShell {
        /// The names.
        names: Vec<Key>,
    },
}

/// The variables that a copy of an environment gives to the app.
pub fn variables(
    manifest: &Manifest,
    environment: &EnvironmentSpec,
    copy: &CopySpec,
) -> Result<Variables, NameClash> {
    let names = manifest.names(&environment.name, &Instances::new(), &copy.selection)?;
    let given = names.into_iter().map(|variable| {
        let absent =
            matches!(manifest.source(&environment.name, &variable.address), Some(ValueSource::Absent));
        let optional = manifest.key(&variable.address).is_some_and(|key| key.optional);
        Given {
            name: variable.name,
            address: variable.address,
            optional: optional || absent,
            secret: variable.secret,
        }
    });
    let chosen = |group: &Group| copy.selection.groups.as_ref().is_none_or(|groups| groups.contains(group));
    let unknown = manifest
        .groups_in(&environment.name)
        .filter(|group| group.reaches_environments() && group.instances == InstancesSpec::Discovered)
        .map(|group| group.name.clone())
        .filter(chosen);
    Ok(Variables { unknown: unknown.collect(), given: given.collect() })
}

/// The variables of a bundle: those of a copy, and of every other copy of the same Beanstalk application, because one
/// bundle is deployed to all of them. What one of them lacks is optional.
pub fn of_bundle(
    manifest: &Manifest,
    environment: &EnvironmentSpec,
    copy: &CopySpec,
) -> Result<Variables, NameClash> {
    let mut all = variables(manifest, environment, copy)?;
    for other in manifest.environments() {
        for sibling in other.copies.values().filter(|sibling| sibling.application == copy.application) {
            all = all.or(variables(manifest, other, sibling)?);
        }
    }
    Ok(all)
}

impl Variables {
    /// Both; what is required of both stays required.
    fn or(mut self, other: Variables) -> Variables {
        for given in &mut self.given {
            let same = other.given.iter().find(|theirs| theirs.name == given.name);
            given.optional |= same.is_none_or(|theirs| theirs.optional);
        }
        for theirs in other.given {
            if !self.given.iter().any(|given| given.name == theirs.name) {
                self.given.push(Given { optional: true, ..theirs });
            }
        }
        let unknown = other.unknown.into_iter().filter(|group| !self.unknown.contains(group));
        let unknown: Vec<Group> = unknown.collect();
        self.unknown.extend(unknown);
        self
    }
}

/// The hook that writes `.env` for Docker Compose on an instance, from the variables that Beanstalk gives it.
pub fn hook(variables: &Variables) -> Result<String, HooksError> {
    script::hook(&variables.given)
}

/// What a service says in docker-compose.yml so that its container gets the variables.
pub fn compose_lines() -> &'static str {
    "services:\n  web:\n    env_file: [.env]\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_requires_what_every_environment_of_its_application_has() {
        let copy = |application: &str| {
            format!(
                "copies.web = {{ kind = \"beanstalk\", application = \"{application}\", environment = \"e\" }}\n"
            )
        };
        let text = format!(
            "version = 1\nproject.name = \"shop\"\n[environments.prod]\nhome = \"ssm\"\n{}[environments.staging]\n\
             home = \"ssm\"\n{}[environments.other]\nhome = \"ssm\"\n{}[groups.app.keys]\nA = {{}}\n\
             B = {{ environments = [\"prod\"] }}\nC = {{ environments = [\"staging\"] }}\n\
             D = {{ environments = [\"other\"] }}\n",
            copy("shop"),
            copy("shop"),
            copy("another")
        );
        let manifest = Manifest::parse("f", &text).unwrap_or_else(|error| panic!("{error}"));
        let prod = manifest.environment("prod").unwrap();
        let bundle = of_bundle(&manifest, prod, &prod.copies["web"]).unwrap();
        let found: Vec<(&str, bool)> =
            bundle.given.iter().map(|given| (given.name.as_str(), given.optional)).collect();
        assert_eq!(found, [("A", false), ("B", true), ("C", true)]);
        let own = variables(&manifest, prod, &prod.copies["web"]).unwrap();
        assert!(own.given.iter().all(|given| !given.optional) && own.given.len() == 2);
    }
}
