//! Writing: the form of every value that all named dialects read as the value, or all the refusals at once.
//!
//! Owns the choice of a form and the proof that it is right: each line is tried on the models of every named consumer,
//! beside neighbours that would set off a run-on, and the whole text is read back before anybody gets it. It knows no
//! dialect's grammar.

use super::buffer::{Buffer, joined};
use super::read::{Meaning, Reading, checked};
use super::{Dialect, Form, Grammar, json, portable};
use crate::name::Key;
use crate::secret::Secret;
use std::collections::BTreeSet;
use std::fmt;
use zeroize::Zeroizing;

/// `NAME=VALUE` with the NUL at its end, as `execve` takes it: Linux's `MAX_ARG_STRLEN`.
const LONGEST_VARIABLE: usize = 131_072;

/// The text of a rendered file; wiped on drop, never shown.
pub struct Rendered(Zeroizing<String>);

impl Rendered {
    /// The text, to be written to its file. Each call is a place where all the values may leak.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rendered(redacted)")
    }
}

/// Why nothing was rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// No dialect was named.
    #[error("no dialect is named: name at least one, such as `compose`")]
    NoDialect,
    /// `json` is not a dialect of lines.
    #[error("`json` cannot be rendered together with other dialects; make it a target of its own")]
    JsonAmongOthers,
    /// Consumers keep one of several variables with one name.
    #[error("{} would be in the file more than once; rename or leave out all but one", list(.keys))]
    Duplicate {
        /// The names that come more than once.
        keys: Vec<Key>,
    },
    /// Values that a named consumer cannot be given.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The finished text did not read back as what was to be written: a fault of this program, found in time.
    #[error(
        "the finished file would not give {dialect} the right value of {key}; nothing was written, please report this"
    )]
    Misread {
        /// The consumer whose model misreads the text.
        dialect: Dialect,
        /// The first variable that it misreads.
        key: Key,
    },
}

fn list(keys: &[Key]) -> String {
    keys.iter().map(Key::as_str).collect::<Vec<_>>().join(", ")
}

/// Every variable that cannot be written, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .refusals.iter().map(Refusal::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Refused {
    /// One for each variable; never empty.
    pub refusals: Vec<Refusal>,
}

/// One variable that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} cannot be written for {dialect}: {reason}")]
pub struct Refusal {
    /// The variable.
    pub key: Key,
    /// The dialect that cannot hold it, or not in the form that those named before it read.
    pub dialect: Dialect,
    /// What stands against it.
    pub reason: Reason,
}

/// What stands against a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// Longer than a process can be given.
    #[error(
        "name and value have {bytes} bytes together and no process can be started with more than {limit}"
    )]
    TooLong {
        /// Bytes of `NAME=VALUE`.
        bytes: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Longer than a line that the consumer reads.
    #[error("its line has {bytes} bytes and the consumer reads at most {limit}")]
    LineTooLong {
        /// Bytes of the line.
        bytes: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The dialect has no values of several lines.
    #[error("the value has a line break, and the dialect has lines only")]
    LineBreak,
    /// The consumer drops it.
    #[error("the value has a carriage return, which the consumer drops")]
    CarriageReturn,
    /// The consumer rejects the whole file.
    #[error("the value has a Unicode noncharacter, for which the consumer rejects the whole file")]
    Noncharacter,
    /// django-environ's `env()` follows it.
    #[error("the value starts with `$`, and the consumer takes what follows for another variable's name")]
    LeadingDollar,
    /// A variable that the shell owns.
    #[error("the shell sets or protects a variable of this name; rename it")]
    ShellName,
    /// No quotes fit.
    #[error("none of the dialect's quotes can hold the value")]
    NoForm,
    /// More than plain characters.
    #[error(
        "the value has a character that some consumers do not read bare; `portable` takes letters, digits and \
         ! % * + , - . / : = ? @ [ ] ^ _ {{ }} ~ (no ~ first or after : or =): name the dialects that read the file instead"
    )]
    NotPlain,
    /// Each dialect could have it, but not in one file.
    #[error(
        "no way of writing the value is read alike by this dialect and those named before it; give it a file of its own"
    )]
    NotTogether,
}

/// Renders variables, in their order, so that every named dialect reads each as the same bytes, or refuses.
///
/// The lines of `header` become comments; what is not safe in one is taken out. All refusals come at once. JSON has no
/// comments, so there the header is left out.
pub fn render(
    dialects: &[Dialect],
    header: &str,
    variables: &[(Key, &Secret)],
) -> Result<Rendered, RenderError> {
    let target = Target::of(dialects)?;
    refuse_duplicates(variables)?;
    if target.grammars.is_empty() {
        return Ok(Rendered(json::write(variables)));
    }
    let mut text = Buffer::new();
    for line in header.lines() {
        text.push_str(&comment(line));
    }
    let mut refusals = Vec::new();
    for (key, secret) in variables {
        match target.form(key, secret.expose()) {
            Ok(form) => [key.as_str(), "=", &form, "\n"].iter().for_each(|piece| text.push_str(piece)),
            Err(refusal) => refusals.push(refusal),
        }
    }
    if !refusals.is_empty() {
        return Err(Refused { refusals }.into());
    }
    target.read_back(text.as_str(), variables)?;
    Ok(Rendered(text.finish()))
}

fn refuse_duplicates(variables: &[(Key, &Secret)]) -> Result<(), RenderError> {
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<&Key> =
        variables.iter().map(|(key, _)| key).filter(|key| !seen.insert(*key)).collect();
    let keys: Vec<Key> = twice.into_iter().cloned().collect();
    if keys.is_empty() { Ok(()) } else { Err(RenderError::Duplicate { keys }) }
}

/// A line of the header as a comment that is one in every dialect: characters that end a line somewhere become blanks,
/// and no backslash stands last, which in systemd would swallow the next line.
fn comment(line: &str) -> String {
    let safe: String = line.chars().map(|c| if portable::visible(c) { c } else { ' ' }).collect();
    let safe = safe.trim_end_matches([' ', '\\']);
    if safe.is_empty() { "#\n".to_owned() } else { format!("# {safe}\n") }
}

/// The dialects that one file is for. No grammars stands for JSON.
struct Target {
    grammars: Vec<&'static Grammar>,
    portable: bool,
}

impl Target {
    fn of(dialects: &[Dialect]) -> Result<Target, RenderError> {
        let json = dialects.contains(&Dialect::Json);
        match dialects {
            [] => return Err(RenderError::NoDialect),
            [first, others @ ..] if json && others.iter().any(|other| other != first) => {
                return Err(RenderError::JsonAmongOthers);
            }
            _ => {}
        }
        let portable = dialects.contains(&Dialect::Portable);
        let mut grammars: Vec<&'static Grammar> = Vec::new();
        for grammar in dialects.iter().copied().filter_map(Dialect::grammar) {
            if grammars.iter().all(|known| known.dialect != grammar.dialect) {
                grammars.push(grammar);
            }
        }
        if portable {
            grammars = Dialect::grammars().collect();
        }
        Ok(Target { grammars, portable })
    }

    fn form(&self, key: &Key, value: &str) -> Result<Form, Refusal> {
        let refusal = |dialect: Dialect, reason: Reason| {
            let dialect = if self.portable { Dialect::Portable } else { dialect };
            Refusal { key: key.clone(), dialect, reason }
        };
        for grammar in &self.grammars {
            let objection = too_long(key, value).or_else(|| (grammar.objection)(key.as_str(), value));
            if let Some(reason) = objection {
                return Err(refusal(grammar.dialect, reason));
            }
        }
        if portable::plain(value) {
            return Ok(joined(&[value]));
        }
        if self.portable {
            return Err(refusal(Dialect::Portable, Reason::NotPlain));
        }
        let (dialect, reason) = match common_form(&self.grammars, key, value) {
            Some(form) => return Ok(form),
            None => self.objector(key, value),
        };
        Err(refusal(dialect, reason))
    }

    /// Which dialect stands in the way where no form fits all: one that has none at all, else the first that shares none
    /// with those named before it.
    fn objector(&self, key: &Key, value: &str) -> (Dialect, Reason) {
        if let Some(alone) =
            self.grammars.iter().find(|grammar| common_form(&[**grammar], key, value).is_none())
        {
            return (alone.dialect, Reason::NoForm);
        }
        let first = (2..self.grammars.len())
            .find(|count| common_form(&self.grammars[..*count], key, value).is_none())
            .unwrap_or(self.grammars.len());
        (self.grammars[first - 1].dialect, Reason::NotTogether)
    }

    fn read_back(&self, text: &str, variables: &[(Key, &Secret)]) -> Result<(), RenderError> {
        for grammar in &self.grammars {
            for model in grammar.models {
                let read = checked(text, *model).unwrap_or_default();
                let agrees = |(at, (key, secret)): (usize, &(Key, &Secret))| {
                    read.assignments.get(at).is_some_and(|assignment| {
                        assignment.name == key.as_str() && is_value(&assignment.meaning, secret.expose())
                    })
                };
                let wrong = variables.iter().enumerate().find(|pair| !agrees(*pair)).map(|(_, (key, _))| key);
                let surplus = read.assignments.len() > variables.len() || !read.skipped.is_empty();
                if let Some(key) = wrong.or(variables.last().map(|(key, _)| key).filter(|_| surplus)) {
                    return Err(RenderError::Misread { dialect: grammar.dialect, key: key.clone() });
                }
            }
        }
        Ok(())
    }
}

fn too_long(key: &Key, value: &str) -> Option<Reason> {
    let bytes = key.as_str().len() + 1 + value.len();
    (bytes >= LONGEST_VARIABLE).then_some(Reason::TooLong { bytes, limit: LONGEST_VARIABLE - 1 })
}

/// The first form that every model of every grammar turns back into the value, whatever stands in the next line.
fn common_form(grammars: &[&Grammar], key: &Key, value: &str) -> Option<Form> {
    let common = if grammars.len() > 1 {
        vec![joined(&["'", value, "'"]), joined(&["\"", value, "\""]), joined(&[value])]
    } else {
        Vec::new()
    };
    let own = grammars.iter().flat_map(|grammar| (grammar.forms)(value));
    common.into_iter().chain(own).find(|form| {
        let line = joined(&[key.as_str(), "=", form, "\n"]);
        grammars
            .iter()
            .all(|grammar| grammar.models.iter().all(|model| stands_alone(*model, key, &line, value)))
    })
}

/// Lines that would complete what a line before them leaves open: a quote that the consumer takes for escaped, a
/// comment sign or a line end after it, an empty pair of quotes.
const NEIGHBOURS: [&str; 12] = [
    "",
    "B=b\n",
    "B='#b'\n",
    "B=\"#b\"\n",
    "B=`#b`\n",
    "B=b'\n",
    "B=b\"\n",
    "B=b`\n",
    "B=''\n",
    "B=\"\"\n",
    "B='b'\nC='c'\n",
    "B=\"b\"\nC=\"c\"\n",
];

/// Whether the line gives the value, and whatever follows it is read as if the line were not there.
fn stands_alone(model: super::Model, key: &Key, line: &str, value: &str) -> bool {
    NEIGHBOURS.iter().all(|neighbour| {
        let Ok(alone) = model(neighbour) else { return true };
        let Ok(both) = model(&joined(&[line, neighbour])) else { return false };
        let Some((first, rest)) = both.assignments.split_first() else { return false };
        first.name == key.as_str()
            && is_value(&first.meaning, value)
            && both.skipped.len() == alone.skipped.len()
            && same(rest, &alone)
    })
}

fn same(read: &[super::read::Assignment], expected: &Reading) -> bool {
    read.len() == expected.assignments.len()
        && read.iter().zip(&expected.assignments).all(|(a, b)| {
            a.name == b.name
                && match (&a.meaning, &b.meaning) {
                    (meaning, Meaning::Value(value)) => is_value(meaning, value),
                    (meaning, Meaning::Outside) => matches!(meaning, Meaning::Outside),
                }
        })
}

fn is_value(meaning: &Meaning, value: &str) -> bool {
    matches!(meaning, Meaning::Value(read) if read.as_str() == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_a_named_consumer_misreads_is_found_before_anybody_gets_it() {
        let target = Target::of(&[Dialect::Docker, Dialect::Node]).unwrap();
        let (a, b) = (Secret::new("x\\".to_owned()).unwrap(), Secret::new("#".to_owned()).unwrap());
        let key = |name| Key::parse(name).unwrap();
        let variables = [(key("A"), &a), (key("B"), &b)];
        // A run-on of npm's dotenv, a variable too many, one too few, and a file that is no file for docker.
        for (text, dialect, name) in [
            ("A='x\\'\nB='#'\n", Dialect::Docker, "A"),
            ("A=x\\\nB=#\n", Dialect::Node, "B"),
            ("A=x\\\nB=#\nC=1\n", Dialect::Docker, "B"),
            ("A=x\\\n", Dialect::Docker, "B"),
            ("A B=1\n", Dialect::Docker, "A"),
        ] {
            let found = target.read_back(text, &variables);
            assert_eq!(found, Err(RenderError::Misread { dialect, key: key(name) }), "{text}");
        }
        let node = Target::of(&[Dialect::Node]).unwrap();
        node.read_back("A='x\\'\nB='#'\n", &variables).unwrap_err();
        node.read_back("A='x\\' # '.\nB='#'\n", &variables).unwrap();
    }
}
