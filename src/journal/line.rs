//! The lines of a journal: which steps there are, how they are written, and what they add up to.
//!
//! Owns the format `strongroom/journal` version 1: one JSON object in a line, with `at` and `state`. A line that a crash
//! cut off, the last one, counts as not written.

use super::{JournalError, Target};
use crate::name::Address;
use crate::plan::Place;
use crate::snapshot::{Unit, Version};
use crate::store::{Applied, OperationId};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::path::Path;

pub(super) const FORMAT: &str = "strongroom/journal";
pub(super) const VERSION: u64 = 1;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub(super) at: Timestamp,
    #[serde(flatten)]
    pub(super) step: Step,
}

/// What happened. Writes are counted from 0 through all plans of the operation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Step {
    /// The first line.
    Begun {
        /// Always `strongroom/journal`.
        format: String,
        /// The version of the format.
        version: u64,
        /// The project.
        project: String,
        /// The environment.
        environment: String,
        /// The command, for people.
        command: String,
        /// The operation that this one undoes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undoes: Option<OperationId>,
        /// The command that goes on with it when what is planned is finished; none where that is all there is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        goes_on: Option<String>,
        /// Whether what comes later follows from what was written before, so that an undo keeps the order.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        in_order: bool,
        /// Which place of the world home is, where something is done or learned before a write is planned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        home: Option<String>,
    },
    /// What the places held was sealed into a backup, which was opened again and compared.
    BackedUp {
        /// The file.
        file: String,
    },
    /// Something beside the writes was looked at, and found as it should be.
    Checked {
        /// What, as a sentence for people.
        what: String,
    },
    /// Values were chosen, and are sealed in `chosen.age`.
    Chosen {
        /// Whose.
        addresses: Vec<String>,
        /// What else was settled with them, for whoever goes on: no value is in it.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        facts: BTreeMap<String, String>,
    },
    /// A plan is sealed and was opened again; its writes follow those of the plans before.
    Planned {
        /// The number of the sealed file.
        plan: usize,
        /// The writes.
        writes: Vec<PlannedWrite>,
    },
    /// The next thing is the call.
    Intent {
        /// Which write.
        write: usize,
    },
    /// The place said that it is done, or reading back said so.
    Applied {
        /// Which write.
        write: usize,
        /// The unit's new version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
        /// The place's name for the call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<String>,
        /// Somebody else's version that it covered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        overwrote: Option<String>,
    },
    /// The place said that nothing was changed.
    Refused {
        /// Which write.
        write: usize,
        /// What it said.
        reason: String,
    },
    /// There was no answer.
    Unknown {
        /// Which write.
        write: usize,
        /// What was seen instead.
        reason: String,
    },
    /// The write is in force.
    Settled {
        /// Which write.
        write: usize,
    },
    /// The place took the write back.
    RolledBack {
        /// Which write.
        write: usize,
        /// What it said.
        reason: String,
    },
    /// The next thing is a call whose answer is a value that a server chooses.
    Minting {
        /// The name of the effect.
        name: String,
    },
    /// The answer is sealed in `minted-NAME.age`.
    Minted {
        /// The name of the effect.
        name: String,
    },
    /// The next thing is an effect on what the values are for: a role's password, a program.
    Acting {
        /// The name of the effect.
        effect: String,
        /// Whether nothing takes it back: then the operation is not undone any more.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        lasting: bool,
    },
    /// What became of an effect.
    Acted {
        /// The name of the effect.
        effect: String,
        /// In the rotation's own words; no value is in it.
        outcome: String,
    },
    /// Nothing is to be done until then, and whoever waits holds nothing.
    Soaking {
        /// Until when.
        #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
        until: Timestamp,
    },
    /// The last line.
    Ended {
        /// How.
        ending: Ending,
        /// Why, where it is not plain.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// Everything is in force and was read back.
    Done,
    /// Nothing was changed.
    Nothing,
    /// It was given up; what it had done by then stands.
    Stands,
    /// It had stopped midway, and what it had done was found undone.
    Undone,
}

/// A write as the journal tells it: no values.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlannedWrite {
    /// The place's name.
    pub place: Place,
    /// Which place of the world that is.
    pub location: String,
    /// The unit.
    pub unit: String,
    /// The version that the plan was made against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The addresses.
    #[serde(serialize_with = "addresses_as_text", deserialize_with = "addresses_from_text")]
    pub addresses: Vec<Address>,
    /// Whether an undo leaves it: what it was written for knows it already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lasting: bool,
}

impl PlannedWrite {
    pub(super) fn targets(&self) -> impl Iterator<Item = Target> {
        self.addresses.iter().map(|address| Target {
            place: self.place.clone(),
            location: self.location.clone(),
            address: address.clone(),
        })
    }
}

/// The outcome of an effect that turned out not to have been begun: it counts as never written down.
pub const NOT_BEGUN: &str = "not begun";

/// One effect of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acted {
    /// Its name.
    pub effect: String,
    /// When it was begun.
    pub at: Timestamp,
    /// What became of it, and when that was written down; `None` where the process died in it.
    pub outcome: Option<(String, Timestamp)>,
    /// Whether nothing takes it back.
    pub lasting: bool,
}

/// What the lines add up to.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) plans: usize,
    pub(super) writes: Vec<PlannedWrite>,
    pub(super) standings: Vec<WriteStanding>,
    /// How each write stood before its last call.
    before_call: Vec<WriteStanding>,
    pub(super) minted: Vec<String>,
    /// Each effect, with what became of it where that is known.
    pub(super) acted: Vec<Acted>,
    pub(super) facts: BTreeMap<String, String>,
    pub(super) soaking: Option<Timestamp>,
    /// Whether all that was planned was in force when it began to wait.
    pub(super) soaked: bool,
    /// Whether all that was planned was in force when it turned from the places to something else: none is half-written.
    pub(super) rests: bool,
    pub(super) ending: Option<Ending>,
}

/// How one write stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WriteStanding {
    /// No call was made, or the place refused the last one: nothing of it is there.
    Untouched,
    /// A call was made and its end is not known.
    Unknown,
    /// The place has it.
    Applied(Applied),
    /// It is in force.
    Settled,
}

impl Progress {
    pub(super) fn of(lines: &[Line]) -> Progress {
        let mut progress = Progress::default();
        for line in lines {
            progress.add(line);
        }
        progress
    }

    pub(super) fn add(&mut self, Line { at, step }: &Line) {
        self.soaking = None;
        match step {
            Step::Begun { .. } | Step::BackedUp { .. } | Step::Checked { .. } => {}
            Step::Chosen { facts, .. } => self.facts.extend(facts.clone()),
            Step::Planned { plan, writes } => {
                self.plans = *plan;
                (self.soaked, self.rests) = (false, false);
                self.standings.extend(writes.iter().map(|_| WriteStanding::Untouched));
                self.before_call.extend(writes.iter().map(|_| WriteStanding::Untouched));
                self.writes.extend(writes.iter().cloned());
            }
            Step::Intent { write } => {
                if let (Some(now), Some(slot)) =
                    (self.standings.get(*write).cloned(), self.before_call.get_mut(*write))
                {
                    *slot = now;
                }
                self.stand(*write, WriteStanding::Unknown);
            }
            Step::Unknown { write, .. } => self.stand(*write, WriteStanding::Unknown),
            // A refusal speaks of its own call only: an earlier one whose answer was lost may still land.
            Step::Refused { write, .. } => {
                let before = self.before_call.get(*write).cloned().unwrap_or(WriteStanding::Unknown);
                self.stand(*write, before);
            }
            Step::RolledBack { write, .. } => self.stand(*write, WriteStanding::Untouched),
            Step::Applied { write, version, request, overwrote } => {
                let unit = self.writes.get(*write).map(|write| write.unit.clone()).unwrap_or_default();
                let version = version.clone().map(Version);
                let applied = Applied {
                    unit: Unit(unit),
                    version,
                    request: request.clone(),
                    overwrote: overwrote.clone().map(Version),
                };
                self.stand(*write, WriteStanding::Applied(applied));
            }
            Step::Settled { write } => self.stand(*write, WriteStanding::Settled),
            Step::Minting { name } => {
                self.acted.push(Acted { effect: name.clone(), at: *at, outcome: None, lasting: true });
            }
            Step::Minted { name } => {
                self.minted.push(name.clone());
                self.became(name, "minted", *at);
            }
            Step::Acting { effect, lasting } => {
                let (effect, lasting) = (effect.clone(), *lasting);
                self.rests = self.settled() == self.writes.len();
                self.acted.push(Acted { effect, at: *at, outcome: None, lasting });
            }
            Step::Acted { effect, outcome } => self.became(effect, outcome, *at),
            Step::Soaking { until } => {
                (self.soaking, self.soaked, self.rests) = (Some(*until), true, true);
            }
            Step::Ended { ending, .. } => self.ending = Some(*ending),
        }
    }

    fn became(&mut self, effect: &str, outcome: &str, at: Timestamp) {
        let Some(last) = self.acted.iter().rposition(|acted| acted.effect == effect) else { return };
        if outcome == NOT_BEGUN {
            self.acted.remove(last);
        } else {
            self.acted[last].outcome = Some((outcome.to_owned(), at));
        }
    }

    fn stand(&mut self, write: usize, standing: WriteStanding) {
        if let Some(slot) = self.standings.get_mut(write) {
            *slot = standing;
        }
    }

    /// Whether something may be changed in the world: a write that was not refused, or an effect.
    pub(super) fn touched(&self) -> bool {
        !self.acted.is_empty() || self.standings.iter().any(|standing| *standing != WriteStanding::Untouched)
    }

    /// Whether an effect was begun that nothing takes back.
    pub(super) fn lasts(&self) -> bool {
        self.acted.iter().any(|acted| acted.lasting)
    }

    /// Whether there is nothing that an undo could take back.
    pub(super) fn lasting(&self) -> bool {
        self.lasts() || (!self.writes.is_empty() && self.writes.iter().all(|write| write.lasting))
    }

    pub(super) fn settled(&self) -> usize {
        self.standings.iter().filter(|standing| **standing == WriteStanding::Settled).count()
    }
}

/// The whole lines of a journal; what follows the last line end was cut off by a crash and is not one.
pub(super) fn parse(path: &Path, text: &[u8]) -> Result<Vec<Line>, JournalError> {
    let whole = &text[..whole_length(text)];
    let damaged = |reason: String| JournalError::Damaged { path: path.to_owned(), reason };
    let mut lines = Vec::new();
    for (index, line) in whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
        let line: Line = serde_json::from_slice(line)
            .map_err(|_| damaged(format!("line {} is not a step that this strongroom knows", index + 1)))?;
        if let Step::Begun { format, version, .. } = &line.step {
            if format != FORMAT {
                return Err(damaged("it is not a strongroom journal".to_owned()));
            }
            if *version > VERSION {
                return Err(damaged(format!("it is in format version {version}; upgrade strongroom")));
            }
        }
        lines.push(line);
    }
    Ok(lines)
}

/// How many bytes belong to whole lines.
pub(super) fn whole_length(text: &[u8]) -> usize {
    text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

fn as_text<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

fn from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

fn addresses_as_text<S: Serializer>(addresses: &[Address], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(addresses.iter().map(Address::to_string))
}

fn addresses_from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Address>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(serde::de::Error::custom)).collect()
}

impl Serialize for OperationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for OperationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OperationId, D::Error> {
        let text = String::deserialize(deserializer)?;
        OperationId::parse(&text).ok_or_else(|| serde::de::Error::custom("not the name of an operation"))
    }
}
