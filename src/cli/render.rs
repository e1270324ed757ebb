//! `render`: the environment's values into the files that other programs read, all of them or none.
//!
//! What a file holds and will not hold again is sealed away before it is replaced. A file that strongroom did not make,
//! or that has variables which its target does not give, is somebody's: it is shown and asked about too.

use super::complete;
use super::context::Context;
use super::replaced;
use super::report::{Exit, Stop};
use super::table::{Cell, Table, Tone};
use super::target::{KeyDiffers, Standing, Target};
use super::ui::plural;
use crate::deliver::{self, Put};
use crate::durable;
use crate::manifest::RenderSpec;
use crate::render::Dialect;
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::fs::File;
use std::path::Path;

/// Write the files that the manifest declares: whole, or not at all
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom render                     (every target of the environment)
  strongroom -e prod render app
  strongroom render --check             (exit 3 where a file is not as it should be)
  strongroom render app --stdout | ssh host 'cat > .env'

A value that a target's dialect cannot hold is refused by name, and then no file is touched. A
file that strongroom did not make, or that has variables which its target does not give, is not
overwritten unasked: `strongroom import FILE --add` takes them in. The old text of whatever is
rewritten is kept, sealed, where `age -d -i IDENTITY` opens it.")]
pub(super) struct RenderArgs {
    /// The targets; all of the environment where none is named
    #[arg(value_name = "TARGET", add = complete::targets())]
    targets: Vec<String>,

    /// Write nothing; exit 3 where a file is not as it should be
    #[arg(long, conflicts_with = "stdout")]
    check: bool,

    /// Print the text of one target instead of writing its file
    #[arg(long)]
    stdout: bool,
}

pub(super) fn run(ctx: &mut Context, args: &RenderArgs) -> Result<Exit> {
    let specs = ctx.render_specs(&args.targets)?;
    if args.stdout {
        return print(ctx, &specs);
    }
    let targets = ctx.targets(&specs)?;
    warn(ctx, &targets)?;
    if args.check || ctx.dry_run() {
        return tell(ctx, args.check, &targets);
    }
    let stale: Vec<&Target<'_>> =
        targets.iter().filter(|target| target.standing != Standing::Right).collect();
    replaced::approve(ctx, &stale)?;
    for target in &stale {
        replaced::keep_sealed(ctx, target)?;
    }
    write(ctx, &stale)?;
    say(ctx, &targets)
}

/// The bytes of the file and nothing else.
fn print(ctx: &Context, specs: &[&RenderSpec]) -> Result<Exit> {
    let [spec] = specs else {
        let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
        return Err(Stop::usage("--stdout prints one target")
            .hint(format!("name one of: {}", names.join(", ")))
            .into());
    };
    for (_, text) in ctx.rendered(&[spec])? {
        ctx.ui.raw(text.expose().as_bytes())?;
    }
    Ok(Exit::Done)
}

/// Variables that steer the program that reads the file, or the shell that sources it.
fn steers(dialects: &[Dialect], name: &str) -> bool {
    let shell = ["PATH", "IFS", "ENV", "BASH_ENV", "PS4", "LD_PRELOAD", "LC_ALL"].contains(&name);
    let compose = name.starts_with("COMPOSE_") || name.starts_with("DOCKER_");
    (shell && dialects.contains(&Dialect::Shell)) || (compose && dialects.contains(&Dialect::Compose))
}

fn warn(ctx: &Context, targets: &[Target<'_>]) -> Result<()> {
    let project = &ctx.project()?.folder;
    for target in targets {
        let names: Vec<&str> = target
            .names
            .iter()
            .map(|name| name.as_str())
            .filter(|name| steers(&target.spec.dialects, name))
            .collect();
        if !names.is_empty() {
            let (file, names) = (target.file.display(), names.join(", "));
            ctx.ui.warning(&format!("{file}: {names} will steer the program that reads it"));
        }
        if let Some(exposed) = &target.exposed {
            ctx.ui.warning(&exposed.advice(&target.found.path, Some(project)));
        }
    }
    Ok(())
}

/// What stands, without touching it: `--check` and `--dry-run`.
fn tell(ctx: &Context, check: bool, targets: &[Target<'_>]) -> Result<Exit> {
    if ctx.ui.json() {
        ctx.ui.document("render", &document(ctx, targets))?;
    } else {
        ctx.ui.table(&table(targets))?;
    }
    let stale = targets.iter().any(|target| target.standing != Standing::Right);
    if !check {
        ctx.ui.note("dry run: nothing was written");
    }
    Ok(if check && stale { Exit::Pending } else { Exit::Done })
}

fn table(targets: &[Target<'_>]) -> Table {
    let mut table = Table::new(["target", "file", "standing"]);
    for target in targets {
        let reasons = target.standing.reasons();
        let standing = match &target.standing {
            Standing::Right => Cell::new("is as it should be", Tone::Good),
            Standing::Missing => Cell::new(&reasons.join("; "), Tone::Bad),
            Standing::Differs { .. } => Cell::new(&reasons.join("; "), Tone::Notable),
        };
        table.row([
            Cell::plain(&target.spec.name),
            Cell::plain(&target.file.display().to_string()),
            standing,
        ]);
    }
    table
}

/// All are on disk beside their places before the first one takes its place.
fn write(ctx: &Context, stale: &[&Target<'_>]) -> Result<()> {
    let _alone = alone_in(stale);
    let mut deliveries = Vec::new();
    for target in stale {
        let bytes = target.text.expose().as_bytes();
        deliveries.push((target, deliver::stage(&target.found.path, bytes, target.keeping)?));
    }
    for (target, delivery) in deliveries {
        if delivery.publish()? == Put::InPlace {
            let path = target.found.path.display();
            ctx.ui
                .note(&format!("{path} is a mount, which cannot be replaced: it was written over in place"));
        }
    }
    Ok(())
}

/// Holds the folders that are written to, one run at a time, and removes what a crash left in them. A folder that cannot
/// be locked, or is not there yet, is written to all the same: each file appears whole.
fn alone_in(stale: &[&Target<'_>]) -> Vec<File> {
    let mut folders: Vec<&Path> = stale.iter().map(|target| durable::folder_of(&target.found.path)).collect();
    folders.sort_unstable();
    folders.dedup();
    let mut held = Vec::new();
    for folder in folders {
        let Some(lock) = File::open(folder).ok().filter(|lock| lock.lock().is_ok()) else { continue };
        held.push(lock);
        for target in stale.iter().filter(|target| durable::folder_of(&target.found.path) == folder) {
            // What cannot be removed stays private, and is tried again by the next run.
            let _ = durable::sweep(&target.found.path);
        }
    }
    held
}

fn say(ctx: &Context, targets: &[Target<'_>]) -> Result<Exit> {
    if ctx.ui.json() {
        ctx.ui.document("render", &document(ctx, targets))?;
        return Ok(Exit::Done);
    }
    for target in targets {
        let (file, count) = (target.file.display(), plural(target.names.len(), "variable"));
        match &target.standing {
            Standing::Right => ctx.ui.note(&format!("{file} is as it should be ({count})")),
            Standing::Missing => ctx.ui.note(&format!("{file} made ({count})")),
            Standing::Differs { keys, also } => {
                let keys = keys.iter().map(|key| key.key.clone());
                let what: Vec<String> = keys.chain(also.iter().cloned()).collect();
                ctx.ui.note(&format!("{file} rewritten ({count}; changed: {})", what.join(", ")));
            }
        }
    }
    Ok(Exit::Done)
}

/// What `--json` says.
#[derive(Serialize)]
struct Targets<'a> {
    environment: &'a str,
    dry_run: bool,
    targets: Vec<OneTarget<'a>>,
}

#[derive(Serialize)]
struct OneTarget<'a> {
    target: &'a str,
    file: String,
    /// As it was found: `right`, `missing`, `differs`.
    found: &'static str,
    keys: &'a [KeyDiffers],
    also: &'a [String],
    variables: usize,
    /// Whether git has the file, or would take it.
    git: Option<&'static str>,
}

fn document<'a>(ctx: &'a Context, targets: &'a [Target<'_>]) -> Targets<'a> {
    let one = |target: &'a Target<'_>| {
        let (found, keys, also): (_, &[_], &[_]) = match &target.standing {
            Standing::Right => ("right", &[], &[]),
            Standing::Missing => ("missing", &[], &[]),
            Standing::Differs { keys, also } => ("differs", keys, also),
        };
        let git = target.exposed.as_ref().map(|exposed| match exposed.tracked {
            true => "tracked",
            false => "not ignored",
        });
        let (file, variables) = (target.file.display().to_string(), target.names.len());
        OneTarget { target: &target.spec.name, file, found, keys, also, variables, git }
    };
    let environment = ctx.environment().map_or("", |spec| spec.name.as_str());
    Targets { environment, dry_run: ctx.dry_run(), targets: targets.iter().map(one).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_steer_where_the_file_is_sourced_or_read_by_compose() {
        assert!(steers(&[Dialect::Shell], "PATH") && !steers(&[Dialect::Compose], "PATH"));
        assert!(steers(&[Dialect::Docker, Dialect::Compose], "COMPOSE_FILE"));
        assert!(!steers(&[Dialect::Docker], "DOCKER_HOST") && !steers(&[Dialect::Shell], "PATHS"));
    }
}
