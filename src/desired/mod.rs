//! What should be where: the sources of [`Desired`](crate::plan::Desired) that follow from what home holds.
//!
//! Owns the rules of a copy (what goes there by value and what by reference) and of derived values that home keeps. It
//! reads no place: what was read is given to it; and it writes nothing, that is [`crate::apply`].

mod copy;
mod follow;

pub use copy::{CopyError, Revision, copy};
pub use follow::{followed, needed_to_follow, parts};

use crate::manifest::{Instances, Manifest};
use crate::name::Environment;
use crate::snapshot::Snapshot;

/// An environment as it is now: its declarations, and what its home holds.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The declarations.
    pub manifest: &'a Manifest,
    /// Which environment.
    pub environment: &'a Environment,
    /// What home holds of everything that is asked about.
    pub home: &'a Snapshot,
    /// The instances that home was found to have.
    pub instances: &'a Instances,
}
