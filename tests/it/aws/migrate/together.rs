//! Two people who migrate the same environment at once, each from a checkout of their own: one is stopped in the middle,
//! the other runs to the end, and the first goes on. Where it is stopped, what the other one wants and what else goes
//! wrong is chosen by a number.
//!
//! The law: containers see what they saw, at every end; each ends well or is told that somebody else is at it (exit 9) or
//! was (exit 6); and at least one of them, or their `resume`, brings the migration to an end that `status` agrees with.

use super::super::site::{BEANSTALK, CANARY, How, Site, signaller};
use super::super::telling::ensure;
use super::{from_properties, held_somewhere, seen_by_containers};
use crate::support::cloud::Effect;
use crate::support::env::{Output, STRONGROOM};
use rustix::process::Signal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

const SEEDS: u64 = 48;
const AT_ONCE: usize = 4;
const WORDS: &str = "--yes migrate --to secretsmanager";

/// What the other one wants.
const OTHERS: [&str; 3] =
    [WORDS, "--yes migrate --to secretsmanager --canary SENTRY_DSN", "--yes migrate --to ssm"];

fn run(site: &Site, words: &str, known: impl FnOnce(u32)) -> Output {
    let mut command = site.env.command(STRONGROOM);
    command.args(words.split_whitespace());
    site.env.finish_known(command, b"", known)
}

/// Whatever each of them has sealed, the containers see all, and a place holds it.
fn whole(site: &Site) -> Result<(), String> {
    seen_by_containers(site)?;
    site.cloud.world(held_somewhere)
}

/// How it went: who ended well, with what codes.
#[derive(Debug, Default)]
struct Tally {
    both: usize,
    clashes: usize,
    busy: usize,
    late: usize,
}

/// The end of a run; what stopped midway is gone on with once the other one is done.
fn ended(name: &str, site: &Site, output: Output) -> Result<i32, String> {
    let (mut code, mut told) = (output.code.unwrap_or(-1), output.stderr);
    for _ in 0..3 {
        if code != 7 {
            break;
        }
        site.lease_ends();
        let again = site.env.run("--yes resume");
        code = again.code.unwrap_or(-1);
        told += &again.stderr;
    }
    ensure(!told.contains(CANARY), || format!("{name} was told a value: {told}"))?;
    // Whose manifest is older than what is there finds references, and no values to move.
    // Who comes while the environment is being updated is told that, too.
    let nothing = ["nothing was changed", "lacks values for"];
    let late = code == 1 && nothing.iter().any(|said| told.contains(said)) && site.unfinished("prod")? == 0;
    ensure(late || matches!(code, 0 | 6 | 9), || format!("{name} ended with {code}: {told}"))?;
    Ok(code)
}

fn round(seed: u64, calls: usize, tally: &Mutex<Tally>) -> Result<(), String> {
    let first = from_properties(BEANSTALK);
    let second = Arc::new(first.colleague());
    let other = OTHERS[usize::try_from(seed % 3).unwrap()];
    let (id, theirs) = (Arc::new(OnceLock::new()), Arc::new(OnceLock::new()));
    let (stop, go_on) = (signaller(&id, Signal::STOP), signaller(&id, Signal::CONT));
    let meanwhile = {
        let (second, theirs) = (Arc::clone(&second), Arc::clone(&theirs));
        Arc::new(move || {
            stop();
            let _ = theirs.set(run(&second, other, |_| {}));
            go_on();
        })
    };
    let at = 1 + usize::try_from(seed).unwrap() * calls / usize::try_from(SEEDS).unwrap();
    let effect = match (seed / 7) % 2 {
        0 => Effect::Meanwhile(meanwhile.clone()),
        _ => Effect::Afterwards(meanwhile.clone()),
    };
    first.cloud.fault("*", at..=at, effect);
    let trouble =
        [None, Some(How::LoseReply), Some(How::InternalAfter)][usize::try_from(seed % 5 % 3).unwrap()];
    if let Some(how) = trouble {
        let later = at + 1 + usize::try_from(seed % 11).unwrap();
        let effect = if how == How::LoseReply { Effect::LoseReply } else { Effect::InternalAfter };
        first.cloud.fault("*", later..=later, effect);
    }
    let output = run(&first, WORDS, |known| id.set(known).unwrap());
    first.cloud.heal();
    if theirs.get().is_none() {
        let _ = theirs.set(run(&second, other, |_| {}));
    }
    drop(meanwhile);
    let theirs = Arc::into_inner(theirs).and_then(OnceLock::into_inner).ok_or("the second never ran")?;
    whole(&first)?;
    let codes = [ended("the second", &second, theirs)?, ended("the first", &first, output)?];
    whole(&first)?;
    ensure(codes.contains(&0), || format!("nobody came to an end: {codes:?}"))?;
    // Who came to an end has a manifest that tells what is there.
    let told: Vec<_> = [(&*second, codes[0]), (&first, codes[1])]
        .into_iter()
        .filter(|(_, code)| *code == 0)
        .map(|(site, _)| site.env.run("status --check"))
        .collect();
    let agrees = told.iter().any(|status| status.code == Some(0));
    ensure(agrees, || told.iter().map(|status| format!("{}{}", status.stdout, status.stderr)).collect())?;
    // What did not come to an end is taken back, and nothing of the other one's goes with it.
    for (site, code) in [(&*second, codes[0]), (&first, codes[1])] {
        if code == 6 && site.unfinished("prod")? > 0 {
            site.lease_ends();
            let output = site.env.run("--yes undo --skip-changed");
            ensure(output.code == Some(0), || format!("undo: exit {:?}: {}", output.code, output.stderr))?;
            whole(site).map_err(|why| format!("undo of the one who lost: {why}"))?;
        }
    }
    let mut tally = tally.lock().unwrap();
    match codes {
        [0, 0] => tally.both += 1,
        _ if codes.contains(&9) => tally.busy += 1,
        _ if codes.contains(&1) => tally.late += 1,
        _ => tally.clashes += 1,
    }
    Ok(())
}

#[test]
fn of_two_who_migrate_at_once_one_wins_and_the_containers_see_no_difference() {
    let calls = {
        let site = from_properties(BEANSTALK);
        let _ = site.run(WORDS, "", None).success();
        site.called().len()
    };
    let (next, failures, tally) = (AtomicU64::new(0), Mutex::new(Vec::new()), Mutex::new(Tally::default()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= SEEDS {
                        break;
                    }
                    if let Err(why) = round(seed, calls, &tally) {
                        failures.lock().unwrap().push(format!("round {seed}: {why}"));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {SEEDS}:\n{}", failures.len(), failures.join("\n"));
    let tally = tally.into_inner().unwrap();
    assert!(tally.busy > 3 && tally.both + tally.clashes + tally.late > 5, "{tally:?}");
}
