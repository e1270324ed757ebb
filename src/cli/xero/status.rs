//! `xero status`: each connection, how long its tokens live, and what is wrong.
//!
//! Owns how that looks: bars on a terminal, words in a pipe, no token anywhere. Xero is asked only where somebody says so.

use super::{Connection, held, instances, rotations};
use crate::cli::context::Context;
use crate::cli::operations::moment;
use crate::cli::reading::Held;
use crate::cli::report::Exit;
use crate::cli::table::{Cell, Table, Tone};
use crate::manifest::{Place, XeroSpec};
use crate::name::{Address, Instance};
use crate::rotate::xero::{self as rotate, Last, Record};
use crate::xero::{ACCESS, Problem, Standing, UNUSED};
use anyhow::Result;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;

/// Show each connection, how long its tokens live, and what is wrong
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom -e prod xero status
  strongroom -e prod xero status --check --quiet     (from cron: 3 where something is wrong)

An access token lives for 30 minutes, and that it has ended is nothing wrong: whoever needs one
refreshes. A refresh token ends when nobody used it for 60 days; from day 45 on that is said.")]
pub(super) struct StatusArgs {
    /// End with 3 where a refresh token has ended or will within 15 days, or a part is missing
    #[arg(long)]
    check: bool,

    /// Ask Xero for the names of the organisations, with the access tokens that are still good
    #[arg(long)]
    ask: bool,
}

/// Seconds between a refresh token's write and the end of the refresh that wrote it.
const NEAR: i64 = 60;

/// Cells of a bar.
const BAR: usize = 8;

#[derive(Serialize)]
struct Document<'a> {
    connections: &'a [Row],
}

/// One connection. No token is in it.
#[derive(Serialize)]
struct Row {
    rotation: String,
    connection: String,
    /// None where home has none, or the manifest says that it is a secret.
    tenant: Option<String>,
    /// What the organisation is called, as Xero tells it, or as a refresh wrote it down.
    tenant_name: Option<String>,
    access_ends: Option<String>,
    /// Seconds; negative where it has ended.
    access_left: Option<i64>,
    refreshed: Option<String>,
    /// Who that was, where home tells.
    by: Option<String>,
    refresh_ends: Option<String>,
    refresh_left: Option<i64>,
    /// When Xero refused the refresh token that home holds.
    refused: Option<String>,
    missing: Vec<String>,
    problems: Vec<String>,
}

pub(super) fn run(ctx: &Context, args: &StatusArgs) -> Result<Exit> {
    let mut rows = Vec::new();
    for (rotation, spec) in rotations(ctx)? {
        let held = held(ctx, spec)?;
        let all: Vec<Connection<'_>> = instances(ctx, spec, &held)?
            .into_iter()
            .map(|instance| Connection::of(rotation, spec, instance))
            .collect();
        let (writers, records) = (writers(ctx, &all)?, records(ctx, spec, &held, &all)?);
        for connection in &all {
            let record = connection.instance.as_ref().and_then(|instance| records.get(instance));
            let asked = if args.ask { organisation(ctx, connection, &held)? } else { None };
            let writer = writers.get(&connection.parts.refresh_token);
            rows.push(Row::of(ctx, connection, &held, record, asked, writer)?);
        }
    }
    let wrong = rows.iter().any(|row| !row.problems.is_empty());
    if ctx.ui.json() {
        ctx.ui.document("xero-status", &Document { connections: &rows })?;
    } else if rows.is_empty() {
        ctx.ui.note("no connection yet: `strongroom xero login 1` makes one, once its client_id and client_secret are set");
    } else {
        show(ctx, &rows)?;
    }
    Ok(if args.check && wrong { Exit::Pending } else { Exit::Done })
}

/// Who wrote each refresh token last, where home keeps that.
fn writers(ctx: &Context, all: &[Connection<'_>]) -> Result<BTreeMap<Address, String>> {
    if ctx.environment()?.home != Place::Ssm || all.is_empty() {
        return Ok(BTreeMap::new());
    }
    let addresses: Vec<Address> =
        all.iter().map(|connection| connection.parts.refresh_token.clone()).collect();
    let home = ctx.parameters()?;
    ctx.wait_for(async { Ok(home.writers(&addresses).await?) })
}

/// What home keeps of the refreshes of each instance's login.
fn records(
    ctx: &Context,
    spec: &XeroSpec,
    held: &Held,
    all: &[Connection<'_>],
) -> Result<BTreeMap<Instance, Record>> {
    let keeps = ctx.environment()?.home.keeps_records();
    let instances: Vec<Instance> = all.iter().filter_map(|one| one.instance.clone()).collect();
    if !keeps || instances.is_empty() {
        return Ok(BTreeMap::new());
    }
    // It is kept under the name of the first instance of those that share a login.
    let of = |name: &Instance| (name.clone(), rotate::Held::of(&held.snapshot, spec, name));
    let logins = rotate::logins(&instances.iter().map(of).collect());
    let address = |login: &Vec<Instance>| Record::address(&spec.group, &login[0]);
    let addresses: Vec<Address> = logins.iter().map(address).collect();
    let home = ctx.home()?;
    let read = match ctx.wait_for(async { Ok(home.read(&addresses).await?) }) {
        Ok(read) => read,
        Err(error) => {
            tracing::debug!(%error, "the records of refreshes cannot be read");
            return Ok(BTreeMap::new());
        }
    };
    let mut records = BTreeMap::new();
    for login in logins {
        if let Some(text) = read.value(&address(&login)) {
            let record = Record::read(text);
            records.extend(login.into_iter().map(|instance| (instance, record.clone())));
        }
    }
    Ok(records)
}

/// What Xero calls the organisation; nothing where the access token is not good any more, or is of others.
fn organisation(ctx: &Context, connection: &Connection<'_>, held: &Held) -> Result<Option<String>> {
    let (parts, xero) = (&connection.parts, connection.xero());
    let (Some(token), Some(tenant)) =
        (held.snapshot.value(&parts.access_token), held.snapshot.value(&parts.tenant_id))
    else {
        return Ok(None);
    };
    if let Err(error) = xero.check() {
        ctx.ui.warning(&format!("{}: {error}", connection.shown()));
        return Ok(None);
    }
    match ctx.wait_for(async { Ok(xero.connections(token).await) })? {
        Ok(all) => {
            let own = all.into_iter().find(|one| one.tenant.eq_ignore_ascii_case(tenant.expose()));
            if own.is_none() {
                ctx.ui.warning(&format!(
                    "{}: its user is not connected to its organisation any more: `strongroom xero login {}`",
                    connection.shown(),
                    connection.word()
                ));
            }
            Ok(own.map(|own| own.name))
        }
        Err(error) => {
            ctx.ui.warning(&format!("{}: {error}", connection.shown()));
            Ok(None)
        }
    }
}

impl Row {
    fn of(
        ctx: &Context,
        connection: &Connection<'_>,
        held: &Held,
        record: Option<&Record>,
        asked: Option<String>,
        writer: Option<&String>,
    ) -> Result<Row> {
        let (parts, now) = (&connection.parts, (ctx.clock())());
        let standing = Standing::of(parts, &held.snapshot, now);
        // What we wrote down of ourselves tells more than AWS does, as long as it is of the pair that stands there.
        let is_of_it =
            |last: &&Last| standing.refreshed.is_some_and(|at| (at.as_second() - last.at).abs() <= NEAR);
        let last = record.and_then(|record| record.last.as_ref()).filter(is_of_it);
        let by = last.map(|last| last.by.clone()).or_else(|| writer.cloned());
        let known = || last?.organisations.get(connection.instance.as_ref()?.as_str()).cloned();
        let may_be_shown = ctx.project()?.manifest.key(&parts.tenant_id).is_some_and(|key| !key.secret);
        let tenant = held.snapshot.value(&parts.tenant_id).filter(|_| may_be_shown);
        let left = |ends: Option<Timestamp>| ends.map(|at| at.duration_since(now).as_secs());
        let refresh_ends = standing.refresh_ends();
        let word = connection.word();
        let open = record.and_then(|record| record.open.as_ref()).map(|open| {
            format!(
                "a refresh by {} of {} is not finished: `strongroom rotate {word}`",
                open.by,
                moment(open.first)
            )
        });
        let token = held.snapshot.value(&parts.refresh_token);
        let refusal = record.zip(token).and_then(|(record, token)| record.refusal(token));
        let refused = refusal.and_then(|refusal| Timestamp::from_second(refusal.at).ok()).map(moment);
        let said = refusal.zip(refused.as_ref()).map(|(refusal, at)| {
            format!(
                "Xero refused its refresh token, sent by {} on {at}: `strongroom xero login {word}`",
                refusal.by
            )
        });
        // Of what is refused nothing is left, however new it is.
        let counts =
            |one: &&Problem| refusal.is_none() || !matches!(one, Problem::Ended | Problem::EndsSoon { .. });
        let others = standing.problems.iter().filter(counts).map(|problem| {
            let (what, fix) = told(problem, connection, "strongroom");
            fix.map_or(what.clone(), |fix| format!("{what}: {fix}"))
        });
        Ok(Row {
            rotation: connection.rotation.name.clone(),
            connection: connection.shown(),
            tenant: tenant.map(|tenant| tenant.expose().chars().take(64).collect()),
            tenant_name: asked.or_else(known),
            access_ends: standing.access_ends.map(moment),
            access_left: left(standing.access_ends),
            refreshed: standing.refreshed.map(moment),
            by,
            refresh_ends: refresh_ends.map(moment),
            refresh_left: left(refresh_ends),
            missing: standing.missing.iter().map(ToString::to_string).collect(),
            problems: said.into_iter().chain(open).chain(others).collect(),
            refused,
        })
    }

    fn cells(&self, drawn: bool, by: bool) -> Vec<Cell> {
        let tenant = self.tenant_name.as_deref().or(self.tenant.as_deref()).unwrap_or_default();
        let access = life(self.access_left, ACCESS, drawn);
        let refresh = match self.refused {
            Some(_) => "refused".to_owned(),
            None => life(self.refresh_left, UNUSED, drawn),
        };
        // A token that ended is what it does every half hour.
        let quiet = if self.access_left.is_some_and(|left| left > 0) { Tone::Good } else { Tone::Faint };
        let tone = match self.refresh_left {
            _ if self.refused.is_some() => Tone::Bad,
            Some(left) if left <= 0 => Tone::Bad,
            Some(left) if left <= 15 * 86_400 => Tone::Notable,
            _ => Tone::Good,
        };
        // The refresh token's life begins with the refresh.
        let age = self.refresh_left.map(|left| UNUSED - SignedDuration::from_secs(left));
        let refreshed = match (drawn, age) {
            (true, Some(age)) => format!("{} ago", words(age.max(SignedDuration::ZERO))),
            _ => self.refreshed.clone().unwrap_or_default(),
        };
        let mut cells = vec![
            Cell::plain(&self.connection),
            Cell::plain(tenant),
            Cell::new(&access, quiet),
            Cell::new(&refresh, tone),
            Cell::plain(&refreshed),
        ];
        if by {
            cells.push(Cell::plain(self.by.as_deref().map(short).unwrap_or_default()));
        }
        cells
    }
}

/// The part of an ARN that people know somebody by.
fn short(arn: &str) -> &str {
    arn.splitn(6, ':').nth(5).filter(|_| arn.starts_with("arn:")).unwrap_or(arn)
}

fn show(ctx: &Context, rows: &[Row]) -> Result<()> {
    let by = rows.iter().any(|row| row.by.is_some());
    let columns = ["connection", "organisation", "access token", "refresh token", "refreshed"];
    let mut table = Table::new(columns.into_iter().chain(by.then_some("by")));
    let drawn = ctx.ui.stdout_is_terminal();
    rows.iter().for_each(|row| table.row(row.cells(drawn, by)));
    ctx.ui.table(&table)?;
    for row in rows {
        for problem in &row.problems {
            ctx.ui.warning(&format!("{}: {problem}", row.connection));
        }
    }
    Ok(())
}

/// A problem in words, and what to type, where that is known.
pub(super) fn told(
    problem: &Problem,
    connection: &Connection<'_>,
    strongroom: &str,
) -> (String, Option<String>) {
    let word = connection.word();
    let login = format!("`{strongroom} xero login {word}`");
    let time = &connection.parts.token_expires_at.key;
    match problem {
        Problem::NoLogin => ("nobody has logged in for it".to_owned(), Some(login)),
        Problem::Missing(parts) => {
            let names: Vec<&str> = parts.iter().map(|part| part.key.as_str()).collect();
            let app = [&connection.parts.client_id, &connection.parts.client_secret];
            let how = match parts.iter().find(|part| app.contains(part)) {
                Some(first) => format!("`{strongroom} set {first}`"),
                None => login,
            };
            (format!("{} missing", names.join(", ")), Some(how))
        }
        Problem::Ended => {
            ("its refresh token was not used for 60 days, and Xero takes it no more".to_owned(), Some(login))
        }
        Problem::EndsSoon { left } => (
            format!("its refresh token ends in {} unless it is used", words(*left)),
            Some(format!("`{strongroom} rotate {word}`")),
        ),
        Problem::NoTime => (format!("{time} is no time that is known"), None),
        Problem::LaterThanItself => {
            (format!("{time} says that the access token lives longer than the token itself does"), None)
        }
    }
}

/// What is left of a life, as a bar where it is drawn, and in words.
fn life(left: Option<i64>, whole: SignedDuration, drawn: bool) -> String {
    let Some(left) = left.map(SignedDuration::from_secs) else { return String::new() };
    match (left.is_positive(), drawn) {
        (true, true) => format!("{} {}", bar(left, whole), words(left)),
        (true, false) => format!("{} left", words(left)),
        (false, true) => format!("{} ended {} ago", bar(left, whole), words(left.abs())),
        (false, false) => format!("ended {} ago", words(left.abs())),
    }
}

/// Full where all of it is left, empty where nothing is.
fn bar(left: SignedDuration, whole: SignedDuration) -> String {
    let share = (left.as_secs_f64() / whole.as_secs_f64()).clamp(0.0, 1.0);
    // Something is left as long as anything is.
    let full = (share * BAR as f64).ceil() as usize;
    format!("{}{}", "█".repeat(full), "░".repeat(BAR - full))
}

/// In the largest unit of which there are two.
fn words(time: SignedDuration) -> String {
    let minutes = time.as_mins();
    match minutes {
        0..120 => format!("{minutes} min"),
        120..2_880 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1_440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_a_bar_on_a_terminal_and_words_everywhere() {
        let minutes = |left: i64| Some(left * 60);
        assert_eq!(life(minutes(24), ACCESS, true), "███████░ 24 min");
        assert_eq!(life(minutes(24), ACCESS, false), "24 min left");
        assert_eq!(life(minutes(1), ACCESS, true), "█░░░░░░░ 1 min");
        assert_eq!(life(minutes(-200), ACCESS, true), "░░░░░░░░ ended 3 h ago");
        assert_eq!(life(minutes(45), ACCESS, true), "████████ 45 min");
        assert_eq!(life(Some(59 * 86_400), UNUSED, false), "59 d left");
        assert_eq!(life(None, UNUSED, true), "");
    }

    #[test]
    fn somebody_is_known_by_the_end_of_an_arn() {
        assert_eq!(short("arn:aws:sts::111122223333:assumed-role/eb-ec2/i-0"), "assumed-role/eb-ec2/i-0");
        assert_eq!(short("alice"), "alice");
    }
}
