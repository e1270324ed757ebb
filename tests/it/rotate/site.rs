//! A site that a rotation can be killed on at each of its calls, put back, and looked at.

use crate::support::cloud::beanstalk::handles::Seed;
use crate::support::cloud::faults::Callback;
use crate::support::cloud::{Cloud, Effect, World};
use crate::support::env::{Output, STRONGROOM, TestEnv};
use crate::support::tree::Tree;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// A manifest of the project `shop`, in production, with these copies by value or by reference, and this beside that.
pub(super) fn manifest(home: &str, copies: &[(&str, &str)], rest: &str) -> String {
    let copy = |(name, secrets): &(&str, &str)| {
        format!(
            "[environments.prod.copies.{name}]\nkind = \"beanstalk\"\napplication = \"shop\"\n\
             environment = \"shop-{name}\"\nsecrets = \"{secrets}\"\n"
        )
    };
    format!(
        "version = 1\n[project]\nname = \"shop\"\nregion = \"us-east-1\"\ndefault_environment = \"prod\"\n\
         [environments.prod]\nhome = \"{home}\"\naccount = \"111122223333\"\n\
         quota = {{ reads = 5000, writes = 5000 }}\n{}{rest}",
        copies.iter().map(copy).collect::<String>()
    )
}

/// A project whose only home is a vault with these values, and this beside that.
pub(super) fn vault(values: &[(&str, &str)], rest: &str) -> TestEnv {
    let env = TestEnv::in_memory().with_vault("local", values);
    let identity = std::fs::read_to_string(env.config("identity.txt")).unwrap();
    let public = identity.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
    env.with_manifest(&format!(
        "version = 1\n[project]\nname = \"demo\"\nrecipients = [\"{public}\"]\n\
         [environments.local]\nhome = \"vault\"\n{rest}"
    ))
}

pub(super) type Variables = BTreeMap<String, String>;

/// Two environments of Beanstalk that follow a home, on a local AWS.
pub(super) struct Site {
    pub(super) cloud: Cloud,
    pub(super) env: TestEnv,
}

/// Where a kill meets a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Before,
    After,
}

/// How everything was.
pub(super) struct Past(World, Tree);

impl Site {
    /// With this manifest; nothing is held yet but what is not its own.
    pub(super) fn new(manifest: &str) -> Site {
        let cloud = Cloud::start();
        cloud.world(|world| {
            for name in ["shop-web", "shop-worker"] {
                let seed = Seed::new("shop", name, crate::aws::DOCKER).property("LEFT_ALONE", "theirs");
                world.beanstalk.add(seed, jiff::Timestamp::now());
            }
        });
        let mut env = TestEnv::in_memory().with_manifest(manifest);
        env.on(&cloud);
        env.set("STRONGROOM_POLL_INTERVAL_MS", "2");
        env.run("init --yes").success();
        Site { cloud, env }
    }

    /// What the containers of an environment have.
    pub(super) fn seen(&self, environment: &str) -> Variables {
        let seen = |world: &mut World| world.beanstalk.container_environment(environment).clone();
        self.cloud.world(seen).into_iter().collect()
    }

    /// What the containers of an instance get that starts now.
    pub(super) fn starting(&self, environment: &str) -> Variables {
        let started = self.cloud.world(|world| world.bootstrap_now(environment));
        started.unwrap_or_else(|why| panic!("an instance cannot start: {why:?}")).into_iter().collect()
    }

    /// As if home's values of these keys had been written so many days ago.
    pub(super) fn age(&self, keys: &[&str], days: i64) {
        self.cloud.world(|world| {
            for key in keys {
                world.ssm.age(&format!("/shop/prod/app/{key}"), days * 86_400);
            }
            world.secrets.age("shop/prod/app", days * 86_400);
        });
    }

    pub(super) fn past(&self) -> Past {
        Past(self.cloud.world(|world| world.clone()), Tree::of(&self.env))
    }

    pub(super) fn restore(&self, past: &Past) {
        self.cloud.world(|world| *world = past.0.clone());
        past.1.restore(&self.env);
        self.cloud.heal();
        self.cloud.reset_calls();
    }

    /// Runs the binary and kills it at one of its calls, counted from 1; then its lease ends.
    pub(super) fn killed(&self, words: &str, at: usize, when: When) -> Output {
        let id = Arc::new(OnceLock::new());
        let effect = match when {
            When::Before => Effect::KillBefore(killer(&id)),
            When::After => Effect::KillAfter(killer(&id)),
        };
        self.cloud.fault("*", at..=at, effect);
        let output = self.known(words, &id);
        self.lease_ends();
        output
    }

    /// Runs the binary and kills it after one of its calls of this name, and its lease lives on.
    pub(super) fn killed_with_its_lease(&self, words: &str, call: &str, at: usize) -> Output {
        let id = Arc::new(OnceLock::new());
        self.cloud.fault(call, at..=at, Effect::KillAfter(killer(&id)));
        self.known(words, &id)
    }

    fn known(&self, words: &str, id: &OnceLock<u32>) -> Output {
        let mut command = self.env.command(STRONGROOM);
        command.args(words.split_whitespace());
        let output = self.env.finish_known(command, b"", |known| id.set(known).unwrap());
        self.cloud.heal();
        output
    }

    /// The time passes that the lease of a killed process lives.
    pub(super) fn lease_ends(&self) {
        self.cloud.world(|world| {
            world.ssm.age("/shop/_strongroom/prod/lease", 600);
            world.secrets.age("shop/_strongroom/prod/lease", 600);
        });
    }
}

fn killer(id: &Arc<OnceLock<u32>>) -> Callback {
    let id = Arc::clone(id);
    Arc::new(move || {
        let pid = i32::try_from(*id.wait()).ok().and_then(Pid::from_raw).unwrap();
        // It may have ended meanwhile; the run tells.
        let _ = kill_process(pid, Signal::KILL);
    })
}
