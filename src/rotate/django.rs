//! Django's SECRET_KEY, with `SECRET_KEY_FALLBACKS`: instances that were started before a deployment and after it read each
//! other's sessions at every moment.
//!
//! Owns what stands in the two settings at each step, and how a list of fallbacks is written. What it goes by is what home
//! and the copies hold, and when home says that it was written: the retirement is an operation of its own, which any host
//! can make.

use super::{Chosen, Holders, NoEffect, Publication, Rotation, Step, Values};
use crate::journal::Operation;
use crate::manifest::generate::Generator;
use crate::name::Address;
use crate::plan::{Desired, Want};
use crate::secret::Secret;
use crate::snapshot::Snapshot;
use crate::store::{ErrorKind, StoreError};
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The name of the fact that tells an operation's way.
const WAY: &str = "way";

/// How the key is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// In two deployments: every instance can read what the new key signs before any signs with it.
    Staged,
    /// In one deployment; the old key is still accepted.
    Fast,
    /// In one deployment, and the old key is worth nothing after it.
    Compromised,
    /// Not at all: the old keys are accepted no more.
    Retire,
}

impl Way {
    const ALL: [Way; 4] = [Way::Staged, Way::Fast, Way::Compromised, Way::Retire];

    fn of(operation: &Operation) -> Option<Way> {
        let known = operation.facts().get(WAY)?;
        Way::ALL.into_iter().find(|way| way.to_string() == *known)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Staged => "staged",
            Way::Fast => "fast",
            Way::Compromised => "compromised",
            Way::Retire => "retire",
        })
    }
}

/// A rotation of Django's SECRET_KEY.
pub struct DjangoSecretKey {
    /// The key that signs.
    pub key: Address,
    /// The keys that are still accepted, separated by commas; none where only [`Way::Compromised`] is possible.
    pub fallbacks: Option<Address>,
    /// How a new key is made.
    pub generator: Generator,
    /// Makes one.
    pub generate: fn(&Generator) -> Secret,
    /// How it is changed, for an operation that has not settled it.
    pub way: Way,
    /// Whether the fallbacks that are there stay accepted.
    pub keeps: bool,
    /// What home held when that was decided; none where an operation is gone on with.
    pub decided_on: Option<Pair>,
}

/// The two settings.
#[derive(Debug, Clone)]
pub struct Pair {
    /// What signs.
    pub key: Secret,
    /// What is still accepted, the newest first.
    pub fallbacks: Vec<Secret>,
}

impl Pair {
    /// What home holds; none where it has no key.
    pub fn held(home: &Snapshot, key: &Address, fallbacks: Option<&Address>) -> Option<Pair> {
        let value = |address: &Address| home.entries.get(address)?.held.value();
        let listed = fallbacks.and_then(value).map(list).unwrap_or_default();
        Some(Pair { key: value(key)?.clone(), fallbacks: listed })
    }

    fn same_as(&self, other: &Pair) -> bool {
        let both = self.fallbacks.iter().zip(&other.fallbacks);
        self.key.same_as(&other.key)
            && self.fallbacks.len() == other.fallbacks.len()
            && both.into_iter().all(|(one, other)| one.same_as(other))
    }

    /// Whether old keys are still accepted.
    pub fn accepts_more(&self) -> bool {
        self.fallbacks.iter().any(|fallback| !fallback.same_as(&self.key))
    }
}

/// A list of keys as it is written in one value.
fn list(text: &Secret) -> Vec<Secret> {
    let parts = text.expose().split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| Secret::new(part.to_owned()).expect("a part of a value has no NUL")).collect()
}

/// Keys as one value: each once.
fn listed<'a>(keys: impl IntoIterator<Item = &'a Secret>) -> Secret {
    let mut once: Vec<&Secret> = Vec::new();
    for key in keys {
        if !once.iter().any(|known| known.same_as(key)) {
            once.push(key);
        }
    }
    let text = once.iter().map(|key| key.expose()).collect::<Vec<_>>().join(",");
    Secret::new(text).expect("no value has NUL")
}

/// Until when old keys are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Soak {
    /// None are.
    None,
    /// It is over.
    Over,
    /// Until then.
    Until(Timestamp),
    /// Home keeps no dates.
    Unknown,
}

/// How long old keys are accepted yet, by what home holds and when that was written last.
pub fn soak(home: &Snapshot, key: &Address, fallbacks: &Address, soak: Duration, now: Timestamp) -> Soak {
    let Some(pair) = Pair::held(home, key, Some(fallbacks)) else { return Soak::None };
    if !home.entries.contains_key(fallbacks) || !pair.accepts_more() {
        return Soak::None;
    }
    let written = |address: &Address| home.entries.get(address)?.modified;
    let (Some(one), Some(other)) = (written(key), written(fallbacks)) else { return Soak::Unknown };
    match one.max(other).checked_add(soak) {
        Ok(until) if until > now => Soak::Until(until),
        _ => Soak::Over,
    }
}

/// What is asked of the rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// By its name, and nothing else.
    ByName,
    /// Where a new key is due; whether it is.
    Due(bool),
    /// A new key in any case: somebody may know the old one.
    Now,
}

/// What follows from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A new key; whether the present fallbacks stay accepted.
    Rotate {
        /// Whether they do.
        keeps: bool,
    },
    /// The old keys are accepted no more.
    Retire,
    /// The old keys are accepted until then, and until then nothing is to be done.
    Waits(Timestamp),
    /// Nothing is due.
    NotDue,
    /// Old keys are accepted, and nobody can tell since when.
    Unknown,
}

/// Decides what is to be done.
pub fn decide(soak: Soak, asked: Asked) -> Verdict {
    match (soak, asked) {
        (Soak::Until(_) | Soak::Unknown, Asked::Due(true)) => Verdict::Rotate { keeps: true },
        (_, Asked::Now) | (Soak::None, Asked::ByName) | (_, Asked::Due(true)) => {
            Verdict::Rotate { keeps: false }
        }
        (Soak::Over, _) => Verdict::Retire,
        (Soak::Until(at), _) => Verdict::Waits(at),
        (Soak::Unknown, Asked::ByName) => Verdict::Unknown,
        (Soak::None | Soak::Unknown, Asked::Due(false)) => Verdict::NotDue,
    }
}

/// What is so.
#[derive(Debug)]
pub struct Facts {
    way: Option<Way>,
    home: Option<Pair>,
    /// What the settings shall be in the end, where that is chosen; with [`Way::Retire`] nothing is.
    chosen: Option<Pair>,
    /// Whether every holder has the old key, and accepts the new one.
    staged: bool,
    /// Whether every holder is as it shall be in the end.
    finished: bool,
}

impl DjangoSecretKey {
    /// What every holder has in the end.
    pub fn last(&self, chosen: &Pair) -> Desired {
        let mut desired = Desired::from([(self.key.clone(), Want::value(chosen.key.clone()))]);
        if let Some(fallbacks) = &self.fallbacks {
            let want = match chosen.fallbacks.is_empty() {
                true => Want::Absent,
                false => Want::value(listed(&chosen.fallbacks)),
            };
            desired.insert(fallbacks.clone(), want);
        }
        desired
    }

    /// What every holder has before: the old key signs, and the new one is accepted. The old one is listed too, so that
    /// whoever reads home between the two writes that follow accepts both.
    pub fn first(&self, chosen: &Pair) -> Option<Desired> {
        let old = chosen.fallbacks.first()?;
        let accepted = listed(std::iter::once(&chosen.key).chain(&chosen.fallbacks));
        let fallbacks = self.fallbacks.clone()?;
        Some([(self.key.clone(), Want::value(old.clone())), (fallbacks, Want::value(accepted))].into())
    }

    /// What every holder has in the end, in an order that lets no key that signs be one that is not accepted.
    fn stages(&self, way: Way, chosen: &Pair) -> Vec<Desired> {
        let (signs, accepted): (Desired, Desired) =
            self.last(chosen).into_iter().partition(|(address, _)| *address == self.key);
        match way {
            Way::Staged => vec![signs, accepted],
            Way::Fast | Way::Compromised | Way::Retire => vec![accepted, signs],
        }
    }

    /// What nobody has any more after a retirement.
    pub fn retired(&self) -> Desired {
        self.fallbacks.iter().map(|address| (address.clone(), Want::Absent)).collect()
    }

    /// What the settings become, given what home holds.
    pub fn pair(&self, way: Way, home: &Pair, key: Secret) -> Pair {
        let kept = home.fallbacks.iter().filter(|_| self.keeps);
        let fallbacks = match way {
            Way::Staged | Way::Fast => std::iter::once(&home.key).chain(kept).cloned().collect(),
            Way::Compromised | Way::Retire => Vec::new(),
        };
        Pair { key, fallbacks }
    }

    /// What was chosen, from the values that are sealed.
    fn chosen(&self, values: &Values) -> Option<Pair> {
        let listed = self.fallbacks.as_ref().and_then(|address| values.get(address));
        Some(Pair { key: values.get(&self.key)?.clone(), fallbacks: listed.map(list).unwrap_or_default() })
    }

    fn stranger(&self) -> StoreError {
        let message = "home holds neither the old key nor the new one: somebody changed it";
        StoreError::new(ErrorKind::Conflict, "rotate", message)
            .at(&self.key)
            .hint(format!("`strongroom undo`: theirs stays, and `strongroom sync` brings it to the copies; where it is wrong, `strongroom set {}` before that", self.key))
    }

    /// What was decided is not carried out on other keys: what signs, and what is accepted, may just have begun to be.
    fn overtaken(&self) -> StoreError {
        let message = "home holds other keys than when this was decided: somebody was faster";
        StoreError::new(ErrorKind::Conflict, "rotate", message)
            .at(&self.key)
            .hint("nothing was changed; the same command again looks at what there is now")
    }
}

#[async_trait]
impl Rotation for DjangoSecretKey {
    type Facts = Facts;
    type Effect = NoEffect;

    async fn probe(&self, operation: &Operation, holders: &Holders<'_>) -> Result<Facts, StoreError> {
        let way = Way::of(operation);
        let chosen = super::chosen(operation)?.and_then(|values| self.chosen(&values));
        let both = std::iter::once(&self.key).chain(&self.fallbacks);
        let home = Pair::held(&holders.held_with(both).await?, &self.key, self.fallbacks.as_ref());
        let (mut staged, mut finished) = (false, false);
        if way == Some(Way::Retire) {
            finished = holders.have(&self.retired()).await?;
        } else if let Some(pair) = &chosen {
            finished = holders.have(&self.last(pair)).await?;
            if let (false, Some(Way::Staged), Some(first)) = (finished, way, self.first(pair)) {
                staged = holders.have(&first).await?;
            }
        }
        Ok(Facts { way, home, chosen, staged, finished })
    }

    fn next(&self, facts: &Facts) -> Step<NoEffect> {
        let publish = |stages| Step::Publish(Publication { stages, lasting: false });
        let lost = || Step::Person(Box::new(self.stranger()));
        let Some(way) = facts.way else {
            return match (&facts.home, &self.decided_on) {
                (None, _) => lost(),
                (Some(home), Some(known)) if !home.same_as(known) => Step::GiveUp(Box::new(self.overtaken())),
                _ => Step::Choose,
            };
        };
        if facts.finished {
            return Step::Done;
        }
        let (home, chosen) = match (way, &facts.home, &facts.chosen) {
            (Way::Retire, ..) => return publish(vec![self.retired()]),
            (_, Some(home), Some(chosen)) => (home, chosen),
            _ => return lost(),
        };
        let begun = home.key.same_as(&chosen.key);
        if chosen.fallbacks.first().is_some_and(|old| !begun && !home.key.same_as(old)) {
            return lost();
        }
        match self.first(chosen).filter(|_| way == Way::Staged) {
            // Home begins to sign with the new key only when every holder accepts it.
            Some(first) if !begun && !facts.staged => publish(vec![first]),
            _ => publish(self.stages(way, chosen)),
        }
    }

    fn choose(&self, facts: &Facts) -> Chosen {
        let way = facts.way.unwrap_or(self.way);
        let mut values = Values::new();
        if let (Some(home), true) = (&facts.home, way != Way::Retire) {
            let pair = self.pair(way, home, (self.generate)(&self.generator));
            if let (Some(address), false) = (&self.fallbacks, pair.fallbacks.is_empty()) {
                values.insert(address.clone(), listed(&pair.fallbacks));
            }
            values.insert(self.key.clone(), pair.key);
        }
        let facts = BTreeMap::from([(WAY.to_owned(), way.to_string())]);
        Chosen { values, facts, ..Chosen::default() }
    }

    async fn act(&self, effect: &NoEffect, _: &mut Operation, _: &Holders<'_>) -> Result<String, StoreError> {
        match *effect {}
    }
}

#[cfg(test)]
mod tests;
