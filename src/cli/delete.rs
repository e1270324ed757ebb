//! `delete`: values out of home. The manifest keeps its declaration.

use super::complete;
use super::context::Context;
use super::report::Exit;
use crate::name::Address;
use crate::plan::{Desired, Want};
use anyhow::Result;
use clap::Args;

/// Delete values from home; the manifest goes on declaring their keys
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom delete EMAIL_CC
  strongroom delete xero/2/access_token xero/2/refresh_token
  strongroom delete app/OLD_NAME    (no longer in the manifest: by its whole address)

`strongroom undo` brings them back; a vault keeps the history of a deleted key.")]
pub(super) struct DeleteArgs {
    /// KEY, group/KEY or group/instance/KEY
    #[arg(required = true, value_name = "KEY", add = complete::addresses())]
    keys: Vec<String>,
}

pub(super) fn run(ctx: &mut Context, args: &DeleteArgs) -> Result<Exit> {
    let mut desired = Desired::new();
    for text in &args.keys {
        let address = match ctx.home_address(text) {
            Ok(address) => address,
            Err(error) => undeclared(ctx, text)?.ok_or(error)?,
        };
        desired.insert(address, Want::Absent);
    }
    for copy in ctx.copies()? {
        let refers = |address: &&Address| {
            let secret = ctx
                .project()
                .is_ok_and(|project| project.manifest.key(address).is_some_and(|key| key.secret));
            copy.refers_to(address, secret) && copy.selection.takes(address)
        };
        let gone: Vec<String> = desired.keys().filter(refers).map(ToString::to_string).collect();
        if !gone.is_empty() {
            ctx.ui.warning(&format!(
                "{} refers to {}: an instance that starts without it fails; `strongroom sync {}` takes the reference away where it is optional",
                copy.name,
                gone.join(", "),
                copy.name
            ));
        }
    }
    let names: Vec<String> = desired.keys().map(ToString::to_string).collect();
    ctx.change(&format!("delete {}", names.join(" ")), &desired)
}

/// A whole address that the manifest no longer declares, where home still holds it.
fn undeclared(ctx: &Context, text: &str) -> Result<Option<Address>> {
    let Ok(address) = text.parse::<Address>() else { return Ok(None) };
    if ctx.project()?.manifest.key(&address).is_some() {
        return Ok(None);
    }
    let home = ctx.home()?;
    let found = ctx.wait_for(async { Ok(home.read(std::slice::from_ref(&address)).await?) })?;
    Ok(found.entries.contains_key(&address).then_some(address))
}
