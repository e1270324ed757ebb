//! `diff`: any two places of the project, address by address. It changes nothing.

use super::complete;
use super::context::Context;
use super::reading::Held;
use super::report::{Exit, Stop};
use super::table::{Cell, Table, Tone};
use super::ui::plural;
use crate::manifest::{GroupSpec, Manifest, Selection};
use crate::name::Address;
use crate::secret::FingerprintKey;
use crate::snapshot::{self, Entry, Snapshot};
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::collections::BTreeSet;

/// Compare two places: the homes of environments, and copies
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom diff staging prod          (the homes of two environments)
  strongroom -e prod diff home web      (home, and its copy `web`)
  strongroom diff staging:web prod:web  (copies of two environments)

Values are shown as fingerprints that mean something within this run only. With --check the exit
code is 3 where anything differs.")]
pub(super) struct DiffArgs {
    /// An environment, `home`, a copy, or ENVIRONMENT:COPY
    #[arg(value_name = "A", add = complete::environments())]
    a: String,

    /// The other one
    #[arg(value_name = "B", add = complete::environments())]
    b: String,

    /// End with exit code 3 where something differs
    #[arg(long)]
    check: bool,

    /// Show what agrees too
    #[arg(short, long)]
    all: bool,
}

#[derive(Serialize)]
struct Row {
    address: String,
    state: &'static str,
    a: Option<String>,
    b: Option<String>,
}

#[derive(Serialize)]
struct Document {
    a: String,
    b: String,
    rows: Vec<Row>,
}

pub(super) fn run(ctx: &mut Context, args: &DiffArgs) -> Result<Exit> {
    let (a, b) = (side(ctx, &args.a)?, side(ctx, &args.b)?);
    let key = ctx.fingerprint_key();
    let manifest = &ctx.project()?.manifest;
    let both = |address: &&Address| a.may_hold(manifest, address) && b.may_hold(manifest, address);
    let addresses: BTreeSet<&Address> = a.snapshot.entries.keys().chain(b.snapshot.entries.keys()).collect();
    let rows: Vec<Row> =
        addresses.into_iter().filter(both).map(|address| row(address, &a, &b, &key)).collect();
    let count = rows.iter().filter(|row| row.state != "same").count();
    if ctx.ui.json() {
        ctx.ui.document("diff", &Document { a: a.location, b: b.location, rows })?;
    } else {
        let mut table = Table::new(["address", args.a.as_str(), args.b.as_str()]);
        let shown: Vec<&Row> = rows.iter().filter(|row| args.all || row.state != "same").collect();
        for row in &shown {
            let tone = if row.state == "same" { Tone::Good } else { Tone::Notable };
            let cell = |text: &Option<String>| match text {
                Some(text) => Cell::new(text, tone),
                None => Cell::new("nothing", Tone::Faint),
            };
            table.row([Cell::plain(&row.address), cell(&row.a), cell(&row.b)]);
        }
        if !shown.is_empty() {
            ctx.ui.table(&table)?;
        }
        ctx.ui.note(&format!(
            "{} differ between {} and {}",
            plural(count, "address").replace("addresss", "addresses"),
            a.location,
            b.location
        ));
    }
    Ok(if args.check && count > 0 { Exit::Pending } else { Exit::Done })
}

/// One of the two places.
struct Side {
    location: String,
    snapshot: Snapshot,
    /// What a copy is given; a home has everything.
    takes: Option<Selection>,
}

impl Side {
    /// Whether the address can be there at all.
    fn may_hold(&self, manifest: &Manifest, address: &Address) -> bool {
        let Some(selection) = &self.takes else { return true };
        let group = manifest.group(address.group.as_str());
        let stands_in = manifest.key(address).is_some_and(|key| key.stands_for.is_some());
        !stands_in && selection.takes(address) && group.is_ok_and(GroupSpec::reaches_environments)
    }
}

fn side(ctx: &Context, text: &str) -> Result<Side> {
    let manifest = &ctx.project()?.manifest;
    if let Some((environment, copy)) = text.split_once(':') {
        return of_copy(&ctx.of_environment(environment)?, copy);
    }
    if text == "home" {
        return of_home(ctx);
    }
    if manifest.environment(text).is_ok() {
        return of_home(&ctx.of_environment(text)?);
    }
    let here = ctx.environment().ok().filter(|spec| spec.copies.contains_key(text));
    match here {
        Some(_) => of_copy(ctx, text),
        None => {
            let names: Vec<&str> = manifest.environments().map(|spec| spec.name.as_str()).collect();
            Err(Stop::usage(format!("`{}` is no place of this project", super::ui::shown(text)))
                .hint(format!("an environment ({}), `home`, a copy, or ENVIRONMENT:COPY", names.join(", ")))
                .into())
        }
    }
}

/// A home as its copies and files see it: what stands in the manifest, and what is derived, is part of it.
fn of_home(ctx: &Context) -> Result<Side> {
    let (manifest, environment) = (&ctx.project()?.manifest, &ctx.environment()?.name);
    let Held { mut snapshot, instances } = ctx.read_allowed()?;
    for address in manifest.addresses(environment, &instances) {
        if let (false, Ok(Some(value))) =
            (snapshot.entries.contains_key(&address), manifest.value_of(environment, &snapshot, &address))
        {
            snapshot.entries.insert(address, Entry::of(value));
        } else if let Some(slot) = manifest.refers_through(environment, &address, &snapshot) {
            // What refers to the slot has this value.
            let arn = snapshot.entries[&slot].arn.clone();
            snapshot.entries.entry(address).and_modify(|entry| entry.arn = arn);
        }
    }
    Ok(Side { location: ctx.home()?.location(), snapshot, takes: None })
}

fn of_copy(ctx: &Context, name: &str) -> Result<Side> {
    let copies = ctx.named_copies(&[name.to_owned()])?;
    let spec = copies.first().ok_or_else(|| Stop::usage("a copy's name is empty"))?;
    let store = ctx.copy(spec)?;
    let snapshot = ctx.declared_in(store.as_ref())?;
    Ok(Side { location: store.location(), snapshot, takes: Some(spec.selection.clone()) })
}

fn row(address: &Address, a: &Side, b: &Side, key: &FingerprintKey) -> Row {
    let (one, other) = (a.snapshot.entries.get(address), b.snapshot.entries.get(address));
    let refers = |held: &snapshot::Held, arn: Option<&String>| matches!(held, snapshot::Held::Reference(to) if Some(to) == arn);
    let state = match (one, other) {
        (Some(one), Some(other)) if one.held.same_as(&other.held) => "same",
        (Some(one), Some(other))
            if refers(&one.held, other.arn.as_ref()) || refers(&other.held, one.arn.as_ref()) =>
        {
            "same"
        }
        (Some(_), Some(_)) => "differs",
        (Some(_), None) => "only-a",
        (None, _) => "only-b",
    };
    let shown = |held: &snapshot::Held| match held {
        snapshot::Held::Value(value) => value.fingerprint(key).to_string(),
        snapshot::Held::Reference(arn) => format!("-> {arn}"),
    };
    let (one, other) = (one.map(|entry| shown(&entry.held)), other.map(|entry| shown(&entry.held)));
    Row { address: address.to_string(), state, a: one, b: other }
}
