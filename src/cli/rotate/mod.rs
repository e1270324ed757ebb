//! `rotate`: new values for what is secret, in home and in everything that holds it.
//!
//! Owns what is typed, which rotations are meant, and which kind each of them is. A kind's file makes its rotation out of
//! the manifest and tells it by [`Story`]; what is next is [`crate::rotate`]'s to know.

mod back;
mod command;
mod django;
mod follow;
mod forget;
mod postgres;
mod random;
mod show;
mod story;
mod xero;

pub(super) use back::{go_on_taking_back, take_back};

use super::complete;
use super::context::Context;
use super::report::{Exit, Report, Stop};
use crate::journal::Summary;
use crate::manifest::{RotationKind, RotationSpec};
use crate::name::{Address, Instance};
use crate::plan::Desired;
use crate::rotate;
use crate::store::OperationId;
use anyhow::Result;
use clap::Args;
use postgres::PostgresArgs;
pub(super) use postgres::{Anew, Way};
use std::time::Duration;
use story::Story;

pub(super) use forget::forget;

/// Give secrets new values, in home and in everything that holds them
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom -e prod rotate tokens
  strongroom -e prod rotate xero/1
  strongroom -e prod rotate tokens --if-older 30d
  strongroom -e prod rotate --due --yes --quiet      (from cron: nothing due is silence and 0)

What is rotated, and how, is declared as `[rotate.NAME]`. Home gets the new values first, then each
copy in one update; a copy that holds something else than home did stops it. `strongroom resume`
goes on after an interruption, `strongroom undo` brings the old values back.")]
pub(super) struct RotateArgs {
    /// The name of a rotation in the manifest; with /INSTANCE only that one of its instances
    #[arg(value_name = "NAME[/INSTANCE]", required_unless_present = "due", add = complete::rotations())]
    name: Option<String>,

    /// Rotate all that is older than its `every`, by the dates that home keeps
    #[arg(long, conflicts_with_all = ["name", "if_older"])]
    due: bool,

    /// Only if the values are older than this: 12h, 30d, 8w
    #[arg(long, value_name = "AGE", value_parser = age)]
    if_older: Option<Duration>,

    /// Somebody may know the old values: end them as soon as can be, whatever that costs
    #[arg(long, conflicts_with = "due")]
    compromised: bool,

    /// Django's key in one deployment instead of two: some sessions fail while instances are replaced
    #[arg(long, conflicts_with_all = ["due", "compromised"])]
    fast: bool,

    #[command(flatten)]
    postgres: PostgresArgs,

    /// Only tokens of Xero that end within this time: 10m, 12h
    #[arg(long, value_name = "TIME", value_parser = xero::life, conflicts_with = "due")]
    if_expiring: Option<Duration>,

    /// Every connection of Xero, which is what NAME without /INSTANCE means too
    #[arg(long, requires = "name", conflicts_with = "due")]
    all: bool,

    /// As what it was declared when the operation began that this goes on with: the journal's to say, not a person's
    #[arg(long, hide = true, value_name = "SHAPE")]
    declared: Option<String>,
}

fn age(text: &str) -> Result<Duration, String> {
    crate::manifest::duration(text).ok_or_else(|| "such as 12h, 30d or 8w".to_owned())
}

pub(super) fn run(ctx: &Context, args: &RotateArgs) -> Result<Exit> {
    if args.name.is_some() {
        xero::none_else_midway(ctx, args.name.as_deref())?;
        let (spec, instance) = named(ctx, args)?;
        return begin(&Story::new(ctx, (spec, instance), args, args.if_older)?);
    }
    // One that stopped is gone on with in its turn, and keeps no other waiting.
    super::operations::none_midway_but(ctx, |one| one.command.starts_with("rotate "))?;
    let environment = &ctx.environment()?.name;
    let known = ctx.project()?.manifest.rotations();
    let due = |spec: &&RotationSpec| spec.environments.contains(environment) && rotate::recurs(spec);
    let due: Vec<&RotationSpec> = known.filter(due).collect();
    // Nobody else comes by one that does not recur, or is not declared any more.
    let in_turn =
        |one: &Summary| of_rotation(one).is_some_and(|name| due.iter().any(|spec| *spec.name == *name));
    let mut worst = told(ctx, super::operations::none_midway_but(ctx, in_turn).map(|()| Exit::Done));
    let grave = |exit: &Exit| GRAVEST.iter().position(|other| other == exit).unwrap_or(GRAVEST.len());
    for spec in due {
        // One that fails is told, and is in nobody's way.
        let ended =
            Story::new(ctx, (spec, None), args, spec.every).and_then(|story| match story.midway()? {
                Some((id, command)) => super::go_on(ctx, &id, &command, false),
                None => begin(&story),
            });
        let exit = told(ctx, ended);
        if worst == Exit::Done || grave(&exit) < grave(&worst) && exit != Exit::Done {
            worst = exit;
        }
        if ctx.interrupted.get() {
            break;
        }
    }
    Ok(worst)
}

/// How one of several ended; an error is told.
fn told(ctx: &Context, ended: Result<Exit>) -> Exit {
    ended.unwrap_or_else(|error| {
        let report = Report::of(&error);
        ctx.ui.error(&report);
        report.exit
    })
}

/// The name of the rotation that an operation is of.
fn of_rotation(one: &Summary) -> Option<&str> {
    one.command.strip_prefix("rotate ")?.split(['/', ' ']).next()
}

/// Of several ends the one that most needs somebody, first.
const GRAVEST: &[Exit] =
    &[Exit::Interrupted, Exit::Person, Exit::Midway, Exit::Conflict, Exit::Denied, Exit::Failed];

/// Goes on with a rotation that stopped.
pub(super) fn go_on(ctx: &Context, args: &RotateArgs, id: &OperationId, skip_changed: bool) -> Result<Exit> {
    is_as_begun(ctx, args, id)?;
    let (spec, instance) = named(ctx, args)?;
    let story = Story::new(ctx, (spec, instance), args, None)?;
    match &spec.kind {
        RotationKind::Random { keys, verify } => {
            random::go_on(&story, (keys, verify.as_ref()), (id, skip_changed))
        }
        RotationKind::DjangoSecretKey { .. } => django::go_on(&story, (id, skip_changed)),
        RotationKind::Command { .. } => command::go_on(&story, (id, skip_changed)),
        RotationKind::Follow { secret, keys } => follow::go_on(&story, (secret, keys), (id, skip_changed)),
        RotationKind::Postgres(postgres) => postgres::go_on(&story, postgres, (id, skip_changed)),
        RotationKind::Xero(spec) => xero::go_on(&story, spec, (id, skip_changed)),
    }
}

/// Refuses to go on with an operation as something else than it was begun as.
fn is_as_begun(ctx: &Context, args: &RotateArgs, id: &OperationId) -> Result<()> {
    let manifest = &ctx.project()?.manifest;
    let name = args.name.as_deref().and_then(|name| name.split('/').next()).unwrap_or_default();
    let (Some(begun), Ok(spec)) = (&args.declared, manifest.rotation(name)) else { return Ok(()) };
    let now = rotate::shape(&spec.kind);
    if now == *begun {
        return Ok(());
    }
    // Of another kind the addresses are of no interest.
    let kind = |shape: &str| shape.split(':').next().unwrap_or_default().to_owned();
    let (now, begun) = match (kind(&now), kind(begun)) {
        (is, was) if is != was => (is, was),
        _ => (now, begun.clone()),
    };
    let message = format!(
        "{}:{}: `{name}` is `{now}` here, and operation {id} was begun when it was `{begun}`",
        manifest.file(),
        spec.line
    );
    Err(Stop::new(Exit::Manifest, message)
        .hint(format!(
            "set it back, then `strongroom resume {id}` or `strongroom undo {id}`; change it once that has ended"
        ))
        .into())
}

/// Whether an operation is of a rotation that has nothing to do with these addresses: what it waits for, an app's secret
/// say, may have to be set before it can go on.
pub(super) fn has_no_part_in(ctx: &Context, one: &Summary, desired: &Desired) -> bool {
    let Some(name) = of_rotation(one) else { return false };
    let Ok(spec) = ctx.project().and_then(|project| Ok(project.manifest.rotation(name)?)) else {
        return false;
    };
    // All that is left to do is to end the old values: it looks again at who has which before.
    if one.rests && one.total > 0 && matches!(spec.kind, RotationKind::Command { .. }) {
        return true;
    }
    let written = |address: &Address| one.targets.iter().any(|target| target.address == *address);
    // Tokens that somebody stores meanwhile are adopted.
    let adopts = matches!(spec.kind, RotationKind::Xero(_));
    !desired.keys().any(|address| written(address) || (!adopts && rotate::renews(&spec.kind, address)))
}

/// Refuses to undo what would bring back something that is not accepted any more. Answers with what a person should know
/// before.
pub(super) fn may_be_undone(ctx: &Context, args: &RotateArgs, id: &OperationId) -> Result<Vec<String>> {
    let operation = ctx.journal()?.open(id)?;
    // A login is brought back only once it was tried.
    let is_login = rotate::postgres::is_of_login(&operation);
    if operation.ending().is_none() || is_login {
        is_as_begun(ctx, args, id)?;
    }
    let found = named(ctx, args);
    if let (true, Err(error)) = (is_login, &found) {
        let message =
            format!("{id} rotated a login, and nothing tells here whether its server still takes it");
        let name = args.name.as_deref().unwrap_or_default();
        return Err(Stop::new(Exit::Manifest, format!("{message}: {error}"))
            .hint(format!("declare `[rotate.{name}]` as it was, then `strongroom undo {id}`"))
            .into());
    }
    // What is not declared any more is taken back like any change.
    if let Ok((spec, instance)) = found {
        match &spec.kind {
            RotationKind::Postgres(postgres) => {
                let story = Story::new(ctx, (spec, instance), args, None)?;
                postgres::may_be_undone(&story, postgres, &operation)?;
            }
            RotationKind::Command { .. } => command::may_be_undone(&operation)?,
            _ => {}
        }
    }
    let known = "this was rotated with --compromised: it brings back values that somebody else may know";
    Ok(args.compromised.then(|| known.to_owned()).into_iter().collect())
}

/// Whether an operation that cannot be taken back may be ended as it stands: nothing but a person's own programs, or nothing
/// any more, could go on with it.
pub(super) fn may_be_forgotten(ctx: &Context, args: &RotateArgs) -> bool {
    named(ctx, args).map_or(true, |(spec, _)| matches!(spec.kind, RotationKind::Command { .. }))
}

/// Rotates one, if it is old enough.
fn begin(story: &Story<'_>) -> Result<Exit> {
    if let Some(waits) = story.waits()? {
        return Ok(waits);
    }
    let when_asked = story.args.due && story.spec.every.is_none();
    match &story.spec.kind {
        RotationKind::Random { keys, verify } => random::begin(story, (keys, verify.as_ref())),
        RotationKind::DjangoSecretKey { .. } => django::begin(story),
        RotationKind::Command { .. } if when_asked => Ok(Exit::Done),
        RotationKind::Command { .. } => command::begin(story),
        RotationKind::Follow { secret, keys } => follow::begin(story, secret, keys),
        RotationKind::Postgres(postgres) => postgres::begin(story, postgres),
        RotationKind::Xero(spec) => xero::begin(story, spec),
    }
}

/// The rotation that is named, and the instance.
fn named<'a>(ctx: &'a Context, args: &RotateArgs) -> Result<(&'a RotationSpec, Option<Instance>)> {
    let manifest = &ctx.project()?.manifest;
    let environment = &ctx.environment()?.name;
    let text = args.name.as_deref().unwrap_or_default();
    let (name, instance) = match text.split_once('/') {
        Some((name, instance)) => (name, Some(Instance::parse(instance)?)),
        None => (text, None),
    };
    let spec = manifest.rotation(name)?;
    if !spec.environments.contains(environment) {
        let message = format!("`{}` is not rotated in `{environment}`", spec.name);
        return Err(Stop::usage(message)
            .hint(format!("{}:{} says where", manifest.file(), spec.line))
            .into());
    }
    args.are_for(spec)?;
    if let Some(instance) = instance.as_ref().filter(|_| args.all) {
        let message = format!("--all is every instance, and {instance} is one");
        return Err(Stop::usage(message).hint(format!("`strongroom rotate {}`", spec.name)).into());
    }
    if instance.is_some() && !matches!(spec.kind, RotationKind::Xero(_)) {
        let message = format!("`{}` has no instances", spec.name);
        return Err(Stop::usage(message).hint(format!("`strongroom rotate {}`", spec.name)).into());
    }
    Ok((spec, instance))
}

impl RotateArgs {
    /// Refuses what another kind takes: it would be silence about something that was asked for.
    fn are_for(&self, spec: &RotationSpec) -> Result<()> {
        let postgres = matches!(spec.kind, RotationKind::Postgres(_));
        let django = matches!(spec.kind, RotationKind::DjangoSecretKey { .. });
        let xero = matches!(spec.kind, RotationKind::Xero(_));
        let ends = postgres || django || matches!(spec.kind, RotationKind::Command { .. });
        let given = [
            (self.fast, django, "--fast", "django-secret-key"),
            (self.if_expiring.is_some(), xero, "--if-expiring", "xero"),
            (self.all, xero, "--all", "xero"),
            (self.compromised, ends, "--compromised", "postgres, django-secret-key and command"),
        ];
        let given =
            given.into_iter().chain(self.postgres.given().map(|flag| (true, postgres, flag, "postgres")));
        for (is_given, fits, flag, kinds) in given {
            if is_given && !fits {
                let message = format!("{flag} is not for `{}`", spec.name);
                return Err(Stop::usage(message).hint(format!("it is for rotations of kind {kinds}")).into());
            }
        }
        Ok(())
    }

    /// What makes another operation of it than a rotation, as it is typed; with a blank before it.
    fn part(&self) -> &'static str {
        self.postgres.part()
    }

    /// The arguments beside that matter to whoever goes on, as they are typed; each with a blank before it.
    fn for_resume(&self) -> String {
        let compromised = if self.compromised { " --compromised" } else { "" };
        format!("{compromised}{}", self.postgres.for_resume())
    }
}
