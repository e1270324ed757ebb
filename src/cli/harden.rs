//! What the process does to itself at its start so that values stay inside: no core file, no debugger, and a log that
//! only this crate writes to.
//!
//! It never reads `RUST_LOG`: libraries log requests and bodies, and a value must not appear because of a variable that
//! somebody set for another program. `-v` is the only way to hear more.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The limits that the process was started with, for the child that takes its place.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    core: Rlimit,
}

/// Forbids core files and reading this process's memory, before anything worth reading is there. What the system does
/// not let us forbid is not a reason to stop.
pub(super) fn process() -> Limits {
    let core = getrlimit(Resource::Core);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: core.maximum });
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    Limits { core }
}

impl Limits {
    /// Gives back the limit on core files, which a child would inherit; that the process is not dumpable ends with
    /// execve by itself.
    pub(super) fn restore(&self) {
        let _ = setrlimit(Resource::Core, Rlimit { current: self.core.current, maximum: self.core.maximum });
    }
}

/// Sends this crate's own events to stderr, as many as `-v` asks for; those of other crates never.
pub(super) fn log(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false).without_time();
    tracing_subscriber::registry().with(lines).with(Targets::new().with_target("strongroom", level)).init();
}
