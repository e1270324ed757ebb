//! `rotate`: new values for what is secret, in home and in everything that holds it.
//!
//! Owns what is typed, shown and asked. What is next is [`crate::rotate`]'s to know; the operation is journaled like
//! every other.

use super::change::names_of;
use super::complete;
use super::context::Context;
use super::operations::moment;
use super::places::place_of;
use super::reading::Wish;
use super::report::{Exit, Stop};
use super::ui::{plural, shown};
use crate::apply::Done;
use crate::journal::Begin;
use crate::manifest::{Instances, RotationKind, RotationSpec};
use crate::name::Address;
use crate::plan::Place;
use crate::rotate::{self, Age, Foreseen, Holders, Random, Rotation};
use crate::store::{OperationId, Stores};
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::time::Duration;

/// Give secrets new values, in home and in everything that holds them
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom -e prod rotate tokens
  strongroom -e prod rotate tokens --if-older 30d
  strongroom -e prod rotate --due --yes --quiet      (from cron: nothing due is silence and 0)

What is rotated, and how, is declared as `[rotate.NAME]`. Home gets the new values first, then each
copy in one update; a copy that holds something else than home did stops it. `strongroom resume`
goes on after an interruption, `strongroom undo` brings the old values back.")]
pub(super) struct RotateArgs {
    /// The name of a rotation in the manifest
    #[arg(value_name = "NAME", required_unless_present = "due", add = complete::rotations())]
    name: Option<String>,

    /// Rotate all that is older than its `every`, by the dates that home keeps
    #[arg(long, conflicts_with_all = ["name", "if_older"])]
    due: bool,

    /// Only if the values are older than this: 12h, 30d, 8w
    #[arg(long, value_name = "AGE", value_parser = age)]
    if_older: Option<Duration>,
}

fn age(text: &str) -> Result<Duration, String> {
    crate::manifest::duration(text).ok_or_else(|| "such as 12h, 30d or 8w".to_owned())
}

pub(super) fn run(ctx: &Context, args: &RotateArgs) -> Result<Exit> {
    super::operations::none_midway(ctx)?;
    let manifest = &ctx.project()?.manifest;
    let environment = &ctx.environment()?.name;
    if let Some(name) = &args.name {
        let spec = manifest.rotation(name)?;
        if !spec.environments.contains(environment) {
            let message = format!("`{}` is not rotated in `{environment}`", spec.name);
            return Err(Stop::usage(message)
                .hint(format!("{}:{} says where", manifest.file(), spec.line))
                .into());
        }
        return one(ctx, spec, args.if_older);
    }
    let known = manifest.rotations().filter(|spec| spec.environments.contains(environment));
    for spec in known {
        match (spec.every, &spec.kind) {
            (None, _) => {}
            (Some(every), RotationKind::Random { .. }) => drop(one(ctx, spec, Some(every))?),
            (Some(_), _) => ctx.ui.warning(&format!(
                "`{}` is of a kind that this version does not rotate: left alone",
                spec.name
            )),
        }
    }
    Ok(Exit::Done)
}

/// Goes on with a rotation that stopped.
pub(super) fn go_on(ctx: &Context, args: &RotateArgs, id: &OperationId, skip_changed: bool) -> Result<Exit> {
    let name = args.name.as_deref().unwrap_or_default();
    let spec = ctx.project()?.manifest.rotation(name)?;
    let command = format!("resume {id} (rotate {name})");
    ctx.ui.show(&command);
    if ctx.dry_run() {
        ctx.ui.note("dry run: nothing was changed");
        return Ok(Exit::Done);
    }
    let environment = ctx.environment()?;
    ctx.ui.approve(&format!("Go on with {id}?"), environment.protected.then_some(&environment.name))?;
    let stores = ctx.stores()?;
    let held = ctx.read_home(&Wish::all())?;
    let holders = holders(ctx, &stores, &held.instances)?;
    let rotation = random(ctx, spec)?;
    let done = ctx.under_way((&command, Some(id)), Some(ctx.leases()?), async |journal, watch| {
        let mut operation = crate::apply::reopened(journal, id)?;
        rotate::drive(&mut operation, &rotation, &holders, skip_changed, watch).await
    })?;
    said(ctx, spec, &done)
}

/// Rotates one, if it is old enough.
fn one(ctx: &Context, spec: &RotationSpec, if_older: Option<Duration>) -> Result<Exit> {
    let rotation = random(ctx, spec)?;
    let keys: Vec<&Address> = rotation.keys.iter().map(|(address, _)| address).collect();
    let stores = ctx.stores()?;
    let held = ctx.read_home(&Wish::these(keys.iter().copied()))?;
    let age = rotate::age(&held.snapshot, keys.iter().copied());
    let command = format!("rotate {}", spec.name);
    if let Some(most) = if_older
        && !age.is_over(most, ctx.clock()())
    {
        return not_yet(ctx, &command, age);
    }
    let all = ctx.read_home(&Wish::all())?;
    let holders = holders(ctx, &stores, &all.instances)?;
    let sample = rotation.choose();
    let foreseen = ctx.wait_for(async { Ok(holders.foresee(&sample).await?) })?;
    ctx.ui.show(&text(ctx, &command, &rotation, age, &foreseen)?);
    if ctx.dry_run() {
        ctx.ui.note("dry run: nothing was changed");
        return document(ctx, &command, &foreseen, None);
    }
    let environment = ctx.environment()?;
    let question = format!("Rotate `{}` in `{}`?", spec.name, environment.name);
    ctx.ui.approve(&question, environment.protected.then_some(&environment.name))?;
    let goes_on = format!("strongroom -e {} rotate {}", environment.name, spec.name);
    let done = ctx.under_way((&command, None), Some(ctx.leases()?), async |journal, watch| {
        let begin = Begin { command: &command, undoes: None, goes_on: Some(&goes_on), in_order: true };
        let mut operation = journal.begin(&begin)?;
        rotate::drive(&mut operation, &rotation, &holders, false, watch).await
    })?;
    said(ctx, spec, &done)?;
    document(ctx, &command, &foreseen, Some(&done))
}

fn not_yet(ctx: &Context, command: &str, age: Age) -> Result<Exit> {
    let why = match age {
        Age::Since(at) => format!("last changed {}", moment(at)),
        Age::Missing => "it has no value yet".to_owned(),
        Age::Unknown => "home keeps no dates; rotate it by its name".to_owned(),
    };
    ctx.ui.note(&format!("{command}: nothing to do, {why}"));
    Ok(Exit::Done)
}

/// What a rotation of generated values is about.
fn random(ctx: &Context, spec: &RotationSpec) -> Result<Random> {
    let manifest = &ctx.project()?.manifest;
    let RotationKind::Random { keys } = &spec.kind else {
        let message = format!("`{}` is of a kind that this version does not rotate", spec.name);
        return Err(Stop::new(Exit::Failed, message)
            .hint(format!("{}:{}: it rotates `kind = \"random\"` only", manifest.file(), spec.line))
            .into());
    };
    let made = keys.iter().filter_map(|address| Some((address.clone(), manifest.key(address)?.generate?)));
    Ok(Random { keys: made.collect(), generate: super::context::generated })
}

fn holders<'a>(ctx: &'a Context, stores: &'a Stores, instances: &'a Instances) -> Result<Holders<'a>> {
    let copies = ctx.copies()?.into_iter().map(|copy| (place_of(copy), copy)).collect();
    let (manifest, spec) = (&ctx.project()?.manifest, ctx.environment()?);
    Ok(Holders { manifest, spec, copies, stores, instances })
}

fn text(ctx: &Context, command: &str, rotation: &Random, age: Age, foreseen: &Foreseen) -> Result<String> {
    let mut text = format!("{command}\n{}", ctx.caller_of_places()?);
    text.push_str(&format!("{}\n", shown(&ctx.home_location()?)));
    let since = match age {
        Age::Since(at) => format!("; last changed {}", moment(at)),
        Age::Missing | Age::Unknown => String::new(),
    };
    for address in &foreseen.home {
        let made = rotation.keys.iter().find(|(key, _)| key == address);
        let what = made.map_or_else(
            || "follows".to_owned(),
            |(_, made)| format!("{} new characters{since}", made.length()),
        );
        text.push_str(&format!("  {} {address}  {what}\n", ctx.ui.toned(super::table::Tone::Notable, "~")));
    }
    for (place, addresses) in &foreseen.copies {
        let names: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        text.push_str(&format!("{}: one update, the app restarts: {}\n", shown(place), names.join(", ")));
    }
    Ok(text)
}

fn said(ctx: &Context, spec: &RotationSpec, done: &Done) -> Result<Exit> {
    ctx.warn_of_left(&done.left);
    ctx.ui.note(&format!(
        "rotate {}: {} in force and read back; `strongroom undo {}` brings the old values back",
        spec.name,
        plural(done.changes, "change"),
        done.operation
    ));
    Ok(Exit::Done)
}

/// What `--json` says of a rotation.
#[derive(Serialize)]
struct Document<'a> {
    command: &'a str,
    dry_run: bool,
    operation: Option<&'a str>,
    home: Vec<String>,
    copies: Vec<Copied<'a>>,
    left: Vec<String>,
}

#[derive(Serialize)]
struct Copied<'a> {
    place: &'a Place,
    addresses: Vec<String>,
}

fn document(ctx: &Context, command: &str, foreseen: &Foreseen, done: Option<&Done>) -> Result<Exit> {
    if ctx.ui.json() {
        let told = |all: &[Address]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        let copies = foreseen.copies.iter();
        ctx.ui.document(
            "rotation",
            &Document {
                command,
                dry_run: ctx.dry_run(),
                operation: done.map(|done| done.operation.as_str()),
                home: told(&foreseen.home),
                copies: copies
                    .map(|(place, addresses)| Copied { place, addresses: told(addresses) })
                    .collect(),
                left: done.map(|done| names_of(&done.left)).unwrap_or_default(),
            },
        )?;
    }
    Ok(Exit::Done)
}
