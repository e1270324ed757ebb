//! What can go wrong at a call, and a wrapper that lets it go wrong at the one that is asked for.

use super::places::World;
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use strongroom::name::Address;
use strongroom::plan::Change;
use strongroom::snapshot::{Snapshot, Unit, Version};
use strongroom::store::{Applied, ErrorKind, OperationId, Receipt, Store, StoreError};
use tokio::sync::Notify;

/// What happens at one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The process dies before the call.
    KilledBefore,
    /// The call is made, and the process dies before it sees the answer.
    KilledAfter,
    /// The call is made, and its answer never comes.
    ReplyLost,
    /// The place says to try later.
    Throttled,
    /// The place says no.
    Denied,
    /// From this call on nothing gets through.
    NetworkGone,
}

impl Fault {
    pub(super) const ALL: [Fault; 6] = [
        Fault::KilledBefore,
        Fault::KilledAfter,
        Fault::ReplyLost,
        Fault::Throttled,
        Fault::Denied,
        Fault::NetworkGone,
    ];
}

/// Counts the calls of one process, and makes one of them go wrong.
pub(super) struct Schedule {
    calls: AtomicUsize,
    fault: Option<(usize, Fault)>,
    pub(super) killed: Notify,
}

impl Schedule {
    pub(super) fn fault_at(call: usize, fault: Fault) -> Arc<Schedule> {
        Arc::new(Schedule { calls: AtomicUsize::new(0), fault: Some((call, fault)), killed: Notify::new() })
    }

    pub(super) fn clean() -> Arc<Schedule> {
        Arc::new(Schedule { calls: AtomicUsize::new(0), fault: None, killed: Notify::new() })
    }

    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(super) fn next(&self) -> Option<Fault> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            Some((at, fault)) if at == call => Some(fault),
            Some((at, Fault::NetworkGone)) if call > at => Some(Fault::NetworkGone),
            _ => None,
        }
    }

    pub(super) async fn die<T>(&self) -> T {
        self.killed.notify_one();
        std::future::pending().await
    }
}

pub(super) fn error(fault: Fault) -> StoreError {
    let (kind, message) = match fault {
        Fault::Denied => (ErrorKind::Denied, "not allowed"),
        Fault::Throttled => (ErrorKind::Transient, "slow down"),
        _ => (ErrorKind::Transient, "no answer"),
    };
    StoreError::new(kind, "place", message)
}

/// A place of which some calls go wrong.
pub(super) struct Faulty<S> {
    pub(super) store: Arc<S>,
    pub(super) schedule: Arc<Schedule>,
}

impl<S: Store> Faulty<S> {
    /// Makes the call, or lets it go wrong; what is told of it then is the fault.
    async fn call<T>(&self, call: impl Future<Output = T>) -> Result<T, Fault> {
        match self.schedule.next() {
            None => Ok(call.await),
            Some(Fault::KilledBefore) => self.schedule.die().await,
            Some(Fault::KilledAfter) => {
                drop(call.await);
                self.schedule.die().await
            }
            Some(Fault::ReplyLost) => {
                drop(call.await);
                Err(Fault::ReplyLost)
            }
            Some(fault) => Err(fault),
        }
    }
}

#[async_trait]
impl<S: Store> Store for Faulty<S> {
    fn location(&self) -> String {
        self.store.location()
    }

    fn unit_of(&self, address: &Address) -> Unit {
        self.store.unit_of(address)
    }

    async fn read(&self, addresses: &[Address]) -> Result<Snapshot, StoreError> {
        self.call(self.store.read(addresses)).await.map_err(error)?
    }

    async fn write(
        &self,
        unit: &Unit,
        base: Option<&Version>,
        operation: &OperationId,
        changes: &[Change],
    ) -> Receipt {
        match self.call(self.store.write(unit, base, operation, changes)).await {
            Ok(receipt) => receipt,
            Err(fault @ (Fault::ReplyLost | Fault::NetworkGone)) => Receipt::Unknown(error(fault)),
            Err(fault) => Receipt::NotApplied(error(fault)),
        }
    }

    async fn settle(&self, receipt: &Applied) -> Result<(), StoreError> {
        self.call(self.store.settle(receipt)).await.map_err(error)?
    }

    fn overwrote(&self, unit: &Unit, base: Option<&Version>, seen: &Snapshot) -> Option<Version> {
        self.store.overwrote(unit, base, seen)
    }
}

/// A kind of place: its world, and a door to it for one process.
pub(super) struct Place {
    pub(super) name: &'static str,
    pub(super) world: Arc<dyn World>,
    pub(super) door: Box<dyn Fn(Arc<Schedule>) -> Box<dyn Store>>,
}

impl Place {
    pub(super) fn of<W>(name: &'static str, world: Arc<W>) -> Place
    where
        W: World + Store + 'static,
    {
        let inside = world.clone();
        let door = move |schedule| -> Box<dyn Store> { Box::new(Faulty { store: inside.clone(), schedule }) };
        Place { name, world, door: Box::new(door) }
    }
}
