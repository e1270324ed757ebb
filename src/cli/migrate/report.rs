//! The file of a migration's report: beside the journal, and where it was asked for.

use crate::cli::context::Context;
use crate::cli::report::{Exit, Stop};
use crate::durable;
use crate::migrate::Report;
use crate::migrate::cost::{self, Prices};
use crate::name::Address;
use crate::plan::{Change, Want};
use crate::policy::{self, Bearer};
use crate::store::OperationId;
use anyhow::Result;
use std::path::Path;

/// Writes the report of an operation that ended, and tells the file.
pub(super) fn write(then: &Context, id: &OperationId, also: Option<&Path>) -> Result<String> {
    let (journal, manifest) = (then.journal()?, &then.project()?.manifest);
    let (operation, steps) = (journal.open(id)?, journal.steps(id)?);
    let caller = then.aws()?.known_caller().map(|caller| caller.arn.clone());
    let answer = policy::policy(manifest, then.environment()?, Bearer::Instance);
    let policy = if answer.policy.is_empty() { String::new() } else { answer.policy.json() };
    let (spec, home) = (then.environment()?, then.home_name()?);
    let brought = operation.writes().iter().filter(|write| write.place == home);
    let sized = |change: &Change| match &change.after {
        Want::Present(wanted) => Some((change.address.clone(), wanted.held.value()?.len())),
        Want::Absent => None,
    };
    let sizes: Vec<(Address, usize)> = brought.flat_map(|write| &write.changes).filter_map(sized).collect();
    let cost = cost::cost(manifest, spec, &sizes, &spec.home);
    let report = Report {
        project: manifest.project().as_str(),
        environment: then.environment()?.name.as_str(),
        caller,
        operation: &operation,
        steps: &steps,
        manifest,
        policy,
        cost: format!("{cost} ({})", Prices::of(manifest).source()),
    };
    let text = report.markdown();
    let kept = operation.folder().join("report.md");
    let files = std::iter::once(kept.as_path()).chain(also);
    for file in files {
        durable::replace(file, text.as_bytes(), durable::PRIVATE).map_err(|error| {
            Stop::new(
                Exit::Failed,
                format!("the migration is done, but its report cannot be written to {}", file.display()),
            )
            .because(error)
        })?;
    }
    Ok(also.unwrap_or(&kept).display().to_string())
}
