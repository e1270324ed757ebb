//! What `doctor` tells of rotations: which are due, and what is wrong with connections to Xero. By what home holds, which was
//! read already; what stopped midway is among the operations of this machine.

use crate::cli::context::Context;
use crate::cli::reading::Held;
use crate::cli::status::rotations;
use crate::cli::xero;
use crate::doctor::Finding;
use crate::xero::Problem;
use anyhow::Result;

pub(super) fn look(ctx: &Context, held: &Held) -> Result<Vec<Finding>> {
    let (manifest, environment) = (&ctx.project()?.manifest, &ctx.environment()?.name);
    let (now, typed) = ((ctx.clock())(), ctx.typed()?);
    let all = rotations::all((manifest, environment, &held.instances), &held.snapshot, now);
    let due = all.iter().filter(|one| one.is_due()).map(|one| {
        Finding::warning("rotation-due", one.told(now))
            .why("its `every` is over: whatever runs `rotate --due` does not run, or fails")
            .fix(format!("`{typed} rotate {}`", one.name()))
    });
    let mut findings: Vec<Finding> = due.collect();
    for (problem, what, fix) in xero::wrong(ctx, held, &typed)? {
        let finding = match problem {
            Problem::Ended => Finding::problem("xero-connection", what),
            // It may be about to be made; what is required and missing is told anyway.
            Problem::NoLogin | Problem::Missing(_) => continue,
            _ => Finding::warning("xero-connection", what),
        };
        findings.push(
            finding
                .why("without a refresh token that Xero takes, the app is cut off until somebody logs in again")
                .fix(fix),
        );
    }
    Ok(findings)
}
