//! django-environ's own parser (measured at 0.14 and 0.11), and `env("NAME")` on top of it.
//!
//! Strictly a line a variable, and Python's `splitlines()` ends one at ten characters. Single quotes hold everything
//! else as it is; what is not in them is cut at its first `#` by 0.11, and by all later ones with `parse_comments=True`.
//! A value that starts with `$` is taken for another variable's name by `env()`, whatever the quotes.

use super::buffer::{Buffer, joined, mapped};
use super::read::{Fault, Meaning, Reading};
use super::{Dialect, Form, Grammar, Reason};
use zeroize::Zeroizing;

pub(super) const GRAMMAR: Grammar = Grammar {
    dialect: Dialect::DjangoEnviron,
    models: &[|text| model(text, Comments::AreText), |text| model(text, Comments::AreCut)],
    forms,
    objection,
};

/// Whether a `#` after a value begins a comment.
#[derive(Clone, Copy)]
enum Comments {
    AreText,
    AreCut,
}

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

fn model(text: &str, comments: Comments) -> Result<Reading, Fault> {
    let mut reading = Reading::default();
    let mut number = 1;
    for line in text.split_inclusive(LINE_ENDS) {
        let content = line.trim_end_matches(LINE_ENDS);
        match assignment(content) {
            Some((name, value)) => reading.put(number, name, meaning(value, comments)),
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

fn meaning(text: &str, comments: Comments) -> Meaning {
    let text = match comments {
        Comments::AreText => inside(text, '\'').unwrap_or(text),
        Comments::AreCut => before_comment(text),
    };
    let value = inside(text, '"').map_or_else(|| joined(&[text]), unescape);
    if value.starts_with('$') { Meaning::Outside } else { Meaning::Value(value) }
}

/// What is in single quotes that only blanks and a comment follow, else everything before the first `#`.
fn before_comment(text: &str) -> &str {
    let closes = |at: &usize| {
        let rest = text[at + 1..].trim_start();
        rest.is_empty() || rest.starts_with('#')
    };
    let quoted = text.trim_start().strip_prefix('\'').and_then(|inner| {
        let start = text.len() - inner.len();
        let end = text.rmatch_indices('\'').map(|(at, _)| at).take_while(|at| *at >= start).find(closes)?;
        Some(&text[start..end])
    });
    quoted.unwrap_or_else(|| text.split('#').next().unwrap_or_default())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, comments: Comments) -> String {
        match meaning(text, comments) {
            Meaning::Value(value) => value.to_string(),
            Meaning::Outside => panic!("{text} was taken for a name"),
        }
    }

    #[test]
    fn a_hash_in_double_quotes_is_cut_by_releases_that_know_comments() {
        for (text, as_text, cut) in [
            (r#""a#b""#, "a#b", r#""a"#),
            ("'a#b'", "a#b", "a#b"),
            ("'a' #b'", "a' #b", "a' #b"),
            ("'a' # b", "'a' # b", "a"),
            ("a #b", "a #b", "a "),
        ] {
            assert_eq!(read(text, Comments::AreText), as_text, "{text}");
            assert_eq!(read(text, Comments::AreCut), cut, "{text}");
        }
    }
}
