//! What a person hears about a login: which instances, what became of the token, until when, and what to type.

use super::XeroLogin;
use super::decide::Facts;
use crate::name::{Instance, Key};
use crate::store::{ErrorKind, StoreError};
use crate::xero::{Again, Connection, Person, RefreshToken, UNUSED, XeroError};
use jiff::{SignedDuration, Timestamp};

/// The time of day, as a person reads it on the same day.
fn clock_time(at: Timestamp) -> String {
    at.strftime("%H:%M UTC").to_string()
}

/// What the journal keeps of home's refusal: whether it was one, and what it said.
pub(super) fn refused_by_home(error: &StoreError) -> String {
    let kind = if error.kind == ErrorKind::Denied { "denied" } else { "refused" };
    let hint = error.hint.iter().map(|hint| format!("; {hint}")).collect::<String>();
    format!("{kind}: {error}{hint}")
}

/// What the journal keeps of a call that was not made, in the words of one that was.
pub(super) fn unsent(error: &StoreError) -> String {
    let again = if error.kind == ErrorKind::Transient { "again" } else { "stop" };
    format!("unspent {again}: home cannot be read: {error}")
}

pub(super) fn clock(ahead: SignedDuration) -> String {
    let (minutes, side) = (ahead.abs().as_mins().max(1), if ahead.is_positive() { "fast" } else { "slow" });
    format!("the clock of this host is {minutes} min {side}: Xero's was used")
}

impl XeroLogin<'_> {
    pub(super) fn location(&self) -> String {
        let host = self.spec.token_url.split('/').nth(2).unwrap_or_default();
        format!("Xero ({host})")
    }

    pub(super) fn appless(&self) -> String {
        format!("unspent stop: no instance of {} has a {}", self.name(), self.spec.client_id)
    }

    pub(super) fn no_app(&self, key: &Key) -> StoreError {
        let message = format!("{}: home holds no {key}, so nothing was sent", self.name());
        self.error(ErrorKind::Person, message).hint(format!(
            "`strongroom set {}/{}/{key}` as the app has it at developer.xero.com, and rotate again",
            self.spec.group,
            self.one()
        ))
    }

    /// An instance that this leaves alone.
    pub(super) fn apart(&self, name: &Instance) -> String {
        format!(
            "{}/{name} is not of the login that is refreshed here any more: left as it is",
            self.spec.group
        )
    }

    /// `xero/1 (Acme Ltd)`; all instances of a login that several share.
    pub(super) fn name(&self) -> String {
        let names = match self.members() {
            none if none.is_empty() => self.instances.clone(),
            members => members,
        };
        let known = self.learned().organisations.clone();
        let of = |name: &Instance| match known.get(name.as_str()).filter(|text| !text.is_empty()) {
            Some(organisation) => format!("{}/{name} ({organisation})", self.spec.group),
            None => format!("{}/{name}", self.spec.group),
        };
        let names: Vec<String> = names.iter().map(of).collect();
        names.join(" and ")
    }

    /// The instance that a person sets right, or logs in: one that is of the login still.
    fn one(&self) -> Instance {
        self.members().into_iter().next().unwrap_or_else(|| self.first.clone())
    }

    fn error(&self, kind: ErrorKind, message: String) -> StoreError {
        StoreError::new(kind, self.location(), message)
    }

    fn set_secret(&self) -> String {
        format!("strongroom set {}/{}/{}", self.spec.group, self.one(), self.spec.client_secret)
    }

    fn login(&self) -> String {
        format!(
            "`{} login {}/{}` authorises it again; other logins are not touched by this",
            self.command,
            self.rotation,
            self.one()
        )
    }

    pub(super) fn unkept(&self, facts: &Facts) -> StoreError {
        let kept = facts.story.unkept.clone().unwrap_or_default();
        let (kind, why) = kept.split_once(": ").unwrap_or_default();
        let kind = if kind == "denied" { ErrorKind::Denied } else { ErrorKind::Failed };
        self.error(kind, format!("{}: home cannot be written, so nothing was sent: {why}", self.name()))
            .hint("the token is as good as before; home must be writable before it is sent")
    }

    pub(super) fn unreached(&self, facts: &Facts) -> StoreError {
        self.error(ErrorKind::Transient, format!("{}: {}", self.name(), last(facts)))
            .hint("nothing has changed; check the network, `token_url` and proxies, and run it again")
    }

    pub(super) fn silent(&self, facts: &Facts) -> StoreError {
        let since = facts.begun.last().map(|begun| clock_time(begun.first)).unwrap_or_default();
        let message = format!("{}: no answer since {since}: {}", self.name(), last(facts));
        self.error(ErrorKind::Transient, message)
            .hint("whether the token was used up is known once Xero answers: `strongroom resume` asks again")
    }

    pub(super) fn person(&self, facts: &Facts, person: Person) -> StoreError {
        let (name, said) = (self.name(), last(facts));
        let first = facts.begun.iter().map(|begun| begun.first).min();
        match person {
            Person::Lost => {
                let at = first.map(clock_time).unwrap_or_default();
                let message = format!(
                    "the connection of {name} is lost: an answer to the call of {at} was never stored, and the token from before is not taken any more. {said}"
                );
                self.error(ErrorKind::Person, message).hint(self.login())
            }
            Person::Refused if facts.home.is_empty() => {
                let message = format!("{name}: home holds no refresh token any more");
                self.error(ErrorKind::Person, message).hint(self.login())
            }
            Person::Refused => {
                let unused = facts.home.values().filter_map(|held| held.modified).max();
                let unused = unused.is_some_and(|at| facts.now.duration_since(at) >= UNUSED);
                let why = if unused {
                    "it was not used for 60 days"
                } else {
                    "a user has disconnected the app, or another copy of the token is used elsewhere: keep one store"
                };
                self.error(ErrorKind::Person, format!("{name}: {said}: {why}")).hint(self.login())
            }
            Person::Unspent => {
                let (group, first) = (&self.spec.group, self.one());
                let error =
                    self.error(ErrorKind::Person, format!("{name}: {said}. The token was not used up"));
                if facts.home.values().all(|held| held.client.is_none()) {
                    let key = &self.spec.client_id;
                    return error.hint(format!("`strongroom set {group}/{first}/{key}` with the app's id"));
                }
                error.hint(format!(
                    "`{}` with a secret that the app has at developer.xero.com, unless the app is disabled there",
                    self.set_secret()
                ))
            }
            Person::Elsewhere(deadline) => {
                let message = format!(
                    "{name}: {said}. The token may be used up, and is taken again until {}",
                    clock_time(deadline)
                );
                // Xero itself has said that it does not know the app.
                let hint = match facts.story.last().map(|ask| ask.token) {
                    Some(RefreshToken::Unspent) => {
                        format!(
                            "before that, `{}` with a secret that the app has, and `strongroom resume`",
                            self.set_secret()
                        )
                    }
                    _ => {
                        "set `token_url` right, or what stands between here and Xero, before that".to_owned()
                    }
                };
                self.error(ErrorKind::Person, message).hint(hint)
            }
        }
    }

    /// What is so where somebody has interrupted it, and what to type.
    pub fn interrupted(&self) -> (String, String) {
        let name = self.name();
        let learned = self.learned();
        match learned.deadline {
            Some(_) if learned.answered => (
                format!("{name}: Xero has answered, and the new tokens are kept in the operation until they are stored"),
                "`strongroom resume` stores them; those from before are used up, and no undo brings them back".to_owned(),
            ),
            Some(deadline) if learned.sent => {
                let until = clock_time(deadline);
                (
                    format!("{name}: the token was sent, and what Xero answered is not known; it is taken again until {until}"),
                    format!("`strongroom resume` before {until} asks again; no undo takes it back"),
                )
            }
            _ => (
                format!("{name}: nothing was sent"),
                "`strongroom resume` goes on, `strongroom undo` leaves it at that".to_owned(),
            ),
        }
    }

    /// Why it is waited.
    pub(super) fn waits(&self, facts: &Facts) -> String {
        match facts.story.last() {
            Some(ask) if !ask.answered => format!("{}: {}; asking again", self.name(), ask.told),
            _ => format!("{}: somebody else is storing a pair", self.name()),
        }
    }

    /// A call that failed, and what comes next.
    pub(super) fn again(&self, error: &XeroError, number: usize, deadline: Option<Timestamp>) -> String {
        let (name, tries) = (self.name(), number);
        if error.again() == Again::No {
            return format!("{name}: {error}");
        }
        match error.refresh_token() {
            RefreshToken::Unspent => format!("{name}: {error}; nothing has changed. Trying again ({tries})"),
            _ => {
                let until =
                    deadline.map(|at| format!("; the old token still works until {}", clock_time(at)));
                format!("{name}: {error}{}. Trying again ({tries})", until.unwrap_or_default())
            }
        }
    }

    /// Home could not be told that it is over.
    pub(super) fn unclosed(&self, error: &StoreError) -> String {
        format!(
            "{}: home's record still says that it goes on, which the next refresh sets right: {error}",
            self.name()
        )
    }

    pub(super) fn untried(&self, error: &XeroError) -> String {
        format!(
            "{}: the new tokens are stored, and could not be tried: {error}; {}",
            self.name(),
            error.advice()
        )
    }

    pub(super) fn missing(&self, name: &Instance, has_one: bool, offered: &[Connection]) -> String {
        let organisation = |one: &Connection| format!("{} ({})", one.tenant, one.name);
        let offered: Vec<String> = offered.iter().take(10).map(organisation).collect();
        let offered = match offered.is_empty() {
            true => "none".to_owned(),
            false => offered.join(", "),
        };
        let what = if has_one {
            "its tenant_id is not among the organisations that its user connected"
        } else {
            "it has no tenant_id"
        };
        format!(
            "{}/{name}: {what}; left as it is. Offered: {offered}. `strongroom set {}/{name}/{}` chooses one",
            self.spec.group, self.spec.group, self.spec.tenant_id
        )
    }
}

/// What Xero said last.
fn last(facts: &Facts) -> String {
    facts.story.last().map_or_else(|| "there is no refresh token".to_owned(), |ask| ask.told.clone())
}
