//! A rotation that is killed at every line of its journal and at every call that changes something, and one whose COMMIT is
//! never answered: every holder's login works at any moment, and `resume` or `undo` ends it.

use super::super::rig::site::{APP, BY_REFERENCE, BY_VALUE};
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
    let moments = moments(&calls);
    assert!(moments.len() >= 22, "{}: {calls:?}", moments.len());
    let (mut resumed, end) = (0, moments.last().map(|(at, ..)| *at));
    for (at, how, what) in moments {
        let is_over = Some(at) == end && how == How::After;
        small.restore(&files, &server);
        let (output, _) = shim::run_in(&small.env, "rotate database", "", Some((at, how)));
        assert_eq!(output.code, None, "{what}: {}", output.stderr);
        small.works(&what);
        let (left, then) = (Tree::of(&small.env), small.kept());
        let output = small.env.run("resume");
        assert_eq!(output.code, Some(0), "{what}: {}", output.stderr);
        let nothing = output.stderr.contains("nothing to resume");
        assert_eq!(small.works(&what), if nothing && !is_over { "app" } else { "app_b" }, "{what}");
        assert!(small.env.run("resume").stderr.contains("nothing to resume"), "{what}");
        small.restore(&left, &then);
        let output = small.env.run("undo");
        assert_eq!(output.code, Some(0), "{what}: {}", output.stderr);
        assert_eq!(small.works(&what), "app", "{what}");
        resumed += usize::from(!nothing);
    }
    assert!(resumed >= 14, "{resumed}");
}

/// The moments at which a run of these calls may be killed: before and after each line of the journal, so before and after
/// each effect too, and where something is replaced.
fn moments(calls: &[shim::Call]) -> Vec<(usize, How, String)> {
    let is_ours = |call: &shim::Call| {
        let ends = |path: &std::path::Path, name: &str| path.to_string_lossy().ends_with(name);
        let line = call.name == "write" && ends(&call.path, "journal.jsonl");
        line || (call.name == "rename" && (ends(&call.to, "local.age") || ends(&call.to, "chosen.age")))
    };
    let ours = calls.iter().enumerate().filter(|(_, call)| is_ours(call));
    let both = ours.flat_map(|(at, call)| {
        [How::Before, How::After].map(|how| {
            (at + 1, how, format!("{how:?} call {}, {} {}", at + 1, call.name, call.path.display()))
        })
    });
    both.collect()
}

/// One login alone: until the server has the new password an undo takes it back, from then on forward is the only way, and
/// what is sealed gets there from anywhere.
#[test]
fn a_rotation_of_one_login_that_is_killed_anywhere_is_finished_or_taken_back_while_that_can_be() {
    let (runtime, cluster, env) = local("single");
    let small = Small { cluster, env, runtime };
    small.env.run("rotate database --setup").success();
    let (files, server) = (Tree::of(&small.env), small.kept());
    let words = "rotate database --accept-downtime";
    let (output, calls) = shim::run_in(&small.env, words, "", None);
    output.success();
    let takes = |password: &str| super::takes(&small.runtime, &small.cluster, "app", password);
    let held = || small.env.run("get RDS_PASSWORD").success();
    let (mut gaps, mut back) = (0, 0);
    for (at, how, what) in moments(&calls) {
        small.restore(&files, &server);
        let (output, _) = shim::run_in(&small.env, words, "", Some((at, how)));
        assert_eq!(output.code, None, "{what}: {}", output.stderr);
        let (old_works, is_gap) = (takes(APP), !takes(&held()));
        let (left, then) = (Tree::of(&small.env), small.kept());
        let output = small.env.run("resume");
        assert_eq!(output.code, Some(0), "{what}: {}", output.stderr);
        let nothing = output.stderr.contains("nothing to resume");
        small.works(&what);
        assert_eq!(nothing && old_works, held() == APP, "{what}: an operation that was begun is finished");
        assert!(small.env.run("resume").stderr.contains("nothing to resume"), "{what}");

        small.restore(&left, &then);
        let output = small.env.run("undo");
        assert_eq!(output.code, Some(i32::from(!old_works)), "{what}: {}", output.stderr);
        if old_works {
            assert_eq!(held(), APP, "{what}");
            assert!(small.env.run("resume").stderr.contains("nothing to resume"), "{what}");
        } else {
            assert!(output.stderr.contains("the login from before (`app`) is refused by now"), "{what}");
            small.env.run("resume").success();
        }
        small.works(&what);
        gaps += usize::from(is_gap);
        back += usize::from(old_works && !nothing);
    }
    // What was only chosen is nobody's yet, and nothing to take back.
    assert!(gaps >= 4 && back >= 1, "{gaps} {back}");
}

/// The set-up of a server is one transaction, and is made again where it was cut off; what follows in home and in the copies
/// is an operation.
#[test]
fn a_set_up_that_is_killed_anywhere_is_finished_or_taken_back() {
    let world = World::bare(BY_REFERENCE);
    // What the server has of it stays: to make it again changes nothing.
    let base = {
        let files = Tree::of(&world.site.env);
        (files, world.site.cloud.world(|world| world.clone()))
    };
    let restore = |(files, cloud): &(Tree, cloud::World)| {
        files.restore(&world.site.env);
        world.site.cloud.heal();
        world.site.cloud.world(|world| *world = cloud.clone());
    };
    let words = "rotate database --setup";
    let (output, calls) = shim::run_in(&world.site.env, words, "", None);
    output.success();
    let (mut begun, mut back) = (0, 0);
    for (at, how, what) in moments(&calls) {
        restore(&base);
        let (output, _) = shim::run_in(&world.site.env, words, "", Some((at, how)));
        assert_eq!(output.code, None, "{what}: {}", output.stderr);
        world.holds(&what);
        world.lease_ends();
        let left = (Tree::of(&world.site.env), world.site.cloud.world(|world| world.clone()));
        let output = world.site.env.run("resume");
        assert_eq!(output.code, Some(0), "{what}: {}", output.stderr);
        let nothing = output.stderr.contains("nothing to resume");
        assert!(world.site.env.run("resume").stderr.contains("nothing to resume"), "{what}");
        begun += usize::from(!nothing);
        world.holds(&what);
        if nothing {
            world.rotate("database --setup").success();
        }
        assert_eq!(
            (world.site.referred().as_str(), world.site.is_in_order()),
            ("RDS_PASSWORD_A", true),
            "{what}"
        );

        restore(&left);
        if !nothing {
            let output = world.site.env.run("undo");
            assert_eq!(output.code, Some(0), "{what}: {}", output.stderr);
            world.holds(&what);
            assert_eq!(world.site.referred(), "RDS_PASSWORD", "{what}");
            back += 1;
        }
    }
    assert!(begun >= 8 && back >= 8, "{begun} {back}");
    world.rotate("database --setup").success();
    world.rotate("database").success();
    world.holds("and rotated");
}

#[test]
fn a_set_up_whose_commit_has_no_answer_is_made_again_and_harms_nobody() {
    for arrives in [true, false] {
        let world = World::bare(BY_VALUE);
        let (port, to) = (world.cluster.port().to_string(), cutter(&world.cluster, arrives));
        let manifest = world.site.env.read("strongroom.toml");
        world.site.env.write("strongroom.toml", manifest.replace(&port, &to.to_string()));
        let output = world.rotate("database --setup");
        assert_eq!(output.code, Some(1), "{}", output.stderr);
        assert!(output.stderr.contains("it is not known whether it is set up"), "{}", output.stderr);
        let there = world.ask("SELECT count(*) FROM pg_roles WHERE rolname = 'app_b'");
        assert_eq!(there, if arrives { "1" } else { "0" });
        let output = world.rotate("database --setup");
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert_eq!(output.stderr.contains("is set up"), arrives, "{}", output.stderr);
        world.site.env.write("strongroom.toml", manifest);
        world.rotate("database").success();
        world.holds("set up and rotated");
    }
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

pub(super) fn between(mut client: TcpStream, behind: u16, cut: &AtomicBool, arrives: bool) {
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
