//! A secret's first version and its end: created, restored, filled, scheduled for deletion.
//!
//! Owns what strongroom may delete: what it created, which the secret's tags say, and only once it holds nothing. AWS
//! creates and deletes without a condition, so each is looked at again where somebody may have come between.

use super::read::Which;
use super::text::{self, Form, Text};
use super::write::{Made, Missed, Swap, token, values};
use super::{CURRENT, SecretsManager};
use crate::snapshot::Version;
use crate::store::aws::{Again, Family, MANAGED_BY, Reach, Request, created_tags};
use crate::store::{ErrorKind, StoreError};
use aws_sdk_secretsmanager::operation::RequestId;
use aws_sdk_secretsmanager::types::Tag;
use std::collections::BTreeMap;
use tracing::debug;

const CREATE: &str = "secretsmanager:CreateSecret";
const DELETE: &str = "secretsmanager:DeleteSecret";
const RESTORE: &str = "secretsmanager:RestoreSecret";
/// How many days a deleted secret can be restored.
pub(super) const RECOVERY: i64 = 30;
/// Whether the tags are those of a secret that strongroom created.
pub(super) fn is_ours(tags: &BTreeMap<String, String>) -> bool {
    tags.get(MANAGED_BY.0).is_some_and(|by| by == MANAGED_BY.1)
}

impl SecretsManager {
    pub(super) async fn create(&self, swap: Swap<'_>) -> Result<Made, Missed> {
        let name = swap.name;
        let after = text::changed(swap.form, None, swap.changes);
        let Some(after) = after.filter(|text| !text.is_empty()) else { return Ok((None, None)) };
        if self.seen.leaving(name).is_some() {
            return self.revive(swap).await;
        }
        let clients = self.aws.clients().await?;
        let values = values(&after, swap.changes);
        let token = token(swap.operation, name, None, 0);
        let request =
            Request { action: CREATE, family: Family::SecretWrites, again: Again::Always, values: &values };
        let answer = self.aws.call(&request, || {
            let call = clients.secrets_manager.create_secret().name(name).client_request_token(&token);
            let call =
                call.set_kms_key_id(self.aws.settings().kms_key.clone()).set_tags(Some(self.tags(swap)));
            call.secret_string(after.whole().expose()).send()
        });
        match answer.await {
            Ok(answer) => {
                let request = answer.request_id().map(str::to_owned);
                let version = Version(answer.version_id.unwrap_or(token));
                self.seen.wrote(name, None, Some(version.clone()));
                self.seen.is_ours(name, true);
                Ok((Some(version), request))
            }
            Err(failure) if failure.is("ResourceExistsException") => {
                match self.get(name, Which::Labelled(CURRENT)).await? {
                    Some(found) if found.version.0 == token => Ok((Some(found.version), None)),
                    Some(_) => Err(self.conflict(name).into()),
                    None if self.seen.leaving(name).is_some() => self.revive(swap).await,
                    None => self.fill(swap, &after).await,
                }
            }
            Err(failure) if failure.is("InvalidRequestException") => match self.describe(name).await? {
                Some(description) if description.leaving.is_some() => self.revive(swap).await,
                _ => Err(self.failed(failure, CREATE, name).into()),
            },
            Err(failure) => {
                let unheard = failure.reach == Reach::Unknown;
                let error = self.failed(failure, CREATE, name);
                Err(if unheard { Missed::Unheard(error) } else { Missed::Refused(error) })
            }
        }
    }

    /// Gives a secret that was created without a value its first one.
    async fn fill(&self, swap: Swap<'_>, text: &Text) -> Result<Made, Missed> {
        let (version, labels) = self.put(swap, None, text).await?;
        let request = match labels.iter().any(|label| label == CURRENT) {
            true => None,
            false => self.promote(swap.name, None, &version).await?,
        };
        self.seen.wrote(swap.name, None, Some(version.clone()));
        Ok((Some(version), request))
    }

    /// Takes a secret back that is scheduled for deletion, and makes the changes of what it holds then.
    async fn revive(&self, swap: Swap<'_>) -> Result<Made, Missed> {
        self.restore(swap.name).await?;
        // From here on something has changed, whatever else fails: it is back.
        self.revived(swap)
            .await
            .map_err(|(Missed::Refused(error) | Missed::Unheard(error))| Missed::Unheard(error))
    }

    async fn revived(&self, swap: Swap<'_>) -> Result<Made, Missed> {
        match self.get(swap.name, Which::Labelled(CURRENT)).await? {
            Some(found) => {
                let wanted = text::changed(swap.form, Some(&self.text(swap.form, &found)?), swap.changes);
                let same = wanted.zip(found.text.as_ref());
                if same.is_some_and(|(wanted, text)| wanted.whole().same_as(text)) {
                    return Ok((Some(found.version), None));
                }
                Box::pin(self.change(swap, &found)).await
            }
            None => match text::changed(swap.form, None, swap.changes) {
                Some(text) => self.fill(swap, &text).await,
                None => Ok((None, None)),
            },
        }
    }

    async fn restore(&self, name: &str) -> Result<(), StoreError> {
        let clients = self.aws.clients().await?;
        let request =
            Request { action: RESTORE, family: Family::SecretWrites, again: Again::Always, values: &[] };
        let answer =
            self.aws.call(&request, || clients.secrets_manager.restore_secret().secret_id(name).send());
        answer.await.map_err(|failure| self.failed(failure, RESTORE, name))?;
        self.seen.leaves(name, None);
        Ok(())
    }

    /// Schedules a secret for deletion that holds nothing any more. Where somebody has put something into it since, it
    /// stays; where AWS does not let us, it stays too, and holds nothing.
    pub(super) async fn retire(&self, name: &str, emptied: &Version) -> Result<(), Missed> {
        match self.delete(name).await {
            Ok(()) => self.gone_or_back(name, emptied).await.map(drop),
            Err(Missed::Refused(error) | Missed::Unheard(error)) => {
                debug!(%error, "an empty document stays");
                Ok(())
            }
        }
    }

    /// Schedules a document for deletion that this process has read at that version, and that holds nothing.
    pub(super) async fn bury(&self, name: &str, version: &Version) -> Result<(), StoreError> {
        let Some(found) = self.seen.at(name, version) else { return Ok(()) };
        let is_empty = self.text(Form::Document, &found).is_ok_and(|text| text.is_empty());
        if !is_empty || !self.is_ours(name).await? {
            return Ok(());
        }
        match self.retire(name, version).await {
            Ok(()) => Ok(()),
            Err(Missed::Refused(error) | Missed::Unheard(error)) => Err(error),
        }
    }

    /// Schedules the secret of a single value for deletion.
    pub(super) async fn remove(&self, name: &str, base: &Version) -> Result<Made, Missed> {
        let description = self.describe(name).await?;
        if description.as_ref().and_then(|description| description.current.as_ref()) != Some(base)
            || description.is_some_and(|description| description.leaving.is_some())
        {
            return Err(self.conflict(name).into());
        }
        if self.seen.ours(name) != Some(true) {
            return Err(self.not_ours(name).into());
        }
        self.delete(name).await?;
        if !self.gone_or_back(name, base).await? {
            return Err(self.conflict(name).into());
        }
        self.seen.wrote(name, Some(base.clone()), None);
        Ok((None, None))
    }

    async fn delete(&self, name: &str) -> Result<(), Missed> {
        let clients = self.aws.clients().await?;
        let request =
            Request { action: DELETE, family: Family::SecretWrites, again: Again::IfRefused, values: &[] };
        let answer = self.aws.call(&request, || {
            let call = clients.secrets_manager.delete_secret().secret_id(name);
            call.recovery_window_in_days(RECOVERY).send()
        });
        match answer.await {
            Ok(_) => Ok(()),
            Err(failure) => {
                let unheard = failure.reach == Reach::Unknown;
                let error = self.failed(failure, DELETE, name);
                Err(if unheard { Missed::Unheard(error) } else { Missed::Refused(error) })
            }
        }
    }

    /// AWS deletes without looking. So we look behind it, and take a secret back into which somebody put another version
    /// just before.
    async fn gone_or_back(&self, name: &str, last: &Version) -> Result<bool, Missed> {
        let description = self.describe(name).await.map_err(Missed::Unheard)?;
        match description {
            Some(description) if description.current.as_ref() != Some(last) => {
                self.restore(name).await.map_err(Missed::Unheard)?;
                Ok(false)
            }
            _ => Ok(true),
        }
    }

    /// Whether strongroom created a secret: it says so in the secret's tags.
    pub(super) async fn is_ours(&self, name: &str) -> Result<bool, StoreError> {
        match self.seen.ours(name) {
            Some(ours) => Ok(ours),
            None => Ok(self.describe(name).await?.is_some_and(|description| is_ours(&description.tags))),
        }
    }

    /// The tags of a secret that is created. Those of a key are a secret's where it holds nothing else.
    fn tags(&self, swap: Swap<'_>) -> Vec<Tag> {
        let single = swap.form == Form::Value;
        let keys = swap.changes.iter().filter_map(|change| self.manifest.key(&change.address));
        let narrower = keys.filter(|_| single).flat_map(|key| key.tags.clone());
        let tags = created_tags(&self.manifest, &self.environment, narrower);
        tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
    }

    pub(super) fn not_ours(&self, name: &str) -> StoreError {
        let message = format!("{name} was not created by strongroom, which deletes only what it created");
        self.error(ErrorKind::Invalid, message).hint(format!(
            "`aws secretsmanager delete-secret --secret-id {name}` deletes it; it can be restored for {RECOVERY} days"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tag_of_strongroom_makes_a_secret_ours() {
        let tags = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        assert!(is_ours(&tags(&[("managed-by", "strongroom"), ("team", "web")])));
        assert!(!is_ours(&tags(&[("managed-by", "terraform")])));
        assert!(!is_ours(&tags(&[])));
    }
}
