//! An operation that nobody can go on with, or need not: a refresh at Xero whose instance was deleted meanwhile, that never
//! sent anything, or whose call was not answered while it could be made again.
//!
//! Owns what is said of what is given up, and that home is told. Whether it may be forgotten is [`crate::rotate::xero`]'s to
//! know.

use super::super::context::Context;
use super::super::reading::{Held, Wish};
use super::super::ui::shown;
use super::{RotateArgs, named};
use crate::apply::{self, ApplyError};
use crate::manifest::{Place, RotationKind, RotationSpec, Selection, XeroSpec};
use crate::rotate::xero::{self, Forgetting, Remains};
use crate::secret::Secret;
use crate::store::{OperationId, StoreError};
use anyhow::Result;

/// Forgets it; `false` where it is to be undone like every other, or gone on with.
pub(in crate::cli) fn forget(ctx: &Context, args: &RotateArgs, id: &OperationId) -> Result<bool> {
    let declared = match named(ctx, args) {
        Ok((RotationSpec { kind: RotationKind::Xero(spec), .. }, Some(first))) => {
            Some((spec.as_ref(), first))
        }
        Ok(_) => return Ok(false),
        // What is not declared any more has no place for an answer.
        Err(_) => None,
    };
    let remains = {
        let operation = apply::reopened(&ctx.journal()?, id)?;
        match Remains::of(&operation)? {
            Some(remains) if operation.ending().is_none() => remains,
            _ => return Ok(false),
        }
    };
    let held = declared.as_ref().map(|(spec, _)| held(ctx, spec, &remains)).transpose()?.unwrap_or_default();
    let forgetting = remains.forgotten((ctx.clock())(), &held);
    let name = args.name.as_deref().unwrap_or_default();
    let given_up = match forgetting {
        Forgetting::No => return Ok(false),
        Forgetting::LosesNothing => "no token was used up by it".to_owned(),
        Forgetting::LeavesDoubt => format!(
            "whether its token was used up is not known, and nobody can ask for the answer any more: if Xero refuses the \
             next `rotate {name}`, `xero login` authorises it again"
        ),
        Forgetting::LosesTheAnswer => {
            "it has the only token that Xero takes, and home has no place for it any more: the \
                                       connection is given up, and `xero login` makes it again"
                .to_owned()
        }
    };
    ctx.ui.show(&format!("undo {id} (rotate {name})\n  {}\n", shown(&given_up)));
    if ctx.dry_run() {
        ctx.ui.note("dry run: nothing was changed");
        return Ok(true);
    }
    let environment = ctx.environment()?;
    ctx.ui.approve(&format!("Forget {id}?"), environment.protected.then_some(&environment.name))?;
    // Where the token may be used up, home goes on saying so, to whoever sends it next.
    let tells = forgetting != Forgetting::LeavesDoubt || held.is_empty();
    let recorded = matches!(environment.home, Place::Ssm | Place::SecretsManager);
    let stores = ctx.stores()?;
    let store = stores[&environment.home.to_string()].as_ref();
    ctx.under_way(("undo", Some(id)), Some(ctx.leases()?), async |journal, _| {
        let mut operation = apply::reopened(journal, id)?;
        let stopped = |error: StoreError| apply::midway(&operation, ApplyError::Read(Box::new(error)));
        if let Some((spec, first)) = declared.filter(|_| tells && recorded) {
            xero::close_record(store, spec, &first, &operation).await.map_err(stopped)?;
        }
        apply::give_up(&mut operation, format!("forgotten: {given_up}"))
    })?;
    ctx.ui.note(&format!("{id}: it is forgotten, and in nobody's way"));
    Ok(true)
}

/// The refresh tokens that home holds of the instances of the login.
fn held(ctx: &Context, spec: &XeroSpec, remains: &Remains) -> Result<Vec<Secret>> {
    let selection = Selection { groups: Some(vec![spec.group.clone()]), ..Selection::default() };
    let Held { snapshot, .. } = ctx.read_home(&Wish::selections([&selection]))?;
    let all = xero::held(&snapshot, spec, &remains.instances);
    Ok(all.into_values().filter_map(|held| held.refresh).collect())
}
