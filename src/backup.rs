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
//! A backup of a project's environment has the manifest's text too, as a section of its own place: alone it tells which
//! property, parameter or secret each of its addresses is.
//!
//! The folder is that of the place which the backups were made from: two projects may have one name.

use crate::document::{Document, DocumentError, Kind, Record, Section, State};
use crate::durable;
use crate::journal;
use crate::name::{Address, Environment, Project};
use crate::plan::Place;
use crate::seal::{self, Identities, OpenError, Recipient, SealError};
use crate::secret::Secret;
use crate::snapshot::{Entry, Setting, Snapshot};
use crate::store::ManifestFile;
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
    /// Nobody at hand could open it, where one that opens is asked for; nothing was kept.
    #[error(
        "no identity at hand opens what is sealed to the project's recipients, and an unproven backup is none"
    )]
    Unproven,
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

/// The backups in several folders, oldest first: of an environment whose home has moved they are in that of each place.
pub fn stored_in(folders: &[PathBuf]) -> Result<Vec<Stored>, BackupError> {
    let mut all = Vec::new();
    for folder in folders {
        all.extend(stored(folder)?);
    }
    all.sort_by(|one: &Stored, other| one.id.cmp(&other.id));
    Ok(all)
}

/// The file that is meant by a backup's name, the beginning of one, or a path.
pub fn find(folders: &[PathBuf], text: &str) -> Result<PathBuf, BackupError> {
    let mut fitting = stored_in(folders)?;
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

/// What one place held, as a backup keeps it.
#[derive(Debug)]
pub struct Part {
    /// The place, as plans name it.
    pub place: Place,
    /// What is there.
    pub held: Snapshot,
    /// Addresses that were looked at, and where nothing is. Of a place that was walked nobody has to say so.
    pub absent: Vec<Address>,
    /// Every setting of the place, raw, where it has such.
    pub options: Option<Vec<Setting>>,
}

impl Part {
    /// All that a place holds.
    pub fn whole(place: impl Into<Place>, held: Snapshot) -> Part {
        Part { place: place.into(), held, absent: Vec::new(), options: None }
    }

    /// What a place holds at these addresses, which were all looked at.
    pub fn at(place: impl Into<Place>, addresses: &[Address], held: Snapshot) -> Part {
        let absent = addresses.iter().filter(|address| !held.entries.contains_key(*address));
        Part { absent: absent.cloned().collect(), ..Part::whole(place, held) }
    }

    /// The manifest's text.
    pub fn manifest(text: Secret) -> Part {
        let entries = [(ManifestFile::address(), Entry::of(text))].into();
        Part::whole(ManifestFile::PLACE, Snapshot { entries, ..Snapshot::default() })
    }

    fn section(&self) -> Section {
        let record = |entry: &Entry| Record { entry: Some(entry.clone()), ..Record::default() };
        let present = self.held.entries.iter().map(|(address, entry)| (address.clone(), record(entry)));
        let absent = self.absent.iter().map(|address| (address.clone(), Record::default()));
        let section = Section::new(self.place.clone(), State::Held, absent.chain(present).collect());
        Section { options: self.options.clone(), ..section }
    }
}

/// The document of a backup: what each place held, home first.
pub fn document(
    (project, environment): (&Project, &Environment),
    parts: &[Part],
    now: Timestamp,
) -> Document {
    Document {
        kind: Kind::Backup,
        project: project.to_string(),
        environment: environment.to_string(),
        created: now,
        fingerprint_key: None,
        sections: parts.iter().map(Part::section).collect(),
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
    let (staged, proof) = staged(path, document, recipients, identities)?;
    kept(path, staged)?;
    Ok(proof)
}

/// The same for a backup that something is about to rest on: where nobody at hand can open it, there is none.
pub fn write_proven(
    path: &Path,
    document: &Document,
    recipients: &[Recipient],
    identities: Option<&Identities>,
) -> Result<(), BackupError> {
    match staged(path, document, recipients, identities)? {
        (staged, Proof::Opened) => kept(path, staged),
        (_, Proof::Unopened) => Err(BackupError::Unproven),
    }
}

/// Whether a backup to these recipients could be opened again by somebody at hand. Nothing is written.
pub fn provable(recipients: &[Recipient], identities: Option<&Identities>) -> Result<(), BackupError> {
    let sealed = seal::seal(b"", recipients)?;
    match identities.map(|identities| seal::open(&sealed, identities)) {
        Some(Ok(_)) => Ok(()),
        None | Some(Err(_)) => Err(BackupError::Unproven),
    }
}

fn staged(
    path: &Path,
    document: &Document,
    recipients: &[Recipient],
    identities: Option<&Identities>,
) -> Result<(durable::Staged, Proof), BackupError> {
    let plain = document.to_json();
    let sealed = seal::seal(&plain, recipients)?;
    let staged = durable::stage(path, &sealed, durable::PRIVATE).map_err(BackupError::io(path, "written"))?;
    let mut again = Vec::with_capacity(sealed.len());
    let mut file = staged.file();
    file.rewind().and_then(|()| file.read_to_end(&mut again)).map_err(BackupError::io(path, "read back"))?;
    let proof = match identities.map(|identities| seal::open(&again, identities)) {
        Some(Ok(opened)) if *opened == *plain => Proof::Opened,
        None | Some(Err(OpenError::WrongIdentity)) if again == sealed => Proof::Unopened,
        _ => return Err(BackupError::NotSame),
    };
    Ok((staged, proof))
}

fn kept(path: &Path, staged: durable::Staged) -> Result<(), BackupError> {
    staged.publish_new().map_err(BackupError::io(path, "written"))?;
    durable::flush_folder(durable::folder_of(path)).map_err(BackupError::io(path, "written"))
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

/// The sections of what the places of the world held, home first. That of the manifest is none of them.
pub fn sections(document: &Document) -> impl Iterator<Item = &Section> {
    document
        .sections
        .iter()
        .filter(|section| section.state == State::Held && section.place != ManifestFile::PLACE)
}

/// What is in a section.
pub fn contents(section: &Section) -> Contents<'_> {
    let entry = |(address, record)| {
        let record: &Record = record;
        Some((address, record.entry.as_ref()?))
    };
    section.records.iter().filter_map(entry).collect()
}

/// How many values and references a backup holds, in all places.
pub fn count(document: &Document) -> usize {
    sections(document).map(|section| contents(section).len()).sum()
}

/// The manifest's text as it was, where the backup has it.
pub fn manifest(document: &Document) -> Option<&Secret> {
    let record = document.section(ManifestFile::PLACE, State::Held)?.records.get(&ManifestFile::address())?;
    record.entry.as_ref()?.held.value()
}

/// How an address of a backup stands in its place now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It is the same.
    Same,
    /// There is something else.
    Differs,
    /// There is nothing any more.
    Gone,
    /// Something is there that was not there at the time of the backup.
    Later,
}

/// Each address of a section and of what its place holds now, with how it stands. Of a section that tells what is
/// absent nothing but what it tells is compared.
pub fn compare<'a>(section: &'a Section, now: &'a Snapshot) -> BTreeMap<&'a Address, Standing> {
    let told = |address: &Address| section.records.get(address).map(|record| record.entry.as_ref());
    let partial = section.records.values().any(|record| record.entry.is_none());
    let later = now.entries.keys().filter(|address| match told(address) {
        Some(entry) => entry.is_none(),
        None => !partial,
    });
    let mut standings: BTreeMap<_, _> = later.map(|address| (address, Standing::Later)).collect();
    for (address, entry) in contents(section) {
        let standing = match now.entries.get(address) {
            None => Standing::Gone,
            Some(now) if now.held.same_as(&entry.held) => Standing::Same,
            Some(_) => Standing::Differs,
        };
        standings.insert(address, standing);
    }
    standings
}

#[cfg(test)]
mod tests;
