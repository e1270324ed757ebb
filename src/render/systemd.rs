//! systemd's `EnvironmentFile=`: `src/basic/env-file.c` (measured at 252).
//!
//! Quotes as in a shell, but a quote inside of a bare value is data, only `"`, `\`, `` ` `` and `$` are escaped in double
//! quotes, and nothing expands. A noncharacter in a value makes the whole file fail; a bad name is dropped in silence.

use super::buffer::{Buffer, joined};
use super::read::{Fault, ReadProblem, Reading};
use super::{Dialect, Form, Grammar, Reason, portable, shell};

pub(super) const GRAMMAR: Grammar = Grammar {
    dialect: Dialect::Systemd,
    models: &[|text| model(text, Comments::EndWithTheirLine), |text| model(text, Comments::Continue)],
    forms,
    objection,
};

/// Whether a comment that ends in a backslash goes on in the next line: until systemd 253 it does.
#[derive(Clone, Copy, PartialEq)]
enum Comments {
    EndWithTheirLine,
    Continue,
}

fn forms(value: &str) -> Vec<Form> {
    vec![joined(&["'", value, "'"]), shell::double_quoted(value)]
}

fn objection(_: &str, value: &str) -> Option<Reason> {
    value.contains(portable::noncharacter).then_some(Reason::Noncharacter)
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    PreKey,
    Key,
    PreValue,
    Value,
    ValueEscape,
    SingleQuote,
    DoubleQuote,
    DoubleQuoteEscape,
    Comment,
    CommentEscape,
}

/// The variable that is being read.
struct Pending {
    line: usize,
    name: Buffer,
    value: Buffer,
    /// How long the value is without the blanks at its end.
    kept: usize,
}

impl Pending {
    fn at(line: usize) -> Pending {
        Pending { line, name: Buffer::new(), value: Buffer::new(), kept: 0 }
    }

    fn keep(&mut self, c: char) {
        self.value.push(c);
        self.kept = self.value.as_str().len();
    }

    fn finish(mut self, reading: &mut Reading) -> Result<(), Fault> {
        self.value.truncate(self.kept);
        let name = self.name.as_str().trim_end_matches(blank);
        if name.contains(portable::noncharacter) || self.value.as_str().contains(portable::noncharacter) {
            return Err(Fault::new(self.line, ReadProblem::Noncharacter));
        }
        let first_is_digit = name.starts_with(|c: char| c.is_ascii_digit());
        if name.is_empty() || first_is_digit || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            reading.skipped.push(self.line);
        } else {
            reading.set(self.line, name, self.value.finish());
        }
        Ok(())
    }
}

fn model(text: &str, comments: Comments) -> Result<Reading, Fault> {
    let mut reading = Reading::default();
    let mut state = State::PreKey;
    let mut line = 1;
    let mut pending = Pending::at(line);
    for c in text.chars() {
        let ends = newline(c) && matches!(state, State::PreValue | State::Value);
        if newline(c) && state == State::Key {
            reading.skipped.push(line);
        }
        state = step(state, c, &mut pending, comments);
        line += usize::from(c == '\n');
        if ends {
            std::mem::replace(&mut pending, Pending::at(line)).finish(&mut reading)?;
        } else if state == State::PreKey {
            pending = Pending::at(line);
        }
    }
    match state {
        State::PreKey | State::Comment | State::CommentEscape => {}
        State::Key => reading.skipped.push(pending.line),
        _ => pending.finish(&mut reading)?,
    }
    Ok(reading)
}

fn step(state: State, c: char, pending: &mut Pending, comments: Comments) -> State {
    match state {
        State::PreKey if matches!(c, '#' | ';') => State::Comment,
        State::PreKey if blank(c) => State::PreKey,
        State::Key if newline(c) => State::PreKey,
        State::Key if c == '=' => State::PreValue,
        State::PreKey | State::Key => {
            pending.name.push(c);
            State::Key
        }
        State::PreValue | State::Value if newline(c) => State::PreKey,
        State::PreValue | State::Value if c == '\\' => {
            pending.kept = pending.value.as_str().len();
            State::ValueEscape
        }
        State::PreValue if c == '\'' => State::SingleQuote,
        State::PreValue if c == '"' => State::DoubleQuote,
        State::PreValue if blank(c) => State::PreValue,
        State::Value if blank(c) => {
            pending.value.push(c);
            State::Value
        }
        State::PreValue | State::Value => {
            pending.keep(c);
            State::Value
        }
        State::ValueEscape => {
            if !newline(c) {
                pending.keep(c);
            }
            State::Value
        }
        State::SingleQuote if c == '\'' => State::PreValue,
        State::DoubleQuote if c == '"' => State::PreValue,
        State::DoubleQuote if c == '\\' => State::DoubleQuoteEscape,
        State::SingleQuote | State::DoubleQuote => {
            pending.keep(c);
            state
        }
        State::DoubleQuoteEscape => {
            if !shell::ESCAPED_IN_DOUBLE_QUOTES.contains(&c) && c != '\n' {
                pending.keep('\\');
            }
            if c != '\n' {
                pending.keep(c);
            }
            State::DoubleQuote
        }
        State::Comment if c == '\\' => State::CommentEscape,
        State::Comment if newline(c) => State::PreKey,
        State::CommentEscape if newline(c) && comments == Comments::EndWithTheirLine => State::PreKey,
        State::Comment | State::CommentEscape => State::Comment,
    }
}

fn newline(c: char) -> bool {
    matches!(c, '\n' | '\r')
}

fn blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}
