//! The plan: what a place should hold, what it holds, and the difference as a value.
//!
//! Owns the words of a change. It is pure: a plan is made, shown, compared and thrown away without a call to anything,
//! which is what a dry run is. It never writes; that is [`crate::apply`].

mod diff;
mod show;

pub use diff::diff;
pub use show::{Line, Mark, lines};

use crate::name::Address;
use crate::snapshot::{Attributes, Entry, Held, Unit, Version};
use std::collections::BTreeMap;

/// The name of a place as plans, journals and messages use it: the home's kind, or a copy's name in the manifest.
pub type Place = String;

/// What one place should hold, at the addresses that are spoken of; every other address stays as it is.
pub type Desired = BTreeMap<Address, Want>;

/// What should stand at one address.
#[derive(Debug, Clone)]
pub enum Want {
    /// This value or reference.
    Present(Wanted),
    /// Nothing.
    Absent,
}

impl Want {
    /// A value, kept in whatever form the place has it in.
    pub fn value(value: crate::secret::Secret) -> Want {
        Want::held(Held::Value(value))
    }

    /// This value or reference, in whatever form the place has it in.
    pub fn held(held: Held) -> Want {
        Want::Present(Wanted { held, attributes: Attributes::new(), was: None })
    }

    /// Exactly what was seen: the value, and each attribute that the place keeps with it.
    pub fn as_seen(entry: Option<&Entry>) -> Want {
        match entry {
            Some(entry) => {
                let (held, attributes) = (entry.held.clone(), entry.attributes.clone());
                Want::Present(Wanted { held, attributes, was: entry.version.clone() })
            }
            None => Want::Absent,
        }
    }

    /// Whether what stands at the address is what is wanted. Attributes that nobody asked for do not count.
    pub fn met_by(&self, entry: Option<&Entry>) -> bool {
        match (self, entry) {
            (Want::Absent, None) => true,
            (Want::Present(wanted), Some(entry)) => {
                wanted.held.same_as(&entry.held)
                    && wanted.attributes.iter().all(|(name, text)| entry.attributes.get(name) == Some(text))
            }
            (Want::Absent, Some(_)) | (Want::Present(_), None) => false,
        }
    }
}

impl Want {
    /// Whether it cannot be said yet if the want is met: all that was read agrees, and an attribute is wanted that the
    /// read did not tell.
    pub fn hangs_on_more(&self, entry: Option<&Entry>) -> bool {
        let (Want::Present(wanted), Some(entry)) = (self, entry) else { return false };
        let told = |name: &String| entry.attributes.get(name);
        wanted.held.same_as(&entry.held)
            && wanted.attributes.iter().all(|(name, text)| told(name).is_none_or(|seen| seen == text))
            && wanted.attributes.keys().any(|name| told(name).is_none())
    }
}

/// A value or reference that should be there.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What should be held.
    pub held: Held,
    /// The attributes that it must have; one that is not named stays as it is, or is the place's default.
    pub attributes: Attributes,
    /// The place's version that held exactly this, where it was there before: a place that can go back to a version does.
    pub was: Option<Version>,
}

/// One address of a write: what was seen there, and what should be.
#[derive(Debug, Clone)]
pub struct Change {
    /// The address.
    pub address: Address,
    /// What the plan was made against; `None` where nothing was there.
    pub before: Option<Entry>,
    /// What it shall be.
    pub after: Want,
}

/// Everything that one call of a place will change.
#[derive(Debug, Clone)]
pub struct Write {
    /// The place.
    pub place: Place,
    /// The unit of it.
    pub unit: Unit,
    /// The unit's version that the plan was made against, where the place has such versions and the unit is there.
    pub base: Option<Version>,
    /// At least one change, in the order of their addresses.
    pub changes: Vec<Change>,
    /// What a person should know before it is made, as the place tells it: a restart, a restore, a size. Empty until
    /// the place was asked.
    pub notes: Vec<String>,
}

/// Writes in the order in which they are to be made. Empty where nothing is to be done.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The writes; a plan over several places has those of the first place first.
    pub writes: Vec<Write>,
    /// Whether an undo of it leaves what it wrote: somebody beyond our places has learned the values, and knows no others.
    pub lasting: bool,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Every change with its place.
    pub fn changes(&self) -> impl Iterator<Item = (&Place, &Change)> {
        self.writes.iter().flat_map(|write| write.changes.iter().map(move |change| (&write.place, change)))
    }

    /// This plan, then the other.
    pub fn then(mut self, other: Plan) -> Plan {
        self.writes.extend(other.writes);
        self
    }
}
