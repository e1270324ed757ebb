//! Rotations that AWS does, and that are brought along.

use super::super::report::Exit;
use super::show;
use super::story::{Sketch, Story};
use crate::name::Address;
use crate::rotate::{Follow, wanted};
use crate::store::OperationId;
use anyhow::Result;

pub(super) fn begin(story: &Story<'_>, secret: &str, keys: &[(Address, String)]) -> Result<Exit> {
    let (ctx, rotation) = (story.ctx, rotation(story, secret, keys)?);
    let held = story.held()?;
    let holders = story.holders(&held.instances)?;
    let (values, known) = ctx.wait_for(async {
        let values = wanted(&rotation.values().await?);
        let known = holders.have(&values).await?;
        Ok((values, known))
    })?;
    if known {
        return show::nothing(ctx, &story.command(), "every place has what AWS has");
    }
    let details =
        keys.iter().map(|(address, member)| (address.clone(), format!("as `{member}` of the secret")));
    let notes = vec![format!(
        "AWS has rotated {secret}: the old values are not accepted any more, and an undo leaves the new ones"
    )];
    story.begin(&rotation, &held, &Sketch { desired: values, details: details.collect(), notes })
}

pub(super) fn go_on(
    story: &Story<'_>,
    (secret, keys): (&str, &[(Address, String)]),
    which: (&OperationId, bool),
) -> Result<Exit> {
    story.go_on(&rotation(story, secret, keys)?, &story.held()?, which)
}

fn rotation(story: &Story<'_>, secret: &str, keys: &[(Address, String)]) -> Result<Follow> {
    Ok(Follow { aws: story.ctx.aws()?, secret: secret.to_owned(), keys: keys.to_vec() })
}
