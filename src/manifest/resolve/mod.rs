//! From the manifest as written to the manifest as meant.
//!
//! Owns every rule that is not about shape: defaults, names that must exist, values that must not stand together. Each
//! file here makes one part of the model; findings are collected, so that a person sees all of them at once.

mod clashes;
mod derived;
mod environments;
mod groups;
mod rotations;
mod slots;
mod targets;

use crate::manifest::address::UnknownName;
use crate::manifest::model::Manifest;
use crate::manifest::prices::{Money, PricesSpec};
use crate::manifest::problem::ManifestError;
use crate::manifest::source::{Finding, On, Source, Trail, trail};
use crate::manifest::{schema, shape};
use crate::name::{self, InvalidName};
use indexmap::IndexMap;
use std::str::FromStr;
use std::sync::LazyLock;
use std::time::Duration;

/// Reads a manifest.
pub(super) fn manifest(file: &str, text: &str) -> Result<Manifest, ManifestError> {
    static SCHEMA: LazyLock<serde_json::Value> = LazyLock::new(schema::value);
    let source = Source::parse(file, text)?;
    let misshapen = shape::check(&SCHEMA, source.document.as_item());
    if !misshapen.is_empty() {
        return Err(source.error(misshapen));
    }
    let written: schema::Manifest = match toml_edit::de::from_document(source.document.clone()) {
        Ok(written) => written,
        Err(error) => {
            let message = error.message().lines().next().unwrap_or_default().to_owned();
            let finding = Finding { trail: Trail::new(), on: On::Key, message, help: None };
            return Err(source.error(vec![finding]));
        }
    };
    let mut resolver = Resolver { source: &source, findings: Vec::new() };
    let manifest = resolver.manifest(&written);
    match manifest {
        Some(manifest) if resolver.findings.is_empty() => Ok(manifest),
        _ => Err(source.error(resolver.findings)),
    }
}

struct Resolver<'a> {
    source: &'a Source<'a>,
    findings: Vec<Finding>,
}

impl Resolver<'_> {
    fn manifest(&mut self, written: &schema::Manifest) -> Option<Manifest> {
        let project =
            self.name::<name::Project>(&trail!["project", "name"], On::Value, &written.project.name);
        self.recipients(&written.project.recipients);
        let environments = self.environments(written);
        let default_environment = written.project.default_environment.as_deref().and_then(|text| {
            self.known(&trail!["project", "default_environment"], "environment", text, environments.keys())
                .cloned()
        });
        let mut groups = self.groups(&written.groups, &environments);
        self.derived(&written.groups, &mut groups);
        let mut manifest = Manifest {
            file: self.source.file().to_owned(),
            project: project?,
            default_environment,
            recipients: written.project.recipients.clone(),
            environments,
            groups,
            renders: IndexMap::new(),
            rotations: IndexMap::new(),
            prices: prices(&written.prices),
        };
        self.copies(written, &mut manifest);
        manifest.renders = self.renders(&written.render, &manifest);
        manifest.rotations = self.rotations(&written.rotate, &manifest);
        self.slots(&mut manifest);
        // What clashes is asked of a manifest that is right so far; on another one it would only repeat.
        if self.findings.is_empty() {
            self.clashes(&manifest);
        }
        Some(manifest)
    }

    fn recipients(&mut self, recipients: &[String]) {
        for (index, recipient) in recipients.iter().enumerate() {
            if !["age1", "ssh-ed25519 "].iter().any(|start| recipient.starts_with(start)) {
                let trail = trail!["project", "recipients", index];
                self.help(
                    &trail,
                    On::Value,
                    "not a recipient",
                    "one is an `age1…` or `ssh-ed25519 …` public key",
                );
            }
        }
    }

    /// A validated name, or a finding.
    fn name<N: FromStr<Err = InvalidName>>(&mut self, trail: &Trail, on: On, text: &str) -> Option<N> {
        match text.parse() {
            Ok(name) => Some(name),
            Err(error) => {
                self.found(trail, on, &error.to_string());
                None
            }
        }
    }

    /// The name among `valid` that a text is, or a finding with the nearest.
    fn known<'v, N: AsText + 'v>(
        &mut self,
        trail: &Trail,
        what: &str,
        text: &str,
        valid: impl Iterator<Item = &'v N> + Clone,
    ) -> Option<&'v N> {
        let found = valid.clone().find(|name| name.text() == text);
        if found.is_none() {
            let error = UnknownName::of(what, text, valid.map(AsText::text));
            self.unknown(trail, error);
        }
        found
    }

    /// The environments that a list names: all of them without a list.
    fn listed(
        &mut self,
        trail: &Trail,
        written: Option<&Vec<String>>,
        valid: &[name::Environment],
        whose: &str,
    ) -> Vec<name::Environment> {
        let Some(written) = written else { return valid.to_vec() };
        let mut found = Vec::new();
        for (index, text) in written.iter().enumerate() {
            let trail = step(trail, &index);
            match valid.iter().find(|name| name.as_str() == text) {
                Some(name) => found.push(name.clone()),
                None => self.unknown(&trail, UnknownName::environment(text, whose, valid)),
            }
        }
        // In the order of the file's environments, whatever the list's.
        valid.iter().filter(|name| found.contains(name)).cloned().collect()
    }

    fn duration(&mut self, trail: &Trail, text: Option<&String>) -> Option<Duration> {
        let text = text?;
        match duration(text) {
            Some(duration) => Some(duration),
            None => {
                self.help(trail, On::Value, "not a time", "write hours, days or weeks: `12h`, `90d`, `8w`");
                None
            }
        }
    }

    fn unknown(&mut self, trail: &Trail, UnknownName { message, help }: UnknownName) {
        self.findings.push(Finding { trail: trail.clone(), on: On::Value, message, help });
    }

    fn found(&mut self, trail: &Trail, on: On, message: &str) {
        self.findings.push(Finding { trail: trail.clone(), on, message: message.to_owned(), help: None });
    }

    fn help(&mut self, trail: &Trail, on: On, message: &str, help: &str) {
        let help = Some(help.to_owned());
        self.findings.push(Finding { trail: trail.clone(), on, message: message.to_owned(), help });
    }
}

/// The schema's range has checked them.
fn prices(written: &schema::Prices) -> PricesSpec {
    PricesSpec {
        secret: written.secret.and_then(Money::dollars),
        advanced_parameter: written.advanced_parameter.and_then(Money::dollars),
        calls: written.calls.and_then(Money::dollars),
    }
}

/// A trail and one step more.
fn step(trail: &Trail, step: &(impl ToString + ?Sized)) -> Trail {
    let mut longer = trail.clone();
    longer.push(step.to_string());
    longer
}

/// What is shown and compared as text.
trait AsText {
    fn text(&self) -> &str;
}

impl AsText for name::Environment {
    fn text(&self) -> &str {
        self.as_str()
    }
}

impl AsText for String {
    fn text(&self) -> &str {
        self
    }
}

/// A time as a manifest spells it: whole hours, days or weeks, more than none (`12h`, `90d`, `8w`).
pub fn duration(text: &str) -> Option<Duration> {
    let hours = match text.chars().last()? {
        'h' => 1,
        'd' => 24,
        'w' => 24 * 7,
        _ => return None,
    };
    let count: u32 = text.get(..text.len() - 1)?.parse().ok().filter(|count| *count > 0)?;
    Some(Duration::from_secs(u64::from(count) * hours * 3600))
}
