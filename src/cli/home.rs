//! An environment's home, opened: the store that the manifest names, with this person's identity.
//!
//! Owns how a place of the manifest becomes a store. It reads and writes no value.

use super::context::Context;
use super::report::{Exit, Stop};
use super::ui::shown;
use crate::manifest::{CopySpec, EnvironmentSpec, Place};
use crate::seal::{Identities, InvalidIdentity, Recipient};
use crate::store::{Beanstalk, Home, SecretsManager, Ssm, Store, Vault};
use anyhow::Result;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing::debug;
use zeroize::Zeroizing;

impl Context {
    /// The store that is the truth of the environment.
    pub(super) fn home(&self) -> Result<Box<dyn Home>> {
        match &self.environment()?.home {
            Place::Vault => Ok(Box::new(self.vault()?)),
            Place::Ssm => Ok(Box::new(self.parameters()?)),
            Place::SecretsManager => Ok(Box::new(self.secrets()?)),
            Place::Beanstalk { copy } => Ok(Box::new(self.beanstalk(copy)?)),
            place @ Place::Memory => Err(self.cannot_open(place)?.into()),
        }
    }

    /// A copy, which is a place like home.
    pub(super) fn copy(&self, spec: &CopySpec) -> Result<Box<dyn Home>> {
        Ok(Box::new(self.beanstalk(&spec.name)?))
    }

    /// The properties of the Beanstalk environment that a copy means.
    pub(super) fn beanstalk(&self, copy: &str) -> Result<Beanstalk> {
        let manifest = self.project()?.manifest.clone();
        let place = Beanstalk::new(self.aws()?, manifest, self.environment()?.name.clone(), copy)?;
        let ui = self.ui.clone();
        Ok(place.watched(move |event| ui.note(&shown(event))))
    }

    /// The SSM parameters of the environment.
    pub(super) fn parameters(&self) -> Result<Ssm> {
        let manifest = self.project()?.manifest.clone();
        Ok(Ssm::new(self.aws()?, manifest, self.environment()?.name.clone()))
    }

    /// The secrets of the environment in Secrets Manager.
    pub(super) fn secrets(&self) -> Result<SecretsManager> {
        let manifest = self.project()?.manifest.clone();
        Ok(SecretsManager::new(self.aws()?, manifest, self.environment()?.name.clone()))
    }

    /// The vault of the environment.
    pub(super) fn vault(&self) -> Result<Vault> {
        let environment = self.environment()?;
        let manifest = &self.project()?.manifest;
        let who = (manifest.project().clone(), environment.name.clone());
        let identities = self.identities()?;
        Ok(Vault::new(self.vault_path(environment)?, who, self.recipients()?, identities, self.clock()))
    }

    /// Where home is, in the words of [`crate::store::Store::location`]. Nobody is asked for a passphrase for it.
    pub(super) fn home_location(&self) -> Result<String> {
        let environment = self.environment()?;
        match &environment.home {
            Place::Vault => {
                let who = (self.project()?.manifest.project().clone(), environment.name.clone());
                let path = self.vault_path(environment)?;
                Ok(Vault::new(path, who, Vec::new(), None, self.clock()).location())
            }
            _ => Ok(self.home()?.location()),
        }
    }

    /// The file of an environment's vault.
    pub(super) fn vault_path(&self, environment: &EnvironmentSpec) -> Result<PathBuf> {
        Ok(self.project()?.folder.join(".strongroom").join(format!("{}.age", environment.name)))
    }

    /// The project's recipients, parsed.
    pub(super) fn recipients(&self) -> Result<Vec<Recipient>> {
        let project = self.project()?;
        let parsed = project.manifest.recipients().iter().map(|text| {
            text.parse::<Recipient>().map_err(|error| {
                let message = format!("{}: project.recipients is wrong", project.manifest.file());
                Stop::new(Exit::Manifest, message).because(error).into()
            })
        });
        parsed.collect()
    }

    /// This person's identities; none where there is no file and nobody named one. Read once, so that a passphrase is
    /// asked for once.
    pub(super) fn identities(&self) -> Result<Option<Arc<Identities>>> {
        if let Some(known) = self.identities.get() {
            return Ok(known.clone());
        }
        let read = self.read_identities()?.map(Arc::new);
        Ok(self.identities.get_or_init(|| read).clone())
    }

    fn read_identities(&self) -> Result<Option<Identities>> {
        let path = self.identity_path()?;
        debug!(identity = %path.display());
        let bytes = match fs::read(&path) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.chosen_identity().is_none() => {
                return Ok(None);
            }
            Err(error) => {
                let message = format!("cannot read the identity {}", path.display());
                return Err(Stop::new(Exit::Denied, message).because(error).into());
            }
        };
        self.unlock(&path, &bytes).map(Some)
    }

    fn unlock(&self, path: &Path, bytes: &[u8]) -> Result<Identities> {
        let mut refused = None;
        let mut ask = || {
            let question = format!("Passphrase of {}", path.display());
            let otherwise = "point STRONGROOM_IDENTITY to an identity without a passphrase";
            self.ui.ask_passphrase(&question, otherwise).map_err(|error| refused = Some(error)).ok()
        };
        let parsed = Identities::parse(bytes, &mut ask);
        match (parsed, refused) {
            (_, Some(error)) => Err(error),
            (Ok(identities), None) => Ok(identities),
            (Err(error), None) => {
                Err(Stop::new(of_identity(&error), format!("cannot use the identity {}", path.display()))
                    .because(error)
                    .into())
            }
        }
    }

    fn cannot_open(&self, place: &Place) -> Result<Stop> {
        let environment = &self.environment()?.name;
        Ok(Stop::new(
            Exit::Failed,
            format!("the home of `{environment}` is {place}, which this version does not open"),
        )
        .hint("write `home = \"vault\"`, \"ssm\", \"secretsmanager\" or \"beanstalk\""))
    }
}

fn of_identity(error: &InvalidIdentity) -> Exit {
    match error {
        InvalidIdentity::PassphraseNeeded => Exit::Usage,
        InvalidIdentity::Line(_)
        | InvalidIdentity::Empty
        | InvalidIdentity::UnsupportedSsh
        | InvalidIdentity::WrongPassphrase
        | InvalidIdentity::Damaged => Exit::Denied,
    }
}
