//! `delete`: values out of home. The manifest keeps its declaration.

use super::complete;
use super::context::Context;
use super::report::Exit;
use crate::plan::{Desired, Want};
use anyhow::Result;
use clap::Args;

/// Delete values from home; the manifest goes on declaring their keys
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom delete EMAIL_CC
  strongroom delete xero/2/access_token xero/2/refresh_token

`strongroom undo` brings them back; a vault keeps the history of a deleted key.")]
pub(super) struct DeleteArgs {
    /// KEY, group/KEY or group/instance/KEY
    #[arg(required = true, value_name = "KEY", add = complete::addresses())]
    keys: Vec<String>,
}

pub(super) fn run(ctx: &mut Context, args: &DeleteArgs) -> Result<Exit> {
    let mut desired = Desired::new();
    for text in &args.keys {
        desired.insert(ctx.home_address(text)?, Want::Absent);
    }
    let names: Vec<String> = desired.keys().map(ToString::to_string).collect();
    ctx.change(&format!("delete {}", names.join(" ")), &desired)
}
