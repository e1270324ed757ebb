//! `operations`, `resume`, `undo`: the journal of an environment on this host.

mod here;
mod listed;

pub(super) use listed::list;

use super::context::Context;
use super::report::{Exit, Stop};
use super::rotate::{Anew, Way};
use crate::apply;
use crate::journal::{Journal, Standing, Summary};
use crate::store::{OperationId, Store};
use anyhow::Result;
use clap::Args;
use here::{as_of, newest, refuse_elsewhere, those_here};

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

What is to be done is decided by what is there, not by the journal alone: a write that took
effect although its answer was lost is not made again. Nothing is written where somebody else
changed an address of it meanwhile.")]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    which: Which,

    #[command(flatten)]
    anew: Anew,
}

/// Take back what an operation changed
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom undo                           (the newest operation that changed anything)
  strongroom undo 20260102-030405-k3x9pq

Every value is brought back byte for byte. An undo is an operation too: if it stops midway,
`strongroom resume` finishes it.

A rotation by programs of your own that has told its target something for good is not taken back;
where it cannot be gone on with either, --forget ends it as it stands, and says what that leaves.")]
pub(super) struct UndoArgs {
    #[command(flatten)]
    which: Which,

    #[command(flatten)]
    way: Way,

    /// End a rotation by programs that can neither be finished nor taken back; nothing is written
    #[arg(long, requires = "id", conflicts_with = "skip_changed")]
    forget: bool,
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

/// A point in time for people and programs: UTC, to the second.
pub(super) fn moment(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(super) fn resume(ctx: &mut Context, args: &ResumeArgs) -> Result<Exit> {
    let journal = ctx.journal()?;
    let chosen = match &args.which.id {
        Some(text) => Some(journal.find(text)?),
        None => newest(ctx, &journal, is_unfinished)?,
    };
    let Some(summary) = chosen else {
        ctx.ui.note("nothing to resume");
        return ctx.say_document("resume", &[], None, &[]);
    };
    let then = as_of(ctx, &journal, &summary)?;
    refuse_elsewhere(then.as_ref().unwrap_or(ctx), &summary)?;
    let asked = (args.anew.typed(), args.which.skip_changed);
    resume_one(then.as_ref().unwrap_or(ctx), &journal, &summary, asked)
}

fn resume_one(
    ctx: &Context,
    journal: &Journal,
    summary: &Summary,
    (anew, skip_changed): (String, bool),
) -> Result<Exit> {
    match &summary.standing {
        Standing::Unfinished | Standing::Running | Standing::Soaking(_) => {}
        Standing::Done | Standing::Nothing | Standing::GivenUp => {
            ctx.ui.note(&format!("{} is not unfinished; nothing to resume", summary.id));
            return ctx.say_document("resume", &[], Some(&summary.id), &[]);
        }
        Standing::Damaged(reason) => return Err(unreadable(summary, reason).into()),
        Standing::Undone(by) => {
            return Err(Stop::new(Exit::Failed, format!("{} was undone by {by}", summary.id)).into());
        }
    }
    if let Some(command) = goes_on(summary, &anew)? {
        return super::go_on(ctx, &summary.id, &command, skip_changed);
    }
    let stores = &ctx.stores()?;
    let id = summary.id.clone();
    let plan = ctx.wait_for(async { Ok(apply::remaining(journal, &id, stores).await?) })?;
    let command = format!("resume {id} ({})", summary.command);
    if plan.is_empty() && !ctx.dry_run() {
        // Everything is there; what is missing is the last line of the journal.
        let done = ctx
            .wait_for(async { Ok(apply::resume(journal, &id, stores, skip_changed, &mut |_| ()).await?) })?;
        ctx.ui.note(&format!("{command}: everything was there already; the operation is done"));
        return ctx.say_document(&command, &[], Some(&done.operation), &done.left);
    }
    let work = async |journal: &Journal, watch: apply::Watch<'_>| {
        apply::resume(journal, &id, stores, skip_changed, watch).await
    };
    let undone = summary.undoes.as_ref().map(|undone| journal.find(undone.as_str())).transpose()?;
    match undone.as_ref().is_some_and(is_of_rotation) {
        true => ctx.carry_out_alone((&command, Some(&id)), &plan, stores, work),
        false => ctx.carry_out((&command, Some(&id)), &plan, stores, work),
    }
}

/// Whether a rotation began it: others that rotate, on whatever host, have to stand aside while it is undone.
fn is_of_rotation(summary: &Summary) -> bool {
    summary.goes_on.is_some() && summary.command.starts_with("rotate ")
}

pub(super) fn undo(ctx: &mut Context, args: &UndoArgs) -> Result<Exit> {
    let journal = ctx.journal()?;
    let skip_changed = args.which.skip_changed;
    let chosen = match &args.which.id {
        Some(text) => Some(journal.find(text)?),
        // What stopped midway is meant before what is done, though it may have changed nothing yet.
        None => match newest(ctx, &journal, is_unfinished)? {
            Some(summary) => Some(summary),
            None => newest(ctx, &journal, can_be_undone)?,
        },
    };
    let Some(summary) = chosen else {
        ctx.ui.note("nothing to undo");
        return ctx.say_document("undo", &[], None, &[]);
    };
    let then = as_of(ctx, &journal, &summary)?;
    let ctx = then.as_ref().unwrap_or(ctx);
    refuse_elsewhere(ctx, &summary)?;
    match &summary.standing {
        // An undo that stopped midway is what somebody who types `undo` wants finished.
        Standing::Unfinished if args.which.id.is_none() && summary.undoes.is_some() => {
            return resume_one(ctx, &journal, &summary, (args.way.typed(), skip_changed));
        }
        Standing::Damaged(reason) => return Err(unreadable(&summary, reason).into()),
        Standing::Undone(by) => {
            ctx.ui.note(&format!("{} was undone by {by} already", summary.id));
            return ctx.say_document("undo", &[], Some(by), &[]);
        }
        Standing::Running
        | Standing::Unfinished
        | Standing::Soaking(_)
        | Standing::Done
        | Standing::Nothing
        | Standing::GivenUp => {}
    }
    if args.forget {
        return super::forget::run(ctx, &journal, &summary);
    }
    let mut notes = Vec::new();
    let began = goes_on(&summary, &args.way.typed())?;
    if let Some(command) = &began {
        if super::forget(ctx, &summary.id, command)? {
            return Ok(Exit::Done);
        }
        notes = super::may_be_undone(ctx, &summary.id, command)?;
    }
    let stores = ctx.stores()?;
    let mut undo =
        ctx.wait_for(async { Ok(apply::plan_undo(&journal, &summary.id, &stores, skip_changed).await?) })?;
    let command = format!("undo {} ({})", summary.id, summary.command);
    if undo.plan.is_empty() && !undo.left.is_empty() {
        ctx.ui.note(&format!("{command}: all of it was changed by somebody else since, and left as it is"));
        return ctx.say_document(&command, &[], None, &undo.left);
    }
    if undo.plan.is_empty() && !ctx.dry_run() {
        ctx.wait_for(async { Ok(apply::undo(&journal, undo, &stores, &mut |_| ()).await?) })?;
        ctx.ui.note(&format!("{command}: nothing of it is there; nothing to take back"));
        return ctx.say_document(&command, &[], None, &[]);
    }
    if let Some(first) = undo.plan.writes.first_mut() {
        first.notes.extend(notes);
    }
    let plan = undo.plan.clone();
    if is_of_rotation(&summary) || undo.halves().is_some() {
        let which = (&summary.id, command.as_str());
        return super::take_back(ctx, which, (undo, &plan), &stores, began.as_deref());
    }
    ctx.carry_out((&command, None), &plan, &stores, async |journal, watch| {
        apply::undo(journal, undo, &stores, watch).await
    })
}

/// The command that goes on with an operation, with what is said anew behind it, where the last word holds.
fn goes_on(summary: &Summary, anew: &str) -> Result<Option<String>> {
    match &summary.goes_on {
        Some(command) if anew.is_empty() || summary.command.starts_with("rotate ") => {
            Ok(Some(format!("{command}{anew}")))
        }
        None if anew.is_empty() => Ok(None),
        _ => Err(Stop::usage(format!("{} (`{}`) is no rotation", summary.id, summary.command))
            .hint(format!("without{anew}"))
            .into()),
    }
}

/// Finishes what stopped before it had written the manifest without which nobody can ask for it by `resume`; nothing
/// where there is no such operation.
pub(super) fn resume_without_manifest(ctx: &Context) -> Result<Option<Exit>> {
    let (journal, manifest) = (ctx.journal()?, ctx.manifest_file()?.location());
    let writes_it = |summary: &Summary| summary.targets.iter().any(|target| target.location == manifest);
    let found = newest(ctx, &journal, |summary| is_unfinished(summary) && writes_it(summary))?;
    found.map(|summary| resume_one(ctx, &journal, &summary, (String::new(), false))).transpose()
}

/// Refuses where an operation that is more than a change of values stopped midway: it is gone on with, and no other is
/// begun beside it.
pub(super) fn none_midway(ctx: &Context) -> Result<()> {
    none_midway_but(ctx, |_| false)
}

/// The same, but for operations that whoever asks goes on with himself.
pub(super) fn none_midway_but(ctx: &Context, own: impl Fn(&Summary) -> bool) -> Result<()> {
    let stands = |one: &Summary| one.goes_on.is_some() && is_unfinished(one) && !own(one);
    let open = newest(ctx, &ctx.journal()?, stands)?;
    let Some(one) = open else { return Ok(()) };
    let id = &one.id;
    let back = if one.lasting { String::new() } else { format!(", `strongroom undo {id}` takes it back") };
    Err(Stop::new(Exit::Midway, format!("operation {id} ({}) stopped midway", one.command))
        .hint(format!("`strongroom resume {id}` finishes it{back}"))
        .into())
}

/// The operation of a command that waits, with the time when it goes on.
pub(super) fn waiting(ctx: &Context, command: &str) -> Result<Option<(Summary, jiff::Timestamp)>> {
    let waits = |one: &Summary| matches!(one.standing, Standing::Soaking(_)) && one.command == command;
    let found = newest(ctx, &ctx.journal()?, waits)?;
    Ok(found.and_then(|one| match one.standing {
        Standing::Soaking(until) => Some((one, until)),
        _ => None,
    }))
}

/// The operation that stopped midway and that this command goes on with.
pub(super) fn midway_by(ctx: &Context, goes_on: &str) -> Result<Option<OperationId>> {
    let of_it = |one: &Summary| one.goes_on.as_deref() == Some(goes_on) && is_unfinished(one);
    Ok(newest(ctx, &ctx.journal()?, of_it)?.map(|one| one.id))
}

/// Those of this project's places that stopped midway and are meant, the newest last.
pub(super) fn all_midway(ctx: &Context, meant: impl Fn(&Summary) -> bool) -> Result<Vec<Summary>> {
    let journal = ctx.journal()?;
    let found = those_here(ctx, &journal, |one| is_unfinished(one) && meant(one))?;
    let mut found: Vec<Summary> = found.collect::<Result<_>>()?;
    found.reverse();
    Ok(found)
}

fn is_unfinished(summary: &Summary) -> bool {
    summary.standing == Standing::Unfinished
}

fn can_be_undone(summary: &Summary) -> bool {
    let stands = match summary.standing {
        Standing::Done | Standing::Unfinished | Standing::Soaking(_) => true,
        // What was given up may have told its target alone.
        Standing::GivenUp => summary.total > 0 && !summary.lasting,
        _ => false,
    };
    stands && summary.touched && summary.undoes.is_none()
}

fn needs_a_look(summary: &Summary) -> bool {
    matches!(summary.standing, Standing::Damaged(_) | Standing::Unfinished | Standing::Running)
}

fn unreadable(summary: &Summary, reason: &str) -> Stop {
    Stop::new(Exit::Failed, format!("{} cannot be gone on with: {reason}", summary.id))
        .hint("docs/recovery.md tells how to open its sealed values with `age`")
}
