//! `import`: a document's values into home, all of them looked at before the first one is written.
//!
//! Owns the order: read, find what every name means, plan, ask, declare in the manifest what is new, write. A crash after
//! the manifest's edit leaves keys without values, and running the same command again finishes it.

use super::context::Context;
use super::export::{Format, dialect};
use super::incoming::{self, Incoming, NewName};
use super::reading::Wish;
use super::report::{Exit, Stop};
use super::ui::{plural, shown};
use crate::apply::{self, ApplyError};
use crate::deliver::{self, Ids, Keeping};
use crate::exchange::{self, Entry};
use crate::manifest::edit::{self, EditError, NewKey};
use crate::manifest::{Manifest, Place, ValueSource};
use crate::name::{Address, Group};
use crate::render::{self, Dialect, Disagreement};
use crate::secret::{InvalidValue, Secret};
use crate::snapshot::Snapshot;
use crate::store::{ErrorKind, StoreError};
use anyhow::Result;
use clap::{Args, ValueHint};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A file of settings is never so large; one that is was not meant.
const LARGEST: u64 = 16 << 20;

/// Take values from a file: dotenv, json, yaml, toml, or what chamber exports
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom import .env
  strongroom import .env --dialect docker
  strongroom import old.json --add --group app     (declares what the manifest does not know)
  chamber export dev-app | strongroom import - --format chamber --yes

The format follows from the file's name. Values are text: a number or a truth in JSON, YAML or
TOML is refused with its path, and never guessed. Everything is looked at before the first value
is written.")]
pub(super) struct ImportArgs {
    /// The file; - for stdin, with --format
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,

    /// What it is, where its name does not tell
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<Format>,

    /// Who the dotenv file is written for; needed where consumers would read it differently
    #[arg(long, value_name = "DIALECT", value_parser = dialect)]
    dialect: Option<Dialect>,

    /// Declare names that the manifest does not know
    #[arg(long)]
    add: bool,

    /// The group that is meant where several have a key of that name, and where --add declares; else the first one
    #[arg(long, value_name = "GROUP")]
    group: Option<Group>,
}

pub(super) fn run(ctx: &mut Context, args: &ImportArgs) -> Result<Exit> {
    let source = if is_stdin(args) { "stdin".to_owned() } else { args.file.display().to_string() };
    let format = format(args)?;
    let entries = read(args, &source, format)?;
    let held = ctx.read_home(&Wish::all())?;
    let incoming = incoming::sort(ctx, format, args.group.as_ref(), entries, &held, args.add)?;
    if !incoming.problems.is_empty() {
        let mut stop = Stop::new(
            Exit::Failed,
            format!("nothing is taken from {source}\n{}", incoming.problems.join("\n")),
        );
        if incoming.has_unknown {
            stop =
                stop.hint("--add declares what the manifest does not know, in the group that --group names");
        }
        return Err(stop.into());
    }
    let group = if incoming.new.is_empty() { None } else { Some(group(ctx, args)?) };
    let exit = carry_out(ctx, &source, incoming, group, &held.snapshot)?;
    if !is_stdin(args) && !ctx.dry_run() {
        ctx.ui.note(&format!("{source} still holds the values in the clear"));
    }
    Ok(exit)
}

fn is_stdin(args: &ImportArgs) -> bool {
    args.file == Path::new("-")
}

/// What the file is: as it was said, or as its name says.
fn format(args: &ImportArgs) -> Result<Format> {
    if let Some(format) = args.format {
        return Ok(format);
    }
    let name = args.file.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let extension = args.file.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    let among_envs = args.file.components().any(|part| part.as_os_str() == ".envs");
    match extension.as_str() {
        _ if is_stdin(args) => Err(Stop::usage("what is on stdin?").hint("give --format").into()),
        "json" => Ok(Format::Json),
        "yaml" | "yml" => Ok(Format::Yaml),
        "toml" => Ok(Format::Toml),
        "env" => Ok(Format::Dotenv),
        "sh" => Ok(Format::Shell),
        _ if name.starts_with(".env") || among_envs || args.dialect.is_some() => Ok(Format::Dotenv),
        _ => Err(Stop::usage(format!("what is {}? Its name does not tell", shown(name)))
            .hint("give --format: dotenv, json, yaml, toml, shell or chamber")
            .into()),
    }
}

fn read(args: &ImportArgs, source: &str, format: Format) -> Result<Vec<Entry>> {
    let text = text(args, source)?;
    let refused = |why: String| Stop::new(Exit::Failed, format!("cannot take {source}\n{why}"));
    if let Some(kind) = format.document() {
        return Ok(exchange::read(kind, text.expose()).map_err(|error| refused(error.to_string()))?);
    }
    let dialect = if format == Format::Shell { Some(Dialect::Shell) } else { args.dialect };
    let pairs = match dialect {
        Some(dialect) => render::read(dialect, text.expose()).map_err(|error| refused(error.to_string()))?,
        None => render::read_agreed(text.expose()).map_err(|disagreement| match disagreement {
            Disagreement::Differ(_) => {
                Stop::usage(format!("{source} is read differently by different programs\n{disagreement}"))
                    .hint("name the one that it is written for: --dialect compose, docker, python-dotenv, …")
            }
            Disagreement::Rejected(_) => refused(disagreement.to_string())
                .hint("name the program that it is written for: --dialect compose, docker, python-dotenv, …"),
        })?,
    };
    Ok(pairs.into_iter().map(|(key, value)| Entry { name: key.to_string(), value }).collect())
}

/// The whole text, UTF-8 without NUL. It is full of values, and held as one.
fn text(args: &ImportArgs, source: &str) -> Result<Secret> {
    let unread = |error: io::Error| Stop::new(Exit::Failed, format!("cannot read {source}")).because(error);
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
    if is_stdin(args) {
        io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes).map_err(unread)?;
    } else {
        File::open(&args.file)
            .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
            .map_err(unread)?;
    }
    if bytes.len() as u64 > LARGEST {
        return Err(Stop::new(
            Exit::Failed,
            format!("{source} is larger than 16 MiB; nothing is taken from it"),
        )
        .into());
    }
    Ok(Secret::from_bytes(std::mem::take(&mut *bytes)).map_err(|error| {
        let what = match error {
            InvalidValue::Nul { offset } => format!("has a NUL byte at offset {offset}"),
            InvalidValue::NotUtf8 { offset } => format!("is not UTF-8 from byte {offset} on"),
        };
        Stop::new(Exit::Failed, format!("{source} {what}; nothing is taken from it"))
    })?)
}

/// Where new keys are declared: the group that was named, else the first one that an environment gets.
fn group(ctx: &Context, args: &ImportArgs) -> Result<Group> {
    if let Some(group) = &args.group {
        return Ok(group.clone());
    }
    let environment = &ctx.environment()?.name;
    let mut groups = ctx.project()?.manifest.groups_in(environment);
    let first = groups.find(|group| !group.is_instanced() && group.reaches_environments());
    let none = || {
        Stop::usage("no group can take new keys")
            .hint("name one with --group; it is made where it is not there")
    };
    Ok(first.map(|group| group.name.clone()).ok_or_else(none)?)
}

fn carry_out(
    ctx: &Context,
    source: &str,
    incoming: Incoming,
    group: Option<Group>,
    held: &Snapshot,
) -> Result<Exit> {
    let command = format!("import {source}");
    let Incoming { mut desired, new, same, .. } = incoming;
    if same > 0 {
        let count = plural(same, "value");
        ctx.ui.note(&format!("{count} as the manifest has it already, or as follows from others"));
    }
    let Some(group) = group else {
        // Parameters stand alone; what a document holds beside them its store must have read itself.
        let seen = (ctx.environment()?.home == Place::Ssm).then_some(held);
        return ctx.change_from(&command, &desired, seen);
    };
    let project = ctx.project()?;
    let declared = declared(&project.manifest, &read_manifest(&project.path)?, &group, &new)?;
    fits(ctx, &declared, &group, &new)?;
    tell(ctx, &group, &new);
    for NewName { key, value, .. } in &new {
        desired.insert(Address::new(group.clone(), key.clone()), crate::plan::Want::value(value.clone()));
    }
    let (stores, home) = (ctx.stores()?, ctx.home_name()?);
    let plan = ctx.wait_for(async { Ok(apply::plan(&home, stores[&home].as_ref(), &desired).await?) })?;
    let declare = || write_manifest(ctx, &group, &new);
    if plan.is_empty() {
        if !ctx.dry_run() {
            ctx.ui.approve(&format!("Declare {} in the manifest?", plural(new.len(), "key")), None)?;
            declare()?;
        }
        return ctx.say_document(&command, &[], None, &[]);
    }
    ctx.carry_out((&command, None), &plan, &stores, async |journal, watch| {
        declare().map_err(|error| {
            let unwritten = StoreError::new(
                ErrorKind::Failed,
                project.path.display().to_string(),
                "the new keys cannot be declared",
            );
            ApplyError::Nothing(Box::new(unwritten.because(error)))
        })?;
        apply::run(journal, &command, &plan, &stores, watch).await
    })
}

fn tell(ctx: &Context, group: &Group, new: &[NewName]) {
    let width = new.iter().map(|name| name.key.as_str().len()).max().unwrap_or(0);
    let lines: Vec<String> = new
        .iter()
        .map(|NewName { key, verdict, .. }| {
            let kind = if verdict.secret { "secret" } else { "plain " };
            format!("  + {group}/{key:<width$}  {kind}  ({})", verdict.reason)
        })
        .collect();
    let file = ctx.project().map_or("", |project| project.manifest.file());
    ctx.ui.show(&format!("{file}, to be declared\n{}", lines.join("\n")));
}

fn read_manifest(path: &Path) -> Result<String> {
    let unread = |error| Stop::new(Exit::Manifest, format!("cannot read {}", path.display())).because(error);
    Ok(std::fs::read_to_string(path).map_err(unread)?)
}

/// The manifest's text with the new keys. One that somebody declared meanwhile is left as it is.
fn declared(manifest: &Manifest, text: &str, group: &Group, new: &[NewName]) -> Result<String> {
    let mut text = text.to_owned();
    for NewName { key, verdict, .. } in new {
        let declaration = NewKey { secret: verdict.secret, ..NewKey::default() };
        match edit::add_key(manifest.file(), &text, group, key, &declaration) {
            Ok(edited) => text = edited,
            Err(EditError::Declared { .. }) => {}
            Err(error) => {
                return Err(Stop::new(Exit::Manifest, "the new keys cannot be declared")
                    .because(error)
                    .into());
            }
        }
    }
    Ok(text)
}

/// A new key must have its value in the home of this environment.
fn fits(ctx: &Context, declared: &str, group: &Group, new: &[NewName]) -> Result<()> {
    let manifest = Manifest::parse(ctx.project()?.manifest.file(), declared)?;
    let environment = &ctx.environment()?.name;
    let lives = |name: &&NewName| {
        let address = Address::new(group.clone(), name.key.clone());
        matches!(manifest.source(environment, &address), Some(ValueSource::Home))
    };
    if new.iter().all(|name| lives(&name)) {
        return Ok(());
    }
    Err(Stop::usage(format!("the group `{group}` cannot take keys of `{environment}`"))
        .hint("it has instances, or belongs to other environments: name another with --group")
        .into())
}

fn write_manifest(ctx: &Context, group: &Group, new: &[NewName]) -> Result<()> {
    let project = ctx.project()?;
    let text = declared(&project.manifest, &read_manifest(&project.path)?, group, new)?;
    let found = deliver::find(&project.path)?;
    let mode = found.present.as_ref().map_or(0o644, |present| present.mode);
    deliver::stage(&found.path, text.as_bytes(), Keeping { mode, ids: Ids::default() })?.publish()?;
    ctx.ui.note(&format!("{} declared in {}", plural(new.len(), "key"), project.manifest.file()));
    Ok(())
}
