//! What still holds the values of variables that go by reference now: what somebody saved, a draft that failed, and what no
//! command can take back.

use super::comes_back::list;
use super::finding::Finding;
use crate::manifest::{CopySpec, EnvironmentSpec, Instances, Manifest, ValueSource, VariableName};
use crate::rotate::renews;
use crate::store::{Condition, Saved, SavedConfiguration};

/// The variables of a copy that go there by reference.
pub fn by_reference(
    manifest: &Manifest,
    environment: &EnvironmentSpec,
    copy: &CopySpec,
    instances: &Instances,
) -> Vec<VariableName> {
    // Two variables of one name are told where the copy is compared.
    let mut names = manifest.names(&environment.name, instances, &copy.selection).unwrap_or_default();
    names.retain(|variable| copy.refers_to(&variable.address, variable.secret));
    names
}

/// What is known of a copy with references.
#[derive(Debug)]
pub struct Leftovers<'a> {
    /// How the command is typed here.
    pub strongroom: &'a str,
    /// The declarations.
    pub manifest: &'a Manifest,
    /// The environment of the copy.
    pub environment: &'a EnvironmentSpec,
    /// The copy.
    pub copy: &'a CopySpec,
    /// The secrets that go there by reference.
    pub variables: &'a [VariableName],
}

/// Where old values are: in what AWS has saved, as far as it was allowed to look, in a failed draft, and in logs.
pub fn leftovers(left: &Leftovers<'_>, saved: Option<&Saved>, condition: Option<&Condition>) -> Vec<Finding> {
    if left.variables.is_empty() {
        return Vec::new();
    }
    let (application, at) =
        (&left.copy.application, format!("{}/{}", left.copy.application, left.copy.environment));
    let mut findings = Vec::new();
    if let Some(saved) = saved {
        let held = saved.configurations.iter().filter_map(|configuration| in_saved(left, configuration));
        findings.extend(held.map(|finding| finding.location(application.clone())));
        findings.extend((saved.unseen > 0).then(|| unseen(left, saved.unseen).location(application.clone())));
    }
    findings.extend(
        condition.and_then(|condition| in_draft(left, condition)).map(|finding| finding.location(at.clone())),
    );
    findings.push(in_logs(left).location(at));
    findings
}

/// The names among these that are by reference.
fn among<'n>(left: &Leftovers<'_>, names: &'n [String]) -> Vec<&'n str> {
    let names = names.iter().map(String::as_str);
    names.filter(|name| left.variables.iter().any(|variable| variable.name.as_str() == *name)).collect()
}

fn in_saved(left: &Leftovers<'_>, saved: &SavedConfiguration) -> Option<Finding> {
    let held = among(left, &saved.plain);
    let what = format!(
        "the saved configuration `{}` holds plain values of {}",
        saved.name,
        list(held.iter().copied())
    );
    let finding = Finding::warning("saved-configuration", what)
        .why(
            "whoever may describe configurations reads them, and an environment that is made or updated from it has them \
             as plain properties again",
        )
        .fix(format!(
            "`aws elasticbeanstalk delete-configuration-template --application-name {} --template-name {}`; save it anew \
             where it is needed",
            left.copy.application, saved.name
        ));
    (!held.is_empty()).then_some(finding)
}

fn unseen(left: &Leftovers<'_>, count: usize) -> Finding {
    Finding::note("saved-not-looked-at", format!("{count} more of its saved configurations were not looked at"))
        .why("they may hold old values of what goes by reference, and each costs a call")
        .fix(format!(
            "delete those that nobody needs: `aws elasticbeanstalk describe-applications --application-names {}` lists them",
            left.copy.application
        ))
}

fn in_draft(left: &Leftovers<'_>, condition: &Condition) -> Option<Finding> {
    let held = among(left, &condition.in_draft);
    let what = format!("the draft that failed holds plain values of {}", list(held.iter().copied()));
    let finding = Finding::warning("secrets-in-draft", what)
        .why("whoever may describe the environment's settings reads them")
        .fix(format!(
            "`aws elasticbeanstalk delete-environment-configuration --application-name {} --environment-name {}`",
            left.copy.application, left.copy.environment
        ));
    (!held.is_empty()).then_some(finding)
}

fn in_logs(left: &Leftovers<'_>) -> Finding {
    let names = left.variables.iter().map(|variable| variable.name.as_str());
    let what = format!(
        "what was a plain property once may still be in instance logs, CloudFormation's history and CloudTrail: {}",
        list(names)
    );
    Finding::note("old-values", what)
        .why("whoever reads those reads it for as long as they are kept; a value that was new since is safe")
        .fix(new_values(left))
}

/// The commands that give each a new value.
fn new_values(left: &Leftovers<'_>) -> String {
    let Leftovers { strongroom, manifest, environment, .. } = left;
    let mut rotations: Vec<&str> = Vec::new();
    let (mut generated, mut others) = (None, None);
    for VariableName { address, .. } in left.variables {
        let Some(ValueSource::Home) = manifest.source(&environment.name, address) else { continue };
        let mut all = manifest.rotations().filter(|spec| spec.environments.contains(&environment.name));
        match all.find(|spec| renews(&spec.kind, address)) {
            Some(spec) if rotations.contains(&spec.name.as_str()) => {}
            Some(spec) => rotations.push(&spec.name),
            None if manifest.key(address).is_some_and(|key| key.generate.is_some()) => {
                generated.get_or_insert(address);
            }
            None => drop(others.get_or_insert(address)),
        }
    }
    let rotated = rotations.iter().map(|name| format!("`{strongroom} rotate {name}`"));
    let generated = generated.map(|address| format!("`{strongroom} set {address} --generate`"));
    let others = others.map(|address| {
        format!("`{strongroom} set {address}` after it was changed where it is from, and so on")
    });
    let commands: Vec<String> = rotated.chain(generated).chain(others).collect();
    format!("give each a new value: {}", commands.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity;

    const MANIFEST: &str = r#"version = 1
project = { name = "demo", region = "us-east-1" }
[environments.prod]
home = "ssm"
[environments.prod.copies.web]
kind = "beanstalk"
application = "demo"
environment = "demo-prod"
secrets = "reference"
[groups.app.keys]
HOST = {}
KEY = { secret = true, generate = { length = 50 } }
PASSWORD = { secret = true }
TOKEN = { secret = true }
URL = { derive = "x://{PASSWORD}@{HOST}" }
[rotate.key]
kind = "random"
keys = ["KEY"]
"#;

    fn found(saved: Option<&Saved>) -> Vec<Finding> {
        let manifest = Manifest::parse("strongroom.toml", MANIFEST).unwrap_or_else(|error| panic!("{error}"));
        let environment = manifest.environment("prod").unwrap();
        let copy = &environment.copies["web"];
        let variables = by_reference(&manifest, environment, copy, &Instances::new());
        let left = Leftovers {
            strongroom: "strongroom -e prod",
            manifest: &manifest,
            environment,
            copy,
            variables: &variables,
        };
        leftovers(&left, saved, None)
    }

    #[test]
    fn what_was_saved_is_told_by_the_names_that_are_references_now() {
        let configuration = |name: &str, plain: &[&str]| SavedConfiguration {
            name: name.to_owned(),
            plain: plain.iter().map(|name| (*name).to_owned()).collect(),
        };
        let configurations = vec![configuration("old", &["HOST", "TOKEN"]), configuration("new", &["HOST"])];
        let told = found(Some(&Saved { configurations, unseen: 3 }));
        let codes: Vec<&str> = told.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, ["saved-configuration", "saved-not-looked-at", "old-values"]);
        assert!(told[0].what.ends_with("`old` holds plain values of TOKEN"), "{}", told[0].what);
        assert!(told[0].fix.as_ref().unwrap().contains("--application-name demo --template-name old"));
    }

    #[test]
    fn new_values_are_offered_by_commands_that_there_are() {
        let note = found(None).pop().unwrap();
        assert_eq!(note.severity, Severity::Note);
        assert!(note.what.ends_with("KEY, PASSWORD, TOKEN, URL"), "{}", note.what);
        let others = "`strongroom -e prod set app/PASSWORD` after it was changed where it is from, and so on";
        assert_eq!(
            note.fix.unwrap(),
            format!("give each a new value: `strongroom -e prod rotate key`, {others}")
        );
    }
}
