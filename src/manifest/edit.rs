//! Edits of the manifest's text that keep its comments, order and formatting.
//!
//! Owns what the tool changes in it, by what is changed: keys, groups, environments with their copies, recipients. Every
//! edit ends with reading the new text: one that would not be a manifest is not made.

mod environments;
mod groups;
mod keys;
mod list;
mod recipients;
mod text;

pub use environments::{set_copy_references, set_copy_secrets, set_home};
pub use groups::set_document_path;
pub use keys::{NewKey, add_key, set_derive, set_generate, set_key_secret};
pub use recipients::{add_recipient, remove_recipient};

pub(super) use keys::declaration;

use crate::manifest::ManifestError;
use crate::name::{Environment, Group, Key};

/// Why an edit was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The manifest is broken before or would be after the edit.
    #[error("the manifest is not changed: {0}")]
    Manifest(#[from] ManifestError),
    /// There is such a key already.
    #[error("`{group}/{key}` is declared already")]
    Declared {
        /// The group.
        group: Group,
        /// The key.
        key: Key,
    },
    /// There is no such key.
    #[error("`{group}/{key}` is not declared")]
    Undeclared {
        /// The group.
        group: Group,
        /// The key.
        key: Key,
    },
    /// Its value stands in the manifest, where no secret may stand.
    #[error("`{group}/{key}` has its value in the manifest, line {line}, where a secret never stands")]
    Literal {
        /// The group.
        group: Group,
        /// The key.
        key: Key,
        /// The line.
        line: usize,
    },
    /// There is no such group.
    #[error("there is no group `{0}`")]
    NoGroup(Group),
    /// There is no such environment.
    #[error("there is no environment `{0}`")]
    NoEnvironment(Environment),
    /// The environment has no such copy.
    #[error("the environment `{environment}` has no copy `{copy}`")]
    NoCopy {
        /// The environment.
        environment: Environment,
        /// What was looked for.
        copy: String,
    },
    /// Somebody can open already what they are to be able to open.
    #[error("this recipient is in the manifest already")]
    Recipient,
    /// Nobody like this can open anything.
    #[error("this recipient is not in the manifest")]
    NoRecipient,
}

#[cfg(test)]
mod tests;
