//! The story of every change, once: plan, show, ask, carry out under the journal, say what was done.
//!
//! Verbs say what they desire and what they are called; everything between that and the last line is here. It never
//! shows a value, only fingerprints.

use super::context::Context;
use super::report::{Exit, Stop};
use super::table::Tone;
use super::ui::{plural, shown};
use crate::apply::{self, ApplyError, Done, Event};
use crate::desired::{View, followed, needed_to_follow};
use crate::journal::{Journal, JournalError, Outside, Standing, Summary};
use crate::manifest::{CopySpec, Instances};
use crate::name::Address;
use crate::plan::{Change, Desired, Line, Mark, Place, Plan, lines};
use crate::snapshot::Snapshot;
use crate::store::{Caller, Leases, OperationId, Stores, unchanged_since};
use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

/// Past so many lines a plan on the screen is cut; `--json` has all of it.
const SHOWN: usize = 200;

impl Context {
    /// The journal of the environment on this host.
    pub(super) fn journal(&self) -> Result<Journal> {
        let names = (self.project()?.manifest.project().clone(), self.environment()?.name.clone());
        let outside = Outside { clock: self.clock(), random: super::context::random_bytes };
        let identities = self.identities()?;
        Ok(Journal::new(&self.state_folder()?, names, self.recipients()?, identities, outside))
    }

    /// The name of the environment's home in plans.
    pub(super) fn home_name(&self) -> Result<Place> {
        Ok(self.environment()?.home.to_string())
    }

    /// Brings home to what is desired, and what is derived from it along. `command` names the change for people
    /// (`set app/KEY`), without a value.
    pub(super) fn change(&self, command: &str, desired: &Desired) -> Result<Exit> {
        self.change_from(command, desired, None)
    }

    /// The same, where all of home was read already, and is not read again for the plan.
    pub(super) fn change_from(
        &self,
        command: &str,
        desired: &Desired,
        seen: Option<&Snapshot>,
    ) -> Result<Exit> {
        super::operations::none_midway_but(self, |one| super::rotate::has_no_part_in(self, one, desired))?;
        let stores = self.stores()?;
        let plan = self.plan_home(&stores, desired, seen)?;
        let exit = self.carry_out((command, None), &plan, &stores, async |journal, watch| {
            apply::run(journal, command, &plan, &stores, watch).await
        })?;
        if exit == Exit::Done && !self.dry_run() {
            self.name_the_sync(&plan)?;
        }
        Ok(exit)
    }

    /// Names the copies that have what was there before.
    pub(super) fn name_the_sync(&self, plan: &Plan) -> Result<()> {
        let takes =
            |copy: &&CopySpec| plan.changes().any(|(_, change)| copy.selection.takes(&change.address));
        let names: Vec<&str> =
            self.copies()?.into_iter().filter(takes).map(|copy| copy.name.as_str()).collect();
        if !names.is_empty() {
            self.ui.note(&format!("`strongroom sync {}` brings it to the containers", names.join(" ")));
        }
        Ok(())
    }

    /// The plan that brings home to what is desired. What home keeps of derived values follows its parts; all of it is
    /// read at once, but for what `seen`, a reading of all of home, has told already.
    pub(super) fn plan_home(
        &self,
        stores: &Stores,
        desired: &Desired,
        seen: Option<&Snapshot>,
    ) -> Result<Plan> {
        let (manifest, environment) = (&self.project()?.manifest, &self.environment()?.name);
        let home = self.home_name()?;
        let store = stores[&home].as_ref();
        let mut addresses: BTreeSet<Address> = desired.keys().cloned().collect();
        addresses.extend(needed_to_follow(manifest, environment, &addresses));
        // That an instance is not there is told by a walk only if it was looked for.
        let told = |address: &Address, seen: &Snapshot| {
            let declared = address.instance.is_none() && manifest.lives_in_home(environment, address);
            declared || seen.entries.contains_key(address)
        };
        addresses.retain(|address| !seen.is_some_and(|seen| told(address, seen)));
        let addresses: Vec<Address> = addresses.into_iter().collect();
        self.wait_for(async {
            let mut seen = seen.cloned().unwrap_or_default();
            if !addresses.is_empty() {
                let read = store.read(&addresses).await.map_err(|error| ApplyError::Read(Box::new(error)))?;
                seen.entries.extend(read.entries);
                seen.bases.extend(read.bases);
            }
            let instances = Instances::new();
            let view = View { manifest, environment, home: &seen, instances: &instances };
            let desired = followed(&view, desired);
            Ok(apply::plan_against(&home, store, &desired, &seen).await?)
        })
    }

    /// Shows a plan, asks, and does `work`, which carries it out: in a new operation, or in the one that is resumed.
    /// Nothing happens where the plan is empty, and under `--dry-run`.
    pub(super) fn carry_out(
        &self,
        which: (&str, Option<&OperationId>),
        plan: &Plan,
        stores: &Stores,
        work: impl AsyncFnOnce(&Journal, apply::Watch<'_>) -> std::result::Result<Done, ApplyError>,
    ) -> Result<Exit> {
        self.carried_out(which, plan, stores, false, work)
    }

    /// The same, under the lease whatever the plan is: what it rests on is more than what it writes.
    pub(super) fn carry_out_alone(
        &self,
        which: (&str, Option<&OperationId>),
        plan: &Plan,
        stores: &Stores,
        work: impl AsyncFnOnce(&Journal, apply::Watch<'_>) -> std::result::Result<Done, ApplyError>,
    ) -> Result<Exit> {
        self.carried_out(which, plan, stores, true, work)
    }

    fn carried_out(
        &self,
        (command, resumed): (&str, Option<&OperationId>),
        plan: &Plan,
        stores: &Stores,
        alone: bool,
        work: impl AsyncFnOnce(&Journal, apply::Watch<'_>) -> std::result::Result<Done, ApplyError>,
    ) -> Result<Exit> {
        let shown = self.lines(plan);
        if plan.is_empty() {
            self.ui.note(&format!("{command}: nothing to do, it is so already"));
            return self.say_document(command, &shown, None, &[]);
        }
        self.ui.show(&format!("{command}\n{}{}", self.caller_line(plan)?, self.listed(&shown, stores)));
        if self.dry_run() {
            self.ui.note("dry run: nothing was changed");
            return self.say_document(command, &shown, None, &[]);
        }
        let count = plural(plan.changes().count(), "change");
        self.approve(&format!("Make {} in `{}`?", count, self.environment()?.name), plan, stores)?;
        let resumes = resumed.is_some();
        let lease = if alone { Some(self.leases_by(resumes)?) } else { self.lease_for(plan, resumes)? };
        let done = self.under_way((command, resumed), lease, work)?;
        self.report(command, &shown, &done)
    }

    /// Asks whether a plan that was shown is to be carried out, and makes sure that it still holds.
    pub(super) fn approve(&self, question: &str, plan: &Plan, stores: &Stores) -> Result<()> {
        let environment = self.environment()?;
        self.ui.approve(question, environment.protected.then_some(&environment.name))?;
        if self.ui.asks() {
            // A question may have stood for long.
            self.still_as_planned(plan, stores)?;
        }
        Ok(())
    }

    /// Does work that changes something, under a lease where there is one to take, and listens to Ctrl-C meanwhile.
    pub(super) fn under_way(
        &self,
        (command, resumed): (&str, Option<&OperationId>),
        lease: Option<Box<dyn Leases>>,
        work: impl AsyncFnOnce(&Journal, apply::Watch<'_>) -> std::result::Result<Done, ApplyError>,
    ) -> Result<Done> {
        let journal = self.journal()?;
        let mut progress = self.ui.progress();
        let end = progress.clone();
        // A place is told that it is written to before it is.
        let wrote = AtomicBool::new(resumed.is_some());
        let done = self.interruptible((&journal, &wrote), resumed, async {
            // Only now: nobody is kept waiting by a question.
            if let Some(leases) = lease {
                let taken = self.guard.take(leases.as_ref(), command).await;
                taken.map_err(|error| ApplyError::Nothing(Box::new(error)))?;
            }
            work(&journal, &mut |event| {
                if matches!(event, Event::Writing { .. }) {
                    wrote.store(true, Ordering::Relaxed);
                }
                progress.follow(event);
            })
            .await
        });
        end.done();
        self.give_lease_back();
        done
    }

    /// Looks again at what a plan was made against. Nothing was begun yet, so that whoever changed it is left alone.
    fn still_as_planned(&self, plan: &Plan, stores: &Stores) -> Result<()> {
        self.wait_for(async {
            for (place, store) in stores {
                let writes = plan.writes.iter().filter(|write| write.place == *place);
                let changes: Vec<Change> = writes.flat_map(|write| write.changes.clone()).collect();
                if !changes.is_empty() {
                    let addresses: Vec<Address> =
                        changes.iter().map(|change| change.address.clone()).collect();
                    let now = store.read(&addresses).await?;
                    unchanged_since(&store.location(), &changes, |address| now.entries.get(address))?;
                }
            }
            Ok(())
        })
    }

    /// Waits for work that changes something. Ctrl-C stops it between two calls; the journal knows the rest.
    fn interruptible(
        &self,
        (journal, wrote): (&Journal, &AtomicBool),
        resumed: Option<&OperationId>,
        work: impl Future<Output = std::result::Result<Done, ApplyError>>,
    ) -> Result<Done> {
        let started = (self.clock())();
        self.listens.set(true);
        let ended = self.block_on(async {
            // Listened to from before the first step on: a step that does not wait is finished, and then it is heard.
            let mut interrupts = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
            Ok(tokio::select! {
                biased;
                _ = interrupts.recv() => None,
                done = work => Some(done),
            })
        })?;
        let stopped = |why: &str| match unfinished(journal, started, resumed) {
            Err(_) if !wrote.load(Ordering::Relaxed) => {
                Stop::new(Exit::Interrupted, format!("{why}; nothing was changed"))
            }
            Err(error) => {
                Stop::new(Exit::Midway, format!("{why}; whether anything was changed is not known"))
                    .because(error)
                    .hint("`strongroom operations` tells, once the journal can be read")
            }
            Ok(Some(one)) => {
                let back = if one.lasting { "" } else { ", `strongroom undo` takes it back" };
                Stop::new(Exit::Midway, format!("{why}; operation {} is unfinished", one.id))
                    .hint(format!("`strongroom resume` finishes it{back}"))
            }
            Ok(None) => Stop::new(Exit::Interrupted, format!("{why}; nothing was changed")),
        };
        match ended {
            Some(Ok(done)) => Ok(done),
            Some(Err(ApplyError::Journal(error))) => {
                let stop = stopped("the journal failed");
                if stop.is(Exit::Midway) { Err(stop.because(error).into()) } else { Err(error.into()) }
            }
            Some(Err(error)) => Err(error.into()),
            None => {
                self.interrupted.set(true);
                Err(stopped("interrupted").into())
            }
        }
    }

    /// The changes of a plan as they may be shown, under a key of this run.
    pub(super) fn lines(&self, plan: &Plan) -> Vec<Line> {
        lines(plan, &self.fingerprint_key())
    }

    /// A plan for the screen: a heading for each place, then a line for each address.
    pub(super) fn listed(&self, all: &[Line], stores: &Stores) -> String {
        let mut text = String::new();
        let mut place = None;
        let width = all.iter().map(|line| line.address.to_string().chars().count()).max().unwrap_or(0);
        for line in all.iter().take(SHOWN) {
            if place != Some(&line.place) {
                let location = stores.get(&line.place).map(|store| store.location()).unwrap_or_default();
                text.push_str(&format!("{}\n", shown(&location)));
                place = Some(&line.place);
            }
            let sign = self.ui.toned(tone(line.mark), &line.mark.sign().to_string());
            let address = line.address.to_string();
            let attributes: String =
                line.attributes.iter().map(|change| format!("  {}", shown(change))).collect();
            text.push_str(&format!("  {sign} {address:<width$}  {}{attributes}\n", fingerprints(line)));
        }
        let mut told = BTreeSet::new();
        // What is so of every write alike is told once.
        for note in all.iter().flat_map(|line| &line.notes).filter(|note| told.insert(*note)) {
            text.push_str(&format!("  {} {}\n", self.ui.toned(Tone::Notable, "!"), shown(note)));
        }
        if all.len() > SHOWN {
            text.push_str(&format!("  … and {} more\n", all.len() - SHOWN));
        }
        text
    }

    fn report(&self, command: &str, shown: &[Line], done: &Done) -> Result<Exit> {
        self.warn_of_left(&done.left);
        self.ui.note(&format!(
            "{command}: {} made and read back; `strongroom undo {}` takes it back",
            plural(shown.len(), "change"),
            done.operation
        ));
        self.say_document(command, shown, Some(&done.operation), &done.left)
    }

    /// Tells what was left as somebody else changed it, where something was.
    pub(super) fn warn_of_left(&self, left: &[(Place, Address)]) {
        if !left.is_empty() {
            self.ui.warning(&format!(
                "changed by somebody else, and left as it is: {}",
                names_of(left).join(", ")
            ));
        }
    }

    /// The document of a change, where one is wanted.
    pub(super) fn say_document(
        &self,
        command: &str,
        shown: &[Line],
        operation: Option<&OperationId>,
        left: &[(Place, Address)],
    ) -> Result<Exit> {
        if self.ui.json() {
            let left = names_of(left);
            let changes = shown.iter().map(Changed::of).collect();
            let operation = operation.map(OperationId::as_str);
            let caller = self.aws.get().and_then(|aws| aws.known_caller());
            self.ui.document(
                "change",
                &Changes { command, dry_run: self.dry_run(), operation, caller, changes, left },
            )?;
        }
        Ok(Exit::Done)
    }
}

/// Addresses with their places, as lines and documents name them.
pub(super) fn names_of(all: &[(Place, Address)]) -> Vec<String> {
    all.iter().map(|(place, address)| format!("{place} {address}")).collect()
}

/// The operation of this run, if it is unfinished: the one that was resumed, or one that began since. Looked for only once
/// something went wrong, as it reads every journal.
fn unfinished(
    journal: &Journal,
    started: Timestamp,
    resumed: Option<&OperationId>,
) -> std::result::Result<Option<Summary>, JournalError> {
    let ours = |summary: &Summary| summary.at >= started || resumed == Some(&summary.id);
    let listed = journal.list()?.into_iter();
    let mut open = listed.filter(|summary| summary.standing == Standing::Unfinished && ours(summary));
    Ok(open.next())
}

fn tone(mark: Mark) -> Tone {
    match mark {
        Mark::Create => Tone::Good,
        Mark::Change => Tone::Notable,
        Mark::Delete => Tone::Bad,
    }
}

fn fingerprints(line: &Line) -> String {
    match (&line.before, &line.after) {
        (None, Some(after)) => format!("new   {after}"),
        (Some(before), Some(after)) if before == after => before.clone(),
        (Some(before), Some(after)) => format!("{before} -> {after}"),
        (Some(before), None) => format!("{before} -> gone"),
        (None, None) => String::new(),
    }
}

/// What `--json` says of a change, made or only planned.
#[derive(Serialize)]
struct Changes<'a> {
    command: &'a str,
    dry_run: bool,
    operation: Option<&'a str>,
    /// Who we are on AWS, where a place of the plan is there.
    caller: Option<&'a Caller>,
    changes: Vec<Changed<'a>>,
    left: Vec<String>,
}

/// One change of a document.
#[derive(Serialize)]
pub(super) struct Changed<'a> {
    place: &'a str,
    address: String,
    change: Mark,
    /// Fingerprints under a key of this run.
    before: Option<&'a str>,
    after: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
}

impl Changed<'_> {
    pub(super) fn of(line: &Line) -> Changed<'_> {
        Changed {
            place: &line.place,
            address: line.address.to_string(),
            change: line.mark,
            before: line.before.as_deref(),
            after: line.after.as_deref(),
            notes: &line.notes,
        }
    }
}
