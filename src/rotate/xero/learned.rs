//! What one run of a rotation learns on its way, for what it says and for what it does next.

use super::XeroLogin;
use crate::name::Instance;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::MutexGuard;

/// What a run has learned.
#[derive(Debug, Default)]
pub struct Learned {
    /// What the organisations of the instances are called.
    pub(super) organisations: BTreeMap<String, String>,
    /// Whether this process has called Xero.
    pub(super) asked: bool,
    /// How often, since it was put off.
    pub(super) calls: usize,
    /// Until when Xero takes the token that was sent last.
    pub(super) deadline: Option<Timestamp>,
    /// Whether it was sent.
    pub(super) sent: bool,
    /// Whether Xero's answer is kept.
    pub(super) answered: bool,
    /// When to ask again, where others come first.
    pub(super) put_off: Option<Timestamp>,
    /// The instances that are of the login, as it was last looked at.
    pub(super) members: Option<Vec<Instance>>,
}

impl XeroLogin<'_> {
    pub(super) fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().expect("no code panics while it holds the lock")
    }

    /// How often Xero was called in this turn, and whether it ever was.
    pub(super) fn calls(&self) -> (usize, bool) {
        let learned = self.learned();
        (learned.calls, learned.asked)
    }

    pub(super) fn know(&self, organisations: &BTreeMap<String, String>) {
        self.learned().organisations.extend(organisations.clone());
    }

    /// When to ask again, where this was left for others that wait.
    pub fn put_off(&self) -> Option<Timestamp> {
        let mut learned = self.learned();
        learned.calls = 0;
        learned.put_off.take()
    }

    /// The instances of the login: once it was looked at under the lease, those that are of it still.
    pub fn members(&self) -> Vec<Instance> {
        self.learned().members.clone().unwrap_or_else(|| self.instances.clone())
    }
}
