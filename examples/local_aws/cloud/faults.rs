//! What goes wrong on purpose: which call of which action, and how.

use super::Refusal;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use std::time::Duration;

/// Runs beside a call, on a thread of its own; it may use the same cloud.
pub(crate) type Callback = Arc<dyn Fn() + Send + Sync>;

/// What happens to a call.
#[derive(Clone)]
pub(crate) enum Effect {
    /// The service's own way of saying "too many calls".
    Throttle,
    /// The service's own way of saying "not allowed".
    Deny,
    /// 500, nothing applied.
    Internal,
    /// 500, and it was applied all the same.
    InternalAfter,
    /// An error of the test's choice, nothing applied.
    Refuse(Refusal),
    /// The connection ends without an answer, nothing applied.
    Reset,
    /// The connection ends without an answer, and it was applied.
    LoseReply,
    /// The answer takes longer.
    Delay(Duration),
    /// A read answers from what was there before the last write.
    StaleRead,
    /// Something else happens just before the call is handled, which then goes on.
    Meanwhile(Callback),
    /// Something else happens just after the call was handled, before its answer is sent.
    Afterwards(Callback),
    /// The caller ends here: the callback kills it, nothing is applied and nothing answered.
    KillBefore(Callback),
    /// The caller ends here: the call is applied, the callback kills the caller, nothing is answered.
    KillAfter(Callback),
}

struct Fault {
    pattern: String,
    range: (Bound<usize>, Bound<usize>),
    seen: usize,
    effect: Effect,
}

/// The faults that are planned.
#[derive(Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    /// Plans an effect on the calls of `range` (counted from 1, from now on) among those that `pattern` names:
    /// `ssm:PutParameter`, `ssm:*` or `*`.
    pub(crate) fn plan(&mut self, pattern: &str, range: impl RangeBounds<usize>, effect: Effect) {
        let range = (range.start_bound().cloned(), range.end_bound().cloned());
        self.0.push(Fault { pattern: pattern.to_owned(), range, seen: 0, effect });
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Counts a call and tells what happens to it.
    pub(crate) fn strike(&mut self, name: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for fault in self.0.iter_mut().filter(|fault| covers(&fault.pattern, name)) {
            fault.seen += 1;
            if fault.range.contains(&fault.seen) {
                effects.push(fault.effect.clone());
            }
        }
        effects
    }

    /// Whether the state before the last write has to be kept.
    pub(crate) fn look_back(&self) -> bool {
        self.0.iter().any(|fault| matches!(fault.effect, Effect::StaleRead))
    }
}

fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}
