//! Effects whose answer is a value that a server chose: sealed the moment it arrives, before anybody looks into it.

use crate::journal::{JournalError, Operation, Step};
use crate::secret::Secret;
use std::future::Future;
use zeroize::Zeroizing;

/// Why there is no minted value. `Failed` is the call's own error: whether the server has changed is for the protocol to
/// find out, by a probe.
#[derive(Debug, thiserror::Error)]
pub enum MintError<E: std::error::Error + 'static> {
    /// The call failed, or its answer was lost.
    #[error("the server did not give a value")]
    Failed(#[source] E),
    /// The answer could not be kept.
    #[error("the server's answer could not be sealed")]
    Journal(#[from] JournalError),
}

/// Makes a call that gives a value, once: the answer is sealed in the operation before it is returned, and an operation
/// that is resumed gets the sealed answer instead of a second call.
///
/// `effect` names it within the operation: small letters, digits and `-`.
pub async fn mint<E: std::error::Error + 'static>(
    operation: &mut Operation,
    effect: &str,
    call: impl Future<Output = Result<Zeroizing<Vec<u8>>, E>>,
) -> Result<Secret, MintError<E>> {
    if let Some(kept) = operation.minted(effect)? {
        return Ok(kept);
    }
    operation.record(Step::Minting { name: effect.to_owned() })?;
    let answer = call.await.map_err(MintError::Failed)?;
    operation.keep_minted(effect, &answer)?;
    operation.minted(effect)?.ok_or_else(|| JournalError::Unknown(effect.to_owned()).into())
}
