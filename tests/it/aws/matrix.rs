//! The fault matrix of the changing commands, each at every one of its calls; see [`super::telling`] for the law.

use super::site::{BEANSTALK, How, Kind, SECRETS_MANAGER, SSM, SSM_BY_VALUE, Site};
use super::telling::{Story, Telling, differences, story, survive};
use crate::support::cloud::Effect;
use crate::support::cloud::beanstalk::deployment::Outcome;
use crate::support::env::STRONGROOM;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn a_set_of_a_new_key_survives() {
    survive(&BOTH.map(|kind| story(kind, "--yes set TOKEN", "canary-token")), 75, 0);
}

#[test]
fn a_set_of_a_key_with_a_follower_survives_and_so_do_its_resume_and_its_undo() {
    let set = |kind| story(kind, "--yes set RDS_PASSWORD", "canary-new").deeply();
    survive(&BOTH.map(set), 110, 200);
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
fn a_killed_run_keeps_all_but_its_resume_waiting_until_its_lease_ends() {
    for kind in BOTH {
        let telling = Telling::new(story(kind, "--yes sync", ""));
        let at = telling.calls.iter().position(|call| call.ends_with(":UpdateEnvironment")).unwrap() + 1;
        telling.site.restore(&telling.base);
        assert_eq!(telling.command(Some((at, How::KillAfter))).code, None);
        let output = telling.site.run("--yes undo", "", None);
        assert_eq!(output.code, Some(9), "{}", output.stderr);
        assert!(output.stderr.contains("held by "), "{}", output.stderr);
        telling.resumes(How::KillAfter).unwrap();
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
