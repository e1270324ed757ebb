//! `edit`: what the editor gets, what is taken from it, and that its file is gone however it ends.

use crate::support::env::TestEnv;
use std::path::PathBuf;

/// A project with a value, and an editor that does this with the file `$1`, whose path it leaves in `seen`.
fn project(editor: &str) -> TestEnv {
    let mut env = TestEnv::new().with_file(".env", "TOKEN=invented\n");
    let _ = env.run("init --yes --from-dotenv .env").success();
    env.write_script("editor", &format!("#!/bin/sh\necho \"$1\" > seen\n{editor}\n"));
    env.set("EDITOR", env.path("editor"));
    env
}

/// The editor's file of the run before.
fn seen(env: &TestEnv) -> PathBuf {
    PathBuf::from(env.read("seen").trim_end())
}

#[test]
fn what_an_editor_writes_is_the_value_without_the_line_end_that_it_added() {
    let env = project(
        "stat -c %a \"$1\" \"${1%/*}\" > modes\ncat \"$1\" > before\nprintf 'first\\nsecond\\n' > \"$1\"",
    );
    let output = env.run("edit TOKEN --yes");
    assert!(output.stderr.contains("app/TOKEN: 12 bytes (8 before)\n"), "{}", output.stderr);
    let _ = output.success();
    assert_eq!((env.read("before").as_str(), env.read("modes").as_str()), ("invented", "600\n700\n"));
    assert_eq!(env.run("get TOKEN").success(), "first\nsecond");
    assert!(!seen(&env).parent().unwrap().exists());
    // One that the value had before is kept.
    let _ = env.run_with_stdin("set TOKEN --yes", "with\n\n").success();
    let _ = env.run("edit TOKEN --yes").success();
    assert_eq!(env.run("get TOKEN").success(), "first\nsecond\n");
}

#[test]
fn an_unchanged_value_is_nothing_to_do() {
    let env = project("echo >> \"$1\"");
    let output = env.run("edit TOKEN");
    assert!(output.stderr.contains("unchanged, nothing to do"), "{}", output.stderr);
    assert_eq!(output.success(), "");
}

#[test]
fn an_editor_that_fails_changes_nothing_and_leaves_nothing() {
    let env = project("echo other > \"$1\"; exit 3");
    let stderr = env.run("edit TOKEN --yes").failure(1);
    assert!(stderr.contains("the editor failed (exit status: 3); nothing was changed"), "{stderr}");
    assert!(!seen(&env).parent().unwrap().exists());
    assert_eq!(env.run("get TOKEN").success(), "invented");
}

#[test]
fn a_run_that_is_terminated_takes_its_file_and_the_editor_with_it() {
    // The editor looks for the run that started it, ends that, and stays.
    let env = project(
        "p=$PPID\nwhile [ \"$(cat /proc/$p/comm)\" != strongroom ]; do p=$(cut -d' ' -f4 /proc/$p/stat); done\nkill -TERM $p\nexec tail -f /dev/null",
    );
    assert!(env.run("edit TOKEN --yes").failure(130).contains("nothing was changed"));
    assert!(!seen(&env).parent().unwrap().exists());
    assert_eq!(env.run("get TOKEN").success(), "invented");
}

#[test]
fn on_a_terminal_ctrl_c_is_the_editors_and_at_the_question_it_ends_the_run() {
    let env = project(
        "trap 'caught=1; echo caught' INT\nprintf other > \"$1\"\necho ready\nuntil [ $caught ]; do read line; done\nexit 0",
    );
    let mut terminal = env.terminal("edit TOKEN");
    terminal.expect("ready");
    terminal.type_raw("\u{3}");
    terminal.expect("caught");
    terminal.expect("Change app/TOKEN in `local`? [y/N]");
    terminal.type_raw("\u{3}");
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(130), "{shown}");
    assert!(!seen(&env).parent().unwrap().exists());
    assert_eq!(env.run("get TOKEN").success(), "invented");
}

#[test]
fn without_a_terminal_and_without_an_editor_the_next_step_is_told() {
    let mut env = project("true");
    env.set("EDITOR", "");
    assert!(env.run("edit TOKEN").failure(2).contains("--from-file FILE"));
}
