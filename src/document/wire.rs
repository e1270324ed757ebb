//! The JSON of a document, member by member: the text that is sealed, and what is read of an opened one.
//!
//! Owns the spelling of every member, and that one which this version does not know is passed over. The only place where
//! a value is turned into JSON to be kept.

use super::{Document, DocumentError, FORMAT, Kind, Record, Section, State, VERSION};
use crate::secret::{FingerprintKey, InvalidValue, Secret};
use crate::snapshot::{Attributes, Entry, Held, Past, Setting, Version};
use jiff::Timestamp;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use zeroize::{Zeroize, Zeroizing};

#[derive(Serialize, Deserialize)]
pub(super) struct WireDocument {
    format: String,
    version: u64,
    kind: Kind,
    project: String,
    environment: String,
    created: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fingerprint_key: Option<WireKey>,
    sections: Vec<WireSection>,
}

#[derive(Serialize, Deserialize)]
struct WireSection {
    place: String,
    state: State,
    entries: BTreeMap<String, WireEntry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    options: Option<Vec<WireSetting>>,
}

/// A setting in the words of `aws elasticbeanstalk update-environment --option-settings`.
#[derive(Serialize, Deserialize)]
struct WireSetting {
    #[serde(rename = "Namespace")]
    namespace: String,
    #[serde(rename = "OptionName")]
    name: String,
    #[serde(rename = "Value")]
    value: WireValue,
}

#[derive(Serialize, Deserialize)]
struct WireEntry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<WireValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    history: Vec<WirePast>,
}

#[derive(Serialize, Deserialize)]
struct WirePast {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<WireValue>,
    version: String,
    modified: String,
}

/// A value on its way to or from the JSON text; exists nowhere else.
struct WireValue(Secret);

impl Serialize for WireValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for WireValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<WireValue, D::Error> {
        let text = String::deserialize(deserializer)?;
        Secret::new(text).map(WireValue).map_err(|error: InvalidValue| D::Error::custom(error))
    }
}

/// A fingerprint key as 64 hexadecimal digits.
struct WireKey(FingerprintKey);

impl WireKey {
    fn of(key: &FingerprintKey) -> WireKey {
        WireKey(key.clone())
    }
}

impl Serialize for WireKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text: String = self.0.expose().iter().map(|byte| format!("{byte:02x}")).collect();
        let result = serializer.serialize_str(&text);
        text.zeroize();
        result
    }
}

impl<'de> Deserialize<'de> for WireKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<WireKey, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let bad = || D::Error::custom("a fingerprint key is 64 hexadecimal digits");
        let mut key = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(bad());
        }
        for (index, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(|_| bad())?;
        }
        Ok(WireKey(FingerprintKey::new(key)))
    }
}

impl WireSection {
    fn of(section: &Section) -> WireSection {
        let entries =
            section.records.iter().map(|(address, record)| (address.to_string(), WireEntry::of(record)));
        let options = section.options.as_ref().map(|options| options.iter().map(WireSetting::of).collect());
        let (place, state) = (section.place.clone(), section.state);
        WireSection { place, state, entries: entries.collect(), options }
    }

    fn into_section(self) -> Result<Section, DocumentError> {
        let mut records = BTreeMap::new();
        for (address, entry) in self.entries {
            let address = address.parse().map_err(|_| invalid())?;
            records.insert(address, entry.into_record()?);
        }
        let options =
            self.options.map(|options| options.into_iter().map(WireSetting::into_setting).collect());
        Ok(Section { place: self.place, state: self.state, records, options })
    }
}

impl WireSetting {
    fn of(setting: &Setting) -> WireSetting {
        let Setting { namespace, name, value } = setting.clone();
        WireSetting { namespace, name, value: WireValue(value) }
    }

    fn into_setting(self) -> Setting {
        Setting { namespace: self.namespace, name: self.name, value: self.value.0 }
    }
}

impl WireEntry {
    fn of(record: &Record) -> WireEntry {
        let (mut value, mut reference, mut version, mut modified) = (None, None, None, None);
        let mut attributes = Attributes::new();
        if let Some(entry) = &record.entry {
            match &entry.held {
                Held::Value(secret) => value = Some(WireValue(secret.clone())),
                Held::Reference(name) => reference = Some(name.clone()),
            }
            version = entry.version.as_ref().map(|version| version.0.clone());
            modified = entry.modified.map(|at| at.to_string());
            attributes = entry.attributes.clone();
        } else if let Some((at_version, at)) = &record.absent_since {
            version = Some(at_version.0.clone());
            modified = Some(at.to_string());
        }
        let history = record.history.iter().map(|past| WirePast {
            value: past.value.clone().map(WireValue),
            version: past.version.0.clone(),
            modified: past.modified.to_string(),
        });
        WireEntry { value, reference, version, modified, attributes, history: history.collect() }
    }

    fn into_record(self) -> Result<Record, DocumentError> {
        let modified = self.modified.as_deref().map(timestamp).transpose()?;
        let version = self.version.map(Version);
        let held = match (self.value, self.reference) {
            (Some(_), Some(_)) => return Err(invalid()),
            (Some(value), None) => Some(Held::Value(value.0)),
            (None, Some(name)) => Some(Held::Reference(name)),
            (None, None) => None,
        };
        let mut record = Record::default();
        match held {
            Some(held) => {
                record.entry =
                    Some(Entry { held, version, modified, attributes: self.attributes, arn: None });
            }
            None => record.absent_since = version.zip(modified),
        }
        for past in self.history {
            let (version, modified) = (Version(past.version), timestamp(&past.modified)?);
            record.history.push(Past { value: past.value.map(|value| value.0), version, modified });
        }
        Ok(record)
    }
}

impl WireDocument {
    pub(super) fn of(document: &Document) -> WireDocument {
        WireDocument {
            format: FORMAT.to_owned(),
            version: VERSION,
            kind: document.kind,
            project: document.project.clone(),
            environment: document.environment.clone(),
            created: document.created.to_string(),
            fingerprint_key: document.fingerprint_key.as_ref().map(WireKey::of),
            sections: document.sections.iter().map(WireSection::of).collect(),
        }
    }

    pub(super) fn into_document(self) -> Result<Document, DocumentError> {
        Ok(Document {
            kind: self.kind,
            project: self.project,
            environment: self.environment,
            created: timestamp(&self.created)?,
            fingerprint_key: self.fingerprint_key.map(|key| key.0),
            sections: self.sections.into_iter().map(WireSection::into_section).collect::<Result<_, _>>()?,
        })
    }
}

/// What the JSON grammar allows and the format does not, such as an address that is none: it has no position of its own.
fn invalid() -> DocumentError {
    DocumentError::Malformed { line: 1, column: 1 }
}

fn timestamp(text: &str) -> Result<Timestamp, DocumentError> {
    text.parse().map_err(|_| invalid())
}
