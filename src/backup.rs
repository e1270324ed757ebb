//! Backups: what the places of an environment held at one moment, as one sealed file that opens with the plain `age` program too.
//!
//! Owns how a backup is made, found, opened and compared. It never changes a place: what a backup brings back goes
//! through [`crate::apply`] like every other change. The history of a vault is not part of a backup; a copy of the
//! vault's own file, which is sealed as well, has it, and is read here like a backup.
//!
//! ```text
//! <state>/<project>/<environment>/backups-5fd924ac/20260102-030405-k3x9pq.age
//! ```
//!
//! The folder is that of the place which the backups were made from: two projects may have one name.

use crate::document::{Document, DocumentError, Kind, Record, Section, State};
use crate::durable;
use crate::journal;
use crate::name::{Address, Environment, Project};
use crate::plan::Place;
use crate::seal::{self, Identities, OpenError, Recipient, SealError};
use crate::snapshot::{Entry, Snapshot};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Why there is no backup, or none that can be read. Never holds a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// A file or folder cannot be used.
    #[error("{} cannot be {action}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// "read", "written", …
        action: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Nothing was sealed.
    #[error("the backup cannot be sealed")]
    Seal(#[from] SealError),
    /// There is no identity to open it with.
    #[error("{} is sealed, and there is no identity to open it with", .path.display())]
    NoIdentity {
        /// The file.
        path: PathBuf,
    },
    /// It does not open.
    #[error("{} cannot be opened", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// It opens, and is not what we write.
    #[error("{} opened, and cannot be read", .path.display())]
    Document {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: DocumentError,
    },
    /// It is the sealed snapshot of an operation.
    #[error("{} belongs to an operation and is no backup", .path.display())]
    OfOperation {
        /// The file.
        path: PathBuf,
    },
    /// What was written does not open to what was to be written; it was not kept.
    #[error("the backup does not open to what was sealed, and was not kept")]
    NotSame,
    /// Several backups start with that text.
    #[error("several backups start with `{0}`; give more of the name")]
    Ambiguous(String),
    /// Neither a backup nor a file.
    #[error("there is neither a backup nor a file called `{0}`")]
    Unknown(String),
}

impl BackupError {
    fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> BackupError {
        let path = path.to_owned();
        move |source| BackupError::Io { path, action, source }
    }
}

/// A backup in the folder of its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its name: when it was made, and something random.
    pub id: String,
    /// Its file.
    pub path: PathBuf,
    /// When it was made.
    pub made: Timestamp,
    /// How many bytes it has, sealed.
    pub size: u64,
}

/// The folder below the state folder of the backups of one place of the world, as
/// [`crate::store::Store::location`] tells it: a project of the same name elsewhere has another.
pub fn folder(state: &Path, project: &Project, environment: &Environment, location: &str) -> PathBuf {
    let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(location).into();
    let place = format!("backups-{:08x}", u32::from_be_bytes([a, b, c, d]));
    state.join(project.as_str()).join(environment.as_str()).join(place)
}

/// The file of a new backup, and its name. Nothing is made yet.
pub fn new_file(folder: &Path, random: [u8; 32], now: Timestamp) -> (String, PathBuf) {
    let id = journal::name(random, now).to_string();
    let path = folder.join(format!("{id}.age"));
    (id, path)
}

/// The backups in a folder, oldest first. Nothing is opened; files that are no backups are not told.
pub fn stored(folder: &Path) -> Result<Vec<Stored>, BackupError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(BackupError::io(folder, "read")(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(BackupError::io(folder, "read"))?;
        let name = entry.file_name();
        let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".age")) else { continue };
        let Some(made) = made(id) else { continue };
        let path = entry.path();
        let size = entry.metadata().map_err(BackupError::io(&path, "read"))?.len();
        found.push(Stored { id: id.to_owned(), path, made, size });
    }
    found.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(found)
}

/// The moment that a backup's name tells.
fn made(id: &str) -> Option<Timestamp> {
    let time = jiff::civil::DateTime::strptime("%Y%m%d-%H%M%S", id.get(..15)?).ok()?;
    time.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// The file that is meant by a backup's name, the beginning of one, or a path.
pub fn find(folder: &Path, text: &str) -> Result<PathBuf, BackupError> {
    let mut fitting = stored(folder)?;
    fitting.retain(|backup| backup.id.starts_with(text) && !text.is_empty());
    match fitting.as_slice() {
        [backup] => Ok(backup.path.clone()),
        [] if Path::new(text).is_file() => Ok(PathBuf::from(text)),
        [] => Err(BackupError::Unknown(text.escape_debug().take(200).collect())),
        [..] => match fitting.iter().find(|backup| backup.id == text) {
            Some(exact) => Ok(exact.path.clone()),
            None => Err(BackupError::Ambiguous(text.to_owned())),
        },
    }
}

/// The document of a backup: what each place held, home first.
pub fn document(
    (project, environment): (&Project, &Environment),
    places: &[(Place, Snapshot)],
    now: Timestamp,
) -> Document {
    let record = |entry: &Entry| Record { entry: Some(entry.clone()), ..Record::default() };
    let section = |(place, held): &(Place, Snapshot)| {
        let records = held.entries.iter().map(|(address, entry)| (address.clone(), record(entry))).collect();
        Section { place: place.clone(), state: State::Held, records }
    };
    Document {
        kind: Kind::Backup,
        project: project.to_string(),
        environment: environment.to_string(),
        created: now,
        fingerprint_key: None,
        sections: places.iter().map(section).collect(),
    }
}

/// Whether a new backup was opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// It was opened again from the disk, and is what was sealed.
    Opened,
    /// Nobody at hand can open it: no identity is one of its recipients.
    Unopened,
}

/// Seals a document into a new file, flushed and opened again before the file has its name. A file that is there
/// already is left alone.
pub fn write(
    path: &Path,
    document: &Document,
    recipients: &[Recipient],
    identities: Option<&Identities>,
) -> Result<Proof, BackupError> {
    let plain = document.to_json();
    let sealed = seal::seal(&plain, recipients)?;
    let written = || BackupError::io(path, "written");
    let staged = durable::stage(path, &sealed, durable::PRIVATE).map_err(written())?;
    let mut again = Vec::with_capacity(sealed.len());
    let mut file = staged.file();
    file.rewind().and_then(|()| file.read_to_end(&mut again)).map_err(BackupError::io(path, "read back"))?;
    let proof = match identities.map(|identities| seal::open(&again, identities)) {
        Some(Ok(opened)) if *opened == *plain => Proof::Opened,
        None | Some(Err(OpenError::WrongIdentity)) if again == sealed => Proof::Unopened,
        _ => return Err(BackupError::NotSame),
    };
    staged.publish_new().map_err(written())?;
    durable::flush_folder(durable::folder_of(path)).map_err(written())?;
    Ok(proof)
}

/// Opens a backup, or a vault's file, which is read like one.
pub fn read(path: &Path, identities: Option<&Identities>) -> Result<Document, BackupError> {
    let sealed = std::fs::read(path).map_err(BackupError::io(path, "read"))?;
    let path = || path.to_owned();
    let identities = identities.ok_or_else(|| BackupError::NoIdentity { path: path() })?;
    let text: Zeroizing<Vec<u8>> =
        seal::open(&sealed, identities).map_err(|source| BackupError::Open { path: path(), source })?;
    let document =
        Document::from_json(&text).map_err(|source| BackupError::Document { path: path(), source })?;
    match document.kind {
        Kind::Backup | Kind::Vault => Ok(document),
        Kind::Operation => Err(BackupError::OfOperation { path: path() }),
    }
}

/// What one place held.
pub type Contents<'a> = BTreeMap<&'a Address, &'a Entry>;

/// What a backup holds, place by place, home first.
pub fn contents(document: &Document) -> Vec<(&str, Contents<'_>)> {
    let held = document.sections.iter().filter(|section| section.state == State::Held);
    let of_section = |section| {
        let Section { place, records, .. }: &Section = section;
        let entries = records.iter().filter_map(|(address, record)| Some((address, record.entry.as_ref()?)));
        (place.as_str(), entries.collect())
    };
    held.map(of_section).collect()
}

/// What home held, under whatever name: a backup may be brought into another kind of home.
pub fn of_home(document: &Document) -> Contents<'_> {
    contents(document).into_iter().next().map(|(_, contents)| contents).unwrap_or_default()
}

/// How an address of a backup stands in home now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Home holds the same.
    Same,
    /// Home holds something else.
    Differs,
    /// Home holds nothing there any more.
    Gone,
    /// Home holds something that the backup does not know.
    Later,
}

/// Each address of a backup and of home, with how it stands.
pub fn compare<'a>(document: &'a Document, home: &'a Snapshot) -> BTreeMap<&'a Address, Standing> {
    let contents = of_home(document);
    let later = home.entries.keys().filter(|address| !contents.contains_key(address));
    let mut standings: BTreeMap<_, _> = later.map(|address| (address, Standing::Later)).collect();
    for (address, entry) in contents {
        let standing = match home.entries.get(address) {
            None => Standing::Gone,
            Some(now) if now.held.same_as(&entry.held) => Standing::Same,
            Some(_) => Standing::Differs,
        };
        standings.insert(address, standing);
    }
    standings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn snapshot(values: &[(&str, &str)]) -> Snapshot {
        let entry = |value: &str| Entry::of(Secret::new(value.to_owned()).unwrap());
        let entries = values.iter().map(|(address, value)| (address.parse().unwrap(), entry(value)));
        Snapshot { entries: entries.collect(), ..Snapshot::default() }
    }

    fn backup(values: &[(&str, &str)]) -> Document {
        let names = ("demo".parse().unwrap(), "local".parse().unwrap());
        document((&names.0, &names.1), &[("vault".to_owned(), snapshot(values))], Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_backup_is_opened_before_it_has_its_name_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let (me, path) = (Identities::generate(), folder.path().join("b.age"));
        let made = backup(&[("app/A", "1")]);
        assert_eq!(write(&path, &made, &me.recipients(), Some(&me)).unwrap(), Proof::Opened);
        assert_eq!(read(&path, Some(&me)).unwrap().to_json(), made.to_json());
        assert!(matches!(read(&path, None), Err(BackupError::NoIdentity { .. })));
        let stranger = Identities::generate();
        let opened = read(&path, Some(&stranger)).unwrap_err();
        assert!(matches!(opened, BackupError::Open { source: OpenError::WrongIdentity, .. }));
    }

    #[test]
    fn what_nobody_at_hand_can_open_is_written_and_said_to_be_unproven() {
        let folder = tempfile::tempdir().unwrap();
        let (theirs, mine) = (Identities::generate(), Identities::generate());
        let made = backup(&[("app/A", "1")]);
        for (name, identities) in [("a.age", None), ("b.age", Some(&mine))] {
            let path = folder.path().join(name);
            assert_eq!(write(&path, &made, &theirs.recipients(), identities).unwrap(), Proof::Unopened);
            assert!(read(&path, Some(&theirs)).is_ok());
        }
    }

    #[test]
    fn a_file_that_is_there_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (me, path) = (Identities::generate(), folder.path().join("b.age"));
        std::fs::write(&path, "precious").unwrap();
        let error = write(&path, &backup(&[]), &me.recipients(), Some(&me)).unwrap_err();
        assert!(
            matches!(error, BackupError::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
        );
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_backup_is_found_by_the_beginning_of_its_name_and_tells_when_it_was_made() {
        let folder = tempfile::tempdir().unwrap();
        for name in
            ["20260102-030405-aaaaaa.age", "20260102-030406-bbbbbb.age", "other.age", ".x.strongroom-tmp"]
        {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let all = stored(folder.path()).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].made.to_string(), "2026-01-02T03:04:05Z");
        assert_eq!(find(folder.path(), "20260102-030406").unwrap(), all[1].path);
        assert!(matches!(find(folder.path(), "2026"), Err(BackupError::Ambiguous(_))));
        assert!(matches!(find(folder.path(), "2027"), Err(BackupError::Unknown(_))));
        assert!(matches!(find(folder.path(), ""), Err(BackupError::Unknown(_))));
    }

    #[test]
    fn each_address_is_the_same_or_differs_or_is_gone_or_came_later() {
        let document = backup(&[("app/A", "1"), ("app/B", "2"), ("app/C", "3")]);
        let home = snapshot(&[("app/A", "1"), ("app/B", "x"), ("app/D", "4")]);
        let standings: Vec<_> = compare(&document, &home).into_values().collect();
        assert_eq!(standings, [Standing::Same, Standing::Differs, Standing::Gone, Standing::Later]);
    }

    #[test]
    fn each_place_has_a_folder_of_its_own_that_the_system_can_name_too() {
        let names = ("demo".parse().unwrap(), "local".parse().unwrap());
        let of = |location| folder(Path::new("/state"), &names.0, &names.1, location);
        // `printf %s abc | sha256sum` begins so.
        assert_eq!(of("abc"), Path::new("/state/demo/local/backups-ba7816bf"));
        assert_ne!(of("vault /a/.strongroom/local.age"), of("vault /b/.strongroom/local.age"));
    }

    #[test]
    fn an_operations_snapshot_is_no_backup() {
        let folder = tempfile::tempdir().unwrap();
        let (me, path) = (Identities::generate(), folder.path().join("plan-1.age"));
        let document = Document { kind: Kind::Operation, ..backup(&[]) };
        write(&path, &document, &me.recipients(), Some(&me)).unwrap();
        assert!(matches!(read(&path, Some(&me)), Err(BackupError::OfOperation { .. })));
    }
}
