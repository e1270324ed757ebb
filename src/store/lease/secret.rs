//! A lease in Secrets Manager: a secret of its own, in which the label AWSCURRENT is moved from the version that was seen.
//!
//! That move is a compare-and-swap, so no rule of ours is needed. Taking and renewing makes a version; giving back moves
//! the label to the version that was there before. AWS keeps about a hundred versions a day.

use super::date::Date;
use super::entry::{Entry, State};
use super::rule::Mark;
use super::witness::Witness;
use super::{Lease, Leases, Terms};
use crate::store::aws::{Again, Aws, Failure, Family, Request, timestamp};
use crate::store::{ErrorKind, StoreError};
use async_trait::async_trait;
use aws_sdk_secretsmanager::types::Tag;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

const CREATE: &str = "secretsmanager:CreateSecret";
const GET: &str = "secretsmanager:GetSecretValue";
const PUT: &str = "secretsmanager:PutSecretValue";
const MOVE: &str = "secretsmanager:UpdateSecretVersionStage";
const CURRENT: &str = "AWSCURRENT";
/// The label of a version that is not in force yet; it sits on one version at most.
const NEXT: &str = "STRONGROOM_NEXT";
const TRIES: u32 = 4;

/// The lease of an environment whose home is Secrets Manager.
#[derive(Clone)]
pub struct SecretLeases {
    aws: Arc<Aws>,
    name: String,
    tags: Vec<(String, String)>,
    terms: Terms,
}

/// The version in force.
struct Seen {
    version: String,
    entry: Entry,
    written: Option<Timestamp>,
    now: Option<Timestamp>,
}

struct Ours {
    version: String,
    since: Duration,
    /// The version to go back to.
    free: Option<String>,
}

struct SecretLease {
    leases: SecretLeases,
    operation: String,
    ours: Mutex<Ours>,
    _witness: Option<Witness>,
}

impl SecretLeases {
    /// The lease that a secret of this name stands for. `tags` are those of what strongroom creates.
    pub fn new(aws: Arc<Aws>, name: String, tags: Vec<(String, String)>, terms: Terms) -> SecretLeases {
        SecretLeases { aws, name, tags, terms }
    }

    fn location(&self) -> String {
        format!("lease {}", self.name)
    }

    fn failed(&self, failure: Failure, action: &str) -> StoreError {
        failure.at(&self.location(), action, &self.name)
    }

    async fn look(&self) -> Result<Option<Seen>, StoreError> {
        let clients = self.aws.clients().await?;
        let (request, date) = (Request::read(GET, Family::SecretReads), Date::default());
        let answer = self.aws.call(&request, || {
            let call =
                clients.secrets_manager.get_secret_value().secret_id(&self.name).version_stage(CURRENT);
            call.customize().interceptor(date.clone()).send()
        });
        match answer.await {
            Ok(answer) => Ok(Some(Seen {
                version: answer.version_id.unwrap_or_default(),
                entry: Entry::read(answer.secret_string.as_deref().unwrap_or_default()),
                written: answer.created_date.as_ref().and_then(timestamp),
                now: date.told(),
            })),
            Err(failure) if failure.is("ResourceNotFoundException") => Ok(None),
            Err(failure) => Err(self.failed(failure, GET)),
        }
    }

    async fn create(&self) -> Result<(), StoreError> {
        let clients = self.aws.clients().await?;
        let request =
            Request { action: CREATE, family: Family::SecretWrites, again: Again::Always, values: &[] };
        let token = nonce();
        let entry = Entry::held(&self.terms, "", mark(&token));
        let text = entry.freed(entry.mark.clone()).text();
        let tags: Vec<Tag> =
            self.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
        let answer = self.aws.call(&request, || {
            let call = clients.secrets_manager.create_secret().name(&self.name).client_request_token(&token);
            call.set_tags(Some(tags.clone())).secret_string(&text).send()
        });
        match answer.await {
            Ok(_) => Ok(()),
            Err(failure) if failure.is("ResourceExistsException") => Ok(()),
            Err(failure) => Err(self.failed(failure, CREATE)),
        }
    }

    /// Makes a version that is not in force.
    async fn put(&self, version: &str, entry: &Entry) -> Result<(), StoreError> {
        let clients = self.aws.clients().await?;
        // AWS knows a repetition by its token.
        let request =
            Request { action: PUT, family: Family::SecretWrites, again: Again::Always, values: &[] };
        let answer = self.aws.call(&request, || {
            let call = clients.secrets_manager.put_secret_value().secret_id(&self.name);
            call.client_request_token(version).version_stages(NEXT).secret_string(entry.text()).send()
        });
        answer.await.map(drop).map_err(|failure| self.failed(failure, PUT))
    }

    /// Brings a version into force in the place of another; `false` where that is not in force.
    async fn swap(&self, from: &str, to: &str) -> Result<bool, StoreError> {
        let clients = self.aws.clients().await?;
        let request =
            Request { action: MOVE, family: Family::SecretWrites, again: Again::IfRefused, values: &[] };
        for _ in 0..TRIES {
            let answer = self.aws.call(&request, || {
                let call = clients.secrets_manager.update_secret_version_stage().secret_id(&self.name);
                call.version_stage(CURRENT).remove_from_version_id(from).move_to_version_id(to).send()
            });
            let failure = match answer.await {
                Ok(_) => return Ok(true),
                Err(failure) => failure,
            };
            let unclear = failure.is("InvalidParameterException") || failure.kind == ErrorKind::Transient;
            if !unclear {
                return Err(self.failed(failure, MOVE));
            }
            // Its answer may have been lost, or that of an earlier one.
            let now = self.look().await?.map(|seen| seen.version);
            if now.as_deref() == Some(to) {
                return Ok(true);
            }
            if now.as_deref() != Some(from) {
                return Ok(false);
            }
        }
        Err(StoreError::new(ErrorKind::Transient, self.location(), "AWS does not answer"))
    }

    /// Puts an own state into force in the place of another. Answers with its version.
    async fn advance(&self, operation: &str, from: &str) -> Result<Option<String>, StoreError> {
        let version = nonce();
        self.put(&version, &Entry::held(&self.terms, operation, mark(&version))).await?;
        Ok(self.swap(from, &version).await?.then_some(version))
    }
}

#[async_trait]
impl Leases for SecretLeases {
    async fn take(&self, operation: &str) -> Result<Box<dyn Lease>, StoreError> {
        let (mut leases, mut witness) = (self.clone(), self.terms.witness());
        for _ in 0..TRIES {
            let Some(seen) = self.look().await? else {
                self.create().await?;
                continue;
            };
            let held = seen.entry.state == State::Held;
            let ended = seen.entry.is_over(seen.written, seen.now)
                || self.terms.inherits(witness.as_ref(), &seen.entry);
            if held && !ended {
                return Err(seen.entry.busy(&self.location(), seen.written));
            }
            if leases.terms.session.is_none() {
                leases.terms.session = witness.as_mut().and_then(Witness::name);
            }
            let since = (self.terms.clock)();
            if let Some(version) = leases.advance(operation, &seen.version).await? {
                let free = (!held).then_some(seen.version);
                let (ours, operation) = (Mutex::new(Ours { version, since, free }), operation.to_owned());
                return Ok(Box::new(SecretLease { leases, operation, ours, _witness: witness }));
            }
        }
        let message = "others take it at the same time";
        Err(StoreError::new(ErrorKind::Busy, self.location(), message).hint("try again in a moment"))
    }
}

#[async_trait]
impl Lease for SecretLease {
    async fn still_ours(&self) -> Result<(), StoreError> {
        let mut ours = self.ours.lock().await;
        let (leases, half) = (&self.leases, self.leases.terms.length / 2);
        for _ in 0..TRIES {
            let now = (leases.terms.clock)();
            if now.saturating_sub(ours.since) < half {
                return Ok(());
            }
            match leases.advance(&self.operation, &ours.version).await? {
                Some(version) => (ours.version, ours.since) = (version, now),
                None => {
                    let other = leases.look().await?.map_or_else(Entry::foreign, |seen| seen.entry);
                    return Err(other.lost(&leases.location()));
                }
            }
        }
        let message = "renewing the lease takes longer than half of its length";
        Err(StoreError::new(ErrorKind::Transient, leases.location(), message)
            .hint("set a longer STRONGROOM_LEASE_SECONDS"))
    }

    fn every(&self) -> Duration {
        self.leases.terms.length / 4
    }

    async fn release(&self) -> Result<(), StoreError> {
        let ours = self.ours.lock().await;
        let leases = &self.leases;
        if let Some(free) = &ours.free
            && leases.swap(&ours.version, free).await.is_ok()
        {
            return Ok(());
        }
        // There is no free version to go back to, or AWS has forgotten it.
        let version = nonce();
        let entry = Entry::held(&leases.terms, &self.operation, mark(&version));
        leases.put(&version, &entry.freed(mark(&version))).await?;
        leases.swap(&ours.version, &version).await.map(drop)
    }
}

/// Versions of a secret tell by themselves what they follow.
fn mark(nonce: &str) -> Mark {
    Mark { nonce: nonce.to_owned(), base: 0, after: None }
}

fn nonce() -> String {
    uuid::Uuid::new_v4().to_string()
}
