//! What a login gave, stored: in the same run, or in one that goes on with it.
//!
//! Owns the choice of the organisation, which may take as long as it likes, as nothing is held meanwhile; and what is shown
//! and said of the writes.

use super::login::{App, refused};
use super::{Connection, held, instances};
use crate::apply::{self, ApplyError};
use crate::authorise::{self, AuthoriseError, Pair, Target};
use crate::cli::context::Context;
use crate::cli::reading::Held;
use crate::cli::report::{Exit, Stop};
use crate::cli::ui::{plural, shown};
use crate::secret::Secret;
use crate::store::OperationId;
use crate::xero::{Choice, Claims, Parts, Spelling, Tokens, XeroError, choose};
use anyhow::Result;

/// Chooses the organisation, and stores what the operation has sealed.
pub(super) fn finish(
    ctx: &Context,
    connection: &Connection<'_>,
    wanted: Option<&str>,
    id: &OperationId,
    skip_changed: bool,
) -> Result<Exit> {
    let held = held(ctx, connection.spec)?;
    let Some((tokens, begun)) = sealed(ctx, connection, id)? else {
        ctx.ui.note(&format!("{id} is not unfinished; nothing to do"));
        return Ok(Exit::Done);
    };
    // What was begun knows its organisation already.
    let (tokens, tenant) = match begun {
        true => (tokens, None),
        false => tenant(ctx, connection, wanted, id, tokens, &held)?,
    };
    let parts = &connection.parts;
    let expires = spelled(ctx, connection, &tokens, &held)?;
    let chosen = tenant.as_ref().map(|(id, _)| Secret::new(id.clone())).transpose()?;
    let pair = Pair { parts, tokens: &tokens, tenant: chosen, expires };
    let stores = ctx.stores()?;
    let target = Target { manifest: &ctx.project()?.manifest, spec: ctx.environment()?, stores: &stores };
    let mut desired = pair.desired();
    if begun {
        let journal = ctx.journal()?;
        let rest = ctx.wait_for(async { Ok(apply::remaining(&journal, id, &stores).await?) })?;
        desired.extend(rest.changes().map(|(_, change)| (change.address.clone(), change.after.clone())));
    }
    let plan = ctx.wait_for(async { Ok(target.plan(&desired).await?) });
    let plan = plan.map_err(|error| kept(id, error))?;
    let command = format!("xero login {}", connection.shown());
    let lines = ctx.lines(&plan);
    ctx.ui.show(&format!("{command}\n{}", ctx.listed(&lines, &stores)));
    if ctx.dry_run() {
        ctx.ui.note("dry run: nothing was changed");
        return ctx.say_document(&command, &lines, None, &[]);
    }
    let done = ctx.under_way((&command, Some(id)), Some(ctx.leases()?), async |journal, watch| {
        let mut operation = apply::reopened(journal, id)?;
        authorise::store(journal, &mut operation, &pair, target, skip_changed, watch).await
    });
    let done = done.map_err(|error| kept(id, error))?;
    ctx.warn_of_left(&done.left);
    let of = tenant.map(|(id, name)| format!(" to {} ({id})", shown(&name))).unwrap_or_default();
    ctx.ui.note(&format!("{command}: {} made and read back; connected{of}", plural(done.changes, "change")));
    tell_of_others(ctx, connection, &tokens, &held)?;
    ctx.name_the_sync(&plan)?;
    ctx.say_document(&command, &lines, Some(&done.operation), &done.left)
}

/// The tokens that an operation has sealed, and whether something of them was stored; nothing where it has ended.
fn sealed(ctx: &Context, connection: &Connection<'_>, id: &OperationId) -> Result<Option<(Tokens, bool)>> {
    let mut operation = apply::reopened(&ctx.journal()?, id)?;
    if operation.ending().is_some() {
        return Ok(None);
    }
    let begun = !operation.writes().is_empty();
    let again = format!("`strongroom xero login {}` begins a new one", connection.word());
    match authorise::sealed(&operation)? {
        Some(Ok(tokens)) => Ok(Some((tokens, begun))),
        Some(Err(error)) => {
            authorise::give_up(&mut operation, &error.to_string())?;
            Err(Stop::new(Exit::Person, "the login gave nothing that can be used; nothing was changed")
                .because(error)
                .hint(again)
                .into())
        }
        None => {
            authorise::give_up(&mut operation, "interrupted before Xero's answer came")?;
            Err(Stop::new(
                Exit::Person,
                "the login was interrupted before Xero's answer came; nothing was changed",
            )
            .hint(format!("a login's code is good once: {again}"))
            .into())
        }
    }
}

/// The organisation (its id and name) that the connection is to be of. Tokens that waited for too long are refreshed.
fn tenant(
    ctx: &Context,
    connection: &Connection<'_>,
    wanted: Option<&str>,
    id: &OperationId,
    tokens: Tokens,
    held: &Held,
) -> Result<(Tokens, Option<(String, String)>)> {
    let xero = connection.xero();
    let ask = |tokens: &Tokens| {
        let token = tokens.access.token.clone();
        ctx.wait_for(async { Ok(xero.connections(&token).await) })
    };
    let mut tokens = tokens;
    let mut all = ask(&tokens)?;
    if matches!(all, Err(XeroError::Access { status: 401 })) {
        let app = App::of(ctx, &connection.parts, held)?;
        tokens = refreshed(ctx, connection, id, &tokens, &app)?;
        all = ask(&tokens)?;
    }
    let all = all.map_err(|error| {
        let hint = error.advice();
        Stop::new(Exit::Midway, "the organisations of this login are not known, and nothing was stored yet")
            .because(error)
            .hint(hint)
            .hint(format!("`strongroom resume {id}` asks again, without another login"))
    })?;
    let has = held.snapshot.value(&connection.parts.tenant_id).map(Secret::expose);
    let chosen = match choose(&all, wanted, has) {
        Choice::This(one) => one,
        Choice::Nobody => {
            let mut operation = apply::reopened(&ctx.journal()?, id)?;
            authorise::give_up(&mut operation, "no organisation was connected")?;
            let message = "this login is connected to no organisation; nothing was changed";
            return Err(Stop::new(Exit::Person, message)
                .hint("log in again, and allow access to an organisation when Xero asks which")
                .into());
        }
        unclear => {
            let why = match unclear {
                Choice::Unknown => "no organisation of this login, or more than one, is called that",
                Choice::Another(_) => "this login is connected to another organisation than the one in home",
                _ => "this login is connected to several organisations",
            };
            asked(ctx, connection, id, why, &all)?
        }
    };
    Ok((tokens, Some((chosen.tenant.clone(), chosen.name.clone()))))
}

/// Asks which of them is meant, where somebody can be asked.
fn asked<'a>(
    ctx: &Context,
    connection: &Connection<'_>,
    id: &OperationId,
    why: &str,
    all: &'a [crate::xero::Connection],
) -> Result<&'a crate::xero::Connection> {
    let mut listed = String::new();
    for (number, one) in (1..).zip(all) {
        listed.push_str(&format!("\n  {number}  {}  {}", shown(&one.tenant), shown(&one.name)));
    }
    let undecided = || {
        Stop::new(Exit::Person, format!("{why}; nothing was stored yet:{listed}"))
            .hint(format!(
                "`strongroom xero login {} --tenant ID` stores it for that one, without another login",
                connection.word()
            ))
            .hint(format!("`strongroom undo {id}` forgets this login"))
    };
    if !ctx.ui.can_ask() {
        return Err(undecided().into());
    }
    let question = format!("{why}:{listed}\nWhich one is {}? Its number", connection.shown());
    let answer = ctx.ui.ask(&question, "", "give --tenant ID")?;
    let number = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let chosen = number.and_then(|number| all.get(number));
    Ok(chosen.ok_or_else(undecided)?)
}

fn refreshed(
    ctx: &Context,
    connection: &Connection<'_>,
    id: &OperationId,
    old: &Tokens,
    app: &App,
) -> Result<Tokens> {
    let mut operation = apply::reopened(&ctx.journal()?, id)?;
    ctx.ui.note("the login has waited for so long that its access token ended: it is refreshed first");
    let (xero, client) = (connection.xero(), app.client());
    let done = ctx.wait_for(async { Ok(authorise::refresh(&mut operation, old, &xero, &client).await) })?;
    if let Err(error) = done {
        if let AuthoriseError::Refused(XeroError::Grant { .. }) = &error {
            authorise::give_up(&mut operation, &error.to_string())?;
        }
        return Err(refused(connection, error).into());
    }
    match authorise::sealed(&operation)? {
        Some(read) => read.map_err(|error| {
            let hint = format!("`strongroom resume {id}` tries it again, within 30 minutes");
            Stop::new(Exit::Midway, "the tokens of the login are not usable yet")
                .because(error)
                .hint(hint)
                .into()
        }),
        None => Err(Stop::new(Exit::Midway, "the refreshed tokens are not there").into()),
    }
}

/// When the access token ends, spelled as the app spells it: as this connection has it, else as another one has.
fn spelled(ctx: &Context, connection: &Connection<'_>, tokens: &Tokens, held: &Held) -> Result<Secret> {
    let read = |parts: &Parts| {
        let ends = held.snapshot.value(&parts.access_token).and_then(|token| Claims::of(token).expires);
        let text = held.snapshot.value(&parts.token_expires_at)?;
        Spelling::read(text.expose(), ends).map(|(spelling, _)| spelling)
    };
    let all = instances(ctx, connection.spec, held)?;
    let others = all.iter().map(|instance| Parts::of(connection.spec, instance.as_ref()));
    let spelling = std::iter::once(connection.parts.clone())
        .chain(others)
        .find_map(|parts| read(&parts))
        .unwrap_or_default();
    Ok(Secret::new(spelling.write(tokens.access.expires_at((ctx.clock())())))?)
}

/// Names the connections that the same user has logged in for: their tokens came of earlier logins.
fn tell_of_others(ctx: &Context, connection: &Connection<'_>, tokens: &Tokens, held: &Held) -> Result<()> {
    let Some(user) = &tokens.access.claims.user else { return Ok(()) };
    let mut names = Vec::new();
    for instance in instances(ctx, connection.spec, held)? {
        let parts = Parts::of(connection.spec, instance.as_ref());
        let theirs = held.snapshot.value(&parts.access_token).map(Claims::of).unwrap_or_default();
        if instance != connection.instance && theirs.user.as_ref() == Some(user) {
            names.extend(instance.map(|name| format!("{}/{name}", connection.spec.group)));
        }
    }
    if !names.is_empty() {
        ctx.ui.note(&format!(
            "the same Xero user is behind {}: if Xero refuses its token from now on, log in for it too",
            names.join(", ")
        ));
    }
    Ok(())
}

/// What says of itself that nothing was changed, of an operation that has the tokens and goes on.
fn kept(id: &OperationId, error: anyhow::Error) -> anyhow::Error {
    let unbegun = |error: &ApplyError| {
        matches!(error, ApplyError::Nothing(_) | ApplyError::Read(_) | ApplyError::Refused(_))
    };
    match error.downcast::<ApplyError>() {
        Ok(error) if unbegun(&error) => {
            Stop::new(Exit::Midway, format!("the tokens are sealed in operation {id}, and not stored yet"))
                .because(error)
                .hint(format!("`strongroom resume {id}` stores them, without another login"))
                .into()
        }
        Ok(error) => error.into(),
        Err(error) => error,
    }
}
