//! `backup`: sealed snapshots of home, made, listed, looked into, proven, brought back and removed.
//!
//! Owns what is typed and told; files are [`crate::backup`]'s. What is brought back goes through the one story of a
//! change, like everything that writes into a place.

mod look;
mod restore;

use super::context::Context;
use super::operations::moment;
use super::places::place_of;
use super::report::{Exit, Stop};
use super::ui::{plural, shown};
use crate::backup::{self, Proof};
use crate::desired::Revision;
use crate::document::Document;
use crate::name::Group;
use crate::plan::Place;
use crate::snapshot::Snapshot;
use anyhow::Result;
use clap::{Args, Subcommand, ValueHint};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Keep sealed snapshots of home and its copies, and bring values back from them
#[derive(Debug, Args)]
#[command(after_help = "\
A backup is one age file with every value that home holds in the manifest's groups, and what its
copies hold, sealed to the project's recipients; `age -d` opens it too. The history of a value is
not in it. A copy of a vault's file is read like a backup.")]
pub(super) struct BackupArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Create(CreateArgs),
    List(look::ListArgs),
    Show(look::ShowArgs),
    Verify(look::VerifyArgs),
    Restore(restore::RestoreArgs),
    Prune(look::PruneArgs),
}

pub(super) fn run(ctx: &mut Context, args: &BackupArgs) -> Result<Exit> {
    match &args.verb {
        Verb::Create(args) => create(ctx, args),
        Verb::List(args) => look::list(ctx, args),
        Verb::Show(args) => look::show(ctx, args),
        Verb::Verify(args) => look::verify(ctx, args),
        Verb::Restore(args) => restore::run(ctx, args),
        Verb::Prune(args) => look::prune(ctx, args),
    }
}

/// Seal what home holds now into a new backup
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom backup create
  strongroom -e prod backup create -o /mnt/safe/prod.age

The file is opened again and compared before it has its name.")]
struct CreateArgs {
    /// Write this file, which must not be there yet, instead of one in the state folder
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
}

#[derive(Serialize)]
struct Created {
    id: Option<String>,
    file: String,
    values: usize,
    dry_run: bool,
    /// Whether it was opened again.
    verified: bool,
}

fn create(ctx: &Context, args: &CreateArgs) -> Result<Exit> {
    let project = &ctx.project()?.manifest.project();
    let environment = &ctx.environment()?.name;
    let places = ctx.every_place()?;
    let values: usize = places.iter().map(|(_, held)| held.entries.len()).sum();
    if values == 0 {
        let location = ctx.home()?.location();
        return Err(Stop::new(
            Exit::Failed,
            format!("there is nothing to back up: {location} holds no value"),
        )
        .into());
    }
    let now = ctx.clock()();
    let (id, path) = match &args.output {
        Some(path) => (None, path.clone()),
        None => {
            let (id, path) = backup::new_file(&ctx.backups()?, super::context::random_bytes(), now);
            (Some(id), path)
        }
    };
    let file = path.display().to_string();
    let mut created = Created { id, file, values, dry_run: ctx.dry_run(), verified: false };
    if ctx.dry_run() {
        ctx.ui.note(&format!("dry run: {} would be sealed; nothing was written", plural(values, "value")));
        return said(ctx, &created);
    }
    if args.output.is_none() {
        let folder = ctx.backups()?;
        crate::durable::create_folder(&folder).map_err(|error| {
            Stop::new(Exit::Failed, format!("cannot make {}", folder.display())).because(error)
        })?;
    }
    let document = backup::document((project, environment), &places, now);
    let proof = backup::write(&path, &document, &ctx.recipients()?, ctx.identities()?.as_deref())?;
    created.verified = proof == Proof::Opened;
    let name = created.id.as_deref().unwrap_or(&created.file);
    let count = plural(values, "value");
    match proof {
        Proof::Opened => ctx.ui.note(&format!("{}: {count} sealed, and opened again", shown(name))),
        Proof::Unopened => ctx.ui.warning(&format!(
            "{}: {count} sealed, and not verified: no identity at hand is a recipient of it; let somebody who is run `strongroom backup verify`",
            shown(name)
        )),
    }
    said(ctx, &created)
}

/// The file's path is data, for the script that carries it away.
fn said(ctx: &Context, created: &Created) -> Result<Exit> {
    if ctx.ui.json() {
        ctx.ui.document("backup", created)?;
    } else if !created.dry_run {
        ctx.ui.text(&created.file)?;
    }
    Ok(Exit::Done)
}

impl Context {
    /// What home and each copy hold, home first; of copies what no manifest declares too, which a restore may need.
    fn every_place(&self) -> Result<Vec<(Place, Snapshot)>> {
        let mut places = vec![(self.home_name()?, self.everything()?)];
        let manifest = &self.project()?.manifest;
        let groups = manifest.groups().map(|group| group.name.clone());
        let groups: Vec<Group> = groups.chain([Group::undeclared()]).collect();
        for spec in self.copies()? {
            let copy = self.copy(spec)?;
            let mut held = self.wait_for(async { Ok(copy.walk(&groups).await?) })?;
            let own = [Revision::address()];
            held.entries.extend(self.wait_for(async { Ok(copy.read(&own).await?) })?.entries);
            places.push((place_of(spec), held));
        }
        Ok(places)
    }

    /// The folder of the backups of the environment's home, where it stands now.
    fn backups(&self) -> Result<PathBuf> {
        let project = self.project()?.manifest.project();
        let (state, location) = (self.state_folder()?, self.home_location()?);
        Ok(backup::folder(&state, project, &self.environment()?.name, &location))
    }

    /// The file that is meant, and the document in it.
    fn backup(&self, text: &str) -> Result<(PathBuf, Document)> {
        let path = backup::find(&self.backups()?, text)?;
        let document = backup::read(&path, self.identities()?.as_deref())?;
        Ok((path, document))
    }

    /// Whether a backup is of this project and environment.
    fn is_ours(&self, document: &Document) -> Result<bool> {
        let names = (self.project()?.manifest.project().as_str(), self.environment()?.name.as_str());
        Ok((document.project.as_str(), document.environment.as_str()) == names)
    }
}

/// How a backup is called in messages and in the journal.
fn called(path: &Path) -> String {
    shown(&path.file_stem().unwrap_or_default().to_string_lossy())
}

/// What a backup says of itself.
fn origin(document: &Document) -> String {
    format!(
        "`{}` of {}, made {}",
        shown(&document.environment),
        shown(&document.project),
        moment(document.created)
    )
}
