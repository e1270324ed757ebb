//! A rotation that is killed at every line of its journal and at every call that changes something, and one whose COMMIT is
//! never answered: every holder's login works at any moment, and `resume` or `undo` ends it.

use super::super::rig::site::{APP, BY_REFERENCE};
use super::{World, local};
use crate::aws::site::killer;
use crate::crash::shim::{self, How};
use crate::support::cloud::{self, Effect};
use crate::support::env::{Output, STRONGROOM, TestEnv};
use crate::support::postgres::Cluster;
use crate::support::tree::Tree;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// What a server keeps of the two logins, as the statements that put it back.
const KEPT: &str =
    "SELECT string_agg(format('ALTER ROLE %I PASSWORD %L', rolname, rolpassword), ';') FROM pg_authid
    WHERE rolname IN ('app', 'app_b')";
const FENCES: &str =
    "SELECT string_agg(format('UPDATE strongroom.fence SET epoch = %s, operation = %L WHERE role = %L',
    epoch, operation, role), ';') FROM strongroom.fence";

#[derive(Clone)]
struct Still {
    files: Tree,
    server: [String; 2],
    cloud: cloud::World,
}

impl World {
    fn still(&self) -> Still {
        let server = [self.ask(KEPT), self.ask(FENCES)];
        let cloud = self.site.cloud.world(|world| world.clone());
        Still { files: Tree::of(&self.site.env), server, cloud }
    }

    fn restore(&self, still: &Still) {
        still.files.restore(&self.site.env);
        still.server.iter().for_each(|statements| self.sql(statements));
        self.site.cloud.heal();
        self.site.cloud.world(|world| *world = still.cloud.clone());
    }

    /// Runs the binary, killed at a call that changes something in the cloud.
    fn killed(&self, words: &str, (action, at): (&str, usize), after: bool) -> Output {
        self.site.cloud.heal();
        self.site.cloud.reset_calls();
        let id = Arc::new(OnceLock::new());
        let kill = killer(&id);
        let effect = if after { Effect::KillAfter(kill) } else { Effect::KillBefore(kill) };
        self.site.cloud.fault(action, at..=at, effect);
        let mut command = self.site.env.command(STRONGROOM);
        command.args(words.split_whitespace());
        let output = self.site.env.finish_known(command, b"", |known| id.set(known).unwrap());
        self.site.cloud.heal();
        output
    }

    /// The time passes that the lease of a killed process lives.
    pub(super) fn lease_ends(&self) {
        self.site.cloud.world(|world| {
            world.ssm.age("/dev-app/_strongroom/prod/lease", 600);
            world.secrets.age("dev-app/_strongroom/prod/lease", 600);
        });
    }
}

#[test]
fn a_rotation_that_is_killed_at_a_call_that_changes_something_is_finished_or_taken_back() {
    let world = World::new(BY_REFERENCE);
    let base = world.still();
    let mut begun = 0;
    let lease = 1;
    // The lease, the staged password, the two of the pair and the URL, and what gives the lease back; the deployment.
    let calls =
        (lease..=5).map(|at| ("ssm:PutParameter", at)).chain([("elasticbeanstalk:UpdateEnvironment", 1)]);
    for (number, (call, after)) in calls.flat_map(|call| [(call, false), (call, true)]).enumerate() {
        let what = format!("{call:?} {}", if after { "after" } else { "before" });
        world.restore(&base);
        let output = world.killed("rotate database", call, after);
        assert_eq!(output.code, None, "{what}: {}", output.stderr);
        world.copies_hold(&what);
        world.lease_ends();
        let unfinished = !world.site.env.run("resume --dry-run").stderr.contains("nothing to resume");
        begun += usize::from(unfinished);
        if number % 2 == 0 {
            let output = world.site.env.run("resume");
            assert_eq!(output.code, Some(0), "{what}: {}", output.stderr);
            assert_eq!(world.login().0, if unfinished { "app_b" } else { "app" }, "{what}");
            let again = world.site.env.run("resume");
            assert!(again.stderr.contains("nothing to resume"), "{what}: {}", again.stderr);
        } else if unfinished {
            let output = world.site.env.run("undo");
            assert_eq!(output.code, Some(0), "{what}: {}", output.stderr);
            assert_eq!(world.login(), ("app".to_owned(), APP.to_owned()), "{what}");
            // What a reference leads to was written twice meanwhile, and the copy does not know of it.
            world.site.env.run("sync").success();
        }
        world.holds(&what);
        assert!(world.site.is_in_order(), "{what}");
    }
    assert!(begun >= 8, "{begun}");
    world.rotate("database").success();
    world.holds("and again");
}

/// The same project with a vault and without copies, where a run takes little time.
struct Small {
    cluster: Cluster,
    env: TestEnv,
    runtime: tokio::runtime::Runtime,
}

impl Small {
    fn works(&self, when: &str) -> String {
        let get = |key: &str| self.env.run(&format!("get {key}")).success();
        let (user, password) = (get("RDS_USERNAME"), get("RDS_PASSWORD"));
        assert!(super::takes(&self.runtime, &self.cluster, &user, &password), "{when}: {user} is refused");
        user
    }

    fn kept(&self) -> [String; 2] {
        [KEPT, FENCES].map(|query| self.runtime.block_on(self.cluster.ask(query)))
    }

    fn restore(&self, files: &Tree, server: &[String; 2]) {
        files.restore(&self.env);
        server.iter().for_each(|statements| self.runtime.block_on(self.cluster.sql(statements)));
    }
}

#[test]
fn a_rotation_that_is_killed_at_any_line_of_its_journal_is_finished_or_taken_back() {
    let (runtime, cluster, env) = local("alternating");
    let small = Small { cluster, env, runtime };
    small.env.run("rotate database --setup").success();
    let (files, server) = (Tree::of(&small.env), small.kept());
    let (output, calls) = shim::run_in(&small.env, "rotate database", "", None);
    output.success();
    let is_ours = |call: &shim::Call| {
        let ends = |path: &std::path::Path, name: &str| path.to_string_lossy().ends_with(name);
        let line = call.name == "write" && ends(&call.path, "journal.jsonl");
        line || (call.name == "rename" && (ends(&call.to, "local.age") || ends(&call.to, "chosen.age")))
    };
    let places: Vec<usize> =
        calls.iter().enumerate().filter(|(_, call)| is_ours(call)).map(|(at, _)| at + 1).collect();
    assert!(places.len() >= 11, "{}: {calls:?}", places.len());
    let mut resumed = 0;
    for at in places {
        let call = &calls[at - 1];
        let what = format!("before call {at}, {} {}", call.name, call.path.display());
        small.restore(&files, &server);
        let (output, _) = shim::run_in(&small.env, "rotate database", "", Some((at, How::Before)));
        assert_eq!(output.code, None, "{what}: {}", output.stderr);
        small.works(&what);
        let (left, then) = (Tree::of(&small.env), small.kept());
        let output = small.env.run("resume");
        assert_eq!(output.code, Some(0), "{what}: {}", output.stderr);
        let nothing = output.stderr.contains("nothing to resume");
        assert_eq!(small.works(&what), if nothing { "app" } else { "app_b" }, "{what}");
        assert!(small.env.run("resume").stderr.contains("nothing to resume"), "{what}");
        small.restore(&left, &then);
        let output = small.env.run("undo");
        assert_eq!(output.code, Some(0), "{what}: {}", output.stderr);
        assert_eq!(small.works(&what), "app", "{what}");
        resumed += usize::from(!nothing);
    }
    assert!(resumed >= 7, "{resumed}");
}

/// The end of an old login is the last thing, and what was begun of it is finished.
#[test]
fn an_end_of_the_old_login_that_is_cut_off_is_finished_and_never_taken_back() {
    let (runtime, cluster, env) = local("alternating");
    let small = Small { cluster, env, runtime };
    small.env.run("rotate database --setup").success();
    let (files, server) = (Tree::of(&small.env), small.kept());
    let words = "rotate database --compromised";
    let (output, calls) = shim::run_in(&small.env, words, "", None);
    output.success();
    let is_line = |call: &shim::Call| call.name == "write" && call.path.ends_with("journal.jsonl");
    let lines = calls.iter().enumerate().filter(|(_, call)| is_line(call)).map(|(at, _)| at + 1);
    // Acting and acted of both effects, and the end.
    for at in lines.collect::<Vec<_>>().into_iter().rev().take(5) {
        small.restore(&files, &server);
        let (output, _) = shim::run_in(&small.env, words, "", Some((at, How::Before)));
        assert_eq!(output.code, None, "{at}: {}", output.stderr);
        assert_eq!(small.works("cut off"), "app_b");
        let ended = !super::takes(&small.runtime, &small.cluster, "app", APP);
        let undo = small.env.run("undo --dry-run");
        assert_eq!(undo.code, Some(i32::from(ended)), "{at}: {}", undo.stderr);
        small.env.run("resume").success();
        assert_eq!(small.works("resumed"), "app_b");
        assert!(!super::takes(&small.runtime, &small.cluster, "app", APP), "{at}");
        assert!(small.env.run("resume").stderr.contains("nothing to resume"));
    }
}

/// Somebody between the client and the server, who cuts the first connection in which COMMIT is sent: before it arrives,
/// or after it was answered.
fn cutter(cluster: &Cluster, arrives: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, behind) = (listener.local_addr().unwrap().port(), cluster.port());
    std::thread::spawn(move || {
        let cut = Arc::new(AtomicBool::new(false));
        for client in listener.incoming() {
            let (client, cut) = (client.unwrap(), Arc::clone(&cut));
            std::thread::spawn(move || between(client, behind, &cut, arrives));
        }
    });
    port
}

fn between(mut client: TcpStream, behind: u16, cut: &AtomicBool, arrives: bool) {
    let mut server = TcpStream::connect(("127.0.0.1", behind)).unwrap();
    let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let answering = std::thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let mut asked = vec![0; 65536];
    while let Ok(length @ 1..) = client.read(&mut asked) {
        let commits = asked[..length].windows(7).any(|word| word == b"COMMIT\0");
        if commits && !cut.swap(true, Ordering::SeqCst) {
            // Nobody hears the answer, if there is one.
            client.shutdown(Shutdown::Both).unwrap();
            if !arrives {
                break;
            }
        }
        if server.write_all(&asked[..length]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Write);
    answering.join().unwrap();
}

#[test]
fn a_commit_without_an_answer_is_looked_into_and_is_made_again_only_where_it_was_not_made() {
    for (arrives, changes) in [(true, 1), (false, 2)] {
        let (runtime, cluster, env) = local("alternating");
        env.run("rotate database --setup").success();
        let port = cutter(&cluster, arrives);
        let manifest = env.read("strongroom.toml");
        env.write("strongroom.toml", manifest.replace(&cluster.port().to_string(), &port.to_string()));
        let output = env.run("rotate database");
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        let sent = cluster.log().matches("ALTER ROLE \"app_b\" PASSWORD 'SCRAM").count();
        assert_eq!(sent, changes, "arrives: {arrives}");
        let password = env.run("get RDS_PASSWORD").success();
        assert!(super::takes(&runtime, &cluster, "app_b", &password));
    }
}
