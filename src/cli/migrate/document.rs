//! A migration as `--json` tells it: the plan with its reasons, and what became of it. Never a value.

use super::preflight::Preflight;
use crate::cli::change::Changed;
use crate::cli::context::Context;
use crate::doctor::Finding;
use crate::migrate::{Decision, Goes, Row};
use crate::plan::Line;
use crate::policy::{self, Bearer, Policy};
use crate::store::Caller;
use anyhow::Result;
use serde::Serialize;

/// What `--json` says.
#[derive(Serialize)]
struct Document<'a> {
    command: &'a str,
    dry_run: bool,
    operation: Option<&'a str>,
    /// Who we are on AWS.
    caller: Option<&'a Caller>,
    home: String,
    variables: Vec<Variable<'a>>,
    /// Properties that nobody declares, and that stay as they are.
    undeclared: Vec<&'a str>,
    changes: Vec<Changed<'a>>,
    /// What is to be known, and does not stand in the way.
    findings: Vec<Noted<'a>>,
    cost: String,
    /// What the instances must be allowed; none where they need nothing.
    instance_policy: Option<Policy>,
    backup: Option<&'a str>,
    report: Option<&'a str>,
    /// Addresses that somebody else had changed meanwhile.
    left: &'a [String],
}

#[derive(Serialize)]
struct Variable<'a> {
    address: String,
    secret: bool,
    why: &'a str,
    looks_secret: Option<&'a str>,
    by_reference: bool,
}

#[derive(Serialize)]
struct Noted<'a> {
    code: &'a str,
    place: Option<String>,
    what: &'a str,
    fix: Option<&'a str>,
}

/// What became of it, where something did.
#[derive(Default)]
pub(super) struct Outcome<'a> {
    pub(super) operation: Option<&'a str>,
    pub(super) backup: Option<&'a str>,
    pub(super) report: Option<&'a str>,
    pub(super) left: &'a [String],
}

/// Says it, where JSON is wanted.
pub(super) fn say(
    then: &Context,
    command: &str,
    (decision, looked, lines): (&Decision, &Preflight, &[Line]),
    cost: String,
    outcome: &Outcome<'_>,
) -> Result<()> {
    if !then.ui.json() {
        return Ok(());
    }
    let aws = then.aws()?;
    let answer = policy::policy(&then.project()?.manifest, then.environment()?, Bearer::Instance);
    let document = Document {
        command,
        dry_run: then.dry_run(),
        operation: outcome.operation,
        caller: aws.known_caller(),
        home: then.home_name()?,
        variables: decision.rows.iter().map(Variable::of).collect(),
        undeclared: decision.left.iter().map(|key| key.as_str()).collect(),
        changes: lines.iter().map(Changed::of).collect(),
        findings: looked.findings.iter().map(Noted::of).collect(),
        cost,
        instance_policy: Some(answer.policy).filter(|policy| !policy.is_empty()),
        backup: outcome.backup,
        report: outcome.report,
        left: outcome.left,
    };
    then.ui.document("migration", &document)
}

impl Variable<'_> {
    fn of(row: &Row) -> Variable<'_> {
        Variable {
            address: row.address.to_string(),
            secret: row.secret,
            why: row.why,
            looks_secret: row.suspicious,
            by_reference: row.goes == Goes::ByReference,
        }
    }
}

impl Noted<'_> {
    fn of(finding: &Finding) -> Noted<'_> {
        Noted {
            code: finding.code,
            place: finding.place.as_ref().map(ToString::to_string),
            what: &finding.what,
            fix: finding.fix.as_deref(),
        }
    }
}
