//! A local Xero: tokens and connections over HTTP, for programs that must not lose a refresh token, and for people.
//!
//! Owns a server on 127.0.0.1 with a clock that can be put forward, faults at every moment of a call, and the story of
//! every refresh token. It keeps nothing on disk, reaches no network, and verifies no signature. What Xero does not
//! document is a switch ([`world::Behaviour`]).

pub(crate) mod faults;
mod http;
mod jwt;
mod serve;
pub(crate) mod world;

pub(crate) use faults::{Effect, When};
pub(crate) use serve::{AUTHORIZE, CONNECTIONS, TOKEN};
pub(crate) use world::{Siblings, Standing};

use faults::Faults;
use jiff::{SignedDuration, Timestamp};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::RangeBounds;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use world::{App, World};

type Shared = Arc<Mutex<State>>;

/// A call, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: String,
    /// By the server's clock.
    pub(crate) at: Timestamp,
}

struct State {
    world: World,
    faults: Faults,
    calls: Vec<Call>,
}

/// The invented app of a server that was just started; it may do everything but `client_credentials`.
pub(crate) const CLIENT_ID: &str = "INVENTED0CLIENT0OF0NOBODY0000000";
pub(crate) const CLIENT_SECRET: &str = "invented_client_secret_of_nobody-40chars_";
/// An invented Custom Connection.
pub(crate) const CUSTOM_ID: &str = "INVENTED0CUSTOM0OF0NOBODY0000000";

/// A running local Xero; it ends with its last clone.
#[derive(Clone)]
pub(crate) struct Xero {
    address: SocketAddr,
    state: Shared,
    _running: Arc<Running>,
}

struct Running(SocketAddr, Arc<AtomicBool>);

impl Drop for Running {
    fn drop(&mut self) {
        self.1.store(true, Ordering::Relaxed);
        // Whoever waits for the next connection gets one, and ends.
        let _ = TcpStream::connect(self.0);
    }
}

impl Xero {
    /// Starts one on a free port.
    pub(crate) fn start() -> Xero {
        Xero::on(0).expect("a free port is always to be had on 127.0.0.1")
    }

    /// Starts one on that port of 127.0.0.1.
    pub(crate) fn on(port: u16) -> std::io::Result<Xero> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let address = listener.local_addr()?;
        let mut world = World::new(format!("http://{address}"));
        let all = |grants: &[&'static str], secret: &str| App {
            secrets: vec![secret.to_owned()],
            grants: grants.to_vec(),
            redirects: vec!["http://localhost:8765/callback".to_owned()],
        };
        world.apps.insert(CLIENT_ID.to_owned(), all(&["authorization_code", "refresh_token"], CLIENT_SECRET));
        world.apps.insert(CUSTOM_ID.to_owned(), all(&["client_credentials"], CLIENT_SECRET));
        let state = Arc::new(Mutex::new(State { world, faults: Faults::default(), calls: Vec::new() }));
        let ended = Arc::new(AtomicBool::new(false));
        http::listen(listener, Arc::clone(&state), Arc::clone(&ended))?;
        Ok(Xero { address, state, _running: Arc::new(Running(address, ended)) })
    }

    /// The address of one of its paths.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A user of the invented app, connected to organisations of these names: the tokens that the login gave, the
    /// access token first.
    pub(crate) fn login(&self, user: &str, organisations: &[&str]) -> (String, String) {
        self.world(|world| world.login(CLIENT_ID, user, organisations))
    }

    /// Puts its clock forward.
    pub(crate) fn advance(&self, time: SignedDuration) {
        self.world(|world| world.ahead += time);
    }

    /// Plans a fault; see [`faults::Faults::plan`].
    pub(crate) fn fault(&self, path: &str, calls: impl RangeBounds<usize>, effect: Effect) {
        lock(&self.state).faults.plan(path, calls, effect);
    }

    /// Forgets all faults that were planned.
    pub(crate) fn heal(&self) {
        lock(&self.state).faults.clear();
    }

    /// All calls since the start.
    pub(crate) fn calls(&self) -> Vec<Call> {
        lock(&self.state).calls.clone()
    }

    /// How often a path was called.
    pub(crate) fn count(&self, path: &str) -> usize {
        lock(&self.state).calls.iter().filter(|call| call.path == path).count()
    }

    /// How a refresh token stands.
    pub(crate) fn standing(&self, token: &str) -> Standing {
        self.world(|world| world.standing(token))
    }

    /// The refresh token that the invented app was given last for a user.
    pub(crate) fn newest(&self, user: &str) -> Option<String> {
        self.world(|world| world.newest(CLIENT_ID, user).map(|one| one.token.clone()))
    }

    /// Looks at or changes what it knows, between two calls.
    pub(crate) fn world<T>(&self, visit: impl FnOnce(&mut World) -> T) -> T {
        visit(&mut lock(&self.state).world)
    }
}

fn lock(state: &Shared) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
