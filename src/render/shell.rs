//! A file that bash or dash sources: `set -a; . FILE` (measured at bash 5.2, bash --posix and dash 0.5.12).
//!
//! It is a program, so what is written is single quotes only, or double quotes with all that is special in them escaped,
//! and the model reads nothing but assignments: whatever would run or ask the shell is refused, never evaluated.

use super::buffer::{Buffer, joined};
use super::cursor::Cursor;
use super::read::{Fault, Meaning, ReadProblem, Reading};
use super::{Dialect, Form, Grammar, Reason};
use zeroize::Zeroizing;

pub(super) const GRAMMAR: Grammar = Grammar { dialect: Dialect::Shell, models: &[model], forms, objection };

/// What a backslash takes the meaning from between double quotes, in shells and in systemd.
pub(super) const ESCAPED_IN_DOUBLE_QUOTES: [char; 4] = ['"', '\\', '`', '$'];

/// Variables that bash or dash owns: set from a file, they do not come back, or end the shell.
const OWNED: [&str; 29] = [
    "_",
    "UID",
    "EUID",
    "PPID",
    "BASHOPTS",
    "SHELLOPTS",
    "BASH_VERSINFO",
    "RANDOM",
    "SRANDOM",
    "SECONDS",
    "LINENO",
    "EPOCHSECONDS",
    "EPOCHREALTIME",
    "BASHPID",
    "BASH_SUBSHELL",
    "BASH_ARGC",
    "BASH_ARGV",
    "BASH_ARGV0",
    "BASH_SOURCE",
    "DIRSTACK",
    "FUNCNAME",
    "GROUPS",
    "PIPESTATUS",
    "HISTCMD",
    "SHLVL",
    "OPTIND",
    "COMP_WORDBREAKS",
    "BASH_ALIASES",
    "BASH_CMDS",
];

fn forms(value: &str) -> Vec<Form> {
    let pieces: Vec<&str> = value.split('\'').flat_map(|piece| ["'\\''", piece]).skip(1).collect();
    vec![joined(&["'", &joined(&pieces), "'"]), double_quoted(value)]
}

/// Double quotes as bash, dash and systemd read them alike.
pub(super) fn double_quoted(value: &str) -> Zeroizing<String> {
    let mut out = Buffer::new();
    out.push('"');
    for c in value.chars() {
        if ESCAPED_IN_DOUBLE_QUOTES.contains(&c) {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out.finish()
}

fn objection(name: &str, _: &str) -> Option<Reason> {
    OWNED.contains(&name).then_some(Reason::ShellName)
}

fn model(text: &str) -> Result<Reading, Fault> {
    let mut reading = Reading::default();
    let mut cursor = Cursor::new(text);
    let mut exporting = false;
    let mut started = false;
    loop {
        cursor.take_while(|c| c == ' ' || c == '\t');
        match cursor.peek() {
            None => return Ok(reading),
            Some(c @ ('\n' | ';')) => {
                if c == ';' && !started {
                    return Err(Fault::new(cursor.line(), ReadProblem::Program));
                }
                (exporting, started) = (false, false);
                cursor.bump();
            }
            Some('#') => drop(cursor.take_while(|c| c != '\n')),
            Some('\\') if cursor.eat("\\\n") => {}
            // After an assignment it would be one for this command only, and the shells differ on that.
            Some(_) if !started && starts_export(cursor.rest()) => {
                exporting = cursor.eat("export");
                started = true;
            }
            Some(_) => {
                assignment(&mut cursor, &mut reading, exporting)?;
                started = true;
            }
        }
    }
}

fn starts_export(text: &str) -> bool {
    text.strip_prefix("export").is_some_and(|rest| rest.starts_with([' ', '\t']))
}

fn assignment(cursor: &mut Cursor<'_>, reading: &mut Reading, exporting: bool) -> Result<(), Fault> {
    let line = cursor.line();
    let name = cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
    let named = name.starts_with(|c: char| !c.is_ascii_digit());
    if named && exporting && cursor.peek().is_none_or(|c| " \t\n;".contains(c)) {
        // `export NAME` gives no value: one that the file gave stays, and any other is the caller's.
        if reading.lookup(name).is_none() {
            reading.put(line, name, Meaning::Outside);
        }
        return Ok(());
    }
    if !named || !cursor.eat("=") {
        return Err(Fault::new(line, ReadProblem::Program));
    }
    let meaning = word(cursor, reading, exporting).map_err(|problem| Fault::new(line, problem))?;
    reading.put(line, name, meaning);
    Ok(())
}

/// The value: quoted and bare pieces up to a blank or line end.
fn word(cursor: &mut Cursor<'_>, reading: &Reading, exporting: bool) -> Result<Meaning, ReadProblem> {
    let mut out = Buffer::new();
    let mut outside = false;
    let mut before = '=';
    while let Some(c) = cursor.peek().filter(|c| !" \t\n;".contains(*c)) {
        if c == '$' {
            outside |= !dollar(cursor, reading, &mut out, Quotes::None)?;
            before = c;
            continue;
        }
        cursor.bump();
        match c {
            '\'' => {
                let length = cursor.rest().find('\'').ok_or(ReadProblem::Unterminated)?;
                out.push_str(&cursor.take(length + 1)[..length]);
            }
            '"' => outside |= !double_quotes(cursor, reading, &mut out)?,
            '\\' => match cursor.bump() {
                Some('\n') => {}
                Some(c) => out.push(c),
                None => out.push('\\'),
            },
            '`' | '&' | '|' | '<' | '>' | '(' | ')' => return Err(ReadProblem::Program),
            '~' if before == '=' || before == ':' => outside = true,
            // dash expands the arguments of `export` as file names.
            '*' | '?' | '[' if exporting => outside = true,
            c => out.push(c),
        }
        before = c;
    }
    Ok(if outside { Meaning::Outside } else { Meaning::Value(out.finish()) })
}

#[derive(Clone, Copy, PartialEq)]
enum Quotes {
    None,
    Double,
}

/// What is left of `"..."`; says whether the file defines all that it refers to.
fn double_quotes(cursor: &mut Cursor<'_>, reading: &Reading, out: &mut Buffer) -> Result<bool, ReadProblem> {
    let mut defined = true;
    loop {
        match cursor.peek().ok_or(ReadProblem::Unterminated)? {
            '"' => {
                cursor.bump();
                return Ok(defined);
            }
            '`' => return Err(ReadProblem::Program),
            '$' => defined &= dollar(cursor, reading, out, Quotes::Double)?,
            '\\' => {
                cursor.bump();
                match cursor.bump().ok_or(ReadProblem::Unterminated)? {
                    '\n' => {}
                    c => {
                        if !ESCAPED_IN_DOUBLE_QUOTES.contains(&c) {
                            out.push('\\');
                        }
                        out.push(c);
                    }
                }
            }
            c => {
                cursor.bump();
                out.push(c);
            }
        }
    }
}

/// A `$` and what belongs to it; says whether the file defines what it refers to.
fn dollar(
    cursor: &mut Cursor<'_>,
    reading: &Reading,
    out: &mut Buffer,
    quotes: Quotes,
) -> Result<bool, ReadProblem> {
    cursor.bump();
    let name = match cursor.peek() {
        Some('(') => return Err(ReadProblem::Program),
        // bash knows these quotes, dash does not.
        Some('\'' | '"') if quotes == Quotes::None => return Err(ReadProblem::Program),
        Some('{') => {
            let length = cursor.rest().find('}').ok_or(ReadProblem::Unterminated)?;
            &cursor.take(length + 1)[1..length]
        }
        Some(c) if c.is_ascii_alphabetic() || c == '_' => {
            cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '_')
        }
        Some(c) if c.is_ascii_digit() || "$?!#@*-[".contains(c) => {
            cursor.bump();
            return Ok(false);
        }
        _ => {
            out.push('$');
            return Ok(true);
        }
    };
    match reading.lookup(name) {
        Some(Meaning::Value(value)) => {
            out.push_str(value);
            Ok(true)
        }
        _ => Ok(false),
    }
}
