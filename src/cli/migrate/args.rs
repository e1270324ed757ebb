//! What is typed to migrate, and what is typed to go on with it.

use crate::cli::complete;
use crate::manifest::Place;
use crate::migrate::Wish;
use clap::{Args, ValueEnum, ValueHint};
use std::path::PathBuf;

/// Move secrets out of Beanstalk's plain properties, and leave references to them there
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom -e prod migrate --to secretsmanager --dry-run
  strongroom -e prod migrate --to ssm --canary EMAIL_CC --probe https://app.example/health
  strongroom -e prod migrate --to secretsmanager --only SENTRY_DSN      (one after the other)

The plan is shown first: what is a secret and why, where it will live, what Beanstalk will hold,
what it costs, and what the instances must be allowed. Then a sealed backup is made and opened
again, the values are written and read back, each environment is updated once, and the manifest
is changed last. `strongroom resume` goes on after an interruption, `strongroom undo` brings
everything back, and containers see the same values at every point.")]
pub(in crate::cli) struct MigrateArgs {
    /// Where the values are to live
    #[arg(long, value_name = "PLACE")]
    pub(super) to: Target,

    /// Let only these become references now; all values go to the new home. Several with commas
    #[arg(long, value_name = "KEY", value_delimiter = ',', add = complete::home_addresses())]
    pub(super) only: Vec<String>,

    /// Take these for secrets, whatever the manifest or their look says
    #[arg(long, value_name = "KEY", value_delimiter = ',', add = complete::home_addresses())]
    pub(super) secret: Vec<String>,

    /// Take these for plain values
    #[arg(long, value_name = "KEY", value_delimiter = ',', add = complete::home_addresses())]
    pub(super) plain: Vec<String>,

    /// In Secrets Manager, make a secret for each key instead of a document for each group
    #[arg(long)]
    pub(super) secret_per_key: bool,

    /// First make a reference of this one variable, and go on only if it deploys
    #[arg(long, value_name = "KEY", add = complete::home_addresses())]
    pub(super) canary: Option<String>,

    /// Go on although an environment's health is not Green
    #[arg(long)]
    pub(super) despite_health: bool,

    /// An address of the app that must answer with 2xx before the manifest is changed
    #[arg(long, value_name = "URL")]
    pub(super) probe: Option<String>,

    /// Write the report of the migration here too: Markdown, without values
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) report: Option<PathBuf>,
}

/// A place that references can refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Target {
    /// Parameters of the Systems Manager
    Ssm,
    /// Secrets Manager
    #[value(name = "secretsmanager")]
    SecretsManager,
}

impl Target {
    pub(super) fn place(self) -> Place {
        match self {
            Target::Ssm => Place::Ssm,
            Target::SecretsManager => Place::SecretsManager,
        }
    }
}

impl MigrateArgs {
    /// What is typed to go on with it, on one line of words without spaces.
    pub(super) fn typed(&self, environment: &str) -> String {
        let mut words = format!("strongroom -e {environment} migrate --to {}", self.to.place());
        for (flag, keys) in [("only", &self.only), ("secret", &self.secret), ("plain", &self.plain)] {
            if !keys.is_empty() {
                words.push_str(&format!(" --{flag} {}", keys.join(",")));
            }
        }
        for (flag, text) in [("canary", &self.canary), ("probe", &self.probe)] {
            if let Some(text) = text {
                words.push_str(&format!(" --{flag} {text}"));
            }
        }
        for (flag, given) in
            [("secret-per-key", self.secret_per_key), ("despite-health", self.despite_health)]
        {
            if given {
                words.push_str(&format!(" --{flag}"));
            }
        }
        words
    }

    /// The name of the operation, for people.
    pub(super) fn command(&self) -> String {
        let only =
            if self.only.is_empty() { String::new() } else { format!(" --only {}", self.only.join(",")) };
        format!("migrate --to {}{only}", self.to.place())
    }

    pub(super) fn wish(&self) -> Wish {
        let (only, secret, plain) = (self.only.clone(), self.secret.clone(), self.plain.clone());
        Wish { to: self.to.place(), secret_per_key: self.secret_per_key, only, secret, plain }
    }
}
