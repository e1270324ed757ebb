//! The text around an edit: it is opened as a document, and of the new one only the lines that changed are taken.

use super::EditError;
use crate::manifest::Manifest;
use toml_edit::{Decor, DocumentMut, InlineTable, Item, RawString, TableLike, Value};

/// How the value of a field is written whose line is to go.
const STRUCK: &str = "\"\\u0001struck\\u0001\"";

/// The text, which is a manifest, for an edit.
pub(super) fn open(file: &str, text: &str) -> Result<DocumentMut, EditError> {
    Manifest::parse(file, text)?;
    Ok(text.parse().expect("the manifest has just been read as TOML"))
}

/// The text after an edit, which is a manifest again.
pub(super) fn close(file: &str, before: &str, document: &DocumentMut) -> Result<String, EditError> {
    let after = document.to_string();
    let kept = after.split_inclusive('\n').filter(|line| !line.contains(STRUCK));
    let text = splice(before, &kept.collect::<String>());
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

/// Sets a field and keeps the comment behind it.
pub(super) fn put(fields: &mut dyn TableLike, field: &str, mut value: Value) {
    match fields.get_mut(field).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => {
            // The space before an inline table's closing brace belongs to its last value.
            let last = fields.iter_mut().last().and_then(|(_, item)| item.as_value_mut());
            if let Some(last) = last.map(last_decor).filter(|last| last.suffix().is_some_and(is_space)) {
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

/// What stands around a value, or around the last one that is written with its dotted name.
fn last_decor(value: &mut Value) -> &mut Decor {
    let is_dotted = value.as_inline_table().is_some_and(|table| table.is_dotted() && !table.is_empty());
    if !is_dotted {
        return value.decor_mut();
    }
    let fields = value.as_inline_table_mut().expect("only a table is dotted");
    last_decor(fields.iter_mut().last().expect("it is not empty").1)
}

/// Takes a field away. In a table of lines its line goes, and what stands above it stays.
pub(super) fn strike(table: &mut Item, field: &str) {
    if let Some(fields) = table.as_inline_table_mut() {
        strike_inline(fields, field);
    } else if let Some(old) = table.as_table_like_mut().and_then(|fields| fields.get_mut(field)) {
        *old = Item::Value(Value::from("\u{1}struck\u{1}"));
    }
}

/// The space before the closing brace belongs to the last value, whichever that is.
fn strike_inline(fields: &mut InlineTable, field: &str) {
    let Some(mut removed) = fields.remove(field) else { return };
    let suffix = last_decor(&mut removed).suffix().filter(|suffix| is_space(suffix)).cloned();
    let last = fields.iter_mut().last().map(|(_, value)| last_decor(value));
    if let Some((last, suffix)) = last.zip(suffix)
        && last.suffix().is_none_or(|own| own.as_str().is_some_and(str::is_empty))
    {
        last.set_suffix(suffix);
    }
}
