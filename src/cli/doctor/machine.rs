//! What `doctor` looks at on this machine beside the project: the identity, the journal, and whether home opens.

use super::not_checked;
use crate::cli::context::Context;
use crate::cli::git::Exposed;
use crate::doctor::{self, Finding, IdentityFile};
use anyhow::{Error, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

pub(super) fn look(ctx: &Context) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    if let Some(file) = identity(&ctx.identity_path()?) {
        findings.extend(doctor::identity(&file));
    }
    match operations(ctx) {
        Ok(unfinished) => findings.extend(unfinished),
        Err(error) => {
            findings.push(not_checked(
                "journal-not-read",
                "the journal of operations could not be read",
                &error,
            ));
        }
    }
    Ok(findings)
}

fn identity(path: &Path) -> Option<IdentityFile> {
    let meta = fs::metadata(path).ok()?;
    let demo = fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"# DEMO IDENTITY"));
    let tracked = Exposed::of(path).is_some_and(|exposed| exposed.tracked);
    Some(IdentityFile { path: path.display().to_string(), mode: meta.permissions().mode(), tracked, demo })
}

fn operations(ctx: &Context) -> Result<Vec<Finding>> {
    Ok(doctor::unfinished(&ctx.journal()?.list()?, &ctx.typed()?))
}

/// That home did not open, and what of the checks was not made for it.
pub(super) fn closed(ctx: &Context, error: &Error) -> Result<Finding> {
    let what = format!(
        "the home of `{}` could not be read, and no value of it was checked",
        ctx.environment()?.name
    );
    Ok(not_checked("home-not-read", &what, error))
}
