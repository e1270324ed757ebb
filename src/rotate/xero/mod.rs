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
mod heard;
mod learned;
mod login;
mod members;
mod pair;
mod record;
mod remains;
mod story;
mod told;

pub use decide::Facts;
pub use learned::Learned;
pub use login::{Held, addresses, logins};
pub use record::{Last, Open, Record, Refused};
pub use remains::{Forgetting, Remains, close_record};

use super::{Chosen, Holders, Publication, Rotation, Step};
use crate::journal::{JournalError, Operation};
use crate::manifest::{Manifest, XeroSpec};
use crate::name::{Instance, Key};
use crate::plan::{Desired, Want};
use crate::secret::Secret;
use crate::snapshot::{Past, Snapshot};
use crate::store::{ErrorKind, Home, Store, StoreError};
use crate::web::Patience;
use crate::xero::{GRACE, RefreshToken, Tokens, Xero};
use async_trait::async_trait;
use begun::Begun;
use decide::Move;
use heard::pair_of;
use jiff::SignedDuration;
use login::at;
use pair::{Pair, is_among};
use record::{Shelf, digest};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;
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
    /// The instance that names it: home's record of it is there.
    pub first: Instance,
    /// The instances that shared the login when it was looked at before the lease.
    pub instances: Vec<Instance>,
    /// Home, for its past.
    pub past: &'a dyn Home,
    /// Whether home keeps records of ours for other hosts.
    pub recorded: bool,
    /// The life that is enough, where only what is about to end is refreshed.
    pub enough: Option<SignedDuration>,
    /// The longest wait between two calls that Xero does not ask for.
    pub pace: Option<SignedDuration>,
    /// Whether others wait: then it is left for later where Xero is silent.
    pub hurries: bool,
    /// Who does it: `alice@laptop`.
    pub by: String,
    /// What the rotation is called.
    pub rotation: String,
    /// How a person calls it: `strongroom -e prod xero`.
    pub command: String,
    /// What it learns on its way.
    pub learned: Mutex<Learned>,
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
        let intended = intended(operation, story.rounds.len())?;
        holders.before.know(begun.first().map(|begun| self.before(begun)).unwrap_or_default());
        let names: Vec<Instance> = match begun.first() {
            Some(begun) => begun.held.keys().cloned().collect(),
            None => self.instances.clone(),
        };
        let home = store.read(&addresses(self.spec, &names)).await?;
        let mut home: BTreeMap<Instance, Held> =
            names.iter().map(|name| (name.clone(), Held::of(&home, self.spec, name))).collect();
        home.retain(|_, held| held.refresh.is_some());
        let Record { mut open, last, .. } = match self.shelf(store) {
            Some(shelf) => shelf.read().await?,
            None => Record::default(),
        };
        if let Some(last) = &last {
            self.know(&last.organisations);
        }
        let open_is_ours = open.as_ref().is_some_and(|open| open.operation == operation.id().as_str());
        let mut told: Vec<(String, Pair)> =
            open.as_ref().and_then(Open::told).as_ref().and_then(pair_of).into_iter().collect();
        let mut answered = answered(operation, &story)?;
        let members = match begun.is_empty() {
            true => members::together(&home, &self.first, open.as_ref(), &told),
            false => members::faithful(&home, &begun, &answered),
        };
        let left = self.settle(&members, &home);
        home.retain(|name, _| members.contains(name));
        if open
            .as_ref()
            .is_some_and(|open| !open_is_ours && !heard::counts(open, &told, &home, operation.now()))
        {
            open = None;
            told.clear();
        }
        told.extend(begun.iter().filter_map(|begun| pair_of(begun.told.as_ref()?)));
        for (from, pair) in told {
            let round = begun.iter().rposition(|begun| digest(&begun.token) == from).map_or(0, |at| at + 1);
            if !answered_by(&answered, &pair.refresh) {
                answered.push((round, pair));
            }
        }
        let lacks = self.lacks(&home, holders.manifest);
        let (calls, asked) = self.calls();
        let mut facts = Facts {
            now: operation.now(),
            enough: self.enough,
            pace: self.pace,
            hurries: self.hurries,
            calls,
            asked,
            home,
            story,
            begun,
            intended,
            left,
            lacks,
            answered,
            open,
            open_is_ours,
            covered: None,
            others: Vec::new(),
        };
        self.look_back(&mut facts).await?;
        self.recall(&facts);
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
            Move::PutOff(until) => {
                self.learned().put_off = Some(until);
                Step::Person(Box::new(self.silent(facts)))
            }
            Move::Store { pair, instances } => Step::Publish(self.publication(facts, &pair, &instances)),
            Move::Try(access) => Step::Act(Effect(What::Try(access))),
            Move::Close => Step::Act(Effect(What::Close)),
            Move::NoApp(key) => give_up(self.no_app(&key)),
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

/// What the next round was about to begin with: the process died before it was known whether home was told of it.
fn intended(operation: &Operation, rounds: usize) -> Result<Option<Begun>, StoreError> {
    let next = operation.minted(&format!("begun-{}", rounds + 1)).map_err(damaged)?;
    Ok(next.as_ref().and_then(Begun::read))
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

fn token(number: usize) -> String {
    format!("token-{number}")
}

impl XeroLogin<'_> {
    fn shelf<'s>(&self, store: &'s dyn Store) -> Option<Shelf<'s>> {
        let address = Record::address(&self.spec.group, &self.first);
        self.recorded.then_some(Shelf { store, address })
    }

    /// Learns which instances are of the login, says which are not any more, and tells whether one has other tokens now.
    fn settle(&self, members: &BTreeSet<Instance>, home: &BTreeMap<Instance, Held>) -> bool {
        let before = self.members();
        self.learned().members = Some(members.iter().cloned().collect());
        for name in before.iter().filter(|name| !members.contains(*name)) {
            (self.tell)(Word::Warning(self.apart(name)));
        }
        home.keys().any(|name| !members.contains(name))
    }

    /// Recalls how far the token that was sent last is.
    fn recall(&self, facts: &Facts) {
        let mut learned = self.learned();
        learned.deadline = facts.begun.last().map(|begun| begun.first + GRACE);
        learned.sent = facts.begun.last().is_some_and(|begun| begun.doubt) || facts.story.asked > 0;
        learned.answered = !facts.answered.is_empty();
    }

    /// What home held of each instance before anything was sent.
    fn before(&self, begun: &Begun) -> Desired {
        let values = begun.held.iter().flat_map(|(name, before)| {
            let time = before.spelled.as_ref().and_then(|spelled| Secret::new(spelled.text.clone()).ok());
            [
                (&self.spec.refresh_token, before.refresh.clone()),
                (&self.spec.access_token, before.access.clone()),
                (&self.spec.token_expires_at, time),
            ]
            .map(|(key, value)| Some((at(self.spec, name, key), Want::value(value?))))
        });
        values.flatten().collect()
    }

    /// What nobody can authenticate without: the app's id, and its secret where the manifest says that there is one.
    fn lacks(&self, home: &BTreeMap<Instance, Held>, manifest: &Manifest) -> Option<Key> {
        let secret = &self.spec.client_secret;
        let declared = manifest.key(&at(self.spec, &self.first, secret)).is_some_and(|key| !key.optional);
        if home.values().all(|held| held.client.is_none()) {
            return Some(self.spec.client_id.clone());
        }
        let none = home.values().all(|held| held.client_secret.is_none());
        (declared && none).then(|| secret.clone())
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
            facts.covered = Some((name, Pair::seen(&refresh, access.as_ref())));
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
                if facts.now.duration_since(pair[0].modified) > GRACE {
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
}

/// What home holds of each instance that has tokens.
pub fn held(home: &Snapshot, spec: &XeroSpec, instances: &[Instance]) -> BTreeMap<Instance, Held> {
    instances.iter().map(|name| (name.clone(), Held::of(home, spec, name))).collect()
}
