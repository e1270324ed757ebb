//! What AWS rotates itself, brought to everything that holds it.

use super::site;
use crate::support::cloud::Cloud;
use crate::support::cloud::beanstalk::handles::Seed;
use crate::support::env::TestEnv;
use crate::support::provision;

const ROTATION: &str = r#"
[groups.database.keys]
RDS_USERNAME = {}
RDS_PASSWORD = { secret = true }
DATABASE_URL = { derive = "postgres://{RDS_USERNAME}:{RDS_PASSWORD}@db.example/shop" }

[rotate.database]
kind = "follow"
secret = "ARN"
keys = { RDS_USERNAME = "username", RDS_PASSWORD = "password" }
"#;

/// What RDS does, by the real client: a secret of its own, and a new password in it.
fn rds(env: &TestEnv, words: &str, text: &str) -> String {
    env.write("secret.json", text);
    let mut aws = env.command(provision::aws());
    aws.args(words.split(' ')).args(["--secret-string", "file://secret.json", "--query", "ARN"]);
    aws.args(["--output", "text"]);
    let output = env.finish(aws, b"").success();
    output.trim().to_owned()
}

#[test]
fn what_aws_rotates_is_brought_along_and_nothing_is_done_where_it_was() {
    let cloud = Cloud::start();
    cloud.world(|world| {
        world.beanstalk.add(Seed::new("shop", "shop-web", crate::aws::DOCKER), jiff::Timestamp::now());
    });
    let mut env = TestEnv::new();
    env.on(&cloud);
    env.set("STRONGROOM_POLL_INTERVAL_MS", "2");
    let create = "secretsmanager create-secret --name rds-managed";
    let arn = rds(&env, create, r#"{"username": "master", "password": "canary-1", "port": 5432}"#);
    let env =
        env.with_manifest(&site::manifest("ssm", &[("web", "reference")], ROTATION).replace("ARN", &arn));
    env.run("init --yes").success();
    env.run_with_stdin("set RDS_USERNAME --yes", "before").success();
    env.run_with_stdin("set RDS_PASSWORD --yes", "canary-before").success();
    env.run("sync --yes").success();

    env.run("rotate --due --yes --quiet").success();
    let seen = || cloud.world(|world| world.beanstalk.container_environment("shop-web").clone());
    let url = |password: &str| format!("postgres://master:{password}@db.example/shop");
    assert_eq!((seen()["RDS_USERNAME"].as_str(), seen()["RDS_PASSWORD"].as_str()), ("master", "canary-1"));
    assert_eq!(seen()["DATABASE_URL"], url("canary-1"));
    cloud.reset_calls();
    let again = env.run("rotate database --yes");
    assert!(again.stderr.contains("nothing to do"), "{}", again.stderr);
    assert_eq!((again.code, cloud.count("elasticbeanstalk:UpdateEnvironment")), (Some(0), 0));
    assert_eq!(env.run("rotate --due --yes --quiet").success(), "");

    rds(
        &env,
        "secretsmanager put-secret-value --secret-id rds-managed",
        r#"{"username":"master","password":"canary-2"}"#,
    );
    let output = env.run("rotate database --yes");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(!output.stdout.contains("canary") && !output.stderr.contains("canary"), "{}", output.stderr);
    assert_eq!(
        (seen()["RDS_PASSWORD"].as_str(), seen()["DATABASE_URL"].clone()),
        ("canary-2", url("canary-2"))
    );
    env.run("status --check").success();

    // The old password is no use to anybody.
    let newest = env.run("operations --json").success();
    let newest =
        newest.split("\"id\": \"").last().and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    let undo = env.run(&format!("undo {newest} --yes"));
    assert_eq!(env.run("get RDS_PASSWORD").success(), "canary-2", "{}", undo.stderr);
}

#[test]
fn a_secret_that_is_not_there_or_lacks_a_member_changes_nothing_and_says_so() {
    let cloud = Cloud::start();
    let mut env = TestEnv::new();
    env.on(&cloud);
    let text = site::manifest("ssm", &[], ROTATION);
    let arn = rds(
        &env,
        "secretsmanager create-secret --name theirs",
        r#"{"username": "canary-name", "password": null}"#,
    );
    let env = env.with_manifest(&text.replace("ARN", &arn));
    env.run("init --yes").success();
    let lacks = env.run("rotate database --yes");
    assert_eq!(lacks.code, Some(1));
    assert!(
        lacks.stderr.contains("it has no `password`") && !lacks.stderr.contains("canary"),
        "{}",
        lacks.stderr
    );
    let env = env.with_manifest(
        &text.replace("ARN", "arn:aws:secretsmanager:us-east-1:111122223333:secret:none-AbCdEf"),
    );
    let none = env.run("rotate database --yes");
    assert!(none.stderr.contains("it is not there"), "{}", none.stderr);
    assert_eq!((none.code, env.run("operations").code), (Some(1), Some(0)));
    let env = env.with_manifest(&text.replace("ARN", "rds!db-1"));
    assert!(env.run("rotate database --yes").failure(4).contains("not the ARN of a secret"));
}
