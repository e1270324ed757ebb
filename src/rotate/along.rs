//! Copies that a run left behind home: it stopped after home had all of it, and a probe that looks at home alone sees nothing
//! left to do.
//!
//! Owns what they are brought to: what this operation has put into home, as long as all of it is there.

use super::{Holders, Publication};
use crate::apply::{self, ApplyError, Watch};
use crate::journal::Operation;
use crate::plan::Desired;

impl Holders<'_> {
    /// Brings every copy to what this operation has put into home; a copy that has it is not written to. Where somebody else
    /// has changed home since, nothing is done: what home holds now is for a sync to bring.
    pub(super) async fn bring_along(
        &self,
        operation: &mut Operation,
        watch: Watch<'_>,
    ) -> Result<(), ApplyError> {
        if self.copies.is_empty() {
            return Ok(());
        }
        let home = self.spec.home.to_string();
        let writes = operation.writes().iter().enumerate().filter(|(_, write)| write.place == home);
        let lasting = writes.clone().all(|(index, _)| operation.is_lasting(index));
        let changes = writes.flat_map(|(_, write)| &write.changes);
        let put: Desired = changes.map(|change| (change.address.clone(), change.after.clone())).collect();
        if put.is_empty() {
            return Ok(());
        }
        let held = self.held_with(put.keys()).await;
        let held = held.map_err(|error| apply::midway(operation, ApplyError::Read(Box::new(error))))?;
        if !put.iter().all(|(address, want)| want.met_by(held.entries.get(address))) {
            return Ok(());
        }
        self.publish(operation, &Publication { stages: vec![put], lasting }, watch).await
    }
}
