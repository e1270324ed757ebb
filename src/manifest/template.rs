//! Text with names in braces: `/{project}/xero/{instance}/{key}`.
//!
//! Owns the small templates of paths, files and variable names, and when two of them may mean the same text. What is
//! computed from values, and percent-encoded, is `derive`'s.

use crate::manifest::problem::{any_of, instead};
use crate::name;

/// What may stand in braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Placeholder {
    /// The project's name.
    Project,
    /// The environment's name.
    Environment,
    /// The group's name.
    Group,
    /// The instance's name.
    Instance,
    /// The key's name.
    Key,
}

impl Placeholder {
    const ALL: [Placeholder; 5] = [
        Placeholder::Project,
        Placeholder::Environment,
        Placeholder::Group,
        Placeholder::Instance,
        Placeholder::Key,
    ];

    fn name(self) -> &'static str {
        match self {
            Placeholder::Project => "project",
            Placeholder::Environment => "environment",
            Placeholder::Group => "group",
            Placeholder::Instance => "instance",
            Placeholder::Key => "key",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name(Placeholder),
}

/// The names that a template is filled with; one that does not apply is left out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Names<'a> {
    /// The project.
    pub project: Option<&'a name::Project>,
    /// The environment.
    pub environment: Option<&'a name::Environment>,
    /// The group.
    pub group: Option<&'a name::Group>,
    /// The instance.
    pub instance: Option<&'a name::Instance>,
    /// The key.
    pub key: Option<&'a name::Key>,
}

impl Names<'_> {
    fn get(&self, placeholder: Placeholder) -> Option<&str> {
        match placeholder {
            Placeholder::Project => self.project.map(name::Project::as_str),
            Placeholder::Environment => self.environment.map(name::Environment::as_str),
            Placeholder::Group => self.group.map(name::Group::as_str),
            Placeholder::Instance => self.instance.map(name::Instance::as_str),
            Placeholder::Key => self.key.map(name::Key::as_str),
        }
    }
}

/// Text with names in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameTemplate {
    pieces: Vec<Piece>,
}

/// Why a text is no template: what is wrong, and what would be right.
pub(super) struct BadTemplate {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl NameTemplate {
    /// Reads a template that may use `allowed`.
    pub(super) fn parse(text: &str, allowed: &[Placeholder]) -> Result<NameTemplate, BadTemplate> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            let bad = |message: &str| BadTemplate { message: message.to_owned(), help: None };
            if rest[open..].starts_with('}') {
                return Err(bad("a `}` without its `{`"));
            }
            let Some(close) = rest[open..].find('}').map(|at| open + at) else {
                return Err(bad("a `{` without its `}`"));
            };
            if open > 0 {
                pieces.push(Piece::Text(rest[..open].to_owned()));
            }
            pieces.push(Piece::Name(placeholder(&rest[open + 1..close], allowed)?));
            rest = &rest[close + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(NameTemplate { pieces })
    }

    /// A template that is known to be right.
    pub(super) fn known(text: &'static str) -> NameTemplate {
        let parsed = NameTemplate::parse(text, &Placeholder::ALL);
        parsed.unwrap_or_else(|bad| unreachable!("a default template is right: {}", bad.message))
    }

    /// Whether the template uses a name.
    pub fn uses(&self, placeholder: Placeholder) -> bool {
        self.pieces.contains(&Piece::Name(placeholder))
    }

    /// The text with `names` filled in; a name that is not given stands as written, in braces.
    pub fn fill(&self, names: &Names<'_>) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Name(placeholder) => match names.get(*placeholder) {
                    Some(name) => text.push_str(name),
                    None => text.extend(["{", placeholder.name(), "}"]),
                },
            }
        }
        text
    }

    /// The parts of the template that are text.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Name(_) => None,
        })
    }
}

fn placeholder(text: &str, allowed: &[Placeholder]) -> Result<Placeholder, BadTemplate> {
    let known = Placeholder::ALL.into_iter().find(|known| known.name() == text);
    match known.filter(|known| allowed.contains(known)) {
        Some(known) => Ok(known),
        None => {
            let names = || allowed.iter().map(|known| known.name());
            let shown: String = text.chars().take(60).flat_map(char::escape_debug).collect();
            let (message, help) = match known {
                Some(_) => {
                    (format!("`{{{shown}}}` means nothing here"), Some(format!("use {}", any_of(names()))))
                }
                None => (format!("unknown name `{{{shown}}}`"), instead(text, names())),
            };
            Err(BadTemplate { message, help })
        }
    }
}

/// Whether two texts, in each of which `{instance}` stands for any instance, may be the same.
pub(super) fn may_be_same(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.split('/'), b.split('/'));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if segments_may_be_same(a, b) => {}
            _ => return false,
        }
    }
}

fn segments_may_be_same(a: &str, b: &str) -> bool {
    const ANY: &str = "{instance}";
    match (a.split_once(ANY), b.split_once(ANY)) {
        (None, None) => a == b,
        (Some((before, after)), None) | (None, Some((before, after))) => {
            let text = if a.contains(ANY) { b } else { a };
            text.len() > before.len() + after.len() && text.starts_with(before) && text.ends_with(after)
        }
        (Some((start, end)), Some((other_start, other_end))) => {
            (start.starts_with(other_start) || other_start.starts_with(start))
                && (end.ends_with(other_end) || other_end.ends_with(end))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in_and_those_that_are_not_given_stay() {
        let template = NameTemplate::known("/{project}/x-{instance}/{key}");
        let (project, key) = ("shop".parse().unwrap(), "A".parse().unwrap());
        let names = Names { project: Some(&project), key: Some(&key), ..Names::default() };
        assert_eq!(template.fill(&names), "/shop/x-{instance}/A");
    }

    #[test]
    fn a_name_that_means_nothing_here_is_told_from_one_that_is_misspelt() {
        let bad = |text| NameTemplate::parse(text, &[Placeholder::Key]).err().unwrap();
        assert_eq!(bad("{instance}").message, "`{instance}` means nothing here");
        assert_eq!(bad("{kye}").help.unwrap(), "did you mean `key`?");
        assert_eq!(bad("{key").message, "a `{` without its `}`");
        assert_eq!(bad("key}").message, "a `}` without its `{`");
    }

    #[test]
    fn texts_with_an_open_instance_are_the_same_where_some_instance_makes_them_so() {
        for (a, b, same) in [
            ("/x/{instance}/A", "/x/y/A", true),
            ("/x/{instance}/A", "/x/y/B", false),
            ("/x/{instance}/A", "/x/A", false),
            ("/x/a-{instance}", "/x/a-", false),
            ("/x/a-{instance}", "/x/{instance}-b", true),
            ("/x/a-{instance}", "/x/b-{instance}", false),
        ] {
            assert_eq!(may_be_same(a, b), same, "{a} {b}");
            assert_eq!(may_be_same(b, a), same, "{b} {a}");
        }
    }
}
