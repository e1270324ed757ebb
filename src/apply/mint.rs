//! Effects whose answer is a value that a server chose: sealed the moment it arrives, before anybody looks into it.

use crate::journal::{Answer, JournalError, Operation, Step};
use std::future::Future;

/// Why there is no minted value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MintError<E: std::error::Error + 'static> {
    /// The call failed, or its answer was lost: whether the server has changed is for the protocol to find out, by a
    /// probe.
    #[error("the server did not give a value")]
    Failed(#[source] E),
    /// The answer came and could not be sealed. It is here, and nowhere else: the caller's last chance to keep it.
    #[error("the server's answer could not be sealed")]
    Unkept {
        /// What the server said.
        answer: Answer,
        /// Why it was not sealed.
        #[source]
        source: JournalError,
    },
    /// The journal failed before the call was made.
    #[error("the journal failed before the call")]
    Journal(#[from] JournalError),
}

/// Makes a call that gives a value, once: the answer is sealed in the operation before it is returned, and an operation
/// that is resumed gets the sealed answer instead of a second call.
///
/// `effect` names it within the operation: small letters, digits and `-`.
pub async fn mint<E: std::error::Error + 'static>(
    operation: &mut Operation,
    effect: &str,
    call: impl Future<Output = Result<Answer, E>>,
) -> Result<Answer, MintError<E>> {
    if let Some(kept) = operation.minted(effect)? {
        return Ok(kept);
    }
    operation.record(Step::Minting { name: effect.to_owned() })?;
    let answer = call.await.map_err(MintError::Failed)?;
    match operation.keep_minted(effect, &answer) {
        Ok(()) => Ok(answer),
        Err(source) => Err(MintError::Unkept { answer, source }),
    }
}
