//! Two rotators at once, on two hosts: one rotates, the other is told who does; and one that slept past its lease, in the
//! worst moment, is stopped by the fence.

use super::super::rig::site::{BY_VALUE, Site};
use super::World;
use crate::aws::site::signaller;
use crate::support::cloud::Effect;
use crate::support::env::{STRONGROOM, TestEnv};
use rustix::process::Signal;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Another host that works on the same project.
fn colleague(site: &Site) -> TestEnv {
    let mut env = TestEnv::new().with_manifest(&site.env.read("strongroom.toml"));
    env.on(&site.cloud);
    env.set("STRONGROOM_POLL_INTERVAL_MS", "2");
    env.set("STRONGROOM_YES", "1");
    env.run("init").success();
    env
}

#[test]
fn of_two_at_once_one_rotates_and_the_other_changes_nothing() {
    let world = World::new(BY_VALUE);
    let other = colleague(&world.site);
    let mut kept_out = 0;
    for seed in 0..12_u64 {
        let before = world.login();
        let (ours, theirs) = std::thread::scope(|scope| {
            let late = scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(seed * 37 % 300));
                other.run("rotate database")
            });
            let ours = world.rotate("database");
            (ours, late.join().unwrap())
        });
        let codes = [ours.code, theirs.code];
        assert!(codes.contains(&Some(0)), "{seed}: {}\n{}", ours.stderr, theirs.stderr);
        for output in [&ours, &theirs] {
            // One that begins when the other has ended is a rotation like any other.
            assert!(matches!(output.code, Some(0 | 9)), "{seed}: {:?} {}", output.code, output.stderr);
            if output.code == Some(9) {
                assert!(output.stderr.contains("held by "), "{}", output.stderr);
                kept_out += 1;
            }
        }
        assert_ne!(world.login(), before);
        world.holds("after both");
        for host in [&world.site.env, &other] {
            assert!(host.run("resume").stderr.contains("nothing to resume"), "{seed}");
        }
    }
    assert!(kept_out >= 3, "they hardly ever met: {kept_out}");
}

/// Stops a rotator between the last look at its lease and its change, lets the lease end and another one do something, and
/// lets it go on. Tells how it ended.
fn sleeps(world: &World, other: &TestEnv, does: &str, unfenced: bool) -> crate::support::env::Output {
    let state = world.site.env.state("dev-app/prod");
    let id = Arc::new(OnceLock::new());
    let (stop, go_on) = (signaller(&id, Signal::STOP), signaller(&id, Signal::CONT));
    let stopped = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stopped);
    let watch = move || {
        if !seen.load(Ordering::SeqCst) && is_acting(&state) {
            stop();
            seen.store(true, Ordering::SeqCst);
        }
    };
    world.site.cloud.fault("ssm:GetParameters", 1.., Effect::Meanwhile(Arc::new(watch)));
    std::thread::scope(|scope| {
        let mut command = world.site.env.command(STRONGROOM);
        command.args(["rotate", "database"]);
        let sleeper =
            scope.spawn(move || world.site.env.finish_known(command, b"", |known| id.set(known).unwrap()));
        while !stopped.load(Ordering::SeqCst) {
            assert!(!sleeper.is_finished(), "it was never stopped");
            std::thread::sleep(Duration::from_millis(2));
        }
        world.site.cloud.heal();
        world.lease_ends();
        let output = other.run(does);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        if unfenced {
            world.sql("UPDATE strongroom.fence SET epoch = 0");
        }
        go_on();
        sleeper.join().unwrap()
    })
}

fn is_acting(state: &PathBuf) -> bool {
    let folders = std::fs::read_dir(state).into_iter().flatten().flatten();
    folders
        .map(|folder| folder.path().join("journal.jsonl"))
        .any(|path| std::fs::read_to_string(path).is_ok_and(|lines| lines.contains("\"alter\"")))
}

#[test]
fn one_that_slept_while_another_rotated_is_fenced_and_changes_nothing() {
    let world = World::new(BY_VALUE);
    let output = sleeps(&world, &colleague(&world.site), "rotate database", false);
    assert_eq!(output.code, Some(6), "{}", output.stderr);
    assert!(output.stderr.contains("has given `app_b` another password since"), "{}", output.stderr);
    assert_eq!(world.login().0, "app_b");
    world.holds("the other's rotation stands");
    assert!(world.site.env.run("resume").stderr.contains("nothing to resume"));
    world.rotate("database").success();
    world.holds("and the next one");
}

#[test]
fn without_the_fence_it_would_lock_everybody_out() {
    let world = World::new(BY_VALUE);
    let _ = sleeps(&world, &colleague(&world.site), "rotate database", true);
    assert!(!works(&world), "the test cannot fail");
}

/// Whether home's login works, and the one that runs in the containers.
fn works(world: &World) -> bool {
    let (user, password) = (world.get("RDS_USERNAME"), world.get("RDS_PASSWORD"));
    let running = world.site.running();
    world.takes(&user, &password) && world.takes(&running["RDS_USERNAME"], &running["RDS_PASSWORD"])
}

/// The role that an undo brings back is the one that the next rotation was about to change.
#[test]
fn one_that_slept_while_another_took_its_rotation_back_is_fenced_too() {
    for unfenced in [false, true] {
        let world = World::new(BY_VALUE);
        let other = colleague(&world.site);
        other.run("rotate database").success();
        let output = sleeps(&world, &other, "undo", unfenced);
        assert_eq!(world.login().0, "app", "{}", output.stderr);
        assert_eq!(works(&world), !unfenced, "{}", output.stderr);
        if !unfenced {
            assert_eq!(output.code, Some(6), "{}", output.stderr);
            assert!(output.stderr.contains("operation undo of 2"), "{}", output.stderr);
            world.holds("the undo stands");
            world.rotate("database").success();
            world.holds("and the next one");
        }
    }
}

/// One host stopped with its new pair on the way to home, another one gave the slot a password of its own and stopped too:
/// what the first had planned would lock everybody out.
#[test]
fn what_another_came_after_is_not_published_by_a_resume() {
    let world = World::new(BY_VALUE);
    let other = colleague(&world.site);
    let deny = || world.site.cloud.fault("ssm:PutParameter", 2..=4, Effect::Deny);
    deny();
    let output = world.rotate("database");
    assert_eq!(output.code, Some(7), "{}", output.stderr);
    world.site.cloud.heal();
    world.site.cloud.reset_calls();
    deny();
    let output = other.run("rotate database");
    assert_eq!(output.code, Some(7), "{}", output.stderr);
    world.site.cloud.heal();
    let before = world.login();
    let output = world.site.env.run("resume");
    assert_eq!(output.code, Some(6), "{}", output.stderr);
    assert!(output.stderr.contains("has given `app_b` another password since"), "{}", output.stderr);
    assert_eq!(world.login(), before);
    world.holds("nothing of the first is anywhere");
    other.run("resume").success();
    assert_eq!(world.login().0, "app_b");
    world.holds("the second is finished");
}
