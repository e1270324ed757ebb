//! The Python libraries: python-dotenv and django-environ, current and oldest.

use super::{Folder, Reading};
use crate::support::provision;

const SCRIPT: &str = include_str!("python.py");

pub(super) fn dotenv_values(folder: &Folder) -> Option<Vec<Reading>> {
    current("dotenv_values", folder)
}

pub(super) fn load_dotenv(folder: &Folder) -> Option<Vec<Reading>> {
    current("load_dotenv", folder)
}

pub(super) fn old_dotenv_values(folder: &Folder) -> Option<Vec<Reading>> {
    old("dotenv_values", folder)
}

/// django-environ's file reader alone: what `os.environ` has afterwards.
pub(super) fn read_env(folder: &Folder) -> Option<Vec<Reading>> {
    current("read_env", folder)
}

/// What an application gets from `env("NAME")`, which takes a leading `$` for the name of another variable.
pub(super) fn env(folder: &Folder) -> Option<Vec<Reading>> {
    current("env", folder)
}

pub(super) fn old_env(folder: &Folder) -> Option<Vec<Reading>> {
    old("env", folder)
}

fn current(reader: &str, folder: &Folder) -> Option<Vec<Reading>> {
    let mut command = folder.command(provision::python());
    Some(folder.readings_of(command.args(["-c", SCRIPT, reader])))
}

/// PYTHONPATH goes before the interpreter's own packages, so the old ones are found first.
fn old(reader: &str, folder: &Folder) -> Option<Vec<Reading>> {
    let mut command = folder.command(provision::python());
    command.env("PYTHONPATH", provision::old_python_packages());
    Some(folder.readings_of(command.args(["-c", SCRIPT, reader])))
}
