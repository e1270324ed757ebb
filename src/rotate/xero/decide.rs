//! What is next with one login, by what home holds, what this operation did, and what home was told of other hosts.
//!
//! Owns which pair of tokens is to stand at the end: the one that was given last, whoever asked for it. The order of
//! the calls is [`crate::xero::next`]'s. Pure.

use super::begun::{Before, Begun, Spelled};
use super::login::Held;
use super::pair::{Pair, is_among};
use super::record::{Open, digest};
use super::story::Story;
use crate::name::{Instance, Key};
use crate::secret::Secret;
use crate::xero::{self, Again, Claims, Home, Person, RefreshToken, Sent};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How long a pair of somebody else may be stored in parts before it is taken for what it is.
const TORN: SignedDuration = SignedDuration::from_secs(10);
/// How often Xero is called that was not reached.
const UNREACHED: usize = 4;
/// How long others wait at most for the next call, and for how many calls.
const HURRY: (SignedDuration, usize) = (SignedDuration::from_secs(10), 2);

/// What is known.
pub struct Facts {
    pub(super) now: Timestamp,
    /// The life that is enough.
    pub(super) enough: Option<SignedDuration>,
    /// The longest wait between two calls, where the usual ones are too long.
    pub(super) pace: Option<SignedDuration>,
    /// Whether other logins wait for this one's end.
    pub(super) hurries: bool,
    /// How often Xero was called since this login had its turn.
    pub(super) calls: usize,
    /// Whether this process has called Xero: whoever goes on has set right what was to be set right.
    pub(super) asked: bool,
    pub(super) home: BTreeMap<Instance, Held>,
    pub(super) story: Story,
    /// What each round began with.
    pub(super) begun: Vec<Begun>,
    /// What the next round was about to begin with when the process died.
    pub(super) intended: Option<Begun>,
    /// Whether an instance has left the login, and its tokens with it.
    pub(super) left: bool,
    /// What home has of the app in no instance.
    pub(super) lacks: Option<Key>,
    /// What was answered in each round, the first being 1; 0 is what was answered to a token of none of them.
    pub(super) answered: Vec<(usize, Pair)>,
    /// What home was told, by us or by another host.
    pub(super) open: Option<Open>,
    /// Whether that is of this operation.
    pub(super) open_is_ours: bool,
    /// A pair of somebody else that our write has covered in an instance: it is in home's history.
    pub(super) covered: Option<(Instance, Pair)>,
    /// What else may be sent where the token is refused.
    pub(super) others: Vec<Secret>,
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Move {
    Done,
    /// Keep this and the intent, durably.
    Begin(Begun),
    /// Send that token.
    Ask(Secret),
    Wait(Timestamp),
    /// The same, and others come first.
    PutOff(Timestamp),
    /// Bring these instances to this pair.
    Store {
        pair: Pair,
        instances: Vec<Instance>,
    },
    Try(Secret),
    /// Tell home that nothing is under way.
    Close,
    /// Nothing to authenticate with.
    NoApp(Key),
    /// Home cannot be written to, and nothing was sent.
    Unkept,
    /// Xero cannot be reached; nothing was used up.
    Unreached,
    /// Xero has not answered for longer than the old token is taken.
    Silent,
    /// A person is needed.
    Person(Person),
}

impl Facts {
    pub(super) fn next(&self) -> Move {
        if self.story.unkept.is_some() && self.story.rounds.is_empty() {
            return Move::Unkept;
        }
        if self.story.closed && self.story.rounds.is_empty() {
            // What another host was answered is stored, and home knows it.
            return Move::Done;
        }
        if self.home.is_empty() && !self.begun.is_empty() {
            // Somebody has deleted the tokens meanwhile, or put another user's there, and meant it.
            return self.end(if self.left { Move::Done } else { Move::Person(Person::Refused) });
        }
        if let Some((instance, theirs)) = self.covered.as_ref().filter(|(_, pair)| self.is_anothers(pair)) {
            return Move::Store { pair: theirs.clone(), instances: vec![instance.clone()] };
        }
        let pair = self.pair();
        let view = xero::Facts {
            now: self.now,
            expires: self.ends(),
            enough: self.enough,
            home: self.standing(pair),
            sent: self.sent(),
            sealed: pair.map(|pair| pair.issued),
            tried: self.story.tried,
        };
        match (xero::next(&view), pair) {
            (xero::Step::Enough, _) => Move::Done,
            (xero::Step::Intend, _) => self.begin(),
            (xero::Step::Ask, _) => self.ask(),
            (xero::Step::Wait(until), _) => self.wait(until),
            (xero::Step::Store, Some(pair)) => self.store(pair),
            (xero::Step::Try, Some(Pair { access: Some(access), .. })) => Move::Try(access.clone()),
            (xero::Step::Store | xero::Step::Try | xero::Step::Done, _) => self.end(Move::Done),
            (xero::Step::Adopt, _) => self.adopt(pair),
            (xero::Step::Person(person), _) => self.person(person),
        }
    }

    /// The pair that counts: of the last round, or, where that was refused, of all of them. What was answered to a token
    /// of no round counts before the first one.
    fn pair(&self) -> Option<&Pair> {
        let round = self.story.rounds.len();
        let last = self.story.rounds.last().and_then(|round| round.asks.last());
        let refused = last.is_some_and(|ask| !ask.answered && ask.token == RefreshToken::Refused);
        let counts = self.answered.iter().filter(|(of, _)| *of == round || refused);
        // Of two of one second the later answer.
        counts.map(|(_, pair)| pair).max_by_key(|pair| pair.issued)
    }

    /// When the first of the access tokens ends; not known where one has no refresh token's pair.
    fn ends(&self) -> Option<Timestamp> {
        let ends: Option<Vec<Timestamp>> = self.home.values().map(Held::ends).collect();
        ends?.into_iter().min()
    }

    fn old_tokens(&self) -> impl Iterator<Item = &Secret> {
        self.begun.iter().flat_map(|begun| {
            let held = begun.held.values().filter_map(|before| before.refresh.as_ref());
            std::iter::once(&begun.token).chain(held)
        })
    }

    /// Whether a refresh token is neither what was there before nor what we were given.
    fn is_theirs(&self, token: &Secret) -> bool {
        if self.begun.is_empty() {
            // Home is as it is found, but for what another host was about to do with it.
            let from = self.open.as_ref().is_some_and(|open| open.from != digest(token));
            return from && !is_among(token, self.answered.iter().map(|(_, pair)| &pair.refresh));
        }
        let ours = self.answered.iter().map(|(_, pair)| &pair.refresh);
        !is_among(token, self.old_tokens().chain(ours))
    }

    /// The pair of somebody else that was given last: in home, or covered by a write of ours.
    fn theirs(&self) -> Option<Pair> {
        let seen = self.home.iter().filter_map(|(instance, held)| {
            let refresh = held.refresh.as_ref().filter(|token| self.is_theirs(token))?;
            let access = held.access.as_ref().filter(|access| !self.is_known_access(instance, access));
            Some(Pair { ends: held.ends().filter(|_| access.is_some()), ..Pair::seen(refresh, access) })
        });
        let covered = self.covered.iter().map(|(_, pair)| pair);
        let covered = covered.filter(|pair| self.is_theirs(&pair.refresh)).cloned();
        seen.chain(covered).max_by_key(|pair| pair.issued)
    }

    /// Whether a pair is of another user than the login.
    fn is_anothers(&self, pair: &Pair) -> bool {
        let befores = self.begun.iter().flat_map(|begun| begun.held.values());
        let mut users = befores.filter_map(|before| Claims::of(before.access.as_ref()?).user).peekable();
        let user = pair.user();
        user.is_some() && users.peek().is_some() && users.all(|one| Some(one) != user)
    }

    fn is_known_access(&self, instance: &Instance, access: &Secret) -> bool {
        let before = self.begun.iter().filter_map(|begun| begun.held.get(instance)?.access.as_ref());
        let ours = self.answered.iter().filter_map(|(_, pair)| pair.access.as_ref());
        let told = self.open.as_ref().and_then(|open| open.accesses.get(instance.as_str()));
        is_among(access, before.chain(ours)) || told.is_some_and(|told| *told == digest(access))
    }

    fn standing(&self, pair: Option<&Pair>) -> Home {
        match (pair, self.theirs()) {
            // It came after all of ours, or nobody knows.
            (Some(ours), Some(theirs)) if self.holds(ours) => match (ours.issued, theirs.issued) {
                (Some(ours_at), Some(theirs_at)) if ours_at > theirs_at => {
                    Home::New { whole: self.is_whole(ours) }
                }
                _ => Home::Theirs { issued: theirs.issued },
            },
            (_, Some(theirs)) => Home::Theirs { issued: theirs.issued },
            (Some(ours), None) if self.holds(ours) => Home::New { whole: self.is_whole(ours) },
            (_, None) => Home::Old,
        }
    }

    fn holds(&self, pair: &Pair) -> bool {
        let same = |held: &Held| held.refresh.as_ref().is_some_and(|token| token.same_as(&pair.refresh));
        !self.home.is_empty() && self.home.values().all(same)
    }

    /// Whether access token and time are there too. A later access token, of the app's, is as good.
    fn is_whole(&self, pair: &Pair) -> bool {
        let whole = |(instance, held): (&Instance, &Held)| {
            let Some(access) = &pair.access else { return true };
            let Some(now) = &held.access else { return false };
            if !now.same_as(access) {
                let later = held.claims().issued > pair.issued;
                return later && !self.is_known_access(instance, now);
            }
            let text = self.time(instance, pair);
            text.is_none_or(|text| held.expires.as_ref().is_some_and(|now| now.expose() == text))
        };
        !self.home.is_empty() && self.home.iter().all(whole)
    }

    /// The end of a pair's access token as an instance's app writes it.
    pub(super) fn time(&self, instance: &Instance, pair: &Pair) -> Option<String> {
        let begun = self.begun.first().and_then(|begun| begun.held.get(instance)?.spelled.as_ref());
        let told = self.open.as_ref().and_then(|open| open.spelled.get(instance.as_str()));
        let found = self.home.get(instance).and_then(Spelled::of);
        Some(Spelled::write(begun.or(told).or(found.as_ref()), pair.ends?))
    }

    /// What was sent in this round; or, before the first one, what another host has sent of the same token.
    fn sent(&self) -> Option<Sent> {
        let Some(round) = self.story.rounds.last() else {
            let open =
                self.open.as_ref().filter(|_| !self.open_is_ours && self.is_about(self.open.as_ref()))?;
            let (token, again) = (RefreshToken::MayBeSpent, Again::Yes);
            // Its clock may be ahead of ours: that is nothing to wait for.
            let first = open.first.min(self.now);
            return Some(Sent { first, last: first, tries: 1, token, again, doubt: true });
        };
        let begun = self.begun.last()?;
        let last = round.asks.last();
        Some(Sent {
            first: begun.first,
            last: last.map_or(begun.first, |ask| ask.at),
            tries: round.asks.len(),
            token: last.map_or(RefreshToken::Unspent, |ask| ask.token),
            again: last.filter(|_| self.asked).map_or(Again::Yes, |ask| ask.again),
            doubt: self.doubt(),
        })
    }

    /// Whether an intent is about a token that home holds.
    fn is_about(&self, open: Option<&Open>) -> bool {
        let holds = |from: &str| {
            self.home.values().filter_map(|held| held.refresh.as_ref()).any(|token| digest(token) == from)
        };
        open.is_some_and(|open| holds(&open.from))
    }

    /// The token that was given last among those that home holds.
    fn newest(&self) -> Option<Secret> {
        let all = self.home.values().filter(|held| held.refresh.is_some());
        all.max_by_key(|held| held.claims().issued)?.refresh.clone()
    }

    fn begin(&self) -> Move {
        match self.newest() {
            Some(token) => match &self.lacks {
                // Once something was sent, there is an answer to go on for.
                Some(key) if self.begun.is_empty() => Move::NoApp(key.clone()),
                _ => self.begin_with(token),
            },
            // Who has none is told so before anything is begun.
            None => Move::Person(Person::Refused),
        }
    }

    fn begin_with(&self, token: Secret) -> Move {
        let foreign = self.open.as_ref().filter(|open| !self.open_is_ours && open.from == digest(&token));
        let ours = self.open.as_ref().filter(|open| self.open_is_ours && open.from == digest(&token));
        let earlier = self.begun.iter().filter(|begun| begun.token.same_as(&token)).map(|begun| begun.first);
        let told = foreign.or(ours).map(|open| open.first);
        let first = earlier.chain(told).chain([self.now]).min().unwrap_or(self.now);
        let held = self.home.iter().map(|(instance, held)| {
            let told = self.open.as_ref().and_then(|open| open.spelled.get(instance.as_str()).cloned());
            let before = Before {
                refresh: held.refresh.clone(),
                version: held.version.as_ref().map(|version| version.0.clone()),
                access: held.access.clone(),
                spelled: told.or_else(|| Spelled::of(held)),
            };
            (instance.clone(), before)
        });
        let told = self.open.as_ref().and_then(Open::told);
        // What was begun with it before counts, though home tells of our own intent by now.
        let intended = self.intended.as_ref().filter(|begun| begun.token.same_as(&token));
        let doubt = foreign.is_some() || intended.is_some_and(|begun| begun.doubt);
        let first = intended.map_or(first, |begun| begun.first.min(first));
        Move::Begin(Begun { first, doubt, held: held.collect(), token, told })
    }

    fn ask(&self) -> Move {
        let Some((begun, round)) = self.begun.last().zip(self.story.rounds.last()) else {
            // Another host's intent: ours is written down first.
            return self.begin();
        };
        let unspent = |ask: &super::story::Ask| !ask.answered && ask.token == RefreshToken::Unspent;
        if round.asks.len() >= UNREACHED && self.risks_nothing() && round.asks.iter().all(unspent) {
            return self.end(Move::Unreached);
        }
        if self.hurries && self.calls > 0 && round.asks.len() >= HURRY.1 {
            return Move::PutOff(self.now);
        }
        // Each process asks at least once: what an earlier one was not told, Xero may tell now.
        let late = self.asked && round.asks.last().is_some_and(|ask| ask.at > begun.first + xero::GRACE);
        if late { Move::Silent } else { Move::Ask(begun.token.clone()) }
    }

    /// Whether this operation may end without a pair: no call may have used up a token, and no answer waits to be stored.
    fn risks_nothing(&self) -> bool {
        !self.doubt() && self.answered.is_empty()
    }

    fn doubt(&self) -> bool {
        self.begun.iter().any(|begun| begun.doubt) || self.story.doubt()
    }

    fn wait(&self, until: Timestamp) -> Move {
        let last = self.story.last();
        let until = match self.pace.zip(last).filter(|(_, last)| last.again == Again::Yes) {
            Some((pace, last)) => until.min(last.at + pace),
            None => until,
        };
        let tries = self.story.rounds.last().map_or(0, |round| round.asks.len());
        if until <= self.now {
            self.ask()
        } else if self.hurries && (tries >= HURRY.1 || until.duration_since(self.now) > HURRY.0) {
            Move::PutOff(until)
        } else {
            Move::Wait(until)
        }
    }

    fn store(&self, pair: &Pair) -> Move {
        Move::Store { pair: pair.clone(), instances: self.home.keys().cloned().collect() }
    }

    /// Somebody else has refreshed.
    fn adopt(&self, ours: Option<&Pair>) -> Move {
        let Some(theirs) = self.theirs() else { return self.end(Move::Done) };
        let since = self.story.last().map(|ask| ask.at).or(self.begun.last().map(|begun| begun.first));
        let torn = self.pace.map_or(TORN, |pace| (pace * 5).min(TORN));
        if theirs.access.is_none() && since.is_some_and(|at| self.now < at + torn) {
            // He has stored one part of it and is about to store the others.
            return Move::Wait(self.now + torn / 5);
        }
        let later = |ours: &Pair| ours.issued.zip(theirs.issued).is_some_and(|(ours, theirs)| theirs > ours);
        let certain = match ours {
            Some(ours) => later(ours),
            // A lost answer may have come after his.
            None => !self.sent().is_some_and(|sent| sent.doubt),
        };
        if !certain {
            // Only Xero knows which of both is good: his is sent, and where it is refused ours is good.
            return self.begin_with(theirs.refresh);
        }
        let without = |held: &Held| !held.refresh.as_ref().is_some_and(|now| now.same_as(&theirs.refresh));
        let instances: Vec<Instance> =
            self.home.iter().filter(|(_, held)| without(held)).map(|(name, _)| name.clone()).collect();
        if instances.is_empty() || theirs.access.is_none() {
            return self.end(Move::Done);
        }
        Move::Store { pair: theirs, instances }
    }

    fn person(&self, person: Person) -> Move {
        if matches!(person, Person::Refused | Person::Lost)
            && let Some(other) = self.other()
        {
            return self.begin_with(other.clone());
        }
        let person = match (person, self.begun.last()) {
            // An answer of an earlier round is still to be stored.
            (Person::Unspent, Some(begun)) if !self.risks_nothing() => {
                Person::Elsewhere(begun.first + xero::GRACE)
            }
            _ => person,
        };
        match person {
            // The intent stays in home: the token may be spent, and another host must know until when it is taken.
            Person::Elsewhere(_) => Move::Person(person),
            _ => self.end(Move::Person(person)),
        }
    }

    /// What else may lead to a pair, where the last token was refused: one that was sent before and whose answer was
    /// lost, what other instances of the login hold, what home held shortly before.
    fn other(&self) -> Option<&Secret> {
        let rounds = self.begun.iter().zip(&self.story.rounds);
        let refused: Vec<&Secret> = rounds
            .filter(|(_, round)| round.asks.last().is_some_and(|ask| ask.token == RefreshToken::Refused))
            .map(|(begun, _)| &begun.token)
            .collect();
        let sent = self.begun.iter().map(|begun| &begun.token);
        let held = self.home.values().filter_map(|held| held.refresh.as_ref());
        sent.chain(held).chain(&self.others).find(|token| !is_among(token, refused.iter().copied()))
    }

    /// The last thing, once home knows that nothing is under way.
    fn end(&self, last: Move) -> Move {
        let open = self.open.is_some() && !self.story.closed;
        if open { Move::Close } else { last }
    }
}

/// What a look back needs to know.
impl Facts {
    /// The instances whose refresh token was written more often than by us, with the version that we began with.
    pub(super) fn jumped(&self) -> Vec<(Instance, i64)> {
        let number = |version: &str| version.parse::<i64>().ok();
        let jumped = |(name, held): (&Instance, &Held)| {
            let token = held.refresh.as_ref()?;
            let ours = self.answered.iter().any(|(_, pair)| pair.refresh.same_as(token));
            let begun = self.begun.last()?.held.get(name)?;
            let since = number(begun.version.as_ref()?)?;
            let now = number(&held.version.as_ref()?.0)?;
            (ours && now > since + 1).then(|| (name.clone(), since))
        };
        self.home.iter().filter_map(jumped).collect()
    }

    /// Whether a refresh token is somebody else's.
    pub(super) fn is_unknown(&self, token: &Secret) -> bool {
        self.is_theirs(token)
    }

    /// Whether an access token is neither what an instance had before nor what we were given.
    pub(super) fn is_unknown_access(&self, instance: &Instance, access: &Secret) -> bool {
        !self.is_known_access(instance, access)
    }
}

#[cfg(test)]
mod tests;
