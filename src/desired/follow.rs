//! Derived secrets that a remote home keeps, so that others can refer to them: they follow their parts in the same
//! operation.

use super::View;
use crate::manifest::{Instances, Manifest, ValueSource, with_instances};
use crate::name::{Address, Environment};
use crate::plan::{Desired, Want};
use crate::secret::Secret;
use crate::snapshot::{Entry, Snapshot};
use std::collections::BTreeSet;

/// The addresses that must be read beside those that are to change, for what is derived from them to follow: the derived
/// ones that home keeps, and every part of them. Empty where nothing follows.
pub fn needed_to_follow(
    manifest: &Manifest,
    environment: &Environment,
    changing: &BTreeSet<Address>,
) -> BTreeSet<Address> {
    let mut needed = BTreeSet::new();
    for follower in followers(manifest, environment, changing) {
        needed.extend(parts(manifest, environment, &follower));
        needed.insert(follower);
    }
    needed
}

/// What is to change, with what is derived from it: a part that changes brings its derived values along, in the same
/// operation. `view.home` was read at [`needed_to_follow`].
pub fn followed(view: &View<'_>, desired: &Desired) -> Desired {
    let changing: BTreeSet<Address> = desired.keys().cloned().collect();
    let followers = followers(view.manifest, view.environment, &changing);
    if followers.is_empty() {
        return desired.clone();
    }
    let after = overlaid(view.home, desired);
    let mut all = desired.clone();
    for follower in followers {
        if desired.contains_key(&follower) {
            continue;
        }
        let value = view.manifest.value_of(view.environment, &after, &follower).ok().flatten();
        match value {
            Some(value) => all.insert(follower, Want::value(value)),
            // Without a part there is nothing to derive; what was derived before would be a lie. Only a part that is taken
            // away counts: one that could not be read, or is a reference, is not known to be absent.
            None if loses_a_part(view, desired, &follower) && view.home.entries.contains_key(&follower) => {
                all.insert(follower, Want::Absent)
            }
            None => None,
        };
    }
    all
}

/// Whether a part of a derived value is to be taken away.
fn loses_a_part(view: &View<'_>, desired: &Desired, follower: &Address) -> bool {
    let all = parts(view.manifest, view.environment, follower);
    all.iter().any(|part| matches!(desired.get(part), Some(Want::Absent)))
}

/// The derived values in home that depend on any of these.
fn followers(manifest: &Manifest, environment: &Environment, changing: &BTreeSet<Address>) -> Vec<Address> {
    let instances = with_instances(Instances::new(), changing);
    let depends =
        |address: &Address| parts(manifest, environment, address).iter().any(|part| changing.contains(part));
    let derived = |address: &Address| {
        matches!(manifest.source(environment, address), Some(ValueSource::Derived { .. }))
    };
    let kept = manifest.home_addresses(environment, &instances).into_iter();
    kept.filter(|address| derived(address) && depends(address)).collect()
}

/// What an address is derived from and home holds, down to the last part.
pub fn parts(manifest: &Manifest, environment: &Environment, address: &Address) -> BTreeSet<Address> {
    let Some(ValueSource::Derived { template, .. }) = manifest.source(environment, address) else {
        return BTreeSet::new();
    };
    let mut all = BTreeSet::new();
    for part in template.parts() {
        let part = part.address(address.instance.as_ref());
        let source = manifest.source(environment, &part);
        if matches!(source, Some(ValueSource::Derived { .. })) {
            all.extend(parts(manifest, environment, &part));
        }
        if matches!(source, Some(ValueSource::Home | ValueSource::Derived { .. })) {
            all.insert(part);
        }
    }
    all
}

/// Home as it will be.
fn overlaid(home: &Snapshot, desired: &Desired) -> Snapshot {
    let mut after = home.clone();
    for (address, want) in desired {
        match want {
            Want::Present(wanted) => {
                let none = Secret::new(String::new()).expect("it has no NUL");
                after.entries.insert(address.clone(), Entry { held: wanted.held.clone(), ..Entry::of(none) });
            }
            Want::Absent => {
                after.entries.remove(address);
            }
        }
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
version = 1
project.name = "demo"
environments.prod = { home = "ssm", region = "us-east-1" }
environments.local.home = "vault"
[groups.db.keys]
PASSWORD = { secret = true }
HOST = {}
URL = { derive = "postgres://app:{PASSWORD}@{HOST}/db" }
OTHER = {}
"#;

    fn follow(
        environment: &str,
        held: &[(&str, &str)],
        wanted: &[(&str, Option<&str>)],
    ) -> Vec<(String, Option<String>)> {
        let manifest = Manifest::parse("f", TEXT).unwrap_or_else(|error| panic!("{error}"));
        let environment = environment.parse().unwrap();
        let secret = |text: &str| Secret::new(text.to_owned()).unwrap();
        let entries =
            held.iter().map(|(at, value)| (at.parse().unwrap(), Entry::of(secret(value)))).collect();
        let home = Snapshot { entries, ..Snapshot::default() };
        let want = |value: &Option<&str>| value.map_or(Want::Absent, |value| Want::value(secret(value)));
        let desired = wanted.iter().map(|(at, value)| (at.parse().unwrap(), want(value))).collect();
        let instances = Instances::new();
        let view =
            View { manifest: &manifest, environment: &environment, home: &home, instances: &instances };
        let text = |want: &Want| match want {
            Want::Present(wanted) => wanted.held.value().map(|value| value.expose().to_owned()),
            Want::Absent => None,
        };
        followed(&view, &desired).iter().map(|(at, want)| (at.to_string(), text(want))).collect()
    }

    #[test]
    fn a_derived_secret_that_home_keeps_follows_its_part() {
        let all =
            follow("prod", &[("db/PASSWORD", "old"), ("db/HOST", "h")], &[("db/PASSWORD", Some("n/w"))]);
        let url = ("db/URL".to_owned(), Some("postgres://app:n%2Fw@h/db".to_owned()));
        assert!(all.contains(&url), "{all:?}");
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn without_a_part_the_derived_value_goes_and_one_that_was_never_there_is_not_spoken_of() {
        let held = [("db/PASSWORD", "old"), ("db/HOST", "h"), ("db/URL", "u")];
        assert!(follow("prod", &held, &[("db/PASSWORD", None)]).contains(&("db/URL".to_owned(), None)));
        assert_eq!(follow("prod", &held[..1], &[("db/PASSWORD", Some("x"))]).len(), 1);
    }

    #[test]
    fn a_part_that_was_not_read_takes_nothing_away() {
        let held = [("db/PASSWORD", "old"), ("db/URL", "u")];
        assert_eq!(follow("prod", &held, &[("db/PASSWORD", Some("x"))]).len(), 1);
    }

    #[test]
    fn nothing_follows_what_nothing_is_derived_from_nor_in_a_vault() {
        assert_eq!(follow("prod", &[("db/HOST", "h")], &[("db/OTHER", Some("x"))]).len(), 1);
        assert_eq!(follow("local", &[("db/HOST", "h")], &[("db/PASSWORD", Some("x"))]).len(), 1);
    }
}
