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
    /// BatchGetSecretValue and ListSecrets: 100 a second each.
    SecretBatches,
    /// Everything else of Secrets Manager: 50 a second.
    SecretWrites,
    /// Elastic Beanstalk publishes no number and throttles early.
    Beanstalk,
    /// Who we are.
    Identity,
}

const FAMILIES: usize = 8;

/// One bucket for each family.
#[derive(Debug)]
pub(super) struct Pacers([Pacer; FAMILIES]);

impl Pacers {
    pub(super) fn new(quota: Quota) -> Pacers {
        let (reads, writes) = (f64::from(quota.reads), f64::from(quota.writes));
        Pacers([reads, writes, writes, 1000.0, 100.0, 50.0, 10.0, 10.0].map(Pacer::new))
    }

    pub(super) fn of(&self, family: Family) -> &Pacer {
        &self.0[family as usize]
    }
}

/// The part of a second's worth of calls that is made at once. AWS allows all of it, counted from the first call that
/// arrives there: the rest leaves room for calls that arrive 50 ms nearer to each other than they were sent, as one
/// refusal costs more than it.
const BURST: f64 = 0.95;

/// How long after it was halved the rate is not halved again.
const WINDOW: Duration = Duration::from_secs(1);

/// A bucket that holds close to a second's worth of calls and fills at the quota's rate. When AWS throttles all the same, because
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
    /// When the rate was halved last.
    slowed: Option<Instant>,
}

impl State {
    fn fill(&mut self, now: Instant) {
        let since = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.tokens = (self.tokens + since.as_secs_f64() * self.rate).min(burst(self.rate));
        self.at = Some(now);
    }
}

fn burst(rate: f64) -> f64 {
    (rate * BURST).max(1.0)
}

impl Pacer {
    fn new(quota: f64) -> Pacer {
        let quota = quota.max(0.1);
        Pacer {
            quota,
            state: Mutex::new(State { rate: quota, tokens: burst(quota), at: None, slowed: None }),
        }
    }

    /// The time between two calls where nothing throttles.
    pub(super) fn interval(&self) -> Duration {
        Duration::from_secs_f64(self.quota.recip())
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

    /// AWS said that it was too fast. What was under way when the rate was halved says nothing about the new rate.
    pub(super) fn throttled(&self) {
        let mut state = self.state.lock().expect("no code panics while it holds the lock");
        let now = Instant::now();
        if state.slowed.is_some_and(|at| now.saturating_duration_since(at) < WINDOW) {
            return;
        }
        state.slowed = Some(now);
        state.fill(now);
        state.rate = (state.rate / 2.0).max(self.quota / 16.0);
        state.tokens = state.tokens.min(0.0);
    }

    /// AWS took a call.
    pub(super) fn taken(&self) {
        let mut state = self.state.lock().expect("no code panics while it holds the lock");
        if state.rate < self.quota {
            state.fill(Instant::now());
            state.rate = (state.rate + self.quota / 20.0).min(self.quota);
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
    async fn close_to_a_second_s_worth_goes_at_once_and_the_rest_at_the_quota() {
        assert!(seconds_for(38, &Pacer::new(40.0)).await < 0.001);
        let hundred = seconds_for(100, &Pacer::new(40.0)).await;
        assert!((1.54..1.57).contains(&hundred), "{hundred}");
        let writes = seconds_for(60, &Pacer::new(3.0)).await;
        assert!((18.9..19.1).contains(&writes), "{writes}");
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_arrive_50_ms_nearer_to_each_other_are_still_within_the_quota() {
        for quota in [3.0, 40.0, 400.0] {
            let (pacer, start, mut arrivals) = (Pacer::new(quota), Instant::now(), Vec::new());
            for call in 0..1_000 {
                pacer.turn().await;
                // Connections are made for the first ones.
                let way = if f64::from(call) < quota { 0.049 } else { 0.0 };
                arrivals.push(start.elapsed().as_secs_f64() + way);
            }
            arrivals.sort_by(f64::total_cmp);
            let (mut tokens, mut at) = (quota, arrivals[0]);
            for arrival in arrivals {
                tokens = (tokens + (arrival - at) * quota).min(quota) - 1.0;
                at = arrival;
                assert!(tokens >= 0.0, "AWS refuses a call after {arrival} seconds at {quota} a second");
            }
        }
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
    async fn a_burst_that_is_refused_as_a_whole_halves_the_rate_once_and_ten_calls_bring_it_back() {
        let pacer = Pacer::new(3.0);
        (0..3).for_each(|_| pacer.throttled());
        let slow = seconds_for(3, &pacer).await;
        assert!((1.9..2.1).contains(&slow), "{slow}");
        (0..10).for_each(|_| pacer.taken());
        let again = seconds_for(9, &pacer).await;
        assert!((2.9..3.1).contains(&again), "{again}");
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
