//! One suite for every place: what the pipe relies on.

use crate::support::account::{settings, settings_at};
use crate::support::cloud::Cloud;
use crate::support::cloud::beanstalk::handles::Seed;
use crate::support::moto::Moto;
use std::sync::Arc;
use strongroom::journal::{Begin, Journal, Outside};
use strongroom::manifest::Manifest;
use strongroom::plan::{Change, Desired, Plan, Want, diff};
use strongroom::seal::Identities;
use strongroom::secret::Secret;
use strongroom::snapshot::Snapshot;
use strongroom::store::{
    Aws, Beanstalk, Discover, ErrorKind, HISTORY, History, Memory, OperationId, Receipt, SecretsManager,
    Settings, Ssm, Store, Vault,
};
use tempfile::TempDir;

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned()).unwrap()
}

fn operation() -> OperationId {
    OperationId::parse("20260102-030405-abcdef").unwrap()
}

/// Connections live as long as the runtime that they were made on, so a test has one.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    }
    RUNTIME.with(|runtime| runtime.block_on(work))
}

fn vault(folder: &TempDir, identity: &Arc<Identities>) -> Vault {
    let names = ("dev-app".parse().unwrap(), "local".parse().unwrap());
    let path = folder.path().join(".strongroom/local.age");
    Vault::new(path, names, identity.recipients(), Some(identity.clone()), jiff::Timestamp::now)
}

/// The secrets of a project of its own, in an account.
fn secrets(settings: Settings) -> SecretsManager {
    let text = "version = 1\nproject.name = \"shop\"\n[environments.prod]\nhome = \"secretsmanager\"\n\
                [groups.app.keys]\nA = {}\nC = {}\nNEW = {}\n\
                [groups.xero]\ninstances = true\n[groups.xero.keys]\nB = { secret = true }\n";
    let manifest = Arc::new(Manifest::parse("strongroom.toml", text).unwrap());
    let name = manifest.environment("prod").unwrap().name.clone();
    SecretsManager::new(Arc::new(Aws::new(settings)), manifest, name)
}

/// The parameters of a project of its own, in an account.
fn parameters(settings: Settings) -> Ssm {
    let text = "version = 1\nproject.name = \"shop\"\n[environments.prod]\nhome = \"ssm\"\n\
                quota = { reads = 1000, writes = 1000 }\n\
                [groups.app.keys]\nA = {}\nC = {}\nNEW = {}\n\
                [groups.xero]\ninstances = true\n[groups.xero.keys]\nB = { secret = true }\n";
    let manifest = Arc::new(Manifest::parse("strongroom.toml", text).unwrap());
    let prod = manifest.environment("prod").unwrap();
    let settings = Settings { quota: prod.quota, ..settings };
    let name = prod.name.clone();
    Ssm::new(Arc::new(Aws::new(settings)), manifest, name)
}

/// The properties of an environment, which are the home of a project of its own.
fn properties(cloud: &Cloud) -> Beanstalk {
    let stack = "64bit Amazon Linux 2023 v4.9.1 running Docker";
    cloud.world(|world| world.beanstalk.add(Seed::new("shop", "shop-prod", stack), jiff::Timestamp::now()));
    let text = "version = 1\nproject.name = \"shop\"\n[environments.prod]\nhome = \"beanstalk\"\n\
                [environments.prod.copies.web]\nkind = \"beanstalk\"\n\
                application = \"shop\"\nenvironment = \"shop-prod\"\nsecrets = \"value\"\n\
                [groups.app.keys]\nA = {}\nC = {}\nNEW = {}\n\
                [groups.xero]\ninstances = true\nenv = \"XERO_{instance}_{key}\"\n\
                [groups.xero.keys]\nB = { secret = true }\n";
    let manifest = Arc::new(Manifest::parse("strongroom.toml", text).unwrap());
    let aws = Arc::new(Aws::new(settings(cloud)));
    Beanstalk::new(aws, manifest, "prod".parse().unwrap(), "web").unwrap()
}

fn read(store: &dyn Store, addresses: &[&str]) -> Snapshot {
    let addresses: Vec<_> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    block_on(store.read(&addresses)).unwrap()
}

fn plan(store: &dyn Store, wants: &[(&str, Option<&str>)]) -> Plan {
    let names: Vec<&str> = wants.iter().map(|(at, _)| *at).collect();
    let want = |value: &Option<&str>| value.map_or(Want::Absent, |value| Want::value(secret(value)));
    let desired: Desired = wants.iter().map(|(at, value)| (at.parse().unwrap(), want(value))).collect();
    diff("place", &desired, &read(store, &names), |address| store.unit_of(address))
}

fn write(store: &dyn Store, plan: &Plan) -> Vec<Receipt> {
    let call = |write: &strongroom::plan::Write| {
        block_on(store.write(&write.unit, write.base.as_ref(), &operation(), &write.changes))
    };
    plan.writes.iter().map(call).collect()
}

fn set(store: &dyn Store, wants: &[(&str, Option<&str>)]) {
    for receipt in write(store, &plan(store, wants)) {
        let Receipt::Applied(applied) = receipt else { panic!("{receipt:?}") };
        block_on(store.settle(&applied)).unwrap();
    }
}

fn value(store: &dyn Store, at: &str) -> Option<String> {
    let snapshot = read(store, &[at]);
    snapshot.value(&at.parse().unwrap()).map(|value| value.expose().to_owned())
}

/// How a place meets a write that was planned against something else than what is there.
#[derive(PartialEq, Eq)]
enum Clash {
    /// It is refused.
    Refused,
    /// It wins, and tells the version that it covered.
    Told,
}

/// What every place does.
fn keeps_the_contract(store: &dyn Store, clash: &Clash) {
    assert!(read(store, &["app/A", "xero/1/B"]).entries.is_empty(), "an absence is not an error");

    let hostile = "line\nline 'q' \"q\" \\ $x ${y} é \u{1f511}\u{7f}\t";
    set(store, &[("app/A", Some("1")), ("app/C", Some(hostile)), ("xero/1/B", Some("2"))]);
    assert_eq!(value(store, "app/C").as_deref(), Some(hostile), "values are kept byte for byte");
    assert_eq!(read(store, &["app/A", "app/Z"]).entries.len(), 1, "what is not there is not in the answer");
    assert!(plan(store, &[("app/A", Some("1"))]).is_empty(), "what was written is read back");

    let stale = plan(store, &[("app/A", Some("ours"))]);
    set(store, &[("app/A", Some("theirs"))]);
    let theirs = read(store, &["app/A"]).entries[&"app/A".parse().unwrap()].version.clone();
    for receipt in write(store, &stale) {
        match (clash, receipt) {
            (Clash::Refused, Receipt::NotApplied(error)) => assert_eq!(error.kind, ErrorKind::Conflict),
            (Clash::Told, Receipt::Applied(applied)) => assert_eq!(applied.overwrote, theirs),
            (_, receipt) => panic!("{receipt:?}"),
        }
    }
    let stands = if *clash == Clash::Told { "ours" } else { "theirs" };
    assert_eq!(value(store, "app/A").as_deref(), Some(stands), "a stale plan overwrites nobody unseen");

    let created = plan(store, &[("app/NEW", Some("ours"))]);
    set(store, &[("app/NEW", Some("theirs"))]);
    assert!(matches!(write(store, &created).as_slice(), [Receipt::NotApplied(_)]), "nor where nothing was");

    let deleted = plan(store, &[("app/NEW", None)]);
    set(store, &[("app/NEW", None)]);
    set(store, &[("app/NEW", Some("theirs"))]);
    // Where nothing has a version, what is as it was seen was never changed.
    if deleted.writes[0].changes[0].before.as_ref().unwrap().version.is_some() {
        assert!(
            matches!(write(store, &deleted).as_slice(), [Receipt::NotApplied(_)]),
            "a version never comes back"
        );
    }

    set(store, &[("app/A", None), ("app/C", None)]);
    assert_eq!(value(store, "app/A"), None);
    assert_eq!(value(store, "xero/1/B").as_deref(), Some("2"), "what was not spoken of stays");
}

#[test]
fn memory_keeps_the_contract() {
    keeps_the_contract(&Memory::new(), &Clash::Refused);
}

#[test]
fn a_vault_keeps_the_contract() {
    let (folder, identity) = (TempDir::new().unwrap(), Arc::new(Identities::generate()));
    keeps_the_contract(&vault(&folder, &identity), &Clash::Refused);
}

#[test]
fn parameters_keep_the_contract_on_the_local_aws() {
    let cloud = Cloud::start();
    keeps_the_contract(&parameters(settings(&cloud)), &Clash::Told);
}

#[test]
fn secrets_keep_the_contract_on_the_local_aws() {
    let cloud = Cloud::start();
    keeps_the_contract(&secrets(settings(&cloud)), &Clash::Refused);
}

#[test]
fn secrets_keep_the_contract_on_moto() {
    let moto = Moto::start();
    keeps_the_contract(&secrets(settings_at(&moto.endpoint())), &Clash::Refused);
}

#[test]
fn parameters_keep_the_contract_on_moto() {
    let moto = Moto::start();
    keeps_the_contract(&parameters(settings_at(&moto.endpoint())), &Clash::Told);
}

#[test]
fn properties_keep_the_contract_on_the_local_aws() {
    let cloud = Cloud::start();
    keeps_the_contract(&properties(&cloud), &Clash::Refused);
}

#[test]
fn a_vault_holds_an_empty_value_and_one_of_a_megabyte() {
    let (folder, identity) = (TempDir::new().unwrap(), Arc::new(Identities::generate()));
    let vault = vault(&folder, &identity);
    let large = "x".repeat(1 << 20);
    set(&vault, &[("app/EMPTY", Some("")), ("app/LARGE", Some(&large))]);
    assert_eq!(value(&vault, "app/EMPTY").as_deref(), Some(""));
    assert_eq!(value(&vault, "app/LARGE").unwrap().len(), 1 << 20);
}

#[test]
fn a_vault_keeps_the_last_versions_of_a_value_deletions_among_them() {
    let (folder, identity) = (TempDir::new().unwrap(), Arc::new(Identities::generate()));
    let vault = vault(&folder, &identity);
    for count in 1..=HISTORY + 4 {
        set(&vault, &[("app/A", Some(&count.to_string()))]);
    }
    set(&vault, &[("app/A", None)]);
    let history = block_on(vault.history(&"app/A".parse().unwrap())).unwrap();
    assert_eq!(history.len(), HISTORY);
    let newest: Vec<_> = history.iter().take(2).map(|past| past.value.as_ref().map(Secret::expose)).collect();
    assert_eq!(newest, [None, Some("24")]);
    assert_eq!(history[0].version.0, "25");
    set(&vault, &[("app/A", Some("again"))]);
    let history = block_on(vault.history(&"app/A".parse().unwrap())).unwrap();
    assert_eq!(history[0].version.0, "26", "a version number is never used twice");
    assert!(block_on(vault.history(&"app/NEVER".parse().unwrap())).unwrap().is_empty());
}

#[test]
fn a_walk_finds_every_address_of_the_groups_that_it_was_asked_for() {
    let (folder, identity) = (TempDir::new().unwrap(), Arc::new(Identities::generate()));
    let cloud = Cloud::start();
    let (memory, vault) = (Memory::new(), vault(&folder, &identity));
    let (ssm, secrets) = (parameters(settings(&cloud)), secrets(settings(&cloud)));
    let places: [(&dyn Store, &dyn Discover); 4] =
        [(&memory, &memory), (&vault, &vault), (&ssm, &ssm), (&secrets, &secrets)];
    for (store, discover) in places {
        set(store, &[("app/A", Some("1")), ("xero/1/B", Some("2")), ("xero/2/B", Some("3"))]);
        let found = block_on(discover.walk(&["xero".parse().unwrap()])).unwrap();
        let names: Vec<String> = found.entries.keys().map(ToString::to_string).collect();
        assert_eq!(names, ["xero/1/B", "xero/2/B"]);
    }
}

#[test]
fn a_vault_is_never_written_that_its_writer_could_not_open_again() {
    let folder = TempDir::new().unwrap();
    let (mine, theirs) = (Arc::new(Identities::generate()), Identities::generate());
    let names = ("dev-app".parse().unwrap(), "local".parse().unwrap());
    let path = folder.path().join(".strongroom/local.age");
    let vault = Vault::new(path.clone(), names, theirs.recipients(), Some(mine), jiff::Timestamp::now);
    let receipts = write(&vault, &plan(&vault, &[("app/A", Some("1"))]));
    assert!(matches!(receipts.as_slice(), [Receipt::NotApplied(error)] if error.kind == ErrorKind::Denied));
    assert!(!path.exists());
}

#[test]
fn a_host_that_holds_public_keys_only_resumes_what_it_began() {
    let (state, person) = (TempDir::new().unwrap(), Identities::generate());
    let names = || ("dev-app".parse().unwrap(), "prod".parse().unwrap());
    let outside = Outside { clock: jiff::Timestamp::now, random: rand::random };
    let journal = || Journal::new(state.path(), names(), person.recipients(), None, outside);
    let memory: Box<dyn Store> = Box::new(Memory::new());
    let stores = strongroom::store::Stores::from([("place".to_owned(), memory)]);
    let change = Change { address: "app/A".parse().unwrap(), before: None, after: Want::value(secret("1")) };
    let unit = stores["place"].unit_of(&change.address);
    let write = strongroom::plan::Write {
        place: "place".to_owned(),
        unit,
        base: None,
        changes: vec![change],
        notes: Vec::new(),
    };
    let id = {
        let mut operation = journal().begin(&Begin { command: "set app/A", ..Begin::default() }).unwrap();
        operation.plan(&Plan { writes: vec![write], lasting: false }, &stores).unwrap();
        operation.id().clone()
    };
    block_on(strongroom::apply::resume(&journal(), &id, &stores, false, &mut |_| ())).unwrap();
    assert_eq!(value(stores["place"].as_ref(), "app/A").as_deref(), Some("1"));

    // Another host has neither this one's identity nor the person's.
    std::fs::remove_file(state.path().join("host-identity.txt")).unwrap();
    let stranger = journal().open(&id).map(drop).unwrap_err();
    assert!(matches!(stranger, strongroom::journal::JournalError::CannotOpen { .. }), "{stranger:?}");
    let somebody = Journal::new(state.path(), names(), person.recipients(), Some(Arc::new(person)), outside);
    somebody.open(&id).map(drop).unwrap();
}
