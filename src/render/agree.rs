//! A file that somebody wrote for nobody in particular: what all dialects read in it alike.
//!
//! Owns who has a say. A consumer that would reject the file, or pass over a line of it, is not the one that it was
//! written for, and drops out; the others must agree about every variable, or the keys are named, never the values.

use super::read::{Meaning, ReadError, ReadProblem, Reading, checked, last_of_each};
use super::{Dialect, Fault, Grammar};
use crate::name::Key;
use crate::secret::Secret;
use std::fmt;

/// Why a file is not taken without the name of its dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Disagreement {
    /// No dialect takes the file as it is. The first is the reading that came farthest.
    #[error("no dialect takes the file as it is; {}", .0.first().map(ReadError::to_string).unwrap_or_default())]
    Rejected(Vec<ReadError>),
    /// Variables that are read differently by dialects that take the file.
    #[error("{}", .0.iter().map(Differing::to_string).collect::<Vec<_>>().join("\n"))]
    Differ(Vec<Differing>),
}

impl Disagreement {
    /// The first line that it is about, counted from 1.
    pub fn line(&self) -> usize {
        match self {
            Disagreement::Rejected(errors) => errors.first().map_or(1, |error| error.line),
            Disagreement::Differ(keys) => keys.iter().map(|differing| differing.line).min().unwrap_or(1),
        }
    }
}

/// A variable that dialects read differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differing {
    /// The variable. `None` where some dialect does not find it, or none gives it a value: then what looks like a name
    /// may be a line of a value, and it is not told.
    pub key: Option<Key>,
    /// The line where the first dialect finds it, counted from 1.
    pub line: usize,
    /// The dialects that read one value, for each value, those of the most dialects first.
    pub alike: Vec<Vec<Dialect>>,
    /// The dialects that would take it, or a piece of it, from their caller's environment.
    pub outside: Vec<Dialect>,
    /// The dialects that do not find it at all.
    pub missing: Vec<Dialect>,
}

impl fmt::Display for Differing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |dialects: &[Dialect]| dialects.iter().map(|d| d.as_str()).collect::<Vec<_>>().join(", ");
        let mut parts: Vec<String> =
            self.alike.iter().map(|dialects| format!("one value for {}", names(dialects))).collect();
        if !self.outside.is_empty() {
            parts.push(format!("refers to what the file does not define for {}", names(&self.outside)));
        }
        if !self.missing.is_empty() {
            parts.push(format!("not there for {}", names(&self.missing)));
        }
        let key = self.key.as_ref().map_or("what looks like a variable", Key::as_str);
        write!(f, "line {}: {key} is {}", self.line, parts.join("; "))
    }
}

/// Reads a file that may be for any of the consumers, where all that take it agree about every variable.
///
/// Of a name that comes twice the last counts. CRLF is read as LF where every line ends so, and a mark of byte order is
/// left out: both say where a file was written, not what is in it.
pub fn read_agreed(text: &str) -> Result<Vec<(Key, Secret)>, Disagreement> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let unified = from_windows(text);
    let text = unified.as_ref().map_or(text, |unified| unified.as_str());
    let mut voices = Vec::new();
    let mut errors = Vec::new();
    for grammar in Dialect::grammars() {
        match voice(grammar, text) {
            Ok(Some(reading)) => voices.push((grammar.dialect, reading)),
            Ok(None) => {}
            Err(fault) => {
                errors.push(ReadError { dialect: grammar.dialect, line: fault.line, problem: fault.problem });
            }
        }
    }
    // One consumer alone is no agreement: docker takes almost anything for a value.
    if voices.len() < 2 {
        errors.sort_by_key(|error| std::cmp::Reverse(error.line));
        return Err(Disagreement::Rejected(errors));
    }
    let differing = compare(&voices);
    if !differing.is_empty() {
        return Err(Disagreement::Differ(differing));
    }
    let (dialect, reading) = voices.swap_remove(0);
    last_of_each(reading).map_err(|fault| {
        Disagreement::Rejected(vec![ReadError { dialect, line: fault.line, problem: fault.problem }])
    })
}

fn from_windows(text: &str) -> Option<zeroize::Zeroizing<String>> {
    let ends = text.matches('\n').count();
    let windows = ends > 0 && text.matches("\r\n").count() == ends && text.matches('\r').count() == ends;
    windows.then(|| super::node::with_lf(text))
}

/// One consumer's reading if it has a say.
fn voice(grammar: &Grammar, text: &str) -> Result<Option<Reading>, Fault> {
    let reading = checked(text, grammar.models[0])?;
    if let Some(line) = reading.skipped.first() {
        return Err(Fault::new(*line, ReadProblem::Skipped));
    }
    if let Some(bad) = reading.assignments.iter().find(|assignment| Key::parse(&assignment.name).is_err()) {
        return Err(Fault::new(bad.line, ReadProblem::Name));
    }
    // Docker takes quotes for data. Nobody who quotes a value wants that, so a file with quotes is not for docker.
    let quoted = |reading: &Reading| {
        reading.assignments.iter().any(|assignment| match &assignment.meaning {
            Meaning::Value(value) => value.trim().starts_with(['"', '\'']),
            Meaning::Outside => false,
        })
    };
    Ok(if grammar.dialect == Dialect::Docker && quoted(&reading) { None } else { Some(reading) })
}

fn compare(voices: &[(Dialect, Reading)]) -> Vec<Differing> {
    let mut keys: Vec<(&str, usize)> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (_, reading) in voices {
        for assignment in &reading.assignments {
            if seen.insert(assignment.name.as_str()) {
                keys.push((&assignment.name, assignment.line));
            }
        }
    }
    let last: Vec<(Dialect, std::collections::HashMap<&str, &Meaning>)> = voices
        .iter()
        .map(|(dialect, reading)| {
            (*dialect, reading.assignments.iter().map(|a| (a.name.as_str(), &a.meaning)).collect())
        })
        .collect();
    keys.into_iter()
        .filter_map(|(name, line)| {
            let meanings: Vec<_> =
                last.iter().map(|(dialect, read)| (*dialect, read.get(name).copied())).collect();
            differing(Key::parse(name).ok()?, line, &meanings)
        })
        .collect()
}

fn differing(key: Key, line: usize, meanings: &[(Dialect, Option<&Meaning>)]) -> Option<Differing> {
    let mut values: Vec<(&str, Vec<Dialect>)> = Vec::new();
    let (mut outside, mut missing) = (Vec::new(), Vec::new());
    for (dialect, meaning) in meanings {
        match meaning {
            None => missing.push(*dialect),
            Some(Meaning::Outside) => outside.push(*dialect),
            Some(Meaning::Value(value)) => {
                match values.iter_mut().find(|(text, _)| *text == value.as_str()) {
                    Some((_, dialects)) => dialects.push(*dialect),
                    None => values.push((value, vec![*dialect])),
                }
            }
        }
    }
    if values.len() == 1 && outside.is_empty() && missing.is_empty() {
        return None;
    }
    let key = Some(key).filter(|_| missing.is_empty() && !values.is_empty());
    let mut alike: Vec<Vec<Dialect>> = values.into_iter().map(|(_, dialects)| dialects).collect();
    alike.sort_by_key(|dialects| std::cmp::Reverse(dialects.len()));
    Some(Differing { key, line, alike, outside, missing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn agrees(text: &str, expected: &[(&str, &str)]) {
        let read = read_agreed(text).unwrap_or_else(|error| panic!("{error}"));
        let read: Vec<(&str, &str)> =
            read.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
        assert_eq!(read, expected);
    }

    #[track_caller]
    fn differs(text: &str) -> Vec<Differing> {
        match read_agreed(text) {
            Err(Disagreement::Differ(keys)) => keys,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn files_as_people_write_them_need_no_dialect() {
        agrees(
            "\u{feff}# settings\r\n\r\nDEBUG=0\r\nexport SECRET_KEY='a$b#c'\r\n",
            &[("DEBUG", "0"), ("SECRET_KEY", "a$b#c")],
        );
        agrees(
            "NAME = value\nEMPTY=\nURL=\"postgres://u:p@h/db\"\n",
            &[("NAME", "value"), ("EMPTY", ""), ("URL", "postgres://u:p@h/db")],
        );
        agrees("FROM=My App <app@example.org>\n", &[("FROM", "My App <app@example.org>")]);
        agrees("A=1\nB=\"\"\nC=''", &[("A", "1"), ("B", ""), ("C", "")]);
        agrees("", &[]);
    }

    #[test]
    fn what_dialects_read_differently_is_named_with_who_reads_it_how() {
        let keys = differs("OK=1\nPASSWORD=pa$$word\nPORT=80 # http\n");
        assert_eq!(
            keys.iter().map(|d| (d.key.as_ref().unwrap().as_str(), d.line)).collect::<Vec<_>>(),
            [("PASSWORD", 2), ("PORT", 3)]
        );
        assert!(keys[1].alike[0].contains(&Dialect::Compose) && keys[1].alike[1].contains(&Dialect::Docker));
        let shown = Disagreement::Differ(keys).to_string();
        assert!(
            shown.contains("PASSWORD") && shown.contains("dotenvy") && !shown.contains("word "),
            "{shown}"
        );
    }

    #[test]
    fn escapes_and_expansions_of_the_callers_environment_ask_for_a_dialect() {
        assert_eq!(differs("KEY=\"-----BEGIN\\nMII\"\n").len(), 1);
        let keys = differs("HOME_DIR=${HOME}/x\n");
        assert!(keys[0].outside.contains(&Dialect::Compose) && keys[0].alike[0].contains(&Dialect::Docker));
    }

    #[test]
    fn what_nobody_takes_is_rejected_with_its_line() {
        for (text, line) in [("A=1\nB-C=2\n", 2), ("A=1\n2B=2\n", 2)] {
            match read_agreed(text) {
                Err(rejected @ Disagreement::Rejected(_)) => assert_eq!(rejected.line(), line, "{rejected}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
