//! A role's name, and how names and texts stand in SQL.
//!
//! Owns the only ways in which something from outside becomes part of a statement. It never sends one.

use std::fmt;

/// The longest name that a server keeps whole; it would silently cut a longer one.
const LONGEST: usize = 63;

/// The name of a role, as the server keeps it: 1 to 63 bytes, case and all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Role(String);

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a role's name has 1 to 63 bytes and no control character; this one has {bytes} bytes")]
pub struct InvalidRole {
    /// How long it is.
    pub bytes: usize,
}

impl Role {
    /// Takes a name as it is logged in with.
    pub fn parse(text: &str) -> Result<Role, InvalidRole> {
        let good = (1..=LONGEST).contains(&text.len()) && !text.contains(char::is_control);
        if good { Ok(Role(text.to_owned())) } else { Err(InvalidRole { bytes: text.len() }) }
    }

    /// The role that alternates with this one: its name and `_b`.
    pub fn other_slot(&self) -> Result<Role, InvalidRole> {
        Role::parse(&format!("{}_b", self.0))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as an identifier in SQL.
    pub(super) fn quoted(&self) -> String {
        identifier(&self.0)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Any name as an identifier in SQL.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Any text as a literal in SQL, whatever `standard_conforming_strings` says.
pub(super) fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') {
        format!(" E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_the_server_would_cut_is_no_name() {
        assert!(Role::parse(&"r".repeat(63)).is_ok());
        for bad in ["", "a\nb", "a\0b", &"r".repeat(64), &"ä".repeat(32)] {
            assert!(Role::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Role::parse("app").unwrap().other_slot().unwrap().as_str(), "app_b");
        assert!(Role::parse(&"r".repeat(62)).unwrap().other_slot().is_err());
    }

    #[test]
    fn names_and_texts_end_where_they_end() {
        assert_eq!(Role::parse("a\"; DROP ROLE b; --").unwrap().quoted(), "\"a\"\"; DROP ROLE b; --\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("\\'; --"), " E'\\\\''; --'");
    }
}
