//! The manifest from the outside: a whole one, every way to break one, and its schema.

use serde_json::Value;
use std::fmt::Write;
use std::path::Path;
use strongroom::manifest::{Manifest, json_schema};

const WHOLE: &str = include_str!("manifest/whole.toml");
const DESIGN: &str = include_str!("manifest/design.toml");
const BROKEN: &str = include_str!("manifest/broken.txt");
const SCHEMA: &str = include_str!("../../docs/manifest.schema.json");

fn read(text: &str) -> Manifest {
    Manifest::parse("strongroom.toml", text).unwrap_or_else(|error| panic!("{error}"))
}

/// What stands before each broken manifest, so that one thing is wrong with it. A text with `!` has nothing before it.
const HEAD: &str = "version = 1\nproject.name = \"shop\"\nenvironments.local.home = \"vault\"\n";

/// Titles and texts. A head's dotted tables cannot be reopened by a header, so that a text with other environments has
/// a head of headers.
fn broken() -> Vec<(&'static str, String)> {
    let sections = BROKEN.split("### ").skip(1);
    let parse = |section: &'static str| {
        let (title, text) = section.split_once('\n').expect("a title ends with its line");
        let bare: String = text
            .lines()
            .filter_map(|line| line.strip_prefix('!'))
            .fold(String::new(), |all, line| all + line + "\n");
        let headers = HEAD.replace("environments.local.home", "[environments.local]\nhome");
        let whole = match () {
            () if !bare.is_empty() && !bare.contains("project") => {
                headers.replace("version = 1\n", &bare) + "\n"
            }
            () if !bare.is_empty() => bare,
            () => headers + text,
        };
        (title, whole)
    };
    sections.map(parse).collect()
}

#[test]
fn every_broken_manifest_says_where_it_is_broken_and_what_would_be_right() {
    let mut all = String::new();
    for (title, text) in broken() {
        match Manifest::parse("strongroom.toml", &text) {
            Ok(_) => panic!("{title}: this is read as a manifest"),
            Err(error) => writeln!(all, "### {title}\n{error}\n").unwrap(),
        }
    }
    assert!(broken().len() >= 60);
    assert!(!all.contains("hunter2"), "a value is in a message");
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "manifest", omit_expression => true }, {
        insta::assert_snapshot!("broken", all);
    });
}

#[test]
fn a_broken_manifest_points_at_a_line_that_exists() {
    for (title, text) in broken() {
        for problem in Manifest::parse("f", &text).unwrap_err().problems {
            let line = text
                .lines()
                .nth(problem.line - 1)
                .unwrap_or_else(|| panic!("{title}: line {}", problem.line));
            assert!(problem.column <= line.chars().count() + 1, "{title}: {problem}");
            assert_eq!(problem.text.chars().count(), line.trim_end().chars().count(), "{title}: {problem}");
        }
    }
}

#[test]
fn whole_manifests_are_read() {
    read(WHOLE);
    read(DESIGN);
}

#[test]
fn the_example_of_the_docs_is_a_manifest() {
    let docs = include_str!("../../docs/manifest.md");
    let blocks = docs.split("```toml\n").skip(1).filter_map(|rest| rest.split_once("```"));
    let whole: Vec<&str> =
        blocks.map(|(block, _)| block).filter(|block| block.starts_with("version")).collect();
    assert_eq!(whole.len(), 1);
    read(whole[0]);
}

#[test]
fn the_committed_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/manifest.schema.json");
    if std::env::var_os("STRONGROOM_BLESS").is_some() {
        std::fs::write(path, json_schema()).unwrap();
    } else {
        assert_eq!(
            SCHEMA,
            json_schema(),
            "run the tests with STRONGROOM_BLESS=1 to write docs/manifest.schema.json"
        );
    }
}

fn as_json(text: &str) -> Value {
    let document: toml_edit::DocumentMut = text.parse().unwrap();
    item(document.as_item())
}

fn item(item: &toml_edit::Item) -> Value {
    if let Some(table) = item.as_table_like() {
        return table.iter().map(|(key, value)| (key.to_owned(), self::item(value))).collect();
    }
    if let Some(array) = item.as_array() {
        return array.iter().map(|value| self::item(&value.clone().into())).collect();
    }
    match (item.as_str(), item.as_bool(), item.as_integer()) {
        _ if item.is_float() => item.as_float().into(),
        (Some(text), _, _) => text.into(),
        (_, Some(word), _) => word.into(),
        (_, _, number) => number.expect("manifests have strings, booleans and numbers").into(),
    }
}

#[test]
fn whole_manifests_keep_to_the_schema() {
    let schema = jsonschema::validator_for(&serde_json::from_str(&json_schema()).unwrap()).unwrap();
    for text in [WHOLE, DESIGN] {
        let errors: Vec<String> = schema.iter_errors(&as_json(text)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

/// The paths of all fields that a schema has.
fn fields(root: &Value, schema: &Value, path: &str, found: &mut Vec<String>) {
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        fields(root, root.pointer(&target[1..]).unwrap(), path, found);
    }
    for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = format!("{path}.{name}");
        fields(root, field, &path, found);
        found.push(path);
    }
    for branch in ["oneOf", "anyOf"].iter().filter_map(|choice| schema.get(choice)?.as_array()).flatten() {
        fields(root, branch, path, found);
    }
    if let Some(rest) = schema.get("additionalProperties").filter(|rest| rest.is_object()) {
        fields(root, rest, &format!("{path}.*"), found);
    }
}

fn has(value: &Value, path: &[&str]) -> bool {
    match (path, value) {
        ([], _) => true,
        (["*", rest @ ..], Value::Object(table)) => table.values().any(|value| has(value, rest)),
        ([name, rest @ ..], Value::Object(table)) => table.get(*name).is_some_and(|value| has(value, rest)),
        _ => false,
    }
}

#[test]
fn every_field_of_the_schema_is_read() {
    let schema: Value = serde_json::from_str(&json_schema()).unwrap();
    let mut all = Vec::new();
    fields(&schema, &schema, "", &mut all);
    let whole = as_json(WHOLE);
    let unused: Vec<&String> =
        all.iter().filter(|path| !has(&whole, &path[1..].split('.').collect::<Vec<_>>())).collect();
    assert!(all.len() > 80 && unused.is_empty(), "whole.toml does not use {unused:?}");
}

#[test]
fn a_field_that_the_schema_does_not_have_is_refused_everywhere() {
    let whole: toml_edit::DocumentMut = WHOLE.parse().unwrap();
    let mut tables = Vec::new();
    paths(whole.as_item(), &mut Vec::new(), &mut tables);
    // Names that people choose: what stands in these tables is not a field.
    let free = |path: &[String]| {
        matches!(
            path.iter().map(String::as_str).collect::<Vec<_>>().as_slice(),
            ["environments" | "groups" | "render" | "rotate"]
                | ["environments", _, "copies" | "tags"]
                | ["groups", _, "keys"]
                | ["groups", _, "keys", _, "values" | "tags"]
                | ["render", _, "rename"]
                | ["rotate", "followed", "keys"]
        )
    };
    for path in tables.iter().filter(|path| !free(path)) {
        let mut broken = whole.clone();
        let table = path.iter().fold(broken.as_item_mut(), |item, step| &mut item[step.as_str()]);
        table.as_table_like_mut().unwrap().insert("surplus", toml_edit::value("x"));
        let error = Manifest::parse("f", &broken.to_string()).unwrap_err();
        assert!(error.to_string().contains("unknown field `surplus`"), "{path:?}: {error}");
    }
}

fn paths(item: &toml_edit::Item, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let Some(table) = item.as_table_like() else { return };
    found.push(path.clone());
    for (key, item) in table.iter() {
        path.push(key.to_owned());
        paths(item, path, found);
        path.pop();
    }
}

proptest::proptest! {
    #[test]
    fn no_damage_to_a_manifest_makes_its_reader_fail(
        start in 0..WHOLE.len(), length in 0_usize..40, with in "[\\[\\]{}=\"'.,#a-z0-9 \n\u{e4}\u{0}\u{feff}]{0,6}",
    ) {
        let text = format!("{}{with}{}", &WHOLE[..start], &WHOLE[(start + length).min(WHOLE.len())..]);
        if let Err(error) = Manifest::parse("f", &text) {
            proptest::prop_assert!(!error.problems.is_empty() && error.to_string().starts_with("f:"));
        }
    }
}
