//! Small strict places, one for each kind of unit: a parameter, a document, a deployment. Their worlds outlive the
//! process that talks to them, as real ones do.

use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use strongroom::name::Address;
use strongroom::plan::{Change, Want};
use strongroom::secret::Secret;
use strongroom::snapshot::{Attributes, Entry, Held, Snapshot, Unit, Version};
use strongroom::store::{Applied, ErrorKind, OperationId, Receipt, Store, StoreError};

pub(super) fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned()).unwrap()
}

pub(super) fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn conflict(place: &str) -> StoreError {
    StoreError::new(ErrorKind::Conflict, place, "it changed after the plan was made")
}

/// What is compared at the end of a test: every value with its attributes.
pub(super) type Contents = BTreeMap<String, (String, Attributes)>;

fn text_of(held: &Held) -> String {
    match held {
        Held::Value(secret) => secret.expose().to_owned(),
        Held::Reference(name) => format!("-> {name}"),
    }
}

/// A world that can be looked into without a call.
pub(super) trait World: Send + Sync {
    fn contents(&self) -> Contents;
    /// Somebody else sets a value.
    fn meddle(&self, address: &str, value: &str);
}

/// A unit is one parameter: a put always wins, tells the new version, and the history keeps what it covered.
#[derive(Default)]
pub(super) struct Parameters(Mutex<BTreeMap<Address, Vec<Entry>>>);

impl Parameters {
    pub(super) fn with(values: &[(&str, &str, &str)]) -> Arc<Parameters> {
        let world = Parameters::default();
        for (at, value, kind) in values {
            let attributes = Attributes::from([("type".to_owned(), (*kind).to_owned())]);
            world.put(&address(at), Held::Value(secret(value)), attributes);
        }
        Arc::new(world)
    }

    fn put(&self, at: &Address, held: Held, attributes: Attributes) -> u64 {
        let mut state = self.0.lock().unwrap();
        let versions = state.entry(at.clone()).or_default();
        let number = versions.len() as u64 + 1;
        let version = Some(Version(number.to_string()));
        versions.push(Entry { held, version, modified: None, attributes, arn: None });
        number
    }
}

impl Parameters {
    /// The version that a write with a lost answer got, if it did: a put always adds one.
    fn number(version: Option<&Version>) -> u64 {
        version.map_or(0, |version| version.0.parse().unwrap())
    }
}

impl World for Parameters {
    fn contents(&self) -> Contents {
        let state = self.0.lock().unwrap();
        let latest = state.iter().filter_map(|(at, versions)| Some((at, versions.last()?)));
        latest.map(|(at, e)| (at.to_string(), (text_of(&e.held), e.attributes.clone()))).collect()
    }

    fn meddle(&self, at: &str, value: &str) {
        self.put(&address(at), Held::Value(secret(value)), Attributes::new());
    }
}

#[async_trait]
impl Store for Parameters {
    fn location(&self) -> String {
        "parameters".to_owned()
    }

    fn unit_of(&self, address: &Address) -> Unit {
        Unit(format!("parameter {address}"))
    }

    async fn read(&self, addresses: &[Address]) -> Result<Snapshot, StoreError> {
        let state = self.0.lock().unwrap();
        let mut snapshot = Snapshot::default();
        for at in addresses {
            if let Some(entry) = state.get(at).and_then(|versions| versions.last()) {
                snapshot.entries.insert(at.clone(), entry.clone());
                snapshot.bases.insert(self.unit_of(at), entry.version.clone().unwrap());
            }
        }
        Ok(snapshot)
    }

    async fn write(
        &self,
        unit: &Unit,
        base: Option<&Version>,
        _: &OperationId,
        changes: &[Change],
    ) -> Receipt {
        let [change] = changes else { panic!("a parameter is written alone") };
        assert_eq!(*unit, self.unit_of(&change.address));
        let seen = Parameters::number(base);
        let Want::Present(wanted) = &change.after else {
            self.0.lock().unwrap().remove(&change.address);
            return Receipt::Applied(Applied {
                unit: unit.clone(),
                version: None,
                request: None,
                overwrote: None,
            });
        };
        let mut attributes = Attributes::from([("type".to_owned(), "SecureString".to_owned())]);
        attributes.extend(change.before.iter().flat_map(|entry| entry.attributes.clone()));
        attributes.extend(wanted.attributes.clone());
        let version = self.put(&change.address, wanted.held.clone(), attributes);
        let overwrote = (version != seen + 1).then(|| Version((version - 1).to_string()));
        let (version, request) = (Some(Version(version.to_string())), Some("request-1".to_owned()));
        Receipt::Applied(Applied { unit: unit.clone(), version, request, overwrote })
    }

    fn overwrote(&self, unit: &Unit, base: Option<&Version>, seen: &Snapshot) -> Option<Version> {
        let now = Parameters::number(seen.bases.get(unit));
        (now > Parameters::number(base) + 1).then(|| Version((now - 1).to_string()))
    }
}

/// A unit is a document of a group: a write names the version that it was made from, and another one is refused. A
/// repeated call of one operation is recognised.
#[derive(Default)]
pub(super) struct Documents(Mutex<BTreeMap<String, Document>>);

#[derive(Default, Clone)]
struct Document {
    version: u64,
    token: String,
    values: BTreeMap<Address, Held>,
}

impl Documents {
    pub(super) fn with(values: &[(&str, &str)]) -> Arc<Documents> {
        let world = Documents::default();
        for (at, value) in values {
            world.meddle(at, value);
        }
        Arc::new(world)
    }
}

impl World for Documents {
    fn contents(&self) -> Contents {
        let state = self.0.lock().unwrap();
        let all = state.values().flat_map(|document| &document.values);
        all.map(|(at, held)| (at.to_string(), (text_of(held), Attributes::new()))).collect()
    }

    fn meddle(&self, at: &str, value: &str) {
        let mut state = self.0.lock().unwrap();
        let document = state.entry(address(at).group.to_string()).or_default();
        document.version += 1;
        document.token = String::new();
        document.values.insert(address(at), Held::Value(secret(value)));
    }
}

#[async_trait]
impl Store for Documents {
    fn location(&self) -> String {
        "documents".to_owned()
    }

    fn unit_of(&self, address: &Address) -> Unit {
        Unit(address.group.to_string())
    }

    async fn read(&self, addresses: &[Address]) -> Result<Snapshot, StoreError> {
        let state = self.0.lock().unwrap();
        let mut snapshot = Snapshot::default();
        for at in addresses {
            let Some(document) = state.get(at.group.as_str()) else { continue };
            snapshot.bases.insert(self.unit_of(at), Version(document.version.to_string()));
            if let Some(held) = document.values.get(at) {
                let entry = Entry { held: held.clone(), ..Entry::of(secret("")) };
                snapshot.entries.insert(at.clone(), entry);
            }
        }
        Ok(snapshot)
    }

    async fn write(
        &self,
        unit: &Unit,
        base: Option<&Version>,
        operation: &OperationId,
        changes: &[Change],
    ) -> Receipt {
        let mut state = self.0.lock().unwrap();
        let now = state.get(&unit.0).cloned().unwrap_or_default();
        let applied = |version: u64| {
            let version = Some(Version(version.to_string()));
            Receipt::Applied(Applied { unit: unit.clone(), version, request: None, overwrote: None })
        };
        let mut next = now.clone();
        for change in changes {
            assert_eq!(change.address.group.as_str(), unit.0, "a document has the keys of one group");
            match &change.after {
                Want::Present(wanted) => {
                    next.values.insert(change.address.clone(), wanted.held.clone());
                }
                Want::Absent => {
                    next.values.remove(&change.address);
                }
            }
        }
        if now.token == operation.to_string() && next.values.len() == now.values.len() {
            let same =
                |(at, held): (&Address, &Held)| now.values.get(at).is_some_and(|other| other.same_as(held));
            if next.values.iter().all(same) {
                return applied(now.version);
            }
        }
        if base.map_or(0, |version| version.0.parse::<u64>().unwrap()) != now.version {
            return Receipt::NotApplied(conflict("documents"));
        }
        next.version += 1;
        next.token = operation.to_string();
        let version = next.version;
        state.insert(unit.0.clone(), next);
        applied(version)
    }
}

/// A unit is the whole environment: one update of many, refused while another is under way, in force only when its
/// deployment has ended, and perhaps rolled back.
#[derive(Default)]
pub(super) struct Deployment(Mutex<Rollout>);

#[derive(Default)]
struct Rollout {
    number: u64,
    deployed: BTreeMap<Address, Held>,
    underway: Option<(u64, BTreeMap<Address, Held>)>,
    /// Numbers of updates that will be rolled back.
    doomed: Vec<u64>,
    rolled_back: Vec<u64>,
}

impl Rollout {
    /// Minutes pass.
    fn end_deployment(&mut self) {
        if let Some((number, values)) = self.underway.take() {
            if self.doomed.contains(&number) {
                self.rolled_back.push(number);
            } else {
                self.deployed = values;
            }
        }
    }
}

impl Deployment {
    pub(super) fn with(values: &[(&str, &str)]) -> Arc<Deployment> {
        let world = Deployment::default();
        for (at, value) in values {
            world.meddle(at, value);
        }
        Arc::new(world)
    }

    /// The next update will be rolled back.
    pub(super) fn doom_next(&self) {
        let mut state = self.0.lock().unwrap();
        let next = state.number + 1;
        state.doomed.push(next);
    }

    pub(super) fn updates(&self) -> u64 {
        self.0.lock().unwrap().number
    }
}

impl World for Deployment {
    fn contents(&self) -> Contents {
        let mut state = self.0.lock().unwrap();
        state.end_deployment();
        let all = state.deployed.iter();
        all.map(|(at, held)| (at.to_string(), (text_of(held), Attributes::new()))).collect()
    }

    fn meddle(&self, at: &str, value: &str) {
        self.0.lock().unwrap().deployed.insert(address(at), Held::Value(secret(value)));
    }
}

#[async_trait]
impl Store for Deployment {
    fn location(&self) -> String {
        "deployment".to_owned()
    }

    fn unit_of(&self, _: &Address) -> Unit {
        Unit("environment".to_owned())
    }

    async fn read(&self, addresses: &[Address]) -> Result<Snapshot, StoreError> {
        // What is deployed: an update that is under way is not in it yet.
        let state = self.0.lock().unwrap();
        let present = |at: &Address| {
            let held = state.deployed.get(at)?.clone();
            Some((at.clone(), Entry { held, ..Entry::of(secret("")) }))
        };
        Ok(Snapshot { entries: addresses.iter().filter_map(present).collect(), bases: BTreeMap::new() })
    }

    async fn write(&self, unit: &Unit, _: Option<&Version>, _: &OperationId, changes: &[Change]) -> Receipt {
        let mut state = self.0.lock().unwrap();
        if state.underway.is_some() {
            return Receipt::NotApplied(StoreError::new(
                ErrorKind::Busy,
                "deployment",
                "an update is under way",
            ));
        }
        for change in changes {
            let same = match (state.deployed.get(&change.address), &change.before) {
                (Some(held), Some(entry)) => held.same_as(&entry.held),
                (None, None) => true,
                _ => false,
            };
            if !same {
                return Receipt::NotApplied(conflict("deployment"));
            }
        }
        let mut values = state.deployed.clone();
        for change in changes {
            match &change.after {
                Want::Present(wanted) => values.insert(change.address.clone(), wanted.held.clone()),
                Want::Absent => values.remove(&change.address),
            };
        }
        state.number += 1;
        let number = state.number;
        state.underway = Some((number, values));
        let (version, request) = (Some(Version(number.to_string())), Some(format!("request-{number}")));
        Receipt::Applied(Applied { unit: unit.clone(), version, request, overwrote: None })
    }

    async fn settle(&self, receipt: &Applied) -> Result<(), StoreError> {
        let mut state = self.0.lock().unwrap();
        state.end_deployment();
        let number = receipt.version.as_ref().map(|version| version.0.parse::<u64>().unwrap());
        if number.is_some_and(|number| state.rolled_back.contains(&number)) {
            let message = "the deployment failed and was rolled back: instance i-0 did not start";
            return Err(StoreError::new(ErrorKind::RolledBack, "deployment", message));
        }
        Ok(())
    }
}
