//! Docker Compose's own format of `.env` and `env_file:`: compose-go's `dotenv` (measured at Compose 5.6.1).
//!
//! Single quotes hold everything but themselves and a backslash before one; double quotes hold everything, with escapes,
//! and then `$` expands. What follows a closing quote is the next statement, in whatever line.

use super::buffer::{Buffer, joined, mapped};
use super::cursor::Cursor;
use super::read::{Fault, Meaning, ReadProblem, Reading};
use super::{Dialect, Form, Grammar};
use zeroize::Zeroizing;

pub(super) const GRAMMAR: Grammar =
    Grammar { dialect: Dialect::Compose, models: &[model], forms, objection: |_, _| None };

/// Single quotes where nothing in them needs thought, else double quotes; dotenvy's encoding too.
pub(super) fn forms(value: &str) -> Vec<Form> {
    let escaped = mapped(value, |out, c| {
        if matches!(c, '\\' | '"' | '$') {
            out.push('\\');
        }
        out.push(c);
    });
    let mut forms = Vec::new();
    // Releases before 2.24 kept the backslash of `\'`, so single quotes never hold one.
    if !value.contains(['\'', '\\']) {
        forms.push(joined(&["'", value, "'"]));
    }
    forms.push(joined(&["\"", &escaped, "\""]));
    forms
}

fn model(text: &str) -> Result<Reading, Fault> {
    let mut reading = Reading::default();
    let mut cursor = Cursor::new(text);
    loop {
        cursor.take_while(char::is_whitespace);
        match cursor.peek() {
            None => return Ok(reading),
            Some('#') => drop(cursor.take_while(|c| c != '\n')),
            Some(_) => statement(&mut cursor, &mut reading)?,
        }
    }
}

fn statement(cursor: &mut Cursor<'_>, reading: &mut Reading) -> Result<(), Fault> {
    let line = cursor.line();
    let fault = |problem| Fault::new(line, problem);
    if cursor.rest().strip_prefix("export").is_some_and(|rest| rest.starts_with(char::is_whitespace)) {
        cursor.eat("export");
        cursor.take_while(blank);
    }
    let name = cursor.take_while(|c| blank(c) || c.is_alphanumeric() || "_.-[]".contains(c)).trim_end();
    match cursor.bump() {
        Some('=' | ':') if !name.contains(' ') => {}
        None | Some('\n') if !name.contains(' ') => {
            reading.put(line, name, Meaning::Outside);
            return Ok(());
        }
        _ => return Err(fault(ReadProblem::NotAnAssignment)),
    }
    cursor.take_while(blank);
    let meaning = match cursor.peek() {
        Some(quote @ ('\'' | '"')) => {
            let inside = quoted(cursor, quote).ok_or(fault(ReadProblem::Unterminated))?;
            if quote == '\'' { Some(Meaning::Value(inside)) } else { expand(&unescape(&inside), reading) }
        }
        _ => {
            let value = cursor.take_line();
            let value = value.split_once(" #").map_or(value, |(value, _)| value);
            expand(value.trim_end(), reading)
        }
    };
    reading.put(line, name, meaning.ok_or(fault(ReadProblem::Expansion))?);
    Ok(())
}

/// White space that is not a line end, in compose-go's opinion.
fn blank(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

/// The text between quotes, where only the quote itself loses its backslash; `None` if it does not end.
fn quoted(cursor: &mut Cursor<'_>, quote: char) -> Option<Zeroizing<String>> {
    let mut inside = Buffer::new();
    let mut escaped = false;
    cursor.bump();
    loop {
        let c = cursor.bump()?;
        match (c == quote, escaped) {
            (true, false) => return Some(inside.finish()),
            (true, true) => inside.push(c),
            (false, false) if c == '\\' => {
                escaped = true;
                continue;
            }
            (false, false) => inside.push(c),
            (false, true) => {
                inside.push('\\');
                inside.push(c);
            }
        }
        escaped = false;
    }
}

/// Go's escapes in double quotes. `\$` becomes `$$`, which the expansion then makes `$`.
fn unescape(text: &str) -> Zeroizing<String> {
    let mut out = Buffer::new();
    let mut cursor = Cursor::new(text);
    while let Some(c) = cursor.bump() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let known = cursor.peek().and_then(|c| match c {
            'a' => Some("\u{7}"),
            'b' => Some("\u{8}"),
            'f' => Some("\u{c}"),
            'n' => Some("\n"),
            'r' => Some("\r"),
            't' => Some("\t"),
            'v' => Some("\u{b}"),
            '\\' => Some("\\"),
            '$' => Some("$$"),
            _ => None,
        });
        match known {
            Some(text) => {
                cursor.bump();
                out.push_str(text);
            }
            None if cursor.eat("0") => octal(&mut cursor, &mut out),
            None => out.push('\\'),
        }
    }
    out.finish()
}

/// `\0ooo`. With fewer or other digits only the zero is lost, which is what compose-go does.
fn octal(cursor: &mut Cursor<'_>, out: &mut Buffer) {
    let digits = cursor.rest().chars().take(3).take_while(char::is_ascii_digit).count();
    let digits = cursor.take(digits);
    match u8::from_str_radix(digits, 8) {
        Ok(code) if digits.len() == 3 => out.push(char::from(code)),
        _ => {
            out.push('\\');
            out.push_str(digits);
        }
    }
}

/// `$`-expansion from earlier variables of the file; `None` where compose-go calls the template invalid.
fn expand(text: &str, reading: &Reading) -> Option<Meaning> {
    let mut out = Buffer::new();
    let mut cursor = Cursor::new(text);
    while let Some(c) = cursor.bump() {
        if c != '$' {
            out.push(c);
            continue;
        }
        let meaning = match cursor.peek() {
            Some('$') => {
                cursor.bump();
                out.push('$');
                continue;
            }
            Some('{') => braced(&mut cursor, reading)?,
            Some(c) if name_start(c) => {
                let name = cursor.take_while(name_char);
                reading.lookup(name).cloned().unwrap_or(Meaning::Outside)
            }
            _ => {
                out.push('$');
                continue;
            }
        };
        match meaning {
            Meaning::Value(value) => out.push_str(&value),
            Meaning::Outside => return Some(Meaning::Outside),
        }
    }
    Some(Meaning::Value(out.finish()))
}

/// `{NAME}` and `{NAME op text}`, where the text may hold further expansions.
fn braced(cursor: &mut Cursor<'_>, reading: &Reading) -> Option<Meaning> {
    cursor.bump();
    if !cursor.peek().is_some_and(name_start) {
        return None;
    }
    let name = cursor.take_while(name_char);
    let seen = reading.lookup(name).cloned();
    if cursor.eat("}") {
        return Some(seen.unwrap_or(Meaning::Outside));
    }
    let unless_empty = cursor.eat(":");
    let operator = cursor.bump()?;
    let inside = cursor.take(closing_brace(cursor.rest())?);
    cursor.bump();
    let Some(seen @ Meaning::Value(_)) = seen else {
        return "-+?".contains(operator).then_some(Meaning::Outside);
    };
    let counts = !matches!(&seen, Meaning::Value(value) if unless_empty && value.is_empty());
    match (operator, counts) {
        ('-' | '?', true) => Some(seen),
        ('-', false) | ('+', true) => expand(inside, reading),
        ('+', false) => Some(Meaning::Value(Zeroizing::default())),
        _ => None,
    }
}

/// Where the brace that is open ends; compose-go looks for it in the same line only.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 1;
    let line = text.split('\n').next().unwrap_or_default();
    for (at, c) in line.char_indices() {
        match c {
            '}' => open -= 1,
            '$' if line[at + 1..].starts_with('{') => open += 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

/// Go folds case with Unicode, where the long s and the Kelvin sign are letters of ASCII.
fn name_start(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic() || matches!(c, '\u{17f}' | '\u{212a}')
}

fn name_char(c: char) -> bool {
    name_start(c) || c.is_ascii_digit()
}
