//! Whether git would take a file into its history, asked of the real program, and what to do about it.
//!
//! It only asks. Where git is not installed, or the folder is no repository, there is nothing to say.

use crate::durable::folder_of;
use crate::init::ignore;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file that holds secrets, and that git has or would take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exposed {
    /// It is in the index: the next commit has it. Else `git add .` would take it.
    pub(super) tracked: bool,
    /// Whether a pattern keeps it out, were it not tracked.
    ignored: bool,
    /// The file, without links on the way.
    file: PathBuf,
    repository: PathBuf,
}

impl Exposed {
    /// Nothing where all is well, or there is no git. The file and its folders need not be there yet.
    pub(super) fn of(file: &Path) -> Option<Exposed> {
        let there = folder_of(file).ancestors().map(named).find(|folder| folder.exists())?;
        let folder = fs::canonicalize(there).ok()?;
        let below = file.strip_prefix(there).unwrap_or(file);
        let repository = repository(&folder)?.to_owned();
        let git = |words: &[&str]| {
            let mut command = program(&folder);
            command.args(words).arg("--").arg(below).stdout(Stdio::null());
            command.status().ok()?.code()
        };
        let ignored = match git(&["check-ignore", "--quiet", "--no-index"])? {
            0 => true,
            1 => false,
            _ => return None,
        };
        let tracked = git(&["ls-files", "--error-unmatch"]) == Some(0);
        let exposed = Exposed { tracked, ignored, file: folder.join(below), repository };
        (tracked || !ignored).then_some(exposed)
    }

    /// What is wrong and what to do, of the file as it is called from here. The line that keeps it out is for the
    /// .gitignore in the project's folder, or the repository's where the file is not in the project; without a project,
    /// somebody else writes it.
    pub(super) fn advice(&self, file: &Path, project: Option<&Path>) -> String {
        let line = project.filter(|_| !self.ignored).map(|project| self.line(project));
        let file = file.display();
        match (self.tracked, line) {
            (false, line) => {
                let line = line.map(|line| format!("; {line}")).unwrap_or_default();
                format!("git does not ignore {file}, which holds secrets{line}")
            }
            (true, line) => {
                let line = line.map(|line| format!(" and {line}")).unwrap_or_default();
                format!(
                    "git tracks {file}, which holds secrets; run `git rm --cached {file}`{line}; \
                     the secrets that were committed are in git's history and stay there: give them new values"
                )
            }
        }
    }

    fn line(&self, project: &Path) -> String {
        let folder = named(project);
        let absolute = fs::canonicalize(folder).unwrap_or_default();
        let (shown, inside) = match self.file.strip_prefix(&absolute) {
            Ok(inside) if absolute.starts_with(&self.repository) => (folder, inside),
            _ => (self.repository.as_path(), self.file.strip_prefix(&self.repository).unwrap_or(&self.file)),
        };
        let gitignore = match shown.to_str() {
            Some(".") => PathBuf::from(".gitignore"),
            _ => shown.join(".gitignore"),
        };
        let pattern = ignore::pattern(&inside.to_string_lossy());
        format!("add this line to {}: {pattern}", gitignore.display())
    }
}

/// What git has of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Index {
    /// The folder is in no repository.
    NoRepository,
    /// There is a repository, and no git that would tell.
    Unknown,
    /// The files below the folder, from it on.
    Files(Vec<String>),
}

/// The files below a folder that the next commit would have.
pub(super) fn index(folder: &Path) -> Index {
    let Ok(folder) = fs::canonicalize(named(folder)) else { return Index::NoRepository };
    if repository(&folder).is_none() {
        return Index::NoRepository;
    }
    match program(&folder).args(["ls-files", "-z"]).output() {
        Ok(output) if output.status.success() => {
            let names = output.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
            Index::Files(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
        }
        Ok(_) | Err(_) => Index::Unknown,
    }
}

fn repository(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|folder| folder.join(".git").exists())
}

/// Git in a folder. The project's own settings may name programs for git to run; none is wanted here.
fn program(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]);
    command.env("GIT_OPTIONAL_LOCKS", "0").env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
    command.current_dir(folder).stdin(Stdio::null()).stderr(Stdio::null());
    command
}

fn named(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}
