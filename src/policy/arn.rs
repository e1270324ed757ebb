//! ARNs of what a manifest names.
//!
//! Owns how they are put together. It never says what may be done with them.

use crate::manifest::EnvironmentSpec;

/// Any suffix of a secret's name: six `?`, because a `*` would match longer names too.
pub(crate) const ANY_SUFFIX: &str = "??????";

/// Where the ARNs are: what the manifest says of an environment, `*` for what it does not say.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    partition: &'static str,
    region: String,
    account: String,
}

impl Site {
    pub(crate) fn of(environment: &EnvironmentSpec) -> Site {
        let anything = || "*".to_owned();
        let region = environment.region.clone().unwrap_or_else(anything);
        let partition = match region.split('-').next() {
            Some("cn") => "aws-cn",
            Some("us") if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        Site { partition, region, account: environment.account.clone().unwrap_or_else(anything) }
    }

    /// The ARN of something of a service.
    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        let Site { partition, region, account } = self;
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }

    /// A parameter, by its name without a first slash.
    pub(crate) fn parameter(&self, name: &str) -> String {
        self.arn("ssm", &format!("parameter/{name}"))
    }

    /// A secret by its name; AWS adds a suffix of six characters to it.
    pub(crate) fn secret(&self, name: &str, suffix: &str) -> String {
        self.arn("secretsmanager", &format!("secret:{name}-{suffix}"))
    }

    /// Every platform; they are AWS's own and have no account.
    pub(crate) fn platforms(&self) -> String {
        let Site { partition, region, .. } = self;
        format!("arn:{partition}:elasticbeanstalk:{region}::platform/*")
    }

    /// A role; roles have no region.
    pub(crate) fn role(&self, name: &str) -> String {
        let Site { partition, account, .. } = self;
        format!("arn:{partition}:iam::{account}:role/{name}")
    }
}
