//! Scripts of a deployment that make `.env` from `get-config environment`, which never tells a secret that is a
//! reference.

use super::Project;
use super::finding::{Finding, Severity};
use super::tree::File;
use crate::manifest::CopySpec;

/// Scripts after which a container lacks what became a reference.
pub(super) fn env_without_references(project: &Project<'_>) -> Vec<Finding> {
    let scripts = project.tree.files.iter().filter(|file| file.is_script());
    scripts.filter_map(|file| of_script(project, file)).collect()
}

fn of_script(project: &Project<'_>, file: &File) -> Option<Finding> {
    let ask = questions(file).next().filter(|_| makes_env(file))?;
    let by_reference = refers(project);
    let severity = if by_reference { Severity::Problem } else { Severity::Warning };
    let why = if by_reference {
        "`get-config environment` leaves out what Beanstalk resolves by reference, and this manifest sends secrets by \
         reference: the containers start without them"
    } else {
        "`get-config environment` leaves out what Beanstalk resolves by reference: the first secret that becomes one is \
         missing in the containers"
    };
    let finding =
        Finding::new("env-from-get-config", severity, "`.env` is made from `get-config environment`");
    Some(
        finding
            .why(why)
            .fix("remove the script: the platform writes `.env` by itself, or make it with the hooks of `strongroom hooks`")
            .line(&file.path, ask.line),
    )
}

/// A place where a script asks for properties.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) line: usize,
    /// The only one that it asks for, where its name stands there.
    pub(crate) name: Option<String>,
}

/// Where a script asks `get-config environment`.
pub(crate) fn questions(file: &File) -> impl Iterator<Item = Question> {
    file.code().filter_map(|(line, text)| {
        let (_, rest) = text.split_once("get-config")?;
        asks_for_environment(rest).then(|| Question { line, name: asked_name(rest) })
    })
}

/// Whether a file says anything of `.env`.
pub(crate) fn makes_env(file: &File) -> bool {
    file.code().any(|(_, line)| line.contains(".env"))
}

/// Whether the words behind `get-config` ask for the properties; its flags may stand before.
fn asks_for_environment(words: &str) -> bool {
    let subjects = ["environment", "optionsettings", "container", "addons", "platformconfig", "meta"];
    let mut words = words.split(|c: char| !c.is_alphanumeric());
    words.find(|word| subjects.contains(word)) == Some("environment")
}

/// The name behind `-k` or `--key`; none where it is a variable of the script's.
fn asked_name(words: &str) -> Option<String> {
    let mut words = words.split(|c: char| c.is_whitespace() || "=,)|;`".contains(c));
    words.find(|word| ["-k", "--key"].contains(&word.trim_matches(['"', '\''])))?;
    let name = words.map(|word| word.trim_matches(['"', '\''])).find(|word| !word.is_empty())?;
    (!name.contains('$')).then(|| name.to_owned())
}

/// Whether any copy of the manifest gets its secrets by reference.
fn refers(project: &Project<'_>) -> bool {
    let mut copies = project.manifest.environments().flat_map(|environment| environment.copies.values());
    copies.any(CopySpec::has_references)
}

#[cfg(test)]
mod tests {
    use crate::doctor::Severity;
    use crate::doctor::fixture::{Fixture, places};

    const SCRIPT: &str = "files:\n  \"/x.sh\":\n    content: |\n      # get-config environment\n      \
                          /opt/elasticbeanstalk/bin/get-config --output YAML environment | sed 's/: /=/' > .env\n";

    #[test]
    fn the_script_is_found_at_the_line_that_asks() {
        let fixture = Fixture::new("A = {}\n").file(".ebextensions/04_docker_env.config", SCRIPT);
        let found = fixture.check(super::env_without_references);
        assert_eq!(places(&found), ["env-from-get-config .ebextensions/04_docker_env.config:5"]);
        assert_eq!(found[0].severity, Severity::Warning);
        assert_eq!(fixture.deployed().check(super::env_without_references)[0].severity, Severity::Problem);
    }

    #[test]
    fn other_questions_and_other_files_are_none() {
        let asks = |line: &str| Fixture::new("A = {}\n").file(".platform/hooks/predeploy/a.sh", line);
        for (line, count) in [
            ("get-config environment > .env", 1),
            ("x=$(get-config environment); echo $x > .env", 1),
            ("get-config optionsettings -n environment > .env", 0),
            ("get-config environment -k PORT", 0),
            ("# get-config environment > .env", 0),
        ] {
            assert_eq!(asks(line).check(super::env_without_references).len(), count, "{line}");
        }
    }
}
