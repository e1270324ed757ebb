//! Lists of texts: elements that come and go, with the comments that stand behind them.

use toml_edit::{Array, Value};

/// Adds an element at the end. Where each stands in a line of its own, so does the new one.
pub(super) fn add(list: &mut Array, text: &str) {
    let mut added = Value::from(text);
    let last = list.len().checked_sub(1).and_then(|last| list.get(last));
    let before = last.and_then(|last| last.decor().prefix()?.as_str()).unwrap_or_default().to_owned();
    let behind = list.trailing().as_str().unwrap_or_default().to_owned();
    match (before.rsplit_once('\n'), split_line(&behind)) {
        // What stands behind the last one's comma is a comment on that one.
        (Some((_, indent)), (comment, Some(rest))) => {
            added.decor_mut().set_prefix(format!("{comment}\n{indent}"));
            list.set_trailing(format!("\n{rest}"));
        }
        (Some((_, indent)), (_, None)) => added.decor_mut().set_prefix(format!("\n{indent}")),
        (None, _) if !list.is_empty() => added.decor_mut().set_prefix(" "),
        (None, _) => {}
    }
    list.push_formatted(added);
}

/// Removes an element. What stands behind its comma, up to the end of the line, is a comment on it and goes with it.
pub(super) fn remove(list: &mut Array, at: usize) {
    let removed = list.remove(at);
    let before = removed.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
    let (comment, _) = split_line(before);
    let moved = |behind: &str| match split_line(behind) {
        (_, Some(rest)) => format!("{comment}\n{rest}"),
        (_, None) => before.to_owned(),
    };
    let trailing = moved(list.trailing().as_str().unwrap_or_default());
    if let Some(next) = list.get_mut(at) {
        let prefix = moved(next.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default());
        next.decor_mut().set_prefix(prefix);
    } else if trailing.contains('\n') {
        list.set_trailing(trailing);
    }
}

/// The rest of a line, and what follows it.
fn split_line(text: &str) -> (&str, Option<&str>) {
    text.split_once('\n').map_or((text, None), |(line, rest)| (line, Some(rest)))
}
