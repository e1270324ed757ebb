//! What this run has seen of each secret: its last version, whether it is about to go, and what we did to it.
//!
//! Owns that memory, which saves calls and tells a read that lags behind our own write. It decides nothing.

use super::text::Found;
use crate::snapshot::Version;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// One memory for each store.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    secrets: BTreeMap<String, Secret>,
    /// Whether AWS said that we may not read in batches.
    single: bool,
}

#[derive(Debug, Default)]
struct Secret {
    found: Option<Arc<Found>>,
    leaving: Option<Leaving>,
    ours: Option<bool>,
    written: Option<Written>,
}

/// A secret that is scheduled for deletion, and what AWS says of when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leaving(pub(super) Timestamp);

/// A write of ours: what was there before, and what is there now.
#[derive(Debug)]
struct Written {
    before: Option<Version>,
    after: Option<Version>,
}

impl Seen {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no code panics while it holds the lock")
    }

    /// What a read showed; `None` where there is no such secret.
    pub(super) fn found(&self, name: &str, found: Option<Arc<Found>>) {
        let mut state = self.state();
        let secret = state.secrets.entry(name.to_owned()).or_default();
        if found.is_some() {
            secret.leaving = None;
        }
        secret.found = found;
        secret.written = None;
    }

    /// The secret as it was read at that version.
    pub(super) fn at(&self, name: &str, version: &Version) -> Option<Arc<Found>> {
        let state = self.state();
        state.secrets.get(name)?.found.clone().filter(|found| found.version == *version)
    }

    /// It is, or is no longer, scheduled for deletion.
    pub(super) fn leaves(&self, name: &str, leaving: Option<Leaving>) {
        self.state().secrets.entry(name.to_owned()).or_default().leaving = leaving;
    }

    pub(super) fn leaving(&self, name: &str) -> Option<Leaving> {
        self.state().secrets.get(name)?.leaving
    }

    /// Whether strongroom created it.
    pub(super) fn is_ours(&self, name: &str, ours: bool) {
        self.state().secrets.entry(name.to_owned()).or_default().ours = Some(ours);
    }

    pub(super) fn ours(&self, name: &str) -> Option<bool> {
        self.state().secrets.get(name)?.ours
    }

    /// We have put `after` (nothing, where it was deleted) in the place of `before`.
    pub(super) fn wrote(&self, name: &str, before: Option<Version>, after: Option<Version>) {
        let mut state = self.state();
        let secret = state.secrets.entry(name.to_owned()).or_default();
        secret.found = None;
        secret.written = Some(Written { before, after });
    }

    /// Whether what a read shows is from before our own write.
    pub(super) fn is_late(&self, name: &str, shown: Option<&Version>) -> bool {
        let state = self.state();
        let written = state.secrets.get(name).and_then(|secret| secret.written.as_ref());
        written.is_some_and(|written| written.before != written.after && written.before.as_ref() == shown)
    }

    /// We may not read in batches.
    pub(super) fn must_read_singly(&self) {
        self.state().single = true;
    }

    pub(super) fn reads_singly(&self) -> bool {
        self.state().single
    }
}
