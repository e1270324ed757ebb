//! The policies that are printed: what they say for the example deployments, and what somebody else's checker of IAM
//! policies says about them.

use crate::support::env::TestEnv;
use crate::support::policy::{self, BEARERS};
use crate::support::provision;
use std::io::Write;
use std::process::{Command, Stdio};

fn example(name: &str) -> TestEnv {
    let manifest = format!("{}/examples/{name}/strongroom.toml", env!("CARGO_MANIFEST_DIR"));
    TestEnv::new().with_manifest(&std::fs::read_to_string(manifest).unwrap())
}

#[test]
fn the_policies_of_the_example_deployments() {
    for name in ["dev-app", "antenna"] {
        let env = example(name);
        let mut all = String::new();
        for bearer in BEARERS {
            let output = env.run(&format!("-e prod policy --for {bearer}"));
            let said = output.stderr.clone();
            all.push_str(&format!("# {bearer}\n{said}{}\n", output.success()));
        }
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "policy", omit_expression => true }, {
            insta::assert_snapshot!(name, all);
        });
    }
}

/// What the deployment's guide says that the instance needs for Xero's tokens.
#[test]
fn the_instance_of_dev_app_may_do_what_its_guide_asks_for() {
    let policy = policy::of(&example("dev-app"), "prod", "instance");
    for action in ["ssm:GetParameter", "ssm:PutParameter", "ssm:DeleteParameter"] {
        let arn = "arn:aws:ssm:us-east-1:111122223333:parameter/dev-app/xero/1/refresh_token";
        assert!(policy::allows(&policy, action, arn), "{action}");
        assert!(!policy::allows(&policy, action, "arn:aws:ssm:us-east-1:111122223333:parameter/other/x"));
    }
    assert!(policy::allows(&policy, "ssm:DescribeParameters", "*"));
}

#[test]
fn who_needs_no_permission_gets_no_document() {
    let env = example("dev-app");
    let output = env.run("-e local policy --for operator");
    assert!(output.stderr.contains("nothing to allow"), "{}", output.stderr);
    assert_eq!(output.success(), "");
    let document = env.run("-e local --json policy --for operator").success();
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["kind"], "policy");
    assert!(document["policy"].is_null());
}

#[test]
fn json_carries_the_same_document() {
    let env = example("antenna");
    let plain = env.run("-e prod policy --for operator").success();
    let document = env.run("-e prod --json policy --for operator").success();
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["policy"], serde_json::from_str::<serde_json::Value>(&plain).unwrap());
    assert_eq!(document["for"], "operator");
}

/// Everything that a manifest can have to do with AWS.
const EVERYTHING: &str = r#"
version = 1
project = { name = "shop", region = "us-east-1" }
[environments.prod]
home = "@HOME@"
account = "111122223333"
kms_key = "@KEY@"
[environments.prod.copies.web]
kind = "beanstalk"
application = "My Shop"
environment = "shop-prod"
secrets = "reference"
[groups.app.keys]
SECRET_KEY = { secret = true }
OLD_KEYS = { secret = true, optional = true }
[groups.xero]
instances = true
[groups.xero.keys]
client_id = {}
client_secret = { secret = true }
access_token = { secret = true, optional = true }
refresh_token = { secret = true, optional = true }
tenant_id = { optional = true }
token_expires_at = { optional = true }
[groups.operator]
audience = "operator"
keys.ADMIN_PASSWORD = { secret = true }
[rotate.key]
kind = "django-secret-key"
key = "SECRET_KEY"
[rotate.xero]
kind = "xero"
group = "xero"
"#;

/// parliament knows the actions of AWS, their kinds of resources and their conditions. It says something about nearly
/// every policy; what it says here must be about nothing but what is meant.
#[test]
fn another_checker_of_policies_finds_nothing_wrong() {
    let mut policies = Vec::new();
    for home in ["ssm", "secretsmanager"] {
        for key in ["1234abcd-12ab-34cd-56ef-1234567890ab", "alias/shop"] {
            let text = EVERYTHING.replace("@HOME@", home).replace("@KEY@", key);
            let env = TestEnv::new().with_manifest(&text);
            policies.extend(BEARERS.map(|bearer| env.run(&format!("policy --for {bearer}")).success()));
        }
    }
    for name in ["dev-app", "antenna"] {
        let env = example(name);
        policies.extend(BEARERS.map(|bearer| env.run(&format!("-e prod policy --for {bearer}")).success()));
    }
    policies.retain(|policy| !policy.is_empty());
    assert!(policies.len() >= 20);
    // The control: an action that does not exist, and one on a resource of another kind.
    let wrong = |action: &str, resource: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":["{action}"],"Resource":["{resource}"]}}]}}"#
        )
    };
    let controls = [wrong("ssm:ReadParameter", "*"), wrong("ssm:GetParameter", "arn:aws:s3:::bucket")];
    for control in &controls {
        assert_ne!(findings(std::slice::from_ref(control)), "", "the checker is blind to {control}");
    }
    assert_eq!(findings(&policies), "");
}

const CHECK: &str = r#"
import json, sys
from parliament import analyze_policy_string
for policy in json.load(sys.stdin):
    for finding in analyze_policy_string(policy).findings:
        # It does not know this condition yet: the aliases of the key that is used.
        if finding.issue == "UNKNOWN_CONDITION_FOR_ACTION" and "kms:ResourceAliases" in str(finding.detail):
            continue
        print(finding.issue, finding.detail, json.loads(policy))
"#;

fn findings(policies: &[String]) -> String {
    let mut command = Command::new(provision::python());
    command.args(["-W", "ignore", "-c", CHECK]).env("PYTHONPATH", provision::parliament());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let document = serde_json::to_vec(policies).unwrap();
    child.stdin.take().unwrap().write_all(&document).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}
