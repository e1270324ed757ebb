//! A load on a login that is rotated: eight workers that log in anew and write, on a real server, while the environment
//! that they get their login from is changed.

mod by_hand;
pub(in crate::rotate) mod crowd;
pub(super) mod site;

use crate::support::cloud::Effect;
use crate::support::postgres::Cluster;
use crowd::{Crowd, Tally, is_locked_out};
use site::{APP, BY_REFERENCE, BY_VALUE, DOCUMENTS, Kind, ROTATOR, Site};
use std::sync::Arc;

const SEED: u64 = 20_261_122;

/// How many logins everybody makes with what he has, once a rotation is over: half a minute of a stale environment.
const BEYOND: usize = 30;

/// A server, a project that rotates its login, and a crowd that needs it.
pub(super) struct Rig {
    pub(super) site: Site,
    pub(super) cluster: Cluster,
}

impl Rig {
    /// A server with the app's role and a rotator's, and a project that knows both.
    pub(super) fn new(kind: Kind) -> Rig {
        let cluster = Cluster::start();
        let statements = format!(
            "CREATE ROLE app LOGIN PASSWORD '{APP}'; CREATE ROLE rotator LOGIN CREATEROLE PASSWORD '{ROTATOR}';
             GRANT pg_read_all_stats, pg_signal_backend TO rotator; GRANT CREATE ON DATABASE postgres TO rotator; GRANT CREATE ON SCHEMA public TO app; SET ROLE app;
             CREATE TABLE load (worker int, round int, login text DEFAULT session_user, owner text DEFAULT current_user)"
        );
        wait(cluster.sql(&statements));
        Rig { site: Site::new(kind, cluster.port()), cluster }
    }

    /// Rotates so often under load. Before each call that changes something, after an update was begun, and at each look at
    /// it, everybody logs in.
    fn under_load(&self, times: usize, rotate: impl Fn(&Rig, usize)) -> Tally {
        let crowd = Crowd::at(&self.site, self.cluster.port(), SEED);
        for (pattern, around) in [
            ("ssm:PutParameter", false),
            ("secretsmanager:PutSecretValue", false),
            ("secretsmanager:UpdateSecretVersionStage", false),
            ("elasticbeanstalk:UpdateEnvironment", true),
            ("elasticbeanstalk:DescribeEnvironments", false),
        ] {
            let turnstile = crowd.turnstile();
            let pass = Arc::new(move || turnstile.pass(1));
            self.site.cloud.fault(pattern, .., Effect::Meanwhile(pass.clone()));
            if around {
                self.site.cloud.fault(pattern, .., Effect::Afterwards(pass));
            }
        }
        for number in 0..times {
            rotate(self, number);
            crowd.turnstile().pass(BEYOND);
            crowd.renew();
        }
        self.site.cloud.heal();
        crowd.end()
    }

    /// The other login, its fences, and the address of the one that is in use.
    fn set_up(&self) {
        self.site.env.run("rotate database --setup").success();
    }

    /// The rotation that the manifest declares.
    fn rotate(&self) {
        self.site.env.run("rotate database").success();
    }

    /// Three of them, from one slot to the other and back and there again; and the last one is taken back.
    fn there_and_back(&self, number: usize) {
        match number {
            3 => drop(self.site.env.run("undo").success()),
            _ => self.rotate(),
        }
    }

    /// Everything that was made is the owner's, by whichever login; and there were both.
    fn is_the_owners(&self) {
        let ask = |query: &str| wait(self.cluster.ask(query));
        assert_eq!(ask("SELECT count(*) FROM load WHERE owner <> 'app'"), "0");
        assert_eq!(ask("SELECT string_agg(DISTINCT login, ' ' ORDER BY login) FROM load"), "app app_b");
        let made = "FROM pg_tables WHERE tablename LIKE 'made%'";
        assert_ne!(ask(&format!("SELECT count(*) {made}")), "0");
        assert_eq!(ask(&format!("SELECT string_agg(DISTINCT tableowner, ' ') {made}")), "app");
    }
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Nobody was locked out, and those who kept a login that was not deployed any more have used it, each for half a minute
/// of every rotation.
fn all_got_in(tally: &Tally) {
    assert!(tally.failures.is_empty(), "{} of {}: {:#?}", tally.failures.len(), tally.logins, tally.failures);
    assert!(tally.logins > 1_000 && tally.outdated >= 4 * 2 * BEYOND, "{tally:?}");
}

#[test]
fn by_value_nobody_is_locked_out_while_two_logins_alternate() {
    let rig = Rig::new(BY_VALUE);
    rig.set_up();
    all_got_in(&rig.under_load(4, Rig::there_and_back));
    rig.is_the_owners();
}

#[test]
fn by_reference_nobody_is_locked_out_whenever_his_instance_starts() {
    for kind in [BY_REFERENCE, DOCUMENTS] {
        let rig = Rig::new(kind);
        rig.set_up();
        all_got_in(&rig.under_load(4, Rig::there_and_back));
        rig.is_the_owners();
    }
}

/// The controls: this rig can fail.
#[test]
fn with_one_login_or_without_addresses_for_slots_somebody_is_locked_out() {
    for kind in [BY_VALUE, BY_REFERENCE] {
        let rig = Rig::new(Kind { strategy: "single", ..kind });
        rig.set_up();
        let tally = rig.under_load(1, |rig, _| {
            rig.site.env.run("rotate database --accept-downtime").success();
        });
        assert!(tally.failures.iter().any(|failure| is_locked_out(failure)), "{tally:?}");
    }

    let rig = Rig::new(BY_REFERENCE);
    rig.set_up_by_hand();
    let tally = rig.under_load(1, Rig::alternate_without_addresses);
    let starts = |failure: &String| failure.contains("Starting") || failure.contains("Joining");
    assert!(tally.failures.iter().any(|failure| is_locked_out(failure)), "{tally:?}");
    assert!(tally.failures.iter().all(starts), "who runs has a pair that goes together: {tally:?}");
}

#[test]
fn a_password_that_was_changed_by_hand_is_set_up_again_before_it_is_rotated() {
    for syncs in [false, true] {
        let rig = Rig::new(BY_REFERENCE);
        rig.set_up();
        let site = &rig.site;
        wait(rig.cluster.sql("ALTER ROLE app PASSWORD 'canary-by-hand'"));
        site.set("RDS_PASSWORD", "canary-by-hand");
        if syncs {
            site.env.run("sync").success();
        }
        let refused = site.env.run("rotate database");
        assert_eq!(refused.code, Some(8), "{}", refused.stderr);
        assert!(refused.stderr.contains("rotate database --setup"), "{}", refused.stderr);
        rig.set_up();
        assert_eq!(site.starting()["RDS_PASSWORD"], "canary-by-hand");
        assert_eq!((site.referred().as_str(), site.is_in_order()), ("RDS_PASSWORD_A", true));
        rig.rotate();
        assert_eq!((site.referred().as_str(), site.is_in_order()), ("RDS_PASSWORD_B", true));
        assert_eq!(site.starting()["RDS_USERNAME"], "app_b");
    }
}
