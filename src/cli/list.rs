//! `list`: what the manifest declares for an environment. No place is opened: what is there is told by `status`.

use super::context::Context;
use super::report::Exit;
use super::table::{Cell, Table, Tone};
use crate::manifest::{EnvironmentSpec, GroupSpec, InstancesSpec, KeySpec, Place, ValueSource};
use anyhow::Result;
use clap::Args;
use serde::Serialize;

/// List the keys that the manifest declares: their addresses, where their values come from
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom list
  strongroom -e prod list --json")]
pub(super) struct ListArgs {}

#[derive(Serialize)]
struct Listed<'a> {
    environment: &'a str,
    keys: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    /// With `*` for instances that only home knows.
    address: String,
    secret: bool,
    optional: bool,
    source: Source,
    /// The place, or the line of the manifest.
    from: String,
    description: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Source {
    Manifest,
    Derived,
    Home,
    Absent,
}

pub(super) fn run(ctx: &mut Context, _args: &ListArgs) -> Result<Exit> {
    let manifest = &ctx.project()?.manifest;
    let environment = ctx.environment()?;
    let mut keys = Vec::new();
    for group in manifest.groups_in(&environment.name) {
        for key in group.keys.values().filter(|key| key.environments.contains(&environment.name)) {
            keys.extend(prefixes(group).iter().map(|prefix| row(prefix, key, environment, manifest.file())));
        }
    }
    if ctx.ui.json() {
        ctx.ui.document("list", &Listed { environment: environment.name.as_str(), keys })?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(["address", "kind", "from", "description"]);
    for key in &keys {
        table.row(key.cells());
    }
    ctx.ui.table(&table)?;
    Ok(Exit::Done)
}

/// What stands before the key in its addresses.
fn prefixes(group: &GroupSpec) -> Vec<String> {
    match &group.instances {
        InstancesSpec::None => vec![group.name.to_string()],
        InstancesSpec::Discovered => vec![format!("{}/*", group.name)],
        InstancesSpec::Listed(names) => names.iter().map(|name| format!("{}/{name}", group.name)).collect(),
    }
}

fn row<'a>(prefix: &str, key: &'a KeySpec, environment: &EnvironmentSpec, file: &str) -> Row<'a> {
    let (source, from) = match key.source(&environment.name) {
        ValueSource::Literal { line, .. } => (Source::Manifest, format!("{file}:{line}")),
        ValueSource::Derived { line, .. } => (Source::Derived, format!("derived, {file}:{line}")),
        ValueSource::Home => (Source::Home, home(&environment.home)),
        ValueSource::Absent => (Source::Absent, String::new()),
    };
    let address = format!("{prefix}/{}", key.name);
    let description = key.description.as_deref();
    Row { address, secret: key.secret, optional: key.optional, source, from, description }
}

fn home(place: &Place) -> String {
    place.to_string()
}

impl Row<'_> {
    fn cells(&self) -> [Cell; 4] {
        let kind = match (self.secret, self.optional) {
            (true, false) => "secret",
            (true, true) => "secret, optional",
            (false, false) => "plain",
            (false, true) => "plain, optional",
        };
        let tone = if self.secret { Tone::Notable } else { Tone::Plain };
        [
            Cell::plain(&self.address),
            Cell::new(kind, tone),
            Cell::new(&self.from, Tone::Faint),
            Cell::plain(self.description.unwrap_or_default()),
        ]
    }
}
