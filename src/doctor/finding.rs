//! One thing that is not as it should be.

use crate::name::Address;
use std::borrow::Cow;
use std::fmt;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Note,
    /// It will hurt one day, or hurts where somebody relies on it.
    Warning,
    /// It is wrong now.
    Problem,
}

impl Severity {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Problem => "problem",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// Where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A line of a file, or a whole file.
    File {
        /// The file, from the manifest's folder on.
        path: String,
        /// The line, from 1 on.
        line: Option<usize>,
    },
    /// A value.
    Address(Address),
    /// A place of the world, as stores and people call it.
    Location(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { path, line: Some(line) } => write!(f, "{path}:{line}"),
            Place::File { path, line: None } => f.write_str(path),
            Place::Address(address) => write!(f, "{address}"),
            Place::Location(text) => f.write_str(text),
        }
    }
}

/// One thing that is not as it should be. None of its text holds a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What scripts know it by; it never changes.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What it is, in one line.
    pub what: String,
    /// Why it matters.
    pub why: Cow<'static, str>,
    /// What fixes it: a command, or a sentence.
    pub fix: Option<String>,
    /// Where it is.
    pub place: Option<Place>,
}

impl Finding {
    /// A finding of this severity.
    pub fn new(code: &'static str, severity: Severity, what: impl Into<String>) -> Finding {
        let (what, why) = (what.into(), Cow::Borrowed(""));
        Finding { code, severity, what, why, fix: None, place: None }
    }

    /// Something that is wrong now.
    pub fn problem(code: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(code, Severity::Problem, what)
    }

    /// Something that will hurt one day.
    pub fn warning(code: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(code, Severity::Warning, what)
    }

    /// Something that is good to know.
    pub fn note(code: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(code, Severity::Note, what)
    }

    /// The same, with why it matters.
    pub fn why(mut self, why: impl Into<Cow<'static, str>>) -> Finding {
        self.why = why.into();
        self
    }

    /// The same, with what fixes it.
    pub fn fix(mut self, fix: impl Into<String>) -> Finding {
        self.fix = Some(fix.into());
        self
    }

    /// The same, at a line of a file.
    pub fn line(mut self, path: &str, line: usize) -> Finding {
        self.place = Some(Place::File { path: path.to_owned(), line: Some(line) });
        self
    }

    /// The same, about a whole file.
    pub fn file(mut self, path: &str) -> Finding {
        self.place = Some(Place::File { path: path.to_owned(), line: None });
        self
    }

    /// The same, about a value.
    pub fn address(mut self, address: &Address) -> Finding {
        self.place = Some(Place::Address(address.clone()));
        self
    }

    /// The same, about a place of the world.
    pub fn location(mut self, text: impl Into<String>) -> Finding {
        self.place = Some(Place::Location(text.into()));
        self
    }
}
