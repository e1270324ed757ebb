//! Deletion with a recovery window, and without; restoring; tags.

use super::super::json::{Arguments, seconds};
use super::super::{Refusal, Visit};
use super::{SecretsManager, bad_parameter, not_found};
use jiff::SignedDuration;
use serde_json::{Value, json};

impl SecretsManager {
    pub(super) fn delete(&mut self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&["SecretId", "RecoveryWindowInDays", "ForceDeleteWithoutRecovery"])?;
        let id = arguments.required("SecretId")?;
        let (days, is_forced) =
            (arguments.number("RecoveryWindowInDays")?, arguments.flag("ForceDeleteWithoutRecovery")?);
        if is_forced && days.is_some() {
            return Err(bad_parameter(
                "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
            ));
        }
        if days.is_some_and(|days| !(7..=30).contains(&days)) {
            return Err(bad_parameter(
                "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
            ));
        }
        self.may(visit, "DeleteSecret", id)?;
        if is_forced {
            let found = self.find(id).map(|secret| (secret.name.clone(), secret.arn.clone()));
            let (name, arn) = found.unwrap_or_else(|| (id.to_owned(), format!("{}{id}", self.prefix())));
            self.secrets.remove(&name);
            return Ok(json!({"ARN": arn, "Name": name, "DeletionDate": seconds(visit.at)}));
        }
        let secret = self.find_mut(id)?;
        if secret.deletion.is_some() {
            return Err(Refusal::new(
                "InvalidRequestException",
                "You can't perform this operation on the secret because it was already scheduled for deletion.",
            ));
        }
        let due = visit.at + SignedDuration::from_hours(24 * days.unwrap_or(30));
        secret.deletion = Some(due);
        Ok(json!({"ARN": secret.arn, "Name": secret.name, "DeletionDate": seconds(due)}))
    }

    /// Restoring what is not scheduled for deletion changes nothing.
    pub(super) fn restore(&mut self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&["SecretId"])?;
        let id = arguments.required("SecretId")?;
        self.may(visit, "RestoreSecret", id)?;
        let secret = self.find_mut(id)?;
        secret.deletion = None;
        Ok(json!({"ARN": secret.arn, "Name": secret.name}))
    }

    /// Secrets whose recovery window is over are gone.
    pub(in super::super) fn expire(&mut self, now: jiff::Timestamp) {
        self.secrets.retain(|_, secret| secret.deletion.is_none_or(|due| due > now));
    }

    pub(super) fn tag(&mut self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&["SecretId", "Tags"])?;
        let (id, tags) = (arguments.required("SecretId")?, arguments.tags("Tags")?);
        let secret = self.usable(visit, "TagResource", id)?;
        let mut merged = secret.tags.clone();
        merged.extend(tags);
        if merged.len() > 50 {
            return Err(Refusal::new("LimitExceededException", "A secret can have at most 50 tags."));
        }
        secret.tags = merged;
        Ok(json!({}))
    }

    pub(super) fn untag(&mut self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&["SecretId", "TagKeys"])?;
        let id = arguments.required("SecretId")?;
        let keys = arguments.texts("TagKeys")?.ok_or_else(not_found)?;
        self.usable(visit, "UntagResource", id)?.tags.retain(|key, _| !keys.contains(key));
        Ok(json!({}))
    }
}
