//! Rotations by a person's own programs: what they are run with, and what is told of them before.

use super::super::context::{self, generated};
use super::super::exec::passes;
use super::super::report::{Exit, Stop};
use super::super::ui::shown;
use super::story::{Sketch, Story};
use crate::journal::Operation;
use crate::manifest::{ChosenBy, Program, RotationKind};
use crate::name::Address;
use crate::program::Surroundings;
use crate::rotate::{Command, Programs, wanted};
use crate::secret::Secret;
use crate::store::OperationId;
use anyhow::Result;
use std::sync::Arc;

pub(super) fn begin(story: &Story<'_>) -> Result<Exit> {
    let rotation = rotation(story)?;
    let keys: Vec<Address> = rotation.keys.iter().map(|(address, _)| address.clone()).collect();
    let Some((held, age)) = story.due(&keys)? else { return Ok(Exit::Done) };
    let since = super::show::since(age);
    let details = rotation.keys.iter().map(|(address, made)| {
        let how = match made {
            Some(made) => format!("{} new characters", made.length()),
            None => "chosen by the target".to_owned(),
        };
        (address.clone(), format!("{how}{since}"))
    });
    let sample = rotation.keys.iter().map(|(address, made)| {
        let placeholder = || Secret::new("chosen by the target".to_owned()).expect("it has no NUL");
        (address.clone(), made.as_ref().map_or_else(placeholder, generated))
    });
    let sketch =
        Sketch { desired: wanted(&sample.collect()), details: details.collect(), notes: notes(&rotation) };
    story.begin(&rotation, &held, &sketch)
}

pub(super) fn go_on(story: &Story<'_>, which: (&OperationId, bool)) -> Result<Exit> {
    story.go_on(&rotation(story)?, &story.held()?, which)
}

/// Refuses where the target may have changed for good.
pub(super) fn may_be_undone(operation: &Operation) -> Result<()> {
    if operation.ending().is_some() || !operation.has_effects() {
        return Ok(());
    }
    let id = operation.id();
    let message = format!("operation {id} cannot be taken back: its target may have changed for good");
    Err(Stop::new(Exit::Midway, message)
        .hint(format!("`strongroom resume {id}` goes on with it"))
        .hint(format!("where its programs cannot, `strongroom undo {id} --forget` ends it as it stands"))
        .into())
}

/// What is run, and what cannot be taken back.
fn notes(rotation: &Command) -> Vec<String> {
    let line = |program: &Program| program.words.join(" ");
    let mut notes = vec![format!("first, `{}` tells the target", line(&rotation.apply))];
    if rotation.chosen_by == ChosenBy::Target {
        notes.push("the target chooses: no undo".to_owned());
    }
    match &rotation.retire {
        Some(retire) if rotation.soak.is_zero() || rotation.at_once => {
            notes.push(format!("last, `{}` ends the old values: no undo after that", line(retire)));
        }
        Some(retire) => {
            let hours = rotation.soak.as_secs() / 3600;
            notes
                .push(format!("{hours} h later, `{}` ends the old values: no undo after that", line(retire)));
        }
        None => {
            notes.push("without `retire` the old values may be worth nothing at once: no undo".to_owned());
        }
    }
    notes
}

fn rotation(story: &Story<'_>) -> Result<Command> {
    let manifest = &story.ctx.project()?.manifest;
    let RotationKind::Command { keys, chosen_by, apply, verify, retire, soak } = &story.spec.kind else {
        unreachable!("whoever calls has looked at the kind");
    };
    let made = keys.iter().map(|address| {
        let made = manifest.key(address).and_then(|key| key.generate);
        (address.clone(), made.filter(|_| *chosen_by == ChosenBy::Strongroom))
    });
    let programs = (apply.clone(), verify.clone(), retire.clone());
    let soak = soak.unwrap_or_default();
    let at_once = story.args.compromised;
    Ok(Command::new(made.collect(), generated, *chosen_by, self::programs(story)?, programs, soak, at_once))
}

/// What the programs of a rotation are run with: all that we were given, but for what is ours.
pub(super) fn programs(story: &Story<'_>) -> Result<Programs> {
    let ctx = story.ctx;
    let ui = ctx.ui.clone();
    let surroundings = Surroundings {
        folder: ctx.project()?.folder.clone(),
        environment: context::inherited().filter(|(name, _)| passes(name, false)).collect(),
        told: Arc::new(move |line: &str| ui.note(&format!("  | {}", shown(line)))),
        lock: ctx.state_of_environment()?.join("program"),
    };
    let (rotation, environment) = (story.spec.name.clone(), ctx.environment()?.name.to_string());
    Ok(Programs { rotation, environment, surroundings })
}
