//! Elastic Beanstalk: applications, environments and their deployments.

use super::{Form, Moment, Refusal};

/// What Beanstalk holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beanstalk {}

impl Beanstalk {
    /// The XML inside of the action's `Result` element; empty where AWS sends none.
    pub(crate) fn answer(&mut self, action: &str, _form: &Form, _moment: &Moment) -> Result<String, Refusal> {
        Err(Refusal::new(
            "InvalidAction",
            format!("Could not find operation {action} for version 2010-12-01"),
        ))
    }

    /// The ARNs that a policy must allow the action on.
    pub(crate) fn resources(&self, _action: &str, _form: &Form) -> Vec<String> {
        vec!["*".to_owned()]
    }
}
