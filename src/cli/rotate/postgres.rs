//! Rotations of a PostgreSQL login, and their set-up.
//!
//! Owns their arguments, and what is told before they are begun. What is looked at and done is
//! [`crate::rotate::postgres`]'s.

use super::super::context::generated;
use super::super::report::{Exit, Stop};
use super::super::table::Tone;
use super::super::ui::{plural, shown};
use super::story::{Sketch, Story};
use crate::database::{Need, Statement, Tls};
use crate::journal::Operation;
use crate::manifest::{PostgresSpec, Strategy, TlsMode};
use crate::name::Address;
use crate::rotate::postgres::{Addressed, Allowed, Foreseen, Postgres, Setup};
use crate::rotate::wanted;
use crate::store::OperationId;
use anyhow::Result;
use clap::Args;
use std::fmt::Write as _;

/// What is said of a rotation of a PostgreSQL login.
#[derive(Debug, Args, Default)]
pub(super) struct PostgresArgs {
    /// Postgres: set up the second login and its fences on the server first, once
    #[arg(long)]
    setup: bool,

    #[command(flatten)]
    anew: Anew,

    /// Postgres, strategy "single": nobody can log in until every copy is deployed
    #[arg(long)]
    accept_downtime: bool,
}

/// What may be said of it anew by whoever goes on with it.
#[derive(Debug, Args, Default)]
pub(in crate::cli) struct Anew {
    #[command(flatten)]
    way: Way,

    /// Postgres: change a login that somebody still uses; his next login fails
    #[arg(long, overrides_with = "despite_sessions")]
    despite_sessions: bool,
}

/// How its server is reached today.
#[derive(Debug, Args, Default)]
pub(in crate::cli) struct Way {
    /// Postgres: reach the server through a tunnel's near end; its certificate is still checked
    #[arg(long, value_name = "HOST:PORT", value_parser = near_end, overrides_with = "via")]
    via: Option<(String, u16)>,
}

fn near_end(text: &str) -> Result<(String, u16), String> {
    let parsed = text.rsplit_once(':').and_then(|(host, port)| {
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        (!host.is_empty()).then_some((host.to_owned(), port.parse().ok()?))
    });
    parsed.ok_or_else(|| "such as localhost:15432".to_owned())
}

impl PostgresArgs {
    /// The flags that were given.
    pub(super) fn given(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.setup, "--setup"),
            (self.anew.despite_sessions, "--despite-sessions"),
            (self.accept_downtime, "--accept-downtime"),
            (self.anew.way.via.is_some(), "--via"),
        ];
        all.into_iter().filter(|(given, _)| *given).map(|(_, flag)| flag)
    }

    /// What makes another operation of it, with a blank before it.
    pub(super) fn part(&self) -> &'static str {
        if self.setup { " --setup" } else { "" }
    }

    /// The arguments beside that matter to whoever goes on, each with a blank before it.
    pub(super) fn for_resume(&self) -> String {
        let downtime = if self.accept_downtime { " --accept-downtime" } else { "" };
        format!("{downtime}{}", self.anew.typed())
    }
}

impl Anew {
    /// As it is typed, each with a blank before it.
    pub(in crate::cli) fn typed(&self) -> String {
        let despite = if self.despite_sessions { " --despite-sessions" } else { "" };
        format!("{despite}{}", self.way.typed())
    }
}

impl Way {
    /// As it is typed, with a blank before it.
    pub(in crate::cli) fn typed(&self) -> String {
        let Some((host, port)) = &self.via else { return String::new() };
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        format!(" --via {host}:{port}")
    }
}

pub(super) fn begin(story: &Story<'_>, spec: &PostgresSpec) -> Result<Exit> {
    let rotation = rotation(story, spec)?;
    if story.args.postgres.setup {
        return set_up(story, &rotation);
    }
    let Some((held, age)) = story.due(std::slice::from_ref(&spec.password))? else { return Ok(Exit::Done) };
    if spec.strategy == Strategy::Single && !story.args.postgres.accept_downtime {
        return Err(downtime(story).into());
    }
    let holders = story.holders(&held.instances)?;
    let foreseen = match story.ctx.wait_for(async { Ok(rotation.foresee(&holders).await) })? {
        // Another rotation that is under way leaves home and its copies between two logins for a while.
        Err(_) if !story.ctx.dry_run() => story.undisturbed(rotation.foresee(&holders))?,
        looked => looked?,
    };
    let single = foreseen.active == foreseen.target;
    let mut details = vec![(spec.password.clone(), format!("32 new characters{}", super::show::since(age)))];
    if !single {
        details.push((spec.user.clone(), format!("{} instead of {}", foreseen.target, foreseen.active)));
    }
    details.extend(
        spec.urls.iter().map(|address| (address.clone(), "its login, and nothing else of it".to_owned())),
    );
    let home = &story.stores[&holders.spec.home.to_string()];
    let torn = home.unit_of(&spec.user) != home.unit_of(&spec.password);
    let notes = notes(&rotation, &foreseen, (single, torn));
    let sketch = Sketch { desired: wanted(&foreseen.values), details, notes };
    story.begin(&rotation, &held, &sketch)
}

pub(super) fn go_on(story: &Story<'_>, spec: &PostgresSpec, which: (&OperationId, bool)) -> Result<Exit> {
    let (rotation, held) = (rotation(story, spec)?, story.held()?);
    if !story.args.postgres.setup {
        return story.go_on(&rotation, &held, which);
    }
    let holders = story.holders(&held.instances)?;
    let setup = story.ctx.wait_for(async { Ok(rotation.foresee_setup(&holders).await?) })?;
    story.go_on(&Addressed { values: setup.addresses, password: spec.password.clone() }, &held, which)
}

/// Refuses to undo what would bring back a login that is not accepted any more.
pub(super) fn may_be_undone(story: &Story<'_>, spec: &PostgresSpec, operation: &Operation) -> Result<()> {
    let (rotation, held) = (rotation(story, spec)?, story.held()?);
    let holders = story.holders(&held.instances)?;
    story.ctx.wait_for(async { Ok(rotation.may_be_undone(operation, &holders).await?) })
}

pub(super) fn rotation(story: &Story<'_>, spec: &PostgresSpec) -> Result<Postgres> {
    let folder = &story.ctx.project()?.folder;
    let tls = match spec.tls.mode {
        TlsMode::VerifyFull => Tls::VerifyFull { ca: spec.tls.ca.as_ref().map(|file| folder.join(file)) },
        TlsMode::Disable => Tls::Disabled,
    };
    let args = &story.args.postgres;
    let allowed = Allowed {
        name: story.spec.name.clone(),
        despite_sessions: args.anew.despite_sessions,
        compromised: story.args.compromised,
    };
    Ok(Postgres { spec: spec.clone(), tls, via: args.anew.way.via.clone(), allowed, generate: generated })
}

fn notes(rotation: &Postgres, foreseen: &Foreseen, (single, torn): (bool, bool)) -> Vec<String> {
    let Foreseen { location, active, target, owner, in_use, .. } = foreseen;
    let mut notes = Vec::new();
    if single {
        notes.push(format!(
            "{location}: `{target}` gets the new password; from then on until a copy is deployed nobody there can log in anew, \
             and instances that start cannot either; open sessions go on"
        ));
        notes.push("it cannot be undone: the server keeps no earlier password".to_owned());
    } else {
        let goes_on = if rotation.allowed.compromised { "until the end" } else { "and goes on working" };
        notes.push(format!(
            "{location}: `{target}` gets the new password and acts as `{owner}`; `{active}` is not changed {goes_on}"
        ));
        if torn {
            notes.push(
                "home keeps name and password apart: whoever reads both there in the moment between the two writes sees a \
                 mix; a derived URL and the copies do not tear"
                    .to_owned(),
            );
        }
    }
    if !in_use.is_empty() {
        notes.push(format!("`{target}` is in use: {in_use}; they cannot log in anew after this"));
    }
    if rotation.allowed.compromised {
        notes.push(format!(
            "`{active}`: at the end its password is taken away and its sessions are ended; it cannot be undone after that"
        ));
    }
    notes
}

fn downtime(story: &Story<'_>) -> Stop {
    Stop::usage(format!(
        "`{}` has one login: between the change on the server and the deployment of every copy nobody can log in anew",
        story.spec.name
    ))
    .hint("give --accept-downtime; a deployment takes minutes, and open sessions go on meanwhile")
    .hint("or let two logins take turns, and nothing is down: `strategy = \"alternating\"`, then --setup")
}

/// Shows what is missing with the reason for each, asks, and sets it up.
fn set_up(story: &Story<'_>, rotation: &Postgres) -> Result<Exit> {
    let ctx = story.ctx;
    let held = story.held()?;
    let holders = story.holders(&held.instances)?;
    let setup = ctx.wait_for(async { Ok(rotation.foresee_setup(&holders).await?) })?;
    let command = story.command();
    if setup.statements.is_empty() {
        ctx.ui.note(&format!("{command}: {} is set up", setup.location));
    } else {
        ctx.ui.show(&told(story, &command, &setup));
        if !ctx.dry_run() {
            let environment = ctx.environment()?;
            let question = format!("Run {} there?", plural(setup.statements.len(), "statement"));
            ctx.ui.approve(&question, environment.protected.then_some(&environment.name))?;
            let prepared = ctx.wait_for(async { Ok(rotation.set_up(&holders).await?) })?;
            ctx.ui.note(&format!("{command}: {} run", plural(prepared.ran.len(), "statement")));
            for (statement, why) in &prepared.refused {
                let lacking = match statement.need {
                    Need::Nothing => "it works without",
                    Need::Setup | Need::Rotation => "let the master user run it before the first rotation",
                };
                ctx.ui.warning(&format!("refused: {} ({why}); {lacking}", shown(&statement.sql)));
            }
        } else if setup.addresses.is_empty() {
            ctx.ui.note("dry run: nothing was changed");
        }
    }
    let password = rotation.spec.password.clone();
    let there = ctx.wait_for(async { Ok(holders.refer_to_slots(&password).await?) })?;
    if there {
        return Ok(Exit::Done);
    }
    let plain = ctx.wait_for(async { Ok(holders.plain_in(&password).await?) })?;
    if let Some(place) = plain {
        let message = format!("{place} still has {password} as a plain value, and is to refer to it");
        return Err(Stop::new(Exit::Conflict, message)
            .hint("`strongroom sync` deploys it as the manifest says; then --setup again")
            .into());
    }
    let detail = |address: &Address| match *address == password {
        true => "as it is; copies will refer to it by another address",
        false => "the present password, for copies to refer to",
    };
    let details = setup.addresses.keys().map(|address| (address.clone(), detail(address).to_owned()));
    let sketch = Sketch { desired: wanted(&setup.addresses), details: details.collect(), notes: Vec::new() };
    story.begin(&Addressed { values: setup.addresses, password }, &held, &sketch)
}

fn told(story: &Story<'_>, command: &str, setup: &Setup) -> String {
    let ui = &story.ctx.ui;
    let mut text = format!("{command}\n{}\n", shown(&setup.location));
    for Statement { sql, why, .. } in &setup.statements {
        let _ = writeln!(text, "  {} {}\n      {}", ui.toned(Tone::Good, "+"), shown(sql), shown(why));
    }
    text
}
