//! Which operations are meant: those of this checkout, whose places they are about.
//!
//! Owns that nobody goes on with what was begun in another checkout of the project's name. It changes nothing.

use super::super::context::Context;
use super::super::report::{Exit, Stop};
use crate::journal::{Journal, Summary};
use anyhow::Result;

/// The newest operation of those that could be meant.
pub(super) fn newest(
    ctx: &Context,
    journal: &Journal,
    meant: impl Fn(&Summary) -> bool,
) -> Result<Option<Summary>> {
    those_here(ctx, journal, meant)?.next().transpose()
}

/// The operations that could be meant, the newest first: one of another checkout's vault, which shares the project's name,
/// is not.
pub(super) fn those_here<'a>(
    ctx: &'a Context,
    journal: &'a Journal,
    meant: impl Fn(&Summary) -> bool,
) -> Result<impl Iterator<Item = Result<Summary>> + 'a> {
    let all: Vec<Summary> = journal.list()?.into_iter().rev().filter(meant).collect();
    // Mostly there is none, and then no place is opened to ask where it is.
    let here = if all.is_empty() { Vec::new() } else { ctx.locations()? };
    let found = move |summary: Summary| {
        is_here(ctx, journal, &summary, &here).map(|is| is.then_some(summary)).transpose()
    };
    Ok(all.into_iter().filter_map(found))
}

/// The environment as an operation knew it, where it leaves another manifest behind than the one that it found.
pub(super) fn as_of(ctx: &Context, journal: &Journal, summary: &Summary) -> Result<Option<Context>> {
    journal.manifest_of(summary)?.map(|text| ctx.with_manifest(&text)).transpose()
}

/// Whether all that an operation changes is at the places of this project: those of `here`, or those of its own manifest.
pub(super) fn is_here(ctx: &Context, journal: &Journal, summary: &Summary, here: &[String]) -> Result<bool> {
    let locations: Vec<&String> =
        summary.targets.iter().map(|target| &target.location).chain(&summary.home).collect();
    let within = |here: &[String]| locations.iter().all(|location| here.contains(location));
    match as_of(ctx, journal, summary)? {
        Some(then) => Ok(within(&then.locations()?)),
        None => Ok(within(here)),
    }
}

/// Refuses to go on here with what was named and was begun where home is another place: what it has learned would be stored
/// in this one.
pub(super) fn refuse_elsewhere(ctx: &Context, summary: &Summary) -> Result<()> {
    match &summary.home {
        Some(there) if !ctx.locations()?.contains(there) => {
            let message =
                format!("operation {} was begun where home is {there}, which this one's is not", summary.id);
            let hint = "go to the folder that it was begun in, or name its manifest with --config";
            Err(Stop::new(Exit::Failed, message).hint(hint).into())
        }
        _ => Ok(()),
    }
}
