//! The report of a migration, as Markdown that can be sent to a reviewer: what was where before and is where now, the
//! steps in their order, what was verified and how. Never a value.
//!
//! Pure: it is made of what the journal says, so that it can be made again as long as the operation is kept.

use crate::desired::Revision;
use crate::journal::{Ending, Operation, Step};
use crate::manifest::{Manifest, Place};
use crate::name::Address;
use crate::plan::{Change, Want, Write};
use crate::snapshot::Held;
use crate::store::ManifestFile;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What a report is made of.
pub struct Report<'a> {
    /// The project.
    pub project: &'a str,
    /// The environment.
    pub environment: &'a str,
    /// Who did it, where AWS was asked.
    pub caller: Option<String>,
    /// The operation, with its sealed values opened.
    pub operation: &'a Operation,
    /// Its journal.
    pub steps: &'a [(Timestamp, Step)],
    /// The manifest that stands now.
    pub manifest: &'a Manifest,
    /// The policy that the instances need, as JSON; empty where they need none.
    pub policy: String,
    /// What the values cost where they are now.
    pub cost: String,
}

impl Report<'_> {
    /// The text.
    pub fn markdown(&self) -> String {
        let mut text =
            format!("# {} of `{}`, {}\n\n", self.operation.command(), self.environment, self.project);
        self.head(&mut text);
        self.values(&mut text);
        self.order(&mut text);
        self.verified(&mut text);
        if !self.policy.is_empty() {
            let _ = writeln!(
                text,
                "\n## What the instances must be allowed\n\n```json\n{}\n```",
                self.policy.trim()
            );
        }
        let id = self.operation.id();
        let _ = writeln!(
            text,
            "\n## Taking it back\n\n`strongroom -e {} undo {id}` brings every option setting back, and schedules the secrets that \
             this created for deletion. On another machine, `strongroom backup restore FILE` does it from the backup and an \
             identity that is among its recipients.",
            self.environment
        );
        text.push_str(
            "\n## What may still hold the old values\n\nThe values were plain properties until now: saved configurations, \
             `.ebextensions`, logs of instances, CloudFormation's history and CloudTrail may have them. `strongroom doctor` says \
             what it can see of that. New values are the remedy.\n",
        );
        text
    }

    fn head(&self, text: &mut String) {
        let begun = self.steps.first().map(|(at, _)| moment(*at)).unwrap_or_default();
        let ended = self.steps.iter().rev().find(|(_, step)| matches!(step, Step::Ended { .. }));
        let ended = ended.map_or_else(|| "not yet".to_owned(), |(at, _)| moment(*at));
        let backup = self.steps.iter().find_map(|(_, step)| match step {
            Step::BackedUp { file } => Some(file.as_str()),
            _ => None,
        });
        let mut row = |name: &str, value: &str| {
            let _ = writeln!(text, "| {name} | {value} |");
        };
        row("operation", &format!("`{}`", self.operation.id()));
        row("---", "---");
        row("begun, ended", &format!("{begun}, {ended}"));
        row("by", self.caller.as_deref().unwrap_or("not asked"));
        row("backup", &backup.map_or_else(|| "none".to_owned(), |file| format!("`{file}`")));
        row("cost", &self.cost);
    }

    fn values(&self, text: &mut String) {
        text.push_str("\n## What is where\n\n");
        let mut places: BTreeMap<&str, &str> = BTreeMap::new();
        for (index, write) in self.operation.writes().iter().enumerate() {
            places.insert(&write.place, self.operation.location(index));
        }
        for (place, location) in places {
            let _ = writeln!(text, "- `{place}` is {location}");
        }
        text.push_str("\n| key | | before | after |\n| --- | --- | --- | --- |\n");
        let mut rows: BTreeMap<&Address, Row<'_>> = BTreeMap::new();
        for write in self.operation.writes() {
            if write.place == ManifestFile::PLACE {
                continue;
            }
            for change in write.changes.iter().filter(|change| change.address != Revision::address()) {
                rows.entry(&change.address).or_default().add(write, change);
            }
        }
        for (address, mut row) in rows {
            let secret = self.manifest.key(address).is_some_and(|key| key.secret);
            let kind = if secret { "secret" } else { "plain" };
            self.unchanged(address, secret, &mut row);
            let or_nothing =
                |all: &[String]| if all.is_empty() { "nothing".to_owned() } else { all.join("; ") };
            let _ = writeln!(
                text,
                "| `{address}` | {kind} | {} | {} |",
                or_nothing(&row.before),
                or_nothing(&row.after.into_values().collect::<Vec<_>>())
            );
        }
    }

    /// The copies that have a value as they had it before.
    fn unchanged(&self, address: &Address, secret: bool, row: &mut Row<'_>) {
        let copies = self.manifest.environment(self.environment).map(|spec| spec.copies.values());
        for copy in copies.into_iter().flatten() {
            let place = Place::Beanstalk { copy: copy.name.clone() }.to_string();
            let environment = self.environment.parse().ok();
            let gets = environment
                .and_then(|name| self.manifest.property_of(&name, &copy.selection, address))
                .is_some();
            let by_value = gets && !copy.refers_to(address, secret);
            if by_value && !row.after.contains_key(place.as_str()) {
                row.before.push(format!("value in `{place}`, which stays"));
            }
        }
    }

    fn order(&self, text: &mut String) {
        text.push_str("\n## The steps\n\n");
        let write = |index: usize| {
            let write = self.operation.writes().get(index);
            write.map_or_else(|| "a write".to_owned(), |write| format!("`{}` of {}", write.unit, write.place))
        };
        for (at, step) in self.steps {
            let told = match step {
                Step::Begun { command, .. } => format!("begun: {command}"),
                Step::BackedUp { file } => {
                    format!("sealed into `{file}`, which was opened again and compared")
                }
                Step::Planned { writes, .. } => {
                    format!("planned: {}; values before and after sealed", counted(writes.len()))
                }
                Step::Applied { write: index, version, request, .. } => {
                    let version = version.as_ref().map(|version| format!(", version {version}"));
                    let request = request.as_ref().map(|request| format!(", request {request}"));
                    format!(
                        "written: {}{}{}",
                        write(*index),
                        version.unwrap_or_default(),
                        request.unwrap_or_default()
                    )
                }
                Step::Settled { write: index } => format!("in force, and read back: {}", write(*index)),
                Step::Refused { write: index, reason } => format!("refused: {}: {reason}", write(*index)),
                Step::Unknown { write: index, reason } => format!("no answer: {}: {reason}", write(*index)),
                Step::RolledBack { write: index, reason } => {
                    format!("rolled back by AWS: {}: {reason}", write(*index))
                }
                Step::Checked { what } => format!("checked: {what}"),
                Step::Ended { ending: Ending::Done, .. } => "done".to_owned(),
                Step::Ended { ending: Ending::Nothing, .. } => "ended, and nothing was changed".to_owned(),
                Step::Ended { ending: Ending::Stands, .. } => "given up, and what was done stands".to_owned(),
                Step::Ended { ending: Ending::Undone, .. } => "ended, and was undone".to_owned(),
                Step::Intent { .. }
                | Step::Chosen { .. }
                | Step::Minting { .. }
                | Step::Minted { .. }
                | Step::Acting { .. }
                | Step::Acted { .. }
                | Step::Soaking { .. } => {
                    continue;
                }
            };
            let _ = writeln!(text, "1. {} {}", moment(*at), told.replace('\n', " "));
        }
    }

    fn verified(&self, text: &mut String) {
        text.push_str("\n## What was verified, and how\n\n");
        let mut row = |what: &str| {
            let _ = writeln!(text, "- {what}");
        };
        if self.steps.iter().any(|(_, step)| matches!(step, Step::BackedUp { .. })) {
            row("the backup was opened with an identity and compared with what had been read");
        }
        row("the values before and after were sealed, and opened again, before the first write");
        row("every write was read back after it was in force, and compared with what it was to be");
        let rolled_back = self.steps.iter().any(|(_, step)| matches!(step, Step::RolledBack { .. }));
        if !rolled_back {
            row(
                "each update of an environment ended without a word of a failure from AWS, and with what was sent",
            );
        }
        for (_, step) in self.steps {
            if let Step::Checked { what } = step {
                row(what);
            }
        }
    }
}

/// What one address was and is, at each place.
#[derive(Default)]
struct Row<'a> {
    before: Vec<String>,
    after: BTreeMap<&'a str, String>,
}

impl<'a> Row<'a> {
    fn add(&mut self, write: &'a Write, change: &Change) {
        let place = write.place.as_str();
        // What was there before the first write of a place counts, and what the last one left.
        if !self.after.contains_key(place)
            && let Some(entry) = &change.before
        {
            self.before.push(told(&entry.held, place));
        }
        let after = match &change.after {
            Want::Present(wanted) => told(&wanted.held, place),
            Want::Absent => format!("nothing in `{place}`"),
        };
        self.after.insert(place, after);
    }
}

fn told(held: &Held, place: &str) -> String {
    match held {
        Held::Value(_) => format!("value in `{place}`"),
        Held::Reference(name) => format!("reference in `{place}` to `{name}`"),
    }
}

fn counted(writes: usize) -> String {
    if writes == 1 { "1 write".to_owned() } else { format!("{writes} writes") }
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
