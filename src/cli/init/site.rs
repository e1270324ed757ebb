//! Where a new project is to be: its folder, what is there already, and the manifest and .gitignore that are put there.
//!
//! It writes those two files and nothing else, each whole or not at all.

use crate::cli::context::{Context, MANIFEST};
use crate::cli::report::{Exit, Stop};
use crate::durable;
use anyhow::Result;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

/// Where the project is to be.
pub(super) struct Site {
    pub(super) manifest: PathBuf,
    pub(super) folder: PathBuf,
    /// The folder, from the root on.
    pub(super) absolute: PathBuf,
    /// The manifest that is there already.
    pub(super) present: Option<String>,
}

impl Site {
    pub(super) fn of(ctx: &Context) -> Result<Site> {
        let manifest = ctx.named_manifest().map_or_else(|| PathBuf::from(MANIFEST), Path::to_owned);
        let folder = manifest.parent().map(Path::to_owned).unwrap_or_default();
        let absolute = normal(&folder)
            .map_err(|error| Stop::new(Exit::Failed, "cannot tell the working folder").because(error))?;
        let present = match fs::read(&manifest) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                let message = format!("cannot read {}", manifest.display());
                return Err(Stop::new(Exit::Failed, message).because(error).into());
            }
        };
        Ok(Site { manifest, folder, absolute, present })
    }

    /// Writes the manifest, where there is none, then what version control is to ignore, where that is more than it does.
    pub(super) fn write(&self, manifest: &str, ignored: Option<&str>) -> Result<()> {
        if self.present.is_none() {
            durable::create(&self.manifest, manifest.as_bytes(), 0o644).map_err(|error| {
                match error.kind() {
                    io::ErrorKind::AlreadyExists => self.taken(),
                    _ => Stop::new(Exit::Failed, format!("cannot write {}", self.manifest.display()))
                        .because(error),
                }
            })?;
        }
        if let Some(text) = ignored {
            let (path, mode) = self.gitignore();
            durable::replace(&path, text.as_bytes(), mode).map_err(|error| {
                Stop::new(Exit::Failed, format!("cannot write {}", path.display())).because(error)
            })?;
        }
        Ok(())
    }

    pub(super) fn taken(&self) -> Stop {
        Stop::usage(format!("there is a manifest already: {}", self.manifest.display()))
            .hint("`strongroom import FILE --add` brings the variables of a file into it")
            .hint("to begin anew, move it away first")
    }

    /// A file's path from the folder of the project on, as a manifest has it.
    pub(super) fn inside(&self, file: &Path) -> Result<String> {
        let absolute = normal(file).map_err(|error| {
            Stop::new(Exit::Failed, format!("cannot find {}", file.display())).because(error)
        })?;
        let outside = || {
            Stop::usage(format!("{} is not in the project's folder", file.display()))
                .hint("make the project in a folder above all of its files")
        };
        let inside = absolute.strip_prefix(&self.absolute).map_err(|_| outside())?;
        let text =
            inside.to_str().filter(|text| !text.contains(['{', '}']) && !text.contains(char::is_control));
        let odd = || {
            Stop::usage(format!("a render target cannot be called {}", file.display()))
                .hint("rename the file")
        };
        Ok(text.ok_or_else(odd)?.to_owned())
    }

    /// The .gitignore, a link followed, with the mode that it has or is to have.
    pub(super) fn gitignore(&self) -> (PathBuf, u32) {
        let path = self.folder.join(".gitignore");
        let path = path.canonicalize().unwrap_or(path);
        let mode = path.metadata().map_or(0o644, |metadata| metadata.permissions().mode() & 0o7777);
        (path, mode)
    }

    pub(super) fn ignored(&self) -> Result<String> {
        let (path, _) = self.gitignore();
        match fs::read_to_string(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let message = format!("cannot read {}; nothing was written", path.display());
                Err(Stop::new(Exit::Failed, message).because(error).into())
            }
            text => Ok(text.unwrap_or_default()),
        }
    }
}

/// An absolute path without `.` and `..`.
fn normal(path: &Path) -> io::Result<PathBuf> {
    let mut normal = PathBuf::new();
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    for component in std::path::absolute(path)?.components() {
        match component {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            Component::RootDir | Component::Normal(_) | Component::Prefix(_) => normal.push(component),
        }
    }
    Ok(normal)
}
