//! A permission that was tried by using it: one call that only reads.

use super::{ErrorKind, StoreError};

/// One call that only reads, and what came of it.
#[derive(Debug)]
pub struct Probe {
    /// What the identity must be allowed: `ssm:GetParameters`.
    pub action: &'static str,
    /// On what: an ARN, or `*`.
    pub resource: String,
    /// Whether it went through. What is not there is allowed all the same.
    pub outcome: Result<(), StoreError>,
    /// AWS does not take these credentials, whatever they may be allowed.
    pub is_stranger: bool,
}

impl Probe {
    /// What came of a call of a place: absence is an answer.
    pub(super) fn of<T>(
        action: &'static str,
        resource: String,
        answer: Result<T, super::aws::Failure>,
        absent: &[&str],
        location: &str,
    ) -> Probe {
        let is_stranger = answer.as_ref().is_err_and(|failure| failure.is_of_credentials());
        let outcome = match answer {
            Ok(_) => Ok(()),
            Err(failure) if absent.iter().any(|code| failure.is(code)) => Ok(()),
            Err(failure) => Err(failure.at(location, action, &resource)),
        };
        Probe { action, resource, outcome, is_stranger }
    }

    /// Whether AWS refused it for want of a permission.
    pub fn is_denied(&self) -> bool {
        self.outcome.as_ref().is_err_and(|error| error.kind == ErrorKind::Denied)
    }
}
