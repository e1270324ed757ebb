//! What the names of a document mean to the manifest: an address in home, a value that stands elsewhere, or nothing yet.
//!
//! Owns that search and everything that stands against taking a value, told at once. It writes nothing and shows no value.

use super::context::Context;
use super::export::Format;
use super::reading::Held;
use crate::exchange::Entry;
use crate::manifest::classify::{Verdict, classify};
use crate::manifest::{Manifest, Selection, ValueSource};
use crate::name::{Address, Environment, Group, Key};
use crate::plan::{Desired, Want};
use crate::secret::Secret;
use crate::snapshot::{Entry as Seen, Snapshot};
use anyhow::Result;
use std::collections::BTreeMap;

/// A document's values, each where it belongs.
#[derive(Default)]
pub(super) struct Incoming {
    /// What home should hold.
    pub(super) desired: Desired,
    /// Names that the manifest does not know, where it may learn them.
    pub(super) new: Vec<NewName>,
    /// How many values stand in the manifest, or follow from others, as they are in the document.
    pub(super) same: usize,
    /// What stands against it, a line for each.
    pub(super) problems: Vec<String>,
    /// Whether one of them is a name that the manifest does not know.
    pub(super) has_unknown: bool,
}

/// A name that is to be declared.
pub(super) struct NewName {
    pub(super) key: Key,
    pub(super) value: Secret,
    /// What it is taken for.
    pub(super) verdict: Verdict,
}

/// Finds where every value belongs.
pub(super) fn sort(
    ctx: &Context,
    format: Format,
    group: Option<&Group>,
    entries: Vec<Entry>,
    held: &Held,
    add: bool,
) -> Result<Incoming> {
    let manifest = &ctx.project()?.manifest;
    let environment = &ctx.environment()?.name;
    let names = names(manifest, environment, held)?;
    let mut incoming = Incoming::default();
    let mut elsewhere: Vec<(Address, Secret)> = Vec::new();
    let mut after = held.snapshot.clone();
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for Entry { name, value } in entries {
        let written = known_as(&names, format, &name);
        if let Some(first) = seen.insert(written.clone(), name.clone()) {
            let (first, name) = (first.escape_debug(), name.escape_debug());
            incoming.problems.push(format!("{first} and {name} both mean {written}"));
            continue;
        }
        match meant(&names, group, &written) {
            Meant::One(address) => match manifest.source(environment, &address) {
                Some(ValueSource::Home) => {
                    after.entries.insert(address.clone(), Seen::of(value.clone()));
                    incoming.desired.insert(address, Want::value(value));
                }
                _ => elsewhere.push((address, value)),
            },
            Meant::Several(addresses) => incoming.problems.push(format!(
                "{written} is a key of several groups ({}); --group names the one that is meant",
                addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            )),
            Meant::Nothing => unknown(&mut incoming, manifest, environment, &written, value, add),
        }
    }
    for (address, value) in elsewhere {
        match stands_as(manifest, environment, &after, &address, &value) {
            None => incoming.same += 1,
            Some(problem) => incoming.problems.push(problem),
        }
    }
    Ok(incoming)
}

fn unknown(
    incoming: &mut Incoming,
    manifest: &Manifest,
    environment: &Environment,
    written: &str,
    value: Secret,
    add: bool,
) {
    let key = match Key::parse(written) {
        Ok(key) => key,
        Err(error) => return incoming.problems.push(error.to_string()),
    };
    if add {
        let verdict = classify(&key, &value);
        return incoming.new.push(NewName { key, value, verdict });
    }
    incoming.has_unknown = true;
    let message = match manifest.address(environment, written) {
        Err(error) => error.to_string(),
        Ok(address) => format!("{address} is nothing that a document can name"),
    };
    incoming.problems.push(message);
}

type Names = BTreeMap<String, Vec<Address>>;

/// What every name means: the variables that an environment gets, and the keys of groups that go to none.
fn names(manifest: &Manifest, environment: &Environment, held: &Held) -> Result<Names> {
    let mut names = Names::new();
    for group in manifest.groups_in(environment) {
        if group.reaches_environments() {
            let selection = Selection { groups: Some(vec![group.name.clone()]), ..Selection::default() };
            for variable in manifest.names(environment, &held.instances, &selection)? {
                names.entry(variable.name.to_string()).or_default().push(variable.address);
            }
        } else if !group.is_instanced() {
            for key in group.keys.values().filter(|key| key.environments.contains(environment)) {
                let address = Address::new(group.name.clone(), key.name.clone());
                names.entry(key.name.to_string()).or_default().push(address);
            }
        }
    }
    Ok(names)
}

/// A name as the manifest would have it: chamber's are small, with `-` where an environment has `_`.
fn known_as(names: &Names, format: Format, name: &str) -> String {
    if format != Format::Chamber || names.contains_key(name) {
        return name.to_owned();
    }
    name.replace('-', "_").to_ascii_uppercase()
}

enum Meant {
    One(Address),
    Several(Vec<Address>),
    Nothing,
}

fn meant(names: &Names, group: Option<&Group>, name: &str) -> Meant {
    let all = names.get(name).map_or(&[][..], Vec::as_slice);
    let in_group = all.iter().find(|address| group == Some(&address.group));
    match (all, in_group) {
        (_, Some(one)) | ([one], None) => Meant::One(one.clone()),
        ([], None) => Meant::Nothing,
        (several, None) => Meant::Several(several.to_vec()),
    }
}

/// Why a value that does not live in home is not as the document has it; nothing where it is.
fn stands_as(
    manifest: &Manifest,
    environment: &Environment,
    after: &Snapshot,
    address: &Address,
    value: &Secret,
) -> Option<String> {
    let file = manifest.file();
    match manifest.source(environment, address) {
        Some(ValueSource::Literal { value: plain, .. }) if plain.same_as(value) => None,
        Some(ValueSource::Literal { line, .. }) => Some(format!(
            "{address} has another value in the manifest, where it lives ({file}:{line}); change it there, or take it out \
             of the document"
        )),
        Some(ValueSource::Derived { line, .. }) => match manifest.value_of(environment, after, address) {
            Ok(Some(derived)) if derived.same_as(value) => None,
            Ok(_) => Some(format!(
                "{address} is derived, and what follows from the other keys is another value ({file}:{line}); change \
                 those, or take it out of the document"
            )),
            Err(missing) => Some(format!("{address} is derived ({file}:{line}), and {missing}")),
        },
        Some(ValueSource::Absent) => {
            Some(format!("{address} has no value in `{environment}`, says the manifest"))
        }
        Some(ValueSource::Home) | None => Some(format!("{address} is not of `{environment}`")),
    }
}
