//! Answers the shell while somebody types: the command tree, and the names that the manifest declares.
//!
//! It reads the manifest and nothing else, never a place, and has no opinion on errors: what cannot be read is not
//! offered.

use super::report::Exit;
use super::{command, context};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::CompleteEnv;

/// By this variable the script that `completions` prints tells us which shell asks. It does not begin with STRONGROOM_,
/// which are settings.
pub(super) const ASKING: &str = "_STRONGROOM_COMPLETE";

/// Answers, if a shell asks.
pub(super) fn answer_shell() -> Option<Exit> {
    context::variable(ASKING)?;
    let here = std::path::Path::new(".");
    match CompleteEnv::with_factory(command).var(ASKING).try_complete(context::arguments(), Some(here)) {
        Ok(true) => Some(Exit::Done),
        Ok(false) => None,
        Err(_) => Some(Exit::Usage),
    }
}

/// The environments that the manifest declares.
pub(super) fn environments() -> ArgValueCandidates {
    ArgValueCandidates::new(Vec::<CompletionCandidate>::new)
}
