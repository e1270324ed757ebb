//! The login of a PostgreSQL role: a new password, proven by a login before anybody is told of it.
//!
//! Two roles take turns: the one in use is never changed, so that every holder's login works at any moment. Where one role
//! has to do, whoever logs in is locked out from the change until he has the new password.
//!
//! Owns what is looked at (`facts`), what follows from it (`next`), and the effects: the one statement that changes a
//! password, behind the fence of its slot. A password is sealed in the operation before the server learns its verifier,
//! and the server never learns more than that.

mod before;
mod facts;
mod foresee;
mod next;
mod password;
mod target;
mod url;

pub use facts::{Facts, is_of_login};
pub use foresee::{Addressed, Foreseen, Setup};

use super::{Chosen, Holders, Publication, Rotation, Step, Values, wanted};
use crate::database::{self, Change, Ended, Outcome, Role, Tls, Verifier};
use crate::journal::Operation;
use crate::manifest::generate::Generator;
use crate::manifest::{PostgresSpec, Strategy};
use crate::secret::Secret;
use crate::store::{ErrorKind, StoreError};
use async_trait::async_trait;
use facts::{ALTER, ALTERED, CLEAR, END, ENDED, EPOCH, RETIRE, RETIRE_OLD};
use next::Next;
use std::fmt;
use target::Target;

/// A rotation of a login.
pub struct Postgres {
    /// What the manifest says of it.
    pub spec: PostgresSpec,
    /// How the server proves itself.
    pub tls: Tls,
    /// A tunnel's near end.
    pub via: Option<(String, u16)>,
    /// What was asked for.
    pub allowed: Allowed,
    /// Makes a value.
    pub generate: fn(&Generator) -> Secret,
}

/// What was asked for beyond a routine rotation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allowed {
    /// What the rotation is called.
    pub name: String,
    /// Whether a slot may get a new password while somebody is in it.
    pub despite_sessions: bool,
    /// Whether the old login ends with this.
    pub compromised: bool,
}

/// What can be done to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The slot gets the new password.
    Alter,
    /// The old slot gets a password that nobody has.
    Retire,
    /// The old slot's sessions end.
    EndSessions,
    /// The sessions end that were opened with the earlier password of the slot that has the new one.
    Clear,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Effect::Alter => ALTER,
            Effect::Retire => RETIRE_OLD,
            Effect::EndSessions => END,
            Effect::Clear => CLEAR,
        })
    }
}

#[async_trait]
impl Rotation for Postgres {
    type Facts = Facts;
    type Effect = Effect;

    // A password that another rotation has replaced since must not reach home.
    const LOOKS_FIRST: bool = true;
    const WHOLE: bool = true;

    async fn probe(&self, operation: &Operation, holders: &Holders<'_>) -> Result<Facts, StoreError> {
        let target = self.target(holders).await?;
        match super::chosen(operation)? {
            Some(values) => self.look_again(&target, operation, holders, &values).await,
            None => {
                let mark = target.app.password.fingerprint(operation.key()).to_string();
                self.look(&target, holders, mark).await
            }
        }
    }

    fn next(&self, facts: &Facts) -> Step<Effect> {
        let chosen = facts.chosen.as_ref();
        match next::next(facts, &self.allowed) {
            Next::Choose => Step::Choose,
            Next::Act(effect) => Step::Act(effect),
            Next::Stage => {
                let stage =
                    chosen.and_then(|chosen| Some((chosen.stage.clone()?, chosen.login.password.clone())));
                let stages = vec![wanted(&stage.into_iter().collect())];
                Step::Publish(Publication { stages, lasting: true })
            }
            Next::Publish => {
                let values = chosen.map(|chosen| wanted(&chosen.values)).unwrap_or_default();
                // One role alone: the server has forgotten the password that an undo would bring back.
                let lasting = self.spec.strategy == Strategy::Single;
                Step::Publish(Publication { stages: vec![values], lasting })
            }
            Next::Done => Step::Done,
            Next::Person(error) => Step::Person(Box::new(error)),
            Next::GiveUp(error) => Step::GiveUp(Box::new(error)),
        }
    }

    fn choose(&self, facts: &Facts) -> Chosen {
        let values = Values::from([(self.spec.password.clone(), password::password(self.generate))]);
        Chosen { values, facts: facts.to_journal(), ..Chosen::default() }
    }

    /// The old password is taken away before its sessions are.
    fn lasts(&self, effect: &Effect) -> bool {
        *effect == Effect::EndSessions
    }

    async fn act(
        &self,
        effect: &Effect,
        operation: &mut Operation,
        holders: &Holders<'_>,
    ) -> Result<String, StoreError> {
        let target = self.target(holders).await?;
        match effect {
            Effect::Alter => {
                let chosen = super::chosen(operation)?.unwrap_or_default();
                let password = chosen.get(&self.spec.password).cloned();
                let password =
                    password.ok_or_else(|| target.error(ErrorKind::Damaged, "nothing was chosen"))?;
                self.alter(&target, operation, (facts::SLOT, EPOCH), &password).await
            }
            Effect::Retire => {
                let nobodys = password::password(self.generate);
                self.alter(&target, operation, (facts::ACTIVE, RETIRE), &nobodys).await
            }
            Effect::EndSessions => self.end_sessions(&target, operation, (facts::ACTIVE, RETIRE)).await,
            Effect::Clear => self.end_sessions(&target, operation, (facts::SLOT, EPOCH)).await,
        }
    }
}

impl Postgres {
    async fn target(&self, holders: &Holders<'_>) -> Result<Target, StoreError> {
        Target::read(&self.spec, (&self.tls, &self.via), holders).await
    }

    fn fact<T>(
        operation: &Operation,
        target: &Target,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        operation.facts().get(name).and_then(|text| parse(text)).ok_or_else(|| {
            target.error(ErrorKind::Damaged, format!("operation {} does not say its {name}", operation.id()))
        })
    }

    /// Gives a slot a password, if nobody came after this operation.
    async fn alter(
        &self,
        target: &Target,
        operation: &Operation,
        (role, epoch): (&str, &str),
        password: &Secret,
    ) -> Result<String, StoreError> {
        let role = Self::fact(operation, target, role, |text| Role::parse(text).ok())?;
        let epoch = Self::fact(operation, target, epoch, |text| text.parse().ok())?;
        let verifier = Verifier::of(password)
            .map_err(|error| target.error(ErrorKind::Failed, "no verifier can be made").because(error))?;
        let session = target.rotator().await?;
        let change = Change { role: &role, verifier: &verifier, epoch, operation: operation.id().as_str() };
        let outcome = database::alter(session, &change).await.map_err(|error| target.failed(error))?;
        Ok(match outcome {
            Outcome::Altered => ALTERED.to_owned(),
            // The next probe sees whose fence it is, and says so.
            Outcome::Fenced { epoch, operation } => format!("fenced by {operation} at {epoch}"),
            Outcome::Unknown => "commit without an answer".to_owned(),
        })
    }

    async fn end_sessions(
        &self,
        target: &Target,
        operation: &Operation,
        (role, epoch): (&str, &str),
    ) -> Result<String, StoreError> {
        let role = Self::fact(operation, target, role, |text| Role::parse(text).ok())?;
        let epoch = Self::fact(operation, target, epoch, |text| text.parse().ok())?;
        let session = target.rotator().await?;
        let place = (epoch, operation.id().as_str());
        let ended = database::end_sessions(&session, &role, place).await.map_err(|error| {
            target
                .failed(error)
                .hint(format!("the password of `{role}` is gone already; let somebody who may end its sessions do so, or GRANT pg_signal_backend to the rotator"))
        })?;
        session.close().await;
        match ended {
            // The next probe sees whose fence it is, and says so.
            Ended::Fenced { epoch, operation } => Ok(format!("fenced by {operation} at {epoch}")),
            Ended::Told { told, left } if left > 0 && self.spec.strategy == Strategy::Alternating => {
                let message = format!("{left} of {told} sessions of `{role}` are still there");
                Err(target.error(ErrorKind::Transient, message))
            }
            Ended::Told { told, .. } => Ok(format!("{told} {ENDED}")),
        }
    }
}
