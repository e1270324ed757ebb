//! The calls that write: each journaled by itself, and a few to one place under way together where its quota makes that
//! worth while.
//!
//! Owns the story of one write (intent, call, result, a look where the answer was lost, in force), how many go on beside
//! each other, and which of several failures is told. The journal has one writer: what a write tells it is told between
//! two calls. A failure lets nothing new begin, and what is under way is waited for.

use super::ApplyError;
use super::carry_out::{Event, Watch, compare, conflict, look_at, stop, store_of};
use crate::journal::{JournalError, Operation, Step};
use crate::name::Address;
use crate::plan::{Place, Write};
use crate::snapshot::{Snapshot, Version};
use crate::store::{Applied, ErrorKind, OperationId, Receipt, Store, StoreError, Stores};
use futures::stream::{FuturesUnordered, StreamExt};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

/// How often a write is tried when the place says that trying again may help, or when a lost answer turns out to have
/// been a lost call.
const ATTEMPTS: u32 = 5;
/// How many writes are under way together at most.
const AT_ONCE: u32 = 8;
/// How long a call is thought to take at most: a place whose quota leaves more than that between two of them gets its
/// writes one after the other.
const CALL: Duration = Duration::from_millis(160);

/// What is left to do of a write.
pub(super) enum Task {
    /// Call the place.
    Make(Write),
    /// The place has it: wait until it is in force.
    Await(Applied),
    /// It was seen in its place.
    Confirm,
}

/// What is left to do of the operation's write of that number.
pub(super) struct Job {
    pub(super) index: usize,
    pub(super) task: Task,
}

/// Does what is left, in order: all of one place before the next one, and writes of one unit one after the other.
/// `seen` is what was read of each place before.
pub(super) async fn work_off(
    operation: &mut Operation,
    jobs: Vec<Job>,
    stores: &Stores,
    seen: &BTreeMap<Place, Snapshot>,
    watch: Watch<'_>,
) -> Result<(), ApplyError> {
    let mut progress = Progress { done: 0, total: jobs.len(), least: Duration::ZERO, halted: false };
    for job in &jobs {
        let store = store_of(operation, job.index, stores)?;
        progress.least += interval(store, job);
    }
    for group in groups(operation, jobs) {
        let store = store_of(operation, group[0].index, stores)?;
        let at_once = at_once(group.iter().map(|job| interval(store, job)).min().unwrap_or_default());
        let seen = seen.get(&operation.writes()[group[0].index].place);
        let among = group.len();
        let desk = Desk { store, seen, among, state: Mutex::new(State { operation, watch, progress }) };
        let halts = desk.work_off(group, at_once).await;
        progress = desk.with(|state| state.progress);
        if let Some(error) = told(operation, halts)? {
            return Err(error);
        }
    }
    Ok(())
}

/// What is written, in runs that may be under way together.
fn groups(operation: &Operation, jobs: Vec<Job>) -> Vec<Vec<Job>> {
    let mut groups: Vec<Vec<Job>> = Vec::new();
    let mut units = BTreeSet::new();
    let mut place = None;
    for job in jobs {
        let write = &operation.writes()[job.index];
        if place != Some(&write.place) || !units.insert(&write.unit) {
            place = Some(&write.place);
            units = BTreeSet::from([&write.unit]);
            groups.push(Vec::new());
        }
        groups.last_mut().expect("the first job begins a group").push(job);
    }
    groups
}

fn interval(store: &dyn Store, job: &Job) -> Duration {
    match &job.task {
        Task::Make(write) => store.interval(write),
        Task::Await(_) | Task::Confirm => Duration::ZERO,
    }
}

/// How many writes are worth having under way together.
fn at_once(interval: Duration) -> usize {
    let fit = CALL.as_nanos().checked_div(interval.as_nanos()).unwrap_or(1);
    fit.clamp(1, AT_ONCE.into()) as usize
}

/// How far it is.
#[derive(Clone, Copy)]
struct Progress {
    done: usize,
    total: usize,
    /// What the quotas leave at least for what is not begun.
    least: Duration,
    /// Something failed: nothing new begins.
    halted: bool,
}

/// What writes that are under way together share, and touch between two calls only.
struct State<'a> {
    operation: &'a mut Operation,
    watch: Watch<'a>,
    progress: Progress,
}

/// Why a write did not come to its end.
enum Halt {
    /// The place does not take it.
    Stopped(StoreError),
    /// Somebody else changed it; `covered` is theirs where ours stands now.
    Conflict { place: Place, addresses: Vec<Address>, covered: Option<Version> },
    /// The journal failed.
    Journal(JournalError),
}

impl From<JournalError> for Halt {
    fn from(error: JournalError) -> Halt {
        Halt::Journal(error)
    }
}

/// What is told of several failures, once nothing is under way any more. Somebody's value that was covered goes before
/// everything else; the journal has all of them.
fn told(operation: &mut Operation, halts: Vec<Halt>) -> Result<Option<ApplyError>, ApplyError> {
    let (mut clashes, mut covering, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for halt in halts {
        match halt {
            Halt::Conflict { place, addresses, covered: Some(theirs) } => {
                covering.push((place, addresses, theirs));
            }
            Halt::Conflict { place, addresses, covered: None } => clashes.push((place, addresses)),
            Halt::Journal(error) => return Err(error.into()),
            Halt::Stopped(error) => others.push(error),
        }
    }
    if let Some((place, addresses, theirs)) = covering.into_iter().next() {
        return conflict(operation, &place, addresses, Some(theirs)).map(Some);
    }
    if let Some((place, _)) = clashes.first() {
        let place = place.clone();
        let addresses = clashes.into_iter().flat_map(|(_, addresses)| addresses).collect();
        return conflict(operation, &place, addresses, None).map(Some);
    }
    others.into_iter().next().map(|error| stop(operation, error)).transpose()
}

/// Where the writes of one place are under way.
struct Desk<'a> {
    store: &'a dyn Store,
    seen: Option<&'a Snapshot>,
    /// How many writes there are.
    among: usize,
    state: Mutex<State<'a>>,
}

impl Desk<'_> {
    /// Does something with what is shared. Nothing is waited for meanwhile.
    fn with<T>(&self, work: impl FnOnce(&mut State<'_>) -> T) -> T {
        work(&mut self.state.lock().expect("no code panics while it holds the lock"))
    }

    fn record(&self, step: Step) -> Result<(), JournalError> {
        self.with(|state| state.operation.record(step))
    }

    /// All of these, so many at once. Answers when nothing is under way any more.
    async fn work_off(&self, jobs: Vec<Job>, at_once: usize) -> Vec<Halt> {
        let (mut waiting, mut under_way) = (jobs.into_iter(), FuturesUnordered::new());
        let mut halts = Vec::new();
        loop {
            while halts.is_empty() && under_way.len() < at_once {
                let Some(job) = waiting.next() else { break };
                under_way.push(self.one(job));
            }
            match under_way.next().await {
                Some(Ok(())) => self.with(|state| state.progress.done += 1),
                Some(Err(halt)) => {
                    self.with(|state| state.progress.halted = true);
                    halts.push(halt);
                }
                None => return halts,
            }
        }
    }

    async fn one(&self, job: Job) -> Result<(), Halt> {
        let applied = match job.task {
            Task::Make(write) => self.make(job.index, write).await?,
            Task::Await(applied) => applied,
            Task::Confirm => self.confirm(job.index, self.seen)?,
        };
        self.settle(job.index, &applied).await
    }

    /// Calls the place until it has the write, or it is plain that it will not.
    async fn make(&self, index: usize, mut write: Write) -> Result<Applied, Halt> {
        let mut attempt = 1;
        // A repetition takes its time too, and nobody knows beforehand how many there will be.
        let mut beginning = self.store.interval(&write);
        loop {
            let operation = self.with(|state| state.begin(index, &write, std::mem::take(&mut beginning)))?;
            let receipt =
                self.store.write(&write.unit, write.base.as_ref(), &operation, &write.changes).await;
            let (error, refused) = match receipt {
                Receipt::Applied(applied) => return self.applied(index, applied),
                Receipt::NotApplied(error) => (error, true),
                Receipt::Unknown(error) => (error, false),
            };
            let reason = error.to_string();
            self.record(match refused {
                true => Step::Refused { write: index, reason },
                false => Step::Unknown { write: index, reason },
            })?;
            let again = !refused || error.kind == ErrorKind::Transient;
            if !again && error.kind != ErrorKind::Conflict {
                return Err(Halt::Stopped(error));
            }
            // A lost answer, and a refusal that an earlier call of ours with a lost answer may have caused, are both
            // settled by what is there once nothing is under way any more.
            let heard = self.store.settle(&Applied::unheard(write.unit.clone())).await;
            let seen = heard.and(look_at(&write, self.store).await).map_err(Halt::Stopped)?;
            let found = compare(&write, &seen);
            if !found.changed.is_empty() {
                return Err(Halt::Conflict { place: write.place, addresses: found.changed, covered: None });
            }
            let last = attempt == ATTEMPTS || !again || self.with(|state| state.progress.halted);
            match found.pending {
                None => return self.confirm(index, Some(&seen)),
                Some(_) if last => return Err(Halt::Stopped(error)),
                Some(pending) => write = pending,
            }
            tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
            attempt += 1;
        }
    }

    /// Writes down that reading back showed the write in its place.
    fn confirm(&self, index: usize, seen: Option<&Snapshot>) -> Result<Applied, Halt> {
        let applied = self.with(|state| {
            let write = &state.operation.writes()[index];
            let overwrote =
                seen.and_then(|seen| self.store.overwrote(&write.unit, write.base.as_ref(), seen));
            let version = seen.and_then(|seen| seen.bases.get(&write.unit).cloned());
            Applied { unit: write.unit.clone(), version, request: None, overwrote }
        });
        self.applied(index, applied)
    }

    /// Writes down that the place has the write. Where it covered somebody else's, that is a conflict all the same.
    fn applied(&self, index: usize, applied: Applied) -> Result<Applied, Halt> {
        self.record(Step::Applied {
            write: index,
            version: applied.version.as_ref().map(|version| version.0.clone()),
            request: applied.request.clone(),
            overwrote: applied.overwrote.as_ref().map(|version| version.0.clone()),
        })?;
        let Some(theirs) = applied.overwrote.clone() else { return Ok(applied) };
        let write = self.with(|state| state.operation.writes()[index].clone());
        let addresses = write.changes.into_iter().map(|change| change.address).collect();
        Err(Halt::Conflict { place: write.place, addresses, covered: Some(theirs) })
    }

    async fn settle(&self, index: usize, applied: &Applied) -> Result<(), Halt> {
        self.with(|state| {
            let place = state.operation.writes()[index].place.clone();
            let (among, unit) = (self.among, applied.unit.clone());
            (state.watch)(&Event::Settling { write: index, among, place, unit });
        });
        match self.store.settle(applied).await {
            Ok(()) => Ok(self.record(Step::Settled { write: index })?),
            Err(error) => {
                if error.kind == ErrorKind::RolledBack {
                    self.record(Step::RolledBack { write: index, reason: error.to_string() })?;
                }
                Err(Halt::Stopped(error))
            }
        }
    }
}

impl State<'_> {
    /// The intent of a call, for whoever looks and on disk.
    fn begin(
        &mut self,
        index: usize,
        write: &Write,
        interval: Duration,
    ) -> Result<OperationId, JournalError> {
        let Progress { done, total, least, .. } = self.progress;
        let (place, unit) = (write.place.clone(), write.unit.clone());
        (self.watch)(&Event::Writing { write: index, done, total, least, place, unit });
        self.progress.least = least.saturating_sub(interval);
        self.operation.record(Step::Intent { write: index })?;
        Ok(self.operation.id().clone())
    }
}
