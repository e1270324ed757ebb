//! The files of a test's place, to be put back as they were.

use super::env::TestEnv;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The folders that the binary may write into.
const FOLDERS: [&str; 3] = ["config", "state", "work"];

/// Folders and files by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree(BTreeMap<PathBuf, Node>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Folder(u32),
    File(Vec<u8>, u32),
}

impl Tree {
    /// Everything that the binary may have written.
    pub(crate) fn of(env: &TestEnv) -> Tree {
        let mut tree = Tree(BTreeMap::new());
        for folder in FOLDERS {
            capture(&env.root().join(folder), &mut tree);
        }
        tree
    }

    /// Puts everything back as it was.
    pub(crate) fn restore(&self, env: &TestEnv) {
        for folder in FOLDERS {
            fs::remove_dir_all(env.root().join(folder)).unwrap();
        }
        // Sorted by path, a folder comes before what is in it.
        for (path, node) in &self.0 {
            let mode = match node {
                Node::Folder(mode) => {
                    fs::create_dir(path).unwrap();
                    mode
                }
                Node::File(bytes, mode) => {
                    fs::write(path, bytes).unwrap();
                    mode
                }
            };
            fs::set_permissions(path, fs::Permissions::from_mode(*mode)).unwrap();
        }
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.iter().filter(|(_, node)| matches!(node, Node::File(..))).map(|(path, _)| path)
    }

    pub(crate) fn bytes(&self, path: &Path) -> &[u8] {
        match self.0.get(path) {
            Some(Node::File(bytes, _)) => bytes,
            Some(Node::Folder(_)) | None => &[],
        }
    }
}

fn capture(path: &Path, tree: &mut Tree) {
    let mode = path.metadata().unwrap().permissions().mode() & 0o7777;
    if !path.is_dir() {
        tree.0.insert(path.to_owned(), Node::File(fs::read(path).unwrap(), mode));
        return;
    }
    tree.0.insert(path.to_owned(), Node::Folder(mode));
    for entry in fs::read_dir(path).unwrap() {
        capture(&entry.unwrap().path(), tree);
    }
}
