//! Secrets Manager: secrets with versions, staging labels, tags and a recovery window.
//!
//! Owns what it holds, how a SecretId finds it, and which action is answered where; `secret` has one secret, `write`,
//! `stages`, `lifecycle` and `read` the actions. Rotation, replicas and resource policies are not modelled and refused.

mod lifecycle;
mod read;
mod secret;
mod stages;
mod write;

use super::iam::Principal;
use super::json::Arguments;
use super::service::Service;
use super::{Realm, Refusal, Visit};
use jiff::{SignedDuration, Timestamp};
use secret::{Content, Secret};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

/// What stands for the ARN of a secret when AWS asks KMS whether the caller may use a key that a secret is to have.
const VALIDATION: &str = "RequestToValidateKeyAccess";

/// What Secrets Manager holds, by name.
#[derive(Clone, Default)]
pub(crate) struct SecretsManager {
    pub(super) realm: Realm,
    secrets: BTreeMap<String, Secret>,
}

/// A secret as a test looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeldSecret {
    pub(crate) arn: String,
    /// The text of the version that AWSCURRENT is on.
    pub(crate) text: Option<String>,
    /// Version IDs, in the order in which they were made, with their labels and their text.
    pub(crate) versions: Vec<(String, Vec<String>, Option<String>)>,
    pub(crate) key: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) is_scheduled_for_deletion: bool,
}

impl SecretsManager {
    pub(super) fn answer(
        &mut self,
        action: &str,
        arguments: &Arguments,
        visit: &Visit,
    ) -> Result<Value, Refusal> {
        match action {
            "CreateSecret" => self.create(arguments, visit),
            "PutSecretValue" => self.put(arguments, visit),
            "UpdateSecret" => self.update(arguments, visit),
            "UpdateSecretVersionStage" => self.move_stage(arguments, visit),
            "GetSecretValue" => self.get(arguments, visit),
            "BatchGetSecretValue" => self.get_several(arguments, visit),
            "DescribeSecret" => self.describe(arguments, visit),
            "ListSecrets" => self.list(arguments, visit),
            "ListSecretVersionIds" => self.list_versions(arguments, visit),
            "DeleteSecret" => self.delete(arguments, visit),
            "RestoreSecret" => self.restore(arguments, visit),
            "TagResource" => self.tag(arguments, visit),
            "UntagResource" => self.untag(arguments, visit),
            other => Err(Service::SecretsManager.unknown(other)),
        }
    }

    /// As if its versions had been made so many seconds earlier.
    pub(crate) fn age(&mut self, name: &str, seconds: i64) {
        for version in self.secrets.get_mut(name).into_iter().flat_map(|secret| &mut secret.versions) {
            version.created -= SignedDuration::from_secs(seconds);
        }
    }

    /// Makes a secret of that text, or gives the one there is a new version, with AWS's own key.
    pub(crate) fn seed(&mut self, name: &str, text: &str) {
        let token = uuid::Uuid::new_v4().to_string();
        let exists = self.secrets.contains_key(name);
        let body = if exists {
            json!({"SecretId": name, "SecretString": text, "ClientRequestToken": token})
        } else {
            json!({"Name": name, "SecretString": text, "ClientRequestToken": token})
        };
        let arguments = Arguments::parse(&body.to_string()).expect("it is an object");
        let (keys, caller) = (super::kms::Keys::default(), Principal::administrator(&self.realm));
        let visit = Visit { at: Timestamp::now(), caller: &caller, keys: &keys, pages: super::Pages::Full };
        let done = if exists { self.put(&arguments, &visit) } else { self.create(&arguments, &visit) };
        done.expect("a test seeds what AWS accepts");
    }

    /// The secret of that name or ARN as it is now, also while it waits for its deletion.
    pub(crate) fn held(&self, id: &str) -> Option<HeldSecret> {
        let secret = self.find(id)?;
        let text = |content: &Content| match content {
            Content::Text(text) => Some(text.clone()),
            Content::Binary(_) => None,
        };
        let versions = secret.versions.iter();
        let versions =
            versions.map(|version| (version.id.clone(), version.labels.clone(), text(&version.content)));
        Some(HeldSecret {
            arn: secret.arn.clone(),
            text: secret.labelled(CURRENT).and_then(|version| text(&version.content)),
            versions: versions.collect(),
            key: secret.key.clone(),
            tags: secret.tags.clone(),
            is_scheduled_for_deletion: secret.deletion.is_some(),
        })
    }

    /// The names of all secrets, with those that wait for their deletion.
    pub(crate) fn names(&self) -> Vec<String> {
        self.secrets.keys().cloned().collect()
    }

    /// By name, by ARN, or by an ARN without its last six characters.
    fn find(&self, id: &str) -> Option<&Secret> {
        let Some(rest) = id.strip_prefix(&self.prefix()) else { return self.secrets.get(id) };
        let whole = self.secrets.values().find(|secret| secret.arn == id);
        whole.or_else(|| self.secrets.get(rest))
    }

    fn find_mut(&mut self, id: &str) -> Result<&mut Secret, Refusal> {
        let name = self.find(id).map(|secret| secret.name.clone()).ok_or_else(not_found)?;
        self.secrets.get_mut(&name).ok_or_else(not_found)
    }

    /// What a policy has to allow for a SecretId: the ARN of the secret. Where there is none AWS makes up the end of one.
    fn resource(&self, id: &str) -> String {
        match self.find(id) {
            Some(secret) => secret.arn.clone(),
            None if id.starts_with("arn:") => id.to_owned(),
            None => format!("{}{id}-AbCdEf", self.prefix()),
        }
    }

    fn prefix(&self) -> String {
        self.realm.arn("secretsmanager", "secret:")
    }

    fn may(&self, visit: &Visit, action: &str, id: &str) -> Result<(), Refusal> {
        let action = format!("secretsmanager:{action}");
        visit.caller.may(Service::SecretsManager, &action, &self.resource(id), &[])
    }

    /// Permission, existence, and that it is not scheduled for deletion, in this order.
    fn usable(&mut self, visit: &Visit, action: &str, id: &str) -> Result<&mut Secret, Refusal> {
        self.may(visit, action, id)?;
        let secret = self.find_mut(id)?;
        match secret.deletion {
            Some(_) => Err(marked_for_deletion()),
            None => Ok(secret),
        }
    }
}

/// The permission that a value needs on its key, unless AWS manages that key.
fn may_use_key(visit: &Visit, actions: &[&str], key: Option<&str>, arn: &str) -> Result<(), Refusal> {
    let Some(key) = key.filter(|key| !key.ends_with("alias/aws/secretsmanager")) else { return Ok(()) };
    let is_writing = actions.contains(&"kms:GenerateDataKey");
    let found = visit.keys.usable(key).ok_or_else(|| {
        let (code, verb) =
            if is_writing { ("EncryptionFailure", "encrypt") } else { ("DecryptionFailure", "decrypt") };
        let message =
            format!("Secrets Manager can't {verb} the protected secret text using the provided KMS key.");
        Refusal::new(code, message)
    })?;
    let via = visit.keys.realm.host("secretsmanager");
    let context = [
        ("kms:EncryptionContext:SecretARN", arn),
        ("kms:ViaService", via.as_str()),
        ("kms:ResourceAliases", found.alias.as_str()),
    ];
    for action in actions {
        let allowed = visit.caller.may(Service::SecretsManager, action, &found.arn, &context);
        allowed.map_err(|_| Service::SecretsManager.denied("Access to KMS is not allowed"))?;
    }
    Ok(())
}

fn not_found() -> Refusal {
    Refusal::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

fn bad_parameter(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterException", message)
}

fn marked_for_deletion() -> Refusal {
    Refusal::new(
        "InvalidRequestException",
        "You can't perform this operation on the secret because it was marked for deletion.",
    )
}
