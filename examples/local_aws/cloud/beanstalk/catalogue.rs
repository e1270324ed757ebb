//! Which options exist, what they are without being set, and what is said of settings that cannot be.
//!
//! A selection of AWS's list: enough that a reader of configuration settings meets what it must not touch.

use super::Refusal;
use super::platforms::Platform;
use super::settings::{OptionName, Options, PROPERTIES, REFERENCES, TEMPLATE};

/// Namespace, option, and its value in an environment that does not set it.
const KNOWN: &[(&str, &str, Option<&str>)] = &[
    ("aws:autoscaling:asg", "MaxSize", Some("4")),
    ("aws:autoscaling:asg", "MinSize", Some("1")),
    ("aws:autoscaling:launchconfiguration", "DisableIMDSv1", Some("true")),
    ("aws:autoscaling:launchconfiguration", "EC2KeyName", None),
    ("aws:autoscaling:launchconfiguration", "IamInstanceProfile", Some("aws-elasticbeanstalk-ec2-role")),
    ("aws:autoscaling:launchconfiguration", "InstanceType", Some("t3.micro")),
    ("aws:autoscaling:launchconfiguration", "SecurityGroups", None),
    ("aws:autoscaling:updatepolicy:rollingupdate", "RollingUpdateEnabled", Some("false")),
    ("aws:ec2:instances", "InstanceTypes", Some("t3.micro, t3.small")),
    ("aws:ec2:vpc", "AssociatePublicIpAddress", None),
    ("aws:ec2:vpc", "Subnets", None),
    ("aws:ec2:vpc", "VPCId", None),
    ("aws:elasticbeanstalk:application", "Application Healthcheck URL", Some("")),
    ("aws:elasticbeanstalk:cloudwatch:logs", "DeleteOnTerminate", Some("false")),
    ("aws:elasticbeanstalk:cloudwatch:logs", "RetentionInDays", Some("7")),
    ("aws:elasticbeanstalk:cloudwatch:logs", "StreamLogs", Some("false")),
    ("aws:elasticbeanstalk:command", "BatchSize", Some("100")),
    ("aws:elasticbeanstalk:command", "BatchSizeType", Some("Percentage")),
    ("aws:elasticbeanstalk:command", "DeploymentPolicy", Some("AllAtOnce")),
    ("aws:elasticbeanstalk:command", "IgnoreHealthCheck", Some("false")),
    ("aws:elasticbeanstalk:command", "Timeout", Some("600")),
    ("aws:elasticbeanstalk:environment", "EnvironmentType", Some("SingleInstance")),
    ("aws:elasticbeanstalk:environment", "LoadBalancerType", Some("application")),
    ("aws:elasticbeanstalk:environment", "ServiceRole", Some("aws-elasticbeanstalk-service-role")),
    ("aws:elasticbeanstalk:environment:proxy", "ProxyServer", Some("nginx")),
    ("aws:elasticbeanstalk:healthreporting:system", "SystemType", Some("enhanced")),
    ("aws:elasticbeanstalk:hostmanager", "LogPublicationControl", Some("false")),
    ("aws:elasticbeanstalk:managedactions", "ManagedActionsEnabled", Some("false")),
    ("aws:elasticbeanstalk:xray", "XRayEnabled", Some("false")),
    (TEMPLATE, "HooksPkgUrl", Some("https://hooks.example/stable.tar.gz")),
    (TEMPLATE, "InstancePort", Some("80")),
    (TEMPLATE, "InstanceTypeFamily", Some("t3")),
];

/// What AWS sends of a namespace's options besides names and values.
pub(super) fn resource(namespace: &str) -> Option<&'static str> {
    match namespace {
        "aws:autoscaling:launchconfiguration" => Some("AWSEBEC2LaunchTemplate"),
        "aws:autoscaling:asg" => Some("AWSEBAutoScalingGroup"),
        _ => None,
    }
}

/// Options that every environment tells, without a value where none is set.
pub(super) fn without_value() -> impl Iterator<Item = OptionName> {
    let unset = KNOWN.iter().filter(|(_, _, default)| default.is_none());
    unset.map(|(namespace, name, _)| OptionName::new(namespace, name))
}

/// The options of an environment in which nobody has set anything.
pub(super) fn defaults(platform: &Platform) -> Options {
    let set =
        KNOWN.iter().filter_map(|(namespace, name, default)| default.map(|value| (namespace, name, value)));
    let mut all: Options =
        set.map(|(namespace, name, value)| (OptionName::new(namespace, name), value.to_owned())).collect();
    for (namespace, name, value) in platform.defaults() {
        all.insert(OptionName::new(namespace, name), (*value).to_owned());
    }
    all
}

/// What AWS says of one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) option: OptionName,
    pub(super) message: String,
}

impl From<Complaint> for Refusal {
    /// The code stands in no model of the API; only the wire has it.
    fn from(complaint: Complaint) -> Refusal {
        let message = format!("Configuration validation exception: {}", complaint.message);
        Refusal::new("ConfigurationValidationException", message)
    }
}

/// Everything that is wrong with settings and removals; their values are looked at only where AWS has a rule.
pub(super) fn complaints(platform: &Platform, sets: &Options, removes: &[OptionName]) -> Vec<Complaint> {
    let mut found: Vec<Complaint> = Vec::new();
    for option in sets.keys().chain(removes) {
        if !exists(platform, option) {
            found.push(Complaint { option: option.clone(), message: unknown(option) });
        }
    }
    for (option, value) in sets {
        if option.namespace == REFERENCES && !value.is_empty() && !is_reference(value) {
            let message = format!(
                "Invalid option value: '{value}' (Namespace: '{}', OptionName: '{}'): Value is not a valid ARN of a \
                 secret or parameter",
                option.namespace, option.name
            );
            found.push(Complaint { option: option.clone(), message });
        }
    }
    found
}

fn unknown(option: &OptionName) -> String {
    let OptionName { namespace, name } = option;
    format!(
        "Invalid option specification (Namespace: '{namespace}', OptionName: '{name}'): Unknown configuration setting."
    )
}

fn exists(platform: &Platform, option: &OptionName) -> bool {
    match option.namespace.as_str() {
        PROPERTIES => !option.name.is_empty(),
        // Platform versions before 2025-03-26 do not have the namespace.
        REFERENCES => !option.name.is_empty() && platform.resolves_references(),
        TEMPLATE => false,
        namespace => {
            let known = KNOWN.iter().any(|(own, name, _)| *own == namespace && *name == option.name);
            let own =
                platform.defaults().iter().any(|(own, name, _)| *own == namespace && *name == option.name);
            known || own
        }
    }
}

/// The format alone is checked: neither that the thing exists nor that anybody may read it.
fn is_reference(value: &str) -> bool {
    let parts: Vec<&str> = value.splitn(6, ':').collect();
    let [arn, partition, service, region, account, rest] = parts.as_slice() else { return false };
    let placed = *arn == "arn" && partition.starts_with("aws") && !region.is_empty() && account.len() == 12;
    let named = match *service {
        "secretsmanager" => rest.strip_prefix("secret:"),
        "ssm" => rest.strip_prefix("parameter/"),
        _ => None,
    };
    placed && named.is_some_and(|name| !name.is_empty())
}
