//! What a copy should hold: the variables of its selection, secrets by value or by reference, and the revision of what
//! it refers to.

use super::View;
use crate::manifest::{CopySpec, VariablesError};
use crate::name::{Address, Group, Key};
use crate::plan::{Desired, Want};
use crate::snapshot::Held;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Why nobody can say what a copy should hold.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// Values are missing, or names clash.
    #[error(transparent)]
    Variables(#[from] VariablesError),
    /// The copy gets it by reference, and home has no name for it that others could use.
    #[error("`{copy}` gets it by reference, and nothing can refer to {}", .addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    NoReference {
        /// The copy's name in the manifest.
        copy: String,
        /// What has no name that others could use.
        addresses: Vec<Address>,
    },
    /// Home keeps a derived value that does not follow from its parts any more.
    #[error("home holds something else at {} than follows from its parts", .addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Stale {
        /// What is stale.
        addresses: Vec<Address>,
    },
}

/// Which versions a copy's references stood for when it was deployed. Beanstalk resolves references only when an
/// instance starts, so a copy carries it as a plain property, `STRONGROOM_REVISION`: 16 hexadecimal digits of the SHA-256
/// over each referenced address with its ARN, its version in home and when that was written. No value is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision(pub String);

impl Revision {
    /// Where a copy keeps it.
    pub fn address() -> Address {
        Address::new(Group::own(), Key::parse("REVISION").expect("a key"))
    }

    fn of(references: &BTreeMap<Address, (String, String)>) -> Revision {
        let mut hash = Sha256::new();
        for (address, (arn, version)) in references {
            hash.update(format!("{address}\n{arn}\n{version}\n"));
        }
        Revision(hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }
}

/// What a copy should hold: each address that it gets, those that home lacks as absent, and the revision.
pub fn copy(view: &View<'_>, spec: &CopySpec) -> Result<Desired, CopyError> {
    let View { manifest, environment, home, instances } = *view;
    let names = manifest.names(environment, instances, &spec.selection).map_err(VariablesError::from)?;
    let mut desired: Desired = names.into_iter().map(|name| (name.address, Want::Absent)).collect();
    let mut references = BTreeMap::new();
    let (mut unnamed, mut stale) = (Vec::new(), Vec::new());
    for variable in manifest.variables(environment, home, instances, &spec.selection)? {
        let address = variable.address;
        if !spec.refers_to(&address, variable.secret) {
            desired.insert(address, Want::value(variable.value));
            continue;
        }
        let entry = home.entries.get(&address);
        if entry.is_some_and(|entry| !entry.held.value().is_some_and(|held| held.same_as(&variable.value))) {
            stale.push(address);
            continue;
        }
        let slot = manifest.refers_through(environment, &address, home);
        let slot = slot.and_then(|slot| home.entries.get(&slot)).filter(|slot| slot.arn.is_some());
        match slot.or(entry).and_then(|entry| Some((entry, entry.arn.as_ref()?))) {
            Some((entry, arn)) => {
                // A parameter that was deleted and made again begins with version 1, at another time.
                let version = entry.version.as_ref().map(ToString::to_string).unwrap_or_default();
                let version =
                    format!("{version} {}", entry.modified.map(|at| at.to_string()).unwrap_or_default());
                references.insert(address.clone(), (arn.clone(), version));
                desired.insert(address, Want::held(Held::Reference(arn.clone())));
            }
            // Derived, and not stored yet.
            None if manifest.lives_in_home(environment, &address) && entry.is_none() => stale.push(address),
            None => unnamed.push(address),
        }
    }
    if !unnamed.is_empty() {
        return Err(CopyError::NoReference { copy: spec.name.clone(), addresses: unnamed });
    }
    if !stale.is_empty() {
        return Err(CopyError::Stale { addresses: stale });
    }
    let revision = match references.is_empty() {
        true => Want::Absent,
        false => Want::value(
            crate::secret::Secret::new(Revision::of(&references).0).expect("hexadecimal digits are a value"),
        ),
    };
    desired.insert(Revision::address(), revision);
    Ok(desired)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Instances, Manifest};
    use crate::secret::Secret;
    use crate::snapshot::{Entry, Snapshot, Version};

    fn manifest(secrets: &str) -> Manifest {
        with(&format!("secrets = \"{secrets}\""))
    }

    fn with(how: &str) -> Manifest {
        let text = format!(
            r#"
version = 1
project.name = "demo"
[environments.prod]
home = "ssm"
region = "us-east-1"
[environments.prod.copies.web]
kind = "beanstalk"
application = "demo"
environment = "demo-prod"
groups = ["app"]
{how}
[groups.app.keys]
MODE = {{ value = "live" }}
TOKEN = {{ secret = true }}
HOST = {{}}
CC = {{ optional = true }}
[groups.operator]
audience = "operator"
keys.ROOT = {{ secret = true }}
"#
        );
        Manifest::parse("f", &text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn home(token: &str, version: &str) -> Snapshot {
        let entry = |value: &str| Entry {
            version: Some(Version(version.to_owned())),
            arn: Some("arn:x".to_owned()),
            ..Entry::of(Secret::new(value.to_owned()).unwrap())
        };
        let held = [("app/TOKEN", token), ("app/HOST", "h"), ("operator/ROOT", "r")];
        let entries = held.iter().map(|(at, value)| (at.parse().unwrap(), entry(value))).collect();
        Snapshot { entries, ..Snapshot::default() }
    }

    fn told(manifest: &Manifest, home: &Snapshot) -> Vec<(String, String)> {
        let (environment, instances) = ("prod".parse().unwrap(), Instances::new());
        let view = View { manifest, environment: &environment, home, instances: &instances };
        let spec = manifest.environment("prod").unwrap().copies["web"].clone();
        let text = |want: &Want| match want {
            Want::Present(wanted) => match &wanted.held {
                Held::Value(value) => value.expose().to_owned(),
                Held::Reference(arn) => format!("-> {arn}"),
            },
            Want::Absent => "absent".to_owned(),
        };
        copy(&view, &spec).unwrap().iter().map(|(at, want)| (at.to_string(), text(want))).collect()
    }

    #[test]
    fn by_value_everything_that_the_copy_gets_is_there_and_nothing_else() {
        let told = told(&manifest("value"), &home("t", "1"));
        let expected = [
            ("_strongroom/REVISION", "absent"),
            ("app/CC", "absent"),
            ("app/HOST", "h"),
            ("app/MODE", "live"),
            ("app/TOKEN", "t"),
        ];
        assert_eq!(told, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn by_reference_a_new_version_of_a_secret_is_another_revision_and_another_value_alone_is_not() {
        let manifest = manifest("reference");
        let first = told(&manifest, &home("t", "1"));
        assert!(first.contains(&("app/TOKEN".to_owned(), "-> arn:x".to_owned())), "{first:?}");
        assert_eq!(first[0].1.len(), 16);
        assert_eq!(told(&manifest, &home("other", "1"))[0], first[0]);
        assert_ne!(told(&manifest, &home("t", "2"))[0], first[0]);
    }

    #[test]
    fn what_is_listed_goes_by_reference_plain_or_not_and_the_revision_is_of_that_alone() {
        let told = |how: &str, changed: &str| {
            let mut home = home("t", "1");
            if let Some(entry) = home.entries.get_mut(&changed.parse().unwrap()) {
                entry.version = Some(Version("2".to_owned()));
            }
            told(&with(how), &home)
        };
        let plain = told("references = [\"HOST\"]", "app/CC");
        let expected =
            [("app/CC", "absent"), ("app/HOST", "-> arn:x"), ("app/MODE", "live"), ("app/TOKEN", "t")];
        assert_eq!(plain[1..], expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert_eq!(plain[0].1.len(), 16);
        assert_eq!(told("references = [\"HOST\"]", "app/TOKEN"), plain, "it is not referred to");
        assert_ne!(told("references = [\"HOST\"]", "app/HOST")[0], plain[0]);

        let both = told("references = [\"app/TOKEN\", \"app/HOST\"]", "app/CC");
        assert_ne!(both[0], plain[0], "more references are another revision");
        let listed = told("references = [\"app/TOKEN\"]", "app/CC");
        assert_eq!(
            listed,
            told("secrets = \"reference\"", "app/CC"),
            "a list of every secret is all of them"
        );
        let absent = told("references = [\"CC\"]", "app/CC");
        assert_eq!((absent[0].1.as_str(), absent[1].1.as_str()), ("absent", "absent"));
    }

    const ALTERNATING: &str = r#"
version = 1
project.name = "demo"
[environments.prod]
home = "ssm"
region = "us-east-1"
copies.web = { kind = "beanstalk", application = "demo", environment = "demo-prod", secrets = "reference" }
[groups.db.keys]
USER = {}
PASSWORD = { secret = true }
URL = { derive = "postgres://{USER}:{PASSWORD}@h/d" }
[rotate.db]
kind = "postgres"
host = "USER"
database = "USER"
user = "USER"
password = "PASSWORD"
"#;

    /// What the copy gets for the password, and the revision, by what home holds (each value with its version).
    fn alternating(held: &[(&str, &str, &str)]) -> (String, String) {
        let manifest = Manifest::parse("f", ALTERNATING).unwrap_or_else(|error| panic!("{error}"));
        let entry = |key: &str, value: &str, version: &str| Entry {
            version: Some(Version(version.to_owned())),
            arn: Some(format!("arn:{key}")),
            ..Entry::of(Secret::new(value.to_owned()).unwrap())
        };
        let url = |held: &[(&str, &str, &str)]| {
            let value = |key| held.iter().find(|(name, ..)| *name == key).unwrap().1;
            format!("postgres://{}:{}@h/d", value("USER"), value("PASSWORD"))
        };
        let url = url(held);
        let held = held.iter().copied().chain([("URL", url.as_str(), "1")]);
        let entries = held
            .map(|(key, value, version)| (format!("db/{key}").parse().unwrap(), entry(key, value, version)));
        let told = told(&manifest, &Snapshot { entries: entries.collect(), ..Snapshot::default() });
        let of = |address: &str| told.iter().find(|(at, _)| at == address).unwrap().1.clone();
        assert_eq!(told.len(), 4, "a slot is sent nowhere: {told:?}");
        assert_eq!(of("db/URL"), "-> arn:URL", "one value, which does not tear");
        (of("db/PASSWORD"), of("_strongroom/REVISION"))
    }

    #[test]
    fn a_password_that_alternates_is_referred_to_at_its_slot_and_the_revision_is_of_that_alone() {
        let user = ("USER", "app", "1");
        let (own, _) = alternating(&[user, ("PASSWORD", "one", "1")]);
        assert_eq!(own, "-> arn:PASSWORD", "not set up yet");
        let (a, first) = alternating(&[user, ("PASSWORD", "one", "1"), ("PASSWORD_A", "one", "1")]);
        assert_eq!(a, "-> arn:PASSWORD_A");
        let staged = [user, ("PASSWORD", "one", "9"), ("PASSWORD_A", "one", "1"), ("PASSWORD_B", "two", "1")];
        assert_eq!(alternating(&staged), (a.clone(), first.clone()), "what is staged changes nothing");
        let mut again = staged;
        again[2].2 = "2";
        assert_ne!(alternating(&again).1, first, "another version of the slot");
        let published = [
            ("USER", "app_b", "2"),
            ("PASSWORD", "two", "2"),
            ("PASSWORD_A", "one", "1"),
            ("PASSWORD_B", "two", "1"),
        ];
        let (b, second) = alternating(&published);
        assert_eq!(b, "-> arn:PASSWORD_B");
        assert_ne!(second, first);
        let mut by_hand = published;
        by_hand[1].1 = "by-hand";
        assert_eq!(alternating(&by_hand).0, "-> arn:PASSWORD");
    }
}
