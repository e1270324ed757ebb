//! Rotations of a PostgreSQL login with the real binary, a real server and the local AWS.

mod clients;
mod crash;
mod flow;
mod refusals;
mod seeds;
mod together;
mod ways;

use super::rig::site::{APP, Kind, ROTATOR, Site};
use crate::support::env::{Output, TestEnv};
use crate::support::postgres::Cluster;
use strongroom::database::{self, LoginError};
use strongroom::seal::Identities;
use strongroom::secret::Secret;
use tokio::runtime::Runtime;

/// A server, and a project whose app logs in to it.
struct World {
    cluster: Cluster,
    site: Site,
    runtime: Runtime,
}

impl World {
    /// Set up for a rotation.
    fn new(kind: Kind) -> World {
        let world = World::bare(kind);
        world.rotate("database --setup").success();
        world.site.cloud.reset_calls();
        world
    }

    /// The app's role and a rotator that may do what it has to, and nothing else set up.
    fn bare(kind: Kind) -> World {
        let (runtime, cluster) = server();
        let site = Site::new(kind, cluster.port());
        World { cluster, site, runtime }
    }

    fn rotate(&self, words: &str) -> Output {
        self.site.env.run(&format!("rotate {words}"))
    }

    fn get(&self, key: &str) -> String {
        self.site.env.run(&format!("get {key}")).success()
    }

    fn takes(&self, user: &str, password: &str) -> bool {
        takes(&self.runtime, &self.cluster, user, password)
    }

    fn sql(&self, statements: &str) {
        self.runtime.block_on(self.cluster.sql(statements));
    }

    fn ask(&self, query: &str) -> String {
        self.runtime.block_on(self.cluster.ask(query))
    }

    /// Every holder's login works: home's, what runs in the containers, what would start now, and the URL of each.
    #[track_caller]
    fn holds(&self, when: &str) {
        let (user, password) = self.login();
        assert!(self.takes(&user, &password), "{when}: home: {user} is refused");
        self.copies_hold(when);
    }

    /// The same without home, where two parameters are two writes.
    #[track_caller]
    fn copies_hold(&self, when: &str) {
        for (whose, held) in [("running", self.site.running()), ("starting", self.site.starting())] {
            let (user, password) = login_of(&held["DATABASE_URL"]);
            for (user, password) in
                [(held["RDS_USERNAME"].as_str(), held["RDS_PASSWORD"].as_str()), (user, password)]
            {
                assert!(self.takes(user, password), "{when}: {whose}: {user} is refused");
            }
        }
    }

    /// The login that home has.
    fn login(&self) -> (String, String) {
        (self.get("RDS_USERNAME"), self.get("RDS_PASSWORD"))
    }
}

/// The login in a URL in which nothing has to be encoded.
fn login_of(url: &str) -> (&str, &str) {
    let (login, _) = url.strip_prefix("postgres://").unwrap().rsplit_once('@').unwrap();
    login.split_once(':').unwrap()
}

/// A server with the app's role and a rotator, and what asks it.
fn server() -> (Runtime, Cluster) {
    server_on(Cluster::start())
}

/// The same on this one.
fn server_on(cluster: Cluster) -> (Runtime, Cluster) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let roles = format!(
        "CREATE ROLE app LOGIN PASSWORD '{APP}'; CREATE ROLE rotator LOGIN CREATEROLE PASSWORD '{ROTATOR}';
         GRANT pg_read_all_stats, pg_signal_backend TO rotator;
         GRANT CREATE ON DATABASE postgres TO rotator; GRANT CREATE ON SCHEMA public TO app"
    );
    runtime.block_on(cluster.sql(&roles));
    (runtime, cluster)
}

/// Whether the server takes a login.
fn takes(runtime: &Runtime, cluster: &Cluster, user: &str, password: &str) -> bool {
    let password = Secret::new(password.to_owned()).unwrap();
    let server = cluster.plain();
    let tried = async {
        database::login(&server, user, &password).await?.close().await;
        Ok(())
    };
    match runtime.block_on(tried) {
        Ok(()) => true,
        Err(LoginError::WrongPassword) => false,
        Err(other) => panic!("{other}"),
    }
}

/// A server, and a project with a vault and no copies.
fn local(strategy: &str) -> (Runtime, Cluster, TestEnv) {
    local_on(Cluster::start(), strategy)
}

/// The same on this server.
fn local_on(cluster: Cluster, strategy: &str) -> (Runtime, Cluster, TestEnv) {
    let (runtime, cluster) = server_on(cluster);
    let identities = Identities::generate();
    let text = format!(
        r#"
version = 1
[project]
name = "dev-app"
default_environment = "local"
recipients = ["{}"]
[environments.local]
home = "vault"
[groups.database.keys]
RDS_HOSTNAME = {{ value = "127.0.0.1" }}
RDS_PORT = {{ value = "{}" }}
RDS_DB_NAME = {{ value = "postgres" }}
RDS_USERNAME = {{}}
RDS_PASSWORD = {{ secret = true }}
DATABASE_URL = {{ derive = "postgres://{{RDS_USERNAME}}:{{RDS_PASSWORD}}@{{RDS_HOSTNAME}}:{{RDS_PORT}}/{{RDS_DB_NAME}}" }}
[groups.operator]
audience = "operator"
[groups.operator.keys]
ROTATOR_USERNAME = {{}}
ROTATOR_PASSWORD = {{ secret = true }}
[rotate.database]
kind = "postgres"
strategy = "{strategy}"
host = "RDS_HOSTNAME"
port = "RDS_PORT"
database = "RDS_DB_NAME"
user = "RDS_USERNAME"
password = "RDS_PASSWORD"
admin = {{ user = "operator/ROTATOR_USERNAME", password = "operator/ROTATOR_PASSWORD" }}
tls = {{ mode = "disable" }}
"#,
        identities.recipients()[0],
        cluster.port()
    );
    let mut env = TestEnv::in_memory().with_manifest(&text);
    env.set("STRONGROOM_YES", "1");
    env.keep_identity(&identities);
    for (key, value) in [
        ("RDS_USERNAME", "app"),
        ("RDS_PASSWORD", APP),
        ("ROTATOR_USERNAME", "rotator"),
        ("ROTATOR_PASSWORD", ROTATOR),
    ] {
        env.run_with_stdin(&format!("set {key}"), value).success();
    }
    (runtime, cluster, env)
}
