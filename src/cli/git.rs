//! Whether git would take a file into its history, asked of the real program.
//!
//! It only asks. Where git is not installed, or the folder is no repository, there is nothing to say.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// What git makes of a file that holds secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tracking {
    /// It is in the index: the next commit has it.
    Tracked,
    /// Nothing ignores it: `git add .` would take it.
    NotIgnored,
}

/// Whether git has the file, or would take it; nothing where all is well, or there is no git.
pub(super) fn tracking(file: &Path) -> Option<Tracking> {
    let folder = fs::canonicalize(crate::durable::folder_of(file)).ok()?;
    let name = file.file_name()?;
    folder.ancestors().find(|folder| folder.join(".git").exists())?;
    let git = |words: &[&str]| {
        // The project's own settings may name programs for git to run; none is wanted here.
        let mut command = Command::new("git");
        command.args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]);
        command.env("GIT_OPTIONAL_LOCKS", "0").env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
        command.current_dir(&folder).args(words).arg("--").arg(name);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().ok()?.code()
    };
    match git(&["check-ignore", "--quiet"])? {
        1 if git(&["ls-files", "--error-unmatch"]) == Some(0) => Some(Tracking::Tracked),
        1 => Some(Tracking::NotIgnored),
        _ => None,
    }
}
