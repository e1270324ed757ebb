//! Reads that AWS refused.

use super::finding::{Finding, Severity};
use crate::store::{Probe, StoreError};

/// What the identity may not do of what commands need, and what could not be tried.
pub fn permissions(location: &str, probes: &[Probe]) -> Vec<Finding> {
    let failed = probes.iter().filter_map(|probe| Some((probe, probe.outcome.as_ref().err()?)));
    // Credentials that AWS does not take are one finding, and no want of so many permissions.
    if let Some((_, error)) = failed.clone().find(|(probe, _)| probe.is_stranger) {
        let finding = Finding::problem("no-access", "AWS does not take these credentials");
        return vec![fixed(finding.why(error.message.clone()), error).location(location)];
    }
    let finding = |(probe, error): (&Probe, &StoreError)| {
        let Probe { action, resource, .. } = probe;
        let finding = match probe.is_denied() {
            true => {
                let severity = if has_detour(action) { Severity::Warning } else { Severity::Problem };
                Finding::new("not-allowed", severity, format!("`{action}` on `{resource}` is not allowed"))
                    .why(format!("{}; AWS said: {}", used_for(action), error.message))
            }
            false => Finding::warning("not-tried", format!("`{action}` on `{resource}` could not be tried"))
                .why(error.message.clone()),
        };
        fixed(finding, error).location(location)
    };
    failed.map(finding).collect()
}

fn fixed(finding: Finding, error: &StoreError) -> Finding {
    finding.fix(
        error.hint.clone().unwrap_or_else(|| "put that right, and run `strongroom doctor` again".to_owned()),
    )
}

/// Whether commands find another way, which is slower.
fn has_detour(action: &str) -> bool {
    [
        "ssm:GetParameters",
        "ssm:DescribeParameters",
        "ssm:GetParameterHistory",
        "secretsmanager:BatchGetSecretValue",
    ]
    .contains(&action)
}

/// What commands do with a permission.
fn used_for(action: &str) -> &'static str {
    match action {
        "ssm:GetParameter" => "it reads single values, old versions, and whatever batches do not give",
        "ssm:GetParameters" => "it reads ten values in a call; without it every value is a call of its own",
        "ssm:GetParameterHistory" => "`history`, and the KMS key that an overwrite has to keep",
        "ssm:GetParametersByPath" => "it finds the instances of a group",
        "ssm:DescribeParameters" => "it tells the KMS key and the tier that an overwrite has to keep",
        "secretsmanager:GetSecretValue" => "it reads values",
        "secretsmanager:DescribeSecret" => "it tells what is scheduled for deletion, and whose a secret is",
        "secretsmanager:BatchGetSecretValue" => {
            "it reads twenty secrets in a call; without it every secret is a call of its own"
        }
        "secretsmanager:ListSecrets" => "it finds the instances of a group",
        "elasticbeanstalk:DescribeEnvironments" => "it tells whether the environment can be updated",
        "elasticbeanstalk:DescribeConfigurationSettings" => {
            "it tells what is deployed: nothing is synced blindly"
        }
        "elasticbeanstalk:DescribeEvents" => "it tells how a deployment ended",
        _ => "commands use it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ErrorKind;

    fn probe(action: &'static str, kind: Option<ErrorKind>) -> Probe {
        let resource = "arn:aws:ssm:us-east-1:111122223333:parameter/x".to_owned();
        let outcome = kind.map_or(Ok(()), |kind| Err(StoreError::new(kind, "ssm", "said")));
        Probe { action, resource, outcome, is_stranger: false }
    }

    #[test]
    fn a_refusal_names_the_action_and_the_resource_and_another_failure_is_no_refusal() {
        let (denied, failed) = (Some(ErrorKind::Denied), Some(ErrorKind::Failed));
        let probes = [
            probe("ssm:GetParameter", None),
            probe("ssm:GetParameter", denied),
            probe("ssm:GetParameters", denied),
            probe("ssm:GetParameter", failed),
        ];
        let found = permissions("ssm", &probes);
        let told: Vec<_> = found.iter().map(|finding| (finding.code, finding.severity)).collect();
        let expected = [
            ("not-allowed", Severity::Problem),
            ("not-allowed", Severity::Warning),
            ("not-tried", Severity::Warning),
        ];
        assert_eq!(told, expected);
        assert!(
            found[0].what.contains("`ssm:GetParameter` on `arn:aws:ssm:us-east-1:111122223333:parameter/x`")
        );
    }

    #[test]
    fn credentials_that_aws_does_not_take_are_one_finding() {
        let stranger = || Probe { is_stranger: true, ..probe("ssm:GetParameter", Some(ErrorKind::Denied)) };
        let found = permissions("ssm", &[stranger(), stranger()]);
        assert_eq!(found.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["no-access"]);
    }
}
