//! The sealed snapshot document: one schema for the vault, for backups and for operations.
//!
//! Owns the JSON inside the age file (`{"format": "strongroom/snapshot", "version": 1, …}`), so that `age -d | jq` reads
//! it on a day when strongroom is not there. It never encrypts and never touches a file. Members are only ever added: what
//! an older strongroom does not know it passes over, and what an older one wrote is read.
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
//!
//! A section of an Elastic Beanstalk environment has its settings a second time, raw, as the `aws` program takes them:
//!
//! ```json
//! {"place": "beanstalk:web", "state": "held", "entries": {"app/TOKEN": {"value": "…"}}, "options": [
//!    {"Namespace": "aws:elasticbeanstalk:application:environment", "OptionName": "TOKEN", "Value": "…"}]}
//! ```

mod wire;

use crate::name::Address;
use crate::secret::FingerprintKey;
use crate::snapshot::{Entry, Past, Setting, Version};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use wire::WireDocument;
use zeroize::Zeroizing;

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
    /// Every setting of the place as the place spells it, under whatever name; `None` where it has no such words, or an
    /// older strongroom made the document.
    pub options: Option<Vec<Setting>>,
}

impl Section {
    /// A section of a place that has nothing but what is at addresses.
    pub fn new(place: impl Into<String>, state: State, records: BTreeMap<Address, Record>) -> Section {
        Section { place: place.into(), state, records, options: None }
    }
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
        let mut text = Wiped(Zeroizing::new(Vec::with_capacity(4096)));
        serde_json::to_writer(&mut text, &WireDocument::of(self))
            .expect("a document of strings always serialises");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

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
            sections: vec![Section::new("vault", State::Before, records)],
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
    fn settings_are_kept_in_the_very_words_that_the_aws_program_takes() {
        let value = Secret::new("a\n\"b\"".to_owned()).unwrap();
        let setting = Setting { namespace: "n:s".to_owned(), name: "my-prop".to_owned(), value };
        let mut document = document();
        document.sections[0].options = Some(vec![setting]);
        let text = document.to_json();
        let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let expected =
            serde_json::json!([{"Namespace": "n:s", "OptionName": "my-prop", "Value": "a\n\"b\""}]);
        assert_eq!(json["sections"][0]["options"], expected);
        let again = Document::from_json(&text).unwrap();
        assert_eq!(again.to_json().as_slice(), text.as_slice());
    }

    /// What an older strongroom wrote has no `options`; what a later one adds is passed over.
    #[test]
    fn members_that_are_not_there_or_not_known_are_no_obstacle() {
        let text = br#"{"format": "strongroom/snapshot", "version": 1, "kind": "backup", "project": "p",
            "environment": "e", "created": "2026-01-02T03:04:05Z", "later": [1], "sections": [
            {"place": "vault", "state": "held", "later": {}, "entries": {"app/A": {"value": "x", "later": 1}}}]}"#;
        let section = &Document::from_json(text).unwrap().sections[0];
        assert!(section.options.is_none() && section.records.len() == 1);
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
