//! `init`: what a new project has, in an empty folder and from .env files, and what happens when it is cut short.

use crate::support::env::TestEnv;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn mode(path: impl AsRef<Path>) -> u32 {
    path.as_ref().metadata().unwrap().permissions().mode() & 0o777
}

/// A manifest without what differs from run to run.
fn manifest(env: &TestEnv) -> String {
    let text = env.read("strongroom.toml");
    let recipient =
        |line: &str| if line.contains("age1") { "    \"age1…\",".to_owned() } else { line.to_owned() };
    text.lines().map(recipient).collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn an_empty_folder_becomes_an_empty_project() {
    let env = TestEnv::new();
    let _ = env.run("init --yes --non-interactive").success();
    insta::assert_snapshot!(manifest(&env));
    assert_eq!((mode(env.config("identity.txt")), mode(env.config(""))), (0o600, 0o700));
    let identity = fs::read_to_string(env.config("identity.txt")).unwrap();
    let public = identity.lines().next().unwrap().trim_start_matches("# public key: ");
    assert!(env.read("strongroom.toml").contains(public), "{public}");
    assert!(env.read(".gitignore").contains("\n/.env\n*.strongroom-tmp\n"));
    assert!(!env.path(".strongroom").exists());
    let _ = env.run("list").success();
}

#[test]
fn a_second_run_finds_nothing_to_do_and_a_changed_manifest_is_not_touched() {
    let env = TestEnv::new();
    let _ = env.run("init --yes").success();
    let before =
        (env.read("strongroom.toml"), env.read(".gitignore"), fs::read(env.config("identity.txt")).unwrap());
    let _ = env.run("init --yes").success();
    assert_eq!(
        before,
        (env.read("strongroom.toml"), env.read(".gitignore"), fs::read(env.config("identity.txt")).unwrap())
    );
    env.write("strongroom.toml", format!("{}# mine\n", before.0));
    let stderr = env.run("init --yes").failure(2);
    assert!(stderr.starts_with("error: there is a manifest already: strongroom.toml\n  hint: "), "{stderr}");
    assert!(env.read("strongroom.toml").ends_with("# mine\n"));
}

#[test]
fn without_yes_and_without_a_terminal_nothing_is_written() {
    let env = TestEnv::new();
    assert!(env.run("init").failure(2).contains("--yes"));
    let stdout = env.run("init --dry-run").success();
    assert!(stdout.contains("[groups.app.keys]"), "{stdout}");
    assert_eq!(fs::read_dir(env.path("")).unwrap().count(), 0);
    assert!(!env.config("").exists());
}
