//! The manifest, `strongroom.toml`: what is declared, where it lives, where it goes.
//!
//! Owns the file's shape and meaning, text in and values out. [`Manifest::parse`] reads it, as written (`schema`) and
//! then as meant (`resolve`); the queries on [`Manifest`] are what the use cases ask; [`mod@derive`], [`generate`],
//! [`classify`] and [`edit`] are the work on single values and on the text. It never reads a file, a place or a clock.

mod address;
pub mod classify;
mod composed;
pub mod derive;
mod draft;
pub mod edit;
pub mod generate;
mod model;
mod prices;
mod problem;
mod properties;
mod queries;
mod reserved;
mod resolve;
mod schema;
mod shape;
mod source;
mod template;
mod variables;

pub use address::UnknownName;
pub use draft::{Draft, DraftGroup, DraftHome, DraftRender, new_manifest};
pub use model::*;
pub use prices::{Money, PricesSpec};
pub use problem::{ManifestError, Problem};
pub use schema::json_schema;
pub use template::{NameTemplate, Names, Placeholder};
pub use variables::{Instances, Missing, NameClash, Variable, VariableName, VariablesError};

impl Manifest {
    /// Reads a manifest's text; `file` is what errors call it.
    pub fn parse(file: &str, text: &str) -> Result<Manifest, ManifestError> {
        resolve::manifest(file, text)
    }
}
