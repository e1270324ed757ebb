//! Groups: the table of their keys, and where their values lie.

use super::EditError;
use super::text::{close, open, put};
use crate::name::Group;
use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike};

/// Says how the documents of a group are named in Secrets Manager. One template for every kind of place stays that of
/// the others.
pub fn set_document_path(file: &str, text: &str, group: &Group, template: &str) -> Result<String, EditError> {
    let mut document = open(file, text)?;
    let table = document.get_mut("groups").and_then(|groups| groups.get_mut(group.as_str()));
    let table = table.filter(|item| item.is_table_like()).ok_or_else(|| EditError::NoGroup(group.clone()))?;
    let is_inline = table.is_inline_table();
    if table.get("path").is_none() {
        show(table);
    }
    let fields = table.as_table_like_mut().expect("a manifest's group is a table");
    match fields.get_mut("path") {
        Some(path) => match path.as_str().map(str::to_owned) {
            Some(everywhere) => put(fields, "path", places(Some(&everywhere), template).into()),
            None => {
                let places = path.as_table_like_mut().expect("a path is a text or a table");
                put(places, PLACE, template.into());
            }
        },
        None if is_inline => put(fields, "path", places(None, template).into()),
        None => {
            let mut path = implicit();
            path.set_dotted(true);
            path.insert(PLACE, template.into());
            fields.insert("path", path.into());
        }
    }
    close(file, text, &document)
}

const PLACE: &str = "secretsmanager";

fn places(others: Option<&str>, template: &str) -> InlineTable {
    let mut places = InlineTable::new();
    if let Some(others) = others {
        places.insert("ssm", others.into());
    }
    places.insert(PLACE, template.into());
    places
}

/// Gives a group a header of its own, where it has only those of tables within it.
fn show(group: &mut Item) {
    let first = first_position(group);
    let Some(table) = group.as_table_mut().filter(|table| table.is_implicit() && !table.is_dotted()) else {
        return;
    };
    table.set_implicit(false);
    table.set_position(first);
    table.decor_mut().set_prefix("\n");
}

/// The keys of a group; the tables that are missing are made behind the last group.
pub(super) fn keys_of<'a>(document: &'a mut DocumentMut, group: &Group) -> &'a mut dyn TableLike {
    let behind = document.get("groups").and_then(last_position);
    let groups = document.entry("groups").or_insert_with(|| implicit().into());
    let groups = groups.as_table_like_mut().expect("a manifest's groups are a table");
    let table = groups.entry(group.as_str()).or_insert_with(|| implicit().into());
    let is_inline = table.is_inline_table();
    let table = table.as_table_like_mut().expect("a manifest's group is a table");
    if is_inline && !table.contains_key("keys") {
        put(table, "keys", InlineTable::new().into());
    }
    let keys = table.entry("keys").or_insert_with(|| {
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

/// The position of the first table within an item.
fn first_position(item: &Item) -> Option<isize> {
    let table = item.as_table()?;
    let within = table.iter().filter_map(|(_, item)| first_position(item)).min();
    table.position().or(within)
}
