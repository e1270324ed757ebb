//! Runs of the binary that meet a fault at one of their calls to the file system: killed before it, after it or in it,
//! an error, a full disk.
//!
//! The faults are made by `support/crash_at.c`, which is built here, once. What it needs from the binary is that every
//! call goes through the C library: rustix is asked to, and the log of a run is held against what the run is known to do.

use super::world::World;
use crate::support::env::{Output, STRONGROOM, TestEnv};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What happens at a call. The words are the library's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    Before,
    After,
    Torn,
    Eio,
    Full,
    Lazy,
}

impl How {
    fn word(self) -> &'static str {
        match self {
            How::Before => "before",
            How::After => "after",
            How::Torn => "torn",
            How::Eio => "eio",
            How::Full => "full",
            How::Lazy => "lazy",
        }
    }

    /// Whether the process does not survive it.
    pub(crate) fn kills(self) -> bool {
        matches!(self, How::Before | How::After | How::Torn)
    }
}

/// One call that changes or flushes the file system.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) worked: bool,
    pub(crate) path: PathBuf,
    /// The new name, where there is one.
    pub(crate) to: PathBuf,
}

/// Runs the binary, with a fault at a call counted from 1 or without one; tells the calls that were made.
pub(super) fn run(
    world: &World,
    words: &str,
    stdin: &str,
    fault: Option<(usize, How)>,
) -> (Output, Vec<Call>) {
    run_in(&world.env, words, stdin, fault)
}

/// The same anywhere.
pub(crate) fn run_in(
    env: &TestEnv,
    words: &str,
    stdin: &str,
    fault: Option<(usize, How)>,
) -> (Output, Vec<Call>) {
    let log = env.root().join("calls");
    let _ = fs::remove_file(&log);
    let mut command = env.command(STRONGROOM);
    command.args(words.split_whitespace()).env("LD_PRELOAD", library()).env("CRASH_LOG", &log);
    if let Some((at, how)) = fault {
        command.env("CRASH_AT", at.to_string()).env("CRASH_HOW", how.word());
    }
    let output = env.finish(command, stdin.as_bytes());
    let calls = calls(&fs::read_to_string(&log).unwrap());
    fs::remove_file(&log).unwrap();
    (output, calls)
}

fn calls(log: &str) -> Vec<Call> {
    let call = |line: &str| {
        let mut parts = line.split('\t');
        let mut next = || parts.next().unwrap_or_default();
        let (name, worked) = (next().to_owned(), next() == "ok");
        Call { name, worked, path: next().into(), to: next().into() }
    };
    log.lines().map(call).collect()
}

/// The library, built if it is not what its source says.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/crash_at.c");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("crash_at");
        fs::create_dir_all(&folder).unwrap();
        let lock = File::create(folder.join("lock")).unwrap();
        lock.lock().unwrap();
        let (built, stamp) = (folder.join("crash_at.so"), folder.join("crash_at.c"));
        let text = fs::read(&source).unwrap();
        if fs::read(&stamp).is_ok_and(|stamped| stamped == text) && built.exists() {
            return built;
        }
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-Wno-format-truncation", "-o"]);
        let done = compiler.arg(&built).arg(&source).arg("-ldl").output();
        let done = done.expect("Rust links with `cc`, so it is there");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        fs::write(&stamp, &text).unwrap();
        built
    })
}

#[test]
fn every_kind_of_call_that_a_set_makes_is_seen() {
    let world = World::new();
    let (output, calls) = run(&world, "--yes set NEW", "x", None);
    let _ = output.success();
    let mut names: Vec<&str> = calls.iter().map(|call| call.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in ["create", "write", "flush", "rename", "mkdir"] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    let replaced = calls.iter().filter(|call| call.name == "rename" && call.to == world.vault());
    assert_eq!(replaced.count(), 1);
    assert!(calls.iter().all(|call| call.path.starts_with(world.env.root())), "{calls:?}");
}

#[test]
fn each_fault_does_what_it_says() {
    let world = World::new();
    let base = world.tree();
    let (output, clean) = run(&world, "--yes set NEW", "x", None);
    let _ = output.success();
    for (how, logged, killed) in [
        (How::Before, 4, true),
        (How::After, 5, true),
        (How::Torn, 5, true),
        (How::Eio, clean.len(), false),
        (How::Full, clean.len(), false),
    ] {
        world.restore(&base);
        let (output, calls) = run(&world, "--yes set NEW", "x", Some((5, how)));
        assert_eq!(output.code.is_none(), killed, "{how:?}: {}", output.stderr);
        assert!(if killed { calls.len() == logged } else { calls.len() <= logged }, "{how:?}: {calls:?}");
        assert!(killed || calls.iter().any(|call| !call.worked), "{how:?}: {calls:?}");
    }
}
