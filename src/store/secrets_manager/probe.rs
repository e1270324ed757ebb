//! What the identity may read of an environment's secrets, tried on one that is declared; and which secrets are about to
//! go.

use super::SecretsManager;
use crate::manifest::InstancesSpec;
use crate::name::Address;
use crate::store::aws::{Failure, Family, Request};
use crate::store::{Probe, Store, StoreError};
use aws_sdk_secretsmanager::Client;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Codes of a secret that is not there, or about to go.
const ABSENT: &[&str] = &["ResourceNotFoundException", "InvalidRequestException"];

impl SecretsManager {
    /// Tries each kind of read once, of the secret that holds this address.
    pub async fn probe(&self, sample: Option<&Address>) -> Result<Vec<Probe>, StoreError> {
        let client = &self.aws.clients().await?.secrets_manager;
        let mut probes = Vec::new();
        if let Some(name) = sample.and_then(|address| self.name_of(address)) {
            probes.push(self.try_get(client, &name).await);
            probes.push(self.try_describe(client, &name).await);
            probes.push(self.try_batch(client, &name).await);
        }
        let mut groups = self.manifest.groups_in(&self.environment);
        if groups.any(|group| group.instances == InstancesSpec::Discovered) {
            probes.push(self.try_list(client).await);
        }
        Ok(probes)
    }

    /// The secrets of these addresses that are scheduled for deletion, and what AWS says of when.
    pub async fn leaving(&self, addresses: &[Address]) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let names: BTreeSet<String> = addresses.iter().filter_map(|address| self.name_of(address)).collect();
        let mut leaving = Vec::new();
        for name in names {
            let described = self.describe(&name).await?;
            if let Some(at) = described.and_then(|described| described.leaving) {
                leaving.push((name, at.0));
            }
        }
        Ok(leaving)
    }

    fn told<T>(&self, action: &'static str, resource: String, answer: Result<T, Failure>) -> Probe {
        Probe::of(action, resource, answer, ABSENT, &self.location())
    }

    async fn try_get(&self, client: &Client, name: &str) -> Probe {
        let request = Request::read("secretsmanager:GetSecretValue", Family::SecretReads);
        let send = || client.get_secret_value().secret_id(name).version_stage(super::CURRENT).send();
        self.told(request.action, self.resource(name), self.aws.call(&request, send).await)
    }

    async fn try_describe(&self, client: &Client, name: &str) -> Probe {
        let request = Request::read("secretsmanager:DescribeSecret", Family::SecretReads);
        let send = || client.describe_secret().secret_id(name).send();
        self.told(request.action, self.resource(name), self.aws.call(&request, send).await)
    }

    async fn try_batch(&self, client: &Client, name: &str) -> Probe {
        let request = Request::read("secretsmanager:BatchGetSecretValue", Family::SecretBatches);
        let send = || client.batch_get_secret_value().secret_id_list(name).send();
        self.told(request.action, "*".to_owned(), self.aws.call(&request, send).await)
    }

    async fn try_list(&self, client: &Client) -> Probe {
        let request = Request::read("secretsmanager:ListSecrets", Family::SecretBatches);
        let send = || client.list_secrets().max_results(1).send();
        self.told(request.action, "*".to_owned(), self.aws.call(&request, send).await)
    }
}
