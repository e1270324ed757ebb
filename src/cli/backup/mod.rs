//! `backup`: sealed snapshots of home, made, listed, looked into, proven, brought back and removed.
//!
//! Owns which folders and files are meant; files are [`crate::backup`]'s. What is brought back goes through the one
//! story of a change, like everything that writes into a place.

mod belonging;
mod create;
mod look;
mod manifest;
mod restore;

use super::context::Context;
use super::operations::moment;
use super::report::Exit;
use super::ui::shown;
use crate::backup;
use crate::document::Document;
use anyhow::Result;
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

/// Keep sealed snapshots of home and its copies, and bring values back from them
#[derive(Debug, Args)]
#[command(after_help = "\
A backup is one age file with every value that home holds in the manifest's groups, what its
copies hold, and the manifest, sealed to the project's recipients; `age -d` opens it too. The
history of a value is not in it. A copy of a vault's file is read like a backup.")]
pub(super) struct BackupArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Create(create::CreateArgs),
    List(look::ListArgs),
    Show(look::ShowArgs),
    Verify(look::VerifyArgs),
    Restore(restore::RestoreArgs),
    Prune(look::PruneArgs),
}

pub(super) fn run(ctx: &mut Context, args: &BackupArgs) -> Result<Exit> {
    match &args.verb {
        Verb::Create(args) => create::create(ctx, args),
        Verb::List(args) => look::list(ctx, args),
        Verb::Show(args) => look::show(ctx, args),
        Verb::Verify(args) => look::verify(ctx, args),
        Verb::Restore(args) => restore::run(ctx, args),
        Verb::Prune(args) => look::prune(ctx, args),
    }
}

impl Context {
    /// The folder of the backups of the environment's home, where it stands now.
    fn backup_folder(&self) -> Result<PathBuf> {
        self.folder_of_backups(&self.home_location()?)
    }

    /// The folders of the backups of each place of the environment: home may have been another one of them.
    fn backup_folders(&self) -> Result<Vec<PathBuf>> {
        self.locations()?.iter().map(|location| self.folder_of_backups(location)).collect()
    }

    fn folder_of_backups(&self, location: &str) -> Result<PathBuf> {
        let project = self.project()?.manifest.project();
        Ok(backup::folder(&self.state_folder()?, project, &self.environment()?.name, location))
    }

    /// The file that is meant, and the document in it. In a folder without a manifest that is a file, and the manifest
    /// is the one in it, if it has one.
    fn backup(&mut self, text: &str) -> Result<Opened> {
        if self.lacks_manifest()? && Path::new(text).is_file() {
            let path = PathBuf::from(text);
            let document = backup::read(&path, self.identities()?.as_deref())?;
            if let Some(manifest) = backup::manifest(&document) {
                self.adopt(manifest.expose(), &document.environment)?;
            }
            return Ok(Opened { path, document, elsewhere: true });
        }
        let path = backup::find(&self.backup_folders()?, text)?;
        let document = backup::read(&path, self.identities()?.as_deref())?;
        Ok(Opened { path, document, elsewhere: false })
    }

    /// Whether a backup is of this project and environment.
    fn is_ours(&self, document: &Document) -> Result<bool> {
        if self.lacks_manifest()? {
            return Ok(false);
        }
        let names = (self.project()?.manifest.project().as_str(), self.environment()?.name.as_str());
        Ok((document.project.as_str(), document.environment.as_str()) == names)
    }
}

/// A backup, opened.
struct Opened {
    path: PathBuf,
    document: Document,
    /// Whether there is no manifest but its own.
    elsewhere: bool,
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
