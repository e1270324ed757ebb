//! Which of two rotators takes the next step: drawn from a seed, so that what happened happens again.
//!
//! Owns the gates ([`Turns::pass`]) at which one of them lets the other go first, falls asleep or dies, and the lease that
//! both want, whose time passes when the seed says so. It knows nothing of what a step does.

use super::super::super::rig::crowd::Draw;
use async_trait::async_trait;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use strongroom::store::{ErrorKind, Lease, Leases, StoreError};
use tokio::sync::watch;

/// What becomes of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// They take turns as it comes.
    Mixed,
    /// The same, and the lease of whoever has it may end at any gate, though he is awake.
    Slow,
    /// The first one sleeps at this gate until the other has ended, and his lease ends meanwhile.
    Sleeps(usize),
    /// The first one is cut off at this gate, and his lease ends.
    Dies(usize),
}

/// Both of them, and whose turn it is.
pub(super) struct Turns {
    state: Mutex<State>,
    turn: watch::Sender<usize>,
}

struct State {
    way: Way,
    draw: Draw,
    /// Who sleeps or dies, if somebody does.
    first: usize,
    gates: [usize; 2],
    over: [bool; 2],
    asleep: bool,
    dead: bool,
    /// Who has the lease, by the number of the take.
    lease: Option<u64>,
    takes: u64,
    lapsed: bool,
}

impl Turns {
    pub(super) fn new(way: Way, mut draw: Draw) -> Arc<Turns> {
        let first = usize::from(draw.below(2) == 1);
        let state = State {
            way,
            draw,
            first,
            gates: [0; 2],
            over: [false; 2],
            asleep: false,
            dead: false,
            lease: None,
            takes: 0,
            lapsed: false,
        };
        Arc::new(Turns { state: Mutex::new(state), turn: watch::Sender::new(first) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Waits for one's first turn.
    pub(super) async fn begin(&self, me: usize) {
        self.turn.subscribe().wait_for(|turn| *turn == me).await.unwrap();
    }

    /// A moment at which the other may go on first.
    pub(super) async fn pass(&self, me: usize) {
        let (hands_over, dies) = self.state().at_gate(me);
        if hands_over {
            self.turn.send_replace(1 - me);
        }
        match dies {
            true => std::future::pending().await,
            false => self.begin(me).await,
        }
    }

    /// Comes back when this one has died.
    pub(super) async fn death(&self, me: usize) {
        self.turn.subscribe().wait_for(|_| self.is_dead(me)).await.unwrap();
    }

    fn is_dead(&self, me: usize) -> bool {
        let state = self.state();
        state.dead && state.first == me
    }

    /// This one has nothing left to do.
    pub(super) fn end(&self, me: usize) {
        self.state().over[me] = true;
        self.turn.send_replace(1 - me);
    }

    /// From here on everybody is alone, and no lease is held.
    pub(super) fn all_over(&self, me: usize) {
        let mut state = self.state();
        state.over = [true; 2];
        (state.dead, state.lease) = (false, None);
        drop(state);
        self.turn.send_replace(me);
    }
}

impl State {
    /// Whether he hands over here, and whether he never comes back.
    fn at_gate(&mut self, me: usize) -> (bool, bool) {
        self.gates[me] += 1;
        if self.over[1 - me] {
            return (false, false);
        }
        match self.way {
            Way::Mixed => (self.draw.below(2) == 0, false),
            Way::Slow => {
                self.lapsed |= self.draw.below(8) == 0;
                (self.draw.below(2) == 0, false)
            }
            Way::Sleeps(gate) | Way::Dies(gate) if self.first == me && self.gates[me] == gate => {
                self.lapsed = true;
                self.asleep = true;
                self.dead = matches!(self.way, Way::Dies(_));
                self.over[me] = self.dead;
                (true, self.dead)
            }
            Way::Sleeps(_) | Way::Dies(_) => (false, false),
        }
    }
}

/// The lease, as one of them sees it.
pub(super) struct Shared {
    pub(super) turns: Arc<Turns>,
    pub(super) me: usize,
}

struct Taken {
    turns: Arc<Turns>,
    me: usize,
    number: u64,
}

#[async_trait]
impl Leases for Shared {
    async fn take(&self, _: &str) -> Result<Box<dyn Lease>, StoreError> {
        self.turns.pass(self.me).await;
        let mut state = self.turns.state();
        if state.lease.is_some() && !state.lapsed {
            return Err(StoreError::new(ErrorKind::Busy, "the lease", "held by the other"));
        }
        state.takes += 1;
        (state.lease, state.lapsed) = (Some(state.takes), false);
        Ok(Box::new(Taken { turns: Arc::clone(&self.turns), me: self.me, number: state.takes }))
    }
}

#[async_trait]
impl Lease for Taken {
    async fn still_ours(&self) -> Result<(), StoreError> {
        {
            let mut state = self.turns.state();
            if state.lease != Some(self.number) {
                return Err(StoreError::new(ErrorKind::Conflict, "the lease", "the other has it"));
            }
            state.lapsed = false;
        }
        // The worst moment: it was looked at, and what it is looked at for is not done yet.
        self.turns.pass(self.me).await;
        Ok(())
    }

    fn every(&self) -> Duration {
        Duration::from_secs(3600)
    }

    async fn release(&self) -> Result<(), StoreError> {
        let mut state = self.turns.state();
        if state.lease == Some(self.number) {
            state.lease = None;
        }
        Ok(())
    }
}
