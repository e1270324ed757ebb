//! What instances fetch when they bootstrap: the values behind the references of an environment.
//!
//! The instance profile is taken to be allowed everything; which policy it has is nothing that Beanstalk knows.

use super::beanstalk::Resolver;
use super::secrets_manager::SecretsManager;
use super::ssm::Ssm;

/// The stores as an instance sees them.
pub(super) struct Stores<'a> {
    pub(super) ssm: &'a Ssm,
    pub(super) secrets: &'a SecretsManager,
}

impl Resolver for Stores<'_> {
    fn resolve(&self, arn: &str) -> Result<String, String> {
        let found = if arn.contains(":ssm:") {
            self.ssm.held(arn).map(|held| held.value)
        } else {
            let held = self.secrets.held(arn).filter(|held| held.arn == arn);
            held.filter(|held| !held.is_scheduled_for_deletion).and_then(|held| held.text)
        };
        found.ok_or_else(|| format!("nothing is found for {arn}"))
    }
}
