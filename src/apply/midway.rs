//! Errors of an operation of several publishes: what says of itself that nothing was changed is true only before its
//! first write.

use super::ApplyError;
use super::carry_out::stopped;
use crate::journal::Operation;
use crate::name::Address;

/// An error as the operation has it: where something of it may be in the world, it stopped midway.
pub fn midway(operation: &Operation, error: ApplyError) -> ApplyError {
    if !operation.touched() {
        return error;
    }
    let source = match error {
        ApplyError::Read(source) | ApplyError::Nothing(source) => source,
        ApplyError::Refused(mut all) if !all.is_empty() => Box::new(all.remove(0)),
        other => return other,
    };
    stopped(operation, *source)
}

/// Somebody else holds something else at these addresses of a place.
pub fn conflict(operation: &Operation, place: &str, addresses: Vec<Address>) -> ApplyError {
    ApplyError::Conflict {
        operation: operation.touched().then(|| operation.id().clone()),
        addresses: addresses.into_iter().map(|address| (place.to_owned(), address)).collect(),
        covered: None,
        midway: operation.touched(),
    }
}
