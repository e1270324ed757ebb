//! Values that nobody else has to learn: chosen, published, done.

use super::{Holders, Rotation, Step, Values};
use crate::manifest::generate::Generator;
use crate::name::Address;
use crate::secret::Secret;
use crate::store::StoreError;
use async_trait::async_trait;

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

    async fn probe(&self, holders: &Holders<'_>, chosen: Option<Values>) -> Result<Facts, StoreError> {
        let published = match &chosen {
            Some(values) => holders.have(values).await?,
            None => false,
        };
        Ok(Facts { chosen, published })
    }

    fn next(&self, facts: &Facts) -> Step {
        match &facts.chosen {
            None => Step::Choose,
            Some(values) if !facts.published => Step::Publish(values.clone()),
            Some(_) => Step::Done,
        }
    }

    fn choose(&self) -> Values {
        self.keys.iter().map(|(address, generator)| (address.clone(), (self.generate)(generator))).collect()
    }
}
