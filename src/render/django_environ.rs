//! django-environ's own parser (measured at 0.14), and `env("NAME")` on top of it.
//!
//! Strictly a line a variable, and Python's `splitlines()` ends one at ten characters. Single quotes hold everything
//! else as it is. A value that starts with `$` is taken for another variable's name by `env()`, whatever the quotes.

use super::buffer::{Buffer, joined, mapped};
use super::read::{Fault, Meaning, Reading};
use super::{Dialect, Form, Grammar, Reason};
use zeroize::Zeroizing;

pub(super) const GRAMMAR: Grammar =
    Grammar { dialect: Dialect::DjangoEnviron, models: &[model], forms, objection };

const LINE_ENDS: [char; 10] =
    ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];

fn forms(value: &str) -> Vec<Form> {
    let escaped = mapped(value, |out, c| {
        if matches!(c, '\\' | '"') {
            out.push('\\');
        }
        out.push(c);
    });
    vec![joined(&["'", value, "'"]), joined(&["\"", &escaped, "\""])]
}

fn objection(_: &str, value: &str) -> Option<Reason> {
    if value.contains(LINE_ENDS) {
        Some(Reason::LineBreak)
    } else if value.starts_with('$') {
        Some(Reason::LeadingDollar)
    } else {
        None
    }
}

fn model(text: &str) -> Result<Reading, Fault> {
    let mut reading = Reading::default();
    let mut number = 1;
    for line in text.split_inclusive(LINE_ENDS) {
        let content = line.trim_end_matches(LINE_ENDS);
        match assignment(content) {
            Some((name, value)) => reading.put(number, name, meaning(value)),
            None if content.is_empty() || content.starts_with('#') => {}
            None => reading.skipped.push(number),
        }
        number += usize::from(line.ends_with('\n'));
    }
    Ok(reading)
}

fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    let good = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    good.then_some((name, value))
}

fn meaning(text: &str) -> Meaning {
    let text = inside(text, '\'').unwrap_or(text);
    let value = inside(text, '"').map_or_else(|| joined(&[text]), unescape);
    if value.starts_with('$') { Meaning::Outside } else { Meaning::Value(value) }
}

fn inside(text: &str, quote: char) -> Option<&str> {
    text.strip_prefix(quote)?.strip_suffix(quote)
}

fn unescape(text: &str) -> Zeroizing<String> {
    let mut out = Buffer::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.next() } else { None };
        if c != '\\' || matches!(escaped, None | Some('r' | 'n' | 't')) {
            out.push(c);
        }
        if let Some(escaped) = escaped {
            out.push(escaped);
        }
    }
    out.finish()
}
