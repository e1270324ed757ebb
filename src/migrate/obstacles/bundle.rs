//! What a bundle takes along and should not, and whether there is a bundle to look at.

use super::Deployment;
use crate::doctor::compose::{MAIN, env_files};
use crate::doctor::settings::assignments;
use crate::doctor::{File, Finding, Severity, Tree, yaml};

/// A folder with nothing of a deployment in it says nothing about one.
pub(super) fn nothing_to_look_at(deployment: &Deployment<'_>) -> Vec<Finding> {
    let deploys = |file: &File| {
        let of_container = file.is_compose() || file.is_dockerrun() || file.name() == "Dockerfile";
        file.is_ebextension() || file.is_hook() || of_container || file.name() == "Procfile"
    };
    // ECS has a finding of its own, which names the file.
    if deployment.platform.ecs || deployment.tree.files.iter().any(deploys) {
        return Vec::new();
    }
    let finding = Finding::warning("bundle-not-seen", "no file of a deployment is in this folder")
        .why(
            "scripts that make `.env`, .ebextensions that set a value, and Compose files that hide one could not be looked \
             for",
        )
        .fix("run it where the app's files are: the manifest belongs beside them");
    vec![finding]
}

/// Files of variables that would come with the bundle, on Docker, where `.env` is what containers read.
pub(super) fn env_files_that_are_shipped(deployment: &Deployment<'_>) -> Vec<Finding> {
    if !deployment.platform.docker {
        return Vec::new();
    }
    let own = deployment.tree.files.iter().find(|file| file.path == ".env");
    let own = own.and_then(|file| {
        let (severity, fix) = shipped(deployment.tree, file)?;
        let finding = Finding::new("env-in-bundle", severity, "a `.env` would be deployed with the app").why(
            "Beanstalk writes no `.env` where the bundle has one: the containers would get what stands there, and never \
             what the references mean",
        );
        Some(finding.fix(fix).file(&file.path))
    });
    let others = read_by_services(deployment.tree).into_iter().filter_map(|file| hides(deployment, file));
    own.into_iter().chain(others).collect()
}

/// The files beside `.env` that a service of the Compose file reads.
fn read_by_services(tree: &Tree) -> Vec<&File> {
    let composes = tree.files.iter().filter(|file| MAIN.contains(&file.path.as_str()));
    let mut paths: Vec<String> = Vec::new();
    for root in composes.filter_map(|file| yaml::read(&file.text).ok()) {
        let services = root.get("services").into_iter().flat_map(yaml::Node::entries);
        paths.extend(services.flat_map(|(_, service)| env_files(service)).map(str::to_owned));
    }
    let read = |file: &&File| file.path != ".env" && paths.contains(&file.path);
    tree.files.iter().filter(read).collect()
}

fn hides(deployment: &Deployment<'_>, file: &File) -> Option<Finding> {
    let (line, name, _) = assignments(file).find(|(_, name, _)| deployment.moving.contains(*name))?;
    let (severity, fix) = shipped(deployment.tree, file)?;
    let what = format!("it sets {name}, services read it, and it would be deployed with the app");
    let finding = Finding::new("hidden-by-env-file", severity, what).why(
        "which of two `env_file`s a container believes is decided by their order, and the one that is deployed holds the \
         old value",
    );
    Some(finding.fix(fix).line(&file.path, line))
}

/// How bad it is that a file goes with the bundle, and what keeps it out; nothing where it does not go.
fn shipped(tree: &Tree, file: &File) -> Option<(Severity, String)> {
    let ignore = tree.files.iter().find(|file| file.is_ebignore());
    let left_out = ignore.is_some_and(|ignore| leaves_out(ignore, &file.path));
    let path = &file.path;
    Some(match (left_out, file.tracked, ignore) {
        (true, ..) => return None,
        (false, true, _) => (
            Severity::Problem,
            format!(
                "`git rm --cached {path}`, name it in .gitignore, and deploy that version before you migrate"
            ),
        ),
        (false, false, Some(_)) => (
            Severity::Problem,
            format!("name {path} in .ebignore: where that file is, `eb` does not look into .gitignore"),
        ),
        (false, false, None) => (
            Severity::Warning,
            format!(
                "`eb deploy` leaves out what git ignores; leave {path} out of a bundle that you make by hand too \
                 (`zip -x {path}`)"
            ),
        ),
    })
}

/// Whether a file of patterns as git has them names a path. The last pattern that fits decides.
fn leaves_out(ignore: &File, path: &str) -> bool {
    let mut out = false;
    for (_, line) in ignore.code() {
        let line = line.trim_end();
        let (negated, pattern) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
        let folder = pattern.strip_suffix('/');
        let pattern = folder.unwrap_or(pattern);
        if pattern.is_empty() {
            continue;
        }
        let anchored = pattern.contains('/');
        let pattern = pattern.trim_start_matches('/');
        let ends = path.match_indices('/').map(|(at, _)| (at, true)).chain([(path.len(), false)]);
        let hit = ends.filter(|(_, is_folder)| folder.is_none() || *is_folder).any(|(end, _)| {
            let whole = &path[..end];
            let name = whole.rsplit('/').next().unwrap_or(whole);
            fits(pattern.as_bytes(), if anchored { whole } else { name }.as_bytes())
        });
        if hit {
            out = !negated;
        }
    }
    out
}

/// `*` is anything within a folder, `**` across folders, `?` one character.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', b'*', b'/', rest @ ..] if fits(rest, text) => true,
        [b'*', b'*', rest @ ..] => (0..=text.len()).any(|at| fits(rest, &text[at..])),
        [b'*', rest @ ..] => {
            let within = text.iter().position(|byte| *byte == b'/').unwrap_or(text.len());
            (0..=within).any(|at| fits(rest, &text[at..]))
        }
        [first, rest @ ..] => match text {
            [byte, behind @ ..] => (*first == b'?' && *byte != b'/' || first == byte) && fits(rest, behind),
            [] => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    #[test]
    fn patterns_are_read_as_git_reads_them() {
        for (patterns, path, out) in [
            (".env\n", ".env", true),
            ("/.env", ".env", true),
            ("**/.env", "app/.env", true),
            ("**/.env", ".env", true),
            (".env*", ".env.xero", true),
            ("*\n!.env\n", ".env", false),
            ("# .env\n\n", ".env", false),
            (".envs/", ".envs/.production/.django", true),
            (".envs/*/.django", ".envs/.production/.django", true),
            (".env/", ".env", false),
            ("env", ".env", false),
            ("?env", ".env", true),
            ("/sub/.env", ".env", false),
        ] {
            let text = Zeroizing::new(patterns.to_owned());
            let ignore = File { path: ".ebignore".to_owned(), text, mode: 0o644, tracked: true };
            assert_eq!(leaves_out(&ignore, path), out, "{patterns:?} {path}");
        }
    }
}
