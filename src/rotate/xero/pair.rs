//! A pair of tokens as a rotation weighs it: whose it is does not matter, which was given last does.

use crate::secret::Secret;
use crate::xero::{Claims, Tokens};
use jiff::Timestamp;

/// A refresh token, with the access token that came with it where that is known.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    /// For the next pair.
    pub(super) refresh: Secret,
    /// For calls.
    pub(super) access: Option<Secret>,
    /// When it was given, as the access token says.
    pub(super) issued: Option<Timestamp>,
    /// When the access token ends.
    pub(super) ends: Option<Timestamp>,
}

impl Pair {
    /// Out of an answer to a question that was put then.
    pub(super) fn answered(tokens: Tokens, asked: Timestamp) -> Pair {
        Pair {
            issued: tokens.access.claims.issued,
            ends: Some(tokens.access.expires_at(asked)),
            access: Some(tokens.access.token),
            refresh: tokens.refresh_token,
        }
    }

    /// As somebody else has stored it.
    pub(super) fn seen(refresh: &Secret, access: Option<&Secret>) -> Pair {
        let claims = access.map(Claims::of).unwrap_or_default();
        let (access, refresh) = (access.cloned(), refresh.clone());
        Pair { refresh, access, issued: claims.issued, ends: claims.expires }
    }

    /// Whose it is, where its access token tells.
    pub(super) fn user(&self) -> Option<String> {
        Claims::of(self.access.as_ref()?).user
    }
}

/// Whether a token is one of these.
pub(super) fn is_among<'a>(token: &Secret, all: impl IntoIterator<Item = &'a Secret>) -> bool {
    all.into_iter().any(|one| one.same_as(token))
}
