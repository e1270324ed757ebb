//! `edit`: one value in an editor.
//!
//! Owns where the editor's file is: in a private folder on a file system that is in memory, which is removed however the
//! editor ends, Ctrl-C and a closed terminal among it. Without such a file system nothing is edited.

use super::complete;
use super::context::{Context, variable};
use super::reading::Wish;
use super::report::{Exit, Stop};
use super::ui::plural;
use crate::durable;
use crate::name::Address;
use crate::plan::{Desired, Want};
use crate::secret::Secret;
use anyhow::Result;
use clap::Args;
use futures::channel::oneshot;
use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

/// Edit one value with $VISUAL or $EDITOR
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom edit TLS_KEY
  EDITOR='code --wait' strongroom edit XERO_DATA

The editor works on a file that is in memory only and is removed afterwards; what the editor
itself keeps elsewhere (undo files, a clipboard) is not ours to remove. Many editors end a file
with a line end: one that the value did not have before is taken off.")]
pub(super) struct EditArgs {
    /// KEY, group/KEY or group/instance/KEY
    #[arg(value_name = "KEY", add = complete::addresses())]
    key: String,
}

pub(super) fn run(ctx: &mut Context, args: &EditArgs) -> Result<Exit> {
    let address = ctx.home_address(&args.key)?;
    let editor = editor(ctx)?;
    let held = ctx.read_home(&Wish::these([&address]))?;
    let before = held.snapshot.value(&address);
    let Some(after) = edited(ctx, &editor, &address, before)? else {
        ctx.ui.note(&format!("edit {address}: unchanged, nothing to do"));
        return Ok(Exit::Done);
    };
    let was = before.map_or_else(|| "none before".to_owned(), |before| format!("{} before", before.len()));
    ctx.ui.note(&format!("{address}: {} ({was})", plural(after.len(), "byte")));
    if !ctx.dry_run() {
        approve(ctx, &address)?;
        ctx.ui.approved();
    }
    ctx.change(&format!("edit {address}"), &Desired::from([(address.clone(), Want::value(after))]))
}

fn editor(ctx: &Context) -> Result<OsString> {
    match variable("VISUAL").or_else(|| variable("EDITOR")) {
        Some(editor) => Ok(editor),
        None if ctx.ui.can_ask() => Ok("vi".into()),
        None => Err(Stop::usage("there is no terminal to edit on, and neither VISUAL nor EDITOR is set")
            .hint("`strongroom set KEY --from-file FILE` takes a value from a file")
            .into()),
    }
}

/// What somebody made of a value; nothing where it is the same, or where there was none and there is none.
fn edited(
    ctx: &Context,
    editor: &OsString,
    address: &Address,
    before: Option<&Secret>,
) -> Result<Option<Secret>> {
    let folder = private_folder()?;
    let path = folder.path().join(address.key.as_str());
    let failed =
        |error: io::Error| Stop::new(Exit::Failed, "cannot prepare the editor's file").because(error);
    let mut file =
        File::options().write(true).create_new(true).mode(durable::PRIVATE).open(&path).map_err(failed)?;
    file.write_all(before.map_or("", Secret::expose).as_bytes()).map_err(failed)?;
    drop(file);
    let status = ctx.wait_for(run_editor(editor, &path))?;
    if !status.success() {
        return Err(
            Stop::new(Exit::Failed, format!("the editor failed ({status}); nothing was changed")).into()
        );
    }
    let unread = |error| {
        Stop::new(Exit::Failed, "cannot read what the editor left; nothing was changed").because(error)
    };
    let mut bytes = Zeroizing::new(fs::read(&path).map_err(unread)?);
    folder
        .close()
        .map_err(|error| Stop::new(Exit::Failed, "cannot remove the editor's file").because(error))?;
    if bytes.last() == Some(&b'\n') && !before.is_some_and(|before| before.expose().ends_with('\n')) {
        bytes.pop();
    }
    let refused = |error| Stop::new(Exit::Failed, "cannot take the edited text").because(error);
    let after = Secret::from_bytes(std::mem::take(&mut *bytes)).map_err(refused)?;
    let same = before.map_or(after.is_empty(), |before| before.same_as(&after));
    Ok((!same).then_some(after))
}

/// Waits for the editor. Ctrl-C is the editor's; what ends us ends it too.
async fn run_editor(editor: &OsString, path: &Path) -> Result<ExitStatus> {
    let failed = |error: io::Error| Stop::new(Exit::Failed, "cannot wait for the editor").because(error);
    let _editors_own =
        (signal(SignalKind::interrupt()).map_err(failed)?, signal(SignalKind::quit()).map_err(failed)?);
    let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hung_up = signal(SignalKind::hangup()).map_err(failed)?;
    let mut command = command(editor, path);
    let mut child = command
        .spawn()
        .map_err(|error| Stop::new(Exit::NotFound, "cannot start the editor").because(error))?;
    let process = rustix::process::Pid::from_child(&child);
    let (tell, ended) = oneshot::channel();
    std::thread::spawn(move || tell.send(child.wait()));
    tokio::select! {
        status = ended => Ok(status.expect("the thread tells before it ends").map_err(failed)?),
        _ = async { tokio::select! { _ = terminated.recv() => {}, _ = hung_up.recv() => {} } } => {
            let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
            Err(Stop::new(Exit::Interrupted, "ended while the value was edited; nothing was changed").into())
        }
    }
}

/// What is in EDITOR may have arguments, so the shell reads it; it makes room for the editor, because a shell that waits
/// would be ended by the Ctrl-C that is the editor's. `NAME=value editor` is no command that can take its place.
fn command(editor: &OsString, path: &Path) -> Command {
    let sets_variables =
        editor.to_string_lossy().split_whitespace().next().is_some_and(|word| word.contains('='));
    let mut line = OsString::from(if sets_variables { "" } else { "exec " });
    line.push(editor);
    line.push(" \"$@\"");
    let mut command = Command::new("sh");
    command.arg("-c").arg(line).arg("editor").arg(path);
    command
}

/// Asks before the change. Waiting for the editor left Ctrl-C without its usual effect, so it is looked for here.
fn approve(ctx: &Context, address: &Address) -> Result<()> {
    let (done, answered) = oneshot::channel::<()>();
    let watch = move || -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            tokio::select! {
                _ = answered => {}
                _ = tokio::signal::ctrl_c() => std::process::exit(i32::from(Exit::Interrupted as u8)),
            }
        });
        Ok(())
    };
    let watch = std::thread::spawn(watch);
    let environment = ctx.environment()?;
    let question = format!("Change {address} in `{}`?", environment.name);
    let approved = ctx.ui.approve(&question, environment.protected.then_some(&environment.name));
    let _ = done.send(());
    let _ = watch.join();
    approved
}

/// A folder of mode 0700 on a file system that never reaches a disk but by swapping.
fn private_folder() -> Result<TempDir> {
    let runtime = variable("XDG_RUNTIME_DIR").map(PathBuf::from);
    let candidates = runtime.into_iter().chain([PathBuf::from("/dev/shm")]);
    for base in candidates.filter(|base| is_in_memory(base)) {
        let made = tempfile::Builder::new()
            .prefix("strongroom-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&base);
        if let Ok(folder) = made {
            return Ok(folder);
        }
    }
    Err(Stop::new(Exit::Failed, "there is no file system in memory to edit on ($XDG_RUNTIME_DIR, /dev/shm)")
        .hint("`strongroom set KEY --from-file FILE` takes a value from a file")
        .into())
}

#[cfg(target_os = "linux")]
fn is_in_memory(folder: &Path) -> bool {
    const TMPFS: i128 = 0x0102_1994;
    const RAMFS: i128 = 0x8584_58f6;
    rustix::fs::statfs(folder).is_ok_and(|found| [TMPFS, RAMFS].contains(&i128::from(found.f_type)))
}

#[cfg(not(target_os = "linux"))]
fn is_in_memory(_: &Path) -> bool {
    false
}
