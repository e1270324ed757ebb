//! python-dotenv, and environs which uses it (measured at 1.2.4 and 1.0.1).
//!
//! Both quotes hold several lines and know escapes; afterwards `${NAME}` expands in every value, quoted or not, and has
//! no escape. But `${:-text}` is always `text`: no environment has a variable without a name. Before 1.2.3 a quoted
//! value that ends in a backslash ran on into the next lines; that model must read our text alike.

use super::buffer::{Buffer, joined};
use super::cursor::Cursor;
use super::read::{Fault, Meaning, Reading};
use super::{Dialect, Form, Grammar};
use zeroize::Zeroizing;

pub(super) const GRAMMAR: Grammar = Grammar {
    dialect: Dialect::PythonDotenv,
    models: &[|text| model(text, Release::Current), |text| model(text, Release::Before1_2_3)],
    forms,
    objection: |_, _| None,
};

#[derive(Clone, Copy, PartialEq)]
enum Release {
    Current,
    Before1_2_3,
}

fn forms(value: &str) -> Vec<Form> {
    let mut forms = Vec::new();
    if !value.contains(['\'', '\\', '\r']) && !value.contains("${") {
        forms.push(joined(&["'", value, "'"]));
    }
    if value.chars().all(|c| c.is_ascii_alphanumeric() || "_./:@%+,^=\\-".contains(c)) {
        forms.push(joined(&[value]));
    }
    forms.push(double_quoted(value));
    forms
}

fn double_quoted(value: &str) -> Zeroizing<String> {
    let mut out = Buffer::new();
    out.push('"');
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', None) => out.push_str("${:-\\\\}"),
            ('$', Some('{')) => out.push_str("${:-$}"),
            ('\r', _) => out.push_str("\\r"),
            ('\\' | '"', _) => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out.push('"');
    out.finish()
}

fn model(text: &str, release: Release) -> Result<Reading, Fault> {
    // Python opens the file in text mode, so every kind of line end is LF before the parser sees it.
    let text = super::node::with_lf(text);
    let mut reading = Reading::default();
    let mut cursor = Cursor::new(&text);
    loop {
        cursor.take_while(space);
        if cursor.rest().is_empty() {
            return Ok(reading);
        }
        let line = cursor.line();
        match binding(&mut cursor, release) {
            Some(None) => {}
            Some(Some((name, value))) => {
                let meaning = value.map_or(Meaning::Outside, |value| expand(&value, &reading));
                reading.put(line, &name, meaning);
            }
            None => {
                reading.skipped.push(line);
                cursor.take_line();
            }
        }
    }
}

type Binding = Option<(Zeroizing<String>, Option<Zeroizing<String>>)>;

/// One binding or comment; `None` where python-dotenv warns and drops the rest of the line.
fn binding(cursor: &mut Cursor<'_>, release: Release) -> Option<Binding> {
    if cursor.rest().strip_prefix("export").is_some_and(|rest| rest.starts_with(blank)) {
        cursor.eat("export");
        cursor.take_while(blank);
    }
    let name = match cursor.peek() {
        Some('#') => None,
        Some('\'') => {
            let length = cursor.rest()[1..].find('\'').filter(|length| *length > 0)?;
            Some(&cursor.take(length + 2)[1..=length])
        }
        _ => Some(cursor.take_while(|c| c != '=' && c != '#' && !space(c))).filter(|name| !name.is_empty()),
    };
    if name.is_none() && cursor.peek() != Some('#') {
        return None;
    }
    cursor.take_while(blank);
    let value = if cursor.eat("=") {
        let gap = !cursor.take_while(blank).is_empty();
        let comment = gap && release == Release::Current && cursor.peek() == Some('#');
        Some(if comment { Zeroizing::default() } else { value(cursor, release)? })
    } else {
        None
    };
    let comment = cursor.rest().trim_start_matches(blank).starts_with('#');
    cursor.take_while(|c| if comment { c != '\n' } else { blank(c) });
    if !cursor.rest().is_empty() && !cursor.eat("\n") {
        return None;
    }
    Some(name.map(|name| (joined(&[name]), value)))
}

fn value(cursor: &mut Cursor<'_>, release: Release) -> Option<Zeroizing<String>> {
    let Some(quote @ ('\'' | '"')) = cursor.peek() else {
        return Some(bare(cursor.take_while(|c| c != '\n')));
    };
    let length = match release {
        Release::Current => quoted_length(&cursor.rest()[1..], quote)?,
        Release::Before1_2_3 => old_quoted_length(&cursor.rest()[1..], quote)?,
    };
    let inside = &cursor.take(length + 2)[1..=length];
    Some(unescape(inside, quote))
}

fn bare(text: &str) -> Zeroizing<String> {
    let comment = text.char_indices().find(|(at, c)| *c == '#' && text[..*at].ends_with(space));
    let end = comment.map_or(text.len(), |(at, _)| at);
    joined(&[text[..end].trim_end_matches(space)])
}

fn quoted_length(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices()
        .find(|(_, c)| {
            let ends = !escaped && *c == quote;
            escaped = !escaped && *c == '\\';
            ends
        })
        .map(|(at, _)| at)
}

/// The old pattern, `(?:\\'|[^'])*` and a quote: the first quote without a backslash before it ends the value, or, where
/// there is none in the whole file, the last one that has a backslash.
fn old_quoted_length(text: &str, quote: char) -> Option<usize> {
    let quotes = || text.match_indices(quote).map(|(at, _)| at);
    quotes().find(|at| !text[..*at].ends_with('\\')).or_else(|| quotes().next_back())
}

fn unescape(text: &str, quote: char) -> Zeroizing<String> {
    let mut out = Buffer::new();
    let mut cursor = Cursor::new(text);
    while let Some(c) = cursor.bump() {
        let decoded = match (c, cursor.peek()) {
            ('\\', Some(c @ ('\\' | '\''))) => Some(c),
            ('\\', Some(c)) if quote == '"' => double_quote_escape(c),
            _ => None,
        };
        if decoded.is_some() {
            cursor.bump();
        }
        out.push(decoded.unwrap_or(c));
    }
    out.finish()
}

fn double_quote_escape(c: char) -> Option<char> {
    Some(match c {
        '"' => '"',
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        _ => return None,
    })
}

fn expand(text: &str, reading: &Reading) -> Meaning {
    let mut out = Buffer::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let Some(variable) = Variable::parse(after) else {
            out.push('$');
            rest = &after[1..];
            continue;
        };
        match (variable.name, reading.lookup(variable.name)) {
            ("", _) => out.push_str(variable.default),
            (_, Some(Meaning::Value(value))) => out.push_str(value),
            _ => return Meaning::Outside,
        }
        rest = &after[variable.length..];
    }
    out.push_str(rest);
    Meaning::Value(out.finish())
}

/// `${name}` or `${name:-default}`; the name is anything without `}` and `:`.
struct Variable<'a> {
    name: &'a str,
    default: &'a str,
    length: usize,
}

impl Variable<'_> {
    fn parse(text: &str) -> Option<Variable<'_>> {
        let inside = &text[2..];
        let name_end = inside.find(['}', ':'])?;
        let (name, tail) = inside.split_at(name_end);
        if tail.starts_with('}') {
            return Some(Variable { name, default: "", length: 2 + name_end + 1 });
        }
        let default = tail.strip_prefix(":-")?;
        let default = &default[..default.find('}')?];
        Some(Variable { name, default, length: 2 + name_end + 2 + default.len() + 1 })
    }
}

/// What Python's `\s` takes: Unicode's white space and four separators of ASCII.
fn space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

fn blank(c: char) -> bool {
    space(c) && c != '\n' && c != '\r'
}
