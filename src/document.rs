//! The sealed snapshot document: one schema for the vault, for backups and for operations.
//!
//! Owns the JSON inside the age file (`{"format": "strongroom/snapshot", "version": 1, …}`), so that `age -d | jq` reads
//! it on a day when strongroom is not there. It never encrypts and never touches a file. The only place where a value is
//! turned into JSON to be kept.
//!
//! ```json
//! {"format": "strongroom/snapshot", "version": 1, "kind": "vault", "project": "dev-app", "environment": "local",
//!  "created": "2026-01-02T03:04:05Z",
//!  "sections": [{"place": "vault", "state": "held", "entries": {
//!    "app/SECRET_KEY": {"value": "…", "version": "2", "modified": "…", "history": [{"value": "…", "version": "1", "modified": "…"}]},
//!    "app/GONE": {"version": "4", "modified": "…", "history": []}}}]}
//! ```
//!
//! An entry without `value` and without `reference` says that nothing is (or was) at that address.

use crate::name::Address;
use crate::secret::{FingerprintKey, InvalidValue, Secret};
use crate::snapshot::{Attributes, Entry, Held, Past, Version};
use jiff::Timestamp;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::io;
use zeroize::{Zeroize, Zeroizing};

const FORMAT: &str = "strongroom/snapshot";
const VERSION: u64 = 1;

/// What a document was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The local vault: every value with its history.
    Vault,
    /// A backup of one or more places.
    Backup,
    /// The values before and after an operation.
    Operation,
}

/// When the entries of a section stood, or are to stand, in their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// They are what the place held when the document was made.
    Held,
    /// They are what the place held before an operation.
    Before,
    /// They are what the place holds after it.
    After,
}

/// A whole document, opened.
#[derive(Debug)]
pub struct Document {
    /// What it was made for.
    pub kind: Kind,
    /// The project's name, for people.
    pub project: String,
    /// The environment's name, for people.
    pub environment: String,
    /// When it was made.
    pub created: Timestamp,
    /// The key of an operation's fingerprints.
    pub fingerprint_key: Option<FingerprintKey>,
    /// The values, by place and state.
    pub sections: Vec<Section>,
}

/// The entries of one place in one state.
#[derive(Debug)]
pub struct Section {
    /// The place's name in the manifest.
    pub place: String,
    /// Which moment they are of.
    pub state: State,
    /// What is at each address.
    pub records: BTreeMap<Address, Record>,
}

/// One address with its past.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// What is there; `None` where nothing is.
    pub entry: Option<Entry>,
    /// The version of an absence: a vault counts a deletion too, so that no version number is used twice.
    pub absent_since: Option<(Version, Timestamp)>,
    /// Earlier states, newest first, in a vault.
    pub history: Vec<Past>,
}

/// Why bytes are no document of ours. Never holds a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// A later strongroom wrote it.
    #[error(
        "it is in format version {found}, and this strongroom reads up to version {VERSION}; upgrade strongroom"
    )]
    Newer {
        /// The version that it says.
        found: u64,
    },
    /// It is JSON of something else.
    #[error("it is not a strongroom snapshot (its `format` is not \"{FORMAT}\")")]
    OtherFormat,
    /// It is not the JSON that the format says, with the position in the opened text.
    #[error("it is not a valid snapshot: line {line}, column {column} of the opened text")]
    Malformed {
        /// 1-based.
        line: usize,
        /// 1-based, in bytes.
        column: usize,
    },
}

impl Document {
    /// The section of a place in a state, if the document has one.
    pub fn section(&self, place: &str, state: State) -> Option<&Section> {
        self.sections.iter().find(|section| section.place == place && section.state == state)
    }

    /// The JSON text, to be sealed at once.
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        let wire = WireDocument {
            format: FORMAT.to_owned(),
            version: VERSION,
            kind: self.kind,
            project: self.project.clone(),
            environment: self.environment.clone(),
            created: self.created.to_string(),
            fingerprint_key: self.fingerprint_key.as_ref().map(WireKey::of),
            sections: self.sections.iter().map(WireSection::of).collect(),
        };
        let mut text = Wiped(Zeroizing::new(Vec::with_capacity(4096)));
        serde_json::to_writer(&mut text, &wire).expect("a document of strings always serialises");
        text.0
    }

    /// Reads the JSON text of an opened file.
    pub fn from_json(text: &[u8]) -> Result<Document, DocumentError> {
        #[derive(Deserialize)]
        struct Head<'a> {
            format: Option<&'a str>,
            version: Option<u64>,
        }
        let malformed = |error: serde_json::Error| DocumentError::Malformed {
            line: error.line(),
            column: error.column(),
        };
        let head: Head<'_> = serde_json::from_slice(text).map_err(malformed)?;
        if head.format != Some(FORMAT) {
            return Err(DocumentError::OtherFormat);
        }
        match head.version {
            Some(VERSION) => {}
            Some(found) if found > VERSION => return Err(DocumentError::Newer { found }),
            _ => return Err(DocumentError::OtherFormat),
        }
        let wire: WireDocument = serde_json::from_slice(text).map_err(malformed)?;
        wire.into_document()
    }
}

/// A growing buffer that wipes what it outgrows.
struct Wiped(Zeroizing<Vec<u8>>);

impl io::Write for Wiped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.capacity() - self.0.len() < bytes.len() {
            let mut larger = Vec::with_capacity((self.0.len() + bytes.len()) * 2);
            larger.extend_from_slice(&self.0);
            self.0 = Zeroizing::new(larger);
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct WireDocument {
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
        WireSection { place: section.place.clone(), state: section.state, entries: entries.collect() }
    }

    fn into_section(self) -> Result<Section, DocumentError> {
        let mut records = BTreeMap::new();
        for (address, entry) in self.entries {
            let address = address.parse().map_err(|_| invalid())?;
            records.insert(address, entry.into_record()?);
        }
        Ok(Section { place: self.place, state: self.state, records })
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
    fn into_document(self) -> Result<Document, DocumentError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        let mut entry = Entry::of(Secret::new("line\n\"quoted\" é".to_owned()).unwrap());
        entry.version = Some(Version("2".to_owned()));
        entry.modified = Some(Timestamp::UNIX_EPOCH);
        entry.attributes.insert("type".to_owned(), "SecureString".to_owned());
        let past = Past { value: None, version: Version("1".to_owned()), modified: Timestamp::UNIX_EPOCH };
        let record = Record { entry: Some(entry), absent_since: None, history: vec![past] };
        let gone = Record {
            absent_since: Some((Version("4".to_owned()), Timestamp::UNIX_EPOCH)),
            ..Record::default()
        };
        let records = [("app/KEY".parse().unwrap(), record), ("xero/1/gone".parse().unwrap(), gone)]
            .into_iter()
            .collect();
        Document {
            kind: Kind::Operation,
            project: "dev-app".to_owned(),
            environment: "local".to_owned(),
            created: Timestamp::UNIX_EPOCH,
            fingerprint_key: Some(FingerprintKey::new([7; 32])),
            sections: vec![Section { place: "vault".to_owned(), state: State::Before, records }],
        }
    }

    #[test]
    fn a_document_reads_back_whole() {
        let text = document().to_json();
        let again = Document::from_json(&text).unwrap();
        assert_eq!(again.to_json().as_slice(), text.as_slice());
        let section = again.section("vault", State::Before).unwrap();
        let entry = section.records[&"app/KEY".parse().unwrap()].entry.as_ref().unwrap();
        assert_eq!(entry.held.value().unwrap().expose(), "line\n\"quoted\" é");
    }

    #[test]
    fn a_newer_format_and_a_foreign_one_are_told_apart() {
        let newer = br#"{"format": "strongroom/snapshot", "version": 9, "whatever": 1}"#;
        assert!(matches!(Document::from_json(newer), Err(DocumentError::Newer { found: 9 })));
        assert!(matches!(Document::from_json(b"{}"), Err(DocumentError::OtherFormat)));
        assert!(matches!(Document::from_json(b"{"), Err(DocumentError::Malformed { line: 1, .. })));
    }

    #[test]
    fn an_error_about_a_document_never_repeats_its_text() {
        let text = br#"{"format": "strongroom/snapshot", "version": 1, "kind": "canary-value"}"#;
        let error = Document::from_json(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}
