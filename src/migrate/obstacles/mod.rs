//! What stands in the way of making plain properties of an environment references, as findings: a problem refuses the
//! migration, the others are told in its plan.
//!
//! Pure: files come as text that was read, AWS as what it answered. Each check is a function in a file of its own, and
//! none of them puts a value in what it finds. What a place itself cannot hold is its store's to refuse.

mod bundle;
mod compose;
mod dockerrun;
mod environment;
mod options;
mod scripts;

pub use environment::{Asked, in_environment};

use crate::doctor::{File, Finding, Tree};
use crate::store::PlatformFacts;
use std::collections::BTreeSet;

/// A deployment: its files, the platform below them, and the names that become references.
#[derive(Debug)]
struct Deployment<'a> {
    tree: &'a Tree,
    platform: &'a PlatformFacts,
    moving: &'a BTreeSet<String>,
}

/// A check: what it finds in a deployment, nothing where all is well.
type Check = fn(&Deployment<'_>) -> Vec<Finding>;

const CHECKS: &[Check] = &[
    bundle::nothing_to_look_at,
    scripts::that_ask_get_config,
    options::that_come_back,
    bundle::env_files_that_are_shipped,
    compose::that_hides_references,
    dockerrun::without_a_role,
];

/// What the files of an app have against these variables becoming references.
pub fn in_files(tree: &Tree, platform: &PlatformFacts, moving: &BTreeSet<String>) -> Vec<Finding> {
    let deployment = Deployment { tree, platform, moving };
    CHECKS.iter().flat_map(|check| check(&deployment)).collect()
}

/// A file that would have been looked at.
fn unreadable(file: &File, line: usize) -> Finding {
    Finding::warning("unreadable-file", "it is not the YAML or JSON that its name promises")
        .why("Beanstalk or Compose refuses it too, and what it does to variables could not be seen")
        .fix(format!("correct {} near line {line}", file.path))
        .line(&file.path, line)
}

/// Names, the first of them.
fn list<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const MOST: usize = 10;
    let more = names.len().saturating_sub(MOST);
    let shown: Vec<&str> = names.take(MOST).collect();
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

#[cfg(test)]
mod tests;
