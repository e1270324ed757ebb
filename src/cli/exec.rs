//! `exec`: the environment's values into a process that takes our place. Nothing is started before everything is there.

use super::complete;
use super::context::{self, Context};
use super::reading::Wish;
use super::report::{Exit, Stop};
use super::table::{Cell, Table};
use crate::manifest::{Selection, Variable};
use crate::name::Address;
use anyhow::Result;
use clap::{Args, ValueHint};
use serde::Serialize;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Run a command with the environment's values, in place of strongroom: its signals, its exit code
#[derive(Debug, Args)]
#[command(
    override_usage = "strongroom exec [OPTIONS] -- <CMD>...",
    after_help = "\
Examples:
  strongroom exec -- python manage.py migrate
  strongroom -e prod exec --only DATABASE_URL -- sh -c 'psql \"$DATABASE_URL\"'
  strongroom exec --pristine -- env

The command gets what the manifest declares for the environment on top of what strongroom itself
was given, without STRONGROOM_*. With --dry-run the names are listed and nothing is run. Exit
codes are the command's; 127 where it is not found, 126 where it cannot be run."
)]
pub(super) struct ExecArgs {
    /// Give only these: KEY, group/KEY or group/instance/KEY; several with commas, or by repeating the flag
    #[arg(long, value_name = "KEY", value_delimiter = ',', add = complete::addresses())]
    only: Vec<String>,

    /// Pass on nothing of the present environment but PATH, HOME, USER, LOGNAME, SHELL, TERM, TZ, TMPDIR, LANG and LC_*
    #[arg(long)]
    pristine: bool,

    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "CMD",
          value_hint = ValueHint::CommandWithArguments)]
    command: Vec<OsString>,
}

/// What a process needs to find its way around, whatever it is.
const ESSENTIAL: &[&str] = &["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TZ", "TMPDIR", "LANG"];

pub(super) fn run(ctx: &mut Context, args: &ExecArgs) -> Result<Exit> {
    let variables = variables(ctx, &args.only)?;
    if ctx.dry_run() {
        return list(ctx, &variables);
    }
    let (program, arguments) = args.command.split_first().expect("clap wants at least one word");
    let mut command = Command::new(program);
    command.args(arguments).env_clear();
    command.envs(context::inherited().filter(|(name, _)| passes(name, args.pristine)));
    command.envs(variables.iter().map(|variable| (variable.name.as_str(), variable.value.expose())));
    ctx.limits.restore();
    Err(not_run(program, command.exec()).into())
}

/// What a process is given, or those that `only` names.
pub(super) fn variables(ctx: &Context, only: &[String]) -> Result<Vec<Variable>> {
    let manifest = &ctx.project()?.manifest;
    let environment = &ctx.environment()?.name;
    let only: Vec<Address> =
        only.iter().map(|text| manifest.address(environment, text)).collect::<Result<_, _>>()?;
    let keys = if only.is_empty() { None } else { Some(only) };
    let selection = Selection { keys, ..Selection::default() };
    let held = ctx.read_home(&Wish::selections([&selection]))?;
    let variables = manifest.variables(environment, &held.snapshot, &held.instances, &selection)?;
    for address in selection.keys.iter().flatten() {
        if !variables.iter().any(|variable| variable.address == *address) {
            return Err(absent(address).into());
        }
    }
    Ok(variables)
}

fn absent(address: &Address) -> Stop {
    Stop::new(Exit::Failed, format!("`{address}` has no value that goes into an environment"))
        .hint("it is optional and absent, its group has no `env` pattern, or it is for operators")
}

pub(super) fn passes(name: &OsStr, pristine: bool) -> bool {
    let name = name.as_encoded_bytes();
    if name.starts_with(b"STRONGROOM_") || name.starts_with(b"_STRONGROOM_") {
        return false;
    }
    !pristine || name.starts_with(b"LC_") || ESSENTIAL.iter().any(|essential| essential.as_bytes() == name)
}

/// The reason why we are still here.
fn not_run(program: &OsStr, error: io::Error) -> Stop {
    let shown = program.to_string_lossy();
    let stop = |exit| Stop::new(exit, format!("cannot run `{}`", super::ui::shown(&shown)));
    match error.kind() {
        io::ErrorKind::NotFound => stop(Exit::NotFound).because(error),
        io::ErrorKind::ArgumentListTooLong => stop(Exit::NotExecutable)
            .because(error)
            .hint("Linux takes 131,072 bytes for one variable; --only KEY gives fewer of them"),
        _ => stop(Exit::NotExecutable).because(error),
    }
}

#[derive(Serialize)]
struct Listed {
    variables: Vec<Name>,
}

#[derive(Serialize)]
struct Name {
    name: String,
    address: String,
    secret: bool,
}

fn list(ctx: &Context, variables: &[Variable]) -> Result<Exit> {
    if ctx.ui.json() {
        let name = |variable: &Variable| Name {
            name: variable.name.to_string(),
            address: variable.address.to_string(),
            secret: variable.secret,
        };
        ctx.ui.document("exec", &Listed { variables: variables.iter().map(name).collect() })?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(["variable", "address"]);
    for variable in variables {
        table.row([Cell::plain(variable.name.as_str()), Cell::plain(&variable.address.to_string())]);
    }
    ctx.ui.table(&table)?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_variables_stop_here_and_only_essential_ones_pass_when_pristine() {
        assert!(passes(OsStr::new("ANYTHING"), false) && !passes(OsStr::new("ANYTHING"), true));
        assert!(passes(OsStr::new("PATH"), true) && passes(OsStr::new("LC_ALL"), true));
        assert!(
            !passes(OsStr::new("STRONGROOM_IDENTITY"), false) && !passes(OsStr::new("STRONGROOM_YES"), true)
        );
    }
}
