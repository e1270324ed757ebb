//! A small project for the tests of checks.

use super::{EnvFile, File, Finding, Held, Project, Tree};
use crate::manifest::{Instances, Manifest};
use crate::secret::Secret;
use crate::snapshot::{Entry, Snapshot};
use zeroize::Zeroizing;

const BASE: &str = r#"version = 1
project = { name = "demo", region = "us-east-1", default_environment = "local" }
[environments.local]
home = "vault"
"#;

const DEPLOYED: &str = r#"[environments.prod]
home = "ssm"
[environments.prod.copies.web]
kind = "beanstalk"
application = "demo"
environment = "demo-prod"
groups = ["app"]
secrets = "reference"
"#;

const TARGET: &str = r#"[render.app]
file = ".env"
dialect = "compose"
environments = ["local"]
"#;

/// A project in which one group `app` has some keys.
#[derive(Debug, Clone)]
pub(super) struct Fixture {
    keys: String,
    parts: Vec<&'static str>,
    environment: &'static str,
    held: Vec<(String, String)>,
    files: Vec<File>,
    env_files: Vec<EnvFile>,
}

impl Fixture {
    /// One that is not deployed, and has a target for Compose.
    pub(super) fn new(keys: &str) -> Fixture {
        Fixture { parts: vec![TARGET], ..Fixture::bare(keys) }
    }

    /// One with a vault and nothing else.
    pub(super) fn bare(keys: &str) -> Fixture {
        Fixture {
            keys: keys.to_owned(),
            parts: Vec::new(),
            environment: "local",
            held: Vec::new(),
            files: Vec::new(),
            env_files: Vec::new(),
        }
    }

    /// The same, looked at in an environment that is deployed with references.
    pub(super) fn deployed(&self) -> Fixture {
        Fixture { parts: vec![DEPLOYED, TARGET], environment: "prod", ..self.clone() }
    }

    /// With these values in home.
    pub(super) fn held(mut self, values: &[(&str, &str)]) -> Fixture {
        self.held = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self
    }

    /// With a file that git tracks.
    pub(super) fn file(self, path: &str, text: &str) -> Fixture {
        self.with_file(path, text, 0o644, true)
    }

    /// With a file that git does not have.
    pub(super) fn untracked(self, path: &str, text: &str) -> Fixture {
        self.with_file(path, text, 0o644, false)
    }

    /// With a program that git tracks.
    pub(super) fn program(self, path: &str) -> Fixture {
        self.with_file(path, "#!/bin/sh\n", 0o755, true)
    }

    fn with_file(mut self, path: &str, text: &str, mode: u32, tracked: bool) -> Fixture {
        let text = Zeroizing::new(text.to_owned());
        self.files.push(File { path: path.to_owned(), text, mode, tracked });
        self
    }

    /// With a file of variables on the disk.
    pub(super) fn env_file(mut self, file: EnvFile) -> Fixture {
        self.env_files.push(file);
        self
    }

    /// What a check finds.
    pub(super) fn check(&self, check: fn(&Project<'_>) -> Vec<Finding>) -> Vec<Finding> {
        let text = format!("{BASE}{}[groups.app.keys]\n{}", self.parts.concat(), self.keys);
        let manifest = Manifest::parse("strongroom.toml", &text).unwrap_or_else(|error| panic!("{error}"));
        let environment = manifest.environment(self.environment).unwrap();
        let entries = self.held.iter().map(|(key, value)| {
            (format!("app/{key}").parse().unwrap(), Entry::of(Secret::new(value.clone()).unwrap()))
        });
        let home = Snapshot { entries: entries.collect(), ..Snapshot::default() };
        let held = Held::of(&manifest, environment, &home, &Instances::new());
        let tree = Tree { files: self.files.clone() };
        check(&Project {
            manifest: &manifest,
            environment,
            tree: &tree,
            held: &held,
            env_files: &self.env_files,
        })
    }
}

/// Findings as `code place`.
pub(super) fn places(findings: &[Finding]) -> Vec<String> {
    let told = findings.iter().map(|finding| {
        let place = finding.place.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{} {place}", finding.code)
    });
    told.collect()
}
