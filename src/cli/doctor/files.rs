//! The files that `doctor` and `migrate` look at: what git has, what a deployment takes, and what holds variables.

use crate::cli::context::Project;
use crate::cli::git::{self, Exposed, Index};
use crate::doctor::{EnvFile, File, Finding, Tree, is_env_file, is_wanted};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use zeroize::Zeroizing;

/// What somebody wrote is smaller; what is larger is data.
const LARGEST: u64 = 4 << 20;

/// So deep below the project's folder files are looked for that git does not have.
const DEEPEST: usize = 3;

/// Folders that hold what others wrote, or what was built.
const SKIPPED: [&str; 9] =
    [".git", "node_modules", "target", "venv", ".venv", "vendor", "__pycache__", ".strongroom", "dist"];

/// What was found on the disk.
pub(in crate::cli) struct Found {
    pub(in crate::cli) tree: Tree,
    pub(in crate::cli) env_files: Vec<EnvFile>,
    /// What could not be looked at.
    pub(in crate::cli) unread: Vec<Finding>,
}

/// Looks below the folder of the manifest.
pub(in crate::cli) fn found(project: &Project) -> Found {
    let mut unread = Vec::new();
    let tracked: BTreeSet<String> = match git::index(&project.folder) {
        Index::Files(names) => names.into_iter().collect(),
        Index::NoRepository => BTreeSet::new(),
        Index::Unknown => {
            unread.push(untold());
            BTreeSet::new()
        }
    };
    let mut paths = tracked.clone();
    walk(&project.folder, "", DEEPEST, &mut paths);
    let targets = targets(project);
    paths.extend(targets.keys().cloned());
    let files: Vec<File> =
        paths.iter().filter_map(|path| read(project, path, tracked.contains(path))).collect();
    let env_files = files.iter().filter(|file| is_env_file(&file.path) || targets.contains_key(&file.path));
    let env_files = env_files.map(|file| env_file(project, file, targets.get(&file.path).copied())).collect();
    Found { tree: Tree { files }, env_files, unread }
}

fn untold() -> Finding {
    Finding::warning("git-not-asked", "git does not tell which files it has")
        .why("secrets in files that git tracks could not be looked for")
        .fix("`git ls-files` says why; install git, or make the folder yours")
}

/// The files that are rendered, with the permissions that the manifest gives them.
fn targets(project: &Project) -> BTreeMap<String, u32> {
    let manifest = &project.manifest;
    let files = manifest.renders().flat_map(|spec| {
        spec.environments.iter().map(|environment| (spec.file_in(manifest, environment), spec.mode))
    });
    files.collect()
}

/// Adds the files that matter although git may not have them.
fn walk(folder: &Path, inside: &str, depth: usize, paths: &mut BTreeSet<String>) {
    // What cannot be listed is nothing that is deployed from here.
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let Ok(kind) = entry.file_type() else { continue };
        let path = if inside.is_empty() { name.clone() } else { format!("{inside}/{name}") };
        if kind.is_dir() && depth > 0 && !SKIPPED.contains(&name.as_str()) {
            walk(&entry.path(), &path, depth - 1, paths);
        } else if kind.is_file() && is_wanted(&path) {
            paths.insert(path);
        }
    }
}

/// A file of text; nothing of what is none, is a link, or is gone.
fn read(project: &Project, path: &str, tracked: bool) -> Option<File> {
    let full = project.folder.join(path);
    let meta = fs::symlink_metadata(&full).ok().filter(|meta| meta.is_file() && meta.len() <= LARGEST)?;
    let bytes = Zeroizing::new(fs::read(&full).ok()?);
    let text = std::str::from_utf8(&bytes).ok().filter(|text| !text.contains('\0'))?;
    let text = Zeroizing::new(text.to_owned());
    Some(File { path: path.to_owned(), text, mode: meta.permissions().mode(), tracked })
}

fn env_file(project: &Project, file: &File, allowed: Option<u32>) -> EnvFile {
    let full = project.folder.join(&file.path);
    let advice = Exposed::of(&full).map(|exposed| exposed.advice(&full, Some(&project.folder)));
    EnvFile { path: file.path.clone(), mode: file.mode, allowed, advice }
}
