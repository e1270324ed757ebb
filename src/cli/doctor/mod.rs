//! `doctor`: what is wrong with a project, and what fixes it. It changes nothing.
//!
//! What is wrong is decided in [`crate::doctor`]; here it is gathered and told. What cannot be looked at is a finding, so
//! that one locked door does not hide what is behind the others.

mod aws;
pub(in crate::cli) mod files;
mod machine;
mod rotations;

use super::context::Context;
use super::reading::Wish;
use super::report::{Exit, Report};
use super::table::Tone;
use super::ui::{plural, shown};
use crate::doctor::{self, Finding, Held, Project, Severity};
use crate::store::Caller;
use anyhow::{Error, Result};
use clap::Args;
use serde::Serialize;

/// Look for what is wrong with the project and its places, each with what fixes it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom doctor
  strongroom -e prod doctor
  strongroom doctor --offline         (only what this machine can tell)

It reads and never writes. Exit code 3 where there is a problem or a warning, 0 where there are
only notes. A check that cannot be made says which permission or connection it lacks.")]
pub(super) struct DoctorArgs {
    /// Make only the checks that need no AWS
    #[arg(long)]
    offline: bool,
}

/// What was looked at together, and what was found there.
struct Section {
    area: String,
    findings: Vec<Finding>,
}

impl Section {
    fn new(area: impl Into<String>, findings: Vec<Finding>) -> Section {
        Section { area: area.into(), findings }
    }
}

pub(super) fn run(ctx: &mut Context, args: &DoctorArgs) -> Result<Exit> {
    let Looked { caller, sections } = look(ctx, args.offline)?;
    if ctx.ui.json() {
        ctx.ui.document(
            "doctor",
            &Document::of(ctx.environment()?.name.as_str(), caller.as_ref(), &sections),
        )?;
    } else {
        if let Some(caller) = &caller {
            ctx.ui.note(&format!("as {}, account {}", shown(&caller.arn), shown(&caller.account)));
        }
        ctx.ui.text(&told(ctx, &sections))?;
        summary(ctx, &sections)?;
    }
    let worst = sections.iter().flat_map(|section| &section.findings).map(|finding| finding.severity).max();
    Ok(if worst >= Some(Severity::Warning) { Exit::Pending } else { Exit::Done })
}

/// What was looked at, and as whom.
struct Looked {
    caller: Option<Caller>,
    sections: Vec<Section>,
}

fn look(ctx: &Context, offline: bool) -> Result<Looked> {
    let project = ctx.project()?;
    let environment = ctx.environment()?;
    let manifest = project.manifest.as_ref();
    let on_aws = environment.home.is_remote() || !environment.copies.is_empty();
    let caller = (on_aws && !offline).then(|| aws::caller(ctx));
    let reachable = !environment.home.is_remote() || matches!(caller, Some(Ok(_)));
    let opened = reachable.then(|| ctx.read_home(&Wish::all()));
    let (home, closed) = match opened {
        Some(Ok(held)) => (Some(held), None),
        Some(Err(error)) => (None, Some(machine::closed(ctx, &error)?)),
        None => (None, offline.then(not_looked_at)),
    };
    let held = match &home {
        Some(home) => Held::of(manifest, environment, &home.snapshot, &home.instances),
        None => Held::default(),
    };
    let found = files::found(project);
    let looked =
        Project { manifest, environment, tree: &found.tree, held: &held, env_files: &found.env_files };
    let mut in_files = doctor::files(&looked);
    in_files.extend(found.unread);
    let mut sections = vec![Section::new("files", in_files)];
    if let Some(home) = &home {
        let mut in_values = doctor::values(&looked);
        in_values.extend(rotations::look(ctx, home)?);
        sections.push(Section::new("values", in_values));
    } else if let Some(closed) = closed {
        sections.push(Section::new("values", vec![closed]));
    }
    sections.push(Section::new("this machine", machine::look(ctx)?));
    let caller = match caller {
        Some(Ok(caller)) => {
            if environment.home.is_remote() {
                sections.push(aws::home(ctx, home.as_ref())?);
            }
            sections.extend(aws::copies(ctx, home.as_ref())?);
            Some(caller)
        }
        Some(Err(error)) => {
            sections.push(Section::new("AWS", vec![aws::no_access(&error)]));
            None
        }
        None => None,
    };
    Ok(Looked { caller, sections })
}

fn not_looked_at() -> Finding {
    Finding::note("not-looked-at", "home is on AWS, and was not looked at")
        .why("with --offline only this machine is")
        .fix("leave out --offline")
}

/// A check that could not be made, by the error that was in its way.
fn not_checked(code: &'static str, what: &str, error: &Error) -> Finding {
    let Report { message, causes, mut hints, .. } = Report::of(error);
    let said: Vec<&str> =
        std::iter::once(message.as_str()).chain(causes.iter().map(String::as_str)).collect();
    let finding = Finding::warning(code, what).why(said.join(": "));
    finding.fix(match hints.is_empty() {
        true => "put that right, and run `strongroom doctor` again".to_owned(),
        false => hints.remove(0),
    })
}

/// Every finding under its area, the worst first.
fn told(ctx: &Context, sections: &[Section]) -> String {
    let mut lines = Vec::new();
    for Section { area, findings } in sections.iter().filter(|section| !section.findings.is_empty()) {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.push(shown(area));
        let mut sorted: Vec<&Finding> = findings.iter().collect();
        sorted.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        sorted.iter().for_each(|finding| lines.extend(lines_of(ctx, finding)));
    }
    lines.join("\n")
}

fn lines_of(ctx: &Context, finding: &Finding) -> Vec<String> {
    let tone = match finding.severity {
        Severity::Problem => Tone::Bad,
        Severity::Warning => Tone::Notable,
        Severity::Note => Tone::Faint,
    };
    let word = ctx.ui.toned_out(tone, &format!("{:7}", finding.severity.word()));
    let place = finding.place.as_ref().map(ToString::to_string);
    let place =
        place.filter(|place| !finding.what.contains(place)).map(|place| format!("{}: ", shown(&place)));
    let code = ctx.ui.toned_out(Tone::Faint, &format!("[{}]", finding.code));
    let mut lines = vec![format!("  {word}  {}{} {code}", place.unwrap_or_default(), shown(&finding.what))];
    if !finding.why.is_empty() {
        lines.push(format!("           why: {}", shown(&finding.why)));
    }
    if let Some(fix) = &finding.fix {
        lines.push(format!("           fix: {}", shown(fix)));
    }
    lines
}

fn summary(ctx: &Context, sections: &[Section]) -> Result<()> {
    let [problems, warnings, notes] = counts(sections);
    let areas: Vec<&str> = sections.iter().map(|section| section.area.as_str()).collect();
    let environment = &ctx.environment()?.name;
    let looked = shown(&areas.join(", "));
    ctx.ui.note(&match problems + warnings + notes {
        0 => format!("{environment}: nothing is wrong in {looked}"),
        _ => {
            let counted = [(problems, "problem"), (warnings, "warning"), (notes, "note")];
            let counted = counted.iter().filter(|(count, _)| *count > 0);
            let counted: Vec<String> = counted.map(|(count, word)| plural(*count, word)).collect();
            format!("{environment}: {} in {looked}", counted.join(", "))
        }
    });
    Ok(())
}

/// Problems, warnings, notes.
fn counts(sections: &[Section]) -> [usize; 3] {
    [Severity::Problem, Severity::Warning, Severity::Note].map(|severity| {
        let all = sections.iter().flat_map(|section| &section.findings);
        all.filter(|finding| finding.severity == severity).count()
    })
}

/// What `--json` says.
#[derive(Serialize)]
struct Document<'a> {
    environment: &'a str,
    /// Who we are on AWS, where it was asked.
    caller: Option<&'a Caller>,
    /// What was looked at.
    checked: Vec<&'a str>,
    problems: usize,
    warnings: usize,
    notes: usize,
    findings: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    code: &'a str,
    severity: &'a str,
    area: &'a str,
    place: Option<String>,
    what: &'a str,
    why: &'a str,
    fix: Option<&'a str>,
}

impl Document<'_> {
    fn of<'a>(environment: &'a str, caller: Option<&'a Caller>, sections: &'a [Section]) -> Document<'a> {
        let [problems, warnings, notes] = counts(sections);
        let lines = sections.iter().flat_map(|section| {
            section.findings.iter().map(|finding| Line {
                code: finding.code,
                severity: finding.severity.word(),
                area: &section.area,
                place: finding.place.as_ref().map(ToString::to_string),
                what: &finding.what,
                why: &finding.why,
                fix: finding.fix.as_deref(),
            })
        });
        let checked = sections.iter().map(|section| section.area.as_str()).collect();
        Document { environment, caller, checked, problems, warnings, notes, findings: lines.collect() }
    }
}
