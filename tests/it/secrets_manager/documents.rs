//! What other tools wrote into a document stays as it is, and means what it says.

use super::{World, address, desired};
use aws_sdk_secretsmanager::primitives::Blob;
use strongroom::apply::ApplyError;
use strongroom::store::ErrorKind;

/// As RDS, Python and people write them.
const FOREIGN: &str = "{\n  \"port\" : 5432.0,\n  \"A\": \"old\",\n  \"big\": 123456789012345678901234567890,\n  \
                       \"nested\": {\"a\": [1, {\"b\" : null}]} ,\n  \"none\": null, \"u\": \"\\u00e9\\/\", \"B\":7\n}\n";

#[test]
fn foreign_members_keep_every_byte_through_a_change_and_its_undo() {
    let world = World::new();
    world.seed("shop/prod/app", FOREIGN);
    world.set(&[("app/A", Some("new")), ("app/C", Some("added"))]);
    let expected = FOREIGN.replace("\"old\"", "\"new\"").replace("\"B\":7", "\"B\":7, \"C\":\"added\"");
    assert_eq!(world.text("shop/prod/app").unwrap(), expected);
    world.wait(world.undo()).unwrap();
    assert_eq!(world.text("shop/prod/app").unwrap(), FOREIGN);
}

#[test]
fn a_number_is_read_as_it_is_spelt_stays_a_number_and_comes_back_as_one() {
    let world = World::new();
    world.seed("shop/prod/app", "{\"A\": 1.50, \"B\": true}");
    let seen = world.read(&["app/A", "app/B"]);
    assert_eq!(seen.value(&address("app/A")).unwrap().expose(), "1.50");
    assert_eq!(seen.entries[&address("app/A")].attributes["json"], "number");
    world.set(&[("app/A", Some("no number"))]);
    assert_eq!(world.text("shop/prod/app").unwrap(), "{\"A\": \"no number\", \"B\": true}");
    // Somebody else's change in between: the version of before says something else now.
    world.seed("shop/prod/app", "{\"A\": \"no number\", \"B\": true, \"theirs\": 1}");
    world.wait(world.undo()).unwrap();
    assert_eq!(world.text("shop/prod/app").unwrap(), "{\"A\": 1.50, \"B\": true, \"theirs\": 1}");
}

#[test]
fn an_empty_value_is_one_and_null_is_none() {
    let world = World::new();
    world.seed("shop/prod/app", "{\"A\": null, \"B\": \"x\"}");
    assert_eq!(world.value("app/A"), None);
    world.set(&[("app/A", Some("")), ("app/B", Some(""))]);
    assert_eq!(world.text("shop/prod/app").unwrap(), "{\"A\": \"\", \"B\": \"\"}");
    assert_eq!(world.value("app/A").as_deref(), Some(""));
}

#[test]
fn how_others_refer_to_a_value_names_its_member() {
    let world = World::new();
    world.set(&[("app/A", Some("x")), ("single/ONE", Some("y"))]);
    let seen = world.read(&["app/A", "single/ONE"]);
    let arn = |name: &str| world.cloud.world(|world| world.secrets.held(name)).unwrap().arn;
    let told = |at: &str| seen.entries[&address(at)].arn.clone().unwrap();
    assert_eq!(told("app/A"), format!("{}:A", arn("shop/prod/app")));
    assert_eq!(told("single/ONE"), arn("shop/prod/single/ONE"));
    assert_eq!(
        world.text("shop/prod/single/ONE").unwrap(),
        "y",
        "a secret of its own holds the value as it is"
    );
}

#[test]
fn what_is_no_document_is_refused_with_the_way_out_and_without_its_text() {
    let world = World::new();
    for text in ["canary-plain", "\"canary\"", "[\"canary\"]", "{\"A\": canary}"] {
        world.seed("shop/prod/app", text);
        let error = world.try_read(&["app/A"]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Damaged);
        let told = format!("{error} {error:?} {}", error.hint.as_deref().unwrap());
        assert!(told.contains("shop/prod/app") && told.contains("path.secretsmanager"), "{told}");
        assert!(!told.contains("canary"), "{told}");
    }
    let create = world.client().create_secret().name("shop/prod/db").secret_binary(Blob::new(*b"\x00\x01"));
    world.wait(create.send()).unwrap();
    let error = world.try_read(&["db/ONLY"]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Damaged);
    assert!(error.to_string().contains("SecretBinary"), "{error}");
}

#[test]
fn what_a_secret_cannot_hold_is_refused_by_name_before_anything_is_written() {
    let world = World::new();
    world.seed("shop/prod/app", &format!("{{\"theirs\": \"{}\"}}", "x".repeat(65_000)));
    world.cloud.reset_calls();
    let refused = world.plan(&[("app/A", Some(&"y".repeat(600))), ("single/ONE", Some(""))]).unwrap_err();
    let ApplyError::Refused(refused) = refused else { panic!("{refused:?}") };
    let told: Vec<String> = refused.iter().map(ToString::to_string).collect();
    assert!(told[0].contains("shop/prod/app would be 65") && told[0].contains("65536"), "{told:?}");
    assert!(told[1].contains("single/ONE") && told[1].contains("empty"), "{told:?}");
    assert!(world.calls().iter().all(|call| call.contains("Get")), "nothing was written");
    // One byte less than too many.
    let room = 65_536 - world.text("shop/prod/app").unwrap().len() - ", \"A\": \"\"".len();
    world.set(&[("app/A", Some(&"y".repeat(room)))]);
    assert_eq!(world.text("shop/prod/app").unwrap().len(), 65_536);
}

#[test]
fn values_that_are_in_no_group_of_the_manifest_are_nowhere() {
    let world = World::new();
    assert!(world.read(&["_strongroom/REVISION"]).entries.is_empty());
    assert!(world.calls().is_empty());
    let refused = world.wait(world.run(&desired(&[("_strongroom/REVISION", Some("x"))]))).unwrap_err();
    assert!(matches!(refused, ApplyError::Refused(_)), "{refused:?}");
}
