//! The places of an environment, opened: home and its copies, by the names that plans use.
//!
//! Owns which stores a verb works on, and the lease that guards them. It reads and writes no value.

use super::context::{Context, variable};
use super::report::Stop;
use crate::manifest::{CopySpec, Place};
use crate::plan::{Plan, Want, Write};
use crate::store::{
    Leases, LocalLeases, ManifestFile, ParameterLeases, SecretLeases, Store, Stores, Terms, created_tags,
};
use anyhow::Result;
use std::path::PathBuf;

/// A copy as plans, journals and messages name it.
pub(super) fn place_of(copy: &CopySpec) -> crate::plan::Place {
    place_of_name(&copy.name)
}

fn place_of_name(copy: &str) -> String {
    Place::Beanstalk { copy: copy.to_owned() }.to_string()
}

fn stop_as_home(copy: &str, environment: &crate::name::Environment) -> Stop {
    Stop::usage(format!("`{}` is the home of `{environment}` itself, and no copy", super::ui::shown(copy)))
}

impl Context {
    /// The places of the environment by their names in plans, the manifest among them. They are opened when they are
    /// first called.
    pub(super) fn stores(&self) -> Result<Stores> {
        let mut stores = Stores::from([(self.home_name()?, self.home()? as Box<dyn Store>)]);
        stores.insert(ManifestFile::PLACE.to_owned(), Box::new(self.manifest_file()?));
        for copy in self.copies()? {
            stores.insert(place_of(copy), self.copy(copy)?);
        }
        Ok(self.guard.before(stores))
    }

    /// The manifest as a place.
    pub(super) fn manifest_file(&self) -> Result<ManifestFile> {
        Ok(ManifestFile::new(&self.project()?.path))
    }

    /// Where home and the copies are, in the words of [`Store::location`]. Nobody is asked for a passphrase for it.
    pub(super) fn locations(&self) -> Result<Vec<String>> {
        let mut found = vec![self.home_location()?, self.manifest_file()?.location()];
        for copy in self.copies()? {
            found.push(self.copy(copy)?.location());
        }
        Ok(found)
    }

    /// The copies that must agree with home; home itself is none, where it is declared as one.
    pub(super) fn copies(&self) -> Result<Vec<&CopySpec>> {
        let environment = self.environment()?;
        let home = environment.home.to_string();
        Ok(environment.copies.values().filter(|copy| place_of(copy) != home).collect())
    }

    /// The copies of these names; all of them where none is named.
    pub(super) fn named_copies(&self, names: &[String]) -> Result<Vec<&CopySpec>> {
        let copies = self.copies()?;
        for name in names {
            if !copies.iter().any(|copy| copy.name == *name) {
                let environment = self.environment()?;
                if place_of_name(name) == environment.home.to_string() {
                    return Err(stop_as_home(name, &environment.name).into());
                }
                let known: Vec<&str> = copies.iter().map(|copy| copy.name.as_str()).collect();
                let stop =
                    Stop::usage(format!("`{}` is no copy of `{}`", super::ui::shown(name), environment.name));
                return Err(match known.is_empty() {
                    true => stop.hint(format!(
                        "it has none: declare `[environments.{}.copies.{}]`",
                        environment.name,
                        super::ui::shown(name)
                    )),
                    false => stop.hint(format!("its copies: {}", known.join(", "))),
                }
                .into());
            }
        }
        Ok(copies.into_iter().filter(|copy| names.is_empty() || names.contains(&copy.name)).collect())
    }

    /// Where to take the lease of the environment, if a plan is more than one value set in home and AWS has a part in it;
    /// `resumes` as in [`Context::leases_of_the_dead`].
    pub(super) fn lease_for(&self, plan: &Plan, resumes: bool) -> Result<Option<Box<dyn Leases>>> {
        let home = self.home_name()?;
        let only_sets = |write: &Write| {
            write.place == home && write.changes.iter().all(|change| matches!(change.after, Want::Present(_)))
        };
        let single = matches!(plan.writes.as_slice(), [write] if only_sets(write));
        if single || !self.reaches_aws(plan)? {
            return Ok(None);
        }
        self.leases_by(resumes).map(Some)
    }

    /// Gives the lease back, where one is held. It ends by itself if that fails.
    pub(super) fn give_lease_back(&self) {
        if let Err(error) = self.wait_for(async { Ok(self.guard.release().await?) }) {
            self.ui.warning(&format!("the lease is not given back, and ends by itself: {error}"));
        }
    }

    /// Who we are, for others: `alice@laptop`.
    pub(super) fn whoami(&self) -> String {
        let user = variable("USER").or_else(|| variable("LOGNAME"));
        let user = user.map_or_else(|| "somebody".to_owned(), |name| name.to_string_lossy().into_owned());
        format!("{user}@{}", rustix::system::uname().nodename().to_string_lossy())
    }

    /// What gives leases on the environment: its home, where that is on AWS and can keep one.
    pub(super) fn leases(&self) -> Result<Box<dyn Leases>> {
        self.leases_by(false)
    }

    /// The same for whoever goes on with an operation of this host: the lease of a process that has died over it is theirs.
    pub(super) fn leases_of_the_dead(&self) -> Result<Box<dyn Leases>> {
        self.leases_by(true)
    }

    /// The one or the other.
    pub(super) fn leases_by(&self, inherits: bool) -> Result<Box<dyn Leases>> {
        let manifest = &self.project()?.manifest;
        let environment = self.environment()?;
        let owner = format!("{}, process {}", self.whoami(), std::process::id());
        let witness = Some(self.state_of_environment()?.join("held"));
        let terms = Terms { witness, inherits, ..Terms::new(owner, self.lease_length()?) };
        let tags = created_tags(manifest, &environment.name, []).into_iter().collect();
        let name = manifest.lease_name(&environment.name);
        Ok(match (&environment.home, name) {
            (Place::Ssm, Some(name)) => Box::new(ParameterLeases::new(self.aws()?, name, tags, terms)),
            (Place::SecretsManager, Some(name)) => {
                Box::new(SecretLeases::new(self.aws()?, name, tags, terms))
            }
            _ => Box::new(LocalLeases::new(self.state_of_environment()?.join("lease"), terms)),
        })
    }

    /// The folder of this host for what is of the environment, the journal's.
    pub(super) fn state_of_environment(&self) -> Result<PathBuf> {
        let project = self.state_folder()?.join(self.project()?.manifest.project().as_str());
        Ok(project.join(self.environment()?.name.as_str()))
    }

    /// Whether a plan writes to a place on AWS.
    fn reaches_aws(&self, plan: &Plan) -> Result<bool> {
        let (home, remote) = (self.home_name()?, self.environment()?.home.is_remote());
        let of_files =
            |write: &&Write| write.place == ManifestFile::PLACE || (!remote && write.place == home);
        Ok(!plan.writes.iter().all(|write| of_files(&write)))
    }

    /// Who we are on AWS, for the head of a plan; empty where nothing of it is there. The account is the declared one, or
    /// nothing is shown and nothing done.
    pub(super) fn caller_line(&self, plan: &Plan) -> Result<String> {
        if self.reaches_aws(plan)? { self.caller_of_places() } else { Ok(String::new()) }
    }

    /// The same for whatever is done to all places of the environment.
    pub(super) fn caller_of_places(&self) -> Result<String> {
        let environment = self.environment()?;
        if !environment.home.is_remote() && environment.copies.is_empty() {
            return Ok(String::new());
        }
        let aws = self.aws()?;
        let caller = self.wait_for(async { Ok(aws.check_account().await?.clone()) })?;
        Ok(format!("as {}, account {}\n", super::ui::shown(&caller.arn), super::ui::shown(&caller.account)))
    }
}
