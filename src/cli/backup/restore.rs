//! `backup restore`: a backup as what the places of its sections should hold.
//!
//! Owns what is wanted where; the plan and everything after it is the story of every change.

use super::super::complete;
use super::super::context::Context;
use super::super::operations::resume_without_manifest;
use super::super::report::{Exit, Stop};
use super::super::ui::{plural, shown};
use super::belonging::Belonging;
use super::{called, origin};
use crate::apply;
use crate::backup;
use crate::desired::Revision;
use crate::document::Document;
use crate::name::{Address, Group};
use crate::plan::{Desired, Plan, Want};
use crate::secret::Secret;
use crate::snapshot::{Entry, Snapshot};
use crate::store::Stores;
use anyhow::Result;
use clap::{Args, ValueHint};
use std::collections::BTreeSet;

/// Bring values back from a backup
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom backup restore 20260102-030405-k3x9pq
  strongroom backup restore ./prod.age --only SECRET_KEY,xero/1/refresh_token

The plan is shown first. Each value goes back to the place that it stood in, whatever is home now.
Values that came after the backup stay, unless --prune deletes them. A restore is an operation
like every other change: `strongroom undo` takes it back. In a folder without a strongroom.toml a
file is enough: the manifest in it is used, and written here.")]
pub(super) struct RestoreArgs {
    /// A backup's name, the beginning of it, or a file; a copy of a vault is read like a backup
    #[arg(value_name = "ID|FILE", value_hint = ValueHint::FilePath)]
    backup: String,

    /// Bring back only these: KEY, group/KEY or group/instance/KEY; several with commas, or by repeating the flag
    #[arg(long, value_name = "KEY", value_delimiter = ',', conflicts_with = "prune", add = complete::addresses())]
    only: Vec<String>,

    /// Delete what came after the backup: what home holds, or held then, and the backup does not
    #[arg(long)]
    prune: bool,

    /// Bring back the manifest too, where it has changed since the backup
    #[arg(long, conflicts_with = "from_elsewhere")]
    with_manifest: bool,

    /// Take a backup of another project or environment
    #[arg(long)]
    from_elsewhere: bool,
}

pub(super) fn run(ctx: &mut Context, args: &RestoreArgs) -> Result<Exit> {
    let opened = ctx.backup(&args.backup)?;
    let ctx = &*ctx;
    if opened.elsewhere {
        if ctx.lacks_manifest()? {
            return Err(Stop::new(Exit::Manifest, "there is no manifest here, and none in this backup")
                .hint("go to the project's folder, or bring its strongroom.toml here first")
                .into());
        }
        if let Some(exit) = resume_without_manifest(ctx)? {
            return Ok(exit);
        }
    }
    let ours = ctx.is_ours(&opened.document)?;
    if !ours && !args.from_elsewhere {
        return Err(not_ours(ctx, &opened.document)?.into());
    }
    let stores = ctx.stores()?;
    let values = planned(ctx, args, (&opened.document, ours), &stores)?;
    let manifest = match ours {
        true => ctx.plan_manifest(&opened, &stores, args.with_manifest)?,
        false => Plan::default(),
    };
    if ours && !args.with_manifest && args.only.is_empty() {
        ctx.tell_other_manifest(&opened)?;
    }
    // Where there is none, whoever goes on after an interruption needs it first; else it is the last step.
    let (plan, present) = match (opened.elsewhere, manifest.is_empty()) {
        (true, _) => (manifest.then(values), None),
        (false, true) => (values, None),
        (false, false) => (values.then(manifest), Some(ctx.manifest_text()?)),
    };
    let knowing = present.as_ref().map(Secret::expose);
    let scope = if args.only.is_empty() { String::new() } else { format!(" --only {}", args.only.join(",")) };
    let command = format!("backup restore {}{scope}", called(&opened.path));
    ctx.carry_out((&command, None), &plan, &stores, async |journal, watch| {
        apply::run_knowing(journal, (&command, knowing), &plan, &stores, watch).await
    })
}

/// The plan that brings the values back, each to the place that it stood in.
fn planned(
    ctx: &Context,
    args: &RestoreArgs,
    (document, ours): (&Document, bool),
    stores: &Stores,
) -> Result<Plan> {
    let (belonging, gone) = ctx.belonging(document, ours)?;
    let only = chosen(ctx, &args.only, &belonging)?;
    let home = ctx.home_name()?;
    let mut plan = Plan::default();
    for part in &belonging {
        let mut desired = desired(part, &only);
        if only.is_empty() {
            as_a_whole(ctx, part, args.prune, &mut desired)?;
        }
        let store = stores[&part.place].as_ref();
        plan = plan.then(match part.place == home {
            true => ctx.plan_home(stores, &desired, None)?,
            false => ctx.wait_for(async { Ok(apply::plan(&part.place, store, &desired).await?) })?,
        });
    }
    for place in gone {
        let place = shown(place);
        ctx.ui.warning(&format!("{place}: the manifest declares no such place any more; left alone"));
    }
    Ok(plan)
}

fn not_ours(ctx: &Context, document: &Document) -> Result<Stop> {
    let project = ctx.project()?.manifest.project();
    let environment = &ctx.environment()?.name;
    let origin = origin(document);
    let message = format!("this is a backup of {origin}, and not of `{environment}` of {project}");
    Ok(Stop::new(Exit::Failed, message).hint(format!(
        "--environment chooses another; --from-elsewhere brings it into `{environment}` all the same"
    )))
}

/// What a section's place should hold.
fn desired(part: &Belonging<'_>, only: &BTreeSet<Address>) -> Desired {
    let meant = |address: &Address| only.is_empty() || only.contains(address);
    // What a reference stands for, and what no manifest declares, is that one place's.
    let goes_along = |address: &Address, entry: &Entry| {
        let places_own = [Group::own(), Group::undeclared()].contains(&address.group);
        !part.moved || (entry.held.value().is_some() && !places_own)
    };
    let entries = backup::contents(part.section).into_iter();
    let wanted = entries.filter(|(address, entry)| meant(address) && goes_along(address, entry));
    wanted.map(|(address, entry)| (address.clone(), want(entry, !part.moved))).collect()
}

/// What belongs to a whole section beside its values: what came later, the revision of references that were not there,
/// and settings that only the place's own tools put back.
fn as_a_whole(ctx: &Context, part: &Belonging<'_>, prune: bool, desired: &mut Desired) -> Result<()> {
    let copy = ctx.copy_that_is(&part.place)?.filter(|_| !part.moved);
    let partial = part.section.records.values().any(|record| record.entry.is_none());
    let now = match part.home_then || partial || part.section.options.is_some() {
        true => Some(ctx.now_of(part)?),
        false => None,
    };
    if let Some(now) = now.as_ref().filter(|_| part.home_then || partial) {
        later(ctx, part, &now.held, prune, desired);
    }
    let Some(copy) = copy else { return Ok(()) };
    // What it refers to now is not what it referred to then.
    desired.entry(Revision::address()).or_insert(Want::Absent);
    if let Some((then, now)) = part.section.options.as_ref().zip(now.and_then(|now| now.options)) {
        let store = ctx.beanstalk(copy)?;
        let off = then.iter().filter(|setting| store.address_of(&setting.name).is_none());
        let off = off.filter(|setting| !now.iter().any(|now| now.same_as(setting)));
        let names: Vec<String> = off.map(|setting| shown(&setting.name)).collect();
        if !names.is_empty() {
            ctx.ui.warning(&format!(
                "{}: no key can have the name of {}, which had another value then; docs/recovery.md tells how `aws` puts it back",
                part.place,
                names.join(", ")
            ));
        }
    }
    Ok(())
}

/// The addresses that were named; none where all are meant.
fn chosen(ctx: &Context, only: &[String], parts: &[Belonging<'_>]) -> Result<BTreeSet<Address>> {
    let holds =
        |address: &Address| parts.iter().any(|part| backup::contents(part.section).contains_key(address));
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

/// What a place holds and the backup does not: deleted where that was asked for, else told.
fn later(ctx: &Context, part: &Belonging<'_>, now: &Snapshot, prune: bool, desired: &mut Desired) {
    let standings = backup::compare(part.section, now).into_iter();
    let later = standings
        .filter(|(address, standing)| *standing == backup::Standing::Later && address.group != Group::own());
    let later: Vec<&Address> = later.map(|(address, _)| address).collect();
    if prune {
        desired.extend(later.into_iter().map(|address| (address.clone(), Want::Absent)));
    } else if !later.is_empty() {
        ctx.ui.note(&format!(
            "{} came after the backup and will stay; --prune deletes what the backup does not hold",
            plural(later.len(), "value")
        ));
    }
}
