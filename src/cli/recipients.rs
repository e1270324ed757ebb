//! `recipients`: who can open the project's vaults and backups.
//!
//! Owns the order: every vault is opened before anything is written; then the manifest, then each vault is sealed anew.
//! Cut short in between, a vault is still sealed to the recipients of before, and the same command finishes. Nobody can
//! shut themselves out.

use super::context::Context;
use super::report::{Exit, Stop};
use super::table::{Cell, Table, Tone};
use crate::durable;
use crate::manifest::{EnvironmentSpec, Place, edit};
use crate::name::{Address, Environment};
use crate::seal::Recipient;
use crate::store::{StoreError, Vault};
use anyhow::Result;
use clap::{Args, Subcommand, ValueHint};
use serde::Serialize;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Say who can open the vaults and backups
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom recipients list
  strongroom recipients add age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq
  strongroom recipients add --file ada.pub
  strongroom recipients remove 'ssh-ed25519 AAAA… ada@laptop'

A recipient is a public key: `age1…` (the first line of an identity that `strongroom init`
makes) or `ssh-ed25519 …`.")]
pub(super) struct RecipientsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the recipients, and which of them is you
    List,
    /// Let others open the vaults: into the manifest, and every vault is sealed anew
    Add(Keys),
    /// Seal every vault anew without somebody; what they could read before is theirs
    Remove(Keys),
}

#[derive(Debug, Args)]
struct Keys {
    /// Public keys: age1… or ssh-ed25519 …
    #[arg(value_name = "KEY", required_unless_present = "file")]
    keys: Vec<String>,

    /// A file with public keys, one in each line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
}

pub(super) fn run(ctx: &mut Context, args: &RecipientsArgs) -> Result<Exit> {
    match &args.what {
        What::List => list(ctx),
        What::Add(keys) => add(ctx, &keys.parse()?),
        What::Remove(keys) => remove(ctx, &keys.parse()?),
    }
}

impl Keys {
    fn parse(&self) -> Result<Vec<Recipient>> {
        let mut lines = vec![self.keys.join(" ")];
        if let Some(path) = &self.file {
            let unread =
                |error| Stop::new(Exit::Failed, format!("cannot read {}", path.display())).because(error);
            let text = fs::read_to_string(path).map_err(unread)?;
            // A private key of several lines is told by its first.
            if text.contains("PRIVATE KEY") || text.contains("SECRET-KEY") {
                return Err(Stop::usage(format!("{} holds a private key", path.display()))
                    .hint("give the public one: for ssh, the file that ends in .pub")
                    .into());
            }
            lines.extend(text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned));
        }
        let mut found = Vec::new();
        for line in lines {
            for text in each(&line) {
                let refused = |error| Stop::usage("not a recipient; nothing was changed").because(error);
                found.push(text.parse::<Recipient>().map_err(refused)?);
            }
        }
        if found.is_empty() {
            return Err(Stop::usage("there is no public key in it").into());
        }
        Ok(found)
    }
}

/// The keys of a line: an ssh key is its kind, the key, and a comment of any words.
fn each(line: &str) -> Vec<String> {
    if line.contains("PRIVATE KEY") {
        return vec![line.to_owned()];
    }
    let mut found: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        match found.last_mut().filter(|last| last.starts_with("ssh-")) {
            Some(last) if !word.starts_with("age1") && !word.starts_with("ssh-") => {
                last.push(' ');
                last.push_str(word);
            }
            _ => found.push(word.to_owned()),
        }
    }
    found
}

#[derive(Serialize)]
struct Listed {
    recipients: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    recipient: String,
    mine: bool,
}

fn list(ctx: &Context) -> Result<Exit> {
    let own = own(ctx)?;
    let row = |recipient: &Recipient| Row {
        recipient: recipient.to_string(),
        mine: own.iter().any(|mine| mine.same_key(recipient)),
    };
    let rows: Vec<Row> = ctx.recipients()?.iter().map(row).collect();
    if ctx.ui.json() {
        ctx.ui.document("recipients", &Listed { recipients: rows })?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        ctx.ui.note("nobody: `strongroom recipients add` adds somebody");
        return Ok(Exit::Done);
    }
    let mut table = Table::new(["recipient", "who"]);
    for row in &rows {
        let who = if row.mine { Cell::new("you", Tone::Good) } else { Cell::plain("") };
        table.row([Cell::plain(&row.recipient), who]);
    }
    ctx.ui.table(&table)?;
    Ok(Exit::Done)
}

fn own(ctx: &Context) -> Result<Vec<Recipient>> {
    Ok(ctx.identities()?.map(|identities| identities.recipients()).unwrap_or_default())
}

fn add(ctx: &Context, keys: &[Recipient]) -> Result<Exit> {
    let mut wish = Wish::of(ctx)?;
    for key in keys {
        if wish.recipients.iter().any(|known| known.same_key(key)) {
            ctx.ui.note(&format!("a recipient already: {key}"));
            continue;
        }
        wish.text = edit::add_recipient(ctx.project()?.manifest.file(), &wish.text, &key.to_string())
            .map_err(|error| Stop::new(Exit::Manifest, "cannot add a recipient").because(error))?;
        wish.recipients.push(key.clone());
        wish.lines.push(format!("  + {key}"));
    }
    wish.fulfil(ctx, "Let them open what is sealed from now on?")?;
    wish.say(ctx, "add", &[])
}

fn remove(ctx: &Context, keys: &[Recipient]) -> Result<Exit> {
    let mut wish = Wish::of(ctx)?;
    for key in keys {
        let Some(at) = wish.recipients.iter().position(|known| known.same_key(key)) else {
            ctx.ui.note(&format!("not a recipient: {key}"));
            continue;
        };
        let written = wish.recipients.remove(at).to_string();
        wish.text = edit::remove_recipient(ctx.project()?.manifest.file(), &wish.text, &written)
            .map_err(|error| Stop::new(Exit::Manifest, "cannot remove a recipient").because(error))?;
        wish.lines.push(format!("  - {written}"));
    }
    refuse_to_shut_out(ctx, &wish)?;
    let exposed = wish.exposed(ctx)?;
    wish.fulfil(ctx, "Seal without them from now on?")?;
    if !wish.lines.is_empty() && !ctx.dry_run() {
        warn_of_the_past(ctx, &exposed);
    }
    wish.say(ctx, "remove", &exposed)
}

fn refuse_to_shut_out(ctx: &Context, wish: &Wish) -> Result<()> {
    if wish.recipients.is_empty() {
        return Err(Stop::usage(
            "the last recipient cannot be removed: nobody could open the vault any more",
        )
        .hint("add another first: `strongroom recipients add`")
        .into());
    }
    let own = own(ctx)?;
    let opens =
        |recipients: &[Recipient]| own.iter().any(|mine| recipients.iter().any(|known| known.same_key(mine)));
    if opens(&ctx.recipients()?) && !opens(&wish.recipients) {
        return Err(Stop::usage(
            "this is you: you could not open the vault any more, and not seal it either",
        )
        .hint("somebody else who can open it has to remove you")
        .into());
    }
    Ok(())
}

/// Removing somebody changes the future only.
fn warn_of_the_past(ctx: &Context, exposed: &[(Environment, Address)]) {
    ctx.ui.warning(
        "whoever was removed can still read what was sealed to them: older vaults in version control, backups, and the journals of operations",
    );
    if !exposed.is_empty() {
        let names = exposed.iter().map(|(environment, address)| format!("{environment} {address}"));
        let names: Vec<String> = names.collect();
        ctx.ui.warning(&format!("rotate the secrets that they knew: {}", names.join(", ")));
    }
}

/// What is to be so, and nothing of it written.
struct Wish {
    text: String,
    recipients: Vec<Recipient>,
    /// The environments whose vault is there.
    environments: Vec<EnvironmentSpec>,
    lines: Vec<String>,
}

impl Wish {
    fn of(ctx: &Context) -> Result<Wish> {
        let project = ctx.project()?;
        let unread = |error| {
            Stop::new(Exit::Manifest, format!("cannot read {}", project.path.display())).because(error)
        };
        let text = fs::read_to_string(&project.path).map_err(unread)?;
        let mut environments = Vec::new();
        for spec in project.manifest.environments().filter(|spec| spec.home == Place::Vault) {
            if ctx.vault_path(spec)?.exists() {
                environments.push(spec.clone());
            }
        }
        let wish = Wish { text, recipients: ctx.recipients()?, environments, lines: Vec::new() };
        for spec in &wish.environments {
            wish.vault(ctx, spec)?.document()?;
        }
        Ok(wish)
    }

    fn vault(&self, ctx: &Context, spec: &EnvironmentSpec) -> Result<Vault> {
        let who = (ctx.project()?.manifest.project().clone(), spec.name.clone());
        Ok(Vault::new(ctx.vault_path(spec)?, who, self.recipients.clone(), ctx.identities()?, ctx.clock()))
    }

    /// The secrets that are in the vaults now.
    fn exposed(&self, ctx: &Context) -> Result<Vec<(Environment, Address)>> {
        let manifest = &ctx.project()?.manifest;
        let mut found = Vec::new();
        for spec in &self.environments {
            let document = self.vault(ctx, spec)?.document()?;
            let records = document.into_iter().flat_map(|document| document.sections).flat_map(|s| s.records);
            for (address, record) in records {
                // What the manifest does not declare any more may be a secret all the same.
                if record.entry.is_some() && manifest.key(&address).is_none_or(|key| key.secret) {
                    found.push((spec.name.clone(), address));
                }
            }
        }
        Ok(found)
    }

    fn fulfil(&self, ctx: &Context, question: &str) -> Result<()> {
        let path = &ctx.project()?.path;
        let mut shown = self.lines.clone();
        for spec in &self.environments {
            shown.push(format!("  ~ {}  sealed anew", ctx.vault_path(spec)?.display()));
        }
        ctx.ui.show(&format!("{}\n{}", path.display(), shown.join("\n")));
        if ctx.dry_run() {
            ctx.ui.note("dry run: nothing was changed");
            return Ok(());
        }
        let protected = self.environments.iter().find(|spec| spec.protected).map(|spec| &spec.name);
        ctx.ui.approve(question, protected)?;
        if !self.lines.is_empty() {
            rewrite(path, &self.text)?;
        }
        for spec in &self.environments {
            let vault = self.vault(ctx, spec)?;
            ctx.wait_for(async { vault.reseal().await.map_err(|error| unsealed(spec, error).into()) })?;
        }
        Ok(())
    }

    fn say(&self, ctx: &Context, command: &'static str, exposed: &[(Environment, Address)]) -> Result<Exit> {
        if !ctx.dry_run() {
            let count = super::ui::plural(self.recipients.len(), "recipient");
            let vaults = super::ui::plural(self.environments.len(), "vault");
            ctx.ui.note(&format!("recipients {command}: {count} now, {vaults} sealed anew"));
        }
        if ctx.ui.json() {
            let rotate = exposed.iter().map(|(environment, address)| format!("{environment} {address}"));
            ctx.ui.document(
                "recipients-change",
                &Changed {
                    command,
                    dry_run: ctx.dry_run(),
                    recipients: self.recipients.iter().map(Recipient::to_string).collect(),
                    sealed: self.environments.iter().map(|spec| spec.name.to_string()).collect(),
                    rotate: rotate.collect(),
                },
            )?;
        }
        Ok(Exit::Done)
    }
}

#[derive(Serialize)]
struct Changed {
    command: &'static str,
    dry_run: bool,
    recipients: Vec<String>,
    sealed: Vec<String>,
    rotate: Vec<String>,
}

fn rewrite(path: &Path, text: &str) -> Result<()> {
    // A link to a manifest elsewhere stays a link.
    let write = || {
        let target = path.canonicalize()?;
        let mode = target.metadata()?.permissions().mode() & 0o7777;
        durable::replace(&target, text.as_bytes(), mode)
    };
    write().map_err(|error| {
        Stop::new(Exit::Failed, format!("cannot write {}; nothing was changed", path.display()))
            .because(error)
            .into()
    })
}

fn unsealed(spec: &EnvironmentSpec, error: StoreError) -> Stop {
    Stop::new(
        Exit::Failed,
        format!("the manifest is as wanted, but the vault of `{}` is sealed as before", spec.name),
    )
    .because(error)
    .hint("give the same command again: it finishes")
}
