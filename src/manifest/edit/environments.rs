//! Environments: their home, and how secrets reach their copies.

use super::text::{close, open, put, strike};
use super::{EditError, list};
use crate::manifest::Manifest;
use crate::name::{Address, Environment};
use toml_edit::{Array, DocumentMut, Item, TableLike};

/// Makes another place the home of an environment.
pub fn set_home(file: &str, text: &str, environment: &Environment, home: &str) -> Result<String, EditError> {
    let mut document = open(file, text)?;
    let table = document.get_mut("environments").and_then(|all| all.get_mut(environment.as_str()));
    let table = table.and_then(Item::as_table_like_mut);
    let table = table.ok_or_else(|| EditError::NoEnvironment(environment.clone()))?;
    put(table, "home", home.into());
    close(file, text, &document)
}

/// Says whether secrets reach a copy by value or by reference: `value`, `reference`. Where all of them go by reference,
/// none is listed.
pub fn set_copy_secrets(
    file: &str,
    text: &str,
    environment: &Environment,
    copy: &str,
    secrets: &str,
) -> Result<String, EditError> {
    let mut document = open(file, text)?;
    let item = copy_of(&mut document, environment, copy)?;
    put(fields(item), "secrets", secrets.into());
    if secrets == "reference" {
        strike(item, LIST);
    }
    close(file, text, &document)
}

/// Says which values reach a copy by reference while all others go there by value.
pub fn set_copy_references(
    file: &str,
    text: &str,
    environment: &Environment,
    copy: &str,
    references: &[Address],
) -> Result<String, EditError> {
    let manifest = Manifest::parse(file, text)?;
    let mut document = open(file, text)?;
    let item = copy_of(&mut document, environment, copy)?;
    put(fields(item), "secrets", "value".into());
    if references.is_empty() {
        strike(item, LIST);
    } else if let Some(list) = fields(item).get_mut(LIST).and_then(Item::as_array_mut) {
        let listed: Vec<Option<Address>> =
            list.iter().map(|text| manifest.address(environment, text.as_str()?).ok()).collect();
        for at in (0..listed.len()).rev() {
            if !listed[at].as_ref().is_some_and(|address| references.contains(address)) {
                list::remove(list, at);
            }
        }
        for address in references.iter().filter(|address| !listed.contains(&Some((*address).clone()))) {
            list::add(list, &address.to_string());
        }
    } else {
        let list: Array = references.iter().map(Address::to_string).collect();
        put(fields(item), LIST, list.into());
    }
    close(file, text, &document)
}

const LIST: &str = "references";

fn copy_of<'a>(
    document: &'a mut DocumentMut,
    environment: &Environment,
    copy: &str,
) -> Result<&'a mut Item, EditError> {
    let found = document.get_mut("environments").and_then(|all| all.get_mut(environment.as_str()));
    let found = found.filter(|item| item.is_table_like());
    let found = found.ok_or_else(|| EditError::NoEnvironment(environment.clone()))?;
    let found = found.get_mut("copies").and_then(|copies| copies.get_mut(copy));
    found
        .filter(|item| item.is_table_like())
        .ok_or_else(|| EditError::NoCopy { environment: environment.clone(), copy: copy.to_owned() })
}

fn fields(copy: &mut Item) -> &mut dyn TableLike {
    copy.as_table_like_mut().expect("a manifest's copy is a table")
}
