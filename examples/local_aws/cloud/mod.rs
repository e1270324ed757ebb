//! A strict local AWS: SSM, Secrets Manager, Beanstalk and STS over HTTP, for the real SDK, the real `aws` and people.
//!
//! Owns what the services hold and how they answer, with AWS's limits, pages, error codes and traps. It never verifies a
//! signature, never keeps anything on disk and never reaches a network beyond 127.0.0.1. Where it does not know what AWS
//! would do it refuses; it never pretends.

pub(crate) mod beanstalk;
mod bootstrap;
pub(crate) mod faults;
mod form;
mod http;
pub(crate) mod iam;
mod json;
mod kms;
mod pages;
pub(crate) mod rates;
mod realm;
mod refusal;
mod roles;
pub(crate) mod secrets_manager;
mod service;
pub(crate) mod ssm;
mod state;
mod sts;
pub(crate) mod xml;

pub(crate) use faults::Effect;
pub(crate) use form::Form;
pub(crate) use pages::Pages;
pub(crate) use realm::Realm;
pub(crate) use refusal::Refusal;
pub(crate) use state::{Call, Moment, Visit, World};

use iam::{Policy, Principal};
use rates::Rates;
use state::State;
use std::net::SocketAddr;
use std::ops::RangeBounds;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// The invented account, unless another is named.
pub(crate) const ACCOUNT: &str = "111122223333";
/// The region, unless another is named.
pub(crate) const REGION: &str = "us-east-1";
/// Credentials of the default principal, which may do everything.
pub(crate) const ACCESS_KEY: &str = "AKIALOCALOPERATOREXA";
pub(crate) const SECRET_KEY: &str = "invented/secret/access/key/of/nobody/EXA";

/// A running local AWS; it ends with its last clone.
#[derive(Clone)]
pub(crate) struct Cloud {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    _running: Arc<oneshot::Sender<()>>,
}

impl Cloud {
    /// Starts one on a free port.
    pub(crate) fn start() -> Cloud {
        Cloud::of(Realm::default())
    }

    /// Starts one of that account and region.
    pub(crate) fn of(realm: Realm) -> Cloud {
        Cloud::on(0, realm).expect("a free port is always to be had on 127.0.0.1")
    }

    /// Starts one on that port of 127.0.0.1.
    pub(crate) fn on(port: u16, realm: Realm) -> std::io::Result<Cloud> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port))?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State::new(realm)));
        let (running, ended) = oneshot::channel();
        http::serve(listener, Arc::clone(&state), ended)?;
        Ok(Cloud { address, state, _running: Arc::new(running) })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The account and the region that everything here is in.
    pub(crate) fn realm(&self) -> Realm {
        self.lock().world.realm.clone()
    }

    /// Where the app of a Beanstalk environment answers: 200 while it is up, 503 while it is not.
    pub(crate) fn app(&self, environment: &str) -> String {
        format!("{}/_app/{environment}", self.endpoint())
    }

    /// What a child process needs to talk to this AWS, and to nothing else.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        self.environment_of(ACCESS_KEY)
    }

    /// The same as another principal.
    pub(crate) fn environment_of(&self, access_key: &str) -> Vec<(&'static str, String)> {
        let region = self.realm().region;
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", access_key.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_REGION", region.clone()),
            ("AWS_DEFAULT_REGION", region),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// Registers a principal: its access key ID, its ARN, and a policy document that says all that it may do.
    pub(crate) fn principal(&self, access_key: &str, arn: &str, policy: &str) -> Result<(), String> {
        let principal = Principal { arn: arn.to_owned(), policy: Some(Policy::parse(policy)?) };
        self.lock().world.identities.principals.insert(access_key.to_owned(), principal);
        Ok(())
    }

    /// Registers a role that every principal may assume whose own policy allows it, and what the role may do.
    pub(crate) fn role(&self, arn: &str, policy: &str) -> Result<(), String> {
        let policy = Policy::parse(policy)?;
        self.lock().world.identities.roles.insert(arn.to_owned(), policy);
        Ok(())
    }

    /// Adds a customer-managed KMS key and tells its ARN.
    pub(crate) fn kms_key(&self, alias: &str) -> String {
        self.lock().world.keys.add(alias)
    }

    /// Turns a customer-managed key on or off.
    pub(crate) fn enable_kms_key(&self, name: &str, enabled: bool) {
        self.lock().world.keys.enable(name, enabled);
    }

    /// All calls since the start or the last reset.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// How often an action was called, as `ssm:PutParameter`.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.lock().calls.iter().filter(|call| call.name() == name).count()
    }

    pub(crate) fn reset_calls(&self) {
        self.lock().calls.clear();
    }

    /// Plans a fault; see [`faults::Faults::plan`].
    pub(crate) fn fault(&self, pattern: &str, calls: impl RangeBounds<usize>, effect: Effect) {
        self.lock().faults.plan(pattern, calls, effect);
    }

    /// Forgets all faults that were planned, and what a stale read would have shown.
    pub(crate) fn heal(&self) {
        let mut state = self.lock();
        state.faults.clear();
        state.earlier = None;
    }

    /// What stale reads show until the next write, as after one that was made just before; nothing: what there is.
    pub(crate) fn lag(&self, earlier: Option<World>) {
        self.lock().earlier = earlier;
    }

    /// Enforces quotas of calls a second, or no longer.
    pub(crate) fn rates(&self, rates: Option<Rates>) {
        self.lock().rates = rates;
    }

    /// Makes every call take that long.
    pub(crate) fn latency(&self, latency: Duration) {
        self.lock().latency = latency;
    }

    /// How full pages are from now on.
    pub(crate) fn pages(&self, pages: Pages) {
        self.lock().world.pages = pages;
    }

    /// Looks at or changes what the services hold, between two calls.
    pub(crate) fn world<T>(&self, visit: impl FnOnce(&mut World) -> T) -> T {
        visit(&mut self.lock().world)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
