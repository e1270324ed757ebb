//! What an operation keeps beside its plans: values that a rotation chose, sealed before anybody learns them; answers of
//! servers that chose a value themselves, sealed the moment they come; the manifest that is to be left behind.

use super::operation::{Answer, CHOSEN, MANIFEST, MANIFEST_BEFORE, Operation};
use super::{Acted, JournalError, Step};
use crate::document::{Document, Kind, Record, Section, State};
use crate::durable;
use crate::name::Address;
use crate::secret::Secret;
use crate::snapshot::Entry;
use crate::store::OperationId;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The place that the sealed document names: none of the world's.
const NOWHERE: &str = "chosen";

impl Operation {
    /// Seals the values that were chosen, and writes down what was settled with them (no value); they are on disk and have
    /// been opened again when this returns. Once they are, others are never chosen in the same operation.
    pub fn keep_chosen(
        &mut self,
        values: &BTreeMap<Address, Secret>,
        facts: &BTreeMap<String, String>,
    ) -> Result<(), JournalError> {
        let record = |value: &Secret| Record { entry: Some(Entry::of(value.clone())), ..Record::default() };
        let records = values.iter().map(|(address, value)| (address.clone(), record(value)));
        let (project, environment) = self.names().clone();
        let document = Document {
            kind: Kind::Operation,
            project,
            environment,
            created: self.now(),
            fingerprint_key: Some(self.key().clone()),
            sections: vec![Section::new(NOWHERE, State::After, records.collect())],
        };
        self.keep(&self.path_of(CHOSEN), &document.to_json())?;
        self.record(Step::Chosen {
            addresses: values.keys().map(ToString::to_string).collect(),
            facts: facts.clone(),
        })
    }

    /// The values that were chosen, if any were.
    pub fn chosen(&self) -> Result<Option<BTreeMap<Address, Secret>>, JournalError> {
        let path = self.path_of(CHOSEN);
        if !path.exists() {
            return Ok(None);
        }
        let document = self.open_document(&path)?;
        let section = document
            .section(NOWHERE, State::After)
            .ok_or_else(|| JournalError::Damaged { path, reason: "it holds no chosen values".to_owned() })?;
        let value = |(address, record): (&Address, &Record)| {
            let value = record.entry.as_ref()?.held.value()?.clone();
            Some((address.clone(), value))
        };
        Ok(Some(section.records.iter().filter_map(value).collect()))
    }

    /// Each effect that it has begun, in order.
    pub fn acted(&self) -> &[Acted] {
        &self.progress().acted
    }

    /// What was settled when its values were chosen, by name.
    pub fn facts(&self) -> &BTreeMap<String, String> {
        &self.progress().facts
    }

    /// Whether it has called, or was about to call, a server that chooses a value itself, or has done something else that
    /// nothing takes back.
    pub fn has_effects(&self) -> bool {
        self.progress().lasts()
    }

    /// Whether there is nothing that an undo could take back.
    pub fn lasting(&self) -> bool {
        self.progress().lasting()
    }

    /// Whether it has waited since its last plan: all of that was in force then, and what came later is not its own.
    pub fn has_soaked(&self) -> bool {
        self.progress().soaked
    }

    /// Until when it waits, where that is all that is left to do.
    pub fn soaking(&self) -> Option<Timestamp> {
        self.progress().soaking
    }

    /// Keeps the manifest that knows the operation's places, where it leaves another one behind than it found. No value
    /// is in it. Made before the first plan.
    pub fn keep_manifest(&mut self, text: &str) -> Result<(), JournalError> {
        let path = self.path_of(MANIFEST);
        durable::replace(&path, text.as_bytes(), durable::PRIVATE).map_err(JournalError::io(&path, "written"))
    }

    /// Keeps the manifest that the one of [`Operation::keep_manifest`] was made from.
    pub fn keep_manifest_before(&mut self, text: &str) -> Result<(), JournalError> {
        let path = self.path_of(MANIFEST_BEFORE);
        durable::replace(&path, text.as_bytes(), durable::PRIVATE).map_err(JournalError::io(&path, "written"))
    }

    /// The answer of an effect that was sealed earlier, if it was.
    pub fn minted(&self, effect: &str) -> Result<Option<Answer>, JournalError> {
        let path = self.minted_path(effect)?;
        if !path.exists() {
            return Ok(None);
        }
        Ok(Some(Answer::of(self.open_sealed(&path)?)))
    }

    /// Seals the answer of an effect, before anybody looks into it.
    pub fn keep_minted(&mut self, effect: &str, answer: &Answer) -> Result<(), JournalError> {
        self.keep(&self.minted_path(effect)?, answer.expose())?;
        self.record(Step::Minted { name: effect.to_owned() })
    }

    fn minted_path(&self, effect: &str) -> Result<PathBuf, JournalError> {
        match OperationId::parse(effect) {
            Some(_) => Ok(self.path_of(&format!("minted-{effect}.age"))),
            None => Err(JournalError::EffectName(effect.escape_debug().take(80).collect())),
        }
    }
}
