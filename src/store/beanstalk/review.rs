//! What a person should know before an update, and why an environment cannot take it.
//!
//! Owns the checks of a plan against the budget, the characters and the platform version. It writes nothing; the budget
//! is checked once more when the call is made.

use super::deployed::Deployed;
use super::limits::{BUDGET, TIGHT, joined, thousands, unfit, unlisted};
use super::platform::{Feature, Fit, json_key, misspelled};
use super::{Beanstalk, Update};
use crate::name::Address;
use crate::plan::{Want, Write};
use crate::snapshot::Held;
use crate::store::aws::{Family, Request};
use crate::store::{ErrorKind, StoreError};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};

/// What speaks against a write, by address; what concerns no single one has none.
type Refusals<'a> = Vec<(Option<&'a Address>, String)>;

impl Beanstalk {
    pub(super) async fn reviewed(&self, write: &Write) -> Result<Vec<String>, StoreError> {
        let read = self.memory().read.clone();
        let deployed = match read {
            Some(deployed) => deployed,
            None => self.deployed().await?,
        };
        let mut refusals = self.refusals(write, &deployed);
        let mut notes = self.platform_notes(write, &deployed, &mut refusals).await;
        let update = Update::of(&self.naming, &deployed, &write.changes);
        if let Err(over) = self.within_budget(&update, &deployed) {
            refusals.push((None, over.message));
        }
        self.refused(&refusals)?;
        notes.extend(character_notes(write));
        notes.push(room(joined(&update.after(&deployed.variables))));
        if write.changes.is_empty() {
            return Ok(notes);
        }
        let look = self.look().await?;
        notes.push(match look.ready {
            true => "AWS updates the environment: the app restarts on its instances".to_owned(),
            false => format!(
                "AWS updates the environment once it is Ready, and now it is {}: the app restarts on its instances",
                look.status
            ),
        });
        Ok(notes)
    }

    /// Refuses what AWS would find too long only minutes later.
    pub(super) fn within_budget(&self, update: &Update, deployed: &Deployed) -> Result<(), StoreError> {
        let bytes = joined(&update.after(&deployed.variables));
        // Whoever makes it shorter, or leaves it as it is, is not kept from that.
        if bytes <= BUDGET || bytes <= deployed.variables.bytes() {
            return Ok(());
        }
        let message = format!(
            "its plain properties would have {} bytes in all, and Beanstalk holds {}",
            thousands(bytes),
            thousands(BUDGET)
        );
        Err(self.error(ErrorKind::Invalid, message).hint(HINT))
    }

    fn refusals<'w>(&self, write: &'w Write, deployed: &Deployed) -> Refusals<'w> {
        let doubled: BTreeSet<&str> = deployed.variables.doubled().collect();
        let mut refusals = Refusals::new();
        for change in &write.changes {
            let mut refuse = |why: String| refusals.push((Some(&change.address), why));
            let Some(name) = self.naming.property_of(&change.address) else {
                refuse(format!("the copy of {}/{} does not get it", self.application, self.name));
                continue;
            };
            if doubled.contains(name.as_str()) {
                refuse(format!(
                    "`{name}` is a plain property and a reference, and one of them would be lost: take one away first (`aws elasticbeanstalk update-environment --environment-name {} --options-to-remove`)",
                    self.name
                ));
            }
            if let Want::Present(wanted) = &change.after {
                let why = match &wanted.held {
                    Held::Value(value) => unfit(value),
                    Held::Reference(reference) => misspelled(reference),
                };
                if let Some(why) = why {
                    refuse(why.to_owned());
                }
            }
        }
        refusals
    }

    /// What the platform version makes of the references that are new.
    async fn platform_notes<'w>(
        &self,
        write: &'w Write,
        deployed: &Deployed,
        refusals: &mut Refusals<'w>,
    ) -> Vec<String> {
        let platform = &deployed.platform;
        let references: Vec<(&Address, &str)> = references(write).collect();
        let mut notes = Vec::new();
        if references.is_empty() {
            return notes;
        }
        let keyed = references.iter().copied().filter(|(_, reference)| json_key(reference).is_some());
        let keyed: Vec<(&Address, &str)> = keyed.collect();
        let of = |feature: Feature| match feature {
            Feature::References => &references,
            Feature::JsonKeys => &keyed,
        };
        let features = [Feature::References, Feature::JsonKeys].into_iter();
        let asked: Vec<Feature> = features.filter(|feature| !of(*feature).is_empty()).collect();
        let made = match asked.iter().any(|feature| platform.needs_date(*feature)) {
            true => self.made(platform.arn.as_deref().unwrap_or_default()).await,
            false => None,
        };
        for feature in asked {
            match platform.fits(feature, made) {
                Fit::Yes => {}
                Fit::No(why) => {
                    refusals.extend(of(feature).iter().map(|(address, _)| (Some(*address), why.clone())));
                }
                Fit::Unknown => notes.push(match feature {
                    Feature::References => format!(
                        "whether {} resolves references is not known: its release must be of 2025-03-26 or later",
                        platform.name
                    ),
                    Feature::JsonKeys => format!(
                        "whether {} resolves references to a key of a JSON secret is not known: its release must be of 2026-01-13 or later",
                        platform.name
                    ),
                }),
            }
        }
        if !platform.takes_many_lines() {
            notes.push(format!("{} fails to deploy a reference to a value of several lines", platform.name));
        }
        notes
    }

    /// The day on which a platform version was made. Nothing where AWS does not tell: it is a help, not a need.
    pub(super) async fn made(&self, arn: &str) -> Option<Date> {
        let clients = self.aws.clients().await.ok()?;
        let request = Request::read("elasticbeanstalk:DescribePlatformVersion", Family::Beanstalk);
        let send = || clients.beanstalk.describe_platform_version().platform_arn(arn).send();
        let answer = self.aws.call(&request, send).await.ok()?;
        let created = answer.platform_description?.date_created?;
        let at = Timestamp::from_second(created.secs()).ok()?;
        Some(at.to_zoned(TimeZone::UTC).date())
    }

    fn refused(&self, refusals: &Refusals<'_>) -> Result<(), StoreError> {
        let Some((first, _)) = refusals.first() else { return Ok(()) };
        let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (address, why) in refusals {
            let names = by_reason.entry(why).or_default();
            names.extend(address.map(|address| format!("`{address}`")));
        }
        let one = refusals.len() == 1;
        let told = by_reason.iter().map(|(why, names)| match names.is_empty() || one {
            true => (*why).to_owned(),
            false => format!("{}: {why}", names.join(", ")),
        });
        let error = self.error(ErrorKind::Invalid, told.collect::<Vec<_>>().join("; ")).hint(HINT);
        Err(match first {
            Some(address) if one => error.at(address),
            _ => error,
        })
    }
}

const HINT: &str = "values that plain properties cannot hold can live in `ssm` or `secretsmanager`, with `secrets = \"reference\"` for the copy";

fn references(write: &Write) -> impl Iterator<Item = (&Address, &str)> {
    write.changes.iter().filter_map(|change| match &change.after {
        Want::Present(wanted) => match &wanted.held {
            Held::Reference(reference) => Some((&change.address, reference.as_str())),
            Held::Value(_) => None,
        },
        Want::Absent => None,
    })
}

/// A note for each kind of character that AWS does not list, with the addresses.
fn character_notes(write: &Write) -> Vec<String> {
    let mut found: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for change in &write.changes {
        if let Want::Present(wanted) = &change.after
            && let Some(kind) = wanted.held.value().and_then(unlisted)
        {
            found.entry(kind).or_default().push(format!("`{}`", change.address));
        }
    }
    let note = |(kind, names): (&str, Vec<String>)| {
        format!(
            "{} {} {kind}, which AWS does not list for plain properties; a reference carries it",
            names.join(", "),
            if names.len() == 1 { "has" } else { "have" }
        )
    };
    found.into_iter().map(note).collect()
}

fn room(bytes: usize) -> String {
    let used = format!("{} of {} bytes of plain properties", thousands(bytes), thousands(BUDGET));
    match bytes >= TIGHT {
        true => format!("{used}: little room is left; secrets by reference take none"),
        false => used,
    }
}
