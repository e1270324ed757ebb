//! What can be said of a write before it is made: what cannot be, by name, and what a person should know.
//!
//! Owns the limits. It changes nothing.

use super::SecretsManager;
use super::lifecycle::RECOVERY;
use super::seen::Leaving;
use super::text::{self, Form, MOST};
use crate::plan::{Change, Want, Write};
use crate::snapshot::Held;
use crate::store::{ErrorKind, StoreError};

/// The most characters of a name.
const LONGEST: usize = 512;

impl SecretsManager {
    /// Why a write cannot be made, or what is to be known about it.
    pub(super) async fn look_over(&self, write: &Write) -> Result<Vec<String>, StoreError> {
        let (name, changes) = (write.unit.0.as_str(), write.changes.as_slice());
        self.refuse_impossible(name, changes)?;
        let form = self.form_of(&changes[0].address.group);
        let found = self.at_base(name, write.base.as_ref()).await?;
        let before = found.as_ref().map(|found| self.text(form, found)).transpose()?;
        let after = text::changed(form, before.as_ref(), changes);
        let size = after.as_ref().map_or(0, |text| text.whole().len());
        if size > MOST {
            let message = format!("{name} would be {size} bytes, and Secrets Manager takes {MOST}");
            return Err(self.error(ErrorKind::Invalid, message).hint(
                "split the group, or let it have a secret for each key: path.secretsmanager = \"…/{key}\" in the manifest",
            ));
        }
        let mut notes = Vec::new();
        if let (None, Some(Leaving(at))) = (&found, self.seen.leaving(name)) {
            notes.push(format!(
                "{name} is scheduled for deletion (AWS says {at}): it is restored, and what it held comes back with it"
            ));
        }
        let ends = found.is_some() && after.as_ref().is_none_or(text::Text::is_empty);
        if ends && self.is_ours(name).await? {
            notes.push(format!(
                "{name} holds nothing then, and is scheduled for deletion; it can be restored for {RECOVERY} days"
            ));
        } else if ends && form == Form::Value {
            return Err(self.not_ours(name));
        } else if ends {
            notes.push(format!("{name} holds nothing then, and stays: strongroom did not create it"));
        }
        Ok(notes)
    }

    /// Refuses what no secret can be.
    pub(super) fn refuse_impossible(&self, name: &str, changes: &[Change]) -> Result<(), StoreError> {
        let refuse = |change: &Change, message: String| {
            Err(self.error(ErrorKind::Invalid, message).at(&change.address))
        };
        for change in changes {
            let Want::Present(wanted) = &change.after else { continue };
            match &wanted.held {
                Held::Reference(_) => {
                    return refuse(change, "Secrets Manager holds values, not references".to_owned());
                }
                Held::Value(value)
                    if value.is_empty() && self.form_of(&change.address.group) == Form::Value =>
                {
                    let message = format!("{name} would be empty, and a secret of a single value cannot be");
                    return refuse(change, message);
                }
                Held::Value(_) => {}
            }
        }
        let first = &changes[0];
        if self.name_of(&first.address).is_none() {
            return refuse(first, "the manifest has no group for it".to_owned());
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
        if name.is_empty() || name.len() > LONGEST || !name.chars().all(plain) {
            let shown: String = name.chars().take(80).flat_map(char::escape_debug).collect();
            let message =
                format!("`{shown}` is no name for a secret: letters, digits and /_+=.@- (at most {LONGEST})");
            return refuse(first, message);
        }
        Ok(())
    }
}
