//! The one operation of a migration, stage by stage, from its beginning or from wherever it stopped.
//!
//! Owns the order: values into home and read back, a canary, one update for each copy, checks, and last the manifest.
//! What is next is told by what the places hold, never by the journal alone: each stage is planned against what is there
//! and is empty where it was made before. It takes no lease and asks nobody.

use super::values::unfaithful;
use crate::apply::{self, ApplyError, Done, Watch};
use crate::desired::{Revision, View, copy};
use crate::journal::{Operation, Step};
use crate::manifest::{CopySpec, Instances, Manifest};
use crate::name::{Address, Environment};
use crate::plan::{Change, Desired, Place, Plan, Want, Write};
use crate::secret::Secret;
use crate::snapshot::{Held, Snapshot};
use crate::store::{ErrorKind, Guard, ManifestFile, StoreError, Stores};
use crate::web;
use std::time::Duration;

/// How often the app is asked before it counts as one that does not answer: a deployment is over before every process
/// of it listens.
const ASKED: u32 = 12;

/// What a migration is about, by the manifest that is to stand afterwards.
pub struct Migration<'a> {
    /// That manifest.
    pub manifest: &'a Manifest,
    /// Its text.
    pub text: &'a Secret,
    /// The text that it is made from.
    pub before: &'a Secret,
    /// The environment.
    pub environment: &'a Environment,
    /// The name of the new home in `stores`.
    pub home: Place,
    /// The copies that get references.
    pub copies: Vec<(Place, &'a CopySpec)>,
    /// Home, the copies and the manifest.
    pub stores: &'a Stores,
    /// What home gets, as it was shown and agreed to; none where an earlier run has planned that already.
    pub planned: Option<&'a Plan>,
    /// What the copies did not hold when that was planned, and get; none where that is not known any more.
    pub added: Option<&'a [(Place, Address)]>,
    /// The instances of groups that are discovered.
    pub instances: &'a Instances,
    /// The variable that becomes a reference before all others, to prove that the platform and the instances resolve one.
    pub canary: Option<&'a Address>,
    /// What must answer with 2xx once references are deployed.
    pub probe: Option<&'a str>,
    /// The lease under which it is done.
    pub guard: &'a Guard,
    /// How long to wait before the app is asked again.
    pub pause: Duration,
    /// Leave alone what somebody else changed meanwhile.
    pub skip_changed: bool,
}

/// What is next, for whoever tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Values go into home.
    Home,
    /// One reference goes first.
    Canary,
    /// The references go to the copies.
    Copies,
    /// Everything is looked at once more.
    Checks,
    /// The app is asked.
    Probe,
    /// The manifest is written.
    Manifest,
}

/// Carries a migration to its end. After an error the operation is open: this goes on with it, and an undo takes it back.
pub async fn carry_on(
    operation: &mut Operation,
    migration: &Migration<'_>,
    watch: Watch<'_>,
    tell: &mut dyn FnMut(Stage),
) -> Result<Done, ApplyError> {
    let mut left = Vec::new();
    if operation.resumed() {
        left = apply::catch_up(operation, migration.stores, migration.skip_changed, watch).await?;
    }
    // Looked at early too: nobody wants to hear of it when everything else is done.
    migration.edit(operation).await?;
    if let Some(plan) = migration.planned {
        tell(Stage::Home);
        migration.publish(operation, plan, watch).await?;
        migration.edit(operation).await?;
    }
    if let Some(canary) = migration.canary {
        migration.send_canary(operation, canary, watch, tell).await?;
    }
    tell(Stage::Copies);
    for (place, spec) in &migration.copies {
        left.extend(migration.refer(operation, place, spec, watch).await?);
    }
    tell(Stage::Checks);
    left.extend(migration.check(operation).await?);
    migration.ask(operation, tell).await?;
    tell(Stage::Manifest);
    match migration.edit(operation).await? {
        Some(plan) => migration.publish(operation, &plan, watch).await?,
        None => left.push((ManifestFile::PLACE.to_owned(), ManifestFile::address())),
    }
    apply::finish_leaving(operation, left)
}

impl Migration<'_> {
    /// The manifest's edit, as long as it is the text that everything was decided from. Nothing where somebody else
    /// changed it and theirs is to stay.
    async fn edit(&self, operation: &Operation) -> Result<Option<Plan>, ApplyError> {
        let text = Desired::from([(ManifestFile::address(), Want::value(self.text.clone()))]);
        let plan = self.plan(operation, ManifestFile::PLACE, &text).await?;
        let known = |change: &Change| {
            let now = change.before.as_ref().and_then(|entry| entry.held.value());
            now.is_some_and(|now| now.same_as(self.before))
        };
        let is_known = plan.changes().all(|(_, change)| known(change));
        match is_known {
            true => Ok(Some(plan)),
            false if self.skip_changed => Ok(None),
            false => Err(apply::conflict(operation, ManifestFile::PLACE, vec![ManifestFile::address()])),
        }
    }

    async fn publish(
        &self,
        operation: &mut Operation,
        plan: &Plan,
        watch: Watch<'_>,
    ) -> Result<(), ApplyError> {
        match plan.is_empty() {
            true => Ok(()),
            false => apply::publish(operation, plan, self.stores, watch).await,
        }
    }

    /// What home holds of everything that a copy may refer to.
    async fn held(&self, operation: &Operation) -> Result<Snapshot, ApplyError> {
        let reaching = |address: &Address| {
            let group = self.manifest.group(address.group.as_str());
            group.is_ok_and(|group| group.reaches_environments())
        };
        let mut addresses = self.manifest.home_addresses(self.environment, self.instances);
        addresses.retain(reaching);
        let held = self.stores[&self.home].read(&addresses).await;
        held.map_err(|error| apply::midway(operation, ApplyError::Read(Box::new(error))))
    }

    /// What a copy should hold by what home holds.
    fn wanted(&self, operation: &Operation, home: &Snapshot, spec: &CopySpec) -> Result<Desired, ApplyError> {
        let (manifest, environment) = (self.manifest, self.environment);
        let view = View { manifest, environment, home, instances: self.instances };
        copy(&view, spec).map_err(|error| {
            let why = StoreError::new(ErrorKind::Failed, &self.home, "it does not hold what the copy needs");
            apply::midway(operation, ApplyError::Read(Box::new(why.because(error))))
        })
    }

    /// One reference, alone, and the app asked after it. Nothing where the copies refer to it already.
    async fn send_canary(
        &self,
        operation: &mut Operation,
        canary: &Address,
        watch: Watch<'_>,
        tell: &mut dyn FnMut(Stage),
    ) -> Result<(), ApplyError> {
        let home = self.held(operation).await?;
        let Some(arn) = home.entries.get(canary).and_then(|entry| entry.arn.clone()) else {
            return Ok(());
        };
        // What an earlier run sent may never have been asked after.
        let (mut sent, mut waits) = (false, false);
        for (place, _) in self.copies.iter().filter(|(_, spec)| spec.selection.takes(canary)) {
            let desired = Desired::from([(canary.clone(), Want::held(Held::Reference(arn.clone())))]);
            let plan = self.plan(operation, place, &desired).await?;
            // Once it was there it has proved what it had to; a plain key is by value again after that.
            let proved = operation.writes().iter().any(|write| write.place == *place);
            waits |= proved;
            if plan.is_empty() || proved {
                continue;
            }
            self.faithful(operation, &plan, &home)?;
            tell(Stage::Canary);
            self.publish(operation, &plan, watch).await?;
            sent = true;
        }
        if sent || waits { self.ask(operation, tell).await } else { Ok(()) }
    }

    /// Everything that a copy gets by reference, in one update. Answers with what was left alone.
    async fn refer(
        &self,
        operation: &mut Operation,
        place: &Place,
        spec: &CopySpec,
        watch: Watch<'_>,
    ) -> Result<Vec<(Place, Address)>, ApplyError> {
        let home = self.held(operation).await?;
        let mut desired = self.wanted(operation, &home, spec)?;
        let mut plan = self.plan(operation, place, &desired).await?;
        let changed: Vec<Address> =
            unfaithful(&plan, &home, self.added).into_iter().map(|changed| changed.address).collect();
        if !changed.is_empty() && !self.skip_changed {
            return Err(apply::conflict(operation, place, changed));
        }
        if !changed.is_empty() {
            // Theirs stays; and nobody is told that the copy is as home would have it.
            desired.retain(|address, _| !changed.contains(address) && *address != Revision::address());
            plan = self.plan(operation, place, &desired).await?;
        }
        self.publish(operation, &plan, watch).await?;
        Ok(changed.into_iter().map(|address| (place.clone(), address)).collect())
    }

    async fn plan(&self, operation: &Operation, place: &str, desired: &Desired) -> Result<Plan, ApplyError> {
        let planned = apply::plan(place, self.stores[place].as_ref(), desired).await;
        planned.map_err(|error| apply::midway(operation, error))
    }

    /// Refuses what would change what a container sees: somebody edited it since the values were taken.
    fn faithful(&self, operation: &Operation, plan: &Plan, home: &Snapshot) -> Result<(), ApplyError> {
        let changed = unfaithful(plan, home, self.added);
        match changed.first().map(|first| first.place.clone()) {
            Some(place) => {
                let addresses = changed.into_iter().map(|changed| changed.address).collect();
                Err(apply::conflict(operation, &place, addresses))
            }
            None => Ok(()),
        }
    }

    /// Reads what is referred to once more, and compares it with what the copies held before. Answers with what somebody
    /// else has changed since, where that is left alone.
    async fn check(&self, operation: &mut Operation) -> Result<Vec<(Place, Address)>, ApplyError> {
        let home = self.held(operation).await?;
        let copies = |write: &&Write| self.copies.iter().any(|(place, _)| *place == write.place);
        let mut changed = Vec::new();
        for write in operation.writes().iter().filter(copies) {
            for change in &write.changes {
                let before = change.before.as_ref().and_then(|entry| entry.held.value());
                let refers = matches!(&change.after, Want::Present(wanted) if wanted.held.value().is_none());
                let same = before.zip(home.value(&change.address)).is_none_or(|(was, is)| was.same_as(is));
                if refers && (!same || home.value(&change.address).is_none()) {
                    changed.push(change.address.clone());
                }
            }
        }
        if !changed.is_empty() && !self.skip_changed {
            return Err(apply::conflict(operation, &self.home, changed));
        }
        if !changed.is_empty() {
            return Ok(changed.into_iter().map(|address| (self.home.clone(), address)).collect());
        }
        let what = "each reference is the name that home has for its key, and the value there equals what the environment \
                    held before";
        operation.record(Step::Checked { what: what.to_owned() })?;
        Ok(Vec::new())
    }

    /// Asks the app until it answers well, or long enough.
    async fn ask(&self, operation: &mut Operation, tell: &mut dyn FnMut(Stage)) -> Result<(), ApplyError> {
        let Some(address) = self.probe else { return Ok(()) };
        tell(Stage::Probe);
        let mut said = String::new();
        for asked in 0..ASKED {
            if asked > 0 {
                tokio::time::sleep(self.pause).await;
            }
            // It may take longer than a lease lives.
            let ours = self.guard.still_ours().await;
            ours.map_err(|error| apply::midway(operation, ApplyError::Read(Box::new(error))))?;
            match web::status(address).await {
                Ok(code) if (200..300).contains(&code) => {
                    let what = format!("{} answered with {code}", web::shown(address));
                    return Ok(operation.record(Step::Checked { what })?);
                }
                Ok(code) => said = format!("it answers with {code}, and 2xx is asked for"),
                Err(error) => said = error.to_string(),
            }
        }
        let error = StoreError::new(ErrorKind::Failed, web::shown(address), said)
            .hint("the references are deployed and their values are as before; look at what the app says of itself (`eb logs`)");
        Err(apply::midway(operation, ApplyError::Read(Box::new(error))))
    }
}
