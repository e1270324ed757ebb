//! Processes that work on one vault at the same time: no write is lost, and nobody is overwritten unseen.

use super::world::World;
use crate::support::env::Output;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::thread;
use strongroom::journal::Standing;

/// Sets each of these keys with a process of its own; tells the exit codes.
fn set_all(
    world: &World,
    keys: impl Iterator<Item = (String, String)>,
) -> Vec<(String, Option<i32>, String)> {
    keys.map(|(key, value)| {
        let output = set(world, &key, &value);
        (value, output.code, output.stderr)
    })
    .collect()
}

/// Sets one key. Where the other's newer value stood there before ours was read back, the operation is not verified: it is
/// ended as its error says, and is in nobody's way any more.
fn set(world: &World, key: &str, value: &str) -> Output {
    loop {
        let output = world.env.run_with_stdin(&format!("--yes set {key}"), value);
        if output.code == Some(7) && output.stderr.contains("and it covers") {
            continue;
        }
        if output.code == Some(7) && output.stderr.contains(OVERTAKEN) {
            let id =
                output.stderr.split("operation ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
            world.env.run(&format!("--yes resume {id} --skip-changed")).success();
        }
        return output;
    }
}

const OVERTAKEN: &str = "reading it back shows something else";

#[test]
fn two_hundred_keys_set_by_two_at_once_are_all_there() {
    let world = World::empty();
    let mut manifest = world.env.read("strongroom.toml");
    for number in 0..200 {
        writeln!(manifest, "KEY_{number} = {{ secret = true, optional = true }}").unwrap();
    }
    world.env.write("strongroom.toml", manifest);
    let pair = |number: usize| (format!("KEY_{number}"), format!("value of {number}"));
    let codes = thread::scope(|scope| {
        let halves = [0, 1].map(|half| {
            let world = &world;
            scope.spawn(move || set_all(world, (0..200).filter(|n| n % 2 == half).map(pair)))
        });
        halves.map(|half| half.join().unwrap()).concat()
    });
    for (value, code, stderr) in codes {
        assert_eq!(code, Some(0), "{value}: {stderr}");
    }
    assert_eq!(world.values().unwrap(), (0..200).map(pair).collect());
    let operations = world.operations().unwrap();
    assert_eq!(operations.len(), 200);
    assert!(operations.iter().all(|summary| summary.standing == Standing::Done));
}

#[test]
fn of_two_that_set_the_same_key_at_once_each_is_in_its_history_or_was_told() {
    let world = World::empty();
    let rounds = 9;
    let runs = thread::scope(|scope| {
        let two = ["left", "right"].map(|side| {
            let world = &world;
            let pairs = (0..rounds).map(move |round| ("NEW".to_owned(), format!("{side} {round}")));
            scope.spawn(move || set_all(world, pairs))
        });
        two.map(|side| side.join().unwrap()).concat()
    });
    let history: BTreeSet<String> = world.history("NEW").into_iter().collect();
    let ended: Vec<_> = runs.iter().map(|(_, code, _)| *code).collect();
    assert!(ended.iter().filter(|code| **code != Some(6)).count() >= rounds, "{ended:?}");
    for (value, code, stderr) in runs {
        match code {
            Some(0) => assert!(history.contains(&value), "{value} is lost"),
            Some(7) if stderr.contains(OVERTAKEN) => assert!(history.contains(&value), "{value} is lost"),
            Some(6) => assert!(!history.contains(&value), "{value} was refused, and is there"),
            other => panic!("{value}: exit {other:?}: {stderr}"),
        }
    }
    assert_eq!(world.unfinished().unwrap(), 0);
}
