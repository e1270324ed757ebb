//! What a place holds at one moment: values or references at addresses, and the versions they were seen at.
//!
//! Owns the words that stores, plans and sealed documents share. It never reads a place and knows none by name: what is
//! peculiar to one (a parameter's type, a KMS key) travels in [`Attributes`] as that place spells it.

use crate::name::Address;
use crate::secret::Secret;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

/// A version as the place spells it; two are only ever compared for equality.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub String);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What one call of a place changes: a parameter, a document, a whole environment. The text names it for people and is
/// unique within the place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit(pub String);

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a place adds to a value and an undo must give back (a parameter's type and KMS key, a property's namespace), in
/// the place's own words. Never secret.
pub type Attributes = BTreeMap<String, String>;

/// What stands at an address: the value, or a reference that the place resolves by itself.
#[derive(Debug, Clone)]
pub enum Held {
    /// The value itself.
    Value(Secret),
    /// The name of a value that lives elsewhere (an ARN), not secret.
    Reference(String),
}

impl Held {
    /// Whether both hold the same value, or the same reference.
    pub fn same_as(&self, other: &Held) -> bool {
        match (self, other) {
            (Held::Value(a), Held::Value(b)) => a.same_as(b),
            (Held::Reference(a), Held::Reference(b)) => a == b,
            (Held::Value(_), Held::Reference(_)) | (Held::Reference(_), Held::Value(_)) => false,
        }
    }

    /// The value, where it is one.
    pub fn value(&self) -> Option<&Secret> {
        match self {
            Held::Value(secret) => Some(secret),
            Held::Reference(_) => None,
        }
    }
}

/// One address of a place, as seen there.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The value or reference.
    pub held: Held,
    /// The version it was seen at, where the place has versions of single values.
    pub version: Option<Version>,
    /// When it was last written, where the place says so.
    pub modified: Option<Timestamp>,
    /// What else the place keeps with it.
    pub attributes: Attributes,
    /// The name by which another place can refer to it (an ARN, followed by `:` and a JSON key where the value is part of
    /// a document); `None` where nobody can. Known from a read only, and kept in no sealed document.
    pub arn: Option<String>,
}

impl Entry {
    /// An entry with a value and nothing else, as tests and sources of desired values make them.
    pub fn of(value: Secret) -> Entry {
        Entry {
            held: Held::Value(value),
            version: None,
            modified: None,
            attributes: Attributes::new(),
            arn: None,
        }
    }
}

/// One setting of a place as the place itself spells it, under whatever name: what is kept beside the entries so that it
/// can be put back by the place's own tools too.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The place's word for the family of settings.
    pub namespace: String,
    /// Its name, which need not be one that a key can have.
    pub name: String,
    /// What it is set to.
    pub value: Secret,
}

impl Setting {
    /// Whether both set the same to the same.
    pub fn same_as(&self, other: &Setting) -> bool {
        self.namespace == other.namespace && self.name == other.name && self.value.same_as(&other.value)
    }
}

/// An earlier state of an address, as a place's history tells it.
#[derive(Debug, Clone)]
pub struct Past {
    /// The value; `None` where the address was empty then.
    pub value: Option<Secret>,
    /// Its version.
    pub version: Version,
    /// When it was written.
    pub modified: Timestamp,
}

/// What a place holds at the addresses that it was asked for. An address that is not in it is absent there.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The entries that are present.
    pub entries: BTreeMap<Address, Entry>,
    /// The version of each unit that was looked at and exists; the base of the next write. A place without versions of
    /// its units leaves it empty.
    pub bases: BTreeMap<Unit, Version>,
}

impl Snapshot {
    /// The value at an address, where one is there.
    pub fn value(&self, address: &Address) -> Option<&Secret> {
        self.entries.get(address).and_then(|entry| entry.held.value())
    }
}
