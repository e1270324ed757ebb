//! One operation from its plan to its end: what is to be written, what is there already, and all of it read back.
//!
//! Owns what is compared with what. The calls that write are made in `several`.

use super::ApplyError;
use super::look::look;
use super::several::{Job, Task, work_off};
use crate::desired::Revision;
use crate::journal::{Ending, Operation, Step};
use crate::name::Address;
use crate::plan::{Change, Place, Plan, Want, Write};
use crate::snapshot::{Snapshot, Unit, Version};
use crate::store::{Applied, ErrorKind, OperationId, Store, StoreError, Stores};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

/// What happens next, for whoever shows progress. Holds no value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A call is about to be made.
    Writing {
        /// Counted from 0 through the whole operation.
        write: usize,
        /// How many of this run are in force. Others may be under way.
        done: usize,
        /// How many this run makes.
        total: usize,
        /// What the quotas of places leave at least for those that are not begun, this one with them.
        least: Duration,
        /// The place.
        place: Place,
        /// The unit.
        unit: Unit,
    },
    /// The place has the write, and it is not in force yet.
    Settling {
        /// Counted from 0 through the whole operation.
        write: usize,
        /// How many may be waited for together; 1 where nothing else goes on meanwhile.
        among: usize,
        /// The place.
        place: Place,
        /// The unit.
        unit: Unit,
    },
    /// Everything is read back.
    Verifying,
    /// Something is about to be done to what the values are for.
    Acting {
        /// Its name in the journal.
        effect: String,
    },
    /// Nothing is to be done until then.
    Waiting {
        /// Until when.
        until: Timestamp,
        /// What for, as a sentence.
        why: String,
    },
}

/// Is told each event before it happens.
pub type Watch<'a> = &'a mut (dyn FnMut(&Event) + Send);

/// A finished operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Its name, for `undo`.
    pub operation: OperationId,
    /// How many addresses it changed.
    pub changes: usize,
    /// Addresses that somebody else had changed meanwhile, and that were left as they are.
    pub left: Vec<(Place, Address)>,
    /// Until when it waits, where it has something left to do after that.
    pub soaking: Option<Timestamp>,
    /// Whether an undo would leave all of it.
    pub lasting: bool,
}

impl Done {
    pub(super) fn of(operation: &Operation) -> Done {
        let changes = operation.writes().iter().map(|write| write.changes.len()).sum();
        let (left, lasting) = (Vec::new(), operation.lasting());
        Done { operation: operation.id().clone(), changes, left, soaking: None, lasting }
    }
}

/// Carries out the writes that were planned by this process just now, and reads all of them back.
pub(super) async fn carry_out(
    operation: &mut Operation,
    writes: Range<usize>,
    stores: &Stores,
    watch: Watch<'_>,
) -> Result<(), ApplyError> {
    let write = |index| Job { index, task: Task::Make(operation.writes()[index].clone()) };
    let jobs = writes.clone().map(write).collect();
    work_off(operation, jobs, stores, &BTreeMap::new(), watch).await?;
    verify(operation, writes, stores, &[], watch).await
}

/// Finishes the writes of an operation that stopped: decides by what is there, never by the journal alone. Answers with
/// what was left as somebody else had changed it.
pub(super) async fn catch_up(
    operation: &mut Operation,
    stores: &Stores,
    skip_changed: bool,
    watch: Watch<'_>,
) -> Result<Vec<(Place, Address)>, ApplyError> {
    let all = 0..operation.writes().len();
    quieten(operation, stores, watch).await?;
    let seen = read_all(operation, stores).await.map_err(|error| stopped(operation, error))?;
    let mut findings = Vec::new();
    let mut left = Vec::new();
    for index in all.clone() {
        let write = &operation.writes()[index];
        let mut found = compare(write, &seen[&write.place]);
        if operation.in_force(index) {
            found.pending.iter_mut().for_each(|write| {
                write.changes.retain(|change| change.address != Revision::address());
            });
            // It was there and in force; whatever is there now instead, somebody else put it there.
            let gone = found.pending.take().into_iter().flat_map(|write| write.changes);
            found.changed.extend(gone.map(|change| change.address));
        }
        if operation.awaiting(index).is_some_and(|applied| applied.overwrote.is_some()) {
            found.changed.extend(write.changes.iter().map(|change| change.address.clone()));
        }
        // What a later plan of the operation changes again is not somebody else's doing.
        let last = found.changed.iter().filter(|address| is_last(operation, index, address));
        left.extend(last.map(|address| (write.place.clone(), address.clone())));
        findings.push(found);
    }
    if !left.is_empty() && !skip_changed {
        let (id, midway) = (operation.id().clone(), true);
        return Err(ApplyError::Conflict { operation: Some(id), addresses: left, covered: None, midway });
    }
    let open = findings.into_iter().enumerate().filter(|(index, _)| !operation.in_force(*index));
    let job = |(index, found): (usize, Found)| {
        let task = match (found.pending, operation.awaiting(index).cloned()) {
            (Some(write), _) => Task::Make(write),
            (None, Some(applied)) => Task::Await(applied),
            (None, None) => Task::Confirm,
        };
        Job { index, task }
    };
    let jobs = open.map(job).collect();
    work_off(operation, jobs, stores, &seen, watch).await?;
    verify(operation, all, stores, &left, watch).await?;
    Ok(left)
}

/// Waits for every call that may still be under way, so that what is read next is the end of it. What was rolled back
/// meanwhile is written down, and is then simply not there.
pub(super) async fn quieten(
    operation: &mut Operation,
    stores: &Stores,
    watch: Watch<'_>,
) -> Result<(), ApplyError> {
    for index in 0..operation.writes().len() {
        let store = store_of(operation, index, stores)?;
        if operation.in_force(index) || !operation.may_have_written(index) {
            continue;
        }
        let write = &operation.writes()[index];
        watch(&Event::Settling {
            write: index,
            among: 1,
            place: write.place.clone(),
            unit: write.unit.clone(),
        });
        let unheard = || Applied::unheard(write.unit.clone());
        let applied = operation.awaiting(index).cloned().unwrap_or_else(unheard);
        match store.settle(&applied).await {
            Ok(()) => {}
            Err(error) if error.kind == ErrorKind::RolledBack => {
                operation.record(Step::RolledBack { write: index, reason: error.to_string() })?;
            }
            Err(error) => return Err(stopped(operation, error)),
        }
    }
    Ok(())
}

/// What is at every address of the operation, each place read once.
async fn read_all(operation: &Operation, stores: &Stores) -> Result<BTreeMap<Place, Snapshot>, StoreError> {
    let mut wants: BTreeMap<&Place, Vec<(&Address, Want)>> = BTreeMap::new();
    for write in operation.writes() {
        wants.entry(&write.place).or_default().extend(write.changes.iter().flat_map(states));
    }
    let mut seen = BTreeMap::new();
    for (place, wants) in wants {
        if let Some(store) = stores.get(place) {
            seen.insert(place.clone(), look(store.as_ref(), &wants).await?);
        }
    }
    Ok(seen)
}

/// Whether no later write of the operation changes the address again.
fn is_last(operation: &Operation, index: usize, address: &Address) -> bool {
    let (write, later) = (&operation.writes()[index], &operation.writes()[index + 1..]);
    let touches = |other: &Write| {
        other.place == write.place && other.changes.iter().any(|change| change.address == *address)
    };
    !later.iter().any(touches)
}

pub(super) fn store_of<'a>(
    operation: &Operation,
    index: usize,
    stores: &'a Stores,
) -> Result<&'a dyn Store, ApplyError> {
    let (write, planned) = (&operation.writes()[index], operation.location(index));
    let here = stores.get(&write.place).map_or_else(|| "not declared".to_owned(), |store| store.location());
    match stores.get(&write.place) {
        Some(store) if here == planned => Ok(store.as_ref()),
        _ => Err(ApplyError::OtherPlace {
            operation: operation.id().clone(),
            place: write.place.clone(),
            planned: planned.into(),
            here: here.into(),
        }),
    }
}

/// What is at the addresses of a write, compared with what it was to do.
pub(super) struct Found {
    /// What is still to be written, against what is there now; `None` where nothing is.
    pub(super) pending: Option<Write>,
    /// What is neither as it was nor as it shall be.
    pub(super) changed: Vec<Address>,
}

pub(super) fn compare(write: &Write, seen: &Snapshot) -> Found {
    let mut changed = Vec::new();
    let mut open = Vec::new();
    for change in &write.changes {
        let now = seen.entries.get(&change.address);
        if change.after.met_by(now) {
            continue;
        }
        // Which versions a copy was deployed with is ours to say, whoever deployed it since.
        let is_revision = change.address == Revision::address();
        if is_revision || Want::as_seen(change.before.as_ref()).met_by(now) {
            open.push(Change { before: now.cloned(), ..change.clone() });
        } else {
            changed.push(change.address.clone());
        }
    }
    let base = seen.bases.get(&write.unit).cloned();
    let pending = (!open.is_empty()).then(|| Write { base, changes: open, ..write.clone() });
    Found { pending, changed }
}

pub(super) async fn look_at(write: &Write, store: &dyn Store) -> Result<Snapshot, StoreError> {
    let wants: Vec<(&Address, Want)> = write.changes.iter().flat_map(states).collect();
    look(store, &wants).await
}

/// What a change is told from: what it was, and what it shall be.
fn states(change: &Change) -> [(&Address, Want); 2] {
    let before = Want::as_seen(change.before.as_ref());
    [(&change.address, change.after.clone()), (&change.address, before)]
}

/// The writes that are not in the world yet, against what is there now.
pub(super) async fn remaining(operation: &mut Operation, stores: &Stores) -> Result<Plan, ApplyError> {
    quieten(operation, stores, &mut |_| ()).await?;
    let seen = read_all(operation, stores).await.map_err(|error| ApplyError::Read(Box::new(error)))?;
    let open = (0..operation.writes().len()).filter(|index| !operation.in_force(*index));
    let writes = open.filter_map(|index| {
        let write = &operation.writes()[index];
        compare(write, &seen[&write.place]).pending
    });
    Ok(Plan { writes: writes.collect(), lasting: false })
}

/// Reads every address of these writes back: what a later write made of it is what must be there.
async fn verify(
    operation: &Operation,
    writes: Range<usize>,
    stores: &Stores,
    left: &[(Place, Address)],
    watch: Watch<'_>,
) -> Result<(), ApplyError> {
    watch(&Event::Verifying);
    let mut wanted: BTreeMap<Place, BTreeMap<Address, Want>> = BTreeMap::new();
    for write in &operation.writes()[writes] {
        let at_place = wanted.entry(write.place.clone()).or_default();
        at_place.extend(write.changes.iter().map(|change| (change.address.clone(), change.after.clone())));
    }
    let mut differs = Vec::new();
    for (place, wants) in wanted {
        let Some(store) = stores.get(&place) else { continue };
        let sought: Vec<(&Address, Want)> = wants.iter().map(|(at, want)| (at, want.clone())).collect();
        let seen = look(store.as_ref(), &sought).await.map_err(|error| stopped(operation, error))?;
        let unmet = wants.into_iter().filter(|(address, want)| !want.met_by(seen.entries.get(address)));
        differs.extend(unmet.map(|(address, _)| (place.clone(), address)));
    }
    differs.retain(|address| !left.contains(address));
    if differs.is_empty() {
        return Ok(());
    }
    let (operation, lasting) = (operation.id().clone(), operation.lasting());
    Err(ApplyError::NotVerified { operation, addresses: differs, lasting })
}

/// Closes an operation whose writes are all in force and were read back.
pub(super) fn finish(operation: &mut Operation, left: Vec<(Place, Address)>) -> Result<Done, ApplyError> {
    let reason =
        (!left.is_empty()).then(|| format!("left as somebody else changed it: {}", super::list(&left)));
    operation.record(Step::Ended { ending: Ending::Done, reason })?;
    Ok(Done { left, ..Done::of(operation) })
}

/// The error of an operation that cannot go on; where nothing of it is in the world, it ends here. One that is being
/// resumed stays, to be resumed again when the cause is gone.
pub(super) fn stop(operation: &mut Operation, error: StoreError) -> Result<ApplyError, ApplyError> {
    if operation.touched() || operation.resumed() {
        return Ok(stopped(operation, error));
    }
    operation.record(Step::Ended { ending: Ending::Nothing, reason: Some(error.to_string()) })?;
    Ok(ApplyError::Nothing(Box::new(error)))
}

pub(super) fn stopped(operation: &Operation, source: StoreError) -> ApplyError {
    let total = operation.writes().len();
    let done = (0..total).filter(|index| operation.in_force(*index)).count();
    let (id, lasting) = (operation.id().clone(), operation.lasting());
    ApplyError::Stopped { operation: id, done, total, lasting, source: Box::new(source) }
}

pub(super) fn conflict(
    operation: &mut Operation,
    place: &Place,
    changed: Vec<Address>,
    covered: Option<Version>,
) -> Result<ApplyError, ApplyError> {
    let midway = operation.touched() || operation.resumed();
    let addresses: Vec<_> = changed.into_iter().map(|address| (place.clone(), address)).collect();
    if !midway {
        let reason = Some(format!("changed by somebody else: {}", super::list(&addresses)));
        operation.record(Step::Ended { ending: Ending::Nothing, reason })?;
    }
    Ok(ApplyError::Conflict { operation: Some(operation.id().clone()), addresses, covered, midway })
}
