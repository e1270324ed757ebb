//! `init`: what a new project has, in an empty folder and from .env files, and what happens when it is cut short.

use crate::support::env::TestEnv;
use crate::support::machine::program;
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

const DJANGO: &str = "\
# General
DJANGO_SETTINGS_MODULE=config.settings.production
DJANGO_SECRET_KEY=invented-key-of-django-4f7a9c2e1b
DJANGO_ADMIN_URL=invented-admin/
DJANGO_ALLOWED_HOSTS=antenna.example
DJANGO_SECURE_SSL_REDIRECT=True
DJANGO_AWS_ACCESS_KEY_ID=AKIAINVENTED00000000
DJANGO_AWS_SECRET_ACCESS_KEY=invented/aws+secret
DJANGO_AWS_STORAGE_BUCKET_NAME=antenna-media
SENDGRID_API_KEY=SG.invented-sendgrid
SENTRY_DSN=https://invented@sentry.example/1
DATABASE_URL=postgres://antenna:invented-pw%2F1@db.antenna.example:5432/antenna
REDIS_URL=rediss://cache.antenna.example:6379/0?ssl_cert_reqs=none
CELERY_BROKER_URL=rediss://cache.antenna.example:6379/0?ssl_cert_reqs=none
POSTGRES_HOST=db.antenna.example
";

const POSTGRES: &str = "\
POSTGRES_HOST=db.antenna.example
POSTGRES_PORT=5432
POSTGRES_DB=antenna
POSTGRES_USER=antenna
POSTGRES_PASSWORD='invented-pw/1'
";

const DEV_APP: &str = "\
DJANGO_SETTINGS_MODULE=dev_app.settings.local
SECRET_KEY='invented-$ecret-key'
PROJECT_NAME=\"Dev App\"
RDS_HOSTNAME=dev-app.db.example
RDS_DB_NAME=devapp
RDS_USERNAME=devapp
RDS_PASSWORD=invented-rds-password
RDS_PORT=5432
AWS_STORAGE_BUCKET_NAME=dev-app-media
AWS_ACCESS_KEY_ID=AKIAINVENTED00000000
AWS_SECRET_ACCESS_KEY=invented/aws+secret
AWS_S3_REGION_NAME=us-east-1
EMAIL_HOST_USER=robot@dev-app.example
EMAIL_HOST_PASSWORD=invented-mail-password
EMAIL_CC=
DEFAULT_FROM_EMAIL=robot@dev-app.example
LETTERHEAD_PATH=static/letterhead.png
XERO_ENCRYPTION_KEY=invented-xero-key
";

const ANTENNA: &str = "init --from-dotenv .envs/.production/.django .envs/.production/.postgres --yes";

fn antenna() -> TestEnv {
    TestEnv::new()
        .with_file(".envs/.production/.django", DJANGO)
        .with_file(".envs/.production/.postgres", POSTGRES)
}

/// No secret of the files above, whole or in part.
fn tells_no_secret(said: &str) -> bool {
    !said.contains("invented") && !said.contains("INVENTED") && !said.contains("$ecret")
}

#[test]
fn the_files_of_antenna_become_its_groups_targets_and_derived_urls() {
    let env = antenna();
    let output = env.run(ANTENNA);
    let said = output.stderr.clone();
    let _ = output.success();
    insta::assert_snapshot!(manifest(&env));
    assert!(tells_no_secret(&said), "{said}");
    assert!(
        said.contains(".envs/.production/.django: rendered again, 14 variables would be the same"),
        "{said}"
    );
    assert_eq!(env.read(".envs/.production/.django"), DJANGO);
    assert_eq!(
        env.run("get DATABASE_URL").success(),
        "postgres://antenna:invented-pw%2F1@db.antenna.example:5432/antenna"
    );
    let _ = env.run("render --yes").success();
    let lines = |text: &str| {
        let mut lines: Vec<String> =
            text.lines().filter(|line| !line.starts_with('#')).map(|line| line.replace('\'', "")).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&env.read(".envs/.production/.django")), lines(DJANGO));
    assert_eq!(lines(&env.read(".envs/.production/.postgres")), lines(POSTGRES));
}

#[test]
fn the_file_of_dev_app_becomes_one_group_and_one_target() {
    let env = TestEnv::new().with_file(".env", DEV_APP);
    let _ = env.run("init --from-dotenv .env --plain XERO_ENCRYPTION_KEY --secret EMAIL_CC --yes").success();
    insta::assert_snapshot!(manifest(&env));
}

#[test]
fn a_dry_run_shows_the_manifest_and_its_json_no_value_at_all() {
    let env = antenna();
    let output = env.run(&format!("{ANTENNA} --dry-run"));
    assert!(tells_no_secret(&output.stderr) && tells_no_secret(&output.stdout), "{output:?}");
    assert!(output.success().contains("[groups.postgres.keys]"));
    let output = env.run(&format!("{ANTENNA} --dry-run --json"));
    assert!(!output.stdout.contains("config.settings") && !output.stderr.contains("config.settings"));
    let document: serde_json::Value = serde_json::from_str(&output.success()).unwrap();
    assert_eq!((&document["kind"], document["variables"].as_array().unwrap().len()), (&"init".into(), 18));
    assert!(!env.path("strongroom.toml").exists() && !env.config("").exists() && !env.state("").exists());
}

#[test]
fn files_that_do_not_agree_are_refused_by_the_name_of_the_key() {
    let env = antenna();
    env.write(".envs/.production/.postgres", "POSTGRES_HOST=another.example\n");
    let stderr = env.run(ANTENNA).failure(1);
    assert!(
        stderr.starts_with(
            "error: POSTGRES_HOST has one value in .envs/.production/.django and another in .envs/.production/.postgres\n"
        ),
        "{stderr}"
    );
    assert!(!stderr.contains("another.example"));
    assert!(!env.path("strongroom.toml").exists() && !env.config("").exists());
}

#[test]
fn what_dialects_read_differently_asks_for_one() {
    let env = TestEnv::new().with_file(".env", "PASSWORD=pa$$word # old\n");
    let stderr = env.run("init --from-dotenv .env --yes").failure(2);
    assert!(
        stderr.contains("PASSWORD") && stderr.contains("--dialect") && !stderr.contains("word #"),
        "{stderr}"
    );
    let _ = env.run("init --from-dotenv .env --yes --dialect docker").success();
    assert_eq!(env.run("get PASSWORD").success(), "pa$$word # old");
    assert!(env.read("strongroom.toml").contains("dialect = \"docker\""));
}

#[test]
fn a_file_that_git_tracks_already_is_warned_about() {
    if program("git").is_none() {
        return;
    }
    let env = TestEnv::new().with_file(".env", "A=1\n").with_file("other.env", "B=1\n");
    let init = "init --yes --from-dotenv .env other.env --dialect compose";
    let _ = env.sh("git init -q && git add -f .env").success();
    for words in [format!("{init} --dry-run"), init.to_owned()] {
        let output = env.run(&words);
        let stderr = output.stderr.clone();
        let _ = output.success();
        assert!(
            stderr.contains("warning: git tracks .env, which holds secrets; run `git rm --cached .env`"),
            "{stderr}"
        );
        assert!(stderr.contains("in git's history"), "{stderr}");
        assert!(!stderr.contains("other.env, which"), "{stderr}");
    }
}

#[test]
fn a_file_outside_of_the_project_and_one_that_is_not_there_are_refused() {
    let env = TestEnv::new().with_file("below/x", "").with_file(".env", "A=1\n");
    let stderr = env.sh("cd below && strongroom init --yes --from-dotenv ../.env").failure(2);
    assert!(stderr.contains("../.env is not in the project's folder"), "{stderr}");
    assert!(env.run("init --yes --from-dotenv missing").failure(1).contains("cannot read missing"));
}

/// Each step is whole or not there, so that what a run leaves that is killed between two steps is a whole number of them.
#[test]
fn a_run_that_was_killed_between_two_steps_is_finished_by_the_next() {
    let env = antenna();
    let _ = env.run(ANTENNA).success();
    let whole = (env.read("strongroom.toml"), env.read(".gitignore"));
    for left in [
        &["strongroom.toml", ".gitignore", ".strongroom"][..],
        &[".gitignore", ".strongroom"],
        &[".strongroom"],
    ] {
        for path in left {
            let path = env.path(path);
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        let _ = env.run(ANTENNA).success();
        assert_eq!((env.read("strongroom.toml"), env.read(".gitignore")), whole);
        assert_eq!(env.run("get POSTGRES_PASSWORD").success(), "invented-pw/1");
    }
}

#[test]
fn a_value_that_was_set_since_is_not_overwritten_by_another_run() {
    let env = antenna();
    let _ = env.run(ANTENNA).success();
    let _ = env.run_with_stdin("set POSTGRES_PASSWORD --yes", "newer").success();
    let output = env.run(ANTENNA);
    assert!(
        output.stderr.contains("would not be rendered as it was: DATABASE_URL; home holds other values"),
        "{}",
        output.stderr
    );
    let _ = output.success();
    assert_eq!(env.run("get POSTGRES_PASSWORD").success(), "newer");
}

#[test]
fn on_a_terminal_the_guess_is_shown_and_can_be_changed_by_name() {
    let env = TestEnv::new().with_file(".env", "MODE=dev\nTOKEN=invented\n");
    let mut terminal = env.terminal("init --from-dotenv .env");
    terminal.expect("nothing about it looks secret");
    terminal.expect("Which are classified wrongly?");
    terminal.type_line("MODE, TOKN");
    terminal.expect("did you mean `TOKEN`?");
    terminal.expect("you said so");
    terminal.expect("Which are classified wrongly?");
    terminal.type_line("");
    terminal.expect("Make this project?");
    terminal.type_line("y");
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("invented"), "{shown}");
    let text = env.read("strongroom.toml");
    assert!(text.contains("MODE  = { secret = true }") && !text.contains("dev\""), "{text}");
}

#[test]
fn who_comes_to_a_project_that_names_nobody_is_told_to_name_himself() {
    let env = TestEnv::new();
    let manifest = "version = 1\nproject.name = \"demo\"\nenvironments.local.home = \"vault\"\ngroups.app.keys.A = { secret = true }\n";
    env.write("strongroom.toml", manifest);
    let made = env.run("init --yes").stderr;
    let again = env.run("init --yes").failure(2);
    for said in [&made, &again] {
        assert!(!said.contains("ask somebody"), "{said}");
        let command = said.split("`strongroom ").find(|part| part.starts_with("recipients add")).unwrap();
        let _ = env.run(&format!("--yes {}", command.split('`').next().unwrap())).success();
        env.run_with_stdin("set A --yes", "x").success();
        env.write("strongroom.toml", manifest);
    }
}

#[test]
fn who_comes_to_a_project_that_is_there_gets_an_identity_and_is_told_whom_to_ask() {
    let mut env = TestEnv::new();
    let _ = env.run("init --yes").success();
    let before = env.read("strongroom.toml");
    env.set("STRONGROOM_IDENTITY", env.home("keys/mine.txt"));
    let output = env.run("init --yes");
    assert!(output.stderr.contains("strongroom recipients add age1"), "{}", output.stderr);
    let _ = output.success();
    assert_eq!((mode(env.home("keys/mine.txt")), mode(env.home("keys"))), (0o600, 0o700));
    assert_eq!(env.read("strongroom.toml"), before);
}
