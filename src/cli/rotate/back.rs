//! Undoing a rotation, or what copies refer to: what [`rotate::take_back`] is given, and how it is gone on with.

use super::super::context::Context;
use super::super::reading::Wish;
use super::super::report::Exit;
use super::story::Story;
use super::{RotateArgs, named, postgres, show, story};
use crate::apply::{ApplyError, Undo};
use crate::manifest::RotationKind;
use crate::plan::Plan;
use crate::rotate::{self, postgres::Postgres};
use crate::store::{OperationId, Stores};
use anyhow::Result;

/// Shows an undo, asks, and carries it out; of a rotation, where these are its arguments. Nobody else rotates meanwhile, and
/// a login that comes back is one that works, and that nobody changes any more who began before.
pub(in crate::cli) fn take_back(
    ctx: &Context,
    (id, command): (&OperationId, &str),
    (undo, plan): (Undo, &Plan),
    stores: &Stores,
    rotation: Option<&RotateArgs>,
) -> Result<Exit> {
    let login = rotation.map(|args| login(ctx, args)).transpose()?.flatten();
    let held = ctx.read_home(&Wish::all())?;
    let holders = story::holders(ctx, stores, &held.instances)?;
    let goes_on = format!("strongroom -e {} undo {id}", ctx.environment()?.name);
    ctx.carry_out_alone((command, None), plan, stores, async |journal, watch| {
        if let Some(login) = &login {
            let kept = login.keep_as_it_is(undo.original(), &holders).await;
            kept.map_err(|error| ApplyError::Nothing(Box::new(error)))?;
        }
        rotate::take_back(journal, undo, &holders, &goes_on, watch).await
    })
}

/// The rotation of a login, where it is one.
fn login(ctx: &Context, args: &RotateArgs) -> Result<Option<Postgres>> {
    match named(ctx, args) {
        Ok((spec, instance)) => match &spec.kind {
            RotationKind::Postgres(postgres) => {
                postgres::rotation(&Story::new(ctx, (spec, instance), args, None)?, postgres).map(Some)
            }
            _ => Ok(None),
        },
        // What is not declared any more is taken back like any change, where it may be at all.
        Err(_) => Ok(None),
    }
}

/// Goes on with one that stopped.
pub(in crate::cli) fn go_on_taking_back(ctx: &Context, id: &OperationId, skip_changed: bool) -> Result<Exit> {
    let stores = ctx.stores()?;
    let held = ctx.read_home(&Wish::all())?;
    let holders = story::holders(ctx, &stores, &held.instances)?;
    let command = format!("resume {id}");
    ctx.ui.show(&command);
    if ctx.dry_run() {
        ctx.ui.note("dry run: nothing was changed");
        return show::resumed(ctx, &command, id, None);
    }
    let environment = ctx.environment()?;
    ctx.ui.approve(&format!("Go on with {id}?"), environment.protected.then_some(&environment.name))?;
    let done =
        ctx.under_way((&command, Some(id)), Some(ctx.leases_of_the_dead()?), async |journal, watch| {
            rotate::go_on_taking_back(journal, id, &holders, skip_changed, watch).await
        })?;
    ctx.warn_of_left(&done.left);
    ctx.ui.note(&format!("{command}: everything is as before, and read back"));
    show::resumed(ctx, &command, id, Some(&done))
}
