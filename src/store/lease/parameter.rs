//! A lease in SSM: a parameter whose versions tell who has it, by the rule beside this file.
//!
//! It is written and never deleted, and never labelled. Its type is String: there is nothing secret in it.

use super::date::Date;
use super::entry::{Entry, State};
use super::rule::{Mark, Verdict, newest_that_counts, verdict};
use super::witness::Witness;
use super::{Lease, Leases, Terms};
use crate::store::aws::{Again, Aws, Clients, Failure, Family, Reach, Request, timestamp};
use crate::store::{ErrorKind, StoreError};
use async_trait::async_trait;
use aws_sdk_ssm::types::{ParameterTier, ParameterType, Tag};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

const PUT: &str = "ssm:PutParameter";
const GET: &str = "ssm:GetParameter";
const HISTORY: &str = "ssm:GetParameterHistory";
const PAGE: i32 = 50;
/// How often somebody else may come in between before we say that it is busy.
const TRIES: u32 = 4;
/// The pauses before a version is looked for again that must be there soon, if it is at all.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_millis(1_000),
];

/// The lease of an environment whose home is SSM.
#[derive(Clone)]
pub struct ParameterLeases {
    aws: Arc<Aws>,
    name: String,
    tags: Vec<(String, String)>,
    terms: Terms,
}

/// One version of the parameter.
struct Seen {
    number: i64,
    entry: Entry,
    written: Option<Timestamp>,
}

/// All versions that are kept, oldest first, and the time when they were looked at.
struct Look {
    versions: Vec<Seen>,
    now: Option<Timestamp>,
}

impl Look {
    /// What counts now.
    fn counting(&self) -> Option<&Seen> {
        let marks: Vec<(i64, &Mark)> =
            self.versions.iter().map(|seen| (seen.number, &seen.entry.mark)).collect();
        newest_that_counts(&marks).map(|at| &self.versions[at])
    }

    /// A mark that follows all of them.
    fn next(&self) -> Mark {
        match self.versions.last() {
            Some(last) => follow(last.number, &last.entry.mark),
            None => Mark { nonce: nonce(), base: 0, after: None },
        }
    }
}

/// What is ours of a lease.
#[derive(Debug, Clone)]
struct Ours {
    version: i64,
    entry: Entry,
    /// When the put that made it so was sent, by our own clock.
    since: Duration,
}

struct ParameterLease {
    leases: ParameterLeases,
    operation: String,
    ours: Mutex<Ours>,
    _witness: Option<Witness>,
}

impl ParameterLeases {
    /// The lease that a parameter of this name stands for. `tags` are those of what strongroom creates.
    pub fn new(aws: Arc<Aws>, name: String, tags: Vec<(String, String)>, terms: Terms) -> ParameterLeases {
        ParameterLeases { aws, name, tags, terms }
    }

    fn location(&self) -> String {
        format!("lease {}", self.name)
    }

    fn failed(&self, failure: Failure, action: &str) -> StoreError {
        failure.at(&self.location(), action, &self.name)
    }

    async fn look(&self) -> Result<Look, StoreError> {
        let clients = self.aws.clients().await?;
        let request = Request::read(HISTORY, Family::ParameterLists);
        let (mut versions, mut token, date) = (Vec::new(), None::<String>, Date::default());
        loop {
            let answer = self.aws.call(&request, || {
                let page = clients.ssm.get_parameter_history().name(&self.name).max_results(PAGE);
                page.set_next_token(token.clone()).customize().interceptor(date.clone()).send()
            });
            let answer = match answer.await {
                Ok(answer) => answer,
                Err(failure) if failure.is("ParameterNotFound") => break,
                Err(failure) => return Err(self.failed(failure, HISTORY)),
            };
            for past in answer.parameters.unwrap_or_default() {
                let entry = Entry::read(past.value.as_deref().unwrap_or_default());
                let written = past.last_modified_date.as_ref().and_then(timestamp);
                versions.push(Seen { number: past.version, entry, written });
            }
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        versions.sort_by_key(|seen| seen.number);
        Ok(Look { versions, now: date.told() })
    }

    /// The mark of one version, where it is to be seen.
    async fn mark_of(&self, version: i64) -> Result<Option<Mark>, StoreError> {
        let clients = self.aws.clients().await?;
        let request = Request::read(GET, Family::ParameterReads);
        let selected = format!("{}:{version}", self.name);
        let answer = self.aws.call(&request, || clients.ssm.get_parameter().name(&selected).send()).await;
        match answer {
            Ok(answer) => {
                let text = answer.parameter.and_then(|parameter| parameter.value);
                Ok(text.map(|text| Entry::read(&text).mark))
            }
            Err(failure) if failure.is("ParameterNotFound") || failure.is("ParameterVersionNotFound") => {
                Ok(None)
            }
            Err(failure) => Err(self.failed(failure, GET)),
        }
    }

    /// Puts an entry, and says what became of it.
    async fn put(&self, entry: &Entry) -> Result<Verdict, StoreError> {
        let base = entry.mark.base;
        let answered = match self.send(self.aws.clients().await?, entry).await {
            Ok(version) if version != base + 1 => return Ok(Verdict::Lost),
            Ok(_) => true,
            Err(failure) if failure.is("ParameterAlreadyExists") => return Ok(Verdict::Lost),
            Err(failure) if failure.reach == Reach::Nothing => return Err(self.failed(failure, PUT)),
            Err(_) => false,
        };
        for pause in PAUSES {
            let at = if answered { Some(entry.mark.clone()) } else { self.mark_of(base + 1).await? };
            let before = if base > 0 && at.is_some() { self.mark_of(base).await? } else { None };
            match verdict(&entry.mark, at.as_ref(), before.as_ref()) {
                Verdict::Unseen => tokio::time::sleep(pause).await,
                known => return Ok(known),
            }
        }
        Ok(Verdict::Unseen)
    }

    async fn send(&self, clients: &Clients, entry: &Entry) -> Result<i64, Failure> {
        let request =
            Request { action: PUT, family: Family::ParameterWrites, again: Again::IfRefused, values: &[] };
        let create = entry.mark.base == 0;
        let tags = create.then(|| {
            let built =
                self.tags.iter().filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok());
            built.collect::<Vec<_>>()
        });
        let answer = self.aws.call(&request, || {
            let call = clients.ssm.put_parameter().name(&self.name).value(entry.text());
            let call = call.r#type(ParameterType::String).tier(ParameterTier::Standard);
            call.overwrite(!create).set_tags(tags.clone()).send()
        });
        answer.await.map(|answer| answer.version)
    }
}

#[async_trait]
impl Leases for ParameterLeases {
    async fn take(&self, operation: &str) -> Result<Box<dyn Lease>, StoreError> {
        let mut put: Vec<(Entry, Duration)> = Vec::new();
        let (mut leases, mut witness) = (self.clone(), self.terms.witness());
        for _ in 0..TRIES {
            let look = self.look().await?;
            if let Some(held) = look.counting().filter(|seen| seen.entry.state == State::Held) {
                // One of our own puts whose answer was lost may have won meanwhile.
                if let Some((entry, since)) = put.iter().find(|(entry, _)| *entry == held.entry) {
                    return Ok(leases.given(operation, held.number, (entry, *since), witness));
                }
                let ended = held.entry.is_over(held.written, look.now)
                    || self.terms.inherits(witness.as_ref(), &held.entry);
                if !ended {
                    return Err(held.entry.busy(&self.location(), held.written));
                }
            }
            if leases.terms.session.is_none() {
                leases.terms.session = witness.as_mut().and_then(Witness::name);
            }
            let entry = Entry::held(&leases.terms, operation, look.next());
            let since = (self.terms.clock)();
            if self.put(&entry).await? == Verdict::Won {
                return Ok(leases.given(operation, entry.mark.base + 1, (&entry, since), witness));
            }
            put.push((entry, since));
        }
        let message = "others take it at the same time";
        Err(StoreError::new(ErrorKind::Busy, self.location(), message).hint("try again in a moment"))
    }
}

impl ParameterLeases {
    fn given(
        self,
        operation: &str,
        version: i64,
        (entry, since): (&Entry, Duration),
        witness: Option<Witness>,
    ) -> Box<dyn Lease> {
        let ours = Mutex::new(Ours { version, entry: entry.clone(), since });
        Box::new(ParameterLease { leases: self, operation: operation.to_owned(), ours, _witness: witness })
    }
}

impl ParameterLease {
    /// Puts the next state of a lease that is ours; nothing where it is not ours any more.
    async fn advance(&self, ours: &mut Ours, free: bool) -> Result<(), StoreError> {
        let leases = &self.leases;
        let mut mark = follow(ours.version, &ours.entry.mark);
        let mut put: Vec<(Entry, Duration)> = Vec::new();
        for _ in 0..TRIES {
            let since = (leases.terms.clock)();
            let entry = match free {
                true => ours.entry.freed(mark),
                false => Entry::held(&leases.terms, &self.operation, mark),
            };
            if leases.put(&entry).await? == Verdict::Won {
                *ours = Ours { version: entry.mark.base + 1, entry, since };
                return Ok(());
            }
            put.push((entry, since));
            // Somebody who came too late may have put something that does not count: then it is ours all the same.
            let look = leases.look().await?;
            let Some(counting) = look.counting() else { break };
            if let Some((entry, since)) = put.iter().find(|(entry, _)| *entry == counting.entry) {
                *ours = Ours { version: counting.number, entry: entry.clone(), since: *since };
                return Ok(());
            }
            if counting.entry != ours.entry {
                return Err(counting.entry.lost(&leases.location()));
            }
            mark = look.next();
        }
        Err(Entry::foreign().lost(&leases.location()))
    }
}

#[async_trait]
impl Lease for ParameterLease {
    async fn still_ours(&self) -> Result<(), StoreError> {
        let mut ours = self.ours.lock().await;
        let (clock, half) = (self.leases.terms.clock, self.leases.terms.length / 2);
        for _ in 0..TRIES {
            if clock().saturating_sub(ours.since) < half {
                return Ok(());
            }
            self.advance(&mut ours, false).await?;
        }
        let message = "renewing the lease takes longer than half of its length";
        Err(StoreError::new(ErrorKind::Transient, self.leases.location(), message)
            .hint("set a longer STRONGROOM_LEASE_SECONDS"))
    }

    fn every(&self) -> Duration {
        self.leases.terms.length / 4
    }

    async fn release(&self) -> Result<(), StoreError> {
        let mut ours = self.ours.lock().await;
        match self.advance(&mut ours, true).await {
            // It was somebody else's already.
            Err(error) if error.kind == ErrorKind::Conflict => Ok(()),
            other => other,
        }
    }
}

fn follow(version: i64, mark: &Mark) -> Mark {
    Mark { nonce: nonce(), base: version, after: Some(mark.nonce.clone()) }
}

fn nonce() -> String {
    uuid::Uuid::new_v4().to_string()
}
