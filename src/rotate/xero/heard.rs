//! What home was told of a login by whoever rotated it last, and whether that is still about what home holds.

use super::login::Held;
use super::pair::Pair;
use super::record::{Open, Told, digest};
use crate::name::Instance;
use crate::xero::Tokens;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The pair of an answer, with the hash of the token that was sent for it.
pub(super) fn pair_of(told: &Told) -> Option<(String, Pair)> {
    Some((told.from.clone(), Pair::answered(Tokens::parse(&told.answer()).ok()?, told.at)))
}

/// Whether what another host has told is of a token that somebody holds still, or of an answer that is later than what
/// home holds. Of two of one second nobody knows. What home holds of an answer is as good as new while its access token lives;
/// after that nothing is left to do about it, whatever the record says.
pub(super) fn counts(
    open: &Open,
    told: &[(String, Pair)],
    home: &BTreeMap<Instance, Held>,
    now: Timestamp,
) -> bool {
    let tokens = || home.values().filter_map(|held| held.refresh.as_ref());
    let is_held = |pair: &Pair| {
        pair.ends.is_none_or(|ends| ends > now) && tokens().any(|token| token.same_as(&pair.refresh))
    };
    let is_stored = |pair: &Pair| {
        home.values().all(|held| held.refresh.as_ref().is_some_and(|token| token.same_as(&pair.refresh)))
    };
    let is_later = |pair: &Pair| {
        home.values().map(Held::claims).all(|held| {
            let same = pair.user().zip(held.user).is_none_or(|(ours, theirs)| ours == theirs);
            same && held.issued <= pair.issued
        })
    };
    tokens().any(|token| digest(token) == open.from)
        || told.iter().any(|(_, pair)| is_held(pair) || (is_later(pair) && !is_stored(pair)))
}
