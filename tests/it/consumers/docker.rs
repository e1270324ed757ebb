//! Docker's client and Docker Compose's binary, both talking to an [`Engine`] of ours that records the environment of
//! each container they ask for.

use super::engine::{Container, Engine};
use super::{Folder, Reading, variables};
use crate::support::{program, provision};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The containers that the client asked for, or what it said instead.
type Made = Result<Vec<Container>, String>;

const IMAGE: &str = "image.invalid/of-a-test";

/// `docker create --env-file FILE`.
pub(super) fn client(folder: &Folder) -> Option<Vec<Reading>> {
    let docker = program("docker")?;
    let scratch = TempDir::new().unwrap();
    let engine = Engine::listen(scratch.path());
    let read = |file: &PathBuf| {
        let mut command = folder.command(&docker);
        command.args(["create", "--env-file"]).arg(file).arg(IMAGE);
        let containers = made(&mut command, &engine, scratch.path())?;
        Ok(environment(&containers[0]))
    };
    Some(folder.files().iter().map(read).collect())
}

/// `env_file: FILE` of a service.
pub(super) fn compose(folder: &Folder) -> Option<Vec<Reading>> {
    Some(services(folder, "default"))
}

/// `env_file: [{path: FILE, format: raw}]`.
pub(super) fn compose_raw(folder: &Folder) -> Option<Vec<Reading>> {
    Some(services(folder, "raw"))
}

/// `environment: {NAME: "${NAME}"}` with the file as the project's `.env`.
pub(super) fn compose_interpolation(folder: &Folder) -> Option<Vec<Reading>> {
    let scratch = TempDir::new().unwrap();
    let engine = Engine::listen(scratch.path());
    let read = |(file, names): (PathBuf, &Vec<String>)| {
        fs::copy(file, scratch.path().join(".env")).unwrap();
        let mut yaml =
            format!("services:\n  s:\n    image: {IMAGE}\n    network_mode: none\n    environment:\n");
        for name in names {
            writeln!(yaml, "      {name}: \"${{{name}}}\"").unwrap();
        }
        let containers = composed(folder, &yaml, &engine, scratch.path())?;
        Ok(environment(&containers[0]))
    };
    Some(folder.files().into_iter().zip(&folder.names).map(read).collect())
}

/// All files in one project, a service for each.
fn services(folder: &Folder, format: &str) -> Vec<Reading> {
    let scratch = TempDir::new().unwrap();
    let engine = Engine::listen(scratch.path());
    split(&folder.files(), &|files| {
        let mut yaml = "services:\n".to_owned();
        for file in files {
            let (service, path) = (file.file_stem().unwrap().display(), file.display());
            let format = if format == "default" { String::new() } else { format!(", format: {format}") };
            writeln!(yaml, "  s{service}:\n    image: {IMAGE}\n    network_mode: none").unwrap();
            writeln!(yaml, "    env_file: [{{path: {path}{format}}}]").unwrap();
        }
        composed(folder, &yaml, &engine, scratch.path())
    })
}

/// One broken file fails the whole project, so a project that fails is read in halves.
fn split(files: &[PathBuf], read: &dyn Fn(&[PathBuf]) -> Made) -> Vec<Reading> {
    match read(files) {
        Ok(mut containers) => {
            containers.sort_by_key(|container| container.labels["com.docker.compose.service"].clone());
            containers.iter().map(|container| Ok(environment(container))).collect()
        }
        Err(why) if files.len() == 1 => vec![Err(why)],
        Err(_) => {
            let (left, right) = files.split_at(files.len() / 2);
            [split(left, read), split(right, read)].concat()
        }
    }
}

fn composed(folder: &Folder, yaml: &str, engine: &Engine, scratch: &Path) -> Made {
    fs::write(scratch.join("compose.yaml"), yaml).unwrap();
    let mut command = folder.command(provision::docker_compose());
    command.args(["--progress", "quiet", "--project-name", "p", "create", "--pull", "never"]);
    made(command.current_dir(scratch), engine, scratch)
}

fn made(command: &mut Command, engine: &Engine, scratch: &Path) -> Made {
    command.env("DOCKER_HOST", engine.host()).env("DOCKER_CONFIG", scratch);
    let output = command.output().unwrap();
    let containers = engine.take();
    match output.status.success() {
        true => Ok(containers),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn environment(container: &Container) -> std::collections::BTreeMap<String, Vec<u8>> {
    variables(container.environment.iter().map(String::as_bytes))
}
