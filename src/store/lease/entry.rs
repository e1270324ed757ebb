//! What stands in a lease for others to read. No secret is in it.

use super::Terms;
use super::rule::Mark;
use crate::store::{ErrorKind, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Time by which a holder may be late, beside the length of its lease: a date of AWS is told in whole seconds.
const SLACK: Duration = Duration::from_secs(5);

/// One state of a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// What this is, for whoever finds it: `lease`.
    strongroom: String,
    pub(super) state: State,
    owner: String,
    operation: String,
    /// How many milliseconds it lives unrenewed.
    ttl: u64,
    /// The same in all states of one taking of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<String>,
    #[serde(flatten)]
    pub(super) mark: Mark,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Held,
    Free,
}

impl Entry {
    pub(super) fn held(terms: &Terms, operation: &str, mark: Mark) -> Entry {
        Entry {
            strongroom: "lease".to_owned(),
            state: State::Held,
            owner: terms.owner.clone(),
            operation: operation.to_owned(),
            ttl: u64::try_from(terms.length.as_millis()).unwrap_or(u64::MAX),
            session: terms.session.clone(),
            mark,
        }
    }

    /// The same, given back.
    pub(super) fn freed(&self, mark: Mark) -> Entry {
        Entry { state: State::Free, mark, ..self.clone() }
    }

    /// What nobody of us has written: it holds nothing, and nothing follows from it.
    pub(super) fn foreign() -> Entry {
        let mark = Mark { nonce: "not a lease".to_owned(), base: -1, after: None };
        let nobody = Terms::new(String::new(), Duration::ZERO);
        Entry::held(&nobody, "", mark.clone()).freed(mark)
    }

    pub(super) fn read(text: &str) -> Entry {
        serde_json::from_str(text).unwrap_or_else(|_| Entry::foreign())
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("plain fields are JSON")
    }

    /// Whether its time has passed: `written` and `now` are told by one clock, that of the place.
    pub(super) fn is_over(&self, written: Option<Timestamp>, now: Option<Timestamp>) -> bool {
        let age = written.zip(now).map(|(written, now)| now.duration_since(written));
        let age = age.and_then(|age| Duration::try_from(age).ok());
        age.is_some_and(|age| age > Duration::from_millis(self.ttl) + SLACK)
    }

    /// What whoever wants the lease meanwhile is told.
    pub(super) fn busy(&self, location: &str, written: Option<Timestamp>) -> StoreError {
        let since =
            written.map(|at| format!(", since {}", at.strftime("%Y-%m-%dT%H:%M:%SZ"))).unwrap_or_default();
        let message = format!("held by {} for `{}`{since}", self.owner, self.operation);
        StoreError::new(ErrorKind::Busy, location, message).hint(format!(
            "wait until it is done; a lease that its owner does not renew ends after {} seconds",
            (Duration::from_millis(self.ttl) + SLACK).as_secs()
        ))
    }

    /// What its owner is told that has lost it to this.
    pub(super) fn lost(&self, location: &str) -> StoreError {
        let taken = match self.state {
            State::Held if !self.owner.is_empty() => {
                format!("{} has it for `{}`", self.owner, self.operation)
            }
            State::Held | State::Free => "somebody else took it and gave it back".to_owned(),
        };
        let message = format!("the lease was not renewed in time, and {taken}");
        StoreError::new(ErrorKind::Conflict, location, message)
            .hint("nothing more was written; `strongroom resume` goes on when the other one is done")
    }
}
