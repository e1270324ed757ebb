//! Which instances share one login at Xero, and what home holds of each.
//!
//! Owns the reading of home: one user's tokens are good for all organisations of that user, so instances of one user have
//! one pair of tokens between them, and are rotated together. It makes no call.

use crate::manifest::XeroSpec;
use crate::name::{Address, Instance, Key};
use crate::secret::Secret;
use crate::snapshot::{Snapshot, Version};
use crate::xero::{Claims, Parts, Spelling};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What home holds of one instance.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// The app's id.
    pub client: Option<Secret>,
    /// The app's secret; an app for desktops has none.
    pub client_secret: Option<Secret>,
    /// For the next pair.
    pub refresh: Option<Secret>,
    /// Home's version of that.
    pub version: Option<Version>,
    /// When that was written.
    pub modified: Option<Timestamp>,
    /// For calls.
    pub access: Option<Secret>,
    /// When the app thinks that it ends.
    pub expires: Option<Secret>,
    /// The organisation.
    pub tenant: Option<Secret>,
}

impl Held {
    /// What home holds of an instance.
    pub fn of(home: &Snapshot, spec: &XeroSpec, instance: &Instance) -> Held {
        let entry = |key: &Key| home.entries.get(&at(spec, instance, key));
        let value = |key: &Key| entry(key).and_then(|entry| entry.held.value()).cloned();
        let refresh = entry(&spec.refresh_token);
        Held {
            client: value(&spec.client_id),
            client_secret: value(&spec.client_secret),
            refresh: value(&spec.refresh_token),
            version: refresh.and_then(|entry| entry.version.clone()),
            modified: refresh.and_then(|entry| entry.modified),
            access: value(&spec.access_token),
            expires: value(&spec.token_expires_at),
            tenant: value(&spec.tenant_id),
        }
    }

    /// What its access token says of itself.
    pub fn claims(&self) -> Claims {
        self.access.as_ref().map(Claims::of).unwrap_or_default()
    }

    /// When its access token ends: as it says itself or as the app wrote it down, whichever is earlier.
    pub fn ends(&self) -> Option<Timestamp> {
        self.access.as_ref()?;
        let claimed = self.claims().expires;
        let written =
            self.expires.as_ref().and_then(|text| Spelling::read(text.expose(), claimed)).map(|(_, at)| at);
        [claimed, written].into_iter().flatten().min()
    }
}

/// The app that a login is of: of an instance that has its secret too, where one has.
pub(super) fn app(all: &[Held]) -> Option<(&Secret, Option<&Secret>)> {
    let known = || all.iter().filter_map(|held| Some((held.client.as_ref()?, held.client_secret.as_ref())));
    known().find(|(_, secret)| secret.is_some()).or_else(|| known().next())
}

/// The address of a key of one instance.
pub(super) fn at(spec: &XeroSpec, instance: &Instance, key: &Key) -> Address {
    Address::in_instance(spec.group.clone(), instance.clone(), key.clone())
}

/// Every address that a rotation of these instances reads.
pub fn addresses<'a>(spec: &XeroSpec, instances: impl IntoIterator<Item = &'a Instance>) -> Vec<Address> {
    let parts = |instance| Parts::of(spec, Some(instance)).all().map(Address::clone);
    instances.into_iter().flat_map(parts).collect()
}

/// Instances by the login that they share: those with the same refresh token, or whose access tokens are one user's of one
/// app. Each login is named by its first instance.
pub fn logins(held: &BTreeMap<Instance, Held>) -> Vec<Vec<Instance>> {
    let mut logins: Vec<Vec<&Instance>> = Vec::new();
    for (instance, own) in held {
        // Two that had nothing in common may both be of this one's login.
        let (mut mine, others): (Vec<_>, Vec<_>) =
            logins.into_iter().partition(|login| login.iter().any(|other| is_shared(&held[*other], own)));
        mine.push(vec![instance]);
        logins = others;
        logins.push(mine.concat());
    }
    let mut logins: Vec<Vec<Instance>> = logins
        .into_iter()
        .map(|mut login| {
            login.sort();
            login.into_iter().cloned().collect()
        })
        .collect();
    logins.sort();
    logins
}

fn is_shared(one: &Held, other: &Held) -> bool {
    let same = |one: &Option<Secret>, other: &Option<Secret>| match (one, other) {
        (Some(one), Some(other)) => one.same_as(other),
        _ => false,
    };
    let (user, of) = (one.claims().user, other.claims().user);
    same(&one.refresh, &other.refresh)
        || (one.refresh.is_some()
            && other.refresh.is_some()
            && user.is_some()
            && user == of
            && same(&one.client, &other.client))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn secret(text: &str) -> Option<Secret> {
        Some(Secret::new(text.to_owned()).unwrap())
    }

    fn held(client: &str, refresh: &str, user: &str) -> Held {
        let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"xero_userid":"{user}","exp":1795357800}}"#));
        Held {
            client: secret(client),
            refresh: secret(refresh),
            access: secret(&format!("x.{claims}.y")),
            ..Held::default()
        }
    }

    fn grouped(all: &[(&str, Held)]) -> Vec<String> {
        let all = all.iter().map(|(name, held)| (name.parse().unwrap(), held.clone())).collect();
        let told = |login: Vec<Instance>| login.iter().map(ToString::to_string).collect::<Vec<_>>().join("+");
        logins(&all).into_iter().map(told).collect()
    }

    #[test]
    fn one_user_of_one_app_has_one_login() {
        let all = [
            ("1", held("app", "a", "u1")),
            ("2", held("app", "b", "u2")),
            ("3", held("app", "c", "u1")),
            ("4", held("other", "d", "u1")),
            ("5", held("app", "b", "")),
            ("6", Held::default()),
            ("7", Held::default()),
        ];
        assert_eq!(grouped(&all), ["1+3", "2+5", "4", "6", "7"]);
        // The third has the first one's user and the second one's token.
        let bridge =
            [("1", held("app", "a", "u1")), ("2", held("app", "b", "u2")), ("3", held("app", "b", "u1"))];
        assert_eq!(grouped(&bridge), ["1+2+3"]);
    }

    #[test]
    fn the_app_is_taken_from_an_instance_that_has_its_secret() {
        let told = |all: &[Held]| {
            app(all).map(|(id, key)| (id.expose().to_owned(), key.map(|key| key.expose().to_owned())))
        };
        let whole = Held { client: secret("app"), client_secret: secret("key"), ..Held::default() };
        let half = Held { client: secret("half"), ..Held::default() };
        let both = Some(("app".to_owned(), Some("key".to_owned())));
        assert_eq!(told(&[Held::default(), half.clone(), whole]), both);
        assert_eq!(told(&[Held::default(), half]), Some(("half".to_owned(), None)));
        assert_eq!(told(&[Held::default()]), None);
    }

    #[test]
    fn an_access_token_ends_at_the_earlier_of_both_times() {
        let ends = |text: Option<&str>| {
            Held { expires: text.and_then(secret), ..held("app", "a", "u") }.ends().map(|at| at.as_second())
        };
        assert_eq!(ends(None), Some(1_795_357_800));
        assert_eq!(ends(Some("1795357740")), Some(1_795_357_740));
        assert_eq!(ends(Some("1795359740")), Some(1_795_357_800));
        assert_eq!(ends(Some("soon")), Some(1_795_357_800));
        assert_eq!(Held { expires: secret("1795357740"), ..Held::default() }.ends(), None);
    }
}
