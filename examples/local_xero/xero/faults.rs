//! What goes wrong on purpose: which call of which endpoint, when in it, and how.

use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use std::time::Duration;

/// Runs beside a call; it may use the same server.
pub(crate) type Callback = Arc<dyn Fn() + Send + Sync>;

/// Before the call is looked at, so that nothing is used up; or after it, before a byte of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Before,
    After,
}

/// What happens to a call.
#[derive(Clone)]
pub(crate) enum Effect {
    /// The connection ends.
    Drop(When),
    /// The connection ends with a reset.
    Reset(When),
    /// Nothing comes until the caller goes away.
    Hang(When),
    /// A page of a gateway with that status.
    Page(When, u16),
    /// 429 with that `Retry-After`, and that limit.
    TooMany(When, Option<&'static str>, &'static str),
    /// An OAuth error.
    Error(u16, &'static str),
    /// The answer takes longer.
    Slow(Duration),
    /// The answer ends in the middle of its body.
    Cut,
    /// The answer ends in the middle of its body, and says that this is all of it.
    Short,
    /// An answer of status 200 with this body.
    Body(&'static str),
    /// The answer without a member.
    Without(&'static str),
    /// The answer with a member in another spelling of JSON.
    Odd(&'static str, &'static str),
    /// The answer has a member twice, the first time with this value.
    Twice(&'static str, &'static str),
    /// The answer says that it is something else.
    Content(&'static str),
    /// The answer is packed, which nobody asked for.
    Packed,
    /// The caller is sent elsewhere.
    Redirect(String),
    /// Something else happens just before the call is looked at.
    Meanwhile(Callback),
    /// Something else happens when the call was looked at, before it is answered.
    Afterwards(Callback),
}

impl Effect {
    /// Whether it strikes before the call is looked at.
    pub(super) fn comes_first(&self) -> bool {
        match self {
            Effect::Drop(when)
            | Effect::Reset(when)
            | Effect::Hang(when)
            | Effect::Page(when, _)
            | Effect::TooMany(when, ..) => *when == When::Before,
            Effect::Error(..) | Effect::Redirect(_) | Effect::Meanwhile(_) => true,
            _ => false,
        }
    }
}

struct Fault {
    path: String,
    range: (Bound<usize>, Bound<usize>),
    seen: usize,
    effect: Effect,
}

/// The faults that are planned.
#[derive(Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    /// Plans an effect on the calls of `range` (counted from 1, from now on) to a path.
    pub(crate) fn plan(&mut self, path: &str, range: impl RangeBounds<usize>, effect: Effect) {
        let range = (range.start_bound().cloned(), range.end_bound().cloned());
        self.0.push(Fault { path: path.to_owned(), range, seen: 0, effect });
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Counts a call and tells what happens to it.
    pub(super) fn strike(&mut self, path: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for fault in self.0.iter_mut().filter(|fault| fault.path == path) {
            fault.seen += 1;
            if fault.range.contains(&fault.seen) {
                effects.push(fault.effect.clone());
            }
        }
        effects
    }
}
