//! docs/recovery.md, run as it is written: what is sealed opens without strongroom.

use crate::support::env::TestEnv;
use crate::support::machine::program;
use std::fs;
use std::os::unix::fs::symlink;

const PAGE: &str = include_str!("../../docs/recovery.md");

const MANIFEST: &str = r#"
[environments.local]
home = "vault"
[groups.app.keys]
SECRET_KEY = { secret = true }
EMAIL_CC = { optional = true }
"#;

/// The commands of the page's console blocks as one script, and what they print.
fn console() -> (String, String) {
    let mut blocks = PAGE.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap_or(rest));
    let lines: Vec<&str> = blocks.by_ref().flat_map(str::lines).collect();
    let (commands, shown): (Vec<&str>, Vec<&str>) = lines.iter().partition(|line| line.starts_with("$ "));
    let script = commands.iter().map(|line| format!("{}\n", &line[2..])).collect();
    (script, shown.iter().map(|line| format!("{line}\n")).collect())
}

/// The page's own project, with its files where a person has them.
fn project() -> TestEnv {
    let env = TestEnv::new().with_vault("local", &[]);
    fs::remove_file(env.path(".strongroom/local.age")).unwrap();
    fs::create_dir(env.home(".local")).unwrap();
    symlink(env.root().join("config"), env.home(".config")).unwrap();
    symlink(env.root().join("state"), env.home(".local/state")).unwrap();
    let identity = fs::read_to_string(env.config("identity.txt")).unwrap();
    let public = identity.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    let head = format!("version = 1\n[project]\nname = \"dev-app\"\nrecipients = [\"{public}\"]\n");
    env.with_manifest(&(head + MANIFEST))
}

#[test]
fn the_page_about_recovery_is_true_to_the_letter() {
    let (Some(_), Some(_)) = (program("age"), program("python3")) else { return };
    let env = project();
    env.run_with_stdin("set EMAIL_CC --yes", "someone@dev-app.example").success();
    env.run_with_stdin("set SECRET_KEY --yes", "the first value").success();
    env.run("backup create").success();
    // The page takes the newest by name, and names tell seconds.
    for entry in fs::read_dir(env.state("dev-app/local")).unwrap() {
        let path = entry.unwrap().path();
        if path.join("plan-1.age").exists() {
            fs::remove_dir_all(path).unwrap();
        }
    }
    env.run_with_stdin("set SECRET_KEY --yes", "the second value").success();
    let (script, shown) = console();
    assert!(script.lines().count() > 4, "the page has lost its commands");
    assert_eq!(env.sh(&format!("set -e\n{script}")).success(), shown);
}
