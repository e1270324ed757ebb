//! Files that set a variable which goes by reference: what a version of the app brings along lies below what was set in the
//! console, and comes to light as a plain property where that is taken away.

use super::options::set_in;
use super::{File, Finding, Project, Tree};
use crate::manifest::Instances;
use std::collections::BTreeSet;

/// Of what goes by reference in the copies of the environment.
pub(super) fn values_that_come_back(project: &Project<'_>) -> Vec<Finding> {
    let copies = project.environment.copies.values();
    let names = copies.flat_map(|copy| {
        super::leftovers::by_reference(project.manifest, project.environment, copy, &Instances::new())
    });
    let names: BTreeSet<String> = names.map(|variable| variable.name.to_string()).collect();
    that_bring_back(project.tree, &names)
}

/// The lines of `.ebextensions` that set one of these names, and saved configurations that hold one.
pub(crate) fn that_bring_back(tree: &Tree, names: &BTreeSet<String>) -> Vec<Finding> {
    let files = tree.files.iter();
    files
        .flat_map(|file| match () {
            () if file.is_ebextension() => lines(file, names),
            () if file.is_saved_configuration() => saved(file, names).into_iter().collect(),
            () => Vec::new(),
        })
        .collect()
}

/// What a file sets of these names; nothing of one that nobody could read, which is told elsewhere.
fn set(file: &File, names: &BTreeSet<String>) -> Vec<(String, usize)> {
    let all = set_in(file).unwrap_or_default();
    all.into_iter().filter(|(name, _)| names.contains(name)).collect()
}

fn lines(file: &File, names: &BTreeSet<String>) -> Vec<Finding> {
    let path = &file.path;
    let told = set(file, names).into_iter().map(|(name, line)| {
        Finding::problem("value-comes-back", format!("it sets {name}, a variable by reference"))
            .why(
                "what .ebextensions set comes to light where the plain property is gone: the variable is a property and a \
                 reference then, and AWS does not say which of the two the app gets",
            )
            .fix(format!(
                "delete it from {path} and deploy that version (`eb deploy`): what the console or a reference sets stays \
                 in force"
            ))
            .line(path, line)
    });
    told.collect()
}

fn saved(file: &File, names: &BTreeSet<String>) -> Option<Finding> {
    let (names, lines): (Vec<String>, Vec<usize>) = set(file, names).into_iter().unzip();
    let what = format!("a saved configuration holds {}", list(names.iter().map(String::as_str)));
    let finding = Finding::warning("saved-configuration", what)
        .why("an environment that is made or updated from it gets the old values as plain properties again")
        .fix(format!(
            "delete {} once they go by reference, and save the configuration anew where it is needed (`eb config save`)",
            file.path
        ));
    Some(finding.line(&file.path, *lines.first()?))
}

/// Names, the first of them.
pub(crate) fn list<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const MOST: usize = 10;
    let more = names.len().saturating_sub(MOST);
    let shown: Vec<&str> = names.take(MOST).collect();
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

#[cfg(test)]
mod tests {
    use crate::doctor::fixture::{Fixture, places};

    #[test]
    fn what_goes_by_reference_may_be_set_nowhere_else() {
        let text = "option_settings:\n  aws:elasticbeanstalk:application:environment:\n    TOKEN: canary\n    HOST: b\n";
        let saved = text.replace("option_settings", "OptionSettings");
        let path = ".elasticbeanstalk/saved_configs/prod.cfg.yml";
        let fixture =
            Fixture::new("TOKEN = { secret = true }\nHOST = {}\n").file(".ebextensions/a.config", text);
        let fixture = fixture.untracked(path, &saved);
        assert!(fixture.check(super::values_that_come_back).is_empty());
        let found = fixture.deployed().check(super::values_that_come_back);
        assert_eq!(
            places(&found),
            ["value-comes-back .ebextensions/a.config:3".to_owned(), format!("saved-configuration {path}:3")]
        );
        assert!(!format!("{found:?}").contains("canary"));
    }
}
