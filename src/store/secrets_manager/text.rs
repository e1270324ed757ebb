//! What a secret's text means at an address, and what it becomes by changes: a document with members, or one value.
//!
//! Owns both forms. Pure: it never makes a call.

use super::json_document::{Document, Kind, NotADocument};
use crate::name::Key;
use crate::plan::{Change, Want, Wanted};
use crate::secret::{InvalidValue, Secret};
use crate::snapshot::{Attributes, Entry, Held, Version};
use jiff::Timestamp;

/// The attribute that names what a member is in JSON, where it is no string.
const JSON: &str = "json";

/// The most bytes of UTF-8 that a secret takes.
pub(super) const MOST: usize = 65_536;

/// What the secrets of a group are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// JSON objects with a member for each key.
    Document,
    /// The value itself, of one key.
    Value,
}

/// One version of a secret.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) version: Version,
    pub(super) created: Option<Timestamp>,
    /// `None` where it is binary.
    pub(super) text: Option<Secret>,
}

/// A secret's text, understood.
#[derive(Debug, Clone)]
pub(super) enum Text {
    Document(Document),
    Value(Secret),
}

impl Text {
    pub(super) fn parse(form: Form, text: &Secret) -> Result<Text, NotADocument> {
        match form {
            Form::Document => Document::parse(text.clone()).map(Text::Document),
            Form::Value => Ok(Text::Value(text.clone())),
        }
    }

    /// The text as it is sent.
    pub(super) fn whole(&self) -> &Secret {
        match self {
            Text::Document(document) => document.text(),
            Text::Value(value) => value,
        }
    }

    /// The value of a key, and what it is in JSON.
    pub(super) fn value(&self, key: &Key) -> Result<Option<(Secret, Attributes)>, InvalidValue> {
        match self {
            Text::Value(value) => Ok(Some((value.clone(), Attributes::new()))),
            Text::Document(document) => {
                let found = document.value(key.as_str())?;
                Ok(found.map(|(value, kind)| {
                    let kind = kind.name().map(|name| (JSON.to_owned(), name.to_owned()));
                    (value, kind.into_iter().collect())
                }))
            }
        }
    }

    /// The names of its members; a single value has none.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let document = match self {
            Text::Document(document) => Some(document),
            Text::Value(_) => None,
        };
        document.into_iter().flat_map(Document::names)
    }

    /// Whether both say the same, where only `changes` were to be made.
    pub(super) fn says_as(&self, other: &Text, changes: &[Change]) -> bool {
        match (self, other) {
            (Text::Document(a), Text::Document(b)) => {
                let changed: Vec<&str> = changes.iter().map(|change| change.address.key.as_str()).collect();
                a.says_as(b, &changed)
            }
            (Text::Value(a), Text::Value(b)) => a.same_as(b),
            (Text::Document(_), Text::Value(_)) | (Text::Value(_), Text::Document(_)) => false,
        }
    }

    /// Whether it is a document without members.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Text::Document(document) if document.is_empty())
    }
}

/// What a secret's text becomes by changes; `None` where nothing of it is left that a secret could hold.
pub(super) fn changed(form: Form, before: Option<&Text>, changes: &[Change]) -> Option<Text> {
    match (form, before) {
        (Form::Document, before) => {
            let empty = Document::empty();
            let mut document = match before {
                Some(Text::Document(document)) => document.clone(),
                _ => empty,
            };
            for change in changes {
                let name = change.address.key.as_str();
                document = match wanted(change) {
                    Some((wanted, value)) => document.with(name, value, kind(wanted)),
                    None => document.without(name),
                };
            }
            Some(Text::Document(document))
        }
        (Form::Value, _) => Some(Text::Value(wanted(changes.last()?)?.1.clone())),
    }
}

/// The value that a change puts there. References are refused before it comes to that.
pub(super) fn wanted(change: &Change) -> Option<(&Wanted, &Secret)> {
    match &change.after {
        Want::Present(wanted @ Wanted { held: Held::Value(value), .. }) => Some((wanted, value)),
        Want::Present(_) | Want::Absent => None,
    }
}

fn kind(wanted: &Wanted) -> Option<Kind> {
    wanted.attributes.get(JSON).and_then(|name| Kind::named(name))
}

impl Found {
    /// What stands at a key of it.
    pub(super) fn entry(&self, text: &Text, key: &Key) -> Result<Option<Entry>, InvalidValue> {
        let Some((value, attributes)) = text.value(key)? else { return Ok(None) };
        let arn = match text {
            Text::Document(_) => format!("{}:{key}", self.arn),
            Text::Value(_) => self.arn.clone(),
        };
        Ok(Some(Entry {
            held: Held::Value(value),
            version: Some(self.version.clone()),
            modified: self.created,
            attributes,
            arn: Some(arn),
        }))
    }
}
