//! `policy`: the IAM policy that somebody needs for an environment. It asks AWS nothing.

use super::context::Context;
use super::migrate::{self, Target};
use super::report::Exit;
use crate::policy::{self, Answer, Bearer, Policy};
use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;

/// Print the least-privilege IAM policy of an environment, as JSON
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom -e prod policy --for operator > operator.json
  aws iam create-policy --policy-name dev-app-operator --policy-document file://operator.json
  strongroom -e prod policy --for instance      (for the role of the instance profile)
  strongroom -e prod policy --for instance --migrated-to secretsmanager

It comes from the manifest alone: print it again when groups, paths, the account or the key
change. Groups with `audience = \"operator\"` are in the operator's and the rotator's only.
Whoever needs no permission gets no document.")]
pub(super) struct PolicyArgs {
    /// Who it is for
    #[arg(long = "for", value_name = "WHO", value_enum)]
    bearer: Who,

    /// As it is needed once the environment is migrated there; `migrate` itself needs the operator's
    #[arg(long, value_name = "PLACE")]
    migrated_to: Option<Target>,

    /// With --migrated-to: with a secret for each key
    #[arg(long, requires = "migrated_to")]
    secret_per_key: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Who {
    /// Every command but `rotate`
    Operator,
    /// The instance profile: references, and what the app reads and writes itself
    Instance,
    /// What runs `rotate`: what is rotated, what follows from it, and what a rotation logs in with
    Rotator,
    /// Commands that change nothing: get, render, exec, export, status, diff, history
    Reader,
}

impl From<Who> for Bearer {
    fn from(who: Who) -> Bearer {
        match who {
            Who::Operator => Bearer::Operator,
            Who::Instance => Bearer::Instance,
            Who::Rotator => Bearer::Rotator,
            Who::Reader => Bearer::Reader,
        }
    }
}

#[derive(Serialize)]
struct Printed<'a> {
    environment: &'a str,
    #[serde(rename = "for")]
    bearer: Who,
    /// None where nothing is needed.
    policy: Option<&'a Policy>,
}

pub(super) fn run(ctx: &mut Context, args: &PolicyArgs) -> Result<Exit> {
    let then = match args.migrated_to {
        Some(to) => Some(migrate::as_if(ctx, to, args.secret_per_key)?),
        None => None,
    };
    let ctx = then.as_ref().unwrap_or(ctx);
    let environment = ctx.environment()?;
    let Answer { policy, remarks } =
        policy::policy(&ctx.project()?.manifest, environment, args.bearer.into());
    let wanted = Some(&policy).filter(|policy| !policy.is_empty());
    match (ctx.ui.json(), wanted) {
        (true, policy) => {
            let environment = environment.name.as_str();
            ctx.ui.document("policy", &Printed { environment, bearer: args.bearer, policy })?;
        }
        (false, Some(policy)) => ctx.ui.text(&policy.json())?,
        (false, None) => {
            let who = args.bearer.to_possible_value().expect("every value can be typed");
            let (who, name) = (who.get_name(), &environment.name);
            ctx.ui.note(&format!("nothing to allow: the {who} of `{name}` needs no permission at AWS"));
        }
    }
    for remark in remarks {
        match remark.is_warning() {
            true => ctx.ui.warning(&remark.to_string()),
            false => ctx.ui.note(&remark.to_string()),
        }
    }
    Ok(Exit::Done)
}
