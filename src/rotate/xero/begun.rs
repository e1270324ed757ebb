//! What an operation began a round with, sealed beside its journal before anything is sent: the token that is sent, and
//! what home held of each instance then.
//!
//! Owns the wire format of that.

use super::login::Held;
use super::record::{Told, WireTold};
use crate::journal::Answer;
use crate::name::Instance;
use crate::secret::Secret;
use crate::xero::Spelling;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// What a round began with.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    /// What is sent.
    pub(super) token: Secret,
    /// From when on it was perhaps sent, also by an operation of another host.
    pub(super) first: Timestamp,
    /// Whether that operation may have used it up.
    pub(super) doubt: bool,
    pub(super) held: BTreeMap<Instance, Before>,
    /// What home was told of an answer to another token, which this round's intent takes the place of.
    pub(super) told: Option<Told>,
}

/// What home held of an instance.
#[derive(Debug, Clone, Default)]
pub(super) struct Before {
    pub(super) refresh: Option<Secret>,
    pub(super) version: Option<String>,
    pub(super) access: Option<Secret>,
    pub(super) spelled: Option<Spelled>,
}

/// How the app spells the time, by an example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spelled {
    pub(super) text: String,
    /// When the access token of that time ended, in seconds since 1970.
    pub(super) ends: Option<i64>,
}

impl Spelled {
    pub(super) fn of(held: &Held) -> Option<Spelled> {
        let text = held.expires.as_ref()?.expose().to_owned();
        Some(Spelled { text, ends: held.claims().expires.map(Timestamp::as_second) })
    }

    /// A time as the app would write it.
    pub(super) fn write(spelled: Option<&Spelled>, at: Timestamp) -> String {
        let read = |spelled: &Spelled| {
            let ends = spelled.ends.and_then(|seconds| Timestamp::from_second(seconds).ok());
            Some(Spelling::read(&spelled.text, ends)?.0)
        };
        spelled.and_then(read).unwrap_or_default().write(at)
    }
}

#[derive(Serialize, Deserialize)]
struct Wire<T> {
    token: T,
    first: i64,
    doubt: bool,
    held: BTreeMap<String, WireBefore<T>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    told: Option<WireTold<T>>,
}

#[derive(Serialize, Deserialize)]
struct WireBefore<T> {
    refresh: Option<T>,
    version: Option<String>,
    access: Option<T>,
    spelled: Option<Spelled>,
}

impl Begun {
    /// As it is sealed.
    pub(super) fn sealable(&self) -> Answer {
        let held = self.held.iter().map(|(instance, before)| {
            let before = WireBefore {
                refresh: before.refresh.as_ref().map(Secret::expose),
                version: before.version.clone(),
                access: before.access.as_ref().map(Secret::expose),
                spelled: before.spelled.clone(),
            };
            (instance.to_string(), before)
        });
        let (token, first) = (self.token.expose(), self.first.as_second());
        let told = self.told.as_ref().map(Told::wire);
        let wire = Wire { token, first, doubt: self.doubt, held: held.collect(), told };
        // Room for all of it, so that growing leaves no copy behind.
        let tokens = |before: &WireBefore<&str>| {
            before.refresh.map_or(0, str::len) + before.access.map_or(0, str::len) + 1024
        };
        let told = self.told.as_ref().map_or(0, |told| told.answer.len() + 128);
        let room = 2 * (token.len() + told + wire.held.values().map(tokens).sum::<usize>()) + 1024;
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        serde_json::to_writer(&mut *bytes, &wire).expect("texts and numbers always serialise");
        Answer::new(std::mem::take(&mut *bytes))
    }

    /// What was sealed; nothing where it is damaged.
    pub(super) fn read(sealed: &Answer) -> Option<Begun> {
        let wire: Wire<&RawValue> = serde_json::from_slice(sealed.expose()).ok()?;
        let before = |(name, before): (String, WireBefore<&RawValue>)| {
            let before = Before {
                refresh: before.refresh.and_then(secret),
                version: before.version,
                access: before.access.and_then(secret),
                spelled: before.spelled,
            };
            Some((name.parse().ok()?, before))
        };
        Some(Begun {
            token: secret(wire.token)?,
            first: Timestamp::from_second(wire.first).ok()?,
            doubt: wire.doubt,
            held: wire.held.into_iter().filter_map(before).collect(),
            told: wire.told.and_then(Told::read),
        })
    }
}

/// A text of JSON as a value.
pub(super) fn secret(raw: &RawValue) -> Option<Secret> {
    let mut text = Zeroizing::new(serde_json::from_str::<String>(raw.get()).ok()?);
    Secret::new(std::mem::take(&mut *text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_time_is_spelled_as_the_example() {
        let at = Timestamp::from_second(1_795_357_800).unwrap();
        let like = |text: &str, ends| Spelled::write(Some(&Spelled { text: text.to_owned(), ends }), at);
        assert_eq!(like("1795356000", None), "1795357800");
        assert_eq!(like("2026-11-22 14:00:00+00:00", None), "2026-11-22 14:30:00+00:00");
        // Half an hour between the app's time and the token's own is a time zone, where both are of one pair.
        assert_eq!(like("2026-11-22T14:30:00", Some(1_795_356_000)), "2026-11-22T15:00:00");
        assert_eq!(like("soon", None), "2026-11-22T14:30:00+00:00");
        assert_eq!(Spelled::write(None, at), "2026-11-22T14:30:00+00:00");
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_read_back(token in "[^\0]{1,40}", access in proptest::option::of("[^\0]{0,40}"), doubt: bool) {
            let of = |text: &str| Secret::new(text.to_owned()).unwrap();
            let spelled = Some(Spelled { text: token.clone(), ends: Some(7) });
            let before = Before {
                refresh: Some(of(&token)),
                version: Some("3".to_owned()),
                access: access.as_deref().map(of),
                spelled: spelled.clone(),
            };
            let first = Timestamp::from_second(1_795_356_000).unwrap();
            let held = [("1".parse().unwrap(), before)].into();
            let told = doubt.then(|| Told { from: "of".to_owned(), at: first, answer: of(&token) });
            let begun = Begun { token: of(&token), first, doubt, held, told };
            let read = Begun::read(&begun.sealable()).unwrap();
            prop_assert_eq!(read.told.map(|told| told.answer.expose().to_owned()), doubt.then(|| token.clone()));
            prop_assert_eq!((read.token.expose(), read.first, read.doubt), (token.as_str(), first, doubt));
            let one = &read.held[&"1".parse().unwrap()];
            prop_assert_eq!(one.access.as_ref().map(Secret::expose), access.as_deref());
            prop_assert_eq!(&one.spelled, &spelled);
        }
    }
}
