//! The lease: one operation at a time on an environment, whoever runs it and wherever.
//!
//! Owns what a lease promises and how a store is guarded by one. It is a lease and no lock: who does not renew it in time
//! has lost it, and learns so before the next write, never in the middle of one. Where it is kept: `parameter` in SSM,
//! `secret` in Secrets Manager, `local` in a file of this host for homes that keep nothing of their own.

mod date;
mod entry;
mod guard;
mod local;
mod parameter;
mod rule;
mod secret;
#[cfg(test)]
mod simulation;
mod witness;

pub use guard::Guard;
pub use local::LocalLeases;
pub use parameter::ParameterLeases;
pub use secret::SecretLeases;

use super::StoreError;
use async_trait::async_trait;
use entry::Entry;
use std::path::PathBuf;
use std::time::Duration;
use witness::Witness;

/// A place that gives leases on one environment.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Takes the lease for an operation (`sync`). Held by another it is an error of kind
    /// [`crate::store::ErrorKind::Busy`] that says by whom and since when; nothing is waited for.
    async fn take(&self, operation: &str) -> Result<Box<dyn Lease>, StoreError>;
}

/// A lease that was taken. One that is dropped without [`Lease::release`] ends by itself.
#[async_trait]
pub trait Lease: Send + Sync {
    /// Says that it is ours for another half of its length at least: renews it where less is left. Lost, it is an error of
    /// kind [`crate::store::ErrorKind::Conflict`]. To be asked before each write.
    async fn still_ours(&self) -> Result<(), StoreError>;

    /// How often [`Lease::still_ours`] is to be asked while something else is waited for.
    fn every(&self) -> Duration;

    /// Gives it back.
    async fn release(&self) -> Result<(), StoreError>;
}

/// What is the same for each lease that a process takes.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Who it is, for others: `alice@laptop, process 4711`.
    pub owner: String,
    /// How long it lives unrenewed.
    pub length: Duration,
    /// A clock that never goes back.
    pub clock: fn() -> Duration,
    /// The file of this host that tells whether whoever holds the lease lives.
    pub witness: Option<PathBuf>,
    /// Whether what a process of this host holds that has ended is taken over at once.
    pub inherits: bool,
    /// The name of one taking of the lease; whoever gives leases makes it.
    pub session: Option<String>,
}

impl Terms {
    /// Terms by this host's own clock, which goes on while the host sleeps.
    pub fn new(owner: String, length: Duration) -> Terms {
        Terms { owner, length, clock: since_boot, witness: None, inherits: false, session: None }
    }

    /// What this host knows of the lease, where that is to be had.
    fn witness(&self) -> Option<Witness> {
        self.witness.as_deref().and_then(Witness::at)
    }

    /// Whether a lease is of a process that has ended, and is taken over.
    fn inherits(&self, witness: Option<&Witness>, held: &Entry) -> bool {
        self.inherits && witness.is_some_and(|witness| witness.has_outlived(held))
    }
}

/// Time since the host was started, its sleep included where the system counts that.
fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    // Others have no such clock under one name; where the monotonic one stops in sleep, the length of the lease does too.
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(clock);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or_default(),
        u32::try_from(now.tv_nsec).unwrap_or_default(),
    )
}
