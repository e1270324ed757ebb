//! What a model makes of a file: assignments, each with its line, or the reason why the consumer would not take it.
//!
//! Owns the words of reading and [`read()`], which holds one dialect's reading to the rules of an import: no line may be
//! passed over, every name must be a key, every value must stand in the file. It never knows a dialect's grammar, and
//! never shows the text of a line: where reading went wrong, any of it may be a piece of a value.

use super::{Dialect, agree, json};
use crate::name::Key;
use crate::secret::Secret;
use zeroize::Zeroizing;

/// How one consumer reads a file.
#[derive(Default)]
pub(super) struct Reading {
    /// In the order of the file; a name that comes twice is here twice, and the last one counts.
    pub(super) assignments: Vec<Assignment>,
    /// Lines that the consumer passes over, with a warning or without, though they are not blank and not comments.
    pub(super) skipped: Vec<usize>,
}

/// A name and what the consumer takes for its value. In a file that is misread, the name may be a piece of a value.
pub(super) struct Assignment {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) meaning: Meaning,
}

/// What a name is set to.
#[derive(Clone)]
pub(super) enum Meaning {
    /// This text.
    Value(Zeroizing<String>),
    /// Something that depends on what the file does not define: the caller's environment.
    Outside,
}

impl Reading {
    pub(super) fn set(&mut self, line: usize, name: &str, value: Zeroizing<String>) {
        self.put(line, name, Meaning::Value(value));
    }

    pub(super) fn put(&mut self, line: usize, name: &str, meaning: Meaning) {
        self.assignments.push(Assignment { line, name: name.to_owned(), meaning });
    }

    /// What a name stands for after the assignments so far; `None` where the file does not define it.
    pub(super) fn lookup(&self, name: &str) -> Option<&Meaning> {
        self.assignments.iter().rev().find(|seen| seen.name == name).map(|seen| &seen.meaning)
    }
}

/// Where a consumer gives up on the whole file, and why.
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) problem: ReadProblem,
}

impl Fault {
    pub(super) fn new(line: usize, problem: ReadProblem) -> Fault {
        Fault { line, problem }
    }
}

/// A file that cannot be taken as this dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, read as {dialect}: {problem}")]
pub struct ReadError {
    /// The dialect that it was read as.
    pub dialect: Dialect,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: ReadProblem,
}

/// What is wrong with a line. It never holds text of the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadProblem {
    /// A quote that is opened and not closed.
    #[error("a quote is opened here and never closed")]
    Unterminated,
    /// Not an assignment, and the consumer stops at it.
    #[error("not a variable, a comment or a blank line")]
    NotAnAssignment,
    /// A line that the consumer passes over, with a warning at most.
    #[error("the consumer would pass over this line; correct it or take it out")]
    Skipped,
    /// A name that is not a key.
    #[error("the name is not a key (letters, digits and _, not starting with a digit)")]
    Name,
    /// A backslash with something that the dialect does not know.
    #[error("a backslash stands before a character that cannot be escaped")]
    Escape,
    /// A `$` that begins no valid expansion, where the dialect makes that an error.
    #[error("a `$` begins an expansion that is not complete")]
    Expansion,
    /// A value with `$NAME`, or a name alone, where the file does not define it. No name is told: after a `$` in a
    /// password it would be a piece of the password, and a name alone may be a line of a key.
    #[error(
        "the value would come from a variable which the file does not define; write it out, or quote it so that the \
         `$` in it is literal"
    )]
    Outside,
    /// Text that the consumer would run as a program, or that only running it could give a meaning.
    #[error("the shell would run this as a command; only plain assignments are read")]
    Program,
    /// Longer than the consumer's buffer.
    #[error("the line is longer than the 65,535 bytes that the consumer takes")]
    TooLong,
    /// A byte that no environment can hold.
    #[error("there is a NUL byte, which no environment can hold")]
    Nul,
    /// A character that the consumer rejects with the whole file.
    #[error("there is a character that the consumer does not take (a Unicode noncharacter)")]
    Noncharacter,
    /// Not a JSON object of strings.
    #[error("not a JSON object whose values are strings")]
    NotJson,
    /// `portable` was asked for, and the dialects do not agree about the file.
    #[error("the dialects read this differently; name the one that the file is written for")]
    NotAgreed,
}

/// Reads a file as the consumer of `dialect` does, in the order of the file; of a name that comes twice the last counts.
///
/// A mark of byte order is left out. What the consumer would take from its caller's environment is an error, and so is a
/// line that it would pass over.
pub fn read(dialect: Dialect, text: &str) -> Result<Vec<(Key, Secret)>, ReadError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let error = |fault: Fault| ReadError { dialect, line: fault.line, problem: fault.problem };
    let reading = match (dialect, dialect.grammar()) {
        (_, Some(grammar)) => checked(text, grammar.models[0]),
        (Dialect::Json, None) => json::model(text),
        (_, None) => {
            return read_portable(text).map_err(|line| error(Fault::new(line, ReadProblem::NotAgreed)));
        }
    };
    reading.and_then(last_of_each).map_err(error)
}

fn read_portable(text: &str) -> Result<Vec<(Key, Secret)>, usize> {
    agree::read_agreed(text).map_err(|disagreement| disagreement.line())
}

/// A model's reading of a text without NUL. The consumers do not agree on what a NUL does, and none of it is good.
pub(super) fn checked(text: &str, model: super::Model) -> Result<Reading, Fault> {
    match text.find('\0') {
        Some(offset) => Err(Fault::new(line_at(text, offset), ReadProblem::Nul)),
        None => model(text),
    }
}

/// The reading as keys and values; of a name that comes twice, the last one, where it stands last.
pub(super) fn last_of_each(reading: Reading) -> Result<Vec<(Key, Secret)>, Fault> {
    if let Some(line) = reading.skipped.first() {
        return Err(Fault::new(*line, ReadProblem::Skipped));
    }
    let mut variables: Vec<(Key, Secret)> = Vec::with_capacity(reading.assignments.len());
    let mut seen = std::collections::HashSet::new();
    for Assignment { line, name, meaning } in reading.assignments.into_iter().rev() {
        let key = Key::parse(&name).map_err(|_| Fault::new(line, ReadProblem::Name))?;
        if !seen.insert(key.clone()) {
            continue;
        }
        let Meaning::Value(value) = meaning else {
            return Err(Fault::new(line, ReadProblem::Outside));
        };
        let value = Secret::new(String::clone(&value)).map_err(|_| Fault::new(line, ReadProblem::Nul))?;
        variables.push((key, value));
    }
    variables.reverse();
    Ok(variables)
}

/// The line, counted from 1, that the byte at `offset` stands in.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}
