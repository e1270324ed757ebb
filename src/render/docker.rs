//! `docker run --env-file`, and Compose's `format: raw`: docker's `pkg/kvfile` (read and measured at 28.2).
//!
//! A line is `NAME=VALUE` and the value is everything after the `=`, quotes and blanks included. One CR before the LF is
//! dropped, so a value that ends in CR is written with one more.

use super::buffer::joined;
use super::read::{Fault, Meaning, ReadProblem, Reading};
use super::{Dialect, Form, Grammar, Reason};

pub(super) const GRAMMAR: Grammar = Grammar { dialect: Dialect::Docker, models: &[model], forms, objection };

/// The longest line that Go's `bufio.Scanner` gives, its CR included.
const LONGEST_LINE: usize = 65_535;

fn forms(value: &str) -> Vec<Form> {
    vec![joined(&[value, if value.ends_with('\r') { "\r" } else { "" }])]
}

fn objection(name: &str, value: &str) -> Option<Reason> {
    if value.contains('\n') {
        return Some(Reason::LineBreak);
    }
    let bytes = name.len() + 1 + value.len() + usize::from(value.ends_with('\r'));
    (bytes > LONGEST_LINE).then_some(Reason::LineTooLong { bytes, limit: LONGEST_LINE })
}

fn model(text: &str) -> Result<Reading, Fault> {
    let mut reading = Reading::default();
    for (at, line) in text.split('\n').enumerate() {
        let number = at + 1;
        if line.len() > LONGEST_LINE {
            return Err(Fault::new(number, ReadProblem::TooLong));
        }
        let line = line.strip_suffix('\r').unwrap_or(line).trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (line, None),
        };
        if name.is_empty() || name.contains([' ', '\t']) {
            return Err(Fault::new(number, ReadProblem::NotAnAssignment));
        }
        match value {
            Some(value) => reading.set(number, name, joined(&[value])),
            None => reading.put(number, name, Meaning::Outside),
        }
    }
    Ok(reading)
}
