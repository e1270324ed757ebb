//! The local AWS is as strict as AWS: judged by Amazon's own clients, and by moto where moto is right.

mod faults;
mod policies;

use crate::support::cloud::beanstalk::seeds::Example;
use crate::support::cloud::{Cloud, Pages, Realm, ssm};
use crate::support::moto::Moto;
use crate::support::provision;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program that sees nothing but the cloud.
fn command(program: PathBuf, environment: Vec<(&'static str, String)>) -> Command {
    let nowhere = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nowhere");
    let mut command = Command::new(program);
    command.env_clear().envs(environment);
    command.env("AWS_CONFIG_FILE", &nowhere).env("AWS_SHARED_CREDENTIALS_FILE", nowhere);
    command
}

/// What a program says when it is done.
fn said(mut command: Command) -> String {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (told, complaint) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{told}{complaint}");
    told
}

/// A script of this folder, run by an interpreter with boto3.
fn script(name: &str, environment: Vec<(&'static str, String)>) -> String {
    let mut python = command(provision::boto3(), environment);
    python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/local_aws").join(name));
    said(python)
}

#[test]
fn boto3_is_answered_as_moto_answers_it() {
    let ours = script("tour.py", Cloud::start().environment());
    let moto = script("tour.py", Moto::start().environment());
    assert!(ours.lines().count() > 50, "{ours}");
    let differing = ours.lines().zip(moto.lines()).filter(|(ours, moto)| ours != moto);
    assert_eq!(differing.collect::<Vec<_>>(), []);
}

#[test]
fn the_walk_of_boto3_finds_everything_in_short_and_empty_pages() {
    let whole = script("tour.py", Cloud::start().environment());
    let cloud = Cloud::start();
    cloud.pages(Pages::Ragged);
    let ragged = script("tour.py", cloud.environment());
    let walk = |said: &str| said.lines().find(|line| line.starts_with("walk ->")).unwrap().to_owned();
    assert_eq!(walk(&ragged), walk(&whole));
    assert!(cloud.count("ssm:GetParametersByPath") > 6);
}

#[test]
fn boto3_is_refused_what_aws_refuses() {
    let cloud = Cloud::start();
    cloud.kms_key("alias/demo");
    script("strict.py", cloud.environment());
}

#[test]
fn a_name_that_was_deleted_is_free_after_a_while_where_that_is_modelled() {
    let cloud = Cloud::start();
    cloud.world(|world| world.ssm.remembers_deletions = true);
    let aws = |arguments: &str| {
        let mut aws = command(provision::aws(), cloud.environment());
        aws.arg("ssm").args(arguments.split(' ')).output().unwrap()
    };
    assert!(aws("put-parameter --name /a --value 1 --type String").status.success());
    assert!(aws("delete-parameter --name /a").status.success());
    let refused = aws("put-parameter --name /a --value 2 --type String").stderr;
    assert!(String::from_utf8(refused).unwrap().contains("ParameterAlreadyExists"));
}

#[test]
fn the_aws_program_works_with_every_service() {
    let cloud = Cloud::start();
    let aws = |arguments: &[&str]| {
        let mut aws = command(provision::aws(), cloud.environment());
        aws.args(["--output", "text"]).args(arguments);
        said(aws).trim().to_owned()
    };
    let arn = ["sts", "get-caller-identity", "--query", "Arn"];
    assert_eq!(aws(&arn), "arn:aws:iam::111122223333:user/operator");
    let value = "a \"b\" 'c' & <d> é\nsecond line";
    let put = ["ssm", "put-parameter", "--name", "/demo/A", "--type", "SecureString", "--value", value];
    assert_eq!(aws(&put), "Standard\t1");
    let get =
        ["ssm", "get-parameter", "--name", "/demo/A", "--with-decryption", "--query", "Parameter.Value"];
    assert_eq!(aws(&get), value);
    let create = ["secretsmanager", "create-secret", "--name", "demo", "--secret-string", value];
    assert!(aws(&create).starts_with("arn:aws:secretsmanager:us-east-1:111122223333:secret:demo-"));
    let read = ["secretsmanager", "get-secret-value", "--secret-id", "demo", "--query", "SecretString"];
    assert_eq!(aws(&read), value);
    let environments = ["elasticbeanstalk", "describe-environments", "--query", "Environments"];
    assert_eq!(aws(&environments), "");
    let held = cloud.world(|world| world.ssm.held("/demo/A")).unwrap();
    assert_eq!((held.value.as_str(), held.kind.as_str(), held.version), (value, "SecureString", 1));
    assert_eq!(cloud.world(|world| world.secrets.held("demo")).unwrap().text.unwrap(), value);
    assert_eq!(cloud.count("ssm:PutParameter"), 1);
}

#[test]
fn another_account_and_region_name_themselves_in_every_arn_and_know_no_other() {
    let cloud = Cloud::of(Realm::new("444455556666", "us-west-2"));
    cloud.world(|world| {
        world.ssm.seed(ssm::Seed { name: "/demo/A", value: "1", kind: "String" });
        world.secrets.seed("demo", "1");
        world.beanstalk.add_example(Example::Antenna, jiff::Timestamp::now());
    });
    let key = cloud.kms_key("alias/demo");
    assert!(key.starts_with("arn:aws:kms:us-west-2:444455556666:key/"), "{key}");
    let aws = |arguments: &str| {
        let mut aws = command(provision::aws(), cloud.environment());
        aws.args(["--output", "text"]).args(arguments.split(' ')).output().unwrap()
    };
    let told = |arguments: &str| String::from_utf8(aws(arguments).stdout).unwrap().trim().to_owned();
    assert_eq!(told("sts get-caller-identity --query Account"), "444455556666");
    let parameter = "arn:aws:ssm:us-west-2:444455556666:parameter/demo/A";
    assert_eq!(told("ssm get-parameter --name /demo/A --query Parameter.ARN"), parameter);
    assert_eq!(told(&format!("ssm get-parameter --name {parameter} --query Parameter.Value")), "1");
    let other = parameter.replace("us-west-2", "us-east-1");
    assert!(!aws(&format!("ssm get-parameter --name {other}")).status.success());
    let secret = told("secretsmanager describe-secret --secret-id demo --query ARN");
    assert!(secret.starts_with("arn:aws:secretsmanager:us-west-2:444455556666:secret:demo-"), "{secret}");
    let put = "ssm put-parameter --name /demo/B --value 2 --type SecureString --key-id";
    assert!(aws(&format!("{put} {key}")).status.success());
    let arns = "elasticbeanstalk describe-environments --query Environments[].[EnvironmentArn,PlatformArn]";
    let [environment, platform] =
        told(arns).split('\t').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
    let prefix = "arn:aws:elasticbeanstalk:us-west-2";
    assert_eq!(environment, format!("{prefix}:444455556666:environment/antenna-backend/antenna-prod"));
    assert!(platform.starts_with(&format!("{prefix}::platform/ECS running on")), "{platform}");
    let mut elsewhere = command(provision::aws(), cloud.environment());
    elsewhere.args(["--region", "us-east-1", "ssm", "get-parameter", "--name", "/demo/A"]);
    assert!(!elsewhere.output().unwrap().status.success());
}
