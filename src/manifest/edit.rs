//! Edits of the manifest's text that keep its comments, order and formatting.
//!
//! Owns how a declaration is written by the tool. Every edit ends with reading the new text: one that would not be a
//! manifest is not made.

use crate::manifest::derive::TemplateOf;
use crate::manifest::generate::Generator;
use crate::manifest::{Manifest, ManifestError};
use crate::name::{Environment, Group, Key};
use toml_edit::{Array, DocumentMut, InlineTable, Item, RawString, Table, TableLike, Value};

/// Why an edit was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The manifest is broken before or would be after the edit.
    #[error("the manifest is not changed: {0}")]
    Manifest(#[from] ManifestError),
    /// There is such a key already.
    #[error("`{group}/{key}` is declared already")]
    Declared {
        /// The group.
        group: Group,
        /// The key.
        key: Key,
    },
    /// There is no such key.
    #[error("`{group}/{key}` is not declared")]
    Undeclared {
        /// The group.
        group: Group,
        /// The key.
        key: Key,
    },
    /// There is no such environment.
    #[error("there is no environment `{0}`")]
    NoEnvironment(Environment),
    /// Somebody can open already what they are to be able to open.
    #[error("this recipient is in the manifest already")]
    Recipient,
    /// Nobody like this can open anything.
    #[error("this recipient is not in the manifest")]
    NoRecipient,
}

/// How a key is declared by the tool.
#[derive(Debug, Clone, Default)]
pub struct NewKey {
    /// The value is a secret.
    pub secret: bool,
    /// The plain value, where it is to stand in the manifest.
    pub value: Option<String>,
    /// The template, where it is derived.
    pub derive: Option<String>,
    /// How a new value is made.
    pub generate: Option<Generator>,
    /// May be missing.
    pub optional: bool,
    /// What it is for.
    pub description: Option<String>,
    /// Its SSM parameter is a plain `String`.
    pub plain_parameter: bool,
}

/// Declares a key at the end of a group, which is made where it does not exist.
pub fn add_key(file: &str, text: &str, group: &Group, key: &Key, new: &NewKey) -> Result<String, EditError> {
    let mut document = open(file, text)?;
    let keys = keys_of(&mut document, group);
    if keys.contains_key(key.as_str()) {
        return Err(EditError::Declared { group: group.clone(), key: key.clone() });
    }
    keys.insert(key.as_str(), Item::Value(Value::InlineTable(declaration(new))));
    close(file, text, &document)
}

/// Says how new values of a key are made.
pub fn set_generate(
    file: &str,
    text: &str,
    group: &Group,
    key: &Key,
    generator: &Generator,
) -> Result<String, EditError> {
    set(file, text, group, key, |fields| {
        put(fields, "generate", generate(generator));
    })
}

/// Says what a key follows from. It is a secret where one of its parts is, so that its own word is not needed.
pub fn set_derive(
    file: &str,
    text: &str,
    group: &Group,
    key: &Key,
    template: &TemplateOf<String>,
) -> Result<String, EditError> {
    set(file, text, group, key, |fields| {
        for replaced in ["value", "values", "generate", "secret"] {
            fields.remove(replaced);
        }
        put(fields, "derive", template.to_string().into());
    })
}

/// Adds somebody who can open vaults and backups.
pub fn add_recipient(file: &str, text: &str, recipient: &str) -> Result<String, EditError> {
    let mut document = open(file, text)?;
    let recipients = recipients_of(&mut document);
    if recipients.iter().any(|known| known.as_str() == Some(recipient)) {
        return Err(EditError::Recipient);
    }
    let mut added = Value::from(recipient);
    // Where each stands in a line of its own, so does the new one; what stands behind the last one's comma is a comment
    // on that one.
    let last = recipients.len().checked_sub(1).and_then(|last| recipients.get(last));
    let before = last.and_then(|last| last.decor().prefix()?.as_str()).unwrap_or_default().to_owned();
    let behind = recipients.trailing().as_str().unwrap_or_default().to_owned();
    match (before.rsplit_once('\n'), split_line(&behind)) {
        (Some((_, indent)), (comment, Some(rest))) => {
            added.decor_mut().set_prefix(format!("{comment}\n{indent}"));
            recipients.set_trailing(format!("\n{rest}"));
        }
        (Some((_, indent)), (_, None)) => added.decor_mut().set_prefix(format!("\n{indent}")),
        (None, _) if !recipients.is_empty() => added.decor_mut().set_prefix(" "),
        (None, _) => {}
    }
    recipients.push_formatted(added);
    close(file, text, &document)
}

/// Removes somebody from those who can open vaults and backups.
pub fn remove_recipient(file: &str, text: &str, recipient: &str) -> Result<String, EditError> {
    let mut document = open(file, text)?;
    let recipients = recipients_of(&mut document);
    let at = recipients.iter().position(|known| known.as_str() == Some(recipient));
    let at = at.ok_or(EditError::NoRecipient)?;
    let removed = recipients.remove(at);
    // What stands behind its comma, up to the end of the line, is a comment on it and goes with it.
    let before = removed.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
    let (comment, _) = split_line(before);
    let moved = |behind: &str| match split_line(behind) {
        (_, Some(rest)) => format!("{comment}\n{rest}"),
        (_, None) => before.to_owned(),
    };
    let trailing = moved(recipients.trailing().as_str().unwrap_or_default());
    if let Some(next) = recipients.get_mut(at) {
        let prefix = moved(next.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default());
        next.decor_mut().set_prefix(prefix);
    } else if trailing.contains('\n') {
        recipients.set_trailing(trailing);
    }
    close(file, text, &document)
}

/// The rest of a line, and what follows it.
fn split_line(text: &str) -> (&str, Option<&str>) {
    text.split_once('\n').map_or((text, None), |(line, rest)| (line, Some(rest)))
}

/// Makes another place the home of an environment.
pub fn set_home(file: &str, text: &str, environment: &Environment, home: &str) -> Result<String, EditError> {
    let mut document = open(file, text)?;
    let table = document.get_mut("environments").and_then(|all| all.get_mut(environment.as_str()));
    let table = table.and_then(Item::as_table_like_mut);
    let table = table.ok_or_else(|| EditError::NoEnvironment(environment.clone()))?;
    put(table, "home", home.into());
    close(file, text, &document)
}

/// Says whether secrets reach a copy by value or by reference: `value`, `reference`.
pub fn set_copy_secrets(
    file: &str,
    text: &str,
    environment: &Environment,
    copy: &str,
    secrets: &str,
) -> Result<String, EditError> {
    let mut document = open(file, text)?;
    let table = document.get_mut("environments").and_then(|all| all.get_mut(environment.as_str()));
    let table = table.and_then(|table| table.get_mut("copies")?.get_mut(copy)?.as_table_like_mut());
    let table = table.ok_or_else(|| EditError::NoEnvironment(environment.clone()))?;
    put(table, "secrets", secrets.into());
    close(file, text, &document)
}

fn open(file: &str, text: &str) -> Result<DocumentMut, EditError> {
    Manifest::parse(file, text)?;
    Ok(text.parse().expect("the manifest has just been read as TOML"))
}

fn close(file: &str, before: &str, document: &DocumentMut) -> Result<String, EditError> {
    let text = splice(before, &document.to_string());
    Manifest::parse(file, &text)?;
    Ok(text)
}

/// `before` with the lines that differ in `after`: toml_edit writes line ends of its own and no byte order mark.
fn splice(before: &str, after: &str) -> String {
    let same = |a: &&str, b: &&str| plain(a) == plain(b);
    let (old, new): (Vec<&str>, Vec<&str>) =
        (before.split_inclusive('\n').collect(), after.split_inclusive('\n').collect());
    let start = old.iter().zip(&new).take_while(|(a, b)| same(a, b)).count();
    let end =
        old[start..].iter().rev().zip(new[start..].iter().rev()).take_while(|(a, b)| same(a, b)).count();
    let line_end = if old.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" };
    let mut text = old[..start].concat();
    if start < new.len() && !text.is_empty() && !text.ends_with('\n') {
        text.push_str(line_end);
    }
    for line in &new[start..new.len() - end] {
        text.push_str(line.trim_end_matches(['\r', '\n']));
        text.push_str(if line.ends_with('\n') { line_end } else { "" });
    }
    text + &old[old.len() - end..].concat()
}

fn plain(line: &str) -> &str {
    line.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n'])
}

fn set(
    file: &str,
    text: &str,
    group: &Group,
    key: &Key,
    edit: impl FnOnce(&mut dyn TableLike),
) -> Result<String, EditError> {
    let mut document = open(file, text)?;
    let fields = document
        .get_mut("groups")
        .and_then(|groups| groups.get_mut(group.as_str())?.get_mut("keys")?.get_mut(key.as_str()))
        .and_then(Item::as_table_like_mut);
    edit(fields.ok_or_else(|| EditError::Undeclared { group: group.clone(), key: key.clone() })?);
    close(file, text, &document)
}

/// Sets a field and keeps the comment behind it.
fn put(fields: &mut dyn TableLike, field: &str, mut value: Value) {
    match fields.get_mut(field).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => {
            // The space before an inline table's closing brace belongs to its last value.
            let last = fields.iter_mut().last().and_then(|(_, item)| Some(item.as_value_mut()?.decor_mut()));
            if let Some(last) = last.filter(|last| last.suffix().is_some_and(is_space)) {
                value.decor_mut().set_suffix(last.suffix().cloned().unwrap_or_default());
                last.set_suffix("");
            }
            value.decor_mut().set_prefix(" ");
            fields.insert(field, Item::Value(value));
        }
    }
}

fn is_space(text: &RawString) -> bool {
    text.as_str().is_some_and(|text| !text.is_empty() && text.bytes().all(|byte| byte == b' '))
}

fn recipients_of(document: &mut DocumentMut) -> &mut Array {
    let project = document["project"].as_table_like_mut().expect("a manifest has a table of the project");
    let recipients = project.entry("recipients").or_insert_with(|| Item::Value(Array::new().into()));
    recipients.as_array_mut().expect("a manifest's recipients are a list")
}

/// The keys of a group; the tables that are missing are made behind the last group.
fn keys_of<'a>(document: &'a mut DocumentMut, group: &Group) -> &'a mut dyn TableLike {
    let behind = document.get("groups").and_then(last_position);
    let groups = document.entry("groups").or_insert_with(|| implicit().into());
    let groups = groups.as_table_like_mut().expect("a manifest's groups are a table");
    let keys = groups.entry(group.as_str()).or_insert_with(|| implicit().into());
    let keys = keys.as_table_like_mut().expect("a manifest's group is a table");
    let keys = keys.entry("keys").or_insert_with(|| {
        let mut table = Table::new();
        table.set_position(behind);
        table.decor_mut().set_prefix("\n");
        table.into()
    });
    keys.as_table_like_mut().expect("a group's keys are a table")
}

/// The position of the last table within an item: two tables of one position keep the order in which they are met.
fn last_position(item: &Item) -> Option<isize> {
    let table = item.as_table()?;
    let within = table.iter().filter_map(|(_, item)| last_position(item)).max();
    within.max(table.position())
}

fn implicit() -> Table {
    let mut table = Table::new();
    table.set_implicit(true);
    table
}

/// A key's fields, in the order in which people write them.
pub(super) fn declaration(new: &NewKey) -> InlineTable {
    let mut fields = InlineTable::new();
    if new.secret {
        fields.insert("secret", true.into());
    }
    if let Some(value) = &new.value {
        fields.insert("value", value.as_str().into());
    }
    if let Some(template) = &new.derive {
        fields.insert("derive", template.as_str().into());
    }
    if let Some(generator) = &new.generate {
        fields.insert("generate", generate(generator));
    }
    if new.optional {
        fields.insert("optional", true.into());
    }
    if new.plain_parameter {
        fields.insert("type", "String".into());
    }
    if let Some(description) = &new.description {
        fields.insert("description", description.as_str().into());
    }
    fields
}

/// The short form where the length is the usual one.
fn generate(generator: &Generator) -> Value {
    let alphabet = generator.alphabet();
    if *generator == Generator::usual(alphabet) {
        return alphabet.name().into();
    }
    let mut fields = InlineTable::new();
    let length = i64::try_from(generator.length()).expect("a length comes from 32 bits");
    fields.insert("length", length.into());
    fields.insert("alphabet", alphabet.name().into());
    fields.into()
}

#[cfg(test)]
mod tests;
