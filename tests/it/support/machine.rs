//! Programs and libraries that only an administrator can install: used where they are there, named where they are not.
//!
//! A test that gets `None` returns early, and nothing is skipped silently: the absence is written to the terminal at
//! once (past libtest, which captures only what goes through the print macros), left in [`RECORD`] for the test target
//! `unproven` to name in the run's last lines, and with `CI=true` it is a failure. It never installs anything.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// One file for each absent program, with the line that tests/unproven.rs prints.
const RECORD: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/unproven");

/// The program of that name on PATH, or where Debian keeps a server's programs; `None` where nobody installed it.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(newest_first("/usr/lib/postgresql", "").into_iter().map(|folder| folder.join("bin")));
    let found = folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file());
    noted(name, package(name), found)
}

/// systemd's shared library, which holds the parser of `EnvironmentFile=`.
pub(crate) fn systemd_library() -> Option<PathBuf> {
    let multiarch = format!("/usr/lib/{}-linux-gnu/systemd", std::env::consts::ARCH);
    let found = [multiarch.as_str(), "/usr/lib/systemd", "/usr/lib64/systemd"]
        .into_iter()
        .find_map(|folder| newest_first(folder, "libsystemd-shared-").into_iter().next());
    noted("libsystemd-shared", "libsystemd-shared", found)
}

/// Debian's package of a program.
fn package(program: &str) -> &str {
    match program {
        "docker" => "docker.io",
        "ssh-keygen" => "openssh-client",
        "psql" | "initdb" | "postgres" | "pg_ctl" => "postgresql",
        other => other,
    }
}

fn newest_first(folder: &str, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found.reverse();
    found
}

fn noted(name: &str, package: &str, found: Option<PathBuf>) -> Option<PathBuf> {
    static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let record = Path::new(RECORD).join(name);
    if found.is_some() {
        let _ = std::fs::remove_file(record);
        return found;
    }
    let line = match absence(name, package, std::env::var("CI").as_deref() == Ok("true")) {
        Ok(line) => line,
        Err(line) => panic!("{line}"),
    };
    if TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned()) {
        std::fs::create_dir_all(RECORD).unwrap();
        std::fs::write(record, &line).unwrap();
        let _ = writeln!(std::io::stderr(), "{line}");
    }
    None
}

/// What is said of an absent program: a remark on somebody's own machine, an error where everything has to be shown.
fn absence(name: &str, package: &str, in_ci: bool) -> Result<String, String> {
    let line =
        format!("{name} is not on this machine (Debian's package {package}): what it proves was not shown");
    if in_ci { Err(format!("{line}; `.ci/run` installs it")) } else { Ok(line) }
}

#[test]
fn an_absent_program_is_a_remark_and_in_ci_an_error() {
    assert!(absence("age", "age", false).unwrap().starts_with("age is not on this machine"));
    absence("age", "age", true).unwrap_err();
    assert!(program("sh").is_some());
}
