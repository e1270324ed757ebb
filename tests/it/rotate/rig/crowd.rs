//! Workers that log in anew and write, over and over, with whatever login they were given and for as long as they keep it.
//!
//! Owns who they are, what they keep and for how long, and what they count. Time is not measured: whoever changes
//! something waits at a turnstile until each of them has logged in once more ([`Crowd::pass`]), so that every state that
//! there is on the way is met by all of them.

use super::site::{Site, WEB};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::net::TcpStream;
use tokio_postgres::NoTls;

/// What a container was given when it started.
type Variables = BTreeMap<String, String>;

/// Where a worker's variables are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// The last deployment.
    Running,
    /// An instance that starts now, as scaling adds one: the properties that are deployed, references resolved now.
    Starting,
    /// An instance that the update under way starts now.
    Joining,
}

/// For how long a worker keeps its variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeps {
    /// For up to so many logins; how many is drawn anew each time.
    UpTo(u64),
    /// Through the whole rotation, and beyond it until the crowd is renewed.
    Stale,
}

/// Eight of them; a login stands for a second, so that five seconds are five logins.
const WORKERS: [(From, Keeps); 8] = [
    (From::Running, Keeps::UpTo(5)),
    (From::Running, Keeps::UpTo(1)),
    (From::Starting, Keeps::UpTo(1)),
    (From::Starting, Keeps::UpTo(5)),
    (From::Joining, Keeps::UpTo(1)),
    (From::Joining, Keeps::UpTo(5)),
    (From::Running, Keeps::Stale),
    (From::Starting, Keeps::Stale),
];

/// What was counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) logins: usize,
    /// Those with a login that is not deployed any more.
    pub(super) outdated: usize,
    pub(super) failures: Vec<String>,
}

/// What the workers and whoever waits for them have in common.
#[derive(Default)]
struct Shared {
    begun: [usize; WORKERS.len()],
    done: [usize; WORKERS.len()],
    /// How often everybody was told to take what is deployed.
    renewals: usize,
    over: bool,
    tally: Tally,
}

type Board = Arc<(Mutex<Shared>, Condvar)>;

/// The workers.
pub(super) struct Crowd {
    board: Board,
    workers: Vec<JoinHandle<()>>,
}

/// The wait at the turnstile, for others than the crowd's owner.
#[derive(Clone)]
pub(super) struct Turnstile(Board);

impl Turnstile {
    /// Waits until each worker has logged in so often, beginning now.
    pub(super) fn pass(&self, times: usize) {
        let (shared, changed) = &*self.0;
        let mut shared = lock(shared);
        let until = shared.begun.map(|begun| begun + times);
        while !shared.over && shared.done.iter().zip(until).any(|(done, until)| *done < until) {
            shared = changed.wait(shared).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Crowd {
    /// Sets them to work on the site's database.
    pub(super) fn at(site: &Site, port: u16, seed: u64) -> Crowd {
        let board = Board::default();
        let workers = WORKERS.into_iter().enumerate().map(|(number, (from, keeps))| {
            let (board, cloud) = (Arc::clone(&board), site.cloud.clone());
            let look = move || {
                cloud.world(|world| match from {
                    From::Running => Ok(world.beanstalk.container_environment(WEB)),
                    From::Starting => world.bootstrap_now(WEB),
                    From::Joining => world.bootstrap_next(WEB),
                })
            };
            let cloud = site.cloud.clone();
            let deployed = move || cloud.world(|world| world.beanstalk.container_environment(WEB));
            let draw = Draw(seed ^ (number as u64) << 32);
            let worker = Worker { number, keeps, port, board, draw, look, deployed };
            std::thread::spawn(move || worker.work())
        });
        let workers = workers.collect();
        Crowd { board, workers }
    }

    pub(super) fn turnstile(&self) -> Turnstile {
        Turnstile(Arc::clone(&self.board))
    }

    /// Everybody takes what is deployed, and has logged in with it.
    pub(super) fn renew(&self) {
        lock(&self.board.0).renewals += 1;
        self.turnstile().pass(1);
    }

    /// They go home.
    pub(super) fn end(self) -> Tally {
        lock(&self.board.0).over = true;
        self.board.1.notify_all();
        for worker in self.workers {
            worker.join().unwrap();
        }
        std::mem::take(&mut lock(&self.board.0).tally)
    }
}

/// Numbers that follow from a seed (SplitMix64).
pub(in crate::rotate) struct Draw(pub(in crate::rotate) u64);

impl Draw {
    pub(in crate::rotate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

struct Worker<L, D> {
    number: usize,
    keeps: Keeps,
    port: u16,
    board: Board,
    draw: Draw,
    look: L,
    deployed: D,
}

impl<L: Fn() -> Result<Variables, Vec<String>>, D: Fn() -> Variables> Worker<L, D> {
    fn work(mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (mut kept, mut left, mut renewed) = (None, 0, 0);
        for round in 0.. {
            let renewals = {
                let mut shared = lock(&self.board.0);
                shared.begun[self.number] += 1;
                if shared.over {
                    return;
                }
                shared.renewals
            };
            if kept.is_none() || renewed != renewals || left == 0 {
                kept = Some((self.look)());
                renewed = renewals;
                left = match self.keeps {
                    Keeps::UpTo(most) => 1 + self.draw.below(most),
                    Keeps::Stale => u64::MAX,
                };
            }
            left -= 1;
            let outcome = match kept.as_ref() {
                Some(Ok(variables)) => runtime.block_on(self.write(variables, round)),
                Some(Err(why)) => Err(why.join(", ")),
                None => Ok(()),
            };
            let now = (self.deployed)();
            let is_outdated = matches!(&kept, Some(Ok(kept)) if kept["RDS_PASSWORD"] != now["RDS_PASSWORD"]);
            let mut shared = lock(&self.board.0);
            match outcome {
                Ok(()) => shared.tally.logins += 1,
                Err(why) => {
                    let who = WORKERS[self.number];
                    shared.tally.failures.push(format!("{who:?}, login {round}: {why}"));
                }
            }
            shared.tally.outdated += usize::from(is_outdated);
            shared.done[self.number] += 1;
            drop(shared);
            self.board.1.notify_all();
        }
    }

    /// One login over a connection of its own, by the pair or by the URL in turns, and a row; now and then a migration.
    async fn write(&self, variables: &Variables, round: usize) -> Result<(), String> {
        let mut config: tokio_postgres::Config = match round % 2 {
            0 => tokio_postgres::Config::new()
                .user(&variables["RDS_USERNAME"])
                .password(&variables["RDS_PASSWORD"])
                .dbname(&variables["RDS_DB_NAME"])
                .clone(),
            _ => variables["DATABASE_URL"].parse().map_err(|_| "DATABASE_URL is none".to_owned())?,
        };
        config.application_name("the-app");
        let told = |error: tokio_postgres::Error| match error.code() {
            Some(code) => code.code().to_owned(),
            None => error.to_string(),
        };
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.map_err(|error| error.to_string())?;
        let (client, connection) = config.connect_raw(stream, NoTls).await.map_err(told)?;
        let connection = tokio::spawn(connection);
        let number = self.number;
        let mut statements = format!("INSERT INTO load (worker, round) VALUES ({number}, {round});");
        if round.is_multiple_of(25) {
            statements += &format!("CREATE TABLE made_{number}_{round} ()");
        }
        let done = client.batch_execute(&statements).await.map_err(told);
        drop(client);
        let _ = connection.await;
        done
    }
}

/// Whether a login failed because name and password do not go together.
pub(super) fn is_locked_out(failure: &str) -> bool {
    failure.ends_with("28P01")
}
