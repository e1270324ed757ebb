//! What can be told of any declared rotation: what it renews, when that was last changed and is due again, by the dates that
//! home keeps; and whether it is still declared as it was.

use crate::manifest::{ChosenBy, Instances, RotationKind, RotationSpec, Strategy};
use crate::name::Address;
use crate::snapshot::Snapshot;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;

/// How old a rotation's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// The oldest of them was written then.
    Since(Timestamp),
    /// One of them is not there.
    Missing,
    /// Home keeps no dates.
    Unknown,
}

impl Age {
    /// Whether the values are older than this.
    pub fn is_over(self, most: Duration, now: Timestamp) -> bool {
        match self {
            Age::Since(at) => now.duration_since(at).unsigned_abs() >= most && at <= now,
            // What is not there is nothing to rotate; what cannot be told is nobody's guess.
            Age::Missing | Age::Unknown => false,
        }
    }

    /// When the values are due, where that can be told.
    pub fn due(self, every: Duration) -> Option<Timestamp> {
        match self {
            Age::Since(at) => at.checked_add(every).ok(),
            Age::Missing | Age::Unknown => None,
        }
    }
}

/// What an operation of it is bound to, as one word, `KIND:ADDRESS,…`: gone on with as another kind, in another way or with
/// other addresses, it would go wrong.
pub fn shape(kind: &RotationKind) -> String {
    let own = match kind {
        RotationKind::Postgres(spec) => match spec.strategy {
            Strategy::Alternating => "postgres-alternating",
            Strategy::Single => "postgres-single",
        },
        RotationKind::Xero(_) => "xero",
        RotationKind::DjangoSecretKey { .. } => "django-secret-key",
        RotationKind::Random { .. } => "random",
        RotationKind::Follow { .. } => "follow",
        RotationKind::Command { chosen_by: ChosenBy::Target, .. } => "command-chosen-by-target",
        RotationKind::Command { .. } => "command",
    };
    let sorted =
        |addresses: &[Address]| addresses.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
    let addresses: Vec<Address> = match kind {
        RotationKind::Postgres(spec) => {
            let target = [&spec.host].into_iter().chain(&spec.port).chain([&spec.database]);
            target.chain([&spec.user, &spec.password]).chain(&spec.urls).cloned().collect()
        }
        // Whose tokens they are, and where, its record in home says.
        RotationKind::Xero(_) => Vec::new(),
        RotationKind::DjangoSecretKey { key, fallbacks, .. } => {
            std::iter::once(key).chain(fallbacks).cloned().collect()
        }
        RotationKind::Random { keys, .. } | RotationKind::Command { keys, .. } => sorted(keys),
        RotationKind::Follow { .. } => sorted(&renewed(kind, &Instances::new())),
    };
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    match addresses.is_empty() {
        true => own.to_owned(),
        false => format!("{own}:{}", addresses.join(",")),
    }
}

/// The values whose dates tell when a declared rotation was made the last time.
pub fn renewed(kind: &RotationKind, instances: &Instances) -> Vec<Address> {
    match kind {
        RotationKind::Random { keys, .. } | RotationKind::Command { keys, .. } => keys.clone(),
        RotationKind::Postgres(spec) => vec![spec.password.clone()],
        RotationKind::Follow { keys, .. } => keys.iter().map(|(address, _)| address.clone()).collect(),
        RotationKind::DjangoSecretKey { key, .. } => vec![key.clone()],
        RotationKind::Xero(spec) => {
            let known = instances.get(&spec.group).into_iter().flatten();
            let token = |instance: &_| Address {
                group: spec.group.clone(),
                instance: Some(Clone::clone(instance)),
                key: spec.refresh_token.clone(),
            };
            known.map(token).collect()
        }
    }
}

/// Whether a declared rotation is looked at by a run of all that is due: it is to be made every so often, what it leaves has
/// an end, or others decide when.
pub fn recurs(spec: &RotationSpec) -> bool {
    let ends = match &spec.kind {
        RotationKind::DjangoSecretKey { fallbacks, .. } => fallbacks.is_some(),
        RotationKind::Command { retire, .. } => retire.is_some(),
        RotationKind::Follow { .. } => true,
        _ => false,
    };
    ends || spec.every.is_some()
}

/// Whether a declared rotation gives this address new values.
pub fn renews(kind: &RotationKind, address: &Address) -> bool {
    match kind {
        RotationKind::Xero(spec) => {
            let tokens = [&spec.refresh_token, &spec.access_token, &spec.token_expires_at];
            address.group == spec.group && tokens.contains(&&address.key)
        }
        RotationKind::Postgres(spec) => {
            [&spec.user, &spec.password].into_iter().chain(&spec.urls).any(|own| own == address)
        }
        RotationKind::DjangoSecretKey { key, fallbacks, .. } => {
            key == address || fallbacks.as_ref() == Some(address)
        }
        _ => renewed(kind, &Instances::new()).contains(address),
    }
}

/// The age of what home holds at these addresses: that of the oldest.
pub fn age<'a>(home: &Snapshot, addresses: impl IntoIterator<Item = &'a Address>) -> Age {
    let mut oldest: Option<Timestamp> = None;
    for address in addresses {
        let Some(entry) = home.entries.get(address) else { return Age::Missing };
        let Some(at) = entry.modified else { return Age::Unknown };
        oldest = Some(oldest.map_or(at, |known| known.min(at)));
    }
    oldest.map_or(Age::Missing, Age::Since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::snapshot::Entry;

    #[test]
    fn the_keys_that_are_still_accepted_are_renewed_with_the_one_that_signs() {
        let at = |key: &str| -> Address { format!("app/{key}").parse().unwrap() };
        let both = RotationKind::DjangoSecretKey { key: at("KEY"), fallbacks: Some(at("OLD")), soak: None };
        assert!(renews(&both, &at("KEY")) && renews(&both, &at("OLD")) && !renews(&both, &at("OTHER")));
    }

    #[test]
    fn an_operation_is_bound_to_the_addresses_that_it_was_begun_with() {
        let at = |key: &str| -> Address { format!("app/{key}").parse().unwrap() };
        let django = |fallbacks: Option<&str>| {
            let fallbacks = fallbacks.map(at);
            shape(&RotationKind::DjangoSecretKey { key: at("KEY"), fallbacks, soak: None })
        };
        assert_eq!(django(Some("OLD")), "django-secret-key:app/KEY,app/OLD");
        assert!(django(Some("OLD")) != django(Some("OLDER")) && django(Some("OLD")) != django(None));
        let random = |keys: &[&str]| {
            let keys = keys.iter().map(|key| at(key)).collect();
            shape(&RotationKind::Random { keys, verify: None })
        };
        assert_eq!(random(&["A", "B"]), random(&["B", "A"]), "in whatever order");
        assert_ne!(random(&["A", "B"]), random(&["A"]));
    }

    fn held(at: Option<&str>) -> Snapshot {
        let value = Secret::new("x".to_owned()).unwrap();
        let entry = Entry { modified: at.map(|at| at.parse().unwrap()), ..Entry::of(value) };
        Snapshot { entries: [("a/A".parse().unwrap(), entry)].into(), ..Snapshot::default() }
    }

    #[test]
    fn only_what_is_known_to_be_old_is_over() {
        let (address, day) = ("a/A".parse().unwrap(), Duration::from_secs(86_400));
        let now: Timestamp = "2026-01-10T00:00:00Z".parse().unwrap();
        let over = |held: &Snapshot, days| age(held, [&address]).is_over(day * days, now);
        assert!(over(&held(Some("2026-01-01T00:00:00Z")), 9));
        assert!(!over(&held(Some("2026-01-01T00:00:00Z")), 10));
        // A clock that is behind home's makes nothing old.
        assert!(!over(&held(Some("2026-01-20T00:00:00Z")), 9));
        assert!(!over(&held(None), 0) && !over(&Snapshot::default(), 0));
    }
}
