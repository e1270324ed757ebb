//! The fault matrix of a migration of thirty variables, and of the `resume` and the `undo` of what a fault left: each call
//! of AWS × killed before it, killed once it is applied, its answer lost, nothing answering from there on, and at the
//! first call of each kind whatever else may happen.
//!
//! The law is that of [`super::super::telling`], and at each point [`super::whole`]: the containers see what they saw,
//! now and in an instance that starts at that moment, and each value is held by a place. What the law calls the end has
//! the manifest in it, byte for byte.
//!
//! Of a migration to documents every call meets every fault. Of the others, where most is the same, reads meet fewer, and
//! of a row of like calls the first, one in the middle and the last meet any. Faults in `resume` and `undo` are tried in
//! the states that the first kind left, where states count as one that differ in how many like writes were made. With
//! `STRONGROOM_WHOLE_MATRIX` set, faults are left out nowhere in the commands, and in `resume` and `undo` they are tried in
//! each kind. docs/recovery.md has the count of a run without it.

use super::super::site::{BEANSTALK, SSM_BY_VALUE};
use super::super::telling::{Count, Story, count, story};
use super::{from_parameters, from_properties, whole};
use std::time::Instant;

const DOCUMENTS: &str = "--yes migrate --to secretsmanager";
const CANARY_FIRST: &str = "--yes migrate --to secretsmanager --canary EMAIL_CC";
const PER_KEY: &str = "--yes migrate --to secretsmanager --secret-per-key";
const PARAMETERS: &str = "--yes migrate --to ssm";

fn migration(words: &'static str) -> Story {
    let coarsely = !wholly();
    Story { site: from_properties, always: whole, gone: true, coarsely, ..story(BEANSTALK, words, "") }
}

/// Whether all of it is asked for.
fn wholly() -> bool {
    std::env::var_os("STRONGROOM_WHOLE_MATRIX").is_some()
}

/// Goes through it, and holds that there were so many cases.
#[track_caller]
#[expect(clippy::print_stdout, reason = "docs/recovery.md has the numbers")]
fn survives(story: Story, first: usize, nested: usize) {
    let begun = Instant::now();
    let Count { first: faults, states, nested: ends } = count(&[story]);
    println!(
        "{}: {faults} faults, {states} states, {ends} faults in their ends, {:?}",
        story.words,
        begun.elapsed()
    );
    assert!(faults >= first && ends >= nested, "too few cases: {faults}, {ends}");
}

#[test]
fn a_migration_to_documents_survives_and_so_do_its_resume_and_its_undo() {
    survives(migration(DOCUMENTS).deeply(), 200, 300);
}

#[test]
fn a_migration_with_a_canary_survives() {
    survives(sampled(migration(CANARY_FIRST)), 90, 0);
}

#[test]
fn a_migration_to_a_secret_for_each_key_survives() {
    survives(Story { coarsely: true, ..sampled(migration(PER_KEY)) }, 90, 0);
}

#[test]
fn a_migration_to_parameters_survives() {
    survives(Story { coarsely: true, ..sampled(migration(PARAMETERS)) }, 90, 0);
}

#[test]
fn copies_by_value_that_become_references_survive() {
    let site = from_parameters;
    survives(Story { kind: SSM_BY_VALUE, site, ..sampled(migration(PARAMETERS)) }, 90, 0);
}

/// A part of it, unless all is asked for.
fn sampled(story: Story) -> Story {
    Story { deeply: wholly(), sampled: !wholly(), ..story }
}
