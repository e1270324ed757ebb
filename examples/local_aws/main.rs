//! A strict local AWS, to try everything without an account: `cargo run --example local_aws`.
//!
//! Owns the arguments and what is printed; what it answers is in `cloud`. It runs until it is interrupted.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

#[expect(dead_code, reason = "the tests use more of it than this program does")]
mod cloud;

use clap::Parser;
use cloud::beanstalk::seeds::Example;
use cloud::iam::Policy;
use cloud::rates::Rates;
use cloud::{Cloud, Pages, Realm};
use std::path::PathBuf;
use std::time::Duration;

/// SSM, Secrets Manager, Elastic Beanstalk and STS on 127.0.0.1, for the aws program, the SDKs and strongroom.
#[derive(Parser)]
struct Arguments {
    /// The port to listen on; any free one without.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The account, twelve digits.
    #[arg(long, default_value = cloud::ACCOUNT, value_parser = account)]
    account: String,
    /// The region.
    #[arg(long, default_value = cloud::REGION)]
    region: String,
    /// An IAM policy (JSON) for the access key AKIALOCALLIMITEDEXAM; the default key may do everything.
    #[arg(long)]
    policy: Option<PathBuf>,
    /// An IAM policy (JSON) for the profile of Beanstalk's instances; without one they may do everything.
    #[arg(long)]
    instance_policy: Option<PathBuf>,
    /// The role of Beanstalk's instances begins with no permission: `aws iam put-role-policy` gives it some.
    #[arg(long, conflicts_with = "instance_policy")]
    bare_role: bool,
    /// An alias of a customer-managed KMS key to create, as alias/NAME; may be repeated.
    #[arg(long)]
    key: Vec<String>,
    /// Enforce AWS's default quotas of calls a second.
    #[arg(long)]
    quota: bool,
    /// Reads of parameters a second, with --quota.
    #[arg(long, requires = "quota", default_value_t = 40.0)]
    reads: f64,
    /// Writes of parameters a second, with --quota.
    #[arg(long, requires = "quota", default_value_t = 3.0)]
    writes: f64,
    /// How long each call takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    latency: u64,
    /// Return short and empty pages, as AWS may at any time.
    #[arg(long)]
    ragged_pages: bool,
    /// A Beanstalk environment to begin with; may be repeated.
    #[arg(long, value_enum)]
    seed: Vec<Example>,
    /// How many looks at an environment see its deployment under way.
    #[arg(long, default_value_t = 2)]
    looks: usize,
}

fn account(number: &str) -> Result<String, String> {
    let is_account = number.len() == 12 && number.bytes().all(|byte| byte.is_ascii_digit());
    if is_account { Ok(number.to_owned()) } else { Err("an account is twelve digits".to_owned()) }
}

const LIMITED_KEY: &str = "AKIALOCALLIMITEDEXAM";

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let realm = Realm::new(&arguments.account, &arguments.region);
    let cloud = Cloud::on(arguments.port, realm.clone())?;
    for alias in &arguments.key {
        println!("# {alias} is {}", cloud.kms_key(alias));
    }
    let mut access_key = cloud::ACCESS_KEY;
    if let Some(file) = &arguments.policy {
        let arn = realm.identity("iam", "user/limited");
        cloud.principal(LIMITED_KEY, &arn, &std::fs::read_to_string(file)?).map_err(anyhow::Error::msg)?;
        access_key = LIMITED_KEY;
    }
    if let Some(file) = &arguments.instance_policy {
        let policy = Policy::parse(&std::fs::read_to_string(file)?).map_err(anyhow::Error::msg)?;
        cloud.world(|world| world.instance_policy = Some(policy));
    }
    if arguments.bare_role {
        cloud.world(|world| world.instance_policy = Some(Policy::none()));
    }
    if arguments.quota {
        cloud.rates(Some(Rates::standard().parameters(arguments.reads, arguments.writes)));
    }
    cloud.latency(Duration::from_millis(arguments.latency));
    if arguments.ragged_pages {
        cloud.pages(Pages::Ragged);
    }
    cloud.world(|world| {
        world.beanstalk.behaviour.looks = arguments.looks;
        for seed in &arguments.seed {
            world.beanstalk.add_example(*seed, jiff::Timestamp::now());
        }
    });
    for (name, value) in cloud.environment_of(access_key) {
        println!("export {name}={value}");
    }
    loop {
        std::thread::park();
    }
}
