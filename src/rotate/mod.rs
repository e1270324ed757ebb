//! New values for what is secret, published to everything that holds them, without anybody being locked out.
//!
//! The flow: a [`Rotation`] probes what is really so and says what is next; [`drive`] does it, and asks again, until
//! nothing is next. So a run that was killed is resumed by looking, never by the journal alone. Values that we choose are
//! sealed before anybody learns them; an effect on what the values are for is written down before and after, and done
//! only while the lease is ours; every publish goes through the pipe, to home first and then to the copies ([`Holders`]),
//! each of which must hold what home held before.
//!
//! It never asks, shows or takes a lease.

mod along;
mod back;
mod command;
mod django;
mod due;
mod follow;
mod holders;
mod left;
pub mod postgres;
mod programs;
mod random;
mod was;
pub mod xero;

pub use back::{go_on_taking_back, take_back};
pub use command::Command;
pub use django::{Asked, DjangoSecretKey, Pair, Soak, Verdict, Way, decide, soak};
pub use due::{Age, age, recurs, renewed, renews, shape};
pub use follow::Follow;
pub use holders::{Foreseen, Holders, Publication};
pub use left::Left;
pub use programs::Programs;
pub use random::Random;
pub use was::Before;

use crate::apply::{self, ApplyError, Done, Event, Watch};
use crate::journal::{JournalError, NOT_BEGUN, Operation, Step as Line};
use crate::name::Address;
use crate::plan::{Desired, Want};
use crate::secret::Secret;
use crate::store::{ErrorKind, StoreError};
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

/// Values by their addresses.
pub type Values = BTreeMap<Address, Secret>;

/// What these values are, as something to be wanted.
pub fn wanted(values: &Values) -> Desired {
    values.iter().map(|(address, value)| (address.clone(), Want::value(value.clone()))).collect()
}

/// The values that an operation has chosen, if it has.
fn chosen(operation: &Operation) -> Result<Option<Values>, StoreError> {
    operation.chosen().map_err(|error| {
        StoreError::new(ErrorKind::Failed, "the journal", "what was chosen cannot be read").because(error)
    })
}

/// What is sealed in an operation cannot be opened.
fn unopened(error: JournalError) -> StoreError {
    StoreError::new(ErrorKind::Failed, "the journal", "what was answered cannot be read").because(error)
}

/// What is next in a rotation.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step<E> {
    /// Choose new values and seal them.
    Choose,
    /// Do this to what the values are for.
    Act(E),
    /// Bring every holder to these values.
    Publish(Publication),
    /// Look again then.
    Wait {
        /// When.
        until: Timestamp,
        /// Why, as a sentence for people.
        why: String,
    },
    /// Nothing until then: the operation stays open, holds nothing, and is in nobody's way.
    Soak(Timestamp),
    /// Nothing: all of it is so.
    Done,
    /// Only a person can do what is next; this goes on after that.
    Person(Box<StoreError>),
    /// Only a person can do what is next, and then it is another rotation's to do: this one ends here.
    GiveUp(Box<StoreError>),
}

/// What was chosen.
#[derive(Debug, Default)]
pub struct Chosen {
    /// The values, which are sealed.
    pub values: Values,
    /// What was settled with them, in the journal's clear: names and numbers, never a value.
    pub facts: BTreeMap<String, String>,
    /// What gets values too, which the target chooses later.
    pub awaited: Vec<Address>,
}

/// One kind of rotation, about one target.
///
/// An error of a probe or an effect is a [`StoreError`] whose location names the target.
#[async_trait]
pub trait Rotation: Sync {
    /// What is really so.
    type Facts: Send + Sync;
    /// What can be done to the target. Its text names it in the journal: small letters, digits and `-`.
    type Effect: fmt::Display + Send + Sync;

    /// Whether what somebody else put in the place of ours in home meanwhile is as good as ours, and no conflict. Its probe
    /// looks at home alone: copies are brought along at the end.
    const ADOPTS: bool = false;

    /// Whether an operation that is gone on with is looked at before what it had planned is written: where somebody may have
    /// come after it, what it planned may not be accepted any more.
    const LOOKS_FIRST: bool = false;

    /// Whether its values are one thing, as a login's name and password are: then nothing of it is left behind by itself, as
    /// somebody else changed it.
    const WHOLE: bool = false;

    /// Looks, at the target and at the holders, and at what this operation has chosen, done and learned.
    async fn probe(&self, operation: &Operation, holders: &Holders<'_>) -> Result<Self::Facts, StoreError>;

    /// What follows from what is so. Pure.
    fn next(&self, facts: &Self::Facts) -> Step<Self::Effect>;

    /// New values.
    fn choose(&self, facts: &Self::Facts) -> Chosen;

    /// Whether nothing takes this effect back, so that an operation with it is not undone.
    fn lasts(&self, _effect: &Self::Effect) -> bool {
        false
    }

    /// Does one thing to the target, once, and tells what became of it in a word for the journal. The next probe finds out
    /// what is so. An error leaves the operation midway; one of the kind [`ErrorKind::NotBegun`] where it was before.
    async fn act(
        &self,
        effect: &Self::Effect,
        operation: &mut Operation,
        holders: &Holders<'_>,
    ) -> Result<String, StoreError>;
}

/// A rotation that is the holders' alone has no effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoEffect {}

impl fmt::Display for NoEffect {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

/// More steps than any rotation takes without waiting.
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
    let home = holders.spec.home.to_string();
    if skip_changed && R::WHOLE {
        return Err(midway(operation, whole(operation)));
    }
    if skip_changed {
        holders.left.leave([]);
    }
    if operation.resumed() && !operation.has_soaked() {
        if R::LOOKS_FIRST {
            let facts = rotation.probe(operation, holders).await.map_err(|error| midway(operation, error))?;
            if let Step::GiveUp(error) = rotation.next(&facts) {
                return Err(give_up(operation, error)?);
            }
        }
        match apply::catch_up(operation, holders.stores, skip_changed || R::ADOPTS, watch).await {
            Err(error) if R::ADOPTS && is_homes(&error, &home) => {}
            // What is adopted is looked at like everything else.
            Ok(left) if skip_changed => holders.left.leave(left),
            caught_up => drop(caught_up?),
        }
    }
    let mut steps = 0;
    while steps < MOST {
        steps += 1;
        let facts = rotation.probe(operation, holders).await.map_err(|error| midway(operation, error))?;
        match rotation.next(&facts) {
            Step::Choose => {
                let mut chosen = rotation.choose(&facts);
                let all: Vec<Address> = chosen.values.keys().chain(&chosen.awaited).cloned().collect();
                let held = holders.held_with(&all).await;
                let held = held.map_err(|error| midway(operation, error))?;
                chosen.facts.extend(left::marks(operation, &held, all));
                if R::WHOLE {
                    chosen.facts.insert(apply::WHOLE.to_owned(), "yes".to_owned());
                }
                operation.keep_chosen(&chosen.values, &chosen.facts)?;
            }
            Step::Act(effect) => {
                watch(&Event::Acting { effect: effect.to_string() });
                act(operation, rotation, &effect, holders).await?;
            }
            Step::Publish(publication) => match holders.publish(operation, &publication, watch).await {
                // The next probe sees theirs.
                Err(error) if R::ADOPTS && is_homes(&error, &home) => {}
                done => done?,
            },
            Step::Wait { until, why } => {
                // Whoever waits knows until when.
                steps = 0;
                watch(&Event::Waiting { until, why });
                wait(operation, holders, until).await?;
            }
            Step::Soak(until) => {
                operation.record(Line::Soaking { until })?;
                return Ok(apply::paused(operation, holders.left.all(), until));
            }
            Step::Done => {
                if R::ADOPTS {
                    holders.bring_along(operation, watch).await?;
                }
                return apply::finish_leaving(operation, holders.left.all());
            }
            Step::Person(error) => return Err(midway(operation, *error)),
            Step::GiveUp(error) => return Err(give_up(operation, error)?),
        }
    }
    let error =
        StoreError::new(ErrorKind::Failed, "rotate", "it goes round in circles: this is a bug in strongroom");
    Err(midway(operation, error))
}

/// Whether what somebody else has put in the place of ours is in home alone: what a copy holds nobody adopts.
fn is_homes(error: &ApplyError, home: &str) -> bool {
    match error {
        ApplyError::Conflict { midway: true, addresses, .. } | ApplyError::NotVerified { addresses, .. } => {
            addresses.iter().all(|(place, _)| place == home)
        }
        _ => false,
    }
}

/// Ends an operation: what it did so far stands.
fn give_up(operation: &mut Operation, error: Box<StoreError>) -> Result<ApplyError, ApplyError> {
    apply::give_up(operation, error.to_string())?;
    Ok(ApplyError::GivenUp { operation: operation.id().clone(), source: error })
}

fn whole(operation: &Operation) -> StoreError {
    let message =
        "a login's name, password and URLs go together: none of them is left as somebody else changed it";
    StoreError::new(ErrorKind::Conflict, "rotate", message).hint(format!(
        "`strongroom undo {} --skip-changed` brings home's login back and leaves that copy as a whole; `strongroom sync` then \
         brings it there, and rotate again",
        operation.id()
    ))
}

fn midway(operation: &Operation, error: StoreError) -> ApplyError {
    apply::midway(operation, ApplyError::Read(Box::new(error)))
}

async fn act<R: Rotation>(
    operation: &mut Operation,
    rotation: &R,
    effect: &R::Effect,
    holders: &Holders<'_>,
) -> Result<(), ApplyError> {
    // Who slept past his lease does nothing to anybody.
    holders.guard.still_ours().await.map_err(|error| midway(operation, error))?;
    let name = effect.to_string();
    operation.record(Line::Acting { effect: name.clone(), lasting: rotation.lasts(effect) })?;
    let outcome = holders.guard.renewing(rotation.act(effect, operation, holders)).await;
    let told = match &outcome {
        Ok(outcome) => outcome.clone(),
        Err(error) if error.kind == ErrorKind::NotBegun => NOT_BEGUN.to_owned(),
        Err(error) => format!("failed: {error}"),
    };
    operation.record(Line::Acted { effect: name, outcome: told })?;
    let Err(error) = outcome else { return Ok(()) };
    if operation.touched() {
        return Err(midway(operation, error));
    }
    apply::give_up(operation, error.to_string())?;
    Err(ApplyError::Nothing(Box::new(error)))
}

/// Waits, and keeps the lease meanwhile.
async fn wait(operation: &Operation, holders: &Holders<'_>, until: Timestamp) -> Result<(), ApplyError> {
    let left = until.duration_since(operation.now());
    let left = std::time::Duration::try_from(left).unwrap_or_default();
    holders.guard.renewing(tokio::time::sleep(left)).await;
    holders.guard.still_ours().await.map_err(|error| midway(operation, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{Address, Key};

    #[test]
    fn what_somebody_put_into_a_copy_is_never_adopted() {
        let at = |place: &str| {
            let address = Address::new("xero".parse().unwrap(), Key::parse("refresh_token").unwrap());
            (place.to_owned(), address)
        };
        let conflict = |places: &[&str]| ApplyError::Conflict {
            operation: None,
            addresses: places.iter().map(|place| at(place)).collect(),
            covered: None,
            midway: true,
        };
        assert!(is_homes(&conflict(&["ssm"]), "ssm"));
        assert!(!is_homes(&conflict(&["web"]), "ssm"));
        assert!(!is_homes(&conflict(&["ssm", "web"]), "ssm"));
        let unverified = |place: &str| ApplyError::NotVerified {
            operation: crate::store::OperationId::parse("20260102-030405-k3x9pq").unwrap(),
            addresses: vec![at(place)],
            lasting: false,
        };
        assert!(is_homes(&unverified("ssm"), "ssm") && !is_homes(&unverified("web"), "ssm"));
    }
}
