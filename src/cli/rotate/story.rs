//! The story of one rotation, the same for every kind: is it due, what will it do, is that wanted, do it, say so.
//!
//! Owns the operation and its lease. What the values are, and what is done to their target, a kind's file brings.

use super::super::context::Context;
use super::super::operations;
use super::super::places::place_of;
use super::super::reading::{Held, Wish};
use super::super::report::Exit;
use super::super::set::remind;
use super::{RotateArgs, show};
use crate::apply;
use crate::journal::Begin;
use crate::manifest::{Instances, RotationSpec};
use crate::name::{Address, Instance};
use crate::plan::Desired;
use crate::rotate::{self, Age, Holders, Rotation};
use crate::store::{OperationId, StoreError, Stores};
use anyhow::Result;
use std::time::Duration;

/// One rotation that was asked for.
pub(super) struct Story<'a> {
    pub(super) ctx: &'a Context,
    pub(super) spec: &'a RotationSpec,
    pub(super) instance: Option<Instance>,
    pub(super) args: &'a RotateArgs,
    /// Only what is older than this.
    pub(super) if_older: Option<Duration>,
    pub(super) stores: Stores,
}

/// What is to be told of a rotation before it is begun.
pub(super) struct Sketch {
    /// What home will hold otherwise; values that stand for those that are not chosen yet.
    pub(super) desired: Desired,
    /// What is said of an address beside it: `32 new characters`.
    pub(super) details: Vec<(Address, String)>,
    /// What a person should know beside that, a line each.
    pub(super) notes: Vec<String>,
}

/// Everything that holds values of the environment.
pub(super) fn holders<'a>(
    ctx: &'a Context,
    stores: &'a Stores,
    instances: &'a Instances,
) -> Result<Holders<'a>> {
    let copies = ctx.copies()?.into_iter().map(|copy| (place_of(copy), copy)).collect();
    let (manifest, spec) = (&ctx.project()?.manifest, ctx.environment()?);
    let (guard, left, before) = (&ctx.guard, rotate::Left::default(), rotate::Before::default());
    Ok(Holders { manifest, spec, copies, stores, instances, guard, alone: None, left, before })
}

impl<'a> Story<'a> {
    pub(super) fn new(
        ctx: &'a Context,
        (spec, instance): (&'a RotationSpec, Option<Instance>),
        args: &'a RotateArgs,
        if_older: Option<Duration>,
    ) -> Result<Story<'a>> {
        Ok(Story { ctx, spec, instance, args, if_older, stores: ctx.stores()? })
    }

    /// What the operation is called: `rotate xero/1`.
    pub(super) fn command(&self) -> String {
        let part = self.args.part();
        match &self.instance {
            Some(instance) => format!("rotate {}/{instance}{part}", self.spec.name),
            None => format!("rotate {}{part}", self.spec.name),
        }
    }

    /// The command that goes on with an operation of it, whatever the manifest says by then.
    pub(super) fn goes_on(&self, command: &str) -> Result<String> {
        let (environment, rest) = (&self.ctx.environment()?.name, self.args.for_resume());
        let shape = rotate::shape(&self.spec.kind);
        Ok(format!("strongroom -e {environment} {command}{rest} --declared {shape}"))
    }

    /// Looks at something while nobody else is at it: under the lease, which is given back before anybody is asked anything.
    pub(super) fn undisturbed<T>(&self, look: impl Future<Output = Result<T, StoreError>>) -> Result<T> {
        let (ctx, command, leases) = (self.ctx, self.command(), self.ctx.leases()?);
        let found = ctx.wait_for(async {
            ctx.guard.take(leases.as_ref(), &command).await?;
            Ok(look.await?)
        });
        ctx.give_lease_back();
        found
    }

    /// Whether an earlier run of it has something left to do: then this goes on with that once its time has come.
    pub(super) fn waits(&self) -> Result<Option<Exit>> {
        let Some((summary, until)) = operations::waiting(self.ctx, &self.command())? else { return Ok(None) };
        // What somebody may know does not wait.
        let hurries = self.args.compromised;
        if (self.ctx.clock())() < until && !hurries {
            let when = operations::moment(until);
            let back = match summary.lasting {
                true => String::new(),
                false => format!("; `strongroom undo {}` takes it back", summary.id),
            };
            let why = format!("operation {} waits until {when}{back}", summary.id);
            let waits = (Some(&summary.id), until);
            return show::waits(self.ctx, &self.command(), waits, &why).map(Some);
        }
        let mut command = summary.goes_on.unwrap_or_default();
        if hurries && !command.contains(" --compromised") {
            command.push_str(" --compromised");
        }
        super::super::go_on(self.ctx, &summary.id, &command, false).map(Some)
    }

    /// The operation of it that stopped, with the command that goes on with it.
    pub(super) fn midway(&self) -> Result<Option<(OperationId, String)>> {
        let own = self.command();
        let is_own = |command: &str| {
            command.strip_prefix(&own).is_some_and(|part| part.is_empty() || part.starts_with(' '))
        };
        let all = operations::all_midway(self.ctx, |one| is_own(&one.command))?;
        Ok(all.into_iter().next_back().and_then(|one| Some((one.id, one.goes_on?))))
    }

    /// All that home holds, and the age of these values in it, where they are old enough to be rotated; otherwise it is told
    /// that nothing is to be done.
    pub(super) fn due(&self, addresses: &[Address]) -> Result<Option<(Held, Age)>> {
        if let Some(most) = self.if_older {
            // Mostly they are not, and then no more than these is read.
            let held = self.ctx.read_home(&Wish::these(addresses))?;
            let age = rotate::age(&held.snapshot, addresses);
            if !age.is_over(most, (self.ctx.clock())()) {
                show::not_yet(self.ctx, &self.command(), age)?;
                return Ok(None);
            }
        }
        let held = self.held()?;
        let age = rotate::age(&held.snapshot, addresses);
        Ok(Some((held, age)))
    }

    /// All that home holds, with its instances; but for what is for operators where whoever rotates may not read it.
    pub(super) fn held(&self) -> Result<Held> {
        Ok(self.ctx.read_as_allowed()?.0)
    }

    /// Everything that holds values of the environment.
    pub(super) fn holders<'b>(&'b self, instances: &'b Instances) -> Result<Holders<'b>> {
        holders(self.ctx, &self.stores, instances)
    }

    /// Shows what will happen, asks, and rotates, in a new operation.
    pub(super) fn begin<R: Rotation>(&self, rotation: &R, held: &Held, sketch: &Sketch) -> Result<Exit> {
        let (ctx, command) = (self.ctx, self.command());
        let holders = self.holders(&held.instances)?;
        let foreseen = holders.foresee(&held.snapshot, &sketch.desired)?;
        ctx.ui.show(&show::text(ctx, &command, sketch, &foreseen)?);
        if ctx.dry_run() {
            ctx.ui.note("dry run: nothing was changed");
            return show::document(ctx, &command, &foreseen, None);
        }
        let environment = ctx.environment()?;
        let question = format!("Rotate `{}` in `{}`?", &command["rotate ".len()..], environment.name);
        ctx.ui.approve(&question, environment.protected.then_some(&environment.name))?;
        let goes_on = self.goes_on(&command)?;
        let home = ctx.home_location()?;
        let done = ctx.under_way((&command, None), Some(ctx.leases()?), async |journal, watch| {
            let begin = Begin {
                command: &command,
                undoes: None,
                goes_on: Some(&goes_on),
                in_order: true,
                home: Some(&home),
            };
            let mut operation = journal.begin(&begin)?;
            rotate::drive(&mut operation, rotation, &holders, false, watch).await
        })?;
        show::said(ctx, &command, &done);
        remind(ctx, &foreseen.home)?;
        show::document(ctx, &command, &foreseen, Some(&done))
    }

    /// Goes on with an operation that stopped, or that has waited.
    pub(super) fn go_on<R: Rotation>(
        &self,
        rotation: &R,
        held: &Held,
        (id, skip_changed): (&OperationId, bool),
    ) -> Result<Exit> {
        let holders = self.holders(&held.instances)?;
        self.go_on_with(rotation, held, &holders, (id, skip_changed))
    }

    /// The same, with these holders.
    pub(super) fn go_on_with<R: Rotation>(
        &self,
        rotation: &R,
        held: &Held,
        holders: &Holders<'_>,
        (id, skip_changed): (&OperationId, bool),
    ) -> Result<Exit> {
        let ctx = self.ctx;
        let command = format!("resume {id} ({})", self.command());
        ctx.ui.show(&command);
        if ctx.dry_run() {
            ctx.ui.note("dry run: nothing was changed");
            return show::resumed(ctx, &command, id, None);
        }
        let environment = ctx.environment()?;
        ctx.ui.approve(&format!("Go on with {id}?"), environment.protected.then_some(&environment.name))?;
        // A call to a server that chooses may still be under way after its caller has died: that is waited for.
        let leases = if R::ADOPTS { ctx.leases()? } else { ctx.leases_of_the_dead()? };
        let done = ctx.under_way((&command, Some(id)), Some(leases), async |journal, watch| {
            let mut operation = apply::reopened(journal, id)?;
            rotate::drive(&mut operation, rotation, holders, skip_changed, watch).await
        })?;
        show::said(ctx, &self.command(), &done);
        remind(ctx, held.snapshot.entries.keys().filter(|address| rotate::renews(&self.spec.kind, address)))?;
        show::resumed(ctx, &command, id, Some(&done))
    }
}
