//! Node's own `--env-file` and `util.parseEnv` (measured at 20.13, 20.20.2 and 24.19).
//!
//! Every CR is dropped. A value that starts with one of three quotes ends at the next such quote, wherever that is, and
//! nothing in it is escaped; `\n` in double quotes is a line end. A name is whatever stands before `=`. Newer releases
//! take tabs for blanks too.

use super::buffer::{joined, mapped};
use super::cursor::Cursor;
use super::read::{Fault, Reading};
use super::{Dialect, Form, Grammar, Reason};
use zeroize::Zeroizing;

pub(super) const GRAMMAR: Grammar = Grammar {
    dialect: Dialect::NodeBuiltin,
    models: &[|text| model(text, &[' ']), |text| model(text, &[' ', '\t'])],
    forms,
    objection,
};

/// What a release takes for white space.
type Blanks = &'static [char];

fn forms(value: &str) -> Vec<Form> {
    let quotes = ["'", "`", "\""].into_iter().filter(|quote| !value.contains(*quote));
    quotes.map(|quote| joined(&[quote, value, quote])).chain([joined(&[value])]).collect()
}

fn objection(_: &str, value: &str) -> Option<Reason> {
    value.contains('\r').then_some(Reason::CarriageReturn)
}

fn model(text: &str, blanks: Blanks) -> Result<Reading, Fault> {
    let text = mapped(text, |out, c| {
        if c != '\r' {
            out.push(c);
        }
    });
    let mut reading = Reading::default();
    let mut cursor = Cursor::new(text.trim_matches(blanks));
    while let Some(c) = cursor.peek() {
        // A comment in a last line without a line end is read like a variable.
        if c == '\n' || (c == '#' && cursor.rest().contains('\n')) {
            cursor.take_line();
            continue;
        }
        let line = cursor.line();
        let name = cursor
            .rest()
            .split_once('=')
            .map(|(name, _)| name.trim_matches(blanks))
            .filter(|name| !name.is_empty());
        let Some(name) = name else {
            // Without a `=`, or with nothing before it, Node ignores the rest of the file.
            skip_all(&mut cursor, &mut reading);
            break;
        };
        let name = name.strip_prefix("export ").unwrap_or(name);
        cursor.take_while(|c| c != '=');
        cursor.bump();
        cursor.take_while(|c| blanks.contains(&c));
        match value(&mut cursor, blanks) {
            Some(value) => reading.set(line, name, value),
            None => reading.skipped.push(line),
        }
    }
    Ok(reading)
}

/// `None` for a quote that is still open in a last line without a line end: Node drops it.
fn value(cursor: &mut Cursor<'_>, blanks: Blanks) -> Option<Zeroizing<String>> {
    let quote = cursor.peek().filter(|c| matches!(c, '\'' | '"' | '`'));
    let closed = quote.and_then(|quote| cursor.rest()[1..].find(quote));
    Some(match (quote, closed) {
        (Some(quote), Some(length)) => {
            let inside = &cursor.take(length + 2)[1..=length];
            cursor.take_while(|c| c != '\n');
            if quote == '"' { with_line_ends(inside) } else { joined(&[inside]) }
        }
        (Some(_), None) => {
            let line = cursor.take_while(|c| c != '\n');
            if cursor.rest().is_empty() {
                return None;
            }
            joined(&[line])
        }
        (None, _) => {
            let line = cursor.take_while(|c| c != '\n');
            joined(&[line.split('#').next().unwrap_or(line).trim_matches(blanks)])
        }
    })
}

fn with_line_ends(text: &str) -> Zeroizing<String> {
    let pieces: Vec<&str> = text.split("\\n").flat_map(|piece| ["\n", piece]).skip(1).collect();
    joined(&pieces)
}

fn skip_all(cursor: &mut Cursor<'_>, reading: &mut Reading) {
    while !cursor.rest().is_empty() {
        let number = cursor.line();
        let line = cursor.take_line().trim();
        if !line.is_empty() && !line.starts_with('#') {
            reading.skipped.push(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::read::Meaning;

    fn read(text: &str, blanks: Blanks) -> String {
        let reading = model(text, blanks).ok().unwrap();
        match &reading.assignments[0].meaning {
            Meaning::Value(value) => value.to_string(),
            Meaning::Outside => panic!("{text} was taken for a reference"),
        }
    }

    #[test]
    fn newer_releases_trim_tabs_from_a_bare_value() {
        assert_eq!(read("A=x'\"`\t\n", &[' ']), "x'\"`\t");
        assert_eq!(read("A=x'\"`\t\n", &[' ', '\t']), "x'\"`");
    }
}
