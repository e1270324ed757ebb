//! `render`: files are right or untouched, and nobody's file is lost.

use crate::support::env::TestEnv;
use crate::support::machine::program;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;

const MANIFEST: &str = r#"
version = 1
[project]
name = "demo"
default_environment = "local"
[environments.local]
home = "vault"
[environments.prod]
home = "vault"
[groups.app.keys]
MODE = { value = "dev" }
TOKEN = { secret = true }
[groups.database.keys]
PASSWORD = { secret = true }
URL = { derive = "postgres://app:{PASSWORD}@db/app" }
[render.app]
file = ".env"
dialect = ["compose", "docker"]
groups = ["app", "database"]
[render.nested]
file = ".envs/.{environment}/.postgres"
dialect = "shell"
groups = ["database"]
mode = "0640"
[render.json]
file = "app.json"
dialect = "json"
keys = ["app/MODE", "app/TOKEN"]
environments = ["local"]
"#;

fn demo() -> TestEnv {
    TestEnv::new()
        .with_manifest(MANIFEST)
        .with_vault("local", &[("app/TOKEN", "canary-t0ken"), ("database/PASSWORD", "p@ss word")])
}

fn mode(env: &TestEnv, path: &str) -> u32 {
    fs::metadata(env.path(path)).unwrap().permissions().mode() & 0o7777
}

fn inode(env: &TestEnv, path: &str) -> u64 {
    fs::metadata(env.path(path)).unwrap().ino()
}

const DOT_ENV: &str = "\
# Made by strongroom: project demo, environment local, target app.
# It holds secrets: keep it out of git and of images.
# Do not edit it, the next run overwrites it: strongroom -e local render app
MODE=dev
TOKEN=canary-t0ken
PASSWORD=p@ss word
URL=postgres://app:p%40ss%20word@db/app
";

#[test]
fn every_target_of_the_environment_is_written_with_its_mode_and_a_second_run_writes_nothing() {
    let env = demo();
    assert_eq!(env.run("render").success(), "");
    assert_eq!(env.read(".env"), DOT_ENV);
    assert!(
        env.read(".envs/.local/.postgres")
            .ends_with("\nPASSWORD='p@ss word'\nURL=postgres://app:p%40ss%20word@db/app\n")
    );
    assert_eq!(env.read("app.json"), "{\n  \"MODE\": \"dev\",\n  \"TOKEN\": \"canary-t0ken\"\n}\n");
    assert_eq!((mode(&env, ".env"), mode(&env, ".envs/.local/.postgres")), (0o600, 0o640));
    let before = inode(&env, ".env");
    let output = env.run("render");
    assert!(output.stderr.contains(".env is as it should be (4 variables)"), "{}", output.stderr);
    assert_eq!(inode(&env, ".env"), before);
    assert_eq!(env.run("render --check").code, Some(0));
    // From below, the file is still the manifest's.
    fs::create_dir(env.path("sub")).unwrap();
    assert!(env.sh("cd sub && strongroom render app").stderr.contains("../.env is as it should be"));
}

#[test]
fn stdout_is_the_text_of_one_target_and_nothing_is_written() {
    let env = demo();
    assert_eq!(env.run("render app --stdout").success(), DOT_ENV);
    assert!(!env.path(".env").exists());
    let stderr = env.run("render --stdout").failure(2);
    assert!(stderr.contains("name one of: app, nested, json"), "{stderr}");
}

#[test]
fn a_refused_value_is_named_with_its_dialect_and_no_file_is_touched() {
    let env = demo();
    env.run("render").success();
    let env = env.with_vault("local", &[("app/TOKEN", "a\nb"), ("database/PASSWORD", "new\nline")]);
    let stderr = env.run("render").failure(1);
    for line in [
        "error: nothing was written",
        "target app: TOKEN cannot be written for docker: the value has a line break",
        "target app: PASSWORD cannot be written for docker",
    ] {
        assert!(stderr.contains(line), "{stderr}");
    }
    assert_eq!(env.read(".env"), DOT_ENV);
    assert!(env.read(".envs/.local/.postgres").contains("PASSWORD='p@ss word'"));
}

#[test]
fn missing_values_of_all_targets_are_told_at_once_and_nothing_is_written() {
    let env = demo();
    let stderr = env.run("-e prod render").failure(1);
    assert!(
        stderr.contains("the environment `prod` lacks values for `app/TOKEN`, `database/PASSWORD`"),
        "{stderr}"
    );
    assert!(!env.path(".env").exists() && !env.path(".envs").exists());
    let stderr = env.run("-e prod render json").failure(2);
    assert!(stderr.contains("the target `json` is not for `prod`"), "{stderr}");
    let stderr = env.run("render apps").failure(2);
    assert!(stderr.contains("did you mean `app`?"), "{stderr}");
}

#[test]
fn check_is_exit_3_and_names_targets_and_keys_and_never_values() {
    let env = demo();
    let output = env.run("render --check");
    assert_eq!(output.code, Some(3));
    assert!(
        output.stdout.contains("app     .env                    there is no such file\n"),
        "{}",
        output.stdout
    );
    assert!(!env.path(".env").exists());
    env.run("render").success();
    env.write(".env", DOT_ENV.replace("MODE=dev\n", "").replace("canary", "other").replace("URL=", "URI="));
    fs::set_permissions(env.path("app.json"), fs::Permissions::from_mode(0o644)).unwrap();
    env.write(".envs/.local/.postgres", env.read(".envs/.local/.postgres") + "# more\n");
    let output = env.run("render --check");
    assert_eq!(output.code, Some(3));
    assert_eq!(
        output.stdout,
        "TARGET  FILE                    STANDING\n\
         app     .env                    MODE is missing; TOKEN has another value; URL is missing; URI is not the target's\n\
         nested  .envs/.local/.postgres  the values are right, the text around them differs\n\
         json    app.json                mode 0644, not 0600\n"
    );
    let json = env.run("render --check --json");
    assert_eq!(json.code, Some(3));
    assert!(json.stdout.contains(r#""keys":[{"key":"MODE","difference":"missing"}"#), "{}", json.stdout);
    assert!(!(json.stdout + &json.stderr).contains("canary"));
    assert!(env.read(".env").contains("URI="), "a check writes nothing");
    let stderr = env.run("render --yes").stderr;
    assert!(stderr.contains("app.json rewritten (2 variables; changed: mode 0644, not 0600)"), "{stderr}");
    assert_eq!(env.run("render --check").code, Some(0));
}

#[test]
fn a_dry_run_tells_and_writes_nothing_and_is_no_failure() {
    let env = demo();
    let output = env.run("render app -n");
    assert!(output.stdout.contains("there is no such file"), "{}", output.stdout);
    assert_eq!(output.code, Some(0));
    assert!(!env.path(".env").exists());
}

#[test]
fn a_link_stays_a_link_and_the_file_behind_it_is_replaced() {
    let env = demo();
    fs::create_dir(env.path("shared")).unwrap();
    symlink("shared/env", env.path(".env")).unwrap();
    env.run("render app").success();
    assert!(env.path(".env").is_symlink());
    assert_eq!(env.read("shared/env"), DOT_ENV);
    assert_eq!(env.run("render app --check").code, Some(0));
}

#[test]
fn a_file_that_strongroom_did_not_make_is_asked_about_and_kept_sealed() {
    let env =
        demo().with_file(".env", "MODE=dev\nMY_OWN=precious\n").with_file("app.json", "{\"other\": \"1\"}");
    let output = env.run("render");
    let stderr = output.failure(2);
    assert!(stderr.contains(".env was not made by strongroom: TOKEN is missing"), "{stderr}");
    assert!(stderr.contains("MY_OWN is not the target's"), "{stderr}");
    assert!(stderr.contains("app.json was not made by strongroom"), "{stderr}");
    assert!(stderr.contains("give --yes"), "{stderr}");
    assert_eq!(env.read(".env"), "MODE=dev\nMY_OWN=precious\n");
    assert!(!env.path(".envs").exists(), "nothing at all is written");
    let stderr = env.run("render --yes").stderr;
    assert_eq!(kept_sealed(&env, &stderr), "MODE=dev\nMY_OWN=precious\n");
    assert_eq!(env.read(".env"), DOT_ENV);
    // An empty file, such as one that was touched for a mount, is nobody's.
    env.write(".env", "");
    env.run("render").success();
}

/// What the sealed file holds that the note about .env names.
fn kept_sealed(env: &TestEnv, stderr: &str) -> String {
    let (_, rest) = stderr.split_once("what was in .env is kept, sealed: [ROOT]/").expect(stderr);
    let path = rest.lines().next().unwrap();
    let opens = format!("`age -d -i [ROOT]/config/strongroom/identity.txt [ROOT]/{path}` opens it");
    assert!(stderr.contains(&opens), "{stderr}");
    let sealed = fs::read(env.root().join(path)).unwrap();
    let identity = fs::read(env.config("identity.txt")).unwrap();
    let identities = strongroom::seal::Identities::parse(&identity, &mut || None).unwrap();
    String::from_utf8(strongroom::seal::open(&sealed, &identities).unwrap().to_vec()).unwrap()
}

#[test]
fn a_variable_added_by_hand_to_a_file_of_ours_is_asked_about_kept_sealed_and_can_be_taken_in() {
    let env = demo();
    env.run("render app").success();
    let by_hand = format!("{DOT_ENV}NEW_TOKEN=precious\n");
    env.write(".env", &by_hand);
    let stderr = env.run("render app").failure(2);
    assert!(
        stderr.contains(
            ".env has variables that the target `app` does not give: NEW_TOKEN\n  \
             `strongroom import .env --add` takes NEW_TOKEN in\n"
        ),
        "{stderr}"
    );
    assert!(stderr.contains("give --yes"), "{stderr}");
    assert_eq!(env.read(".env"), by_hand);
    assert_eq!(env.run("render app --check").code, Some(3));
    assert_eq!(env.run("render app --dry-run").code, Some(0));
    let stderr = env.run("render app --yes").stderr;
    assert_eq!(kept_sealed(&env, &stderr), by_hand);
    assert!(stderr.contains("`strongroom import FILE --add` takes NEW_TOKEN in"), "{stderr}");
    assert_eq!(env.read(".env"), DOT_ENV);
    env.write(".env", &by_hand);
    let identity = fs::read_to_string(env.config("identity.txt")).unwrap();
    let identities = strongroom::seal::Identities::parse(identity.as_bytes(), &mut || None).unwrap();
    let recipient = identities.recipients().first().unwrap().to_string();
    let named = format!("name = \"demo\"\nrecipients = [\"{recipient}\"]");
    env.write("strongroom.toml", MANIFEST.replace("name = \"demo\"", &named));
    let _ = env.run("import .env --add --yes").success();
    let _ = env.run("render app").success();
    assert!(env.read(".env").contains("NEW_TOKEN=precious\n"));
    // Of what cannot be read nobody knows what it holds.
    env.write(".env", format!("{DOT_ENV}what is = this\n"));
    let stderr = env.run("render app").failure(2);
    assert!(stderr.contains(".env cannot be read as the target `app` is written"), "{stderr}");
}

#[test]
fn values_changed_by_hand_are_replaced_unasked_and_kept_sealed() {
    let env = demo();
    env.run("render").success();
    let by_hand = DOT_ENV.replace("TOKEN=canary-t0ken", "TOKEN=by-hand");
    env.write(".env", &by_hand);
    let output = env.run("render");
    let stderr = output.stderr.clone();
    output.success();
    assert_eq!(kept_sealed(&env, &stderr), by_hand);
    assert!(!stderr.contains("import") && !stderr.contains("by-hand"), "{stderr}");
    assert_eq!(env.read(".env"), DOT_ENV);
    // What only has another mode loses nothing.
    fs::set_permissions(env.path(".env"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(!env.run("render").stderr.contains("sealed"));
}

#[test]
fn what_cannot_be_written_leaves_every_file_as_it_was() {
    let env = demo().with_file(".envs", "a file where a folder is needed");
    let stderr = env.run("render").failure(1);
    assert!(
        stderr.contains("cannot read .envs/.local/.postgres") || stderr.contains("cannot write"),
        "{stderr}"
    );
    assert!(!env.path(".env").exists() && !env.path("app.json").exists());
    fs::remove_file(env.path(".envs")).unwrap();
    fs::create_dir_all(env.path(".env")).unwrap();
    let stderr = env.run("render").failure(1);
    assert!(stderr.contains(".env is a folder; Docker makes one"), "{stderr}");
    assert!(!env.path("app.json").exists());
}

#[test]
fn a_folder_that_may_not_be_written_in_is_told() {
    let env = demo();
    // In the folder of processes nobody makes files, root neither.
    symlink("/proc/self/app.json", env.path("app.json")).unwrap();
    let stderr = env.run("render json").stderr;
    assert!(stderr.contains("error: cannot write /proc/self/app.json"), "{stderr}");
}

#[test]
fn the_owner_is_the_one_that_the_target_names() {
    let env = demo()
        .with_manifest(&MANIFEST.replace("mode = \"0640\"", "mode = \"0640\"\nowner = \"12345:23456\""));
    let output = env.run("render nested");
    if nix::unistd::geteuid().is_root() {
        output.success();
        let metadata = fs::metadata(env.path(".envs/.local/.postgres")).unwrap();
        assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o777), (12345, 23456, 0o640));
        std::os::unix::fs::chown(env.path(".envs/.local/.postgres"), Some(0), None).unwrap();
        let output = env.run("render nested --check");
        assert_eq!(output.code, Some(3));
        assert!(output.stdout.contains("owner 0:23456, not 12345:23456"), "{}", output.stdout);
    } else {
        let stderr = output.failure(5);
        assert!(stderr.contains("to 12345:23456: only root may give a file to another user"), "{stderr}");
        assert!(!env.path(".envs/.local/.postgres").exists());
    }
    let env = demo().with_manifest(&MANIFEST.replace("mode = \"0640\"", "owner = \"no-such-user\""));
    let stderr = env.run("render").failure(1);
    assert!(stderr.contains("there is no user `no-such-user` on this machine"), "{stderr}");
    assert!(!env.path(".env").exists());
}

fn git(env: &TestEnv, words: &[&str]) -> bool {
    let mut command: Command = env.command("git");
    command.args(words);
    env.finish(command, b"").code == Some(0)
}

#[test]
fn a_file_that_git_would_take_is_warned_about_with_the_line_that_keeps_it_out() {
    let env = demo();
    let git = |words: &[&str]| git(&env, words);
    if program("git").is_none() {
        return;
    }
    assert!(git(&["init", "-q"]));
    let stderr = env.run("render app").stderr;
    assert!(stderr.contains("warning: git does not ignore .env"), "{stderr}");
    assert!(stderr.contains("add this line to .gitignore: /.env\n"), "{stderr}");
    env.write(".gitignore", ".env\n");
    assert!(!env.run("render app").stderr.contains("git"));
    assert!(git(&["add", "-f", ".env"]));
    let stderr = env.run("render app --check").stderr;
    assert!(stderr.contains("git tracks .env") && stderr.contains("git rm --cached .env"), "{stderr}");
    assert!(stderr.contains("in git's history") && !stderr.contains("add this line"), "{stderr}");
}

#[test]
fn a_file_is_warned_about_before_its_folder_is_there_with_a_line_that_means_it_alone() {
    if program("git").is_none() {
        return;
    }
    let env = demo();
    assert!(git(&env, &["init", "-q"]));
    let line = "add this line to .gitignore: /.envs/.local/.postgres\n";
    let stderr = env.run("render nested").stderr;
    assert!(stderr.contains("warning: git does not ignore .envs/.local/.postgres"), "{stderr}");
    assert!(stderr.contains(line), "{stderr}");
    assert!(env.run("render nested --check").stderr.contains(line));
    fs::create_dir(env.path("sub")).unwrap();
    let stderr = env.sh("cd sub && strongroom render nested").stderr;
    assert!(stderr.contains("add this line to ../.gitignore: /.envs/.local/.postgres\n"), "{stderr}");
    env.write(".gitignore", "/.envs/.local/.postgres\n");
    assert!(!env.run("render nested").stderr.contains("git"));
    // A file that is not in the project's folder is for the repository's.
    let manifest = MANIFEST.replace("file = \".env\"", "file = \"../deploy/app.env\"");
    env.write("project/strongroom.toml", manifest);
    fs::rename(env.path(".strongroom"), env.path("project/.strongroom")).unwrap();
    let stderr = env.sh("cd project && strongroom render app").stderr;
    assert!(stderr.contains("work/.gitignore: /deploy/app.env\n"), "{stderr}");
}

#[test]
fn names_that_steer_the_reader_are_warned_about() {
    let env = TestEnv::new()
        .with_manifest(
            "version = 1\nproject.name = \"demo\"\nenvironments.local.home = \"vault\"\n\
             [groups.app.keys]\nPATH = { value = \"/bin\" }\nCOMPOSE_FILE = { value = \"a.yml\" }\n\
             [render.a]\nfile = \"a\"\ndialect = \"shell\"\n[render.b]\nfile = \"b\"\ndialect = \"compose\"\n",
        );
    let stderr = env.run("render").stderr;
    assert!(stderr.contains("warning: a: PATH will steer the program that reads it"), "{stderr}");
    assert!(stderr.contains("warning: b: COMPOSE_FILE will steer the program that reads it"), "{stderr}");
}
