//! What a refresh that stopped midway leaves to lose, for whoever wants to forget it: an answer of Xero's that nobody has
//! stored, a call of which nobody knows what became of it, or nothing.
//!
//! Owns when forgetting it gives up no more than going on with it could save. It sends nothing.

use super::begun::Begun;
use super::heard::pair_of;
use super::login::{Held, addresses};
use super::record::{Record, Shelf};
use super::story::{INTEND, Story};
use super::{answered, begun, damaged};
use crate::journal::Operation;
use crate::manifest::XeroSpec;
use crate::name::Instance;
use crate::secret::Secret;
use crate::store::{Store, StoreError};
use crate::xero::GRACE;
use jiff::Timestamp;

/// What is left of it.
#[derive(Debug)]
pub struct Remains {
    /// The instances of the login; none where nothing was begun.
    pub instances: Vec<Instance>,
    /// The refresh tokens that Xero has answered with.
    answers: Vec<Secret>,
    /// Until when Xero takes again what was sent without an answer that is known.
    doubt: Option<Timestamp>,
}

/// What becomes of it where it is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgetting {
    /// No token was used up.
    LosesNothing,
    /// A token may be used up, and Xero takes it no more: that shows when it is sent again.
    LeavesDoubt {
        /// Whether home holds a token that may be that one.
        held: bool,
    },
    /// The only token that is good is forgotten with it, and nobody has a place for it.
    LosesTheAnswer,
    /// There is something to save: it has to be gone on with.
    No,
}

impl Remains {
    /// Of an operation that was not finished; nothing where it is no refresh, or has not begun to be one.
    pub fn of(operation: &Operation) -> Result<Option<Remains>, StoreError> {
        if !operation.acted().iter().any(|one| one.effect.starts_with(INTEND)) {
            return Ok(None);
        }
        let story = Story::of(operation.acted());
        let mut begun = begun(operation, story.rounds.len())?;
        // An intent that home was perhaps told of before the process died.
        let next = operation.minted(&format!("begun-{}", story.rounds.len() + 1)).map_err(damaged)?;
        begun.extend(next.as_ref().and_then(Begun::read));
        let told = begun.iter().filter_map(|begun| pair_of(begun.told.as_ref()?));
        let answered = answered(operation, &story)?.into_iter().map(|(_, pair)| pair);
        let answers = answered.chain(told.map(|(_, pair)| pair)).map(|pair| pair.refresh).collect();
        // A call that may have been the first to arrive is taken for half an hour from then on.
        let calls = story.rounds.iter().flat_map(|round| &round.asks).filter(|ask| ask.doubts());
        let theirs = begun.iter().filter(|begun| begun.doubt).map(|begun| begun.first);
        let last = calls.map(|ask| ask.at).chain(theirs).max();
        let instances = begun.last().map(|begun| begun.held.keys().cloned().collect()).unwrap_or_default();
        Ok(Some(Remains { instances, answers, doubt: last.map(|last| last + GRACE) }))
    }

    /// Whether home holds a refresh token of one of its instances.
    pub async fn are_held(&self, store: &dyn Store, spec: &XeroSpec) -> Result<bool, StoreError> {
        let home = store.read(&addresses(spec, &self.instances)).await?;
        Ok(self.instances.iter().any(|name| Held::of(&home, spec, name).refresh.is_some()))
    }

    /// What becomes of it at this time, and where home holds a token of its instances, or may hold one.
    pub fn forgotten(&self, now: Timestamp, held: bool) -> Forgetting {
        match (self.answers.is_empty(), self.doubt) {
            (false, _) if !held => Forgetting::LosesTheAnswer,
            (false, _) => Forgetting::No,
            (true, None) => Forgetting::LosesNothing,
            (true, Some(until)) if !held || now > until => Forgetting::LeavesDoubt { held },
            (true, Some(_)) => Forgetting::No,
        }
    }
}

/// Takes out of home's record, which the first instance of the login names, what an operation has told it and is not gone on with.
pub async fn close_record(
    store: &dyn Store,
    spec: &XeroSpec,
    first: &Instance,
    operation: &Operation,
) -> Result<(), StoreError> {
    let shelf = Shelf { store, address: Record::address(&spec.group, first) };
    let record = shelf.read().await?;
    match &record.open {
        Some(open) if open.operation == operation.id().as_str() => {
            shelf.write(operation.id(), &Record { open: None, ..record }).await
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_can_save_is_forgotten() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let secret = |text: &str| Secret::new(text.to_owned()).unwrap();
        let of = |answers: &[&str], doubt: Option<i64>| Remains {
            instances: Vec::new(),
            answers: answers.iter().map(|text| secret(text)).collect(),
            doubt: doubt.map(at),
        };
        let doubts = |held| Forgetting::LeavesDoubt { held };
        assert_eq!(of(&[], None).forgotten(at(5), true), Forgetting::LosesNothing);
        assert_eq!(of(&[], Some(9)).forgotten(at(5), true), Forgetting::No, "it can be asked for again");
        assert_eq!(of(&[], Some(9)).forgotten(at(10), true), doubts(true));
        assert_eq!(of(&[], Some(9)).forgotten(at(5), false), doubts(false), "nobody has the old one");
        assert_eq!(of(&["new"], Some(9)).forgotten(at(10), true), Forgetting::No, "it can be stored");
        assert_eq!(of(&["new"], None).forgotten(at(5), false), Forgetting::LosesTheAnswer);
    }
}
