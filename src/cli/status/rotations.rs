//! What `status` tells of rotations: how old their values are, and when they are due.
//!
//! Owns the words. Ages are by the dates that home keeps.

use super::age;
use crate::cli::operations::moment;
use crate::manifest::{Instances, Manifest};
use crate::name::{Address, Environment};
use crate::rotate::{self, Age};
use crate::snapshot::Snapshot;
use jiff::Timestamp;
use serde::Serialize;

/// One rotation, or one instance of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct Rotated {
    /// As `rotate` takes it: `database`, `xero/1`.
    pub(super) name: String,
    /// When its values were written the last time, where home tells.
    pub(super) last: Option<String>,
    /// When they are due, where the manifest says how often and home tells since when.
    pub(super) next: Option<String>,
    /// Whether that time has come.
    pub(super) due: bool,
    #[serde(skip)]
    since: Option<Timestamp>,
    #[serde(skip)]
    until: Option<Timestamp>,
}

/// The rotations of an environment whose values home holds.
pub(in crate::cli) fn all(
    (manifest, environment, instances): (&Manifest, &Environment, &Instances),
    home: &Snapshot,
    now: Timestamp,
) -> Vec<Rotated> {
    let mut all = Vec::new();
    for spec in manifest.rotations().filter(|spec| spec.environments.contains(environment)) {
        let renewed = rotate::renewed(&spec.kind, instances);
        let instanced = renewed.iter().all(|address| address.instance.is_some());
        let parts: Vec<&[Address]> =
            if instanced { renewed.chunks(1).collect() } else { vec![renewed.as_slice()] };
        for addresses in parts {
            let instance = addresses.first().and_then(|address| address.instance.as_ref());
            let name = instance.map_or(spec.name.clone(), |instance| format!("{}/{instance}", spec.name));
            let since = match rotate::age(home, addresses) {
                Age::Since(at) => Some(at),
                Age::Missing => continue,
                Age::Unknown => None,
            };
            let until = spec.every.and_then(|every| rotate::age(home, addresses).due(every));
            let (last, next) = (since.map(moment), until.map(moment));
            all.push(Rotated {
                name,
                last,
                next,
                due: until.is_some_and(|until| until <= now),
                since,
                until,
            });
        }
    }
    all
}

impl Rotated {
    /// As `rotate` takes it.
    pub(in crate::cli) fn name(&self) -> &str {
        &self.name
    }

    /// Whether its time has come.
    pub(in crate::cli) fn is_due(&self) -> bool {
        self.due
    }

    /// A line for people.
    pub(in crate::cli) fn told(&self, now: Timestamp) -> String {
        let old = self.since.map_or_else(
            || "of an age that home does not tell".to_owned(),
            |since| match age(since, now).as_str() {
                "just now" => "new".to_owned(),
                age => format!("{age} old"),
            },
        );
        match self.until {
            None => format!("rotation {}: {old}", self.name),
            Some(until) if until <= now => {
                format!("rotation {}: {old}, due since {}", self.name, until.strftime("%Y-%m-%d"))
            }
            Some(until) => format!("rotation {}: {old}, next on {}", self.name, until.strftime("%Y-%m-%d")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;
    use crate::secret::Secret;
    use crate::snapshot::Entry;

    const MANIFEST: &str = r#"
version = 1
[project]
name = "app"
[environments.local]
home = "memory"
[groups.app.keys]
A = { secret = true, generate = "hex" }
B = { secret = true, generate = "hex" }
[groups.xero]
instances = ["1", "2"]
[groups.xero.keys]
client_id = {}
client_secret = { secret = true }
access_token = { secret = true }
refresh_token = { secret = true }
tenant_id = {}
token_expires_at = {}
[rotate.keys]
kind = "random"
keys = ["A", "B"]
every = "30d"
[rotate.xero]
kind = "xero"
group = "xero"
every = "7d"
"#;

    #[test]
    fn a_rotation_is_as_old_as_its_oldest_value_and_each_instance_has_its_own_age() {
        let manifest = Manifest::parse("strongroom.toml", MANIFEST).unwrap();
        let environment = &manifest.environment("local").unwrap().name;
        let entry = |at: &str| Entry {
            modified: Some(at.parse().unwrap()),
            ..Entry::of(Secret::new("x".to_owned()).unwrap())
        };
        let held = [
            ("app/A", "2026-01-01T00:00:00Z"),
            ("app/B", "2026-01-20T00:00:00Z"),
            ("xero/1/refresh_token", "2026-01-28T00:00:00Z"),
        ];
        let entries = held.map(|(address, at)| (address.parse().unwrap(), entry(at))).into();
        let home = Snapshot { entries, ..Snapshot::default() };
        let instances = manifest
            .groups()
            .find(|group| group.is_instanced())
            .map(|group| (group.name.clone(), vec!["1".parse().unwrap(), "2".parse().unwrap()]));
        let instances: Instances = instances.into_iter().collect();
        let now = "2026-02-01T00:00:00Z".parse().unwrap();
        let all = all((&manifest, environment, &instances), &home, now);
        let told: Vec<String> = all.iter().map(|one| one.told(now)).collect();
        assert_eq!(
            told,
            [
                "rotation keys: 31 days old, due since 2026-01-31",
                "rotation xero/1: 4 days old, next on 2026-02-04"
            ]
        );
        assert_eq!(all.iter().map(|one| one.due).collect::<Vec<_>>(), [true, false]);
    }
}
