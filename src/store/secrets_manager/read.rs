//! Reading secrets: one call for one, batches of twenty for several, single calls where batches are not allowed.
//!
//! Owns what counts as absent: AWS's typed answer that there is no such secret or no version of it, and a secret that is
//! scheduled for deletion. Every other failure is an error.

use super::json_document::NotADocument;
use super::seen::Leaving;
use super::text::{Form, Found, Text};
use super::{CURRENT, SecretsManager};
use crate::name::Address;
use crate::secret::{InvalidValue, Secret};
use crate::snapshot::Version;
use crate::store::aws::{Failure, Family, Request, timestamp};
use crate::store::{ErrorKind, Store, StoreError};
use aws_sdk_secretsmanager::types::SecretValueEntry;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const GET: &str = "secretsmanager:GetSecretValue";
const BATCH: &str = "secretsmanager:BatchGetSecretValue";
const DESCRIBE: &str = "secretsmanager:DescribeSecret";
/// The most secrets of one batch.
const AT_ONCE: usize = 20;
/// How many calls are under way at the same time.
const IN_FLIGHT: usize = 8;
/// How often a read that shows what was there before our own write is repeated.
const LATE: u32 = 6;

/// Which version of a secret.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which<'a> {
    /// The one with this label.
    Labelled(&'a str),
    /// This one.
    Version(&'a Version),
}

/// What AWS says of a secret beside its values.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) leaving: Option<Leaving>,
    pub(super) tags: BTreeMap<String, String>,
    /// The version that counts.
    pub(super) current: Option<Version>,
}

impl SecretsManager {
    /// The present versions of these secrets; what is not there is not in the answer. A read that lags behind a write of
    /// ours is repeated for a while.
    pub(super) async fn current(&self, names: &[String]) -> Result<BTreeMap<String, Arc<Found>>, StoreError> {
        let mut found = self.fetch(names).await?;
        for attempt in 0..LATE {
            let version = |name: &String| found.get(name).map(|found| &found.version);
            let late: Vec<String> =
                names.iter().filter(|name| self.seen.is_late(name, version(name))).cloned().collect();
            if late.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
            let again = self.fetch(&late).await?;
            late.iter().for_each(|name| drop(found.remove(name)));
            found.extend(again);
        }
        let found: BTreeMap<_, _> = found.into_iter().map(|(name, found)| (name, Arc::new(found))).collect();
        for name in names {
            self.seen.found(name, found.get(name).cloned());
        }
        Ok(found)
    }

    async fn fetch(&self, names: &[String]) -> Result<BTreeMap<String, Found>, StoreError> {
        let mut found = BTreeMap::new();
        let mut open: Vec<String> = names.to_vec();
        if names.len() > 1 && !self.seen.reads_singly() {
            let batches: Vec<_> = names.chunks(AT_ONCE).map(|names| self.batch(names)).collect();
            let batches: Vec<Batch> = stream::iter(batches).buffered(IN_FLIGHT).try_collect().await?;
            for batch in batches {
                open.retain(|name| !batch.absent.contains(name) && !batch.found.contains_key(name));
                found.extend(batch.found);
            }
        }
        let single: Vec<_> = open.iter().map(|name| self.get(name, Which::Labelled(CURRENT))).collect();
        let single: Vec<Option<Found>> = stream::iter(single).buffered(IN_FLIGHT).try_collect().await?;
        found.extend(open.into_iter().zip(single).filter_map(|(name, found)| Some((name, found?))));
        Ok(found)
    }

    /// One version of a secret.
    pub(super) async fn get(&self, name: &str, which: Which<'_>) -> Result<Option<Found>, StoreError> {
        let clients = self.aws.clients().await?;
        let request = Request::read(GET, Family::SecretReads);
        let answer = self.aws.call(&request, || {
            let call = clients.secrets_manager.get_secret_value().secret_id(name);
            match which {
                Which::Labelled(label) => call.version_stage(label).send(),
                Which::Version(version) => call.version_id(&version.0).send(),
            }
        });
        match answer.await {
            Ok(answer) => {
                let entry = SecretValueEntry::builder()
                    .set_arn(answer.arn)
                    .set_name(answer.name)
                    .set_version_id(answer.version_id)
                    .set_secret_string(answer.secret_string)
                    .set_version_stages(answer.version_stages)
                    .set_created_date(answer.created_date);
                Ok(Some(self.found(name, entry.build())?))
            }
            Err(failure) if failure.is("ResourceNotFoundException") => {
                self.seen.leaves(name, None);
                Ok(None)
            }
            Err(failure) if failure.is("InvalidRequestException") => self.unless_leaving(failure, name).await,
            Err(failure) => Err(self.failed(failure, GET, name)),
        }
    }

    /// A refusal that AWS gives of a secret that is scheduled for deletion, and of others: absent where it is.
    async fn unless_leaving(&self, failure: Failure, name: &str) -> Result<Option<Found>, StoreError> {
        match self.describe(name).await? {
            None => Ok(None),
            Some(Description { leaving: Some(_), .. }) => Ok(None),
            Some(_) => Err(self.failed(failure, GET, name)),
        }
    }

    /// What AWS says of a secret beside its values; `None` where there is none.
    pub(super) async fn describe(&self, name: &str) -> Result<Option<Description>, StoreError> {
        let clients = self.aws.clients().await?;
        let request = Request::read(DESCRIBE, Family::SecretReads);
        let answer =
            self.aws.call(&request, || clients.secrets_manager.describe_secret().secret_id(name).send());
        let answer = match answer.await {
            Ok(answer) => answer,
            Err(failure) if failure.is("ResourceNotFoundException") => return Ok(None),
            Err(failure) => return Err(self.failed(failure, DESCRIBE, name)),
        };
        let leaving = answer.deleted_date.and_then(|at| timestamp(&at)).map(Leaving);
        let tags = answer.tags.unwrap_or_default().into_iter();
        let versions = answer.version_ids_to_stages.unwrap_or_default();
        let mut current =
            versions.into_iter().filter(|(_, labels)| labels.iter().any(|label| label == CURRENT));
        let description = Description {
            leaving,
            tags: tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect(),
            current: current.next().map(|(version, _)| Version(version)),
        };
        self.seen.leaves(name, leaving);
        self.seen.is_ours(name, super::lifecycle::is_ours(&description.tags));
        Ok(Some(description))
    }

    async fn batch(&self, names: &[String]) -> Result<Batch, StoreError> {
        let clients = self.aws.clients().await?;
        let request = Request::read(BATCH, Family::SecretBatches);
        let mut batch = Batch::default();
        let mut page = None;
        loop {
            let answer = self.aws.call(&request, || {
                let call = clients.secrets_manager.batch_get_secret_value();
                call.set_secret_id_list(Some(names.to_vec())).set_next_token(page.clone()).send()
            });
            let answer = match answer.await {
                Ok(answer) => answer,
                Err(failure) if failure.kind == ErrorKind::Denied && failure.code.is_some() => {
                    self.seen.must_read_singly();
                    return Ok(batch);
                }
                Err(failure) => return Err(failure.at(&self.location(), BATCH, "*")),
            };
            for entry in answer.secret_values.unwrap_or_default() {
                let name = entry.name.clone().unwrap_or_default();
                batch.found.insert(name.clone(), self.found(&name, entry)?);
            }
            // Whatever else is said of a secret, its own read tells better.
            let errors = answer.errors.unwrap_or_default().into_iter();
            let absent = errors.filter(|error| error.error_code() == Some("ResourceNotFoundException"));
            batch.absent.extend(absent.filter_map(|error| error.secret_id));
            page = answer.next_token;
            if page.is_none() {
                return Ok(batch);
            }
        }
    }

    fn found(&self, name: &str, entry: SecretValueEntry) -> Result<Found, StoreError> {
        let wrong = |what: &str| self.error(ErrorKind::Failed, format!("{name}: AWS's answer {what}"));
        // A name that ends like an ARN does may be taken for another secret's.
        if entry.name.as_deref() != Some(name) {
            return Err(wrong("is about another secret")
                .hint("a name should not end in a hyphen and six characters: choose another path"));
        }
        self.aws.check_arn(entry.arn.as_deref())?;
        let text = entry.secret_string.map(Secret::new).transpose();
        Ok(Found {
            name: name.to_owned(),
            arn: entry.arn.ok_or_else(|| wrong("has no ARN"))?,
            version: Version(entry.version_id.ok_or_else(|| wrong("has no version"))?),
            created: entry.created_date.as_ref().and_then(timestamp),
            text: text.map_err(|why| self.error(ErrorKind::Damaged, format!("{name}: {why}")))?,
        })
    }

    /// A secret's text as its group means it.
    pub(super) fn text(&self, form: Form, found: &Found) -> Result<Text, StoreError> {
        let name = &found.name;
        let Some(text) = &found.text else {
            let message = format!("{name} holds bytes (SecretBinary), and strongroom keeps text");
            return Err(self.error(ErrorKind::Damaged, message).hint(
                "store it as text (SecretString), or keep the group elsewhere with path.secretsmanager in the manifest",
            ));
        };
        Text::parse(form, text).map_err(|why| self.no_document(name, &why))
    }

    fn no_document(&self, name: &str, why: &NotADocument) -> StoreError {
        let message =
            format!("{name} should be a JSON object with a member for each key, and is none: {why}");
        self.error(ErrorKind::Damaged, message).hint(
            "make it one, or let the group have a secret for each key: path.secretsmanager = \"…/{key}\" in the manifest",
        )
    }

    /// A value that no variable can have.
    pub(super) fn unreadable(&self, found: &Found, address: &Address, why: &InvalidValue) -> StoreError {
        let message = format!("what stands there in {} is no value: {why}", found.name);
        self.error(ErrorKind::Damaged, message).at(address).hint("correct it where it was written")
    }
}

/// What one batch brought.
#[derive(Debug, Default)]
struct Batch {
    found: BTreeMap<String, Found>,
    absent: Vec<String>,
}
