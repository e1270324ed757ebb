//! Values that nobody else has to learn: chosen, published, done.

use super::programs::{self, Programs, Said};
use super::{Chosen, Holders, NoEffect, Publication, Rotation, Step, Values, chosen, wanted};
use crate::journal::Operation;
use crate::manifest::Program;
use crate::manifest::generate::Generator;
use crate::name::Address;
use crate::secret::Secret;
use crate::store::{ErrorKind, StoreError};
use async_trait::async_trait;

/// Generated values.
pub struct Random {
    /// The keys, each with how its value is made.
    pub keys: Vec<(Address, Generator)>,
    /// Makes one.
    pub generate: fn(&Generator) -> Secret,
    /// Tries the new values once every holder has them.
    pub verify: Option<(Program, Programs)>,
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
        if let (Some((verify, programs)), Some(values), true) = (&self.verify, &chosen, published) {
            self.verified(verify, programs, operation, holders, values).await?;
        }
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
        Chosen { values: made.collect(), ..Chosen::default() }
    }

    async fn act(&self, effect: &NoEffect, _: &mut Operation, _: &Holders<'_>) -> Result<String, StoreError> {
        match *effect {}
    }
}

impl Random {
    /// Whether the new values are good. If they are not, the operation stays open, to be asked again or taken back.
    async fn verified(
        &self,
        verify: &Program,
        programs: &Programs,
        operation: &Operation,
        holders: &Holders<'_>,
        values: &Values,
    ) -> Result<(), StoreError> {
        let home = holders.spec.home.to_string();
        let keys: Vec<Address> = values.keys().cloned().collect();
        let old = programs::before(operation, &home, &holders.held_with(&keys).await?, &keys);
        let pairs = programs::pairs(&old, Some(values), &keys);
        match programs.ask("verify", verify, operation, &pairs).await? {
            Said::Yes(_) => Ok(()),
            Said::No(why) => {
                let message = "it says no; every holder has the new values";
                let error = StoreError::new(ErrorKind::Failed, programs.location("verify", verify), message)
                    .hint("`strongroom resume` asks again, `strongroom undo` brings the old values back");
                Err(programs::heard(error, why))
            }
        }
    }
}
