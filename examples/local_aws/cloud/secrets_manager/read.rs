//! The actions that only look: one value, twenty, descriptions, lists.

use super::super::json::{Arguments, constraint, seconds};
use super::super::service::Service;
use super::super::{Refusal, Visit};
use super::secret::{Content, Secret, Version};
use super::{CURRENT, SecretsManager, bad_parameter, marked_for_deletion, may_use_key, not_found};
use serde_json::{Value, json};

impl SecretsManager {
    pub(super) fn get(&self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&["SecretId", "VersionId", "VersionStage"])?;
        let id = arguments.required("SecretId")?;
        self.value(id, arguments.text("VersionId")?, arguments.text("VersionStage")?, visit)
    }

    fn value(
        &self,
        id: &str,
        version: Option<&str>,
        stage: Option<&str>,
        visit: &Visit,
    ) -> Result<Value, Refusal> {
        self.may(visit, "GetSecretValue", id)?;
        let secret = self.find(id).ok_or_else(not_found)?;
        if secret.deletion.is_some() {
            return Err(marked_for_deletion());
        }
        let found = selected(secret, version, stage)?;
        may_use_key(visit, &["kms:Decrypt"], secret.key.as_deref(), &secret.arn)?;
        let mut shown = json!({
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": found.id,
            "VersionStages": found.labels,
            "CreatedDate": seconds(found.created),
        });
        match &found.content {
            Content::Text(text) => shown["SecretString"] = Value::from(text.as_str()),
            Content::Binary(binary) => shown["SecretBinary"] = Value::from(binary.as_str()),
        }
        Ok(shown)
    }

    /// What cannot be read is told beside what can, in an answer that is no error.
    pub(super) fn get_several(&self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&["SecretIdList", "Filters", "MaxResults", "NextToken"])?;
        let filters = Filter::all(arguments)?;
        let size = arguments.number_within("MaxResults", 1, 20)?;
        let everything = |action: &str| visit.caller.may(Service::SecretsManager, action, "*", &[]);
        everything("secretsmanager:BatchGetSecretValue")?;
        let (ids, token) = match (arguments.texts("SecretIdList")?, filters.is_empty()) {
            (Some(ids), true) => {
                if ids.is_empty() || ids.len() > 20 {
                    let bound = "length less than or equal to 20 and greater than or equal to 1";
                    return Err(constraint("SecretIdList", ids.len(), bound));
                }
                if size.is_some() || arguments.text("NextToken")?.is_some() {
                    return Err(bad_parameter("MaxResults and NextToken go with Filters only."));
                }
                (ids, None)
            }
            (None, false) => {
                everything("secretsmanager:ListSecrets")?;
                let found = self.secrets.values().filter(|secret| secret.deletion.is_none());
                let found = found.filter(|secret| passes(&filters, secret));
                let names: Vec<String> = found.map(|secret| secret.name.clone()).collect();
                let (scope, token) = (format!("batch {filters:?}"), arguments.text("NextToken")?);
                let size = size.unwrap_or(20);
                visit.pages.page(names, token, &scope, size).map_err(|_| bad_token())?
            }
            _ => return Err(bad_parameter("Either SecretIdList or Filters must be given, and not both.")),
        };
        let (mut values, mut errors) = (Vec::new(), Vec::new());
        for id in ids {
            match self.value(&id, None, None, visit) {
                Ok(value) => values.push(value),
                Err(Refusal { code, message, .. }) => {
                    errors.push(json!({"SecretId": id, "ErrorCode": code, "Message": message}));
                }
            }
        }
        Ok(with_token(json!({"SecretValues": values, "Errors": errors}), token))
    }

    /// Also tells of a secret that waits for its deletion.
    pub(super) fn describe(&self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&["SecretId"])?;
        let id = arguments.required("SecretId")?;
        self.may(visit, "DescribeSecret", id)?;
        Ok(self.find(id).ok_or_else(not_found)?.described("VersionIdsToStages"))
    }

    pub(super) fn list(&self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&["IncludePlannedDeletion", "MaxResults", "NextToken", "Filters", "SortOrder"])?;
        let (filters, with_deleted) = (Filter::all(arguments)?, arguments.flag("IncludePlannedDeletion")?);
        let size = arguments.number_within("MaxResults", 1, 100)?.unwrap_or(100);
        visit.caller.may(Service::SecretsManager, "secretsmanager:ListSecrets", "*", &[])?;
        let found = self.secrets.values().filter(|secret| with_deleted || secret.deletion.is_none());
        let mut found: Vec<&Secret> = found.filter(|secret| passes(&filters, secret)).collect();
        match arguments.text("SortOrder")? {
            None | Some("asc") => {}
            Some("desc") => found.reverse(),
            Some(other) => return Err(constraint("SortOrder", other, "satisfy enum value set: [asc, desc]")),
        }
        let (scope, token) = (format!("{filters:?} {with_deleted}"), arguments.text("NextToken")?);
        let (page, token) = visit.pages.page(found, token, &scope, size).map_err(|_| bad_token())?;
        let shown: Vec<Value> =
            page.into_iter().map(|secret| secret.described("SecretVersionsToStages")).collect();
        Ok(with_token(json!({"SecretList": shown}), token))
    }

    pub(super) fn list_versions(&self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&["SecretId", "MaxResults", "NextToken", "IncludeDeprecated"])?;
        let id = arguments.required("SecretId")?;
        let size = arguments.number_within("MaxResults", 1, 100)?.unwrap_or(100);
        let with_deprecated = arguments.flag("IncludeDeprecated")?;
        self.may(visit, "ListSecretVersionIds", id)?;
        let secret = self.find(id).ok_or_else(not_found)?;
        let shown = |version: &&Version| with_deprecated || !version.labels.is_empty();
        let versions: Vec<&Version> = secret.versions.iter().filter(shown).collect();
        let (scope, token) = (format!("{id} {with_deprecated}"), arguments.text("NextToken")?);
        let (page, token) = visit.pages.page(versions, token, &scope, size).map_err(|_| bad_token())?;
        let list = page.into_iter().map(|version| {
            json!({"VersionId": version.id, "VersionStages": version.labels, "CreatedDate": seconds(version.created)})
        });
        let answer = json!({"ARN": secret.arn, "Name": secret.name, "Versions": list.collect::<Vec<_>>()});
        Ok(with_token(answer, token))
    }
}

/// The version that an ID and a label name; both have to name the same one.
fn selected<'a>(secret: &'a Secret, id: Option<&str>, stage: Option<&str>) -> Result<&'a Version, Refusal> {
    let missing = |what: String| {
        let message = format!("Secrets Manager can't find the specified secret value for {what}");
        Refusal::new("ResourceNotFoundException", message)
    };
    let Some(id) = id else {
        let stage = stage.unwrap_or(CURRENT);
        return secret.labelled(stage).ok_or_else(|| missing(format!("staging label: {stage}")));
    };
    let version = secret.version(id).ok_or_else(|| missing(format!("VersionId: {id}")))?;
    if stage.is_some_and(|stage| !version.labels.iter().any(|own| own == stage)) {
        let message = "You provided a VersionStage that is not associated to the provided VersionId.";
        return Err(Refusal::new("InvalidRequestException", message));
    }
    Ok(version)
}

/// One of `Filters`; several must all pass. A value that begins with `!` must not fit.
#[derive(Clone, Debug)]
struct Filter {
    key: String,
    values: Vec<String>,
}

impl Filter {
    fn all(arguments: &Arguments) -> Result<Vec<Filter>, Refusal> {
        let filters = arguments.structures("Filters")?;
        if filters.len() > 10 {
            return Err(constraint("Filters", filters.len(), "length less than or equal to 10"));
        }
        filters.iter().map(Filter::read).collect()
    }

    fn read(arguments: &Arguments) -> Result<Filter, Refusal> {
        arguments.only(&["Key", "Values"])?;
        let key = arguments.required("Key")?.to_owned();
        if !["description", "name", "tag-key", "tag-value"].contains(&key.as_str()) {
            return Err(bad_parameter(format!("the filter {key} is not modelled here")));
        }
        let values = arguments.texts("Values")?.unwrap_or_default();
        if values.is_empty() || values.len() > 10 {
            return Err(constraint("Values", values.len(), "length between 1 and 10"));
        }
        Ok(Filter { key, values })
    }

    /// A name and a tag fit by how they begin, in their own case; a description in any.
    fn passes(&self, secret: &Secret) -> bool {
        self.values.iter().any(|value| match value.strip_prefix('!') {
            Some(value) => !self.fits(secret, value),
            None => self.fits(secret, value),
        })
    }

    fn fits(&self, secret: &Secret, value: &str) -> bool {
        match self.key.as_str() {
            "name" => secret.name.starts_with(value),
            "tag-key" => secret.tags.keys().any(|key| key.starts_with(value)),
            "tag-value" => secret.tags.values().any(|own| own.starts_with(value)),
            _ => {
                let own = secret.description.as_deref().unwrap_or_default().to_lowercase();
                own.starts_with(&value.to_lowercase())
            }
        }
    }
}

fn passes(filters: &[Filter], secret: &Secret) -> bool {
    filters.iter().all(|filter| filter.passes(secret))
}

fn with_token(mut answer: Value, token: Option<String>) -> Value {
    if let Some(token) = token {
        answer["NextToken"] = Value::from(token);
    }
    answer
}

fn bad_token() -> Refusal {
    Refusal::new("InvalidNextTokenException", "The specified token is not valid.")
}
