//! Other ways of a rotation: a login that somebody knows, one login alone, URLs that hold it, a tunnel; and what can be read
//! of a password afterwards.

use super::super::rig::site::{APP, BY_REFERENCE, BY_VALUE, Kind, ROTATOR};
use super::crash::between;
use super::{World, local, takes};
use crate::support::cloud::Effect;
use crate::support::env::TestEnv;
use crate::support::postgres::{Cluster, HOST};
use crate::support::tree::Tree;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

#[test]
fn a_login_that_somebody_knows_ends_with_the_rotation_and_so_do_its_sessions() {
    let world = World::new(BY_REFERENCE);
    let old = world.runtime.block_on(world.cluster.app("app", APP));
    let output = world.rotate("database --compromised");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("its sessions are ended"), "{}", output.stderr);
    for not_so in ["goes on working", "strongroom undo"] {
        assert!(!output.stderr.contains(not_so), "{}", output.stderr);
    }
    assert!(!world.takes("app", APP));
    world.runtime.block_on(old.simple_query("SELECT 1")).unwrap_err();
    world.holds("compromised");
    let output = world.site.env.run("undo");
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("the login from before (`app`) is refused by now"), "{}", output.stderr);
    world.holds("not undone");
    world.rotate("database").success();
    assert_eq!(world.login().0, "app");
    world.holds("and back");
}

#[test]
fn one_login_alone_is_down_for_a_while_and_only_where_that_is_accepted() {
    let world = World::bare(Kind { strategy: "single", ..BY_VALUE });
    world.rotate("database --setup").success();
    assert_eq!(world.ask("SELECT count(*) FROM pg_roles WHERE rolname = 'app_b'"), "0");
    let output = world.rotate("database");
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    assert!(output.stderr.contains("--accept-downtime"), "{}", output.stderr);
    // Stopped in the gap: forward is the only way.
    world.site.cloud.fault("ssm:PutParameter", 2..=2, Effect::Deny);
    let output = world.rotate("database --accept-downtime");
    assert_eq!(output.code, Some(7), "{}", output.stderr);
    assert!(output.stderr.contains("nobody there can log in anew"), "{}", output.stderr);
    assert!(!output.stderr.contains("strongroom undo"), "{}", output.stderr);
    let listed = world.site.env.run("operations").stderr;
    assert!(
        listed.contains("finishes what is unfinished") && !listed.contains("strongroom undo"),
        "{listed}"
    );
    world.site.cloud.heal();
    assert!(!world.takes("app", APP), "the gap");
    let output = world.site.env.run("undo");
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("`strongroom resume 2"), "{}", output.stderr);
    world.site.env.run("resume").success();
    world.holds("resumed");
    assert_eq!(world.site.env.run("undo").code, Some(1));
    let again = world.rotate("database --accept-downtime");
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(!again.stderr.contains("strongroom undo"), "{}", again.stderr);
    world.holds("again");
    assert_eq!(world.login().0, "app");
}

#[test]
fn a_url_that_holds_the_login_gets_the_new_one_and_keeps_every_other_byte() {
    let world = World::new(BY_VALUE);
    let manifest = world.site.env.read("strongroom.toml");
    let manifest = manifest
        .replace("DATABASE_URL = {", "CELERY_URL = { secret = true }\nDATABASE_URL = {")
        .replace("every = \"90d\"", "every = \"90d\"\nurls = [\"CELERY_URL\"]");
    world.site.env.write("strongroom.toml", manifest);
    let around =
        |login: &str| format!("db+postgis://{login}@h1:1,h2:2/db?sslmode=require&options=-c%20x%3Dy#z");
    world.site.set("CELERY_URL", &around("app:somebody-elses"));
    world.site.env.run("sync").success();
    let output = world.rotate("database");
    assert_eq!(output.code, Some(8), "{}", output.stderr);
    assert!(output.stderr.contains("another login"), "{}", output.stderr);
    world.site.set("CELERY_URL", &around(&format!("app:{}", APP.replace('c', "%63"))));
    world.site.env.run("sync").success();
    for _ in 0..2 {
        world.rotate("database").success();
        let (user, password) = world.login();
        assert_eq!(world.get("CELERY_URL"), around(&format!("{user}:{password}")));
        assert_eq!(world.site.running()["CELERY_URL"], around(&format!("{user}:{password}")));
    }
}

/// The manifest names a host that only a tunnel leads to, and asks for its certificate.
fn proven(cluster: &Cluster, env: &TestEnv) {
    std::fs::copy(cluster.authority(), env.path("rds.pem")).unwrap();
    let manifest = env.read("strongroom.toml");
    let manifest = manifest
        .replace("value = \"127.0.0.1\"", &format!("value = \"{HOST}\""))
        .replace("{ mode = \"disable\" }", "{ mode = \"verify-full\", ca = \"rds.pem\" }");
    env.write("strongroom.toml", manifest);
}

#[test]
fn through_a_tunnel_the_certificate_is_still_the_servers_and_a_resume_knows_the_way() {
    let (runtime, cluster, env) = local("alternating");
    proven(&cluster, &env);
    let via = format!("--via 127.0.0.1:{}", cluster.port());
    env.run(&format!("rotate database --setup {via}")).success();
    let output = env.run("rotate database");
    assert_ne!(output.code, Some(0));
    assert!(output.stderr.contains(HOST) && output.stderr.contains("--via HOST:PORT"), "{}", output.stderr);
    let output = env.run(&format!("rotate database {via}"));
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let password = env.run("get RDS_PASSWORD").success();
    assert!(takes(&runtime, &cluster, "app_b", &password));
    // The journal knows the way, for `resume` and `undo`.
    env.run("undo").success();
    assert_eq!(env.run("get RDS_USERNAME").success(), "app");
    env.write("strongroom.toml", env.read("strongroom.toml").replace(HOST, "localhost.example"));
    let output = env.run(&format!("rotate database {via}"));
    assert!(output.stderr.contains("certificate is for another name"), "{}", output.stderr);
}

/// A tunnel to the server that can be taken down.
struct Tunnel {
    port: u16,
    down: Arc<AtomicBool>,
    accepting: JoinHandle<()>,
}

impl Tunnel {
    fn to(cluster: &Cluster) -> Tunnel {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, behind) = (listener.local_addr().unwrap().port(), cluster.port());
        let down = Arc::new(AtomicBool::new(false));
        let is_down = Arc::clone(&down);
        let accepting = std::thread::spawn(move || {
            for client in listener.incoming() {
                if is_down.load(Ordering::SeqCst) {
                    return;
                }
                std::thread::spawn(move || between(client.unwrap(), behind, &AtomicBool::new(true), true));
            }
        });
        Tunnel { port, down, accepting }
    }

    fn take_down(self) {
        self.down.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        self.accepting.join().unwrap();
    }
}

#[test]
fn what_goes_on_goes_another_way_where_that_is_said() {
    let (runtime, cluster, env) = local("alternating");
    proven(&cluster, &env);
    let (tunnel, other) = (Tunnel::to(&cluster), format!("--via 127.0.0.1:{}", cluster.port()));
    env.run(&format!("rotate database --setup {other}")).success();
    runtime.block_on(cluster.sql("ALTER ROLE app_b CONNECTION LIMIT 0"));
    assert_eq!(env.run(&format!("rotate database --via 127.0.0.1:{}", tunnel.port)).code, Some(7));
    tunnel.take_down();
    runtime.block_on(cluster.sql("ALTER ROLE app_b CONNECTION LIMIT -1"));
    for words in ["resume", "undo"] {
        let output = env.run(words);
        assert!(output.stderr.contains("`--via HOST:PORT` takes a tunnel's near end"), "{}", output.stderr);
    }
    env.run(&format!("resume {other}")).success();
    assert_eq!(env.run("get RDS_USERNAME").success(), "app_b");
    assert!(env.run("undo").stderr.contains("--via HOST:PORT"));
    env.run(&format!("undo {other}")).success();
    assert_eq!(env.run("get RDS_USERNAME").success(), "app");
    // What has no server has no way to it.
    env.run_with_stdin("set RDS_PASSWORD", "x").success();
    let output = env.run(&format!("undo {other}"));
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    assert!(output.stderr.contains("is no rotation"), "{}", output.stderr);
}

#[test]
fn what_was_begun_as_one_kind_is_not_gone_on_with_as_another() {
    let (runtime, cluster, env) = local("alternating");
    env.run("rotate database --setup").success();
    // The server learns the new password, and nobody can tell whether it works.
    runtime.block_on(cluster.sql("ALTER ROLE app_b CONNECTION LIMIT 0"));
    assert_eq!(env.run("rotate database").code, Some(7));
    runtime.block_on(cluster.sql("ALTER ROLE app_b CONNECTION LIMIT -1"));
    let manifest = env.read("strongroom.toml");
    let line = 1 + manifest.lines().position(|line| line == "[rotate.database]").unwrap();
    let (before, _) = manifest.split_once("[rotate.database]").unwrap();
    let random = format!("{before}[rotate.database]\nkind = \"random\"\nkeys = [\"RDS_PASSWORD\"]\n")
        .replace(
            "RDS_PASSWORD = { secret = true }",
            "RDS_PASSWORD = { secret = true, generate = \"url-safe\" }",
        );
    let single = manifest.replace("\"alternating\"", "\"single\"");
    for (text, is) in [(single, "postgres-single"), (random, "random")] {
        env.write("strongroom.toml", text);
        for words in ["resume", "undo", "resume --skip-changed"] {
            let output = env.run(words);
            assert_eq!(output.code, Some(4), "{words}: {}", output.stderr);
            let told = format!("strongroom.toml:{line}: `database` is `{is}` here");
            for part in
                [&told, "begun when it was `postgres-alternating`", "set it back, then `strongroom resume 2"]
            {
                assert!(output.stderr.contains(part), "`{part}` is not in: {}", output.stderr);
            }
        }
    }
    env.write("strongroom.toml", manifest);
    env.run("resume").success();
    let password = env.run("get RDS_PASSWORD").success();
    assert!(takes(&runtime, &cluster, "app_b", &password));
}

/// A login that comes back is tried first, and that takes the rotation; and nobody rotates meanwhile.
#[test]
fn a_login_is_not_brought_back_by_whoever_cannot_try_it_nor_beside_a_rotation() {
    for strategy in ["alternating", "single"] {
        let (runtime, cluster, env) = local(strategy);
        env.run("rotate database --setup").success();
        env.run("rotate database --accept-downtime").success();
        let held = || (env.run("get RDS_USERNAME").success(), env.run("get RDS_PASSWORD").success());
        let (manifest, now) = (env.read("strongroom.toml"), held());
        let (before, _) = manifest.split_once("[rotate.database]").unwrap();
        let follow = format!(
            "{before}[rotate.database]\nkind = \"follow\"\nsecret = \"arn:aws:secretsmanager:us-east-1:111122223333:secret:x-AbCdEf\"\n\
             keys = {{ RDS_USERNAME = \"username\", RDS_PASSWORD = \"password\" }}\n"
        );
        for text in [manifest.replace("[rotate.database]", "[rotate.login]"), before.to_owned(), follow] {
            env.write("strongroom.toml", text);
            let output = env.run("undo");
            assert_eq!(output.code, Some(4), "{}", output.stderr);
            assert_eq!(held(), now);
        }
        env.write("strongroom.toml", manifest);
        if strategy == "single" {
            assert_eq!(env.run("undo").code, Some(1));
            continue;
        }
        let lease = std::fs::File::options().write(true).open(env.state("dev-app/local/lease")).unwrap();
        lease.lock().unwrap();
        let output = env.run("undo");
        assert_eq!(output.code, Some(9), "{}", output.stderr);
        assert_eq!(held(), now);
        lease.unlock().unwrap();
        env.run("undo").success();
        let (user, password) = held();
        assert_eq!(user, "app");
        assert!(takes(&runtime, &cluster, &user, &password));
    }
}

/// Everything that an operator of the server or of this host could look at.
fn readable(world: &World) -> Vec<(String, Vec<u8>)> {
    let mut seen = vec![("the server's log".to_owned(), world.cluster.log().into_bytes())];
    for query in [
        "SELECT string_agg(query, E'\\n') FROM pg_stat_activity",
        "SELECT string_agg(rolname || ' ' || coalesce(rolpassword, ''), E'\\n') FROM pg_authid",
        "SELECT string_agg(f::text, E'\\n') FROM strongroom.fence f",
    ] {
        seen.push((query.to_owned(), world.ask(query).into_bytes()));
    }
    if world.ask("SHOW shared_preload_libraries").contains("pg_stat_statements") {
        world.sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
        let query = "SELECT string_agg(query, E'\\n') FROM pg_stat_statements";
        seen.push((query.to_owned(), world.ask(query).into_bytes()));
    }
    let tree = Tree::of(&world.site.env);
    seen.extend(tree.files().map(|path| (path.display().to_string(), tree.bytes(path).to_vec())));
    seen
}

/// Where one of these can be read.
fn leaks(world: &World, said: &str, values: &[&str]) -> Vec<String> {
    let mut seen = readable(world);
    seen.push(("what was said".to_owned(), said.as_bytes().to_vec()));
    let shows = |bytes: &[u8], value: &str| bytes.windows(value.len()).any(|part| part == value.as_bytes());
    let found = seen.iter().filter(|(_, bytes)| values.iter().any(|value| shows(bytes, value)));
    found.map(|(place, _)| place.clone()).collect()
}

#[test]
fn no_password_is_in_the_servers_log_nor_in_anything_that_this_host_keeps_or_says() {
    let world = World::new(BY_VALUE);
    let mut said = String::new();
    let mut passwords = Vec::new();
    for words in ["-v rotate database", "-v --json rotate database --compromised"] {
        let mut command = world.site.env.command(crate::support::env::STRONGROOM);
        command.args(words.split(' ')).env("RUST_LOG", "trace");
        let output = world.site.env.finish(command, b"");
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        said += &output.stdout;
        said += &output.stderr;
        passwords.push(world.login().1);
    }
    // Failures are where a server repeats a statement.
    world.sql("REVOKE UPDATE ON strongroom.fence FROM rotator");
    let output = world.rotate("database");
    assert_ne!(output.code, Some(0));
    said += &output.stderr;
    let values: Vec<&str> = passwords.iter().map(String::as_str).collect();
    assert_eq!(leaks(&world, &said, &values), Vec::<String>::new());
    assert!(!said.contains(ROTATOR) && !said.contains(APP));
    assert!(world.cluster.log().contains("PASSWORD 'SCRAM-SHA-256$4096:"), "the log tells of no change");
    // The same look finds what a password in clear leaves behind.
    world.sql(&format!("ALTER ROLE app PASSWORD '{}'", passwords[1]));
    assert!(leaks(&world, "", &values).contains(&"the server's log".to_owned()));
}
