//! `get`: one value on stdout, byte for byte.

use super::complete;
use super::context::Context;
use super::reading::Wish;
use super::report::{Exit, Stop};
use crate::manifest::ValueSource;
use crate::name::Address;
use crate::secret::Secret;
use crate::snapshot::{Held, Version};
use anyhow::Result;
use clap::Args;
use serde::Serialize;

/// Print one value
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom get DATABASE_URL
  strongroom get SECRET_KEY --version 3
  strongroom get TLS_KEY > key.pem

The value is printed byte for byte; a line end is added on a terminal only. With --json it is
described, not told.")]
pub(super) struct GetArgs {
    /// KEY, group/KEY or group/instance/KEY
    #[arg(value_name = "KEY", add = complete::addresses())]
    key: String,

    /// An earlier version, as `strongroom history` lists them
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
}

#[derive(Serialize)]
struct Described {
    address: String,
    bytes: usize,
    version: Option<String>,
    modified: Option<String>,
}

pub(super) fn run(ctx: &mut Context, args: &GetArgs) -> Result<Exit> {
    let manifest = &ctx.project()?.manifest;
    let environment = &ctx.environment()?.name;
    let address = manifest.address(environment, &args.key)?;
    let (value, described) = match &args.version {
        Some(version) => earlier(ctx, &address, &Version(version.clone()))?,
        None => present(ctx, &address)?,
    };
    if ctx.ui.json() {
        ctx.ui.document("value", &described)?;
        return Ok(Exit::Done);
    }
    ctx.ui.raw(value.expose().as_bytes())?;
    if ctx.ui.stdout_is_terminal() {
        ctx.ui.raw(b"\n")?;
    }
    Ok(Exit::Done)
}

fn present(ctx: &Context, address: &Address) -> Result<(Secret, Described)> {
    let manifest = &ctx.project()?.manifest;
    let environment = &ctx.environment()?.name;
    let held = ctx.read_home(&Wish::these([address]))?;
    if let Some(Held::Reference(arn)) = held.snapshot.entries.get(address).map(|entry| &entry.held) {
        let message = format!("{address} is a reference, and its value lives in {}", super::ui::shown(arn));
        return Err(Stop::new(Exit::Failed, message)
            .hint("an environment whose home is ssm or secretsmanager reads it there")
            .into());
    }
    let value = manifest.value_of(environment, &held.snapshot, address)?;
    let value =
        value.ok_or_else(|| Stop::new(Exit::Failed, format!("{address} is optional, and has no value")))?;
    let entry = held.snapshot.entries.get(address);
    let described = Described {
        address: address.to_string(),
        bytes: value.len(),
        version: entry.and_then(|entry| entry.version.as_ref()).map(ToString::to_string),
        modified: entry.and_then(|entry| entry.modified).map(|at| at.to_string()),
    };
    Ok((value, described))
}

fn earlier(ctx: &Context, address: &Address, version: &Version) -> Result<(Secret, Described)> {
    let manifest = &ctx.project()?.manifest;
    if !matches!(manifest.source(&ctx.environment()?.name, address), Some(ValueSource::Home)) {
        return Err(
            Stop::usage(format!("{address} does not live in home, so it has no versions there")).into()
        );
    }
    let home = ctx.home()?;
    let past = ctx.wait_for(async { Ok(home.version(address, version).await?) })?;
    let unknown = || {
        Stop::new(Exit::Failed, format!("{address} has no version {}", super::ui::shown(&version.0)))
            .hint(format!("`strongroom history {address}` lists them"))
    };
    let past = past.ok_or_else(unknown)?;
    let gone = || Stop::new(Exit::Failed, format!("{address} was deleted in version {version}"));
    let value = past.value.ok_or_else(gone)?;
    let described = Described {
        address: address.to_string(),
        bytes: value.len(),
        version: Some(version.to_string()),
        modified: Some(past.modified.to_string()),
    };
    Ok((value, described))
}
