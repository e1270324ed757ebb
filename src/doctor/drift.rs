//! Copies that are not as home says.

use super::finding::Finding;
use crate::manifest::CopySpec;
use crate::name::{Address, Group};

/// How a copy differs from what it should hold.
#[derive(Debug)]
pub struct Drift<'a> {
    /// How the command is typed here.
    pub strongroom: &'a str,
    /// The copy.
    pub copy: &'a CopySpec,
    /// What is there by value and should be a reference.
    pub plain: Vec<Address>,
    /// What differs in any other way.
    pub others: Vec<Address>,
    /// Whether its references stand for what home holds now.
    pub current: bool,
}

/// What a sync would change.
pub fn drift(drift: &Drift<'_>) -> Vec<Finding> {
    let Drift { strongroom, copy, plain, others, current } = drift;
    let at = format!("{}/{}", copy.application, copy.environment);
    let sync = format!("`{strongroom} sync {}`", copy.name);
    let mut findings = Vec::new();
    let others: Vec<&Address> = others.iter().filter(|address| address.group != Group::own()).collect();
    if !plain.is_empty() {
        let what = format!("secrets stand in its plain properties: {}", list(plain.iter()));
        let finding = Finding::problem("plain-secret", what)
            .why("whoever may describe the environment's settings, or open its console, reads them");
        findings.push(finding.fix(format!("{sync} makes them references; then give them new values")));
    }
    if !others.is_empty() {
        let finding =
            Finding::warning("drift", format!("it is not as home says: {}", list(others.iter().copied())))
                .why("the app runs with other values than the ones that you keep");
        findings.push(finding.fix(format!(
            "`{strongroom} status` shows how; {sync} brings it to home, `{strongroom} pull` takes its values"
        )));
    }
    if !current && plain.is_empty() && others.is_empty() {
        let finding = Finding::warning("stale-references", "what it refers to changed since it was deployed")
            .why("references are resolved when an instance starts: those that run have the old values, new ones the new");
        findings.push(finding.fix(sync));
    }
    findings.into_iter().map(|finding| finding.location(at.clone())).collect()
}

/// More names than a line holds are counted.
fn list<'a>(addresses: impl ExactSizeIterator<Item = &'a Address>) -> String {
    const MOST: usize = 10;
    let more = addresses.len().saturating_sub(MOST);
    let names: Vec<String> = addresses.take(MOST).map(ToString::to_string).collect();
    if more == 0 { names.join(", ") } else { format!("{} and {more} more", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Secrets, Selection};

    #[test]
    fn plain_secrets_other_differences_and_stale_references_are_told_apart() {
        let text = |text: &str| text.to_owned();
        let (application, environment) = (text("demo"), text("demo-prod"));
        let copy = CopySpec {
            name: text("web"),
            application,
            environment,
            selection: Selection::default(),
            secrets: Secrets::Reference,
            references: Vec::new(),
        };
        let codes = |plain: &[&str], others: &[&str], current| {
            let all = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
            let state = Drift {
                strongroom: "strongroom",
                copy: &copy,
                plain: all(plain),
                others: all(others),
                current,
            };
            drift(&state).iter().map(|finding| finding.code).collect::<Vec<_>>()
        };
        assert_eq!(codes(&[], &[], true), Vec::<&str>::new());
        assert_eq!(codes(&["app/A"], &["app/B"], false), ["plain-secret", "drift"]);
        assert_eq!(codes(&[], &[], false), ["stale-references"]);
    }
}
