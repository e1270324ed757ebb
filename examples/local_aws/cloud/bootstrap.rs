//! What instances fetch when they bootstrap: the values behind the references of an environment.
//!
//! The instance profile is taken to be allowed everything; which policy it has is nothing that Beanstalk knows.

use super::beanstalk::Resolver;
use super::ssm::Ssm;

/// The stores as an instance sees them.
pub(super) struct Stores<'a> {
    pub(super) ssm: &'a Ssm,
}

impl Resolver for Stores<'_> {
    fn resolve(&self, arn: &str) -> Result<String, String> {
        let held = arn.contains(":ssm:").then(|| self.ssm.held(arn)).flatten();
        held.map(|held| held.value).ok_or_else(|| format!("nothing is found for {arn}"))
    }
}
