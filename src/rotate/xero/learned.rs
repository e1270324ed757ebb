//! What one run of a rotation learns on its way, for what it says and for what it does next.

use super::XeroLogin;
use crate::name::Instance;
use std::collections::BTreeMap;
use std::sync::MutexGuard;

/// What a run has learned.
#[derive(Debug, Default)]
pub struct Learned {
    /// What the organisations of the instances are called.
    pub(super) organisations: BTreeMap<String, String>,
    /// Whether this process has called Xero.
    pub(super) asked: bool,
    /// The instances that are of the login, as it was last looked at.
    pub(super) members: Option<Vec<Instance>>,
}

impl XeroLogin<'_> {
    pub(super) fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().expect("no code panics while it holds the lock")
    }

    pub(super) fn know(&self, organisations: &BTreeMap<String, String>) {
        self.learned().organisations.extend(organisations.clone());
    }

    /// The instances of the login: once it was looked at under the lease, those that are of it still.
    pub fn members(&self) -> Vec<Instance> {
        self.learned().members.clone().unwrap_or_else(|| self.instances.clone())
    }
}
