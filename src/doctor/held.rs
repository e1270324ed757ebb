//! The values of an environment, for checks that compare: what home holds, and what stands in the manifest.

use crate::manifest::{EnvironmentSpec, Instances, Manifest, ValueSource};
use crate::name::Address;
use crate::secret::Secret;
use crate::snapshot::Snapshot;

/// A value, and what is declared of it.
#[derive(Debug)]
pub(super) struct Value<'a> {
    pub(super) address: Address,
    pub(super) secret: bool,
    pub(super) value: &'a Secret,
    /// The line of the manifest that it stands in, where it stands there.
    pub(super) line: Option<usize>,
}

/// The values of an environment that follow from no others.
#[derive(Debug, Default)]
pub struct Held<'a> {
    pub(super) values: Vec<Value<'a>>,
    /// What is required and not there.
    pub(super) missing: Vec<Address>,
}

impl<'a> Held<'a> {
    /// What an environment has, by what was read of its home.
    pub fn of(
        manifest: &'a Manifest,
        environment: &EnvironmentSpec,
        home: &'a Snapshot,
        instances: &Instances,
    ) -> Held<'a> {
        let value = |address: Address| {
            let key = manifest.key(&address)?;
            let (value, line) = match manifest.source(&environment.name, &address)? {
                ValueSource::Literal { value, line } => (value, Some(line)),
                ValueSource::Home => (home.value(&address)?, None),
                ValueSource::Derived { .. } | ValueSource::Absent => return None,
            };
            Some(Value { secret: key.secret, address, value, line })
        };
        let addresses = manifest.addresses(&environment.name, instances);
        let missing = addresses.iter().filter(|address| {
            let needed = manifest.key(address).is_some_and(|key| !key.optional);
            let from_home = matches!(manifest.source(&environment.name, address), Some(ValueSource::Home));
            needed && from_home && !home.entries.contains_key(address)
        });
        let missing = missing.cloned().collect();
        Held { values: addresses.into_iter().filter_map(value).collect(), missing }
    }

    /// The secrets.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Value<'a>> {
        self.values.iter().filter(|value| value.secret)
    }
}
