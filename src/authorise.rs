//! A person's login at Xero, made lasting: the code is exchanged once, its answer sealed before anybody reads it, and
//! what it gave stored in home.
//!
//! Owns the order. The exchange needs no lease: it gives a pair that nobody else knows, and a code that has to wait for
//! somebody else's operation is lost after five minutes. Storing does. In between somebody may choose an organisation, for
//! as long as they like: whoever goes on with the operation has the sealed answer, and exchanges nothing again. The
//! refresh token is stored first and the time last, so that nobody who reads in between takes an old token for a new one.

use crate::apply::{self, ApplyError, Done, MintError, Watch};
use crate::desired::{View, followed, needed_to_follow};
use crate::journal::{Begin, Ending, Journal, JournalError, Operation, Step};
use crate::manifest::{EnvironmentSpec, Instances, Manifest};
use crate::name::Address;
use crate::plan::{Desired, Place, Plan, Want, Write};
use crate::secret::Secret;
use crate::snapshot::Snapshot;
use crate::store::{OperationId, Store, Stores};
use crate::xero::{Client, Grant, Parts, Tokens, Xero, XeroError};
use std::collections::BTreeSet;

/// The effect that exchanges the code; those that refresh what it gave are numbered.
const EXCHANGE: &str = "login";
const REFRESH: &str = "refresh";

/// Why a login gives nothing to store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthoriseError {
    /// Xero gave no tokens for the code.
    #[error("the login gave no tokens")]
    Refused(#[source] XeroError),
    /// They came and could not be sealed; nobody has them.
    #[error("the tokens of the login came and could not be kept")]
    Unkept(#[source] JournalError),
    /// The journal failed.
    #[error("the journal failed")]
    Journal(#[from] JournalError),
}

impl From<MintError<XeroError>> for AuthoriseError {
    fn from(error: MintError<XeroError>) -> AuthoriseError {
        match error {
            MintError::Failed(error) => AuthoriseError::Refused(error),
            MintError::Unkept { source, .. } => AuthoriseError::Unkept(source),
            MintError::Journal(error) => AuthoriseError::Journal(error),
        }
    }
}

/// Begins an operation and exchanges the code in it. When this returns well the answer is sealed, and [`sealed`] reads
/// it; otherwise the operation has ended, for a code is good once.
pub async fn exchange(
    journal: &Journal,
    begin: &Begin<'_>,
    xero: &Xero<'_>,
    client: &Client<'_>,
    grant: &Grant<'_>,
) -> Result<OperationId, AuthoriseError> {
    let mut operation = journal.begin(begin)?;
    match mint(&mut operation, EXCHANGE, xero, client, grant).await {
        Ok(()) => Ok(operation.id().clone()),
        Err(error) => {
            give_up(&mut operation, &error.to_string())?;
            Err(error)
        }
    }
}

async fn mint(
    operation: &mut Operation,
    effect: &str,
    xero: &Xero<'_>,
    client: &Client<'_>,
    grant: &Grant<'_>,
) -> Result<(), AuthoriseError> {
    let call = async { xero.token(client, grant).await?.minted() };
    apply::mint(operation, effect, call).await?;
    Ok(())
}

/// Ends an operation of which nothing is stored, and of which nothing is to be.
pub fn give_up(operation: &mut Operation, reason: &str) -> Result<(), JournalError> {
    operation.record(Step::Ended { ending: Ending::Nothing, reason: Some(reason.to_owned()) })
}

/// What the operation has sealed, read: the newest pair. Nothing where the process died before an answer came.
pub fn sealed(operation: &Operation) -> Result<Option<Result<Tokens, XeroError>>, JournalError> {
    let newest = refreshes(operation)?;
    let effect = if newest == 0 { EXCHANGE.to_owned() } else { format!("{REFRESH}-{newest}") };
    Ok(operation.minted(&effect)?.map(|answer| Tokens::parse(&answer)))
}

/// How often the pair was refreshed while it waited to be stored.
fn refreshes(operation: &Operation) -> Result<usize, JournalError> {
    let mut count = 0;
    while operation.minted(&format!("{REFRESH}-{}", count + 1))?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// Refreshes the pair of a login that waited for so long that its access token ended. Nobody else has it yet.
pub async fn refresh(
    operation: &mut Operation,
    old: &Tokens,
    xero: &Xero<'_>,
    client: &Client<'_>,
) -> Result<(), AuthoriseError> {
    let effect = format!("{REFRESH}-{}", refreshes(operation)? + 1);
    mint(operation, &effect, xero, client, &Grant::Refresh(&old.refresh_token)).await
}

/// What is stored of a login.
#[derive(Debug)]
pub struct Pair<'a> {
    /// Where.
    pub parts: &'a Parts,
    /// The tokens.
    pub tokens: &'a Tokens,
    /// The organisation; none where it stays as it is.
    pub tenant: Option<Secret>,
    /// When the access token ends, as the app spells it.
    pub expires: Secret,
}

impl Pair<'_> {
    /// All of it.
    pub fn desired(&self) -> Desired {
        self.stages().into_iter().flatten().collect()
    }

    /// In the order in which it is stored.
    fn stages(&self) -> [Desired; 3] {
        let Pair { parts, tokens, tenant, expires } = self;
        let want = |address: &Address, value: &Secret| (address.clone(), Want::value(value.clone()));
        let tenant = tenant.as_ref().map(|tenant| want(&parts.tenant_id, tenant));
        let refresh_token = want(&parts.refresh_token, &tokens.refresh_token);
        [
            std::iter::once(refresh_token).chain(tenant).collect(),
            [want(&parts.access_token, &tokens.access.token)].into(),
            [want(&parts.token_expires_at, expires)].into(),
        ]
    }

    /// The same, where one write of this place holds all of it.
    fn stages_of(&self, store: &dyn Store) -> Vec<Desired> {
        let all = self.desired();
        let units: BTreeSet<_> = all.keys().map(|address| store.unit_of(address)).collect();
        if units.len() == 1 { vec![all] } else { self.stages().into() }
    }
}

/// Where it is stored.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The declarations.
    pub manifest: &'a Manifest,
    /// The environment.
    pub spec: &'a EnvironmentSpec,
    /// Its places, guarded.
    pub stores: &'a Stores,
}

impl Target<'_> {
    fn home(&self) -> Place {
        self.spec.home.to_string()
    }

    /// What home has to change, with what is derived from it.
    pub async fn plan(&self, desired: &Desired) -> Result<Plan, ApplyError> {
        let (home, environment) = (self.home(), &self.spec.name);
        let store = self.stores[&home].as_ref();
        let mut addresses: BTreeSet<Address> = desired.keys().cloned().collect();
        addresses.extend(needed_to_follow(self.manifest, environment, &addresses));
        let addresses: Vec<Address> = addresses.into_iter().collect();
        let seen = store.read(&addresses).await.map_err(|error| ApplyError::Read(Box::new(error)))?;
        let instances = Instances::new();
        let view = View { manifest: self.manifest, environment, home: &seen, instances: &instances };
        apply::plan_against(&home, store, &followed(&view, desired), &seen).await
    }

    async fn read(&self, address: &Address) -> Result<Snapshot, ApplyError> {
        let read = self.stores[&self.home()].read(std::slice::from_ref(address)).await;
        read.map_err(|error| ApplyError::Read(Box::new(error)))
    }
}

/// Stores a pair and ends the operation. Where our refresh token was stored before and somebody has refreshed since, theirs
/// is the newer pair: it stays, and the rest of ours is not written over it.
pub async fn store(
    journal: &Journal,
    operation: &mut Operation,
    pair: &Pair<'_>,
    target: Target<'_>,
    skip_changed: bool,
    watch: Watch<'_>,
) -> Result<Done, ApplyError> {
    let midway = |operation: &Operation, error| apply::midway(operation, error);
    let was_stored = was_stored(operation, &pair.parts.refresh_token);
    if was_stored {
        let held = target.read(&pair.parts.refresh_token).await.map_err(|error| midway(operation, error))?;
        let held = held.value(&pair.parts.refresh_token);
        if !held.is_some_and(|held| held.same_as(&pair.tokens.refresh_token)) {
            let theirs = vec![(target.home(), pair.parts.refresh_token.clone())];
            return apply::finish_leaving(operation, theirs);
        }
    }
    if operation.writes().is_empty() {
        // Before the first write: what a place cannot take is told of all parts at once.
        let whole = target.plan(&pair.desired()).await.map_err(|error| midway(operation, error))?;
        apply::refuse_overlap(journal, &whole, target.stores)?;
    }
    let left = apply::catch_up(operation, target.stores, skip_changed, watch).await?;
    for stage in pair.stages_of(target.stores[&target.home()].as_ref()) {
        let plan = target.plan(&stage).await.map_err(|error| midway(operation, error))?;
        if !plan.is_empty() {
            apply::publish(operation, &plan, target.stores, watch).await?;
        }
    }
    apply::finish_leaving(operation, left)
}

/// Whether a write of this operation at an address is known to have been in force.
fn was_stored(operation: &Operation, address: &Address) -> bool {
    let writes = operation.writes().iter().enumerate();
    let of_it = |(_, write): &(usize, &Write)| write.changes.iter().any(|change| change.address == *address);
    writes.filter(of_it).any(|(index, _)| operation.in_force(index))
}
