//! One way to make a call: in its turn, again where that is safe, and with a failure that says what became of it.
//!
//! Owns the repetitions. It never knows what a call does beyond what its [`Request`] says.

use super::Aws;
use super::failure::{Failure, Reach};
use super::pace::Family;
use crate::secret::Secret;
use crate::store::ErrorKind;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use rand::RngExt;
use std::error::Error;
use std::time::Duration;
use tracing::debug;

/// How often a throttled call is tried.
const THROTTLED: u32 = 10;
/// How often any other call that may be repeated is tried.
const FAILED: u32 = 4;

/// When a call may be sent a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Again {
    /// Whenever it failed in a way that may pass: it reads, or AWS recognises the repetition.
    Always,
    /// Only where AWS said that it did nothing and may do it later: it writes.
    IfRefused,
}

/// What is said of a call beside the call itself.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Request<'a> {
    /// What the identity must be allowed: `ssm:PutParameter`.
    pub(in crate::store) action: &'static str,
    /// What AWS counts it with.
    pub(in crate::store) family: Family,
    /// Whether it may be repeated.
    pub(in crate::store) again: Again,
    /// The values that it carries, which no message may repeat.
    pub(in crate::store) values: &'a [&'a Secret],
}

impl Request<'_> {
    /// A call that reads.
    pub(in crate::store) fn read(action: &'static str, family: Family) -> Request<'static> {
        Request { action, family, again: Again::Always, values: &[] }
    }
}

impl Aws {
    /// The time between two calls of a family at the quota's pace.
    pub(in crate::store) fn interval(&self, family: Family) -> Duration {
        self.pacers.of(family).interval()
    }

    /// Makes a call in its turn. Throttling is waited out; what else may be repeated is repeated as the request says.
    pub(in crate::store) async fn call<T, E, F>(
        &self,
        request: &Request<'_>,
        send: impl Fn() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        let pacer = self.pacers.of(request.family);
        let mut attempt = 1;
        loop {
            pacer.turn().await;
            let error = match send().await {
                Ok(answer) => {
                    pacer.taken();
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let failure = Failure::of(&error, request.values);
            debug!(action = request.action, code = failure.code.as_deref(), attempt, "failed");
            let attempts = if failure.throttled() {
                pacer.throttled();
                THROTTLED
            } else {
                FAILED
            };
            let repeatable = failure.kind == ErrorKind::Transient
                && (request.again == Again::Always || failure.reach == Reach::Nothing);
            if !repeatable || attempt == attempts {
                return Err(failure);
            }
            tokio::time::sleep(pause(attempt)).await;
            attempt += 1;
        }
    }
}

/// Twice as long each time, up to five seconds, and never in step with others.
fn pause(attempt: u32) -> Duration {
    let most = (100_u64 << attempt.min(6)).min(5_000);
    Duration::from_millis(rand::rng().random_range(most / 2..=most))
}
