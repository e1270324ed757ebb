//! The fault matrix: every call to AWS that a changing command makes × what may go wrong at it, and the same again for
//! the `resume` or `undo` that follows.
//!
//! The law: the exit code is a documented one and says what is so; no output shows a value; nobody is blamed, as nobody
//! else is there; `resume` (or the same command again, where nothing was begun) ends as a run without a fault does, with
//! nothing written twice and nothing else touched; `undo` brings back what was there, with its type and its key.

use super::site::{BEANSTALK, CANARY, How, Kind, SECRETS_MANAGER, SSM, SSM_BY_VALUE, Site, Still};
use crate::support::cloud::Effect;
use crate::support::cloud::beanstalk::deployment::Outcome;
use crate::support::env::{Output, STRONGROOM};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use strongroom::journal::Standing;

/// How many projects one story is told in at the same time: most of a fault is waiting.
const AT_ONCE: usize = 4;

/// A changing command, and what has happened before it.
#[derive(Clone, Copy)]
struct Story {
    kind: Kind,
    prepare: fn(&Site),
    words: &'static str,
    stdin: &'static str,
    /// The environment whose journal has it.
    environment: &'static str,
    /// Whether faults in the `resume` and the `undo` of what it leaves are tried too.
    deeply: bool,
    /// Whether the command is an `undo` itself: another one finishes it.
    takes_back: bool,
}

impl Story {
    fn after(self, prepare: fn(&Site)) -> Story {
        Story { prepare, ..self }
    }

    fn deeply(self) -> Story {
        Story { deeply: true, ..self }
    }
}

/// A story in a project of its own, with its beginning and its end.
struct Telling {
    story: Story,
    site: Site,
    base: Still,
    before: BTreeMap<String, String>,
    after: BTreeMap<String, String>,
    turns: BTreeMap<String, String>,
    /// The exit code of `status --check` at the end.
    status: Option<i32>,
    calls: Vec<String>,
    known: Vec<String>,
}

/// What was left unfinished.
#[derive(Debug)]
struct Left {
    signature: String,
    at: usize,
    how: How,
}

/// How many cases there were.
#[derive(Debug, Default)]
struct Count {
    first: usize,
    states: usize,
    nested: usize,
}

impl Telling {
    fn new(story: Story) -> Telling {
        let site = Site::filled(story.kind);
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
    fn run(&self, verb: &str) -> Output {
        self.site.lease_ends();
        self.run_with(verb, None)
    }

    fn run_with(&self, verb: &str, fault: Option<(usize, How)>) -> Output {
        self.site.run(&format!("-e {} --yes {verb}", self.story.environment), "", fault)
    }

    fn command(&self, fault: Option<(usize, How)>) -> Output {
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
    fn case(&self, at: usize, how: How) -> Result<Option<Left>, String> {
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
    fn resumes(&self, how: How) -> Result<(), String> {
        let output = self.run("resume");
        ensure(output.code == Some(0), || format!("resume: exit {:?}: {}", output.code, output.stderr))?;
        ensure(self.unfinished()? == 0, || "something is unfinished after `resume`".to_owned())?;
        if self.site.held() == self.before {
            let output = self.command(None);
            ensure(output.code == Some(0), || format!("again: exit {:?}: {}", output.code, output.stderr))?;
        }
        self.is_right(&self.site.held()).map_err(|why| format!("resume: {why}"))?;
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
        ensure(now == self.before, || format!("undo: {}", differences(&self.before, &now)))
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
        format!("{told}{}", differences(&self.before, &self.site.held()))
    }

    /// A fault in the `resume` or `undo` of what an earlier fault left.
    fn nested(&self, left: &Still, verb: &str, at: usize, how: How) -> Result<(), String> {
        self.site.restore(left);
        self.site.lease_ends();
        let output = self.run_with(verb, Some((at, how)));
        self.law_of_the_end(&output, how)?;
        let state = self.site.still();
        let output = self.run("resume");
        ensure(output.code == Some(0), || format!("then resume: exit {:?}: {}", output.code, output.stderr))?;
        ensure(self.unfinished()? == 0, || "something is unfinished after `resume`".to_owned())?;
        let now = self.site.held();
        ensure(now == self.before || now == self.after, || {
            format!("then resume: a mix: {}", differences(&self.before, &now))
        })?;
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
                ensure(output.stderr.contains("error: "), || "not a word".to_owned())?;
                ensure(!output.stderr.contains(CANARY), || format!("a value: {}", output.stderr))
            }
            _ => self.law(output, how),
        }
    }
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn differences(wanted: &BTreeMap<String, String>, found: &BTreeMap<String, String>) -> String {
    let gone = wanted.iter().filter(|(name, _)| !found.contains_key(*name));
    let other = found.iter().filter(|(name, value)| wanted.get(*name) != Some(value));
    let lines = gone.map(|(name, _)| format!("no {name}"));
    lines.chain(other.map(|(name, value)| format!("{name}: {value:?}"))).collect::<Vec<_>>().join(", ")
}

/// Everything that may go wrong: kills and lost connections at each call, the rest at the first of each kind.
fn cases(calls: &[String]) -> Vec<(usize, How)> {
    let mut cases = Vec::new();
    for (index, call) in calls.iter().enumerate() {
        let is_first = !calls[..index].contains(call);
        let hows = How::ALL
            .into_iter()
            .filter(|how| is_first || matches!(how, How::KillBefore | How::KillAfter | How::LoseReply));
        cases.extend(hows.map(|how| (index + 1, how)));
    }
    cases
}

/// What may go wrong at the calls of what ends it: before a call is after the one before it.
fn nested_cases(calls: &[String]) -> Vec<(usize, How)> {
    let keep = |(at, how): &(usize, How)| match how {
        How::KillAfter | How::LoseReply => true,
        How::KillBefore => *at == 1,
        How::Deny | How::InternalAfter => !is_read(&calls[at - 1]),
        How::Reset | How::Throttle | How::Internal | How::StaleRead | How::Delay => false,
    };
    cases(calls).into_iter().filter(keep).collect()
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
fn survives(story: Story) -> Count {
    let calls = Telling::new(story).calls;
    let failures = Mutex::new(Vec::new());
    let unfinished = Mutex::new(BTreeMap::new());
    let first = cases(&calls);
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
        for (at, how) in nested_cases(&calls) {
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
fn story(kind: Kind, words: &'static str, stdin: &'static str) -> Story {
    Story { kind, prepare: as_it_is, words, stdin, environment: "prod", deeply: false, takes_back: false }
}

/// Goes through all of these, and holds that there were so many faults in the commands and in what ended them.
#[track_caller]
fn survive(stories: &[Story], first: usize, nested: usize) {
    let mut sum = Count::default();
    for story in stories {
        let count = survives(*story);
        sum.first += count.first;
        sum.nested += count.nested;
        assert!(count.states >= 2, "{}: {count:?}", story.words);
    }
    assert!(sum.first >= first && sum.nested >= nested, "too few cases: {sum:?}");
}

#[test]
fn a_set_of_a_new_key_survives() {
    survive(&BOTH.map(|kind| story(kind, "--yes set TOKEN", "canary-token")), 75, 0);
}

#[test]
fn a_set_of_a_key_with_a_follower_survives_and_so_do_its_resume_and_its_undo() {
    let set = |kind| story(kind, "--yes set RDS_PASSWORD", "canary-new").deeply();
    survive(&BOTH.map(set), 110, 220);
}

#[test]
fn a_delete_survives_and_so_do_its_resume_and_its_undo() {
    let delete = |kind| story(kind, "--yes delete TOKEN", "").after(with_token).deeply();
    survive(&BOTH.map(delete), 140, 120);
}

#[test]
fn a_delete_of_the_last_value_of_a_document_survives() {
    survive(&[story(SECRETS_MANAGER, "--yes delete TOKEN", "").after(with_token_alone)], 40, 0);
}

#[test]
fn an_import_of_several_keys_survives() {
    let import = |kind| story(kind, "--yes import values.json", "").after(with_a_file);
    survive(&BOTH.map(import), 160, 0);
}

#[test]
fn a_sync_survives_and_so_do_its_resume_and_its_undo() {
    let stories = [
        story(SSM_BY_VALUE, "--yes sync", "").deeply(),
        story(SSM, "--yes sync", ""),
        story(SECRETS_MANAGER, "--yes sync", ""),
    ];
    survive(&stories, 350, 300);
}

#[test]
fn a_pull_survives() {
    survive(&BOTH.map(|kind| story(kind, "--yes pull", "").after(changed_in_the_copy)), 150, 0);
}

#[test]
fn a_copy_to_another_environment_survives() {
    let copy = |kind| Story { environment: "staging", ..story(kind, "--yes copy --to staging", "") };
    survive(&BOTH.map(copy), 150, 0);
}

#[test]
fn a_restore_of_a_backup_survives() {
    survive(&BOTH.map(|kind| story(kind, "--yes backup restore 2", "").after(with_a_backup)), 170, 0);
}

#[test]
fn an_undo_survives() {
    let undo = |kind| Story { takes_back: true, ..story(kind, "--yes undo", "").after(changed) };
    survive(&BOTH.map(undo), 90, 0);
}

#[test]
fn a_change_of_the_variables_of_an_environment_survives() {
    let stories = [
        story(BEANSTALK, "--yes set TOKEN", "canary-token"),
        story(BEANSTALK, "--yes set RDS_PASSWORD", "canary-new"),
        story(BEANSTALK, "--yes delete TOKEN", "").after(with_token),
    ];
    survive(&stories, 210, 0);
}

/// AWS rolls back an update of which we never heard: `resume` makes it again, `undo` finds what was there.
#[test]
fn a_deployment_that_is_rolled_back_after_its_answer_was_lost_is_made_again() {
    for how in [How::LoseReply, How::KillAfter, How::InternalAfter] {
        let telling = Telling::new(story(SSM, "--yes sync", ""));
        let at = telling.calls.iter().position(|call| call.ends_with(":UpdateEnvironment")).unwrap() + 1;
        telling.site.restore(&telling.base);
        let why = Outcome::Fail("an instance did not answer".to_owned());
        telling.site.cloud.world(|world| world.beanstalk.behaviour.outcomes.extend([why]));
        let output = telling.command(Some((at, how)));
        assert!(matches!(output.code, None | Some(0 | 1 | 7)), "{how:?}: {}", output.stderr);
        let left = telling.site.still();
        let output = telling.run("resume");
        assert_eq!(output.code, Some(0), "{how:?}: {}", output.stderr);
        if telling.site.held() != telling.after {
            let output = telling.command(None);
            assert_eq!(output.code, Some(0), "{how:?}: {}", output.stderr);
        }
        assert_eq!(differences(&telling.after, &telling.site.held()), "", "{how:?}");
        let updates = telling.site.turns()["updates"].parse::<usize>().unwrap();
        assert!(updates <= telling.turns["updates"].parse::<usize>().unwrap() + 1, "{how:?}: {updates}");
        telling.site.restore(&left);
        let _ = telling.run("undo");
        let mut now = telling.site.held();
        now.remove("draft");
        assert_eq!(differences(&telling.before, &now), "", "{how:?}");
    }
}

/// Parameter Store may answer for a moment what was there before a write: also to the process after the killed one.
#[test]
fn a_late_read_after_a_killed_put_loses_nothing_and_blames_nobody() {
    for (words, stdin) in [("--yes set TOKEN", "canary-token"), ("--yes set SECRET_KEY", "canary-new")] {
        let telling = Telling::new(story(SSM, words, stdin));
        let at = telling.calls.iter().position(|call| call == "ssm:PutParameter").unwrap() + 1;
        for verb in ["resume", "undo"] {
            telling.site.restore(&telling.base);
            let earlier = telling.site.cloud.world(|world| world.clone());
            let _ = telling.command(Some((at, How::KillAfter)));
            let cloud = &telling.site.cloud;
            cloud.lag(Some(earlier));
            let (killed, catching_up) = (Instant::now(), cloud.clone());
            let catch_up = move || {
                if killed.elapsed() > Duration::from_millis(300) {
                    catching_up.lag(None);
                }
            };
            cloud.fault("ssm:GetParameters", 1.., Effect::Meanwhile(Arc::new(catch_up)));
            cloud.fault("ssm:GetParameters", 1.., Effect::StaleRead);
            let mut command = telling.site.env.command(STRONGROOM);
            command.args(["--yes", verb]).env("STRONGROOM_POLL_INTERVAL_MS", "600");
            let output = telling.site.env.finish(command, b"");
            let what = format!("{words}, {verb}: {:?}: {}", output.code, output.stderr);
            let wanted = if verb == "resume" { &telling.after } else { &telling.before };
            assert_eq!(differences(wanted, &telling.site.held()), "", "{what}");
            assert_eq!(output.code, Some(0), "{what}");
        }
    }
}

/// The lease of a killed process is told, with its owner, and ends by itself.
#[test]
fn a_killed_run_keeps_others_waiting_until_its_lease_ends() {
    for kind in BOTH {
        let telling = Telling::new(story(kind, "--yes sync", ""));
        let at = telling.calls.iter().position(|call| call.ends_with(":UpdateEnvironment")).unwrap() + 1;
        telling.site.restore(&telling.base);
        assert_eq!(telling.command(Some((at, How::KillBefore))).code, None);
        let output = telling.site.run("--yes resume", "", None);
        assert_eq!(output.code, Some(9), "{}", output.stderr);
        assert!(output.stderr.contains("held by "), "{}", output.stderr);
        telling.resumes(How::KillBefore).unwrap();
    }
}

#[test]
fn a_wrong_end_and_a_second_write_are_noticed() {
    let mut telling = Telling::new(story(SSM, "--yes set TOKEN", "canary-token"));
    telling.case(1, How::KillAfter).unwrap();
    let name = "ssm /dev-app/prod/app/TOKEN";
    let written = telling.turns.insert(name.to_owned(), "2".to_owned());
    let why = telling.case(1, How::KillAfter).unwrap_err();
    assert!(why.contains("written too often"), "{why}");
    telling.turns.insert(name.to_owned(), written.unwrap());
    telling.after.insert(name.to_owned(), "another value".to_owned());
    let why = telling.case(1, How::KillAfter).unwrap_err();
    assert!(why.contains("the wrong end"), "{why}");
    telling.before.remove("property LEFT_ALONE");
    let put = telling.calls.iter().position(|call| call == "ssm:PutParameter").unwrap() + 1;
    let why = telling.case(put, How::Deny).unwrap_err();
    assert!(why.contains("something is there"), "{why}");
}

const BOTH: [Kind; 2] = [SSM, SECRETS_MANAGER];

fn with_token(site: &Site) {
    site.seed("app", &[("SECRET_KEY", "canary-key"), ("TOKEN", "canary-token")]);
}

fn with_token_alone(site: &Site) {
    let _ = site.run("--yes delete SECRET_KEY", "", None);
    site.seed("app", &[("TOKEN", "canary-token")]);
}

fn with_a_file(site: &Site) {
    let values = serde_json::json!({
        "SECRET_KEY": "canary-key-2", "TOKEN": "canary-token", "EMAIL_CC": "canary@dev-app.example",
        "RDS_USERNAME": "canary-app-2",
    });
    site.env.write("values.json", values.to_string());
}

fn changed_in_the_copy(site: &Site) {
    let _ = site.env.run("--yes sync").success();
    let theirs = [("TOKEN", Some("canary-token")), ("RDS_USERNAME", Some("canary-app-2"))];
    site.cloud.world(|world| world.deploy_elsewhere("dev-app-prod", &theirs));
}

fn with_a_backup(site: &Site) {
    let _ = site.env.run("backup create").success();
    site.seed("app", &[("SECRET_KEY", "canary-key-2")]);
    let _ = site.env.run_with_stdin("--yes set RDS_PASSWORD", "canary-new").success();
}

fn changed(site: &Site) {
    let _ = site.env.run_with_stdin("--yes set RDS_PASSWORD", "canary-new").success();
}
