//! Files of variables: who may read them, and whether git would take them.

use super::Project;
use super::finding::Finding;
use super::settings::settings;
use crate::manifest::classify::classify;

/// A file of variables on the disk, and what was found out about it.
#[derive(Debug, Clone)]
pub struct EnvFile {
    /// Its path, from the manifest's folder on.
    pub path: String,
    /// Its permissions.
    pub mode: u32,
    /// What the manifest lets a target have there, where it is rendered.
    pub allowed: Option<u32>,
    /// What to do against git taking it, where it would or has.
    pub advice: Option<String>,
}

/// Whether a path is that of a file of variables.
pub fn is_env_file(path: &str) -> bool {
    super::tree::is_env(path)
}

/// Files that others on the machine can read, or that the next `git add .` takes.
pub(super) fn exposed_files(project: &Project<'_>) -> Vec<Finding> {
    let files =
        project.env_files.iter().filter(|file| file.allowed.is_some() || holds_secrets(project, file));
    files.flat_map(|file| of_git(file).into_iter().chain(of_mode(file))).collect()
}

/// A file of plain settings may be committed.
fn holds_secrets(project: &Project<'_>, file: &EnvFile) -> bool {
    let settings = project.tree.file(&file.path).map(settings).and_then(Result::ok).unwrap_or_default();
    settings.iter().any(|setting| classify(&setting.key, &setting.value).secret)
}

fn of_git(file: &EnvFile) -> Option<Finding> {
    let advice = file.advice.clone()?;
    let finding = Finding::problem("env-file-in-git", format!("{} is not kept out of git", file.path))
        .why("rendered secrets would be in the repository's history for good");
    Some(finding.fix(advice).file(&file.path))
}

fn of_mode(file: &EnvFile) -> Option<Finding> {
    let allowed = file.allowed.unwrap_or(0o600);
    let wider = file.mode & 0o777 & !allowed;
    let finding = Finding::warning(
        "env-file-mode",
        format!("{} has mode {:04o}, wider than {allowed:04o}", file.path, file.mode & 0o777),
    );
    let finding = finding.why("everybody with an account on the machine may read it");
    (wider & 0o077 != 0).then(|| finding.fix(format!("`chmod {allowed:o} {}`", file.path)).file(&file.path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::fixture::{Fixture, places};

    #[test]
    fn a_file_of_variables_is_private_and_not_gits() {
        let file = |mode, allowed, advice: Option<&str>| EnvFile {
            path: ".env".to_owned(),
            mode,
            allowed,
            advice: advice.map(str::to_owned),
        };
        let found = |file, text| {
            let fixture = Fixture::new("A = {}\n").untracked(".env", text).env_file(file);
            places(&fixture.check(exposed_files))
        };
        let secret = "TOKEN=x7Kp2mQ9\n";
        assert_eq!(found(file(0o100_600, None, None), secret), Vec::<String>::new());
        assert_eq!(found(file(0o100_644, None, None), secret), ["env-file-mode .env"]);
        assert_eq!(found(file(0o100_640, Some(0o640), None), secret), Vec::<String>::new());
        assert_eq!(found(file(0o100_600, None, Some("do")), secret), ["env-file-in-git .env"]);
        assert_eq!(found(file(0o100_600, Some(0o600), Some("do")), ""), ["env-file-in-git .env"]);
        assert_eq!(found(file(0o100_644, None, Some("do")), "DEBUG=1\n"), Vec::<String>::new());
    }
}
