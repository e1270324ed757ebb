//! The AWS account of an environment, as its manifest and the process's environment mean it.
//!
//! Owns what goes before what: `AWS_PROFILE` and `AWS_ENDPOINT_URL…` before the manifest's `profile` and
//! `endpoint_url`. It makes no call.

use super::context::{Context, variable};
use crate::manifest::EnvironmentSpec;
use crate::store::{Aws, Endpoints, Settings};
use anyhow::Result;
use std::sync::Arc;

impl Context {
    /// The AWS account of the environment, one for all of its places.
    pub(super) fn aws(&self) -> Result<Arc<Aws>> {
        if let Some(known) = self.aws.get() {
            return Ok(known.clone());
        }
        let aws = Arc::new(Aws::new(self.settings(self.environment()?)?));
        Ok(self.aws.get_or_init(|| aws).clone())
    }

    /// What a manifest's environment says of its account, where the process's environment does not say otherwise.
    pub(super) fn settings(&self, spec: &EnvironmentSpec) -> Result<Settings> {
        let unless = |names: &[&str], text: &Option<String>| {
            let named = names.iter().any(|name| variable(name).is_some());
            if named { None } else { text.clone() }
        };
        let endpoint = |service: &str| unless(&["AWS_ENDPOINT_URL", service], &spec.endpoint_url);
        Ok(Settings {
            region: spec.region.clone(),
            profile: unless(&["AWS_PROFILE"], &spec.profile),
            role_arn: spec.role_arn.clone(),
            account: spec.account.clone(),
            kms_key: spec.kms_key.clone(),
            tags: spec.tags.clone(),
            quota: spec.quota,
            endpoints: Endpoints {
                ssm: endpoint("AWS_ENDPOINT_URL_SSM"),
                secrets_manager: endpoint("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
                beanstalk: endpoint("AWS_ENDPOINT_URL_ELASTIC_BEANSTALK"),
                sts: endpoint("AWS_ENDPOINT_URL_STS"),
            },
            // A dry run writes nothing anywhere.
            callers: (!self.dry_run())
                .then(|| self.state_folder())
                .transpose()?
                .map(|folder| folder.join("callers.json")),
            poll: self.poll_interval()?,
            credentials: None,
        })
    }
}
