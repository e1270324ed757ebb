//! `status`: every address of an environment against its home, its copies and the files rendered from it.
//!
//! It changes nothing. What is compared with what is in [`matrix`]; here it is gathered and told.

mod copies;
mod document;
mod matrix;
pub(in crate::cli) mod rotations;

use super::context::{Context, Project};
use super::places::place_of;
use super::reading::Held;
use super::report::{Exit, Report};
use super::table::{Cell, Table, Tone};
use super::ui::{plural, shown};
use crate::journal::Standing;
use crate::manifest::{CopySpec, EnvironmentSpec, RenderSpec};
use crate::name::Address;
use crate::plan::Write;
use crate::snapshot::Entry;
use crate::store::StoreError;
use anyhow::Result;
use clap::Args;
pub(super) use copies::{Copy, InCopy};
use document::Document;
use jiff::Timestamp;
use matrix::{InFile, InHome, Matrix, OnDisk, Row, Target};
use rotations::Rotated;
use std::io;
use zeroize::Zeroizing;

/// Compare home with what the manifest declares, with its copies and with the files that were rendered
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom status
  strongroom status --all
  strongroom -e prod status --check       (exit code 3 where something differs)

Shown is what is not in order: values that are missing or that nothing reads, files that differ
from home. A file is read as each of its consumers reads it. With --json every key is told,
without values.")]
pub(super) struct StatusArgs {
    /// End with exit code 3 where a value or a file is missing or differs, or an operation is unfinished
    #[arg(long)]
    check: bool,

    /// Show what is in order too
    #[arg(short, long)]
    all: bool,
}

/// What was found.
struct Found {
    location: String,
    matrix: Matrix,
    copies: Vec<Copy>,
    /// Copies that nobody can say anything of, with why.
    untold: Vec<(String, String)>,
    unfinished: Vec<String>,
    rotations: Vec<Rotated>,
}

impl Found {
    fn is_drift(&self) -> bool {
        self.matrix.is_drift()
            || self.copies.iter().any(Copy::is_drift)
            || !self.untold.is_empty()
            || !self.unfinished.is_empty()
    }
}

pub(super) fn run(ctx: &mut Context, args: &StatusArgs) -> Result<Exit> {
    let found = look(ctx, args)?;
    let now = ctx.clock()();
    if ctx.ui.json() {
        ctx.ui.document("status", &Document::of(ctx.environment()?, &found))?;
    } else {
        table(ctx, &found, args.all, now)?;
        tell(ctx, &found, args.all)?;
    }
    Ok(if args.check && found.is_drift() { Exit::Pending } else { Exit::Done })
}

fn look(ctx: &Context, args: &StatusArgs) -> Result<Found> {
    let project = ctx.project()?;
    let environment = ctx.environment()?;
    // What is not declared is found by a walk, which is dear where home is far away.
    let held = match args.all || !environment.home.is_remote() {
        true => Held::from(ctx.everything()?),
        false => ctx.read_allowed()?,
    };
    let (mut copies, mut untold) = (Vec::new(), Vec::new());
    for spec in ctx.copies()? {
        match copy(ctx, spec, &held) {
            Ok(copy) => copies.push(copy),
            // Home lacks something, which is told as that; or somebody with no more than the vault at hand wants to know
            // how that stands. It is told, and it is not in order.
            Err(error) if !error.is::<StoreError>() || !(args.check || environment.home.is_remote()) => {
                let Report { message, causes, .. } = Report::of(&error);
                let why: Vec<String> = std::iter::once(message).chain(causes).collect();
                untold.push((spec.name.clone(), why.join(": ")));
            }
            Err(error) => return Err(error),
        }
    }
    let Held { snapshot, instances } = held;
    let about = (project.manifest.as_ref(), &environment.name, &instances);
    let specs = project.manifest.renders().filter(|spec| spec.environments.contains(&environment.name));
    let targets = specs.map(|spec| {
        let text = file(project, environment, spec);
        let text = text.as_ref().map(|text| text.as_ref().map(|text| text.as_str()));
        Ok(Target::new(about, spec, text.map_err(|error| io::Error::new(error.kind(), error.to_string())))?)
    });
    let matrix = Matrix::new(about, &snapshot, targets.collect::<Result<_>>()?);
    let rotations = rotations::all(about, &snapshot, (ctx.clock())());
    let unfinished = ctx.journal()?.list()?.into_iter();
    let unfinished = unfinished.filter(|summary| summary.standing == Standing::Unfinished);
    let unfinished = unfinished.map(|summary| summary.id.to_string()).collect();
    Ok(Found { location: ctx.home()?.location(), matrix, copies, untold, unfinished, rotations })
}

/// A copy as it is, beside what it should be.
pub(super) fn copy(ctx: &Context, spec: &CopySpec, held: &Held) -> Result<Copy> {
    let desired = super::sync::desired(ctx, spec, held)?;
    let addresses: Vec<Address> = desired.keys().cloned().collect();
    let store = ctx.copy(spec)?;
    ctx.wait_for(async {
        let seen = store.read(&addresses).await?;
        let write = nothing(spec, store.unit_of(&addresses[0]));
        let notes = store.review(&write).await.unwrap_or_else(|error| vec![error.message]);
        Ok(Copy::new(&spec.name, store.location(), desired, seen, notes))
    })
}

/// A write of nothing: what a place says of it, it says of itself.
fn nothing(spec: &CopySpec, unit: crate::snapshot::Unit) -> Write {
    Write { place: place_of(spec), unit, base: None, changes: Vec::new(), notes: Vec::new() }
}

/// The text of a target's file; none where it is not there.
fn file(
    project: &Project,
    environment: &EnvironmentSpec,
    spec: &RenderSpec,
) -> io::Result<Option<Zeroizing<String>>> {
    let path = project.folder.join(spec.file_in(&project.manifest, &environment.name));
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Some(Zeroizing::new(text.to_owned()))),
        Err(error) => Err(io::Error::other(format!("not UTF-8 from byte {} on", error.valid_up_to()))),
    }
}

fn table(ctx: &Context, found: &Found, all: bool, now: Timestamp) -> Result<()> {
    let (matrix, copies) = (&found.matrix, &found.copies);
    let off = |row: &Row| !row.is_in_order() || copies.iter().any(|copy| copy.cell(&row.address).is_off());
    let rows: Vec<&Row> = matrix.rows.iter().filter(|row| all || off(row)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    // A column without a word in it would only be in the way.
    let columns: Vec<usize> = (0..matrix.targets.len())
        .filter(|column| matrix.targets[*column].is_read())
        .filter(|column| all || rows.iter().any(|row| row.cells[*column] != InFile::Nothing))
        .collect();
    let headings = columns.iter().map(|column| matrix.targets[*column].name.as_str());
    let names = copies.iter().map(|copy| copy.name.as_str());
    let mut table = Table::new(["address", "home"].into_iter().chain(names).chain(headings));
    for row in rows {
        let cells = copies.iter().map(|copy| in_copy(copy.cell(&row.address)));
        let cells = cells.chain(columns.iter().map(|column| in_file(row.cells[*column])));
        table.row([Cell::plain(&row.address.to_string()), in_home(&row.home, now)].into_iter().chain(cells));
    }
    ctx.ui.table(&table)
}

fn in_home(home: &InHome, now: Timestamp) -> Cell {
    let held = |entry: &Entry, tone: Tone, more: &str| {
        // A version of Secrets Manager is a UUID, of which eight digits tell enough.
        let version = entry.version.as_ref().map(|version| match version.0.parse::<u64>() {
            Ok(number) => format!("v{number}"),
            Err(_) => version.0.chars().take(8).collect(),
        });
        let age = entry.modified.map(|at| age(at, now));
        let words = version.into_iter().chain(age).chain((!more.is_empty()).then(|| more.to_owned()));
        Cell::new(&words.collect::<Vec<_>>().join(", "), tone)
    };
    match home {
        InHome::Held(entry) => held(entry, Tone::Good, ""),
        InHome::Undeclared(entry) => held(entry, Tone::Notable, "not declared"),
        InHome::Unread(entry) => held(entry, Tone::Notable, "not read from here"),
        InHome::Missing => Cell::new("missing", Tone::Bad),
        InHome::Lacking => Cell::new("a part is missing", Tone::Bad),
        InHome::Absent => Cell::new("optional, not set", Tone::Faint),
        InHome::Manifest => Cell::new("in the manifest", Tone::Faint),
        InHome::Derived => Cell::new("derived", Tone::Faint),
    }
}

fn in_copy(cell: InCopy) -> Cell {
    let tone = match cell {
        InCopy::Nothing => Tone::Faint,
        InCopy::Agrees | InCopy::ByReference => Tone::Good,
        InCopy::Differs | InCopy::OtherReference | InCopy::OnlyHere => Tone::Notable,
        InCopy::Missing | InCopy::Plain => Tone::Bad,
    };
    Cell::new(cell.word(), tone)
}

fn in_file(cell: InFile) -> Cell {
    let tone = match cell {
        InFile::Nothing => Tone::Faint,
        InFile::Agrees => Tone::Good,
        InFile::Differs | InFile::OnlyHere => Tone::Notable,
        InFile::Missing => Tone::Bad,
    };
    Cell::new(cell.word(), tone)
}

/// How long ago, in the largest unit that says something.
fn age(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - at.as_second();
    let count = |unit: i64, name| plural(usize::try_from(seconds / unit).unwrap_or(0), name);
    match seconds {
        ..60 => "just now".to_owned(),
        60..3_600 => count(60, "minute"),
        3_600..172_800 => count(3_600, "hour"),
        172_800..63_072_000 => count(86_400, "day"),
        _ => count(31_536_000, "year"),
    }
}

/// The summary, and the next step for each thing that is not in order.
fn tell(ctx: &Context, found: &Found, all: bool) -> Result<()> {
    let environment = &ctx.environment()?.name;
    let rows = &found.matrix.rows;
    let declared = rows.iter().filter(|row| !row.home.is_idle()).count();
    let differs = |row: &Row| found.copies.iter().any(|copy| copy.cell(&row.address).is_off());
    let off = rows.iter().filter(|row| row.is_drift() || differs(row)).count();
    let keys = plural(declared, "key");
    let read = found.matrix.targets.iter().filter(|target| target.is_read());
    let places: Vec<String> = std::iter::once(found.location.clone())
        .chain(found.copies.iter().map(|copy| copy.location.clone()))
        .chain(read.map(|target| target.file.clone()))
        .collect();
    let places = shown(&places.join(", "));
    ctx.ui.note(&match off {
        0 if found.copies.iter().any(Copy::is_drift) || !found.untold.is_empty() => {
            format!("{environment}: {keys}, the values agree in {places}")
        }
        0 => format!("{environment}: {keys}, all in order in {places}"),
        _ if all => format!("{environment}: {off} of {keys} not in order"),
        _ => format!("{environment}: {off} of {keys} not in order; --all shows the others"),
    });
    let strongroom = ctx.typed()?;
    for (name, why) in &found.untold {
        ctx.ui.warning(&format!("{name} cannot be compared: {}", shown(why)));
    }
    for copy in &found.copies {
        let Copy { name, notes, .. } = copy;
        notes.iter().for_each(|note| ctx.ui.note(&format!("{name}: {}", shown(note))));
        if !copy.is_current() {
            ctx.ui.note(&format!(
                "{name} was deployed with other versions than its references stand for now: instances that start from now on have other values than those that run"
            ));
        }
        if copy.is_drift() {
            ctx.ui.note(&format!("`{strongroom} sync {name}` brings it to what home holds"));
        }
    }
    for target in &found.matrix.targets {
        if let Some(line) = about_target(target, &found.matrix, &strongroom) {
            ctx.ui.note(&line);
        }
    }
    if let Some(row) = rows.iter().find(|row| matches!(row.home, InHome::Missing)) {
        ctx.ui.note(&format!("`{strongroom} set {}` sets what is missing", row.address));
    }
    if rows.iter().any(|row| matches!(row.home, InHome::Undeclared(_))) {
        ctx.ui.note("what is not declared reaches nobody: declare it in the manifest, or delete it by its whole address");
    }
    let now = (ctx.clock())();
    for rotation in found.rotations.iter().filter(|rotation| all || rotation.due) {
        let line = rotation.told(now);
        match rotation.due {
            true => ctx.ui.note(&format!("{line}; `{strongroom} rotate {}`", rotation.name)),
            false => ctx.ui.note(&line),
        }
    }
    for id in &found.unfinished {
        ctx.ui.warning(&format!(
            "operation {id} is unfinished: `{strongroom} resume` finishes it, `{strongroom} undo` takes it back"
        ));
    }
    Ok(())
}

fn about_target(target: &Target, matrix: &Matrix, strongroom: &str) -> Option<String> {
    let Target { name, file, strange, .. } = target;
    let file = shown(file);
    let column = matrix.targets.iter().position(|other| other.name == *name)?;
    let off = matrix.rows.iter().any(|row| row.cells[column].is_off());
    match &target.on_disk {
        OnDisk::NotThere => Some(format!("{file} is not there; `{strongroom} render {name}` makes it")),
        OnDisk::Unreadable(why) => Some(format!("{file} cannot be read: {why}")),
        OnDisk::Misread(error) => Some(format!(
            "{file} is not as its consumers take it ({error}); `{strongroom} render {name}` replaces it"
        )),
        OnDisk::Read if *strange > 0 => Some(format!(
            "{file} has {} that the target does not give; `{strongroom} import {file} --add` takes them in, `{strongroom} render {name}` takes them out",
            plural(*strange, "variable")
        )),
        OnDisk::Read if off => Some(format!("`{strongroom} render {name}` brings {file} to what home holds")),
        OnDisk::Read => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_the_unit_that_says_something() {
        let now = Timestamp::from_second(100_000_000).unwrap();
        let ago = |seconds: i64| age(Timestamp::from_second(100_000_000 - seconds).unwrap(), now);
        assert_eq!(
            [-5, 59, 60, 7_200, 172_800, 63_072_000].map(ago),
            ["just now", "just now", "1 minute", "2 hours", "2 days", "2 years"]
        );
    }
}
