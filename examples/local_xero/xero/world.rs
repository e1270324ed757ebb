//! What Xero knows: apps, users, their organisations, and every token that it ever gave.
//!
//! Owns the rules of tokens: a refresh token is used once, is taken again for half an hour after that, and ends 60 days
//! after it was given if nobody uses it.

use super::jwt;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// How long a used refresh token is taken again.
pub(crate) const GRACE: SignedDuration = SignedDuration::from_mins(30);
const UNUSED: SignedDuration = SignedDuration::from_hours(60 * 24);
const ACCESS: SignedDuration = SignedDuration::from_mins(30);
pub(super) const CODE: SignedDuration = SignedDuration::from_mins(5);

/// An app as it is registered.
#[derive(Clone, Debug, Default)]
pub(crate) struct App {
    /// Any of them is good; without one it is an app for desktops.
    pub(crate) secrets: Vec<String>,
    /// `authorization_code`, `refresh_token`, `client_credentials`.
    pub(crate) grants: Vec<&'static str>,
    /// Where people may be sent back to, to the letter.
    pub(crate) redirects: Vec<String>,
}

/// An organisation that a user connected to an app.
#[derive(Clone, Debug)]
pub(crate) struct Tenant {
    pub(crate) connection: String,
    pub(crate) id: String,
    pub(crate) name: String,
}

/// What happens to the other tokens that came of one that was used twice. Xero does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Siblings {
    /// All of them are good, as in IdentityServer4.
    Valid,
    /// Only the one that was given last.
    LastOnly,
}

/// What is not known of Xero, or differs from app to app.
#[derive(Clone, Debug)]
pub(crate) struct Behaviour {
    pub(crate) siblings: Siblings,
    /// Whether a refresh ends the access tokens before it.
    pub(crate) refresh_ends_access: bool,
    /// The status for a wrong client: 400 or 401.
    pub(crate) wrong_client: u16,
    /// Whether access tokens are longer than a standard parameter.
    pub(crate) big_tokens: bool,
    /// What the `Date` header is wrong by.
    pub(crate) date_off: SignedDuration,
}

impl Default for Behaviour {
    fn default() -> Behaviour {
        Behaviour {
            siblings: Siblings::Valid,
            refresh_ends_access: false,
            wrong_client: 400,
            big_tokens: false,
            date_off: SignedDuration::ZERO,
        }
    }
}

/// A refresh token and its story.
#[derive(Clone, Debug)]
pub(crate) struct Refresh {
    pub(crate) token: String,
    pub(crate) client: String,
    pub(crate) user: String,
    pub(crate) scope: String,
    pub(crate) minted: Timestamp,
    /// The one that it was given for.
    pub(crate) parent: Option<String>,
    /// When it was used first.
    pub(crate) consumed: Option<Timestamp>,
    /// How often it was taken.
    pub(crate) uses: usize,
    /// Taken back, or followed by a sibling where only the last is good.
    pub(crate) ended: bool,
}

/// How a refresh token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Never used.
    Live,
    /// Used, and taken again until then.
    Grace(Timestamp),
    /// Not taken.
    Dead,
}

pub(super) struct Access {
    pub(super) token: String,
    pub(super) client: String,
    pub(super) user: String,
    pub(super) expires: Timestamp,
    pub(super) ended: bool,
}

pub(super) struct Code {
    pub(super) client: String,
    pub(super) user: String,
    pub(super) redirect: String,
    pub(super) scope: String,
    pub(super) challenge: Option<String>,
    pub(super) given: Timestamp,
}

/// Everything.
pub(crate) struct World {
    pub(crate) apps: BTreeMap<String, App>,
    /// Users by the name that they log in with, with their `xero_userid`.
    pub(crate) users: BTreeMap<String, String>,
    /// By app and user.
    pub(crate) tenants: BTreeMap<(String, String), Vec<Tenant>>,
    /// Every refresh token there ever was, oldest first.
    pub(crate) refresh: Vec<Refresh>,
    pub(super) access: Vec<Access>,
    pub(super) codes: BTreeMap<String, Code>,
    pub(crate) behaviour: Behaviour,
    /// How far its clock is ahead of the machine's.
    pub(crate) ahead: SignedDuration,
    pub(super) issuer: String,
}

impl World {
    pub(super) fn new(issuer: String) -> World {
        World {
            apps: BTreeMap::new(),
            users: BTreeMap::new(),
            tenants: BTreeMap::new(),
            refresh: Vec::new(),
            access: Vec::new(),
            codes: BTreeMap::new(),
            behaviour: Behaviour::default(),
            ahead: SignedDuration::ZERO,
            issuer,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now() + self.ahead
    }

    /// A user with an organisation for each name, connected to an app; the tokens that the login gives.
    pub(crate) fn login(&mut self, client: &str, user: &str, organisations: &[&str]) -> (String, String) {
        self.users.entry(user.to_owned()).or_insert_with(new_id);
        let tenants = self.tenants.entry((client.to_owned(), user.to_owned())).or_default();
        for name in organisations {
            tenants.push(Tenant { connection: new_id(), id: new_id(), name: (*name).to_owned() });
        }
        let scope = "openid offline_access accounting.settings";
        (self.mint_access(client, user, scope), self.mint_refresh(client, user, scope, None))
    }

    pub(crate) fn standing(&self, token: &str) -> Standing {
        let Some(known) = self.refresh.iter().find(|one| one.token == token && !one.ended) else {
            return Standing::Dead;
        };
        let now = self.now();
        match known.consumed.map(|at| at + GRACE) {
            None if now <= known.minted + UNUSED => Standing::Live,
            Some(until) if now <= until => Standing::Grace(until),
            _ => Standing::Dead,
        }
    }

    /// The refresh token that was given last to an app for a user.
    pub(crate) fn newest(&self, client: &str, user: &str) -> Option<&Refresh> {
        self.refresh.iter().rfind(|one| one.client == client && one.user == user)
    }

    /// Uses a refresh token, if it is taken: from then on it is used, whatever becomes of the answer.
    pub(super) fn take(&mut self, token: &str, client: &str) -> Option<Refresh> {
        if self.standing(token) == Standing::Dead {
            return None;
        }
        let (now, only_last) = (self.now(), self.behaviour.siblings == Siblings::LastOnly);
        let taken = self.refresh.iter_mut().find(|one| one.token == token && one.client == client)?;
        taken.consumed.get_or_insert(now);
        taken.uses += 1;
        let taken = taken.clone();
        if only_last {
            let siblings = self.refresh.iter_mut().filter(|one| one.parent.as_deref() == Some(token));
            siblings.for_each(|one| one.ended = true);
        }
        if self.behaviour.refresh_ends_access {
            let before = self.access.iter_mut().filter(|one| one.client == client && one.user == taken.user);
            before.for_each(|one| one.ended = true);
        }
        Some(taken)
    }

    pub(super) fn mint_refresh(
        &mut self,
        client: &str,
        user: &str,
        scope: &str,
        parent: Option<&str>,
    ) -> String {
        let token = random();
        self.refresh.push(Refresh {
            token: token.clone(),
            client: client.to_owned(),
            user: user.to_owned(),
            scope: scope.to_owned(),
            minted: self.now(),
            parent: parent.map(str::to_owned),
            consumed: None,
            uses: 0,
            ended: false,
        });
        token
    }

    pub(super) fn mint_access(&mut self, client: &str, user: &str, scope: &str) -> String {
        let now = self.now();
        let expires = now + ACCESS;
        let id = self.users.get(user).cloned().unwrap_or_default();
        let padding = if self.behaviour.big_tokens { "x".repeat(4_500) } else { String::new() };
        let scopes: Vec<&str> = scope.split(' ').collect();
        let token = jwt::signed(&json!({
            "nbf": now.as_second(), "exp": expires.as_second(), "iss": self.issuer, "aud": format!("{}/resources", self.issuer),
            "client_id": client, "sub": id.replace('-', ""), "auth_time": now.as_second(), "xero_userid": id,
            "global_session_id": id.replace('-', ""), "jti": random(), "authentication_event_id": new_id(),
            "scope": scopes, "amr": ["pwd"], "padding": padding,
        }));
        let (client, user) = (client.to_owned(), user.to_owned());
        self.access.push(Access { token: token.clone(), client, user, expires, ended: false });
        token
    }

    /// The app and the user that an access token is of, while it is good.
    pub(crate) fn bearer(&self, token: &str) -> Option<(String, String)> {
        let now = self.now();
        let known = self.access.iter().find(|one| one.token == token && !one.ended && now < one.expires)?;
        Some((known.client.clone(), known.user.clone()))
    }

    /// Takes back a refresh token, and with it everything that the user connected to the app.
    pub(super) fn revoke(&mut self, token: &str, client: &str) {
        let Some(known) = self.refresh.iter().find(|one| one.token == token && one.client == client) else {
            return;
        };
        let user = known.user.clone();
        self.disconnect(client, &user);
    }

    /// Ends what an app has of a user.
    pub(crate) fn disconnect(&mut self, client: &str, user: &str) {
        self.tenants.remove(&(client.to_owned(), user.to_owned()));
        let of_both = |one: &&mut Refresh| one.client == client && one.user == user;
        self.refresh.iter_mut().filter(of_both).for_each(|one| one.ended = true);
    }
}

pub(super) fn new_id() -> String {
    Uuid::new_v4().to_string()
}

pub(super) fn random() -> String {
    URL_SAFE_NO_PAD.encode([*Uuid::new_v4().as_bytes(), *Uuid::new_v4().as_bytes()].concat())
}
