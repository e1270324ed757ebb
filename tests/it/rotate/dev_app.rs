//! The example dev-app, as its manifest has it: its database's login is rotated through a tunnel, by whoever may do that and
//! nothing else, and its instances fetch what they may.

use super::rig::site::WEB;
use crate::support::cloud::Cloud;
use crate::support::cloud::beanstalk::seeds::Example;
use crate::support::cloud::iam::Policy;
use crate::support::env::{Output, TestEnv};
use crate::support::policy::{self, become_bearer};
use crate::support::postgres::{Cluster, HOST};
use std::collections::BTreeMap;
use strongroom::database::{Server, identity, login};
use strongroom::secret::Secret;

const PASSWORD: &str = "canary-dev-app-password";
const ROTATOR: &str = "canary-rotator-password";

/// The example in production: its database behind a tunnel, and all of it deployed.
struct DevApp {
    cluster: Cluster,
    cloud: Cloud,
    env: TestEnv,
    runtime: tokio::runtime::Runtime,
}

impl DevApp {
    fn new(secrets: &str) -> DevApp {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let cluster = Cluster::start();
        runtime.block_on(async {
            cluster
                .sql(&format!(
                    "CREATE ROLE dev_app LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE rotator LOGIN CREATEROLE PASSWORD \
                     '{ROTATOR}'; GRANT pg_read_all_stats, pg_signal_backend TO rotator"
                ))
                .await;
            cluster.sql("CREATE DATABASE dev_app OWNER dev_app").await;
            cluster.sql("GRANT CREATE ON DATABASE dev_app TO rotator").await;
        });
        let cloud = Cloud::start();
        cloud.world(|world| world.beanstalk.add_example(Example::DevApp, jiff::Timestamp::now()));
        let mut env = crate::examples::copy("dev-app");
        env.on(&cloud);
        env.set("STRONGROOM_POLL_INTERVAL_MS", "2");
        env.set("STRONGROOM_YES", "1");
        let text = env.read("strongroom.toml").replace("\"reference\"", &format!("\"{secrets}\""));
        // What a quota keeps slow is another test's.
        let quota = "protected = true\nquota = { reads = 5000, writes = 5000 }";
        env.write("strongroom.toml", text.replace("protected = true", quota));
        env.write("rds-ca.pem", std::fs::read(cluster.authority()).unwrap());
        env.run("copy --to prod").success();
        for (key, value) in [
            ("RDS_HOSTNAME", HOST),
            ("RDS_USERNAME", "dev_app"),
            ("RDS_PASSWORD", PASSWORD),
            ("ROTATOR_USERNAME", "rotator"),
            ("ROTATOR_PASSWORD", ROTATOR),
        ] {
            env.run_with_stdin(&format!("-e prod set {key}"), value).success();
        }
        env.run("-e prod sync").success();
        let instance = policy::of(&env, "prod", "instance").to_string();
        if instance != "null" {
            let instance = Policy::parse(&instance).unwrap();
            cloud.world(|world| world.instance_policy = Some(instance));
        }
        become_bearer(&cloud, &mut env, "prod", "rotator");
        DevApp { cluster, cloud, env, runtime }
    }

    fn rotate(&self, words: &str) -> Output {
        self.env.run(&format!("-e prod rotate database {words} --via 127.0.0.1:{}", self.cluster.port()))
    }

    /// What the containers see, once it is known that what they see logs in, that the URL says the same, and that an
    /// instance that starts now sees it too.
    #[track_caller]
    fn seen(&self) -> BTreeMap<String, String> {
        let seen = self.cloud.world(|world| world.beanstalk.container_environment(WEB));
        assert_eq!(self.cloud.world(|world| world.bootstrap_now(WEB)).unwrap(), seen);
        let (user, password) = (&seen["RDS_USERNAME"], &seen["RDS_PASSWORD"]);
        assert_eq!(seen["DATABASE_URL"], format!("postgres://{user}:{password}@{HOST}:5432/dev_app"));
        let server = Server { database: "dev_app".to_owned(), ..self.cluster.server() };
        let who = self.runtime.block_on(async {
            let session = login(&server, user, &Secret::new(password.clone()).unwrap()).await.unwrap();
            identity(&session).await.unwrap()
        });
        assert_eq!((who.session_user.as_str(), who.current_user.as_str()), (user.as_str(), "dev_app"));
        assert!(!seen.keys().any(|name| name.starts_with("RDS_PASSWORD_") || name.starts_with("ROTATOR")));
        seen
    }
}

#[test]
fn the_database_of_dev_app_is_rotated_and_what_it_was_comes_back() {
    for secrets in ["reference", "value"] {
        let site = DevApp::new(secrets);
        assert_eq!(site.seen()["RDS_PASSWORD"], PASSWORD);
        let _ = site.rotate("--setup").success();
        let mut said = String::new();
        for user in ["dev_app_b", "dev_app"] {
            site.cloud.reset_calls();
            let output = site.rotate("");
            assert_eq!(output.code, Some(0), "{secrets}: {}", output.stderr);
            assert_eq!(site.cloud.count("elasticbeanstalk:UpdateEnvironment"), 1, "{}", output.stderr);
            assert_eq!(site.seen()["RDS_USERNAME"], user);
            site.env.run("-e prod status --check").success();
            said.extend([output.stdout, output.stderr]);
        }
        let new = site.seen();
        let undo = site.env.run("-e prod undo");
        assert_eq!(undo.code, Some(0), "{}", undo.stderr);
        let back = site.seen();
        assert_eq!(back["RDS_USERNAME"], "dev_app_b", "the slot before, which nobody has changed");
        // What is referred to came back as a new version of the old value, and the copy was told.
        let status = site.env.run("-e prod status --check");
        assert_eq!(status.code, Some(0), "{}", status.stderr);
        let log = site.cluster.log();
        for password in [&new["RDS_PASSWORD"], &back["RDS_PASSWORD"]] {
            assert!(!said.contains(password) && !log.contains(password));
        }
        assert!(
            !said.contains(PASSWORD) && !said.contains(ROTATOR) && log.contains(ROTATOR),
            "as it was set here"
        );
        let output = site.rotate("");
        assert_eq!(output.code, Some(0), "{secrets}: {}", output.stderr);
        assert_eq!(site.seen()["RDS_USERNAME"], "dev_app");
        site.env.run("-e prod status --check").success();
    }
}
