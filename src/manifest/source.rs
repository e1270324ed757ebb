//! The manifest's text, and where in it each part stands.
//!
//! Owns positions: every other file names a part by its trail (`groups`, `app`, `keys`, `SECRET_KEY`), and only here a
//! trail becomes a line and a column. It knows nothing about what the parts mean.

use crate::manifest::derive::holds_password;
use crate::manifest::problem::{ManifestError, Problem};
use std::ops::Range;
use toml_edit::{Document, Item, TomlError};

/// The way to a part of the document: the names of tables and keys, and the index in an array as a number.
pub(super) type Trail = Vec<String>;

/// Builds a trail of anything that is text.
macro_rules! trail {
    ($($step:expr),* $(,)?) => { vec![$($step.to_string()),*] };
}
pub(super) use trail;

/// Which end of `key = value` a problem points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    /// The name.
    Key,
    /// What stands behind the name.
    Value,
}

/// A problem whose place is still a trail.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) trail: Trail,
    pub(super) on: On,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// The text of a manifest that is TOML.
pub(super) struct Source<'a> {
    file: &'a str,
    text: &'a str,
    /// Where each line starts: every key has a line, and counting from the top for each would take the square.
    lines: Vec<usize>,
    pub(super) document: Document<String>,
}

impl<'a> Source<'a> {
    /// Reads the text as TOML.
    pub(super) fn parse(file: &'a str, text: &'a str) -> Result<Source<'a>, ManifestError> {
        match Document::parse(text.to_owned()) {
            Ok(document) => {
                let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
                let lines = std::iter::once(0).chain(breaks).collect();
                Ok(Source { file, text, lines, document })
            }
            Err(error) => Err(ManifestError { problems: vec![not_toml(file, text, &error)] }),
        }
    }

    /// The file, as the caller named it.
    pub(super) fn file(&self) -> &str {
        self.file
    }

    /// The line that a part stands in, counted from 1.
    pub(super) fn line(&self, trail: &[String]) -> usize {
        let start = self.span(trail, On::Key).start;
        self.lines.partition_point(|line| *line <= start)
    }

    /// Gives findings their places, in the order of the file.
    pub(super) fn error(&self, findings: Vec<Finding>) -> ManifestError {
        let masks = self.values();
        let mut placed: Vec<(usize, Problem)> =
            findings.into_iter().map(|finding| self.place(finding, &masks)).collect();
        placed.sort_by_key(|(start, _)| *start);
        placed.dedup_by(|a, b| a.1 == b.1);
        ManifestError { problems: placed.into_iter().map(|(_, problem)| problem).collect() }
    }

    fn place(&self, finding: Finding, masks: &[Range<usize>]) -> (usize, Problem) {
        let span = self.span(&finding.trail, finding.on);
        let start = span.start;
        let shown = |from: usize, to: usize| {
            let hidden = |index: usize| masks.iter().any(|mask| mask.contains(&index));
            self.text[from..to]
                .char_indices()
                .map(|(index, c)| if hidden(from + index) { '*' } else { printable(c) })
                .collect()
        };
        (start, problem(self.file, self.text, span, shown, finding.message, finding.help))
    }

    /// The bytes that a trail names; the nearest part that exists where it does not.
    fn span(&self, trail: &[String], on: On) -> Range<usize> {
        let mut item = self.document.as_item();
        let mut best = 0..0;
        for (depth, step) in trail.iter().enumerate() {
            let last = depth + 1 == trail.len();
            if let Some(table) = item.as_table_like() {
                let Some((key, next)) = table.get_key_value(step) else { return best };
                best = key.span().unwrap_or(best);
                let plain = !matches!(next, Item::Table(_) | Item::ArrayOfTables(_));
                if last && on == On::Value && plain {
                    best = next.span().unwrap_or(best);
                }
                item = next;
            } else if let Some(value) = item.as_array().zip(step.parse().ok()).and_then(|(a, i)| a.get(i)) {
                return value.span().unwrap_or(best);
            } else {
                return best;
            }
        }
        best
    }

    /// The texts that may be values: what a key is set to, by mistake or with `value`, and what stands in a field that
    /// a key does not have.
    fn values(&self) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let groups = self.document.get("groups").and_then(Item::as_table_like);
        for (_, group) in groups.iter().flat_map(|groups| groups.iter()) {
            let Some(group) = group.as_table_like() else { continue };
            for (field, item) in group.iter() {
                if field == "keys" {
                    keys(item, &mut found);
                } else if !["description", "environments", "instances", "path", "env", "audience"]
                    .contains(&field)
                {
                    texts(item, &mut found);
                }
            }
        }
        identities(self.document.get("project"), &mut found);
        found
    }
}

fn keys(keys: &Item, found: &mut Vec<Range<usize>>) {
    let Some(keys) = keys.as_table_like() else { return texts(keys, found) };
    for (_, key) in keys.iter() {
        let Some(fields) = key.as_table_like() else {
            texts(key, found);
            continue;
        };
        for (field, item) in fields.iter() {
            let told = ["derive", "description", "generate", "type", "environments", "tags"];
            if !told.contains(&field) || item.as_str().is_some_and(holds_password) {
                texts(item, found);
            }
        }
    }
}

/// Private identities that were written where recipients belong.
fn identities(project: Option<&Item>, found: &mut Vec<Range<usize>>) {
    let recipients = project.and_then(|project| project.get("recipients")).and_then(Item::as_array);
    for recipient in recipients.iter().flat_map(|recipients| recipients.iter()) {
        let private = |text: &str| text.to_uppercase().contains("SECRET-KEY") || text.contains("PRIVATE");
        if recipient.as_str().is_some_and(private) {
            found.extend(recipient.span());
        }
    }
}

fn texts(item: &Item, found: &mut Vec<Range<usize>>) {
    match item {
        Item::Value(value) if value.is_array() => {
            for value in value.as_array().into_iter().flatten() {
                texts(&Item::Value(value.clone()), found);
            }
        }
        Item::Value(value) if !value.is_inline_table() && !value.is_bool() => found.extend(value.span()),
        Item::Value(_) | Item::Table(_) => {
            for (_, item) in item.as_table_like().iter().flat_map(|table| table.iter()) {
                texts(item, found);
            }
        }
        Item::None | Item::ArrayOfTables(_) => {}
    }
}

/// What toml_edit says, on the line with everything behind the first `=` masked: nothing tells a value from the rest of
/// a line that is not TOML.
fn not_toml(file: &str, text: &str, error: &TomlError) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let shown = |from: usize, to: usize| {
        let mut value = false;
        let mask = |c: char| {
            let kept = !value || c.is_whitespace() || "{}[]=,\"'".contains(c);
            value |= c == '=';
            if kept { printable(c) } else { '*' }
        };
        text[from..to].chars().map(mask).collect()
    };
    let message = error.message().lines().collect::<Vec<_>>().join("; ");
    problem(file, text, span, shown, format!("not TOML: {message}"), None)
}

fn problem(
    file: &str,
    text: &str,
    span: Range<usize>,
    shown: impl FnOnce(usize, usize) -> String,
    message: String,
    help: Option<String>,
) -> Problem {
    let (line, column) = position(text, span.start);
    let start = text[..floor(text, span.start)].rfind('\n').map_or(0, |at| at + 1);
    let end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let shown = shown(start, end).trim_end().to_owned();
    let from = floor(text, span.start);
    let to = floor(text, span.end.clamp(from, end.max(from)));
    let width = text[from..to].chars().count().max(1);
    Problem { file: file.to_owned(), line, column, text: shown, width, message, help }
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..floor(text, offset)];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    (line, column)
}

fn floor(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}
