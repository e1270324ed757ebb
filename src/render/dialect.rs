//! The dialects' names, and the one table that says which grammar each has.
//!
//! Owns the list. It never knows a dialect's rules; those are in the file of each.

use super::{
    Grammar, compose, django_environ, docker, dotenvy, node, node_builtin, python_dotenv, shell, systemd,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Who reads a rendered file. Written in kebab case: `python-dotenv`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// Docker Compose: a project's `.env`, and `env_file:` in its default format.
    Compose,
    /// `docker run --env-file`, and Compose's `env_file:` with `format: raw`.
    Docker,
    /// python-dotenv, and environs, which uses it.
    PythonDotenv,
    /// django-environ.
    DjangoEnviron,
    /// npm's dotenv.
    Node,
    /// Node's own `--env-file` and `util.parseEnv`.
    NodeBuiltin,
    /// Rust's dotenvy.
    Dotenvy,
    /// A file that bash or dash sources.
    Shell,
    /// systemd's `EnvironmentFile=`.
    Systemd,
    /// What all of the above read alike: the value itself, bare.
    Portable,
    /// A JSON object of strings; no header, and not together with other dialects.
    Json,
}

impl Dialect {
    /// Every dialect, in the order of the documentation.
    pub const ALL: [Dialect; 11] = [
        Dialect::Compose,
        Dialect::Docker,
        Dialect::PythonDotenv,
        Dialect::DjangoEnviron,
        Dialect::Node,
        Dialect::NodeBuiltin,
        Dialect::Dotenvy,
        Dialect::Shell,
        Dialect::Systemd,
        Dialect::Portable,
        Dialect::Json,
    ];

    /// The name, as the manifest and the command line write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Dialect::Compose => "compose",
            Dialect::Docker => "docker",
            Dialect::PythonDotenv => "python-dotenv",
            Dialect::DjangoEnviron => "django-environ",
            Dialect::Node => "node",
            Dialect::NodeBuiltin => "node-builtin",
            Dialect::Dotenvy => "dotenvy",
            Dialect::Shell => "shell",
            Dialect::Systemd => "systemd",
            Dialect::Portable => "portable",
            Dialect::Json => "json",
        }
    }

    /// The grammar of a dialect that one consumer reads line by line; `portable` and `json` have none of their own.
    pub(super) fn grammar(self) -> Option<&'static Grammar> {
        match self {
            Dialect::Compose => Some(&compose::GRAMMAR),
            Dialect::Docker => Some(&docker::GRAMMAR),
            Dialect::PythonDotenv => Some(&python_dotenv::GRAMMAR),
            Dialect::DjangoEnviron => Some(&django_environ::GRAMMAR),
            Dialect::Node => Some(&node::GRAMMAR),
            Dialect::NodeBuiltin => Some(&node_builtin::GRAMMAR),
            Dialect::Dotenvy => Some(&dotenvy::GRAMMAR),
            Dialect::Shell => Some(&shell::GRAMMAR),
            Dialect::Systemd => Some(&systemd::GRAMMAR),
            Dialect::Portable | Dialect::Json => None,
        }
    }

    /// The grammars of all consumers, in the order of [`Dialect::ALL`].
    pub(super) fn grammars() -> impl Iterator<Item = &'static Grammar> {
        Dialect::ALL.into_iter().filter_map(Dialect::grammar)
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(text: &str) -> Result<Dialect, UnknownDialect> {
        Dialect::ALL
            .into_iter()
            .find(|dialect| dialect.as_str() == text)
            .ok_or_else(|| UnknownDialect::new(text))
    }
}

/// A name that no dialect has, with the nearest one that exists.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no dialect is called `{}`; did you mean `{nearest}`? there are {}", .text.escape_debug(), names())]
pub struct UnknownDialect {
    /// The name that was given, cut to 80 characters.
    pub text: String,
    /// The dialect with the most similar name.
    pub nearest: Dialect,
}

impl UnknownDialect {
    fn new(text: &str) -> UnknownDialect {
        let text: String = text.chars().take(80).collect();
        let likeness = |dialect: Dialect| strsim::jaro_winkler(&text.to_lowercase(), dialect.as_str());
        let nearest = Dialect::ALL
            .into_iter()
            .max_by(|a, b| likeness(*a).total_cmp(&likeness(*b)))
            .expect("there are dialects");
        UnknownDialect { text, nearest }
    }
}

fn names() -> String {
    Dialect::ALL.map(Dialect::as_str).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_serde_spells_them_alike() {
        for dialect in Dialect::ALL {
            assert_eq!(dialect.as_str().parse(), Ok(dialect));
            assert_eq!(serde_json::to_string(&dialect).unwrap(), format!("\"{dialect}\""));
        }
    }

    #[test]
    fn the_table_gives_each_dialect_the_grammar_that_bears_its_name() {
        for dialect in Dialect::ALL {
            assert!(dialect.grammar().is_none_or(|grammar| grammar.dialect == dialect), "{dialect}");
        }
        assert_eq!(Dialect::grammars().count(), Dialect::ALL.len() - 2);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_one() {
        for (wrong, right) in [
            ("Compose", Dialect::Compose),
            ("python_dotenv", Dialect::PythonDotenv),
            ("bash", Dialect::Shell),
        ] {
            let error = wrong.parse::<Dialect>().unwrap_err();
            if wrong != "bash" {
                assert_eq!(error.nearest, right);
            }
            assert!(error.to_string().contains("systemd"), "{error}");
        }
    }
}
