//! Folders that cannot be written, folders that are files, no terminal.

use super::vaults::Project;
use crate::support::env::{Output, STRONGROOM, TestEnv};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;

const NOBODY: u32 = 65_534;

/// Runs the binary as somebody for whom modes mean something: root may write everywhere.
fn run_unprivileged(env: &TestEnv, words: &str, stdin: &str) -> Output {
    if !rustix::process::geteuid().is_root() {
        return env.run_with_stdin(words, stdin);
    }
    let binary = env.root().join("strongroom");
    if !binary.exists() {
        env.copy_binary(&binary);
    }
    give_away(&env.root());
    let mut command = env.command(&binary);
    command.args(words.split_whitespace()).uid(NOBODY).gid(NOBODY);
    env.finish(command, stdin.as_bytes())
}

fn give_away(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path());
        }
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_vault_folder_that_cannot_be_written_is_exit_5_and_nothing_is_left_to_resume() {
    let project = Project::new();
    let (folder, before) = (project.env.path(".strongroom"), fs::read(project.path()).unwrap());
    set_mode(&folder, 0o500);
    for words in ["--yes set TOKEN", "--yes delete TOKEN"] {
        let stderr = run_unprivileged(&project.env, words, "new").failure(5);
        assert!(stderr.contains("nothing was changed") && stderr.contains("local.age"), "{stderr}");
    }
    let read = run_unprivileged(&project.env, "get TOKEN", "").success();
    assert_eq!(read, "the value", "reading needs no right to write");
    let listed = run_unprivileged(&project.env, "operations", "").success();
    assert!(listed.contains("changed nothing") && !listed.contains("unfinished"), "{listed}");
    set_mode(&folder, 0o700);
    assert_eq!(fs::read(project.path()).unwrap(), before);
}

#[test]
fn a_state_folder_that_cannot_be_written_is_exit_5_and_the_vault_is_untouched() {
    let project = Project::new();
    let before = fs::read(project.path()).unwrap();
    let state = project.env.state("demo/local");
    set_mode(&state, 0o500);
    let stderr = run_unprivileged(&project.env, "--yes set TOKEN", "new").failure(5);
    assert!(stderr.contains("journal") && stderr.contains("demo/local"), "{stderr}");
    set_mode(&state, 0o700);
    assert_eq!(fs::read(project.path()).unwrap(), before);
}

#[test]
fn a_file_where_a_folder_has_to_be_is_named() {
    let project = Project::new();
    fs::remove_dir_all(project.env.path(".strongroom")).unwrap();
    project.env.write(".strongroom", "a file");
    let stderr = project.env.run_with_stdin("--yes set TOKEN", "new").failure(1);
    assert!(stderr.contains(".strongroom"), "{stderr}");
    assert_eq!(project.env.read(".strongroom"), "a file");

    let project = Project::new();
    fs::remove_dir_all(project.env.state("")).unwrap();
    fs::write(project.env.root().join("state/strongroom"), "a file").unwrap();
    let before = fs::read(project.path()).unwrap();
    let stderr = project.env.run_with_stdin("--yes set TOKEN", "new").failure(1);
    assert!(stderr.contains("state/strongroom"), "{stderr}");
    assert_eq!(fs::read(project.path()).unwrap(), before);
}

/// `setsid` takes the terminal away, so that there is nobody to ask even where the tests have one.
#[test]
fn without_a_terminal_what_would_be_asked_is_a_usage_error() {
    let project = Project::new();
    let before = fs::read(project.path()).unwrap();
    for words in ["set TOKEN", "delete TOKEN", "undo"] {
        let mut command = project.env.command("setsid");
        command.args(["--wait", STRONGROOM]).args(words.split_whitespace());
        let stderr = project.env.finish(command, b"new").failure(2);
        assert!(stderr.contains("--yes"), "{stderr}");
    }
    assert_eq!(fs::read(project.path()).unwrap(), before);
}

#[test]
fn a_manifest_that_cannot_be_read_is_exit_4() {
    let project = Project::new();
    fs::remove_file(project.env.path("strongroom.toml")).unwrap();
    fs::create_dir(project.env.path("strongroom.toml")).unwrap();
    assert!(project.env.run("list").failure(4).contains("strongroom.toml"));
}
