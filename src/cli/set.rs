//! `set`: one value into home, from a prompt, a file, stdin or a generator; never from the command line.

use super::complete;
use super::context::Context;
use super::report::{Exit, Stop};
use crate::manifest::generate::{Alphabet, Generator};
use crate::manifest::{KeySpec, Manifest, ValueSource};
use crate::name::{Address, Environment};
use crate::plan::{Desired, Want};
use crate::secret::Secret;
use anyhow::Result;
use clap::{Args, ValueHint};
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Set one value in home
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom set SECRET_KEY --generate
  strongroom set xero/1/client_secret            (asks, and shows nothing)
  strongroom set TLS_KEY --from-file key.pem     (the file's bytes as they are)
  pass show rds | strongroom set RDS_PASSWORD --yes

From stdin exactly one line end is taken off the end. A value is never given on the command
line, where the shell's history and every process of the machine could read it.")]
pub(super) struct SetArgs {
    /// KEY, group/KEY or group/instance/KEY
    #[arg(value_name = "KEY", add = complete::home_addresses())]
    key: String,

    /// Take the file's bytes as they are
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "generate")]
    from_file: Option<PathBuf>,

    /// Take an empty value, which is more often a command that failed than what was meant
    #[arg(long)]
    allow_empty: bool,

    /// A value, which is refused: see above
    #[arg(value_name = "VALUE", hide = true, num_args = 0..)]
    value: Vec<std::ffi::OsString>,

    /// Make a new value, as the key's `generate` says, else 43 letters, digits, - and _
    #[arg(long)]
    generate: bool,
}

pub(super) fn run(ctx: &mut Context, args: &SetArgs) -> Result<Exit> {
    // Not repeated: whatever it was, it is in the shell's history already, and need not go into a log too.
    if !args.value.is_empty() || args.key.contains('=') {
        return Err(Stop::usage("a value is never taken from the command line, where others can read it")
            .hint("give --from-file FILE, --generate, or the value on stdin; without them it is asked for")
            .hint("if that was a secret, it is in your shell's history now: set another one")
            .into());
    }
    let address = ctx.home_address(&args.key)?;
    let project = ctx.project()?;
    let spec = project.manifest.key(&address);
    ctx.ui.note(&format!("{address} in {}", ctx.home()?.location()));
    let value = value(ctx, args, &address, spec)?;
    if value.is_empty() && !args.allow_empty {
        return Err(Stop::usage(format!("the value for {address} is empty; nothing was changed"))
            .hint("look whether the command that was to give it failed; --allow-empty sets it all the same")
            .into());
    }
    let desired = Desired::from([(address.clone(), Want::value(value))]);
    let exit = ctx.change(&format!("set {address}"), &desired)?;
    if !ctx.dry_run() {
        remind(ctx, [&address])?;
    }
    Ok(exit)
}

fn value(ctx: &Context, args: &SetArgs, address: &Address, spec: Option<&KeySpec>) -> Result<Secret> {
    if args.generate {
        let declared = spec.and_then(|spec| spec.generate);
        let generator = declared.unwrap_or_else(|| Generator::usual(Alphabet::UrlSafe));
        return Ok(generator.generate(&mut ctx.random()));
    }
    if let Some(path) = &args.from_file {
        return from_file(path);
    }
    if ctx.ui.stdin_is_terminal() {
        let otherwise = "give --from-file FILE, --generate, or the value on stdin";
        return ctx.ui.ask_value(&format!("Value of {address}"), otherwise);
    }
    from_stdin()
}

fn from_file(path: &Path) -> Result<Secret> {
    let bytes = std::fs::read(path)
        .map_err(|error| Stop::new(Exit::Failed, format!("cannot read {}", path.display())).because(error))?;
    let refused = |error| Stop::new(Exit::Failed, format!("cannot take {}", path.display())).because(error);
    Ok(Secret::from_bytes(bytes).map_err(refused)?)
}

fn from_stdin() -> Result<Secret> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
    let unread = |error| Stop::new(Exit::Failed, "cannot read stdin").because(error);
    std::io::stdin().lock().read_to_end(&mut bytes).map_err(unread)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    let refused = |error| Stop::new(Exit::Failed, "cannot take what is on stdin").because(error);
    Ok(Secret::from_bytes(std::mem::take(&mut *bytes)).map_err(refused)?)
}

/// Names what still has the old value: files that were rendered from it.
pub(super) fn remind<'a>(ctx: &Context, addresses: impl IntoIterator<Item = &'a Address>) -> Result<()> {
    let (project, environment) = (ctx.project()?, ctx.environment()?);
    let addresses: Vec<&Address> = addresses.into_iter().collect();
    let stale = project.manifest.renders().filter(|spec| {
        spec.environments.contains(&environment.name)
            && addresses
                .iter()
                .any(|address| takes(&project.manifest, &environment.name, &spec.selection, address))
            && project.folder.join(spec.file_in(&project.manifest, &environment.name)).exists()
    });
    let stale: Vec<&str> = stale.map(|spec| spec.name.as_str()).collect();
    if !stale.is_empty() {
        ctx.ui.note(&format!("`strongroom render {}` brings it into the file", stale.join(" ")));
    }
    Ok(())
}

/// Whether a target shows the address, by itself or through what is derived from it.
fn takes(
    manifest: &Manifest,
    environment: &Environment,
    selection: &crate::manifest::Selection,
    address: &Address,
) -> bool {
    let instances = address.instance.iter().map(|name| (address.group.clone(), vec![name.clone()])).collect();
    manifest.addresses(environment, &instances).iter().any(|shown| {
        let is_part = |other: &Address| match manifest.source(environment, other) {
            Some(ValueSource::Derived { template, .. }) => {
                template.parts().any(|part| part.address(other.instance.as_ref()) == *address)
            }
            _ => false,
        };
        selection.takes(shown) && (shown == address || is_part(shown))
    })
}

impl Context {
    /// The address that is meant, of a key whose value lives in home. One that lives in the manifest, or is derived, is
    /// refused with the line that says so.
    pub(super) fn home_address(&self, text: &str) -> Result<Address> {
        let manifest = &self.project()?.manifest;
        let environment = &self.environment()?.name;
        let address = manifest.address(environment, text)?;
        let refuse = |what: &str, line: usize, hint: &str| {
            let file = manifest.file();
            Err(Stop::usage(format!("{address} {what} ({file}:{line})")).hint(hint).into())
        };
        match manifest.source(environment, &address) {
            Some(ValueSource::Literal { line, .. }) => {
                refuse("is plain, and its value is in the manifest", line, "change it there")
            }
            Some(ValueSource::Derived { line, .. }) => {
                refuse("is derived from other keys", line, "set the keys that it is made of")
            }
            Some(ValueSource::Absent) => {
                Err(Stop::usage(format!("{address} has no value in `{environment}`, says the manifest"))
                    .into())
            }
            Some(ValueSource::Home) | None => Ok(address),
        }
    }
}
