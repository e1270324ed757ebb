//! What benchmarks share: the binary that they run, the memory that a run of it takes, and how times are written.
//!
//! It measures nothing by itself and prints nothing but the answer of its own child.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// Makes a benchmark its own child for [`peak`].
const PEAK: &str = "--peak-of";

/// The binary beside this program: `target/<profile>/examples/<benchmark>` and `target/<profile>/strongroom`.
pub(crate) fn binary() -> Outcome<PathBuf> {
    let here = std::env::current_exe()?;
    let path = here.parent().and_then(Path::parent).ok_or("no target folder")?.join("strongroom");
    if !path.is_file() {
        return Err("build the binary with the same profile first: cargo build --release".into());
    }
    Ok(path)
}

/// The peak of a command's resident memory in MB. The kernel tells it of all children together, so this program runs
/// itself for each: a benchmark's `main` begins with [`answer_peak`].
pub(crate) fn peak(command: &Command) -> Outcome<u64> {
    let mut asked = Command::new(std::env::current_exe()?);
    asked.arg(PEAK).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => asked.env(name, value),
            None => asked.env_remove(name),
        };
    }
    asked.current_dir(command.get_current_dir().unwrap_or(Path::new(".")));
    let told = asked.stdin(Stdio::null()).output()?;
    Ok(String::from_utf8(told.stderr)?.trim().parse::<u64>()? / 1024)
}

/// The other side of [`peak`]: where this is such a child, runs the command and tells the memory of it on stderr.
pub(crate) fn answer_peak() -> Option<Outcome<()>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.as_slice() {
        [first, command @ ..] if first == PEAK => Some(tell_peak(command)),
        _ => None,
    }
}

#[expect(clippy::print_stderr, reason = "its output is what it is for")]
fn tell_peak(words: &[String]) -> Outcome<()> {
    let quiet =
        Command::new(&words[0]).args(&words[1..]).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let used = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN)?;
    eprintln!("{}", used.max_rss());
    if quiet.success() { Ok(()) } else { Err("the command failed".into()) }
}

/// The median and the slowest of some times.
pub(crate) fn median_and_slowest(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort();
    (times[times.len() / 2], times[times.len() - 1])
}

/// A time as people read it.
pub(crate) fn shown(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 1.0 => format!("{:.1} ms", seconds * 1000.0),
        seconds => format!("{seconds:.2} s"),
    }
}
