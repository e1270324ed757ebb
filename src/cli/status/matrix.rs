//! The matrix: every address of an environment, how it stands in home and in each file that was rendered from it.
//!
//! Owns the comparison. It reads no place and no file (what they hold is given to it) and shows nothing; values are
//! compared in constant time and go no further.

use crate::manifest::{Instances, Manifest, NameClash, RenderSpec, ValueSource, VariableName};
use crate::name::{Address, Environment, Key};
use crate::render::{Dialect, ReadError, read};
use crate::secret::Secret;
use crate::snapshot::{Entry, Snapshot};
use std::collections::BTreeMap;

/// Every address against every target that can be compared.
#[derive(Debug)]
pub(super) struct Matrix {
    /// In the order of the manifest; then what home holds beyond it.
    pub(super) rows: Vec<Row>,
    /// In the order of the manifest.
    pub(super) targets: Vec<Target>,
}

/// One address.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) address: Address,
    pub(super) secret: bool,
    pub(super) home: InHome,
    /// One for each target.
    pub(super) cells: Vec<InFile>,
}

/// How an address stands in home.
#[derive(Debug)]
pub(super) enum InHome {
    /// A value is there.
    Held(Entry),
    /// A required value is not there.
    Missing,
    /// An optional value is not there.
    Absent,
    /// The value lives in the manifest.
    Manifest,
    /// The value follows from others.
    Derived,
    /// The value would follow from others, and a part of it is missing.
    Lacking,
    /// A value is there that nothing reads: the manifest declares no such address in this environment.
    Undeclared(Entry),
    /// A value is there that nothing reads: the manifest takes it from elsewhere.
    Unread(Entry),
}

impl InHome {
    /// The word of `--json`.
    pub(super) fn word(&self) -> &'static str {
        match self {
            InHome::Held(_) => "present",
            InHome::Missing => "missing",
            InHome::Absent => "absent",
            InHome::Manifest => "manifest",
            InHome::Derived => "derived",
            InHome::Lacking => "part-missing",
            InHome::Undeclared(_) => "undeclared",
            InHome::Unread(_) => "unread",
        }
    }

    /// What home holds there.
    pub(super) fn entry(&self) -> Option<&Entry> {
        match self {
            InHome::Held(entry) | InHome::Undeclared(entry) | InHome::Unread(entry) => Some(entry),
            InHome::Missing | InHome::Absent | InHome::Manifest | InHome::Derived | InHome::Lacking => None,
        }
    }

    /// Whether a value is required that is not there.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, InHome::Missing | InHome::Lacking)
    }

    /// Whether a value is there that nothing reads.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self, InHome::Undeclared(_) | InHome::Unread(_))
    }
}

/// How an address stands in a target's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InFile {
    /// The target does not take it, or there is no file to compare with, or neither has a value.
    Nothing,
    /// Every consumer reads the value that it should.
    Agrees,
    /// A consumer reads another value.
    Differs,
    /// The value is not in the file.
    Missing,
    /// The file has a value, and home has none.
    OnlyHere,
}

impl InFile {
    /// The word, for people and for `--json`.
    pub(super) fn word(self) -> &'static str {
        match self {
            InFile::Nothing => "",
            InFile::Agrees => "agrees",
            InFile::Differs => "differs",
            InFile::Missing => "missing",
            InFile::OnlyHere => "only here",
        }
    }

    /// Whether the file is not as it should be.
    pub(super) fn is_off(self) -> bool {
        matches!(self, InFile::Differs | InFile::Missing | InFile::OnlyHere)
    }
}

impl Row {
    /// Whether a look is worth it.
    pub(super) fn is_in_order(&self) -> bool {
        !self.home.is_missing() && !self.home.is_idle() && !self.cells.iter().any(|cell| cell.is_off())
    }

    /// Whether it is drift: something to be set or rendered. A value that nothing reads is not.
    pub(super) fn is_drift(&self) -> bool {
        self.home.is_missing() || self.cells.iter().any(|cell| cell.is_off())
    }
}

/// A render target and its file.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: String,
    /// As the manifest names it.
    pub(super) file: String,
    pub(super) on_disk: OnDisk,
    /// Variables in the file that the target does not give. Their names are not told: where a file is misread, one may
    /// be a piece of a value.
    pub(super) strange: usize,
    readings: Vec<BTreeMap<Key, Secret>>,
    takes: BTreeMap<Address, Key>,
}

/// What a target's file turned out to be.
#[derive(Debug)]
pub(super) enum OnDisk {
    /// It is not there.
    NotThere,
    /// It cannot be read, in the system's words.
    Unreadable(String),
    /// A consumer would not take it as it is.
    Misread(ReadError),
    /// It was read as each of its consumers reads it.
    Read,
}

impl Target {
    /// A target of an environment, and the text of its file: `None` where it is not there.
    pub(super) fn new(
        (manifest, environment, instances): (&Manifest, &Environment, &Instances),
        spec: &RenderSpec,
        text: std::io::Result<Option<&str>>,
    ) -> Result<Target, NameClash> {
        let names = manifest.names(environment, instances, &spec.selection)?;
        let (on_disk, readings) = match text {
            Ok(None) => (OnDisk::NotThere, Vec::new()),
            Err(error) => (OnDisk::Unreadable(error.to_string()), Vec::new()),
            Ok(Some(text)) => match readings(&spec.dialects, text) {
                Ok(readings) => (OnDisk::Read, readings),
                Err(error) => (OnDisk::Misread(error), Vec::new()),
            },
        };
        let strange = |reading: &BTreeMap<Key, Secret>| {
            reading.keys().filter(|key| !names.iter().any(|known| known.name == **key)).count()
        };
        let strange = readings.iter().map(strange).max().unwrap_or(0);
        let takes = names.into_iter().map(|VariableName { name, address, .. }| (address, name)).collect();
        let (name, file) = (spec.name.clone(), spec.file_in(manifest, environment));
        Ok(Target { name, file, on_disk, strange, readings, takes })
    }

    /// Whether its file could be compared.
    pub(super) fn is_read(&self) -> bool {
        matches!(self.on_disk, OnDisk::Read)
    }

    fn cell(&self, address: &Address, expected: Option<&Secret>) -> InFile {
        let Some(name) = self.takes.get(address).filter(|_| self.is_read()) else { return InFile::Nothing };
        let seen: Vec<Option<&Secret>> = self.readings.iter().map(|reading| reading.get(name)).collect();
        match expected {
            None if seen.iter().all(Option::is_none) => InFile::Nothing,
            None => InFile::OnlyHere,
            Some(_) if seen.iter().all(Option::is_none) => InFile::Missing,
            Some(value) if seen.iter().all(|seen| seen.is_some_and(|seen| seen.same_as(value))) => {
                InFile::Agrees
            }
            Some(_) => InFile::Differs,
        }
    }
}

fn readings(dialects: &[Dialect], text: &str) -> Result<Vec<BTreeMap<Key, Secret>>, ReadError> {
    dialects.iter().map(|dialect| Ok(read(*dialect, text)?.into_iter().collect())).collect()
}

impl Matrix {
    /// Compares. `home` is everything that home holds in the groups of the manifest.
    pub(super) fn new(
        (manifest, environment, instances): (&Manifest, &Environment, &Instances),
        home: &Snapshot,
        targets: Vec<Target>,
    ) -> Matrix {
        let mut rows = Vec::new();
        for address in manifest.addresses(environment, instances) {
            let Some(source) = manifest.source(environment, &address) else { continue };
            let spec = manifest.key(&address);
            let (secret, optional) = spec.map_or((true, false), |spec| (spec.secret, spec.optional));
            let value = manifest.value_of(environment, home, &address);
            let held = || home.entries.get(&address).cloned();
            let in_home = match (source, &value) {
                (ValueSource::Literal { .. }, _) => InHome::Manifest,
                (ValueSource::Absent, _) => InHome::Absent,
                (ValueSource::Derived { .. }, Err(_)) => InHome::Lacking,
                (ValueSource::Derived { .. }, Ok(Some(_))) => InHome::Derived,
                (ValueSource::Derived { .. }, Ok(None)) => InHome::Absent,
                (ValueSource::Home, _) => match held() {
                    Some(entry) => InHome::Held(entry),
                    None if optional => InHome::Absent,
                    None => InHome::Missing,
                },
            };
            let expected = value.ok().flatten();
            let mut cells: Vec<InFile> =
                targets.iter().map(|target| target.cell(&address, expected.as_ref())).collect();
            if in_home.is_missing() {
                // The file can be made only once the value is there: that it lacks it too is no second finding.
                cells
                    .iter_mut()
                    .filter(|cell| **cell == InFile::Missing)
                    .for_each(|cell| *cell = InFile::Nothing);
            }
            rows.push(Row { address, secret, home: in_home, cells });
        }
        rows.extend(idle(manifest, environment, home, targets.len()));
        Matrix { rows, targets }
    }

    /// Whether something is to be set or rendered.
    pub(super) fn is_drift(&self) -> bool {
        let off = |target: &Target| target.strange > 0 || !target.is_read();
        self.rows.iter().any(Row::is_drift) || self.targets.iter().any(off)
    }
}

/// What home holds and nothing reads.
fn idle(
    manifest: &Manifest,
    environment: &Environment,
    home: &Snapshot,
    targets: usize,
) -> impl Iterator<Item = Row> {
    let strangers = home.entries.iter().filter(|(address, _)| !manifest.lives_in_home(environment, address));
    strangers.map(move |(address, entry)| {
        let home = match manifest.source(environment, address) {
            Some(_) => InHome::Unread(entry.clone()),
            None => InHome::Undeclared(entry.clone()),
        };
        Row { address: address.clone(), secret: true, home, cells: vec![InFile::Nothing; targets] }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
version = 1
project.name = "demo"
environments.local.home = "vault"
[groups.app.keys]
MODE = { value = "dev" }
TOKEN = { secret = true }
CC = { optional = true }
URL = { derive = "x://{TOKEN}@h" }
[render.app]
file = ".env"
dialect = ["compose", "docker"]
"#;

    fn manifest() -> Manifest {
        Manifest::parse("f", TEXT).unwrap_or_else(|error| panic!("{error}"))
    }

    fn matrix(held: &[(&str, &str)], text: &str) -> Matrix {
        let manifest = manifest();
        let (environment, instances) = ("local".parse().unwrap(), Instances::new());
        let entry = |value: &str| Entry::of(Secret::new(value.to_owned()).unwrap());
        let entries = held.iter().map(|(address, value)| (address.parse().unwrap(), entry(value))).collect();
        let home = Snapshot { entries, ..Snapshot::default() };
        let about = (&manifest, &environment, &instances);
        let target = Target::new(about, manifest.render("app").unwrap(), Ok(Some(text))).unwrap();
        Matrix::new(about, &home, vec![target])
    }

    fn row(matrix: &Matrix, address: &str) -> (&'static str, &'static str) {
        let row = matrix.rows.iter().find(|row| row.address.to_string() == address).unwrap();
        (row.home.word(), row.cells[0].word())
    }

    #[test]
    fn each_address_is_told_as_it_stands_in_home_and_in_the_file() {
        let matrix = matrix(
            &[("app/TOKEN", "t"), ("app/OLD", "o"), ("app/MODE", "m")],
            "MODE=dev\nTOKEN=other\nCC=x\nSTRANGE=1\n",
        );
        assert_eq!(row(&matrix, "app/MODE"), ("manifest", "agrees"));
        assert_eq!(row(&matrix, "app/TOKEN"), ("present", "differs"));
        assert_eq!(row(&matrix, "app/CC"), ("absent", "only here"));
        assert_eq!(row(&matrix, "app/URL"), ("derived", "missing"));
        assert_eq!(row(&matrix, "app/OLD"), ("undeclared", ""));
        assert_eq!(matrix.rows.last().unwrap().home.word(), "undeclared");
        assert!(matrix.rows.iter().any(|row| matches!(row.home, InHome::Unread(_))));
        assert_eq!(matrix.targets[0].strange, 1);
    }

    #[test]
    fn what_lacks_a_value_is_missing_once_and_a_derived_value_with_it() {
        let matrix = matrix(&[], "MODE=dev\n");
        assert_eq!(row(&matrix, "app/TOKEN"), ("missing", ""));
        assert_eq!(row(&matrix, "app/URL"), ("part-missing", ""));
        assert!(matrix.is_drift());
    }

    #[test]
    fn a_value_that_nothing_reads_is_worth_a_look_and_no_drift() {
        let matrix = matrix(&[("app/TOKEN", "t"), ("app/OLD", "o")], "MODE=dev\nTOKEN=t\nURL=x://t@h\n");
        assert!(!matrix.is_drift());
        assert_eq!(matrix.rows.iter().filter(|row| !row.is_in_order()).count(), 1);
    }

    /// Quotes are taken off by Compose and kept by Docker.
    #[test]
    fn a_value_agrees_only_where_every_consumer_reads_it_alike() {
        let matrix = matrix(&[("app/TOKEN", "t")], "MODE=dev\nTOKEN='t'\nURL=x://t@h\n");
        assert_eq!(row(&matrix, "app/TOKEN"), ("present", "differs"));
    }

    #[test]
    fn a_file_that_a_consumer_rejects_is_not_compared() {
        let matrix = matrix(&[("app/TOKEN", "t")], "TOKEN='t\n");
        assert!(matches!(matrix.targets[0].on_disk, OnDisk::Misread(_)) && matrix.is_drift());
        assert_eq!(row(&matrix, "app/TOKEN"), ("present", ""));
    }
}
