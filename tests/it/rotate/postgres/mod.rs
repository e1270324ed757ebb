//! Rotations of a PostgreSQL login with the real binary, a real server and the local AWS.

mod flow;
mod refusals;

use super::rig::site::{APP, Kind, ROTATOR, Site};
use crate::support::env::Output;
use crate::support::postgres::Cluster;
use std::collections::BTreeMap;
use strongroom::database::{self, LoginError};
use strongroom::secret::Secret;

/// A server, and a project whose app logs in to it.
struct World {
    cluster: Cluster,
    site: Site,
    runtime: tokio::runtime::Runtime,
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
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let cluster = runtime.block_on(async {
            let cluster = Cluster::start();
            cluster
                .sql(&format!(
                    "CREATE ROLE app LOGIN PASSWORD '{APP}'; CREATE ROLE rotator LOGIN CREATEROLE PASSWORD '{ROTATOR}';
                     GRANT pg_read_all_stats, pg_signal_backend TO rotator;
                     GRANT CREATE ON DATABASE postgres TO rotator; GRANT CREATE ON SCHEMA public TO app"
                ))
                .await;
            cluster
        });
        let site = Site::new(kind, cluster.port());
        World { cluster, site, runtime }
    }

    fn rotate(&self, words: &str) -> Output {
        self.site.env.run(&format!("rotate {words}"))
    }

    fn get(&self, key: &str) -> String {
        self.site.env.run(&format!("get {key}")).success()
    }

    /// Whether the server takes a login.
    fn takes(&self, user: &str, password: &str) -> bool {
        let password = Secret::new(password.to_owned()).unwrap();
        let server = self.cluster.plain();
        let tried = async {
            database::login(&server, user, &password).await?.close().await;
            Ok(())
        };
        match self.runtime.block_on(tried) {
            Ok(()) => true,
            Err(LoginError::WrongPassword) => false,
            Err(other) => panic!("{other}"),
        }
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
        let home = [("RDS_USERNAME", self.get("RDS_USERNAME")), ("RDS_PASSWORD", self.get("RDS_PASSWORD"))];
        let home: BTreeMap<String, String> =
            home.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        for (whose, held) in
            [("home", home), ("running", self.site.running()), ("starting", self.site.starting())]
        {
            let (user, password) = (&held["RDS_USERNAME"], &held["RDS_PASSWORD"]);
            assert!(self.takes(user, password), "{when}: {whose}: {user} is refused");
            if let Some(text) = held.get("DATABASE_URL") {
                let (user, password) = login_of(text);
                assert!(self.takes(user, password), "{when}: {whose}: the URL of {user} is refused");
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
