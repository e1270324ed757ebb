//! Operations that stopped midway.

use super::finding::Finding;
use crate::journal::{Standing, Summary};

/// What was begun and is neither finished nor taken back. `strongroom` is how the command is typed here.
pub fn unfinished(operations: &[Summary], strongroom: &str) -> Vec<Finding> {
    let open = operations.iter().filter(|summary| summary.standing == Standing::Unfinished);
    open.map(|summary| {
        let Summary { id, command, done, total, .. } = summary;
        let goes_on = match &summary.goes_on {
            Some(command) => format!("`{command}` goes on with it"),
            None => format!("`{strongroom} resume {id}` finishes it, `{strongroom} undo {id}` takes it back"),
        };
        Finding::problem(
            "unfinished-operation",
            format!("operation {id} ({command}) is unfinished: {done} of {total}"),
        )
        .why("some places have the new values and some the old ones, and the next change of those is refused")
        .fix(goes_on)
    })
    .collect()
}
