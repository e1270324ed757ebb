//! Copies beside home: how each address stands in a place that must agree.
//!
//! Owns the comparison of what a copy should hold with what it holds. It reads no place and shows nothing.

use crate::desired::Revision;
use crate::name::Address;
use crate::plan::{Desired, Want};
use crate::snapshot::{Held, Snapshot};

/// A copy, what it should hold and what it holds.
#[derive(Debug)]
pub(in crate::cli) struct Copy {
    /// Its name in the manifest.
    pub(super) name: String,
    /// Which place of the world it is.
    pub(super) location: String,
    /// What the place says of itself: its size, its state.
    pub(super) notes: Vec<String>,
    desired: Desired,
    seen: Snapshot,
}

/// How an address stands in a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum InCopy {
    /// The copy does not take it, or neither has a value.
    Nothing,
    /// The same value.
    Agrees,
    /// A reference to where home holds it.
    ByReference,
    /// Another value.
    Differs,
    /// A reference to something else.
    OtherReference,
    /// The value itself, where it should be a reference: whoever may describe the copy can read it.
    Plain,
    /// It is not there.
    Missing,
    /// It is there, and home has none.
    OnlyHere,
}

impl InCopy {
    /// The word, for people and for `--json`.
    pub(super) fn word(self) -> &'static str {
        match self {
            InCopy::Nothing => "",
            InCopy::Agrees => "agrees",
            InCopy::ByReference => "by reference",
            InCopy::Differs => "differs",
            InCopy::OtherReference => "refers elsewhere",
            InCopy::Plain => "plain value",
            InCopy::Missing => "missing",
            InCopy::OnlyHere => "only here",
        }
    }

    /// Whether the copy is not as it should be.
    pub(in crate::cli) fn is_off(self) -> bool {
        !matches!(self, InCopy::Nothing | InCopy::Agrees | InCopy::ByReference)
    }
}

impl Copy {
    /// A copy, compared.
    pub(super) fn new(
        name: &str,
        location: String,
        desired: Desired,
        seen: Snapshot,
        notes: Vec<String>,
    ) -> Copy {
        Copy { name: name.to_owned(), location, notes, desired, seen }
    }

    /// What it should hold, or hold no more.
    pub(in crate::cli) fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.desired.keys()
    }

    /// How one address stands.
    pub(in crate::cli) fn cell(&self, address: &Address) -> InCopy {
        let seen = self.seen.entries.get(address);
        match (self.desired.get(address), seen.map(|entry| &entry.held)) {
            (None, _) | (Some(Want::Absent), None) => InCopy::Nothing,
            (Some(Want::Absent), Some(_)) => InCopy::OnlyHere,
            (Some(Want::Present(_)), None) => InCopy::Missing,
            (Some(Want::Present(wanted)), Some(held)) => match (&wanted.held, held) {
                (Held::Value(a), Held::Value(b)) if a.same_as(b) => InCopy::Agrees,
                (Held::Reference(a), Held::Reference(b)) if a == b => InCopy::ByReference,
                (Held::Reference(_), Held::Value(_)) => InCopy::Plain,
                (_, Held::Reference(_)) => InCopy::OtherReference,
                (Held::Value(_), Held::Value(_)) => InCopy::Differs,
            },
        }
    }

    /// Whether it was deployed with what its references stand for now. Instances that started since have other values.
    pub(in crate::cli) fn is_current(&self) -> bool {
        let address = Revision::address();
        // One that carries none was not deployed by us, and may resolve nothing at all.
        let Some(seen) = self.seen.entries.get(&address) else { return true };
        self.desired.get(&address).is_none_or(|want| want.met_by(Some(seen)))
    }

    /// Whether a sync would change it.
    pub(super) fn is_drift(&self) -> bool {
        self.desired.iter().any(|(address, want)| !want.met_by(self.seen.entries.get(address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::snapshot::Entry;

    fn value(text: &str) -> Held {
        Held::Value(Secret::new(text.to_owned()).unwrap())
    }

    fn refers(text: &str) -> Held {
        Held::Reference(text.to_owned())
    }

    #[test]
    fn each_way_to_disagree_has_its_word() {
        let cases = [
            (Some(value("a")), Some(value("a")), InCopy::Agrees),
            (Some(value("a")), Some(value("b")), InCopy::Differs),
            (Some(refers("x")), Some(refers("x")), InCopy::ByReference),
            (Some(refers("x")), Some(refers("y")), InCopy::OtherReference),
            (Some(value("a")), Some(refers("y")), InCopy::OtherReference),
            (Some(refers("x")), Some(value("a")), InCopy::Plain),
            (Some(value("a")), None, InCopy::Missing),
            (None, Some(value("a")), InCopy::OnlyHere),
            (None, None, InCopy::Nothing),
        ];
        let at: Address = "app/A".parse().unwrap();
        for (wanted, held, expected) in cases {
            let want = wanted.map_or(Want::Absent, Want::held);
            let mut seen = Snapshot::default();
            if let Some(held) = held {
                seen.entries
                    .insert(at.clone(), Entry { held, ..Entry::of(Secret::new(String::new()).unwrap()) });
            }
            let copy = Copy::new("web", String::new(), Desired::from([(at.clone(), want)]), seen, Vec::new());
            assert_eq!(copy.cell(&at), expected);
            assert_eq!(copy.is_drift(), expected.is_off());
        }
    }
}
