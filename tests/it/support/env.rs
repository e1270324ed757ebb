//! A hermetic place to run the real binary in: an empty environment, a home and a project folder of its own.
//!
//! Nothing of the machine's settings reaches the binary, and nothing outside of the folder is written. Output is kept
//! with the folder's path replaced, so that it can be compared with text.

use crate::support::cloud::Cloud;
use nix::sys::wait::WaitStatus;
use rexpect::session::PtySession;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The path of the binary under test.
pub(crate) const STRONGROOM: &str = env!("CARGO_BIN_EXE_strongroom");

/// If a terminal session says nothing for so long, it hangs; only a broken test waits for it.
const HANGS_AFTER_MS: u64 = 60_000;

/// A project folder, a home, and the variables that the binary will see.
#[derive(Debug)]
pub(crate) struct TestEnv {
    root: TempDir,
    variables: BTreeMap<OsString, OsString>,
}

impl TestEnv {
    /// An empty project in an empty home.
    pub(crate) fn new() -> TestEnv {
        TestEnv::at(TempDir::with_prefix("strongroom-test-").unwrap())
    }

    /// The same on a file system in memory, where there is one: for tests that run the binary thousands of times.
    pub(crate) fn in_memory() -> TestEnv {
        match TempDir::with_prefix_in("strongroom-test-", "/dev/shm") {
            Ok(root) => TestEnv::at(root),
            Err(_) => TestEnv::new(),
        }
    }

    fn at(root: TempDir) -> TestEnv {
        let mut env = TestEnv { root, variables: BTreeMap::new() };
        for folder in ["home", "config", "state", "work"] {
            fs::create_dir(env.root().join(folder)).unwrap();
        }
        // The machine's PATH is kept: tests run `sh`, `age` and others through the binary.
        env.set("PATH", std::env::var_os("PATH").unwrap_or_default());
        env.set("HOME", env.root().join("home"));
        env.set("XDG_CONFIG_HOME", env.root().join("config"));
        env.set("XDG_STATE_HOME", env.root().join("state"));
        env.set("TZ", "UTC");
        env
    }

    /// With a variable more.
    pub(crate) fn with(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> TestEnv {
        self.set(name, value);
        self
    }

    /// With a file in the project folder; folders on the way are made.
    pub(crate) fn with_file(self, path: &str, content: impl AsRef<[u8]>) -> TestEnv {
        self.write(path, content);
        self
    }

    /// With a manifest.
    pub(crate) fn with_manifest(self, text: &str) -> TestEnv {
        self.with_file("strongroom.toml", text)
    }

    /// Points the AWS clients of everything that runs in it to a local AWS.
    pub(crate) fn on(&mut self, cloud: &Cloud) {
        for (name, value) in cloud.environment() {
            self.set(name, value);
        }
    }

    /// Sets a variable for the runs that follow.
    pub(crate) fn set(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
        self.variables.insert(name.as_ref().to_owned(), value.as_ref().to_owned());
    }

    /// The folder that holds everything.
    pub(crate) fn root(&self) -> PathBuf {
        self.root.path().canonicalize().unwrap()
    }

    /// A path in the project folder.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root().join("work").join(path)
    }

    /// A path in the home folder.
    pub(crate) fn home(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root().join("home").join(path)
    }

    /// A path in the settings folder of strongroom.
    pub(crate) fn config(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root().join("config/strongroom").join(path)
    }

    /// A path in the state folder of strongroom.
    pub(crate) fn state(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root().join("state/strongroom").join(path)
    }

    /// Writes a file in the project folder.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Writes a program in the project folder.
    pub(crate) fn write_script(&self, path: &str, content: &str) {
        self.write(path, content);
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What a file in the project folder holds.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// Any program, in the project folder, with these variables only.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.variables).current_dir(self.path(""));
        command
    }

    /// Runs the binary with words separated by white space and an empty stdin.
    pub(crate) fn run(&self, words: &str) -> Output {
        self.args(words.split_whitespace())
    }

    /// Runs the binary with these arguments and an empty stdin.
    pub(crate) fn args(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
        self.args_with_stdin(arguments, b"")
    }

    /// Runs the binary with words separated by white space and this on stdin.
    pub(crate) fn run_with_stdin(&self, words: &str, stdin: impl AsRef<[u8]>) -> Output {
        self.args_with_stdin(words.split_whitespace(), stdin.as_ref())
    }

    /// Runs the binary with these arguments and this on stdin.
    pub(crate) fn args_with_stdin(
        &self,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        stdin: &[u8],
    ) -> Output {
        let mut command = self.command(STRONGROOM);
        command.args(arguments);
        self.finish(command, stdin)
    }

    /// Runs a line of `sh`, in which `strongroom` is the binary.
    pub(crate) fn sh(&self, line: &str) -> Output {
        let mut command = self.command("sh");
        command.arg("-c").arg(format!("strongroom() {{ '{STRONGROOM}' \"$@\"; }}\n{line}"));
        self.finish(command, b"")
    }

    /// Copies the binary to where every user of the machine may run it. By another process: a file that this one has
    /// open for writing is also open in children that other tests start at that moment, and then nobody can run it.
    pub(crate) fn copy_binary(&self, to: &Path) {
        let mut copy = self.command("cp");
        copy.arg(STRONGROOM).arg(to);
        let _ = self.finish(copy, b"").success();
    }

    /// Runs any command to its end.
    pub(crate) fn finish(&self, command: Command, stdin: &[u8]) -> Output {
        self.finish_known(command, stdin, |_| {})
    }

    /// The same for a process that somebody wants to know as soon as it runs.
    pub(crate) fn finish_known(&self, mut command: Command, stdin: &[u8], known: impl FnOnce(u32)) -> Output {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        known(child.id());
        let mut pipe = child.stdin.take().unwrap();
        let stdin = stdin.to_owned();
        // A child that does not read its stdin is no failure of the test.
        let writer = std::thread::spawn(move || drop(pipe.write_all(&stdin)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Output {
            code: output.status.code(),
            stdout_bytes: output.stdout.clone(),
            stdout: self.redact(&output.stdout),
            stderr: self.redact(&output.stderr),
        }
    }

    /// Runs the binary on a terminal of its own, with words separated by white space.
    pub(crate) fn terminal(&self, words: &str) -> Terminal {
        let mut command = self.command(STRONGROOM);
        command.args(words.split_whitespace());
        self.terminal_of(&command)
    }

    /// Runs any command on a terminal of its own.
    pub(crate) fn terminal_of(&self, command: &Command) -> Terminal {
        // The pseudo-terminal comes without a size and with its echo off; a person's has both.
        let mut shell = self.command("sh");
        shell.args(["-c", "stty echo rows 24 cols 100; exec \"$@\"", "sh"]);
        shell.arg(command.get_program()).args(command.get_args()).env("TERM", "xterm");
        Terminal { session: rexpect::session::spawn_command(shell, Some(HANGS_AFTER_MS)).unwrap() }
    }

    fn redact(&self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).replace(self.root().to_str().unwrap(), "[ROOT]")
    }
}

/// What a run said, with the path of its folder replaced by `[ROOT]`.
#[must_use]
#[derive(Debug)]
pub(crate) struct Output {
    /// The exit code; none where a signal ended it.
    pub(crate) code: Option<i32>,
    /// Data, byte for byte.
    pub(crate) stdout_bytes: Vec<u8>,
    /// Data.
    pub(crate) stdout: String,
    /// Everything else.
    pub(crate) stderr: String,
}

impl Output {
    /// Data of a run that ended well.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, Some(0), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self.stdout
    }

    /// What a run said that ended with this exit code and without data.
    #[track_caller]
    pub(crate) fn failure(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "", "a failure has no data");
        self.stderr
    }
}

/// A run on a pseudo-terminal: stdin, stdout and stderr are the terminal.
pub(crate) struct Terminal {
    session: PtySession,
}

impl Terminal {
    /// Waits for text; gives what came before it.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> String {
        self.session.exp_string(text).unwrap()
    }

    /// Types text and Enter.
    pub(crate) fn type_line(&mut self, text: &str) {
        self.session.send_line(text).unwrap();
    }

    /// Types text as it is.
    pub(crate) fn type_raw(&mut self, text: &str) {
        self.session.send(text).unwrap();
        self.session.flush().unwrap();
    }

    /// Waits for the end; gives the rest of what was shown, and the exit code (none for a signal).
    pub(crate) fn end(mut self) -> (String, Option<i32>) {
        let shown = self.session.exp_eof().unwrap();
        let code = match self.session.process().wait().unwrap() {
            WaitStatus::Exited(_, code) => Some(code),
            _ => None,
        };
        (shown, code)
    }
}
