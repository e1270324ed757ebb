//! Node: npm's dotenv, and what Node reads by itself.

use super::{Folder, Reading, reading_beside};
use crate::support::provision;
use std::path::Path;

const SCRIPT: &str = include_str!("node.js");

pub(super) fn dotenv_16(folder: &Folder) -> Option<Vec<Reading>> {
    npm("dotenv16", folder)
}

pub(super) fn dotenv_17(folder: &Folder) -> Option<Vec<Reading>> {
    npm("dotenv17", folder)
}

pub(super) fn dotenv_18(folder: &Folder) -> Option<Vec<Reading>> {
    npm("dotenv18", folder)
}

/// `process.loadEnvFile`, the same code as `--env-file`, many files in one process.
pub(super) fn load_env_file(folder: &Folder) -> Option<Vec<Reading>> {
    scripted(&provision::node(), "loadEnvFile", folder)
}

pub(super) fn old_load_env_file(folder: &Folder) -> Option<Vec<Reading>> {
    scripted(&provision::old_node(), "loadEnvFile", folder)
}

/// The option itself, as people start their programs.
pub(super) fn env_file(folder: &Folder) -> Option<Vec<Reading>> {
    let read = |file: std::path::PathBuf| {
        let mut option = std::ffi::OsString::from("--env-file=");
        option.push(&file);
        let mut command = folder.command(provision::node());
        let output = command.arg(option).args(["-e", SCRIPT, "environment"]).arg(&file).output().unwrap();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        reading_beside(&file)
    };
    Some(folder.files().into_iter().map(read).collect())
}

fn npm(package: &str, folder: &Folder) -> Option<Vec<Reading>> {
    let package = provision::npm_dotenv().join("node_modules").join(package);
    scripted(&provision::node(), package.to_str().unwrap(), folder)
}

fn scripted(node: &Path, reader: &str, folder: &Folder) -> Option<Vec<Reading>> {
    Some(folder.readings_of(folder.command(node).args(["-e", SCRIPT, reader])))
}
