//! `operations`: what was done to an environment from this host, as a table or a document.
//!
//! Owns what is told of an operation in a line. It opens no sealed values.

use super::super::context::Context;
use super::super::report::Exit;
use super::super::table::{Cell, Table, Tone};
use super::super::ui::plural;
use super::here::is_here;
use super::{OperationsArgs, is_unfinished, moment, needs_a_look};
use crate::journal::{Standing, Summary};
use anyhow::Result;
use serde::Serialize;

#[derive(Serialize)]
struct Listed {
    operations: Vec<Row>,
    /// How many are of other places where a project has this name.
    elsewhere: usize,
}

#[derive(Serialize)]
struct Row {
    id: String,
    at: String,
    command: String,
    state: &'static str,
    /// Writes in force.
    done: usize,
    /// Writes planned.
    total: usize,
    addresses: Vec<String>,
    undone_by: Option<String>,
    undoes: Option<String>,
    #[serde(skip)]
    began: jiff::Timestamp,
}

impl Row {
    fn of(summary: &Summary) -> Row {
        let (state, undone_by) = match &summary.standing {
            Standing::Damaged(_) => ("damaged", None),
            Standing::Running => ("running", None),
            Standing::Unfinished => ("unfinished", None),
            Standing::Soaking(_) => ("waiting", None),
            Standing::Done => ("done", None),
            Standing::Nothing => ("changed nothing", None),
            Standing::GivenUp => ("given up", None),
            Standing::Undone(by) => ("undone", Some(by.to_string())),
        };
        Row {
            id: summary.id.to_string(),
            at: moment(summary.at),
            command: summary.command.clone(),
            state,
            done: summary.done,
            total: summary.total,
            addresses: summary
                .targets
                .iter()
                .map(|target| format!("{} {}", target.place, target.address))
                .collect(),
            undone_by,
            undoes: summary.undoes.as_ref().map(ToString::to_string),
            began: summary.at,
        }
    }

    /// The state, with the end of the name of what undid it: the beginnings are all alike.
    fn told(&self) -> String {
        match self.undone_by.as_deref().and_then(|by| by.rsplit('-').next()) {
            Some(by) => format!("{} by …{by}", self.state),
            None => self.state.to_owned(),
        }
    }

    fn cells(&self) -> [Cell; 5] {
        [
            Cell::plain(&self.id),
            Cell::plain(&self.began.strftime("%Y-%m-%d %H:%MZ").to_string()),
            Cell::new(&self.told(), self.tone()),
            Cell::plain(&self.addresses.len().to_string()),
            Cell::plain(&short(&self.command)),
        ]
    }

    fn tone(&self) -> Tone {
        match self.state {
            "unfinished" | "damaged" => Tone::Bad,
            "running" | "waiting" => Tone::Notable,
            "done" => Tone::Good,
            _ => Tone::Faint,
        }
    }
}

pub(in crate::cli) fn list(ctx: &mut Context, _args: &OperationsArgs) -> Result<Exit> {
    let journal = ctx.journal()?;
    let (here, mut listed, mut elsewhere) = (ctx.locations()?, Vec::new(), 0);
    for summary in journal.list()? {
        if !is_here(ctx, &journal, &summary, &here)? {
            elsewhere += 1;
        } else if !summary.targets.is_empty() || summary.touched || needs_a_look(&summary) {
            // One that changes no address tells no place: it is of interest only as long as something is wrong with it.
            listed.push(summary);
        }
    }
    for summary in &listed {
        if let Standing::Damaged(reason) = &summary.standing {
            ctx.ui.warning(reason);
        }
    }
    let rows: Vec<Row> = listed.iter().map(Row::of).collect();
    if ctx.ui.json() {
        ctx.ui.document("operations", &Listed { operations: rows, elsewhere })?;
        return Ok(Exit::Done);
    }
    if elsewhere > 0 {
        ctx.ui.note(&format!(
            "{} of other places where a project has this name: not shown",
            plural(elsewhere, "operation")
        ));
    }
    if rows.is_empty() {
        ctx.ui.note("no operations on this host yet");
        return Ok(Exit::Done);
    }
    let mut table = Table::new(["operation", "when", "state", "addresses", "command"]);
    rows.iter().for_each(|row| table.row(row.cells()));
    ctx.ui.table(&table)?;
    let mut open = listed.iter().filter(|one| is_unfinished(one)).peekable();
    if open.peek().is_some() {
        let back = if open.all(|one| one.lasting) { "" } else { ", `strongroom undo` takes it back" };
        ctx.ui.note(&format!("`strongroom resume` finishes what is unfinished{back}"));
    }
    Ok(Exit::Done)
}

fn short(command: &str) -> String {
    const MOST: usize = 60;
    if command.chars().count() <= MOST {
        return command.to_owned();
    }
    format!("{}…", command.chars().take(MOST).collect::<String>())
}
