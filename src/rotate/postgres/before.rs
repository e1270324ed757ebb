//! The login from before a rotation: whether an undo may bring it back, and that nobody changes it meanwhile.
//!
//! Owns what is asked of the server before an undo. What is written to home and the copies is [`crate::apply`]'s.

use super::super::Holders;
use super::Postgres;
use super::target::{Login, Proof, Target};
use crate::database::{self, Role};
use crate::journal::Operation;
use crate::store::{ErrorKind, StoreError};

impl Postgres {
    /// Whether an operation can be undone: whether what it would bring back still logs in. The server keeps no earlier
    /// password, so that nothing else can be done about one that it refuses.
    pub async fn may_be_undone(
        &self,
        operation: &Operation,
        holders: &Holders<'_>,
    ) -> Result<(), StoreError> {
        let target = self.target(holders).await?;
        let before = self.before(&target, operation, holders);
        self.proven(&target, &before, operation, holders).await
    }

    /// The same, right before it is brought back and under the lease, and the last time: from then on whoever slept over a
    /// change of that login is refused by its fence.
    pub async fn keep_as_it_is(
        &self,
        operation: &Operation,
        holders: &Holders<'_>,
    ) -> Result<(), StoreError> {
        let target = self.target(holders).await?;
        let before = self.before(&target, operation, holders);
        let session = target.rotator().await?;
        let failed = |error| target.failed(error);
        // A change between these two moves the fence, and then it is not ours to move: what is proven stays so.
        let seen = database::fence(&session, &before.role).await.map_err(failed)?;
        self.proven(&target, &before, operation, holders).await?;
        let ours = format!("undo of {}", operation.id());
        let theirs = database::pass(&session, &before.role, (seen.epoch + 1, &ours)).await.map_err(failed)?;
        session.close().await;
        match theirs {
            None => Ok(()),
            Some(fence) => {
                let message = format!(
                    "operation {} has given `{}` another password just now: nothing was changed",
                    fence.operation, before.role
                );
                Err(target.error(ErrorKind::Conflict, message))
            }
        }
    }

    /// The login that home would have again.
    fn before(&self, target: &Target, operation: &Operation, holders: &Holders<'_>) -> Login {
        let home = holders.spec.home.to_string();
        let writes = operation.writes().iter().enumerate();
        let ours = writes.filter(|(index, write)| write.place == home && operation.may_have_written(*index));
        let mut before = target.app.clone();
        // The first write of each address is the one that an undo takes back last.
        for change in ours.flat_map(|(_, write)| &write.changes).collect::<Vec<_>>().into_iter().rev() {
            let Some(value) = change.before.as_ref().and_then(|entry| entry.held.value()) else { continue };
            if change.address == self.spec.password {
                before.password = value.clone();
            } else if change.address == self.spec.user
                && let Ok(role) = Role::parse(value.expose())
            {
                before.role = role;
            }
        }
        before
    }

    async fn proven(
        &self,
        target: &Target,
        before: &Login,
        operation: &Operation,
        holders: &Holders<'_>,
    ) -> Result<(), StoreError> {
        if let Proof::Right(_) = target.prove(before).await? {
            return Ok(());
        }
        let message = format!("the login from before (`{}`) is refused by now", before.role);
        let told = target.error(ErrorKind::Failed, message);
        Err(match operation.ending() {
            None => told.hint(format!(
                "`strongroom resume {}` brings the new one, which is accepted, to every holder",
                operation.id()
            )),
            Some(_) => told.hint(format!(
                "`strongroom -e {} rotate {}` gives it another new one",
                holders.spec.name, self.allowed.name
            )),
        })
    }
}
