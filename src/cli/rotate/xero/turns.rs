//! Several logins, one after the other: one that fails is told and in nobody's way, and one that Xero is silent about is
//! asked for again once the others had their turn, without a lease meanwhile.
//!
//! Owns the order of the turns and what is said of each. What is done in one is [`crate::rotate::xero`]'s to know.

use super::super::super::report::{Exit, Report, Stop};
use super::super::super::ui::plural;
use super::super::show;
use super::{Login, Run, moment};
use crate::apply::{self, Done};
use crate::journal::Begin;
use crate::rotate::xero::XeroLogin;
use crate::rotate::{self, Foreseen};
use crate::store::OperationId;
use anyhow::{Error, Result};
use jiff::Timestamp;
use std::cell::RefCell;

/// How many logins Xero may be silent about before no other token is put at risk.
const SILENT: usize = 2;

/// One login that is not done yet.
struct Turn<'a> {
    login: &'a Login,
    foreseen: &'a Foreseen,
    rotation: XeroLogin<'a>,
    /// Its operation, once that is begun.
    operation: RefCell<Option<OperationId>>,
    /// When it is to be asked for again.
    until: Option<Timestamp>,
}

/// What has become of those that are.
struct Ended {
    exits: Vec<Exit>,
    refreshed: usize,
    failed: Vec<String>,
}

impl Run<'_> {
    /// Refreshes all of them.
    pub(super) fn all_of(&self, meant: &[Login], foreseen: &[Foreseen], exit: Exit) -> Result<Exit> {
        let ctx = self.story.ctx;
        let mut ended = Ended { exits: vec![exit], refreshed: 0, failed: Vec::new() };
        let turn = |(login, foreseen)| {
            let operation = RefCell::new(login_operation(login));
            Ok(Turn { login, foreseen, rotation: self.rotation(login)?, operation, until: None })
        };
        let mut left: Vec<Turn<'_>> = meant.iter().zip(foreseen).map(turn).collect::<Result<_>>()?;
        while !left.is_empty() {
            let (all, mut silent, mut later) = (left.len(), 0, Vec::new());
            for mut turn in left {
                // Xero is not well: another token would only be put at risk beside those that are.
                if silent >= SILENT && turn.operation.borrow().is_none() {
                    later.push(turn);
                    continue;
                }
                turn.rotation.hurries = all > 1;
                match self.one(&turn) {
                    Ok(done) => {
                        silent = 0;
                        ended.refreshed += 1;
                        self.tell_done(&turn, &done)?;
                    }
                    Err(error) if meant.len() == 1 => return Err(error),
                    Err(error) => match turn.rotation.put_off() {
                        Some(until) if !ctx.interrupted.get() => {
                            silent += 1;
                            self.tell_put_off(&turn, until);
                            later.push(Turn { until: Some(until), ..turn });
                        }
                        _ => {
                            let report = ended.failed(self.name(turn.login), &error);
                            ctx.ui.error(&report);
                            if report.exit == Exit::Busy || ctx.interrupted.get() {
                                // It is the same for all of them.
                                return Ok(self.tell_end(meant, ended));
                            }
                        }
                    },
                }
            }
            left = later;
            if let Err(error) = self.wait_between(&left) {
                ctx.ui.error(&ended.failed(self.names(&left), &error));
                break;
            }
        }
        Ok(self.tell_end(meant, ended))
    }

    fn one(&self, turn: &Turn<'_>) -> Result<Done> {
        let (ctx, command) = (self.story.ctx, self.command(turn.login));
        let holders = self.holders()?;
        let goes_on = self.story.goes_on(&command)?;
        let begun = turn.operation.borrow().clone();
        let home = ctx.home_location()?;
        let done = ctx.under_way((&command, begun.as_ref()), Some(ctx.leases()?), async |journal, watch| {
            let mut operation = match &begun {
                Some(id) => apply::reopened(journal, id)?,
                None => {
                    let (goes_on, home) = (Some(goes_on.as_str()), Some(home.as_str()));
                    journal.begin(&Begin {
                        command: &command,
                        undoes: None,
                        goes_on,
                        in_order: true,
                        home,
                    })?
                }
            };
            turn.operation.replace(Some(operation.id().clone()));
            rotate::drive(&mut operation, &turn.rotation, &holders, false, watch).await
        });
        done.map_err(|error| self.explained(&turn.rotation, error))
    }

    /// After Ctrl-C: what is so at Xero, and until when.
    pub(super) fn explained(&self, rotation: &XeroLogin<'_>, error: Error) -> Error {
        match error.downcast_ref::<Stop>() {
            Some(stop) if self.story.ctx.interrupted.get() && stop.is(Exit::Midway) => {
                let (what, hint) = rotation.interrupted();
                Stop::new(Exit::Midway, format!("{stop}. {what}")).hint(hint).into()
            }
            _ => error,
        }
    }

    /// Waits until the first of several is to be asked for again; a last one waits by itself, under its lease.
    fn wait_between(&self, left: &[Turn<'_>]) -> Result<()> {
        let ctx = self.story.ctx;
        let Some(until) = left.iter().filter_map(|turn| turn.until).min().filter(|_| left.len() > 1) else {
            return Ok(());
        };
        let wait = until.duration_since((ctx.clock())()).try_into().unwrap_or_default();
        let waited = ctx.wait_for(async {
            tokio::time::sleep(wait).await;
            Ok(())
        });
        waited.map_err(|_| {
            ctx.interrupted.set(true);
            let asked = left.iter().filter(|turn| turn.operation.borrow().is_some());
            let asked: Vec<_> = asked.map(|turn| turn.rotation.interrupted()).collect();
            let what: Vec<&str> = asked.iter().map(|(what, _)| what.as_str()).collect();
            let stop = Stop::new(Exit::Midway, format!("interrupted. {}", what.join("; ")));
            asked.iter().fold(stop, |stop, (_, hint)| stop.hint(hint)).into()
        })
    }

    fn tell_done(&self, turn: &Turn<'_>, done: &Done) -> Result<()> {
        let ctx = self.story.ctx;
        ctx.warn_of_left(&done.left);
        let command = self.command(turn.login);
        let members = turn.rotation.members();
        let name = match members.is_empty() {
            true => self.name(turn.login),
            false => self.named(&members),
        };
        ctx.ui.note(&match done.changes {
            0 => format!("{command}: {name} has new tokens of somebody else, which stand"),
            _ => format!("{command}: {name} refreshed, read back and tried"),
        });
        super::super::super::set::remind(ctx, &turn.foreseen.home)?;
        show::document(ctx, &command, turn.foreseen, Some(done)).map(drop)
    }

    fn tell_put_off(&self, turn: &Turn<'_>, until: Timestamp) {
        if turn.until.is_none() {
            self.story.ctx.ui.note(&format!(
                "{}: Xero does not answer; the others come first, and it is asked again from {} on",
                self.command(turn.login),
                moment(until)
            ));
        }
    }

    fn tell_end(&self, meant: &[Login], ended: Ended) -> Exit {
        if !ended.failed.is_empty() {
            self.story.ctx.ui.note(&format!(
                "{}: {} of {} refreshed; not {}",
                self.story.command(),
                ended.refreshed,
                plural(meant.len(), "login"),
                ended.failed.join(", ")
            ));
        }
        let person = ended.exits.contains(&Exit::Person);
        if person { Exit::Person } else { ended.exits.into_iter().max().unwrap_or(Exit::Done) }
    }

    fn names(&self, left: &[Turn<'_>]) -> String {
        left.iter().map(|turn| self.name(turn.login)).collect::<Vec<_>>().join(", ")
    }
}

impl Ended {
    /// Counts one that failed.
    fn failed(&mut self, name: String, error: &Error) -> Report {
        let report = Report::of(error);
        self.failed.push(name);
        self.exits.push(report.exit);
        report
    }
}

fn login_operation(login: &Login) -> Option<OperationId> {
    login.midway.as_ref().map(|one| one.id.clone())
}
