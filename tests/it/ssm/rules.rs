//! What Parameter Store demands and others get wrong: keys and types kept, absences and refusals told apart, limits
//! known before the first call.

use super::{World, address, desired};
use crate::support::cloud::{Effect, Pages, Refusal};
use strongroom::apply::{self, ApplyError};
use strongroom::plan::{Desired, Want, Wanted};
use strongroom::snapshot::{Held, Version};
use strongroom::store::{Discover, ErrorKind, History, Store};

/// A parameter that another tool made, with a key, a tier and a description of its own.
fn foreign(world: &World, key: &str) {
    let put = serde_json::json!({
        "Name": "/shop/prod/app/A", "Value": "old", "Type": "SecureString", "KeyId": key, "Tier": "Advanced",
        "Description": "made by hand",
    });
    raw(world, &put);
}

/// A PutParameter of somebody else.
fn raw(world: &World, put: &serde_json::Value) {
    let text = |name: &str| put.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    let config = aws_sdk_ssm::Config::builder()
        .behavior_version(aws_sdk_ssm::config::BehaviorVersion::latest())
        .region(aws_sdk_ssm::config::Region::new("us-east-1"))
        .endpoint_url(world.cloud.endpoint())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .credentials_provider(world.settings.credentials.clone().unwrap())
        .build();
    let call = aws_sdk_ssm::Client::from_conf(config).put_parameter();
    let call = call.set_name(text("Name")).set_value(text("Value")).set_key_id(text("KeyId"));
    let call =
        call.set_type(text("Type").map(|kind| kind.as_str().into())).set_description(text("Description"));
    let call = call.set_tier(text("Tier").map(|tier| tier.as_str().into())).overwrite(true);
    world.wait(call.send()).unwrap();
}

#[test]
fn an_overwrite_keeps_type_key_and_tier_as_they_were_found() {
    let world = World::new();
    let key = world.cloud.kms_key("alias/theirs");
    foreign(&world, &key);
    world.seed("/shop/prod/app/B", "plain", "String");
    let done = world.set(&[("app/A", Some("new")), ("app/B", Some("other"))]).unwrap();
    let kept = world.held("/shop/prod/app/A").unwrap();
    assert_eq!(
        (kept.value.as_str(), kept.kind.as_str(), kept.tier.as_str()),
        ("new", "SecureString", "Advanced")
    );
    assert_eq!(kept.key.as_deref(), Some(key.as_str()));
    assert_eq!(world.held("/shop/prod/app/B").unwrap().kind, "String");
    assert!(world.cloud.world(|world| world.ssm.retyped.is_empty()));

    world.undo(&done);
    let back = world.held("/shop/prod/app/A").unwrap();
    assert_eq!((back.value.as_str(), back.key.as_deref()), ("old", Some(key.as_str())));
    assert_eq!(world.value("/shop/prod/app/B").as_deref(), Some("plain"));
}

#[test]
fn an_undo_of_a_deletion_brings_back_type_key_and_tier() {
    let world = World::new();
    let key = world.cloud.kms_key("alias/theirs");
    foreign(&world, &key);
    let done = world.set(&[("app/A", None)]).unwrap();
    assert_eq!(world.value("/shop/prod/app/A"), None);
    world.undo(&done);
    let back = world.held("/shop/prod/app/A").unwrap();
    assert_eq!(
        (back.value.as_str(), back.key.as_deref(), back.tier.as_str()),
        ("old", Some(key.as_str()), "Advanced")
    );
}

#[test]
fn type_and_key_change_only_where_they_are_asked_for_and_an_undo_brings_them_back() {
    let mut world = World::new();
    let (theirs, ours) = (world.cloud.kms_key("alias/theirs"), world.cloud.kms_key("alias/ours"));
    let text =
        super::MANIFEST.replace("[environments.prod]", &format!("[environments.prod]\nkms_key = \"{ours}\""));
    world.manifest = std::sync::Arc::new(strongroom::manifest::Manifest::parse("f", &text).unwrap());
    foreign(&world, &theirs);
    let stores = world.stores();
    let wants = desired(&[("app/A", Some("new"))]);
    let plan = world.wait(apply::plan("ssm", stores["ssm"].as_ref(), &wants)).unwrap();
    let note = plan.writes[0].notes.join("\n");
    assert!(note.contains(&theirs) && note.contains(&ours) && note.contains("--rekey"), "{note}");

    let as_declared = |value: &str| {
        let held = Held::Value(super::secret(value));
        let attributes = world.ssm().declared(&address("app/A"));
        Desired::from([(address("app/A"), Want::Present(Wanted { held, attributes, was: None }))])
    };
    let done = world.change(&as_declared("old")).unwrap();
    let held = world.held("/shop/prod/app/A").unwrap();
    assert_eq!((held.value.as_str(), held.key.as_deref()), ("old", Some(ours.as_str())));
    assert_eq!(world.change(&as_declared("old")).unwrap().changes, 0, "and only once");
    world.undo(&done);
    assert_eq!(world.held("/shop/prod/app/A").unwrap().key.as_deref(), Some(theirs.as_str()));
}

#[test]
fn what_is_created_has_the_manifest_s_type_key_tier_and_tags() {
    let text = super::MANIFEST
        .replace("[environments.prod]", "[environments.prod]\nparameter_tier = \"intelligent\"");
    let world = World::of(&text);
    let large = "x".repeat(5_000);
    world.set(&[("app/A", Some(&large)), ("app/C", Some("plain"))]).unwrap();
    let (a, c) = (world.held("/shop/prod/app/A").unwrap(), world.held("/shop/prod/app/C").unwrap());
    assert_eq!((a.kind.as_str(), a.tier.as_str()), ("SecureString", "Advanced"));
    assert_eq!((c.kind.as_str(), c.tier.as_str(), c.key), ("String", "Standard", None));
    let tags: Vec<String> = a.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(tags, ["environment=prod", "level=high", "managed-by=strongroom", "project=shop", "team=web"]);
}

#[test]
fn what_no_parameter_can_hold_is_refused_by_name_before_anything_is_written() {
    let world = World::new();
    let large = "x".repeat(4_097);
    let wants = [("app/A", Some("")), ("app/B", Some("{{ user }}")), ("app/C", Some(large.as_str()))];
    let error = world.set(&wants).unwrap_err();
    let ApplyError::Refused(refusals) = &error else { panic!("{error:?}") };
    let said: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    for (said, (key, reason)) in
        said.iter().zip([("app/A", "empty"), ("app/B", "`{{`"), ("app/C", "4097 bytes")])
    {
        assert!(said.contains(key) && said.contains(reason), "{said}");
    }
    assert!(refusals[2].hint.as_deref().unwrap().contains("parameter_tier"));
    assert_eq!(world.cloud.count("ssm:PutParameter"), 0);
}

#[test]
fn a_batch_that_is_denied_is_read_one_by_one_and_a_denial_is_no_absence() {
    let mut world = World::new();
    world.seed("/shop/prod/app/A", "1", "SecureString");
    world.seed("/shop/prod/app/B", "2", "SecureString");
    let allow = |resource: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"ssm:GetParameter","Resource":"arn:aws:ssm:us-east-1:111122223333:parameter/shop/prod/app/{resource}"}}]}}"#
        )
    };
    world.only_allowed(&allow("*"));
    let found = world.read(&["app/A", "app/B", "app/C"]);
    assert_eq!(found.entries.len(), 2);
    assert_eq!(world.calls(), ["GetParameters", "GetParameter", "GetParameter", "GetParameter"]);

    world.only_allowed(&allow("A"));
    let error = world.wait(world.ssm().read(&["app/A", "app/B"].map(address))).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied);
    assert_eq!(error.address.as_deref(), Some(&address("app/B")));
    assert!(error.hint.as_deref().unwrap().contains("ssm:GetParameter"), "{:?}", error.hint);
}

#[test]
fn a_key_that_is_disabled_is_told_with_the_parameter_it_belongs_to() {
    let world = World::new();
    let key = world.cloud.kms_key("alias/theirs");
    foreign(&world, &key);
    world.seed("/shop/prod/app/B", "2", "SecureString");
    world.cloud.enable_kms_key("alias/theirs", false);
    let error = world.wait(world.ssm().read(&["app/A", "app/B"].map(address))).unwrap_err();
    assert_eq!(error.address.as_deref(), Some(&address("app/A")));
    assert!(error.to_string().contains("InvalidKeyId"), "{error}");
}

#[test]
fn a_walk_goes_on_after_pages_that_are_short_or_empty() {
    for pages in [Pages::Full, Pages::Ragged] {
        let world = World::new();
        for number in 0..12 {
            world.seed(&format!("/shop/xero/{number}/token"), "t", "SecureString");
        }
        world.cloud.pages(pages);
        let found = world.wait(world.ssm().walk(&["xero".parse().unwrap()])).unwrap();
        assert_eq!(found.entries.len(), 12);
        assert!(world.wait(world.ssm().walk(&["app".parse().unwrap()])).unwrap().entries.is_empty());
    }
}

#[test]
fn without_descriptions_the_history_tells_the_key_and_without_both_nothing_is_overwritten() {
    let allow = |actions: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":[{actions}],"Resource":"*"}}]}}"#
        )
    };
    let mut world = World::new();
    let key = world.cloud.kms_key("alias/theirs");
    foreign(&world, &key);
    world.only_allowed(&allow(r#""ssm:GetParameters","ssm:PutParameter","kms:*""#));
    let error = world.set(&[("app/A", Some("new"))]).unwrap_err();
    assert!(matches!(&error, ApplyError::Read(source) if source.kind == ErrorKind::Denied), "{error:?}");
    assert_eq!(world.cloud.count("ssm:PutParameter"), 1, "only the one that made it");
    world.only_allowed(&allow(r#""ssm:GetParameters","ssm:PutParameter","ssm:GetParameterHistory","kms:*""#));
    world.set(&[("app/A", Some("new"))]).unwrap();
    assert_eq!(world.held("/shop/prod/app/A").unwrap().key.as_deref(), Some(key.as_str()));
}

#[test]
fn a_history_is_newest_first_over_its_pages_and_a_refusal_is_no_empty_history() {
    let mut world = World::new();
    for number in 1..=120 {
        world.seed("/shop/prod/app/A", &number.to_string(), "SecureString");
    }
    let at = address("app/A");
    let history = world.wait(world.ssm().history(&at)).unwrap();
    let numbers: Vec<&str> = history.iter().map(|past| past.version.0.as_str()).collect();
    assert_eq!((numbers.len(), numbers[0], numbers[99]), (100, "120", "21"));
    let version = |text: &str| {
        let past = world.wait(world.ssm().version(&at, &Version(text.to_owned()))).unwrap();
        past.map(|past| past.value.unwrap().expose().to_owned())
    };
    world.cloud.reset_calls();
    assert_eq!(version("77").as_deref(), Some("77"));
    assert_eq!(world.calls(), ["GetParameter"], "one version is one call");
    assert_eq!((version("3"), version("999"), version("1:2")), (None, None, None));
    assert!(world.wait(world.ssm().history(&address("app/B"))).unwrap().is_empty());

    world.only_allowed(r#"{"Version":"2012-10-17","Statement":[]}"#);
    let error = world.wait(world.ssm().history(&at)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied, "{error}");
}

#[test]
fn what_aws_refuses_for_good_changes_nothing_and_is_quoted_without_the_value() {
    let world = World::new();
    world.seed("/shop/prod/app/A", "old", "SecureString");
    let refusal = Refusal::new("ParameterMaxVersionLimitExceeded", "version 1 has a label; canary-value");
    world.cloud.fault("ssm:PutParameter", .., Effect::Refuse(refusal));
    let error = world.set(&[("app/A", Some("canary-value"))]).unwrap_err();
    let ApplyError::Nothing(source) = error else { panic!("{error:?}") };
    let said = source.to_string();
    assert!(said.contains("ParameterMaxVersionLimitExceeded") && said.contains("/shop/prod/app/A"), "{said}");
    assert!(!said.contains("canary"), "{said}");
    assert_eq!(world.cloud.count("ssm:PutParameter"), 1);
    assert_eq!(world.value("/shop/prod/app/A").as_deref(), Some("old"));
}

#[test]
fn an_import_that_stops_midway_names_the_key_and_is_finished_without_writing_again() {
    let world = World::new();
    world.cloud.fault("ssm:PutParameter", 2..=2, Effect::Deny);
    let wants = [("app/A", Some("1")), ("app/B", Some("2")), ("app/C", Some("3"))];
    let ApplyError::Stopped { source, done, total, .. } = world.set(&wants).unwrap_err() else { panic!() };
    // They are under way together: whichever call came second is the one that was denied.
    let key = source.address.as_deref().unwrap_or_else(|| panic!("{source}"));
    assert!(world.held(&format!("/shop/prod/app/{}", key.key)).is_none(), "{key}");
    assert!((done, total) == (1, 3) || (done, total) == (2, 3), "{done} of {total}");
    world.cloud.heal();
    world.mend(&desired(&wants));
    for (key, value) in [("A", "1"), ("B", "2"), ("C", "3")] {
        let held = world.held(&format!("/shop/prod/app/{key}")).unwrap();
        assert_eq!((held.value.as_str(), held.version), (value, 1));
    }
}
