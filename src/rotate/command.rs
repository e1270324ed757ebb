//! Values that a person's own programs bring to their target: `apply`, `verify`, `retire`.
//!
//! Owns their order. The old values are ended only when home and every copy have others. What the target chooses itself
//! comes out of `apply`, and is sealed before anybody looks into it.

use super::programs::{self, Programs, Said};
use super::{Chosen, Holders, Publication, Rotation, Step, Values, wanted};
use crate::apply::{MintError, mint};
use crate::journal::{Acted, NOT_BEGUN, Operation, Step as Line};
use crate::manifest::generate::Generator;
use crate::manifest::{ChosenBy, Program};
use crate::name::Address;
use crate::secret::Secret;
use crate::snapshot::Snapshot;
use crate::store::{ErrorKind, StoreError};
use async_trait::async_trait;
use jiff::Timestamp;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What the target's choice is sealed as.
const ANSWER: &str = "answer";

const DONE: &str = "done";
const REFUSED: &str = "refused";

/// The name of the fact that the old values are ended as soon as they can be.
const AT_ONCE: &str = "at-once";

/// A rotation by programs.
pub struct Command {
    /// The keys, each with how its value is made; where the target chooses, none is.
    pub keys: Vec<(Address, Option<Generator>)>,
    /// Makes a value.
    pub generate: fn(&Generator) -> Secret,
    /// Who chooses.
    pub chosen_by: ChosenBy,
    /// How the programs are run.
    pub programs: Programs,
    /// Makes the target accept the new values.
    pub apply: Program,
    /// Tells whether it does.
    pub verify: Option<Program>,
    /// Makes it refuse the old ones.
    pub retire: Option<Program>,
    /// How long both are accepted.
    pub soak: Duration,
    /// Whether an operation that is begun now does not wait that long.
    pub at_once: bool,
    /// Whether this process has called `apply`: it does so once.
    applied: AtomicBool,
}

/// What the programs do to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// `apply`.
    Apply,
    /// `retire`.
    Retire,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Effect::Apply => "apply",
            Effect::Retire => "retire",
        })
    }
}

/// How `apply` stands, by the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Applied {
    /// It was never called.
    Never,
    /// It was called, and nobody knows what became of it.
    Unknown,
    /// It said yes.
    Done,
    /// It said no each time.
    Refused,
    /// It said no, and before that nobody knows.
    RefusedAfterUnknown,
}

/// When the old values are to be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waited {
    /// Every holder has just got the new values.
    NotYet,
    /// Not before then.
    Until(Timestamp),
    /// Now.
    Over,
}

/// What is so.
#[derive(Debug)]
pub struct Facts {
    /// Whether this operation has begun with new values, or with asking for them.
    begun: bool,
    /// The new values; what is wrong with the target's answer, where it is unreadable.
    new: Result<Option<Values>, String>,
    applied: Applied,
    /// Whether `apply` was called by this process.
    tried: bool,
    /// What `verify` says, where it was asked.
    accepted: Option<bool>,
    published: bool,
    retired: bool,
    waited: Waited,
    /// What is wrong with ending the old values now.
    clings: Option<Clings>,
    now: Timestamp,
    soak: Duration,
}

/// Why the old values cannot be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clings {
    /// Home has them again.
    Home,
    /// A copy does not hold what home holds.
    Copy,
}

impl Command {
    /// A rotation that has called nothing yet.
    pub fn new(
        keys: Vec<(Address, Option<Generator>)>,
        generate: fn(&Generator) -> Secret,
        chosen_by: ChosenBy,
        programs: Programs,
        (apply, verify, retire): (Program, Option<Program>, Option<Program>),
        soak: Duration,
        at_once: bool,
    ) -> Command {
        let applied = AtomicBool::new(false);
        Command { keys, generate, chosen_by, programs, apply, verify, retire, soak, at_once, applied }
    }

    fn addresses(&self) -> Vec<Address> {
        self.keys.iter().map(|(address, _)| address.clone()).collect()
    }

    /// The new values, as far as they are known; what is wrong with an answer that has them.
    fn new_values(&self, operation: &Operation) -> Result<Result<Option<Values>, String>, StoreError> {
        match self.chosen_by {
            ChosenBy::Strongroom => super::chosen(operation).map(Ok),
            ChosenBy::Target => {
                let kept = operation.minted(ANSWER).map_err(super::unopened)?;
                Ok(kept.map(|answer| programs::answered(&answer, &self.addresses())).transpose())
            }
        }
    }

    fn pairs(
        &self,
        operation: &Operation,
        home: &str,
        now: &Snapshot,
        new: Option<&Values>,
    ) -> programs::Pairs {
        let keys = self.addresses();
        programs::pairs(&programs::before(operation, home, now, &keys), new, &keys)
    }

    /// Whether the old values can be ended: nobody has them any more.
    async fn clings(
        &self,
        operation: &Operation,
        holders: &Holders<'_>,
        held: &Snapshot,
    ) -> Result<Option<Clings>, StoreError> {
        let keys = self.addresses();
        let old = programs::before(operation, &holders.spec.home.to_string(), held, &keys);
        let now: Values = keys
            .iter()
            .filter_map(|key| Some((key.clone(), held.entries.get(key)?.held.value()?.clone())))
            .collect();
        if old.iter().any(|(key, old)| now.get(key).is_some_and(|now| now.same_as(old))) {
            return Ok(Some(Clings::Home));
        }
        Ok((!holders.have(&wanted(&now)).await?).then_some(Clings::Copy))
    }

    fn error(&self, kind: ErrorKind, step: Effect, message: impl Into<String>) -> Box<StoreError> {
        let program = match step {
            Effect::Apply => &self.apply,
            Effect::Retire => self.retire.as_ref().unwrap_or(&self.apply),
        };
        Box::new(StoreError::new(kind, self.programs.location(&step.to_string(), program), message))
    }

    fn refused(&self, facts: &Facts) -> Step<Effect> {
        let found_out = self.verify.is_some() && self.chosen_by == ChosenBy::Strongroom;
        if facts.applied == Applied::RefusedAfterUnknown && !found_out {
            let message = "it says no, and an earlier call of it ended without a word: nobody knows what the target accepts";
            let hint = "see what the target accepts; `strongroom resume` asks again. With a `verify` this is found out";
            return Step::Person(Box::new(self.error(ErrorKind::Person, Effect::Apply, message).hint(hint)));
        }
        let message = "it says no: the target did not take the new values, and nothing was changed";
        Step::GiveUp(self.error(ErrorKind::Person, Effect::Apply, message))
    }

    /// What follows once every holder has the new values.
    fn afterwards(&self, facts: &Facts) -> Step<Effect> {
        if self.retire.is_none() || facts.retired {
            return Step::Done;
        }
        match (facts.waited, facts.clings) {
            (Waited::Until(until), _) => Step::Soak(until),
            (Waited::NotYet, _) if !facts.soak.is_zero() => {
                Step::Soak(facts.now.checked_add(facts.soak).unwrap_or(Timestamp::MAX))
            }
            (_, None) => Step::Act(Effect::Retire),
            (_, Some(Clings::Home)) => {
                let message = "home holds an old value again: it was not ended";
                let hint = "`strongroom undo` takes the rotation back; or set the new value, `strongroom sync`, `strongroom resume`";
                Step::Person(Box::new(self.error(ErrorKind::Person, Effect::Retire, message).hint(hint)))
            }
            (_, Some(Clings::Copy)) => {
                let message = "a copy does not hold what home holds: the old values were not ended";
                let hint = "`strongroom status` tells which; `strongroom sync`, then `strongroom resume`";
                Step::Person(Box::new(self.error(ErrorKind::Person, Effect::Retire, message).hint(hint)))
            }
        }
    }
}

/// How `apply` stands.
fn applied(acted: &[Acted]) -> Applied {
    let apply = Effect::Apply.to_string();
    acted.iter().filter(|acted| acted.effect == apply).fold(Applied::Never, |before, acted| {
        match (before, acted.outcome.as_ref().map(|(outcome, _)| outcome.as_str())) {
            (_, Some(DONE)) => Applied::Done,
            (Applied::Never | Applied::Refused, Some(REFUSED)) => Applied::Refused,
            (_, Some(REFUSED)) => Applied::RefusedAfterUnknown,
            _ => Applied::Unknown,
        }
    })
}

#[async_trait]
impl Rotation for Command {
    type Facts = Facts;
    type Effect = Effect;

    fn lasts(&self, effect: &Effect) -> bool {
        // Where nothing retires the old values, nobody says that the target accepts them beside the new ones.
        *effect == Effect::Retire || self.retire.is_none()
    }

    async fn probe(&self, operation: &Operation, holders: &Holders<'_>) -> Result<Facts, StoreError> {
        let (home, held) = (holders.spec.home.to_string(), holders.held_with(&self.addresses()).await?);
        let begun = super::chosen(operation)?.is_some();
        let new = self.new_values(operation)?;
        let acted = operation.acted();
        let ended = |acted: &&Acted| acted.effect == Effect::Retire.to_string();
        let retiring = acted.iter().rfind(ended);
        let retired =
            retiring.is_some_and(|acted| acted.outcome.as_ref().is_some_and(|(told, _)| told == DONE));
        let waited = match operation.soaking() {
            _ if retiring.is_some() => Waited::Over,
            Some(_) if self.at_once => Waited::Over,
            Some(until) if until > operation.now() => Waited::Until(until),
            Some(_) => Waited::Over,
            // `retire` was to be called after that, and could not be.
            None if operation.has_soaked() => Waited::Over,
            None => Waited::NotYet,
        };
        // Who has waited had published before; what is in home by now may be a later rotation's.
        let published = match &new {
            _ if waited != Waited::NotYet => true,
            Ok(Some(values)) => holders.have(&wanted(values)).await?,
            _ => false,
        };
        let applied = applied(acted);
        let mut accepted = None;
        if let (Some(verify), Ok(Some(values)), false) = (&self.verify, &new, published) {
            accepted = match (applied, self.chosen_by) {
                // Nobody has told the target of them.
                (Applied::Never, ChosenBy::Strongroom) => Some(false),
                _ => {
                    let pairs = self.pairs(operation, &home, &held, Some(values));
                    let said = self.programs.ask("verify", verify, operation, &pairs).await?;
                    Some(matches!(said, Said::Yes(_)))
                }
            };
        }
        let at_once = operation.facts().contains_key(AT_ONCE);
        let soak = if at_once { Duration::ZERO } else { self.soak };
        let is_time = waited == Waited::Over || (waited == Waited::NotYet && soak.is_zero());
        let clings = match published && is_time && self.retire.is_some() && !retired {
            true => self.clings(operation, holders, &held).await?,
            false => None,
        };
        let (tried, now) = (self.applied.load(Ordering::Relaxed), operation.now());
        Ok(Facts { begun, new, applied, tried, accepted, published, retired, waited, clings, now, soak })
    }

    fn next(&self, facts: &Facts) -> Step<Effect> {
        if facts.published {
            return self.afterwards(facts);
        }
        if !facts.begun {
            return Step::Choose;
        }
        let refused = matches!(facts.applied, Applied::Refused | Applied::RefusedAfterUnknown);
        let values = match &facts.new {
            Err(why) => {
                let message = format!("what it answered is no answer, {why}; no holder has changed");
                let hint = "what it said is sealed as minted-answer.age in the operation's folder; what the target has made is to be removed there";
                return Step::GiveUp(Box::new(
                    self.error(ErrorKind::Person, Effect::Apply, message).hint(hint),
                ));
            }
            Ok(None) if facts.tried && refused => return self.refused(facts),
            Ok(None) => return Step::Act(Effect::Apply),
            Ok(Some(values)) => values,
        };
        let accepted = facts.accepted.unwrap_or(match self.chosen_by {
            ChosenBy::Strongroom => facts.applied == Applied::Done,
            ChosenBy::Target => true,
        });
        if accepted {
            let lasting = self.retire.is_none();
            return Step::Publish(Publication { stages: vec![wanted(values)], lasting });
        }
        match (facts.tried, self.chosen_by) {
            (true, _) if refused => self.refused(facts),
            (false, ChosenBy::Strongroom) => Step::Act(Effect::Apply),
            (true, ChosenBy::Strongroom) | (_, ChosenBy::Target) => {
                let message = "it says that it is done, and `verify` says that the target does not accept the new values";
                let hint = "`strongroom resume` asks `verify` again";
                Step::Person(Box::new(self.error(ErrorKind::Failed, Effect::Apply, message).hint(hint)))
            }
        }
    }

    fn choose(&self, _: &Facts) -> Chosen {
        let made =
            self.keys.iter().filter(|_| self.chosen_by == ChosenBy::Strongroom).filter_map(
                |(address, generator)| Some((address.clone(), (self.generate)(generator.as_ref()?))),
            );
        let facts = self.at_once.then(|| (AT_ONCE.to_owned(), "yes".to_owned()));
        let awaited = match self.chosen_by {
            ChosenBy::Strongroom => Vec::new(),
            ChosenBy::Target => self.addresses(),
        };
        Chosen { values: made.collect(), facts: facts.into_iter().collect(), awaited }
    }

    async fn act(
        &self,
        effect: &Effect,
        operation: &mut Operation,
        holders: &Holders<'_>,
    ) -> Result<String, StoreError> {
        let (home, held) = (holders.spec.home.to_string(), holders.held_with(&self.addresses()).await?);
        let new = self.new_values(operation)?.unwrap_or_default();
        let pairs = self.pairs(operation, &home, &held, new.as_ref());
        match (effect, &self.retire) {
            (Effect::Apply, _) => {
                self.applied.store(true, Ordering::Relaxed);
                match self.chosen_by {
                    ChosenBy::Strongroom => {
                        let said = self.programs.ask("apply", &self.apply, operation, &pairs).await?;
                        Ok(told(&said))
                    }
                    ChosenBy::Target => self.minted(operation, &pairs).await,
                }
            }
            (Effect::Retire, None) => Ok(DONE.to_owned()),
            (Effect::Retire, Some(retire)) => {
                match self.programs.ask("retire", retire, operation, &pairs).await? {
                    Said::Yes(_) => Ok(DONE.to_owned()),
                    Said::No(why) => {
                        let message = "it says no: the old values are still accepted";
                        let error = self.error(ErrorKind::Person, Effect::Retire, message);
                        Err(programs::heard(error.hint("`strongroom resume` asks again"), why))
                    }
                }
            }
        }
    }
}

fn told(said: &Said) -> String {
    match said {
        Said::Yes(_) => DONE.to_owned(),
        Said::No(_) => REFUSED.to_owned(),
    }
}

/// Why a program gave no value.
#[derive(Debug, thiserror::Error)]
enum NoValue {
    #[error("it said no")]
    Refused,
    #[error(transparent)]
    Failed(#[from] StoreError),
}

impl Command {
    /// Has the target choose: what the program answers is sealed before it is looked into.
    async fn minted(&self, operation: &mut Operation, pairs: &programs::Pairs) -> Result<String, StoreError> {
        let question = self.programs.question("apply", operation, pairs);
        let call = async {
            match self.programs.put("apply", &self.apply, &question, pairs).await? {
                Said::Yes(answer) => Ok(answer),
                Said::No(_) => Err(NoValue::Refused),
            }
        };
        match mint(operation, ANSWER, call).await {
            Ok(_) => Ok(DONE.to_owned()),
            Err(MintError::Failed(NoValue::Refused)) => Ok(REFUSED.to_owned()),
            Err(MintError::Failed(NoValue::Failed(error))) => {
                if error.kind == ErrorKind::NotBegun {
                    let (effect, outcome) = (ANSWER.to_owned(), NOT_BEGUN.to_owned());
                    operation.record(Line::Acted { effect, outcome }).map_err(super::unopened)?;
                }
                Err(error)
            }
            Err(MintError::Unkept { source, .. } | MintError::Journal(source)) => {
                let message = "what it answered could not be sealed, and was not used";
                Err(self.error(ErrorKind::Failed, Effect::Apply, message).because(source))
            }
        }
    }
}

#[cfg(test)]
mod tests;
