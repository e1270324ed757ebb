//! Validated names, and the address of one value.
//!
//! Owns which names exist: they are parsed once, at the edge (manifest, command line, a document that was opened), and
//! nobody checks them again. It never knows what is declared; that is the manifest's.

use std::fmt;
use std::str::FromStr;

/// A name that breaks its rule, with the rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not {what}: {rule}", .text.escape_debug())]
pub struct InvalidName {
    /// What was to be named, with its article: "a key".
    pub what: &'static str,
    /// The text that was refused, cut to 80 characters.
    pub text: String,
    /// The rule, for people.
    pub rule: &'static str,
}

impl InvalidName {
    fn new(what: &'static str, text: &str, rule: &'static str) -> InvalidName {
        InvalidName { what, text: text.chars().take(80).collect(), rule }
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $rule:literal, $first:expr, $rest:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(String);

        impl $type {
            /// Takes a name that keeps the rule; at most 255 bytes.
            pub fn parse(text: &str) -> Result<$type, InvalidName> {
                let first: fn(char) -> bool = $first;
                let rest: fn(char) -> bool = $rest;
                let mut chars = text.chars();
                let good = text.len() <= 255 && chars.next().is_some_and(first) && chars.all(rest);
                if good { Ok($type(text.to_owned())) } else { Err(InvalidName::new($what, text, $rule)) }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<$type, InvalidName> {
                $type::parse(text)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

fn dotted(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

name!(
    /// A declared variable's name: `[A-Za-z_][A-Za-z0-9_]*`, what every consumer of a .env file takes.
    Key, "a key", "letters, digits and _, not starting with a digit",
    |c| c.is_ascii_alphabetic() || c == '_', |c| c.is_ascii_alphanumeric() || c == '_'
);
name!(
    /// A group's name: `[a-z][a-z0-9-]*`. The tool's own groups ([`Group::own`], [`Group::undeclared`]) start with `_`:
    /// no manifest can declare them.
    Group, "a group", "small letters, digits and -, starting with a letter",
    |c| c.is_ascii_lowercase(), |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
);
name!(
    /// An instance of a group, such as the `1` of `xero/1`: `[A-Za-z0-9][A-Za-z0-9_.-]*`.
    Instance, "an instance", "letters, digits, _, . and -, starting with a letter or digit",
    |c| c.is_ascii_alphanumeric(), dotted
);
name!(
    /// An environment's name (`local`, `prod`): `[A-Za-z0-9][A-Za-z0-9_.-]*`; it names files and paths.
    Environment, "an environment", "letters, digits, _, . and -, starting with a letter or digit",
    |c| c.is_ascii_alphanumeric(), dotted
);
name!(
    /// A project's name: `[A-Za-z0-9][A-Za-z0-9_.-]*`; it names files and paths.
    Project, "a project", "letters, digits, _, . and -, starting with a letter or digit",
    |c| c.is_ascii_alphanumeric(), dotted
);

impl Group {
    /// The group of what the tool itself keeps beside the values of an app.
    pub fn own() -> Group {
        Group("_strongroom".to_owned())
    }

    /// The group of what a place holds under names that no manifest declares.
    pub fn undeclared() -> Group {
        Group("_undeclared".to_owned())
    }

    /// A group of an address: a declared one's name, or one of the tool's own.
    fn of_address(text: &str) -> Result<Group, InvalidName> {
        let own = [Group::own(), Group::undeclared()].into_iter().find(|group| group.0 == text);
        own.map_or_else(|| Group::parse(text), Ok)
    }
}

/// Where one value belongs: its group, its instance where the group has them, its key.
///
/// Written `group/KEY` or `group/instance/KEY`. The short form `KEY` is for people and is resolved by the manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The group.
    pub group: Group,
    /// The instance, in groups that have them.
    pub instance: Option<Instance>,
    /// The key.
    pub key: Key,
}

impl Address {
    /// The address of `key` in a group without instances.
    pub fn new(group: Group, key: Key) -> Address {
        Address { group, instance: None, key }
    }

    /// The address of `key` in one instance of a group.
    pub fn in_instance(group: Group, instance: Instance, key: Key) -> Address {
        Address { group, instance: Some(instance), key }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match &self.instance {
            Some(instance) => format!("{}/{instance}/{}", self.group, self.key),
            None => format!("{}/{}", self.group, self.key),
        };
        f.pad(&text)
    }
}

impl FromStr for Address {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Address, InvalidName> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
            [group, key] => Ok(Address::new(Group::of_address(group)?, key.parse()?)),
            [group, instance, key] => {
                Ok(Address::in_instance(group.parse()?, instance.parse()?, key.parse()?))
            }
            _ => Err(InvalidName::new("an address", text, "group/KEY or group/instance/KEY")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_rules() {
        for good in ["A", "_x1", "DJANGO_SECRET_KEY"] {
            Key::parse(good).unwrap();
        }
        for bad in ["", "1A", "A-B", "É", "A B", "A=B", "A\n"] {
            Key::parse(bad).unwrap_err();
        }
        Group::parse("xero-2").unwrap();
        Group::parse("Xero").unwrap_err();
        Instance::parse("1").unwrap();
        for bad in ["..", ".hidden", "-x", "a/b", ""] {
            Instance::parse(bad).unwrap_err();
            Environment::parse(bad).unwrap_err();
        }
    }

    #[test]
    fn addresses_read_back_what_they_write() {
        for text in ["app/SECRET_KEY", "xero/1/client_secret"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for group in [Group::own(), Group::undeclared()] {
            let address = Address::new(group.clone(), Key::parse("A").unwrap());
            assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
            Group::parse(group.as_str()).unwrap_err();
        }
        for bad in ["A", "a/b/c/d", "", "/A", "a//B"] {
            bad.parse::<Address>().unwrap_err();
        }
    }

    #[test]
    fn refused_text_is_shown_escaped_and_short() {
        let error = Key::parse(&"\u{1b}[31m".repeat(100)).unwrap_err();
        assert!(error.to_string().len() < 900 && !error.to_string().contains('\u{1b}'));
    }
}
