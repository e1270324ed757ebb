//! `xero`: the connections of the rotations of kind `xero`, and the logins behind them.
//!
//! Owns which connection is meant. `login` makes one, `status` shows them.

mod browser;
mod listen;
mod login;
mod status;
mod store;

use super::context::Context;
use super::reading::{Held, Wish};
use super::report::{Exit, Stop};
use super::ui::shown;
use crate::manifest::{InstancesSpec, RotationKind, RotationSpec, Selection, XeroSpec};
use crate::name::Instance;
use crate::store::OperationId;
use crate::web::Patience;
use crate::xero::{Parts, Problem, Standing, Xero};
use anyhow::Result;
use clap::{Args, Subcommand};

/// Log in at Xero, and see how long the tokens of each connection live
#[derive(Debug, Args)]
pub(super) struct XeroArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Login(login::LoginArgs),
    Status(status::StatusArgs),
}

pub(super) fn run(ctx: &Context, args: &XeroArgs) -> Result<Exit> {
    match &args.verb {
        Verb::Login(args) => login::run(ctx, args),
        Verb::Status(args) => status::run(ctx, args),
    }
}

/// Goes on with a login whose tokens were not stored yet.
pub(super) fn go_on(ctx: &Context, args: &XeroArgs, id: &OperationId, skip_changed: bool) -> Result<Exit> {
    match &args.verb {
        Verb::Login(args) => login::go_on(ctx, args, id, skip_changed),
        Verb::Status(args) => status::run(ctx, args),
    }
}

/// Forgets a login of which nothing was stored; `false` where something was.
pub(super) fn forget(ctx: &Context, args: &XeroArgs, id: &OperationId) -> Result<bool> {
    match &args.verb {
        Verb::Login(_) => login::forget(ctx, id),
        Verb::Status(_) => Ok(false),
    }
}

/// The rotations of the kind in the environment, of which there is one at least.
fn rotations(ctx: &Context) -> Result<Vec<(&RotationSpec, &XeroSpec)>> {
    let environment = &ctx.environment()?.name;
    let found = declared(ctx)?;
    if found.is_empty() {
        return Err(Stop::new(Exit::Manifest, format!("`{environment}` has no rotation of the kind `xero`"))
            .hint("declare one, for the group that holds the tokens: `[rotate.xero]`, `kind = \"xero\"`, `group = \"xero\"`")
            .into());
    }
    Ok(found)
}

fn declared(ctx: &Context) -> Result<Vec<(&RotationSpec, &XeroSpec)>> {
    let environment = &ctx.environment()?.name;
    let here = ctx.project()?.manifest.rotations().filter(|spec| spec.environments.contains(environment));
    let of_kind = here.filter_map(|spec| match &spec.kind {
        RotationKind::Xero(xero) => Some((spec, xero.as_ref())),
        _ => None,
    });
    Ok(of_kind.collect())
}

/// What is wrong with each connection, by what home holds: the problem, what it is in words, and what to type. `strongroom`
/// is how the command is typed here.
pub(super) fn wrong(ctx: &Context, held: &Held, strongroom: &str) -> Result<Vec<(Problem, String, String)>> {
    let mut wrong = Vec::new();
    for (rotation, spec) in declared(ctx)? {
        for instance in instances(ctx, spec, held)? {
            let connection = Connection::of(rotation, spec, instance);
            for problem in Standing::of(&connection.parts, &held.snapshot, (ctx.clock())()).problems {
                let (what, fix) = status::told(&problem, &connection, strongroom);
                let what = format!("{}: {what}", connection.shown());
                wrong.push((problem, what, fix.unwrap_or_else(|| format!("`{strongroom} xero status`"))));
            }
        }
    }
    Ok(wrong)
}

/// What home holds of a rotation's group.
fn held(ctx: &Context, spec: &XeroSpec) -> Result<Held> {
    let selection = Selection { groups: Some(vec![spec.group.clone()]), ..Selection::default() };
    ctx.read_home(&Wish::selections([&selection]))
}

/// The instances of a rotation's group: those that are listed, or those that home holds; none where it has none.
fn instances(ctx: &Context, spec: &XeroSpec, held: &Held) -> Result<Vec<Option<Instance>>> {
    let group = ctx.project()?.manifest.group(spec.group.as_str())?;
    Ok(match &group.instances {
        InstancesSpec::None => vec![None],
        InstancesSpec::Listed(names) => names.iter().cloned().map(Some).collect(),
        InstancesSpec::Discovered => {
            let mut found = held.instances.get(&spec.group).cloned().unwrap_or_default();
            found.sort_by_key(|name| (name.as_str().parse::<u64>().unwrap_or(u64::MAX), name.clone()));
            found.into_iter().map(Some).collect()
        }
    })
}

/// One connection.
struct Connection<'a> {
    rotation: &'a RotationSpec,
    spec: &'a XeroSpec,
    instance: Option<Instance>,
    parts: Parts,
}

impl<'a> Connection<'a> {
    fn of(rotation: &'a RotationSpec, spec: &'a XeroSpec, instance: Option<Instance>) -> Connection<'a> {
        let parts = Parts::of(spec, instance.as_ref());
        Connection { rotation, spec, instance, parts }
    }

    /// The one that is meant by `INSTANCE`, `NAME/INSTANCE`, the `NAME` of a rotation whose group has no instances, or
    /// nothing where there is no other.
    fn chosen(ctx: &'a Context, text: Option<&str>) -> Result<Connection<'a>> {
        let all = rotations(ctx)?;
        let (name, instance) = match text.map(|text| (text, text.split_once('/'))) {
            None => (None, None),
            Some((_, Some((name, instance)))) => (Some(name), Some(instance)),
            Some((name, None)) if all.iter().any(|(_, spec)| !is_instanced(ctx, spec)) => (Some(name), None),
            Some((instance, None)) => (None, Some(instance)),
        };
        let (rotation, spec) = match (name, all.as_slice()) {
            (None, [only]) => *only,
            (None, _) => {
                let names: Vec<String> =
                    all.iter().map(|(rotation, _)| format!("{}/INSTANCE", rotation.name)).collect();
                return Err(Stop::usage("there are several rotations of the kind `xero`")
                    .hint(format!("name one of: {}", names.join(", ")))
                    .into());
            }
            (Some(name), all) => *all
                .iter()
                .find(|(rotation, _)| rotation.name == name)
                .ok_or_else(|| Stop::usage(format!("`{}` is no rotation of the kind `xero`", shown(name))))?,
        };
        let group = ctx.project()?.manifest.group(spec.group.as_str())?;
        let instance =
            match (instance, &group.instances) {
                (None, InstancesSpec::None) => None,
                (Some(_), InstancesSpec::None) => {
                    return Err(Stop::usage(format!("`{}` has no instances", spec.group)).into());
                }
                (Some(text), InstancesSpec::Listed(names)) => {
                    Some(names.iter().find(|name| name.as_str() == text).cloned().ok_or_else(|| {
                        Stop::usage(format!("`{}` has no instance `{}`", spec.group, shown(text)))
                            .hint(format!("{}:{} lists them", ctx.manifest_name(), group.line))
                    })?)
                }
                (Some(text), InstancesSpec::Discovered) => Some(Instance::parse(text)?),
                (None, _) => Some(only_instance(ctx, rotation, spec)?),
            };
        Ok(Connection::of(rotation, spec, instance))
    }

    /// As messages name it: `xero/1`.
    fn shown(&self) -> String {
        match &self.instance {
            Some(instance) => format!("{}/{instance}", self.spec.group),
            None => self.spec.group.to_string(),
        }
    }

    /// As the command line names it, whatever other rotations there are.
    fn word(&self) -> String {
        match &self.instance {
            Some(instance) => format!("{}/{instance}", self.rotation.name),
            None => self.rotation.name.clone(),
        }
    }

    fn xero(&self) -> Xero<'a> {
        let (token_url, api_url) = (self.spec.token_url.as_str(), self.spec.api_url.as_str());
        Xero { token_url, api_url, patience: Patience::default() }
    }
}

fn is_instanced(ctx: &Context, spec: &XeroSpec) -> bool {
    let group = ctx.project().ok().and_then(|project| project.manifest.group(spec.group.as_str()).ok());
    group.is_some_and(|group| group.is_instanced())
}

/// The instance that is meant where none is named.
fn only_instance(ctx: &Context, rotation: &RotationSpec, spec: &XeroSpec) -> Result<Instance> {
    let mut found: Vec<Instance> = instances(ctx, spec, &held(ctx, spec)?)?.into_iter().flatten().collect();
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Stop::usage(format!("`{}` has no connection yet: name the first one", rotation.name))
            .hint("`strongroom xero login 1`, once its app is set")
            .hint(format!(
                "`strongroom set {0}/1/{1}` and `strongroom set {0}/1/{2}` do that",
                spec.group, spec.client_id, spec.client_secret
            ))
            .into()),
        _ => {
            let names: Vec<&str> = found.iter().map(Instance::as_str).collect();
            Err(Stop::usage("which connection is meant?")
                .hint(format!("name one of: {}; or a new one", names.join(", ")))
                .into())
        }
    }
}

impl Context {
    fn manifest_name(&self) -> String {
        self.project().map(|project| project.manifest.file().to_owned()).unwrap_or_default()
    }
}
