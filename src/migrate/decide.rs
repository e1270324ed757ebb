//! What a migration is to leave behind: the manifest's text, from what it says today and what the environment holds.
//!
//! Pure. What is a secret, where it is to live and how a copy gets it is all said by the text that comes out; whatever
//! follows reads it there. It never sees a place.

use crate::manifest::classify::classify;
use crate::manifest::edit::{self, EditError, NewKey};
use crate::manifest::{
    Audience, CopySpec, EnvironmentSpec, GroupSpec, InstancesSpec, Manifest, Place, Placeholder, Secrets,
    UnknownName, ValueSource,
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
    /// How it reaches the copies afterwards.
    pub goes: Goes,
}

/// How a value reaches the copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goes {
    /// At least one refers to it.
    ByReference,
    /// Those that get it hold it themselves.
    ByValue,
    /// None gets it.
    Nowhere,
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
    /// There is no group that what is not declared yet could be declared in: one that goes to just the copies that have
    /// it.
    #[error("no group goes to just the copies that have {}: declare {} in the manifest", told(.0), if .0.len() == 1 { "it" } else { "them" })]
    NoGroup(Vec<Key>),
    /// What was named is not to be moved.
    #[error("`{key}` {why}")]
    StaysAsItIs {
        /// The property.
        key: Key,
        /// Why, as a fragment.
        why: &'static str,
    },
    /// A secret for each key would move another environment's secrets too.
    #[error(
        "the group `{group}` keeps its documents in `{environment}` too, and a secret for each key would leave them behind"
    )]
    OthersDocuments {
        /// The group.
        group: Group,
        /// The environment whose home is Secrets Manager already.
        environment: crate::name::Environment,
    },
    /// The manifest cannot be edited so.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// What comes out is no manifest.
    #[error(transparent)]
    Manifest(#[from] crate::manifest::ManifestError),
}

/// What each copy holds that no manifest declares, by the copy's name.
pub type Undeclared = BTreeMap<String, Snapshot>;

/// Decides. `held` is what home holds.
pub fn decide(
    (file, before): (&str, &str),
    manifest: &Manifest,
    environment: &EnvironmentSpec,
    held: &Snapshot,
    undeclared: &Undeclared,
    wish: &Wish,
) -> Result<Decision, DecideError> {
    let all = everything(undeclared);
    let mut names = Names { manifest, environment, all: &all, undeclared, new: BTreeMap::new() };
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
    for (address, entry) in &all.entries {
        let key = &address.key;
        let is_in = |names: &[Named]| names.iter().any(|name| *name == Named::There(key.clone()));
        let verdict = entry.held.value().map(|value| classify(key, value));
        let taken = match verdict {
            // A reference is none of ours to move.
            None => Err("is a reference already"),
            Some(_) if is_in(&plain) => Err("is called plain by --plain"),
            Some(_) if is_in(&secret) => Ok(()),
            Some(verdict) if !verdict.secret => Err("looks plain, and nobody declares it: --secret moves it"),
            Some(_) if wish.only.is_empty() || is_in(&only) => Ok(()),
            Some(_) => Err("is none of those that were named"),
        };
        match taken {
            Ok(()) => {}
            Err(why) if is_in(&only) => return Err(DecideError::StaysAsItIs { key: key.clone(), why }),
            Err(_) => {
                left.push(key.clone());
                continue;
            }
        }
        let Some(group) = names.group(key) else {
            homeless.push(key.clone());
            continue;
        };
        let others = names.has_others(&group);
        let environments = others.then(|| environment.name.clone()).into_iter().collect();
        let new = NewKey { secret: true, environments, ..NewKey::default() };
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
    let named: BTreeSet<Address> = only.iter().filter_map(|name| names.address(name)).collect();
    let only = (!wish.only.is_empty()).then_some(&named);
    for copy in environment.copies.values() {
        text = with_references(file, text, environment, copy, only)?;
    }
    let after = Manifest::parse(file, &text)?;
    let said = |names: &[Named], address: &Address| names.iter().any(|name| name.means(address));
    let typed = |address: &Address| said(&secret, address) || said(&plain, address);
    let held = overlaid(held, &all, &names.new);
    let rows = rows(&after, environment, &held, |address| match reasons.get(address) {
        Some(why) => why,
        None if typed(address) => "you said so",
        None => SAID,
    });
    Ok(Decision { before: before.to_owned(), text, manifest: after, rows, left, held })
}

fn told(keys: &[Key]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What is not declared, whichever copy has it.
fn everything(undeclared: &Undeclared) -> Snapshot {
    let mut all = Snapshot::default();
    for (address, entry) in undeclared.values().flat_map(|held| &held.entries) {
        all.entries.entry(address.clone()).or_insert_with(|| entry.clone());
    }
    all
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
    let goes = |address: &Address, secret: bool| {
        let gets =
            |copy: &&&CopySpec| manifest.property_of(&environment.name, &copy.selection, address).is_some();
        let getting: Vec<&&CopySpec> = copies.iter().filter(gets).collect();
        match getting.iter().any(|copy| copy.refers_to(address, secret)) {
            true => Goes::ByReference,
            false if getting.is_empty() => Goes::Nowhere,
            false => Goes::ByValue,
        }
    };
    let row = |(address, entry): (&Address, &crate::snapshot::Entry)| {
        let key = manifest.key(address)?;
        let looks = entry.held.value().map(|value| classify(&address.key, value));
        let looks = looks.filter(|verdict| verdict.secret && !key.secret);
        Some(Row {
            address: address.clone(),
            secret: key.secret,
            why: why(address),
            suspicious: looks.map(|verdict| verdict.reason),
            goes: goes(address, key.secret),
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
        if group.secretsmanager_path.uses(Placeholder::Key) {
            continue;
        }
        let has_documents = |other: &&EnvironmentSpec| {
            other.name != environment.name
                && other.home == Place::SecretsManager
                && group.environments.contains(&other.name)
        };
        if let Some(other) = manifest.environments().find(has_documents) {
            let (group, environment) = (group.name.clone(), other.name.clone());
            return Err(DecideError::OthersDocuments { group, environment });
        }
        // Where somebody chose a path, the keys are below it.
        let written = group.secretsmanager_path.fill(&crate::manifest::Names::default());
        text = edit::set_document_path(file, &text, &group.name, &format!("{written}/{{key}}"))?;
    }
    Ok(text)
}

/// The copy by reference: wholly, or these keys and those that go so already.
fn with_references(
    file: &str,
    text: String,
    environment: &EnvironmentSpec,
    copy: &CopySpec,
    only: Option<&BTreeSet<Address>>,
) -> Result<String, DecideError> {
    if copy.secrets == Secrets::Reference {
        return Ok(text);
    }
    let Some(only) = only else {
        return Ok(edit::set_copy_secrets(file, &text, &environment.name, &copy.name, "reference")?);
    };
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
    /// What is there and not declared, whichever copy has it.
    all: &'a Snapshot,
    undeclared: &'a Undeclared,
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
        let there = || self.all.entries.keys().map(|address| &address.key);
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

    /// Where what is not declared yet belongs: a group without instances that goes to just the copies that have it.
    fn group(&self, key: &Key) -> Option<Group> {
        let holds = |copy: &CopySpec| {
            let held = self.undeclared.get(&copy.name);
            held.is_some_and(|held| held.entries.keys().any(|address| address.key == *key))
        };
        let fits = |group: &&GroupSpec| {
            let address = Address::new(group.name.clone(), key.clone());
            let just =
                self.environment.copies.values().all(|copy| copy.selection.takes(&address) == holds(copy));
            just && group.audience == Audience::App && group.instances == InstancesSpec::None
        };
        self.manifest.groups_in(&self.environment.name).find(fits).map(|group| group.name.clone())
    }

    /// Whether other environments would need a value of what is declared in a group.
    fn has_others(&self, group: &Group) -> bool {
        let group = self.manifest.group(group.as_str());
        group.is_ok_and(|group| group.environments.iter().any(|other| *other != self.environment.name))
    }
}
