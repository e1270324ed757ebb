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
mod tests {
    use super::*;
    use crate::manifest::generate::Alphabet;
    use proptest::prelude::*;

    const TEXT: &str = r#"# The app.
version = 1     # of the format

[project]
name = 'shop'   # the folder's name
recipients = [
    "age1one",  # Ada
]

[environments.local]
home = "vault"

[groups.app.keys]
# Signs sessions.
SECRET_KEY   = { secret = true }   # Django's
HOST = {}

[groups.mail]
description = "outgoing mail"
keys.PORT = { value = "25" }

[render.app]
file = ".env"
dialect = "compose"
"#;

    fn group(text: &str) -> Group {
        text.parse().unwrap()
    }

    fn key(text: &str) -> Key {
        text.parse().unwrap()
    }

    fn secret() -> NewKey {
        NewKey { secret: true, ..NewKey::default() }
    }

    /// The lines that an edit added and took away.
    fn difference(after: &str) -> (Vec<&str>, Vec<&str>) {
        let lines = |text: &'static str| text.lines().collect::<Vec<_>>();
        let before = lines(TEXT);
        let after: Vec<&str> = after.lines().collect();
        let added = after.iter().filter(|line| !before.contains(line)).copied().collect();
        (added, before.into_iter().filter(|line| !after.contains(line)).collect())
    }

    #[test]
    fn a_key_is_added_behind_the_others_of_its_group() {
        let text = add_key("f", TEXT, &group("app"), &key("TOKEN"), &secret()).unwrap();
        assert_eq!(difference(&text), (vec!["TOKEN = { secret = true }"], vec![]));
        assert!(text.contains("HOST = {}\nTOKEN = { secret = true }\n\n[groups.mail]"), "{text}");
    }

    #[test]
    fn a_group_that_does_not_exist_is_made_behind_the_others() {
        let text = add_key("f", TEXT, &group("extra"), &key("TOKEN"), &secret()).unwrap();
        assert_eq!(difference(&text), (vec!["[groups.extra.keys]", "TOKEN = { secret = true }"], vec![]));
        assert!(
            text.contains("\n\n[groups.extra.keys]\nTOKEN = { secret = true }\n\n[render.app]"),
            "{text}"
        );
    }

    #[test]
    fn the_first_group_of_a_manifest_is_made() {
        let text = "version = 1\n[project]\nname = \"a\"\n[environments.local]\nhome = \"vault\"\n";
        let text = add_key("f", text, &group("app"), &key("A"), &NewKey::default()).unwrap();
        assert!(text.ends_with("home = \"vault\"\n\n[groups.app.keys]\nA = {}\n"), "{text}");
    }

    #[test]
    fn recipients_come_and_go_in_lines_of_their_own() {
        let text = add_recipient("f", TEXT, "age1two").unwrap();
        assert!(text.contains("\"age1one\",  # Ada\n    \"age1two\",\n]"), "{text}");
        let text = remove_recipient("f", &text, "age1one").unwrap();
        assert!(text.contains("\"age1two\""), "{text}");
        assert_eq!(Manifest::parse("f", &text).unwrap().recipients(), ["age1two"]);
        assert_eq!(add_recipient("f", TEXT, "age1one"), Err(EditError::Recipient));
        assert_eq!(remove_recipient("f", TEXT, "age1two"), Err(EditError::NoRecipient));
    }

    #[test]
    fn a_declaration_changes_in_its_line_only() {
        let generator = Generator::sized(50, Alphabet::Django).unwrap();
        let text = set_generate("f", TEXT, &group("app"), &key("SECRET_KEY"), &generator).unwrap();
        let line = r#"SECRET_KEY   = { secret = true, generate = "django" }   # Django's"#;
        assert_eq!(difference(&text).0, [line]);
        let template = TemplateOf::parse("http://{app/HOST}:80").unwrap();
        let text = set_derive("f", TEXT, &group("mail"), &key("PORT"), &template).unwrap();
        assert_eq!(difference(&text).0, [r#"keys.PORT = { derive = "http://{app/HOST}:80" }"#]);
    }

    #[test]
    fn another_home_keeps_what_stands_around_it() {
        let environment = "local".parse().unwrap();
        let text = set_home("f", TEXT, &environment, "ssm").unwrap();
        assert_eq!(difference(&text), (vec![r#"home = "ssm""#], vec![r#"home = "vault""#]));
        let error = set_home("f", TEXT, &environment, "somewhere").unwrap_err();
        assert!(error.to_string().contains("unknown place `somewhere`"), "{error}");
    }

    #[test]
    fn what_is_there_already_or_not_at_all_is_told() {
        let app = group("app");
        let error = add_key("f", TEXT, &app, &key("HOST"), &secret()).unwrap_err();
        assert_eq!(error, EditError::Declared { group: app.clone(), key: key("HOST") });
        let template = TemplateOf::parse("{HOST}").unwrap();
        let error = set_derive("f", TEXT, &app, &key("NONE"), &template).unwrap_err();
        assert_eq!(error, EditError::Undeclared { group: app, key: key("NONE") });
    }

    proptest! {
        #[test]
        fn adding_a_key_keeps_every_line_byte_for_byte(
            comment in "[ -~äß]{0,30}",
            spaces in " {0,4}",
            windows in any::<bool>(),
            name in "[A-Z]{3,8}",
            in_new_group in any::<bool>(),
        ) {
            let mut before = TEXT.replace("# Signs sessions.", &format!("{spaces}# {comment}"));
            if windows {
                before = before.replace('\n', "\r\n");
            }
            let target = group(if in_new_group { "zeta" } else { "app" });
            let after = add_key("f", &before, &target, &key(&format!("NEW_{name}")), &secret()).unwrap();
            let mut rest = after.split_inclusive('\n');
            for line in before.split_inclusive('\n') {
                prop_assert!(rest.any(|kept| kept == line), "{line:?} in {after:?}");
            }
        }
    }
}
