//! What the identity may read of an environment, tried; and whether the platform resolves references.

use super::Beanstalk;
use super::platform::{Feature, Fit};
use crate::store::aws::{Failure, Family, Request};
use crate::store::{Probe, Store, StoreError};

/// Whether the platform version of an environment resolves the references that a copy needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Support {
    /// It does.
    Yes,
    /// It does not, with the reason.
    No(String),
    /// AWS does not tell how old it is.
    Unknown,
}

impl Beanstalk {
    /// Tries each kind of read once.
    pub async fn probe(&self) -> Result<Vec<Probe>, StoreError> {
        let client = &self.aws.clients().await?.beanstalk;
        let environments = Request::read("elasticbeanstalk:DescribeEnvironments", Family::Beanstalk);
        let found = self.aws.call(&environments, || {
            let call = client.describe_environments().application_name(&self.application);
            call.environment_names(&self.name).send()
        });
        let settings = Request::read("elasticbeanstalk:DescribeConfigurationSettings", Family::Beanstalk);
        let settings_probe = Probe {
            action: settings.action,
            resource: self.resource().await,
            // An empty list is AWS's way to refuse it, and `deployed` knows that.
            outcome: self.deployed().await.map(drop),
            is_stranger: false,
        };
        let events = Request::read("elasticbeanstalk:DescribeEvents", Family::Beanstalk);
        let told = self.aws.call(&events, || {
            let call = client.describe_events().application_name(&self.application);
            call.environment_name(&self.name).max_records(1).send()
        });
        Ok(vec![
            self.told(environments.action, found.await).await,
            settings_probe,
            self.told(events.action, told.await).await,
        ])
    }

    async fn told<T>(&self, action: &'static str, answer: Result<T, Failure>) -> Probe {
        Probe::of(action, self.resource().await, answer, &[], &self.location())
    }

    /// Whether the platform resolves references; with `json_keys` those to one key of a JSON secret.
    pub async fn resolves(&self, json_keys: bool) -> Result<Support, StoreError> {
        let deployed = self.deployed().await?;
        let feature = if json_keys { Feature::JsonKeys } else { Feature::References };
        let made = match deployed.platform.needs_date(feature) {
            true => self.made(deployed.platform.arn.as_deref().unwrap_or_default()).await,
            false => None,
        };
        Ok(match deployed.platform.fits(feature, made) {
            Fit::Yes => Support::Yes,
            Fit::No(why) => Support::No(why),
            Fit::Unknown => Support::Unknown,
        })
    }
}
