//! Reading parameters: ten in a call, many calls at a time, and again where an answer is older than what we wrote.

use super::{Left, Ssm, TYPE, names};
use crate::name::{Address, Group};
use crate::secret::Secret;
use crate::snapshot::{Attributes, Entry, Held, Snapshot, Unit, Version};
use crate::store::aws::{Family, Request, timestamp};
use crate::store::{Applied, ErrorKind, StoreError};
use aws_sdk_ssm::types::Parameter;
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Names in one call, and parameters on one page: AWS's limit for both.
const BATCH: usize = 10;
/// Calls that are under way at the same time; how fast they are made is the quota's.
const AT_ONCE: usize = 16;
/// The pauses before an answer that is older than our own write is asked for again.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(400),
    Duration::from_millis(800),
];

/// How long a read may be behind a write of another process.
const CATCHES_UP: Duration = Duration::from_secs(1);

const GET: &str = "ssm:GetParameter";
const GET_BATCH: &str = "ssm:GetParameters";
const GET_BY_PATH: &str = "ssm:GetParametersByPath";

/// Parameters that were found, by name.
type Found = BTreeMap<String, Seen>;

/// A parameter as a read tells it. Its value is taken out of the SDK's answer and not copied.
pub(super) struct Seen {
    pub(super) value: Secret,
    pub(super) version: i64,
    pub(super) modified: Option<Timestamp>,
    kind: Option<String>,
    arn: Option<String>,
}

impl Ssm {
    pub(super) async fn read_all(&self, addresses: &[Address]) -> Result<Snapshot, StoreError> {
        // Two addresses may mean one parameter, where groups share a path.
        let mut names: BTreeMap<String, Vec<&Address>> = BTreeMap::new();
        for address in addresses {
            names.entry(self.name_of(address)?).or_default().push(address);
        }
        let wanted: Vec<(&str, &Address)> =
            names.iter().map(|(name, addresses)| (name.as_str(), addresses[0])).collect();
        let mut found = self.get(&wanted).await?;
        self.wait_for_writes(&wanted, &mut found).await?;
        let mut snapshot = Snapshot::default();
        for (name, seen) in found {
            for address in names.get(&name).into_iter().flatten() {
                self.keep(&mut snapshot, (*address).clone(), &name, &seen);
            }
        }
        Ok(snapshot)
    }

    /// Asks again for what is older than what this process has written. What stays so is what there is: somebody else
    /// may have deleted it.
    async fn wait_for_writes(
        &self,
        wanted: &[(&str, &Address)],
        found: &mut Found,
    ) -> Result<(), StoreError> {
        for pause in PAUSES {
            let stale: Vec<(&str, &Address)> =
                wanted.iter().filter(|(name, _)| self.is_stale(name, found.get(*name))).copied().collect();
            if stale.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
            let again = self.get(&stale).await?;
            for (name, _) in &stale {
                found.remove(*name);
            }
            found.extend(again);
        }
        let mut known = self.known();
        for (name, _) in wanted {
            if let Some(known) = known.get_mut(*name)
                && is_older(known.left, found.get(*name).map(|parameter| parameter.version))
            {
                known.left = None;
            }
        }
        Ok(())
    }

    /// Lets reads catch up with a write of an earlier process whose end is not known: of its own writes this process knows
    /// which version to wait for, of that one nobody does.
    pub(super) async fn let_settle(&self, receipt: &Applied) -> Result<(), StoreError> {
        let name = &receipt.unit.0;
        if receipt.version.is_some() || receipt.request.is_some() || self.known().contains_key(name) {
            return Ok(());
        }
        self.known().entry(name.clone()).or_default();
        tokio::time::sleep(self.aws.settings().poll.min(CATCHES_UP)).await;
        Ok(())
    }

    fn is_stale(&self, name: &str, parameter: Option<&Seen>) -> bool {
        let known = self.known();
        known
            .get(name)
            .is_some_and(|known| is_older(known.left, parameter.map(|parameter| parameter.version)))
    }

    /// What is there of these names, in batches.
    async fn get(&self, wanted: &[(&str, &Address)]) -> Result<Found, StoreError> {
        let batches: Vec<_> = wanted.chunks(BATCH).map(|batch| self.get_batch(batch)).collect();
        let found: Vec<Found> = stream::iter(batches).buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn get_batch(&self, batch: &[(&str, &Address)]) -> Result<Found, StoreError> {
        let clients = self.aws.clients().await?;
        let names: Vec<String> = batch.iter().map(|(name, _)| (*name).to_owned()).collect();
        let request = Request::read(GET_BATCH, Family::ParameterReads);
        let answer = self.aws.call(&request, || {
            clients.ssm.get_parameters().set_names(Some(names.clone())).with_decryption(true).send()
        });
        let answer = match answer.await {
            Ok(answer) => answer,
            // One name that is not allowed, or one key that is disabled, refuses all ten: which one, single reads tell.
            Err(failure) if failure.kind == ErrorKind::Denied || failure.is("InvalidKeyId") => {
                return self.get_singly(batch).await;
            }
            Err(failure) => return Err(self.failed(failure, GET_BATCH, &names.join(", "))),
        };
        let absent: BTreeSet<String> = answer.invalid_parameters.unwrap_or_default().into_iter().collect();
        let mut answered: BTreeMap<String, Parameter> = BTreeMap::new();
        for parameter in answer.parameters.unwrap_or_default() {
            answered.extend(parameter.name.clone().map(|name| (name, parameter)));
        }
        let mut found = Found::new();
        for (name, address) in batch {
            if let Some(parameter) = answered.remove(*name) {
                found.insert((*name).to_owned(), self.seen(address, parameter)?);
            } else if !absent.contains(*name) {
                let message =
                    format!("AWS said nothing about {name}, neither its value nor that it is not there");
                return Err(self.error(ErrorKind::Transient, message).at(address));
            }
        }
        Ok(found)
    }

    async fn get_singly(&self, batch: &[(&str, &Address)]) -> Result<Found, StoreError> {
        let mut found = Found::new();
        for (name, address) in batch {
            if let Some(seen) = self.get_one(address, name).await? {
                found.insert((*name).to_owned(), seen);
            }
        }
        Ok(found)
    }

    /// One parameter; `selected` is its name, or its name with a version.
    pub(super) async fn get_one(
        &self,
        address: &Address,
        selected: &str,
    ) -> Result<Option<Seen>, StoreError> {
        let clients = self.aws.clients().await?;
        let request = Request::read(GET, Family::ParameterReads);
        let answer = self
            .aws
            .call(&request, || clients.ssm.get_parameter().name(selected).with_decryption(true).send());
        match answer.await {
            Ok(answer) => answer.parameter.map(|parameter| self.seen(address, parameter)).transpose(),
            Err(failure) if failure.is("ParameterNotFound") || failure.is("ParameterVersionNotFound") => {
                Ok(None)
            }
            Err(failure) => Err(self.failed(failure, GET, selected).at(address)),
        }
    }

    pub(super) async fn walk_groups(&self, groups: &[Group]) -> Result<Snapshot, StoreError> {
        let here = self.manifest.groups_in(&self.environment).filter(|group| groups.contains(&group.name));
        let all: BTreeSet<String> =
            here.map(|group| names::path_of(&self.manifest, &self.environment, group)).collect();
        // A walk goes all the way down: what lies below another path is found with it.
        let below = |path: &String| {
            all.iter()
                .any(|other| path.starts_with(&format!("{}/", other.trim_end_matches('/'))) && path != other)
        };
        let walks: Vec<_> = all.iter().filter(|path| !below(path)).map(|path| self.walk_path(path)).collect();
        let pages: Vec<Vec<Parameter>> = stream::iter(walks).buffer_unordered(AT_ONCE).try_collect().await?;
        let mut snapshot = Snapshot::default();
        for parameter in pages.into_iter().flatten() {
            let Some(name) = parameter.name.clone() else { continue };
            let address = names::address_of(&self.manifest, &self.environment, groups, &name);
            if let Some(address) = address {
                let seen = self.seen(&address, parameter)?;
                self.keep(&mut snapshot, address, &name, &seen);
            }
        }
        Ok(snapshot)
    }

    pub(super) async fn walk_path(&self, path: &str) -> Result<Vec<Parameter>, StoreError> {
        let clients = self.aws.clients().await?;
        let request = Request::read(GET_BY_PATH, Family::ParameterReads);
        let (mut found, mut token) = (Vec::new(), None::<String>);
        loop {
            let answer = self.aws.call(&request, || {
                let page =
                    clients.ssm.get_parameters_by_path().path(path).recursive(true).with_decryption(true);
                page.max_results(BATCH as i32).set_next_token(token.clone()).send()
            });
            let answer = answer.await.map_err(|failure| self.failed(failure, GET_BY_PATH, path))?;
            found.extend(answer.parameters.unwrap_or_default());
            // A page may be empty and not the last; only a missing token ends the walk.
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// Puts a parameter into a snapshot.
    fn keep(&self, snapshot: &mut Snapshot, address: Address, name: &str, seen: &Seen) {
        let version = Version(seen.version.to_string());
        let mut attributes = Attributes::new();
        attributes.extend(seen.kind.clone().map(|kind| (TYPE.to_owned(), kind)));
        if let Some((of, details)) = self.known().get(name).and_then(|known| known.details.as_ref())
            && *of == seen.version
        {
            details.tell(&mut attributes);
        }
        let entry = Entry {
            held: Held::Value(seen.value.clone()),
            version: Some(version.clone()),
            modified: seen.modified,
            attributes,
            arn: seen.arn.clone(),
        };
        snapshot.bases.insert(Unit(name.to_owned()), version);
        snapshot.entries.insert(address, entry);
    }

    fn seen(&self, address: &Address, parameter: Parameter) -> Result<Seen, StoreError> {
        self.aws.check_arn(parameter.arn.as_deref())?;
        Ok(Seen {
            value: self.value(address, parameter.value)?,
            version: parameter.version,
            modified: parameter.last_modified_date.as_ref().and_then(timestamp),
            kind: parameter.r#type.map(|kind| kind.as_str().to_owned()),
            arn: parameter.arn,
        })
    }

    pub(super) fn value(&self, address: &Address, text: Option<String>) -> Result<Secret, StoreError> {
        let untold = || self.error(ErrorKind::Transient, "AWS answered without a value").at(address);
        let secret = Secret::new(text.ok_or_else(untold)?);
        secret.map_err(|error| self.error(ErrorKind::Damaged, error.to_string()).at(address))
    }
}

/// Whether what was read is older than what our own write has left.
fn is_older(left: Option<Left>, read: Option<i64>) -> bool {
    match (left, read) {
        (Some(Left::Version(ours)), Some(read)) => read < ours,
        (Some(Left::Version(_)), None) => true,
        (Some(Left::Nothing(gone)), Some(read)) => read <= gone,
        (Some(Left::Nothing(_)) | None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_from_before_our_own_write_is_older() {
        let left = |left, read| is_older(Some(left), read);
        assert!(left(Left::Version(3), Some(2)) && left(Left::Version(1), None));
        assert!(!left(Left::Version(3), Some(3)) && !left(Left::Version(3), Some(4)));
        assert!(left(Left::Nothing(3), Some(3)) && !left(Left::Nothing(3), None));
        assert!(!left(Left::Nothing(3), Some(4)) && !is_older(None, None));
    }
}
