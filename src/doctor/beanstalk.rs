//! How a Beanstalk environment stands: its state, its room, its leftovers.

use super::finding::Finding;
use crate::manifest::{CopySpec, Secrets};
use crate::store::{BUDGET, Condition, Support};

/// From here on little room is left.
const TIGHT: usize = 3_800;

/// What AWS says of the environment of a copy. `strongroom` is how the command is typed here.
pub fn condition(copy: &CopySpec, at: &str, condition: &Condition) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    findings.extend(readiness(copy, condition));
    findings.extend(room(condition));
    findings.extend(condition.doubled.iter().map(|name| doubled(copy, name)));
    findings.extend(condition.failed_draft.then(|| failed_draft(copy)));
    findings.extend(undeclared(copy, condition));
    findings.into_iter().map(|finding| finding.location(at)).collect()
}

fn readiness(copy: &CopySpec, condition: &Condition) -> Vec<Finding> {
    let Condition { status, health, .. } = condition;
    let mut findings = Vec::new();
    if status != "Ready" {
        let finding = Finding::warning("environment-not-ready", format!("the environment is {status}"))
            .why("it takes no update until it is Ready");
        findings.push(finding.fix("wait, or look at its events in the console"));
    }
    let events = events(copy);
    match health.as_str() {
        "Red" => findings.push(
            Finding::problem("environment-health", "its health is Red")
                .why("an update of an unhealthy environment often fails and is rolled back")
                .fix(events),
        ),
        "Yellow" => findings.push(
            Finding::warning("environment-health", "its health is Yellow")
                .why("something is degraded, and an update may fail")
                .fix(events),
        ),
        _ => {}
    }
    findings
}

/// The command that tells why.
pub(crate) fn events(copy: &CopySpec) -> String {
    format!(
        "`aws elasticbeanstalk describe-events --environment-name {} --max-items 20` tells what happened",
        copy.environment
    )
}

fn room(condition: &Condition) -> Option<Finding> {
    let bytes = condition.bytes;
    let what = format!("its plain properties use {bytes} of {BUDGET} bytes");
    let why = "Beanstalk refuses an update that would need more, some minutes after it began";
    let fix =
        "let secrets go by reference (`secrets = \"reference\"`), or remove properties that nobody reads";
    match bytes {
        _ if bytes > BUDGET => Some(Finding::problem("budget", what).why(why).fix(fix)),
        _ if bytes >= TIGHT => Some(Finding::warning("budget", what).why(why).fix(fix)),
        _ => None,
    }
}

/// A name that is both.
pub(crate) fn doubled(copy: &CopySpec, name: &str) -> Finding {
    Finding::problem("in-both-namespaces", format!("{name} is a plain property and a reference"))
        .why("AWS does not say which of the two the app gets")
        .fix(format!(
            "take one away: `aws elasticbeanstalk update-environment --environment-name {} --options-to-remove \
             Namespace=aws:elasticbeanstalk:application:environment,OptionName={name}`",
            copy.environment
        ))
}

/// What a failed deployment left.
pub(crate) fn failed_draft(copy: &CopySpec) -> Finding {
    Finding::warning("failed-draft", "a configuration that failed to deploy was left behind")
        .why("tools that read the environment may take its values for those that are deployed")
        .fix(format!(
            "`aws elasticbeanstalk delete-environment-configuration --application-name {} --environment-name {}`",
            copy.application, copy.environment
        ))
}

fn undeclared(copy: &CopySpec, condition: &Condition) -> Option<Finding> {
    const MOST: usize = 10;
    let names = &condition.undeclared;
    let shown: Vec<&str> = names.iter().take(MOST).map(|key| key.as_str()).collect();
    let more = names.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let finding = Finding::note(
        "undeclared-properties",
        format!("it has properties that the manifest does not declare: {}{more}", shown.join(", ")),
    );
    (!names.is_empty()).then(|| {
        finding
            .why("nobody keeps them: they are in no backup, and in no other environment")
            .fix(format!("declare them in the manifest, or remove them with `sync {} --prune`", copy.name))
    })
}

/// Whether the platform does what the copy's references need.
pub fn support(copy: &CopySpec, at: &str, platform: &str, support: &Support) -> Option<Finding> {
    if !copy.has_references() {
        let finding = Finding::note("secrets-by-value", "its secrets are plain properties")
            .why("whoever may describe the environment's settings reads them")
            .fix("keep them in `ssm` or `secretsmanager`, and let the copy refer to them: `secrets = \"reference\"`");
        return Some(finding.location(at));
    }
    let finding = match support {
        Support::Yes if copy.secrets == Secrets::Value => {
            Finding::note("secrets-by-value", "secrets that its `references` do not list are plain properties")
                .why("whoever may describe the environment's settings reads them")
                .fix("list them too, or let every secret be a reference: `secrets = \"reference\"` in the place of the list")
        }
        Support::Yes => return None,
        Support::No(why) => Finding::problem("platform-too-old", "its platform does not resolve the references")
            .why(why.clone())
            .fix("update the platform version in the console, or write `secrets = \"value\"` for this copy"),
        Support::Unknown => {
            Finding::note("platform-unknown", format!("whether {platform} resolves references is not known"))
                .why("AWS did not tell how old it is; versions of 2025-03-26 do, and of 2026-01-13 for keys of JSON secrets")
                .fix("look for its version in AWS's release notes")
        }
    };
    Some(finding.location(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Selection;

    fn copy(secrets: Secrets) -> CopySpec {
        let text = |text: &str| text.to_owned();
        let (application, environment) = (text("demo"), text("demo-prod"));
        let (selection, references) = (Selection::default(), Vec::new());
        CopySpec { name: text("web"), application, environment, selection, secrets, references }
    }

    fn good() -> Condition {
        Condition {
            status: "Ready".to_owned(),
            health: "Green".to_owned(),
            platform: "a platform".to_owned(),
            facts: crate::store::PlatformFacts::default(),
            bytes: 100,
            doubled: Vec::new(),
            undeclared: Vec::new(),
            failed_draft: false,
            in_draft: Vec::new(),
        }
    }

    fn codes(state: &Condition) -> Vec<&'static str> {
        let found = condition(&copy(Secrets::Reference), "there", state);
        assert!(found.iter().all(|finding| finding.fix.is_some() && !finding.why.is_empty()));
        found.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn each_state_that_is_not_good_is_told() {
        assert_eq!(codes(&good()), Vec::<&str>::new());
        let bad = Condition {
            status: "Updating".to_owned(),
            health: "Red".to_owned(),
            bytes: 4_097,
            doubled: vec!["A".to_owned()],
            undeclared: vec!["B".parse().unwrap()],
            failed_draft: true,
            ..good()
        };
        assert_eq!(
            codes(&bad),
            [
                "environment-not-ready",
                "environment-health",
                "budget",
                "in-both-namespaces",
                "failed-draft",
                "undeclared-properties",
            ]
        );
        assert_eq!(codes(&Condition { bytes: 3_800, ..good() }), ["budget"]);
        assert_eq!(codes(&Condition { health: "Grey".to_owned(), ..good() }), Vec::<&str>::new());
    }

    #[test]
    fn a_platform_that_does_not_resolve_references_is_told_where_references_are_wanted() {
        let code =
            |secrets, how: &Support| support(&copy(secrets), "there", "p", how).map(|finding| finding.code);
        let old = Support::No("old".to_owned());
        assert_eq!(code(Secrets::Reference, &old), Some("platform-too-old"));
        assert_eq!(code(Secrets::Reference, &Support::Unknown), Some("platform-unknown"));
        assert_eq!(code(Secrets::Reference, &Support::Yes), None);
        assert_eq!(code(Secrets::Value, &old), Some("secrets-by-value"));
        let some = CopySpec { references: vec!["app/A".parse().unwrap()], ..copy(Secrets::Value) };
        let code = |how| support(&some, "there", "p", how).map(|finding| finding.code);
        assert_eq!((code(&old), code(&Support::Yes)), (Some("platform-too-old"), Some("secrets-by-value")));
    }
}
