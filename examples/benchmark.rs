//! How long things take: `cargo run --release --example benchmark`. The figures are kept in `docs/performance.md`.
//!
//! Runs the real binary, which must be built with the same profile, many times on a vault made for it, and tells the
//! median, the slowest, and the peak memory of a run.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

mod measure;

use measure::{Outcome, median_and_slowest, shown};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;
use strongroom::document::{Document, Kind, Record, Section, State};
use strongroom::seal::{self, Identities};
use strongroom::secret::Secret;
use strongroom::snapshot::{Entry, Past, Version};

fn main() -> Outcome<()> {
    if let Some(answer) = measure::answer_peak() {
        return answer;
    }
    let binary = measure::binary()?;
    let small = project(100, 1)?;
    let large = project(10_000, 1)?;
    let old = project(10_000, 5)?;
    println!("{:<44} {:>9} {:>9} {:>9}", "", "median", "slowest", "memory");
    run("--version", 50, &binary, &small, &["--version"])?;
    run("list, 100 keys", 50, &binary, &small, &["list", "-q"])?;
    run("render, 100 keys", 50, &binary, &small, &["render", "-q"])?;
    run("exec true, 100 keys", 50, &binary, &small, &["exec", "--", "true"])?;
    run("set, 100 keys", 20, &binary, &small, &["set", "KEY_7", "--generate", "-yq"])?;
    run("get, 10,000 keys", 20, &binary, &large, &["get", "KEY_7"])?;
    run("get, 10,000 keys of 5 versions", 20, &binary, &old, &["get", "KEY_7"])?;
    run("set, 10,000 keys", 20, &binary, &large, &["set", "KEY_7", "--generate", "-yq"])?;
    Ok(())
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
    let mut section = Section::new("vault", State::Held, Default::default());
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

fn run(name: &str, runs: usize, binary: &Path, project: &tempfile::TempDir, words: &[&str]) -> Outcome<()> {
    let mut command = Command::new(binary);
    command
        .args(words)
        .current_dir(project)
        .env("STRONGROOM_IDENTITY", project.path().join("identity.txt"))
        .env("STRONGROOM_STATE_DIR", project.path().join("state"))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let memory = measure::peak(&command)?;
    let mut times = Vec::new();
    for _ in 0..runs {
        let started = Instant::now();
        if !command.status()?.success() {
            return Err(format!("{name} failed").into());
        }
        times.push(started.elapsed());
    }
    let (median, slowest) = median_and_slowest(times);
    println!("{name:<44} {:>9} {:>9} {memory:>6} MB", shown(median), shown(slowest));
    Ok(())
}
