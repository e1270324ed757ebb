//! What `status --json` says: the same as the table and its notes, key by key, without values.

use super::Found;
use super::copies::{Copy, InCopy};
use super::matrix::{InFile, OnDisk, Row, Target};
use super::rotations::Rotated;
use crate::cli::operations::moment;
use crate::manifest::EnvironmentSpec;
use serde::Serialize;

/// What `--json` says.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    environment: &'a str,
    home: &'a str,
    in_order: bool,
    keys: Vec<Line<'a>>,
    targets: Vec<TargetLine<'a>>,
    copies: Vec<CopyLine<'a>>,
    /// Copies that could not be compared, by name, with why.
    untold: std::collections::BTreeMap<&'a str, &'a str>,
    unfinished: &'a [String],
    rotations: &'a [Rotated],
}

#[derive(Serialize)]
struct CopyLine<'a> {
    name: &'a str,
    location: &'a str,
    agrees: bool,
    /// Whether it was deployed with what its references stand for now.
    current: bool,
    notes: &'a [String],
}

#[derive(Serialize)]
struct Line<'a> {
    address: String,
    secret: bool,
    home: &'static str,
    version: Option<&'a str>,
    modified: Option<String>,
    /// By the target's name, where it takes the address and its file could be compared.
    targets: std::collections::BTreeMap<&'a str, &'static str>,
    /// By the copy's name, where it takes the address.
    copies: std::collections::BTreeMap<&'a str, &'static str>,
}

#[derive(Serialize)]
struct TargetLine<'a> {
    name: &'a str,
    file: &'a str,
    state: &'static str,
    problem: Option<String>,
    strange: usize,
}

impl Document<'_> {
    pub(super) fn of<'a>(environment: &'a EnvironmentSpec, found: &'a Found) -> Document<'a> {
        let matrix = &found.matrix;
        Document {
            environment: environment.name.as_str(),
            home: &found.location,
            in_order: !found.is_drift(),
            keys: matrix.rows.iter().map(|row| Line::of(row, &matrix.targets, &found.copies)).collect(),
            targets: matrix.targets.iter().map(TargetLine::of).collect(),
            copies: found.copies.iter().map(CopyLine::of).collect(),
            untold: found.untold.iter().map(|(name, why)| (name.as_str(), why.as_str())).collect(),
            unfinished: &found.unfinished,
            rotations: &found.rotations,
        }
    }
}

impl Line<'_> {
    fn of<'a>(row: &'a Row, targets: &'a [Target], copies: &'a [Copy]) -> Line<'a> {
        let in_copies = copies.iter().map(|copy| (copy.name.as_str(), copy.cell(&row.address)));
        let in_copies = in_copies.filter(|(_, cell)| *cell != InCopy::Nothing);
        let entry = row.home.entry();
        let told = row.cells.iter().zip(targets).filter(|(cell, _)| **cell != InFile::Nothing);
        Line {
            address: row.address.to_string(),
            secret: row.secret,
            home: row.home.word(),
            version: entry.and_then(|entry| entry.version.as_ref()).map(|version| version.0.as_str()),
            modified: entry.and_then(|entry| entry.modified).map(moment),
            targets: told.map(|(cell, target)| (target.name.as_str(), cell.word())).collect(),
            copies: in_copies.map(|(name, cell)| (name, cell.word())).collect(),
        }
    }
}

impl CopyLine<'_> {
    fn of(copy: &Copy) -> CopyLine<'_> {
        CopyLine {
            name: &copy.name,
            location: &copy.location,
            agrees: !copy.is_drift(),
            current: copy.is_current(),
            notes: &copy.notes,
        }
    }
}

impl TargetLine<'_> {
    fn of(target: &Target) -> TargetLine<'_> {
        let (state, problem) = match &target.on_disk {
            OnDisk::NotThere => ("not-there", None),
            OnDisk::Unreadable(why) => ("unreadable", Some(why.clone())),
            OnDisk::Misread(error) => ("misread", Some(error.to_string())),
            OnDisk::Read => ("read", None),
        };
        TargetLine { name: &target.name, file: &target.file, state, problem, strange: target.strange }
    }
}
