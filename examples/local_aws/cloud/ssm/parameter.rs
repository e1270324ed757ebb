//! One parameter with its versions, and how AWS shows them.

use super::super::Realm;
use super::super::Refusal;
use super::super::json::seconds;
use super::{arn, not_found};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) tags: BTreeMap<String, String>,
    /// Oldest first, never empty.
    pub(super) versions: Vec<Version>,
}

#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) number: i64,
    pub(super) value: String,
    pub(super) kind: String,
    /// As the writer named it; only a SecureString has one.
    pub(super) key: Option<String>,
    pub(super) tier: String,
    pub(super) description: Option<String>,
    pub(super) at: Timestamp,
    pub(super) by: String,
    pub(super) labels: Vec<String>,
}

impl Parameter {
    pub(super) fn newest(&self) -> &Version {
        self.versions.last().expect("a parameter has a version from the start")
    }

    /// The version that `:3` or `:label` selects, the newest without.
    pub(super) fn selected(&self, selector: Option<&str>) -> Result<&Version, Refusal> {
        let Some(selector) = selector else { return Ok(self.newest()) };
        let found = match selector.parse::<i64>() {
            Ok(number) => self.versions.iter().find(|version| version.number == number),
            Err(_) => self.versions.iter().find(|version| version.labels.iter().any(|own| own == selector)),
        };
        found.ok_or_else(|| version_not_found(&self.name, selector))
    }

    /// As GetParameter and its relatives show a version.
    pub(super) fn shown(
        &self,
        realm: &Realm,
        version: &Version,
        selector: Option<&str>,
        sight: Sight,
    ) -> Value {
        let mut shown = json!({
            "Name": self.name,
            "Type": version.kind,
            "Value": version.seen(sight),
            "Version": version.number,
            "LastModifiedDate": seconds(version.at),
            "ARN": arn(realm, &self.name),
            "DataType": "text",
        });
        if let Some(selector) = selector {
            shown["Selector"] = Value::from(format!(":{selector}"));
        }
        shown
    }

    /// As DescribeParameters and GetParameterHistory show a version, without its value.
    pub(super) fn described(&self, version: &Version) -> Value {
        let mut described = json!({
            "Name": self.name,
            "Type": version.kind,
            "LastModifiedDate": seconds(version.at),
            "LastModifiedUser": version.by,
            "Version": version.number,
            "Tier": version.tier,
            "Policies": [],
            "DataType": "text",
        });
        for (name, value) in [("KeyId", &version.key), ("Description", &version.description)] {
            if let Some(value) = value {
                described[name] = Value::from(value.as_str());
            }
        }
        described
    }
}

/// Whether a SecureString is decrypted for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    Plain,
    Encrypted,
}

impl Version {
    pub(super) fn seen(&self, sight: Sight) -> String {
        if self.key.is_none() || sight == Sight::Plain {
            return self.value.clone();
        }
        let mut hasher = DefaultHasher::new();
        (&self.value, &self.key, self.number).hash(&mut hasher);
        format!("AQICAHinventedCiphertext{:016x}==", hasher.finish())
    }
}

pub(super) fn version_not_found(name: &str, selector: &str) -> Refusal {
    let message = format!(
        "Systems Manager could not find version {selector} of {name}. Verify the version and try again."
    );
    Refusal::new("ParameterVersionNotFound", message)
}

/// A name and the selector behind its colon. An ARN's own colons are no selector.
pub(super) fn split(name: &str) -> Result<(&str, Option<&str>), Refusal> {
    let start = if name.starts_with("arn:") { name.find(":parameter").ok_or_else(not_found)? + 1 } else { 0 };
    match name[start..].split_once(':') {
        Some((bare, selector)) => Ok((&name[..start + bare.len()], Some(selector))),
        None => Ok((name, None)),
    }
}
