//! `exec`: what the child gets, that it really takes our place, and that nothing is started where something is missing.

use crate::support::env::{STRONGROOM, TestEnv};
use std::os::unix::ffi::OsStrExt;

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
MODE = { value = "dev", values.prod = "production" }
GREETING = { value = "grüß dich" }
BOTH = { derive = "{MODE}: {GREETING}" }
[groups.database.keys]
PASSWORD = { secret = true }
USERNAME = { optional = true }
URL = { derive = "postgres://app:{PASSWORD}@db/app" }
[groups.xero]
instances = true
env = "XERO_{instance}_{key}"
[groups.xero.keys]
client_secret = { secret = true }
[groups.operator]
audience = "operator"
[groups.operator.keys]
ROOT_PASSWORD = { secret = true, optional = true }
"#;

fn demo() -> TestEnv {
    TestEnv::new().with_manifest(MANIFEST).with_vault(
        "local",
        &[
            ("database/PASSWORD", "p@ss $word's"),
            ("xero/1/client_secret", "first"),
            ("xero/2/client_secret", "second"),
            ("operator/ROOT_PASSWORD", "for nobody's environment"),
        ],
    )
}

#[test]
fn the_child_gets_plain_stored_derived_and_instanced_values() {
    let stdout = demo().run("exec --pristine -- env").success();
    let mut lines: Vec<&str> = stdout.lines().filter(|line| !line.starts_with("PATH=")).collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "BOTH=dev: gr%C3%BC%C3%9F%20dich",
            "GREETING=grüß dich",
            "HOME=[ROOT]/home",
            "MODE=dev",
            "PASSWORD=p@ss $word's",
            "TZ=UTC",
            "URL=postgres://app:p%40ss%20%24word%27s@db/app",
            "XERO_1_client_secret=first",
            "XERO_2_client_secret=second",
        ]
    );
}

#[test]
fn the_childs_exit_code_and_its_signals_are_ours() {
    assert_eq!(demo().args(["exec", "--", "sh", "-c", "exit 41"]).code, Some(41));
    assert_eq!(demo().args(["run", "--", "sh", "-c", "kill -TERM $$"]).code, None);
}

#[test]
fn the_child_is_the_same_process_and_stdin_is_its() {
    let child = format!("'{STRONGROOM}' exec -- sh -c 'echo $$'");
    let stdout =
        demo().sh(&format!("echo hello | strongroom exec -- cat; {child} & wait; echo $!")).success();
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines[0], "hello");
    assert_eq!(lines[1], lines[2]);
}

#[test]
fn what_the_process_forbade_itself_the_child_may_again() {
    let look = "ulimit -c; grep SigIgn /proc/self/status; stat -c %u /proc/self/environ";
    let with_us = demo().sh(&format!("ulimit -S -c 8; strongroom exec -- sh -c '{look}'")).success();
    let without = demo().sh(&format!("ulimit -S -c 8; sh -c '{look}'")).success();
    assert!(with_us.starts_with("8\n"), "{with_us}");
    assert_eq!(with_us, without);
}

#[test]
fn our_settings_do_not_reach_the_child_and_other_variables_do() {
    let env = demo().with("STRONGROOM_QUIET", "1").with("OTHER", "kept").with("MODE", "overridden");
    let stdout = env.run("exec -- env").success();
    assert!(!stdout.contains("STRONGROOM_"), "{stdout}");
    assert!(stdout.contains("OTHER=kept\n") && stdout.contains("MODE=dev\n"), "{stdout}");
    assert!(!env.run("exec --pristine -- env").success().contains("OTHER"));
}

#[test]
fn an_environment_that_is_not_utf8_passes_unharmed() {
    let env = demo().with("ODD", std::ffi::OsStr::from_bytes(b"a\xff\xfeb"));
    let output = env.args(["exec", "--", "sh", "-c", "printf %s \"$ODD\""]);
    assert_eq!(output.stdout_bytes, b"a\xff\xfeb");
}

#[test]
fn only_gives_only_these_and_opens_home_only_where_it_must() {
    let stdout = demo().run("exec --pristine --only MODE,database/URL -- env").success();
    assert!(stdout.contains("URL=postgres://app:p%40ss") && stdout.contains("MODE=dev"), "{stdout}");
    assert!(!stdout.contains("PASSWORD=") && !stdout.contains("XERO"), "{stdout}");
    let stderr = demo().run("exec --only MODES -- env").failure(2);
    assert!(stderr.contains("did you mean `MODE`?"), "{stderr}");
    let stderr = demo().run("exec --only ROOT_PASSWORD -- env").failure(1);
    assert!(
        stderr.contains("`operator/ROOT_PASSWORD` has no value that goes into an environment"),
        "{stderr}"
    );
}

#[test]
fn a_missing_required_value_stops_it_before_the_child_starts() {
    let env = demo();
    let stderr = env.run("-e prod exec -- touch started").failure(1);
    assert_eq!(
        stderr,
        "error: the environment `prod` lacks a value for `database/PASSWORD`\n  \
         hint: `strongroom -e prod set database/PASSWORD`\n"
    );
    assert!(!env.path("started").exists());
}

#[test]
fn a_command_that_is_not_there_is_127_and_one_that_cannot_be_run_is_126() {
    let env = demo().with_file("plain.txt", "not a program");
    let stderr = env.run("exec -- no-such-command").failure(127);
    assert!(stderr.starts_with("error: cannot run `no-such-command`\n"), "{stderr}");
    let _ = env.run("exec -- ./plain.txt").failure(126);
    let _ = env.run("exec -- .").failure(126);
}

#[test]
fn a_dry_run_lists_names_and_starts_nothing() {
    let stdout = demo().run("exec -n --only MODE,PASSWORD -- touch started").success();
    assert_eq!(stdout, "VARIABLE  ADDRESS\nMODE      app/MODE\nPASSWORD  database/PASSWORD\n");
}

#[test]
fn arguments_reach_the_child_as_they_are() {
    let stdout = demo().args(["exec", "printf", "%s|", "--json", "-e", "--", "-n", "a b"]).success();
    assert_eq!(stdout, "--json|-e|--|-n|a b|");
}

#[test]
fn without_an_identity_a_vault_stays_closed() {
    let env = demo();
    std::fs::remove_file(env.config("identity.txt")).unwrap();
    let stderr = env.run("exec -- touch started").failure(5);
    assert!(stderr.contains("STRONGROOM_IDENTITY"), "{stderr}");
    let stderr = env.with("STRONGROOM_IDENTITY", "nowhere.txt").run("exec -- env").failure(5);
    assert!(stderr.starts_with("error: cannot read the identity nowhere.txt\n"), "{stderr}");
}

#[test]
fn a_passphrase_is_asked_on_the_terminal_and_not_shown() {
    let env = demo().with_passphrase("correct horse");
    let mut command = env.command(STRONGROOM);
    command.args(["exec", "--only", "PASSWORD", "--", "sh", "-c", "echo [$PASSWORD]; stty -a"]);
    let mut terminal = env.terminal_of(&command);
    terminal.expect("Passphrase of ");
    terminal.type_line("correct horse");
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("[p@ss $word's]") && !shown.contains("correct"), "{shown}");
    assert!(!shown.contains("-echo ") && !shown.contains("-icanon") && !shown.contains("-isig"), "{shown}");
}

#[test]
fn where_nobody_can_be_asked_a_passphrase_is_a_usage_error() {
    let env = demo().with_passphrase("correct horse");
    let stderr = env.run("exec -- env").failure(2);
    assert!(stderr.contains("no terminal to ask on") && stderr.contains("STRONGROOM_IDENTITY"), "{stderr}");
    let (shown, code) = env.terminal("exec --non-interactive -- env").end();
    assert_eq!(code, Some(2), "{shown}");
}

#[test]
fn a_wrong_passphrase_is_denied() {
    let env = demo().with_passphrase("correct horse");
    let mut terminal = env.terminal("exec -- env");
    terminal.expect("identity.txt: ");
    terminal.type_line("wrong");
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(5), "{shown}");
}

#[test]
fn ctrl_c_at_a_question_gives_the_terminal_back_and_ends_with_130() {
    let env = demo().with_passphrase("correct horse");
    let mut command = env.command("sh");
    command.args(["-c", &format!("'{STRONGROOM}' exec -- env; echo code $?; stty -a")]);
    let mut terminal = env.terminal_of(&command);
    terminal.expect("identity.txt: ");
    terminal.type_raw("corr\u{3}");
    terminal.expect("code 130");
    let (shown, _) = terminal.end();
    assert!(shown.contains("isig") && !shown.contains("-echo ") && !shown.contains("-isig"), "{shown}");
}

#[test]
fn a_paste_of_several_lines_is_refused_whole() {
    let env = demo().with_passphrase("correct horse");
    let mut terminal = env.terminal("exec -- env");
    terminal.expect("identity.txt: ");
    terminal.type_raw("correct horse\nrm -rf important\n");
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("more than one line") && !shown.contains("important"), "{shown}");
}

#[test]
fn a_hidden_answer_may_be_longer_than_what_a_terminal_hands_out_as_a_line() {
    let long = "x".repeat(10_000);
    let env = demo().with_passphrase(&long);
    let mut terminal = env.terminal("exec --only MODE,PASSWORD -- env");
    terminal.expect("identity.txt: ");
    for piece in long.as_bytes().chunks(1000) {
        terminal.type_raw(std::str::from_utf8(piece).unwrap());
    }
    terminal.type_raw("\n");
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("PASSWORD=p@ss"), "{shown}");
}
