//! The variables that a file gives a value by itself, in each format that reaches an app: names, values and lines.
//!
//! A value that only refers to another (`${NAME}`) is none.

use super::options;
use super::tree::File;
use super::yaml::{self, Node};
use crate::name::Key;
use crate::secret::Secret;

/// A variable that a file sets.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) key: Key,
    pub(super) value: Secret,
    pub(super) line: usize,
}

/// The variables that a file sets; the line of what is wrong with it where nobody could read it.
pub(super) fn settings(file: &File) -> Result<Vec<Setting>, usize> {
    if file.is_ebextension() {
        return yaml::read(&file.text).map(|root| of_ebextension(&root));
    }
    if file.is_compose() {
        return yaml::read(&file.text).map(|root| of_compose(&root));
    }
    if file.is_dockerrun() {
        return yaml::read(&file.text).map(|root| of_dockerrun(&root));
    }
    Ok(match () {
        () if file.is_env() => of_env(file),
        () if file.name().ends_with(".py") => of_python(file),
        () => Vec::new(),
    })
}

fn setting(name: &str, value: &str, line: usize) -> Option<Setting> {
    let key = Key::parse(name.trim()).ok()?;
    let value = Secret::new(value.to_owned()).ok()?;
    let refers = ["${", "$(", "{{", "`{"].iter().any(|mark| value.expose().contains(mark));
    (!refers && !value.is_empty()).then_some(Setting { key, value, line })
}

/// The properties among the options.
fn of_ebextension(root: &Node) -> Vec<Setting> {
    let set = options::properties(root);
    set.iter().filter_map(|option| setting(option.name, option.value.text()?, option.value.line)).collect()
}

/// What services get by `environment`, as a map or as a list.
fn of_compose(root: &Node) -> Vec<Setting> {
    let services = root.get("services").into_iter().flat_map(Node::entries);
    let environments = services.filter_map(|(_, service)| service.get("environment"));
    environments
        .flat_map(|environment| {
            let mapped = environment
                .entries()
                .iter()
                .filter_map(|(name, value)| setting(name, value.text()?, value.line));
            let listed = environment.items().iter().filter_map(|item| {
                let (name, value) = item.text()?.split_once('=')?;
                setting(name, value, item.line)
            });
            mapped.chain(listed).collect::<Vec<_>>()
        })
        .collect()
}

/// What containers get by `environment`.
fn of_dockerrun(root: &Node) -> Vec<Setting> {
    let containers = root.get("containerDefinitions").into_iter().flat_map(Node::items);
    let variables = containers.filter_map(|container| container.get("environment")).flat_map(Node::items);
    variables
        .filter_map(|variable| {
            let value = variable.get("value")?;
            setting(variable.get("name")?.text()?, value.text()?, value.line)
        })
        .collect()
}

/// Lines of a file of variables, near enough: how each consumer reads it is not asked here.
fn of_env(file: &File) -> Vec<Setting> {
    let settings =
        assignments(file).filter_map(|(number, name, value)| setting(name, unquoted(value), number));
    settings.collect()
}

/// Lines of a file of variables that give one a value: where, which, and what.
pub(crate) fn assignments(file: &File) -> impl Iterator<Item = (usize, &str, &str)> {
    file.code().filter_map(|(number, line)| {
        let line = line.trim();
        let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        Some((number, name.trim(), value.trim()))
    })
}

fn unquoted(value: &str) -> &str {
    let within = |quote| value.strip_prefix(quote).and_then(|rest| rest.split(quote).next());
    within('"').or_else(|| within('\'')).unwrap_or(value)
}

/// `NAME = "text"`, and what a variable falls back to: `environ.get("NAME", "text")`, `env("NAME", default="text")`.
fn of_python(file: &File) -> Vec<Setting> {
    let lines = file.code().flat_map(|(number, line)| {
        let assigned = line.split_once('=').and_then(|(name, value)| {
            let name = name.split(':').next().unwrap_or(name);
            setting(name, python_text(value)?, number)
        });
        assigned.into_iter().chain(fallback(line, number)).collect::<Vec<_>>()
    });
    lines.collect()
}

/// The text that a piece of Python begins with.
fn python_text(code: &str) -> Option<&str> {
    let code = code.trim_start();
    let quote = code.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
    code[1..].split(quote).next()
}

fn fallback(line: &str, number: usize) -> Option<Setting> {
    let (_, call) = line.split_once('(')?;
    let name = python_text(call)?;
    let rest = call.trim_start().get(name.len() + 2..)?.trim_start().strip_prefix(',')?.trim_start();
    let rest = rest.strip_prefix("default").map_or(rest, |rest| rest.trim_start().trim_start_matches('='));
    setting(name, python_text(rest)?, number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn told(path: &str, text: &str) -> Vec<String> {
        let text = Zeroizing::new(text.to_owned());
        let file = File { path: path.to_owned(), text, mode: 0o644, tracked: true };
        let found = settings(&file).unwrap();
        found
            .iter()
            .map(|setting| format!("{} {}={}", setting.line, setting.key, setting.value.expose()))
            .collect()
    }

    #[test]
    fn options_of_ebextensions_are_read_as_a_list_and_as_a_map() {
        let list = "option_settings:\n  - namespace: aws:elasticbeanstalk:application:environment\n    \
                    option_name: A\n    value: one\n  - option_name: B\n    value: two\n  \
                    - namespace: aws:autoscaling:asg\n    option_name: MinSize\n    value: 1\n";
        assert_eq!(told(".ebextensions/x.config", list), ["4 A=one", "6 B=two"]);
        let map = "option_settings:\n  aws:elasticbeanstalk:application:environment:\n    A: one\n    B: ${X}\n  \
                   aws:autoscaling:asg:\n    MinSize: 1\n";
        assert_eq!(told(".ebextensions/x.config", map), ["3 A=one"]);
        assert_eq!(told("other.config", map), Vec::<String>::new());
    }

    #[test]
    fn environments_of_services_and_containers_are_read() {
        let compose = "services:\n  web:\n    environment:\n      A: one\n      B: ${B}\n  db:\n    \
                       environment: [\"C=three\", D]\n";
        assert_eq!(told("docker-compose.yml", compose), ["4 A=one", "7 C=three"]);
        assert_eq!(told("sub/compose.override.yaml", compose), ["4 A=one", "7 C=three"]);
        let dockerrun =
            "{\"containerDefinitions\": [{\"environment\": [\n{\"name\": \"A\", \"value\": \"one\"}]}]}";
        assert_eq!(told("Dockerrun.aws.json", dockerrun), ["2 A=one"]);
    }

    #[test]
    fn python_is_read_for_what_it_assigns_and_falls_back_to() {
        let text = "# A = \"no\"\nA = \"one\"\nB: str = 'two'\nC = os.environ[\"C\"]\n\
                    D = os.environ.get(\"D\", \"four\")\nE = env.str('E', default='five')\nF = env(\"F\")\n";
        assert_eq!(told("app/settings.py", text), ["2 A=one", "3 B=two", "5 D=four", "6 E=five"]);
    }

    #[test]
    fn files_of_variables_are_read_with_and_without_quotes() {
        assert_eq!(
            told(".env", "export A=\"one\" # x\n#B=2\nC='three'\nD=four\nE=\n"),
            ["1 A=one", "3 C=three", "4 D=four"]
        );
        assert_eq!(told(".envs/.production/.django", "A=1\n"), ["1 A=1"]);
        assert_eq!(told(".env.example", "A=1\n"), Vec::<String>::new());
    }
}
