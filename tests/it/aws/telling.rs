//! The engine of the fault matrix: every call to AWS that a changing command makes × what may go wrong at it, and the
//! same again for the `resume` or `undo` that follows.
//!
//! The law: the exit code is a documented one and says what is so; no output shows a value; nobody is blamed, as nobody
//! else is there; `resume` (or the same command again, where nothing was begun) ends as a run without a fault does, with
//! nothing written twice and nothing else touched; `undo` brings back what was there, with its type and its key. A story
//! may hold more than that: at each point, and in each state that is left.

use super::site::{CANARY, How, Kind, Site, Still};
use crate::support::env::Output;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use strongroom::journal::Standing;

/// How many projects one story is told in at the same time: most of a fault is waiting.
const AT_ONCE: usize = 4;

/// A changing command, and what has happened before it.
#[derive(Clone, Copy)]
pub(super) struct Story {
    pub(super) kind: Kind,
    /// The project, as it is before anything has happened.
    pub(super) site: fn(Kind) -> Site,
    pub(super) prepare: fn(&Site),
    pub(super) words: &'static str,
    pub(super) stdin: &'static str,
    /// The environment whose journal has it.
    pub(super) environment: &'static str,
    /// Whether faults in the `resume` and the `undo` of what it leaves are tried too.
    pub(super) deeply: bool,
    /// Whether the command is an `undo` itself: another one finishes it.
    pub(super) takes_back: bool,
    /// Whether of a row of like calls only the first, one in the middle and the last meet a fault, and reads fewer ones.
    pub(super) sampled: bool,
    /// Whether of the states that are left those count as one that differ in how many like writes were made, and calls in
    /// what ends them are chosen like those of `sampled`.
    pub(super) coarsely: bool,
    /// Whether the network goes away at each call too.
    pub(super) gone: bool,
    /// What holds at any time.
    pub(super) always: fn(&Site) -> Result<(), String>,
}

impl Story {
    pub(super) fn after(self, prepare: fn(&Site)) -> Story {
        Story { prepare, ..self }
    }

    pub(super) fn deeply(self) -> Story {
        Story { deeply: true, ..self }
    }
}

/// A story in a project of its own, with its beginning and its end.
pub(super) struct Telling {
    story: Story,
    pub(super) site: Site,
    pub(super) base: Still,
    pub(super) before: BTreeMap<String, String>,
    pub(super) after: BTreeMap<String, String>,
    pub(super) turns: BTreeMap<String, String>,
    /// The exit code of `status --check` at the end.
    status: Option<i32>,
    pub(super) calls: Vec<String>,
    known: Vec<String>,
}

/// What was left unfinished.
#[derive(Debug)]
pub(super) struct Left {
    signature: String,
    at: usize,
    how: How,
}

/// How many cases there were.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub(super) first: usize,
    pub(super) states: usize,
    pub(super) nested: usize,
}

impl Telling {
    pub(super) fn new(story: Story) -> Telling {
        let site = (story.site)(story.kind);
        (story.prepare)(&site);
        let (base, before) = (site.still(), site.held());
        let known = site.operations(story.environment).unwrap();
        let known = known.into_iter().map(|summary| summary.id.to_string()).collect();
        let output = site.run(story.words, story.stdin, None);
        let calls = site.called();
        let _ = output.success();
        let (after, turns) = (site.held(), site.turns());
        assert_ne!(before, after, "`{}` changes something", story.words);
        let mut telling = Telling { story, site, base, before, after, turns, status: None, calls, known };
        telling.status = telling.run("status --check").code;
        telling
    }

    /// A run after the lease of an earlier one has ended.
    pub(super) fn run(&self, verb: &str) -> Output {
        self.site.lease_ends();
        self.run_with(verb, None)
    }

    fn run_with(&self, verb: &str, fault: Option<(usize, How)>) -> Output {
        self.site.run(&format!("-e {} --yes {verb}", self.story.environment), "", fault)
    }

    pub(super) fn command(&self, fault: Option<(usize, How)>) -> Output {
        self.site.lease_ends();
        self.site.run(self.story.words, self.story.stdin, fault)
    }

    fn unfinished(&self) -> Result<usize, String> {
        self.site.unfinished(self.story.environment)
    }

    /// What has to hold after a run, whatever happened in it.
    fn law(&self, output: &Output, how: How) -> Result<(), String> {
        let Output { code, stderr, .. } = output;
        ensure(code.is_none() == how.kills(), || format!("exit {code:?}: {stderr}"))?;
        let told = stderr.contains(CANARY) || output.stdout.contains(CANARY);
        ensure(!told, || format!("it tells a value: {stderr}"))?;
        let bug = stderr.contains("a bug in strongroom") || stderr.contains("panicked");
        ensure(!bug, || format!("it calls this a bug of its own: {stderr}"))?;
        (self.story.always)(&self.site)?;
        let unfinished = self.unfinished()?;
        match code {
            None => Ok(()),
            Some(0) => ensure(unfinished == 0, || "exit 0, and an operation is unfinished".to_owned()),
            Some(7) => {
                let named = ["`strongroom resume", "`strongroom -e prod resume"];
                ensure(named.iter().any(|step| stderr.contains(step)), || {
                    format!("exit 7 without a next step: {stderr}")
                })?;
                ensure(unfinished > 0, || format!("exit 7, and nothing is unfinished: {stderr}"))
            }
            Some(1 | 5 | 9) => {
                ensure(stderr.contains("error: "), || format!("exit {code:?} without a word"))?;
                ensure(unfinished == 0, || format!("exit {code:?} with something unfinished: {stderr}"))
            }
            Some(code) => Err(format!("exit {code}: {stderr}")),
        }
    }

    /// A run with a fault, the law, and both ways out of what it left.
    pub(super) fn case(&self, at: usize, how: How) -> Result<Option<Left>, String> {
        self.site.restore(&self.base);
        let output = self.command(Some((at, how)));
        self.law(&output, how)?;
        let unfinished = self.unfinished()? > 0;
        let now = self.site.held();
        if output.code == Some(0) {
            self.is_right(&now)?;
            // From here it is as it is without a fault; but what a lost answer left out of the journal, `undo` finds.
            return if how == How::LoseReply { self.undoes().map(|()| None) } else { Ok(None) };
        }
        if !how.kills() && !unfinished {
            ensure(now == self.before, || {
                format!("exit {:?}, and something is there: {}", output.code, differences(&self.before, &now))
            })?;
        }
        ensure(!matches!(how, How::Delay | How::Throttle), || output.stderr.clone())?;
        let left = self.site.still();
        let signature = self.signature();
        self.resumes(how)?;
        self.site.restore(&left);
        self.undoes()?;
        Ok(unfinished.then_some(Left { signature, at, how }))
    }

    /// The end is as it is without a fault, and nothing was written twice.
    fn is_right(&self, now: &BTreeMap<String, String>) -> Result<(), String> {
        ensure(*now == self.after, || format!("the wrong end: {}", differences(&self.after, now)))?;
        let turns = self.site.turns();
        ensure(turns == self.turns, || format!("written too often: {}", differences(&self.turns, &turns)))
    }

    /// `resume` from what is there; and the command again where that had nothing to do.
    pub(super) fn resumes(&self, how: How) -> Result<(), String> {
        let output = self.run("resume");
        ensure(output.code == Some(0), || format!("resume: exit {:?}: {}", output.code, output.stderr))?;
        ensure(self.unfinished()? == 0, || "something is unfinished after `resume`".to_owned())?;
        if self.site.held() == self.before {
            let output = self.command(None);
            ensure(output.code == Some(0), || format!("again: exit {:?}: {}", output.code, output.stderr))?;
        }
        self.is_right(&self.site.held()).map_err(|why| format!("resume: {why}"))?;
        (self.story.always)(&self.site).map_err(|why| format!("resume: {why}"))?;
        if !how.kills() {
            return Ok(());
        }
        let status = self.run("status --check");
        ensure(status.code == self.status, || {
            format!("status: exit {:?}: {}{}", status.code, status.stdout, status.stderr)
        })
    }

    /// `undo` from what is there, where something of the command is to be undone.
    fn undoes(&self) -> Result<(), String> {
        if self.story.takes_back {
            return self.undoes_again();
        }
        let operations = self.site.operations(self.story.environment)?;
        let undoing = operations.iter().any(|one| one.standing == Standing::Unfinished);
        let fresh = operations
            .iter()
            .rev()
            .find(|one| one.undoes.is_none() && !self.known.contains(&one.id.to_string()));
        let stands = fresh.is_some_and(|one| matches!(one.standing, Standing::Done | Standing::Unfinished));
        if !undoing && !stands {
            return Ok(());
        }
        let output = self.run("undo");
        ensure(output.code == Some(0), || format!("undo: exit {:?}: {}", output.code, output.stderr))?;
        ensure(self.unfinished()? == 0, || "something is unfinished after `undo`".to_owned())?;
        let now = self.site.held();
        ensure(now == self.before, || format!("undo: {}", differences(&self.before, &now)))?;
        (self.story.always)(&self.site).map_err(|why| format!("undo: {why}"))
    }

    /// A second `undo` finishes the first, or does what the first did not begin.
    fn undoes_again(&self) -> Result<(), String> {
        if self.site.held() == self.after && self.unfinished()? == 0 {
            return Ok(());
        }
        let output = self.run("undo");
        ensure(output.code == Some(0), || format!("undo: exit {:?}: {}", output.code, output.stderr))?;
        let now = self.site.held();
        ensure(now == self.after, || format!("a second undo: {}", differences(&self.after, &now)))
    }

    /// What tells two unfinished states apart: the lines of the operations, and what the places hold.
    fn signature(&self) -> String {
        let mut told = String::new();
        for summary in self.site.operations(self.story.environment).unwrap_or_default() {
            let path = format!("dev-app/{}/{}/journal.jsonl", self.story.environment, summary.id);
            let text = std::fs::read_to_string(self.site.env.state(path)).unwrap_or_default();
            let states = text.lines().filter_map(|line| line.split("\"state\":\"").nth(1)?.split('"').next());
            let _ = write!(told, "{}; ", states.collect::<Vec<_>>().join(","));
        }
        let held = self.site.held();
        if !self.story.coarsely {
            return format!("{told}{}", differences(&self.before, &held));
        }
        const MADE: &str = ",intent,applied,settled";
        while told.contains(&MADE.repeat(2)) {
            told = told.replace(&MADE.repeat(2), MADE);
        }
        // Whether anything was heard of a call is not known of a killed process either.
        told = told.replace(",unknown", "");
        let others = held.iter().filter(|(name, value)| self.before.get(*name) != Some(value));
        let kinds: BTreeSet<&str> = others.filter_map(|(name, _)| name.split(' ').next()).collect();
        format!("{told}{kinds:?}")
    }

    /// A fault in the `resume` or `undo` of what an earlier fault left.
    fn nested(&self, left: &Still, verb: &str, at: usize, how: How) -> Result<(), String> {
        self.site.restore(left);
        self.site.lease_ends();
        let output = self.run_with(verb, Some((at, how)));
        if output.code == Some(0) && self.site.called().len() < at {
            // A call less than before, as a read that came late is repeated: it ended before the fault.
            return Ok(());
        }
        self.law_of_the_end(&output, how)?;
        let state = self.site.still();
        let output = self.run("resume");
        ensure(output.code == Some(0), || format!("then resume: exit {:?}: {}", output.code, output.stderr))?;
        ensure(self.unfinished()? == 0, || "something is unfinished after `resume`".to_owned())?;
        let mut now = self.site.held();
        if how == How::Deny {
            // A document of ours that we may not delete stays, and holds nothing.
            now.retain(|name, held| held != "{} ()" || self.before.contains_key(name));
        }
        ensure(now == self.before || now == self.after, || {
            format!("then resume: a mix: {}", differences(&self.before, &now))
        })?;
        (self.story.always)(&self.site).map_err(|why| format!("then resume: {why}"))?;
        if !how.kills() {
            return Ok(());
        }
        self.site.restore(&state);
        self.undoes()
    }

    /// What ends something stays where it fails: the operation that it was to end is there all the same.
    fn law_of_the_end(&self, output: &Output, how: How) -> Result<(), String> {
        match output.code {
            Some(1 | 5 | 9) => {
                (self.story.always)(&self.site)?;
                ensure(output.stderr.contains("error: "), || "not a word".to_owned())?;
                ensure(!output.stderr.contains(CANARY), || format!("a value: {}", output.stderr))
            }
            _ => self.law(output, how),
        }
    }
}

pub(super) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

pub(super) fn differences(wanted: &BTreeMap<String, String>, found: &BTreeMap<String, String>) -> String {
    let gone = wanted.iter().filter(|(name, _)| !found.contains_key(*name));
    let other = found.iter().filter(|(name, value)| wanted.get(*name) != Some(value));
    let lines = gone.map(|(name, _)| format!("no {name}"));
    lines.chain(other.map(|(name, value)| format!("{name}: {value:?}"))).collect::<Vec<_>>().join(", ")
}

/// Everything that may go wrong: kills and lost connections at each call, the rest at the first of each kind.
fn cases(calls: &[String], story: &Story) -> Vec<(usize, How)> {
    let mut cases = Vec::new();
    for (index, call) in calls.iter().enumerate() {
        if story.sampled && !stands_for_others(calls, index) {
            continue;
        }
        let is_first = !calls[..index].contains(call);
        // Before a call is after the one before it, and nobody loses what was only read.
        let counts = !story.sampled || is_first || !is_read(call);
        let hows = How::ALL.into_iter().filter(|how| match how {
            How::KillAfter => true,
            How::KillBefore | How::LoseReply => counts,
            How::Gone => counts && story.gone,
            _ => is_first,
        });
        cases.extend(hows.map(|how| (index + 1, how)));
    }
    cases
}

/// Whether a call is the first, the middle or the last of a row of like ones; a row goes on across the calls between that
/// come with each of them.
fn stands_for_others(calls: &[String], index: usize) -> bool {
    const NEAR: usize = 3;
    let like = |at: &usize| calls[*at] == calls[index];
    let (mut first, mut last) = (index, index);
    while let Some(earlier) = (first.saturating_sub(NEAR)..first).find(like) {
        first = earlier;
    }
    while let Some(later) = (last + 1..calls.len().min(last + NEAR + 1)).rev().find(like) {
        last = later;
    }
    let row: Vec<usize> = (first..=last).filter(like).collect();
    [row.first(), row.get(row.len() / 2), row.last()].contains(&Some(&index))
}

/// What may go wrong at the calls of what ends it: before a call is after the one before it.
fn nested_cases(calls: &[String], story: &Story) -> Vec<(usize, How)> {
    let keep = |(at, how): &(usize, How)| match how {
        How::KillAfter | How::LoseReply => true,
        How::KillBefore => *at == 1,
        How::Deny | How::InternalAfter => !is_read(&calls[at - 1]),
        How::Reset | How::Throttle | How::Internal | How::StaleRead | How::Delay | How::Gone => false,
    };
    cases(calls, story).into_iter().filter(keep).collect()
}

fn is_read(call: &str) -> bool {
    let action = call.split_once(':').map_or(call, |(_, action)| action);
    ["Get", "BatchGet", "Describe"].iter().any(|verb| action.starts_with(verb))
}

/// Does `work` with each of these, several at a time, each in a telling of its own.
fn with_all<T: Sync>(
    story: Story,
    all: &[T],
    failures: &Mutex<Vec<String>>,
    work: impl Fn(&Telling, &T) -> Result<(), String> + Sync,
) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(all.len()) {
            scope.spawn(|| {
                let telling = Telling::new(story);
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = work(&telling, one) {
                        failures.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
}

/// Goes through every fault in a command, and where `deeply`, through the faults in the `resume` and the `undo` of every
/// unfinished state that these left.
#[track_caller]
pub(super) fn survives(story: Story) -> Count {
    let calls = Telling::new(story).calls;
    let failures = Mutex::new(Vec::new());
    let unfinished = Mutex::new(BTreeMap::new());
    let first = cases(&calls, &story);
    with_all(story, &first, &failures, |telling, (at, how)| {
        let told = |why| format!("{how:?} at {at} {}: {why}", calls[at - 1]);
        if let Some(Left { signature, at, how }) = telling.case(*at, *how).map_err(told)? {
            unfinished.lock().unwrap().entry(signature).or_insert((at, how));
        }
        Ok(())
    });
    let unfinished: Vec<(String, (usize, How))> = unfinished.into_inner().unwrap().into_iter().collect();
    let nested = AtomicUsize::new(0);
    let ends: Vec<_> = unfinished
        .iter()
        .filter(|_| story.deeply)
        .flat_map(|left| ["resume", "undo"].map(|verb| (left, verb)))
        .collect();
    with_all(story, &ends, &failures, |telling, ((signature, (at, how)), verb)| {
        telling.site.restore(&telling.base);
        let _ = telling.command(Some((*at, *how)));
        let left = telling.site.still();
        let told = |why| format!("{how:?} at {at}, then {signature}: {verb}: {why}");
        let output = telling.run(verb);
        let calls = telling.site.called();
        ensure(output.code == Some(0), || told(output.stderr.clone()))?;
        for (at, how) in nested_cases(&calls, &Story { sampled: story.coarsely, ..story }) {
            nested.fetch_add(1, Ordering::Relaxed);
            let outcome = telling.nested(&left, verb, at, how);
            outcome.map_err(|why| told(format!("{how:?} at {at} {}: {why}", calls[at - 1])))?;
        }
        Ok(())
    });
    let count = Count { first: first.len(), states: unfinished.len(), nested: nested.into_inner() };
    let failures = failures.into_inner().unwrap();
    assert!(
        failures.is_empty(),
        "{}: {} of {count:?}:\n{}",
        story.words,
        failures.len(),
        failures.join("\n")
    );
    count
}

fn as_it_is(_: &Site) {}

/// A story of the environment `prod` with nothing before it.
pub(super) fn story(kind: Kind, words: &'static str, stdin: &'static str) -> Story {
    Story {
        kind,
        site: Site::filled,
        prepare: as_it_is,
        words,
        stdin,
        environment: "prod",
        deeply: false,
        takes_back: false,
        sampled: false,
        coarsely: false,
        gone: false,
        always: |_| Ok(()),
    }
}

/// Goes through all of these, and holds that there were so many faults in the commands and in what ended them.
#[track_caller]
pub(super) fn survive(stories: &[Story], first: usize, nested: usize) {
    let sum = count(stories);
    assert!(sum.first >= first && sum.nested >= nested, "too few cases: {sum:?}");
}

/// Goes through all of these, and counts.
#[track_caller]
pub(super) fn count(stories: &[Story]) -> Count {
    let mut sum = Count::default();
    for story in stories {
        let count = survives(*story);
        sum.first += count.first;
        sum.states += count.states;
        sum.nested += count.nested;
        assert!(count.states >= 2, "{}: {count:?}", story.words);
    }
    sum
}
