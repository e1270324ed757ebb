//! `set`, `get`, `delete`, `history`, `operations`, `resume`, `undo` as a person and as a script use them.

use crate::support::env::TestEnv;
use std::path::Path;

const KEYS: &str = "\
[groups.app.keys]
SECRET_KEY = { secret = true, generate = { length = 20, alphabet = \"hex\" } }
TOKEN = { secret = true }
MODE = { value = \"local\" }
URL = { derive = \"https://{TOKEN}@host.example\" }
";

/// A project whose identity is there, and whose vault is not.
fn project() -> TestEnv {
    project_with("")
}

fn project_with(environment: &str) -> TestEnv {
    let env = TestEnv::new().with_vault("unused", &[]);
    std::fs::remove_dir_all(env.path(".strongroom")).unwrap();
    let identity = std::fs::read_to_string(env.config("identity.txt")).unwrap();
    let public = identity.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
    env.with_manifest(&format!(
        "version = 1\n[project]\nname = \"demo\"\nrecipients = [\"{public}\"]\n\
         [environments.local]\nhome = \"vault\"\n{environment}\n{KEYS}"
    ))
}

fn set(env: &TestEnv, key: &str, value: &str) {
    env.run_with_stdin(&format!("set {key} --yes"), value).success();
}

#[test]
fn from_stdin_exactly_one_line_end_is_taken_off_and_from_a_file_none() {
    let env = project().with_file("value.bin", "two\n\n");
    set(&env, "TOKEN", "two\n\n");
    assert_eq!(env.run("get TOKEN").success(), "two\n");
    env.run("set TOKEN --from-file value.bin --yes").success();
    assert_eq!(env.run("get TOKEN").success(), "two\n\n");
}

#[test]
fn a_generated_value_is_as_its_key_declares_and_never_shown() {
    let env = project();
    let output = env.run("set SECRET_KEY --generate --yes");
    let said = output.stderr.clone();
    assert_eq!(output.success(), "");
    let value = env.run("get SECRET_KEY").success();
    assert!(value.len() == 20 && value.bytes().all(|byte| byte.is_ascii_hexdigit()), "{value}");
    assert!(!said.contains(&value));
    assert!(said.contains("+ app/SECRET_KEY") && said.contains("strongroom undo "), "{said}");
}

#[test]
fn without_yes_and_without_a_terminal_nothing_is_changed() {
    let env = project();
    let said = env.run_with_stdin("set TOKEN", "value").failure(2);
    assert!(said.contains("--yes"), "{said}");
    assert!(!env.path(".strongroom").exists() && !env.state("").exists());
}

#[test]
fn a_dry_run_shows_the_plan_and_writes_nothing_anywhere() {
    let env = project();
    let output = env.run("set TOKEN --generate --dry-run");
    assert!(output.stderr.contains("+ app/TOKEN"), "{}", output.stderr);
    output.success();
    assert!(!env.path(".strongroom").exists() && !env.state("").exists());
}

#[test]
fn a_value_on_the_command_line_is_a_usage_error_that_does_not_repeat_it() {
    for words in ["set TOKEN canary-value --yes", "set TOKEN=canary-value --yes"] {
        let said = project().run(words).failure(2);
        assert!(said.contains("on stdin") && !said.contains("canary"), "{said}");
    }
}

#[test]
fn an_empty_value_is_taken_for_a_failed_command_unless_it_is_allowed() {
    let env = project();
    let said = env.sh("false | strongroom set TOKEN --yes").failure(2);
    assert!(said.contains("--allow-empty"), "{said}");
    assert!(!env.path(".strongroom").exists());
    env.run("set TOKEN --allow-empty --yes").success();
    assert_eq!(env.run("get TOKEN").success(), "");
}

#[test]
fn a_value_that_the_manifest_no_longer_declares_is_deleted_by_its_whole_address() {
    let env = project();
    set(&env, "TOKEN", "old");
    let manifest =
        env.read("strongroom.toml").replace("TOKEN = { secret = true }", "NEW = { optional = true }");
    env.write("strongroom.toml", manifest.replace("{TOKEN}", "{NEW}"));
    env.run("delete TOKEN --yes").failure(2);
    env.run("delete app/TOKEN --yes").success();
    env.run("delete app/TOKEN --yes").failure(2);
}

#[test]
fn an_undo_says_what_it_takes_back_before_it_asks() {
    let env = project();
    set(&env, "TOKEN", "old");
    let said = env.run("undo --dry-run").stderr;
    assert!(said.starts_with("undo 20") && said.contains("(set app/TOKEN)"), "{said}");
}

#[test]
fn what_lives_in_the_manifest_or_is_derived_is_refused_with_its_line() {
    let env = project();
    let plain = env.run("set MODE --generate --yes").failure(2);
    assert!(plain.contains("strongroom.toml:11"), "{plain}");
    let derived = env.run("delete URL --yes").failure(2);
    assert!(derived.contains("is derived") && derived.contains("strongroom.toml:12"), "{derived}");
    let unknown = env.run("set TOKNE --generate --yes").failure(2);
    assert!(unknown.contains("TOKEN"), "the nearest name: {unknown}");
}

#[test]
fn what_is_so_already_is_done_in_silence_and_without_an_operation() {
    let env = project();
    set(&env, "TOKEN", "same");
    let again = env.run_with_stdin("set TOKEN --yes", "same");
    assert!(again.stderr.contains("nothing to do"), "{}", again.stderr);
    again.success();
    assert_eq!(env.run("operations").success().lines().count(), 2, "the header and the first set");
}

#[test]
fn bytes_that_are_no_value_are_refused_with_their_position() {
    let env = project();
    for (bytes, what) in [(&b"ab\0c"[..], "NUL byte at offset 2"), (b"ab\xff", "not UTF-8 from byte 2")] {
        let said = env.run_with_stdin("set TOKEN --yes", bytes).failure(1);
        assert!(said.contains(what), "{said}");
    }
    assert!(!env.path(".strongroom").exists());
}

#[test]
fn history_tells_versions_by_fingerprint_and_get_brings_each_of_them() {
    let env = project();
    for value in ["one", "two", "one"] {
        set(&env, "TOKEN", value);
    }
    env.run("delete TOKEN --yes").success();
    let shown = env.run("history TOKEN").success();
    let rows: Vec<Vec<&str>> = shown.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    let versions: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(versions, ["4", "3", "2", "1"]);
    assert_eq!(rows[0][2], "deleted");
    assert_eq!(rows[1][2], rows[3][2], "equal values have equal fingerprints");
    assert_ne!(rows[1][2], rows[2][2]);
    assert_eq!(env.run("get TOKEN --version 2").success(), "two");
    assert!(env.run("get TOKEN --version 4").failure(1).contains("was deleted"));
    assert!(env.run("get TOKEN --version 9").failure(1).contains("no version 9"));
    assert!(env.run("get TOKEN").failure(1).contains("strongroom -e local set app/TOKEN"));
}

#[test]
fn undo_goes_back_a_step_each_time_and_an_undo_is_undone_by_its_name() {
    let env = project();
    for value in ["one", "two", "three"] {
        set(&env, "TOKEN", value);
    }
    env.run("undo --yes").success();
    assert_eq!(env.run("get TOKEN").success(), "two");
    env.run("undo --yes").success();
    assert_eq!(env.run("get TOKEN").success(), "one");
    env.run("undo --yes").success();
    env.run("get TOKEN").failure(1);
    let nothing = env.run("undo --yes");
    assert!(nothing.stderr.contains("nothing to undo"));
    nothing.success();

    let listed: serde_json::Value = serde_json::from_str(&env.run("operations --json").success()).unwrap();
    let operations = listed["operations"].as_array().unwrap();
    assert_eq!(operations.len(), 6);
    assert_eq!(operations[0]["undone_by"], operations[5]["id"]);
    let second_undo = operations[4]["id"].as_str().unwrap();
    // The third undo changed the address since: theirs is not overwritten.
    assert!(env.run(&format!("undo {second_undo} --yes")).failure(6).contains("app/TOKEN"));
    let third_undo = operations[5]["id"].as_str().unwrap();
    env.run(&format!("undo {third_undo} --yes")).success();
    assert_eq!(env.run("get TOKEN").success(), "one");
}

#[test]
fn operations_of_another_checkout_are_counted_and_not_listed() {
    let env = project();
    set(&env, "TOKEN", "here");
    env.write("elsewhere/strongroom.toml", env.read("strongroom.toml"));
    let elsewhere = |words: &str| env.run(&format!("-c elsewhere/strongroom.toml {words}"));
    let said = elsewhere("operations");
    assert!(said.stderr.contains("1 operation of other places"), "{}", said.stderr);
    assert_eq!(said.success(), "");
    env.run_with_stdin("-c elsewhere/strongroom.toml set TOKEN --yes", "there").success();
    elsewhere("undo --yes").success();
    let listed: serde_json::Value = serde_json::from_str(&env.run("operations --json").success()).unwrap();
    assert_eq!((listed["operations"].as_array().unwrap().len(), &listed["elsewhere"]), (1, &2.into()));
}

#[test]
fn operations_tell_when_and_what_undid_what() {
    let env = project();
    set(&env, "TOKEN", "here");
    env.run("undo --yes").success();
    let listed: serde_json::Value = serde_json::from_str(&env.run("operations --json").success()).unwrap();
    let (first, undo) = (&listed["operations"][0], &listed["operations"][1]);
    assert_eq!((&undo["undoes"], &first["undone_by"]), (&first["id"], &undo["id"]));
    assert!(first["undoes"].is_null() && first.get("began").is_none());
    let shown = env.run("operations").success();
    let mut lines = shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(lines.next().unwrap()[1], "WHEN");
    let (row, at) = (lines.next().unwrap(), first["at"].as_str().unwrap());
    assert_eq!((row[1], row[2]), (&at[..10], &*format!("{}Z", &at[11..16])));
    let end = undo["id"].as_str().unwrap().rsplit('-').next().unwrap();
    assert!(shown.contains(&format!("undone by …{end}")), "{shown}");
    assert!(shown.contains(&format!("undo {}", first["id"].as_str().unwrap())), "{shown}");
}

#[test]
fn resume_and_undo_with_nothing_to_do_say_so_and_end_well() {
    let env = project();
    for verb in ["resume", "undo", "operations"] {
        let output = env.run(verb);
        assert!(output.stderr.contains("no"), "{}", output.stderr);
        assert_eq!(output.success(), "");
    }
    assert!(env.run("resume 2026").failure(2).contains("there is no operation 2026"));
}

#[test]
fn documents_of_a_change_have_fingerprints_and_no_value() {
    let env = project();
    let output = env.run_with_stdin("set TOKEN --yes --json", "canary-value");
    assert!(!output.stderr.contains("canary"), "{}", output.stderr);
    let document: serde_json::Value = serde_json::from_str(&output.success()).unwrap();
    assert_eq!(document["kind"], "change");
    assert_eq!(document["changes"][0]["address"], "app/TOKEN");
    assert_eq!(document["changes"][0]["change"], "create");
    assert!(document["operation"].is_string());
    let described: serde_json::Value = serde_json::from_str(&env.run("get TOKEN --json").success()).unwrap();
    assert_eq!(described["bytes"], 12);
    assert!(!described.to_string().contains("canary"));
}

#[test]
fn on_a_terminal_a_value_is_asked_for_and_not_shown_and_the_change_is_confirmed() {
    let env = project();
    let mut terminal = env.terminal("set TOKEN");
    terminal.expect("app/TOKEN in vault");
    terminal.expect("Value of app/TOKEN: ");
    terminal.type_line("canary-value");
    let between = terminal.expect("Make 1 change in `local`? [y/N] ");
    assert!(!between.contains("canary") && between.contains("12 characters"), "{between}");
    terminal.type_line("y");
    let (rest, code) = terminal.end();
    assert_eq!(code, Some(0), "{rest}");
    assert_eq!(env.run("get TOKEN").success(), "canary-value");

    let mut terminal = env.terminal("delete TOKEN");
    terminal.expect("[y/N] ");
    terminal.type_line("n");
    let (rest, code) = terminal.end();
    assert_eq!(code, Some(1), "{rest}");
    assert_eq!(env.run("get TOKEN").success(), "canary-value");
}

#[test]
fn a_protected_environment_wants_its_name_typed() {
    let env = project_with("protected = true");
    for (answer, ends) in [("y", 1), ("local", 0)] {
        let mut terminal = env.terminal("set TOKEN --generate");
        terminal.expect("type its name to go on: ");
        terminal.type_line(answer);
        let (rest, code) = terminal.end();
        assert_eq!(code, Some(ends), "{answer}: {rest}");
    }
}

#[test]
fn a_person_who_is_no_recipient_changes_nothing_and_is_told_what_to_do() {
    let env = project();
    set(&env, "TOKEN", "mine");
    let sealed = std::fs::read(env.path(".strongroom/local.age")).unwrap();
    let stranger = TestEnv::new().with_vault("unused", &[]);
    let path = stranger.config("identity.txt");
    let mut env = env;
    env.set("STRONGROOM_IDENTITY", &path);
    for words in ["get TOKEN", "set TOKEN --generate --yes", "delete TOKEN --yes"] {
        let said = env.run(words).failure(5);
        assert!(said.contains("not sealed to this identity") && said.contains("recipients add"), "{said}");
    }
    assert_eq!(std::fs::read(env.path(".strongroom/local.age")).unwrap(), sealed);
    env.set("STRONGROOM_IDENTITY", Path::new("nowhere.txt"));
    assert!(env.run("get TOKEN").failure(5).contains("nowhere.txt"));
}

/// Ctrl-C while somebody else holds the vault: the run ends at once, with a word on what it left.
#[test]
fn ctrl_c_while_another_process_holds_the_vault_is_told() {
    let env = project();
    set(&env, "TOKEN", "old");
    let lock = std::fs::File::options().write(true).open(env.path(".strongroom/local.lock")).unwrap();
    lock.lock().unwrap();
    let mut terminal = env.terminal("set TOKEN --generate --yes");
    terminal.expect("app/TOKEN  ");
    // The journal says when the call is under way.
    let intent = || {
        let folders = std::fs::read_dir(env.state("demo/local")).unwrap();
        let lines =
            folders.map(|folder| std::fs::read_to_string(folder.unwrap().path().join("journal.jsonl")));
        lines.flatten().any(|text| text.trim_end().ends_with("\"state\":\"intent\",\"write\":0}"))
    };
    while !intent() {
        std::thread::yield_now();
    }
    terminal.type_raw("\u{3}");
    let (said, code) = terminal.end();
    assert_eq!(code, Some(7), "{said}");
    assert!(said.contains("interrupted; operation") && said.contains("strongroom resume"), "{said}");
    drop(lock);
    env.run("resume --yes").success();
    assert_ne!(env.run("get TOKEN").success(), "old");
}
