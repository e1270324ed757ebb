//! What is said between us and a person's programs: one JSON object on their stdin, an exit code, and an answer on stdout
//! where the target chooses a value.
//!
//! Owns that contract (docs/rotations.md tells it) and the values that were there before. Exit 0 is yes, 10 is no, and all
//! else is nobody's answer: a program that breaks says nothing of its target.

use super::Values;
use crate::journal::{Answer, Operation};
use crate::manifest::Program;
use crate::name::Address;
use crate::program::{self, ProgramError, Surroundings};
use crate::secret::Secret;
use crate::snapshot::{Held, Snapshot};
use crate::store::{ErrorKind, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use zeroize::{Zeroize, Zeroizing};

/// The exit code that means no.
const NO: i32 = 10;

/// The version of what is said.
const VERSION: u32 = 1;

/// How the programs of one rotation are run.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The rotation's name.
    pub rotation: String,
    /// The environment.
    pub environment: String,
    /// Where they run.
    pub surroundings: Surroundings,
}

/// What a program said.
#[derive(Debug)]
pub(super) enum Said {
    /// Yes; and what it wrote on stdout.
    Yes(Answer),
    /// No; and the last that it said to people.
    No(Option<String>),
}

/// The old and the new value of each key; what is not there is none.
pub(super) type Pairs = BTreeMap<Address, (Option<Secret>, Option<Secret>)>;

/// Both sides of each of these keys.
pub(super) fn pairs(old: &Values, new: Option<&Values>, keys: &[Address]) -> Pairs {
    let value = |values: &Values, key: &Address| values.get(key).cloned();
    let pair = |key: &Address| (key.clone(), (value(old, key), new.and_then(|new| value(new, key))));
    keys.iter().map(pair).collect()
}

#[derive(Serialize)]
struct Question<'a> {
    strongroom: u32,
    step: &'a str,
    rotation: &'a str,
    environment: &'a str,
    operation: &'a str,
    values: BTreeMap<&'a str, Pair<'a>>,
}

#[derive(Serialize)]
struct Pair<'a> {
    old: Option<&'a str>,
    new: Option<&'a str>,
}

impl Programs {
    /// Asks a program. An error is neither yes nor no.
    pub(super) async fn ask(
        &self,
        step: &str,
        program: &Program,
        operation: &Operation,
        pairs: &Pairs,
    ) -> Result<Said, StoreError> {
        let question = self.question(step, operation, pairs);
        self.put(step, program, &question, pairs).await
    }

    /// Asks a program what was written down before.
    pub(super) async fn put(
        &self,
        step: &str,
        program: &Program,
        question: &[u8],
        pairs: &Pairs,
    ) -> Result<Said, StoreError> {
        let masked: Vec<&Secret> = pairs.values().flat_map(|(old, new)| old.iter().chain(new)).collect();
        let ran = program::run(&program.words, question, &masked, &self.surroundings, program.timeout).await;
        let not = |kind, message: String| StoreError::new(kind, self.location(step, program), message);
        let failed = |message: String| not(ErrorKind::Failed, message);
        let ended = ran.map_err(|error| match error {
            ProgramError::NotRun(source) => not(ErrorKind::NotBegun, "it cannot be run".to_owned())
                .hint("a program with a `/` in its name is looked for from the manifest's folder on")
                .because(source),
            error @ ProgramError::OneIsLeft(_) => not(ErrorKind::NotBegun, error.to_string())
                .hint("wait for its end, or end it; `fuser FILE` tells its number")
                .because(error),
            other => failed(other.to_string()),
        })?;
        match (ended.status.code(), ended.last) {
            (Some(0), _) => Ok(Said::Yes(ended.output)),
            (Some(NO), last) => Ok(Said::No(last)),
            (_, last) => {
                let message = format!("it says neither yes (0) nor no (10): {}", ended.status);
                Err(heard(failed(message), last))
            }
        }
    }

    /// What a program is asked, for its stdin.
    pub(super) fn question(&self, step: &str, operation: &Operation, pairs: &Pairs) -> Zeroizing<Vec<u8>> {
        let length = |value: &Option<Secret>| value.as_ref().map_or(0, Secret::len);
        let all: usize = pairs.values().map(|(old, new)| length(old) + length(new) + 256).sum();
        // Room for all of it, so that no copy is left where it grew out of.
        let mut input = Zeroizing::new(Vec::with_capacity(2 * all + 1024));
        let values = pairs.iter().map(|(address, (old, new))| {
            let pair = Pair { old: old.as_ref().map(Secret::expose), new: new.as_ref().map(Secret::expose) };
            (address.key.as_str(), pair)
        });
        let question = Question {
            strongroom: VERSION,
            step,
            rotation: &self.rotation,
            environment: &self.environment,
            operation: operation.id().as_str(),
            values: values.collect(),
        };
        serde_json::to_writer(&mut *input, &question).expect("text always serialises");
        input.push(b'\n');
        input
    }

    /// The program and its part, for an error: never its arguments, which somebody may have put a value into.
    pub(super) fn location(&self, step: &str, program: &Program) -> String {
        format!("{} ({step} of `{}`)", program.words[0], self.rotation)
    }
}

/// What a program said to people: a cause, which is shown and not kept in the journal.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Heard(String);

/// An error with what the program said last.
pub(super) fn heard(error: StoreError, last: Option<String>) -> StoreError {
    match last {
        Some(last) => error.because(Heard(last)),
        None => error,
    }
}

/// What `apply` answers with where the target chooses.
#[derive(Deserialize)]
struct Minted {
    values: BTreeMap<String, Text>,
}

/// A value on its way: wiped where nobody takes it.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text(String);

impl Drop for Text {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The values in an answer; each of these keys must have one.
pub(super) fn answered(answer: &Answer, keys: &[Address]) -> Result<Values, String> {
    let shape = "it is not {\"values\": {\"KEY\": \"…\"}}";
    let mut minted: Minted =
        serde_json::from_slice(answer.expose()).map_err(|error| match error.classify() {
            // What serde says of a shape may quote what it found.
            serde_json::error::Category::Data => shape.to_owned(),
            _ => format!("{shape}: it is not JSON, from line {} on", error.line()),
        })?;
    let mut values = Values::new();
    for key in keys {
        let Some(mut text) = minted.values.remove(key.key.as_str()) else {
            return Err(format!("it has no value for {}", key.key));
        };
        if text.0.is_empty() {
            return Err(format!("its value for {} is empty", key.key));
        }
        let value = Secret::new(std::mem::take(&mut text.0));
        values.insert(key.clone(), value.map_err(|error| format!("{}: {error}", key.key))?);
    }
    Ok(values)
}

/// What home held at these addresses before the operation wrote there; where it has not, what home holds.
pub(super) fn before(operation: &Operation, home: &str, now: &Snapshot, keys: &[Address]) -> Values {
    let mut values = Values::new();
    let value = |held: &Held| held.value().cloned();
    for key in keys {
        let writes = operation.writes().iter().filter(|write| write.place == home);
        let first = writes.flat_map(|write| &write.changes).find(|change| change.address == *key);
        let entry = match first {
            Some(change) => change.before.as_ref(),
            None => now.entries.get(key),
        };
        if let Some(value) = entry.and_then(|entry| value(&entry.held)) {
            values.insert(key.clone(), value);
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn an_answer_has_a_value_for_each_key_and_a_bad_one_is_told_without_its_text() {
        let keys = [key("app/TOKEN"), key("app/ID")];
        let read = |text: &str| answered(&Answer::new(text.as_bytes().to_vec()), &keys);
        let values = read(r#"{"values": {"TOKEN": "canary", "ID": "1", "MORE": "x"}, "note": 1}"#).unwrap();
        assert_eq!(values[&keys[0]].expose(), "canary");
        for (text, why) in [
            (r#"{"values": {"TOKEN": "canary"}}"#, "it has no value for ID"),
            (r#"{"values": {"TOKEN": "canary", "ID": ""}}"#, "its value for ID is empty"),
            (r#"{"values": {"TOKEN": "canary", "ID": 7}}"#, "it is not {"),
            ("canary", "it is not JSON"),
            ("", "it is not JSON"),
            (r#"{"values": {"TOKEN": "canary", "ID": "a\u0000"}}"#, "ID: the value has a NUL"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why) && !error.contains("canary"), "{text}: {error}");
        }
    }
}
