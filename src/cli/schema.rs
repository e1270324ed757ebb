//! `schema`: the JSON Schema of the manifest, for editors. The same text is committed beside the docs.

use super::context::Context;
use super::report::Exit;
use anyhow::Result;
use clap::Args;

/// Print the JSON Schema of strongroom.toml, for editors
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom schema > strongroom.schema.json
  # then, as the first line of strongroom.toml:
  #:schema ./strongroom.schema.json")]
pub(super) struct SchemaArgs {}

pub(super) fn run(ctx: &mut Context, _args: &SchemaArgs) -> Result<Exit> {
    ctx.ui.text(&crate::manifest::json_schema())?;
    Ok(Exit::Done)
}
