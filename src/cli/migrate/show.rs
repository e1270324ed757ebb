//! A migration as a person sees it before and while it is done: what moves and why, what is where afterwards, the
//! manifest's edit. Never a value.

use super::preflight::Preflight;
use crate::cli::context::Context;
use crate::cli::table::Tone;
use crate::cli::ui::{plural, shown};
use crate::desired::Revision;
use crate::migrate::cost::{self, Layout, Prices};
use crate::migrate::{Decision, Foreseen, Goes, SAID, Stage, Values};
use crate::name::Address;
use crate::plan::{Plan, Want};
use crate::policy::{self, Bearer, Remark};
use crate::snapshot::Entry;
use crate::store::{Condition, ManifestFile, Stores};
use anyhow::Result;
use similar::TextDiff;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

/// So many units are told one by one; what is more is counted.
const LISTED: usize = 24;

/// What there is to be shown.
pub(super) struct Shown<'a> {
    pub(super) decision: &'a Decision,
    pub(super) looked: &'a Preflight,
    pub(super) foreseen: &'a Foreseen,
    pub(super) plan: &'a Plan,
    pub(super) values: &'a Values,
    pub(super) canary: Option<&'a Address>,
    pub(super) stores: &'a Stores,
}

/// The whole plan.
pub(super) fn text(then: &Context, command: &str, shown: &Shown<'_>) -> Result<String> {
    let mut text = format!("{command}\n{}", then.caller_line(shown.plan)?);
    text.push_str("secret or plain as the manifest says, where no other reason is given:\n");
    variables(then, shown.decision, &shown.foreseen.copies, &mut text);
    places(then, shown, &mut text);
    surprises(then, shown, &mut text);
    manifest(then, shown.plan, &mut text)?;
    price(then, shown.values, shown.plan, &mut text)?;
    for note in shown.looked.notes() {
        let _ = writeln!(text, "{} {}", then.ui.toned(Tone::Notable, "!"), note.replace('\n', "\n  "));
    }
    let ecs = shown.looked.conditions.iter().any(|(_, condition)| condition.facts.ecs);
    instance_policy(then, ecs, &mut text)?;
    Ok(text)
}

/// What the instances must be allowed before they can resolve references.
fn instance_policy(then: &Context, ecs: bool, text: &mut String) -> Result<()> {
    let answer = policy::policy(&then.project()?.manifest, then.environment()?, Bearer::Instance);
    if answer.policy.is_empty() {
        return Ok(());
    }
    let _ = writeln!(text, "the instance profile must be allowed this before:");
    for line in answer.policy.json().lines() {
        let _ = writeln!(text, "  {line}");
    }
    // On other platforms nobody but the instances resolves anything.
    for remark in answer.remarks.iter().filter(|remark| ecs || **remark != Remark::ResolvesReferences) {
        let _ = writeln!(text, "  {} {remark}", then.ui.toned(Tone::Notable, "!"));
    }
    Ok(())
}

/// What is a secret and why, and what becomes of it.
fn variables(then: &Context, decision: &Decision, copies: &Plan, text: &mut String) {
    let changes = |address: &Address| copies.changes().any(|(_, change)| change.address == *address);
    let width = decision.rows.iter().map(|row| row.address.to_string().chars().count()).max().unwrap_or(0);
    for row in &decision.rows {
        let kind = if row.secret { "secret" } else { "plain " };
        let becomes = match (row.goes, changes(&row.address)) {
            (Goes::ByReference, true) => "becomes a reference",
            (Goes::ByReference, false) => "is a reference",
            (Goes::Nowhere, _) => "goes to no environment",
            (Goes::ByValue, true) => "becomes a plain property",
            (Goes::ByValue, false) => "stays a plain property",
        };
        // The manifest is the rule; what is decided otherwise is worth a word.
        let why = if row.why == SAID { String::new() } else { format!(" ({})", row.why) };
        let address = row.address.to_string();
        let _ = writeln!(text, "  {kind}  {address:<width$}  {becomes}{why}");
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
fn places(then: &Context, all: &Shown<'_>, text: &mut String) {
    let writes: Vec<&crate::plan::Write> =
        all.foreseen.home.writes.iter().chain(&all.foreseen.copies.writes).collect();
    let mut told = BTreeSet::new();
    for (index, write) in writes.iter().enumerate() {
        if index == 0 || writes[index - 1].place != write.place {
            let location = all.stores.get(&write.place).map(|store| store.location());
            let _ = writeln!(text, "{}", shown(&location.unwrap_or_default()));
            if let Some((_, condition)) =
                all.looked.conditions.iter().find(|(place, _)| *place == write.place)
            {
                let Condition { platform, status, health, bytes, .. } = condition;
                let _ = writeln!(
                    text,
                    "    {}, {status}, {health}; {bytes} bytes of plain properties now",
                    shown(platform)
                );
            }
        }
        if index < LISTED || writes.len() - index < 3 {
            unit(then, write, text);
        } else if index == LISTED {
            let _ = writeln!(text, "  … and {} more", writes.len() - LISTED - 2);
        }
        for note in write.notes.iter().filter(|note| told.insert(*note)) {
            let _ = writeln!(text, "  {} {}", then.ui.toned(Tone::Notable, "!"), shown(note));
        }
    }
}

/// What nobody would see from the units alone: values of others that go, variables that come, the canary.
fn surprises(then: &Context, all: &Shown<'_>, text: &mut String) {
    let sign = then.ui.toned(Tone::Notable, "!");
    for (place, change) in all.foreseen.home.changes().filter(|(_, change)| change.before.is_some()) {
        let _ =
            writeln!(text, "  {sign} {place} {}: another value is there, and is replaced", change.address);
    }
    for (place, address) in &all.foreseen.added {
        let _ = writeln!(text, "  {sign} {place} {address}: it is not there now, and comes");
    }
    if let Some(canary) = all.canary {
        let _ = writeln!(
            text,
            "  {canary} goes first, in an update of its own: what is below must allow the instances to read it too"
        );
    }
}

/// One unit: whether it is new, and what it gets.
fn unit(then: &Context, write: &crate::plan::Write, text: &mut String) {
    let changes = write.changes.iter().filter(|change| change.address != Revision::address());
    let refers = |change: &&crate::plan::Change| matches!(&change.after, Want::Present(wanted) if wanted.held.value().is_none());
    let references = changes.clone().filter(refers).count();
    let counted = [(changes.count() - references, "value"), (references, "reference")];
    let counted = counted.into_iter().filter(|(count, _)| *count > 0);
    let counted: Vec<String> = counted.map(|(count, what)| plural(count, what)).collect();
    let sign = match write.changes.iter().any(|change| change.before.is_some()) {
        true => then.ui.toned(Tone::Notable, "~"),
        false => then.ui.toned(Tone::Good, "+"),
    };
    let _ = writeln!(text, "  {sign} {}  {}", shown(&write.unit.0), counted.join(", "));
}

/// What the values cost where they are to be, and how long it takes until they are there.
fn price(then: &Context, values: &Values, plan: &Plan, text: &mut String) -> Result<()> {
    let (manifest, spec) = (&then.project()?.manifest, then.environment()?);
    let told = cost::cost(manifest, spec, &sizes(values), &spec.home);
    let _ = writeln!(text, "cost: {told}");
    let _ = writeln!(text, "      {}", Prices::of(manifest).source());
    let plain = |address: &&Address| manifest.key(address).is_some_and(|key| !key.secret);
    let plain = values.held.entries.keys().filter(plain).count();
    if told.secrets >= values.held.entries.len() && plain > 0 {
        let plain = plural(plain, "plain value");
        let _ = writeln!(
            text,
            "      {plain} among them: with `value` in the manifest they would need no secret"
        );
    }
    if let Some(time) = time(then, plan)? {
        let _ = writeln!(text, "time: {time}");
    }
    Ok(())
}

/// How long it takes: what the new home's quota leaves at least, a second's worth of writes at once. Reading back is in
/// batches, and hardly counts. None where it is over at once.
fn time(then: &Context, plan: &Plan) -> Result<Option<String>> {
    let (home, stores) = (then.home_name()?, then.stores()?);
    let of_home: Vec<_> = plan.writes.iter().filter(|write| write.place == home).collect();
    let all: Duration = of_home.iter().map(|write| stores[&home].interval(write)).sum();
    let least = all.saturating_sub(Duration::from_secs(1)).as_secs_f64().ceil();
    let mut parts = Vec::new();
    if least > 0.0 {
        let rate = (of_home.len() as f64 / all.as_secs_f64()).round();
        parts.push(format!("{} at {rate} a second, at least {least} s", plural(of_home.len(), "write")));
    }
    if plan.writes.iter().any(|write| write.place != home && write.place != ManifestFile::PLACE) {
        parts.push("a deployment, which takes minutes".to_owned());
    }
    Ok((!parts.is_empty()).then(|| parts.join(", then ")))
}

/// What the values cost a month where they are to be, and by which prices.
pub(super) fn cost(then: &Context, values: &Values) -> Result<String> {
    let (manifest, spec) = (&then.project()?.manifest, then.environment()?);
    let told = cost::cost(manifest, spec, &sizes(values), &spec.home);
    Ok(format!("{told} ({})", Prices::of(manifest).source()))
}

/// How many bytes each value has.
fn sizes(values: &Values) -> Vec<(Address, usize)> {
    let sized = |(address, entry): (&Address, &Entry)| Some((address.clone(), entry.held.value()?.len()));
    values.held.entries.iter().filter_map(sized).collect()
}

/// Other layouts of the same values, with what each costs.
pub(super) fn ways(then: &Context, values: &Values) -> Result<Vec<String>> {
    let all = cost::alternatives(&then.project()?.manifest, then.environment()?, &sizes(values));
    let of = |layout: Layout| all.iter().find(|(one, _)| *one == layout).map(|(_, cost)| cost.to_string());
    let per_key =
        of(Layout::SecretPerKey).map(|cost| format!("`--secret-per-key` needs no JSON keys: {cost}"));
    let ssm = of(Layout::Parameters).map(|cost| format!("`--to ssm` needs none either: {cost}"));
    Ok(per_key.into_iter().chain(ssm).collect())
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
