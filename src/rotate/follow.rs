//! Values that AWS rotates itself, brought to everything that holds them.
//!
//! Nothing is chosen here and nothing can be taken back: who gave the values has forgotten the ones before.

use super::{Chosen, Holders, NoEffect, Publication, Rotation, Step, Values, wanted};
use crate::journal::Operation;
use crate::name::Address;
use crate::store::{Aws, StoreError, members};
use async_trait::async_trait;
use std::sync::Arc;

/// A secret that is followed.
pub struct Follow {
    /// Who reads it.
    pub aws: Arc<Aws>,
    /// Its ARN.
    pub secret: String,
    /// Which member of it each key gets.
    pub keys: Vec<(Address, String)>,
}

/// What is so.
#[derive(Debug)]
pub struct Facts {
    values: Values,
    /// Whether home and every copy have the values.
    published: bool,
}

impl Follow {
    /// What the secret holds now.
    pub async fn values(&self) -> Result<Values, StoreError> {
        let names: Vec<&str> = self.keys.iter().map(|(_, member)| member.as_str()).collect();
        let values = members(&self.aws, &self.secret, &names).await?;
        Ok(self.keys.iter().map(|(address, _)| address.clone()).zip(values).collect())
    }
}

#[async_trait]
impl Rotation for Follow {
    type Facts = Facts;
    type Effect = NoEffect;

    async fn probe(&self, _: &Operation, holders: &Holders<'_>) -> Result<Facts, StoreError> {
        let values = self.values().await?;
        let published = holders.have(&wanted(&values)).await?;
        Ok(Facts { values, published })
    }

    fn next(&self, facts: &Facts) -> Step<NoEffect> {
        match facts.published {
            true => Step::Done,
            false => Step::Publish(Publication { stages: vec![wanted(&facts.values)], lasting: true }),
        }
    }

    fn choose(&self, _: &Facts) -> Chosen {
        Chosen::default()
    }

    async fn act(&self, effect: &NoEffect, _: &mut Operation, _: &Holders<'_>) -> Result<String, StoreError> {
        match *effect {}
    }
}
