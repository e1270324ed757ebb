//! What is wrong with a project, or soon will be, as values: what it is, why it matters, and what fixes it.
//!
//! Pure: files come as text that was read, values as what home held, AWS as what it answered. [`files`] and [`values`]
//! are the lists of checks; each check is a function in a file of its own, and none of them puts a value in what it finds.

mod aws_keys;
pub(crate) mod beanstalk;
pub(crate) mod comes_back;
pub(crate) mod compose;
mod confighooks;
mod drift;
mod env_files;
mod finding;
#[cfg(test)]
mod fixture;
pub(crate) mod get_config;
mod held;
mod identity;
mod leftovers;
mod missing;
mod operations;
pub(crate) mod options;
mod parameters;
mod permissions;
mod plain_secrets;
mod redis_tls;
pub(crate) mod settings;
mod tree;
mod url_parts;
mod weak;
pub(crate) mod yaml;

pub use beanstalk::{condition, support};
pub use drift::{Drift, drift};
pub use env_files::{EnvFile, is_env_file};
pub use finding::{Finding, Place, Severity};
pub use held::Held;
pub use identity::{IdentityFile, identity};
pub use leftovers::{Leftovers, by_reference, leftovers};
pub use operations::unfinished;
pub use parameters::{leaving, parameter};
pub use permissions::permissions;
pub use tree::{File, Tree, is_wanted};

use crate::manifest::{EnvironmentSpec, Manifest};

/// A project on this machine, and what the home of one of its environments was found to hold.
#[derive(Debug)]
pub struct Project<'a> {
    /// The declarations.
    pub manifest: &'a Manifest,
    /// The environment that is looked at.
    pub environment: &'a EnvironmentSpec,
    /// Its files.
    pub tree: &'a Tree,
    /// The values of the environment.
    pub held: &'a Held<'a>,
    /// The files of variables that are on the disk.
    pub env_files: &'a [EnvFile],
}

impl Project<'_> {
    /// Whether the environment is one that people use: it is deployed, or somebody said that it is to be protected.
    fn is_deployed(&self) -> bool {
        self.environment.protected || !self.environment.copies.is_empty()
    }
}

/// A check: what it finds in a project, nothing where all is well.
type Check = fn(&Project<'_>) -> Vec<Finding>;

/// The checks of the project's files.
const FILES: &[Check] = &[
    plain_secrets::secrets_in_files,
    env_files::exposed_files,
    get_config::env_without_references,
    comes_back::values_that_come_back,
    compose::services_without_the_file,
    confighooks::hooks_that_do_not_run,
];

/// The checks of what the environment's values say.
const VALUES: &[Check] = &[
    missing::missing_values,
    weak::weak_values,
    redis_tls::redis_without_a_checked_certificate,
    url_parts::urls_that_disagree_with_their_parts,
    aws_keys::keys_where_a_profile_would_do,
];

/// What is wrong with the project's files.
pub fn files(project: &Project<'_>) -> Vec<Finding> {
    run(FILES, project)
}

/// What is wrong with the values.
pub fn values(project: &Project<'_>) -> Vec<Finding> {
    run(VALUES, project)
}

fn run(checks: &[Check], project: &Project<'_>) -> Vec<Finding> {
    checks.iter().flat_map(|check| check(project)).collect()
}
