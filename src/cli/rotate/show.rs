//! What is shown of a rotation: before it, when there is nothing to do, and after it.

use super::super::change::names_of;
use super::super::context::Context;
use super::super::operations::moment;
use super::super::report::Exit;
use super::super::table::Tone;
use super::super::ui::{plural, shown};
use super::story::Sketch;
use crate::apply::Done;
use crate::desired::Revision;
use crate::name::Address;
use crate::plan::Place;
use crate::rotate::{Age, Foreseen};
use crate::store::OperationId;
use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// `; last changed 2026-01-02T03:04:05Z`.
pub(super) fn since(age: Age) -> String {
    match age {
        Age::Since(at) => format!("; last changed {}", moment(at)),
        Age::Missing | Age::Unknown => String::new(),
    }
}

/// Nothing is due.
pub(super) fn not_yet(ctx: &Context, command: &str, age: Age) -> Result<Exit> {
    let why = match age {
        Age::Since(at) => format!("last changed {}", moment(at)),
        Age::Missing => "it has no value yet".to_owned(),
        Age::Unknown => "home keeps no dates; rotate it by its name".to_owned(),
    };
    nothing(ctx, command, &why)
}

/// Nothing is to be done, and why.
pub(super) fn nothing(ctx: &Context, command: &str, why: &str) -> Result<Exit> {
    ctx.ui.note(&format!("{command}: nothing to do, {why}"));
    say(ctx, &Document::of(ctx, command))
}

/// Nothing is to be done before then; by which operation, where one is open.
pub(super) fn waits(
    ctx: &Context,
    command: &str,
    (operation, until): (Option<&OperationId>, Timestamp),
    why: &str,
) -> Result<Exit> {
    ctx.ui.note(&format!("{command}: nothing to do, {why}"));
    let (operation, soaking_until) = (operation.map(OperationId::as_str), Some(moment(until)));
    say(ctx, &Document { operation, soaking_until, ..Document::of(ctx, command) })
}

pub(super) fn text(ctx: &Context, command: &str, sketch: &Sketch, foreseen: &Foreseen) -> Result<String> {
    let mut text = format!("{command}\n{}", ctx.caller_of_places()?);
    text.push_str(&format!("{}\n", shown(&ctx.home_location()?)));
    for address in &foreseen.home {
        let detail = sketch.details.iter().find(|(key, _)| key == address);
        let what = detail.map_or("follows", |(_, what)| what);
        text.push_str(&format!("  {} {address}  {what}\n", ctx.ui.toned(Tone::Notable, "~")));
    }
    for (place, addresses) in &foreseen.copies {
        let names: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        text.push_str(&format!("{}: one update, the app restarts: {}\n", shown(place), names.join(", ")));
    }
    for note in &sketch.notes {
        text.push_str(&format!("  {} {}\n", ctx.ui.toned(Tone::Notable, "!"), shown(note)));
    }
    Ok(text)
}

pub(super) fn said(ctx: &Context, command: &str, done: &Done) {
    ctx.warn_of_left(&done.left);
    let changes = plural(done.changes, "change");
    let back = match done.lasting {
        true => String::new(),
        false => format!("; `strongroom undo {}` brings the old values back", done.operation),
    };
    ctx.ui.note(&format!("{command}: {changes} in force and read back{back}"));
    if let Some(until) = done.soaking {
        ctx.ui.note(&format!(
            "the old values are accepted until {}; `strongroom {command}` after that ends it",
            moment(until)
        ));
    }
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
    soaking_until: Option<String>,
}

#[derive(Serialize)]
struct Copied<'a> {
    place: &'a Place,
    addresses: Vec<String>,
}

impl<'a> Document<'a> {
    /// A run that has done nothing.
    fn of(ctx: &Context, command: &'a str) -> Document<'a> {
        let (home, copies, left) = (Vec::new(), Vec::new(), Vec::new());
        let dry_run = ctx.dry_run();
        Document { command, dry_run, operation: None, home, copies, left, soaking_until: None }
    }
}

pub(super) fn document(
    ctx: &Context,
    command: &str,
    foreseen: &Foreseen,
    done: Option<&Done>,
) -> Result<Exit> {
    let told = |all: &[Address]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    let copies = foreseen.copies.iter();
    say(
        ctx,
        &Document {
            operation: done.map(|done| done.operation.as_str()),
            home: told(&foreseen.home),
            copies: copies.map(|(place, addresses)| Copied { place, addresses: told(addresses) }).collect(),
            left: done.map(|done| names_of(&done.left)).unwrap_or_default(),
            soaking_until: done.and_then(|done| done.soaking).map(moment),
            ..Document::of(ctx, command)
        },
    )
}

/// The document of an operation that was gone on with: all that it has changed, before that and now.
pub(super) fn resumed(ctx: &Context, command: &str, id: &OperationId, done: Option<&Done>) -> Result<Exit> {
    if !ctx.ui.json() {
        return Ok(Exit::Done);
    }
    let (home, mut places) = (ctx.home_name()?, BTreeMap::<Place, BTreeSet<Address>>::new());
    for target in ctx.journal()?.find(id.as_str())?.targets {
        places.entry(target.place).or_default().insert(target.address);
    }
    let told =
        |all: BTreeSet<Address>| all.into_iter().filter(|address| *address != Revision::address()).collect();
    let home = told(places.remove(&home).unwrap_or_default());
    let copies = places.into_iter().map(|(place, all)| (place, told(all))).collect();
    document(ctx, command, &Foreseen { home, copies }, done)
}

fn say(ctx: &Context, document: &Document<'_>) -> Result<Exit> {
    if ctx.ui.json() {
        ctx.ui.document("rotation", document)?;
    }
    Ok(Exit::Done)
}
