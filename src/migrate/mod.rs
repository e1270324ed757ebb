//! Moving an environment's secrets out of Beanstalk's plain properties into a store, with references in their place.
//!
//! The flow: [`decide`] makes the manifest that is to stand afterwards out of the one that stands now; whatever follows
//! derives from it. [`Values`] are what the new home is to hold; [`foresee`] is the whole plan before anything is
//! written, with the names of secrets that are not there yet; [`carry_on`] is the one operation, from its beginning or
//! from wherever it stopped: values, a canary, references, checks, and last the manifest's own text.
//!
//! It knows no place by name but what a manifest says; it never asks and never shows.

pub mod cost;
mod decide;
mod names;
pub mod obstacles;
mod report;
mod run;
mod values;

pub use decide::{DecideError, Decision, Goes, Row, SAID, Undeclared, Wish, decide};
pub use report::Report;
pub use run::{Migration, Stage, carry_on};
pub use values::{ForeseeError, Foreseen, Unfaithful, Values, foresee};
