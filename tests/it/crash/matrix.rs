//! The crash matrix: every call to the file system that a changing command makes × what may go wrong at it, and the same
//! again for the `resume` or `undo` that follows.
//!
//! The law: afterwards the vault opens and holds the old values or the new ones, all of them; every old value can still
//! be read somewhere; no file shows a value; `operations` works; the exit code says what is so; `resume` finishes or
//! there was nothing to resume, `undo` brings back what was there.

use super::shim::{Call, How, run};
use super::world::{Values, World};
use crate::support::env::Output;
use crate::support::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use strongroom::journal::{Standing, Summary};

/// A changing command, and what may be there before and after it.
struct Story<'a> {
    world: &'a World,
    words: &'a str,
    stdin: &'a str,
    base: Tree,
    before: Values,
    after: Values,
    /// Operations that were there before.
    known: BTreeSet<String>,
}

impl<'a> Story<'a> {
    /// Runs the command once without a fault to see what it does.
    fn new(world: &'a World, words: &'a str, stdin: &'a str) -> (Story<'a>, Vec<Call>) {
        let (base, before) = (world.tree(), world.values().unwrap());
        let known = world.operations().unwrap().into_iter().map(|summary| summary.id.to_string()).collect();
        let (output, calls) = run(world, words, stdin, None);
        let _ = output.success();
        let after = world.values().unwrap();
        assert_ne!(before, after, "`{words}` changes something");
        (Story { world, words, stdin, base, before, after, known }, calls)
    }

    /// What has to hold after a run, whatever happened in it.
    fn law(&self, output: &Output) -> Result<(), String> {
        let world = self.world;
        let now = world.values()?;
        ensure(now == self.before || now == self.after, || format!("neither old nor new: {:?}", now.keys()))?;
        let readable: BTreeSet<String> = world.readable()?.into_iter().collect();
        ensure(self.before.values().all(|value| readable.contains(value)), || {
            "an old value is lost".to_owned()
        })?;
        let spilled = world.spilled();
        ensure(spilled.is_empty(), || format!("values can be read in {spilled:?}"))?;
        let bug = output.stderr.contains("a bug in strongroom") || output.stderr.contains("panicked");
        ensure(!bug, || "it calls this a bug of its own".to_owned())?;
        let unfinished = world.unfinished()?;
        ensure(unfinished <= 2, || format!("{unfinished} unfinished operations"))?;
        let told = world.env.run("operations");
        ensure(told.code == Some(0), || format!("`operations`: {}", told.stderr))?;
        match output.code {
            None => Ok(()),
            Some(0) => ensure(unfinished == 0, || "exit 0, and an operation is unfinished".to_owned()),
            Some(7) => {
                ensure(output.stderr.contains("`strongroom resume"), || {
                    "exit 7 without a next step".to_owned()
                })?;
                ensure(unfinished > 0, || "exit 7, and nothing is unfinished".to_owned())
            }
            Some(1) => ensure(output.stderr.contains("error: "), || "exit 1 without a word".to_owned()),
            Some(code) => Err(format!("exit {code}: {}", output.stderr)),
        }
    }

    /// How the operation that the command began stands; none where there is no trace of it.
    fn own(&self) -> Result<Option<Summary>, String> {
        let operations = self.world.operations()?;
        let fresh = |summary: &Summary| summary.undoes.is_none() && !self.known.contains(summary.id.as_str());
        Ok(operations.into_iter().rev().find(fresh))
    }

    /// `resume` from the state that is there: nothing stays unfinished, and what was begun is done.
    fn resumes(&self, settled: Option<&Values>) -> Result<(), String> {
        let output = self.world.env.run("--yes resume");
        ensure(output.code == Some(0), || format!("resume: exit {:?}: {}", output.code, output.stderr))?;
        ensure(self.world.unfinished()? == 0, || "something is unfinished after `resume`".to_owned())?;
        let now = self.world.values()?;
        match settled {
            Some(values) => ensure(now == *values, || "`resume` ends in the wrong state".to_owned()),
            None => ensure(now == self.before || now == self.after, || "a mix after `resume`".to_owned()),
        }
    }

    /// `undo` from the state that is there, where something of the command is to be undone.
    fn undoes(&self) -> Result<(), String> {
        let stands = |summary: Summary| matches!(summary.standing, Standing::Done | Standing::Unfinished);
        let undoing = self.world.operations()?.iter().any(|summary| summary.standing == Standing::Unfinished);
        if !undoing && !self.own()?.is_some_and(stands) {
            return Ok(());
        }
        let output = self.world.env.run("--yes undo");
        ensure(output.code == Some(0), || format!("undo: exit {:?}: {}", output.code, output.stderr))?;
        ensure(self.world.unfinished()? == 0, || "something is unfinished after `undo`".to_owned())?;
        ensure(self.world.values()? == self.before, || "`undo` does not bring back what was there".to_owned())
    }

    /// A run with a fault, the law, and both ways out of what it left. Tells what it left where that is unfinished.
    fn case(&self, at: usize, how: How) -> Result<Option<Tree>, String> {
        self.world.restore(&self.base);
        let (output, _) = run(self.world, self.words, self.stdin, Some((at, how)));
        ensure(output.code.is_none() == how.kills(), || format!("exit {:?}", output.code))?;
        self.law(&output)?;
        let now = self.world.values()?;
        let unfinished = self.world.unfinished()? > 0;
        match output.code {
            Some(0) => ensure(now == self.after, || "exit 0, and the values are the old ones".to_owned())?,
            Some(1) => {
                // All is done and only the last line may not survive a power failure: then a resume has nothing to do.
                let last_line = output.stderr.contains("journal.jsonl cannot be flushed");
                ensure(!unfinished && (now == self.before || last_line), || {
                    format!("exit 1, and something is there: {}", output.stderr)
                })?;
            }
            _ => {}
        }
        let left = self.world.tree();
        self.resumes(Some(if unfinished { &self.after } else { &now }))?;
        self.world.restore(&left);
        self.undoes()?;
        Ok(unfinished.then_some(left))
    }

    /// The same for a command that is to end what was left, which may go either way.
    fn nested_case(&self, left: &Tree, verb: &str, at: usize, how: How) -> Result<(), String> {
        self.world.restore(left);
        let (output, _) = run(self.world, verb, "", Some((at, how)));
        self.law(&output)?;
        let state = self.world.tree();
        self.resumes(None)?;
        self.world.restore(&state);
        self.undoes()
    }

    /// A fault in an `undo` of something finished: the next `undo` finishes it, and so does `resume` if it had begun.
    fn undo_case(&self, at: usize, how: How) -> Result<(), String> {
        self.world.restore(&self.base);
        let (output, _) = run(self.world, self.words, self.stdin, Some((at, how)));
        self.law(&output)?;
        let (now, unfinished) = (self.world.values()?, self.world.unfinished()? > 0);
        let left = self.world.tree();
        self.resumes(Some(if unfinished { &self.after } else { &now }))?;
        self.world.restore(&left);
        if now == self.after && !unfinished {
            return Ok(());
        }
        let output = self.world.env.run("--yes undo");
        ensure(output.code == Some(0), || format!("undo: exit {:?}: {}", output.code, output.stderr))?;
        ensure(self.world.values()? == self.after, || "a second `undo` does not finish the first".to_owned())
    }

    /// What tells two unfinished states apart: the lines of the operations, and whether the values are new.
    fn signature(&self, left: &Tree) -> String {
        let lines = left.files().filter(|path| path.ends_with("journal.jsonl"));
        let states = |path: &std::path::PathBuf| {
            let text = String::from_utf8_lossy(left.bytes(path)).into_owned();
            // A line that was cut off does not count.
            let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
            let states =
                whole.lines().filter_map(|line| line.split("\"state\":\"").nth(1)?.split('"').next());
            states.collect::<Vec<_>>().join(",")
        };
        let told: Vec<String> = lines.map(states).collect();
        format!("{} new={}", told.join("; "), self.world.values() == Ok(self.after.clone()))
    }
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Everything that may go wrong at each of these calls.
pub(super) fn cases(calls: &[Call]) -> Vec<(usize, How)> {
    let mut cases = Vec::new();
    for (index, call) in calls.iter().enumerate() {
        cases.extend([How::Before, How::After, How::Eio, How::Full].map(|how| (index + 1, how)));
        if call.name == "write" {
            cases.push((index + 1, How::Torn));
        }
    }
    cases
}

/// What may go wrong at the calls of a command that ends what was left: all of the kills (before a call is after the one
/// before it), and of the errors every third.
fn nested_cases(calls: &[Call]) -> Vec<(usize, How)> {
    let keep = |(at, how): &(usize, How)| match how {
        How::After | How::Torn => true,
        How::Before => *at == 1,
        How::Eio | How::Full | How::Lazy => at % 3 == 0,
    };
    cases(calls).into_iter().filter(keep).collect()
}

/// How many cases there were: with faults in the command, and with faults in what ends it.
#[derive(Debug, Default)]
struct Count {
    first: usize,
    states: usize,
    nested: usize,
}

/// Goes through every fault in a command, and where `deeply`, through every fault in the `resume` and the `undo` of every
/// unfinished state that these left.
#[track_caller]
fn survives(world: &World, words: &str, stdin: &str, deeply: bool) -> Count {
    let (story, calls) = Story::new(world, words, stdin);
    let mut failures = Vec::new();
    let mut unfinished = BTreeMap::new();
    let mut count = Count::default();
    for (at, how) in cases(&calls) {
        count.first += 1;
        match story.case(at, how) {
            Ok(Some(left)) => {
                // What ended it has gone on from there; the signature is of what was left.
                world.restore(&left);
                unfinished.entry(story.signature(&left)).or_insert(left);
            }
            Ok(None) => {}
            Err(why) => failures.push(format!("{how:?} at {at} {:?}: {why}", calls[at - 1])),
        }
    }
    count.states = unfinished.len();
    for (signature, left) in unfinished.iter().filter(|_| deeply) {
        for verb in ["--yes resume", "--yes undo"] {
            world.restore(left);
            let (output, calls) = run(world, verb, "", None);
            let _ = output.success();
            for (at, how) in nested_cases(&calls) {
                count.nested += 1;
                if let Err(why) = story.nested_case(left, verb, at, how) {
                    failures.push(format!("{signature}: {verb}: {how:?} at {at} {:?}: {why}", calls[at - 1]));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{words}: {} of {count:?}:\n{}", failures.len(), failures.join("\n"));
    count
}

#[test]
fn the_first_set_of_all_survives() {
    let count = survives(&World::empty(), "--yes set NEW", "canary-new", false);
    assert!(count.first > 190 && count.states >= 5, "{count:?}");
}

#[test]
fn a_set_of_a_new_key_survives() {
    let count = survives(&World::new(), "--yes set NEW", "canary-new", false);
    assert!(count.first > 110 && count.states >= 5, "{count:?}");
}

#[test]
fn a_set_of_a_key_that_has_a_value_survives_and_so_do_its_resume_and_its_undo() {
    let count = survives(&World::new(), "--yes set OLD", "canary-new", true);
    assert!(count.first > 110 && count.states >= 5 && count.nested > 300, "{count:?}");
}

#[test]
fn a_delete_survives_and_so_do_its_resume_and_its_undo() {
    let count = survives(&World::new(), "--yes delete OLD", "", true);
    assert!(count.first > 110 && count.states >= 5 && count.nested > 300, "{count:?}");
}

/// Many keys at once: two that have a value, and two hundred that are new.
#[test]
fn an_import_of_many_keys_survives() {
    let world = World::new();
    let mut manifest = world.env.read("strongroom.toml");
    let mut values = serde_json::json!({"OLD": "canary-newer", "OTHER": "canary-newest"});
    for number in 0..200 {
        manifest += &format!("KEY_{number} = {{ secret = true, optional = true }}\n");
        values[format!("KEY_{number}")] = format!("canary-{number}").into();
    }
    world.env.write("strongroom.toml", manifest);
    // Beside the folders that are searched for values.
    fs::write(world.env.home("values.json"), values.to_string()).unwrap();
    let count = survives(&world, "--yes import ../home/values.json", "", false);
    assert!(count.first > 110 && count.states >= 5, "{count:?}");
}

/// Several keys at once: one changed, one deleted and one made since the backup.
#[test]
fn a_restore_of_a_backup_survives() {
    let world = World::new();
    let _ = world.env.run("backup create").success();
    let _ = world.env.run_with_stdin("--yes set OLD", "canary-newer").success();
    let _ = world.env.run("--yes delete OTHER").success();
    let _ = world.env.run_with_stdin("--yes set NEW", "canary-new").success();
    let count = survives(&world, "--yes backup restore 2 --prune", "", false);
    assert!(count.first > 110 && count.states >= 5, "{count:?}");
}

/// A finished operation that is undone: what was left may be finished, or undone in its turn.
#[test]
fn an_undo_of_a_finished_operation_survives() {
    let world = World::new();
    let _ = world.env.run_with_stdin("--yes set OLD", "canary-newer").success();
    let (story, calls) = Story::new(&world, "--yes undo", "");
    for (at, how) in cases(&calls) {
        let outcome = story.undo_case(at, how);
        assert_eq!(outcome, Ok(()), "{how:?} at {at} {:?}", calls[at - 1]);
    }
}

#[test]
fn a_file_system_that_tears_a_rename_is_noticed() {
    let world = World::new();
    let (story, calls) = Story::new(&world, "--yes set OLD", "canary-new");
    let at = calls.iter().position(|call| call.name == "rename" && call.to == world.vault()).unwrap() + 1;
    story.case(at, How::After).unwrap();
    let why = story.case(at, How::Torn).unwrap_err();
    assert!(why.contains("the vault"), "{why}");
}

/// Whatever stops `init`, the files that it reads stay as they are, and the same `init` again ends well: with the identity,
/// the manifest and every value.
#[test]
fn an_init_survives() {
    const WORDS: &str = "--yes --non-interactive init --from-dotenv .env";
    const DOTENV: &str = "SECRET_KEY=canary-secret\nAPI_TOKEN=canary-token\nDEBUG=1\n";
    let world = World::bare();
    world.env.write(".env", DOTENV);
    let base = world.tree();
    let (output, calls) = run(&world, WORDS, "", None);
    let _ = output.success();
    assert!(calls.len() > 40, "{calls:?}");
    for (at, how) in cases(&calls) {
        world.restore(&base);
        let (output, _) = run(&world, WORDS, "", Some((at, how)));
        let what = format!("{how:?} at {at} {:?}, then {}", calls[at - 1], output.stderr);
        assert!(matches!(output.code, None | Some(0 | 1 | 7)), "{what}");
        assert_eq!(world.env.read(".env"), DOTENV, "{what}");
        // A journal is found by the manifest.
        if world.env.path("strongroom.toml").exists() {
            assert_eq!(world.env.run("--yes resume").code, Some(0), "{what}");
        }
        let again = world.env.run(WORDS);
        assert_eq!(again.code, Some(0), "{what}, then {}", again.stderr);
        for (key, value) in [("SECRET_KEY", "canary-secret"), ("API_TOKEN", "canary-token")] {
            assert_eq!(world.env.run(&format!("get {key}")).stdout, value, "{what}");
        }
        let spilled = world.spilled();
        assert_eq!(spilled, [world.env.path(".env")], "{what}");
    }
}
