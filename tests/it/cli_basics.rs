//! The command line itself: how it parses, what it says, where it says it, and its exit codes.

use crate::support::env::{STRONGROOM, TestEnv};
use crate::support::machine::program;

#[test]
fn version_is_data() {
    assert_eq!(
        TestEnv::new().run("--version").success(),
        concat!("strongroom ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn a_wrong_word_is_a_usage_error_on_stderr() {
    let stderr = TestEnv::new().run("completions tcsh").failure(2);
    assert!(stderr.contains("invalid value 'tcsh'") && stderr.contains("zsh"), "{stderr}");
}

#[test]
fn under_json_a_usage_error_is_one_document_on_stderr() {
    let by_flag = TestEnv::new().run("completions tcsh --json");
    let by_twin = TestEnv::new().with("STRONGROOM_JSON", "1").run("completions tcsh");
    for output in [by_flag, by_twin] {
        let stderr = output.failure(2);
        let document: serde_json::Value = serde_json::from_str(&stderr).unwrap();
        assert_eq!(document["kind"], "error");
        assert_eq!(document["exit"], 2);
        assert!(
            stderr.starts_with(r#"{"strongroom":1,"kind":"error""#) && stderr.ends_with("}\n"),
            "{stderr}"
        );
    }
}

#[test]
fn every_global_flag_has_a_twin_and_an_empty_twin_is_none() {
    let stderr = TestEnv::new().with("STRONGROOM_YES", "perhaps").run("man").failure(2);
    assert!(stderr.contains("--yes"), "{stderr}");
    let mut env = TestEnv::new();
    for flag in
        ["CONFIG", "ENVIRONMENT", "YES", "DRY_RUN", "JSON", "QUIET", "VERBOSE", "COLOR", "NON_INTERACTIVE"]
    {
        env.set(format!("STRONGROOM_{flag}"), "");
    }
    let _ = env.run("man").success();
}

#[test]
fn a_reader_that_stops_reading_ends_the_run_without_a_word() {
    // The reader has closed its end before it lets the writer begin.
    let output = TestEnv::new().sh(
        "mkfifo gate; { read go < gate; strongroom man; echo \"code $?\" >&2; } | { exec <&-; echo go > gate; }",
    );
    assert_eq!(output.stderr, "code 0\n");
}

#[test]
fn a_full_disk_under_stdout_is_a_failure() {
    let stderr = TestEnv::new().sh("strongroom man > /dev/full").failure(1);
    assert!(stderr.starts_with("error: cannot write to stdout\n"), "{stderr}");
}

#[test]
fn colours_are_for_terminals_unless_asked_for() {
    let plain = TestEnv::new();
    assert!(!plain.run("nonsense").failure(2).contains('\u{1b}'));
    assert!(plain.run("--color always nonsense").failure(2).contains('\u{1b}'));
    assert!(plain.run("--color=always nonsense").failure(2).contains('\u{1b}'));
    let (shown, code) = plain.terminal("nonsense").end();
    assert!(shown.contains('\u{1b}') && code == Some(2), "{shown:?}");
    for env in [TestEnv::new().with("NO_COLOR", "1"), TestEnv::new().with("STRONGROOM_COLOR", "never")] {
        let (shown, _) = env.terminal("nonsense").end();
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
}

#[test]
fn manual_pages_are_written_one_per_command() {
    let env = TestEnv::new();
    let _ = env.run("man --out pages").success();
    assert!(env.read("pages/strongroom.1").contains("Exit codes"));
    assert!(env.read("pages/strongroom-completions.1").contains("source <("));
}

const KEYS: &str = "\
version = 1
[project]
name = \"demo\"
recipients = []
[environments.local]
home = \"vault\"
[groups.app.keys]
TOKEN = { secret = true }
MODE = { value = \"local\" }
URL = { derive = \"https://{TOKEN}@host.example\" }
";

#[test]
fn only_what_can_be_set_is_offered_for_set() {
    let env = TestEnv::new().with_manifest(KEYS).with("_STRONGROOM_COMPLETE", "bash");
    let env = env.with("_CLAP_COMPLETE_INDEX", "2").with("_CLAP_IFS", "\n");
    for (verb, keys) in [("set", &["TOKEN"][..]), ("get", &["TOKEN", "MODE", "URL"])] {
        let output = env.args(["--", "strongroom", verb, ""]);
        let offered = output.success();
        let offered: Vec<&str> = offered.split('\n').filter(|word| !word.starts_with('-')).collect();
        assert_eq!(offered, keys, "{verb}");
    }
}

#[test]
fn bash_completes_file_names_where_there_is_nothing_else_to_offer() {
    let Some(bash) = program("bash") else { return };
    let env = TestEnv::new().with_manifest(KEYS).with_file("notes of old.env", "").with("TERM", "dumb");
    let mut shell = env.command(bash);
    shell.args(["--norc", "--noprofile", "-i"]);
    let mut terminal = env.terminal_of(&shell);
    terminal.type_line(&format!(
        "strongroom() {{ if [ $_STRONGROOM_COMPLETE ]; then '{STRONGROOM}' \"$@\"; else printf '<%s>' \"$@\"; echo; fi; }}"
    ));
    terminal.type_line(&format!("source <('{STRONGROOM}' completions bash); echo rea''dy"));
    terminal.expect("ready");
    for (typed, meant) in [
        ("import no\t", "<import><notes of old.env>"),
        ("-c str\t", "<-c><strongroom.toml>"),
        ("exec -- ls no\t", "<exec><--><ls><notes of old.env>"),
        ("get TO\t", "<get><TOKEN>"),
    ] {
        terminal.type_line(&format!("strongroom {typed}"));
        terminal.expect(meant);
    }
    terminal.type_line("exit");
    let _ = terminal.end();
}
