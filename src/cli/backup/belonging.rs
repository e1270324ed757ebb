//! Which place the values of a backup belong to now, and what that place holds.
//!
//! Owns that each section goes to the place of its name, whatever was home then and is now. It writes nothing.

use super::super::context::Context;
use super::super::places::place_of;
use crate::backup;
use crate::document::{Document, Section};
use crate::manifest;
use crate::name::Address;
use crate::plan::Place;
use crate::snapshot::{Setting, Snapshot};
use anyhow::Result;

/// A section of a backup, and the place that its values belong to now.
pub(super) struct Belonging<'d> {
    pub(super) section: &'d Section,
    pub(super) place: Place,
    /// Whether they stood in another place: then nothing but the values themselves goes along.
    pub(super) moved: bool,
    /// Whether it is all that home held at the time of the backup.
    pub(super) home_then: bool,
}

/// What a place holds now, where a section's values belong.
pub(super) struct Now {
    pub(super) held: Snapshot,
    /// Every setting of it, raw, where it has such.
    pub(super) options: Option<Vec<Setting>>,
}

impl Context {
    /// The sections of a backup that have a place here, and the names of places that held something and are not there any
    /// more. Those of another environment's copies (not `ours`) are no business of this one's.
    pub(super) fn belonging<'d>(
        &self,
        document: &'d Document,
        ours: bool,
    ) -> Result<(Vec<Belonging<'d>>, Vec<&'d str>)> {
        let home = self.home_name()?;
        let known: Vec<Place> = self.copies()?.into_iter().map(place_of).chain([home.clone()]).collect();
        let has_home = backup::sections(document).any(|section| section.place == home);
        let (mut found, mut gone) = (Vec::new(), Vec::new());
        for (index, section) in backup::sections(document).enumerate() {
            let home_then = index == 0;
            if !ours {
                if home_then {
                    found.push(Belonging { section, place: home.clone(), moved: true, home_then });
                }
            } else if known.contains(&section.place) {
                found.push(Belonging { section, place: section.place.clone(), moved: false, home_then });
            } else if home_then && !has_home {
                found.push(Belonging { section, place: home.clone(), moved: true, home_then });
            } else if !backup::contents(section).is_empty() {
                gone.push(section.place.as_str());
            }
        }
        Ok((found, gone))
    }

    /// The copy of the manifest that a place is; none where it is no Beanstalk environment.
    pub(super) fn copy_that_is(&self, place: &str) -> Result<Option<&str>> {
        if let manifest::Place::Beanstalk { copy } = &self.environment()?.home
            && self.home_name()? == place
        {
            return Ok(Some(copy));
        }
        Ok(self.copies()?.into_iter().find(|copy| place_of(copy) == place).map(|copy| copy.name.as_str()))
    }

    /// What the place of a section holds now: all that the section could tell of.
    pub(super) fn now_of(&self, belonging: &Belonging<'_>) -> Result<Now> {
        let section = belonging.section;
        if let Some(copy) = self.copy_that_is(&belonging.place)? {
            let copy = self.beanstalk(copy)?;
            // A backup of an older strongroom does not tell what was there and in no manifest.
            let told = section.options.is_some() || !belonging.home_then;
            let groups = match told && !belonging.moved {
                true => self.groups_of_properties()?,
                false => self.project()?.manifest.groups().map(|group| group.name.clone()).collect(),
            };
            let (held, options) = self.wait_for(async { Ok(copy.walk_raw(&groups).await?) })?;
            return Ok(Now { held, options: Some(options) });
        }
        let held = match section.records.values().any(|record| record.entry.is_none()) {
            false => self.everything()?,
            true => {
                let addresses: Vec<Address> = section.records.keys().cloned().collect();
                let home = self.home()?;
                self.wait_for(async { Ok(home.read(&addresses).await?) })?
            }
        };
        Ok(Now { held, options: None })
    }
}
