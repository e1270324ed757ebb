//! `copy`: values of one environment's home into another's.

use super::complete;
use super::context::Context;
use super::reading::Wish;
use super::report::{Exit, Stop};
use crate::name::Address;
use crate::plan::{Desired, Want};
use crate::snapshot::Held;
use anyhow::Result;
use clap::Args;

/// Copy values from this environment's home into another's
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom -e staging copy --to prod XERO_CLIENT_ID
  strongroom -e prod copy --to local              (everything that both have)

The plan is shown before anything is changed, and the other environment's rules hold: where it
is protected, its name is asked for.")]
pub(super) struct CopyArgs {
    /// The environment to copy into
    #[arg(long, value_name = "ENVIRONMENT", add = complete::environments())]
    to: String,

    /// KEY, group/KEY or group/instance/KEY; else everything that both environments keep in their homes
    #[arg(value_name = "KEY", add = complete::home_addresses())]
    keys: Vec<String>,
}

pub(super) fn run(ctx: &mut Context, args: &CopyArgs) -> Result<Exit> {
    let other = ctx.of_environment(&args.to)?;
    let (from, to) = (&ctx.environment()?.name, &other.environment()?.name);
    if from == to {
        return Err(Stop::usage(format!("`{from}` cannot be copied into itself"))
            .hint("name the environment to copy from with --environment")
            .into());
    }
    let only = args.keys.iter().map(|text| ctx.home_address(text)).collect::<Result<Vec<_>>>()?;
    for text in &args.keys {
        other.home_address(text)?;
    }
    let wish = if only.is_empty() { Wish::all() } else { Wish::these(&only) };
    let held = ctx.read_home(&wish)?;
    let manifest = &ctx.project()?.manifest;
    let both = |address: &Address| {
        let kept = |environment| {
            let source = manifest.source(environment, address);
            matches!(source, Some(crate::manifest::ValueSource::Home))
        };
        kept(from) && kept(to) && (only.is_empty() || only.contains(address))
    };
    for address in &only {
        if held.snapshot.value(address).is_none() {
            return Err(Stop::new(Exit::Failed, format!("`{from}` has no value of {address}")).into());
        }
    }
    let (values, references): (Vec<_>, Vec<_>) = held
        .snapshot
        .entries
        .into_iter()
        .filter(|(address, _)| both(address))
        .partition(|(_, entry)| matches!(entry.held, Held::Value(_)));
    if !references.is_empty() {
        // What they refer to belongs to the environment that they were copied from.
        let names: Vec<String> = references.iter().map(|(address, _)| address.to_string()).collect();
        ctx.ui.warning(&format!(
            "references are not copied, their values live elsewhere: {}",
            names.join(", ")
        ));
    }
    let values = values.into_iter();
    let desired: Desired = values.map(|(address, entry)| (address, Want::held(entry.held))).collect();
    other.change(&format!("copy from {from} to {to}"), &desired)
}
