//! The identity of whoever runs `init`: found, or made.
//!
//! Never writes over one that is there.

use crate::cli::context::Context;
use crate::cli::report::{Exit, Stop};
use crate::durable;
use crate::seal::{Identities, Recipient};
use anyhow::Result;
use serde::Serialize;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// The identity that opens the vault: one that is there, or a new one that is not on disk yet.
pub(super) struct OwnKey {
    pub(super) path: PathBuf,
    identities: Arc<Identities>,
    pub(super) new: bool,
}

impl OwnKey {
    pub(super) fn of(ctx: &Context) -> Result<OwnKey> {
        let path = ctx.identity_path()?;
        let there = match fs::symlink_metadata(&path) {
            Ok(_) => ctx.identities()?,
            Err(_) => None,
        };
        Ok(match there {
            Some(identities) => OwnKey { path, identities, new: false },
            None => OwnKey { path, identities: Arc::new(Identities::generate()), new: true },
        })
    }

    pub(super) fn recipients(&self) -> Vec<String> {
        self.identities.recipients().iter().map(Recipient::to_string).collect()
    }

    /// Puts a new identity on disk; one that somebody else put there meanwhile is not overwritten.
    pub(super) fn keep(&self) -> Result<()> {
        if !self.new {
            return Ok(());
        }
        let make = || {
            durable::create_folder(durable::folder_of(&self.path))?;
            durable::create(&self.path, self.identities.to_file().as_bytes(), durable::PRIVATE)
        };
        make().map_err(|error| {
            let message =
                format!("cannot make the identity {}; nothing else was written", self.path.display());
            Stop::new(Exit::Failed, message).because(error).into()
        })
    }
}

/// Makes an identity for somebody who comes to a project that is there; the first one where nobody can open its vaults yet.
pub(super) fn join(ctx: &Context, key: &OwnKey, is_first: bool) -> Result<Exit> {
    if ctx.dry_run() {
        ctx.ui.note(&format!("dry run: would make the identity {}, and nothing else", key.path.display()));
        return Ok(Exit::Done);
    }
    ctx.ui.approve("There is a project here. Make an identity, to open its vault with?", None)?;
    key.keep()?;
    let recipient = key.recipients().join(" ");
    ctx.ui.note(&format!("made the identity {}; keep a copy of it", key.path.display()));
    let add = format!("`strongroom recipients add {recipient}`");
    ctx.ui.note(&match is_first {
        true => format!("the manifest names nobody who can open its vaults: {add} makes you the first"),
        false => format!("ask somebody who can open the vault to run {add} and to share the result"),
    });
    if ctx.ui.json() {
        ctx.ui.document("identity", &Joined { identity: key.path.display().to_string(), recipient })?;
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Joined {
    identity: String,
    recipient: String,
}
