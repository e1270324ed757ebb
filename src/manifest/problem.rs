//! What is wrong with a manifest, where, and what would be right.
//!
//! Owns the wording around a message: file, line, column, the line itself with a caret, the nearest valid name. A value
//! that stands in the line is masked, since people do write a secret there by mistake and errors end up in logs.

use std::fmt;

/// Everything that is wrong with one manifest; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError {
    /// The problems, by their place in the file.
    pub problems: Vec<Problem>,
}

impl std::error::Error for ManifestError {}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// One thing that is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The file, as the caller named it.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// The line itself, with values masked.
    pub text: String,
    /// How many characters the caret underlines.
    pub width: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { file, line, column, text, width, message, help } = self;
        let margin = " ".repeat(line.to_string().len());
        let before = " ".repeat(column.saturating_sub(1));
        let caret = "^".repeat(*width);
        write!(
            f,
            "{file}:{line}:{column}: {message}\n{margin} |\n{line} | {text}\n{margin} | {before}{caret}"
        )?;
        match help {
            Some(help) => write!(f, "\n{margin} = {help}"),
            None => Ok(()),
        }
    }
}

/// The name among `valid` that is most like `text`, where one is alike enough to be meant.
pub(crate) fn nearest<'a>(text: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let small = text.to_lowercase();
    let limit = (text.chars().count() / 3).max(1);
    let with_distance =
        valid.into_iter().map(|name| (strsim::damerau_levenshtein(&small, &name.to_lowercase()), name));
    with_distance
        .filter(|(distance, _)| *distance <= limit && *distance < small.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, n)| n)
}

/// Names for people: `a`, `b` or `c`.
pub(crate) fn any_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// What to say beside an unknown name: the nearest valid one, or all of them where they are few.
pub(crate) fn instead<'a>(text: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let valid: Vec<&str> = valid.into_iter().collect();
    match nearest(text, valid.iter().copied()) {
        Some(name) => Some(format!("did you mean `{name}`?")),
        None if valid.is_empty() => None,
        None if valid.len() <= 12 => Some(format!("known: {}", any_of(valid.iter().copied()))),
        None => None,
    }
}
