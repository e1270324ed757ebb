//! Addresses in whose place others are referred to: where two logins alternate, each keeps its password at an address of
//! its own, so that what a running reference leads to is never overwritten while it is in use.
//!
//! Owns which addresses those are, and which of them holds at the moment. It knows no kind of rotation, and reads no place.

use crate::manifest::model::Manifest;
use crate::name::{self, Address};
use crate::snapshot::Snapshot;

impl Manifest {
    /// The two addresses that stand for this one in an environment, that of the owner's slot first; none where no copy
    /// there refers to it, or where nothing alternates.
    pub fn slot_addresses(
        &self,
        environment: &name::Environment,
        address: &Address,
    ) -> Option<(Address, Address)> {
        let group = self.groups.get(&address.group)?;
        let slots = group.keys.values().filter(|key| {
            key.stands_for.as_ref() == Some(&address.key) && key.environments.contains(environment)
        });
        let mut slots = slots.map(|key| Address { key: key.name.clone(), ..address.clone() });
        slots.next().zip(slots.next())
    }

    /// The address to which a reference to this one leads: the slot's that home holds the same value at. None where there
    /// are no slots, or neither has the value (nobody put it there yet, or the value was changed by hand since): then a
    /// reference leads to the address itself.
    pub fn refers_through(
        &self,
        environment: &name::Environment,
        address: &Address,
        home: &Snapshot,
    ) -> Option<Address> {
        let value = home.value(address)?;
        let (owners, others) = self.slot_addresses(environment, address)?;
        [owners, others].into_iter().find(|slot| home.value(slot).is_some_and(|held| held.same_as(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Instances, Selection};
    use crate::secret::Secret;
    use crate::snapshot::Entry;

    const TEXT: &str = r#"
version = 1
project = { name = "shop", region = "us-east-1" }
[environments.local]
home = "vault"
[environments.prod]
home = "HOME"
copies.web = { kind = "beanstalk", application = "a", environment = "w", HOW }
[groups.db.keys]
HOST = {}
USER = {}
PASSWORD = { secret = true, tags = { of = "db" } }
AFTER = { optional = true }
[rotate.db]
kind = "postgres"
strategy = "STRATEGY"
host = "HOST"
database = "HOST"
user = "USER"
password = "PASSWORD"
MORE
"#;

    fn with(home: &str, how: &str, strategy: &str, more: &str) -> Manifest {
        let text = TEXT.replace("HOME", home).replace("HOW", how).replace("STRATEGY", strategy);
        let text = text.replace("MORE", more);
        Manifest::parse("f", &text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn slots(manifest: &Manifest, environment: &str) -> Option<(String, String)> {
        let environment = environment.parse().unwrap();
        let slots = manifest.slot_addresses(&environment, &"db/PASSWORD".parse().unwrap())?;
        Some((slots.0.to_string(), slots.1.to_string()))
    }

    #[test]
    fn there_are_slots_where_logins_alternate_and_a_copy_refers_to_the_password() {
        let both = Some(("db/PASSWORD_A".to_owned(), "db/PASSWORD_B".to_owned()));
        let (reference, value) = ("secrets = \"reference\"", "secrets = \"value\"");
        for (home, how, strategy, more, expected) in [
            ("ssm", reference, "alternating", "", both.clone()),
            ("secretsmanager", reference, "alternating", "", both.clone()),
            ("ssm", "references = [\"PASSWORD\"]", "alternating", "", both),
            ("ssm", "references = [\"HOST\"]", "alternating", "", None),
            ("ssm", value, "alternating", "", None),
            ("ssm", reference, "single", "", None),
            ("ssm", reference, "alternating", "environments = [\"local\"]", None),
            ("vault", value, "alternating", "", None),
        ] {
            let manifest = with(home, how, strategy, more);
            assert_eq!(slots(&manifest, "prod"), expected, "{home} {how} {strategy} {more}");
            assert_eq!(slots(&manifest, "local"), None);
        }
    }

    #[test]
    fn a_slot_lives_in_home_beside_its_key_and_is_sent_nowhere() {
        let manifest = with("ssm", "secrets = \"reference\"", "alternating", "");
        let (prod, none) = ("prod".parse().unwrap(), Instances::new());
        let told = |environment: &str| {
            let all = manifest.home_addresses(&environment.parse().unwrap(), &none);
            all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(told("prod"), "db/HOST db/USER db/PASSWORD db/PASSWORD_A db/PASSWORD_B db/AFTER");
        assert_eq!(told("local"), "db/HOST db/USER db/PASSWORD db/AFTER");
        let slot: Address = "db/PASSWORD_B".parse().unwrap();
        let key = manifest.key(&slot).unwrap();
        assert!(key.secret && key.optional && key.tags["of"] == "db");
        assert_eq!(manifest.ssm_name(&prod, &slot).unwrap(), "/shop/prod/db/PASSWORD_B");
        for selection in [
            Selection::default(),
            Selection { groups: Some(vec!["db".parse().unwrap()]), ..Selection::default() },
            Selection { keys: Some(vec![slot.clone()]), ..Selection::default() },
        ] {
            let names = manifest.names(&prod, &none, &selection).unwrap();
            assert!(names.iter().all(|name| name.address != slot), "{selection:?}");
            assert_eq!(manifest.property_of(&prod, &selection, &slot), None);
            let back = manifest.address_of_property(&prod, &selection, &"PASSWORD_B".parse().unwrap());
            assert_eq!(back, None);
        }
    }

    #[test]
    fn a_reference_leads_to_the_slot_that_holds_the_value_and_else_to_the_key_itself() {
        let manifest = with("ssm", "secrets = \"reference\"", "alternating", "");
        let through = |held: &[(&str, &str)]| {
            let entry = |value: &str| Entry::of(Secret::new(value.to_owned()).unwrap());
            let entries =
                held.iter().map(|(key, value)| (format!("db/{key}").parse().unwrap(), entry(value)));
            let home = Snapshot { entries: entries.collect(), ..Snapshot::default() };
            let to = |key: &str| {
                manifest.refers_through(
                    &"prod".parse().unwrap(),
                    &format!("db/{key}").parse().unwrap(),
                    &home,
                )
            };
            assert_eq!(to("HOST"), None);
            to("PASSWORD").map(|address| address.key.to_string())
        };
        let (password, a, b) = ("PASSWORD", "PASSWORD_A", "PASSWORD_B");
        assert_eq!(through(&[(password, "one")]), None, "not set up");
        assert_eq!(through(&[(password, "one"), (a, "one")]).as_deref(), Some(a));
        assert_eq!(through(&[(password, "one"), (a, "one"), (b, "two")]).as_deref(), Some(a), "staged");
        assert_eq!(through(&[(password, "two"), (a, "one"), (b, "two")]).as_deref(), Some(b));
        assert_eq!(through(&[(password, "by hand"), (a, "one"), (b, "two")]), None);
        assert_eq!(through(&[(a, "one"), (b, "two")]), None);
    }
}
