//! Who can open vaults and backups.

use super::EditError;
use super::list;
use super::text::{close, open};
use toml_edit::{Array, DocumentMut, Item};

/// Adds somebody who can open vaults and backups.
pub fn add_recipient(file: &str, text: &str, recipient: &str) -> Result<String, EditError> {
    let mut document = open(file, text)?;
    let recipients = recipients_of(&mut document);
    if recipients.iter().any(|known| known.as_str() == Some(recipient)) {
        return Err(EditError::Recipient);
    }
    list::add(recipients, recipient);
    close(file, text, &document)
}

/// Removes somebody from those who can open vaults and backups.
pub fn remove_recipient(file: &str, text: &str, recipient: &str) -> Result<String, EditError> {
    let mut document = open(file, text)?;
    let recipients = recipients_of(&mut document);
    let at = recipients.iter().position(|known| known.as_str() == Some(recipient));
    list::remove(recipients, at.ok_or(EditError::NoRecipient)?);
    close(file, text, &document)
}

fn recipients_of(document: &mut DocumentMut) -> &mut Array {
    let project = document["project"].as_table_like_mut().expect("a manifest has a table of the project");
    let recipients = project.entry("recipients").or_insert_with(|| Item::Value(Array::new().into()));
    recipients.as_array_mut().expect("a manifest's recipients are a list")
}
