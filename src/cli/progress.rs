//! How far a change is, on a terminal, once it takes longer than a second.
//!
//! Owns one line on stderr that is drawn over itself: what is being written or waited for, how much of how much, and
//! the time left by what is known. It shows units and never a value, and is silent where nobody looks.

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
    /// When the writes of this run began, of which one publishes after the other.
    run: Option<Instant>,
    shown: bool,
}

impl Progress {
    /// The line of a run; `seen` says whether somebody looks.
    pub(super) fn new(bar: ProgressBar, seen: bool) -> Progress {
        Progress { bar, began: Instant::now(), run: None, shown: seen }
    }

    /// Takes in what happens next.
    pub(super) fn follow(&mut self, event: &Event) {
        match event {
            Event::Writing { done, total, least, unit, .. } => {
                let took = self.run.get_or_insert_with(Instant::now).elapsed();
                let left = match time_left(*done, *total, *least, took) {
                    Some(left) => format!(", {left} left"),
                    None => String::new(),
                };
                self.style("{spinner} {pos} of {len}{prefix}  {wide_msg}");
                self.bar.set_length(*total as u64);
                self.bar.set_position(*done as u64);
                self.bar.set_prefix(left);
                self.bar.set_message(super::ui::shown(&unit.0));
            }
            // Others go on meanwhile, and are what is told.
            Event::Settling { among: 2.., .. } => {}
            Event::Settling { unit, .. } => {
                // How long a place takes is not ours to tell.
                self.run = None;
                self.bar.reset_elapsed();
                self.style("{spinner} {elapsed}  {wide_msg}");
                self.bar.set_message(format!("waiting for {}", super::ui::shown(&unit.0)));
            }
            Event::Verifying => {
                self.run = None;
                self.style("{spinner} {wide_msg}");
                self.bar.set_message("reading it back");
            }
            Event::Acting { effect } => {
                self.run = None;
                self.bar.reset_elapsed();
                self.style("{spinner} {elapsed}  {wide_msg}");
                self.bar.set_message(super::ui::shown(effect));
            }
            Event::Waiting { until, why } => {
                self.run = None;
                self.style("{spinner} {wide_msg}");
                let until = until.strftime("%H:%M:%SZ");
                self.bar.set_message(format!("{}; next try at {until}", super::ui::shown(why)));
            }
        }
        let waits =
            matches!(event, Event::Settling { among: 1, .. } | Event::Acting { .. } | Event::Waiting { .. });
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

/// How long the rest takes: as long as the quota leaves at least, or as long as it takes at the rate so far where that is
/// slower, because calls are slow or others use the quota too. None where neither is known.
fn time_left(done: usize, total: usize, least: Duration, took: Duration) -> Option<String> {
    let rest = total.saturating_sub(done) as f64;
    let measured = if done == 0 { 0.0 } else { took.as_secs_f64() / done as f64 * rest };
    let seconds = measured.max(least.as_secs_f64()).ceil();
    match seconds as u64 {
        0 => None,
        seconds @ 1..60 => Some(format!("{seconds} s")),
        seconds => Some(format!("{} min {} s", seconds / 60, seconds % 60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(done: usize, total: usize, least: u64, took: u64) -> String {
        let (least, took) = (Duration::from_millis(least), Duration::from_millis(took));
        time_left(done, total, least, took).unwrap_or_default()
    }

    #[test]
    fn what_the_quota_leaves_is_told_before_there_is_a_rate_and_while_a_burst_is_faster() {
        assert_eq!(left(0, 60, 20_000, 0), "20 s");
        assert_eq!(left(50, 200, 3_000, 400), "3 s", "the first second's worth goes at once");
    }

    #[test]
    fn a_rate_that_is_slower_than_the_quota_is_believed() {
        assert_eq!(left(10, 200, 3_800, 2_000), "38 s");
        assert_eq!(left(30, 60, 10_000, 60_000), "1 min 0 s");
    }

    #[test]
    fn where_neither_is_known_nothing_is_invented() {
        assert_eq!(left(0, 3, 0, 0), "");
    }
}
