//! What the identity may read of an environment's parameters, tried on one that is declared.

use super::{Ssm, names};
use crate::manifest::InstancesSpec;
use crate::name::Address;
use crate::store::aws::{Failure, Family, Request};
use crate::store::{Probe, StoreError};
use aws_sdk_ssm::Client;
use std::collections::BTreeSet;

const ABSENT: &[&str] = &["ParameterNotFound"];

impl Ssm {
    /// Tries each kind of read once: of this address, and of the paths on which instances are looked for.
    pub async fn probe(&self, sample: Option<&Address>) -> Result<Vec<Probe>, StoreError> {
        let ssm = &self.aws.clients().await?.ssm;
        let mut probes = Vec::new();
        if let Some(name) = sample.and_then(|address| self.name_of(address).ok()) {
            probes.push(self.try_get(ssm, &name).await);
            probes.push(self.try_get_batch(ssm, &name).await);
            probes.push(self.try_history(ssm, &name).await);
        }
        for path in self.walked() {
            probes.push(self.try_walk(ssm, &path).await);
        }
        probes.push(self.try_describe(ssm).await);
        Ok(probes)
    }

    /// The paths that a discovery of instances walks.
    fn walked(&self) -> BTreeSet<String> {
        let groups = self.manifest.groups_in(&self.environment);
        let open = groups.filter(|group| group.instances == InstancesSpec::Discovered);
        open.map(|group| names::path_of(&self.manifest, &self.environment, group)).collect()
    }

    fn arn(&self, name: &str) -> String {
        let settings = self.aws.settings();
        let region = settings.region.as_deref().unwrap_or("*");
        let account = settings.account.as_deref().unwrap_or("*");
        format!("arn:aws:ssm:{region}:{account}:parameter/{}", name.trim_start_matches('/'))
    }

    fn told<T>(&self, action: &'static str, resource: String, answer: Result<T, Failure>) -> Probe {
        Probe::of(action, resource, answer, ABSENT, &self.location)
    }

    async fn try_get(&self, ssm: &Client, name: &str) -> Probe {
        let request = Request::read("ssm:GetParameter", Family::ParameterReads);
        let send = || ssm.get_parameter().name(name).with_decryption(true).send();
        self.told(request.action, self.arn(name), self.aws.call(&request, send).await)
    }

    async fn try_get_batch(&self, ssm: &Client, name: &str) -> Probe {
        let request = Request::read("ssm:GetParameters", Family::ParameterReads);
        let send = || ssm.get_parameters().names(name).with_decryption(true).send();
        self.told(request.action, self.arn(name), self.aws.call(&request, send).await)
    }

    async fn try_history(&self, ssm: &Client, name: &str) -> Probe {
        let request = Request::read("ssm:GetParameterHistory", Family::ParameterLists);
        let send = || ssm.get_parameter_history().name(name).max_results(1).send();
        self.told(request.action, self.arn(name), self.aws.call(&request, send).await)
    }

    async fn try_walk(&self, ssm: &Client, path: &str) -> Probe {
        let request = Request::read("ssm:GetParametersByPath", Family::ParameterReads);
        let send = || ssm.get_parameters_by_path().path(path).recursive(true).max_results(1).send();
        self.told(request.action, self.arn(path), self.aws.call(&request, send).await)
    }

    async fn try_describe(&self, ssm: &Client) -> Probe {
        let request = Request::read("ssm:DescribeParameters", Family::ParameterLists);
        let send = || ssm.describe_parameters().max_results(1).send();
        self.told(request.action, "*".to_owned(), self.aws.call(&request, send).await)
    }
}
