//! What a verb works with: the environment of the process, folders, clock, randomness, and (opened when first asked
//! for) the manifest and the environment that is meant.
//!
//! The only file that reads the process's environment. It is passed to verbs and never global, and it never prints.

use super::Globals;
use super::harden::Limits;
use super::report::{Exit, Stop};
use super::ui::Ui;
use crate::manifest::generate::Generator;
use crate::manifest::{EnvironmentSpec, Manifest};
use crate::seal::Identities;
use crate::secret::{FingerprintKey, Secret};
use crate::store::{Aws, Guard};
use anyhow::Result;
use jiff::Timestamp;
use rand::Rng;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use std::cell::{Cell, OnceCell};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tracing::debug;

/// The file that is looked for.
pub(super) const MANIFEST: &str = "strongroom.toml";

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

/// A manifest, and where it stands. Relative paths in it start from its folder.
#[derive(Debug, Clone)]
pub(super) struct Project {
    pub(super) manifest: Arc<Manifest>,
    /// The manifest's file.
    pub(super) path: PathBuf,
    /// Its folder.
    pub(super) folder: PathBuf,
}

/// 32 bytes from the system's random source.
pub(super) fn random_bytes() -> [u8; 32] {
    let mut bytes = [0_u8; 32];
    UnwrapErr(SysRng).fill_bytes(&mut bytes);
    bytes
}

/// A new value, from the system's random source.
pub(super) fn generated(generator: &Generator) -> Secret {
    generator.generate(&mut UnwrapErr(SysRng))
}

/// What a verb works with.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) ui: Ui,
    pub(super) limits: Limits,
    globals: Globals,
    project: OnceCell<Project>,
    runtime: OnceCell<Runtime>,
    pub(super) aws: OnceCell<Arc<Aws>>,
    /// Whether this process has asked to be told of Ctrl-C instead of being ended by it.
    pub(super) listens: Cell<bool>,
    /// Whether Ctrl-C has ended work that changes something.
    pub(super) interrupted: Cell<bool>,
    /// Stands before every place that is written to.
    pub(super) guard: Guard,
    pub(super) identities: OnceCell<Option<Arc<Identities>>>,
}

impl Context {
    pub(super) fn new(ui: Ui, globals: Globals, limits: Limits) -> Context {
        Context {
            ui,
            limits,
            globals,
            project: OnceCell::new(),
            runtime: OnceCell::new(),
            aws: OnceCell::new(),
            listens: Cell::new(false),
            interrupted: Cell::new(false),
            guard: Guard::default(),
            identities: OnceCell::new(),
        }
    }

    /// The same project, and another environment of it.
    pub(super) fn of_environment(&self, name: &str) -> Result<Context> {
        let project = self.project()?.clone();
        project.manifest.environment(name)?;
        let globals = Globals { environment: Some(name.to_owned()), ..self.globals.clone() };
        let other = Context::new(self.ui.about(name), globals, self.limits.clone());
        let known = self.identities.get().cloned();
        Ok(Context {
            project: OnceCell::from(project),
            identities: known.map_or_else(OnceCell::new, OnceCell::from),
            ..other
        })
    }

    /// The same environment, as a manifest of another text has it.
    pub(super) fn with_manifest(&self, text: &str) -> Result<Context> {
        let Project { path, folder, .. } = self.project()?.clone();
        let manifest = Arc::new(Manifest::parse(&path.display().to_string(), text)?);
        let environment = self.environment()?.name.to_string();
        let globals = Globals { environment: Some(environment), ..self.globals.clone() };
        let other = Context::new(self.ui.clone(), globals, self.limits.clone());
        let known = self.identities.get().cloned();
        Ok(Context {
            project: OnceCell::from(Project { manifest, path, folder }),
            identities: known.map_or_else(OnceCell::new, OnceCell::from),
            ..other
        })
    }

    /// Whether the run stops after the plan.
    pub(super) fn dry_run(&self) -> bool {
        self.globals.dry_run
    }

    /// The manifest that was named, which need not exist.
    pub(super) fn named_manifest(&self) -> Option<&Path> {
        self.globals.config.as_deref().filter(|path| !path.as_os_str().is_empty())
    }

    /// The environment that was named, which need not be declared.
    pub(super) fn named_environment(&self) -> Option<&str> {
        self.globals.environment.as_deref().filter(|name| !name.is_empty())
    }

    /// The project: the manifest that was named, or the nearest one upwards.
    pub(super) fn project(&self) -> Result<&Project> {
        if let Some(project) = self.project.get() {
            return Ok(project);
        }
        let project = Project::open(self.named_manifest())?;
        Ok(self.project.get_or_init(|| project))
    }

    /// Whether there is no manifest: the file that was named does not exist, or none is here or in a folder above.
    pub(super) fn lacks_manifest(&self) -> Result<bool> {
        if self.project.get().is_some() {
            return Ok(false);
        }
        match self.named_manifest() {
            Some(path) => Ok(!path.exists()),
            None => Ok(nearest_manifest()?.is_none()),
        }
    }

    /// Where there is no manifest, works with this text as if it stood where one would be looked for, and with this
    /// environment where none was named. Nothing is written.
    pub(super) fn adopt(&mut self, text: &str, environment: &str) -> Result<()> {
        let path = self.named_manifest().unwrap_or(Path::new(MANIFEST)).to_owned();
        self.project = OnceCell::from(Project::of(path, text)?);
        if self.named_environment().is_none() {
            self.globals.environment = Some(environment.to_owned());
        }
        Ok(())
    }

    /// The environment that was named, or the one that the manifest takes for granted.
    pub(super) fn environment(&self) -> Result<&EnvironmentSpec> {
        let manifest = &self.project()?.manifest;
        if let Some(name) = self.named_environment() {
            return Ok(manifest.environment(name)?);
        }
        manifest.default_environment().ok_or_else(|| {
            let names: Vec<&str> = manifest.environments().map(|spec| spec.name.as_str()).collect();
            Stop::usage("which environment is meant? The manifest names no default_environment")
                .hint(format!("give --environment, one of: {}", names.join(", ")))
                .into()
        })
    }

    /// The clock.
    pub(super) fn clock(&self) -> fn() -> Timestamp {
        Timestamp::now
    }

    /// The system's random source.
    pub(super) fn random(&self) -> UnwrapErr<SysRng> {
        UnwrapErr(SysRng)
    }

    /// A new key for the fingerprints that this run shows.
    pub(super) fn fingerprint_key(&self) -> FingerprintKey {
        FingerprintKey::new(random_bytes())
    }

    /// Runs what waits for places, on this thread. The one runtime is made for the first of it, so that a verb that waits
    /// for nothing has none, and connections live from one call to the next.
    pub(super) fn wait_for<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        if !self.listens.get() {
            return self.block_on(work);
        }
        // Whoever listened to Ctrl-C once goes on hearing it in the process's place, also between two changes.
        self.block_on(async {
            tokio::select! {
                biased;
                _ = tokio::signal::ctrl_c() => Err(Stop::new(Exit::Interrupted, "interrupted").into()),
                done = work => done,
            }
        })
    }

    /// The same for work that listens to Ctrl-C by itself.
    pub(super) fn block_on<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        if let Some(runtime) = self.runtime.get() {
            return runtime.block_on(work);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| Stop::new(Exit::Failed, "cannot start a runtime").because(error))?;
        self.runtime.get_or_init(|| runtime).block_on(work)
    }

    /// How often a deployment is looked at: `STRONGROOM_POLL_INTERVAL_MS`, else five seconds.
    pub(super) fn poll_interval(&self) -> Result<Duration> {
        milliseconds("STRONGROOM_POLL_INTERVAL_MS", 1).map(|given| given.unwrap_or(Duration::from_secs(5)))
    }

    /// How long a lease lives unrenewed: `STRONGROOM_LEASE_SECONDS`, else ninety seconds.
    pub(super) fn lease_length(&self) -> Result<Duration> {
        milliseconds("STRONGROOM_LEASE_SECONDS", 1000).map(|given| given.unwrap_or(Duration::from_secs(90)))
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

    /// The file of the identity that opens vaults, where somebody chose one by `STRONGROOM_IDENTITY`.
    pub(super) fn chosen_identity(&self) -> Option<PathBuf> {
        variable("STRONGROOM_IDENTITY").map(PathBuf::from)
    }

    /// The file of the identity that opens vaults: `STRONGROOM_IDENTITY`, else `identity.txt` among the settings.
    pub(super) fn identity_path(&self) -> Result<PathBuf> {
        match self.chosen_identity() {
            Some(path) => Ok(path),
            None => Ok(self.config_folder()?.join("identity.txt")),
        }
    }
}

/// A whole number of a variable, in units of so many milliseconds.
fn milliseconds(name: &str, unit: u64) -> Result<Option<Duration>> {
    let Some(text) = variable(name) else { return Ok(None) };
    match text.to_str().and_then(|text| text.parse::<u64>().ok()) {
        Some(number) if number > 0 => Ok(Some(Duration::from_millis(number.saturating_mul(unit)))),
        _ => Err(Stop::usage(format!("{name} must be a whole number, more than 0")).into()),
    }
}

impl Project {
    /// Reads the manifest at this path, or the nearest one from the working folder upwards.
    pub(super) fn open(config: Option<&Path>) -> Result<Project> {
        let path = match config {
            Some(path) => path.to_owned(),
            None => nearest_manifest()?.ok_or_else(no_manifest)?,
        };
        let shown = path.display().to_string();
        debug!(manifest = %shown);
        let bytes = fs::read(&path).map_err(|error| {
            Stop::new(Exit::Manifest, format!("cannot read the manifest {shown}")).because(error)
        })?;
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let offset = error.valid_up_to();
            Stop::new(Exit::Manifest, format!("{shown} is not UTF-8 from byte {offset} on"))
        })?;
        Project::of(path, text)
    }

    /// The project of a manifest with this text, at this path.
    fn of(path: PathBuf, text: &str) -> Result<Project> {
        let manifest = Arc::new(Manifest::parse(&path.display().to_string(), text)?);
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        Ok(Project { manifest, path, folder })
    }
}

/// The nearest manifest upwards, named from the working folder on: `../strongroom.toml`.
fn nearest_manifest() -> Result<Option<PathBuf>> {
    let here = env::current_dir()
        .map_err(|error| Stop::new(Exit::Manifest, "cannot tell the working folder").because(error))?;
    let mut path = PathBuf::new();
    for folder in here.ancestors() {
        match fs::metadata(folder.join(MANIFEST)) {
            Ok(_) => return Ok(Some(path.join(MANIFEST))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.push(".."),
            Err(error) => {
                let shown = path.join(MANIFEST).display().to_string();
                return Err(Stop::new(Exit::Manifest, format!("cannot read the manifest {shown}"))
                    .because(error)
                    .into());
            }
        }
    }
    Ok(None)
}

fn no_manifest() -> Stop {
    Stop::new(Exit::Manifest, format!("there is no {MANIFEST} here or in a folder above")).hint(
        "`strongroom init` makes one; or go to the project's folder, or name the file with --config FILE",
    )
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
