//! npm's dotenv 16, 17 and 18, which share one regular expression.
//!
//! Nothing is ever unescaped: a quote in a quoted value must have a backslash before it, which stays. A quoted value that
//! ends in a backslash runs on to a later quote of the file if a line end or `#` follows that; a comment `# '.` after
//! our closing quote gives the expression a quote to try first that cannot be the end.

use super::buffer::{Buffer, joined};
use super::read::{Fault, Reading, line_at};
use super::{Dialect, Form, Grammar};
use zeroize::Zeroizing;

pub(super) const GRAMMAR: Grammar =
    Grammar { dialect: Dialect::Node, models: &[model], forms, objection: |_, _| None };

fn forms(value: &str) -> Vec<Form> {
    let written = replaced(&replaced(value, "\n", "\\n"), "\r", "\\r");
    let quoted = |quote: &str, text: &str| joined(&[quote, text, quote]);
    let guarded = |quote: &str, text: &str| joined(&[quote, text, quote, " # ", quote, "."]);
    vec![
        quoted("'", value),
        quoted("\"", value),
        quoted("`", value),
        guarded("'", value),
        guarded("\"", value),
        guarded("`", value),
        quoted("\"", &written),
        guarded("\"", &written),
    ]
}

/// `\r\n` and `\r` as `\n`; the text as JavaScript's `replace(/\r\n?/g, '\n')` and Python's text mode give it.
pub(super) fn with_lf(text: &str) -> Zeroizing<String> {
    replaced(&replaced(text, "\r\n", "\n"), "\r", "\n")
}

fn replaced(text: &str, from: &str, to: &str) -> Zeroizing<String> {
    let pieces: Vec<&str> = text.split(from).flat_map(|piece| [to, piece]).skip(1).collect();
    joined(&pieces)
}

fn model(text: &str) -> Result<Reading, Fault> {
    let text = with_lf(text);
    let mut reading = Reading::default();
    let mut at = 0;
    let mut counted = (0, 1);
    while at <= text.len() {
        let start = at;
        counted = (start, counted.1 + line_at(&text[counted.0..start], start) - 1);
        match Match::at(&text, start) {
            Some(found) => {
                let line = counted.1 + line_at(&text[start..found.name.0], found.name.0) - 1;
                reading.set(
                    line,
                    &text[found.name.0..found.name.1],
                    cleaned(&text[found.value.0..found.value.1]),
                );
                at = found.end;
                if at < text.len() {
                    at = next_line(&text, at);
                } else {
                    break;
                }
            }
            None => {
                let line = text[start..].split(line_end).next().unwrap_or_default().trim_matches(space);
                if !line.is_empty() && !line.starts_with('#') {
                    reading.skipped.push(counted.1);
                }
                if !text[start..].contains(line_end) {
                    break;
                }
                at = next_line(&text, start);
            }
        }
    }
    Ok(reading)
}

/// Where the next line starts: after the first line end at or after `from`.
fn next_line(text: &str, from: usize) -> usize {
    text[from..]
        .char_indices()
        .find(|(_, c)| line_end(*c))
        .map_or(text.len() + 1, |(at, c)| from + at + c.len_utf8())
}

/// A match of dotenv's `LINE`, as byte ranges of the text.
struct Match {
    name: (usize, usize),
    value: (usize, usize),
    end: usize,
}

impl Match {
    /// The expression's first match at the start of a line, in the order in which a backtracking matcher would try.
    fn at(text: &str, start: usize) -> Option<Match> {
        let first = skip(text, start, space);
        let exported = text[first..]
            .strip_prefix("export")
            .filter(|rest| rest.starts_with(space))
            .map(|_| skip(text, first + "export".len(), space));
        exported.into_iter().chain([first]).find_map(|name| Match::named(text, name))
    }

    fn named(text: &str, start: usize) -> Option<Match> {
        let end = skip(text, start, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
        if end == start {
            return None;
        }
        let equals = skip(text, end, space);
        let after = if text[equals..].starts_with('=') {
            equals + 1
        } else {
            let blank = text[end..].strip_prefix(':')?.chars().next().filter(|c| space(*c))?;
            end + 1 + blank.len_utf8()
        };
        let (value, end_of_match) = value(text, after)?;
        Some(Match { name: (start, end), value, end: end_of_match })
    }
}

/// The value's range and the end of the match.
fn value(text: &str, start: usize) -> Option<((usize, usize), usize)> {
    let open = skip(text, start, space);
    if let Some(quote) = text[open..].chars().next().filter(|c| matches!(c, '\'' | '"' | '`')) {
        for close in closing_quotes(text, open + 1, quote) {
            if let Some(end) = tail(text, close + 1) {
                return Some(((start, close + 1), end));
            }
        }
    }
    let bare = skip(text, start, |c| !matches!(c, '#' | '\n' | '\r'));
    tail(text, bare).map(|end| ((start, bare), end))
}

/// Where `(?:\\q|[^q])*` lets a quoted value end, the greediest first: at the first quote without a backslash before it,
/// and then, backwards, at each that has one.
fn closing_quotes(text: &str, start: usize, quote: char) -> impl Iterator<Item = usize> {
    let quotes = text[start..].match_indices(quote).map(|(at, _)| start + at);
    let mut escaped = Vec::new();
    let mut free = None;
    for at in quotes {
        if text[start..at].ends_with('\\') {
            escaped.push(at);
        } else {
            free = Some(at);
            break;
        }
    }
    free.into_iter().chain(escaped.into_iter().rev())
}

/// `\s*(?:#.*)?$`: the end of the match, as late as the expression can make it.
fn tail(text: &str, start: usize) -> Option<usize> {
    let end = skip(text, start, space);
    if text[end..].starts_with('#') {
        return Some(skip(text, end, |c| !line_end(c)));
    }
    if end == text.len() {
        return Some(end);
    }
    let blanks = &text[start..end];
    blanks.char_indices().rev().find(|(_, c)| line_end(*c)).map(|(at, _)| start + at)
}

/// The value without the quotes round it, and with `\n` and `\r` decoded if it began with a double quote.
fn cleaned(text: &str) -> Zeroizing<String> {
    let text = text.trim_matches(space);
    let unquoted = without_quotes(text);
    if text.starts_with('"') { replaced(&replaced(&unquoted, "\\n", "\n"), "\\r", "\r") } else { unquoted }
}

/// JavaScript's `replace(/^(['"`])([\s\S]*)\1$/mg, '$2')`, where `^` and `$` are at every line.
fn without_quotes(text: &str) -> Zeroizing<String> {
    let mut out = Buffer::new();
    let mut at = 0;
    let mut copied = 0;
    while at < text.len() {
        let close = text[at..].chars().next().filter(|c| matches!(c, '\'' | '"' | '`')).and_then(|quote| {
            let ends = |close: &usize| text[close + 1..].chars().next().is_none_or(line_end);
            text[at + 1..].rmatch_indices(quote).map(|(found, _)| at + 1 + found).find(ends)
        });
        if let Some(close) = close {
            out.push_str(&text[copied..at]);
            out.push_str(&text[at + 1..close]);
            copied = close + 1;
            at = copied;
        }
        at = next_line(text, at);
    }
    out.push_str(&text[copied..]);
    out.finish()
}

fn skip(text: &str, from: usize, over: impl Fn(char) -> bool) -> usize {
    text[from..].find(|c| !over(c)).map_or(text.len(), |at| from + at)
}

/// JavaScript's `\s`: Unicode's white space without NEL, and the mark of byte order.
fn space(c: char) -> bool {
    c == '\u{feff}' || (c.is_whitespace() && c != '\u{85}')
}

/// Where JavaScript's `^` and `$` see a line end, and `.` stops.
fn line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}
