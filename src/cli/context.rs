//! What a verb works with: the environment of the process, folders, clock, randomness, and (opened when first asked
//! for) the manifest and the places.
//!
//! The only file that reads the process's environment. It is passed to verbs and never global, and it never prints.

use super::Globals;
use super::harden::Limits;
use super::report::Stop;
use super::ui::Ui;
use anyhow::Result;
use jiff::Timestamp;
use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// The words of the command line, the program's name first.
pub(super) fn arguments() -> Vec<OsString> {
    env::args_os().collect()
}

/// A variable of the process's environment; an empty one is as good as none.
pub(super) fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|text| !text.is_empty())
}

/// The whole environment that we were started with, which need not be UTF-8.
pub(super) fn inherited() -> impl Iterator<Item = (OsString, OsString)> {
    env::vars_os()
}

/// What a verb works with.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) ui: Ui,
    pub(super) limits: Limits,
    globals: Globals,
}

impl Context {
    pub(super) fn new(ui: Ui, globals: Globals, limits: Limits) -> Context {
        Context { ui, limits, globals }
    }

    /// Whether the run stops after the plan.
    pub(super) fn dry_run(&self) -> bool {
        self.globals.dry_run
    }

    /// The clock.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// The folder of settings: `$XDG_CONFIG_HOME/strongroom`, else `~/.config/strongroom`.
    pub(super) fn config_folder(&self) -> Result<PathBuf> {
        folder("XDG_CONFIG_HOME", ".config")
    }

    /// The folder of journals and backups: `STRONGROOM_STATE_DIR`, else `$XDG_STATE_HOME/strongroom`, else
    /// `~/.local/state/strongroom`.
    pub(super) fn state_folder(&self) -> Result<PathBuf> {
        match variable("STRONGROOM_STATE_DIR") {
            Some(path) => Ok(path.into()),
            None => folder("XDG_STATE_HOME", ".local/state"),
        }
    }

    /// The file of the identity that opens vaults: `STRONGROOM_IDENTITY`, else `identity.txt` among the settings.
    pub(super) fn identity_path(&self) -> Result<PathBuf> {
        match variable("STRONGROOM_IDENTITY") {
            Some(path) => Ok(path.into()),
            None => Ok(self.config_folder()?.join("identity.txt")),
        }
    }
}

/// A folder of ours under one that XDG names; a relative one is to be ignored, says its specification.
fn folder(xdg: &str, under_home: &str) -> Result<PathBuf> {
    if let Some(base) = variable(xdg).map(PathBuf::from).filter(|path| path.is_absolute()) {
        return Ok(base.join("strongroom"));
    }
    match env::home_dir().filter(|path| path.is_absolute()) {
        Some(home) => Ok(home.join(under_home).join("strongroom")),
        None => Err(Stop::usage("there is no home folder").hint(format!("set HOME, or {xdg}")).into()),
    }
}
