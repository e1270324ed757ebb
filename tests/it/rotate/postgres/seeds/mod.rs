//! Two rotators of one login on a real server, in an order of steps that is drawn from a seed: they take turns, one sleeps
//! past its lease or is cut off, at any moment, and in every other four seeds both end the old login too.
//!
//! A process each would show the same and cost an hour: here both are driven in this process, each with a journal of its
//! own, on places in memory. What two processes do to each other is [`super::together`]'s to show.

mod host;
mod turns;

use super::super::rig::crowd::Draw;
use super::super::rig::site::{APP, ROTATOR};
use crate::support::postgres::Cluster;
use host::{End, Host};
use std::collections::BTreeMap;
use std::sync::Arc;
use strongroom::database::{self, LoginError, Role, Server, Slots, prepare};
use strongroom::manifest::Manifest;
use strongroom::name::Address;
use strongroom::plan::{Change, Want};
use strongroom::seal::Identities;
use strongroom::secret::Secret;
use strongroom::store::{Memory, OperationId, Receipt, Store};
use turns::{Turns, Way};

const SEEDS: u64 = 100;

/// So many shops at a time, each with a database and roles of its own.
const SHOPS: u64 = 2;

const MANIFEST: &str = r#"
version = 1
[project]
name = "shop"
[environments.prod]
home = "ssm"
[environments.prod.copies.web]
kind = "beanstalk"
application = "shop"
environment = "shop-prod"
groups = ["database"]
secrets = "value"
[groups.database.keys]
DB_HOST = { value = "127.0.0.1" }
DB_PORT = { value = "PORT" }
DB_NAME = { value = "SHOP" }
DB_USER = {}
DB_PASSWORD = { secret = true }
DB_URL = { derive = "postgres://{DB_USER}:{DB_PASSWORD}@{DB_HOST}:{DB_PORT}/{DB_NAME}" }
[groups.operator]
audience = "operator"
[groups.operator.keys]
ROTATOR_USER = {}
ROTATOR_PASSWORD = { secret = true }
[rotate.database]
kind = "postgres"
host = "DB_HOST"
port = "DB_PORT"
database = "DB_NAME"
user = "DB_USER"
password = "DB_PASSWORD"
admin = { user = "operator/ROTATOR_USER", password = "operator/ROTATOR_PASSWORD" }
tls = { mode = "disable" }
"#;
const DEFAULTS: &str = "the manifest above declares a rotation of PostgreSQL";

/// A database with a login that rotates, home and a copy.
struct Shop {
    manifest: Manifest,
    places: BTreeMap<String, Arc<Memory>>,
    server: Server,
    identities: Arc<Identities>,
}

impl Shop {
    async fn new(cluster: &Cluster, number: u64) -> Shop {
        let (name, owner) = (format!("shop{number}"), format!("app{number}"));
        cluster.sql(&format!("CREATE ROLE {owner} LOGIN PASSWORD '{APP}'")).await;
        cluster.sql(&format!("CREATE DATABASE {name}")).await;
        cluster
            .sql(&format!(
                "GRANT CREATE ON DATABASE {name} TO rotator; GRANT {owner} TO rotator WITH ADMIN OPTION"
            ))
            .await;
        let server = Server { database: name.clone(), ..cluster.plain() };
        let session = database::login(&server, "rotator", &secret(ROTATOR)).await.unwrap();
        let role = |name: &str| Role::parse(name).unwrap();
        prepare(&session, &Slots::of(role(&owner), role("rotator")).unwrap()).await.unwrap();
        session.close().await;
        let text = MANIFEST.replace("PORT", &server.port.to_string()).replace("SHOP", &name);
        let manifest = Manifest::parse("strongroom.toml", &text).unwrap();
        let url = format!("postgres://{owner}:{APP}@127.0.0.1:{}/{name}", server.port);
        let (home, copy) = (Arc::new(Memory::new()), Arc::new(Memory::new()));
        let held = [("DB_USER", owner.as_str()), ("DB_PASSWORD", APP), ("DB_URL", &url)];
        for (key, value) in held {
            put(&home, "database", key, value).await;
            put(&copy, "database", key, value).await;
        }
        put(&home, "operator", "ROTATOR_USER", "rotator").await;
        put(&home, "operator", "ROTATOR_PASSWORD", ROTATOR).await;
        let port = server.port.to_string();
        for (key, value) in [("DB_HOST", "127.0.0.1"), ("DB_PORT", &port), ("DB_NAME", &name)] {
            put(&copy, "database", key, value).await;
        }
        let places = BTreeMap::from([("ssm".to_owned(), home), ("beanstalk:web".to_owned(), copy)]);
        Shop { manifest, places, server, identities: Arc::new(Identities::generate()) }
    }

    async fn held(&self, place: &str, key: &str) -> Secret {
        let address: Address = format!("database/{key}").parse().unwrap();
        let seen = self.places[place].read(std::slice::from_ref(&address)).await.unwrap();
        seen.value(&address).unwrap().clone()
    }

    async fn takes(&self, user: &str, password: &Secret) -> bool {
        match database::login(&self.server, user, password).await {
            Ok(session) => {
                session.close().await;
                true
            }
            Err(LoginError::WrongPassword) => false,
            Err(other) => panic!("{other}"),
        }
    }
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned()).unwrap()
}

async fn put(place: &Memory, group: &str, key: &str, value: &str) {
    let address: Address = format!("{group}/{key}").parse().unwrap();
    let unit = place.unit_of(&address);
    let operation = OperationId::parse("20260102-030405-k3x9pq").unwrap();
    let change = Change { address, before: None, after: Want::value(secret(value)) };
    let receipt = place.write(&unit, None, &operation, &[change]).await;
    assert!(matches!(receipt, Receipt::Applied(_)), "{receipt:?}");
}

/// What happened, over all seeds.
#[derive(Debug, Default)]
struct Tally {
    /// Who was told that the other is at it.
    kept_out: usize,
    /// Who rotated.
    rotated: usize,
    /// Who lost his lease and stopped.
    stopped: usize,
    /// Changes that the fence on the server refused.
    fenced: usize,
    /// Who was cut off.
    cut_off: usize,
    /// Who went on later to the end, and who was told then that another one came after him.
    resumed: usize,
    overtaken: usize,
}

/// Two of them at once, by a seed.
async fn both(shop: &Shop, seed: u64, tally: &mut Tally) {
    let mut draw = Draw(seed);
    let compromised = seed / 4 % 2 == 1;
    let gates = if compromised { GATES + ENDING } else { GATES };
    let gate = 1 + usize::try_from(draw.below(gates)).unwrap();
    let way = match seed % 4 {
        0 => Way::Mixed,
        1 => Way::Slow,
        2 => Way::Sleeps(gate),
        _ => Way::Dies(gate),
    };
    let what = format!("seed {seed}, {way:?}");
    let turns = Turns::new(way, draw);
    let host = |me: usize| Host {
        shop,
        turns: Arc::clone(&turns),
        me,
        compromised,
        state: folder(),
        identities: Arc::clone(&shop.identities),
    };
    let hosts = [host(0), host(1)];
    let ends = futures::join!(hosts[0].run(None), hosts[1].run(None));
    for end in [&ends.0, &ends.1] {
        tally.count(&what, end.as_ref());
    }
    // Whoever stopped goes on, in any order, until nobody has anything left.
    for _ in 0..3 {
        for host in &hosts {
            for id in host.unfinished() {
                turns.all_over(host.me);
                let end = host.run(Some(&id)).await.unwrap();
                match end.0 {
                    0 => tally.resumed += 1,
                    6 => tally.overtaken += 1,
                    _ => panic!("{what}: resume ended with {end:?}"),
                }
            }
        }
    }
    for host in &hosts {
        assert_eq!(host.unfinished(), [], "{what}: {ends:?}");
    }
    is_one_login(shop, &hosts, &format!("{what}: {ends:?}"), tally).await;
}

/// Where there is memory instead of a disk, there.
fn folder() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let state = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    state.unwrap()
}

/// Home's login works and is the copy's; of all the passwords that were chosen for its slot, it is the only one that does.
async fn is_one_login(shop: &Shop, hosts: &[Host<'_>], what: &str, tally: &mut Tally) {
    let (user, password) = (shop.held("ssm", "DB_USER").await, shop.held("ssm", "DB_PASSWORD").await);
    assert!(shop.takes(user.expose(), &password).await, "{what}: home's login is refused");
    for key in ["DB_USER", "DB_PASSWORD", "DB_URL"] {
        let (home, copy) = (shop.held("ssm", key).await, shop.held("beanstalk:web", key).await);
        assert!(home.same_as(&copy), "{what}: the copy's {key} is another than home's");
    }
    let mut of_the_slot = 0;
    for host in hosts {
        for summary in host.operations() {
            let operation = host.open(&summary.id);
            let outcomes = operation.acted().iter().filter_map(|acted| acted.outcome.as_ref());
            tally.fenced += outcomes.filter(|(is, _)| is.starts_with("fenced by ")).count();
            let slot = operation.facts().get("slot");
            for chosen in operation.chosen().unwrap().iter().flat_map(BTreeMap::values) {
                if slot.is_some_and(|slot| slot == user.expose()) {
                    let is_homes = chosen.same_as(&password);
                    assert_eq!(shop.takes(user.expose(), chosen).await, is_homes, "{what}: {}", summary.id);
                    of_the_slot += usize::from(is_homes);
                }
            }
        }
    }
    assert_eq!(of_the_slot, 1, "{what}: nobody has rotated");
}

impl Tally {
    fn count(&mut self, what: &str, end: Option<&End>) {
        match end {
            None => self.cut_off += 1,
            Some((0, _)) => self.rotated += 1,
            Some((9, _)) => self.kept_out += 1,
            Some((6, _)) => self.overtaken += 1,
            Some((7, said)) if said.contains("the other has it") => self.stopped += 1,
            // It slept between its last write and the look whether that is there.
            Some((7, said)) if said.contains("reading it back shows something else") => self.stopped += 1,
            // Home is between two writes of the other.
            Some((8, said)) if said.contains("the login that home holds is refused") => self.overtaken += 1,
            Some(end) => panic!("{what}: {end:?}"),
        }
    }
}

/// About as many gates as a rotation has that is not disturbed.
const GATES: u64 = 20;

/// And those of the end of an old login.
const ENDING: u64 = 10;

#[test]
fn whatever_two_rotators_do_at_once_one_password_is_left_and_it_is_everybodys() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let cluster = Cluster::start();
    let shops: Vec<Shop> = runtime().block_on(async {
        cluster.sql(&format!("CREATE ROLE rotator LOGIN CREATEROLE PASSWORD '{ROTATOR}'; GRANT pg_read_all_stats, pg_signal_backend TO rotator")).await;
        let mut shops = Vec::new();
        for number in 0..SHOPS {
            shops.push(Shop::new(&cluster, number).await);
        }
        shops
    });
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let work = |(number, shop)| {
            let mut tally = Tally::default();
            for seed in (number..SEEDS).step_by(SHOPS as usize) {
                runtime().block_on(both(shop, seed, &mut tally));
            }
            tally
        };
        let threads: Vec<_> = (0..).zip(&shops).map(|one| scope.spawn(move || work(one))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let sum = |of: fn(&Tally) -> usize| tallies.iter().map(of).sum::<usize>();
    // They met in every way that there is.
    for (what, met, least) in [
        ("rotated", sum(|tally| tally.rotated), 50),
        ("were kept out", sum(|tally| tally.kept_out), 30),
        ("lost the lease", sum(|tally| tally.stopped), 5),
        ("were fenced", sum(|tally| tally.fenced), 2),
        ("were cut off", sum(|tally| tally.cut_off), 15),
        ("were resumed", sum(|tally| tally.resumed), 10),
        ("were overtaken", sum(|tally| tally.overtaken), 20),
    ] {
        assert!(met >= least, "only {met} {what}: {tallies:?}");
    }
}
