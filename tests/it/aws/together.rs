//! Two people who change the same keys at once: one is stopped in the middle, the other runs to the end, and the first
//! goes on. Where it is stopped, and what else goes wrong, is chosen by a number.
//!
//! The law: nobody is overwritten unseen. Who ended well had its value in force; who covered it had seen it, or was told
//! (exit 6) and the other value is in the place's history. One moment is left out, and counted: AWS deletes a parameter
//! and updates an environment without looking, so whoever sleeps between its last look and that very call covers what
//! came meanwhile.

use super::site::{BEANSTALK, CANARY, How, Kind, SECRETS_MANAGER, SSM, Site, signaller};
use crate::support::cloud::Effect;
use crate::support::env::{Output, STRONGROOM};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

const SEEDS: u64 = 100;
const AT_ONCE: usize = 4;

/// What somebody wants.
#[derive(Debug, Clone)]
struct Wish {
    words: &'static str,
    stdin: String,
    /// By key; nothing is a deletion.
    wants: BTreeMap<&'static str, Option<String>>,
}

impl Wish {
    /// What the person of that name wants in the round of that number.
    fn of(name: &str, seed: u64) -> Wish {
        let value = |key: &str| Some(format!("{CANARY}-{name}-{key}-{seed}"));
        let import = |keys: [&'static str; 2]| Wish {
            words: "--yes import values.json",
            stdin: String::new(),
            wants: keys.map(|key| (key, value(key))).into(),
        };
        match (seed % 4, name) {
            (0, _) => Wish {
                words: "--yes set SECRET_KEY",
                stdin: value("SECRET_KEY").unwrap(),
                wants: [("SECRET_KEY", value("SECRET_KEY"))].into(),
            },
            (1, "first") => import(["SECRET_KEY", "EMAIL_CC"]),
            (1, _) => import(["SECRET_KEY", "TOKEN"]),
            (2, "first") => {
                Wish { words: "--yes delete TOKEN", stdin: String::new(), wants: [("TOKEN", None)].into() }
            }
            (3, "second") => Wish {
                words: "--yes delete SECRET_KEY",
                stdin: String::new(),
                wants: [("SECRET_KEY", None)].into(),
            },
            (3, _) => import(["SECRET_KEY", "TOKEN"]),
            _ => Wish {
                words: "--yes set TOKEN",
                stdin: value("TOKEN").unwrap(),
                wants: [("TOKEN", value("TOKEN"))].into(),
            },
        }
    }

    fn run(&self, site: &Site, known: impl FnOnce(u32)) -> Output {
        let values: BTreeMap<_, _> =
            self.wants.iter().filter_map(|(key, value)| Some((key, value.as_ref()?))).collect();
        site.env.write("values.json", serde_json::to_string(&values).unwrap());
        let mut command = site.env.command(STRONGROOM);
        command.args(self.words.split_whitespace());
        site.env.finish_known(command, self.stdin.as_bytes(), known)
    }
}

/// How one of the two ended, and all that it was told.
struct Ended {
    name: &'static str,
    wish: Wish,
    code: i32,
    told: String,
}

impl Ended {
    /// The end of a run; what stopped midway is resumed.
    fn of(name: &'static str, site: &Site, wish: Wish, output: Output) -> Result<Ended, String> {
        let mut ended = Ended { name, wish, code: output.code.unwrap_or(-1), told: output.stderr };
        for _ in 0..3 {
            if ended.code != 7 {
                break;
            }
            site.lease_ends();
            let again = site.env.run("--yes resume");
            ended.code = again.code.unwrap_or(-1);
            ended.told += &again.stderr;
        }
        let Ended { code, told, .. } = &ended;
        if !matches!(code, 0 | 6 | 9) {
            return Err(format!("{name} ended with {code}: {told}"));
        }
        if told.contains(CANARY) {
            return Err(format!("{name} was told a value: {told}"));
        }
        let clash =
            ["changed by somebody else", "somebody else changed"].iter().any(|said| told.contains(said));
        if *code == 6 && !clash {
            return Err(format!("{name} was not told what the clash is: {told}"));
        }
        Ok(ended)
    }
}

/// Nobody of these two was overwritten unseen.
fn law(
    sites: [&Site; 2],
    ended: [&Ended; 2],
    before: &BTreeMap<&str, Option<String>>,
    blind: bool,
) -> Result<(), String> {
    for (site, own, other) in [(sites[0], ended[0], ended[1]), (sites[1], ended[1], ended[0])] {
        for (key, wanted) in &own.wish.wants {
            let now = site.value(key);
            let theirs = other.wish.wants.get(key);
            if own.code == 9 && *wanted == now && Some(&now) != theirs && now != before[key] {
                return Err(format!("{} was told that it is busy, and {key} is its own", own.name));
            }
            let known = now == *wanted || Some(&now) == theirs || now == before[key];
            if !known {
                return Err(format!("{key} is nobody's: {now:?}"));
            }
            if own.code != 0 || now == *wanted {
                continue;
            }
            // It ended well, and is covered: by somebody who saw its value, or who was told.
            if Some(&now) != theirs {
                return Err(format!("{} ended well, and {key} is {now:?}", own.name));
            }
            let other_site = if own.name == "first" { sites[1] } else { sites[0] };
            let seen = other_site.found(key) == Some(wanted.clone());
            let kept = wanted.as_ref().is_none_or(|value| site.past(key).contains(value));
            let told = other.code == 6 && kept;
            let asleep = blind && own.name == "second";
            if !(seen || told || asleep) {
                return Err(format!("{} was overwritten at {key}, unseen: {}", own.name, other.told));
            }
        }
    }
    Ok(())
}

/// How it went.
#[derive(Debug, Default)]
struct Tally {
    well: usize,
    clashes: usize,
    busy: usize,
    /// Rounds in which the first slept where AWS does not look.
    blind: usize,
}

/// Calls before which the place is looked at, and which do not look themselves.
const BLIND: [&str; 2] = ["ssm:DeleteParameter", "elasticbeanstalk:UpdateEnvironment"];

/// One round: the first is stopped at a call of its own while the second runs.
fn round(kind: Kind, seed: u64, tally: &Mutex<Tally>) -> Result<(), String> {
    let first = Site::filled(kind);
    first.seed("app", &[("SECRET_KEY", "canary-key"), ("TOKEN", "canary-token")]);
    let second = first.colleague();
    let before: BTreeMap<&str, Option<String>> =
        ["SECRET_KEY", "EMAIL_CC", "TOKEN"].map(|key| (key, first.value(key))).into();
    let wishes = [Wish::of("first", seed), Wish::of("second", seed)];
    let id = Arc::new(OnceLock::new());
    let theirs = Arc::new(OnceLock::new());
    let (stop, go_on) = (signaller(&id, Signal::STOP), signaller(&id, Signal::CONT));
    let second = Arc::new(second);
    let meanwhile = {
        let (second, wish, theirs) = (Arc::clone(&second), wishes[1].clone(), Arc::clone(&theirs));
        Arc::new(move || {
            stop();
            let _ = theirs.set(wish.run(&second, |_| {}));
            go_on();
        })
    };
    // The numbers are spread so that each call, before and after it, comes with each trouble.
    let at = usize::try_from(1 + (seed / 4) % 9).unwrap();
    let after = (seed / 36) % 2 == 1;
    let effect = match after {
        false => Effect::Meanwhile(meanwhile.clone()),
        true => Effect::Afterwards(meanwhile.clone()),
    };
    first.cloud.fault("*", at..=at, effect);
    let trouble =
        [None, Some(How::LoseReply), Some(How::Throttle), Some(How::InternalAfter), Some(How::Reset)];
    let later = usize::try_from(1 + seed % 7).unwrap();
    match trouble[usize::try_from(seed % 5).unwrap()] {
        Some(How::LoseReply) => first.cloud.fault("*", at + later..=at + later, Effect::LoseReply),
        Some(How::Throttle) => first.cloud.fault("*", at + later..=at + later, Effect::Throttle),
        Some(How::InternalAfter) => first.cloud.fault("*", at + later..=at + later, Effect::InternalAfter),
        Some(How::Reset) => first.cloud.fault("*", at + later..=at + later, Effect::Reset),
        _ => {}
    }
    let output = wishes[0].run(&first, |known| id.set(known).unwrap());
    first.cloud.heal();
    if theirs.get().is_none() {
        // It ended before that call: the other one comes after it.
        let _ = theirs.set(wishes[1].run(&second, |_| {}));
    }
    drop(meanwhile);
    let calls = first.cloud.calls();
    let mut own = calls.iter().filter(|call| call.principal.ends_with("/operator"));
    let next = own.nth(if after { at } else { at - 1 });
    let blind = next.is_some_and(|call| BLIND.contains(&call.name().as_str()));
    let theirs = Arc::into_inner(theirs).and_then(OnceLock::into_inner);
    let theirs = theirs.ok_or("the second never ran")?;
    let [mine, other] = wishes;
    let one = Ended::of("first", &first, mine, output)?;
    let two = Ended::of("second", &second, other, theirs)?;
    {
        let mut tally = tally.lock().unwrap();
        for code in [one.code, two.code] {
            match code {
                0 => tally.well += 1,
                6 => tally.clashes += 1,
                _ => tally.busy += 1,
            }
        }
        tally.blind += usize::from(blind);
    }
    law([&first, &second], [&one, &two], &before, blind).map_err(|why| {
        format!("{why}\nfirst ({}): {}\nsecond ({}): {}", one.code, one.told, two.code, two.told)
    })
}

#[track_caller]
fn rounds(kind: Kind) -> Tally {
    let (next, tally, failures) = (AtomicU64::new(0), Mutex::default(), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= SEEDS {
                        break;
                    }
                    if let Err(why) = round(kind, seed, &tally) {
                        failures.lock().unwrap().push(format!("seed {seed}: {why}"));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    let tally = tally.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {SEEDS}, {tally:?}:\n{}", failures.len(), failures.join("\n\n"));
    tally
}

#[test]
fn nobody_is_overwritten_unseen_in_parameters() {
    let tally = rounds(SSM);
    assert!(tally.well >= 100 && tally.clashes >= 40 && tally.busy >= 10 && tally.blind <= 5, "{tally:?}");
}

#[test]
fn nobody_is_overwritten_unseen_in_a_document() {
    let tally = rounds(SECRETS_MANAGER);
    assert!(tally.well >= 100 && tally.clashes >= 40 && tally.blind == 0, "{tally:?}");
}

#[test]
fn nobody_is_overwritten_unseen_in_an_environment() {
    let tally = rounds(BEANSTALK);
    assert!(tally.well >= 100 && tally.clashes >= 40 && tally.blind <= 15, "{tally:?}");
}
