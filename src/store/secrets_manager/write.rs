//! Changing a secret by compare-and-swap: a new version is put beside the present one, and then the label that counts is
//! moved from exactly the version that the plan was made against.
//!
//! Owns the order of the calls, what each failure of them means, and the tokens by which AWS knows a repeated call.
//! Nothing counts before the label moves, so a version that was put and not promoted changed nothing.

use super::read::Which;
use super::text::{self, Form, Found, Text};
use super::{CURRENT, SecretsManager, WRITTEN};
use crate::plan::{Change, Want};
use crate::secret::Secret;
use crate::snapshot::Version;
use crate::store::aws::{Again, Family, Reach, Request};
use crate::store::{ErrorKind, OperationId, StoreError};
use aws_sdk_secretsmanager::operation::RequestId;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tracing::debug;

const PUT: &str = "secretsmanager:PutSecretValue";
const MOVE: &str = "secretsmanager:UpdateSecretVersionStage";
/// How many texts one operation can make of one version.
const TOKENS: u32 = 8;

/// A write that was not made, or of which that is not known.
#[derive(Debug)]
pub(super) enum Missed {
    Refused(StoreError),
    Unheard(StoreError),
}

impl From<StoreError> for Missed {
    fn from(error: StoreError) -> Missed {
        Missed::Refused(error)
    }
}

/// The version that counts now, and AWS's name for the call that made it so.
pub(super) type Made = (Option<Version>, Option<String>);

/// One write of one secret.
#[derive(Clone, Copy)]
pub(super) struct Swap<'a> {
    pub(super) name: &'a str,
    pub(super) form: Form,
    pub(super) operation: &'a OperationId,
    pub(super) changes: &'a [Change],
}

impl SecretsManager {
    /// Makes the changes of one secret, if `base` is the version that counts there.
    pub(super) async fn swap(
        &self,
        name: &str,
        base: Option<&Version>,
        operation: &OperationId,
        changes: &[Change],
    ) -> Result<Made, Missed> {
        self.refuse_impossible(name, changes)?;
        let form = self.form_of(&changes[0].address.group);
        let swap = Swap { name, form, operation, changes };
        match self.at_base(name, base).await? {
            Some(found) => self.change(swap, &found).await,
            None => self.create(swap).await,
        }
    }

    /// The secret as it was when the plan was made: remembered, or read again.
    pub(super) async fn at_base(
        &self,
        name: &str,
        base: Option<&Version>,
    ) -> Result<Option<Arc<Found>>, StoreError> {
        let Some(base) = base else { return Ok(None) };
        if let Some(known) = self.seen.at(name, base) {
            return Ok(Some(known));
        }
        match self.get(name, Which::Labelled(CURRENT)).await? {
            Some(found) if found.version == *base => Ok(Some(Arc::new(found))),
            _ => Err(self.conflict(name)),
        }
    }

    pub(super) async fn change(&self, swap: Swap<'_>, found: &Found) -> Result<Made, Missed> {
        let (name, base) = (swap.name, &found.version);
        let before = self.text(swap.form, found)?;
        let Some(after) = text::changed(swap.form, Some(&before), swap.changes) else {
            return self.remove(name, base).await;
        };
        let ends = after.is_empty() && self.is_ours(name).await?;
        let earlier = if ends { None } else { self.earlier(swap, base, &after).await? };
        let to = match earlier {
            Some(version) => version,
            None => self.put(swap, Some(base), &after).await?.0,
        };
        let request = self.promote(name, Some(base), &to).await?;
        self.seen.wrote(name, Some(base.clone()), Some(to.clone()));
        if ends {
            self.retire(name, &to).await?;
        }
        Ok((Some(to), request))
    }

    /// The version of before that the wanted values are known to be of, if it says exactly what is wanted.
    async fn earlier(
        &self,
        swap: Swap<'_>,
        base: &Version,
        after: &Text,
    ) -> Result<Option<Version>, StoreError> {
        let mut known = swap.changes.iter().filter_map(|change| match &change.after {
            Want::Present(wanted) => Some(wanted.was.as_ref()),
            Want::Absent => None,
        });
        let Some(Some(version)) = known.next() else { return Ok(None) };
        if version == base || known.any(|other| other != Some(version)) {
            return Ok(None);
        }
        let Some(found) = self.get(swap.name, Which::Version(version)).await? else { return Ok(None) };
        let Ok(text) = self.text(swap.form, &found) else { return Ok(None) };
        Ok(text.says_as(after, swap.changes).then_some(found.version))
    }

    /// Puts a version beside the present one, and tells it with its labels. It counts only once it is promoted.
    pub(super) async fn put(
        &self,
        swap: Swap<'_>,
        base: Option<&Version>,
        text: &Text,
    ) -> Result<(Version, Vec<String>), Missed> {
        let clients = self.aws.clients().await?;
        let values = values(text, swap.changes);
        // AWS knows a repetition by its token, and nothing is in force by it.
        let request =
            Request { action: PUT, family: Family::SecretWrites, again: Again::Always, values: &values };
        for attempt in 0..TOKENS {
            let token = token(swap.operation, swap.name, base, attempt);
            let answer = self.aws.call(&request, || {
                let call = clients.secrets_manager.put_secret_value().secret_id(swap.name);
                let call = call.client_request_token(&token).version_stages(WRITTEN);
                call.secret_string(text.whole().expose()).send()
            });
            match answer.await {
                Ok(answer) => {
                    let version = Version(answer.version_id.unwrap_or(token));
                    return Ok((version, answer.version_stages.unwrap_or_default()));
                }
                // This operation has made another text of the same version before; that one stays what it is.
                Err(failure) if failure.is("ResourceExistsException") => {}
                Err(failure) if failure.is("ResourceNotFoundException") => {
                    return Err(self.conflict(swap.name).into());
                }
                Err(failure) => {
                    let unheard = base.is_none() && failure.reach == Reach::Unknown;
                    let error = self.failed(failure, PUT, swap.name);
                    return Err(if unheard { Missed::Unheard(error) } else { Missed::Refused(error) });
                }
            }
        }
        let message = format!("{} has too many versions of this operation", swap.name);
        Err(self.error(ErrorKind::Failed, message).into())
    }

    /// Makes a version the one that counts, if `from` is the one that does.
    pub(super) async fn promote(
        &self,
        name: &str,
        from: Option<&Version>,
        to: &Version,
    ) -> Result<Option<String>, Missed> {
        let clients = self.aws.clients().await?;
        let request =
            Request { action: MOVE, family: Family::SecretWrites, again: Again::IfRefused, values: &[] };
        let answer = self.aws.call(&request, || {
            let call = clients.secrets_manager.update_secret_version_stage().secret_id(name);
            let call = call.version_stage(CURRENT).move_to_version_id(&to.0);
            call.set_remove_from_version_id(from.map(|version| version.0.clone())).send()
        });
        match answer.await {
            Ok(answer) => Ok(answer.request_id().map(str::to_owned)),
            Err(failure) if failure.is("InvalidParameterException") => {
                match self.get(name, Which::Labelled(CURRENT)).await? {
                    // An earlier call of ours, whose answer was lost.
                    Some(found) if found.version == *to => Ok(None),
                    Some(found) if Some(&found.version) == from => {
                        Err(Missed::Unheard(self.failed(failure, MOVE, name)))
                    }
                    _ => {
                        self.abandon(name, to).await;
                        Err(self.conflict(name).into())
                    }
                }
            }
            Err(failure) if failure.is("ResourceNotFoundException") => Err(self.conflict(name).into()),
            Err(failure) => {
                let unheard = failure.reach == Reach::Unknown;
                let error = self.failed(failure, MOVE, name);
                Err(if unheard { Missed::Unheard(error) } else { Missed::Refused(error) })
            }
        }
    }

    /// Takes our label off a version that will never count, so that AWS may forget it. It does no harm where that fails.
    async fn abandon(&self, name: &str, version: &Version) {
        let Ok(clients) = self.aws.clients().await else { return };
        let request =
            Request { action: MOVE, family: Family::SecretWrites, again: Again::Always, values: &[] };
        let answer = self.aws.call(&request, || {
            let call = clients.secrets_manager.update_secret_version_stage().secret_id(name);
            call.version_stage(WRITTEN).remove_from_version_id(&version.0).send()
        });
        if let Err(failure) = answer.await {
            debug!(code = failure.code.as_deref(), "a version that never counted keeps its label");
        }
    }

    pub(super) fn conflict(&self, name: &str) -> StoreError {
        let message = format!("somebody else changed {name} after the plan was made");
        self.error(ErrorKind::Conflict, message).hint("look at what is there now, and run the command again")
    }
}

/// The values that a call carries, which no message may repeat.
pub(super) fn values<'a>(text: &'a Text, changes: &'a [Change]) -> Vec<&'a Secret> {
    let changed = changes.iter().filter_map(|change| Some(text::wanted(change)?.1));
    std::iter::once(text.whole()).chain(changed).collect()
}

/// The token of a call, which becomes the version's ID: the same for each repetition of a step of an operation, and not
/// made of any value, as everybody who may list versions sees it.
pub(super) fn token(operation: &OperationId, name: &str, base: Option<&Version>, attempt: u32) -> String {
    let base = base.map_or("", |version| &version.0);
    let digest = Sha256::digest(format!("strongroom\n{operation}\n{name}\n{base}\n{attempt}"));
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    // Version 8 of a UUID: made by a rule of one's own.
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_a_step_of_an_operation_and_nothing_of_a_value() {
        let operation = |text| OperationId::parse(text).unwrap();
        let (one, two) = (operation("20260102-030405-abcdef"), operation("20260102-030405-abcdeg"));
        let base = Version("7f3c".to_owned());
        let first = token(&one, "dev-app/prod/app", Some(&base), 0);
        assert_eq!(first, token(&one, "dev-app/prod/app", Some(&base), 0));
        assert!(first.len() == 36, "AWS takes 32 to 64 characters");
        for other in [
            token(&two, "dev-app/prod/app", Some(&base), 0),
            token(&one, "dev-app/prod/database", Some(&base), 0),
            token(&one, "dev-app/prod/app", None, 0),
            token(&one, "dev-app/prod/app", Some(&base), 1),
        ] {
            assert_ne!(first, other);
        }
    }
}
