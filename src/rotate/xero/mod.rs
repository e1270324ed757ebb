//! The tokens of one login at Xero, which one or several instances share.
//!
//! The flow: the intent is written down, sealed on this host and told to home; the refresh token is sent; what Xero
//! answers is sealed and told to home before it is read; then home gets the refresh token, the access token and the time,
//! in that order; the access token is tried; home is told that it is over. What is next is in `decide`, what was done in
//! `story`, what home is told in `record`.
//!
//! It never revokes anything, and never changes which organisation an instance is of.

mod act;
mod begun;
mod decide;
mod login;
mod pair;
mod record;
mod story;
mod told;

pub use decide::Facts;
pub use login::{Held, addresses, logins};
pub use record::{Last, Open, Record, Refused};

use super::{Chosen, Holders, Publication, Rotation, Step};
use crate::journal::{JournalError, Operation};
use crate::manifest::XeroSpec;
use crate::name::{Instance, Key};
use crate::plan::{Desired, Want};
use crate::secret::Secret;
use crate::snapshot::{Past, Snapshot};
use crate::store::{ErrorKind, Home, Store, StoreError};
use crate::web::Patience;
use crate::xero::{RefreshToken, Tokens, Xero};
use async_trait::async_trait;
use begun::Begun;
use decide::Move;
use jiff::SignedDuration;
use login::at;
use pair::{Pair, is_among};
use record::Shelf;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use story::{ASK, CLOSE, INTEND, Story, TRY};

/// What a person should hear while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// In passing.
    Note(String),
    /// Something is not as it should be.
    Warning(String),
}

/// A rotation of one login.
pub struct XeroLogin<'a> {
    /// The declaration.
    pub spec: &'a XeroSpec,
    /// The instances that share the login, the first of which names it.
    pub instances: Vec<Instance>,
    /// Home, for its past.
    pub past: &'a dyn Home,
    /// Whether home keeps records of ours for other hosts.
    pub recorded: bool,
    /// The life that is enough, where only what is about to end is refreshed.
    pub enough: Option<SignedDuration>,
    /// The longest wait between two calls that Xero does not ask for.
    pub pace: Option<SignedDuration>,
    /// Who does it: `alice@laptop`.
    pub by: String,
    /// How a person calls the rotation: `strongroom -e prod xero`.
    pub command: String,
    /// What the organisations of the instances are called, as far as it is known.
    pub known: Mutex<BTreeMap<String, String>>,
    /// Whether this process has called Xero.
    pub asked: AtomicBool,
    /// Is told each word as it comes.
    pub tell: &'a (dyn Fn(Word) + Sync),
}

/// What is done at Xero, or about it in home.
#[derive(Debug)]
pub struct Effect(What);

#[derive(Debug)]
enum What {
    Intend { round: usize, begun: Begun },
    Ask { number: usize, token: Secret },
    Try(Secret),
    Close,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            What::Intend { round, .. } => write!(f, "{INTEND}{round}"),
            What::Ask { number, .. } => write!(f, "{ASK}{number}"),
            What::Try(_) => f.write_str(TRY),
            What::Close => f.write_str(CLOSE),
        }
    }
}

#[async_trait]
impl Rotation for XeroLogin<'_> {
    type Facts = Facts;
    type Effect = Effect;

    const ADOPTS: bool = true;

    async fn probe(&self, operation: &Operation, holders: &Holders<'_>) -> Result<Facts, StoreError> {
        let store = store(holders);
        let story = Story::of(operation.acted());
        let begun = begun(operation, story.rounds.len())?;
        let home = store.read(&addresses(self.spec, &self.instances)).await?;
        let mut home: BTreeMap<Instance, Held> =
            self.instances.iter().map(|name| (name.clone(), Held::of(&home, self.spec, name))).collect();
        home.retain(|_, held| held.refresh.is_some());
        let record = match self.shelf(store) {
            Some(shelf) => shelf.read().await?,
            None => Record::default(),
        };
        if let Some(last) = &record.last {
            self.know(&last.organisations);
        }
        let mut answered = answered(operation, &story)?;
        let open_is_ours = record.open.as_ref().is_some_and(|open| open.operation == operation.id().as_str());
        let told = record.open.as_ref().and_then(pair_of).map(|pair| (0, pair));
        answered.extend(told.filter(|(_, pair)| !answered_by(&answered, &pair.refresh)));
        let mut facts = Facts {
            now: operation.now(),
            enough: self.enough,
            pace: self.pace,
            asked: self.asked.load(Ordering::Relaxed),
            home,
            story,
            begun,
            answered,
            open: record.open,
            open_is_ours,
            covered: None,
            others: Vec::new(),
        };
        facts.forget_what_is_over();
        self.look_back(&mut facts).await?;
        Ok(facts)
    }

    fn next(&self, facts: &Facts) -> Step<Effect> {
        let (round, number) = (facts.story.rounds.len() + 1, facts.story.asked + 1);
        let give_up = |error| Step::GiveUp(Box::new(error));
        match facts.next() {
            Move::Done => Step::Done,
            Move::Begin(begun) => Step::Act(Effect(What::Intend { round, begun })),
            Move::Ask(token) => Step::Act(Effect(What::Ask { number, token })),
            Move::Wait(until) => Step::Wait { until, why: self.waits(facts) },
            Move::Store { pair, instances } => Step::Publish(self.publication(facts, &pair, &instances)),
            Move::Try(access) => Step::Act(Effect(What::Try(access))),
            Move::Close => Step::Act(Effect(What::Close)),
            Move::Unkept => give_up(self.unkept(facts)),
            Move::Unreached => give_up(self.unreached(facts)),
            Move::Silent => Step::Person(Box::new(self.silent(facts))),
            Move::Person(person) => {
                let error = Box::new(self.person(facts, person));
                match person {
                    crate::xero::Person::Elsewhere(_) => Step::Person(error),
                    _ => Step::GiveUp(error),
                }
            }
        }
    }

    fn choose(&self, _: &Facts) -> Chosen {
        Chosen::default()
    }

    async fn act(
        &self,
        effect: &Effect,
        operation: &mut Operation,
        holders: &Holders<'_>,
    ) -> Result<String, StoreError> {
        match &effect.0 {
            What::Intend { round, begun } => self.intend(*round, begun, operation, store(holders)).await,
            What::Ask { number, token } => self.ask(*number, token, operation, store(holders)).await,
            What::Try(access) => self.try_out(access, store(holders)).await,
            What::Close => self.close(operation, store(holders)).await,
        }
    }
}

fn store<'a>(holders: &'a Holders<'_>) -> &'a dyn Store {
    holders.stores[&holders.spec.home.to_string()].as_ref()
}

fn damaged(error: JournalError) -> StoreError {
    StoreError::new(ErrorKind::Failed, "the journal", "what was sealed cannot be used").because(error)
}

fn begun(operation: &Operation, rounds: usize) -> Result<Vec<Begun>, StoreError> {
    let of = |round: usize| {
        let sealed = operation.minted(&format!("begun-{round}")).map_err(damaged)?;
        sealed.as_ref().and_then(Begun::read).ok_or_else(|| {
            StoreError::new(ErrorKind::Damaged, "the journal", "what this operation began with is not there")
        })
    };
    (1..=rounds).map(of).collect()
}

/// The pairs that Xero has answered with, as far as they can be read.
fn answered(operation: &Operation, story: &Story) -> Result<Vec<(usize, Pair)>, StoreError> {
    let mut pairs = Vec::new();
    for (index, round) in story.rounds.iter().enumerate() {
        for ask in &round.asks {
            let answer = operation.minted(&token(ask.number)).map_err(damaged)?;
            if let Some(Ok(tokens)) = answer.as_ref().map(Tokens::parse) {
                pairs.push((index + 1, Pair::answered(tokens, ask.at)));
            }
        }
    }
    Ok(pairs)
}

fn answered_by(all: &[(usize, Pair)], refresh: &Secret) -> bool {
    is_among(refresh, all.iter().map(|(_, pair)| &pair.refresh))
}

/// What another host was answered, as it told home.
fn pair_of(open: &Open) -> Option<Pair> {
    Some(Pair::answered(Tokens::parse(&open.answer()?).ok()?, open.first))
}

fn token(number: usize) -> String {
    format!("token-{number}")
}

impl XeroLogin<'_> {
    fn shelf<'s>(&self, store: &'s dyn Store) -> Option<Shelf<'s>> {
        let address = Record::address(&self.spec.group, self.instances.first()?);
        self.recorded.then_some(Shelf { store, address })
    }

    fn xero(&self) -> Xero<'_> {
        let (token_url, api_url) = (&self.spec.token_url, &self.spec.api_url);
        Xero { token_url, api_url, patience: Patience::default() }
    }

    /// The refresh token first, the time last: whatever is stored of it, the newest refresh token is known, and no old
    /// access token is called fresh.
    fn publication(&self, facts: &Facts, pair: &Pair, instances: &[Instance]) -> Publication {
        let stage = |value: &dyn Fn(&Instance) -> Option<Secret>, key| -> Desired {
            let want = |name: &Instance| Some((at(self.spec, name, key), Want::value(value(name)?)));
            instances.iter().filter_map(want).collect()
        };
        let time = |name: &Instance| Secret::new(facts.time(name, pair)?).ok();
        let stages = [
            stage(&|_| Some(pair.refresh.clone()), &self.spec.refresh_token),
            stage(&|_| pair.access.clone(), &self.spec.access_token),
            stage(&time, &self.spec.token_expires_at),
        ];
        Publication { stages: stages.into_iter().filter(|stage| !stage.is_empty()).collect(), lasting: true }
    }

    /// What only home's history tells: a pair that our write has covered, and tokens from just before.
    async fn look_back(&self, facts: &mut Facts) -> Result<(), StoreError> {
        if facts.story.last().is_some_and(|ask| !ask.answered && ask.token == RefreshToken::Refused) {
            facts.others = self.recent(facts).await?;
        }
        if facts.story.tried || facts.story.closed {
            return Ok(());
        }
        for (name, since) in facts.jumped() {
            let later = |version: &str| version.parse::<i64>().is_ok_and(|version| version > since);
            let pasts = self.history(&name, &self.spec.refresh_token).await?;
            let theirs =
                pasts.into_iter().filter(|past| later(&past.version.0)).filter_map(|past| past.value);
            let Some(refresh) = theirs.into_iter().find(|token| facts.is_unknown(token)) else { continue };
            let pasts = self.history(&name, &self.spec.access_token).await?;
            let access = pasts.into_iter().filter_map(|past| past.value);
            let access = access.into_iter().find(|token| facts.is_unknown_access(&name, token));
            facts.covered = Some(Pair::seen(&refresh, access.as_ref()));
        }
        Ok(())
    }

    /// The refresh tokens that home held before, as long ago as Xero may take one again.
    async fn recent(&self, facts: &Facts) -> Result<Vec<Secret>, StoreError> {
        let mut recent = Vec::new();
        for name in facts.home.keys() {
            let pasts = self.history(name, &self.spec.refresh_token).await?;
            // One is used when the next one is written.
            for pair in pasts.windows(2) {
                if facts.now.duration_since(pair[0].modified) > crate::xero::GRACE {
                    break;
                }
                recent.extend(pair[1].value.clone());
            }
        }
        Ok(recent)
    }

    /// What home held at a key before; nothing where it keeps no past, or none that we may read: it is only a help.
    async fn history(&self, name: &Instance, key: &Key) -> Result<Vec<Past>, StoreError> {
        match self.past.history(&at(self.spec, name, key)).await {
            Err(error) if matches!(error.kind, ErrorKind::Transient) => Err(error),
            Err(error) => {
                tracing::debug!(%error, "home tells no past");
                Ok(Vec::new())
            }
            pasts => pasts,
        }
    }

    fn know(&self, organisations: &BTreeMap<String, String>) {
        let mut known = self.known.lock().expect("no code panics while it holds the lock");
        known.extend(organisations.clone());
    }
}

/// What home holds of each instance that has tokens.
pub fn held(home: &Snapshot, spec: &XeroSpec, instances: &[Instance]) -> BTreeMap<Instance, Held> {
    instances.iter().map(|name| (name.clone(), Held::of(home, spec, name))).collect()
}
