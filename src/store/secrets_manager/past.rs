//! What was there before, and what is there under names that are not known beforehand.
//!
//! Owns how versions of a document become states of one value, and how instances are found by their names. It only reads.

use super::read::Which;
use super::{CURRENT, SecretsManager};
use crate::manifest::{Instances, InstancesSpec};
use crate::name::{Address, Group, Instance, Key};
use crate::secret::Secret;
use crate::snapshot::{Past, Snapshot, Unit, Version};
use crate::store::aws::{Family, Request, timestamp};
use crate::store::{Discover, ErrorKind, History, Store, StoreError};
use async_trait::async_trait;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, SecretVersionsListEntry};
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

const VERSIONS: &str = "secretsmanager:ListSecretVersionIds";
const LIST: &str = "secretsmanager:ListSecrets";
/// The most entries of a page.
const PAGE: i32 = 100;
/// How many versions are read at the same time.
const IN_FLIGHT: usize = 8;

#[async_trait]
impl History for SecretsManager {
    /// The states of an address that its secret's versions tell, the present one first. A version is a state of the whole
    /// document: those that left the value as it was are not told again. What lost a race is among them, so that it can
    /// be found. Versions that AWS has forgotten are not.
    async fn history(&self, address: &Address) -> Result<Vec<Past>, StoreError> {
        let Some(name) = self.name_of(address) else { return Ok(Vec::new()) };
        let versions = self.versions(&name).await?;
        let states: Vec<_> = versions.iter().map(|version| self.state(&name, address, version)).collect();
        let states: Vec<Option<Past>> = stream::iter(states).buffered(IN_FLIGHT).try_collect().await?;
        Ok(without_repetitions(states.into_iter().flatten().collect()))
    }
}

/// The states that differ from the one before them, without those before there was anything. Both lists have the newest
/// first; of equal ones the oldest tells when it came to be.
fn without_repetitions(states: Vec<Past>) -> Vec<Past> {
    let same = |a: &Option<Secret>, b: &Option<Secret>| match (a, b) {
        (Some(a), Some(b)) => a.same_as(b),
        (None, None) => true,
        _ => false,
    };
    let mut told: Vec<Past> = Vec::new();
    for state in states {
        match told.last_mut() {
            Some(last) if same(&last.value, &state.value) => *last = state,
            _ => told.push(state),
        }
    }
    while told.last().is_some_and(|oldest| oldest.value.is_none()) {
        told.pop();
    }
    told
}

#[async_trait]
impl Discover for SecretsManager {
    async fn walk(&self, groups: &[Group]) -> Result<Snapshot, StoreError> {
        let mut wanted: BTreeMap<String, (Group, Option<Instance>, BTreeSet<Key>)> = BTreeMap::new();
        for group in groups {
            let Ok(spec) = self.manifest.group(group.as_str()) else { continue };
            let instances = match &spec.instances {
                InstancesSpec::Discovered => self.instances(group).await?,
                InstancesSpec::None | InstancesSpec::Listed(_) => Vec::new(),
            };
            let found = Instances::from([(group.clone(), instances)]);
            let addresses = self.manifest.addresses(&self.environment, &found).into_iter();
            for address in addresses.filter(|address| address.group == *group) {
                let Some(name) = self.name_of(&address) else { continue };
                let of_name = wanted.entry(name);
                let (_, _, keys) =
                    of_name.or_insert_with(|| (group.clone(), address.instance.clone(), BTreeSet::new()));
                keys.insert(address.key);
            }
        }
        let names: Vec<String> = wanted.keys().cloned().collect();
        let found = self.current(&names).await?;
        let mut snapshot = Snapshot::default();
        for (name, (group, instance, mut keys)) in wanted {
            let Some(secret) = found.get(&name) else { continue };
            snapshot.bases.insert(Unit(name), secret.version.clone());
            let text = self.text(self.form_of(&group), secret)?;
            let declared = keys.clone();
            keys.extend(text.names().filter_map(|name| Key::parse(name).ok()));
            for key in keys {
                let known = declared.contains(&key);
                let address = Address { group: group.clone(), instance: instance.clone(), key };
                match secret.entry(&text, &address.key) {
                    Ok(Some(entry)) => drop(snapshot.entries.insert(address, entry)),
                    Err(why) if known => return Err(self.unreadable(secret, &address, &why)),
                    // Somebody else's, which no variable could hold.
                    Ok(None) | Err(_) => {}
                }
            }
        }
        Ok(snapshot)
    }
}

impl SecretsManager {
    /// The versions of a secret: the one that counts, then the others from the newest on.
    async fn versions(&self, name: &str) -> Result<Vec<SecretVersionsListEntry>, StoreError> {
        let clients = self.aws.clients().await?;
        let request = Request::read(VERSIONS, Family::SecretWrites);
        let mut versions = Vec::new();
        let mut page = None;
        loop {
            let answer = self.aws.call(&request, || {
                let call = clients.secrets_manager.list_secret_version_ids().secret_id(name);
                let call = call.include_deprecated(true).max_results(PAGE);
                call.set_next_token(page.clone()).send()
            });
            let answer = match answer.await {
                Ok(answer) => answer,
                Err(failure) if failure.is("ResourceNotFoundException") => return Ok(Vec::new()),
                Err(failure) => return Err(self.failed(failure, VERSIONS, name)),
            };
            versions.extend(answer.versions.unwrap_or_default());
            page = answer.next_token;
            if page.is_none() {
                break;
            }
        }
        // What another tool is about to rotate to was never in force.
        versions.retain(|version| version.version_stages() != ["AWSPENDING"]);
        versions.sort_by_key(|version| {
            let counts = version.version_stages().iter().any(|label| label == CURRENT);
            let created = version.created_date.map_or(0, |at| at.as_nanos());
            std::cmp::Reverse((counts, created))
        });
        Ok(versions)
    }

    /// What an address held in a version; nothing where the version is gone, or is no text that could hold it.
    async fn state(
        &self,
        name: &str,
        address: &Address,
        version: &SecretVersionsListEntry,
    ) -> Result<Option<Past>, StoreError> {
        let id = Version(version.version_id.clone().unwrap_or_default());
        let Some(found) = self.get(name, Which::Version(&id)).await? else {
            return match self.seen.leaving(name) {
                None => Ok(None),
                Some(_) => Err(self
                    .error(
                        ErrorKind::Failed,
                        format!("{name} is scheduled for deletion, and tells no values"),
                    )
                    .at(address)
                    .hint(format!("`aws secretsmanager restore-secret --secret-id {name}` takes it back"))),
            };
        };
        let Ok(text) = self.text(self.form_of(&address.group), &found) else { return Ok(None) };
        let Ok(value) = text.value(&address.key) else { return Ok(None) };
        let created = found.created.or_else(|| version.created_date.as_ref().and_then(timestamp));
        let modified = created.unwrap_or(Timestamp::UNIX_EPOCH);
        Ok(Some(Past { value: value.map(|(value, _)| value), version: found.version, modified }))
    }

    /// The instances of a group, by the names of the secrets that are there.
    async fn instances(&self, group: &Group) -> Result<Vec<Instance>, StoreError> {
        let Ok(spec) = self.manifest.group(group.as_str()) else { return Ok(Vec::new()) };
        let Some(prefix) = self.manifest.discovery_prefix(&self.environment, spec) else {
            return Ok(Vec::new());
        };
        let clients = self.aws.clients().await?;
        let request = Request::read(LIST, Family::SecretBatches);
        let mut instances = BTreeSet::new();
        let mut page = None;
        loop {
            let filter = Filter::builder().key(FilterNameStringType::Name).values(&prefix).build();
            let answer = self.aws.call(&request, || {
                let call = clients.secrets_manager.list_secrets().filters(filter.clone());
                call.max_results(PAGE).set_next_token(page.clone()).send()
            });
            let answer = answer.await.map_err(|failure| failure.at(&self.location(), LIST, "*"))?;
            let names = answer.secret_list.unwrap_or_default().into_iter().filter_map(|secret| secret.name);
            instances.extend(
                names.filter_map(|name| self.manifest.discovered_instance(&self.environment, spec, &name)),
            );
            page = answer.next_token;
            if page.is_none() {
                return Ok(instances.into_iter().collect());
            }
        }
    }
}
