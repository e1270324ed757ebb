//! What goes wrong on purpose goes wrong as planned: seen by the real SDK, without retries.

use crate::support::cloud::rates::Rates;
use crate::support::cloud::ssm::Seed;
use crate::support::cloud::{ACCESS_KEY, Cloud, Effect, REGION, Refusal, SECRET_KEY};
use aws_sdk_ssm::config::retry::RetryConfig;
use aws_sdk_ssm::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ssm::error::ProvideErrorMetadata as _;
use std::sync::{Arc, Barrier};
use std::time::Duration;

fn client(cloud: &Cloud) -> aws_sdk_ssm::Client {
    let config = aws_sdk_ssm::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "invented"))
        .endpoint_url(cloud.endpoint())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled());
    aws_sdk_ssm::Client::from_conf(config.build())
}

/// A cloud that holds `/a` = `old`.
fn cloud() -> Cloud {
    let cloud = Cloud::start();
    cloud.world(|world| world.ssm.seed(Seed { name: "/a", value: "old", kind: "String" }));
    cloud
}

/// What came of writing `new` to `/a`: the error's code, or `""` for a lost connection; and what the cloud holds then.
async fn write(cloud: &Cloud) -> (Result<i64, String>, String) {
    let put = client(cloud).put_parameter().name("/a").value("new").overwrite(true).send().await;
    let answer = put.map(|answer| answer.version()).map_err(|why| why.code().unwrap_or_default().to_owned());
    (answer, cloud.world(|world| world.ssm.held("/a").unwrap().value))
}

async fn read(cloud: &Cloud) -> String {
    let answer = client(cloud).get_parameter().name("/a").send().await.unwrap();
    answer.parameter().unwrap().value().unwrap().to_owned()
}

#[tokio::test]
async fn a_fault_is_applied_or_not_and_answered_or_not() {
    let nothing: Arc<dyn Fn() + Send + Sync> = Arc::new(|| {});
    let conflict = Refusal::new("TooManyUpdates", "There are concurrent updates.");
    for (effect, answer, held) in [
        (Effect::Throttle, "ThrottlingException", "old"),
        (Effect::Deny, "AccessDeniedException", "old"),
        (Effect::Internal, "InternalServerError", "old"),
        (Effect::Refuse(conflict), "TooManyUpdates", "old"),
        (Effect::Reset, "", "old"),
        (Effect::KillBefore(Arc::clone(&nothing)), "", "old"),
        (Effect::InternalAfter, "InternalServerError", "new"),
        (Effect::LoseReply, "", "new"),
        (Effect::KillAfter(nothing), "", "new"),
    ] {
        let cloud = cloud();
        cloud.fault("ssm:PutParameter", 1..=1, effect);
        let outcome = write(&cloud).await;
        assert_eq!(outcome, (Err(answer.to_owned()), held.to_owned()));
        let next = if held == "new" { 3 } else { 2 };
        assert_eq!(write(&cloud).await, (Ok(next), "new".to_owned()), "only the first call fails");
    }
}

#[tokio::test]
async fn faults_are_counted_by_what_they_name() {
    let cloud = cloud();
    cloud.fault("ssm:*", 3..=3, Effect::Throttle);
    cloud.fault("secretsmanager:*", .., Effect::Throttle);
    assert_eq!(read(&cloud).await, "old");
    assert_eq!(write(&cloud).await.0, Ok(2));
    assert_eq!(write(&cloud).await.0, Err("ThrottlingException".to_owned()));
    assert_eq!(write(&cloud).await.0, Ok(3));
    cloud.fault("*", 1.., Effect::Deny);
    assert_eq!(write(&cloud).await.0, Err("AccessDeniedException".to_owned()));
    cloud.heal();
    assert_eq!(write(&cloud).await.0, Ok(4));
    let names: Vec<String> = cloud.calls().iter().map(|call| call.name()).collect();
    assert_eq!(names.len(), 6);
    assert_eq!((names[0].as_str(), cloud.count("ssm:PutParameter")), ("ssm:GetParameter", 5));
    assert!(cloud.calls()[1].body.contains("new"));
    cloud.reset_calls();
    assert!(cloud.calls().is_empty());
}

#[tokio::test]
async fn a_stale_read_is_from_before_the_last_write() {
    let cloud = cloud();
    cloud.fault("ssm:GetParameter", 1..=1, Effect::StaleRead);
    write(&cloud).await.0.unwrap();
    assert_eq!(read(&cloud).await, "old");
    assert_eq!(read(&cloud).await, "new");
}

#[tokio::test]
async fn somebody_else_can_act_in_the_middle_of_a_call() {
    let cloud = cloud();
    let other = cloud.clone();
    let seed = Seed { name: "/a", value: "theirs", kind: "String" };
    let act = Arc::new(move || other.world(|world| world.ssm.seed(seed)));
    cloud.fault("ssm:PutParameter", 1..=1, Effect::Meanwhile(act.clone()));
    assert_eq!(write(&cloud).await, (Ok(3), "new".to_owned()));
    cloud.fault("ssm:PutParameter", 1..=1, Effect::Afterwards(act));
    assert_eq!(write(&cloud).await, (Ok(4), "theirs".to_owned()));
}

#[tokio::test]
async fn calls_in_flight_are_counted() {
    const AT_ONCE: usize = 8;
    let cloud = cloud();
    let all_there = Arc::new(Barrier::new(AT_ONCE));
    let wait = Arc::new(move || {
        all_there.wait();
    });
    cloud.fault("ssm:GetParameter", .., Effect::Meanwhile(wait));
    let client = client(&cloud);
    futures::future::join_all((0..AT_ONCE).map(|_| client.get_parameter().name("/a").send())).await;
    let most = cloud.calls().iter().map(|call| call.in_flight).max();
    assert_eq!(most, Some(AT_ONCE));
}

#[tokio::test]
async fn quotas_answer_as_aws_does() {
    let cloud = cloud();
    cloud.rates(Some(Rates::standard().parameters(40.0, 0.001)));
    assert_eq!(write(&cloud).await.0, Err("ThrottlingException".to_owned()));
    cloud.rates(None);
    cloud.latency(Duration::from_millis(1));
    assert_eq!(write(&cloud).await.0, Ok(2));
}
