//! Which property an address is, and which address a property.
//!
//! Owns the names that no manifest declares: strongroom's own property, and everything else that is there. What the
//! platform sets for itself is nobody's.

use crate::manifest::{Manifest, Selection};
use crate::name::{Address, Environment, Group, Key};
use crate::plan::Change;
use crate::snapshot::{Entry, Held};
use std::sync::Arc;

use super::deployed::Deployed;

/// What strongroom's own properties begin with.
const OWN: &str = "STRONGROOM_";

/// Set by the platforms themselves (Elastic Beanstalk Developer Guide, "Platform-specific options"), or what a process
/// needs to start at all.
const PLATFORM: &[&str] = &[
    "BUNDLE_WITHOUT",
    "EB_ENV_NAME",
    "GEM_HOME",
    "GEM_PATH",
    "GEM_ROOT",
    "GOPATH",
    "GOROOT",
    "GRADLE_HOME",
    "HOME",
    "JAVA_HOME",
    "JDBC_CONNECTION_STRING",
    "LD_LIBRARY_PATH",
    "M2",
    "M2_HOME",
    "NODE_HOME",
    "NPM_USE_PRODUCTION",
    "PATH",
    "PYTHONPATH",
    "RACK_ENV",
    "RAILS_SKIP_ASSET_COMPILATION",
    "RAILS_SKIP_MIGRATIONS",
    "SHELL",
];

/// The names of one copy.
pub(super) struct Naming {
    pub(super) manifest: Arc<Manifest>,
    pub(super) environment: Environment,
    pub(super) selection: Selection,
}

impl Naming {
    /// The property of an address; nothing where the copy does not get it.
    pub(super) fn property_of(&self, address: &Address) -> Option<String> {
        if address.group == Group::own() {
            return Some(format!("{OWN}{}", address.key));
        }
        if address.group == Group::undeclared() {
            return Some(address.key.as_str().to_owned());
        }
        let name = self.manifest.property_of(&self.environment, &self.selection, address)?;
        Some(name.as_str().to_owned())
    }

    /// The address of a property. One that nobody declares has one too, unless no variable can have its name or the
    /// platform sets it.
    pub(super) fn address_of(&self, property: &str) -> Option<Address> {
        let name = Key::parse(property).ok()?;
        if let Some(own) = property.strip_prefix(OWN).and_then(|rest| Key::parse(rest).ok()) {
            return Some(Address::new(Group::own(), own));
        }
        let declared = self.manifest.address_of_property(&self.environment, &self.selection, &name);
        let platform = PLATFORM.contains(&property);
        declared.or_else(|| (!platform).then(|| Address::new(Group::undeclared(), name)))
    }

    /// What is deployed at an address.
    pub(super) fn entry(&self, deployed: &Deployed, address: &Address) -> Option<Entry> {
        held(deployed, &self.property_of(address)?)
    }

    /// Whether what stands at a property may be told: what the manifest says is plain.
    pub(super) fn is_plain(&self, property: &str) -> bool {
        let address = self.address_of(property);
        address.and_then(|address| self.manifest.key(&address).map(|key| !key.secret)).unwrap_or(false)
    }

    /// The first address of a write that the copy does not get.
    pub(super) fn stranger<'c>(&self, changes: &'c [Change]) -> Option<&'c Address> {
        let mut addresses = changes.iter().map(|change| &change.address);
        addresses.find(|address| self.property_of(address).is_none())
    }
}

/// What is deployed under a name. Where it is a property and a reference, the reference tells what was meant; see
/// [`super::deployed::Variables::doubled`].
pub(super) fn held(deployed: &Deployed, name: &str) -> Option<Entry> {
    let variables = &deployed.variables;
    let held = match (variables.references.get(name), variables.properties.get(name)) {
        (Some(reference), _) => Held::Reference(deployed.platform.meant(reference)),
        (None, Some(value)) => Held::Value(value.clone()),
        (None, None) => return None,
    };
    let attributes = crate::snapshot::Attributes::new();
    Some(Entry { held, version: None, modified: None, attributes, arn: None })
}
