//! What a rotation or its set-up would do, before an operation is begun.
//!
//! Owns what is looked at for a plan, and the set-up itself, which changes roles and fences but no password. It journals
//! nothing: what is set up is left as it is by every later set-up.

use super::super::{Chosen, Holders, NoEffect, Publication, Rotation, Step, Values, wanted};
use super::facts::{Facts, Unfit};
use super::next::{self, Next};
use super::target::{Login, Proof};
use super::{Postgres, password};
use crate::database::{self, Prepared, Role, Statement};
use crate::journal::Operation;
use crate::name::Address;
use crate::store::StoreError;
use async_trait::async_trait;

/// What a rotation would do.
#[derive(Debug)]
pub struct Foreseen {
    /// The server.
    pub location: String,
    /// The login in use.
    pub active: Role,
    /// The login that gets a new password.
    pub target: Role,
    /// The role whose tables they are.
    pub owner: Role,
    /// Values of the kind that every holder gets: none of them is ever used.
    pub values: Values,
    /// Who is logged in with the login that gets a new password; empty where nobody is.
    pub in_use: String,
}

/// What a set-up would do.
#[derive(Debug)]
pub struct Setup {
    /// The server.
    pub location: String,
    /// What it would run there.
    pub statements: Vec<Statement>,
    /// What home would hold beside the password, for copies to refer to.
    pub addresses: Values,
}

impl Postgres {
    /// What is so before anything is begun, and why it would be refused.
    pub async fn foresee(&self, holders: &Holders<'_>) -> Result<Foreseen, StoreError> {
        let target = self.target(holders).await?;
        let facts = self.look(&target, holders, String::new()).await?;
        if let Next::GiveUp(error) | Next::Person(error) = next::next(&facts, &self.allowed) {
            return Err(error);
        }
        let sample = Login { role: facts.target.clone(), password: password::password(self.generate) };
        Ok(Foreseen {
            values: self.values(&target, &sample),
            in_use: next::listed(&facts.idle),
            location: facts.location,
            active: facts.active,
            target: facts.target,
            owner: facts.owner,
        })
    }

    /// What is missing of the set-up.
    pub async fn foresee_setup(&self, holders: &Holders<'_>) -> Result<Setup, StoreError> {
        let target = self.target(holders).await?;
        let session = target.rotator().await?;
        let roles = self.roles(&target, &session).await?;
        let slots = self.slots(&roles.owner, &target)?;
        let facts = Facts::about(&target, roles, String::new());
        let unfit = super::facts::unfit(&target, &session, &facts).await?;
        if let Some(unfit @ (Unfit::ReadOnly | Unfit::ByToken(_) | Unfit::Master(_))) = unfit {
            return Err(facts.unfit(&unfit));
        }
        let missing = database::missing(&session, &slots).await;
        let statements = missing.map_err(|error| target.setup_failed(error))?;
        session.close().await;
        let mut addresses = Values::new();
        if let Some(slot) = target.slot(&facts.active, &facts.owner) {
            if let Proof::Wrong = target.prove(&target.app).await? {
                return Err(facts.home_refused());
            }
            // The password too, unchanged: who gets it is who shall refer to the slot.
            for address in [&slot.address, &self.spec.password] {
                addresses.insert(address.clone(), target.app.password.clone());
            }
        }
        Ok(Setup { location: target.location(), statements, addresses })
    }

    /// Sets up what is missing on the server, in one transaction.
    pub async fn set_up(&self, holders: &Holders<'_>) -> Result<Prepared, StoreError> {
        let target = self.target(holders).await?;
        let session = target.rotator().await?;
        let roles = self.roles(&target, &session).await?;
        let slots = self.slots(&roles.owner, &target)?;
        let prepared = database::prepare(&session, &slots).await;
        session.close().await;
        prepared.map_err(|error| target.setup_failed(error))
    }
}

/// The present password at an address of its own, and every copy that refers to the password referring to that.
pub struct Addressed {
    /// The address with the password, and the password's own.
    pub values: Values,
    /// The password's own address.
    pub password: Address,
}

#[async_trait]
impl Rotation for Addressed {
    type Facts = bool;
    type Effect = NoEffect;

    async fn probe(&self, _: &Operation, holders: &Holders<'_>) -> Result<bool, StoreError> {
        Ok(self.values.is_empty() || holders.refer_to_slots(&self.password).await?)
    }

    fn next(&self, there: &bool) -> Step<NoEffect> {
        match there {
            true => Step::Done,
            false => Step::Publish(Publication::of(wanted(&self.values))),
        }
    }

    fn choose(&self, _: &bool) -> Chosen {
        Chosen::default()
    }

    async fn act(&self, effect: &NoEffect, _: &mut Operation, _: &Holders<'_>) -> Result<String, StoreError> {
        match *effect {}
    }
}
