//! bash and dash: `set -a; . FILE`, and the environment of the next program.

use super::{Folder, Reading};
use crate::support::program;

const SCRIPT: &str = r#"for file do (set -a; . "$file"; /usr/bin/env -0 >"$file.out") 2>"$file.err" || echo "status $?" >>"$file.err"; done"#;

pub(super) fn bash(folder: &Folder) -> Option<Vec<Reading>> {
    read("bash", folder)
}

pub(super) fn dash(folder: &Folder) -> Option<Vec<Reading>> {
    read("dash", folder)
}

fn read(shell: &str, folder: &Folder) -> Option<Vec<Reading>> {
    let shell = program(shell)?;
    Some(folder.readings_of(folder.command(shell).args(["-c", SCRIPT, "shell"])))
}
