//! From the first version to the deletion, and back.

use super::{World, address, desired};
use aws_sdk_secretsmanager::types::Tag;
use strongroom::apply::ApplyError;
use strongroom::secret::Secret;
use strongroom::store::{ErrorKind, History};

#[test]
fn what_is_created_has_the_key_and_the_tags_that_the_manifest_says() {
    let mut world = World::new();
    let key = world.cloud.kms_key("alias/shop");
    world.settings.kms_key = Some(key.clone());
    world.set(&[("made/NEW", Some("x"))]);
    let held = world.cloud.world(|world| world.secrets.held("shop/prod/made")).unwrap();
    assert_eq!(held.key, Some(key));
    let tags: Vec<(&str, &str)> =
        held.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(
        tags,
        [("environment", "prod"), ("managed-by", "strongroom"), ("project", "shop"), ("team", "web")]
    );
    world.set(&[("single/ONE", Some("x"))]);
    let held = world.cloud.world(|world| world.secrets.held("shop/prod/single/ONE")).unwrap();
    assert_eq!(held.tags["level"], "high");
}

#[test]
fn a_document_of_ours_that_holds_nothing_is_scheduled_for_deletion_and_comes_back_as_it_was() {
    let world = World::new();
    world.set(&[("db/ONLY", Some("x"))]);
    let arn = world.cloud.world(|world| world.secrets.held("shop/prod/db")).unwrap().arn;
    let plan = world.plan(&[("db/ONLY", None)]).unwrap();
    assert!(plan.writes[0].notes[0].contains("scheduled for deletion"), "{:?}", plan.writes[0].notes);
    world.set(&[("db/ONLY", None)]);
    assert!(world.leaving("shop/prod/db"));
    assert_eq!(world.value("db/ONLY"), None, "what is scheduled for deletion is absent");
    world.wait(world.undo()).unwrap();
    assert_eq!(world.value("db/ONLY").as_deref(), Some("x"));
    world.set(&[("db/ONLY", None)]);
    let plan = world.plan(&[("db/ONLY", Some("y"))]).unwrap();
    assert!(plan.writes[0].notes[0].contains("restored"), "{:?}", plan.writes[0].notes);
    world.set(&[("db/ONLY", Some("y"))]);
    let held = world.cloud.world(|world| world.secrets.held("shop/prod/db")).unwrap();
    assert!(!held.is_scheduled_for_deletion);
    assert_eq!(
        (held.arn, held.text.as_deref()),
        (arn, Some("{\"ONLY\":\"y\"}")),
        "references to it stay good"
    );
}

#[test]
fn a_document_of_somebody_else_is_never_deleted() {
    let world = World::new();
    world.seed("shop/prod/db", "{ \"ONLY\" : \"x\" }");
    let plan = world.plan(&[("db/ONLY", None)]).unwrap();
    assert!(plan.writes[0].notes[0].contains("stays"), "{:?}", plan.writes[0].notes);
    world.set(&[("db/ONLY", None)]);
    assert_eq!(world.text("shop/prod/db").as_deref(), Some("{  }"));
    world.seed("shop/prod/single/ONE", "theirs");
    let refused = world.plan(&[("single/ONE", None)]).unwrap_err();
    let ApplyError::Refused(refused) = refused else { panic!("{refused:?}") };
    assert!(refused[0].hint.as_deref().unwrap().contains("delete-secret"), "{refused:?}");
}

#[test]
fn a_single_value_of_ours_is_deleted_and_comes_back() {
    let world = World::new();
    world.set(&[("single/ONE", Some("x")), ("single/TWO", Some("y"))]);
    world.set(&[("single/ONE", None)]);
    assert!(world.leaving("shop/prod/single/ONE") && !world.leaving("shop/prod/single/TWO"));
    world.wait(world.undo()).unwrap();
    assert_eq!(world.value("single/ONE").as_deref(), Some("x"));
    world.set(&[("single/ONE", None)]);
    world.set(&[("single/ONE", Some("z"))]);
    assert_eq!(world.text("shop/prod/single/ONE").as_deref(), Some("z"));
}

#[test]
fn a_secret_that_somebody_scheduled_for_deletion_is_restored_with_what_it_held() {
    let world = World::new();
    world.seed("shop/prod/app", "{\"theirs\": 1}");
    world.wait(world.client().delete_secret().secret_id("shop/prod/app").send()).unwrap();
    assert!(world.read(&["app/A"]).entries.is_empty());
    world.set(&[("app/A", Some("x"))]);
    assert_eq!(world.text("shop/prod/app").as_deref(), Some("{\"theirs\": 1, \"A\": \"x\"}"));
}

#[test]
fn a_secret_that_was_made_without_a_value_gets_its_first_one_and_stays_its_owner_s() {
    let world = World::new();
    let tag = Tag::builder().key("managed-by").value("terraform").build();
    world.wait(world.client().create_secret().name("shop/prod/app").tags(tag).send()).unwrap();
    assert_eq!(world.value("app/A"), None);
    world.set(&[("app/A", Some("x"))]);
    assert_eq!(world.value("app/A").as_deref(), Some("x"));
    world.wait(world.undo()).unwrap();
    assert_eq!(world.text("shop/prod/app").as_deref(), Some("{}"));
}

#[test]
fn thirty_changes_fill_up_neither_labels_nor_the_history() {
    let world = World::new();
    for number in 0..30 {
        world.set(&[("app/A", Some(&number.to_string()))]);
    }
    let held = world.cloud.world(|world| world.secrets.held("shop/prod/app")).unwrap();
    let labels: usize = held.versions.iter().map(|(_, labels, _)| labels.len()).sum();
    assert_eq!(labels, 3, "AWSCURRENT, AWSPREVIOUS, and ours");
    world.cloud.pages(crate::support::cloud::Pages::Ragged);
    let told = world.wait(world.store().history(&address("app/A"))).unwrap();
    let values: Vec<&str> = told.iter().map(|past| past.value.as_ref().map_or("", Secret::expose)).collect();
    let expected: Vec<String> = (0..30).rev().map(|number| number.to_string()).collect();
    assert_eq!(values, expected);
}

#[test]
fn the_history_of_a_value_tells_the_versions_that_changed_it() {
    let world = World::new();
    let history = |at: &str| -> Vec<Option<String>> {
        let told = world.wait(world.store().history(&address(at))).unwrap();
        told.iter().map(|past| past.value.as_ref().map(|value| value.expose().to_owned())).collect()
    };
    assert!(history("app/A").is_empty(), "there never was anything");
    world.set(&[("app/B", Some("b1"))]);
    world.set(&[("app/A", Some("1"))]);
    world.set(&[("app/B", Some("b2"))]);
    world.set(&[("app/A", None)]);
    world.set(&[("app/A", Some("2"))]);
    assert_eq!(history("app/A"), [Some("2".to_owned()), None, Some("1".to_owned())]);
    assert_eq!(history("app/B"), [Some("b2".to_owned()), Some("b1".to_owned())]);
    world.wait(world.undo()).unwrap();
    assert_eq!(history("app/A")[0], None, "the present state comes first, whenever it was made");
}

#[test]
fn more_versions_than_a_day_takes_are_no_throttling() {
    let world = World::new();
    for number in 0..100 {
        world.seed("shop/prod/app", &format!("{{\"A\": \"{number}\"}}"));
    }
    world.cloud.reset_calls();
    let refused = world.wait(world.run(&desired(&[("app/A", Some("x"))]))).unwrap_err();
    let ApplyError::Nothing(error) = refused else { panic!("{refused:?}") };
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.hint.unwrap().contains("24 hours"));
    assert_eq!(world.calls(), ["GetSecretValue", "PutSecretValue"], "it is not tried again");
}
