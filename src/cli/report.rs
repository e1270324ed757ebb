//! From an error to what a person or a script sees: a message, its causes, the next step, the exit code.
//!
//! The one place that knows which error of which layer means what. It never prints; [`super::ui`] does.

use crate::apply::ApplyError;
use crate::backup::BackupError;
use crate::journal::JournalError;
use crate::manifest::{ManifestError, Missing, NameClash, UnknownName, VariablesError};
use crate::migrate::DecideError;
use crate::name::InvalidName;
use crate::render::UnknownDialect;
use crate::seal::{OpenError, SealError};
use crate::store::{ErrorKind, OperationId, StoreError};
use anyhow::Error;
use std::process::ExitCode;

/// Exit codes are API: their numbers never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Exit {
    /// Done, or nothing was to be done.
    Done = 0,
    /// Failed, and nothing else fits.
    Failed = 1,
    /// The command line cannot be understood, or something would have to be asked and nobody can be.
    Usage = 2,
    /// `--check` found changes pending or drift.
    Pending = 3,
    /// The manifest is missing or wrong.
    Manifest = 4,
    /// A place, a file or an identity did not let us in.
    Denied = 5,
    /// Somebody else changed it.
    Conflict = 6,
    /// Stopped midway or not verified; the journal is kept and `strongroom resume` goes on.
    Midway = 7,
    /// Only a person can do what is next.
    Person = 8,
    /// A lease is held, or an environment is updating.
    Busy = 9,
    /// As shells say it: `exec` found the command and may not run it.
    NotExecutable = 126,
    /// As shells say it: `exec` did not find the command.
    NotFound = 127,
    /// As shells say it: Ctrl-C at a question, before anything was changed.
    Interrupted = 130,
}

impl Exit {
    /// What clap's refusals mean: help that was asked for is not one.
    pub(super) fn from_usage(error: &clap::Error) -> Exit {
        if error.use_stderr() { Exit::Usage } else { Exit::Done }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a verb stops for a reason of its own, with the next step. Errors of the layers below are raised as they are: what
/// they mean is said in [`meaning`].
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Stop {
    exit: Exit,
    message: String,
    hints: Vec<String>,
    #[source]
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Stop {
    /// A stop with this exit code; the message is a fragment: small first letter, no full stop, never a value.
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Stop {
        Stop { exit, message: message.into(), hints: Vec::new(), cause: None }
    }

    /// Whether it ends with this exit code.
    pub(super) fn is(&self, exit: Exit) -> bool {
        self.exit == exit
    }

    /// The command line has to be different.
    pub(super) fn usage(message: impl Into<String>) -> Stop {
        Stop::new(Exit::Usage, message)
    }

    /// Adds a next step, a whole line: "`strongroom init` makes one".
    pub(super) fn hint(mut self, line: impl Into<String>) -> Stop {
        self.hints.push(line.into());
        self
    }

    /// Adds what it came from.
    pub(super) fn because(mut self, cause: impl std::error::Error + Send + Sync + 'static) -> Stop {
        self.cause = Some(Box::new(cause));
        self
    }
}

/// Whoever read our stdout has stopped reading: nothing to say, and nothing failed.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the output any more")]
pub(super) struct ReaderGone;

/// What is shown of an error, and what the shell is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) exit: Exit,
    /// Nothing is shown of an error without a message.
    pub(super) message: String,
    pub(super) causes: Vec<String>,
    pub(super) hints: Vec<String>,
}

impl Report {
    /// Walks the chain: the first line of it is the message, the others its causes; the outermost error that knows its
    /// exit code decides it, and every one may add next steps.
    pub(super) fn of(error: &Error) -> Report {
        let mut lines: Vec<String> = Vec::new();
        let mut exit = None;
        let mut hints = Vec::new();
        for link in error.chain() {
            let line = link.to_string();
            // An error that wraps another often repeats it.
            if !lines.iter().any(|earlier| earlier.contains(&line)) {
                lines.push(line);
            }
            if let Some((code, steps)) = meaning(link) {
                exit = exit.or(Some(code));
                hints.extend(steps);
            }
        }
        if error.chain().any(|link| link.is::<ReaderGone>()) {
            lines.clear();
        }
        let mut lines = lines.into_iter();
        let message = lines.next().unwrap_or_default();
        Report { exit: exit.unwrap_or(Exit::Failed), message, causes: lines.collect(), hints }
    }

    /// A refusal of clap's, without its colours and without its headings.
    pub(super) fn of_usage(error: &clap::Error) -> Report {
        let text = error.render().to_string();
        let mut lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with("For more information"));
        let message = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let hints = lines.map(|line| line.trim_start_matches("tip: ").to_owned()).collect();
        Report { exit: Exit::from_usage(error), message, causes: Vec::new(), hints }
    }
}

/// The exit code and the next steps of one link of a chain, if it is of a type that has a meaning of its own. Types that
/// stand for several outcomes are matched without a `_`, so that a new variant is decided here.
fn meaning(link: &(dyn std::error::Error + 'static)) -> Option<(Exit, Vec<String>)> {
    if let Some(stop) = link.downcast_ref::<Stop>() {
        return Some((stop.exit, stop.hints.clone()));
    }
    if link.is::<ReaderGone>() {
        return Some((Exit::Done, Vec::new()));
    }
    if let Some(error) = link.downcast_ref::<ApplyError>() {
        return of_apply(error);
    }
    let boxed = || link.downcast_ref::<Box<StoreError>>().map(Box::as_ref);
    if let Some(error) = link.downcast_ref::<StoreError>().or_else(boxed) {
        return Some((of_store(error), error.hint.iter().cloned().collect()));
    }
    if let Some(error) = link.downcast_ref::<BackupError>() {
        return of_backup(error);
    }
    if let Some(error) = link.downcast_ref::<VariablesError>() {
        return Some(match error {
            VariablesError::Missing(missing) => of_missing(missing),
            VariablesError::Clash(_) => (Exit::Manifest, Vec::new()),
        });
    }
    if let Some(missing) = link.downcast_ref::<Missing>() {
        return Some(of_missing(missing));
    }
    of_type(link).map(|exit| (exit, Vec::new()))
}

/// Types whose messages say the next step themselves.
fn of_type(link: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    if link.is::<ManifestError>() || link.is::<NameClash>() {
        return Some(Exit::Manifest);
    }
    if let Some(error) = link.downcast_ref::<DecideError>() {
        return Some(match error {
            DecideError::Unknown(_) | DecideError::InManifest { .. } => Exit::Usage,
            _ => Exit::Manifest,
        });
    }
    if link.is::<InvalidName>() || link.is::<UnknownName>() || link.is::<UnknownDialect>() {
        return Some(Exit::Usage);
    }
    if let Some(error) = link.downcast_ref::<JournalError>() {
        return Some(of_journal(error));
    }
    if let Some(error) = link.downcast_ref::<OpenError>() {
        return Some(match error {
            OpenError::WrongIdentity => Exit::Denied,
            OpenError::NotAge | OpenError::Passphrase | OpenError::Damaged => Exit::Failed,
        });
    }
    link.downcast_ref::<std::io::Error>().filter(|error| denied(error)).map(|_| Exit::Denied)
}

fn denied(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
}

/// What stopped midway is worth more than why; what changed nothing is as its cause says.
fn of_apply(error: &ApplyError) -> Option<(Exit, Vec<String>)> {
    let go_on = |id: &OperationId, lasting: bool| {
        let back = if lasting { String::new() } else { format!(", `strongroom undo {id}` takes it back") };
        vec![format!("`strongroom resume {id}` finishes it{back}")]
    };
    Some(match error {
        ApplyError::Read(_) | ApplyError::Nothing(_) | ApplyError::Journal(_) => return None,
        ApplyError::Conflict { operation, midway, .. } => {
            let mut hints = vec!["`strongroom status` shows what is there now".to_owned()];
            if let (Some(id), true) = (operation, midway) {
                hints.push(format!(
                    "`--skip-changed` leaves that alone and does the rest of {id}; `strongroom operations` tells what came after it"
                ));
            }
            (Exit::Conflict, hints)
        }
        ApplyError::Stopped { operation, source, .. } if source.kind == ErrorKind::Person => {
            (Exit::Person, vec![format!("`strongroom resume {operation}` goes on after that")])
        }
        ApplyError::GivenUp { .. } => return None,
        ApplyError::Lasting { .. } => {
            (Exit::Failed, vec![
                "what is needed now is another rotation, not the old value".to_owned(),
                "`strongroom operations` lists the ones before it; `strongroom undo ID` takes one of them back"
                    .to_owned(),
            ])
        }
        ApplyError::Stopped { operation, lasting, .. }
        | ApplyError::NotVerified { operation, lasting, .. }
        | ApplyError::Unfinished { operation, lasting, .. } => (Exit::Midway, go_on(operation, *lasting)),
        ApplyError::OtherPlace { .. } => (
            Exit::Failed,
            vec!["go to the folder that it was begun in, or name its manifest with --config".to_owned()],
        ),
        ApplyError::Refused(errors) => {
            let hints: Vec<String> = errors.iter().filter_map(|error| error.hint.clone()).collect();
            (Exit::Failed, hints)
        }
        ApplyError::Undone { .. } => (Exit::Failed, Vec::new()),
        ApplyError::Indivisible { .. } => (
            Exit::Conflict,
            vec![
                "bring those back to what they were (`strongroom history KEY` tells), and undo again"
                    .to_owned(),
                "or take what you need from the backup that was made before: `strongroom backup list`"
                    .to_owned(),
            ],
        ),
        ApplyError::Later { later, .. } => (Exit::Failed, vec![format!("`strongroom undo {later}` first")]),
        ApplyError::GoesOn { operation, .. } => {
            (Exit::Midway, vec![format!("`strongroom resume {operation}` goes on with it")])
        }
    })
}

fn of_store(error: &StoreError) -> Exit {
    match error.kind {
        ErrorKind::Denied => Exit::Denied,
        ErrorKind::Conflict => Exit::Conflict,
        ErrorKind::Busy => Exit::Busy,
        ErrorKind::Person => Exit::Person,
        ErrorKind::Transient
        | ErrorKind::RolledBack
        | ErrorKind::Invalid
        | ErrorKind::Damaged
        | ErrorKind::NotBegun
        | ErrorKind::Failed => Exit::Failed,
    }
}

fn of_journal(error: &JournalError) -> Exit {
    match error {
        JournalError::Unknown(_) | JournalError::Ambiguous(_) | JournalError::EffectName(_) => Exit::Usage,
        JournalError::CannotOpen { .. } => Exit::Denied,
        JournalError::Running(_) => Exit::Busy,
        JournalError::Io { source, .. } if denied(source) => Exit::Denied,
        JournalError::Io { .. } | JournalError::Damaged { .. } | JournalError::Seal(_) => Exit::Failed,
    }
}

/// What a file or a seal said decides where the backup itself does not.
fn of_backup(error: &BackupError) -> Option<(Exit, Vec<String>)> {
    let identity = "point STRONGROOM_IDENTITY to an identity that is among its recipients";
    let (exit, hint) = match error {
        BackupError::NoIdentity { .. } => (Exit::Denied, identity),
        BackupError::Open { source: OpenError::WrongIdentity, .. } => (Exit::Denied, identity),
        BackupError::Unknown(_) | BackupError::Ambiguous(_) => {
            (Exit::Usage, "`strongroom backup list` tells the backups of this environment")
        }
        BackupError::Seal(SealError::NoRecipient) => {
            (Exit::Failed, "name who may open it: `strongroom recipients add age1…`")
        }
        BackupError::Unproven => (
            Exit::Denied,
            "be a recipient yourself (`strongroom recipients add` with your public key), or point STRONGROOM_IDENTITY to an identity that is one",
        ),
        BackupError::OfOperation { .. } => {
            (Exit::Failed, "`strongroom resume` and `strongroom undo` work with those")
        }
        BackupError::Open { .. } | BackupError::Document { .. } => {
            (Exit::Failed, "nothing was changed; `strongroom backup list` tells what else there is")
        }
        BackupError::Io { .. } | BackupError::Seal(_) | BackupError::NotSame => return None,
    };
    Some((exit, vec![hint.to_owned()]))
}

fn of_missing(missing: &Missing) -> (Exit, Vec<String>) {
    let environment = &missing.environment;
    let line = |address| format!("`strongroom -e {environment} set {address}`");
    (Exit::Failed, missing.addresses.iter().take(MOST_HINTS).map(line).collect())
}

/// More next steps than a person takes in are no help.
const MOST_HINTS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn the_outermost_error_that_knows_its_exit_code_decides_it() {
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let stop = Stop::new(Exit::Midway, "stopped").hint("`strongroom resume` goes on").because(denied);
        let report = Report::of(&Error::new(stop).context("cannot set app/KEY"));
        assert_eq!(report.exit, Exit::Midway);
        assert_eq!(report.message, "cannot set app/KEY");
        assert_eq!(report.causes, ["stopped", "permission denied"]);
        assert_eq!(report.hints, ["`strongroom resume` goes on"]);
    }

    #[test]
    fn a_cause_that_its_error_already_tells_is_not_told_twice() {
        let error =
            Err::<(), _>(std::io::Error::other("disk full")).context("cannot write: disk full").unwrap_err();
        assert_eq!(Report::of(&error).causes, Vec::<String>::new());
    }

    #[test]
    fn an_error_that_nothing_is_known_about_is_exit_1() {
        assert_eq!(Report::of(&anyhow::anyhow!("strange")).exit, Exit::Failed);
    }

    #[test]
    fn a_reader_that_went_away_is_neither_a_failure_nor_worth_a_word() {
        let report = Report::of(&Error::new(ReaderGone).context("cannot list"));
        assert_eq!((report.exit, report.message.as_str()), (Exit::Done, ""));
    }
}
