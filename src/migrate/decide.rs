//! What a migration is to leave behind: the manifest's text, from what it says today and what the environment holds.
//!
//! Pure. What is a secret, where it is to live and how a copy gets it is all said by the text that comes out; whatever
//! follows reads it there. It never sees a place.

use crate::manifest::classify::classify;
use crate::manifest::edit::{self, EditError, NewKey};
use crate::manifest::{
    Audience, CopySpec, EnvironmentSpec, InstancesSpec, Manifest, Place, Secrets, UnknownName, ValueSource,
};
use crate::name::{Address, Group, Key};
use crate::snapshot::Snapshot;
use std::collections::{BTreeMap, BTreeSet};

/// The reason for what the manifest declares.
pub const SAID: &str = "the manifest says so";

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The place that is to be home.
    pub to: Place,
    /// A secret of its own for each key, where home is to be Secrets Manager; else a document for each group.
    pub secret_per_key: bool,
    /// The keys that copies are to get by reference, as they were typed; every secret where it is empty.
    pub only: Vec<String>,
    /// Keys that are secrets, whatever the manifest or their look says.
    pub secret: Vec<String>,
    /// Keys that are none.
    pub plain: Vec<String>,
}

/// One variable of the environment, and what becomes of it.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its address in the manifest that is left behind.
    pub address: Address,
    /// Whether it is a secret.
    pub secret: bool,
    /// Why it is taken for that, for people: a fragment.
    pub why: &'static str,
    /// That it looks like a secret although it is said to be none; the reason.
    pub suspicious: Option<&'static str>,
    /// Whether a copy refers to it afterwards.
    pub by_reference: bool,
}

/// What is to be left behind.
#[derive(Debug)]
pub struct Decision {
    /// The text of the manifest that all of it is decided from.
    pub before: String,
    /// The text of the manifest.
    pub text: String,
    /// The same, read.
    pub manifest: Manifest,
    /// What lives in home, in the order of the manifest.
    pub rows: Vec<Row>,
    /// What no manifest declares, is taken for plain, and stays as it is.
    pub left: Vec<Key>,
    /// The values that home is to hold: those that it held, under the addresses that they have now.
    pub held: Snapshot,
}

/// Why nothing could be decided.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecideError {
    /// A name that was typed is neither declared nor there.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// What was named lives in the manifest, where everybody who may read it reads it.
    #[error("{address} has its value in the manifest, at line {line}, and is no variable that could move")]
    InManifest {
        /// The key.
        address: Address,
        /// The line of the value.
        line: usize,
    },
    /// There is no group that what is not declared yet could be declared in.
    #[error("no group of the manifest reaches this environment's copies: declare one for {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    NoGroup(Vec<Key>),
    /// The manifest cannot be edited so.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// What comes out is no manifest.
    #[error(transparent)]
    Manifest(#[from] crate::manifest::ManifestError),
}

/// Decides. `held` is what home holds, and `undeclared` what copies hold that no manifest declares.
pub fn decide(
    (file, before): (&str, &str),
    manifest: &Manifest,
    environment: &EnvironmentSpec,
    held: &Snapshot,
    undeclared: &Snapshot,
    wish: &Wish,
) -> Result<Decision, DecideError> {
    let mut names = Names { manifest, environment, undeclared, new: BTreeMap::new() };
    let mut text = before.to_owned();
    let (secret, plain) = (names.of(&wish.secret)?, names.of(&wish.plain)?);
    for name in &secret {
        if let Named::Declared(address) = name {
            text = edit::set_key_secret(file, &text, &address.group, &address.key, true)?;
        }
    }
    for name in &plain {
        if let Named::Declared(address) = name {
            text = edit::set_key_secret(file, &text, &address.group, &address.key, false)?;
        }
    }
    let only = names.of(&wish.only)?;
    let mut reasons: BTreeMap<Address, &'static str> = BTreeMap::new();
    let mut left = Vec::new();
    let mut homeless = Vec::new();
    for (address, entry) in &undeclared.entries {
        let key = &address.key;
        let is_in = |names: &[Named]| names.iter().any(|name| *name == Named::There(key.clone()));
        let verdict = entry.held.value().map(|value| classify(key, value));
        let taken = match verdict {
            // A reference is none of ours to move.
            None => false,
            Some(_) if is_in(&plain) => false,
            Some(_) if is_in(&secret) => true,
            Some(verdict) => verdict.secret && (only.is_empty() || is_in(&only)),
        };
        if !taken {
            left.push(key.clone());
            continue;
        }
        let Some(group) = names.group() else {
            homeless.push(key.clone());
            continue;
        };
        let new = NewKey { secret: true, ..NewKey::default() };
        text = edit::add_key(file, &text, &group, key, &new)?;
        let why = if is_in(&secret) { "you said so" } else { verdict.map_or("", |verdict| verdict.reason) };
        let address = Address::new(group, key.clone());
        reasons.insert(address.clone(), why);
        names.new.insert(key.clone(), address);
    }
    if !homeless.is_empty() {
        return Err(DecideError::NoGroup(homeless));
    }
    if environment.home != wish.to {
        text = edit::set_home(file, &text, &environment.name, &wish.to.to_string())?;
    }
    if wish.secret_per_key && wish.to == Place::SecretsManager {
        text = with_a_secret_per_key(file, text, manifest, environment)?;
    }
    let only: BTreeSet<Address> = only.iter().filter_map(|name| names.address(name)).collect();
    for copy in environment.copies.values() {
        text = with_references(file, text, environment, copy, &only)?;
    }
    let after = Manifest::parse(file, &text)?;
    let said = |names: &[Named], address: &Address| names.iter().any(|name| name.means(address));
    let typed = |address: &Address| said(&secret, address) || said(&plain, address);
    let held = overlaid(held, undeclared, &names.new);
    let rows = rows(&after, environment, &held, |address| match reasons.get(address) {
        Some(why) => why,
        None if typed(address) => "you said so",
        None => SAID,
    });
    Ok(Decision { before: before.to_owned(), text, manifest: after, rows, left, held })
}

/// What was held, with what was not declared under the addresses that it has now.
fn overlaid(held: &Snapshot, undeclared: &Snapshot, new: &BTreeMap<Key, Address>) -> Snapshot {
    let mut all = held.clone();
    for (address, entry) in &undeclared.entries {
        if let Some(declared) = new.get(&address.key) {
            all.entries.insert(declared.clone(), entry.clone());
        }
    }
    all
}

fn rows(
    manifest: &Manifest,
    environment: &EnvironmentSpec,
    held: &Snapshot,
    why: impl Fn(&Address) -> &'static str,
) -> Vec<Row> {
    let after = manifest.environment(environment.name.as_str());
    let copies = after.map(|after| after.copies.values().collect::<Vec<_>>()).unwrap_or_default();
    let kept = held.entries.iter().filter(|(address, _)| manifest.lives_in_home(&environment.name, address));
    let row = |(address, entry): (&Address, &crate::snapshot::Entry)| {
        let key = manifest.key(address)?;
        let looks = entry.held.value().map(|value| classify(&address.key, value));
        let looks = looks.filter(|verdict| verdict.secret && !key.secret);
        Some(Row {
            address: address.clone(),
            secret: key.secret,
            why: why(address),
            suspicious: looks.map(|verdict| verdict.reason),
            by_reference: copies
                .iter()
                .any(|copy| copy.selection.takes(address) && copy.refers_to(address, key.secret)),
        })
    };
    kept.filter_map(row).collect()
}

/// Each group that holds something for the environment, with a secret for each key.
fn with_a_secret_per_key(
    file: &str,
    mut text: String,
    manifest: &Manifest,
    environment: &EnvironmentSpec,
) -> Result<String, DecideError> {
    for group in manifest.groups_in(&environment.name) {
        let template = match group.is_instanced() {
            true => "{project}/{environment}/{group}/{instance}/{key}",
            false => "{project}/{environment}/{group}/{key}",
        };
        if !group.secretsmanager_path.uses(crate::manifest::Placeholder::Key) {
            text = edit::set_document_path(file, &text, &group.name, template)?;
        }
    }
    Ok(text)
}

/// The copy by reference: wholly, or these keys and those that go so already.
fn with_references(
    file: &str,
    text: String,
    environment: &EnvironmentSpec,
    copy: &CopySpec,
    only: &BTreeSet<Address>,
) -> Result<String, DecideError> {
    if copy.secrets == Secrets::Reference {
        return Ok(text);
    }
    if only.is_empty() {
        return Ok(edit::set_copy_secrets(file, &text, &environment.name, &copy.name, "reference")?);
    }
    let taken = only.iter().filter(|address| copy.selection.takes(address));
    let all: BTreeSet<Address> = taken.chain(&copy.references).cloned().collect();
    let all: Vec<Address> = all.into_iter().collect();
    Ok(edit::set_copy_references(file, &text, &environment.name, &copy.name, &all)?)
}

/// A name that was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Named {
    /// A key of the manifest.
    Declared(Address),
    /// A property that is there and not declared.
    There(Key),
}

impl Named {
    fn means(&self, address: &Address) -> bool {
        match self {
            Named::Declared(declared) => declared == address,
            Named::There(key) => address.key == *key,
        }
    }
}

struct Names<'a> {
    manifest: &'a Manifest,
    environment: &'a EnvironmentSpec,
    undeclared: &'a Snapshot,
    /// What is declared now and was not.
    new: BTreeMap<Key, Address>,
}

impl Names<'_> {
    fn of(&self, typed: &[String]) -> Result<Vec<Named>, DecideError> {
        typed.iter().map(|text| self.one(text)).collect()
    }

    fn one(&self, text: &str) -> Result<Named, DecideError> {
        let name = &self.environment.name;
        let unknown = match self.manifest.address(name, text) {
            Ok(address) => {
                return match self.manifest.source(name, &address) {
                    Some(ValueSource::Literal { line, .. }) => Err(DecideError::InManifest { address, line }),
                    _ => Ok(Named::Declared(address)),
                };
            }
            Err(unknown) => unknown,
        };
        let there = || self.undeclared.entries.keys().map(|address| &address.key);
        match there().find(|key| key.as_str() == text) {
            Some(key) => Ok(Named::There(key.clone())),
            None if unknown.help.is_some() => Err(unknown.into()),
            None => Err(UnknownName::of("key", text, there().map(Key::as_str)).into()),
        }
    }

    fn address(&self, name: &Named) -> Option<Address> {
        match name {
            Named::Declared(address) => Some(address.clone()),
            Named::There(key) => self.new.get(key).cloned(),
        }
    }

    /// Where what is not declared yet belongs: the first group of a copy that has no instances.
    fn group(&self) -> Option<Group> {
        let fits = |group: &&crate::manifest::GroupSpec| {
            let taken =
                self.environment.copies.values().any(|copy| {
                    copy.selection.groups.as_ref().is_none_or(|groups| groups.contains(&group.name))
                });
            taken && group.audience == Audience::App && group.instances == InstancesSpec::None
        };
        self.manifest.groups_in(&self.environment.name).find(fits).map(|group| group.name.clone())
    }
}
