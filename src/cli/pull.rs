//! `pull`: what a copy holds, into home. For values that were changed where they are used.

use super::complete;
use super::context::Context;
use super::report::{Exit, Stop};
use super::ui::plural;
use crate::manifest::{CopySpec, ValueSource};
use crate::name::{Address, Group};
use crate::plan::{Desired, Want};
use crate::snapshot::Held;
use crate::store::Discover;
use anyhow::Result;
use clap::Args;

/// Take values from a copy into home
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom -e prod pull --dry-run
  strongroom -e prod pull RDS_PASSWORD
  strongroom -e prod pull --from web

What the copy holds by reference lives in home already. What lives in the manifest, or is derived,
is not taken: where it differs, its line is told.")]
pub(super) struct PullArgs {
    /// KEY, group/KEY or group/instance/KEY; else everything that the copy and home both have
    #[arg(value_name = "KEY", add = complete::home_addresses())]
    keys: Vec<String>,

    /// The copy, where there are several
    #[arg(long, value_name = "COPY", add = complete::copies())]
    from: Option<String>,
}

pub(super) fn run(ctx: &mut Context, args: &PullArgs) -> Result<Exit> {
    let spec = the_copy(ctx, args.from.as_deref())?;
    let only = args.keys.iter().map(|text| ctx.home_address(text)).collect::<Result<Vec<_>>>()?;
    let copy = ctx.copy(spec)?;
    let seen = ctx.declared_in(copy.as_ref())?;
    let command = format!("pull from {}", spec.name);
    for address in &only {
        if !seen.entries.contains_key(address) {
            let message = format!("{} holds no value of {address}", copy.location());
            return Err(Stop::new(Exit::Failed, message).into());
        }
    }
    let mut desired = Desired::new();
    let wanted = |address: &Address| only.is_empty() || only.contains(address);
    for (address, entry) in seen.entries.iter().filter(|(address, _)| wanted(address)) {
        let Held::Value(value) = &entry.held else { continue };
        match ctx.project()?.manifest.source(&ctx.environment()?.name, address) {
            Some(ValueSource::Home) => {
                desired.insert(address.clone(), Want::value(value.clone()));
            }
            Some(ValueSource::Literal { value: written, line }) if !written.same_as(value) => {
                let file = ctx.project()?.manifest.file();
                ctx.ui.warning(&format!("{address} differs there from {file}:{line}, where its value lives"));
            }
            _ => {}
        }
    }
    say_undeclared(ctx, copy.as_ref())?;
    ctx.change(&command, &desired)
}

/// The copy of that name, or the only one.
fn the_copy<'a>(ctx: &'a Context, name: Option<&str>) -> Result<&'a CopySpec> {
    let names: Vec<String> = name.map(str::to_owned).into_iter().collect();
    let copies = ctx.named_copies(&names)?;
    match copies.as_slice() {
        [one] => Ok(one),
        [] => Err(Stop::usage(format!("`{}` has no copy to pull from", ctx.environment()?.name)).into()),
        several => {
            let known: Vec<&str> = several.iter().map(|copy| copy.name.as_str()).collect();
            Err(Stop::usage("which copy is meant?")
                .hint(format!("give --from, one of: {}", known.join(", ")))
                .into())
        }
    }
}

fn say_undeclared(ctx: &Context, copy: &dyn Discover) -> Result<()> {
    let found = ctx.wait_for(async { Ok(copy.walk(&[Group::undeclared()]).await?) })?;
    let names: Vec<String> = found.entries.keys().map(|address| address.key.to_string()).collect();
    if !names.is_empty() {
        ctx.ui.note(&format!(
            "{} there that the manifest does not declare: {}",
            plural(names.len(), "property").replace("propertys", "properties"),
            names.join(", ")
        ));
    }
    Ok(())
}
