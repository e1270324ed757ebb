//! `backup restore`: a backup as what home and its copies should hold.

use super::super::complete;
use super::super::context::Context;
use super::super::report::{Exit, Stop};
use super::super::ui::{plural, shown};
use super::{called, origin};
use crate::apply;
use crate::backup;
use crate::document::Document;
use crate::name::Address;
use crate::plan::{Desired, Plan, Want};
use crate::snapshot::Entry;
use anyhow::Result;
use clap::{Args, ValueHint};
use std::collections::BTreeSet;

/// Bring values back from a backup
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom backup restore 20260102-030405-k3x9pq
  strongroom backup restore ./prod.age --only SECRET_KEY,xero/1/refresh_token

The plan is shown first. Values that came after the backup stay, unless --prune deletes them. A
restore is an operation like every other change: `strongroom undo` takes it back.")]
pub(super) struct RestoreArgs {
    /// A backup's name, the beginning of it, or a file; a copy of a vault is read like a backup
    #[arg(value_name = "ID|FILE", value_hint = ValueHint::FilePath)]
    backup: String,

    /// Bring back only these: KEY, group/KEY or group/instance/KEY; several with commas, or by repeating the flag
    #[arg(long, value_name = "KEY", value_delimiter = ',', conflicts_with = "prune", add = complete::addresses())]
    only: Vec<String>,

    /// Delete what home holds and the backup does not
    #[arg(long)]
    prune: bool,

    /// Take a backup of another project or environment
    #[arg(long)]
    from_elsewhere: bool,
}

pub(super) fn run(ctx: &Context, args: &RestoreArgs) -> Result<Exit> {
    let (path, document) = ctx.backup(&args.backup)?;
    if !args.from_elsewhere && !ctx.is_ours(&document)? {
        let project = ctx.project()?.manifest.project();
        let environment = &ctx.environment()?.name;
        let message =
            format!("this is a backup of {}, and not of `{environment}` of {project}", origin(&document));
        return Err(Stop::new(Exit::Failed, message)
            .hint(format!(
                "--environment chooses another; --from-elsewhere brings it into `{environment}` all the same"
            ))
            .into());
    }
    let mut places = backup::contents(&document);
    let ours = ctx.is_ours(&document)?;
    if !ours {
        // Another environment's copies are no business of this one's.
        places.truncate(1);
    }
    let only = chosen(ctx, &args.only, &places)?;
    let (stores, home) = (ctx.stores()?, ctx.home_name()?);
    let mut plan = Plan::default();
    for (index, (place, held)) in places.iter().enumerate() {
        let wanted = held.iter().filter(|(address, _)| only.is_empty() || only.contains(address));
        // What a reference of another environment stands for is none of this one's.
        let wanted = wanted.filter(|(_, entry)| ours || entry.held.value().is_some());
        let target = if index == 0 { home.as_str() } else { *place };
        let mut desired: Desired = wanted
            .map(|(address, entry)| ((*address).clone(), want(entry, ours && *place == target)))
            .collect();
        if index == 0 {
            if only.is_empty() {
                later(ctx, &document, args.prune, &mut desired)?;
            }
            plan = plan.then(ctx.plan_home(&stores, &desired, None)?);
        } else if let Some(store) = stores.get(target) {
            let more = ctx.wait_for(async { Ok(apply::plan(target, store.as_ref(), &desired).await?) })?;
            plan = plan.then(more);
        } else if !held.is_empty() {
            ctx.ui.warning(&format!(
                "{}: the manifest declares no such place any more; left alone",
                shown(place)
            ));
        }
    }
    let scope = if args.only.is_empty() { String::new() } else { format!(" --only {}", args.only.join(",")) };
    let command = format!("backup restore {}{scope}", called(&path));
    ctx.carry_out((&command, None), &plan, &stores, async |journal, watch| {
        apply::run(journal, &command, &plan, &stores, watch).await
    })
}

/// The addresses that were named; none where all are meant.
fn chosen(
    ctx: &Context,
    only: &[String],
    places: &[(&str, backup::Contents<'_>)],
) -> Result<BTreeSet<Address>> {
    let holds = |address: &Address| places.iter().any(|(_, held)| held.contains_key(address));
    let mut chosen = BTreeSet::new();
    for text in only {
        // The manifest may have forgotten what the backup still holds.
        let address = match text.parse::<Address>() {
            Ok(address) if holds(&address) => address,
            _ => ctx.project()?.manifest.address(&ctx.environment()?.name, text)?,
        };
        if !holds(&address) {
            return Err(Stop::new(Exit::Failed, format!("the backup holds no value of {address}"))
                .hint("`strongroom backup show` lists what it holds")
                .into());
        }
        chosen.insert(address);
    }
    Ok(chosen)
}

/// A value as it was, with what its place kept with it where it goes back into a place of that kind.
fn want(entry: &Entry, same_place: bool) -> Want {
    match same_place {
        true => Want::as_seen(Some(entry)),
        false => Want::held(entry.held.clone()),
    }
}

/// What home holds and the backup does not: deleted where that was asked for, else told.
fn later(ctx: &Context, document: &Document, prune: bool, desired: &mut Desired) -> Result<()> {
    let held = ctx.everything()?;
    let standings = backup::compare(document, &held);
    let later: Vec<&Address> = standings
        .into_iter()
        .filter(|(_, standing)| *standing == backup::Standing::Later)
        .map(|(address, _)| address)
        .collect();
    if prune {
        desired.extend(later.into_iter().map(|address| (address.clone(), Want::Absent)));
    } else if !later.is_empty() {
        ctx.ui.note(&format!(
            "{} came after the backup and will stay; --prune deletes what the backup does not hold",
            plural(later.len(), "value")
        ));
    }
    Ok(())
}
