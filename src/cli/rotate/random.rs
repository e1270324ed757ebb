//! Rotations of generated values.

use super::super::context::generated;
use super::super::report::Exit;
use super::command::programs;
use super::story::{Sketch, Story};
use crate::manifest::Program;
use crate::name::Address;
use crate::rotate::{Random, wanted};
use crate::store::OperationId;
use anyhow::Result;

/// The keys, and what tries their new values.
type Declared<'a> = (&'a [Address], Option<&'a Program>);

pub(super) fn begin(story: &Story<'_>, (keys, verify): Declared<'_>) -> Result<Exit> {
    let rotation = rotation(story, (keys, verify))?;
    let Some((held, age)) = story.due(keys)? else { return Ok(Exit::Done) };
    let details = rotation.keys.iter().map(|(address, generator)| {
        let since = super::show::since(age);
        (address.clone(), format!("{} new characters{since}", generator.length()))
    });
    let sample = rotation.keys.iter().map(|(address, made)| (address.clone(), generated(made)));
    let sketch = Sketch { desired: wanted(&sample.collect()), details: details.collect(), notes: Vec::new() };
    story.begin(&rotation, &held, &sketch)
}

pub(super) fn go_on(
    story: &Story<'_>,
    (keys, verify): Declared<'_>,
    which: (&OperationId, bool),
) -> Result<Exit> {
    story.go_on(&rotation(story, (keys, verify))?, &story.held()?, which)
}

fn rotation(story: &Story<'_>, (keys, verify): Declared<'_>) -> Result<Random> {
    let manifest = &story.ctx.project()?.manifest;
    let made = keys.iter().filter_map(|address| Some((address.clone(), manifest.key(address)?.generate?)));
    let verify = verify.map(|verify| anyhow::Ok((verify.clone(), programs(story)?))).transpose()?;
    Ok(Random { keys: made.collect(), generate: generated, verify })
}
