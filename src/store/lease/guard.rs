//! Stores that are written to only while a lease is ours.

use super::{Lease, Leases};
use crate::name::Address;
use crate::plan::{Change, Write};
use crate::snapshot::{Snapshot, Unit, Version};
use crate::store::{Applied, OperationId, Receipt, Store, StoreError, Stores};
use async_trait::async_trait;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Stands before the stores of an environment. While it holds a lease, nothing is written unless that is still ours, and
/// it is renewed as long as a deployment is waited for. Without one it lets everything through.
#[derive(Clone, Default)]
pub struct Guard(Arc<Mutex<Option<Arc<dyn Lease>>>>);

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("holds", &self.lease().is_some()).finish()
    }
}

impl Guard {
    /// These stores, guarded.
    pub fn before(&self, stores: Stores) -> Stores {
        let guarded = |store| Box::new(Guarded { store, guard: self.clone() }) as Box<dyn Store>;
        stores.into_iter().map(|(place, store)| (place, guarded(store))).collect()
    }

    /// Takes the lease for an operation, and holds it until [`Guard::release`].
    pub async fn take(&self, leases: &dyn Leases, operation: &str) -> Result<(), StoreError> {
        let lease = leases.take(operation).await?;
        *self.0.lock().expect("no code panics while it holds the lock") = Some(lease.into());
        Ok(())
    }

    /// Gives back what it holds.
    pub async fn release(&self) -> Result<(), StoreError> {
        let held = self.0.lock().expect("no code panics while it holds the lock").take();
        match held {
            Some(lease) => lease.release().await,
            None => Ok(()),
        }
    }

    /// Whether what it holds is still ours; renewed where need be.
    pub async fn still_ours(&self) -> Result<(), StoreError> {
        match self.lease() {
            Some(lease) => lease.still_ours().await,
            None => Ok(()),
        }
    }

    /// Waits for something, and keeps the lease meanwhile.
    pub async fn renewing<T>(&self, work: impl Future<Output = T> + Send) -> T {
        let mut work = std::pin::pin!(work);
        let Some(lease) = self.lease() else { return work.await };
        loop {
            tokio::select! {
                outcome = &mut work => return outcome,
                () = tokio::time::sleep(lease.every()) => {
                    // What is under way is waited for all the same; the next write is refused.
                    if let Err(error) = lease.still_ours().await {
                        tracing::debug!(%error, "the lease is not renewed");
                    }
                }
            }
        }
    }

    fn lease(&self) -> Option<Arc<dyn Lease>> {
        self.0.lock().expect("no code panics while it holds the lock").clone()
    }
}

struct Guarded {
    store: Box<dyn Store>,
    guard: Guard,
}

#[async_trait]
impl Store for Guarded {
    fn location(&self) -> String {
        self.store.location()
    }

    fn unit_of(&self, address: &Address) -> Unit {
        self.store.unit_of(address)
    }

    async fn read(&self, addresses: &[Address]) -> Result<Snapshot, StoreError> {
        self.store.read(addresses).await
    }

    async fn write(
        &self,
        unit: &Unit,
        base: Option<&Version>,
        operation: &OperationId,
        changes: &[Change],
    ) -> Receipt {
        match self.guard.still_ours().await {
            // A write may have to wait too: for an environment that is being updated, for a name that is not free yet.
            Ok(()) => self.guard.renewing(self.store.write(unit, base, operation, changes)).await,
            Err(error) => Receipt::NotApplied(error),
        }
    }

    async fn review(&self, write: &Write) -> Result<Vec<String>, StoreError> {
        self.store.review(write).await
    }

    fn interval(&self, write: &Write) -> Duration {
        self.store.interval(write)
    }

    async fn detail(&self, seen: &mut Snapshot, addresses: &[Address]) -> Result<(), StoreError> {
        self.store.detail(seen, addresses).await
    }

    async fn settle(&self, receipt: &Applied) -> Result<(), StoreError> {
        self.guard.renewing(self.store.settle(receipt)).await
    }

    fn overwrote(&self, unit: &Unit, base: Option<&Version>, seen: &Snapshot) -> Option<Version> {
        self.store.overwrote(unit, base, seen)
    }
}
