//! What stands in a rendered file's place and is about to be lost: asked about where it is somebody's, and sealed away.
//!
//! It writes sealed copies among the state, and never touches the file itself.

use super::context::Context;
use super::report::{Exit, Stop};
use super::target::Target;
use super::ui::plural;
use crate::durable::{self, PRIVATE};
use crate::seal;
use anyhow::Result;
use std::path::PathBuf;

/// Asks once about every file that is not ours, or holds more than its target gives.
pub(super) fn approve(ctx: &Context, stale: &[&Target<'_>]) -> Result<()> {
    let somebodys = stale.iter().filter(|target| target.is_somebodys());
    let mut count = 0;
    for target in somebodys {
        count += 1;
        let (file, name) = (target.file.display(), &target.spec.name);
        let surplus = target.surplus().join(", ");
        if target.is_foreign() {
            let reasons = target.standing.reasons().join("; ");
            ctx.ui.show(&format!("{file} was not made by strongroom: {reasons}"));
        } else if surplus.is_empty() {
            ctx.ui.show(&format!("{file} cannot be read as the target `{name}` is written"));
        } else {
            ctx.ui.show(&format!("{file} has variables that the target `{name}` does not give: {surplus}"));
        }
        if !surplus.is_empty() {
            let strongroom = ctx.typed()?;
            ctx.ui.show(&format!("  `{strongroom} import {file} --add` takes {surplus} in"));
        }
    }
    if count == 0 {
        return Ok(());
    }
    let question = format!("Replace {}? What is there will be sealed and kept.", plural(count, "file"));
    ctx.ui.approve(&question, None)
}

/// Keeps the text of a file that is about to be another, so that it can be had back with the plain `age` program.
pub(super) fn keep_sealed(ctx: &Context, target: &Target<'_>) -> Result<()> {
    let Some(present) = target.found.present.as_ref().filter(|_| target.loses_text()) else { return Ok(()) };
    let identities = ctx.identities()?;
    let mut recipients = ctx.recipients()?;
    recipients.extend(identities.iter().flat_map(|identities| identities.recipients()));
    let file = target.file.display();
    let not_kept = |why: &str| {
        Stop::new(Exit::Failed, format!("what is in {file} would be lost: {why}; nothing was written"))
            .hint(format!("move {file} away, then run this again"))
    };
    if recipients.is_empty() {
        return Err(not_kept("there is no recipient that it could be sealed to").into());
    }
    let sealed = seal::seal(&present.content, &recipients)
        .map_err(|error| not_kept("it cannot be sealed").because(error))?;
    if let Some(identities) = &identities {
        let opened = seal::open(&sealed, identities)
            .map_err(|error| not_kept("what was sealed does not open").because(error))?;
        if *opened != *present.content {
            return Err(not_kept("what was sealed does not open to the same text").into());
        }
    }
    let path = path(ctx, &target.spec.name)?;
    let unwritten = |error| not_kept("its sealed copy cannot be written").because(error);
    durable::create_folder(durable::folder_of(&path)).map_err(unwritten)?;
    durable::create(&path, &sealed, PRIVATE).map_err(unwritten)?;
    let (identity, kept) = (ctx.identity_path()?, path.display());
    ctx.ui.note(&format!(
        "what was in {file} is kept, sealed: {kept}\n  `age -d -i {} {kept}` opens it",
        identity.display()
    ));
    let surplus = target.surplus().join(", ");
    if !surplus.is_empty() {
        let strongroom = ctx.typed()?;
        ctx.ui.note(&format!("  opened, `{strongroom} import FILE --add` takes {surplus} in"));
    }
    Ok(())
}

fn path(ctx: &Context, target: &str) -> Result<PathBuf> {
    let (project, environment) = (ctx.project()?.manifest.project(), &ctx.environment()?.name);
    let folder = ctx.state_folder()?.join(project.as_str()).join(environment.as_str());
    let stamp = (ctx.clock())().strftime("%Y%m%d-%H%M%S-%6f").to_string();
    Ok(folder.join(format!("replaced-{stamp}-{target}.age")))
}
