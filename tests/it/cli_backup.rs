//! Backups as a person uses them on a good day and on the day that they were made for.

use crate::support::env::TestEnv;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use strongroom::seal::Identities;

const MANIFEST: &str = r#"
[environments.local]
home = "vault"
[environments.other]
home = "vault"
[groups.app.keys]
TOKEN = { secret = true }
MODE = {}
[groups.xero]
instances = true
[groups.xero.keys]
client_secret = { secret = true }
"#;

const VALUES: &[(&str, &str)] =
    &[("app/TOKEN", "canary-one\n\\\"é"), ("app/UNDECLARED", "canary-two"), ("xero/1/client_secret", "")];

/// A project with a vault, whose identity is its recipient.
fn project() -> TestEnv {
    let env = TestEnv::new().with_vault("local", VALUES);
    let identity = fs::read_to_string(env.config("identity.txt")).unwrap();
    let public = identity.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    let head = format!("version = 1\n[project]\nname = \"demo\"\nrecipients = [\"{public}\"]\n");
    env.with_manifest(&(head + MANIFEST))
}

fn set(env: &TestEnv, key: &str, value: &str) {
    env.run_with_stdin(&format!("-e local set {key} --yes"), value).success();
}

fn get(env: &TestEnv, key: &str) -> String {
    env.run(&format!("-e local get {key}")).success()
}

/// Makes a backup; gives its name.
fn create(env: &TestEnv) -> String {
    let document: Value = serde_json::from_str(&env.run("-e local backup create --json").success()).unwrap();
    assert_eq!(document["verified"], true);
    document["id"].as_str().unwrap().to_owned()
}

fn file(env: &TestEnv, id: &str) -> PathBuf {
    let folders = fs::read_dir(env.state("demo/local")).unwrap().map(|entry| entry.unwrap().path());
    let mut files = folders.map(|folder| folder.join(format!("{id}.age"))).filter(|file| file.exists());
    files.next().unwrap()
}

#[test]
fn another_project_of_the_same_name_has_backups_of_its_own() {
    let env = project();
    let id = create(&env);
    env.write("elsewhere/strongroom.toml", env.read("strongroom.toml"));
    let elsewhere = |words: &str| env.run(&format!("-c elsewhere/strongroom.toml -e local {words}"));
    assert_eq!(elsewhere("backup list").success(), "");
    for verb in ["show", "verify", "restore"] {
        let stderr = elsewhere(&format!("backup {verb} {id}")).failure(2);
        assert!(stderr.contains("neither a backup nor a file"), "{verb}: {stderr}");
    }
    elsewhere(&format!("backup restore {} --yes", file(&env, &id).display())).success();
    elsewhere("backup create").success();
    elsewhere("backup create").success();
    elsewhere("backup prune --keep 1 --yes").success();
    assert_eq!(elsewhere("backup list").success().lines().count(), 2);
    assert!(file(&env, &id).exists());
    fs::remove_dir_all(env.path(".strongroom")).unwrap();
    assert!(
        env.run("-e local backup list").success().contains(&id),
        "the same place, though all of it is gone"
    );
}

/// Whoever lists files need not be able to open them.
#[test]
fn backups_are_listed_without_an_identity() {
    let env = project();
    let id = create(&env);
    let env = env.with("STRONGROOM_IDENTITY", "nowhere");
    assert!(env.run("-e local backup list").success().contains(&id));
}

#[test]
fn a_backup_holds_everything_of_home_and_tells_no_value() {
    let env = project();
    let output = env.run("-e local backup create");
    assert!(output.stderr.ends_with(": 3 values sealed, and opened again\n"), "{}", output.stderr);
    let stdout = output.success();
    let id = stdout.trim().rsplit('/').next().unwrap().strip_suffix(".age").unwrap();
    assert_eq!(file(&env, id).metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let list = env.run("-e local backup list").success();
    assert!(list.contains(id) && list.lines().count() == 2, "{list}");
    let show = env.run(&format!("-e local backup show {}", &id[..12]));
    let everything = show.stderr.clone() + &show.stdout;
    let addresses: Vec<&str> =
        show.stdout.lines().skip(1).map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(addresses, ["app/TOKEN", "app/UNDECLARED", "xero/1/client_secret"]);
    assert!(everything.contains("`local` of demo") && !everything.contains("canary"), "{everything}");
    assert_eq!(env.run("-e other backup list").success(), "", "each environment has its own");
    assert!(env.run("-e local operations").success().is_empty(), "a backup is no operation");
}

#[test]
fn a_dry_run_seals_nothing_and_an_empty_home_is_no_backup() {
    let env = project();
    env.run("-e local -n backup create").success();
    assert!(!env.state("demo").exists());
    let stderr = env.run("-e other backup create").failure(1);
    assert!(stderr.contains("nothing to back up"), "{stderr}");
}

#[test]
fn a_backup_goes_to_a_file_that_is_not_there_yet() {
    let env = project();
    env.run("-e local backup create -o safe.age").success();
    let stderr = env.run("-e local backup create -o safe.age").failure(1);
    assert!(stderr.contains("safe.age cannot be written"), "{stderr}");
    env.run("-e local backup verify safe.age").success();
    env.run("-e local backup create -o no/folder.age").failure(1);
}

#[test]
fn a_restore_brings_back_what_was_and_leaves_what_came_later() {
    let env = project();
    let id = create(&env);
    set(&env, "TOKEN", "changed");
    set(&env, "MODE", "later");
    env.run("-e local delete xero/1/client_secret --yes").success();
    let verify = env.run(&format!("-e local backup verify {id}"));
    assert_eq!(
        verify.stdout,
        "ADDRESS               PLACE  NOW\n\
         app/MODE              vault  came after the backup\n\
         app/TOKEN             vault  has another value now\n\
         xero/1/client_secret  vault  has none now\n"
    );
    let output = env.run(&format!("-e local backup restore {id} --yes"));
    assert!(output.stderr.contains("1 value came after the backup and will stay"), "{}", output.stderr);
    output.success();
    assert_eq!(get(&env, "TOKEN"), VALUES[0].1);
    assert_eq!(get(&env, "xero/1/client_secret"), "");
    assert_eq!(get(&env, "MODE"), "later");
    env.run("-e local undo --yes").success();
    assert_eq!(get(&env, "TOKEN"), "changed");
    env.run("-e local get xero/1/client_secret").failure(1);
}

#[test]
fn a_restore_may_be_of_some_keys_only_or_delete_what_came_later() {
    let env = project();
    let id = create(&env);
    set(&env, "TOKEN", "changed");
    set(&env, "MODE", "later");
    env.run("-e local delete xero/1/client_secret --yes").success();
    env.run(&format!("-e local backup restore {id} --only xero/1/client_secret,app/UNDECLARED --yes"))
        .success();
    assert_eq!(
        (get(&env, "TOKEN"), get(&env, "xero/1/client_secret")),
        ("changed".to_owned(), String::new())
    );
    let stderr = env.run(&format!("-e local backup restore {id} --only MODE --yes")).failure(1);
    assert!(stderr.contains("the backup holds no value of app/MODE"), "{stderr}");
    let plan = env.run(&format!("-e local backup restore {id} --prune -n")).stderr;
    assert!(plan.contains("- app/MODE") && plan.contains("~ app/TOKEN"), "{plan}");
    env.run(&format!("-e local backup restore {id} --prune --yes")).success();
    env.run("-e local get MODE").failure(1);
    assert_eq!(get(&env, "TOKEN"), VALUES[0].1);
}

#[test]
fn a_backup_of_another_environment_is_taken_only_where_that_is_said() {
    let env = project();
    let id = create(&env);
    let file = file(&env, &id).display().to_string();
    let stderr = env.args(["-e", "other", "backup", "restore", &file, "--yes"]).failure(1);
    assert!(stderr.contains("`local` of demo") && stderr.contains("--from-elsewhere"), "{stderr}");
    assert!(!env.path(".strongroom/other.age").exists());
    env.args(["-e", "other", "backup", "restore", &file, "--from-elsewhere", "--yes"]).success();
    assert_eq!(env.run("-e other get TOKEN").success(), VALUES[0].1);
}

/// The day that backups are made for: the vault is damaged, and a copy of an older one, or a backup, is there.
#[test]
fn a_damaged_vault_comes_back_from_a_backup_or_from_its_own_older_copy() {
    let env = project();
    let id = create(&env);
    fs::copy(env.path(".strongroom/local.age"), env.path("older.age")).unwrap();
    env.write(".strongroom/local.age", "damaged");
    let verify = env.run(&format!("-e local backup verify {id}"));
    assert!(verify.stderr.contains("warning: it is not compared with vault"), "{}", verify.stderr);
    verify.success();
    let stderr = env.run(&format!("-e local backup restore {id} --yes")).failure(1);
    assert!(stderr.contains("strongroom -e local backup"), "{stderr}");
    assert_eq!(env.read(".strongroom/local.age"), "damaged");
    for source in [id.as_str(), "older.age"] {
        fs::remove_file(env.path(".strongroom/local.age")).unwrap();
        env.run(&format!("-e local backup restore {source} --yes")).success();
        assert_eq!(get(&env, "TOKEN"), VALUES[0].1);
    }
}

#[test]
fn what_is_no_whole_backup_changes_nothing_and_says_why() {
    let env = project();
    let id = create(&env);
    let vault = fs::read(env.path(".strongroom/local.age")).unwrap();
    let good = fs::read(file(&env, &id)).unwrap();
    set(&env, "MODE", "x");
    let operation = fs::read_dir(env.state("demo/local")).unwrap().map(|entry| entry.unwrap().path());
    let operation = operation.map(|folder| folder.join("plan-1.age")).find(|path| path.exists()).unwrap();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let me = Identities::parse(&fs::read(env.config("identity.txt")).unwrap(), &mut || None).unwrap();
    let seal = |text: &str| strongroom::seal::seal(text.as_bytes(), &me.recipients()).unwrap();
    let stranger = Identities::generate().recipients();
    let cases = [
        (flipped, 1, "damaged: changed or cut off"),
        (good[..good.len() - 20].to_vec(), 1, "damaged: changed or cut off"),
        (b"TOKEN=canary-three".to_vec(), 1, "not an age file"),
        (Vec::new(), 1, "not an age file"),
        (seal("{\"canary\": 1}"), 1, "not a strongroom snapshot"),
        (seal("{\"format\": \"strongroom/snapshot\", \"version\": 9}"), 1, "upgrade strongroom"),
        (strongroom::seal::seal(b"{}", &stranger).unwrap(), 5, "not sealed to this identity"),
        (fs::read(operation).unwrap(), 1, "belongs to an operation"),
    ];
    fs::write(env.path(".strongroom/local.age"), &vault).unwrap();
    for (bytes, code, why) in cases {
        env.write("case.age", bytes);
        for verb in ["show", "verify", "restore"] {
            let stderr = env.run(&format!("-e local backup {verb} case.age")).failure(code);
            assert!(stderr.contains(why) && stderr.contains("hint: "), "{verb} {why}: {stderr}");
            assert!(!stderr.contains("canary"), "{stderr}");
        }
    }
    assert_eq!(fs::read(env.path(".strongroom/local.age")).unwrap(), vault);
    let stderr = env.run("-e local backup restore nothing").failure(2);
    assert!(stderr.contains("neither a backup nor a file called `nothing`"), "{stderr}");
    let env = env.with("STRONGROOM_IDENTITY", "nowhere");
    env.run(&format!("-e local backup verify {id}")).failure(5);
}

#[test]
fn pruning_keeps_the_newest_and_asks() {
    let env = project();
    let ids: Vec<String> = (0..3).map(|_| create(&env)).collect();
    let mut sorted = ids.clone();
    sorted.sort();
    let stderr = env.run("-e local backup prune --keep 1").failure(2);
    assert!(
        stderr.contains(&sorted[0]) && stderr.contains(&sorted[1]) && !stderr.contains(&sorted[2]),
        "{stderr}"
    );
    env.run("-e local backup prune --keep 1 -n").success();
    assert_eq!(env.run("-e local backup list").success().lines().count(), 4);
    env.run("-e local backup prune --keep 1 --yes").success();
    let list = env.run("-e local backup list").success();
    assert!(list.contains(&sorted[2]) && list.lines().count() == 2, "{list}");
    env.run("-e local backup prune --keep 0 --yes").failure(2);
}

/// Leaves an operation as a kill right after its first call does: the intent is on disk, its result is not.
fn cut_off(env: &TestEnv, operation: &str) {
    let journal = env.state(format!("demo/local/{operation}/journal.jsonl"));
    let text = fs::read_to_string(&journal).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let intent = lines.iter().position(|line| line.contains("\"intent\"")).unwrap();
    fs::write(journal, lines[..=intent].join("\n") + "\n").unwrap();
}

/// Restores; gives the name of the operation.
fn restore(env: &TestEnv, id: &str) -> String {
    let words = format!("-e local backup restore {id} --yes --json");
    let document: Value = serde_json::from_str(&env.run(&words).success()).unwrap();
    document["operation"].as_str().unwrap().to_owned()
}

#[test]
fn a_restore_that_stopped_midway_is_resumed_or_undone_before_another_one() {
    let env = project();
    let first = create(&env);
    set(&env, "TOKEN", "changed");
    let second = create(&env);
    let operation = restore(&env, &first);
    cut_off(&env, &operation);
    let stderr = env.run(&format!("-e local backup restore {second} --yes")).failure(7);
    assert!(stderr.contains(&format!("operation {operation} stopped midway")), "{stderr}");
    assert!(stderr.contains(&format!("`strongroom -e local resume {operation}` finishes it")), "{stderr}");
    let status = env.run("-e local status --check");
    assert_eq!(status.code, Some(3));
    assert!(status.stderr.contains(&format!("operation {operation} is unfinished")), "{}", status.stderr);
    env.run("-e local resume --yes").success();
    assert_eq!(get(&env, "TOKEN"), VALUES[0].1);
    cut_off(&env, &operation);
    env.run("-e local undo --yes").success();
    assert_eq!(get(&env, "TOKEN"), "changed");
    restore(&env, &first);
    assert_eq!(get(&env, "TOKEN"), VALUES[0].1);
}
