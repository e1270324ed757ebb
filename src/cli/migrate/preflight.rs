//! Everything that stands in the way of a migration, gathered before anything is written, and refused at once.
//!
//! What is in the way is decided in [`crate::migrate::obstacles`] and by the places themselves; here it is asked for and
//! told, each with the way on.

use crate::cli::context::Context;
use crate::cli::doctor::files;
use crate::cli::places::place_of;
use crate::cli::report::{Exit, Stop};
use crate::cli::ui::{plural, shown};
use crate::doctor::{Finding, Severity};
use crate::manifest::{CopySpec, Place, Placeholder};
use crate::migrate::Values;
use crate::migrate::obstacles::{self, Asked};
use crate::name::Address;
use crate::store::Condition;
use anyhow::Result;
use std::collections::BTreeSet;

/// What was looked at, and what was found.
pub(super) struct Preflight {
    /// How each environment stands, by the name of its place.
    pub(super) conditions: Vec<(crate::plan::Place, Condition)>,
    /// What is told in the plan, or refuses it.
    pub(super) findings: Vec<Finding>,
}

/// Looks at each environment and at the app's folder. `then` is the environment as it is to be.
pub(super) fn look(then: &Context, values: &Values, despite_health: bool) -> Result<Preflight> {
    let project = then.project()?;
    let found = files::found(project);
    let mut looked = Preflight { conditions: Vec::new(), findings: found.unread };
    for copy in then.copies()? {
        let moving = moving(then, copy, values)?;
        if moving.is_empty() {
            continue;
        }
        let names: BTreeSet<String> = moving.iter().map(|(name, _)| name.clone()).collect();
        let several = |address: &Address| {
            values.held.value(address).is_some_and(|value| value.expose().contains(['\n', '\r']))
        };
        let lines = moving.iter().filter(|(_, address)| several(address));
        let many_lines = lines.map(|(name, _)| name.clone()).collect();
        let place = then.beanstalk(&copy.name)?;
        let keyed = keyed(then, &moving)?;
        let (condition, references, json_keys) = then.wait_for(async {
            let json_keys = if keyed { Some(place.resolves(true).await?) } else { None };
            Ok((place.condition().await?, place.resolves(false).await?, json_keys))
        })?;
        let asked = Asked { despite_health, references, json_keys, many_lines };
        looked.findings.extend(obstacles::in_environment(copy, &condition, &asked));
        for finding in obstacles::in_files(&found.tree, &condition.facts, &names) {
            if !looked.findings.contains(&finding) {
                looked.findings.push(finding);
            }
        }
        looked.conditions.push((place_of(copy), condition));
    }
    Ok(looked)
}

/// What a copy is to get by reference: the names of the variables, and their addresses.
fn moving(then: &Context, copy: &CopySpec, values: &Values) -> Result<Vec<(String, Address)>> {
    let (manifest, environment) = (&then.project()?.manifest, &then.environment()?.name);
    let secret = |address: &Address| manifest.key(address).is_some_and(|key| key.secret);
    let all = values.held.entries.keys();
    let referred = all.filter(|address| copy.refers_to(address, secret(address)));
    let named = referred.filter_map(|address| {
        let name = manifest.property_of(environment, &copy.selection, address)?;
        Some((name.to_string(), address.clone()))
    });
    Ok(named.collect())
}

/// Whether any of it is a key of a JSON document.
fn keyed(then: &Context, moving: &[(String, Address)]) -> Result<bool> {
    let documents = then.environment()?.home == Place::SecretsManager;
    let manifest = &then.project()?.manifest;
    let in_document = |address: &Address| {
        let group = manifest.group(address.group.as_str());
        group.is_ok_and(|group| !group.secretsmanager_path.uses(Placeholder::Key))
    };
    Ok(documents && moving.iter().any(|(_, address)| in_document(address)))
}

impl Preflight {
    /// Refuses where something is in the way; `ways` are other layouts with what each costs.
    pub(super) fn refuse(&self, environment: &str, ways: &[String]) -> Result<()> {
        let problems: Vec<&Finding> =
            self.findings.iter().filter(|finding| finding.severity == Severity::Problem).collect();
        if problems.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = problems.iter().map(|finding| told(finding)).collect();
        let message = format!(
            "{} in the way of a migration of `{environment}`; nothing was changed\n{}",
            match problems.len() {
                1 => "one thing is".to_owned(),
                count => format!("{} are", plural(count, "thing")),
            },
            lines.join("\n")
        );
        let busy = problems.iter().all(|finding| finding.code == "environment-not-ready");
        let exit = if busy { Exit::Busy } else { Exit::Failed };
        let keys = problems.iter().any(|finding| finding.code == "platform-without-json-keys");
        let ways = ways.iter().filter(|_| keys);
        Err(ways.fold(Stop::new(exit, message), |stop, way| stop.hint(way.clone())).into())
    }

    /// What is told although it does not stand in the way.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        self.findings.iter().filter(|finding| finding.severity != Severity::Problem).map(told)
    }
}

/// A finding with its reason and the way on.
fn told(finding: &Finding) -> String {
    let place = finding.place.as_ref().map(|place| format!("{}: ", shown(&place.to_string())));
    let mut text = format!("{}{}", place.unwrap_or_default(), shown(&finding.what));
    if !finding.why.is_empty() {
        text.push_str(&format!("\n  why: {}", shown(&finding.why)));
    }
    if let Some(fix) = &finding.fix {
        text.push_str(&format!("\n  fix: {}", shown(fix)));
    }
    text
}
