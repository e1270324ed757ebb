//! The dotenvy crate, in this process. It expands from this process's environment.

use super::{Folder, Reading};
use std::collections::BTreeMap;

pub(super) fn from_path(folder: &Folder) -> Option<Vec<Reading>> {
    let read = |file| -> Result<BTreeMap<String, Vec<u8>>, dotenvy::Error> {
        let pairs = dotenvy::from_path_iter(file)?;
        pairs.map(|pair| pair.map(|(name, value)| (name, value.into_bytes()))).collect()
    };
    Some(folder.files().into_iter().map(|file| read(file).map_err(|why| why.to_string())).collect())
}
