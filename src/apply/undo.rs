//! Taking back what an operation did, as an operation of its own.

use super::carry_out::{Done, Watch, finish, quieten};
use super::look::{compared, look};
use super::{ApplyError, publish, refuse_overlap};
use crate::desired::Revision;
use crate::journal::{Begin, Ending, Journal, Operation, Standing, Step, Summary, Target};
use crate::manifest::without;
use crate::name::Address;
use crate::plan::{Desired, Place, Plan, Want, Write};
use crate::secret::Secret;
use crate::snapshot::Entry;
use crate::store::{ManifestFile, OperationId, Stores};
use std::collections::{BTreeMap, BTreeSet};

/// What an undo would do. Holds the operation that is undone, so that nobody resumes it meanwhile.
pub struct Undo {
    original: Operation,
    /// The writes that bring back what was there before. Empty where all of it is there already.
    pub plan: Plan,
    /// Addresses that somebody else changed since, and that are left as they are.
    pub left: Vec<(Place, Address)>,
}

/// One address of the operation that is undone: what to bring back, and what it is known to have looked like on the way.
struct Past {
    before: Want,
    known: Vec<Want>,
}

impl Past {
    fn wants<'a>(&'a self, at: &'a Address) -> impl Iterator<Item = (&'a Address, Want)> {
        let before = std::iter::once(&self.before);
        before.chain(&self.known).map(move |want| (at, want.clone()))
    }
}

impl Past {
    /// A manifest that somebody edited since is taken back line by line, where the edits do not touch each other.
    fn rebase(&mut self, now: Option<&Entry>) {
        let text = |want: &Want| match want {
            Want::Present(wanted) => wanted.held.value().cloned(),
            Want::Absent => None,
        };
        let now_text = now.and_then(|entry| entry.held.value());
        let (Some(before), Some(after), Some(now)) =
            (text(&self.before), self.known.last().and_then(text), now_text)
        else {
            return;
        };
        let known = now.same_as(&before) || now.same_as(&after);
        let back = without(before.expose(), after.expose(), now.expose()).filter(|_| !known);
        if let Some(Ok(back)) = back.map(Secret::new) {
            self.known.push(Want::value(now.clone()));
            self.before = Want::value(back);
        }
    }
}

/// Refuses to pull the manifest from under a later operation that changed it too.
fn refuse_later(journal: &Journal, original: &Operation) -> Result<(), ApplyError> {
    let manifest = |target: &Target| target.place == ManifestFile::PLACE;
    // Few operations change it, and for the others no journal is read.
    if !original.writes().iter().any(|write| write.place == ManifestFile::PLACE) {
        return Ok(());
    }
    let all = journal.list()?;
    let Some(own) = all.iter().position(|summary| summary.id == *original.id()) else { return Ok(()) };
    let rests = |later: &&Summary| {
        let stands = matches!(later.standing, Standing::Done | Standing::Unfinished | Standing::Soaking(_));
        stands
            && later.undoes.is_none()
            && later.targets.iter().any(|target| all[own].targets.contains(target) && manifest(target))
    };
    match all[own + 1..].iter().rev().find(rests) {
        Some(later) => Err(ApplyError::Later { operation: original.id().clone(), later: later.id.clone() }),
        None => Ok(()),
    }
}

type PlacePasts = (Place, BTreeMap<Address, Past>);

/// Compares what the operation left with what is there now. An address that is neither as before nor as the operation
/// made it was changed by somebody else since: a conflict, unless `skip_changed`, and then it is left as it is, in every
/// place.
pub async fn plan_undo(
    journal: &Journal,
    id: &OperationId,
    stores: &Stores,
    skip_changed: bool,
) -> Result<Undo, ApplyError> {
    let mut original = journal.open(id)?;
    if let (Some(command), true) = (original.goes_on(), original.has_effects()) {
        let (operation, command) = (id.clone(), command.to_owned());
        return Err(match original.ending() {
            None => ApplyError::GoesOn { operation, command },
            Some(_) => ApplyError::Lasting { operation },
        });
    }
    quieten(&mut original, stores, &mut |_| ()).await?;
    refuse_later(journal, &original)?;
    let unread = |error| ApplyError::Read(Box::new(error));
    let mut looked = Vec::new();
    let mut left = Vec::new();
    for (place, mut pasts) in pasts(&original, stores)? {
        let Some(store) = stores.get(&place) else { continue };
        let wants: Vec<(&Address, Want)> = pasts.iter().flat_map(|(at, past)| past.wants(at)).collect();
        let seen = look(store.as_ref(), &wants).await.map_err(unread)?;
        if place == ManifestFile::PLACE {
            pasts.iter_mut().for_each(|(at, past)| past.rebase(seen.entries.get(at)));
        }
        let ours = |at: &Address, past: &Past| {
            let now = seen.entries.get(at);
            *at == Revision::address()
                || past.before.met_by(now)
                || past.known.iter().any(|want| want.met_by(now))
        };
        let changed = pasts.iter().filter(|(at, past)| !ours(at, past));
        left.extend(changed.map(|(at, _)| (place.clone(), at.clone())));
        looked.push((place, pasts, seen));
    }
    // Where values live is said by the manifest: half of them elsewhere would be found by nobody.
    let moves = looked.iter().any(|(place, ..)| place == ManifestFile::PLACE);
    let whole = original.facts().contains_key(super::WHOLE);
    // Home was written first.
    let in_home = |place: &Place| original.writes().first().is_some_and(|write| write.place == *place);
    if !left.is_empty() && skip_changed && (moves || whole && left.iter().any(|(place, _)| in_home(place))) {
        return Err(ApplyError::Indivisible { operation: id.clone(), addresses: left });
    }
    // What somebody changed in one place is left in all of them: an old value beside a new one in another place would
    // be worse than either. But where values go together in each place, it is that place that is left.
    let mut theirs: BTreeSet<Address> = left.iter().map(|(_, address)| address.clone()).collect();
    if whole && skip_changed {
        looked.retain(|(place, ..)| !left.iter().any(|(left, _)| left == place));
        theirs.clear();
    }
    let mut plan = Plan::default();
    for (place, pasts, seen) in looked {
        let Some(store) = stores.get(&place).map(AsRef::as_ref) else { continue };
        let back = pasts.into_iter().filter(|(address, _)| !theirs.contains(address));
        let desired: Desired = back.map(|(address, past)| (address, past.before)).collect();
        let mut back = compared(&place, store, &desired, &seen).await.map_err(unread)?;
        for write in &mut back.writes {
            // What was there fits; a place that cannot say more about it just now does not stand in the way.
            write.notes = store.review(write).await.unwrap_or_default();
        }
        plan = plan.then(back);
    }
    if original.in_order() {
        // What goes from home goes last: an instance that starts must not be led to what is not there.
        let goes = |write: &Write| write.changes.iter().all(|change| matches!(change.after, Want::Absent));
        plan.writes.sort_by_key(goes);
    }
    if !left.is_empty() && !skip_changed {
        let operation = Some(id.clone());
        return Err(ApplyError::Conflict { operation, addresses: left, covered: None, midway: true });
    }
    Ok(Undo { original, plan, left })
}

impl Undo {
    /// What is undone.
    pub fn original(&self) -> &Operation {
        &self.original
    }

    /// What is written before the first copy that is told the versions that it refers to, and the rest: once home holds again
    /// what it held, those are other ones. None where there is no such copy, or nothing before it.
    pub fn halves(&self) -> Option<(Plan, Plan)> {
        let tells = |write: &Write| write.changes.iter().any(|change| change.address == Revision::address());
        let at = self.plan.writes.iter().position(tells).filter(|at| *at > 0 && self.original.in_order())?;
        let (first, rest) = self.plan.writes.split_at(at);
        let half = |writes: &[Write]| Plan { writes: writes.to_vec(), lasting: false };
        Some((half(first), half(rest)))
    }

    /// Begins the operation that carries it out, and that this command goes on with where it is more than one plan.
    pub fn begin(
        &self,
        journal: &Journal,
        stores: &Stores,
        goes_on: Option<&str>,
    ) -> Result<Operation, ApplyError> {
        refuse_overlap(journal, &self.plan, stores)?;
        let (undoes, in_order) = (self.original.id(), self.original.in_order());
        let command = format!("undo {undoes}");
        let begin = Begin { command: &command, undoes: Some(undoes), goes_on, in_order, home: None };
        Ok(journal.begin(&begin)?)
    }
}

/// Carries out an undo. An undo that stops midway is finished by [`super::resume`] with the undo's own name.
pub async fn undo(
    journal: &Journal,
    mut undo: Undo,
    stores: &Stores,
    watch: Watch<'_>,
) -> Result<Done, ApplyError> {
    if undo.plan.is_empty() && !undo.left.is_empty() {
        // All of it is somebody else's by now: nothing was taken back, and nothing is said to have been.
        return Ok(Done { changes: 0, left: undo.left, ..Done::of(&undo.original) });
    }
    if undo.plan.is_empty() {
        undo.original.record(Step::Ended { ending: Ending::Undone, reason: None })?;
        return Ok(Done { changes: 0, left: undo.left, ..Done::of(&undo.original) });
    }
    let mut operation = undo.begin(journal, stores, None)?;
    publish(&mut operation, &undo.plan, stores, watch).await?;
    let done = finish(&mut operation, Vec::new())?;
    Ok(Done { left: undo.left, ..done })
}

/// Every address that the operation may have written, by place: the places of the last writes first, so that what was
/// done last is taken back first; but in the order of the operation where what came later follows from the rest.
fn pasts(original: &Operation, stores: &Stores) -> Result<Vec<PlacePasts>, ApplyError> {
    let mut places: Vec<PlacePasts> = Vec::new();
    for (index, write) in original.writes().iter().enumerate() {
        if !original.may_have_written(index) || original.is_lasting(index) {
            continue;
        }
        super::carry_out::store_of(original, index, stores)?;
        let at = match places.iter().position(|(place, _)| *place == write.place) {
            Some(at) => at,
            None => {
                places.push((write.place.clone(), BTreeMap::new()));
                places.len() - 1
            }
        };
        for change in &write.changes {
            let before = Want::as_seen(change.before.as_ref());
            let past = places[at].1.entry(change.address.clone());
            past.or_insert(Past { before, known: Vec::new() }).known.push(change.after.clone());
        }
    }
    if !original.in_order() {
        places.reverse();
    }
    Ok(places)
}
