//! Desired and seen, to a plan: the one comparison that every changing command goes through.

use super::{Change, Desired, Plan, Write};
use crate::name::Address;
use crate::snapshot::{Snapshot, Unit};
use std::collections::BTreeMap;

/// The writes that turn what was seen into what is desired, one for each unit that differs, in the order of the units.
///
/// `seen` must have been read at every address of `desired`; an address that is not in it counts as absent. What agrees
/// already is in no write, so a plan made right after its own writes is empty.
pub fn diff(place: &str, desired: &Desired, seen: &Snapshot, unit_of: impl Fn(&Address) -> Unit) -> Plan {
    let mut units: BTreeMap<Unit, Vec<Change>> = BTreeMap::new();
    for (address, want) in desired {
        let entry = seen.entries.get(address);
        if !want.met_by(entry) {
            let change = Change { address: address.clone(), before: entry.cloned(), after: want.clone() };
            units.entry(unit_of(address)).or_default().push(change);
        }
    }
    let writes = units.into_iter().map(|(unit, changes)| {
        let base = seen.bases.get(&unit).cloned();
        Write { place: place.to_owned(), unit, base, changes, notes: Vec::new() }
    });
    Plan { writes: writes.collect(), lasting: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Want;
    use crate::secret::Secret;
    use crate::snapshot::{Entry, Version};
    use proptest::prelude::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned()).unwrap()
    }

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    fn by_group(address: &Address) -> Unit {
        Unit(address.group.to_string())
    }

    fn snapshot(values: &BTreeMap<String, String>) -> Snapshot {
        let entries =
            values.iter().map(|(key, value)| (address(&format!("app/{key}")), Entry::of(secret(value))));
        Snapshot { entries: entries.collect(), bases: BTreeMap::new() }
    }

    #[test]
    fn changes_of_one_unit_are_one_write_with_the_units_version_as_base() {
        let mut seen = snapshot(&[("A".to_owned(), "1".to_owned())].into());
        seen.bases.insert(Unit("app".to_owned()), Version("7".to_owned()));
        let desired = Desired::from([
            (address("app/A"), Want::Absent),
            (address("app/B"), Want::value(secret("2"))),
            (address("db/C"), Want::value(secret("3"))),
        ]);
        let plan = diff("vault", &desired, &seen, by_group);
        let shape: Vec<_> =
            plan.writes.iter().map(|w| (w.unit.0.as_str(), w.base.as_ref(), w.changes.len())).collect();
        assert_eq!(shape, [("app", Some(&Version("7".to_owned())), 2), ("db", None, 1)]);
    }

    #[test]
    fn an_attribute_that_is_asked_for_and_differs_is_a_change_and_one_not_asked_for_is_none() {
        let mut entry = Entry::of(secret("1"));
        entry.attributes.insert("type".to_owned(), "String".to_owned());
        let mut seen = Snapshot::default();
        seen.entries.insert(address("app/A"), entry.clone());
        let as_it_is = Desired::from([(address("app/A"), Want::value(secret("1")))]);
        assert!(diff("ssm", &as_it_is, &seen, by_group).is_empty());
        entry.attributes.insert("type".to_owned(), "SecureString".to_owned());
        let retyped = Desired::from([(address("app/A"), Want::as_seen(Some(&entry)))]);
        assert_eq!(diff("ssm", &retyped, &seen, by_group).writes.len(), 1);
    }

    proptest! {
        /// What a plan says, done to what was seen, leaves nothing to plan.
        #[test]
        fn a_plan_that_was_carried_out_leaves_an_empty_diff(
            before in prop::collection::btree_map("[A-D]", "[xy]", 0..4),
            after in prop::collection::btree_map("[A-D]", prop::option::of("[xy]"), 0..4),
        ) {
            let mut seen = snapshot(&before);
            let desired: Desired = after.iter().map(|(key, value)| {
                let want = value.as_ref().map_or(Want::Absent, |value| Want::value(secret(value)));
                (address(&format!("app/{key}")), want)
            }).collect();
            let plan = diff("memory", &desired, &seen, by_group);
            for (_, change) in plan.changes() {
                match &change.after {
                    Want::Present(wanted) => {
                        let entry = Entry { held: wanted.held.clone(), ..Entry::of(secret("")) };
                        seen.entries.insert(change.address.clone(), entry);
                    }
                    Want::Absent => { seen.entries.remove(&change.address); }
                }
            }
            prop_assert!(diff("memory", &desired, &seen, by_group).is_empty());
        }
    }
}
