//! What is said when somebody else has changed the manifest that a migration is to change.
//!
//! Owns where the two texts are. It writes nothing.

use crate::apply::ApplyError;
use crate::cli::context::Context;
use crate::cli::report::{Exit, Stop};
use crate::store::ManifestFile;

/// An error of a migration; where the manifest is in the way, with where the migration's own is.
pub(super) fn explained(then: &Context, error: anyhow::Error) -> anyhow::Error {
    let Some(ApplyError::Conflict { operation, addresses, .. }) = error.downcast_ref() else {
        return error;
    };
    if !addresses.iter().any(|(place, _)| place == ManifestFile::PLACE) {
        return error;
    }
    let Some(id) = operation else {
        let message = "somebody else changed the manifest while this was planned; nothing was changed";
        return Stop::new(Exit::Conflict, message).hint("run it again").into();
    };
    let Ok(journal) = then.journal() else { return error };
    let message = "somebody else changed the manifest meanwhile, and theirs stands";
    Stop::new(Exit::Conflict, message)
        .hint(format!(
            "what the migration leaves behind is {}: bring its lines into yours, then `strongroom resume {id} --skip-changed` ends it",
            journal.manifest_file(id).display()
        ))
        .hint(format!("`strongroom undo {id} --skip-changed` takes back all but the manifest"))
        .into()
}
