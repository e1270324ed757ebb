//! Values that nobody else has to learn: chosen, published, done.

use super::{Chosen, Holders, NoEffect, Publication, Rotation, Step, Values, chosen, wanted};
use crate::journal::Operation;
use crate::manifest::generate::Generator;
use crate::name::Address;
use crate::secret::Secret;
use crate::store::StoreError;
use async_trait::async_trait;
use std::collections::BTreeMap;

/// Generated values.
pub struct Random {
    /// The keys, each with how its value is made.
    pub keys: Vec<(Address, Generator)>,
    /// Makes one.
    pub generate: fn(&Generator) -> Secret,
}

/// What is so.
#[derive(Debug)]
pub struct Facts {
    chosen: Option<Values>,
    /// Whether home and every copy have the chosen values.
    published: bool,
}

#[async_trait]
impl Rotation for Random {
    type Facts = Facts;
    type Effect = NoEffect;

    async fn probe(&self, operation: &Operation, holders: &Holders<'_>) -> Result<Facts, StoreError> {
        let chosen = chosen(operation)?;
        let published = match &chosen {
            Some(values) => holders.have(&wanted(values)).await?,
            None => false,
        };
        Ok(Facts { chosen, published })
    }

    fn next(&self, facts: &Facts) -> Step<NoEffect> {
        match &facts.chosen {
            None => Step::Choose,
            Some(values) if !facts.published => Step::Publish(Publication::of(wanted(values))),
            Some(_) => Step::Done,
        }
    }

    fn choose(&self, _: &Facts) -> Chosen {
        let made = self.keys.iter().map(|(address, generator)| (address.clone(), (self.generate)(generator)));
        Chosen { values: made.collect(), facts: BTreeMap::new() }
    }

    async fn act(&self, effect: &NoEffect, _: &mut Operation, _: &Holders<'_>) -> Result<String, StoreError> {
        match *effect {}
    }
}
