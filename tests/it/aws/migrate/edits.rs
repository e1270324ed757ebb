//! Somebody edits while a migration is under way: the variable that moves, another one, the secret that it moves to, the
//! manifest; between the plan and its question's answer, just before each call of the run, and while it is unfinished
//! after it was killed at each call.
//!
//! The law: who edits what is moved is never overwritten unseen. The migration stops with exit 6 and says where, or it
//! has seen the edit in time or came before it; what somebody wrote can be read where they wrote it, or where it moved
//! to. One call is left out: AWS updates an environment without looking, so what is edited between the last look and
//! that very call is covered.

use super::super::site::{BEANSTALK, CANARY, How, Site, Still};
use super::super::telling::ensure;
use super::{VARIABLES, from_properties};
use crate::support::cloud::{Cloud, Effect};
use crate::support::env::Output;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

const WORDS: &str = "--yes migrate --to secretsmanager";
const THEIRS: &str = "canary-of-somebody-else";
const AT_ONCE: usize = 4;

/// What somebody else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edit {
    /// Changes the property that moves.
    Moving,
    /// Removes it.
    Removed,
    /// Changes a property that nobody declared.
    Another,
    /// Changes, or makes, the secret that it moves to.
    Target,
    /// Adds a line to the manifest.
    Manifest,
}

const ALL: [Edit; 5] = [Edit::Moving, Edit::Removed, Edit::Another, Edit::Target, Edit::Manifest];

impl Edit {
    /// Does it; an environment that is being updated takes no edit.
    fn make(self, cloud: &Cloud, manifest: &Path) -> bool {
        let deploys = |values: &[(&str, Option<&str>)]| {
            cloud.world(|world| {
                let busy = world.beanstalk.is_busy("dev-app-prod");
                if !busy {
                    world.deploy_elsewhere("dev-app-prod", values);
                }
                !busy
            })
        };
        match self {
            Edit::Moving => deploys(&[("SECRET_KEY", Some(THEIRS))]),
            Edit::Removed => deploys(&[("SECRET_KEY", None)]),
            Edit::Another => deploys(&[("LEFT_ALONE", Some(THEIRS)), ("NEW", Some(THEIRS))]),
            Edit::Target => cloud.world(|world| {
                let held = world.secrets.held("dev-app/prod/app").and_then(|held| held.text);
                let mut document: serde_json::Value =
                    held.map_or(serde_json::json!({}), |text| serde_json::from_str(&text).unwrap());
                document["SECRET_KEY"] = THEIRS.into();
                world.secrets.seed("dev-app/prod/app", &document.to_string());
                true
            }),
            Edit::Manifest => {
                let text = std::fs::read_to_string(manifest).unwrap();
                std::fs::write(manifest, format!("{text}# theirs\n")).unwrap();
                true
            }
        }
    }

    /// Whether what somebody wrote is still to be had.
    fn stands(self, site: &Site) -> Result<(), String> {
        let property = |name: &str| {
            site.cloud.world(|world| world.beanstalk.properties("dev-app-prod").get(name).cloned())
        };
        let secret = || {
            let held = site.cloud.world(|world| world.secrets.held("dev-app/prod/app"));
            let texts = held.into_iter().flat_map(|held| held.versions).filter_map(|(_, _, text)| text);
            texts.into_iter().any(|text| text.contains(THEIRS))
        };
        let holds = match self {
            Edit::Moving => property("SECRET_KEY").as_deref() == Some(THEIRS) || secret(),
            Edit::Removed => true,
            Edit::Another => {
                ["LEFT_ALONE", "NEW"].iter().all(|name| property(name).as_deref() == Some(THEIRS))
            }
            Edit::Target => secret(),
            Edit::Manifest => site.env.read("strongroom.toml").ends_with("# theirs\n"),
        };
        ensure(holds, || "what somebody wrote is gone".to_owned())
    }

    /// What of the containers' variables is theirs now.
    fn touches(self, name: &str) -> bool {
        match self {
            Edit::Moving | Edit::Removed | Edit::Target => name == "SECRET_KEY",
            Edit::Another | Edit::Manifest => false,
        }
    }
}

/// Somebody edits just before a call, or after a process was killed at that call.
#[derive(Debug, Clone, Copy)]
struct Case {
    edit: Edit,
    at: usize,
    is_killed: bool,
}

/// What instances that start now see is what was typed, but for what somebody edited.
fn others_are_whole(site: &Site, edit: Edit) -> Result<(), String> {
    let seen = site.cloud.world(|world| world.bootstrap_now("dev-app-prod")).map_err(|why| why.join("; "))?;
    let lost: Vec<&str> = VARIABLES
        .into_iter()
        .filter(|(name, value)| !edit.touches(name) && seen.get(*name).is_none_or(|seen| seen != value))
        .map(|(name, _)| name)
        .collect();
    ensure(lost.is_empty(), || format!("containers do not see {}", lost.join(", ")))
}

/// A run in which somebody edits just before a call; whether they could.
fn disturbed(site: &Site, edit: Edit, at: usize) -> (Output, bool) {
    let could = Arc::new(AtomicBool::new(false));
    let (cloud, path, done): (Cloud, PathBuf, _) =
        (site.cloud.clone(), site.env.path("strongroom.toml"), Arc::clone(&could));
    let meanwhile = move || done.store(edit.make(&cloud, &path), Ordering::SeqCst);
    site.cloud.heal();
    site.cloud.reset_calls();
    site.cloud.fault("*", at..=at, Effect::Meanwhile(Arc::new(meanwhile)));
    let output = site.env.run(WORDS);
    site.cloud.heal();
    (output, could.load(Ordering::SeqCst))
}

/// A run that is killed after a call; then somebody edits, and it is gone on with.
fn killed(site: &Site, edit: Edit, at: usize) -> (Output, bool) {
    let _ = site.run(WORDS, "", Some((at, How::KillAfter)));
    site.cloud.world(|world| world.let_finish("dev-app-prod"));
    let could = edit.make(&site.cloud, &site.env.path("strongroom.toml"));
    site.lease_ends();
    (site.run("--yes resume", "", None), could)
}

/// One edit at one call, what is so then, and both ways out of it.
fn case(site: &Site, base: &Still, calls: &[String], case: Case) -> Result<Option<i32>, String> {
    let Case { edit, at, is_killed } = case;
    site.restore(base);
    let (output, could) = if is_killed { killed(site, edit, at) } else { disturbed(site, edit, at) };
    // AWS updates an environment without looking.
    let updates = calls[at - 1].ends_with(":UpdateEnvironment");
    let blind = updates && !is_killed && matches!(edit, Edit::Moving | Edit::Removed);
    if !could || blind {
        return Ok(None);
    }
    ensure(!output.stderr.contains(CANARY), || format!("it tells a value: {}", output.stderr))?;
    edit.stands(site)?;
    others_are_whole(site, edit)?;
    let code = output.code;
    match (code, edit) {
        // It came before everything was read, or after everything was done.
        (Some(0), _) => {}
        (Some(6), Edit::Another) => return Err(format!("unrelated, and in the way: {}", output.stderr)),
        (Some(6), _) => {
            let place = match edit {
                Edit::Moving | Edit::Removed => "beanstalk:web app/SECRET_KEY",
                Edit::Target => "app/SECRET_KEY",
                Edit::Manifest | Edit::Another => "manifest",
            };
            let begun = edit == Edit::Manifest && site.unfinished("prod")? > 0;
            let ours = !begun || output.stderr.contains("/manifest.toml");
            let told = output.stderr.contains(place) && output.stderr.contains("somebody else") && ours;
            ensure(told || output.stderr.contains("other values"), || {
                format!("exit 6 without saying where: {}", output.stderr)
            })?;
        }
        // While it was read back, or before everything was read.
        (Some(7), _) if output.stderr.contains("reading it back shows something else at") => {}
        // Just when the deployment was over: it looks as if the property had never gone, and AWS does not tell apart
        // what somebody set and what an earlier layer brings back.
        (Some(7), Edit::Moving) if output.stderr.contains("`SECRET_KEY` was removed and came back") => {
            return Ok(code);
        }
        (Some(1), Edit::Removed) => {
            ensure(output.stderr.contains("lacks a value"), || output.stderr.clone())?;
        }
        (Some(1), Edit::Moving) => {
            let told = output.stderr.contains("the containers would see other values; nothing was changed");
            ensure(told && output.stderr.contains("app/SECRET_KEY"), || output.stderr.clone())?;
        }
        (code, _) => return Err(format!("exit {code:?}: {}", output.stderr)),
    }
    if code == Some(0) || site.unfinished("prod")? == 0 {
        return Ok(code);
    }
    let left = site.still();
    for words in ["--yes resume --skip-changed", "--yes undo --skip-changed"] {
        site.restore(&left);
        site.lease_ends();
        let output = site.run(words, "", None);
        ensure(output.code == Some(0), || format!("{words}: exit {:?}: {}", output.code, output.stderr))?;
        edit.stands(site).map_err(|why| format!("{words}: {why}"))?;
        others_are_whole(site, edit).map_err(|why| format!("{words}: {why}"))?;
        ensure(site.unfinished("prod")? == 0, || format!("{words}: something is unfinished"))?;
    }
    Ok(code)
}

#[test]
fn whoever_edits_meanwhile_is_not_overwritten_and_told_where_it_is() {
    let calls = {
        let site = from_properties(BEANSTALK);
        let _ = site.run(WORDS, "", None).success();
        site.called()
    };
    let at_each = |edit: Edit| (1..=calls.len()).map(move |at| Case { edit, at, is_killed: false });
    // Reads leave nothing behind.
    let writes = |at: &usize| {
        !["Get", "BatchGet", "Describe"].iter().any(|verb| calls[at - 1].contains(&format!(":{verb}")))
    };
    let written: Vec<usize> = (1..=calls.len()).filter(writes).collect();
    let after_each = |edit: Edit| written.iter().map(move |&at| Case { edit, at, is_killed: true });
    let cases: Vec<Case> =
        ALL.into_iter().flat_map(at_each).chain(ALL.into_iter().flat_map(after_each)).collect();
    let (next, failures, conflicts) = (AtomicUsize::new(0), Mutex::new(Vec::new()), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let site = from_properties(BEANSTALK);
                let base = site.still();
                while let Some(one) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match case(&site, &base, &calls, *one) {
                        Ok(Some(6)) => drop(conflicts.fetch_add(1, Ordering::Relaxed)),
                        Ok(_) => {}
                        Err(why) => {
                            failures.lock().unwrap().push(format!("{one:?} {}: {why}", calls[one.at - 1]));
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
    let conflicts = conflicts.into_inner();
    assert!(cases.len() >= 220 && conflicts >= 100, "{} edits, {conflicts} conflicts", cases.len());
}

/// A question may stand for long; what came meanwhile is found before anything is written.
#[test]
fn what_was_edited_while_the_question_stood_stops_it_before_it_begins() {
    for edit in ALL {
        let site = from_properties(BEANSTALK);
        let mut terminal = site.env.terminal("migrate --to secretsmanager");
        terminal.expect("[y/N]");
        assert!(edit.make(&site.cloud, &site.env.path("strongroom.toml")));
        terminal.type_line("y");
        let (told, code) = terminal.end();
        let wanted = if edit == Edit::Another { Some(0) } else { Some(6) };
        assert_eq!(code, wanted, "{edit:?}: {told}");
        edit.stands(&site).unwrap();
        others_are_whole(&site, edit).unwrap();
        if edit != Edit::Another {
            assert_eq!(site.cloud.count("elasticbeanstalk:UpdateEnvironment"), 0, "{edit:?}");
            assert_eq!(site.unfinished("prod").unwrap(), 0, "{edit:?}: {told}");
        }
    }
}

/// Theirs is a version of the parameter, and ours stands: that is found with the write, and said.
#[test]
fn a_parameter_that_somebody_made_meanwhile_is_not_overwritten_unseen() {
    let site = from_properties(BEANSTALK);
    let cloud = site.cloud.clone();
    let name = "/dev-app/prod/app/SECRET_KEY";
    let meanwhile = move || {
        let seed = crate::support::cloud::ssm::Seed { name, value: THEIRS, kind: "SecureString" };
        cloud.world(|world| world.ssm.seed(seed));
    };
    // The first is the lease's.
    site.cloud.fault("ssm:PutParameter", 2..=2, Effect::Meanwhile(Arc::new(meanwhile)));
    let told = site.env.run("--yes migrate --to ssm").failure(6);
    site.cloud.heal();
    assert!(told.contains("app/SECRET_KEY"), "{told}");
    let past = site.cloud.world(|world| world.ssm.past(name));
    let held = site.cloud.world(|world| world.ssm.held(name)).map(|held| held.value);
    assert!(held.as_deref() == Some(THEIRS) || past.iter().any(|(_, value)| value == THEIRS), "{told}");
    assert!(site.cloud.count("elasticbeanstalk:UpdateEnvironment") == 0, "{told}");
}

/// The secret that was there before, and that the plan said would be overwritten, comes back.
#[test]
fn a_home_that_holds_something_else_is_not_migrated_to_unseen() {
    let site = from_properties(BEANSTALK);
    assert!(Edit::Target.make(&site.cloud, Path::new("")));
    let told = site.env.run("migrate --to secretsmanager --dry-run");
    assert!(told.stderr.contains('~') || told.stdout.contains('~'), "{}{}", told.stdout, told.stderr);
}
