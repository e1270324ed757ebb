//! `sync`: home to its copies, one update for each copy that differs.

use super::complete;
use super::context::Context;
use super::places::place_of;
use super::reading::{Held, Wish};
use super::report::{Exit, Stop};
use super::ui::plural;
use crate::apply;
use crate::desired::{CopyError, View, copy};
use crate::manifest::{CopySpec, Place};
use crate::name::{Address, Group};
use crate::plan::{Desired, Plan, Want, Wanted};
use crate::snapshot::Entry;
use crate::store::Stores;
use anyhow::Result;
use clap::Args;

/// Bring the environment's copies to what home holds
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom -e prod sync --dry-run
  strongroom -e prod sync
  strongroom -e prod sync web --prune     (also removes what the manifest does not declare)

Each copy gets one update, with everything in it, and none where nothing differs. A Beanstalk
environment restarts for it; sync waits until it is ready, and reads it back.")]
pub(super) struct SyncArgs {
    /// The copies' names in the manifest; else all of them
    #[arg(value_name = "COPY", add = complete::copies())]
    copies: Vec<String>,

    /// Remove what the copies hold and the manifest does not declare; the platform's own is never touched
    #[arg(long)]
    prune: bool,

    /// First bring the type and KMS key of home's parameters to what the manifest says, values unchanged
    #[arg(long, conflicts_with = "check")]
    rekey: bool,

    /// Change nothing, and end with exit code 3 where something differs
    #[arg(long)]
    check: bool,
}

pub(super) fn run(ctx: &mut Context, args: &SyncArgs) -> Result<Exit> {
    let copies: Vec<&CopySpec> = ctx.named_copies(&args.copies)?;
    if !args.check {
        // A rotation may wait for nothing but this: copies that agree with home.
        super::operations::none_midway_but(ctx, |one| one.rests && one.command.starts_with("rotate "))?;
    }
    if args.rekey {
        rekey(ctx)?;
    }
    let command =
        format!("sync {}", copies.iter().map(|copy| copy.name.as_str()).collect::<Vec<_>>().join(" "));
    if copies.is_empty() {
        ctx.ui.note(&format!("`{}` has no copies; nothing to sync", ctx.environment()?.name));
        return ctx.say_document("sync", &[], None, &[]);
    }
    let mut held = ctx.read_home(&wish(&copies))?;
    let derived = to_derive_again(ctx, &copies, &held)?;
    if !derived.is_empty() {
        if !args.check {
            ctx.change("sync: derived values in home", &derived)?;
        }
        if args.check || ctx.dry_run() {
            ctx.ui.note("home's derived values come first; what the copies get follows from them");
            return Ok(if args.check { Exit::Pending } else { Exit::Done });
        }
        held = ctx.read_home(&wish(&copies))?;
    }
    let stores = ctx.stores()?;
    let mut plan = Plan::default();
    for spec in &copies {
        let desired = desired(ctx, spec, &held)?;
        plan = plan.then(plan_of(ctx, spec, desired, &stores, args.prune)?);
    }
    if args.check {
        let lines = crate::plan::lines(&plan, &ctx.fingerprint_key());
        let count = plural(lines.len(), "difference");
        ctx.ui.note(&format!("{command}: {count}"));
        ctx.say_document(&command, &lines, None, &[])?;
        return Ok(if plan.is_empty() { Exit::Done } else { Exit::Pending });
    }
    ctx.carry_out((&command, None), &plan, &stores, async |journal, watch| {
        apply::run(journal, &command, &plan, &stores, watch).await
    })
}

pub(super) fn wish(copies: &[&CopySpec]) -> Wish {
    Wish::selections(copies.iter().map(|copy| &copy.selection))
}

/// What a copy should hold by what was read of home.
pub(super) fn desired(ctx: &Context, spec: &CopySpec, held: &Held) -> Result<Desired> {
    let (manifest, environment) = (&ctx.project()?.manifest, &ctx.environment()?.name);
    let view = View { manifest, environment, home: &held.snapshot, instances: &held.instances };
    copy(&view, spec).map_err(|error| match error {
        CopyError::Variables(error) => error.into(),
        CopyError::NoReference { .. } => Stop::new(Exit::Manifest, error.to_string())
            .hint("write `secrets = \"value\"` for this copy, or make ssm or secretsmanager the home")
            .into(),
        CopyError::Stale { .. } => Stop::new(Exit::Failed, error.to_string())
            .hint("`strongroom sync` without --check and --dry-run derives it again first")
            .into(),
    })
}

/// Brings the type and KMS key of what home holds to what the manifest says. No value changes.
fn rekey(ctx: &Context) -> Result<()> {
    let home = match &ctx.environment()?.home {
        Place::Ssm => ctx.parameters()?,
        other => {
            let message =
                format!("--rekey is about the parameters of a home in ssm, and this one is {other}");
            return Err(Stop::usage(message).into());
        }
    };
    let held = ctx.read_home(&Wish::all())?.snapshot;
    let wanted = |(address, entry): (Address, Entry)| {
        let attributes = home.declared(&address);
        (address, Want::Present(Wanted { held: entry.held, attributes, was: None }))
    };
    ctx.change("sync --rekey", &held.entries.into_iter().map(wanted).collect())?;
    Ok(())
}

/// The derived values that home keeps and that do not follow from their parts any more, because somebody changed a part by
/// other means.
fn to_derive_again(ctx: &Context, copies: &[&CopySpec], held: &Held) -> Result<Desired> {
    let (manifest, environment) = (&ctx.project()?.manifest, &ctx.environment()?.name);
    let derived = manifest.derived_in_home(environment, &held.snapshot, &held.instances).into_iter();
    let taken = derived.filter(|(address, _)| copies.iter().any(|copy| copy.selection.takes(address)));
    let differs = taken.filter_map(|(address, value)| {
        let held = held.snapshot.value(&address);
        value
            .filter(|value| !held.is_some_and(|held| held.same_as(value)))
            .map(|value| (address, Want::value(value)))
    });
    Ok(differs.collect())
}

fn plan_of(
    ctx: &Context,
    spec: &CopySpec,
    mut desired: Desired,
    stores: &Stores,
    prune: bool,
) -> Result<Plan> {
    let place = place_of(spec);
    let others = ctx.copy(spec)?;
    ctx.wait_for(async {
        if prune {
            let found = others.walk(&[Group::undeclared()]).await?;
            desired.extend(found.entries.into_keys().map(|address| (address, Want::Absent)));
        }
        Ok(apply::plan(&place, stores[&place].as_ref(), &desired).await?)
    })
}
