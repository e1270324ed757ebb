//! A strict local AWS: SSM, Secrets Manager, Beanstalk and STS over HTTP, for the real SDK, the real `aws` and people.
//!
//! Owns what the services hold and how they answer, with AWS's limits, pages, error codes and traps. It never verifies a
//! signature, never keeps anything on disk and never reaches a network beyond 127.0.0.1.

pub(crate) mod beanstalk;
mod form;
mod refusal;
pub(crate) mod xml;

pub(crate) use form::Form;
pub(crate) use refusal::Refusal;

/// When a call is handled, and the request ID that its answer carries.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) at: jiff::Timestamp,
    pub(crate) request: String,
}
