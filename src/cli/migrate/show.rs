//! A migration as a person sees it before and while it is done: what moves and why, what is where afterwards, the
//! manifest's edit. Never a value.

use crate::cli::context::Context;
use crate::cli::table::Tone;
use crate::cli::ui::{plural, shown};
use crate::desired::Revision;
use crate::migrate::{Decision, Foreseen, Stage};
use crate::plan::{Plan, Want};
use crate::store::{ManifestFile, Stores};
use anyhow::Result;
use similar::TextDiff;
use std::fmt::Write;

/// The whole plan.
pub(super) fn text(
    then: &Context,
    command: &str,
    decision: &Decision,
    foreseen: &Foreseen,
    plan: &Plan,
) -> Result<String> {
    let mut text = format!("{command}\n{}", then.caller_line(plan)?);
    variables(then, decision, &mut text);
    places(then, foreseen, &mut text)?;
    manifest(then, plan, &mut text)?;
    Ok(text)
}

/// What is a secret and why, and what becomes of it.
fn variables(then: &Context, decision: &Decision, text: &mut String) {
    let width = decision.rows.iter().map(|row| row.address.to_string().chars().count()).max().unwrap_or(0);
    for row in &decision.rows {
        let kind = if row.secret { "secret" } else { "plain " };
        let then_is = if row.by_reference { "becomes a reference" } else { "stays in the properties too" };
        let address = row.address.to_string();
        let _ = writeln!(text, "  {kind}  {address:<width$}  {then_is} ({})", row.why);
    }
    for row in decision.rows.iter().filter(|row| row.suspicious.is_some()) {
        let why = row.suspicious.unwrap_or_default();
        let sign = then.ui.toned(Tone::Notable, "!");
        let _ = writeln!(
            text,
            "  {sign} {} is plain by the manifest and looks secret ({why}): --secret {} moves it",
            row.address, row.address.key
        );
    }
    if !decision.left.is_empty() {
        let names: Vec<String> = decision.left.iter().map(|key| shown(key.as_str())).collect();
        let _ = writeln!(text, "  not declared, and left as it is: {}", names.join(", "));
    }
}

/// What is written where, by unit.
fn places(then: &Context, foreseen: &Foreseen, text: &mut String) -> Result<()> {
    let stores = then.stores()?;
    let mut place = "";
    for write in foreseen.home.writes.iter().chain(&foreseen.copies.writes) {
        if place != write.place {
            let location = stores.get(&write.place).map(|store| store.location()).unwrap_or_default();
            let _ = writeln!(text, "{}", shown(&location));
            place = &write.place;
        }
        let own = |change: &&crate::plan::Change| change.address != Revision::address();
        let refers = |change: &&crate::plan::Change| matches!(&change.after, Want::Present(wanted) if wanted.held.value().is_none());
        let changes = write.changes.iter().filter(own);
        let (references, values) =
            (changes.clone().filter(refers).count(), changes.filter(|change| !refers(change)).count());
        let sign = match write.changes.iter().any(|change| change.before.is_some()) {
            true => then.ui.toned(Tone::Notable, "~"),
            false => then.ui.toned(Tone::Good, "+"),
        };
        let counted = [(values, "value"), (references, "reference")];
        let counted: Vec<String> = counted
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| plural(count, what))
            .collect();
        let _ = writeln!(text, "  {sign} {}  {}", shown(&write.unit.0), counted.join(", "));
        for note in &write.notes {
            let _ = writeln!(text, "  {} {}", then.ui.toned(Tone::Notable, "!"), shown(note));
        }
    }
    Ok(())
}

/// The manifest's edit, line by line.
fn manifest(then: &Context, plan: &Plan, text: &mut String) -> Result<()> {
    let Some(write) = plan.writes.iter().find(|write| write.place == ManifestFile::PLACE) else {
        return Ok(());
    };
    let _ = writeln!(text, "{}, last", shown(&then.project()?.path.display().to_string()));
    for change in &write.changes {
        let before = change.before.as_ref().and_then(|entry| entry.held.value());
        let after = match &change.after {
            Want::Present(wanted) => wanted.held.value(),
            Want::Absent => None,
        };
        let of = |text: Option<&crate::secret::Secret>| {
            text.map(|text| text.expose().to_owned()).unwrap_or_default()
        };
        let (before, after) = (of(before), of(after));
        let diff = TextDiff::from_lines(before.as_str(), after.as_str());
        for line in diff.iter_all_changes() {
            let (tone, sign) = match line.tag() {
                similar::ChangeTag::Equal => continue,
                similar::ChangeTag::Delete => (Tone::Bad, "-"),
                similar::ChangeTag::Insert => (Tone::Good, "+"),
            };
            let _ = writeln!(text, "  {} {}", then.ui.toned(tone, sign), shown(line.value().trim_end()));
        }
    }
    Ok(())
}

/// What is known to be left of a migration that stopped.
pub(super) fn remaining(then: &Context, command: &str, plan: &Plan, stores: &Stores) -> Result<String> {
    let mut text = format!("{command}\n{}", then.caller_line(plan)?);
    text.push_str(&then.listed(&then.lines(plan), stores));
    text.push_str("then whatever is not there yet: references, checks, and the manifest\n");
    Ok(text)
}

/// What is said when a stage begins.
pub(super) fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Home => "values go to the new home",
        Stage::Canary => "one reference goes first",
        Stage::Copies => "references go to the environment",
        Stage::Checks => "references are read back and compared",
        Stage::Probe => "the app is asked",
        Stage::Manifest => "the manifest is changed",
    }
}
