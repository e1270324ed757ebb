//! `history`: the versions of one value that home keeps, as fingerprints.

use super::complete;
use super::context::Context;
use super::report::Exit;
use super::table::{Cell, Table, Tone};
use anyhow::Result;
use clap::Args;
use serde::Serialize;

/// List the versions of a value that home keeps
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom history SECRET_KEY
  strongroom get SECRET_KEY --version 3

Fingerprints say which versions are equal; their key is new with every run. A vault keeps the
last 20 versions.")]
pub(super) struct HistoryArgs {
    /// KEY, group/KEY or group/instance/KEY
    #[arg(value_name = "KEY", add = complete::addresses())]
    key: String,
}

#[derive(Serialize)]
struct Listed {
    address: String,
    versions: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    version: String,
    modified: String,
    /// None where the value was deleted.
    fingerprint: Option<String>,
}

pub(super) fn run(ctx: &mut Context, args: &HistoryArgs) -> Result<Exit> {
    let address = ctx.home_address(&args.key)?;
    let home = ctx.home()?;
    let history = ctx.wait_for(async { Ok(home.history(&address).await?) })?;
    let key = ctx.fingerprint_key();
    let row = |past: &crate::snapshot::Past| Row {
        version: past.version.to_string(),
        modified: past.modified.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        fingerprint: past.value.as_ref().map(|value| value.fingerprint(&key).to_string()),
    };
    let versions: Vec<Row> = history.iter().map(row).collect();
    if ctx.ui.json() {
        ctx.ui.document("history", &Listed { address: address.to_string(), versions })?;
        return Ok(Exit::Done);
    }
    if versions.is_empty() {
        ctx.ui.note(&format!("{address} never had a value in {}", home.location()));
        return Ok(Exit::Done);
    }
    let mut table = Table::new(["version", "written", "fingerprint"]);
    for row in &versions {
        let value = match &row.fingerprint {
            Some(fingerprint) => Cell::plain(fingerprint),
            None => Cell::new("deleted", Tone::Faint),
        };
        table.row([Cell::plain(&row.version), Cell::plain(&row.modified), value]);
    }
    ctx.ui.table(&table)?;
    Ok(Exit::Done)
}
