//! Backups of an environment on AWS: what is in them, and what they bring back after home has moved.

use crate::aws::DOCKER;
use crate::support::cloud::Cloud;
use crate::support::cloud::beanstalk::handles::Seed;
use crate::support::env::TestEnv;
use crate::support::machine::program;
use serde_json::Value;
use std::fs;
use strongroom::backup;
use strongroom::document::{Record, Section, State};
use strongroom::seal::{self, Identities};

const UPDATE: &str = "elasticbeanstalk:UpdateEnvironment";
const PROPERTIES: &str = "aws:elasticbeanstalk:application:environment";
const NAME: &str = "shop-prod";

const MANIFEST: &str = r#"
version = 1
[project]
name = "shop"
region = "us-east-1"
default_environment = "prod"
recipients = ["RECIPIENT"]

[environments.prod]
home = "HOME"
account = "111122223333"

[environments.prod.copies.web]
kind = "beanstalk"
application = "shop"
environment = "shop-prod"
secrets = "SECRETS"

[groups.app.keys]
TOKEN = { secret = true }
PASSWORD = { secret = true }
HOST = {}
"#;

/// The same project before and after its home has moved.
const BEFORE: (&str, &str) = ("beanstalk", "value");
const AFTER: (&str, &str) = ("secretsmanager", "reference");

fn manifest(env: &TestEnv, (home, secrets): (&str, &str)) -> String {
    let identity = fs::read_to_string(env.config("identity.txt")).unwrap();
    let public = identity.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    MANIFEST.replace("HOME\"", &format!("{home}\"")).replace("SECRETS", secrets).replace("RECIPIENT", public)
}

/// Somebody whose properties are the truth, in a cloud of their own.
fn project() -> (Cloud, TestEnv) {
    let cloud = Cloud::start();
    let seed = Seed::new("shop", NAME, DOCKER)
        .properties([("TOKEN", "canary-token"), ("PASSWORD", "canary \\\"p\" é"), ("HOST", "db.example")])
        .properties([("UNKNOWN", "canary-unknown"), ("my-prop", "canary-mine"), ("PYTHONPATH", "/app")]);
    cloud.world(|world| world.beanstalk.add(seed, jiff::Timestamp::now()));
    let env = person(&cloud);
    env.run("init --yes").success();
    env.write("strongroom.toml", manifest(&env, BEFORE));
    (cloud, env)
}

fn person(cloud: &Cloud) -> TestEnv {
    let mut env = TestEnv::new();
    env.on(cloud);
    env.set("STRONGROOM_POLL_INTERVAL_MS", "5");
    env
}

/// Makes a backup; gives its file.
fn create(env: &TestEnv) -> String {
    env.run("backup create -o backup.age").success();
    "backup.age".to_owned()
}

/// Moves home to Secrets Manager as a person does it by hand, key by key.
fn moved(env: &TestEnv) {
    env.write("strongroom.toml", manifest(env, AFTER));
    for (key, value) in [("TOKEN", "canary-token"), ("PASSWORD", "canary \\\"p\" é"), ("HOST", "db.example")]
    {
        env.run_with_stdin(&format!("set {key} --yes"), value).success();
    }
    env.run("sync --yes").success();
    env.run("status --check").success();
}

fn opened(env: &TestEnv, file: &str) -> Value {
    let age = program("age").map(|age| env.command(age)).map(|mut age| {
        age.args(["-d", "-i"]).arg(env.config("identity.txt")).arg(file);
        env.finish(age, b"").stdout_bytes
    });
    let text = age.unwrap_or_else(|| {
        let identity = fs::read(env.config("identity.txt")).unwrap();
        let me = Identities::parse(&identity, &mut || None).unwrap();
        seal::open(&fs::read(env.path(file)).unwrap(), &me).unwrap().to_vec()
    });
    serde_json::from_slice(&text).unwrap()
}

/// The properties and the references of the environment.
fn deployed(cloud: &Cloud) -> impl PartialEq + std::fmt::Debug + use<> {
    cloud.world(|world| (world.beanstalk.properties(NAME), world.beanstalk.references(NAME)))
}

/// The versions of a secret in home.
fn versions(env: &TestEnv) -> Vec<String> {
    let history = env.run("history TOKEN").success();
    history.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn a_backup_has_every_setting_in_the_words_of_the_aws_program_and_the_manifest() {
    let (_cloud, env) = project();
    let backup = opened(&env, &create(&env));
    let section = &backup["sections"][0];
    assert_eq!(section["place"], "beanstalk:web");
    let options = section["options"].as_array().unwrap();
    let of = |name: &str| options.iter().find(|option| option["OptionName"] == name).unwrap().clone();
    for (name, value) in [
        ("my-prop", "canary-mine"),
        ("PYTHONPATH", "/app"),
        ("PASSWORD", "canary \\\"p\" é"),
        ("UNKNOWN", "canary-unknown"),
    ] {
        let expected = serde_json::json!({"Namespace": PROPERTIES, "OptionName": name, "Value": value});
        assert_eq!(of(name), expected);
    }
    assert_eq!(section["entries"]["app/TOKEN"]["value"], "canary-token");
    assert_eq!(section["entries"]["_undeclared/UNKNOWN"]["value"], "canary-unknown");
    let manifest = &backup["sections"][1];
    assert_eq!(manifest["place"], "manifest");
    assert_eq!(manifest["entries"]["_strongroom/MANIFEST"]["value"], env.read("strongroom.toml"));
    let shown = env.run("backup show backup.age");
    let text = format!("{}{}", shown.stdout, shown.stderr);
    assert!(text.contains("4 values, 6 settings of beanstalk:web, the manifest"), "{text}");
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn references_are_settings_of_a_backup_like_properties() {
    let (_cloud, env) = project();
    moved(&env);
    let backup = opened(&env, &create(&env));
    let section = &backup["sections"][1];
    let options = section["options"].as_array().unwrap();
    let token = options.iter().find(|option| option["OptionName"] == "TOKEN").unwrap();
    assert_eq!(token["Namespace"], format!("{PROPERTIES}secrets"));
    assert_eq!(token["Value"], section["entries"]["app/TOKEN"]["reference"]);
    assert!(options.iter().any(|option| option["OptionName"] == "STRONGROOM_REVISION"));
}

#[test]
fn a_backup_is_found_and_compared_after_home_has_moved() {
    let (_cloud, env) = project();
    env.run("backup create").success();
    moved(&env);
    let list = env.run("backup list").success();
    assert_eq!(list.lines().count(), 2, "{list}");
    let id = list.lines().last().unwrap().split(' ').next().unwrap();
    env.run(&format!("backup show {id}")).success();
    let verified = env.run(&format!("backup verify {id}")).success();
    assert!(verified.contains("app/TOKEN     beanstalk:web  has another value now"), "{verified}");
    assert!(!verified.contains("UNKNOWN") && !verified.contains("app/HOST"), "{verified}");
    env.run("backup create").success();
    env.run("backup prune --keep 1 --yes").success();
    assert_eq!(
        env.run("backup list").success().lines().count(),
        2,
        "those of both places are counted together"
    );
}

#[test]
fn values_go_back_to_the_place_that_they_stood_in_by_one_update() {
    let (cloud, env) = project();
    let file = create(&env);
    let before = deployed(&cloud);
    moved(&env);
    let (after, had) = (deployed(&cloud), versions(&env));
    assert_ne!(before, after);
    cloud.reset_calls();
    env.run(&format!("backup restore {file} --yes")).success();
    assert_eq!(deployed(&cloud), before, "the revision, which was not there, is gone too");
    assert_eq!(cloud.count(UPDATE), 1);
    assert_eq!(versions(&env), had, "what is home now keeps what it has");
    env.run("undo --yes").success();
    assert_eq!(deployed(&cloud), after);
}

#[test]
fn a_setting_that_no_key_can_be_named_like_is_told_where_it_has_changed() {
    let (cloud, env) = project();
    let file = create(&env);
    let quiet = env.run(&format!("backup restore {file} --yes"));
    assert!(!quiet.stderr.contains("my-prop"), "{}", quiet.stderr);
    cloud.world(|world| world.deploy_elsewhere(NAME, &[("my-prop", Some("other"))]));
    let told = env.run(&format!("backup restore {file} --yes"));
    assert!(told.stderr.contains("my-prop") && told.stderr.contains("docs/recovery.md"), "{}", told.stderr);
}

/// A backup from before the move, restored after it, leaves a manifest that says something else.
#[test]
fn the_manifest_comes_back_only_where_that_is_asked_for_and_is_undone_with_the_rest() {
    let (cloud, env) = project();
    let file = create(&env);
    let (before, old) = (deployed(&cloud), env.read("strongroom.toml"));
    moved(&env);
    let (after, new) = (deployed(&cloud), env.read("strongroom.toml"));
    let plan = env.run(&format!("backup restore {file} -n")).stderr;
    assert!(
        plan.contains("`home = \"secretsmanager\"` for `prod` now") && plan.contains("--with-manifest"),
        "{plan}"
    );
    assert!(!plan.contains("_strongroom/MANIFEST"), "{plan}");
    env.run(&format!("backup restore {file} --yes")).success();
    assert_eq!(env.read("strongroom.toml"), new);
    assert_eq!(env.run("status --check").code, Some(3), "the manifest wants references");
    env.run("undo --yes").success();
    // What the move made goes too, in the home that the restored manifest does not know.
    env.run(&format!("backup restore {file} --with-manifest --yes")).success();
    assert_eq!((env.read("strongroom.toml"), deployed(&cloud) == before), (old, true));
    env.run("status --check").success();
    let quiet = env.run(&format!("backup restore {file} --yes"));
    assert!(quiet.stderr.contains("nothing to do") && !quiet.stderr.contains("manifest"), "{}", quiet.stderr);
    env.run("undo --yes").success();
    assert_eq!((env.read("strongroom.toml"), deployed(&cloud) == after), (new, true));
    env.run("status --check").success();
}

/// What a move of home leaves behind for the day on which it is taken back by the file: that its secrets were not there.
#[test]
fn what_a_backup_says_was_absent_goes_where_that_is_asked_for_and_is_undone_too() {
    let (cloud, env) = project();
    create(&env);
    let (before, old) = (deployed(&cloud), env.read("strongroom.toml"));
    let me = Identities::parse(&fs::read(env.config("identity.txt")).unwrap(), &mut || None).unwrap();
    let mut document = backup::read(&env.path("backup.age"), Some(&me)).unwrap();
    let absent = ["app/TOKEN", "app/PASSWORD", "app/HOST"].map(|at| (at.parse().unwrap(), Record::default()));
    document.sections.insert(1, Section::new("secretsmanager", State::Held, absent.into()));
    backup::write(&env.path("whole.age"), &document, &me.recipients(), Some(&me)).unwrap();
    moved(&env);
    let (after, new) = (deployed(&cloud), env.read("strongroom.toml"));
    let told = env.run("backup verify whole.age").success();
    assert!(told.contains("app/HOST      secretsmanager  came after the backup"), "{told}");
    let kept = env.run("backup restore whole.age --dry-run").stderr;
    assert!(kept.contains("3 values came after the backup and will stay"), "{kept}");
    env.run("backup restore whole.age --prune --with-manifest --yes").success();
    assert_eq!((env.read("strongroom.toml"), deployed(&cloud) == before), (old, true));
    env.run("status --check").success();
    env.run("undo --yes").success();
    assert_eq!((env.read("strongroom.toml"), deployed(&cloud) == after), (new, true));
    assert_eq!(env.run("get TOKEN").success(), "canary-token");
    env.run("status --check").success();
}

/// Somebody with the identity, the file, and nothing else: no manifest, no state folder.
fn with_the_file_only(cloud: &Cloud, env: &TestEnv) -> TestEnv {
    let elsewhere = person(cloud);
    fs::create_dir_all(elsewhere.config("")).unwrap();
    fs::copy(env.config("identity.txt"), elsewhere.config("identity.txt")).unwrap();
    elsewhere.write("backup.age", fs::read(env.path("backup.age")).unwrap());
    elsewhere
}

#[test]
fn the_file_and_an_identity_are_enough_to_rebuild_an_environment_from_another_machine() {
    let (cloud, env) = project();
    create(&env);
    let before = deployed(&cloud);
    moved(&env);
    let after = deployed(&cloud);
    let elsewhere = with_the_file_only(&cloud, &env);
    elsewhere.run("backup show ./backup.age").success();
    let verified = elsewhere.run("backup verify ./backup.age").success();
    assert!(verified.contains("app/TOKEN     beanstalk:web  has another value now"), "{verified}");
    let plan = elsewhere.run("backup restore ./backup.age --dry-run").stderr;
    assert!(plan.contains("there is no manifest here") && plan.contains("+ _strongroom/MANIFEST"), "{plan}");
    assert!(!elsewhere.path("strongroom.toml").exists());
    let refused = elsewhere.run("backup restore ./backup.age").failure(2);
    assert!(refused.contains("--yes"), "{refused}");
    elsewhere.run("backup restore ./backup.age --yes").success();
    assert_eq!(deployed(&cloud), before);
    assert_eq!(elsewhere.read("strongroom.toml"), manifest(&env, BEFORE));
    elsewhere.run("status --check").success();
    elsewhere.run("undo --yes").success();
    assert_eq!(deployed(&cloud), after);
    assert!(!elsewhere.path("strongroom.toml").exists());
}

#[test]
fn a_restore_from_another_machine_that_was_cut_off_goes_on_when_it_is_repeated() {
    let (cloud, env) = project();
    create(&env);
    let before = deployed(&cloud);
    moved(&env);
    for cut_off in ["before", "after"] {
        let elsewhere = with_the_file_only(&cloud, &env);
        elsewhere.run("backup restore ./backup.age --yes").success();
        let journals = fs::read_dir(elsewhere.state("shop/prod")).unwrap();
        let mut journals = journals.map(|entry| entry.unwrap().path().join("journal.jsonl"));
        let journal = journals.find(|path| path.exists()).unwrap();
        let text = fs::read_to_string(&journal).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let intent = lines.iter().position(|line| line.contains("\"intent\"")).unwrap();
        fs::write(&journal, lines[..=intent].join("\n") + "\n").unwrap();
        if cut_off == "before" {
            fs::remove_file(elsewhere.path("strongroom.toml")).unwrap();
            elsewhere.run("resume --yes").failure(4);
            elsewhere.run("backup restore ./backup.age --yes").success();
        } else {
            elsewhere.run("resume --yes").success();
        }
        assert_eq!(
            (elsewhere.read("strongroom.toml"), deployed(&cloud) == before),
            (manifest(&env, BEFORE), true)
        );
        assert!(!elsewhere.run("operations").success().contains("unfinished"));
    }
}

#[test]
fn where_there_is_neither_a_manifest_nor_one_in_the_backup_nothing_is_done() {
    let env = TestEnv::new().with_vault("local", &[("app/TOKEN", "canary")]);
    fs::copy(env.path(".strongroom/local.age"), env.path("older.age")).unwrap();
    env.run("backup show older.age").success();
    env.run("backup verify older.age").success();
    let stderr = env.run("backup restore older.age --yes").failure(4);
    assert!(stderr.contains("none in this backup"), "{stderr}");
    let stderr = env.run("backup restore nowhere.age --yes").failure(4);
    assert!(stderr.contains("there is no strongroom.toml"), "{stderr}");
}

#[test]
fn a_parameter_comes_back_with_its_type_key_and_description() {
    let cloud = Cloud::start();
    let env = person(&cloud);
    env.run("init --yes").success();
    env.write(
        "strongroom.toml",
        manifest(&env, ("ssm", "value")).replace("HOST = {}", "HOST = { type = \"String\" }"),
    );
    cloud.world(|world| world.beanstalk.add(Seed::new("shop", NAME, DOCKER), jiff::Timestamp::now()));
    env.run_with_stdin("set PASSWORD --yes", "canary").success();
    env.run_with_stdin("set HOST --yes", "plain").success();
    let backup = opened(&env, &create(&env));
    let entries = &backup["sections"][0]["entries"];
    assert_eq!(entries["app/PASSWORD"]["attributes"]["type"], "SecureString");
    assert_eq!(entries["app/PASSWORD"]["attributes"]["kms_key"], "alias/aws/ssm");
    assert_eq!(entries["app/HOST"]["attributes"]["type"], "String");
    env.run("delete PASSWORD --yes").success();
    env.run("delete HOST --yes").success();
    env.run("backup restore backup.age --yes").success();
    assert_eq!(env.run("get PASSWORD").success(), "canary");
    fs::remove_file(env.path("backup.age")).unwrap();
    let again = opened(&env, &create(&env));
    for key in ["app/HOST", "app/PASSWORD"] {
        let attributes = &again["sections"][0]["entries"][key]["attributes"];
        assert_eq!(*attributes, entries[key]["attributes"], "{key}");
    }
}

/// The backup that a migration makes is enough for what its undo does, also where its journal is not.
#[test]
fn the_backup_of_a_migration_takes_it_back_here_and_from_another_machine() {
    let (cloud, env) = project();
    let (before, old) = (deployed(&cloud), env.read("strongroom.toml"));
    env.run("migrate --to secretsmanager --yes").success();
    let (after, new) = (deployed(&cloud), env.read("strongroom.toml"));
    assert_ne!(before, after);
    let listed: Value = serde_json::from_str(&env.run("backup list --json").success()).unwrap();
    let id = listed["backups"][0]["id"].as_str().unwrap();
    let folders = fs::read_dir(env.state("shop/prod")).unwrap().map(|entry| entry.unwrap().path());
    let file = folders.map(|folder| folder.join(format!("{id}.age"))).find(|file| file.exists()).unwrap();
    fs::copy(file, env.path("backup.age")).unwrap();
    let elsewhere = with_the_file_only(&cloud, &env);
    let restored = elsewhere.run("backup restore ./backup.age --yes");
    assert!(!restored.stderr.contains("warning"), "{}", restored.stderr);
    assert_eq!((elsewhere.read("strongroom.toml"), deployed(&cloud) == before), (old.clone(), true));
    elsewhere.run("undo --yes").success();
    assert!(deployed(&cloud) == after);
    env.run(&format!("backup restore {id} --prune --with-manifest --yes")).success();
    assert_eq!((env.read("strongroom.toml"), deployed(&cloud) == before), (old, true));
    env.run("status --check").success();
    env.run("undo --yes").success();
    assert_eq!((env.read("strongroom.toml"), deployed(&cloud) == after), (new, true));
    env.run("status --check").success();
}
