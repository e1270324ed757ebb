//! Policies are enforced: every call by action and resource, keys by their encryption context, roles when assumed.

use super::{command, said};
use crate::support::cloud::beanstalk::handles::Seed as EnvironmentSeed;
use crate::support::cloud::iam::Policy;
use crate::support::cloud::ssm::Seed;
use crate::support::cloud::{ACCOUNT, Cloud};
use crate::support::provision;
use serde_json::json;
use std::process::Output;

const KEY: &str = "AKIALOCALLIMITEDEXAM";

/// A cloud with a customer-managed key, in which the limited principal may do this.
fn cloud(statements: impl FnOnce(&str) -> serde_json::Value) -> Cloud {
    let cloud = Cloud::start();
    let key = cloud.kms_key("alias/demo");
    let policy = json!({"Version": "2012-10-17", "Statement": statements(&key)}).to_string();
    cloud.principal(KEY, &format!("arn:aws:iam::{ACCOUNT}:user/limited"), &policy).unwrap();
    cloud
}

/// Everything in one Python process, as the limited principal: each line is a call, told as its code or `allowed`.
fn outcomes(cloud: &Cloud, calls: &[&str]) -> Vec<String> {
    let mut script = "import boto3, botocore\n".to_owned();
    script += "ssm, sm, sts = (boto3.client(s) for s in ['ssm', 'secretsmanager', 'sts'])\n";
    for call in calls {
        script += &format!(
            "try:\n    {call}\n    print('allowed')\nexcept botocore.exceptions.ClientError as e:\n    print(e.response['Error']['Code'], e.response['Error']['Message'])\n"
        );
    }
    let mut python = command(provision::boto3(), cloud.environment_of(KEY));
    python.args(["-c", &script]);
    said(python).lines().map(str::to_owned).collect()
}

fn operator(cloud: &Cloud, arguments: &str) -> Output {
    command(provision::aws(), cloud.environment()).args(arguments.split(' ')).output().unwrap()
}

#[test]
fn a_call_is_allowed_by_its_action_and_its_resource() {
    let cloud = cloud(|_| {
        json!([
            {"Effect": "Allow", "Action": ["ssm:GetParameter", "ssm:GetParametersByPath"], "Resource": [
                "arn:aws:ssm:us-east-1:111122223333:parameter/demo/app",
                "arn:aws:ssm:us-east-1:111122223333:parameter/demo/app/*",
            ]},
            {"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"],
             "Resource": "arn:aws:secretsmanager:us-east-1:111122223333:secret:demo/app-??????"},
            {"Effect": "Allow", "Action": ["secretsmanager:BatchGetSecretValue", "secretsmanager:CreateSecret"],
             "Resource": "*"},
        ])
    });
    cloud.world(|world| {
        world.secrets.seed("demo/app", "1");
        world.secrets.seed("demo/app-longer", "2");
    });
    let said = outcomes(
        &cloud,
        &[
            "ssm.get_parameter(Name='/demo/app/A')",
            "ssm.get_parameters(Names=['/demo/app/A'])",
            "ssm.get_parameter(Name='/demo/other/A')",
            "ssm.get_parameters_by_path(Path='/demo/app', Recursive=True)",
            "ssm.get_parameters_by_path(Path='/demo', Recursive=True)",
            "ssm.describe_parameters()",
            "sm.get_secret_value(SecretId='demo/app')",
            "sm.get_secret_value(SecretId='demo/app-longer')",
            "print([e['ErrorCode'] for e in sm.batch_get_secret_value(SecretIdList=['demo/app', 'demo/app-longer'])['Errors']])",
            "sm.create_secret(Name='demo/new', SecretString='x', Tags=[{'Key': 'a', 'Value': 'b'}])",
            "sm.create_secret(Name='demo/new', SecretString='x')",
            "print(sts.get_caller_identity()['Arn'])",
        ],
    );
    let denied = |action: &str, resource: &str| {
        format!(
            "AccessDeniedException User: arn:aws:iam::111122223333:user/limited is not authorized to perform: {action} on resource: {resource} because no identity-based policy allows the {action} action"
        )
    };
    let parameter = |name: &str| format!("arn:aws:ssm:us-east-1:111122223333:parameter{name}");
    assert_eq!(said[0], "ParameterNotFound ");
    assert_eq!(said[1], denied("ssm:GetParameters", &parameter("/demo/app/A")));
    assert_eq!(said[2], denied("ssm:GetParameter", &parameter("/demo/other/A")));
    assert_eq!(said[3], "allowed");
    assert_eq!(said[4], denied("ssm:GetParametersByPath", &parameter("/demo")));
    assert_eq!(said[5], denied("ssm:DescribeParameters", "arn:aws:ssm:us-east-1:111122223333:*"));
    assert_eq!(said[6], "allowed");
    assert!(said[7].starts_with("AccessDeniedException"), "{}", said[7]);
    assert_eq!(said[8..10], ["['AccessDeniedException']", "allowed"]);
    assert!(said[10].contains("secretsmanager:TagResource"), "{}", said[10]);
    assert_eq!(said[11..], ["allowed", "arn:aws:iam::111122223333:user/limited", "allowed"]);
}

#[test]
fn a_key_needs_its_own_permission_for_this_parameter_and_this_secret() {
    let cloud = cloud(|key| {
        json!([
            {"Effect": "Allow", "Action": ["ssm:*", "secretsmanager:*"], "Resource": "*"},
            {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:Encrypt"], "Resource": key, "Condition": {
                "StringEquals": {"kms:ViaService": "ssm.us-east-1.amazonaws.com"},
                "StringLike": {"kms:EncryptionContext:PARAMETER_ARN": "arn:aws:ssm:us-east-1:111122223333:parameter/demo/*"},
            }},
        ])
    });
    let put = "ssm.put_parameter(Type='SecureString', Value='x', ";
    let said = outcomes(
        &cloud,
        &[
            &format!("{put}Name='/demo/A', KeyId='alias/demo')"),
            &format!("{put}Name='/other/A', KeyId='alias/demo')"),
            &format!("{put}Name='/other/A')"),
            &format!("{put}Name='/demo/B', KeyId='alias/demo', Tier='Advanced')"),
            "ssm.get_parameter(Name='/demo/A', WithDecryption=True)",
            "sm.create_secret(Name='demo', SecretString='x', KmsKeyId='alias/demo')",
        ],
    );
    assert_eq!((said[0].as_str(), said[2].as_str(), said[4].as_str()), ("allowed", "allowed", "allowed"));
    assert!(
        said[1].contains("kms:Encrypt on resource: arn:aws:kms:us-east-1:111122223333:key/"),
        "{}",
        said[1]
    );
    assert!(said[3].contains("kms:GenerateDataKey"), "{}", said[3]);
    assert_eq!(said[5], "AccessDeniedException Access to KMS is not allowed");
    cloud.enable_kms_key("alias/demo", false);
    let said = outcomes(&cloud, &["ssm.get_parameter(Name='/demo/A', WithDecryption=True)"]);
    assert!(said[0].starts_with("InvalidKeyId"), "{}", said[0]);
}

#[test]
fn a_new_secrets_key_is_asked_for_before_there_is_a_secret_and_may_be_named_by_its_alias() {
    let with = |contexts: &[&str]| {
        let conditions = json!({
            "StringLike": {"kms:EncryptionContext:SecretARN": contexts},
            "ForAnyValue:StringEquals": {"kms:ResourceAliases": ["alias/demo"]},
        });
        let cloud = cloud(|_| {
            let keys = "arn:aws:kms:us-east-1:111122223333:key/*";
            json!([
                {"Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"},
                {"Effect": "Allow", "Action": ["kms:*"], "Resource": keys, "Condition": conditions},
            ])
        });
        cloud.kms_key("alias/other");
        let create = |name: &str, key: &str| {
            format!("sm.create_secret(Name='{name}', SecretString='x', KmsKeyId='alias/{key}')")
        };
        outcomes(&cloud, &[&create("a", "demo"), &create("b", "other"), "sm.get_secret_value(SecretId='a')"])
    };
    let arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:a-??????";
    let denied = "AccessDeniedException Access to KMS is not allowed";
    assert_eq!(with(&[arn, "RequestToValidateKeyAccess"]), ["allowed", denied, "allowed"]);
    assert_eq!(with(&[arn])[0], denied);
}

#[test]
fn who_is_not_known_or_signs_for_another_region_is_refused() {
    let cloud = Cloud::start();
    let refused = |name: &str, value: &str, service: &str| {
        let mut aws = command(provision::aws(), cloud.environment());
        let action = if service == "ssm" { "describe-parameters" } else { "describe-environments" };
        let output = aws.env(name, value).args([service, action]).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let nobody = "AKIALOCALNOBODYEXAMP";
    assert!(refused("AWS_ACCESS_KEY_ID", nobody, "ssm").contains("UnrecognizedClientException"));
    assert!(refused("AWS_ACCESS_KEY_ID", nobody, "elasticbeanstalk").contains("InvalidClientTokenId"));
    assert!(refused("AWS_DEFAULT_REGION", "eu-west-1", "ssm").contains("InvalidSignatureException"));
    assert!(cloud.calls().is_empty());
}

#[test]
fn a_role_is_assumed_and_may_do_what_its_policy_says() {
    let role = format!("arn:aws:iam::{ACCOUNT}:role/reader");
    let may_assume = json!([{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}]);
    let cloud = cloud(|_| may_assume);
    let read = json!([{"Effect": "Allow", "Action": "ssm:DescribeParameters", "Resource": "*"}]);
    cloud.role(&role, &json!({"Version": "2012-10-17", "Statement": read}).to_string()).unwrap();
    let as_role = format!(
        "c = sts.assume_role(RoleArn='{role}', RoleSessionName='demo')['Credentials']; as_role = boto3.Session(c['AccessKeyId'], c['SecretAccessKey'], c['SessionToken']); print(as_role.client('sts').get_caller_identity()['Arn'])"
    );
    let said = outcomes(
        &cloud,
        &[
            "sts.assume_role(RoleArn='arn:aws:iam::111122223333:role/other', RoleSessionName='demo')",
            &as_role,
            "as_role.client('ssm').describe_parameters()",
            "as_role.client('ssm').get_parameter(Name='/a')",
            "ssm.describe_parameters()",
        ],
    );
    assert!(said[0].starts_with("AccessDenied "), "{}", said[0]);
    assert_eq!(said[1], "arn:aws:sts::111122223333:assumed-role/reader/demo");
    assert_eq!(said[2..4], ["allowed", "allowed"]);
    assert!(said[4].starts_with("AccessDeniedException"), "{}", said[4]);
    assert!(said[5].starts_with("AccessDeniedException"), "{}", said[5]);
    assert!(!operator(&cloud, "sts get-caller-identity").stdout.is_empty());
}

#[test]
fn a_role_of_instances_gets_its_policy_as_at_aws() {
    let cloud = Cloud::start();
    cloud.world(|world| {
        world.ssm.seed(Seed { name: "/demo/SECRET", value: "invented", kind: "SecureString" });
        let arn = format!("arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/demo/SECRET");
        let docker =
            EnvironmentSeed::new("demo", "demo-prod", "64bit Amazon Linux 2023 v4.9.1 running Docker");
        world.beanstalk.add(docker.reference("SECRET", &arn), jiff::Timestamp::now());
        world.instance_policy = Some(Policy::none());
    });
    let read = json!([{"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*"}]);
    let text = json!({"Version": "2012-10-17", "Statement": read}).to_string();
    let put = |text: &str| {
        let role = "aws-elasticbeanstalk-ec2-role";
        let words = ["iam", "put-role-policy", "--role-name", role, "--policy-name", "secrets"];
        let mut aws = command(provision::aws(), cloud.environment());
        aws.args(words).args(["--policy-document", text]).output().unwrap()
    };
    let resolves = || cloud.world(|world| world.bootstrap_now("demo-prod").is_ok());
    assert!(!resolves());
    let refused = put("{}");
    assert!(String::from_utf8(refused.stderr).unwrap().contains("MalformedPolicyDocument"));
    assert!(!resolves());
    assert!(put(&text).status.success());
    assert!(resolves());
}
