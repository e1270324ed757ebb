//! What home keeps of one login beside its tokens, for whoever comes next on whatever host: a refresh that is under way,
//! with its answer until that is stored, and who refreshed last.
//!
//! Owns the format `strongroom/xero` version 1, and the way it is written: once more is asked for than can be said, the
//! answer is left out. It is no value of the app's, goes through no plan, and is never undone.

use super::begun::{Spelled, secret};
use crate::journal::Answer;
use crate::name::{Address, Group, Instance, Key};
use crate::plan::{Change, Want, Write};
use crate::secret::Secret;
use crate::snapshot::{Entry, Version};
use crate::store::{ErrorKind, OperationId, Receipt, Store, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use zeroize::Zeroizing;

const FORMAT: &str = "strongroom/xero 1";
/// How often a write of it is tried that may help to try again.
const TRIES: u32 = 4;

/// What home knows of a login.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// A refresh that is under way, or was when its host vanished.
    pub open: Option<Open>,
    /// The last one that was finished.
    pub last: Option<Last>,
    /// The last one that Xero refused, until there is one that it does not.
    pub refused: Option<Refused>,
}

/// A refresh that is under way.
#[derive(Debug, Clone)]
pub struct Open {
    /// The operation.
    pub operation: String,
    /// Who runs it: `alice@laptop`.
    pub by: String,
    /// A hash of the token that is sent.
    pub from: String,
    /// From when on it was perhaps sent.
    pub first: Timestamp,
    /// How each instance's app spells the time.
    pub(super) spelled: BTreeMap<String, Spelled>,
    /// Hashes of the access tokens that the instances had: one of them beside another refresh token is not its own.
    pub(super) accesses: BTreeMap<String, String>,
    /// What Xero answered, until it is stored.
    pub(super) answer: Option<Secret>,
    /// What was answered before to another token, and is stored if Xero refuses this one.
    pub(super) earlier: Option<Told>,
}

/// An answer, with what it was an answer to.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// A hash of the token that was sent.
    pub(super) from: String,
    /// From when on it was perhaps sent.
    pub(super) at: Timestamp,
    /// What Xero answered.
    pub(super) answer: Secret,
}

/// A refresh that was finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// When, in seconds since 1970.
    pub at: i64,
    /// By whom: `alice@laptop`.
    pub by: String,
    /// What the organisations of the instances are called.
    #[serde(default)]
    pub organisations: BTreeMap<String, String>,
}

/// A refresh that Xero refused: nobody gets any further with these tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// When, in seconds since 1970.
    pub at: i64,
    /// Who asked: `alice@laptop`.
    pub by: String,
    /// Hashes of the refresh tokens.
    pub of: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Wire<T> {
    strongroom: String,
    open: Option<WireOpen<T>>,
    last: Option<Last>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<Refused>,
}

#[derive(Serialize, Deserialize)]
struct WireOpen<T> {
    operation: String,
    by: String,
    from: String,
    first: i64,
    spelled: BTreeMap<String, Spelled>,
    #[serde(default)]
    accesses: BTreeMap<String, String>,
    answer: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    earlier: Option<WireTold<T>>,
}

/// How an answer stands in a record, and in what a round began with.
#[derive(Serialize, Deserialize)]
pub(super) struct WireTold<T> {
    from: String,
    at: i64,
    answer: T,
}

/// A hash of a token that tells whether another one is the same.
pub(super) fn digest(token: &Secret) -> String {
    Sha256::digest(token.expose())[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Record {
    /// Where home keeps it, for the login that an instance of a group has.
    pub fn address(group: &Group, instance: &Instance) -> Address {
        let key = Key::parse(&format!("xero_{}", group.as_str().replace('-', "_")));
        let key = key.expect("a group is small letters, digits and -");
        Address::in_instance(Group::own(), instance.clone(), key)
    }

    /// Reads it; what is not of this format says nothing.
    pub fn read(text: &Secret) -> Record {
        let Ok(wire) = serde_json::from_str::<Wire<&RawValue>>(text.expose()) else {
            return Record::default();
        };
        if wire.strongroom != FORMAT {
            return Record::default();
        }
        let open = |open: WireOpen<&RawValue>| {
            Some(Open {
                operation: open.operation,
                by: open.by,
                from: open.from,
                first: Timestamp::from_second(open.first).ok()?,
                spelled: open.spelled,
                accesses: open.accesses,
                answer: open.answer.and_then(secret),
                earlier: open.earlier.and_then(Told::read),
            })
        };
        Record { open: wire.open.and_then(open), last: wire.last, refused: wire.refused }
    }

    /// Xero's refusal of a refresh token, where it is the one that was refused.
    pub fn refusal(&self, token: &Secret) -> Option<&Refused> {
        self.refused.as_ref().filter(|refused| refused.of.contains(&digest(token)))
    }

    fn text(&self) -> Secret {
        let open = self.open.as_ref().map(|open| WireOpen {
            operation: open.operation.clone(),
            by: open.by.clone(),
            from: open.from.clone(),
            first: open.first.as_second(),
            spelled: open.spelled.clone(),
            accesses: open.accesses.clone(),
            answer: open.answer.as_ref().map(Secret::expose),
            earlier: open.earlier.as_ref().map(Told::wire),
        });
        let length = self.open.as_ref().and_then(Open::told).map_or(0, |told| told.answer.len());
        let (last, refused) = (self.last.clone(), self.refused.clone());
        let wire = Wire { strongroom: FORMAT.to_owned(), open, last, refused };
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 * length + 16 * 1024));
        serde_json::to_writer(&mut *bytes, &wire).expect("texts and numbers always serialise");
        Secret::from_bytes(std::mem::take(&mut *bytes)).expect("JSON is text without NUL")
    }
}

impl Open {
    /// The same with an answer, where that is text.
    pub(super) fn with(mut self, answer: &Answer) -> Option<Open> {
        self.answer = Some(Secret::from_bytes(answer.expose().to_vec()).ok()?);
        self.earlier = None;
        Some(self)
    }

    /// The instances that it was about.
    pub(super) fn instances(&self) -> BTreeSet<Instance> {
        self.accesses.keys().chain(self.spelled.keys()).filter_map(|name| name.parse().ok()).collect()
    }

    /// The answer that it knows.
    pub(super) fn told(&self) -> Option<Told> {
        let own = |answer: &Secret| Told { from: self.from.clone(), at: self.first, answer: answer.clone() };
        self.answer.as_ref().map(own).or_else(|| self.earlier.clone())
    }
}

impl Told {
    /// The answer as it was sealed.
    pub(super) fn answer(&self) -> Answer {
        Answer::new(self.answer.expose().as_bytes().to_vec())
    }

    pub(super) fn wire(&self) -> WireTold<&str> {
        WireTold { from: self.from.clone(), at: self.at.as_second(), answer: self.answer.expose() }
    }

    pub(super) fn read(wire: WireTold<&RawValue>) -> Option<Told> {
        let at = Timestamp::from_second(wire.at).ok()?;
        Some(Told { from: wire.from, at, answer: secret(wire.answer)? })
    }
}

/// A record in its place.
pub(super) struct Shelf<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) address: Address,
}

impl Shelf<'_> {
    async fn held(&self) -> Result<(Option<Entry>, Option<Version>), StoreError> {
        let seen = self.store.read(std::slice::from_ref(&self.address)).await?;
        let base = seen.bases.get(&self.store.unit_of(&self.address)).cloned();
        Ok((seen.entries.get(&self.address).cloned(), base))
    }

    /// What is there.
    pub(super) async fn read(&self) -> Result<Record, StoreError> {
        let (entry, _) = self.held().await?;
        Ok(entry.and_then(|entry| entry.held.value().map(Record::read)).unwrap_or_default())
    }

    /// Puts it there. Whoever holds the lease is the only one who does.
    pub(super) async fn write(&self, operation: &OperationId, record: &Record) -> Result<(), StoreError> {
        self.put(operation, &record.text()).await
    }

    /// Puts a text there.
    pub(super) async fn put(&self, operation: &OperationId, text: &Secret) -> Result<(), StoreError> {
        let is_there = |entry: &Entry| entry.held.value().is_some_and(|now| now.same_as(text));
        let mut tried = 0;
        loop {
            let (before, base) = self.held().await?;
            if before.as_ref().is_some_and(is_there) {
                return Ok(());
            }
            let Err((error, again)) = self.write_one(operation, before, base, text).await else {
                return Ok(());
            };
            tried += 1;
            if !again || tried == TRIES {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(50 << tried)).await;
        }
    }

    /// Puts what is there in its place once more, which shows that it may be written; `false` where nothing is there. Who
    /// is overtaken by somebody else has seen as much.
    pub(super) async fn put_back(&self, operation: &OperationId) -> Result<bool, StoreError> {
        let mut tried = 0;
        loop {
            let (before, base) = self.held().await?;
            let Some(text) = before.as_ref().and_then(|entry| entry.held.value()).cloned() else {
                return Ok(false);
            };
            let Err((error, again)) = self.write_one(operation, before, base, &text).await else {
                return Ok(true);
            };
            tried += 1;
            match error.kind {
                ErrorKind::Conflict => return Ok(true),
                _ if !again || tried == TRIES => return Err(error),
                _ => tokio::time::sleep(Duration::from_millis(50 << tried)).await,
            }
        }
    }

    /// Writes once; an error with whether it may help to try again.
    async fn write_one(
        &self,
        operation: &OperationId,
        before: Option<Entry>,
        base: Option<Version>,
        text: &Secret,
    ) -> Result<(), (StoreError, bool)> {
        let change = Change { address: self.address.clone(), before, after: Want::value(text.clone()) };
        let write = Write {
            place: String::new(),
            unit: self.store.unit_of(&self.address),
            base,
            changes: vec![change],
            notes: Vec::new(),
        };
        let once = |error| (error, false);
        self.store.review(&write).await.map_err(once)?;
        match self.store.write(&write.unit, write.base.as_ref(), operation, &write.changes).await {
            Receipt::Applied(applied) => self.store.settle(&applied).await.map_err(once),
            Receipt::Unknown(error) => Err((error, true)),
            Receipt::NotApplied(error) => {
                let again = matches!(error.kind, ErrorKind::Transient | ErrorKind::Conflict);
                Err((error, again))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned()).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back_and_shows_no_token() {
        let open = Open {
            operation: "20260102-030405-k3x9pq".to_owned(),
            by: "alice@laptop".to_owned(),
            from: digest(&secret("canary-old")),
            first: Timestamp::from_second(1_795_356_000).unwrap(),
            spelled: [("1".to_owned(), Spelled { text: "1795356000".to_owned(), ends: None })].into(),
            accesses: BTreeMap::new(),
            answer: None,
            earlier: None,
        };
        let open = open.with(&Answer::new(b"strongroom/answer 1\n\n{\"canary\":\"\\\"\"}".to_vec())).unwrap();
        let last = Last { at: 7, by: "bob@desk".to_owned(), organisations: BTreeMap::new() };
        let refused = Refused { at: 7, by: "bob@desk".to_owned(), of: vec![digest(&secret("canary-old"))] };
        let record = Record { open: Some(open), last: Some(last.clone()), refused: Some(refused) };
        assert!(!format!("{record:?}").contains("canary"));
        let read = Record::read(&record.text());
        assert_eq!(read.last, Some(last));
        assert!(read.refusal(&secret("canary-old")).is_some() && read.refusal(&secret("another")).is_none());
        let read = read.open.unwrap();
        assert_eq!(read.told().unwrap().answer().expose(), b"strongroom/answer 1\n\n{\"canary\":\"\\\"\"}");
        assert_eq!(read.from, digest(&secret("canary-old")));
        let before = r#"{"strongroom":"strongroom/xero 1","open":null,"last":{"at":7,"by":"bob@desk"}}"#;
        assert_eq!(Record::read(&secret(before)).last.map(|last| last.at), Some(7), "of an earlier version");
        // The next round has told home of its own token, and of the answer that it may need still.
        let next = Open { from: "next".to_owned(), answer: None, earlier: read.told(), ..read };
        let next = Record { open: Some(next), ..Record::default() };
        let told = Record::read(&next.text()).open.unwrap().told().unwrap();
        assert_eq!((told.from, told.at.as_second()), (digest(&secret("canary-old")), 1_795_356_000));
        for odd in ["", "{}", "null", r#"{"strongroom":"strongroom/xero 2","open":null,"last":null}"#] {
            let read = Record::read(&secret(odd));
            assert!(read.open.is_none() && read.last.is_none(), "{odd}");
        }
    }

    #[test]
    fn each_instance_of_each_group_has_a_record_of_its_own() {
        let at = |group: &str, instance: &str| {
            Record::address(&group.parse().unwrap(), &instance.parse().unwrap()).to_string()
        };
        assert_eq!(at("xero", "1"), "_strongroom/1/xero_xero");
        assert_eq!(at("xero-nz", "a.b"), "_strongroom/a.b/xero_xero_nz");
    }
}
