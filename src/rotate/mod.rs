//! New values for what is secret, published to everything that holds them, without anybody being locked out.
//!
//! The flow: a [`Rotation`] probes what is really so and says what is next; [`drive`] does it, and asks again, until
//! nothing is next. So a run that was killed is resumed by looking, never by the journal alone. Values that we choose are
//! sealed before anybody learns them; every publish goes through the pipe, to home first and then to the copies
//! ([`Holders`]), each of which must hold what home held before.
//!
//! It never asks, shows or takes a lease.

mod due;
mod holders;
mod random;

pub use due::{Age, age};
pub use holders::{Foreseen, Holders};
pub use random::Random;

use crate::apply::{self, ApplyError, Done, Watch};
use crate::journal::Operation;
use crate::manifest::RotationKind;
use crate::name::Address;
use crate::secret::Secret;
use crate::store::{ErrorKind, StoreError};
use async_trait::async_trait;
use std::collections::BTreeMap;

/// Values by their addresses.
pub type Values = BTreeMap<Address, Secret>;

/// The addresses that a declared rotation gives new values; none where its kind is one that this version does not rotate.
pub fn renewed(kind: &RotationKind) -> &[Address] {
    match kind {
        RotationKind::Random { keys } => keys,
        RotationKind::Postgres(_)
        | RotationKind::Xero(_)
        | RotationKind::DjangoSecretKey { .. }
        | RotationKind::Command { .. } => &[],
    }
}

/// What is next in a rotation.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step {
    /// Choose new values and seal them.
    Choose,
    /// Bring every holder to these values.
    Publish(Values),
    /// Nothing: all of it is so.
    Done,
}

/// One kind of rotation, about one target.
#[async_trait]
pub trait Rotation: Sync {
    /// What is really so.
    type Facts: Send;

    /// Looks. `chosen` are the values of this operation, where some were chosen.
    async fn probe(&self, holders: &Holders<'_>, chosen: Option<Values>) -> Result<Self::Facts, StoreError>;

    /// What follows from what is so. Pure.
    fn next(&self, facts: &Self::Facts) -> Step;

    /// New values.
    fn choose(&self) -> Values;
}

/// More steps than any rotation has.
const MOST: usize = 64;

/// Carries a rotation to its end. After an error the operation is open: this goes on with it, and an undo takes back what
/// was published.
pub async fn drive<R: Rotation>(
    operation: &mut Operation,
    rotation: &R,
    holders: &Holders<'_>,
    skip_changed: bool,
    watch: Watch<'_>,
) -> Result<Done, ApplyError> {
    let mut left = Vec::new();
    if operation.resumed() {
        left = apply::catch_up(operation, holders.stores, skip_changed, watch).await?;
    }
    for _ in 0..MOST {
        let facts = rotation.probe(holders, operation.chosen()?).await;
        let facts = facts.map_err(|error| apply::midway(operation, ApplyError::Read(Box::new(error))))?;
        match rotation.next(&facts) {
            Step::Choose => operation.keep_chosen(&rotation.choose())?,
            Step::Publish(values) => holders.publish(operation, &values, watch).await?,
            Step::Done => {
                return apply::finish_leaving(operation, left);
            }
        }
    }
    let error =
        StoreError::new(ErrorKind::Failed, "rotate", "it goes round in circles: this is a bug in strongroom");
    Err(apply::midway(operation, ApplyError::Read(Box::new(error))))
}
