//! Turns a plan into calls, under a journal. Knows units, order and versions; never what a value means or which place
//! it is in.
//!
//! The flow of every change: [`plan`] reads and compares, [`run`] journals the plan and carries it out unit by unit,
//! reads everything back, and only then says done. What stopped midway is finished by [`resume`] or taken back by
//! [`undo`], which is an operation too. A dry run is [`plan`] and nothing else.

mod carry_out;
mod look;
mod midway;
mod mint;
mod several;
mod undo;

pub use carry_out::{Done, Event, Watch};
pub use midway::{conflict, midway};
pub use mint::{MintError, mint};
pub use undo::{Undo, plan_undo, undo};

use crate::journal::{Begin, Ending, Journal, JournalError, Operation, Standing, Step};
use crate::name::Address;
use crate::plan::{Desired, Place, Plan};
use crate::snapshot::{Snapshot, Version};
use crate::store::{ErrorKind, OperationId, Store, StoreError, Stores};
use std::collections::BTreeMap;

/// Why a plan was not, or not wholly, carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// A place could not be read. Nothing was changed.
    #[error("the plan could not be made")]
    Read(#[source] Box<StoreError>),
    /// A place cannot hold what it is to hold: each write that it cannot take, all at once. Nothing was changed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Refused(Vec<StoreError>),
    /// A place refused the first write, or could not be reached. Nothing was changed, and nothing is left to resume.
    #[error("nothing was changed")]
    Nothing(#[source] Box<StoreError>),
    /// Somebody else changed an address meanwhile. Theirs stands, or (`covered`) is in the place's history under that
    /// version; what was written before that is in the journal.
    #[error("{}", told(.addresses, .covered.as_ref()))]
    Conflict {
        /// The operation; `None` where nothing of it was begun.
        operation: Option<OperationId>,
        /// What was changed.
        addresses: Vec<(Place, Address)>,
        /// Their version, where the write covered it before the clash was found.
        covered: Option<Version>,
        /// Whether the operation goes on existing: it can be resumed or undone without these addresses.
        midway: bool,
    },
    /// It stopped with some of it done.
    #[error("operation {operation} stopped midway, {}", so_far(*.done, *.total))]
    Stopped {
        /// To resume or undo.
        operation: OperationId,
        /// Writes that are in force.
        done: usize,
        /// Writes in the plan.
        total: usize,
        /// Whether an undo would be refused.
        lasting: bool,
        /// What the place said.
        #[source]
        source: Box<StoreError>,
    },
    /// It was undone by another operation, or is being undone.
    #[error("operation {operation} was undone by {by}")]
    Undone {
        /// The operation that was asked for.
        operation: OperationId,
        /// The undo.
        by: OperationId,
    },
    /// It changed where values live, or values of home that go together, and somebody changed these since: it is taken back
    /// whole or not at all.
    #[error("operation {operation} is taken back as a whole only, as its values go together; changed since: {}", list(.addresses))]
    Indivisible {
        /// The operation.
        operation: OperationId,
        /// What was changed.
        addresses: Vec<(Place, Address)>,
    },
    /// A later operation rests on what it left.
    #[error("operation {later} came after {operation}, and rests on what that left")]
    Later {
        /// The operation that was to be undone.
        operation: OperationId,
        /// The one to undo first.
        later: OperationId,
    },
    /// There is more to it than what it planned: its own command goes on with it.
    #[error("operation {operation} is more than a change of values")]
    GoesOn {
        /// The operation.
        operation: OperationId,
        /// What to type.
        command: String,
    },
    /// A server chose its values, and takes the ones from before no more.
    #[error("operation {operation} cannot be taken back: what was there before is not accepted any more")]
    Lasting {
        /// The operation.
        operation: OperationId,
    },
    /// Only a person can do what is next, and nothing is left to go on with: what it did so far stands.
    #[error("operation {operation} has ended here")]
    GivenUp {
        /// The operation.
        operation: OperationId,
        /// What is to be done, and where.
        #[source]
        source: Box<StoreError>,
    },
    /// Everything was written, and reading back shows something else.
    #[error("operation {operation} is written, but reading it back shows something else at {}", list(.addresses))]
    NotVerified {
        /// To look at, resume or undo.
        operation: OperationId,
        /// What differs.
        addresses: Vec<(Place, Address)>,
        /// Whether an undo would be refused.
        lasting: bool,
    },
    /// An earlier operation that stopped midway covers the same address.
    #[error("operation {operation} stopped midway, and it covers {place} {address} too")]
    Unfinished {
        /// To resume or undo first.
        operation: OperationId,
        /// The place that both change.
        place: Place,
        /// An address that both change.
        address: Box<Address>,
        /// Whether an undo of it would be refused.
        lasting: bool,
    },
    /// The operation was begun on another place of that name.
    #[error("operation {operation} was begun on {planned}, and `{place}` here is {here}")]
    OtherPlace {
        /// The operation.
        operation: OperationId,
        /// The name.
        place: Place,
        /// Where it was begun.
        planned: Box<str>,
        /// What has that name here.
        here: Box<str>,
    },
    /// The journal failed. Where a place had been written to already, the operation can be resumed.
    #[error("the journal failed")]
    Journal(#[from] JournalError),
}

fn so_far(done: usize, total: usize) -> String {
    match total {
        0 => "before its first write".to_owned(),
        _ => format!("with {done} of {total} writes in force"),
    }
}

fn told(addresses: &[(Place, Address)], covered: Option<&Version>) -> String {
    match covered {
        None if addresses.len() == 1 => {
            format!("this was changed by somebody else, and left as it is: {}", list(addresses))
        }
        None => format!("these were changed by somebody else, and left as they are: {}", list(addresses)),
        Some(theirs) => format!(
            "somebody else changed this at the same time: {}; ours stands now, theirs is version {theirs} in its history",
            list(addresses)
        ),
    }
}

fn list(addresses: &[(Place, Address)]) -> String {
    addresses.iter().map(|(place, address)| format!("{place} {address}")).collect::<Vec<_>>().join(", ")
}

/// The fact of an operation, settled with its chosen values, that each place of it is taken back as a whole or not at all.
pub const WHOLE: &str = "whole";

/// Reads a place at every address that is spoken of, and compares: the plan that [`run`] carries out.
pub async fn plan(place: &str, store: &dyn Store, desired: &Desired) -> Result<Plan, ApplyError> {
    let addresses: Vec<Address> = desired.keys().cloned().collect();
    let seen = store.read(&addresses).await.map_err(|error| ApplyError::Read(Box::new(error)))?;
    plan_against(place, store, desired, &seen).await
}

/// The same, against what was just read at every address that is spoken of.
pub async fn plan_against(
    place: &str,
    store: &dyn Store,
    desired: &Desired,
    seen: &Snapshot,
) -> Result<Plan, ApplyError> {
    let unread = |error| ApplyError::Read(Box::new(error));
    let mut plan = look::compared(place, store, desired, seen).await.map_err(unread)?;
    let mut refused = Vec::new();
    for write in &mut plan.writes {
        match store.review(write).await {
            Ok(notes) => write.notes = notes,
            Err(error) if error.kind == ErrorKind::Invalid => refused.push(error),
            Err(error) => return Err(ApplyError::Read(Box::new(error))),
        }
    }
    if refused.is_empty() { Ok(plan) } else { Err(ApplyError::Refused(refused)) }
}

/// Journals a plan and carries it out. `command` names it for people (`set app/SECRET_KEY`).
pub async fn run(
    journal: &Journal,
    command: &str,
    plan: &Plan,
    stores: &Stores,
    watch: Watch<'_>,
) -> Result<Done, ApplyError> {
    run_knowing(journal, (command, None), plan, stores, watch).await
}

/// The same for a plan that changes the manifest: the one with this text is the one that knows the plan's places.
pub async fn run_knowing(
    journal: &Journal,
    (command, manifest): (&str, Option<&str>),
    plan: &Plan,
    stores: &Stores,
    watch: Watch<'_>,
) -> Result<Done, ApplyError> {
    refuse_overlap(journal, plan, stores)?;
    let mut operation = journal.begin(&Begin { command, ..Begin::default() })?;
    if let Some(text) = manifest {
        operation.keep_manifest(text)?;
    }
    publish(&mut operation, plan, stores, watch).await?;
    carry_out::finish(&mut operation, Vec::new())
}

/// Adds a plan to an operation that goes on afterwards, carries it out and reads it back. [`run`] is one of these and
/// the end; a rotation makes several, with effects between them.
pub async fn publish(
    operation: &mut Operation,
    plan: &Plan,
    stores: &Stores,
    watch: Watch<'_>,
) -> Result<(), ApplyError> {
    let first = operation.writes().len();
    operation.plan(plan, stores)?;
    carry_out::carry_out(operation, first..first + plan.writes.len(), stores, watch).await
}

/// Finishes what was planned in an operation that stopped midway, and leaves it open: whoever began it decides what is
/// next. Answers with the addresses that were left because somebody else changed them.
pub async fn catch_up(
    operation: &mut Operation,
    stores: &Stores,
    skip_changed: bool,
    watch: Watch<'_>,
) -> Result<Vec<(Place, Address)>, ApplyError> {
    carry_out::catch_up(operation, stores, skip_changed, watch).await
}

/// Closes an operation of several publishes, all of them verified.
pub fn finish(operation: &mut Operation) -> Result<Done, ApplyError> {
    carry_out::finish(operation, Vec::new())
}

/// The same, where these addresses were left as somebody else has them.
pub fn finish_leaving(operation: &mut Operation, left: Vec<(Place, Address)>) -> Result<Done, ApplyError> {
    carry_out::finish(operation, left)
}

/// Ends an operation that nobody goes on with: what it did so far stands.
pub fn give_up(operation: &mut Operation, reason: String) -> Result<Done, ApplyError> {
    let ending = if operation.touched() { Ending::Stands } else { Ending::Nothing };
    operation.record(Step::Ended { ending, reason: Some(reason) })?;
    Ok(Done::of(operation))
}

/// What is done so far of an operation that waits until then, and is left open.
pub fn paused(operation: &Operation, left: Vec<(Place, Address)>, until: jiff::Timestamp) -> Done {
    Done { left, soaking: Some(until), ..Done::of(operation) }
}

/// Finishes an operation that stopped midway. Where somebody else changed an address of it meanwhile, nothing is written
/// at all, unless `skip_changed`: then theirs stays and the rest is finished.
pub async fn resume(
    journal: &Journal,
    id: &OperationId,
    stores: &Stores,
    skip_changed: bool,
    watch: Watch<'_>,
) -> Result<Done, ApplyError> {
    let mut operation = reopened(journal, id)?;
    if operation.ending().is_some() {
        return Ok(Done::of(&operation));
    }
    if let Some(command) = operation.goes_on() {
        return Err(ApplyError::GoesOn { operation: id.clone(), command: command.to_owned() });
    }
    if operation.writes().is_empty() {
        operation.record(Step::Ended { ending: Ending::Nothing, reason: None })?;
        return Ok(Done::of(&operation));
    }
    let left = catch_up(&mut operation, stores, skip_changed, watch).await?;
    carry_out::finish(&mut operation, left)
}

/// Opens an operation to go on with it, unless it was undone.
pub fn reopened(journal: &Journal, id: &OperationId) -> Result<Operation, ApplyError> {
    let operation = journal.open(id)?;
    // Looked at only now: while it is open here, nobody else ends or undoes it.
    match journal.find(id.as_str())?.standing {
        Standing::Undone(by) => Err(ApplyError::Undone { operation: id.clone(), by }),
        _ => Ok(operation),
    }
}

/// What is still to be written of an operation that stopped midway, for a look before it is resumed.
pub async fn remaining(journal: &Journal, id: &OperationId, stores: &Stores) -> Result<Plan, ApplyError> {
    let mut operation = journal.open(id)?;
    carry_out::remaining(&mut operation, stores).await
}

/// Refuses a plan that touches what another operation has left half done. [`run`] and [`undo`] ask by themselves; whoever
/// begins an operation of several plans asks before.
pub fn refuse_overlap(journal: &Journal, plan: &Plan, stores: &Stores) -> Result<(), ApplyError> {
    let here = |place: &Place| stores.get(place).map(|store| store.location());
    let changes: BTreeMap<(String, &Address), &Place> =
        plan.changes().filter_map(|(place, change)| Some(((here(place)?, &change.address), place))).collect();
    for summary in journal.list()? {
        if summary.standing != Standing::Unfinished || summary.rests {
            continue;
        }
        for target in summary.targets {
            if let Some(place) = changes.get(&(target.location, &target.address)) {
                return Err(ApplyError::Unfinished {
                    operation: summary.id,
                    place: (*place).clone(),
                    address: Box::new(target.address),
                    lasting: summary.lasting,
                });
            }
        }
    }
    Ok(())
}
