//! The actions that change something: values, deletions, labels, tags.

use super::super::json::{Arguments, constraint, invalid, tag_list};
use super::super::{Refusal, Visit};
use super::parameter::{Parameter, Version, version_not_found};
use super::{OWN_KEY, Ssm, arn, bare, identity, not_found, rules};
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Ssm {
    pub(super) fn put(&mut self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&[
            "Name",
            "Description",
            "Value",
            "Type",
            "KeyId",
            "Overwrite",
            "Tags",
            "Tier",
            "DataType",
        ])?;
        let name = rules::name(&self.realm, arguments.required("Name")?)?;
        let value = arguments.required("Value")?;
        let (overwrite, tags) = (arguments.flag("Overwrite")?, arguments.tags("Tags")?);
        if overwrite && !tags.is_empty() {
            return Err(invalid(
                "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.",
            ));
        }
        rules::value(value)?;
        if arguments.text("DataType")?.is_some_and(|kind| kind != "text") {
            return Err(invalid("a DataType other than text is not modelled here"));
        }
        self.may(visit, "PutParameter", &name)?;
        if !tags.is_empty() {
            self.may(visit, "AddTagsToResource", &name)?;
        }
        self.check_presence(&name, overwrite, visit)?;
        let version = self.next_version(arguments, &name, value, visit)?;
        let answer = json!({"Version": version.number, "Tier": version.tier});
        self.keep(name, version, tags)?;
        Ok(answer)
    }

    fn check_presence(&self, name: &str, overwrite: bool, visit: &Visit) -> Result<(), Refusal> {
        let exists = self.parameters.contains_key(self.identity(name));
        let deleted = self.deleted.get(self.identity(name)).filter(|_| self.remembers_deletions);
        let is_settling = deleted.is_some_and(|at| visit.at.duration_since(*at).as_secs() < 30);
        if (exists && !overwrite) || (!exists && is_settling) {
            return Err(Refusal::new(
                "ParameterAlreadyExists",
                "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
            ));
        }
        if !exists && self.parameters.len() >= 10_000 {
            let message = "You have exceeded the number of parameters for this AWS account.";
            return Err(Refusal::new("ParameterLimitExceeded", message));
        }
        Ok(())
    }

    /// What the arguments and the newest version make of the next one.
    fn next_version(
        &self,
        arguments: &Arguments,
        name: &str,
        value: &str,
        visit: &Visit,
    ) -> Result<Version, Refusal> {
        let newest = self.parameters.get(self.identity(name)).map(Parameter::newest);
        let kind = match (arguments.text("Type")?, newest) {
            (Some(kind @ ("String" | "StringList" | "SecureString")), _) => kind.to_owned(),
            (Some(other), _) => {
                let bound = "satisfy enum value set: [SecureString, StringList, String]";
                return Err(constraint("Type", other, bound));
            }
            (None, Some(newest)) => newest.kind.clone(),
            (None, None) => {
                return Err(invalid("A parameter type is required when you create a parameter."));
            }
        };
        let tier = rules::tier(arguments.text("Tier")?, newest.map(|own| own.tier.as_str()), value.len())?;
        let key = match (kind.as_str(), arguments.text("KeyId")?) {
            ("SecureString", asked) => {
                // Left out, AWS encrypts with the account's own key, whatever key there was.
                let key = asked.unwrap_or(OWN_KEY);
                let action = if tier == "Standard" { "kms:Encrypt" } else { "kms:GenerateDataKey" };
                self.may_use_key(visit, action, key, name)?;
                Some(key.to_owned())
            }
            (_, None) => None,
            _ => return Err(invalid("KeyId is required for SecureString type parameter only.")),
        };
        let described = arguments.text("Description")?.map(str::to_owned);
        Ok(Version {
            number: newest.map_or(1, |newest| newest.number + 1),
            value: value.to_owned(),
            kind,
            key,
            tier,
            description: described.or_else(|| newest.and_then(|newest| newest.description.clone())),
            at: visit.at,
            by: visit.caller.arn.clone(),
            labels: Vec::new(),
        })
    }

    fn keep(
        &mut self,
        name: String,
        version: Version,
        tags: BTreeMap<String, String>,
    ) -> Result<(), Refusal> {
        let Some(parameter) = self.parameters.get_mut(bare(&name)) else {
            let parameter = Parameter { name: name.clone(), tags, versions: vec![version] };
            self.parameters.insert(bare(&name).to_owned(), parameter);
            return Ok(());
        };
        if parameter.versions.len() >= 100 {
            let oldest = &parameter.versions[0];
            if !oldest.labels.is_empty() {
                let number = oldest.number;
                return Err(Refusal::new(
                    "ParameterMaxVersionLimitExceeded",
                    format!(
                        "You attempted to create a new version of {name} by calling the PutParameter API with the overwrite flag. Version {number}, the oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the parameter, and try again."
                    ),
                ));
            }
            parameter.versions.remove(0);
        }
        if parameter.newest().kind != version.kind {
            self.retyped.push(name);
        }
        parameter.versions.push(version);
        Ok(())
    }

    pub(super) fn delete(&mut self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&["Name"])?;
        let name = arguments.required("Name")?;
        self.may(visit, "DeleteParameter", name)?;
        self.remove(name, visit).map(|()| json!({})).ok_or_else(not_found)
    }

    pub(super) fn delete_several(&mut self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&["Names"])?;
        let names = ten_names(arguments)?;
        for name in &names {
            self.may(visit, "DeleteParameters", name)?;
        }
        let (deleted, invalid): (Vec<String>, Vec<String>) =
            names.into_iter().partition(|name| self.remove(name, visit).is_some());
        Ok(json!({"DeletedParameters": deleted, "InvalidParameters": invalid}))
    }

    fn remove(&mut self, name: &str, visit: &Visit) -> Option<()> {
        self.parameters.remove(identity(&self.realm, name))?;
        self.deleted.insert(identity(&self.realm, name).to_owned(), visit.at);
        Some(())
    }

    pub(super) fn label(&mut self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&["Name", "ParameterVersion", "Labels"])?;
        let name = arguments.required("Name")?;
        self.may(visit, "LabelParameterVersion", name)?;
        let asked = arguments.texts("Labels")?.unwrap_or_default();
        let (labels, invalid): (Vec<String>, Vec<String>) =
            asked.into_iter().partition(|label| rules::is_label(label));
        let parameter = self.parameters.get_mut(identity(&self.realm, name)).ok_or_else(not_found)?;
        let number = arguments.number("ParameterVersion")?.unwrap_or(parameter.newest().number);
        let at = parameter.versions.iter().position(|version| version.number == number);
        let at = at.ok_or_else(|| version_not_found(name, &number.to_string()))?;
        let own = &parameter.versions[at].labels;
        let new = labels.iter().filter(|label| !own.contains(label)).count();
        if own.len() + new > 10 {
            let message = "A parameter version can have a maximum of ten labels.";
            return Err(Refusal::new("ParameterVersionLabelLimitExceeded", message));
        }
        for version in &mut parameter.versions {
            version.labels.retain(|label| !labels.contains(label) || version.number == number);
        }
        let own = &mut parameter.versions[at].labels;
        own.extend(labels.into_iter().filter(|label| !own.contains(label)).collect::<Vec<_>>());
        Ok(json!({"InvalidLabels": invalid, "ParameterVersion": number}))
    }

    pub(super) fn unlabel(&mut self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&["Name", "ParameterVersion", "Labels"])?;
        let name = arguments.required("Name")?;
        self.may(visit, "UnlabelParameterVersion", name)?;
        let asked = arguments.texts("Labels")?.unwrap_or_default();
        let parameter = self.parameters.get_mut(identity(&self.realm, name)).ok_or_else(not_found)?;
        let number =
            arguments.number("ParameterVersion")?.ok_or_else(|| invalid("ParameterVersion is missing"))?;
        let version = parameter.versions.iter_mut().find(|version| version.number == number);
        let version = version.ok_or_else(|| version_not_found(name, &number.to_string()))?;
        let (removed, invalid): (Vec<String>, Vec<String>) =
            asked.into_iter().partition(|label| version.labels.contains(label));
        version.labels.retain(|label| !removed.contains(label));
        Ok(json!({"RemovedLabels": removed, "InvalidLabels": invalid}))
    }

    pub(super) fn add_tags(&mut self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&["ResourceType", "ResourceId", "Tags"])?;
        let tags = arguments.tags("Tags")?;
        let parameter = self.tagged(arguments, "AddTagsToResource", visit)?;
        let mut merged = parameter.tags.clone();
        merged.extend(tags);
        if merged.len() > 50 {
            return Err(Refusal::new("TooManyTagsError", "A parameter can have at most 50 tags."));
        }
        parameter.tags = merged;
        Ok(json!({}))
    }

    pub(super) fn remove_tags(&mut self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&["ResourceType", "ResourceId", "TagKeys"])?;
        let keys = arguments.texts("TagKeys")?.unwrap_or_default();
        self.tagged(arguments, "RemoveTagsFromResource", visit)?.tags.retain(|key, _| !keys.contains(key));
        Ok(json!({}))
    }

    pub(super) fn list_tags(&mut self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&["ResourceType", "ResourceId"])?;
        let parameter = self.tagged(arguments, "ListTagsForResource", visit)?;
        Ok(json!({"TagList": tag_list(&parameter.tags)}))
    }

    fn tagged(
        &mut self,
        arguments: &Arguments,
        action: &str,
        visit: &Visit,
    ) -> Result<&mut Parameter, Refusal> {
        if arguments.required("ResourceType")? != "Parameter" {
            return Err(Refusal::new("InvalidResourceType", "only Parameter is modelled here"));
        }
        let name = arguments.required("ResourceId")?;
        self.may(visit, action, name)?;
        self.parameters.get_mut(identity(&self.realm, name)).ok_or_else(|| {
            Refusal::new(
                "InvalidResourceId",
                format!("The resource ID {:?} is not valid", arn(&self.realm, name)),
            )
        })
    }
}

/// `Names`: one to ten of them.
pub(super) fn ten_names(arguments: &Arguments) -> Result<Vec<String>, Refusal> {
    let names = arguments.texts("Names")?.unwrap_or_default();
    let shown = || format!("[{}]", names.join(", "));
    match names.len() {
        0 => Err(constraint("Names", shown(), "length greater than or equal to 1")),
        1..=10 => Ok(names),
        _ => Err(constraint("Names", shown(), "length less than or equal to 10")),
    }
}
