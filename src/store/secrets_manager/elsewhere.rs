//! A secret that others keep and rotate: RDS's master password, what a rotation function of AWS writes.
//!
//! Owns the reading of it. It never writes there.

use super::CURRENT;
use super::json_document::Document;
use crate::secret::Secret;
use crate::store::aws::{Aws, Family, Request};
use crate::store::{ErrorKind, StoreError};

const GET: &str = "secretsmanager:GetSecretValue";

/// The values of some members of a secret's JSON object, in the order in which they are named; what is absent, `null` or
/// empty is refused by its name. A number is its digits.
pub async fn members(aws: &Aws, arn: &str, names: &[&str]) -> Result<Vec<Secret>, StoreError> {
    let location = format!("the secret {arn}");
    let clients = aws.clients().await?;
    let answer = aws
        .call(&Request::read(GET, Family::SecretReads), || {
            clients.secrets_manager.get_secret_value().secret_id(arn).version_stage(CURRENT).send()
        })
        .await;
    let answer = answer.map_err(|failure| match failure.is("ResourceNotFoundException") {
        true => StoreError::new(ErrorKind::Failed, &location, "it is not there")
            .hint("the RDS console shows the ARN of the secret that it manages, under Configuration"),
        false => failure.at(&location, GET, arn),
    })?;
    let unread = |why: &str| StoreError::new(ErrorKind::Damaged, &location, why.to_owned());
    let text = answer.secret_string.ok_or_else(|| unread("it is binary, and no JSON object"))?;
    let text = Secret::new(text).map_err(|error| unread(&error.to_string()))?;
    let document = Document::parse(text).map_err(|error| unread(&error.to_string()))?;
    let mut values = Vec::new();
    for name in names {
        let value = document.value(name).map_err(|error| unread(&error.to_string()))?;
        let value = value.map(|(value, _)| value).filter(|value| !value.is_empty());
        values.push(value.ok_or_else(|| {
            unread(&format!("it has no `{name}`"))
                .hint("`keys` of the rotation says which member each key gets")
        })?);
    }
    Ok(values)
}
