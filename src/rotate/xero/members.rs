//! Which instances a rotation is about, by what is read under the lease: while a question stood, somebody may have logged
//! one of them in as another user, and that user's tokens are nobody else's.

use super::begun::Begun;
use super::login::{Held, logins};
use super::pair::{Pair, is_among};
use super::record::{Open, digest};
use crate::name::Instance;
use crate::secret::Secret;
use crate::xero::Claims;
use std::collections::{BTreeMap, BTreeSet};

/// Before anything was begun: those that have one login with the first of them, and those that have it but for what
/// another host was about to write when it vanished.
pub(super) fn together(
    home: &BTreeMap<Instance, Held>,
    first: &Instance,
    open: Option<&Open>,
    told: &[(String, Pair)],
) -> BTreeSet<Instance> {
    let logins = logins(home);
    let own = logins.iter().find(|login| login.contains(first)).or(logins.first());
    let mut own: BTreeSet<Instance> = own.into_iter().flatten().cloned().collect();
    let is_told = |name: &&Instance| {
        let token = home[*name].refresh.as_ref();
        let is_sent = |token| open.is_some_and(|open| open.from == digest(token));
        token.is_some_and(|token| {
            is_sent(token) || is_among(token, told.iter().map(|(_, pair)| &pair.refresh))
        })
    };
    if own.iter().any(|name| is_told(&name)) {
        own.extend(home.keys().filter(is_told).cloned());
    }
    own
}

/// After that: those that it began with, but for one that has another user's tokens by now.
pub(super) fn faithful(
    home: &BTreeMap<Instance, Held>,
    begun: &[Begun],
    answered: &[(usize, Pair)],
) -> BTreeSet<Instance> {
    let befores = || begun.iter().flat_map(|begun| begun.held.values());
    let accesses = befores().filter_map(|before| before.access.as_ref());
    let accesses = accesses.chain(answered.iter().filter_map(|(_, pair)| pair.access.as_ref()));
    let users: BTreeSet<String> = accesses.filter_map(|access| Claims::of(access).user).collect();
    let tokens: Vec<&Secret> = befores()
        .filter_map(|before| before.refresh.as_ref())
        .chain(begun.iter().map(|begun| &begun.token))
        .chain(answered.iter().map(|(_, pair)| &pair.refresh))
        .collect();
    let is_of_it = |held: &Held| {
        let known = held.refresh.as_ref().is_some_and(|token| is_among(token, tokens.iter().copied()));
        let user = held.claims().user;
        known || users.is_empty() || user.is_none_or(|user| users.contains(&user))
    };
    home.iter().filter(|(_, held)| is_of_it(held)).map(|(name, _)| name.clone()).collect()
}
