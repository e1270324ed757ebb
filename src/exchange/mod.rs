//! Values to and from documents that other tools read and write: JSON, YAML, TOML, and what chamber exports.
//!
//! Owns one rule for all of them: a document is one flat table from names to text. What is not text is refused with its
//! path and never guessed: a number could be a port or a PIN with zeros in front, and only a person knows. No error of it
//! holds a value; the parsers' own messages, which quote the document, end here. Files of lines are
//! [`crate::render`]'s.

mod json;
mod toml;
mod write;
mod yaml;

pub use write::{SameName, write};

use crate::secret::{InvalidValue, Secret};
use std::collections::BTreeMap;
use std::fmt;

/// A kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// A JSON object.
    Json,
    /// A YAML mapping.
    Yaml,
    /// A TOML table.
    Toml,
    /// A JSON object with chamber's names: small letters, `-` where an environment has `_`.
    Chamber,
}

/// One value of a document.
#[derive(Debug)]
pub struct Entry {
    /// The name as it is written there.
    pub name: String,
    /// The value.
    pub value: Secret,
}

/// Why a document is not taken. Everything that is wrong with it is told at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is not a document of its kind.
    #[error("not valid {kind}: line {line}, column {column}")]
    Syntax {
        /// `JSON`, `YAML`, `TOML`.
        kind: &'static str,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// It is one, and not a table from names to values.
    #[error("it is {found}, and should be a table from names to text")]
    NotATable {
        /// What it is: "an array".
        found: &'static str,
    },
    /// Some of its values cannot be taken.
    #[error("{}", .0.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"))]
    Values(Vec<Problem>),
}

/// A value that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands: `db.port`.
    pub path: String,
    /// What is wrong.
    pub what: What,
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum What {
    /// It has another type than text.
    #[error("{0}; put it in quotes, exactly as it is to be")]
    Unquoted(&'static str),
    /// It is a table or a list of further values.
    #[error("{0}; a value is text, so write each of its values under a name of its own at the top")]
    Nested(&'static str),
    /// The name stands for nothing, which no text stands for.
    #[error("null; leave it out, or write \"\" for the empty text")]
    Null,
    /// The name is in the document more than once.
    #[error("the name stands there more than once")]
    Twice,
    /// The value refers to another one.
    #[error("an alias; write the value out")]
    Alias,
    /// YAML says by a tag that it is something else.
    #[error("it has a tag; only !!str is taken")]
    Tag,
    /// It is text that is no value.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path: String = self.path.chars().take(80).flat_map(char::escape_debug).collect();
        write!(f, "{path}: {}", self.what)
    }
}

/// Reads a document, in its order.
pub fn read(kind: Document, text: &str) -> Result<Vec<Entry>, ReadError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut table = match kind {
        Document::Json | Document::Chamber => json::read(text)?,
        Document::Yaml => yaml::read(text)?,
        Document::Toml => toml::read(text)?,
    };
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for (name, _) in &table.rows {
        *count.entry(name.clone()).or_default() += 1;
    }
    let twice = count.into_iter().filter(|(_, count)| *count > 1);
    table.problems.extend(twice.map(|(path, _)| Problem { path, what: What::Twice }));
    if table.problems.is_empty() {
        return Ok(table.rows.into_iter().map(|(name, value)| Entry { name, value }).collect());
    }
    Err(ReadError::Values(table.problems))
}

/// What a parser makes of a document: the values that can be taken, and what is wrong with the others.
#[derive(Default)]
struct Table {
    rows: Vec<(String, Secret)>,
    problems: Vec<Problem>,
}

impl Table {
    fn take(&mut self, path: String, value: Result<String, What>) {
        match value.and_then(|text| Ok(Secret::new(text)?)) {
            Ok(value) => self.rows.push((path, value)),
            Err(what) => self.problems.push(Problem { path, what }),
        }
    }
}

/// Line and column of an offset, counted from 1, the column in characters.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Key;
    use proptest::prelude::*;

    const KINDS: [Document; 3] = [Document::Json, Document::Yaml, Document::Toml];

    fn pairs(kind: Document, text: &str) -> Vec<(String, String)> {
        let entries = read(kind, text).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        entries.into_iter().map(|entry| (entry.name, entry.value.expose().to_owned())).collect()
    }

    fn refusal(kind: Document, text: &str) -> String {
        read(kind, text).unwrap_err().to_string()
    }

    proptest! {
        #[test]
        fn every_document_reads_back_the_values_that_were_written(
            values in proptest::collection::btree_map("[A-Za-z_][A-Za-z0-9_]{0,6}", any::<String>(), 0..6),
        ) {
            let values: Vec<(Key, Secret)> = values
                .into_iter()
                .map(|(key, value)| (key.parse().unwrap(), Secret::new(value.replace('\0', "")).unwrap()))
                .collect();
            let borrowed: Vec<(Key, &Secret)> = values.iter().map(|(key, value)| (key.clone(), value)).collect();
            for kind in KINDS {
                let text = write(kind, &borrowed).unwrap();
                let expected: Vec<(String, String)> =
                    values.iter().map(|(key, value)| (key.to_string(), value.expose().to_owned())).collect();
                prop_assert_eq!(pairs(kind, &text), expected);
            }
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in "[\\PC\n]{0,60}") {
            for kind in KINDS {
                let _ = read(kind, &text);
            }
        }
    }

    #[test]
    fn what_is_not_text_is_refused_with_its_path_and_never_guessed() {
        for (kind, text) in [
            (
                Document::Json,
                r#"{"a": 1, "b": true, "c": null, "d": {"e": 1}, "f": [1], "g": 1.5, "ok": "x"}"#,
            ),
            (Document::Yaml, "a: 1\nb: yes\nc: ~\nd: {e: 1}\nf: [1]\ng: 1.5\nok: x\n"),
        ] {
            let error = refusal(kind, text);
            for line in [
                "a: a number; put it in quotes",
                "b: true or false; put it in quotes",
                "c: null; leave it out",
                "d: a table; a value is text",
                "f: a list; a value is text",
                "g: a number;",
            ] {
                assert!(error.contains(line), "{kind:?}: {error}");
            }
            assert!(!error.contains("ok"), "{error}");
        }
        let error =
            refusal(Document::Toml, "a = 1\nb = true\nd.e = 1\nf = [1]\nt = 2020-01-01\n[g]\nh = \"x\"\n");
        for line in ["a: a number", "b: true or false", "d: a table", "f: a list", "t: a date", "g: a table"]
        {
            assert!(error.contains(line), "{error}");
        }
    }

    #[test]
    fn yaml_of_either_version_is_not_guessed() {
        for word in [
            "1",
            "0o17",
            "017",
            "1_000",
            "0x1F",
            "1e3",
            "-.5",
            ".inf",
            "12:30:45",
            "no",
            "On",
            "NULL",
            "y",
            "2020-01-01",
        ] {
            assert!(read(Document::Yaml, &format!("A: {word}\n")).is_err(), "{word}");
            assert_eq!(pairs(Document::Yaml, &format!("A: '{word}'\n")), [("A".to_owned(), word.to_owned())]);
            assert_eq!(
                pairs(Document::Yaml, &format!("A: !!str {word}\n")),
                [("A".to_owned(), word.to_owned())]
            );
        }
        for word in ["a", "1.2.3.4", "postgres://a:b@c/d", "-x", "1password", "nobody", "v1"] {
            assert_eq!(pairs(Document::Yaml, &format!("A: {word}\n")), [("A".to_owned(), word.to_owned())]);
        }
        assert_eq!(pairs(Document::Yaml, "A: |\n  one\n  two\n")[0].1, "one\ntwo\n");
        assert_eq!(pairs(Document::Yaml, "# nothing\n"), []);
    }

    #[test]
    fn aliases_tags_and_second_documents_are_refused() {
        assert!(refusal(Document::Yaml, "A: &a x\nB: *a\n").contains("B: an alias"));
        assert!(refusal(Document::Yaml, "A: !secret x\n").contains("A: it has a tag"));
        assert!(refusal(Document::Yaml, "A: x\n---\nB: y\n").contains("several documents"));
        let bomb = "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n";
        assert!(refusal(Document::Yaml, bomb).contains("c: a list"));
    }

    #[test]
    fn names_that_come_twice_are_refused_where_the_format_allows_them() {
        for (kind, text) in [(Document::Json, r#"{"A": "1", "A": "2"}"#), (Document::Yaml, "A: a\nA: b\n")] {
            assert_eq!(refusal(kind, text), "A: the name stands there more than once");
        }
        assert!(refusal(Document::Toml, "A = \"a\"\nA = \"b\"\n").contains("not valid TOML: line 2"));
    }

    #[test]
    fn broken_documents_are_told_by_position_and_nothing_of_them_is_quoted() {
        for (kind, text) in [
            (Document::Json, "{\n\"A\": \"canary\n"),
            (Document::Json, "{\"A\": canary}"),
            (Document::Json, "{\"A\": \"x\"} canary"),
            (Document::Yaml, "A: \"canary\nB: x"),
            (Document::Yaml, "A: canary: canary\n\t- x"),
            (Document::Toml, "A = canary"),
            (Document::Toml, "A = \"canary\n"),
        ] {
            let error = refusal(kind, text);
            assert!(error.contains("line ") && !error.contains("canary"), "{kind:?}: {error}");
        }
        assert!(refusal(Document::Json, "[1]").contains("it is a list"));
        assert!(refusal(Document::Yaml, "- canary").contains("it is a list"));
        assert!(refusal(Document::Json, &"[".repeat(100_000)).contains("it is a list"));
    }

    #[test]
    fn chamber_has_small_names_and_those_that_would_be_one_are_refused() {
        let value = Secret::new("x\"y".to_owned()).unwrap();
        let key = |text: &str| text.parse::<Key>().unwrap();
        let text = write(Document::Chamber, &[(key("DB_PASSWORD"), &value)]).unwrap();
        assert_eq!(*text, "{\n  \"db_password\": \"x\\\"y\"\n}\n");
        let error = write(Document::Chamber, &[(key("A"), &value), (key("a"), &value)]).unwrap_err();
        assert_eq!(error.to_string(), "chamber has small names only, and A and a would both be `a`");
    }
}
