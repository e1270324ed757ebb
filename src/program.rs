//! Programs of a person's own, run for a rotation: what they are given, how long they may take, how they end.
//!
//! Owns the process: no shell, the arguments as they are declared, input on standard input and never as an argument or a
//! variable, and an end together with whoever asked: a run that is given up kills the program and all that it started.
//! One runs at a time, in an environment and on a host, even where the one before has outlived whoever started it.
//! It never knows what the input means, and never prints: what a program says on stderr is passed on line by line, with
//! the values that it was given masked.

use crate::durable;
use crate::journal::Answer;
use crate::secret::Secret;
use rustix::io::FdFlags;
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use zeroize::{Zeroize, Zeroizing};

/// Where programs run, and who hears what they say.
#[derive(Clone)]
pub struct Surroundings {
    /// The folder that they run in.
    pub folder: PathBuf,
    /// All of their environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Hears each line of their stderr, masked.
    pub told: Arc<dyn Fn(&str) + Send + Sync>,
    /// A file that is locked as long as one of them runs, so that it runs alone.
    pub lock: PathBuf,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote on stdout.
    pub output: Answer,
    /// The last line that it said on stderr, masked.
    pub last: Option<String>,
}

/// Why there is no end to tell. Its text never holds what the program was given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// It was not started: nothing happened.
    #[error("it cannot be run")]
    NotRun(#[source] std::io::Error),
    /// It was not started: one that an earlier run of ours has left behind is still at work.
    #[error("a program of a run that was killed is still at work, and keeps {} locked", .0.display())]
    OneIsLeft(PathBuf),
    /// It was killed: it took too long.
    #[error("it was killed after {} s", .0.as_secs())]
    TooLong(Duration),
    /// It said more than anybody asked for.
    #[error("it was killed: it wrote more than {LONGEST} bytes to stdout")]
    TooMuch,
    /// It could not be listened to.
    #[error("it could not be listened to")]
    Lost(#[source] std::io::Error),
}

/// The longest output that is read.
const LONGEST: usize = 1 << 20;

/// The longest line of stderr that is passed on in one piece.
const LONGEST_LINE: u64 = 8 << 10;

/// Runs a program to its end. `masked` are the values that its stderr must not show.
pub async fn run(
    words: &[String],
    input: &[u8],
    masked: &[&Secret],
    surroundings: &Surroundings,
    patience: Duration,
) -> Result<Ended, ProgramError> {
    let (program, arguments) = words.split_first().expect("the manifest refuses a program without a name");
    // A name with a `/` is looked for from the program's folder on, and not from ours.
    let program = match program.contains('/') {
        true => surroundings.folder.join(program).into_os_string(),
        false => program.into(),
    };
    let mut command = Command::new(program);
    command.args(arguments).current_dir(&surroundings.folder);
    command.env_clear().envs(surroundings.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let turn = turn(surroundings, patience).await?;
    // A group of its own: Ctrl-C is for us to hear, and a program in the midst of a change is not cut off by it.
    let child = command.process_group(0).kill_on_drop(true).spawn().map_err(ProgramError::NotRun)?;
    let mut running = Running(child);
    match tokio::time::timeout(patience, running.ended(input, masked, &surroundings.told)).await {
        Ok(ended) => {
            // What it has left running on purpose keeps nobody waiting.
            let _ = turn.unlock();
            ended
        }
        Err(_) => Err(ProgramError::TooLong(patience)),
    }
}

/// How often it is looked whether a program that was left behind has ended.
const LOOKS: Duration = Duration::from_millis(100);

/// The lock of the one program that may run. Whoever is started now holds it too: where we are killed, and nobody ends the
/// program, the next run waits for it as long as it would have waited for its own.
async fn turn(surroundings: &Surroundings, patience: Duration) -> Result<File, ProgramError> {
    let file = durable::lock_file(&surroundings.lock).map_err(ProgramError::NotRun)?;
    let until = tokio::time::Instant::now() + patience;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::Error(error)) => return Err(ProgramError::NotRun(error)),
            Err(TryLockError::WouldBlock) if tokio::time::Instant::now() >= until => {
                return Err(ProgramError::OneIsLeft(surroundings.lock.clone()));
            }
            Err(TryLockError::WouldBlock) if !told => {
                (surroundings.told)("waiting for a program that a killed run has left at work");
                told = true;
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOKS).await,
        }
    }
    // Inherited by what is started.
    rustix::io::fcntl_setfd(&file, FdFlags::empty()).map_err(|error| ProgramError::NotRun(error.into()))?;
    Ok(file)
}

/// A program that is killed with all that it started when nobody waits for it any more.
struct Running(Child);

impl Running {
    async fn ended(
        &mut self,
        input: &[u8],
        masked: &[&Secret],
        told: &Arc<dyn Fn(&str) + Send + Sync>,
    ) -> Result<Ended, ProgramError> {
        let child = &mut self.0;
        let stdin = child.stdin.take().expect("it was piped");
        let stdout = child.stdout.take().expect("it was piped");
        let stderr = child.stderr.take().expect("it was piped");
        let (_, output, last) =
            tokio::try_join!(fed(stdin, input), read(stdout), passed_on(stderr, masked, told))?;
        let status = child.wait().await.map_err(ProgramError::Lost)?;
        Ok(Ended { status, output, last })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Known only while nobody has asked how it ended: until then the number is its own.
        let group = self.0.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Who does not read what it is given need not.
async fn fed(mut stdin: impl tokio::io::AsyncWrite + Unpin, input: &[u8]) -> Result<(), ProgramError> {
    match stdin.write_all(input).await {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(ProgramError::Lost(error)),
        _ => Ok(()),
    }
}

async fn read(mut stdout: impl tokio::io::AsyncRead + Unpin) -> Result<Answer, ProgramError> {
    // Of its full size from the beginning, so that no copy is left where it grew out of.
    let mut all = Zeroizing::new(vec![0_u8; LONGEST + 1]);
    let mut length = 0;
    loop {
        match stdout.read(&mut all[length..]).await.map_err(ProgramError::Lost)? {
            0 => return Ok(Answer::new(all[..length].to_vec())),
            more if length + more > LONGEST => return Err(ProgramError::TooMuch),
            more => length += more,
        }
    }
}

async fn passed_on(
    stderr: impl tokio::io::AsyncRead + Unpin,
    masked: &[&Secret],
    told: &Arc<dyn Fn(&str) + Send + Sync>,
) -> Result<Option<String>, ProgramError> {
    let mut lines = BufReader::new(stderr);
    let mut last = None;
    loop {
        let mut line = Zeroizing::new(Vec::new());
        let mut part = (&mut lines).take(LONGEST_LINE);
        if part.read_until(b'\n', &mut line).await.map_err(ProgramError::Lost)? == 0 {
            return Ok(last);
        }
        let text = masked_in(String::from_utf8_lossy(&line).trim_end(), masked);
        if !text.is_empty() {
            told(&text);
            last = Some(text);
        }
    }
}

/// A line of text with values in it taken out; of a value of several lines each line is one.
fn masked_in(text: &str, masked: &[&Secret]) -> String {
    let mut text = text.to_owned();
    let mut parts: Vec<&str> = masked.iter().flat_map(|value| value.expose().lines()).collect();
    parts.retain(|part| part.len() > 2);
    // The longest first: one value may begin as another does.
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    for part in parts {
        if text.contains(part) {
            let clean = text.replace(part, "***");
            text.zeroize();
            text = clean;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn surroundings() -> (Surroundings, Arc<Mutex<Vec<String>>>, tempfile::TempDir) {
        let folder = tempfile::TempDir::new().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let listener = heard.clone();
        let surroundings = Surroundings {
            folder: "/".into(),
            environment: vec![("PATH".into(), "/usr/bin:/bin".into()), ("ONLY".into(), "this".into())],
            lock: folder.path().join("program"),
            told: Arc::new(move |line: &str| listener.lock().unwrap().push(line.to_owned())),
        };
        (surroundings, heard, folder)
    }

    fn ran(script: &str, input: &str, patience: Duration) -> (Result<Ended, ProgramError>, Vec<String>) {
        let (surroundings, heard, _folder) = surroundings();
        let words = ["sh", "-c", script].map(str::to_owned);
        let secret = Secret::new("canary-value\nsecond-line".to_owned()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ended = runtime.block_on(run(&words, input.as_bytes(), &[&secret], &surroundings, patience));
        let heard = heard.lock().unwrap().clone();
        (ended, heard)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_program_gets_its_input_and_nothing_of_our_environment_and_its_end_is_told() {
        let (ended, heard) = ran("cat; env | grep -v ^_= | sort >&2; pwd >&2; exit 10", "given", LONG);
        let ended = ended.unwrap();
        assert_eq!((ended.status.code(), ended.output.expose()), (Some(10), b"given".as_slice()));
        assert_eq!(ended.last.as_deref(), Some("/"));
        assert!(heard.contains(&"ONLY=this".to_owned()), "{heard:?}");
        assert!(!heard.iter().any(|line| line.starts_with("HOME=")), "{heard:?}");
    }

    #[test]
    fn what_is_said_is_masked_and_what_is_not_read_is_no_failure() {
        let input = "x".repeat(1 << 20);
        let (ended, heard) = ran("exec <&-; echo a canary-value and second-line >&2", &input, LONG);
        assert!(ended.unwrap().status.success());
        assert_eq!(heard, ["a *** and ***"]);
    }

    #[test]
    fn one_that_takes_too_long_says_too_much_or_is_not_there_is_an_error_and_not_an_end() {
        let (ended, _) = ran("sleep 600 & sleep 600", "", Duration::from_millis(50));
        assert!(matches!(ended, Err(ProgramError::TooLong(_))), "{ended:?}");
        let (ended, _) = ran("yes", "", LONG);
        assert!(matches!(ended, Err(ProgramError::TooMuch)), "{ended:?}");
        let (surroundings, _, _folder) = surroundings();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ended = runtime.block_on(run(&["./not-there".to_owned()], b"", &[], &surroundings, LONG));
        assert!(matches!(ended, Err(ProgramError::NotRun(_))), "{ended:?}");
    }
}
