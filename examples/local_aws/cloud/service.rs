//! The services: what each is called, and the errors that each names in its own way.

use super::Refusal;

/// A service of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Ssm,
    SecretsManager,
    Beanstalk,
    Sts,
    Iam,
}

impl Service {
    const ALL: [Service; 5] =
        [Service::Ssm, Service::SecretsManager, Service::Beanstalk, Service::Sts, Service::Iam];

    /// The name in signatures and before the colon of IAM's actions.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Service::Ssm => "ssm",
            Service::SecretsManager => "secretsmanager",
            Service::Beanstalk => "elasticbeanstalk",
            Service::Sts => "sts",
            Service::Iam => "iam",
        }
    }

    /// The service that signs with this name.
    pub(crate) fn signed_as(name: &str) -> Option<Service> {
        Service::ALL.into_iter().find(|service| service.name() == name)
    }

    /// The service and action of an `X-Amz-Target`.
    pub(crate) fn targeted(target: &str) -> Option<(Service, &str)> {
        let (prefix, action) = target.split_once('.')?;
        match prefix {
            "AmazonSSM" => Some((Service::Ssm, action)),
            "secretsmanager" => Some((Service::SecretsManager, action)),
            _ => None,
        }
    }

    /// Whether requests are forms and answers are XML; JSON otherwise.
    pub(crate) fn speaks_query(self) -> bool {
        matches!(self, Service::Beanstalk | Service::Sts | Service::Iam)
    }

    /// The namespace of the service's XML.
    pub(crate) fn namespace(self) -> &'static str {
        match self {
            Service::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            Service::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
            _ => "http://elasticbeanstalk.amazonaws.com/docs/2010-12-01/",
        }
    }

    /// The version that query requests name.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Service::Sts => "2011-06-15",
            Service::Iam => "2010-05-08",
            _ => "2010-12-01",
        }
    }

    /// Too many calls.
    pub(crate) fn throttled(self) -> Refusal {
        Refusal::new(if self.speaks_query() { "Throttling" } else { "ThrottlingException" }, "Rate exceeded")
    }

    /// AWS's own failure.
    pub(crate) fn broken(self) -> Refusal {
        let (code, message) = match self {
            Service::Ssm => ("InternalServerError", "An error occurred on the server side."),
            Service::SecretsManager => ("InternalServiceError", "An error occurred on the server side."),
            _ => (
                "InternalFailure",
                "The request processing has failed because of an unknown error or failure.",
            ),
        };
        Refusal::new(code, message).status(500)
    }

    /// No permission.
    pub(crate) fn denied(self, message: impl Into<String>) -> Refusal {
        if self.speaks_query() {
            Refusal::new("AccessDenied", message).status(403)
        } else {
            Refusal::new("AccessDeniedException", message)
        }
    }

    /// An action that the service does not have, or that is not modelled here.
    pub(crate) fn unknown(self, action: &str) -> Refusal {
        if self.speaks_query() {
            let message = format!("Could not find operation {action} for version {}", self.version());
            Refusal::new("InvalidAction", message)
        } else {
            Refusal::new("UnknownOperationException", format!("{action} is not modelled here"))
        }
    }
}
