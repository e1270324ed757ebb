//! `backup create`, and the backup that another verb makes before it changes much.
//!
//! Owns what is in a backup: all that home and its copies hold, what Beanstalk is set to in its own words, and the
//! manifest. It changes no place.

use super::super::context::{Context, random_bytes};
use super::super::places::place_of;
use super::super::report::{Exit, Stop};
use super::super::ui::{plural, shown};
use crate::backup::{self, BackupError, Part, Proof};
use crate::manifest;
use crate::name::{Address, Group};
use crate::plan::Place;
use crate::secret::Secret;
use crate::snapshot::Snapshot;
use crate::store::{ErrorKind, ManifestFile};
use anyhow::Result;
use clap::{Args, ValueHint};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Seal what home holds now into a new backup
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom backup create
  strongroom -e prod backup create -o /mnt/safe/prod.age

The file is opened again and compared before it has its name.")]
pub(super) struct CreateArgs {
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

/// A backup that was made.
#[derive(Debug)]
pub(in crate::cli) struct BackUp {
    /// Its name; none where the file was named.
    pub(in crate::cli) id: Option<String>,
    /// Its file.
    pub(in crate::cli) path: PathBuf,
    /// How many values and references are in it.
    pub(in crate::cli) values: usize,
    /// Whether it was opened again.
    pub(in crate::cli) proof: Proof,
}

pub(super) fn create(ctx: &Context, args: &CreateArgs) -> Result<Exit> {
    let output = args.output.as_deref();
    if ctx.dry_run() {
        return dry(ctx, output);
    }
    let made = ctx.wait_for(ctx.back_up(Vec::new(), output, false))?;
    let file = made.path.display().to_string();
    let name = made.id.as_deref().unwrap_or(&file);
    let count = plural(made.values, "value");
    match made.proof {
        Proof::Opened => ctx.ui.note(&format!("{}: {count} sealed, and opened again", shown(name))),
        Proof::Unopened => ctx.ui.warning(&format!(
            "{}: {count} sealed, and not verified: no identity at hand is a recipient of it; let somebody who is run `strongroom backup verify`",
            shown(name)
        )),
    }
    let verified = made.proof == Proof::Opened;
    said(ctx, &Created { id: made.id, file, values: made.values, dry_run: false, verified })
}

fn dry(ctx: &Context, output: Option<&Path>) -> Result<Exit> {
    let values = ctx.something(&ctx.wait_for(ctx.parts())?)?;
    let unproven = match ctx.can_back_up() {
        Ok(()) => "",
        Err(error) => match error.downcast_ref() {
            Some(BackupError::Unproven) => ", and no identity at hand would open it",
            _ => return Err(error),
        },
    };
    let (id, path) = ctx.new_backup(output)?;
    let count = plural(values, "value");
    ctx.ui.note(&format!("dry run: {count} would be sealed{unproven}; nothing was written"));
    let file = path.display().to_string();
    said(ctx, &Created { id, file, values, dry_run: true, verified: false })
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
    /// Seals what every place of the environment holds, the manifest, and `extra` beside it into a backup, opens it again
    /// and compares. It goes into the state folder, or into `output`, which must not be there yet. Under `proven` one
    /// that nobody at hand can open is refused and not kept.
    pub(in crate::cli) async fn back_up(
        &self,
        extra: Vec<Part>,
        output: Option<&Path>,
        proven: bool,
    ) -> Result<BackUp> {
        let mut parts = self.parts().await?;
        let at = parts.iter().position(|part| part.place == ManifestFile::PLACE).unwrap_or(parts.len());
        parts.splice(at..at, extra);
        self.seal_backup(&parts, output, proven)
    }

    /// Whether [`Context::back_up`] could make one that is proven. Nothing is written.
    pub(in crate::cli) fn can_back_up(&self) -> Result<()> {
        Ok(backup::provable(&self.recipients()?, self.identities()?.as_deref())?)
    }

    /// What home and each copy hold, home first, and the manifest; of a Beanstalk environment what no manifest declares
    /// too, which a restore may need.
    async fn parts(&self) -> Result<Vec<Part>> {
        let groups: Vec<Group> = self.project()?.manifest.groups().map(|group| group.name.clone()).collect();
        let home = self.home_name()?;
        let mut parts = vec![match &self.environment()?.home {
            manifest::Place::Beanstalk { copy } => self.properties(home, copy).await?,
            _ => Part::whole(home, self.all_of_home(&groups).await?),
        }];
        for copy in self.copies()? {
            parts.push(self.properties(place_of(copy), &copy.name).await?);
        }
        parts.push(Part::manifest(self.manifest_text()?));
        Ok(parts)
    }

    /// All that home holds, with what it keeps beside the values and no read of them tells (a parameter's KMS key).
    async fn all_of_home(&self, groups: &[Group]) -> Result<Snapshot> {
        let home = self.home()?;
        let mut held = home.walk(groups).await?;
        let addresses: Vec<Address> = held.entries.keys().cloned().collect();
        match home.detail(&mut held, &addresses).await {
            Err(error) if error.kind == ErrorKind::Denied => self.ui.warning(&format!(
                "the values are in it, and their KMS keys and tiers are not: {}",
                shown(&error.to_string())
            )),
            told => told?,
        }
        Ok(held)
    }

    async fn properties(&self, place: Place, copy: &str) -> Result<Part> {
        let (held, options) = self.beanstalk(copy)?.walk_raw(&self.groups_of_properties()?).await?;
        Ok(Part { options: Some(options), ..Part::whole(place, held) })
    }

    /// The groups of all that a Beanstalk environment may have.
    pub(super) fn groups_of_properties(&self) -> Result<Vec<Group>> {
        let declared = self.project()?.manifest.groups().map(|group| group.name.clone());
        Ok(declared.chain([Group::undeclared(), Group::own()]).collect())
    }

    /// How many values there are to seal, which must be some.
    fn something(&self, parts: &[Part]) -> Result<usize> {
        let places = parts.iter().filter(|part| part.place != ManifestFile::PLACE);
        match places.map(|part| part.held.entries.len()).sum() {
            0 => {
                let location = self.home_location()?;
                let message = format!("there is nothing to back up: {location} holds no value");
                Err(Stop::new(Exit::Failed, message).into())
            }
            values => Ok(values),
        }
    }

    /// The text of the manifest's file.
    pub(in crate::cli) fn manifest_text(&self) -> Result<Secret> {
        let path = &self.project()?.path;
        let failed = || format!("cannot read the manifest {}", path.display());
        let text = std::fs::read(path).map_err(|error| Stop::new(Exit::Manifest, failed()).because(error))?;
        Ok(Secret::from_bytes(text).map_err(|error| Stop::new(Exit::Manifest, failed()).because(error))?)
    }

    /// The name and the file of a new backup. Nothing is made yet.
    fn new_backup(&self, output: Option<&Path>) -> Result<(Option<String>, PathBuf)> {
        if let Some(path) = output {
            return Ok((None, path.to_owned()));
        }
        let (id, path) = backup::new_file(&self.backup_folder()?, random_bytes(), self.clock()());
        Ok((Some(id), path))
    }

    fn seal_backup(&self, parts: &[Part], output: Option<&Path>, proven: bool) -> Result<BackUp> {
        let values = self.something(parts)?;
        let names = (self.project()?.manifest.project(), &self.environment()?.name);
        let (recipients, identities) = (self.recipients()?, self.identities()?);
        let identities = identities.as_deref();
        let (id, path) = self.new_backup(output)?;
        if output.is_none() {
            let folder = self.backup_folder()?;
            crate::durable::create_folder(&folder).map_err(|error| {
                Stop::new(Exit::Failed, format!("cannot make {}", folder.display())).because(error)
            })?;
        }
        let document = backup::document(names, parts, self.clock()());
        let proof = match proven {
            true => {
                backup::write_proven(&path, &document, &recipients, identities).map(|()| Proof::Opened)?
            }
            false => backup::write(&path, &document, &recipients, identities)?,
        };
        Ok(BackUp { id, path, values, proof })
    }
}
