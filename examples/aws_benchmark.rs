//! How long things take on AWS, and in how many calls: `cargo run --release --example aws_benchmark`, after
//! `cargo build --release`. The figures are kept in `docs/performance.md`.
//!
//! Runs against the local AWS, in which each call takes 20 ms: strongroom's own store, the real binary, the `aws` program
//! (`--aws PATH`, or the one on the PATH) and a plain page walk with the same SDK; then under AWS's quotas, against the
//! time that a quota leaves at least. What was read or written is counted each time, and a benchmark that misses a value
//! fails. `--only WORD` runs the lines whose name has that word, `--kinds` tells which calls were made. Needs no account and
//! reaches nothing but 127.0.0.1.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

#[expect(dead_code, reason = "the tests use more of it than this program does")]
#[path = "local_aws/cloud/mod.rs"]
mod cloud;
mod measure;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use clap::Parser;
use cloud::beanstalk::handles::Seed as Environment;
use cloud::rates::Rates;
use cloud::ssm::Seed;
use cloud::{ACCESS_KEY, Cloud, REGION, SECRET_KEY};
use measure::{Outcome, median_and_slowest, shown};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use strongroom::manifest::{Instances, Manifest, Quota};
use strongroom::seal::Identities;
use strongroom::store::{Aws, Endpoints, Settings, Ssm, Store};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const GROUPS: usize = 250;
const PARAMETERS: usize = 1_000;
/// AWS gives ten in a call, whatever the call.
const READS: f64 = 100.0;
const IMPORTED: usize = 60;
/// A platform that resolves references, JSON keys too.
const DOCKER: &str = "64bit Amazon Linux 2023 v4.9.1 running Docker";
/// So much that no call waits for its turn.
const RAISED: Quota = Quota { reads: 10_000, writes: 10_000 };

/// How long things take on a local AWS, and in how many calls
#[derive(Parser)]
struct Arguments {
    /// The aws program to compare with
    #[arg(long, value_name = "PATH", default_value = "aws")]
    aws: PathBuf,
    /// How long each call takes, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 20)]
    latency: u64,
    /// Only the lines whose name has this word
    #[arg(long, value_name = "WORD", default_value = "")]
    only: String,
    /// Tell the calls of each line's last run by their kind
    #[arg(long)]
    kinds: bool,
}

fn main() -> Outcome<()> {
    if let Some(answer) = measure::answer_peak() {
        return answer;
    }
    let arguments = Arguments::parse();
    let bench = Bench::new(arguments)?;
    println!(
        "{:<45} {:>9} {:>9} {:>8} {:>6} {:>7} {:>7}",
        "", "median", "slowest", "floor", "calls", "at once", "memory"
    );
    bench.reads()?;
    bench.reads_under_quotas()?;
    bench.writes()?;
    bench.documents()?;
    bench.migrations()?;
    bench.start_up()
}

/// A line of the table.
struct Case<'a> {
    name: &'a str,
    runs: usize,
    /// What the quota leaves at least.
    floor: Option<f64>,
    /// The command whose memory is told too.
    memory: Option<Command>,
}

impl<'a> Case<'a> {
    fn of(name: &'a str, runs: usize) -> Case<'a> {
        Case { name, runs, floor: None, memory: None }
    }

    /// The time that so many calls take where a second's worth may be made at once.
    fn paced(mut self, calls: f64, rate: f64) -> Case<'a> {
        self.floor = Some((calls - rate) / rate);
        self
    }
}

struct Bench {
    arguments: Arguments,
    binary: PathBuf,
    cloud: Cloud,
    runtime: Runtime,
}

impl Bench {
    fn new(arguments: Arguments) -> Outcome<Bench> {
        let cloud = Cloud::start();
        cloud.latency(Duration::from_millis(arguments.latency));
        // As the binary has it.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Bench { arguments, binary: measure::binary()?, cloud, runtime })
    }

    /// Runs what a line of the table means, so many times as it says. `work` tells how many values it has found.
    fn line(&self, case: &Case, expected: usize, mut work: impl FnMut() -> Outcome<usize>) -> Outcome<()> {
        if !case.name.contains(&self.arguments.only) {
            return Ok(());
        }
        let memory = case.memory.as_ref().map(measure::peak).transpose()?;
        let mut times = Vec::new();
        for _ in 0..case.runs {
            self.cloud.reset_calls();
            let started = Instant::now();
            let found = work()?;
            times.push(started.elapsed());
            if found != expected {
                return Err(format!("{}: {found} values instead of {expected}", case.name).into());
            }
        }
        let calls = self.cloud.calls();
        let most = calls.iter().map(|call| call.in_flight).max().unwrap_or(0);
        let (median, slowest) = median_and_slowest(times);
        println!(
            "{:<45} {:>9} {:>9} {:>8} {:>6} {:>7} {:>7}",
            case.name,
            shown(median),
            shown(slowest),
            case.floor.map(|seconds| format!("{seconds:.2} s")).unwrap_or_default(),
            calls.len(),
            most,
            memory.map(|megabytes| format!("{megabytes} MB")).unwrap_or_default(),
        );
        if self.arguments.kinds {
            let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
            calls.iter().for_each(|call| *kinds.entry(&call.action).or_default() += 1);
            kinds.into_iter().for_each(|(kind, count)| println!("    {count:>5} {kind}"));
        }
        Ok(())
    }

    /// 1,000 parameters of 250 groups, each client new, with the connections that it makes.
    fn reads(&self) -> Outcome<()> {
        let project = Project::new("ssm", RAISED, &thousand())?;
        self.seed(&project)?;
        self.line(&Case::of("read 1,000: strongroom's store", 9), PARAMETERS, || {
            self.read(&project, RAISED)
        })?;
        let words = ["export", "--format", "json"];
        let memory = Some(self.strongroom(&project, &words));
        self.line(&Case { memory, ..Case::of("read 1,000: strongroom export", 9) }, PARAMETERS, || {
            members(&mut self.strongroom(&project, &words))
        })?;
        self.line(&Case::of("read 1,000: a page walk with the SDK", 3), PARAMETERS, || self.walk())?;
        let mut aws = Command::new(&self.arguments.aws);
        if aws.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            println!("{:<45} not measured: there is no such program, see --aws", "read 1,000: aws");
            return Ok(());
        }
        self.line(&Case::of("read 1,000: aws get-parameters-by-path", 3), PARAMETERS, || self.aws())
    }

    fn reads_under_quotas(&self) -> Outcome<()> {
        for (name, runs, rate) in
            [("read 1,000 at 40 a second", 3, 40_u32), ("read 1,000 at 3 a second", 1, 3)]
        {
            let quota = Quota { reads: rate, writes: 3 };
            let project = Project::new("ssm", quota, &thousand())?;
            self.seed(&project)?;
            self.line(&Case::of(name, runs).paced(READS, rate.into()), PARAMETERS, || {
                self.enforce(quota);
                self.read(&project, quota)
            })?;
            self.cloud.rates(None);
        }
        Ok(())
    }

    fn writes(&self) -> Outcome<()> {
        let mut keys = String::new();
        let mut file = String::new();
        for key in 0..IMPORTED {
            writeln!(keys, "KEY_{key} = {{ secret = true }}")?;
            writeln!(file, "KEY_{key}=invented-{key}")?;
        }
        let groups = format!("[groups.app.keys]\n{keys}");
        for (name, runs, quota, floor) in [
            ("import 60, quota raised", 3, RAISED, false),
            ("import 60 at 3 a second", 1, Quota { reads: 40, writes: 3 }, true),
        ] {
            let project = Project::new("ssm", quota, &groups)?;
            std::fs::write(project.folder.path().join("values.env"), &file)?;
            let case = Case::of(name, runs);
            let case = if floor { case.paced(IMPORTED as f64, quota.writes.into()) } else { case };
            self.line(&case, IMPORTED, || {
                self.cloud.world(|world| world.ssm = Default::default());
                self.enforce(quota);
                done(&mut self.strongroom(&project, &["import", "values.env", "--yes"]))?;
                let held = |key: &usize| {
                    let name = format!("/bench/prod/app/KEY_{key}");
                    let held = self.cloud.world(|world| world.ssm.held(&name));
                    held.is_some_and(|held| held.value == format!("invented-{key}"))
                };
                Ok((0..IMPORTED).filter(held).count())
            })?;
            self.cloud.rates(None);
        }
        Ok(())
    }

    fn documents(&self) -> Outcome<()> {
        let groups = "[groups.app.keys]\nA = { secret = true }\nB = { secret = true }\n";
        let project = Project::new("secretsmanager", RAISED, groups)?;
        let document = "{\"A\": \"invented\", \"B\": \"invented\"}";
        self.cloud.world(|world| world.secrets.seed("bench/prod/app", document));
        let read = ["export", "--format", "json"];
        self.line(&Case::of("read a document: strongroom export", 9), 2, || {
            members(&mut self.strongroom(&project, &read))
        })?;
        let write = ["set", "A", "--generate", "--yes"];
        self.line(&Case::of("write a document: strongroom set", 9), 1, || {
            done(&mut self.strongroom(&project, &write)).map(|()| 1)
        })
    }

    /// From plain properties to references, under AWS's quotas. The deployment is over at the second look, which comes at
    /// once: how long AWS takes for one is AWS's affair.
    fn migrations(&self) -> Outcome<()> {
        let standard = Quota { reads: 40, writes: 3 };
        for (name, keys, to, floor) in [
            ("migrate 200: a secret for each", 200, "--to secretsmanager --secret-per-key", (200.0, 50.0)),
            ("migrate 200: a document", 200, "--to secretsmanager", (1.0, 50.0)),
            ("migrate 60: parameters", 60, "--to ssm", (60.0, 3.0)),
        ] {
            let (calls, rate): (f64, f64) = floor;
            self.line(&Case::of(name, 3).paced(calls.max(rate), rate), keys, || {
                let project = Project::new("beanstalk", standard, &console(keys)?)?;
                self.cloud.world(|world| {
                    (world.ssm, world.secrets, world.beanstalk) = Default::default();
                    world.beanstalk.behaviour.looks = 1;
                    let values: Vec<_> =
                        (0..keys).map(|key| (format!("K{key}"), format!("made-up-{key}"))).collect();
                    let values = values.iter().map(|(key, value)| (key.as_str(), value.as_str()));
                    let seed = Environment::new("bench", "bench-prod", DOCKER).properties(values);
                    world.beanstalk.add(seed, jiff::Timestamp::now());
                });
                self.cloud.rates(Some(Rates::standard()));
                let words: Vec<&str> = ["migrate", "--yes"].into_iter().chain(to.split(' ')).collect();
                done(self.strongroom(&project, &words).env("STRONGROOM_POLL_INTERVAL_MS", "1"))?;
                self.cloud.rates(None);
                let seen = self.cloud.world(|world| world.beanstalk.container_environment("bench-prod"));
                let right = |key: &usize| {
                    let value = seen.get(&format!("K{key}"));
                    value.is_some_and(|value| *value == format!("made-up-{key}"))
                };
                Ok((0..keys).filter(right).count())
            })?;
        }
        Ok(())
    }

    /// What the binary takes by itself, and with one call.
    fn start_up(&self) -> Outcome<()> {
        let project = Project::new("ssm", RAISED, &thousand())?;
        self.seed(&project)?;
        let case = |name: &str, words: &[&str], latency: u64| {
            let memory = Some(self.strongroom(&project, words));
            self.cloud.latency(Duration::from_millis(latency));
            self.line(&Case { memory, ..Case::of(name, 25) }, 1, || {
                done(&mut self.strongroom(&project, words)).map(|()| 1)
            })
        };
        case("start: --version", &["--version"], 0)?;
        case("start: get, calls that take no time", &["get", "K7_A"], 0)?;
        case("start: get", &["get", "K7_A"], self.arguments.latency)?;
        case("start: set", &["set", "K7_A", "--generate", "--yes"], self.arguments.latency)
    }

    fn enforce(&self, quota: Quota) {
        let rates = Rates::standard().parameters(quota.reads.into(), quota.writes.into());
        self.cloud.rates((quota != RAISED).then_some(rates));
    }

    fn seed(&self, project: &Project) -> Outcome<()> {
        let prod = project.manifest.environment("prod")?;
        let addresses = project.manifest.home_addresses(&prod.name, &Instances::new());
        self.cloud.world(|world| {
            world.ssm = Default::default();
            for address in addresses {
                let name = format!("/bench/prod/{address}");
                world.ssm.seed(Seed { name: &name, value: &address.to_string(), kind: "SecureString" });
            }
        });
        Ok(())
    }

    /// In this process, with a new client.
    fn read(&self, project: &Project, quota: Quota) -> Outcome<usize> {
        let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "invented");
        let settings = Settings {
            region: Some(REGION.to_owned()),
            endpoints: Endpoints { ssm: Some(self.cloud.endpoint()), ..Endpoints::default() },
            quota,
            credentials: Some(SharedCredentialsProvider::new(credentials)),
            ..Settings::default()
        };
        let prod = project.manifest.environment("prod")?.name.clone();
        let addresses = project.manifest.home_addresses(&prod, &Instances::new());
        let store = Ssm::new(Arc::new(Aws::new(settings)), Arc::clone(&project.manifest), prod);
        let seen = self.runtime.block_on(store.read(&addresses))?;
        let right = |at: &&_| seen.value(at).is_some_and(|value| value.expose() == at.to_string());
        Ok(addresses.iter().filter(right).count())
    }

    /// What a program does that knows no names.
    fn walk(&self) -> Outcome<usize> {
        let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
        let config = aws_sdk_ssm::Config::builder()
            .behavior_version_latest()
            .http_client(http.build_https())
            .region(aws_sdk_ssm::config::Region::new(REGION))
            .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "invented"))
            .endpoint_url(self.cloud.endpoint());
        let client = aws_sdk_ssm::Client::from_conf(config.build());
        self.runtime.block_on(async {
            let walk = client.get_parameters_by_path().path("/bench/prod").recursive(true);
            let mut pages = walk.with_decryption(true).into_paginator().send();
            let mut found = 0;
            while let Some(page) = pages.next().await {
                let page = page?;
                found += page.parameters().iter().filter(|parameter| parameter.value.is_some()).count();
            }
            Ok(found)
        })
    }

    fn aws(&self) -> Outcome<usize> {
        let mut command = self.child(&self.arguments.aws);
        command.args(["ssm", "get-parameters-by-path", "--path", "/bench/prod", "--recursive"]);
        command.args(["--with-decryption", "--output", "json"]);
        let answer: serde_json::Value = serde_json::from_slice(&output(&mut command)?)?;
        Ok(answer["Parameters"].as_array().map_or(0, Vec::len))
    }

    fn strongroom(&self, project: &Project, words: &[&str]) -> Command {
        let folder = project.folder.path();
        let mut command = self.child(&self.binary);
        command.args(words).current_dir(folder);
        command.env("STRONGROOM_IDENTITY", folder.join("identity.txt"));
        command.env("STRONGROOM_STATE_DIR", folder.join("state"));
        command
    }

    /// A program that sees this AWS and no other.
    fn child(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command.envs(self.cloud.environment()).stdin(Stdio::null());
        command
    }
}

/// A project of its own in a folder of its own.
struct Project {
    manifest: Arc<Manifest>,
    folder: TempDir,
}

impl Project {
    fn new(home: &str, quota: Quota, groups: &str) -> Outcome<Project> {
        let folder = tempfile::tempdir()?;
        let identity = Identities::generate();
        std::fs::write(folder.path().join("identity.txt"), identity.to_file().as_bytes())?;
        let Quota { reads, writes } = quota;
        let text = format!(
            "version = 1\n[project]\nname = \"bench\"\nregion = \"{REGION}\"\nrecipients = [\"{}\"]\n\
             default_environment = \"prod\"\n[environments.prod]\nhome = \"{home}\"\n\
             quota = {{ reads = {reads}, writes = {writes} }}\n{groups}",
            identity.recipients()[0]
        );
        std::fs::write(folder.path().join("strongroom.toml"), &text)?;
        Ok(Project { manifest: Arc::new(Manifest::parse("strongroom.toml", &text)?), folder })
    }
}

/// An environment whose console has everything, as its home and its copy.
fn console(keys: usize) -> Outcome<String> {
    let mut text = "[environments.prod.copies.web]\nkind = \"beanstalk\"\napplication = \"bench\"\n\
                    environment = \"bench-prod\"\ngroups = [\"app\"]\n[groups.app.keys]\n"
        .to_owned();
    for key in 0..keys {
        writeln!(text, "K{key} = {{ secret = true }}")?;
    }
    Ok(text)
}

/// The groups of 1,000 keys.
fn thousand() -> String {
    let mut text = String::new();
    for group in 0..GROUPS {
        text.push_str(&format!("[groups.g{group}.keys]\n"));
        for key in ["A", "B", "C", "D"] {
            text.push_str(&format!("K{group}_{key} = {{ secret = true }}\n"));
        }
    }
    text
}

fn output(command: &mut Command) -> Outcome<Vec<u8>> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(output.stdout)
}

fn done(command: &mut Command) -> Outcome<()> {
    output(command).map(drop)
}

/// How many members the JSON object has that a command prints.
fn members(command: &mut Command) -> Outcome<usize> {
    let answer: serde_json::Value = serde_json::from_slice(&output(command)?)?;
    Ok(answer.as_object().map_or(0, serde_json::Map::len))
}
