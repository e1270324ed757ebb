//! Compose files whose containers would not see a reference: on Docker, where Beanstalk writes what references mean to
//! `.env`, and Compose decides who gets it.

use super::Deployment;
use crate::doctor::compose::{MAIN, in_file};
use crate::doctor::yaml::{self, Node};
use crate::doctor::{File, Finding, Severity};

/// Variables that a service sets itself, and services that read no `.env`.
pub(super) fn that_hides_references(deployment: &Deployment<'_>) -> Vec<Finding> {
    if !deployment.platform.docker {
        return Vec::new();
    }
    // Others are for other days: Compose reads these by itself.
    let main = |file: &&File| MAIN.contains(&file.path.as_str());
    let overrides = |file: &&File| MAIN.contains(&file.path.replace(".override.", ".").as_str());
    let read = deployment.tree.files.iter().filter(overrides);
    let hidden = read.flat_map(|file| of_file(deployment, file));
    let without = deployment.tree.files.iter().filter(main);
    hidden.chain(without.flat_map(|file| in_file(file, &[".env".to_owned()]))).collect()
}

fn of_file(deployment: &Deployment<'_>, file: &File) -> Vec<Finding> {
    let root = match yaml::read(&file.text) {
        Ok(root) => root,
        Err(line) => return vec![super::unreadable(file, line)],
    };
    let services = root.get("services").into_iter().flat_map(Node::entries);
    let mut findings = Vec::new();
    for (service, node) in services {
        let set = node.get("environment").map(variables).unwrap_or_default();
        let moving = set.iter().filter(|set| deployment.moving.contains(set.name));
        findings.extend(
            moving
                .filter_map(|set| hidden(service, set))
                .map(|(finding, line)| finding.line(&file.path, line)),
        );
    }
    findings
}

/// A variable of a service; without a text where Compose takes it from its own environment.
struct Set<'a> {
    name: &'a str,
    text: Option<&'a str>,
    line: usize,
}

fn variables(environment: &Node) -> Vec<Set<'_>> {
    let mapped = environment.merged().into_iter().map(|(name, node)| {
        let text = node.text().filter(|text| !["", "~", "null"].contains(text));
        Set { name, text, line: node.line }
    });
    let listed = environment.items().iter().filter_map(|node| {
        let text = node.text()?;
        let (name, text) = text.split_once('=').map_or((text, None), |(name, text)| (name, Some(text)));
        Some(Set { name, text, line: node.line })
    });
    mapped.chain(listed).collect()
}

fn hidden(service: &str, set: &Set<'_>) -> Option<(Finding, usize)> {
    let name = set.name;
    let (severity, what) = match instead(set.text?)? {
        Instead::Literal => (Severity::Problem, format!("the service `{service}` sets {name} itself")),
        Instead::Default => (Severity::Problem, format!("the service `{service}` has a default for {name}")),
        Instead::Empty => {
            (Severity::Warning, format!("the service `{service}` takes an empty {name} where there is none"))
        }
    };
    let why = match severity {
        Severity::Problem => {
            "`environment` goes before `env_file`: the container gets what stands there, or falls back to it without a word, in the place of the secret"
        }
        Severity::Warning | Severity::Note => {
            "the container would start without the secret and without a word of it"
        }
    };
    let finding = Finding::new("hidden-by-compose", severity, what).why(why).fix(format!(
        "take {name} out of `environment` and let `env_file: [.env]` bring it, or write `{name}: ${{{name}:?}}`; deploy that version first"
    ));
    Some((finding, set.line))
}

/// What a container gets where a variable is not there, or although it is.
enum Instead {
    Literal,
    Default,
    Empty,
}

/// What `environment` sets a variable to in its place.
fn instead(text: &str) -> Option<Instead> {
    let rest = text.replace("$$", "");
    let Some((_, reference)) = rest.split_once('$') else { return Some(Instead::Literal) };
    let inside = reference.strip_prefix('{')?;
    let end = inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    let operator = inside[end..].trim_start_matches(':');
    match operator.strip_prefix('-')? {
        fallback if fallback.starts_with('}') => Some(Instead::Empty),
        _ => Some(Instead::Default),
    }
}
