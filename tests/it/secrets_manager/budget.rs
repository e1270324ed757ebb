//! How many calls things take.

use super::{World, address, desired};
use strongroom::store::{Discover, ErrorKind, Store};

const GET: &str = "GetSecretValue";
const PUT: &str = "PutSecretValue";
const MOVE: &str = "UpdateSecretVersionStage";

#[test]
fn a_group_is_one_read_and_a_change_of_it_two_calls_between_two_reads() {
    let world = World::new();
    world.set(&[("app/A", Some("1"))]);
    assert_eq!(world.calls(), [GET, "CreateSecret", GET]);
    world.read(&["app/A", "app/B", "app/C"]);
    assert_eq!(world.calls(), [GET]);
    world.set(&[("app/A", Some("2")), ("app/B", Some("2")), ("app/C", Some("2"))]);
    assert_eq!(world.calls(), [GET, PUT, MOVE, GET]);
    world.wait(world.undo()).unwrap();
    assert_eq!(world.calls(), [GET, GET, MOVE, GET], "an undo goes back to the version that there was");
    assert!(world.plan(&[("app/A", Some("1"))]).unwrap().is_empty());
    assert_eq!(world.calls(), [GET], "nothing differs, and nothing is written");
}

#[test]
fn sixty_values_of_a_group_are_one_version() {
    let world = World::new();
    world.seed("shop/prod/app", "{}");
    let keys: Vec<String> = (0..60).map(|number| format!("app/K{number}")).collect();
    let wants: Vec<(&str, Option<&str>)> = keys.iter().map(|key| (key.as_str(), Some("x"))).collect();
    world.cloud.reset_calls();
    world.set(&wants);
    assert_eq!(world.calls(), [GET, PUT, MOVE, GET]);
    assert_eq!(world.cloud.world(|world| world.secrets.held("shop/prod/app")).unwrap().versions.len(), 2);
}

#[test]
fn documents_are_read_twenty_at_a_time() {
    let world = World::new();
    for number in 1..=45 {
        world.seed(&format!("shop/xero/{number}"), "{\"token\": \"x\"}");
    }
    let addresses: Vec<_> = (1..=50).map(|number| address(&format!("xero/{number}/token"))).collect();
    let store = world.store();
    let seen = world.wait(store.read(&addresses)).unwrap();
    assert_eq!(seen.entries.len(), 45, "what is not there is told apart in the same answer");
    assert_eq!(world.calls(), ["BatchGetSecretValue"; 3]);
}

#[test]
fn where_batches_are_denied_each_is_read_by_itself_and_batches_are_not_asked_for_again() {
    let mut world = World::new();
    for number in 1..=5 {
        world.seed(&format!("shop/xero/{number}"), "{\"token\": \"x\"}");
    }
    world.only_allowed(
        r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue",
            "Resource": "arn:aws:secretsmanager:us-east-1:111122223333:secret:shop/xero/*"}]}"#,
    );
    let addresses: Vec<_> = (1..=6).map(|number| address(&format!("xero/{number}/token"))).collect();
    let store = world.store();
    assert_eq!(world.wait(store.read(&addresses)).unwrap().entries.len(), 5);
    let mut calls = world.calls();
    assert_eq!(calls.remove(0), "BatchGetSecretValue");
    assert_eq!(calls, [GET; 6]);
    world.wait(store.read(&addresses)).unwrap();
    assert_eq!(world.calls(), [GET; 6]);
}

#[test]
fn a_secret_that_may_not_be_read_is_an_error_in_a_batch_and_alone_and_names_the_permission() {
    let mut world = World::new();
    world.seed("shop/prod/app", "{\"A\": \"x\"}");
    world.seed("shop/prod/db", "{\"ONLY\": \"x\"}");
    world.only_allowed(
        r#"{"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "secretsmanager:BatchGetSecretValue", "Resource": "*"},
            {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue",
             "Resource": "arn:aws:secretsmanager:us-east-1:111122223333:secret:shop/prod/app-??????"}]}"#,
    );
    assert_eq!(world.value("app/A").as_deref(), Some("x"));
    for addresses in [["db/ONLY", "app/A"].as_slice(), &["db/ONLY"]] {
        let error = world.try_read(addresses).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Denied);
        let hint = error.hint.unwrap();
        assert!(
            hint.contains("secretsmanager:GetSecretValue") && hint.contains("shop/prod/db-??????"),
            "{hint}"
        );
    }
    let refused = world.wait(world.run(&desired(&[("app/A", Some("y"))]))).unwrap_err();
    assert!(
        matches!(&refused, strongroom::apply::ApplyError::Nothing(error) if error.kind == ErrorKind::Denied)
    );
}

#[test]
fn instances_are_found_by_their_names_on_however_many_pages() {
    let world = World::new();
    world.cloud.pages(crate::support::cloud::Pages::Ragged);
    for number in 1..=30 {
        world.seed(&format!("shop/xero/{number}"), "{\"token\": \"x\", \"extra\": 1}");
    }
    for foreign in ["shop/xero/7/deep", "shop/xero-old/1", "shop/xero/_odd", "shop/prod/app"] {
        world.seed(foreign, "{\"token\": \"not ours\"}");
    }
    let found = world.wait(world.store().walk(&["xero".parse().unwrap()])).unwrap();
    assert_eq!(found.entries.len(), 60, "declared or not, what is in an instance's document is told");
    assert!(found.entries.keys().all(|address| address.group.as_str() == "xero"));
}
