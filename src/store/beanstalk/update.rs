//! The one UpdateEnvironment that makes the changes of a write: sets and removals of both namespaces together.
//!
//! Owns what is set and what is removed. A value that becomes a reference, or the other way round, is both at once. It
//! never sends anything.

use super::deployed::{Deployed, PROPERTIES, REFERENCES, Variables};
use super::naming::Naming;
use crate::plan::{Change, Want};
use crate::secret::Secret;
use crate::snapshot::Held;
use aws_sdk_elasticbeanstalk::types::{ConfigurationOptionSetting, OptionSpecification};
use std::collections::BTreeMap;

/// What an UpdateEnvironment carries.
#[derive(Debug, Default, Clone)]
pub(super) struct Update {
    pub(super) properties: BTreeMap<String, Secret>,
    /// References as the platform spells them.
    pub(super) references: BTreeMap<String, String>,
    pub(super) removed_properties: Vec<String>,
    pub(super) removed_references: Vec<String>,
}

impl Update {
    /// What turns what is deployed into what is wanted. An address that is no property of the copy is left out: the
    /// caller has refused it.
    pub(super) fn of(naming: &Naming, deployed: &Deployed, changes: &[Change]) -> Update {
        let mut update = Update::default();
        for change in changes {
            let Some(name) = naming.property_of(&change.address) else { continue };
            match &change.after {
                Want::Absent => update.remove(&deployed.variables, &name, true, true),
                Want::Present(wanted) => match &wanted.held {
                    Held::Value(value) => {
                        update.remove(&deployed.variables, &name, false, true);
                        update.properties.insert(name, value.clone());
                    }
                    Held::Reference(reference) => {
                        update.remove(&deployed.variables, &name, true, false);
                        update.references.insert(name, deployed.platform.spelled(reference));
                    }
                },
            }
        }
        update
    }

    fn remove(&mut self, there: &Variables, name: &str, property: bool, reference: bool) {
        if property && there.properties.contains_key(name) {
            self.removed_properties.push(name.to_owned());
        }
        if reference && there.references.contains_key(name) {
            self.removed_references.push(name.to_owned());
        }
    }

    /// Whether there is nothing to send.
    pub(super) fn is_empty(&self) -> bool {
        self.properties.is_empty()
            && self.references.is_empty()
            && self.removed_properties.is_empty()
            && self.removed_references.is_empty()
    }

    /// The plain properties as they will be, as far as anybody can know: what lies below a removed one is not known.
    pub(super) fn after(&self, there: &Variables) -> BTreeMap<String, Secret> {
        let mut after = there.properties.clone();
        after.retain(|name, _| !self.removed_properties.contains(name));
        after.extend(self.properties.clone());
        after
    }

    /// Whether everything that was set is there.
    pub(super) fn is_in(&self, there: &Variables) -> bool {
        let same = |name: &String, value: &Secret| {
            there.properties.get(name).is_some_and(|held| held.same_as(value))
        };
        self.properties.iter().all(|(name, value)| same(name, value))
            && self.references.iter().all(|(name, reference)| there.references.get(name) == Some(reference))
    }

    /// Names that were removed and are there all the same.
    pub(super) fn resurfaced<'a>(&'a self, there: &'a Variables) -> Vec<&'a str> {
        let properties = self.removed_properties.iter().filter(|name| there.properties.contains_key(*name));
        let references = self.removed_references.iter().filter(|name| there.references.contains_key(*name));
        properties.chain(references).map(String::as_str).collect()
    }

    pub(super) fn settings(&self) -> Vec<ConfigurationOptionSetting> {
        let setting = |namespace: &str, name: &str, value: &str| {
            ConfigurationOptionSetting::builder().namespace(namespace).option_name(name).value(value).build()
        };
        let plain = self.properties.iter().map(|(name, value)| setting(PROPERTIES, name, value.expose()));
        plain.chain(self.references.iter().map(|(name, arn)| setting(REFERENCES, name, arn))).collect()
    }

    pub(super) fn removals(&self) -> Vec<OptionSpecification> {
        let option = |namespace: &str, name: &String| {
            OptionSpecification::builder().namespace(namespace).option_name(name).build()
        };
        let plain = self.removed_properties.iter().map(|name| option(PROPERTIES, name));
        plain.chain(self.removed_references.iter().map(|name| option(REFERENCES, name))).collect()
    }
}
