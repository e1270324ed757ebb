//! How fast calls may be made: a token bucket for each family of calls that AWS counts together.
//!
//! Owns the rates and the waiting. All tasks of a run share it. It never decides whether a call is repeated.

use crate::manifest::Quota;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Calls that AWS counts together (General Reference, "AWS Systems Manager endpoints and quotas" and the same for Secrets
/// Manager and Elastic Beanstalk).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Family {
    /// GetParameter, GetParameters, GetParametersByPath: 40 a second unless high throughput is on.
    ParameterReads,
    /// PutParameter and DeleteParameter: 3 a second unless high throughput is on.
    ParameterWrites,
    /// DescribeParameters, GetParameterHistory, tags: 3 a second, whatever the setting of reads.
    ParameterLists,
    /// GetSecretValue and DescribeSecret: thousands a second.
    SecretReads,
    /// Everything else of Secrets Manager: 50 a second.
    SecretWrites,
    /// Elastic Beanstalk publishes no number and throttles early.
    Beanstalk,
    /// Who we are.
    Identity,
}

const FAMILIES: usize = 7;

/// One bucket for each family.
#[derive(Debug)]
pub(super) struct Pacers([Pacer; FAMILIES]);

impl Pacers {
    pub(super) fn new(quota: Quota) -> Pacers {
        let (reads, writes) = (f64::from(quota.reads), f64::from(quota.writes));
        Pacers([reads, writes, writes, 1000.0, 50.0, 10.0, 10.0].map(Pacer::new))
    }

    pub(super) fn of(&self, family: Family) -> &Pacer {
        &self.0[family as usize]
    }
}

/// A bucket that holds a second's worth of calls and fills at the quota's rate. When AWS throttles all the same, because
/// others share the account's quota, the rate is halved; it grows back with the calls that succeed.
#[derive(Debug)]
pub(super) struct Pacer {
    quota: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rate: f64,
    tokens: f64,
    at: Option<Instant>,
}

impl State {
    fn fill(&mut self, now: Instant) {
        let since = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.tokens = (self.tokens + since.as_secs_f64() * self.rate).min(self.rate.max(1.0));
        self.at = Some(now);
    }
}

impl Pacer {
    fn new(quota: f64) -> Pacer {
        let quota = quota.max(0.1);
        Pacer { quota, state: Mutex::new(State { rate: quota, tokens: quota.max(1.0), at: None }) }
    }

    /// Waits for a call's turn. Turns are given in the order in which they were asked for.
    pub(super) async fn turn(&self) {
        let due = {
            let mut state = self.state.lock().expect("no code panics while it holds the lock");
            let now = Instant::now();
            state.fill(now);
            state.tokens -= 1.0;
            now + Duration::from_secs_f64((-state.tokens / state.rate).max(0.0))
        };
        sleep_until(due).await;
    }

    /// AWS said that it was too fast.
    pub(super) fn throttled(&self) {
        let mut state = self.state.lock().expect("no code panics while it holds the lock");
        state.fill(Instant::now());
        state.rate = (state.rate / 2.0).max(self.quota / 16.0);
        state.tokens = state.tokens.min(0.0);
    }

    /// AWS took a call.
    pub(super) fn taken(&self) {
        let mut state = self.state.lock().expect("no code panics while it holds the lock");
        if state.rate < self.quota {
            state.fill(Instant::now());
            state.rate = (state.rate * 1.05).min(self.quota);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn seconds_for(calls: u32, pacer: &Pacer) -> f64 {
        let start = Instant::now();
        for _ in 0..calls {
            pacer.turn().await;
        }
        start.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_s_worth_goes_at_once_and_the_rest_at_the_quota() {
        assert!(seconds_for(40, &Pacer::new(40.0)).await < 0.001);
        let hundred = seconds_for(100, &Pacer::new(40.0)).await;
        assert!((1.49..1.52).contains(&hundred), "{hundred}");
        let writes = seconds_for(60, &Pacer::new(3.0)).await;
        assert!((18.9..19.1).contains(&writes), "{writes}");
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_that_share_a_bucket_share_its_rate() {
        let pacer = Pacer::new(10.0);
        let start = Instant::now();
        futures::future::join_all((0..8).map(|_| seconds_for(10, &pacer))).await;
        let all = start.elapsed().as_secs_f64();
        assert!((6.9..7.1).contains(&all), "{all}");
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_halves_the_rate_and_success_brings_it_back() {
        let pacer = Pacer::new(10.0);
        pacer.throttled();
        let slow = seconds_for(10, &pacer).await;
        assert!((1.9..2.1).contains(&slow), "{slow}");
        for _ in 0..20 {
            pacer.taken();
        }
        seconds_for(10, &pacer).await;
        let again = seconds_for(20, &pacer).await;
        assert!((1.9..2.1).contains(&again), "{again}");
    }
}
