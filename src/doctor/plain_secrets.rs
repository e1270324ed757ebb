//! Secrets in files that travel: into git's history, or to Beanstalk with a version of the app.

use super::Project;
use super::finding::{Finding, Severity};
use super::held::Value;
use super::settings::{Setting, settings};
use super::tree::File;
use super::weak::placeholder;
use crate::manifest::classify::{classify, is_telling};
use crate::name::Key;
use std::collections::BTreeMap;

/// Values that are secrets by what the manifest declares, by their name or shape, or because home holds the same.
pub(super) fn secrets_in_files(project: &Project<'_>) -> Vec<Finding> {
    project.tree.files.iter().flat_map(|file| in_file(project, file)).collect()
}

fn in_file(project: &Project<'_>, file: &File) -> Vec<Finding> {
    // A file of variables that git does not have is where secrets are rendered to; what was saved is not deployed.
    if !file.tracked && (file.is_env() || file.is_saved_configuration()) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut lines: BTreeMap<usize, Finding> = BTreeMap::new();
    match settings(file) {
        Ok(settings) => {
            for setting in settings {
                if let Some(finding) = of_setting(project, file, &setting) {
                    lines.entry(setting.line).or_insert(finding);
                }
            }
        }
        Err(line) => findings.push(unreadable(file, line)),
    }
    for value in project.held.secrets().filter(|value| is_telling(value.value)) {
        for line in standing(file, value) {
            lines.entry(line).or_insert_with(|| of_home(project, file, value, line));
        }
    }
    findings.extend(lines.into_values());
    findings
}

/// A line that gives a secret its value.
fn of_setting(project: &Project<'_>, file: &File, setting: &Setting) -> Option<Finding> {
    let same = project.held.secrets().find(|held| {
        held.value.same_as(&setting.value) && (held.address.key == setting.key || is_telling(held.value))
    });
    if let Some(held) = same {
        return Some(of_home(project, file, held, setting.line));
    }
    if placeholder(&setting.key, &setting.value).is_some() {
        return None;
    }
    let declared = is_declared_secret(project, &setting.key);
    // Settings of a program hold much that only looks random.
    let guessed = !file.name().ends_with(".py") && classify(&setting.key, &setting.value).secret;
    let what = format!("{} has its value written in {}", setting.key, where_it_goes(file));
    (declared || guessed).then(|| told(project, file, setting.line, what, setting.key.as_str(), declared))
}

fn is_declared_secret(project: &Project<'_>, key: &Key) -> bool {
    let declared = project.manifest.groups().flat_map(|group| group.keys.values());
    declared.into_iter().any(|spec| spec.secret && spec.name == *key)
}

/// A line in which a secret of home stands.
fn of_home(project: &Project<'_>, file: &File, held: &Value<'_>, line: usize) -> Finding {
    let environment = &project.environment.name;
    let what =
        format!("the value that `{environment}` has for {} stands in {}", held.address, where_it_goes(file));
    told(project, file, line, what, &held.address.to_string(), true)
}

fn where_it_goes(file: &File) -> &'static str {
    if file.tracked { "a file that git tracks" } else { "a file that is deployed" }
}

fn told(project: &Project<'_>, file: &File, line: usize, what: String, key: &str, declared: bool) -> Finding {
    let severity = if file.tracked { Severity::Problem } else { Severity::Warning };
    let why = if file.tracked {
        "whoever can read the repository can read it, and it stays in git's history after it is removed"
    } else {
        "it goes to Beanstalk with every version, where whoever may read versions or settings reads it"
    };
    let environment = &project.environment.name;
    let fix = match declared {
        true => format!(
            "take it out of {}, and give it a new value: `strongroom -e {environment} set {key}`",
            file.path
        ),
        false => format!(
            "take it out of {}, declare it in the manifest (`{key} = {{ secret = true }}`), and give it a new value: \
             `strongroom -e {environment} set {key}`",
            file.path
        ),
    };
    Finding::new("secret-in-file", severity, what).why(why).fix(fix).line(&file.path, line)
}

fn unreadable(file: &File, line: usize) -> Finding {
    Finding::warning("unreadable-file", "it is not the YAML or JSON that its name promises")
        .why("Beanstalk or Compose refuses it too, and it could not be searched for secrets")
        .fix(format!("correct {} near line {line}", file.path))
        .line(&file.path, line)
}

/// The lines in which a value begins.
fn standing(file: &File, value: &Value<'_>) -> Vec<usize> {
    let places = file.text.match_indices(value.value.expose()).map(|(at, _)| at);
    places.map(|at| file.text[..at].matches('\n').count() + 1).collect()
}

#[cfg(test)]
mod tests {
    use crate::doctor::fixture::{Fixture, places};

    const MANIFEST: &str = "TOKEN = { secret = true }\nHOST = {}\nSHORT = { secret = true }\n";

    fn found(path: &str, text: &str) -> Vec<String> {
        let held = [("TOKEN", "canary-token-1"), ("HOST", "db.example"), ("SHORT", "abc")];
        let fixture = Fixture::new(MANIFEST).held(&held).file(path, text);
        places(&fixture.check(super::secrets_in_files))
    }

    #[test]
    fn a_secret_of_home_is_found_in_any_file_that_git_tracks() {
        assert_eq!(found("README.md", "x\nuse canary-token-1 here\n"), ["secret-in-file README.md:2"]);
        assert_eq!(found("README.md", "abc db.example canary-token\n"), Vec::<String>::new());
    }

    #[test]
    fn a_short_secret_is_found_only_where_its_own_key_gets_it() {
        assert_eq!(found(".env", "OTHER=abc\nSHORT=abc\n"), ["secret-in-file .env:2"]);
    }

    #[test]
    fn a_line_is_told_once() {
        assert_eq!(found(".env", "TOKEN=canary-token-1\n"), ["secret-in-file .env:1"]);
    }

    #[test]
    fn names_and_shapes_tell_where_nothing_is_declared() {
        let text = "services:\n  db:\n    environment:\n      DB_PASSWORD: correct-horse\n      DB_HOST: db\n      \
                    ALLOW_EMPTY_PASSWORD: \"yes\"\n      API_TOKEN: changeme\n";
        assert_eq!(found("docker-compose.yml", text), ["secret-in-file docker-compose.yml:4"]);
    }

    #[test]
    fn a_program_is_judged_by_what_is_declared_only() {
        let text =
            "TOKEN = \"some-real-value\"\nPASSWORD = \"x9\"\nHASH = \"8f14e45fceea167a5a36dedd4bea2543\"\n";
        assert_eq!(found("settings.py", text), ["secret-in-file settings.py:1"]);
    }

    #[test]
    fn a_file_of_variables_that_git_does_not_have_may_hold_secrets() {
        let fixture = Fixture::new(MANIFEST).held(&[("TOKEN", "canary-token-1")]);
        assert!(
            fixture.untracked(".env", "TOKEN=canary-token-1\n").check(super::secrets_in_files).is_empty()
        );
    }

    #[test]
    fn what_is_deployed_without_git_is_a_warning_and_what_cannot_be_read_too() {
        let text = "option_settings:\n  - option_name: TOKEN\n    value: something-real\n";
        let fixture = Fixture::new(MANIFEST).untracked(".ebextensions/a.config", text);
        assert_eq!(fixture.check(super::secrets_in_files)[0].severity, crate::doctor::Severity::Warning);
        assert_eq!(found("compose.yml", "a: [\n"), ["unreadable-file compose.yml:1"]);
    }
}
