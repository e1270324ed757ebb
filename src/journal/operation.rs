//! One operation on disk: its lock, its lines, its sealed values.

use super::line::{FORMAT, Line, PlannedWrite, Progress, VERSION, WriteStanding, parse, whole_length};
use super::{Begin, Ending, Journal, JournalError, Step};
use crate::document::{Document, Kind, Record, Section, State};
use crate::durable;
use crate::plan::{Change, Plan, Want, Wanted, Write};
use crate::seal::{self, Identities, OpenError, Recipient};
use crate::secret::FingerprintKey;
use crate::snapshot::{Entry, Unit, Version};
use crate::store::{Applied, OperationId, Stores};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

pub(super) const LINES: &str = "journal.jsonl";
pub(super) const LOCK: &str = "lock";
pub(super) const MANIFEST: &str = "manifest.toml";
pub(super) const MANIFEST_BEFORE: &str = "manifest-before.toml";
pub(super) const CHOSEN: &str = "chosen.age";

/// What a server answered, byte for byte: a value that it chose is in it. Wiped on drop; its `Debug` tells nothing.
pub struct Answer(Zeroizing<Vec<u8>>);

impl Answer {
    /// Takes an answer.
    pub fn new(bytes: Vec<u8>) -> Answer {
        Answer(Zeroizing::new(bytes))
    }

    pub(super) fn of(bytes: Zeroizing<Vec<u8>>) -> Answer {
        Answer(bytes)
    }

    /// The bytes, for whoever parses them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer({} bytes redacted)", self.0.len())
    }
}

/// An operation that this process works on. Nobody else can until it is dropped.
pub struct Operation {
    id: OperationId,
    folder: PathBuf,
    names: (String, String),
    command: String,
    undoes: Option<OperationId>,
    goes_on: Option<String>,
    in_order: bool,
    key: FingerprintKey,
    writes: Vec<Write>,
    locations: Vec<String>,
    progress: Progress,
    resumed: bool,
    recipients: Vec<Recipient>,
    keys: Vec<Arc<Identities>>,
    clock: fn() -> Timestamp,
    lines: File,
    _lock: File,
}

impl Operation {
    pub(super) fn begin(journal: &Journal, begin: &Begin<'_>) -> Result<Operation, JournalError> {
        let id = name((journal.outside.random)(), (journal.outside.clock)());
        // Before the folder: an identity that cannot be made leaves nothing behind.
        let host = Arc::new(journal.host()?);
        let folder = journal.folder.join(id.as_str());
        std::fs::create_dir(&folder).map_err(JournalError::io(&folder, "made"))?;
        let lock = lock(&folder, &id)?;
        let mut operation = Operation::at(journal, id, host, lock)?;
        operation.command = begin.command.to_owned();
        operation.undoes = begin.undoes.cloned();
        operation.goes_on = begin.goes_on.map(str::to_owned);
        operation.in_order = begin.in_order;
        operation.record(Step::Begun {
            format: FORMAT.to_owned(),
            version: VERSION,
            project: operation.names.0.clone(),
            environment: operation.names.1.clone(),
            command: operation.command.clone(),
            undoes: operation.undoes.clone(),
            goes_on: operation.goes_on.clone(),
            in_order: operation.in_order,
            home: begin.home.map(str::to_owned),
        })?;
        for folder in [&operation.folder, &journal.folder] {
            durable::flush_folder(folder).map_err(JournalError::io(folder, "flushed"))?;
        }
        Ok(operation)
    }

    pub(super) fn open(journal: &Journal, id: &OperationId) -> Result<Operation, JournalError> {
        let folder = journal.folder.join(id.as_str());
        if !folder.is_dir() {
            return Err(JournalError::Unknown(id.to_string()));
        }
        let lock = lock(&folder, id)?;
        let path = folder.join(LINES);
        let text = std::fs::read(&path).map_err(JournalError::io(&path, "read"))?;
        let parsed = parse(&path, &text)?;
        let Some(Line { step: Step::Begun { command, undoes, goes_on, in_order, .. }, .. }) = parsed.first()
        else {
            return Err(JournalError::Unknown(id.to_string()));
        };
        let mut operation = Operation::at(journal, id.clone(), Arc::new(journal.host()?), lock)?;
        // A line that a crash cut off was never written; the next one must not be glued to it.
        let whole = whole_length(&text);
        if whole < text.len() {
            operation.lines.set_len(whole as u64).map_err(JournalError::io(&path, "written"))?;
        }
        (operation.command, operation.undoes) = (command.clone(), undoes.clone());
        operation.goes_on = goes_on.clone();
        operation.in_order = *in_order;
        operation.progress = Progress::of(&parsed);
        operation.resumed = true;
        operation.load_plans(&parsed)?;
        Ok(operation)
    }

    /// An operation in its locked folder, of which nothing is read or written yet.
    fn at(
        journal: &Journal,
        id: OperationId,
        host: Arc<Identities>,
        lock: File,
    ) -> Result<Operation, JournalError> {
        let folder = journal.folder.join(id.as_str());
        Ok(Operation {
            id,
            names: (journal.project.to_string(), journal.environment.to_string()),
            command: String::new(),
            undoes: None,
            goes_on: None,
            in_order: false,
            key: FingerprintKey::new((journal.outside.random)()),
            writes: Vec::new(),
            locations: Vec::new(),
            progress: Progress::default(),
            resumed: false,
            recipients: journal.recipients.iter().cloned().chain(host.recipients()).collect(),
            keys: std::iter::once(host).chain(journal.identities.clone()).collect(),
            clock: journal.outside.clock,
            lines: open_lines(&folder)?,
            folder,
            _lock: lock,
        })
    }

    fn load_plans(&mut self, lines: &[Line]) -> Result<(), JournalError> {
        let planned = lines.iter().any(|line| matches!(line.step, Step::Planned { .. }));
        // What was settled with the values may hold fingerprints of it.
        if !planned && lines.iter().any(|line| matches!(line.step, Step::Chosen { .. })) {
            let chosen = self.open_document(&self.path_of(CHOSEN))?;
            self.key = chosen.fingerprint_key.unwrap_or_else(|| self.key.clone());
        }
        for line in lines {
            if let Step::Planned { plan, writes } = &line.step {
                let path = self.plan_path(*plan);
                let document = self.open_document(&path)?;
                if let Some(key) = &document.fingerprint_key {
                    self.key = key.clone();
                }
                for write in writes {
                    self.locations.push(write.location.clone());
                    self.writes.push(read_write(&document, write).ok_or_else(|| JournalError::Damaged {
                        path: path.clone(),
                        reason: "it does not have the addresses that the journal names".to_owned(),
                    })?);
                }
            }
        }
        Ok(())
    }

    /// Its name.
    pub fn id(&self) -> &OperationId {
        &self.id
    }

    /// The command that began it.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The operation that this one undoes.
    pub fn undoes(&self) -> Option<&OperationId> {
        self.undoes.as_ref()
    }

    /// The command that goes on with it after what is planned, where it is more than that.
    pub fn goes_on(&self) -> Option<&str> {
        self.goes_on.as_deref()
    }

    /// Whether an undo of it writes in the same order.
    pub fn in_order(&self) -> bool {
        self.in_order
    }

    /// The key of its fingerprints: the same each time the operation is opened.
    pub fn key(&self) -> &FingerprintKey {
        &self.key
    }

    /// Its writes, in the order in which they are made.
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// Which place of the world a write was planned for.
    pub fn location(&self, write: usize) -> &str {
        &self.locations[write]
    }

    /// Whether something of it may be in the world: a write that was not refused, or an effect.
    pub fn touched(&self) -> bool {
        self.progress.touched()
    }

    /// Whether an earlier process began it.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// How it ended, if it did.
    pub fn ending(&self) -> Option<Ending> {
        self.progress.ending
    }

    /// Whether a call was made for this write that may have changed something, and was not refused.
    pub fn may_have_written(&self, write: usize) -> bool {
        self.progress.standings[write] != WriteStanding::Untouched
    }

    /// Whether the write is known to be in force.
    pub fn in_force(&self, write: usize) -> bool {
        self.progress.standings[write] == WriteStanding::Settled
    }

    /// What the place answered to a write that is not yet known to be in force.
    pub fn awaiting(&self, write: usize) -> Option<&Applied> {
        match &self.progress.standings[write] {
            WriteStanding::Applied(applied) => Some(applied),
            WriteStanding::Untouched | WriteStanding::Unknown | WriteStanding::Settled => None,
        }
    }

    /// Adds a plan: its values are sealed, on disk, and have been opened again when this returns.
    pub fn plan(&mut self, plan: &Plan, stores: &Stores) -> Result<(), JournalError> {
        let number = self.progress.plans + 1;
        let document = self.document(plan);
        let path = self.plan_path(number);
        self.keep(&path, &document.to_json())?;
        let location =
            |write: &Write| stores.get(&write.place).map(|store| store.location()).unwrap_or_default();
        let writes: Vec<_> = plan
            .writes
            .iter()
            .map(|write| PlannedWrite {
                place: write.place.clone(),
                location: location(write),
                unit: write.unit.0.clone(),
                base: write.base.as_ref().map(|base| base.0.clone()),
                addresses: write.changes.iter().map(|change| change.address.clone()).collect(),
                lasting: plan.lasting,
            })
            .collect();
        let locations: Vec<String> = writes.iter().map(|write| write.location.clone()).collect();
        self.record(Step::Planned { plan: number, writes })?;
        self.locations.extend(locations);
        self.writes.extend(plan.writes.iter().cloned());
        Ok(())
    }

    /// Writes a line and flushes it; when this returns, a crash does not undo it.
    pub fn record(&mut self, step: Step) -> Result<(), JournalError> {
        let line = Line { at: (self.clock)(), step };
        let mut text = serde_json::to_vec(&line).expect("a line of strings always serialises");
        text.push(b'\n');
        let path = self.folder.join(LINES);
        let length = self.lines.metadata().map_err(JournalError::io(&path, "read"))?.len();
        if let Err(error) = self.lines.write_all(&text) {
            // A part of a line must not be glued to the next one; if this fails too, the next reader cuts it off.
            let _ = self.lines.set_len(length);
            return Err(JournalError::io(&path, "written")(error));
        }
        self.lines.sync_data().map_err(JournalError::io(&path, "flushed"))?;
        self.progress.add(&line);
        Ok(())
    }

    /// Whether an undo leaves this write.
    pub fn is_lasting(&self, write: usize) -> bool {
        self.progress.writes[write].lasting
    }

    /// Its folder, for whatever else is told about it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn document(&self, plan: &Plan) -> Document {
        let mut sections: BTreeMap<(&str, bool), BTreeMap<_, Record>> = BTreeMap::new();
        for (place, change) in plan.changes() {
            let before = Record { entry: change.before.clone(), ..Record::default() };
            let after = match &change.after {
                Want::Absent => Record::default(),
                Want::Present(wanted) => {
                    let (held, attributes) = (wanted.held.clone(), wanted.attributes.clone());
                    // A place that can go back to a version does so when the operation is resumed, too.
                    let version = wanted.was.clone();
                    let entry = Entry { held, attributes, version, modified: None, arn: None };
                    Record { entry: Some(entry), ..Record::default() }
                }
            };
            sections.entry((place.as_str(), false)).or_default().insert(change.address.clone(), before);
            sections.entry((place.as_str(), true)).or_default().insert(change.address.clone(), after);
        }
        let section = |((place, after), records): ((&str, bool), _)| {
            Section::new(place, if after { State::After } else { State::Before }, records)
        };
        Document {
            kind: Kind::Operation,
            project: self.names.0.clone(),
            environment: self.names.1.clone(),
            created: (self.clock)(),
            fingerprint_key: Some(self.key.clone()),
            sections: sections.into_iter().map(section).collect(),
        }
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    pub(super) fn names(&self) -> &(String, String) {
        &self.names
    }

    /// The time, by the clock of its journal.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(super) fn path_of(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// Seals bytes into a file and opens the file again.
    pub(super) fn keep(&self, path: &Path, plain: &[u8]) -> Result<(), JournalError> {
        let sealed = seal::seal(plain, &self.recipients)?;
        durable::replace(path, &sealed, durable::PRIVATE).map_err(JournalError::io(path, "written"))?;
        if self.open_sealed(path)?.as_slice() == plain {
            Ok(())
        } else {
            let reason = "what was sealed does not open to the same bytes".to_owned();
            Err(JournalError::Damaged { path: path.to_owned(), reason })
        }
    }

    pub(super) fn open_document(&self, path: &Path) -> Result<Document, JournalError> {
        let text = self.open_sealed(path)?;
        Document::from_json(&text)
            .map_err(|error| JournalError::Damaged { path: path.to_owned(), reason: error.to_string() })
    }

    pub(super) fn open_sealed(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>, JournalError> {
        let sealed = std::fs::read(path).map_err(JournalError::io(path, "read"))?;
        let mut failure = OpenError::WrongIdentity;
        for identities in &self.keys {
            match seal::open(&sealed, identities) {
                Ok(plain) => return Ok(plain),
                Err(OpenError::WrongIdentity) => {}
                Err(error) => failure = error,
            }
        }
        match failure {
            OpenError::WrongIdentity => Err(JournalError::CannotOpen { path: path.to_owned() }),
            other => Err(JournalError::Damaged { path: path.to_owned(), reason: other.to_string() }),
        }
    }

    fn plan_path(&self, number: usize) -> PathBuf {
        self.folder.join(format!("plan-{number}.age"))
    }
}

fn read_write(document: &Document, planned: &PlannedWrite) -> Option<Write> {
    let before = document.section(&planned.place, State::Before)?;
    let after = document.section(&planned.place, State::After)?;
    let change = |address: &crate::name::Address| -> Option<Change> {
        let after = match after.records.get(address)?.entry.clone() {
            Some(entry) => {
                Want::Present(Wanted { held: entry.held, attributes: entry.attributes, was: entry.version })
            }
            None => Want::Absent,
        };
        let before = before.records.get(address)?.entry.clone();
        Some(Change { address: address.clone(), before, after })
    };
    Some(Write {
        place: planned.place.clone(),
        unit: Unit(planned.unit.clone()),
        base: planned.base.clone().map(Version),
        changes: planned.addresses.iter().map(change).collect::<Option<_>>()?,
        notes: Vec::new(),
    })
}

fn lock(folder: &Path, id: &OperationId) -> Result<File, JournalError> {
    let path = folder.join(LOCK);
    let file = durable::lock_file(&path).map_err(JournalError::io(&path, "locked"))?;
    // Somebody who only looks whether it is held holds it for an instant; whoever works on it holds it for long.
    for _ in 0..20 {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(std::time::Duration::from_millis(5)),
            Err(TryLockError::Error(error)) => return Err(JournalError::io(&path, "locked")(error)),
        }
    }
    Err(JournalError::Running(id.clone()))
}

fn open_lines(folder: &Path) -> Result<File, JournalError> {
    let path = folder.join(LINES);
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(durable::PRIVATE);
    options.open(&path).map_err(|error: io::Error| JournalError::io(&path, "opened")(error))
}

/// A name that sorts by time, with 30 random bits so that two processes of one second do not meet.
pub(crate) fn name(random: [u8; 32], now: Timestamp) -> OperationId {
    const DIGITS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
    let suffix: String = random[..6].iter().map(|byte| char::from(DIGITS[usize::from(byte % 32)])).collect();
    let text = format!("{}-{suffix}", now.strftime("%Y%m%d-%H%M%S"));
    OperationId::parse(&text).expect("digits, small letters and -")
}
