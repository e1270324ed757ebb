//! What is said, and refused, before anything is written.

use super::stage::{DOCKER, NAME, SECRET, Stage, reference, seed, tells, value};
use crate::support::cloud::Effect;
use jiff::Timestamp;
use strongroom::plan::Want;
use strongroom::store::ErrorKind;

const PARAMETER: &str = "arn:aws:ssm:us-east-1:111122223333:parameter/shop/prod/app/TOKEN";

#[track_caller]
fn says(notes: &[String], part: &str) {
    assert!(notes.iter().any(|note| note.contains(part)), "{part}: {notes:?}");
}

#[test]
fn the_budget_is_told_as_it_will_be() {
    let stage = Stage::with([("A", "1"), ("B", "2")]);
    let notes = stage.review(&[("app/A", value(&"x".repeat(1228))), ("app/B", Want::Absent)]).unwrap();
    says(&notes, "1,230 of 4,096 bytes");
    says(&notes, "the app restarts");
    let notes = stage.review(&[("app/A", value(&"x".repeat(3800)))]).unwrap();
    says(&notes, "little room is left");
    let error = stage.review(&[("app/A", value(&"x".repeat(4091)))]).unwrap_err();
    tells(&error, ErrorKind::Invalid, &["4,097 bytes", "4,096", "reference"]);
    stage.review(&[("app/A", value(&"x".repeat(4090)))]).unwrap();
    assert_eq!(stage.updates(), 0);
}

#[test]
fn what_the_platform_sets_and_nobody_declares_counts_too() {
    let python = "64bit Amazon Linux 2023 v4.9.1 running Python 3.11";
    let stage = Stage::seeded(seed(python).property("UNKNOWN", "u"));
    let notes = stage.review(&[("app/A", value("1"))]).unwrap();
    let joined = "A=1,PYTHONPATH=/var/app/venv/staging-LQM1lest/bin,UNKNOWN=u".len();
    says(&notes, &format!("{joined} of 4,096 bytes"));
}

#[test]
fn an_empty_value_is_refused_by_name_and_all_that_is_wrong_is_told_at_once() {
    let stage = Stage::with([("A", "1")]);
    let error = stage.review(&[("app/A", value(""))]).unwrap_err();
    tells(&error, ErrorKind::Invalid, &["app/A", "no empty value"]);
    let wants = [("app/A", value("")), ("app/B", value("\u{1}")), ("app/TOKEN", reference("no-arn"))];
    let error = stage.review(&wants).unwrap_err();
    tells(
        &error,
        ErrorKind::Invalid,
        &["`app/A`", "`app/B`: it has a control character", "`app/TOKEN`: it is not the ARN"],
    );
}

#[test]
fn characters_that_aws_does_not_list_are_told_by_kind() {
    let stage = Stage::with([("A", "1")]);
    let wants = [
        ("app/A", value("a,b")),
        ("app/B", value("a\nb")),
        ("app/MODE", value("é")),
        ("app/TOKEN", value("c,d")),
    ];
    let notes = stage.review(&wants).unwrap();
    says(&notes, "`app/A`, `app/TOKEN` have a comma");
    says(&notes, "`app/B` has a line break");
    says(&notes, "`app/MODE` has a character beyond ASCII");
}

#[test]
fn a_platform_that_is_too_old_for_a_reference_is_refused_with_both_dates() {
    let key = format!("{SECRET}:TOKEN");
    for (stack, wanted, parts) in [
        ("64bit Amazon Linux 2023 v4.4.4 running Docker", PARAMETER, Some(["2025-03-26", "2025-02-18"])),
        ("64bit Amazon Linux 2023 v4.9.0 running Docker", &key, Some(["2026-01-13", "2025-12-16"])),
        ("64bit Amazon Linux 2 v3.9.1 running ECS", &key, Some(["Amazon Linux 2 never will", "v3.9.1"])),
        ("64bit Amazon Linux 2023 v4.9.0 running Docker", PARAMETER, None),
        ("64bit Amazon Linux 2 v3.9.1 running ECS", SECRET, None),
        (DOCKER, &key, None),
    ] {
        let stage = Stage::seeded(seed(stack));
        let reviewed = stage.review(&[("app/TOKEN", reference(wanted))]);
        match parts {
            Some(parts) => tells(&reviewed.unwrap_err(), ErrorKind::Invalid, &parts),
            None => drop(reviewed.unwrap_or_else(|error| panic!("{stack} {wanted}: {error}"))),
        }
    }
}

#[test]
fn a_platform_whose_date_nobody_may_ask_is_noted_and_not_refused() {
    let stage = Stage::seeded(seed("64bit Amazon Linux 2023 v4.9.0 running Docker"));
    stage.cloud.fault("elasticbeanstalk:DescribePlatformVersion", 1.., Effect::Deny);
    let notes = stage.review(&[("app/TOKEN", reference(&format!("{SECRET}:TOKEN")))]).unwrap();
    says(&notes, "2026-01-13 or later");
    let old = Stage::seeded(seed("64bit Amazon Linux 2 v3.11.1 running Python 3.8"));
    says(&old.review(&[("app/TOKEN", reference(PARAMETER))]).unwrap(), "several lines");
}

#[test]
fn an_environment_that_is_updating_is_noted() {
    let stage = Stage::with([("A", "1")]);
    stage.beanstalk(|service| service.occupy_elsewhere(NAME, 9, Timestamp::now()));
    says(&stage.review(&[("app/A", value("2"))]).unwrap(), "now it is Updating");
}

#[test]
fn a_name_that_is_a_property_and_a_reference_is_not_written_blindly() {
    let stage = Stage::seeded(seed(DOCKER).property("TOKEN", "plain").reference("TOKEN", PARAMETER));
    let error = stage.review(&[("app/TOKEN", value("new"))]).unwrap_err();
    tells(
        &error,
        ErrorKind::Invalid,
        &["app/TOKEN", "a plain property and a reference", "--options-to-remove"],
    );
}
