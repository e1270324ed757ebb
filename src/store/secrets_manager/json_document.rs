//! A document of Secrets Manager: the text of a JSON object, in which single members are read and changed.
//!
//! Owns what a member's text means as a value and where a change goes. Everything that is not spoken of keeps its text
//! byte for byte: other tools' members, their order, the spelling of their numbers, the space between them. It never
//! makes a call, and its errors never quote the text.

use crate::secret::{InvalidValue, Secret};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use zeroize::Zeroizing;

/// A JSON object as text, with where its members are.
#[derive(Debug, Clone)]
pub(super) struct Document {
    text: Secret,
    members: Vec<Member>,
}

#[derive(Debug, Clone)]
struct Member {
    /// `None` where the name is no Unicode text; then it is nobody's that we know.
    name: Option<String>,
    key: Range<usize>,
    value: Range<usize>,
}

/// Why a text is no document, without the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotADocument {
    #[error("it is not JSON: line {line}, column {column}")]
    Syntax { line: usize, column: usize },
    #[error("it is JSON, but not an object")]
    NotAnObject,
}

/// What a member's text is in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Flag,
    Object,
    Array,
    Null,
}

impl Kind {
    /// The kind by its name in attributes; a string is what a value is anyway, and has none.
    pub(super) fn named(name: &str) -> Option<Kind> {
        [Kind::Number, Kind::Flag, Kind::Object, Kind::Array]
            .into_iter()
            .find(|kind| kind.name() == Some(name))
    }

    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Kind::Text | Kind::Null => None,
            Kind::Number => Some("number"),
            Kind::Flag => Some("boolean"),
            Kind::Object => Some("object"),
            Kind::Array => Some("array"),
        }
    }

    fn of(raw: &str) -> Kind {
        match raw.as_bytes().first() {
            Some(b'"') => Kind::Text,
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b't' | b'f') => Kind::Flag,
            Some(b'n') => Kind::Null,
            _ => Kind::Number,
        }
    }
}

impl Document {
    /// A document without members.
    pub(super) fn empty() -> Document {
        let text = Secret::new("{}".to_owned()).expect("it has no NUL");
        Document { text, members: Vec::new() }
    }

    /// Reads a text; it must be one JSON object, with whatever space around it.
    pub(super) fn parse(text: Secret) -> Result<Document, NotADocument> {
        let Members(raw) = serde_json::from_str(text.expose()).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => NotADocument::NotAnObject,
            _ => NotADocument::Syntax { line: error.line(), column: error.column() },
        })?;
        let at = |part: &RawValue| {
            let start = part.get().as_ptr() as usize - text.expose().as_ptr() as usize;
            start..start + part.get().len()
        };
        let member = |(key, value): &(&RawValue, &RawValue)| Member {
            name: serde_json::from_str(key.get()).ok(),
            key: at(key),
            value: at(value),
        };
        let members = raw.iter().map(member).collect();
        Ok(Document { text, members })
    }

    /// The whole text.
    pub(super) fn text(&self) -> &Secret {
        &self.text
    }

    /// Whether it has no members.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The names of its members, each once.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let mut seen = std::collections::BTreeSet::new();
        self.members.iter().filter_map(|member| member.name.as_deref()).filter(move |name| seen.insert(*name))
    }

    /// The value of a member, and what it is in JSON. A string is the text that it means; a number, `true` and `false`,
    /// an object and a list are their JSON as written; `null` is no value. Of several members of one name the last
    /// counts, as every reader of JSON takes it.
    pub(super) fn value(&self, name: &str) -> Result<Option<(Secret, Kind)>, InvalidValue> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let kind = Kind::of(raw);
        let text = match kind {
            Kind::Null => return Ok(None),
            // What JSON can spell and text cannot be is half of a surrogate pair.
            Kind::Text => serde_json::from_str(raw).map_err(|_| InvalidValue::NotUtf8 { offset: 0 })?,
            _ => raw.to_owned(),
        };
        Ok(Some((Secret::new(text)?, kind)))
    }

    /// The document with a member set. It is written as `kind` where the value reads as that, and as a string otherwise.
    pub(super) fn with(&self, name: &str, value: &Secret, kind: Option<Kind>) -> Document {
        let kind = kind.or_else(|| self.raw(name).map(Kind::of));
        let raw = match kind {
            Some(kind) if kind.name().is_some() && reads_as(value.expose(), kind) => {
                Zeroizing::new(value.expose().to_owned())
            }
            _ => quoted(value.expose()),
        };
        let single = self.with_one(name);
        match single.member(name) {
            Some(index) => single.spliced(&single.members[index].value, &[&raw]),
            None => single.appended(name, &raw),
        }
    }

    /// The document without a member.
    pub(super) fn without(&self, name: &str) -> Document {
        let single = self.with_one(name);
        match single.member(name) {
            Some(index) => single.cut(index),
            None => single,
        }
    }

    /// Whether both say the same: the members named in `changed` mean the same values, and every other one is the same
    /// text. Order and space do not count.
    pub(super) fn says_as(&self, other: &Document, changed: &[&str]) -> bool {
        let (ours, theirs) = (self.by_name(), other.by_name());
        let unnamed = |document: &Document| document.members.iter().any(|member| member.name.is_none());
        let same = |name: &str| {
            if !changed.contains(&name) {
                return ours.get(name) == theirs.get(name);
            }
            match (self.value(name), other.value(name)) {
                (Ok(None), Ok(None)) => true,
                (Ok(Some((a, one))), Ok(Some((b, two)))) => one == two && a.same_as(&b),
                _ => false,
            }
        };
        !unnamed(self) && !unnamed(other) && ours.keys().chain(theirs.keys()).all(|name| same(name))
    }

    fn by_name(&self) -> BTreeMap<&str, &str> {
        let named = self.members.iter().filter_map(|member| {
            let name = member.name.as_deref()?;
            Some((name, &self.text.expose()[member.value.clone()]))
        });
        named.collect()
    }

    fn raw(&self, name: &str) -> Option<&str> {
        self.member(name).map(|index| &self.text.expose()[self.members[index].value.clone()])
    }

    /// The last member of that name.
    fn member(&self, name: &str) -> Option<usize> {
        self.members.iter().rposition(|member| member.name.as_deref() == Some(name))
    }

    /// The document with at most one member of that name: the last, which is the one that counts.
    fn with_one(&self, name: &str) -> Document {
        let last = self.member(name);
        let first = self.members.iter().position(|member| member.name.as_deref() == Some(name));
        match first {
            Some(index) if last != Some(index) => self.cut(index).with_one(name),
            _ => self.clone(),
        }
    }

    fn cut(&self, index: usize) -> Document {
        let Member { key, value, .. } = &self.members[index];
        let cut = match (index.checked_sub(1), self.members.get(index + 1)) {
            (Some(before), _) => self.members[before].value.end..value.end,
            (None, Some(next)) => key.start..next.key.start,
            (None, None) => key.start..value.end,
        };
        self.spliced(&cut, &[])
    }

    /// The document with one more member at its end, spaced as the others are.
    fn appended(&self, name: &str, raw: &str) -> Document {
        let (text, key) = (self.text.expose(), quoted(name));
        let open = text.find('{').expect("a document is an object") + 1;
        let Some(last) = self.members.last() else {
            return self.spliced(&(open..open), &[&key, ":", raw]);
        };
        let colon = &text[last.key.end..last.value.start];
        let end = last.value.end..last.value.end;
        match self.members.iter().rev().nth(1) {
            Some(before) => {
                let between = &text[before.value.end..last.key.start];
                self.spliced(&end, &[between, &key, colon, raw])
            }
            None => {
                let indent = &text[open..last.key.start];
                let indent = if indent.is_empty() && colon.ends_with(' ') { " " } else { indent };
                self.spliced(&end, &[",", indent, &key, colon, raw])
            }
        }
    }

    fn spliced(&self, at: &Range<usize>, pieces: &[&str]) -> Document {
        let text = self.text.expose();
        let added: usize = pieces.iter().map(|piece| piece.len()).sum();
        // Room for all of it, so that no half-made copy is left behind.
        let mut new = String::with_capacity(text.len() + added);
        new.push_str(&text[..at.start]);
        pieces.iter().for_each(|piece| new.push_str(piece));
        new.push_str(&text[at.end..]);
        let new = Secret::new(new).expect("JSON holds no NUL as it is");
        Document::parse(new).expect("a member of an object was replaced by one")
    }
}

/// A text as a JSON string.
fn quoted(text: &str) -> Zeroizing<String> {
    Zeroizing::new(serde_json::to_string(text).expect("every text is a JSON string"))
}

fn reads_as(text: &str, kind: Kind) -> bool {
    let raw = serde_json::from_str::<&RawValue>(text);
    raw.is_ok_and(|raw| raw.get() == text && Kind::of(raw.get()) == kind)
}

/// The members of an object as they are written.
struct Members<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'a>, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Vec<(&'de RawValue, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Object).map(Members)
    }
}

#[cfg(test)]
mod tests;
