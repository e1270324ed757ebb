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
mod slots;
mod source;
mod template;
mod variables;

pub use address::UnknownName;
pub use draft::{Draft, DraftGroup, DraftHome, DraftRender, new_manifest};
pub use model::*;
pub use prices::{Money, PricesSpec};
pub use problem::{ManifestError, Problem};
pub use resolve::duration;
pub use schema::json_schema;
pub use template::{NameTemplate, Names, Placeholder};
pub use variables::{Instances, Missing, NameClash, Variable, VariableName, VariablesError, with_instances};

/// What `now` is without the lines by which `after` differs from `before`: an edit that is taken back although others came
/// after it. Nothing where both touch the same lines, or where what comes out is no manifest.
pub fn without(before: &str, after: &str, now: &str) -> Option<String> {
    let merged = diffy::merge(after, now, before).ok()?;
    Manifest::parse("strongroom.toml", &merged).ok()?;
    Some(merged)
}

impl Manifest {
    /// Reads a manifest's text; `file` is what errors call it.
    pub fn parse(file: &str, text: &str) -> Result<Manifest, ManifestError> {
        resolve::manifest(file, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "version = 1\nproject.name = \"demo\"\n\n[environments.prod]\nhome = \"ssm\"\n\n\
                          [groups.app.keys]\nA = { secret = true }\n";

    #[test]
    fn an_edit_is_taken_back_from_under_later_ones_unless_they_touch_it() {
        let after = BEFORE.replace("\"ssm\"", "\"secretsmanager\"");
        let later = format!("# ours\n{after}B = {{ secret = true }}\n");
        let back = without(BEFORE, &after, &later).unwrap();
        assert_eq!(back, format!("# ours\n{BEFORE}B = {{ secret = true }}\n"));
        let touched = after.replace("\"secretsmanager\"", "\"vault\"");
        assert_eq!(without(BEFORE, &after, &touched), None);
        assert_eq!(without("no manifest", BEFORE, BEFORE), None);
    }
}
