//! A plan for people and scripts: marks, addresses and fingerprints, never a value.

use super::{Change, Plan, Want};
use crate::name::Address;
use crate::secret::FingerprintKey;
use crate::snapshot::{Entry, Held, Unit};
use serde::Serialize;

/// What happens to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// Nothing was there.
    Create,
    /// Something else was there.
    Change,
    /// What was there goes.
    Delete,
}

impl Mark {
    /// `+`, `~` or `-`.
    pub fn sign(self) -> char {
        match self {
            Mark::Create => '+',
            Mark::Change => '~',
            Mark::Delete => '-',
        }
    }
}

/// One change of a plan as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The place.
    pub place: String,
    /// The unit that is written.
    pub unit: Unit,
    /// The address.
    pub address: Address,
    /// What happens to it.
    pub mark: Mark,
    /// The fingerprint of what was there, or the reference.
    pub before: Option<String>,
    /// The fingerprint of what will be there, or the reference.
    pub after: Option<String>,
    /// Attributes that change, as `name: old -> new`.
    pub attributes: Vec<String>,
    /// What a person should know before the write that it is part of; told with the first change of the write.
    pub notes: Vec<String>,
}

/// The changes of a plan in its order. Fingerprints are comparable within one key only.
pub fn lines(plan: &Plan, key: &FingerprintKey) -> Vec<Line> {
    let of_write = |write: &super::Write| -> Vec<Line> {
        let line = |change: &Change| Line {
            place: write.place.clone(),
            unit: write.unit.clone(),
            address: change.address.clone(),
            mark: mark(change),
            before: change.before.as_ref().map(|entry| show(&entry.held, key)),
            after: match &change.after {
                Want::Present(wanted) => Some(show(&wanted.held, key)),
                Want::Absent => None,
            },
            attributes: attributes(change),
            notes: Vec::new(),
        };
        let mut lines: Vec<Line> = write.changes.iter().map(line).collect();
        if let Some(first) = lines.first_mut() {
            first.notes.clone_from(&write.notes);
        }
        lines
    };
    plan.writes.iter().flat_map(of_write).collect()
}

fn mark(change: &Change) -> Mark {
    match (&change.before, &change.after) {
        (None, _) => Mark::Create,
        (Some(_), Want::Present(_)) => Mark::Change,
        (Some(_), Want::Absent) => Mark::Delete,
    }
}

fn show(held: &Held, key: &FingerprintKey) -> String {
    match held {
        Held::Value(secret) => secret.fingerprint(key).to_string(),
        Held::Reference(name) => name.clone(),
    }
}

fn attributes(change: &Change) -> Vec<String> {
    let (Some(Entry { attributes: old, .. }), Want::Present(wanted)) = (&change.before, &change.after) else {
        return Vec::new();
    };
    let differs = |(name, text): (&String, &String)| {
        let was = old.get(name).map_or("none", String::as_str);
        (was != text).then(|| format!("{name}: {was} -> {text}"))
    };
    wanted.attributes.iter().filter_map(differs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Desired, diff};
    use crate::secret::Secret;
    use crate::snapshot::Snapshot;

    #[test]
    fn a_shown_plan_has_fingerprints_and_no_value() {
        let secret = |text: &str| Secret::new(text.to_owned()).unwrap();
        let mut seen = Snapshot::default();
        seen.entries.insert("app/A".parse().unwrap(), Entry::of(secret("canary-old")));
        seen.entries.insert("app/B".parse().unwrap(), Entry::of(secret("canary-gone")));
        let desired = Desired::from([
            ("app/A".parse().unwrap(), Want::value(secret("canary-new"))),
            ("app/B".parse().unwrap(), Want::Absent),
            ("app/C".parse().unwrap(), Want::value(secret("canary-old"))),
        ]);
        let plan = diff("vault", &desired, &seen, |_| Unit("vault".to_owned()));
        let shown = lines(&plan, &FingerprintKey::new([0; 32]));
        let marks: String = shown.iter().map(|line| line.mark.sign()).collect();
        assert_eq!(marks, "~-+");
        assert_eq!(shown[0].before, shown[2].after, "the same value has the same fingerprint");
        assert!(!format!("{shown:?} {plan:?}").contains("canary"));
    }
}
