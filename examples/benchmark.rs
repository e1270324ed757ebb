//! How long things take: `cargo run --release --example benchmark`. The figures are kept in `docs/performance.md`.
//!
//! Runs the real binary, which must be built with the same profile, many times on a vault made for it, and tells the
//! median, the slowest, and the peak memory of a run.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its output is what it is for")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use strongroom::document::{Document, Kind, Record, Section, State};
use strongroom::seal::{self, Identities};
use strongroom::secret::Secret;
use strongroom::snapshot::{Entry, Past, Version};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Makes this program its own helper for [`peak`].
const PEAK: &str = "--peak-of";

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, command @ ..] = words.as_slice()
        && first == PEAK
    {
        return tell_peak(command);
    }
    let binary = binary()?;
    let small = project(100, 1)?;
    let large = project(10_000, 1)?;
    let old = project(10_000, 5)?;
    println!("{:<44} {:>9} {:>9} {:>9}", "", "median", "slowest", "memory");
    measure("--version", 50, &binary, &small, &["--version"])?;
    measure("list, 100 keys", 50, &binary, &small, &["list", "-q"])?;
    measure("render, 100 keys", 50, &binary, &small, &["render", "-q"])?;
    measure("exec true, 100 keys", 50, &binary, &small, &["exec", "--", "true"])?;
    measure("set, 100 keys", 20, &binary, &small, &["set", "KEY_7", "--generate", "-yq"])?;
    measure("get, 10,000 keys", 20, &binary, &large, &["get", "KEY_7"])?;
    measure("get, 10,000 keys of 5 versions", 20, &binary, &old, &["get", "KEY_7"])?;
    measure("set, 10,000 keys", 20, &binary, &large, &["set", "KEY_7", "--generate", "-yq"])?;
    Ok(())
}

/// The binary beside this program: `target/<profile>/examples/benchmark` and `target/<profile>/strongroom`.
fn binary() -> Outcome<PathBuf> {
    let here = std::env::current_exe()?;
    let path = here.parent().and_then(Path::parent).ok_or("no target folder")?.join("strongroom");
    if !path.is_file() {
        return Err("build the binary with the same profile first: cargo build --release".into());
    }
    Ok(path)
}

/// A project with a vault of so many keys with so many versions, in a folder of its own.
fn project(keys: usize, versions: usize) -> Outcome<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let identity = Identities::generate();
    fs::write(folder.path().join("identity.txt"), identity.to_file().as_bytes())?;
    let recipient = &identity.recipients()[0];
    let mut manifest = format!(
        "version = 1\n[project]\nname = \"bench\"\nrecipients = [\"{recipient}\"]\n[environments.local]\nhome = \"vault\"\n\
         [render.app]\nfile = \".env\"\ndialect = \"compose\"\n[groups.app.keys]\n"
    );
    let mut section = Section { place: "vault".to_owned(), state: State::Held, records: Default::default() };
    let now = jiff::Timestamp::now();
    for key in 0..keys {
        manifest.push_str(&format!("KEY_{key} = {{ secret = true }}\n"));
        let value =
            |version: usize| Secret::new(format!("value {version} of {key} with ' and $ {}", "x".repeat(24)));
        let mut entry = Entry::of(value(versions)?);
        entry.version = Some(Version(versions.to_string()));
        entry.modified = Some(now);
        let mut record = Record { entry: Some(entry), ..Record::default() };
        for version in (1..versions).rev() {
            let (value, modified) = (Some(value(version)?), now);
            record.history.push(Past { value, version: Version(version.to_string()), modified });
        }
        section.records.insert(format!("app/KEY_{key}").parse()?, record);
    }
    let document = Document {
        kind: Kind::Vault,
        project: "bench".to_owned(),
        environment: "local".to_owned(),
        created: now,
        fingerprint_key: None,
        sections: vec![section],
    };
    fs::write(folder.path().join("strongroom.toml"), manifest)?;
    fs::create_dir(folder.path().join(".strongroom"))?;
    let sealed = seal::seal(&document.to_json(), &identity.recipients())?;
    fs::write(folder.path().join(".strongroom/local.age"), sealed)?;
    Ok(folder)
}

fn measure(
    name: &str,
    runs: usize,
    binary: &Path,
    project: &tempfile::TempDir,
    words: &[&str],
) -> Outcome<()> {
    let mut command = Command::new(binary);
    command
        .args(words)
        .current_dir(project)
        .env("STRONGROOM_IDENTITY", project.path().join("identity.txt"))
        .env("STRONGROOM_STATE_DIR", project.path().join("state"))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let memory = peak(&command)?;
    let mut times = Vec::new();
    for _ in 0..runs {
        let started = Instant::now();
        if !command.status()?.success() {
            return Err(format!("{name} failed").into());
        }
        times.push(started.elapsed());
    }
    times.sort();
    let (median, slowest) = (times[times.len() / 2], times[times.len() - 1]);
    println!("{name:<44} {:>9} {:>9} {:>6} MB", ms(median), ms(slowest), memory / 1024);
    Ok(())
}

/// The peak of a command's resident memory in KiB. The kernel tells it of all children together, so this program runs
/// itself for each.
fn peak(command: &Command) -> Outcome<u64> {
    let mut asked = Command::new(std::env::current_exe()?);
    asked.arg(PEAK).arg(command.get_program()).args(command.get_args());
    asked.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    asked.current_dir(command.get_current_dir().unwrap_or(Path::new(".")));
    let told = asked.stdin(Stdio::null()).output()?;
    Ok(String::from_utf8(told.stderr)?.trim().parse()?)
}

/// The other side of [`peak`]: runs a command and tells the memory of it on stderr.
fn tell_peak(words: &[String]) -> Outcome<()> {
    let quiet =
        Command::new(&words[0]).args(&words[1..]).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let used = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN)?;
    eprintln!("{}", used.max_rss());
    if quiet.success() { Ok(()) } else { Err("the command failed".into()) }
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
