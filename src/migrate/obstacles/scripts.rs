//! Scripts of a deployment that ask `get-config environment`, which never tells a reference.

use super::Deployment;
use crate::doctor::comes_back::list;
use crate::doctor::get_config::{makes_env, questions};
use crate::doctor::{File, Finding, Severity};

const WHY: &str =
    "`get-config environment` leaves out what Beanstalk resolves by reference (AWS's own word on it)";

/// One finding for each script: that it makes `.env`, or that it asks at all.
pub(super) fn that_ask_get_config(deployment: &Deployment<'_>) -> Vec<Finding> {
    let scripts = deployment.tree.files.iter().filter(|file| file.is_script());
    scripts.filter_map(|file| of_script(deployment, file)).collect()
}

fn of_script(deployment: &Deployment<'_>, file: &File) -> Option<Finding> {
    // Who asks for one variable by name is not in the way of the others.
    let mut asked = questions(file)
        .filter(|question| question.name.as_ref().is_none_or(|name| deployment.moving.contains(name)));
    let question = asked.next()?;
    let finding = match (&question.name, makes_env(file)) {
        (_, true) => env_without_references(deployment, file),
        (Some(name), false) => Finding::problem(
            "reads-get-config",
            format!("it asks `get-config environment` for {name}, which becomes a reference"),
        )
        .why(format!("{WHY}: the script would get nothing"))
        .fix(format!(
            "read `${name}` instead: container_commands and the hooks in .platform have it in their environment; then deploy that version"
        )),
        (None, false) => Finding::new(
            "reads-get-config",
            Severity::Warning,
            "it reads the properties with `get-config environment`",
        )
        .why(format!("{WHY}: what becomes one is not among them"))
        .fix(
            "see that it needs none of them; container_commands and the hooks in .platform have every variable in their environment",
        ),
    };
    Some(finding.line(&file.path, question.line))
}

fn env_without_references(deployment: &Deployment<'_>, file: &File) -> Finding {
    let by_itself = match (deployment.platform.docker, deployment.platform.ecs) {
        (true, _) => {
            "Beanstalk writes `.env` itself where the bundle has none, references among it; where values have quotes, line \
             ends or `$`, `strongroom hooks --write` makes a hook that writes them as they are"
        }
        (_, true) => "Beanstalk gives every variable to the containers by itself",
        _ => "the app has every variable in its environment",
    };
    let part = match file.is_ebextension() {
        true => {
            format!("delete {} (or that part of it) and deploy that version before you migrate", file.path)
        }
        false => format!("take that out of {} and deploy that version before you migrate", file.path),
    };
    Finding::problem("env-from-get-config", "it makes `.env` from `get-config environment`")
        .why(format!("{WHY}: the containers would start without {}", names(deployment)))
        .fix(format!("{part}: {by_itself}"))
}

fn names(deployment: &Deployment<'_>) -> String {
    list(deployment.moving.iter().map(String::as_str))
}
