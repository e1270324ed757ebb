//! The actions that write a value: a new secret, a new version, another description or key.

use super::super::json::{Arguments, constraint, invalid};
use super::super::{Refusal, Visit};
use super::secret::{Content, Secret};
use super::{CURRENT, SecretsManager, VALIDATION, bad_parameter, may_use_key};
use serde_json::{Value, json};

const KEY_TO_WRITE: &[&str] = &["kms:GenerateDataKey", "kms:Decrypt"];

impl SecretsManager {
    pub(super) fn create(&mut self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&[
            "Name",
            "ClientRequestToken",
            "Description",
            "KmsKeyId",
            "SecretString",
            "SecretBinary",
            "Tags",
        ])?;
        let name = arguments.required("Name")?;
        check_name(name)?;
        let (content, token) = (Content::read(arguments)?, token(arguments)?);
        let tags = arguments.tags("Tags")?;
        self.may(visit, "CreateSecret", name)?;
        if !tags.is_empty() {
            self.may(visit, "TagResource", name)?;
        }
        if let Some(existing) = self.secrets.get(name) {
            return recreated(existing, &token, content.as_ref());
        }
        let key = arguments.text("KmsKeyId")?;
        let mut secret = Secret {
            name: name.to_owned(),
            arn: format!("{}{name}-{}", self.prefix(), suffix()),
            description: arguments.text("Description")?.map(str::to_owned),
            key: key.map(str::to_owned),
            tags,
            created: visit.at,
            changed: visit.at,
            deletion: None,
            versions: Vec::new(),
        };
        let mut answer = json!({"ARN": secret.arn, "Name": name});
        may_use_key(visit, KEY_TO_WRITE, key, VALIDATION)?;
        if let Some(content) = content {
            may_use_key(visit, KEY_TO_WRITE, key, &secret.arn)?;
            secret.add(&token, content, &[CURRENT.to_owned()], visit.at)?;
            answer["VersionId"] = Value::from(token);
        }
        self.secrets.insert(name.to_owned(), secret);
        Ok(answer)
    }

    pub(super) fn put(&mut self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&[
            "SecretId",
            "ClientRequestToken",
            "SecretString",
            "SecretBinary",
            "VersionStages",
        ])?;
        let id = arguments.required("SecretId")?;
        let content = Content::read(arguments)?;
        let content = content.ok_or_else(|| {
            Refusal::new("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
        })?;
        let (token, mut labels) = (token(arguments)?, stages(arguments)?);
        let secret = self.usable(visit, "PutSecretValue", id)?;
        may_use_key(visit, KEY_TO_WRITE, secret.key.as_deref(), &secret.arn)?;
        if let Some(version) = secret.version(&token) {
            if version.content != content {
                return Err(token_in_use(&token, &secret.name));
            }
            let labels = version.labels.clone();
            return Ok(
                json!({"ARN": secret.arn, "Name": secret.name, "VersionId": token, "VersionStages": labels}),
            );
        }
        if secret.versions.is_empty() && !labels.iter().any(|label| label == CURRENT) {
            labels.push(CURRENT.to_owned());
        }
        let others = secret.versions.iter().flat_map(|version| &version.labels);
        if others.filter(|own| !labels.contains(own)).count() + labels.len() > 20 {
            let message = "A secret can have at most 20 staging labels.";
            return Err(Refusal::new("LimitExceededException", message));
        }
        secret.add(&token, content, &labels, visit.at)?;
        Ok(json!({"ARN": secret.arn, "Name": secret.name, "VersionId": token, "VersionStages": labels}))
    }

    pub(super) fn update(&mut self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&[
            "SecretId",
            "ClientRequestToken",
            "Description",
            "KmsKeyId",
            "SecretString",
            "SecretBinary",
        ])?;
        let id = arguments.required("SecretId")?;
        let (content, token) = (Content::read(arguments)?, token(arguments)?);
        let (description, key) = (arguments.text("Description")?, arguments.text("KmsKeyId")?);
        let secret = self.usable(visit, "UpdateSecret", id)?;
        if content.is_some() && secret.version(&token).is_some() {
            return Err(token_in_use(&token, &secret.name));
        }
        may_use_key(visit, KEY_TO_WRITE, key, VALIDATION)?;
        if content.is_some() || key.is_some() {
            may_use_key(visit, KEY_TO_WRITE, key.or(secret.key.as_deref()), &secret.arn)?;
        }
        let mut answer = json!({"ARN": secret.arn, "Name": secret.name});
        if let Some(content) = content {
            secret.add(&token, content, &[CURRENT.to_owned()], visit.at)?;
            answer["VersionId"] = Value::from(token);
        }
        secret.description = description.map(str::to_owned).or(secret.description.take());
        secret.key = key.map(str::to_owned).or(secret.key.take());
        secret.changed = visit.at;
        Ok(answer)
    }
}

/// The name is taken: an error, unless it is the same request again.
fn recreated(existing: &Secret, token: &str, content: Option<&Content>) -> Result<Value, Refusal> {
    if existing.deletion.is_some() {
        return Err(Refusal::new(
            "InvalidRequestException",
            "You can't create this secret because a secret with this name is already scheduled for deletion.",
        ));
    }
    match existing.version(token) {
        Some(version) if Some(&version.content) == content => {
            Ok(json!({"ARN": existing.arn, "Name": existing.name, "VersionId": token}))
        }
        Some(_) => Err(token_in_use(token, &existing.name)),
        None => {
            let message =
                format!("The operation failed because the secret {} already exists.", existing.name);
            Err(Refusal::new("ResourceExistsException", message))
        }
    }
}

fn token_in_use(token: &str, name: &str) -> Refusal {
    let message = format!(
        "You can't use ClientRequestToken {token} because that value is already in use for a version of secret {name}."
    );
    Refusal::new("ResourceExistsException", message)
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
    if name.is_empty() || !name.chars().all(allowed) {
        return Err(invalid(
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
        ));
    }
    if name.len() > 512 {
        return Err(constraint("Name", name, "length less than or equal to 512"));
    }
    Ok(())
}

/// The token that becomes a version's ID; every SDK sends one.
fn token(arguments: &Arguments) -> Result<String, Refusal> {
    match arguments.text("ClientRequestToken")? {
        Some(token) if (32..=64).contains(&token.len()) => Ok(token.to_owned()),
        Some(_) => Err(bad_parameter("ClientRequestToken must be 32-64 characters long.")),
        None => {
            Err(bad_parameter("You must provide a ClientRequestToken value. We recommend a UUID-type value."))
        }
    }
}

fn stages(arguments: &Arguments) -> Result<Vec<String>, Refusal> {
    let stages = arguments.texts("VersionStages")?.unwrap_or_else(|| vec![CURRENT.to_owned()]);
    if stages.is_empty() || stages.len() > 20 {
        return Err(constraint("VersionStages", stages.len(), "length between 1 and 20"));
    }
    match stages.iter().find(|stage| stage.is_empty() || stage.len() > 256) {
        Some(stage) => Err(constraint("VersionStages", stage, "length between 1 and 256")),
        None => Ok(stages),
    }
}

/// Six letters and digits, other ones each time.
fn suffix() -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let random = uuid::Uuid::new_v4().into_bytes();
    random[..6].iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
}
