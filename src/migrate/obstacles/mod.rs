//! What stands in the way of making plain properties of an environment references, as findings: a problem refuses the
//! migration, the others are told in its plan.
//!
//! Pure: files come as text that was read, AWS as what it answered. Each check is a function in a file of its own, and
//! none of them puts a value in what it finds. What a place itself cannot hold is its store's to refuse.

mod bundle;
mod compose;
mod dockerrun;
mod environment;
mod scripts;

pub use environment::{Asked, in_environment};

use crate::doctor::comes_back::that_bring_back;
use crate::doctor::options::set_in;
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
    values_that_come_back,
    bundle::env_files_that_are_shipped,
    compose::that_hides_references,
    dockerrun::without_a_role,
];

/// What the files of an app have against these variables becoming references.
pub fn in_files(tree: &Tree, platform: &PlatformFacts, moving: &BTreeSet<String>) -> Vec<Finding> {
    let deployment = Deployment { tree, platform, moving };
    CHECKS.iter().flat_map(|check| check(&deployment)).collect()
}

fn values_that_come_back(deployment: &Deployment<'_>) -> Vec<Finding> {
    let files = deployment.tree.files.iter();
    let options = files.filter(|file| file.is_ebextension() || file.is_saved_configuration());
    let broken = options.filter_map(|file| Some(unreadable(file, set_in(file).err()?)));
    that_bring_back(deployment.tree, deployment.moving).into_iter().chain(broken).collect()
}

/// A file that would have been looked at.
fn unreadable(file: &File, line: usize) -> Finding {
    Finding::warning("unreadable-file", "it is not the YAML or JSON that its name promises")
        .why("Beanstalk or Compose refuses it too, and what it does to variables could not be seen")
        .fix(format!("correct {} near line {line}", file.path))
        .line(&file.path, line)
}

#[cfg(test)]
mod tests;
