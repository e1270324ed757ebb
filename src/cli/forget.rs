//! `undo ID --forget`: the end of an operation that can neither be finished nor taken back, with everything as it stands.
//!
//! Owns what is told before: what is given up is for whoever types it to judge. It writes to no place.

use super::context::Context;
use super::operations::moment;
use super::report::{Exit, Stop};
use super::ui::shown;
use crate::apply;
use crate::journal::{Journal, Operation, Standing, Summary};
use anyhow::Result;

pub(super) fn run(ctx: &Context, journal: &Journal, summary: &Summary) -> Result<Exit> {
    let id = &summary.id;
    let open = matches!(summary.standing, Standing::Unfinished | Standing::Soaking(_) | Standing::Running);
    if !open || !summary.lasting {
        let message = format!("{id} is over, or can be taken back");
        return Err(Stop::usage(message).hint(format!("`strongroom undo {id}` takes it back")).into());
    }
    if !summary.goes_on.as_ref().is_some_and(|command| super::may_be_forgotten(ctx, command)) {
        let message = format!("{id} is not forgotten: `strongroom resume` finds out by itself what is so");
        return Err(Stop::usage(message).hint(format!("`strongroom resume {id}` goes on with it")).into());
    }
    let mut operation = journal.open(id)?;
    let command = format!("undo {id} --forget ({})", summary.command);
    ctx.ui.show(&told(&command, summary, &operation));
    if ctx.dry_run() {
        ctx.ui.note("dry run: nothing was changed");
        return ctx.say_document(&command, &[], None, &[]);
    }
    let environment = ctx.environment()?;
    ctx.ui.approve(&format!("End {id} as it stands?"), environment.protected.then_some(&environment.name))?;
    apply::give_up(&mut operation, "ended as it stood, by hand".to_owned())?;
    ctx.ui.note(&format!("{command}: ended; nothing was changed by it"));
    ctx.say_document(&command, &[], Some(id), &[])
}

/// What is known of it, and what is given up.
fn told(command: &str, summary: &Summary, operation: &Operation) -> String {
    let mut text = format!("{command}\n");
    for acted in operation.acted() {
        let became = match &acted.outcome {
            Some((outcome, at)) => format!("{outcome} ({})", moment(*at)),
            None => "nobody knows what became of it".to_owned(),
        };
        text.push_str(&format!("  {}, begun {}: {}\n", acted.effect, moment(acted.at), shown(&became)));
    }
    let (done, total) = (summary.done, summary.total);
    let places = match total {
        0 => "no place was written to: home and the copies keep the old values".to_owned(),
        _ => {
            format!("{done} of {total} writes are in force, and stay; `strongroom status` tells what differs")
        }
    };
    let folder = shown(&operation.folder().display().to_string());
    for note in [
        "nothing is taken back: which values the target accepts is yours to find out, and to set right there",
        &places,
        &format!(
            "what was chosen or answered stays sealed in {folder}: docs/recovery.md tells how to open it"
        ),
    ] {
        text.push_str(&format!("  ! {note}\n"));
    }
    text
}
