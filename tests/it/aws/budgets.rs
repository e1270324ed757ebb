//! What the binary's commands cost in calls, from beginning to end.

use super::{DOCKER, project};
use crate::support::cloud::Cloud;
use crate::support::cloud::beanstalk::handles::Seed as EnvironmentSeed;
use crate::support::cloud::ssm::Seed;
use crate::support::env::TestEnv;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;
use strongroom::seal::Identities;

/// A project with that home and no limit of calls a second, and what this account holds of it: nothing.
fn project_of(home: &str, rest: &str) -> (Cloud, TestEnv) {
    let cloud = Cloud::start();
    let manifest = format!(
        "version = 1\n[project]\nname = \"shop\"\nregion = \"us-east-1\"\ndefault_environment = \"prod\"\n\
         [environments.prod]\nhome = \"{home}\"\naccount = \"111122223333\"\nquota = {{ reads = 9000, writes = 9000 }}\n{rest}"
    );
    let mut env = TestEnv::new().with_manifest(&manifest);
    env.on(&cloud);
    env.set("STRONGROOM_POLL_INTERVAL_MS", "1");
    env.run("init --yes").success();
    (cloud, env)
}

/// The actions since the last time, in their order.
fn calls(cloud: &Cloud) -> Vec<String> {
    let calls = cloud.calls().into_iter().map(|call| call.action).collect();
    cloud.reset_calls();
    calls
}

fn of<'a>(calls: &'a [String], action: &str) -> Vec<&'a String> {
    calls.iter().filter(|call| *call == action).collect()
}

#[test]
fn an_export_of_a_thousand_values_of_250_groups_is_a_hundred_calls_of_which_eight_are_under_way() {
    let mut groups = String::new();
    for group in 0..250 {
        writeln!(
            groups,
            "[groups.g{group}.keys]\nA{group} = {{}}\nB{group} = {{}}\nC{group} = {{}}\nD{group} = {{}}"
        )
        .unwrap();
    }
    let (cloud, env) = project_of("ssm", &groups);
    cloud.world(|world| {
        for (group, key) in (0..250).flat_map(|group| ["A", "B", "C", "D"].map(|key| (group, key))) {
            let name = format!("/shop/prod/g{group}/{key}{group}");
            world.ssm.seed(Seed { name: &name, value: &name, kind: "SecureString" });
        }
    });
    cloud.latency(Duration::from_millis(5));
    let told: serde_json::Value = serde_json::from_str(&env.run("export --format json").success()).unwrap();
    let told = told.as_object().unwrap();
    assert_eq!(told.len(), 1_000);
    assert!(told.iter().all(|(name, value)| value.as_str().unwrap().ends_with(name)));
    let calls = cloud.calls();
    assert_eq!(calls.len(), 100);
    let most = calls.iter().map(|call| call.in_flight).max().unwrap();
    assert!(most >= 8, "{most} under way");
}

#[test]
fn a_change_of_one_parameter_is_four_calls_and_who_we_are_is_asked_once() {
    let (cloud, env) = project_of("ssm", "[groups.app.keys]\nA = { secret = true }\n");
    env.run_with_stdin("set A --yes", "first").success();
    assert_eq!(calls(&cloud), ["GetParameters", "GetCallerIdentity", "PutParameter", "GetParameters"]);
    env.run_with_stdin("set A --yes", "second").success();
    assert_eq!(calls(&cloud), ["GetParameters", "DescribeParameters", "PutParameter", "GetParameters"]);
    assert_eq!(env.run("get A").success(), "second");
    assert_eq!(calls(&cloud), ["GetParameters"]);
}

#[test]
fn an_import_of_60_is_60_puts_six_reads_each_way_and_the_lease() {
    let (mut keys, mut file) = ("[groups.app.keys]\n".to_owned(), String::new());
    for key in 0..60 {
        writeln!(keys, "K{key} = {{ secret = true }}").unwrap();
        writeln!(file, "K{key}=canary-{key}").unwrap();
    }
    let (cloud, env) = project_of("ssm", &keys);
    env.write("values.env", file);
    env.run("import values.env --yes").success();
    let lease = |body: &str| body.contains("/shop/_strongroom/prod/lease");
    let (of_lease, of_values): (Vec<_>, Vec<_>) =
        cloud.calls().into_iter().partition(|call| lease(&call.body));
    let actions: Vec<String> = of_values.into_iter().map(|call| call.action).collect();
    assert_eq!(of(&actions, "PutParameter").len(), 60);
    assert_eq!(of(&actions, "GetParameters").len(), 12, "six before, six after");
    assert_eq!(of(&actions, "GetCallerIdentity").len(), 1);
    assert_eq!(actions.len(), 60 + 12 + 1, "{actions:?}");
    let of_lease: Vec<String> = of_lease.into_iter().map(|call| call.action).collect();
    assert_eq!(of_lease, ["GetParameterHistory", "PutParameter", "PutParameter", "GetParameter"]);
}

#[test]
fn a_group_in_a_document_is_one_read_and_four_calls_to_write() {
    let keys = "[groups.app.keys]\nA = { secret = true }\nB = { secret = true }\nC = { secret = true }\n";
    let (cloud, env) = project_of("secretsmanager", keys);
    env.run_with_stdin("set A --yes", "a").success();
    env.run_with_stdin("set B --yes", "b").success();
    calls(&cloud);
    env.run_with_stdin("set C --yes", "c").success();
    let write = ["GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage", "GetSecretValue"];
    assert_eq!(calls(&cloud), write);
    env.run("export --format json").success();
    assert_eq!(calls(&cloud), ["GetSecretValue"]);
    env.write("values.env", "A=1\nB=2\nC=3\n");
    env.run("import values.env --yes").success();
    let mut calls = calls(&cloud);
    assert_eq!(calls.remove(0), "GetSecretValue", "what the file's names mean is looked at first");
    assert_eq!(calls, write, "a document is one write, however many of its values change");
}

#[test]
fn a_sync_is_one_update_for_each_copy_that_differs() {
    let copy = |name: &str, group: &str| {
        format!(
            "[environments.prod.copies.{name}]\nkind = \"beanstalk\"\napplication = \"shop\"\n\
             environment = \"shop-{name}\"\ngroups = [\"{group}\"]\nsecrets = \"value\"\n"
        )
    };
    let copies = copy("web", "app") + &copy("worker", "queue");
    let (cloud, env) =
        project_of("ssm", &(copies + "[groups.app.keys]\nA = {}\nB = {}\n[groups.queue.keys]\nC = {}\n"));
    cloud.world(|world| {
        for name in ["shop-web", "shop-worker"] {
            world.beanstalk.add(EnvironmentSeed::new("shop", name, DOCKER), jiff::Timestamp::now());
        }
    });
    for key in ["A", "B", "C"] {
        env.run_with_stdin(&format!("set {key} --yes"), "one").success();
    }
    let updates_of = |command: &str| {
        cloud.reset_calls();
        env.run(command).success();
        cloud.count("elasticbeanstalk:UpdateEnvironment")
    };
    assert_eq!(updates_of("status"), 0);
    assert_eq!(updates_of("sync --dry-run"), 0);
    assert_eq!(updates_of("sync --yes"), 2);
    assert_eq!(updates_of("sync --yes"), 0, "nothing differs");
    env.run_with_stdin("set C --yes", "two").success();
    assert_eq!(updates_of("sync --yes"), 1, "one copy differs");
}

#[test]
fn a_rotation_is_a_write_and_an_update_for_each_copy_and_few_reads() {
    let copy = |name: &str| {
        format!(
            "[environments.prod.copies.{name}]\nkind = \"beanstalk\"\napplication = \"shop\"\n\
             environment = \"shop-{name}\"\nsecrets = \"value\"\n"
        )
    };
    let keys = "[groups.app.keys]\nA = { secret = true, generate = \"hex\" }\nB = {}\n";
    let rotation = "[rotate.a]\nkind = \"random\"\nkeys = [\"A\"]\n";
    let (cloud, env) = project_of("ssm", &(copy("web") + &copy("worker") + keys + rotation));
    cloud.world(|world| {
        for name in ["shop-web", "shop-worker"] {
            world.beanstalk.add(EnvironmentSeed::new("shop", name, DOCKER), jiff::Timestamp::now());
        }
    });
    env.run_with_stdin("set B --yes", "one").success();
    env.run("set A --generate --yes").success();
    env.run("sync --yes").success();
    cloud.reset_calls();
    env.run("rotate a --yes").success();
    let calls = cloud.calls().into_iter().filter(|call| !call.body.contains("_strongroom"));
    let mut counts = BTreeMap::<String, usize>::new();
    calls.for_each(|call| *counts.entry(call.action).or_default() += 1);
    assert_eq!((counts["PutParameter"], counts["UpdateEnvironment"]), (1, 2), "{counts:?}");
    // For the plan, as it is chosen, after that, before the write, behind it, for the copies, and once more at the end.
    assert_eq!(counts["GetParameters"], 7, "{counts:?}");
}

#[test]
fn a_sync_where_nothing_differs_writes_nothing_anywhere() {
    let (cloud, env) = project("reference");
    for key in ["SECRET_KEY", "RDS_HOSTNAME", "RDS_USERNAME", "RDS_PASSWORD"] {
        env.run_with_stdin(&format!("set {key} --yes"), "invented").success();
    }
    env.run("sync --yes").success();
    calls(&cloud);
    env.run("sync --yes").success();
    let calls = calls(&cloud);
    let reads = |call: &String| call.starts_with("Get") || call.starts_with("Describe");
    assert!(calls.iter().all(reads), "{calls:?}");
}

/// An environment that has so many secrets as plain properties and nowhere else, and its project.
fn console(keys: usize) -> (Cloud, TestEnv) {
    let mut rest = "[environments.prod.copies.web]\nkind = \"beanstalk\"\napplication = \"shop\"\n\
                    environment = \"shop-prod\"\ngroups = [\"app\"]\n[groups.app.keys]\n"
        .to_owned();
    (0..keys).for_each(|key| writeln!(rest, "K{key} = {{ secret = true }}").unwrap());
    let (cloud, mut env) = project_of("beanstalk", &rest);
    let me = Identities::generate();
    env.write("identity.txt", me.to_file().as_bytes());
    env.set("STRONGROOM_IDENTITY", env.path("identity.txt"));
    let project = format!("[project]\nrecipients = [\"{}\"]\n", me.recipients()[0]);
    env.write("strongroom.toml", env.read("strongroom.toml").replace("[project]\n", &project));
    let values: Vec<_> = (0..keys).map(|key| (format!("K{key}"), format!("made-up-{key}"))).collect();
    cloud.world(|world| {
        let values = values.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let seed = EnvironmentSeed::new("shop", "shop-prod", DOCKER).properties(values);
        world.beanstalk.add(seed, jiff::Timestamp::now());
    });
    (cloud, env)
}

/// Migrates, and counts the calls without those of the lease.
fn migrated(cloud: &Cloud, env: &TestEnv, keys: usize, to: &str) -> (BTreeMap<String, usize>, usize) {
    cloud.latency(Duration::from_millis(5));
    cloud.reset_calls();
    env.run(&format!("migrate --yes {to}")).success();
    let seen = cloud.world(|world| world.beanstalk.container_environment("shop-prod"));
    for key in 0..keys {
        assert_eq!(seen[&format!("K{key}")], format!("made-up-{key}"));
    }
    let mut counts = BTreeMap::new();
    let mut together = 0;
    for call in cloud.calls().into_iter().filter(|call| !call.body.contains("_strongroom")) {
        if ["CreateSecret", "PutParameter"].contains(&call.action.as_str()) {
            together = together.max(call.in_flight);
        }
        *counts.entry(call.action).or_default() += 1;
    }
    (counts, together)
}

/// How often everything may be read that a migration writes: for the plan, the backup, before it is written, behind it,
/// for the references, and once more at the end.
const LOOKS: usize = 6;

#[test]
fn a_migration_of_200_to_a_secret_each_is_200_calls_to_create_and_all_reads_are_of_twenty() {
    let (cloud, env) = console(200);
    let (counts, together) = migrated(&cloud, &env, 200, "--to secretsmanager --secret-per-key");
    assert_eq!(counts["CreateSecret"], 200);
    assert!(counts["BatchGetSecretValue"] <= LOOKS * 10, "{counts:?}");
    assert_eq!(counts["UpdateEnvironment"], 1);
    for none in ["GetSecretValue", "DescribeSecret", "ListSecretVersionIds", "PutSecretValue"] {
        assert!(!counts.contains_key(none), "{counts:?}");
    }
    assert!((2..=8).contains(&together), "{together} under way together");
}

#[test]
fn a_migration_of_60_to_parameters_is_60_puts_and_all_reads_are_of_ten() {
    let (cloud, env) = console(60);
    let (counts, together) = migrated(&cloud, &env, 60, "--to ssm");
    assert_eq!(counts["PutParameter"], 60);
    assert!(counts["GetParameters"] <= LOOKS * 6, "{counts:?}");
    assert_eq!(counts["UpdateEnvironment"], 1);
    for none in ["GetParameter", "DescribeParameters", "GetParameterHistory"] {
        assert!(!counts.contains_key(none), "{counts:?}");
    }
    assert!((2..=8).contains(&together), "{together} under way together");
}

#[test]
fn a_migration_of_30_to_a_document_is_one_call_to_create_and_a_read_for_each_look() {
    let (cloud, env) = console(30);
    let (counts, _) = migrated(&cloud, &env, 30, "--to secretsmanager");
    assert_eq!(counts["CreateSecret"], 1);
    assert!(counts["GetSecretValue"] <= LOOKS, "{counts:?}");
    assert_eq!(counts["UpdateEnvironment"], 1);
    for none in ["DescribeSecret", "BatchGetSecretValue", "PutSecretValue"] {
        assert!(!counts.contains_key(none), "{counts:?}");
    }
}
