//! The real consumers of .env files, as a table: each reads given files and tells the bytes that a process sees.
//!
//! Owns how each program is run and what comes back. It never knows how the product writes a file, and holds no rule of
//! any dialect: it asks the programs.

mod corpus;
mod docker;
mod dotenvy;
mod engine;
mod hand_written;
mod hook;
mod limits;
mod node;
mod python;
mod round_trip;
mod shell;
mod systemd;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// What a process sees of one file: its variables, or why the consumer did not take the file.
pub(crate) type Reading = Result<BTreeMap<String, Vec<u8>>, String>;

/// One file to be read, with the names that are asked for (only Compose's interpolation needs to be asked).
pub(crate) struct EnvFile {
    pub(crate) names: Vec<String>,
    pub(crate) text: Vec<u8>,
}

/// How dear it is to have a file of its own for each value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cost {
    /// One process reads any number of files.
    Cheap,
    /// Each file needs a process.
    Dear,
}

/// A program, the way it is used, and the dialect that promises to suit it.
pub(crate) struct Consumer {
    pub(crate) name: &'static str,
    pub(crate) dialect: &'static str,
    pub(crate) cost: Cost,
    read: fn(&Folder) -> Option<Vec<Reading>>,
}

impl Consumer {
    /// Reads each file by itself; `None` where the program is one that only an administrator can install, and is not
    /// there.
    pub(crate) fn read(&self, files: &[EnvFile]) -> Option<Vec<Reading>> {
        let readings = (self.read)(&Folder::with(files))?;
        assert_eq!(readings.len(), files.len(), "{} lost a file", self.name);
        Some(readings)
    }
}

/// Every consumer that the product speaks for.
pub(crate) fn all() -> Vec<Consumer> {
    use Cost::{Cheap, Dear};
    let row = |name, dialect, cost, read| Consumer { name, dialect, cost, read };
    vec![
        row("docker create --env-file", "docker", Dear, docker::client),
        row("docker-compose env_file, format raw", "docker", Cheap, docker::compose_raw),
        row("docker-compose env_file", "compose", Cheap, docker::compose),
        row("docker-compose interpolation of .env", "compose", Dear, docker::compose_interpolation),
        row("python-dotenv 1.2 dotenv_values", "python-dotenv", Cheap, python::dotenv_values),
        row("python-dotenv 1.2 load_dotenv", "python-dotenv", Cheap, python::load_dotenv),
        row("python-dotenv 1.0 dotenv_values", "python-dotenv", Cheap, python::old_dotenv_values),
        row("django-environ 0.14 os.environ", "django-environ", Cheap, python::read_env),
        row("django-environ 0.14 env()", "django-environ", Cheap, python::env),
        row("django-environ 0.11 env()", "django-environ", Cheap, python::old_env),
        row("npm dotenv 16", "node", Cheap, node::dotenv_16),
        row("npm dotenv 17", "node", Cheap, node::dotenv_17),
        row("npm dotenv 18", "node", Cheap, node::dotenv_18),
        row("node 24 loadEnvFile", "node-builtin", Cheap, node::load_env_file),
        row("node 20 loadEnvFile", "node-builtin", Cheap, node::old_load_env_file),
        row("node 24 --env-file", "node-builtin", Dear, node::env_file),
        row("dotenvy 0.15", "dotenvy", Cheap, dotenvy::from_path),
        row("bash", "shell", Cheap, shell::bash),
        row("dash", "shell", Cheap, shell::dash),
        row("systemd EnvironmentFile=", "systemd", Cheap, systemd::load_env_file),
    ]
}

/// The files as a consumer finds them: `0000.env` and so on, in a folder of their own.
struct Folder {
    root: TempDir,
    names: Vec<Vec<String>>,
}

/// What every consumer finds in its environment, so that a `$HOME` that is expanded by accident shows.
const AMBIENT: [(&str, &str); 4] =
    [("HOME", "/ambient/home"), ("USER", "ambient"), ("LANG", "C.UTF-8"), ("PATH", "/usr/bin:/bin")];

/// Names that a shell adds by itself.
const SHELL: [&str; 4] = ["PWD", "OLDPWD", "SHLVL", "_"];

impl Folder {
    fn with(files: &[EnvFile]) -> Folder {
        let root = TempDir::new().unwrap();
        for (number, file) in files.iter().enumerate() {
            fs::write(root.path().join(format!("{number:04}.env")), &file.text).unwrap();
        }
        Folder { root, names: files.iter().map(|file| file.names.clone()).collect() }
    }

    fn path(&self) -> &Path {
        self.root.path()
    }

    fn files(&self) -> Vec<PathBuf> {
        (0..self.names.len()).map(|number| self.path().join(format!("{number:04}.env"))).collect()
    }

    /// The program with an environment of [`AMBIENT`] alone, in this folder.
    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().envs(AMBIENT).current_dir(self.path());
        command
    }

    /// Runs a program that leaves beside each `0000.env` either `0000.env.out`, as `env -0` writes it, or
    /// `0000.env.err`; gives back what they say.
    fn readings_of(&self, command: &mut Command) -> Vec<Reading> {
        let output = command.args(self.files()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {said}");
        self.files().iter().map(|file| reading_beside(file)).collect()
    }
}

fn reading_beside(file: &Path) -> Reading {
    match fs::read(file.with_extension("env.err")) {
        Ok(said) if !said.is_empty() => Err(String::from_utf8_lossy(&said).into_owned()),
        _ => {
            let out = file.with_extension("env.out");
            let bytes = fs::read(&out).unwrap_or_else(|why| panic!("no {}: {why}", out.display()));
            Ok(variables(bytes.split(|byte| *byte == 0).filter(|pair| !pair.is_empty())))
        }
    }
}

/// The variables of `NAME=value` pairs, less those that were there before the file.
fn variables<'a>(pairs: impl Iterator<Item = &'a [u8]>) -> BTreeMap<String, Vec<u8>> {
    let mut variables = BTreeMap::new();
    for pair in pairs {
        let equals = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let name = String::from_utf8_lossy(&pair[..equals]).into_owned();
        let value = pair.get(equals + 1..).unwrap_or_default().to_vec();
        let ambient = AMBIENT.iter().any(|(known, same)| *known == name && same.as_bytes() == value);
        if !ambient && !SHELL.contains(&name.as_str()) {
            variables.insert(name, value);
        }
    }
    variables
}
