//! What a change of a document keeps: everything else, as it is written.

use super::*;
use proptest::prelude::*;

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned()).unwrap()
}

fn document(text: &str) -> Document {
    Document::parse(secret(text)).unwrap()
}

fn value(text: &str, name: &str) -> Option<String> {
    document(text).value(name).unwrap().map(|(value, _)| value.expose().to_owned())
}

/// As RDS, Python and people write them.
const FOREIGN: &str = "{\n  \"port\" : 5432.0,\n  \"big\": 123456789012345678901234567890,\n  \"tiny\":1e-7 ,\n  \
                       \"nested\": {\"a\": [1, {\"b\" : null}]},\n  \"none\": null, \"u\": \"\\u00e9\\/\"\n}\n";

#[test]
fn a_member_is_read_as_the_text_it_means() {
    for (name, expected) in [
        ("port", Some("5432.0")),
        ("big", Some("123456789012345678901234567890")),
        ("nested", Some("{\"a\": [1, {\"b\" : null}]}")),
        ("u", Some("é/")),
        ("none", None),
        ("absent", None),
    ] {
        assert_eq!(value(FOREIGN, name).as_deref(), expected, "{name}");
    }
    assert_eq!(value("{\"A\": \"\"}", "A").as_deref(), Some(""), "an empty string is a value");
    assert_eq!(
        value("{\"\\u0041\": true}", "A").as_deref(),
        Some("true"),
        "a name may be spelt with escapes"
    );
    assert_eq!(value("{\"A\": 1, \"A\": \"2\"}", "A").as_deref(), Some("2"), "the last of one name counts");
}

#[test]
fn a_change_is_made_in_its_place_and_an_addition_is_spaced_as_the_rest() {
    for (before, name, new, after) in [
        ("{}", "A", "x", "{\"A\":\"x\"}"),
        ("{ }", "A", "x", "{\"A\":\"x\" }"),
        ("{\"A\":\"1\"}", "B", "x", "{\"A\":\"1\",\"B\":\"x\"}"),
        ("{\"A\": \"1\"}", "B", "x", "{\"A\": \"1\", \"B\": \"x\"}"),
        ("{\"A\": \"1\", \"C\": {}}", "B", "x", "{\"A\": \"1\", \"C\": {}, \"B\": \"x\"}"),
        ("{\n  \"A\": \"1\"\n}", "B", "x", "{\n  \"A\": \"1\",\n  \"B\": \"x\"\n}"),
        ("{ \"A\" : \"1\" , \"B\":2}", "A", "q\"\n", "{ \"A\" : \"q\\\"\\n\" , \"B\":2}"),
        ("{\"A\": 1, \"B\": 2, \"A\": 3}", "A", "x", "{\"B\": 2, \"A\": \"x\"}"),
    ] {
        let changed = document(before).with(name, &secret(new), None);
        assert_eq!(changed.text().expose(), after, "{before}");
    }
    for (before, after) in [
        ("{\"A\": 1}", "{}"),
        ("{\"A\": 1, \"B\": 2}", "{\"B\": 2}"),
        ("{\"B\": 2, \"A\": 1}", "{\"B\": 2}"),
        ("{\"B\": 2, \"A\": 1 , \"C\":3}", "{\"B\": 2 , \"C\":3}"),
        ("{\"A\": 1, \"B\": 2, \"A\": 3}", "{\"B\": 2}"),
        ("{\"B\": 2}", "{\"B\": 2}"),
    ] {
        assert_eq!(document(before).without("A").text().expose(), after, "{before}");
    }
}

#[test]
fn a_number_stays_one_where_the_new_value_is_one_too() {
    let with = |kind, new: &str| document("{\"port\":5432}").with("port", &secret(new), kind);
    assert_eq!(with(None, "5433").text().expose(), "{\"port\":5433}");
    for no_number in ["5433 ", "0x10", "true", "null", "", "007"] {
        let quoted = format!("{{\"port\":\"{no_number}\"}}");
        assert_eq!(with(None, no_number).text().expose(), quoted);
    }
    let absent = document("{}").with("port", &secret("5432"), Some(Kind::Number));
    assert_eq!(absent.text().expose(), "{\"port\":5432}", "what was a number comes back as one");
}

#[test]
fn what_is_no_document_is_told_without_its_text() {
    let refused = |text: &str| Document::parse(secret(text)).unwrap_err();
    for text in ["\"canary\"", "[\"canary\"]", "12345", "null"] {
        assert_eq!(refused(text), NotADocument::NotAnObject, "{text}");
    }
    for text in ["canary", "", "{\"canary\": }", "{\"a\": 1} canary", "{'canary': 1}", "{\"a\": 1,}"] {
        let error = refused(text);
        assert!(matches!(error, NotADocument::Syntax { .. }), "{text}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}

#[test]
fn text_that_no_value_can_be_is_refused_only_where_it_is_asked_for() {
    let document = document(r#"{"half": "\ud800", "\udc00": 1, "nul": "a\u0000b", "A": "x"}"#);
    document.value("half").unwrap_err();
    document.value("nul").unwrap_err();
    let changed = document.with("A", &secret("y"), None);
    assert_eq!(changed.text().expose(), r#"{"half": "\ud800", "\udc00": 1, "nul": "a\u0000b", "A": "y"}"#);
}

#[test]
fn documents_that_say_the_same_are_known_whatever_their_order() {
    let says = |a: &str, b: &str| document(a).says_as(&document(b), &["A"]);
    assert!(says("{\"A\": \"\\u0078\", \"n\": 1.0}", "{\"n\":1.0,\"A\":\"x\"}"));
    assert!(
        says("{\"A\": null, \"n\": 1}", "{\"n\": 1}"),
        "no value of ours is no value, however it is said"
    );
    assert!(
        !says("{\"A\": \"x\", \"n\": 1.0}", "{\"n\":1,\"A\":\"x\"}"),
        "a foreign number's spelling counts"
    );
    assert!(!says("{\"A\": \"1\"}", "{\"A\": 1}"), "a string is no number");
    assert!(!says("{\"A\": \"1\"}", "{\"A\": \"1\", \"B\": null}"), "a foreign null is something");
}

fn raw_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?",
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        Just("\"\\u0041\\ud83d\\udd11\\/\"".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[ {}]", items.join(" ,"))),
            prop::collection::vec(("[a-z]{1,3}", inner), 0..4).prop_map(|members| {
                let members: Vec<String> =
                    members.iter().map(|(name, raw)| format!("\"{name}\" :{raw}")).collect();
                format!("{{{}}}", members.join(", "))
            }),
        ]
    })
}

/// A name of ours or of somebody else's, and a raw value, with space around them.
fn members() -> impl Strategy<Value = Vec<(String, String, String)>> {
    let name = prop_oneof!["[A-C]", "[a-c]", Just("é".to_owned())];
    prop::collection::vec((name, raw_value(), "[ \n\t]{0,2}"), 0..7)
}

fn written(members: &[(String, String, String)]) -> String {
    let written: Vec<String> = members
        .iter()
        .map(|(name, raw, space)| format!("{space}\"{name}\"{space}:{space}{raw}{space}"))
        .collect();
    format!("{{{}}}", written.join(","))
}

fn foreign(document: &Document) -> Vec<(String, String)> {
    let text = document.text().expose();
    let named = document
        .members
        .iter()
        .map(|member| (member.name.clone().unwrap(), text[member.value.clone()].to_owned()));
    named.filter(|(name, _)| !["A", "B", "C"].contains(&name.as_str())).collect()
}

proptest! {
    /// Whatever is done to members of ours, those of others keep their text and their order, and ours are as wanted.
    #[test]
    fn changes_keep_every_foreign_member_s_text(
        members in members(),
        edits in prop::collection::vec(("[A-C]", prop::option::of(any::<String>().prop_filter("no NUL", |text| !text.contains('\0')))), 1..6),
    ) {
        let before = document(&written(&members));
        let mut after = before.clone();
        for (name, value) in &edits {
            after = match value {
                Some(value) => after.with(name, &secret(value), None),
                None => after.without(name),
            };
            let held = after.value(name).unwrap().map(|(value, _)| value.expose().to_owned());
            prop_assert_eq!(&held, value);
        }
        prop_assert_eq!(foreign(&before), foreign(&after));
        // Another reader of JSON sees the same.
        let read: serde_json::Value = serde_json::from_str(after.text().expose()).unwrap();
        for name in ["A", "B", "C"] {
            let ours = after.value(name).unwrap();
            if let (Some((value, Kind::Text)), Some(theirs)) = (ours, read.get(name)) {
                prop_assert_eq!(Some(value.expose()), theirs.as_str());
            }
        }
    }

    /// What is added and taken away again leaves the text as it was.
    #[test]
    fn an_addition_taken_back_leaves_the_text_as_it_was(members in members(), value in "[a-z\"\\\\]{0,5}") {
        let before = document(&written(&members));
        let after = before.with("NEW", &secret(&value), None).without("NEW");
        prop_assert_eq!(before.text().expose(), after.text().expose());
    }
}
