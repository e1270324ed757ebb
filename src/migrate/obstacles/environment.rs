//! How the environment itself stands: whether it takes an update now, and what its platform makes of references.

use crate::doctor::Finding;
use crate::doctor::beanstalk::{doubled, events, failed_draft};
use crate::doctor::comes_back::list;
use crate::manifest::CopySpec;
use crate::store::{Condition, Support};
use std::collections::BTreeSet;

/// What is asked of an environment.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Somebody said that it is to be done although the environment is unwell.
    pub despite_health: bool,
    /// Whether its platform resolves references.
    pub references: Support,
    /// Whether it resolves references to keys of a JSON secret, where some are.
    pub json_keys: Option<Support>,
    /// The names that become references and whose values have several lines.
    pub many_lines: BTreeSet<String>,
}

/// What an environment has against becoming one with references.
pub fn in_environment(copy: &CopySpec, condition: &Condition, asked: &Asked) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    findings.extend(readiness(copy, condition));
    // While an environment is updated AWS tells no health (Grey): that it is not Ready says it all.
    if condition.status == "Ready" {
        findings.extend(health(copy, condition, asked.despite_health));
    }
    findings.extend(condition.doubled.iter().map(|name| doubled(copy, name)));
    findings.extend(condition.failed_draft.then(|| failed_draft(copy)));
    findings.extend(references(condition, &asked.references));
    // Where none are resolved, keys are not worth a word.
    if !matches!(asked.references, Support::No(_)) {
        findings.extend(asked.json_keys.as_ref().and_then(|support| json_keys(condition, support)));
    }
    findings.extend(many_lines(condition, &asked.many_lines));
    let at = format!("{}/{}", copy.application, copy.environment);
    findings.into_iter().map(|finding| finding.location(at.clone())).collect()
}

fn readiness(copy: &CopySpec, condition: &Condition) -> Option<Finding> {
    let status = &condition.status;
    let finding = Finding::problem("environment-not-ready", format!("the environment is {status}"))
        .why("somebody is changing it, and it takes no update until it is Ready");
    (status != "Ready").then(|| finding.fix(format!("wait until it is Ready; {}", events(copy))))
}

fn health(copy: &CopySpec, condition: &Condition, despite: bool) -> Option<Finding> {
    let health = &condition.health;
    let what = format!("its health is {health}");
    let finding = match despite {
        false => Finding::problem("environment-health", what),
        true => Finding::warning("environment-health", what),
    };
    let finding = finding
        .why(
            "the update of an environment that is unwell often fails and is rolled back, and whether the app still works \
             after it could not be told",
        )
        .fix(format!("bring it to Green first; {}; `--despite-health` migrates all the same", events(copy)));
    (health != "Green").then_some(finding)
}

fn references(condition: &Condition, support: &Support) -> Option<Finding> {
    match support {
        Support::Yes => None,
        Support::No(why) => Some(
            Finding::problem("platform-too-old", "its platform does not resolve references")
                .why(why.clone())
                .fix("update the platform version (`eb upgrade`, or in the console) and see the app run on it; then migrate"),
        ),
        Support::Unknown => Some(unknown(condition, "references", "2025-03-26")),
    }
}

fn json_keys(condition: &Condition, support: &Support) -> Option<Finding> {
    match support {
        Support::Yes => None,
        Support::No(why) => Some(
            Finding::problem(
                "platform-without-json-keys",
                "its platform does not resolve references to a key of a JSON secret",
            )
            .why(why.clone())
            .fix(
                "`--secret-per-key` makes a secret for each key in the place of a document for each group, and `--to ssm` a \
                 parameter for each",
            ),
        ),
        Support::Unknown => {
            Some(unknown(condition, "references to a key of a JSON secret", "2026-01-13"))
        }
    }
}

fn unknown(condition: &Condition, what: &str, since: &str) -> Finding {
    let platform = &condition.platform;
    Finding::warning("platform-unknown", format!("whether {platform} resolves {what} is not known"))
        .why(format!("AWS did not tell how old it is; versions of {since} and later do"))
        .fix("look for its version in AWS's release notes, or move one harmless variable first (`--canary KEY`), which proves it")
}

fn many_lines(condition: &Condition, names: &BTreeSet<String>) -> Option<Finding> {
    let what =
        format!("values of several lines become references: {}", list(names.iter().map(String::as_str)));
    let finding = Finding::problem("several-lines", what)
        .why(format!("{} fails to deploy a reference to one", condition.platform))
        .fix(
            "leave them where they are, or let the app take them encoded (base64, `\\n` for a line end); platforms on \
             Amazon Linux 2023 take them as they are",
        );
    (!names.is_empty() && !condition.facts.takes_many_lines).then_some(finding)
}
