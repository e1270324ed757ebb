//! An undo of what copies refer to: home first, and then each copy, told the versions that home has by then.
//!
//! Owns that order, and that an undo which stopped in between is finished. What is brought back is [`apply::plan_undo`]'s to
//! know: an old value comes back as a new version, of which nobody knows before what it is called.

use super::Holders;
use crate::apply::{self, ApplyError, Done, Undo, Watch};
use crate::desired::Revision;
use crate::journal::{Journal, Operation};
use crate::plan::{Desired, Plan};
use crate::store::OperationId;

/// Carries out an undo; `goes_on` is the command that [`go_on_taking_back`] is called by where it stops.
pub async fn take_back(
    journal: &Journal,
    undo: Undo,
    holders: &Holders<'_>,
    goes_on: &str,
    watch: Watch<'_>,
) -> Result<Done, ApplyError> {
    let Some((first, rest)) = undo.halves() else {
        return apply::undo(journal, undo, holders.stores, watch).await;
    };
    let mut operation = undo.begin(journal, holders.stores, Some(goes_on))?;
    apply::publish(&mut operation, &first, holders.stores, watch).await?;
    finished(&mut operation, rest, undo.left, holders, watch).await
}

/// Finishes an undo that stopped.
pub async fn go_on_taking_back(
    journal: &Journal,
    id: &OperationId,
    holders: &Holders<'_>,
    skip_changed: bool,
    watch: Watch<'_>,
) -> Result<Done, ApplyError> {
    let mut operation = apply::reopened(journal, id)?;
    let Some(original) = operation.undoes().cloned() else { return apply::finish(&mut operation) };
    let mut left = apply::catch_up(&mut operation, holders.stores, skip_changed, watch).await?;
    // What is back by now is not planned again.
    let undo = apply::plan_undo(journal, &original, holders.stores, skip_changed).await?;
    left.extend(undo.left.iter().filter(|at| !left.contains(at)).cloned().collect::<Vec<_>>());
    finished(&mut operation, undo.plan, left, holders, watch).await
}

/// Writes the rest, with the versions that home has now.
async fn finished(
    operation: &mut Operation,
    mut rest: Plan,
    left: Vec<(crate::plan::Place, crate::name::Address)>,
    holders: &Holders<'_>,
    watch: Watch<'_>,
) -> Result<Done, ApplyError> {
    let goes: Desired = rest
        .changes()
        .filter(|(place, _)| **place == holders.home())
        .map(|(_, change)| (change.address.clone(), change.after.clone()))
        .collect();
    let home = holders.read(operation).await?;
    for write in &mut rest.writes {
        let Some(want) = holders.revision_in(&write.place, &home, &goes) else { continue };
        let told = write.changes.iter_mut().filter(|change| change.address == Revision::address());
        told.for_each(|change| change.after = want.clone());
        write.changes.retain(|change| !change.after.met_by(change.before.as_ref()));
    }
    rest.writes.retain(|write| !write.changes.is_empty());
    if !rest.is_empty() {
        apply::publish(operation, &rest, holders.stores, watch).await?;
    }
    apply::finish_leaving(operation, left)
}
