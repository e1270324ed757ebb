//! Rotations of Django's SECRET_KEY: which of its two operations is meant, and what each costs.

use super::super::context::generated;
use super::super::operations::moment;
use super::super::report::{Exit, Stop};
use super::show;
use super::story::{Sketch, Story};
use crate::manifest::generate::{Alphabet, Generator};
use crate::manifest::{Manifest, RotationKind};
use crate::name::Address;
use crate::rotate::{self, Age, Asked, DjangoSecretKey, Holders, Pair, Soak, Verdict, Way, decide};
use crate::snapshot::Snapshot;
use crate::store::OperationId;
use anyhow::Result;
use std::time::Duration;

/// How long Django's sessions live where nobody says otherwise.
const USUAL_SOAK: Duration = Duration::from_secs(14 * 24 * 3600);

pub(super) fn begin(story: &Story<'_>) -> Result<Exit> {
    let (key, fallbacks, soak) = declared(story);
    let held = story.held()?;
    let ctx = story.ctx;
    let now = (ctx.clock())();
    let soaking =
        fallbacks.map_or(Soak::None, |fallbacks| rotate::soak(&held.snapshot, key, fallbacks, soak, now));
    let age = rotate::age(&held.snapshot, [key]);
    let verdict = decide(soaking, asked(story, age));
    let command = story.command();
    let known = Pair::held(&held.snapshot, key, fallbacks);
    let keeps = match verdict {
        Verdict::Rotate { keeps } => keeps,
        Verdict::Retire => {
            let rotation = rotation(story, Way::Retire, false, known)?;
            let mut details = Vec::new();
            details.extend(
                fallbacks.map(|fallbacks| {
                    (fallbacks.clone(), "unset: the old keys are accepted no more".to_owned())
                }),
            );
            let sketch = Sketch { desired: rotation.retired(), details, notes: Vec::new() };
            return story.begin(&rotation, &held, &sketch);
        }
        Verdict::Waits(until) => {
            let until_then = format!("the old key is accepted until {}", moment(until));
            let why = format!("{until_then}; the same command after that ends it");
            return show::waits(ctx, &command, (None, until), &why);
        }
        Verdict::NotDue => {
            return show::not_yet(ctx, &command, age);
        }
        Verdict::Unknown => {
            let fallbacks = fallbacks.map(ToString::to_string).unwrap_or_default();
            let message = format!("{fallbacks} is set, and home keeps no dates: nobody can tell since when");
            return Err(Stop::new(Exit::Person, message)
                .hint(format!(
                    "once no session of the old key is left: `strongroom delete {fallbacks}`, then `strongroom sync`"
                ))
                .hint("`--compromised` makes a new key now, and ends every session")
                .into());
        }
    };
    let way = match (story.args.compromised, story.args.fast) {
        (true, _) => Way::Compromised,
        (false, true) => Way::Fast,
        (false, false) => Way::Staged,
    };
    let rotation = rotation(story, way, keeps, known)?;
    let home = checked(story, &rotation, &held.snapshot)?;
    let pair = rotation.pair(way, &home, generated(&rotation.generator));
    let holders = story.holders(&held.instances)?;
    reviewed(story, &rotation, (&holders, &held.snapshot), &pair)?;
    let sketch = Sketch {
        desired: rotation.last(&pair),
        details: details(&rotation, &pair, age),
        notes: notes(way, soak, holders.copies.len()),
    };
    story.begin(&rotation, &held, &sketch)
}

pub(super) fn go_on(story: &Story<'_>, which: (&OperationId, bool)) -> Result<Exit> {
    // What way it goes was settled when it was begun.
    story.go_on(&rotation(story, Way::Staged, false, None)?, &story.held()?, which)
}

fn declared<'a>(story: &Story<'a>) -> (&'a Address, Option<&'a Address>, Duration) {
    let RotationKind::DjangoSecretKey { key, fallbacks, soak } = &story.spec.kind else {
        unreachable!("whoever calls has looked at the kind");
    };
    (key, fallbacks.as_ref(), soak.unwrap_or(USUAL_SOAK))
}

/// What is asked of the rotation, by the command line and by the date of the key.
fn asked(story: &Story<'_>, age: Age) -> Asked {
    let over = |most| age.is_over(most, (story.ctx.clock())());
    match (story.args.compromised, story.if_older) {
        (true, _) => Asked::Now,
        (_, Some(most)) => Asked::Due(over(most)),
        // Among all that is due, one without `every` is only looked at for what it has left to do.
        (_, None) if story.args.due => Asked::Due(false),
        (_, None) => Asked::ByName,
    }
}

fn rotation(story: &Story<'_>, way: Way, keeps: bool, decided_on: Option<Pair>) -> Result<DjangoSecretKey> {
    let (key, fallbacks, _) = declared(story);
    let manifest = &story.ctx.project()?.manifest;
    if fallbacks.is_none() && matches!(way, Way::Staged | Way::Fast) {
        return Err(without_fallbacks(story, manifest, key).into());
    }
    let made = manifest.key(key).and_then(|key| key.generate);
    let usual = Generator::sized(50, Alphabet::UrlSafe).expect("only a UUID has a length of its own");
    let generator = made.unwrap_or(usual);
    Ok(DjangoSecretKey {
        key: key.clone(),
        fallbacks: fallbacks.cloned(),
        generator,
        generate: generated,
        way,
        keeps,
        decided_on,
    })
}

fn without_fallbacks(story: &Story<'_>, manifest: &Manifest, key: &Address) -> Stop {
    let (name, group) = (&story.spec.name, &key.group);
    let message = format!("`{name}` names no `fallbacks`: a new key would end every session");
    Stop::new(Exit::Manifest, message)
        .hint(format!(
            "{}:{}: add `fallbacks = \"{}_FALLBACKS\"` to [rotate.{name}], and `{}_FALLBACKS = {{ secret = true, optional = true }}` to [groups.{group}.keys]",
            manifest.file(),
            story.spec.line,
            key.key,
            key.key
        ))
        .hint(format!("`strongroom rotate {name} --compromised` makes a new key without them"))
}

/// What home holds, where that can be rotated.
fn checked(story: &Story<'_>, rotation: &DjangoSecretKey, home: &Snapshot) -> Result<Pair> {
    let key = &rotation.key;
    let pair = Pair::held(home, key, rotation.fallbacks.as_ref()).filter(|pair| !pair.key.is_empty());
    let Some(pair) = pair else {
        return Err(Stop::new(Exit::Failed, format!("{key} has no value yet"))
            .hint(format!("`strongroom set {key} --generate`"))
            .into());
    };
    if rotation.way != Way::Compromised && pair.key.expose().contains(',') {
        let message = format!("{key} has a comma in it, and fallbacks are separated by commas");
        return Err(Stop::new(Exit::Failed, message)
            .hint(format!(
                "`strongroom rotate {} --compromised` makes a key without one; it ends every session, once",
                story.spec.name
            ))
            .into());
    }
    let fallbacks = rotation.fallbacks.as_ref().filter(|_| rotation.way != Way::Compromised);
    for copy in story.ctx.copies()? {
        if let Some(fallbacks) =
            fallbacks.filter(|fallbacks| copy.selection.takes(key) && !copy.selection.takes(fallbacks))
        {
            let message = format!("the copy `{}` gets {key} and not {fallbacks}", copy.name);
            return Err(Stop::new(Exit::Manifest, message)
                .hint(format!("declare {} in the group `{}`", fallbacks.key, key.group))
                .into());
        }
    }
    Ok(pair)
}

/// Whether every copy can take what it is to get on the way: Beanstalk has room for 4,096 bytes.
fn reviewed(
    story: &Story<'_>,
    rotation: &DjangoSecretKey,
    (holders, home): (&Holders<'_>, &Snapshot),
    pair: &Pair,
) -> Result<()> {
    let first = rotation.first(pair).filter(|_| rotation.way == Way::Staged);
    for desired in first.into_iter().chain([rotation.last(pair)]) {
        story.ctx.wait_for(async { Ok(holders.review(home, &desired).await?) })?;
    }
    Ok(())
}

fn details(rotation: &DjangoSecretKey, pair: &Pair, age: Age) -> Vec<(Address, String)> {
    let made = format!("{} new characters{}", rotation.generator.length(), show::since(age));
    let accepted = match pair.fallbacks.len() {
        0 => "unset".to_owned(),
        1 => "the old key".to_owned(),
        more => format!("the {more} old keys"),
    };
    let fallbacks = rotation.fallbacks.iter().map(|address| (address.clone(), accepted.clone()));
    std::iter::once((rotation.key.clone(), made)).chain(fallbacks).collect()
}

fn notes(way: Way, soak: Duration, copies: usize) -> Vec<String> {
    let days = soak.as_secs() / (24 * 3600);
    let undo = "an undo ends the sessions that were begun with the new key; it keeps those from before";
    let told: &[&str] = match way {
        Way::Compromised => &[
            "everybody is logged out: every session, every link to reset a password and every signed cookie ends",
        ],
        Way::Fast if copies > 0 => &[
            "in one deployment: where several instances run, some sessions fail until the last of them is new",
            undo,
        ],
        Way::Staged if copies > 0 => {
            &["in two deployments: the new key is accepted first, and signs then", undo]
        }
        _ => &[undo],
    };
    let mut notes: Vec<String> = told.iter().map(|text| (*text).to_owned()).collect();
    if way != Way::Compromised {
        let soak = format!("the old key is accepted for {days} days; `strongroom rotate` after that ends it");
        notes.push(soak);
    }
    notes
}
