//! Declarations of keys.

use super::EditError;
use super::groups::keys_of;
use super::text::{close, open, put, strike};
use crate::manifest::Manifest;
use crate::manifest::derive::TemplateOf;
use crate::manifest::generate::Generator;
use crate::manifest::model::Origin;
use crate::name::{Environment, Group, Key};
use toml_edit::{InlineTable, Item, TableLike, Value};

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
    /// The environments that it belongs to; those of its group where none is named.
    pub environments: Vec<Environment>,
}

/// Declares a key at the end of a group, which is made where it does not exist.
pub fn add_key(file: &str, text: &str, group: &Group, key: &Key, new: &NewKey) -> Result<String, EditError> {
    let mut document = open(file, text)?;
    let keys = keys_of(&mut document, group);
    if keys.contains_key(key.as_str()) {
        return Err(EditError::Declared { group: group.clone(), key: key.clone() });
    }
    put(keys, key.as_str(), declaration(new).into());
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

/// Says whether the value of a key is a secret, by the key's own word: what is derived from a secret stays one.
pub fn set_key_secret(
    file: &str,
    text: &str,
    group: &Group,
    key: &Key,
    secret: bool,
) -> Result<String, EditError> {
    let manifest = Manifest::parse(file, text)?;
    let declared = manifest.groups.get(group).and_then(|group| group.keys.get(key));
    let declared =
        declared.ok_or_else(|| EditError::Undeclared { group: group.clone(), key: key.clone() })?;
    if secret && matches!(declared.origin, Origin::Literal { .. }) {
        return Err(EditError::Literal { group: group.clone(), key: key.clone(), line: declared.line });
    }
    change(file, text, group, key, |item| {
        let fields = item.as_table_like_mut().expect("a manifest's key is a table");
        // A dotted key is declared by its fields alone, of which this may be the only one.
        if secret || (fields.is_dotted() && fields.len() == 1 && fields.contains_key("secret")) {
            put(fields, "secret", secret.into());
        } else {
            strike(item, "secret");
        }
    })
}

fn set(
    file: &str,
    text: &str,
    group: &Group,
    key: &Key,
    edit: impl FnOnce(&mut dyn TableLike),
) -> Result<String, EditError> {
    change(file, text, group, key, |item| {
        edit(item.as_table_like_mut().expect("a manifest's key is a table"));
    })
}

fn change(
    file: &str,
    text: &str,
    group: &Group,
    key: &Key,
    edit: impl FnOnce(&mut Item),
) -> Result<String, EditError> {
    let mut document = open(file, text)?;
    let item = document
        .get_mut("groups")
        .and_then(|groups| groups.get_mut(group.as_str())?.get_mut("keys")?.get_mut(key.as_str()));
    let item = item.filter(|item| item.is_table_like());
    edit(item.ok_or_else(|| EditError::Undeclared { group: group.clone(), key: key.clone() })?);
    close(file, text, &document)
}

/// A key's fields, in the order in which people write them.
pub(in crate::manifest) fn declaration(new: &NewKey) -> InlineTable {
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
    if !new.environments.is_empty() {
        let names: toml_edit::Array = new.environments.iter().map(Environment::as_str).collect();
        fields.insert("environments", names.into());
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
