//! One secret with its versions and their labels.

use super::super::{Refusal, json};
use super::{CURRENT, PREVIOUS};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json as object};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub(super) struct Secret {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) description: Option<String>,
    /// As the writer named it; AWS's own without.
    pub(super) key: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) created: Timestamp,
    pub(super) changed: Timestamp,
    /// When it will be gone, where that was asked for.
    pub(super) deletion: Option<Timestamp>,
    /// In the order in which they were made.
    pub(super) versions: Vec<Version>,
}

#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) id: String,
    pub(super) content: Content,
    /// Without any the version is deprecated.
    pub(super) labels: Vec<String>,
    pub(super) created: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Text(String),
    /// In base64, as it came.
    Binary(String),
}

impl Content {
    /// `SecretString` or `SecretBinary`; both is an error.
    pub(super) fn read(arguments: &json::Arguments) -> Result<Option<Content>, Refusal> {
        let content = match (arguments.text("SecretString")?, arguments.text("SecretBinary")?) {
            (Some(_), Some(_)) => {
                return Err(super::bad_parameter(
                    "You can't specify both a binary secret value and a string.",
                ));
            }
            (Some(text), None) => (Content::Text(text.to_owned()), text.len()),
            // Four characters are three bytes.
            (None, Some(binary)) => (Content::Binary(binary.to_owned()), binary.len() / 4 * 3),
            (None, None) => return Ok(None),
        };
        match content {
            (_, 0) => Err(super::bad_parameter("You must provide either SecretString or SecretBinary.")),
            (content, 1..=65_536) => Ok(Some(content)),
            _ => Err(json::constraint("SecretString", "…", "length less than or equal to 65536")),
        }
    }
}

impl Secret {
    pub(super) fn labelled(&self, label: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.labels.iter().any(|own| own == label))
    }

    pub(super) fn version(&self, id: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.id == id)
    }

    /// Moves a label, or takes it off. AWSCURRENT leaves AWSPREVIOUS where it was.
    pub(super) fn put_label(&mut self, label: &str, to: Option<&str>) {
        let had = self.labelled(label).map(|version| version.id.clone());
        for version in &mut self.versions {
            version.labels.retain(|own| own != label);
            if Some(version.id.as_str()) == to {
                version.labels.push(label.to_owned());
            }
        }
        if label == CURRENT && had.is_some() && had.as_deref() != to {
            self.put_label(PREVIOUS, had.as_deref());
        }
    }

    /// Adds a version and gives it labels. Of more than about a hundred, those without a label that are older than a day
    /// go; where there are none such the version is refused.
    pub(super) fn add(
        &mut self,
        id: &str,
        content: Content,
        labels: &[String],
        at: Timestamp,
    ) -> Result<(), Refusal> {
        if self.versions.len() >= 100 {
            let day = SignedDuration::from_hours(24);
            let is_old = |version: &Version| at.duration_since(version.created) > day;
            let gone = self.versions.iter().position(|version| version.labels.is_empty() && is_old(version));
            let Some(gone) = gone else {
                let message = "You have reached the maximum number of versions for this secret.";
                return Err(Refusal::new("LimitExceededException", message));
            };
            self.versions.remove(gone);
        }
        self.versions.push(Version { id: id.to_owned(), content, labels: Vec::new(), created: at });
        for label in labels {
            self.put_label(label, Some(id));
        }
        self.changed = at;
        Ok(())
    }

    /// Labelled versions with their labels.
    pub(super) fn stages(&self) -> Value {
        let labelled = self.versions.iter().filter(|version| !version.labels.is_empty());
        labelled.map(|version| (version.id.clone(), Value::from(version.labels.clone()))).collect()
    }

    /// As DescribeSecret and ListSecrets show it; they name the stages differently.
    pub(super) fn described(&self, stages: &str) -> Value {
        let mut described = object!({
            "ARN": self.arn,
            "Name": self.name,
            "CreatedDate": json::seconds(self.created),
            "LastChangedDate": json::seconds(self.changed),
            "Tags": json::tag_list(&self.tags),
        });
        if !self.versions.is_empty() {
            described[stages] = self.stages();
        }
        for (name, value) in [("Description", &self.description), ("KmsKeyId", &self.key)] {
            if let Some(value) = value {
                described[name] = Value::from(value.as_str());
            }
        }
        if let Some(due) = self.deletion {
            described["DeletedDate"] = json::seconds(due);
        }
        described
    }
}
