//! The journal: what every operation was going to do, what became of each call, and the sealed values before and after.
//!
//! Owns the folder of an environment's operations. Each has a folder of its own:
//!
//! ```text
//! <state>/<project>/<environment>/20260102-030405-k3x9pq/
//!   journal.jsonl    a line for each step, flushed before the next one; no values
//!   plan-1.age       every value before and after, sealed, flushed and opened again before the first write
//!   minted-NAME.age  an answer of a server that chose a value itself, sealed the moment it came
//!   chosen.age       values that a rotation chose, sealed before anybody learns them
//!   manifest.toml    the manifest that it leaves behind, where that is another one (and manifest-before.toml)
//!   lock             held while a process works on it
//! ```
//!
//! Beside them lie files whose use is to be locked: `lease` (of a home that keeps none), `held` (as long as a process has the
//! lease that home keeps) and `program` (as long as a rotation's program runs).
//!
//! Sealed files are for the project's recipients and for this host's own identity (`<state>/host-identity.txt`, made on
//! first use, opens nothing else), so that a host that holds only public keys can resume what it began. The journal
//! never talks to a place: [`crate::apply`] does, and tells the journal.

mod kept;
mod line;
mod operation;

pub use line::{Acted, Ending, NOT_BEGUN, Step};
pub(crate) use operation::name;
pub use operation::{Answer, Operation};

use crate::durable;
use crate::name::{Address, Environment, Project};
use crate::plan::Place;
use crate::seal::{Identities, Recipient};
use crate::store::OperationId;
use jiff::Timestamp;
use line::{Line, PlannedWrite};
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many finished operations are kept for `undo`; older ones are removed when a new one begins.
pub const KEPT: usize = 200;

/// What a program takes from outside of itself, given once by whoever runs it.
#[derive(Debug, Clone, Copy)]
pub struct Outside {
    /// The time.
    pub clock: fn() -> Timestamp,
    /// 32 bytes from the system's random source, new with every call.
    pub random: fn() -> [u8; 32],
}

/// The operations of one environment on this host.
pub struct Journal {
    state: PathBuf,
    folder: PathBuf,
    project: Project,
    environment: Environment,
    recipients: Vec<Recipient>,
    identities: Option<Arc<Identities>>,
    outside: Outside,
}

/// A failure of the journal. Nothing was changed in any place where this is the error of a command that had not begun.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The state folder cannot be used.
    #[error("the journal at {path} cannot be {action}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// "read", "written", "locked", …
        action: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file of an operation is not what was written.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// Neither this host's identity nor the person's opens the operation's values.
    #[error(
        "{path} cannot be opened here: it was sealed on another host, and no identity at hand is a recipient"
    )]
    CannotOpen {
        /// The file.
        path: PathBuf,
    },
    /// Sealing failed.
    #[error("the values of the operation cannot be sealed")]
    Seal(#[from] crate::seal::SealError),
    /// The name of an effect must be small letters, digits and `-`: it names a file.
    #[error("`{0}` cannot name an effect: small letters, digits and - only")]
    EffectName(String),
    /// No operation has that name.
    #[error("there is no operation {0}")]
    Unknown(String),
    /// Several operations start with that text.
    #[error("several operations start with {0}; give more of the name")]
    Ambiguous(String),
    /// Another process works on it at this moment.
    #[error("another process is working on operation {0} at this moment")]
    Running(OperationId),
}

impl JournalError {
    fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> JournalError {
        let path = path.to_owned();
        move |source| JournalError::Io { path, action, source }
    }
}

/// What `operations` tells about one operation, without opening its values.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Its name.
    pub id: OperationId,
    /// When it began.
    pub at: Timestamp,
    /// The command that began it.
    pub command: String,
    /// The operation that it undoes.
    pub undoes: Option<OperationId>,
    /// The command that goes on with it, where `resume` alone cannot.
    pub goes_on: Option<String>,
    /// Each address that it was to change.
    pub targets: Vec<Target>,
    /// Which place of the world home is, where that was written down before anything was to be changed.
    pub home: Option<String>,
    /// How many writes are in force.
    pub done: usize,
    /// How many writes are planned.
    pub total: usize,
    /// Whether something of it may be in the world: a write that was not refused, or an effect.
    pub touched: bool,
    /// Whether what it does next is to something else than the places, and none of them is half-written by it.
    pub rests: bool,
    /// Whether an undo would leave all of it.
    pub lasting: bool,
    /// How it stands.
    pub standing: Standing,
}

/// An address of a place of the world.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The name that the place has in plans.
    pub place: Place,
    /// Which place of the world that is, as [`crate::store::Store::location`] tells it.
    pub location: String,
    /// The address.
    pub address: Address,
}

/// What an operation is begun with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Begin<'a> {
    /// What it is called, for people: `set app/SECRET_KEY`.
    pub command: &'a str,
    /// The operation that it undoes.
    pub undoes: Option<&'a OperationId>,
    /// The command that goes on with it after what is planned, for one that is more than its first plan
    /// (`strongroom rotate xero/1`); then `resume` alone never ends it.
    pub goes_on: Option<&'a str>,
    /// Whether what is written later follows from what was written before, as copies do that refer to home: then an undo
    /// writes in the same order. Else it takes the last back first.
    pub in_order: bool,
    /// Which place of the world home is, for one that does or learns something before it plans a write: so that no other
    /// checkout of the project's name goes on with it.
    pub home: Option<&'a str>,
}

/// How an operation stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Its journal cannot be read; which file and why. It is in nobody's way, and never removed.
    Damaged(String),
    /// A process is working on it.
    Running,
    /// It stopped midway: it can be resumed or undone.
    Unfinished,
    /// It waits until then, and then has something left to do; it is in nobody's way.
    Soaking(Timestamp),
    /// It is complete and verified.
    Done,
    /// It ended without having changed anything.
    Nothing,
    /// It was given up, and what it had done by then stands.
    GivenUp,
    /// What it did was undone, or is being undone, by another operation.
    Undone(OperationId),
}

impl Journal {
    /// The journal of an environment below the state folder. Nothing is read or made yet.
    pub fn new(
        state: &Path,
        (project, environment): (Project, Environment),
        recipients: Vec<Recipient>,
        identities: Option<Arc<Identities>>,
        outside: Outside,
    ) -> Journal {
        let folder = state.join(project.as_str()).join(environment.as_str());
        Journal { state: state.to_owned(), folder, project, environment, recipients, identities, outside }
    }

    /// Begins an operation that has planned nothing yet.
    pub fn begin(&self, begin: &Begin<'_>) -> Result<Operation, JournalError> {
        durable::create_folder(&self.folder).map_err(JournalError::io(&self.folder, "made"))?;
        // What cannot be removed today is removed another day.
        let _ = self.prune();
        Operation::begin(self, begin)
    }

    /// Opens an operation to go on with it; nobody else can until it is dropped.
    pub fn open(&self, id: &OperationId) -> Result<Operation, JournalError> {
        Operation::open(self, id)
    }

    /// Everything that was written down of an operation, with its time, the first line first.
    pub fn steps(&self, id: &OperationId) -> Result<Vec<(Timestamp, Step)>, JournalError> {
        let lines = Self::lines(&self.folder.join(id.as_str()))?;
        Ok(lines.into_iter().map(|line| (line.at, line.step)).collect())
    }

    /// The manifest that knows an operation's places, where it leaves another one behind than it found. An undo has that
    /// of what it undoes.
    pub fn manifest_of(&self, summary: &Summary) -> Result<Option<String>, JournalError> {
        let path = self.manifest_file(summary.undoes.as_ref().unwrap_or(&summary.id));
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(JournalError::io(&path, "read")(error)),
        }
    }

    /// The file of that manifest.
    pub fn manifest_file(&self, id: &OperationId) -> PathBuf {
        self.folder.join(id.as_str()).join(operation::MANIFEST)
    }

    /// The manifest that the one of [`Journal::manifest_of`] was made from.
    pub fn manifest_before(&self, id: &OperationId) -> Result<String, JournalError> {
        let path = self.folder.join(id.as_str()).join(operation::MANIFEST_BEFORE);
        std::fs::read_to_string(&path).map_err(JournalError::io(&path, "read"))
    }

    /// The operations, oldest first. Folders of an operation that died before its first line are not told.
    pub fn list(&self) -> Result<Vec<Summary>, JournalError> {
        let mut summaries = Vec::new();
        for id in self.ids()? {
            if let Some(summary) = self.summary(&id)? {
                summaries.push(summary);
            }
        }
        // Names tell seconds only; the first line of a journal tells more.
        summaries.sort_by_key(|summary| summary.at);
        // From the newest on: an undo that was itself undone no longer counts.
        for newer in (0..summaries.len()).rev() {
            let stands = matches!(
                summaries[newer].standing,
                Standing::Done | Standing::Unfinished | Standing::Running | Standing::Soaking(_)
            );
            let (Some(undone), true) = (summaries[newer].undoes.clone(), stands) else { continue };
            let by = summaries[newer].id.clone();
            let undone = summaries.iter_mut().find(|summary| summary.id == undone);
            if let Some(undone) = undone.filter(|summary| {
                matches!(
                    summary.standing,
                    Standing::Done | Standing::GivenUp | Standing::Unfinished | Standing::Soaking(_)
                )
            }) {
                undone.standing = Standing::Undone(by);
            }
        }
        Ok(summaries)
    }

    /// The operation whose name is, or starts with, the text.
    pub fn find(&self, text: &str) -> Result<Summary, JournalError> {
        let mut found: Vec<_> =
            self.list()?.into_iter().filter(|summary| summary.id.as_str().starts_with(text)).collect();
        match found.len() {
            0 => Err(JournalError::Unknown(text.escape_debug().take(80).collect())),
            1 => Ok(found.remove(0)),
            _ => match found.iter().position(|summary| summary.id.as_str() == text) {
                Some(exact) => Ok(found.remove(exact)),
                None => Err(JournalError::Ambiguous(text.to_owned())),
            },
        }
    }

    fn ids(&self) -> Result<Vec<OperationId>, JournalError> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(JournalError::io(&self.folder, "read")(error)),
        };
        let mut ids = Vec::new();
        for entry in entries {
            let name = entry.map_err(JournalError::io(&self.folder, "read"))?.file_name();
            // Beside the operations stand the backups.
            let name = name.to_str().filter(|name| name.starts_with(|c: char| c.is_ascii_digit()));
            ids.extend(name.and_then(OperationId::parse));
        }
        ids.sort();
        Ok(ids)
    }

    fn summary(&self, id: &OperationId) -> Result<Option<Summary>, JournalError> {
        let folder = self.folder.join(id.as_str());
        let mut lines = match Self::lines(&folder) {
            Err(error @ JournalError::Damaged { .. }) => return Ok(Some(damaged(id, error.to_string()))),
            lines => lines?,
        };
        let mut running = false;
        if line::Progress::of(&lines).ending.is_none() {
            running = self.is_running(&folder);
            // Whoever was at it may have ended between the two looks, and is not to be taken for one that died.
            if !running {
                lines = Self::lines(&folder)?;
            }
        }
        let Some(Line { at, step: Step::Begun { command, undoes, goes_on, home, .. } }) = lines.first()
        else {
            return Ok(None);
        };
        let progress = line::Progress::of(&lines);
        let standing = match progress.ending {
            Some(Ending::Done) => Standing::Done,
            Some(Ending::Nothing) => Standing::Nothing,
            Some(Ending::Stands) => Standing::GivenUp,
            Some(Ending::Undone) => Standing::Undone(id.clone()),
            None if running => Standing::Running,
            None if progress.writes.is_empty() && !progress.touched() => Standing::Nothing,
            None => progress.soaking.map_or(Standing::Unfinished, Standing::Soaking),
        };
        Ok(Some(Summary {
            id: id.clone(),
            at: *at,
            command: command.clone(),
            undoes: undoes.clone(),
            goes_on: goes_on.clone(),
            targets: progress.writes.iter().flat_map(PlannedWrite::targets).collect(),
            home: home.clone(),
            done: progress.settled(),
            total: progress.writes.len(),
            touched: progress.touched(),
            rests: progress.rests,
            lasting: progress.lasting(),
            standing,
        }))
    }

    /// The lines of the operation in a folder; none where a process that prunes has removed it, or one died before its
    /// first line.
    fn lines(folder: &Path) -> Result<Vec<Line>, JournalError> {
        let path = folder.join(operation::LINES);
        match std::fs::read(&path) {
            Ok(text) => line::parse(&path, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(JournalError::io(&path, "read")(error)),
        }
    }

    fn is_running(&self, folder: &Path) -> bool {
        let lock = File::open(folder.join(operation::LOCK));
        matches!(lock.map(|lock| lock.try_lock_shared()), Ok(Err(TryLockError::WouldBlock)))
    }

    /// Removes the oldest operations past [`KEPT`] that are over: an undo never before what it undid, which would come
    /// back to life. Somebody else may be removing the same ones.
    fn prune(&self) -> Result<(), JournalError> {
        if self.ids()?.len() <= KEPT {
            return Ok(());
        }
        let summaries = self.list()?;
        let surplus = summaries.len().saturating_sub(KEPT);
        let mut kept = Vec::new();
        for summary in &summaries[..surplus] {
            use Standing::{Done, GivenUp, Nothing, Undone};
            let over = matches!(summary.standing, Done | Nothing | GivenUp | Undone(_));
            if !over || summary.undoes.as_ref().is_some_and(|undone| kept.contains(&undone)) {
                kept.push(&summary.id);
                continue;
            }
            let folder = self.folder.join(summary.id.as_str());
            match std::fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(JournalError::io(&folder, "removed")(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// This host's own identity, made on first use.
    fn host(&self) -> Result<Identities, JournalError> {
        let path = self.state.join("host-identity.txt");
        loop {
            match std::fs::read(&path).map(zeroize::Zeroizing::new) {
                Ok(text) => {
                    return Identities::parse(&text, &mut || None)
                        .map_err(|error| JournalError::Damaged { path, reason: error.to_string() });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(JournalError::io(&path, "read")(error)),
            }
            durable::create_folder(&self.state).map_err(JournalError::io(&self.state, "made"))?;
            match durable::create(&path, Identities::generate().to_file().as_bytes(), durable::PRIVATE) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(JournalError::io(&path, "written")(error));
                }
                // Made by us, or by a process that was quicker: either way it is there now.
                _ => {}
            }
        }
    }
}

/// What can be told of an operation whose journal cannot be read: its name has its time.
fn damaged(id: &OperationId, reason: String) -> Summary {
    let at = jiff::civil::DateTime::strptime("%Y%m%d-%H%M%S", id.as_str().get(..15).unwrap_or_default());
    let at = at.ok().and_then(|at| at.to_zoned(jiff::tz::TimeZone::UTC).ok());
    Summary {
        id: id.clone(),
        at: at.map_or(Timestamp::UNIX_EPOCH, |at| at.timestamp()),
        command: String::new(),
        undoes: None,
        goes_on: None,
        targets: Vec::new(),
        home: None,
        done: 0,
        total: 0,
        touched: false,
        rests: false,
        lasting: false,
        standing: Standing::Damaged(reason),
    }
}
