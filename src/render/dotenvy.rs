//! Rust's dotenvy 0.15, and dotenv-rs before it.
//!
//! Two scanners of it see a file one after the other: one joins lines while a quote is open and takes a backslash in
//! single quotes for an escape, the other parses the joined line and does not. An escape that it does not know is an
//! error, and a closing quote right after `$name` is lost. What is written is Compose's encoding.

use super::buffer::Buffer;
use super::cursor::Cursor;
use super::read::{Fault, Meaning, ReadProblem, Reading};
use super::{Dialect, Grammar, compose};

pub(super) const GRAMMAR: Grammar =
    Grammar { dialect: Dialect::Dotenvy, models: &[model], forms: compose::forms, objection: |_, _| None };

fn model(text: &str) -> Result<Reading, Fault> {
    let mut reading = Reading::default();
    let mut cursor = Cursor::new(text);
    while !cursor.rest().is_empty() {
        let number = cursor.line();
        let length = joined_line(cursor.rest()).ok_or(Fault::new(number, ReadProblem::Unterminated))?;
        let joined = cursor.take(length.total);
        let line = joined[..length.useful].trim_end();
        variable(line, &mut reading, number).map_err(|problem| Fault::new(number, problem))?;
    }
    Ok(reading)
}

/// How many bytes make one joined line, and how many of them are not a comment at its end.
struct JoinedLine {
    total: usize,
    useful: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Scan {
    Complete,
    Blank,
    Escape,
    In(char),
    EscapeIn(char),
}

/// dotenvy's joining of lines; `None` where the file ends inside of one.
fn joined_line(text: &str) -> Option<JoinedLine> {
    if let Some(comment) = text.trim_start().strip_prefix('#') {
        let before = text.len() - comment.len();
        // The check is made line by line on what was joined so far, so only a comment in the first line counts here.
        if !text[..before].contains('\n') {
            return Some(JoinedLine { total: line_end(text, before), useful: 0 });
        }
    }
    let mut state = Scan::Complete;
    for (at, c) in text.char_indices() {
        state = match (state, c) {
            (Scan::Blank, '#') => return Some(JoinedLine { total: line_end(text, at), useful: at }),
            (Scan::Complete, c) if c.is_whitespace() && c != '\n' && c != '\r' => Scan::Blank,
            (Scan::Complete | Scan::Blank, '\\') => Scan::Escape,
            (Scan::Complete | Scan::Blank, quote @ ('"' | '\'')) => Scan::In(quote),
            (Scan::Complete | Scan::Blank | Scan::Escape, _) => Scan::Complete,
            (Scan::In(quote), '\\') => Scan::EscapeIn(quote),
            (Scan::In(quote), c) if c == quote => Scan::Complete,
            (Scan::In(quote) | Scan::EscapeIn(quote), _) => Scan::In(quote),
        };
        if c == '\n' && state == Scan::Complete {
            return Some(JoinedLine { total: at + 1, useful: at });
        }
    }
    (state == Scan::Complete).then_some(JoinedLine { total: text.len(), useful: text.len() })
}

fn line_end(text: &str, from: usize) -> usize {
    text[from..].find('\n').map_or(text.len(), |at| from + at + 1)
}

fn variable(line: &str, reading: &mut Reading, number: usize) -> Result<(), ReadProblem> {
    let mut cursor = Cursor::new(line);
    cursor.take_while(char::is_whitespace);
    if cursor.rest().is_empty() || cursor.rest().starts_with('#') {
        return Ok(());
    }
    let mut name = key(&mut cursor)?;
    let mut equals = cursor.eat("=");
    if name == "export" && !equals {
        name = key(&mut cursor)?;
        equals = cursor.eat("=");
    }
    if !equals {
        return Err(ReadProblem::NotAnAssignment);
    }
    cursor.take_while(char::is_whitespace);
    let rest = cursor.rest();
    let meaning = value(if rest.starts_with('#') { "" } else { rest }, reading)?;
    reading.put(number, name, meaning);
    Ok(())
}

fn key<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, ReadProblem> {
    if !cursor.peek().is_some_and(|c| c.is_ascii_alphabetic() || c == '_') {
        return Err(ReadProblem::NotAnAssignment);
    }
    let name = cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    cursor.take_while(char::is_whitespace);
    Ok(name)
}

fn value(text: &str, reading: &Reading) -> Result<Meaning, ReadProblem> {
    let mut out = Buffer::new();
    let mut outside = false;
    let mut quote = None;
    let mut cursor = Cursor::new(text);
    while let Some(c) = cursor.bump() {
        match (quote, c) {
            (Some('\''), c) if c != '\'' => out.push(c),
            (_, '$') => outside |= !substitute(&mut cursor, reading, &mut out)?,
            (_, '\\') => match cursor.bump() {
                Some('n') => out.push('\n'),
                Some(c @ ('\\' | '\'' | '"' | '$' | ' ')) => out.push(c),
                // A backslash at the very end is dropped, not an error.
                None => {}
                Some(_) => return Err(ReadProblem::Escape),
            },
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, ' ' | '\t') => {
                cursor.take_while(|c| c == ' ' || c == '\t');
                match cursor.peek() {
                    None | Some('#') => break,
                    Some(_) => return Err(ReadProblem::NotAnAssignment),
                }
            }
            (_, c) => out.push(c),
        }
    }
    match (quote, outside) {
        (Some(_), _) => Err(ReadProblem::Unterminated),
        (None, true) => Ok(Meaning::Outside),
        (None, false) => Ok(Meaning::Value(out.finish())),
    }
}

/// What follows a `$`: a name in braces, or letters and digits, whose end is taken as text whatever it is, even where it
/// is the closing quote. Says whether the file defines what is referred to.
fn substitute(cursor: &mut Cursor<'_>, reading: &Reading, out: &mut Buffer) -> Result<bool, ReadProblem> {
    let mut defined = true;
    let mut apply = |name: &str, out: &mut Buffer| match reading.lookup(name) {
        Some(Meaning::Value(value)) => out.push_str(value),
        _ => defined &= name.is_empty(),
    };
    loop {
        let name = cursor.take_while(char::is_alphanumeric);
        if name.is_empty() && cursor.eat("{") {
            let inside = cursor.take_while(|c| c != '}');
            if !cursor.eat("}") {
                return Err(ReadProblem::Expansion);
            }
            apply(inside, out);
            break;
        }
        apply(name, out);
        match cursor.bump() {
            Some('$') => {}
            Some(c) => {
                out.push(c);
                break;
            }
            None => break,
        }
    }
    Ok(defined)
}
