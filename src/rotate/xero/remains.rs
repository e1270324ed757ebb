//! What a refresh that stopped midway leaves to lose, for whoever wants to forget it: an answer of Xero's that nobody has
//! stored, a call of which nobody knows what became of it, or nothing.
//!
//! Owns when forgetting it gives up no more than going on with it could save. It sends nothing.

use super::begun::Begun;
use super::heard::pair_of;
use super::login::{Held, addresses};
use super::members::faithful;
use super::pair::Pair;
use super::record::{Record, Shelf};
use super::story::{INTEND, Story};
use super::{answered, begun, intended};
use crate::journal::Operation;
use crate::manifest::XeroSpec;
use crate::name::Instance;
use crate::store::{Store, StoreError};
use crate::xero::GRACE;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What is left of it.
#[derive(Debug)]
pub struct Remains {
    /// The instances of the login; none where nothing was begun.
    pub instances: Vec<Instance>,
    /// What each round began with, or was about to.
    begun: Vec<Begun>,
    /// The pairs that Xero has answered with.
    answers: Vec<(usize, Pair)>,
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
        begun.extend(intended(operation, story.rounds.len())?);
        let told = begun.iter().filter_map(|begun| pair_of(begun.told.as_ref()?));
        let mut answers = answered(operation, &story)?;
        answers.extend(told.map(|(_, pair)| (0, pair)));
        let doubt = last_doubt(&story, &begun).map(|last| last + GRACE);
        let instances = begun.last().map(|begun| begun.held.keys().cloned().collect()).unwrap_or_default();
        Ok(Some(Remains { instances, begun, answers, doubt }))
    }

    /// Its instances that home, which holds this, has its tokens of: one may have another user's by now.
    pub fn members(&self, home: &BTreeMap<Instance, Held>) -> BTreeSet<Instance> {
        let own = home.iter().filter(|(name, _)| self.instances.contains(name));
        let own = own.map(|(name, held)| (name.clone(), held.clone())).collect();
        faithful(&own, &self.begun, &self.answers)
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

/// When a token was sent last that may be used up by it: that call may have been the first to arrive.
fn last_doubt(story: &Story, begun: &[Begun]) -> Option<Timestamp> {
    let calls = story.rounds.iter().flat_map(|round| &round.asks).filter(|ask| ask.doubts());
    let theirs = begun.iter().filter(|begun| begun.doubt).map(|begun| begun.first);
    calls.map(|ask| ask.at).chain(theirs).max()
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
    use crate::journal::Acted;
    use crate::secret::Secret;

    #[test]
    fn a_call_after_others_that_never_arrived_may_be_asked_for_half_an_hour_from_then_on() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let acted = |effect: &str, second, outcome: Option<&str>| Acted {
            effect: effect.to_owned(),
            at: at(second),
            outcome: outcome.map(|text| (text.to_owned(), at(second))),
            lasting: false,
        };
        let unsent = acted("ask-1", 12, Some("unspent again: not reached"));
        let story = |last| Story::of(&[acted("intend-1", 10, Some("done")), unsent.clone(), last]);
        let begun = |doubt| {
            let token = Secret::new("old".to_owned()).unwrap();
            [Begun { token, first: at(10), doubt, held: BTreeMap::new(), told: None }]
        };
        let sent = story(acted("ask-2", 900, None));
        assert_eq!(last_doubt(&sent, &begun(false)), Some(at(900)));
        let unreached = story(acted("ask-2", 900, Some("unspent again: not reached")));
        assert_eq!(last_doubt(&unreached, &begun(false)), None);
        assert_eq!(last_doubt(&unreached, &begun(true)), Some(at(10)), "another host's call");
    }

    #[test]
    fn only_what_nobody_can_save_is_forgotten() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let pair = |text: &str| Pair::seen(&Secret::new(text.to_owned()).unwrap(), None);
        let of = |answers: &[&str], doubt: Option<i64>| Remains {
            instances: Vec::new(),
            begun: Vec::new(),
            answers: answers.iter().map(|text| (1, pair(text))).collect(),
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
