//! `operations`, `resume`, `undo`: the journal of an environment on this host.

use super::context::Context;
use super::report::{Exit, Stop};
use super::table::{Cell, Table, Tone};
use crate::apply;
use crate::journal::{Journal, Standing, Summary};
use anyhow::Result;
use clap::Args;
use serde::Serialize;

/// List what was done to an environment from this host, the newest last
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom operations
  strongroom -e prod operations --json")]
pub(super) struct OperationsArgs {}

/// Finish an operation that stopped midway
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom resume
  strongroom resume 20260102-030405-k3x9pq

What is to be done is decided by what is there, not by the journal alone: a write that took effect although its answer
was lost is not made again. Nothing is written where somebody else changed an address of it meanwhile.")]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    which: Which,
}

/// Take back what an operation changed
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom undo                           (the newest operation that changed anything)
  strongroom undo 20260102-030405-k3x9pq

Every value is brought back byte for byte. An undo is an operation too: if it stops midway, `strongroom resume` finishes
it.")]
pub(super) struct UndoArgs {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
struct Which {
    /// The operation, or the beginning of its name; else the one that is meant
    #[arg(value_name = "ID")]
    id: Option<String>,

    /// Leave alone what somebody else changed meanwhile, and do the rest
    #[arg(long)]
    skip_changed: bool,
}

#[derive(Serialize)]
struct Listed {
    operations: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    id: String,
    at: String,
    command: String,
    state: &'static str,
    /// Writes in force.
    done: usize,
    /// Writes planned.
    total: usize,
    addresses: Vec<String>,
    undone_by: Option<String>,
}

impl Row {
    fn of(summary: &Summary) -> Row {
        let (state, undone_by) = match &summary.standing {
            Standing::Running => ("running", None),
            Standing::Unfinished => ("unfinished", None),
            Standing::Done => ("done", None),
            Standing::Nothing => ("changed nothing", None),
            Standing::Undone(by) => ("undone", Some(by.to_string())),
        };
        Row {
            id: summary.id.to_string(),
            at: moment(summary.at),
            command: summary.command.clone(),
            state,
            done: summary.done,
            total: summary.total,
            addresses: summary
                .addresses
                .iter()
                .map(|(place, address)| format!("{place} {address}"))
                .collect(),
            undone_by,
        }
    }

    fn tone(&self) -> Tone {
        match self.state {
            "unfinished" => Tone::Bad,
            "running" => Tone::Notable,
            "done" => Tone::Good,
            _ => Tone::Faint,
        }
    }
}

pub(super) fn list(ctx: &mut Context, _args: &OperationsArgs) -> Result<Exit> {
    let rows: Vec<Row> = ctx.journal()?.list()?.iter().map(Row::of).collect();
    if ctx.ui.json() {
        ctx.ui.document("operations", &Listed { operations: rows })?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        ctx.ui.note("no operations on this host yet");
        return Ok(Exit::Done);
    }
    let mut table = Table::new(["operation", "state", "addresses", "command"]);
    for row in &rows {
        table.row([
            Cell::plain(&row.id),
            Cell::new(row.state, row.tone()),
            Cell::plain(&row.addresses.len().to_string()),
            Cell::plain(&short(&row.command)),
        ]);
    }
    ctx.ui.table(&table)?;
    if rows.iter().any(|row| row.state == "unfinished") {
        ctx.ui.note("`strongroom resume` finishes what is unfinished, `strongroom undo` takes it back");
    }
    Ok(Exit::Done)
}

/// A point in time for people and programs: UTC, to the second.
pub(super) fn moment(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn short(command: &str) -> String {
    const MOST: usize = 60;
    if command.chars().count() <= MOST {
        return command.to_owned();
    }
    format!("{}…", command.chars().take(MOST).collect::<String>())
}

pub(super) fn resume(ctx: &mut Context, args: &ResumeArgs) -> Result<Exit> {
    let journal = ctx.journal()?;
    let Some(summary) = choose(&journal, args.which.id.as_deref(), is_unfinished)? else {
        ctx.ui.note("nothing to resume");
        return Ok(Exit::Done);
    };
    resume_one(ctx, &journal, &summary, args.which.skip_changed)
}

fn resume_one(ctx: &Context, journal: &Journal, summary: &Summary, skip_changed: bool) -> Result<Exit> {
    match &summary.standing {
        Standing::Unfinished | Standing::Running => {}
        Standing::Done | Standing::Nothing => {
            ctx.ui.note(&format!("{} is not unfinished; nothing to resume", summary.id));
            return Ok(Exit::Done);
        }
        Standing::Undone(by) => {
            return Err(Stop::new(Exit::Failed, format!("{} was undone by {by}", summary.id)).into());
        }
    }
    let stores = ctx.stores()?;
    let id = summary.id.clone();
    let plan = ctx.wait_for(async { Ok(apply::remaining(journal, &id, &stores).await?) })?;
    let command = format!("resume {id} ({})", summary.command);
    if plan.is_empty() && !ctx.dry_run() {
        // Everything is there; what is missing is the last line of the journal.
        let done = ctx
            .wait_for(async { Ok(apply::resume(journal, &id, &stores, skip_changed, &mut |_| ()).await?) })?;
        ctx.ui.note(&format!("{command}: everything was there already; the operation is done"));
        return ctx.say_document(&command, &[], Some(&done.operation), &done.left);
    }
    ctx.carry_out(&command, &plan, &stores, async |journal, watch| {
        apply::resume(journal, &id, &stores, skip_changed, watch).await
    })
}

pub(super) fn undo(ctx: &mut Context, args: &UndoArgs) -> Result<Exit> {
    let journal = ctx.journal()?;
    let skip_changed = args.which.skip_changed;
    if args.which.id.is_none() {
        // An undo that stopped midway is what somebody who types `undo` wants finished.
        let begun = |summary: &Summary| is_unfinished(summary) && summary.undoes.is_some();
        if let Some(summary) = choose(&journal, None, begun)? {
            return resume_one(ctx, &journal, &summary, skip_changed);
        }
    }
    // What stopped midway is meant before what is done, though it may have changed nothing yet.
    let unfinished = match args.which.id {
        None => choose(&journal, None, is_unfinished)?,
        Some(_) => None,
    };
    let chosen = match unfinished {
        Some(summary) => Some(summary),
        None => choose(&journal, args.which.id.as_deref(), can_be_undone)?,
    };
    let Some(summary) = chosen else {
        ctx.ui.note("nothing to undo");
        return Ok(Exit::Done);
    };
    if let Standing::Undone(by) = &summary.standing {
        ctx.ui.note(&format!("{} was undone by {by} already", summary.id));
        return Ok(Exit::Done);
    }
    let stores = ctx.stores()?;
    let undo =
        ctx.wait_for(async { Ok(apply::plan_undo(&journal, &summary.id, &stores, skip_changed).await?) })?;
    let command = format!("undo {} ({})", summary.id, summary.command);
    if undo.plan.is_empty() && !ctx.dry_run() {
        ctx.wait_for(async { Ok(apply::undo(&journal, undo, &stores, &mut |_| ()).await?) })?;
        ctx.ui.note(&format!("{command}: nothing of it is there; nothing to take back"));
        return ctx.say_document(&command, &[], None, &[]);
    }
    let plan = undo.plan.clone();
    ctx.carry_out(&command, &plan, &stores, async |journal, watch| {
        apply::undo(journal, undo, &stores, watch).await
    })
}

fn is_unfinished(summary: &Summary) -> bool {
    summary.standing == Standing::Unfinished
}

fn can_be_undone(summary: &Summary) -> bool {
    let stands = matches!(summary.standing, Standing::Done | Standing::Unfinished);
    stands && summary.touched && summary.undoes.is_none()
}

/// The operation that was named, or the newest of those that could be meant.
fn choose(journal: &Journal, id: Option<&str>, meant: fn(&Summary) -> bool) -> Result<Option<Summary>> {
    match id {
        Some(text) => Ok(Some(journal.find(text)?)),
        None => Ok(journal.list()?.into_iter().rev().find(meant)),
    }
}
