//! How far a change is, on a terminal, once it takes longer than a second.
//!
//! Owns one line on stderr that is drawn over itself: what is being written or waited for, how much of how much, and
//! the time left. It shows units and never a value, and is silent where nobody looks.

use crate::apply::Event;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// Before that a person does not wonder.
const PATIENCE: Duration = Duration::from_secs(1);

/// Follows an operation. Clones share one line.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    bar: ProgressBar,
    began: Instant,
    shown: bool,
}

impl Progress {
    /// The line of a run; `seen` says whether somebody looks.
    pub(super) fn new(bar: ProgressBar, seen: bool) -> Progress {
        Progress { bar, began: Instant::now(), shown: seen }
    }

    /// Takes in what happens next.
    pub(super) fn follow(&mut self, event: &Event) {
        match event {
            Event::Writing { write, total, unit, .. } => {
                self.style("{spinner} {pos} of {len}, {eta} left  {msg}");
                self.bar.set_length(*total as u64);
                self.bar.set_position(*write as u64);
                self.bar.set_message(super::ui::shown(&unit.0));
            }
            Event::Settling { unit, .. } => {
                // How long a place takes is not ours to tell.
                self.style("{spinner} {elapsed}  {msg}");
                self.bar.set_message(format!("waiting for {}", super::ui::shown(&unit.0)));
            }
            Event::Verifying => {
                self.bar.set_position(self.bar.length().unwrap_or(0));
                self.bar.set_message("reading it back");
            }
        }
        let waits = matches!(event, Event::Settling { .. });
        if self.shown && self.bar.is_hidden() && (waits || self.began.elapsed() > PATIENCE) {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            // Drawn while nothing happens too: a deployment takes minutes.
            self.bar.enable_steady_tick(Duration::from_millis(200));
        }
    }

    fn style(&self, template: &str) {
        let style = ProgressStyle::with_template(template);
        self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    }

    /// Takes the line away.
    pub(super) fn done(&self) {
        self.bar.disable_steady_tick();
        self.bar.finish_and_clear();
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
    }
}
