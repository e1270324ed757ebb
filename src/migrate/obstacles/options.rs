//! Files that set a property which becomes a reference: a value that a version of the app brings along lies below what was
//! set in the console, and comes to light when that is taken away.

use super::Deployment;
use crate::doctor::options::set_in;
use crate::doctor::{File, Finding};

/// The lines of `.ebextensions` that bring a value back, and saved configurations that hold one.
pub(super) fn that_come_back(deployment: &Deployment<'_>) -> Vec<Finding> {
    let files = deployment.tree.files.iter();
    files
        .flat_map(|file| match () {
            () if file.is_ebextension() => lines(deployment, file, comes_back),
            () if file.is_saved_configuration() => saved(deployment, file).into_iter().collect(),
            () => Vec::new(),
        })
        .collect()
}

fn lines(deployment: &Deployment<'_>, file: &File, told: fn(&File, &str) -> Finding) -> Vec<Finding> {
    match set_in(file) {
        Ok(set) => {
            let moving = set.iter().filter(|(name, _)| deployment.moving.contains(name));
            moving.map(|(name, line)| told(file, name).line(&file.path, *line)).collect()
        }
        Err(line) => vec![super::unreadable(file, line)],
    }
}

fn comes_back(file: &File, name: &str) -> Finding {
    Finding::problem("value-comes-back", format!("it sets {name}"))
        .why(
            "what .ebextensions set comes back when the plain property is removed: the variable would be a property and a \
             reference, and AWS does not say which of the two the app gets",
        )
        .fix(format!(
            "delete it from {} and deploy that version first (`eb deploy`): the value in the console stays in force until \
             it is moved",
            file.path
        ))
}

fn saved(deployment: &Deployment<'_>, file: &File) -> Option<Finding> {
    let set = match set_in(file) {
        Ok(set) => set,
        Err(line) => return Some(super::unreadable(file, line)),
    };
    let moving = set.into_iter().filter(|(name, _)| deployment.moving.contains(name));
    let (names, lines): (Vec<String>, Vec<usize>) = moving.unzip();
    let line = *lines.first()?;
    let what = format!("a saved configuration holds {}", super::list(names.iter().map(String::as_str)));
    let finding = Finding::warning("saved-configuration", what)
        .why("an environment that is made or updated from it gets the old values as plain properties again")
        .fix(format!(
            "after the migration delete {}, and save the configuration anew where it is needed (`eb config save`)",
            file.path
        ));
    Some(finding.line(&file.path, line))
}
