//! `export`: the environment's values as a document for another tool, on stdout or in a private file.

use super::complete;
use super::context::Context;
use super::report::{Exit, Stop};
use super::ui::plural;
use crate::deliver::{self, Ids, Keeping};
use crate::durable::PRIVATE;
use crate::exchange::{self, Document};
use crate::manifest::Variable;
use crate::name::Key;
use crate::render::{self, Dialect};
use crate::secret::Secret;
use anyhow::Result;
use clap::{Args, ValueEnum, ValueHint};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Print the environment's values for another tool: dotenv, json, yaml, toml, shell, chamber
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom export --format json | jq -r .DATABASE_URL
  strongroom -e prod export --format dotenv --dialect docker -o prod.env
  strongroom export --format chamber | chamber import dev-app -
  set -a; eval \"$(strongroom export --format shell)\"

What is printed is what `exec` gives a process: the same names, without operators' values. A
value that the format cannot hold is refused by name. The values are in the clear: `strongroom
backup` is for keeping them.")]
pub(super) struct ExportArgs {
    /// What to write
    #[arg(short, long, value_name = "FORMAT")]
    format: Format,

    /// Who reads the dotenv text
    #[arg(long, value_name = "DIALECT", default_value = "compose", value_parser = dialect)]
    dialect: Dialect,

    /// Only these: KEY, group/KEY or group/instance/KEY; several with commas, or by repeating the flag
    #[arg(long, value_name = "KEY", value_delimiter = ',', add = complete::addresses())]
    only: Vec<String>,

    /// Write to this file, readable by you alone, instead of stdout
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
}

/// What another tool reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A line for each variable, as the dialect's consumer reads them
    Dotenv,
    /// One object
    Json,
    /// One mapping
    Yaml,
    /// One table
    Toml,
    /// Assignments for bash and dash
    Shell,
    /// What `chamber import` reads: an object with small names
    Chamber,
}

impl Format {
    /// The kind of document, where it is one and not lines.
    pub(super) fn document(self) -> Option<Document> {
        match self {
            Format::Dotenv | Format::Shell => None,
            Format::Json => Some(Document::Json),
            Format::Yaml => Some(Document::Yaml),
            Format::Toml => Some(Document::Toml),
            Format::Chamber => Some(Document::Chamber),
        }
    }
}

/// A dialect of lines by its name.
pub(super) fn dialect(text: &str) -> Result<Dialect, String> {
    match text.parse::<Dialect>() {
        Ok(Dialect::Json) => Err("json is a format, not a dialect of dotenv: --format json".to_owned()),
        Ok(dialect) => Ok(dialect),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) fn run(ctx: &mut Context, args: &ExportArgs) -> Result<Exit> {
    let variables = super::exec::variables(ctx, &args.only)?;
    let text = text(args, &variables)?;
    match &args.output {
        None => ctx.ui.raw(text.as_bytes())?,
        Some(path) => to_file(ctx, path, text.as_bytes(), variables.len())?,
    }
    Ok(Exit::Done)
}

fn text(args: &ExportArgs, variables: &[Variable]) -> Result<Zeroizing<String>> {
    let pairs: Vec<(Key, &Secret)> =
        variables.iter().map(|variable| (variable.name.clone(), &variable.value)).collect();
    if let Some(kind) = args.format.document() {
        return exchange::write(kind, &pairs).map_err(|error| {
            Stop::new(Exit::Failed, error.to_string())
                .hint("leave one of them out: --only names the others")
                .into()
        });
    }
    let dialect = if args.format == Format::Shell { Dialect::Shell } else { args.dialect };
    match render::render(&[dialect], "", &pairs) {
        Ok(text) => Ok(Zeroizing::new(text.expose().to_owned())),
        Err(error) => Err(Stop::new(Exit::Failed, format!("nothing was exported\n{error}"))
            .hint("another --dialect, or --format json, may hold it")
            .into()),
    }
}

/// A file that is there is somebody's, and asked about.
fn to_file(ctx: &Context, path: &Path, bytes: &[u8], count: usize) -> Result<()> {
    let found = deliver::find(path)?;
    let (shown, count) = (path.display(), plural(count, "variable"));
    if ctx.dry_run() {
        ctx.ui.note(&format!("dry run: {count} would be written to {shown}; nothing was changed"));
        return Ok(());
    }
    if found.present.is_some_and(|present| !present.content.is_empty() && *present.content != bytes) {
        ctx.ui.approve(&format!("{shown} exists. Overwrite it?"), None)?;
    }
    deliver::stage(&found.path, bytes, Keeping { mode: PRIVATE, ids: Ids::default() })?.publish()?;
    ctx.ui.note(&format!("{count} written to {shown}, in the clear; remove it when it has served"));
    Ok(())
}
