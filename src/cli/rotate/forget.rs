//! An operation that nobody can go on with, or need not: a refresh at Xero whose instance was deleted meanwhile, that never
//! sent anything, or whose call was not answered while it could be made again.
//!
//! Owns what is said of what is given up, and that home is told. Whether it may be forgotten is [`crate::rotate::xero`]'s to
//! know.

use super::super::context::Context;
use super::super::report::{Exit, Stop};
use super::super::ui::shown;
use super::{RotateArgs, named};
use crate::apply::{self, ApplyError};
use crate::journal::Operation;
use crate::manifest::{RotationKind, RotationSpec, UnknownName, XeroSpec};
use crate::name::Instance;
use crate::rotate::xero::{self, Forgetting, Remains};
use crate::store::{ErrorKind, OperationId, Store, StoreError};
use anyhow::Result;

/// What a refresh was about, as it is declared now; nothing where it is not.
type Declared<'a> = Option<(&'a XeroSpec, Instance)>;

const LOST: &str = "it has the only token that Xero takes, and home has no place for it any more: the connection is given \
                    up, and `xero login` makes it again";

/// Forgets it; `false` where it is to be undone like every other, or gone on with.
pub(in crate::cli) fn forget(ctx: &Context, args: &RotateArgs, id: &OperationId) -> Result<bool> {
    // What was begun as another kind has sent Xero nothing, whatever has its name by now.
    if args.declared.as_deref().is_some_and(|begun| !begun.starts_with("xero")) {
        return Ok(false);
    }
    let declared: Declared<'_> = match named(ctx, args) {
        Ok((RotationSpec { kind: RotationKind::Xero(spec), .. }, Some(first))) => {
            Some((spec.as_ref(), first))
        }
        Ok(_) => return Ok(false),
        Err(error) if error.is::<UnknownName>() => None,
        Err(error) => return Err(error),
    };
    let (environment, stores) = (ctx.environment()?, ctx.stores()?);
    let store = stores[&environment.home.to_string()].as_ref();
    let look = async |operation: &Operation| forgotten(operation, declared.as_ref(), store, ctx).await;
    let journal = ctx.journal()?;
    let Some(forgetting) = ctx.wait_for(async { Ok(look(&apply::reopened(&journal, id)?).await?) })? else {
        return Ok(false);
    };
    let name = args.name.as_deref().unwrap_or_default();
    let given_up = match forgetting {
        Forgetting::No if declared.is_none() => return Err(undeclared(name, id).into()),
        Forgetting::No => return Ok(false),
        Forgetting::LosesNothing => "no token was used up by it".to_owned(),
        Forgetting::LeavesDoubt { .. } => format!(
            "whether its token was used up is not known, and nobody can ask for the answer any more: if Xero refuses the \
             next `rotate {name}`, `xero login` authorises it again"
        ),
        Forgetting::LosesTheAnswer => LOST.to_owned(),
    };
    ctx.ui.show(&format!("undo {id} (rotate {name})\n  {}\n", shown(&given_up)));
    if ctx.dry_run() {
        ctx.ui.note("dry run: nothing was changed");
        return Ok(true);
    }
    ctx.ui.approve(&format!("Forget {id}?"), environment.protected.then_some(&environment.name))?;
    // Where the token may be used up, home goes on saying so, to whoever sends it next.
    let tells = !matches!(forgetting, Forgetting::LeavesDoubt { held: true });
    let recorded = environment.home.keeps_records();
    ctx.under_way(("undo", Some(id)), Some(ctx.leases()?), async |journal, _| {
        let mut operation = apply::reopened(journal, id)?;
        let stopped = |error: StoreError| apply::midway(&operation, ApplyError::Read(Box::new(error)));
        // While it was asked somebody may have gone on with it: what was shown is not what would be given up.
        if look(&operation).await.map_err(stopped)? != Some(forgetting) {
            return Err(ApplyError::Nothing(Box::new(went_on(id))));
        }
        if let Some((spec, first)) = declared.as_ref().filter(|_| tells && recorded) {
            xero::close_record(store, spec, first, &operation).await.map_err(stopped)?;
        }
        apply::give_up(&mut operation, format!("forgotten: {given_up}"))
    })?;
    ctx.ui.note(&format!("{id}: it is forgotten, and in nobody's way"));
    Ok(true)
}

/// What would become of it now; nothing where it is over, or no refresh was begun.
async fn forgotten(
    operation: &Operation,
    declared: Option<&(&XeroSpec, Instance)>,
    store: &dyn Store,
    ctx: &Context,
) -> Result<Option<Forgetting>, StoreError> {
    if operation.ending().is_some() {
        return Ok(None);
    }
    let Some(remains) = Remains::of(operation)? else { return Ok(None) };
    let held = match declared {
        Some((spec, _)) => remains.are_held(store, spec).await?,
        // Where its tokens would be nobody knows: they may be there.
        None => true,
    };
    Ok(Some(remains.forgotten((ctx.clock())(), held)))
}

fn undeclared(name: &str, id: &OperationId) -> Stop {
    let name = name.split('/').next().unwrap_or_default();
    let message = format!("{id} may have the only token that Xero takes, and `{name}` is not declared here");
    Stop::new(Exit::Manifest, message)
        .hint(format!("declare `[rotate.{name}]` again as it was, and `strongroom resume {id}` stores it"))
}

fn went_on(id: &OperationId) -> StoreError {
    let message = format!("{id} went on while it was asked: it is not what it was");
    StoreError::new(ErrorKind::Conflict, "the journal", message)
        .hint("`strongroom operations` tells what became of it; `strongroom undo` looks again")
}
