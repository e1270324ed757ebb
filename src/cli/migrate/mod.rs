//! `migrate`: secrets out of Beanstalk's plain properties, into a store, with references in their place.
//!
//! Owns what is typed and asked. What is decided and done is [`crate::migrate`]'s; the operation is journaled like every
//! other, so that `resume` and `undo` know it.

mod args;
mod clash;
mod document;
mod preflight;
mod report;
mod show;

use super::change::names_of;
use super::context::Context;
use super::places::place_of;
use super::reading::Wish as Reading;
use super::report::{Exit, Stop};
use super::ui::{plural, shown};
use crate::apply::{self, Done};
use crate::backup::Part;
use crate::journal::{Begin, Step};
use crate::manifest::{CopySpec, Instances, Place, ValueSource};
use crate::migrate::{self, Decision, Foreseen, Migration, Stage, Undeclared, Values, Wish};
use crate::name::{Address, Group};
use crate::plan::{Desired, Plan, Want};
use crate::secret::Secret;
use crate::snapshot::Snapshot;
use crate::store::{ManifestFile, OperationId, Stores};
use crate::web;
use anyhow::Result;
pub(super) use args::{MigrateArgs, Target};
use document::Outcome;

pub(super) fn run(ctx: &Context, args: &MigrateArgs) -> Result<Exit> {
    check(ctx, args)?;
    let decision = decided(ctx, args)?;
    let then = ctx.with_manifest(&decision.text)?;
    let canary = args.canary.as_deref().map(|text| then.home_address(text)).transpose()?;
    let values = Values::of(&decision.manifest, &then.environment()?.name, &decision.held);
    let stores = then.stores()?;
    let command = args.command();
    let foreseen = foreseen(&then, &values, &stores);
    let plan =
        foreseen.as_ref().ok().map(|foreseen| whole(&then, foreseen, &stores, &decision)).transpose()?;
    if plan.as_ref().is_some_and(Plan::is_empty) {
        ctx.ui.note(&format!("{command}: nothing to do, it is so already"));
        return ctx.say_document(&command, &[], None, &[]);
    }
    // What is in the way of all of it is told before what is in the way of single values.
    let looked = preflight::look(&then, &values, args.despite_health)?;
    looked.refuse(then.environment()?.name.as_str(), &show::ways(&then, &values)?)?;
    let (foreseen, plan) = (faithful(&then, foreseen?)?, plan.unwrap_or_default());
    if let Some(canary) = &canary {
        can_be_canary(&then, canary, &values)?;
    }
    ctx.can_back_up()?;
    let lines = then.lines(&plan);
    ctx.ui.show(&show::text(
        &then,
        &command,
        &show::Shown {
            decision: &decision,
            looked: &looked,
            foreseen: &foreseen,
            plan: &plan,
            values: &values,
            canary: canary.as_ref(),
            stores: &stores,
        },
    )?);
    if ctx.dry_run() {
        ctx.ui.note("dry run: nothing was changed");
        let (all, cost) = ((&decision, &looked, lines.as_slice()), show::cost(&then, &values)?);
        document::say(&then, &command, all, cost, &Outcome::default())?;
        return Ok(Exit::Done);
    }
    then.approve(&format!("Migrate `{}`?", then.environment()?.name), &plan, &stores)?;
    let backup = backed_up(ctx, &then, &values, &stores)?;
    let goes_on = args.typed(then.environment()?.name.as_str());
    let texts = [Secret::new(decision.before.clone())?, Secret::new(decision.text.clone())?];
    let migration = Migration {
        planned: Some(&foreseen.home),
        added: Some(&foreseen.added),
        canary: canary.as_ref(),
        ..migration(&then, args, &texts, &stores, &values.instances)?
    };
    let done = then.under_way((&command, None), Some(then.leases()?), async |journal, watch| {
        apply::refuse_overlap(journal, &plan, &stores)?;
        let begin = Begin { command: &command, goes_on: Some(&goes_on), ..Begin::default() };
        let mut operation = journal.begin(&begin)?;
        operation.keep_manifest_before(&decision.before)?;
        operation.keep_manifest(&decision.text)?;
        operation.record(Step::BackedUp { file: backup.clone() })?;
        migrate::carry_on(&mut operation, &migration, watch, &mut |stage| tell(&then, stage)).await
    });
    let done = done.map_err(|error| clash::explained(&then, error))?;
    let report = reported(&then, args, &command, &done)?;
    let left = names_of(&done.left);
    let outcome = Outcome {
        operation: Some(done.operation.as_str()),
        backup: Some(&backup),
        report: Some(&report),
        left: &left,
    };
    let (all, cost) = ((&decision, &looked, lines.as_slice()), show::cost(&then, &values)?);
    document::say(&then, &command, all, cost, &outcome)?;
    Ok(Exit::Done)
}

/// Seals all that the places hold, and what is in the way of the values in the new home, and says where.
fn backed_up(ctx: &Context, then: &Context, values: &Values, stores: &Stores) -> Result<String> {
    let home = then.home_name()?;
    let mut extra = Vec::new();
    if home != ctx.home_name()? {
        let addresses: Vec<Address> = values.held.entries.keys().cloned().collect();
        let held = then.wait_for(async {
            let mut held = stores[&home].read(&addresses).await?;
            let present: Vec<Address> = held.entries.keys().cloned().collect();
            if !present.is_empty() {
                stores[&home].detail(&mut held, &present).await?;
            }
            Ok(held)
        })?;
        extra.push(Part::at(home, &addresses, held));
    }
    let made = ctx.wait_for(ctx.back_up(extra, None, true))?;
    let file = made.path.display().to_string();
    ctx.ui.note(&format!("{} sealed into {}, and opened again", plural(made.values, "value"), shown(&file)));
    Ok(file)
}

/// Goes on with a migration that stopped; `then` is the environment as it is to be afterwards.
pub(super) fn go_on(
    then: &Context,
    args: &MigrateArgs,
    id: &OperationId,
    skip_changed: bool,
) -> Result<Exit> {
    let (journal, stores) = (then.journal()?, then.stores()?);
    let plan = then.wait_for(async { Ok(apply::remaining(&journal, id, &stores).await?) })?;
    let command = format!("resume {id} ({})", args.command());
    then.ui.show(&show::remaining(then, &command, &plan, &stores)?);
    if then.dry_run() {
        then.ui.note("dry run: nothing was changed");
        return then.say_document(&command, &then.lines(&plan), None, &[]);
    }
    then.approve(&format!("Go on with {id}?"), &plan, &stores)?;
    let summary = journal.find(id.as_str())?;
    let text = journal.manifest_of(&summary)?;
    let text = text.ok_or_else(|| Stop::new(Exit::Failed, format!("{id} has no manifest of its own")))?;
    let texts = [Secret::new(journal.manifest_before(id)?)?, Secret::new(text)?];
    let canary = args.canary.as_deref().map(|text| then.home_address(text)).transpose()?;
    // Some of what is planned may not be there yet.
    let planned = summary.targets.iter().map(|target| &target.address);
    let instances = crate::manifest::with_instances(then.read_home(&Reading::all())?.instances, planned);
    let migration = Migration {
        canary: canary.as_ref(),
        skip_changed,
        ..migration(then, args, &texts, &stores, &instances)?
    };
    let done = then.under_way((&command, Some(id)), Some(then.leases()?), async |journal, watch| {
        let mut operation = apply::reopened(journal, id)?;
        migrate::carry_on(&mut operation, &migration, watch, &mut |stage| tell(then, stage)).await
    });
    let done = done.map_err(|error| clash::explained(then, error))?;
    reported(then, args, &command, &done)?;
    then.say_document(&command, &then.lines(&plan), Some(&done.operation), &done.left)
}

/// What a run is about, the parts apart that differ between a first run and a later one.
fn migration<'a>(
    then: &'a Context,
    args: &'a MigrateArgs,
    [before, text]: &'a [Secret; 2],
    stores: &'a Stores,
    instances: &'a Instances,
) -> Result<Migration<'a>> {
    let environment = then.environment()?;
    Ok(Migration {
        manifest: &then.project()?.manifest,
        text,
        before,
        environment: &environment.name,
        home: then.home_name()?,
        copies: copies(then)?,
        stores,
        planned: None,
        added: None,
        instances,
        canary: None,
        probe: args.probe.as_deref(),
        guard: &then.guard,
        pause: then.poll_interval()?,
        skip_changed: false,
    })
}

fn tell(then: &Context, stage: Stage) {
    then.ui.note(show::stage(stage));
}

/// What is known before anything is read.
fn check(ctx: &Context, args: &MigrateArgs) -> Result<()> {
    let environment = ctx.environment()?;
    if environment.copies.is_empty() {
        return Err(Stop::usage(format!(
            "`{}` has no Beanstalk environment to move secrets out of",
            environment.name
        ))
        .hint(format!(
            "declare `[environments.{}.copies.web]`, or `strongroom init --from-beanstalk APP/ENV`",
            environment.name
        ))
        .into());
    }
    if args.secret_per_key && args.to != Target::SecretsManager {
        return Err(Stop::usage(
            "--secret-per-key is about Secrets Manager; ssm has a parameter for each key anyway",
        )
        .into());
    }
    super::operations::none_midway(ctx)?;
    if let Some(address) = &args.probe {
        web::check(address).map_err(|error| Stop::usage("--probe cannot be asked").because(error))?;
    }
    Ok(())
}

/// What is to be left behind, by what the places hold now.
fn decided(ctx: &Context, args: &MigrateArgs) -> Result<Decision> {
    let (manifest, environment) = (&ctx.project()?.manifest, ctx.environment()?);
    let held = match &environment.home {
        Place::Beanstalk { .. } => ctx.everything()?,
        _ => ctx.read_home(&Reading::all())?.snapshot,
    };
    if let Place::Beanstalk { copy } = &environment.home {
        let referred = held.entries.iter().filter(|(_, entry)| entry.held.value().is_none());
        let mut names: Vec<String> = referred.map(|(address, _)| address.to_string()).collect();
        if !names.is_empty() {
            // What is a property too is told as that.
            let place = ctx.beanstalk(copy)?;
            let doubled = ctx.wait_for(async { Ok(place.condition().await?.doubled) })?;
            names.retain(|name| !doubled.iter().any(|key| name.ends_with(&format!("/{key}"))));
        }
        if !names.is_empty() {
            let message = format!(
                "`{copy}` refers to secrets elsewhere at {}, and the manifest says that it holds them",
                names.join(", ")
            );
            return Err(Stop::new(Exit::Conflict, message)
                .hint("somebody may have migrated it already: get their manifest (`git pull`)")
                .into());
        }
    }
    let mut undeclared = Undeclared::new();
    for copy in environment.copies.values() {
        let place = ctx.copy(copy)?;
        let found = ctx.wait_for(async { Ok(place.walk(&[Group::undeclared()]).await?) })?;
        undeclared.insert(copy.name.clone(), found);
    }
    let text = ctx.manifest_text()?;
    Ok(migrate::decide(
        (manifest.file(), text.expose()),
        manifest,
        environment,
        &held,
        &undeclared,
        &args.wish(),
    )?)
}

/// The environment as it will be once it is migrated, by the manifest alone.
pub(super) fn as_if(ctx: &Context, to: Target, secret_per_key: bool) -> Result<Context> {
    let (only, secret, plain) = (Vec::new(), Vec::new(), Vec::new());
    let wish = Wish { to: to.place(), secret_per_key, only, secret, plain };
    let (manifest, environment, text) = (&ctx.project()?.manifest, ctx.environment()?, ctx.manifest_text()?);
    let (nothing, none) = (Snapshot::default(), Undeclared::new());
    let decision =
        migrate::decide((manifest.file(), text.expose()), manifest, environment, &nothing, &none, &wish)?;
    ctx.with_manifest(&decision.text)
}

/// The copies that get references.
fn copies(then: &Context) -> Result<Vec<(crate::plan::Place, &CopySpec)>> {
    Ok(then.copies()?.into_iter().map(|copy| (place_of(copy), copy)).collect())
}

fn foreseen(then: &Context, values: &Values, stores: &Stores) -> Result<Foreseen> {
    let (manifest, spec, copies) = (&then.project()?.manifest, then.environment()?, copies(then)?);
    then.wait_for(async { Ok(migrate::foresee((manifest, spec), &copies, values, stores).await?) })
}

/// Refuses what would change what a container sees, or what others hold where the values are to be.
fn faithful(then: &Context, foreseen: Foreseen) -> Result<Foreseen> {
    let (manifest, spec) = (&then.project()?.manifest, then.environment()?);
    let shared = |address: &Address| {
        let group = manifest.group(address.group.as_str());
        group.is_ok_and(|group| group.shared && group.environments.len() > 1)
    };
    let replaced = foreseen.home.changes().filter(|(_, change)| change.before.is_some());
    let shared: Vec<String> = replaced
        .filter(|(_, change)| shared(&change.address))
        .map(|(_, change)| change.address.to_string())
        .collect();
    if !shared.is_empty() {
        let message = format!("other environments share {} and hold other values", shared.join(", "));
        return Err(Stop::new(Exit::Conflict, message)
            .hint("make them agree first, or give the group a path with `{environment}`")
            .into());
    }
    if !foreseen.unfaithful.is_empty() {
        let told = foreseen.unfaithful.iter().map(|one| {
            let at = match manifest.source(&spec.name, &one.address) {
                Some(ValueSource::Literal { line, .. } | ValueSource::Derived { line, .. }) => {
                    format!(" ({}:{line})", manifest.file())
                }
                _ => String::new(),
            };
            format!("{} {}: {}{at}", one.place, one.address, one.why)
        });
        let message =
            format!("the containers would see other values; nothing was changed\n{}", shown_lines(told));
        return Err(Stop::new(Exit::Failed, message)
            .hint("make them agree first: write into the manifest what the environment has, or the other way round")
            .into());
    }
    Ok(foreseen)
}

fn shown_lines(lines: impl Iterator<Item = String>) -> String {
    lines.map(|line| format!("  {}", shown(&line))).collect::<Vec<_>>().join("\n")
}

/// Everything that will change, the manifest last.
fn whole(then: &Context, foreseen: &Foreseen, stores: &Stores, decision: &Decision) -> Result<Plan> {
    let text = Want::value(Secret::new(decision.text.clone())?);
    let text = Desired::from([(ManifestFile::address(), text)]);
    let manifest = then.wait_for(async {
        Ok(apply::plan(ManifestFile::PLACE, stores[ManifestFile::PLACE].as_ref(), &text).await?)
    })?;
    Ok(foreseen.home.clone().then(foreseen.copies.clone()).then(manifest))
}

/// Refuses a canary that would prove nothing.
fn can_be_canary(then: &Context, canary: &Address, values: &Values) -> Result<()> {
    let (manifest, environment) = (&then.project()?.manifest, &then.environment()?.name);
    let gets = |copy: &&CopySpec| manifest.property_of(environment, &copy.selection, canary).is_some();
    let why = match () {
        () if !then.copies()?.iter().any(gets) => "no copy gets it",
        () if values.held.value(canary).is_none() => "it has no value",
        () => return Ok(()),
    };
    Err(Stop::usage(format!("{canary} cannot be the canary: {why}"))
        .hint("a variable that the app can do without for a moment is good for that")
        .into())
}

/// Writes the report, and says what was done.
fn reported(then: &Context, args: &MigrateArgs, command: &str, done: &Done) -> Result<String> {
    then.warn_of_left(&done.left);
    let file = report::write(then, &done.operation, args.report.as_deref())?;
    then.ui.note(&format!("the report of it is {}", shown(&file)));
    then.ui.note(&format!(
        "{command}: done and read back; `strongroom undo {}` takes it back, `strongroom doctor` says what still has the old values",
        done.operation
    ));
    Ok(file)
}
