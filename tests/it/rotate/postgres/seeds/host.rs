//! One of two rotators: a host of its own that works in this process, step by step.
//!
//! Owns what a host is made of: its journal, the places as it sees them with a gate around each call that changes
//! something, and the real rotation with a gate around each look and each effect.

use super::turns::{Shared, Turns};
use super::{DEFAULTS, Shop};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use strongroom::apply::{self, ApplyError, Done};
use strongroom::database::Tls;
use strongroom::journal::{Begin, Journal, JournalError, Operation, Outside, Standing, Summary};
use strongroom::manifest::{Instances, RotationKind};
use strongroom::name::Address;
use strongroom::plan::Change;
use strongroom::rotate::postgres::{Allowed, Postgres};
use strongroom::rotate::{self, Before, Chosen, Holders, Left, Rotation, Step};
use strongroom::seal::Identities;
use strongroom::snapshot::{Snapshot, Unit, Version};
use strongroom::store::{ErrorKind, Guard, Memory, OperationId, Receipt, Store, StoreError, Stores};

/// What a run ended with: its exit code, and what it said.
pub(super) type End = (i32, String);

/// A host of one of the two.
pub(super) struct Host<'a> {
    pub(super) shop: &'a Shop,
    pub(super) turns: Arc<Turns>,
    pub(super) me: usize,
    /// Whether it ends the old login too.
    pub(super) compromised: bool,
    pub(super) state: tempfile::TempDir,
    pub(super) identities: Arc<Identities>,
}

impl Host<'_> {
    pub(super) fn journal(&self) -> Journal {
        let outside = Outside { clock: jiff::Timestamp::now, random: || rand::random() };
        let names = ("shop".parse().unwrap(), "prod".parse().unwrap());
        Journal::new(self.state.path(), names, self.identities.recipients(), None, outside)
    }

    /// All operations, once nobody seems to work on them: a child that another test starts at this moment inherits our
    /// locks for the instant until it is another program.
    pub(super) fn operations(&self) -> Vec<Summary> {
        loop {
            let all = self.journal().list().unwrap();
            if all.iter().all(|one| one.standing != Standing::Running) {
                return all;
            }
            std::thread::yield_now();
        }
    }

    /// The operations that stopped midway.
    pub(super) fn unfinished(&self) -> Vec<OperationId> {
        let all = self.operations().into_iter();
        all.filter(|one| one.standing == Standing::Unfinished).map(|one| one.id).collect()
    }

    /// Opens one of them; the same is so here.
    pub(super) fn open(&self, id: &OperationId) -> Operation {
        loop {
            match apply::reopened(&self.journal(), id) {
                Err(ApplyError::Journal(JournalError::Running(_))) => std::thread::yield_now(),
                opened => return opened.unwrap(),
            }
        }
    }

    /// As `strongroom rotate database` does it, or `strongroom resume ID`; nothing where it is cut off.
    pub(super) async fn run(&self, resumed: Option<&OperationId>) -> Option<End> {
        self.turns.begin(self.me).await;
        let end = tokio::select! {
            biased;
            () = self.turns.death(self.me) => None,
            end = self.rotate(resumed) => Some(end),
        };
        self.turns.end(self.me);
        end
    }

    async fn rotate(&self, resumed: Option<&OperationId>) -> End {
        let guard = Guard::default();
        let stores = self.stores(&guard);
        let (manifest, spec) = (&self.shop.manifest, self.shop.manifest.environment("prod").unwrap());
        let copies = spec.copies.values().map(|copy| ("beanstalk:web".to_owned(), copy)).collect();
        let instances = Instances::new();
        let (stores, guard) = (&stores, &guard);
        let instances = &instances;
        let left = Left::default();
        let before = Before::default();
        let holders = Holders { manifest, spec, copies, stores, instances, guard, alone: None, left, before };
        let rotation = Gated { rotation: self.rotation(), turns: &self.turns, me: self.me };
        if resumed.is_none()
            && let Err(error) = self.foresee(&rotation.rotation, &holders).await
        {
            return end(Err(ApplyError::Nothing(Box::new(error))));
        }
        if let Err(error) = guard.take(&self.leases(), "rotate database").await {
            return end(Err(ApplyError::Nothing(Box::new(error))));
        }
        let done = self.drive(&rotation, &holders, resumed).await;
        guard.release().await.unwrap();
        end(done)
    }

    fn leases(&self) -> Shared {
        Shared { turns: Arc::clone(&self.turns), me: self.me }
    }

    /// What a plan is made of; refused, it is looked at again under the lease.
    async fn foresee(&self, rotation: &Postgres, holders: &Holders<'_>) -> Result<(), StoreError> {
        if rotation.foresee(holders).await.is_ok() {
            return Ok(());
        }
        holders.guard.take(&self.leases(), "rotate database").await?;
        let foreseen = rotation.foresee(holders).await;
        holders.guard.release().await?;
        foreseen.map(drop)
    }

    async fn drive(
        &self,
        rotation: &Gated<'_>,
        holders: &Holders<'_>,
        resumed: Option<&OperationId>,
    ) -> Result<Done, ApplyError> {
        let journal = self.journal();
        let goes_on = Some("strongroom rotate database");
        let begin = Begin { command: "rotate database", goes_on, in_order: true, ..Begin::default() };
        let mut operation = match resumed {
            None => journal.begin(&begin)?,
            Some(id) => self.open(id),
        };
        rotate::drive(&mut operation, rotation, holders, false, &mut |_| ()).await
    }

    fn rotation(&self) -> Postgres {
        let RotationKind::Postgres(spec) = &self.shop.manifest.rotation("database").unwrap().kind else {
            panic!("{DEFAULTS}")
        };
        let (name, compromised) = ("database".to_owned(), self.compromised);
        let allowed = Allowed { name, compromised, ..Allowed::default() };
        let generate =
            |generator: &strongroom::manifest::generate::Generator| generator.generate(&mut rand::rng());
        Postgres { spec: (**spec).clone(), tls: Tls::Disabled, via: None, allowed, generate }
    }

    /// The places, with a gate before and after each write.
    fn stores(&self, guard: &Guard) -> Stores {
        let gated = |(place, store): (&String, &Arc<Memory>)| {
            let (store, turns) = (Arc::clone(store), Arc::clone(&self.turns));
            (place.clone(), Box::new(GatedStore { store, turns, me: self.me }) as Box<dyn Store>)
        };
        guard.before(self.shop.places.iter().map(gated).collect::<BTreeMap<_, _>>())
    }
}

/// The exit code, as it is documented.
fn end(done: Result<Done, ApplyError>) -> End {
    let of = |error: &StoreError| match error.kind {
        ErrorKind::Conflict => 6,
        ErrorKind::Person => 8,
        ErrorKind::Busy => 9,
        _ => 1,
    };
    let Err(error) = done else { return (0, String::new()) };
    let (code, source) = match &error {
        ApplyError::Conflict { .. } => (6, None),
        ApplyError::GivenUp { source, .. } | ApplyError::Nothing(source) | ApplyError::Read(source) => {
            (of(source), Some(source))
        }
        ApplyError::Stopped { source, .. } if source.kind == ErrorKind::Person => (8, Some(source)),
        ApplyError::Stopped { source, .. } => (7, Some(source)),
        ApplyError::NotVerified { .. } => (7, None),
        _ => (1, None),
    };
    (code, source.map_or(error.to_string(), |source| format!("{error}: {source}")))
}

/// The rotation, with a gate around each look and each effect.
struct Gated<'a> {
    rotation: Postgres,
    turns: &'a Turns,
    me: usize,
}

#[async_trait]
impl Rotation for Gated<'_> {
    type Facts = <Postgres as Rotation>::Facts;
    type Effect = <Postgres as Rotation>::Effect;

    const LOOKS_FIRST: bool = Postgres::LOOKS_FIRST;
    const WHOLE: bool = Postgres::WHOLE;

    async fn probe(&self, operation: &Operation, holders: &Holders<'_>) -> Result<Self::Facts, StoreError> {
        let facts = self.rotation.probe(operation, holders).await;
        self.turns.pass(self.me).await;
        facts
    }

    fn next(&self, facts: &Self::Facts) -> Step<Self::Effect> {
        self.rotation.next(facts)
    }

    fn choose(&self, facts: &Self::Facts) -> Chosen {
        self.rotation.choose(facts)
    }

    async fn act(
        &self,
        effect: &Self::Effect,
        operation: &mut Operation,
        holders: &Holders<'_>,
    ) -> Result<String, StoreError> {
        self.turns.pass(self.me).await;
        let outcome = self.rotation.act(effect, operation, holders).await;
        self.turns.pass(self.me).await;
        outcome
    }
}

struct GatedStore {
    store: Arc<Memory>,
    turns: Arc<Turns>,
    me: usize,
}

#[async_trait]
impl Store for GatedStore {
    fn location(&self) -> String {
        self.store.location()
    }

    fn unit_of(&self, address: &Address) -> Unit {
        self.store.unit_of(address)
    }

    async fn read(&self, addresses: &[Address]) -> Result<Snapshot, StoreError> {
        self.store.read(addresses).await
    }

    async fn write(
        &self,
        unit: &Unit,
        base: Option<&Version>,
        operation: &OperationId,
        changes: &[Change],
    ) -> Receipt {
        let receipt = self.store.write(unit, base, operation, changes).await;
        self.turns.pass(self.me).await;
        receipt
    }
}
