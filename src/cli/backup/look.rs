//! `backup list`, `show`, `verify`, `prune`: what is there, and what may go. None of them changes a place.

use super::super::context::Context;
use super::super::operations::moment;
use super::super::report::{Exit, Report, Stop};
use super::super::table::{Cell, Table, Tone};
use super::super::ui::{plural, shown};
use super::{Opened, called, origin};
use crate::backup::{self, Standing, Stored};
use crate::document::Document;
use crate::name::{Address, Group};
use crate::snapshot::Held;
use anyhow::Result;
use clap::{Args, ValueHint};
use serde::Serialize;

/// List the backups of an environment on this host, the newest last
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom backup list
  strongroom -e prod backup list --json")]
pub(super) struct ListArgs {}

/// List what a backup holds: addresses, versions, fingerprints; never values
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom backup show 20260102-030405-k3x9pq
  strongroom backup show ./prod.age

A file can be looked into in a folder without a strongroom.toml.")]
pub(super) struct ShowArgs {
    /// A backup's name, the beginning of it, or a file
    #[arg(value_name = "ID|FILE", value_hint = ValueHint::FilePath)]
    backup: String,
}

/// Open a backup, count it, and compare it with what its places hold now
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom backup verify 20260102-030405-k3x9pq
  strongroom backup verify ./prod.age

Ends with 0 where it opens and is whole. That a place has moved on since is told, and is no
failure. In a folder without a strongroom.toml the manifest in the backup is taken.")]
pub(super) struct VerifyArgs {
    /// A backup's name, the beginning of it, or a file
    #[arg(value_name = "ID|FILE", value_hint = ValueHint::FilePath)]
    backup: String,
}

/// Remove all but the newest backups of an environment on this host
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom backup prune --keep 10
  strongroom -e prod backup prune --keep 30 --yes")]
pub(super) struct PruneArgs {
    /// How many stay
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep: u32,
}

#[derive(Serialize)]
struct Listed {
    backups: Vec<ListedRow>,
}

#[derive(Serialize)]
struct ListedRow {
    id: String,
    made: String,
    size: u64,
    file: String,
}

impl ListedRow {
    fn of(stored: &Stored) -> ListedRow {
        let Stored { id, path, made, size } = stored;
        ListedRow { id: id.clone(), made: moment(*made), size: *size, file: path.display().to_string() }
    }

    fn cells(&self) -> [Cell; 3] {
        [Cell::plain(&self.id), Cell::plain(&self.made), Cell::plain(&plural(self.size as usize, "byte"))]
    }
}

fn listed(stored: &[Stored]) -> (Table, Vec<ListedRow>) {
    let rows: Vec<ListedRow> = stored.iter().map(ListedRow::of).collect();
    let mut table = Table::new(["backup", "made", "size"]);
    rows.iter().for_each(|row| table.row(row.cells()));
    (table, rows)
}

pub(super) fn list(ctx: &Context, _args: &ListArgs) -> Result<Exit> {
    let (table, backups) = listed(&backup::stored_in(&ctx.backup_folders()?)?);
    if ctx.ui.json() {
        ctx.ui.document("backups", &Listed { backups })?;
    } else if backups.is_empty() {
        ctx.ui.note("no backups of this environment on this host; `strongroom backup create` makes one");
    } else {
        ctx.ui.table(&table)?;
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Shown<'a> {
    project: &'a str,
    environment: &'a str,
    made: String,
    values: Vec<ShownRow>,
    /// What is in it beside values at addresses.
    beside: Vec<String>,
}

#[derive(Serialize)]
struct ShownRow {
    address: String,
    place: String,
    version: Option<String>,
    modified: Option<String>,
    /// Under a key of this run; none for a reference.
    fingerprint: Option<String>,
}

pub(super) fn show(ctx: &mut Context, args: &ShowArgs) -> Result<Exit> {
    let document = ctx.backup(&args.backup)?.document;
    let key = ctx.fingerprint_key();
    let of_section = |section| backup::contents(section).into_iter().map(move |entry| (section, entry));
    let values =
        backup::sections(&document).flat_map(of_section).map(|(section, (address, entry))| ShownRow {
            address: address.to_string(),
            place: section.place.clone(),
            version: entry.version.as_ref().map(ToString::to_string),
            modified: entry.modified.map(moment),
            fingerprint: match &entry.held {
                Held::Value(value) => Some(value.fingerprint(&key).to_string()),
                Held::Reference(_) => None,
            },
        });
    let values: Vec<ShownRow> = values.collect();
    if ctx.ui.json() {
        let (project, environment) = (document.project.as_str(), document.environment.as_str());
        ctx.ui.document(
            "backup-contents",
            &Shown {
                project,
                environment,
                made: moment(document.created),
                values,
                beside: beside(&document),
            },
        )?;
        return Ok(Exit::Done);
    }
    let count = plural(values.len(), "value");
    let beside: String = beside(&document).iter().map(|what| format!(", {what}")).collect();
    ctx.ui.note(&format!("{}: {count}{beside}", origin(&document)));
    let mut table = Table::new(["address", "place", "version", "written", "fingerprint"]);
    for row in &values {
        let or_empty = |text: &Option<String>| Cell::plain(text.as_deref().unwrap_or_default());
        let cells = [or_empty(&row.version), or_empty(&row.modified), or_empty(&row.fingerprint)];
        table.row([Cell::plain(&row.address), Cell::plain(&row.place)].into_iter().chain(cells));
    }
    ctx.ui.table(&table)?;
    Ok(Exit::Done)
}

/// What a backup has beside values at addresses: `24 settings of beanstalk:web`, `the manifest`.
fn beside(document: &Document) -> Vec<String> {
    let options = backup::sections(document).filter_map(|section| {
        let count = plural(section.options.as_ref()?.len(), "setting");
        Some(format!("{count} of {}", shown(&section.place)))
    });
    options.chain(backup::manifest(document).map(|_| "the manifest".to_owned())).collect()
}

#[derive(Serialize)]
struct Verified<'a> {
    backup: &'a str,
    project: &'a str,
    environment: &'a str,
    made: String,
    values: usize,
    /// None where no place could be read, or it is another environment's.
    compared: Option<Vec<Compared>>,
}

#[derive(Serialize)]
struct Compared {
    address: String,
    place: String,
    /// How it stands there.
    now: &'static str,
}

pub(super) fn verify(ctx: &mut Context, args: &VerifyArgs) -> Result<Exit> {
    let Opened { path, document, .. } = ctx.backup(&args.backup)?;
    let values = backup::count(&document);
    let name = called(&path);
    let compared = match ctx.is_ours(&document)? {
        true => compared(ctx, &document)?,
        false => None,
    };
    if ctx.ui.json() {
        let (project, environment) = (document.project.as_str(), document.environment.as_str());
        let made = moment(document.created);
        let body = Verified { backup: &name, project, environment, made, values, compared };
        ctx.ui.document("backup-verified", &body)?;
        return Ok(Exit::Done);
    }
    ctx.ui.note(&format!("{name} opens and is whole: {}, {}", origin(&document), plural(values, "value")));
    if let Some(compared) = compared {
        tell(ctx, &compared)?;
    }
    Ok(Exit::Done)
}

/// Against each place, where that can be read: the day on which a vault is damaged is the day on which backups are
/// verified. Nothing where no place can be.
fn compared(ctx: &Context, document: &Document) -> Result<Option<Vec<Compared>>> {
    let mut rows = None;
    for belonging in ctx.belonging(document, true)?.0 {
        match ctx.now_of(&belonging) {
            Ok(now) => {
                let standings = backup::compare(belonging.section, &now.held).into_iter();
                // The tool's own property tells what was deployed, and is nobody's value.
                let values = standings.filter(|(address, _)| address.group != Group::own());
                let row = |(address, standing): (&Address, Standing)| Compared {
                    address: address.to_string(),
                    place: belonging.place.clone(),
                    now: word(standing),
                };
                rows.get_or_insert_with(Vec::new).extend(values.map(row));
            }
            Err(error) => {
                let (place, report) = (shown(&belonging.place), Report::of(&error));
                ctx.ui.warning(&format!("it is not compared with {place}: {}", report.message));
            }
        }
    }
    Ok(rows)
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Same => "same",
        Standing::Differs => "differs",
        Standing::Gone => "gone",
        Standing::Later => "later",
    }
}

fn tell(ctx: &Context, compared: &[Compared]) -> Result<()> {
    let mut table = Table::new(["address", "place", "now"]);
    let off: Vec<&Compared> = compared.iter().filter(|row| row.now != word(Standing::Same)).collect();
    for row in &off {
        let (text, tone) = match row.now {
            "differs" => ("has another value now", Tone::Notable),
            "gone" => ("has none now", Tone::Bad),
            _ => ("came after the backup", Tone::Faint),
        };
        table.row([Cell::plain(&row.address), Cell::plain(&row.place), Cell::new(text, tone)]);
    }
    if off.is_empty() {
        ctx.ui.note("the same is there now");
        return Ok(());
    }
    ctx.ui.table(&table)
}

#[derive(Serialize)]
struct Pruned {
    dry_run: bool,
    removed: Vec<ListedRow>,
}

pub(super) fn prune(ctx: &Context, args: &PruneArgs) -> Result<Exit> {
    let stored = backup::stored_in(&ctx.backup_folders()?)?;
    let surplus = stored.len().saturating_sub(args.keep as usize);
    let going = &stored[..surplus];
    let (table, removed) = listed(going);
    if going.is_empty() {
        ctx.ui.note(&format!("nothing to remove: {} here", plural(stored.len(), "backup")));
    } else {
        ctx.ui.show(&table.aligned());
        if ctx.dry_run() {
            ctx.ui.note("dry run: nothing was removed");
        } else {
            let environment = ctx.environment()?;
            let question = format!("Remove {} of `{}`?", plural(surplus, "backup"), environment.name);
            ctx.ui.approve(&question, environment.protected.then_some(&environment.name))?;
            remove(going)?;
            ctx.ui.note(&format!("{} removed", plural(surplus, "backup")));
        }
    }
    if ctx.ui.json() {
        ctx.ui.document("backups-pruned", &Pruned { dry_run: ctx.dry_run(), removed })?;
    }
    Ok(Exit::Done)
}

fn remove(going: &[Stored]) -> Result<()> {
    for stored in going {
        match std::fs::remove_file(&stored.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let message = format!("cannot remove {}", stored.path.display());
                return Err(Stop::new(Exit::Failed, message).because(error).into());
            }
            _ => {}
        }
    }
    Ok(())
}
