//! What `status` finds out of order, what it says of it, and what it never says.

use crate::support::env::TestEnv;
use serde_json::{Value, json};

const MANIFEST: &str = r#"version = 1
[project]
name = "demo"
[environments.local]
home = "vault"
[groups.app.keys]
MODE = { value = "dev" }
TOKEN = { secret = true }
CC = { optional = true }
URL = { derive = "x://{TOKEN}@h" }
[groups.xero]
instances = true
[groups.xero.keys]
client_id = {}
client_secret = { secret = true }
[render.app]
file = ".env"
dialect = ["docker", "compose"]
groups = ["app"]
"#;

const GOOD: &str = "MODE=dev\nTOKEN=t0k\nURL=x://t0k@h\n";

fn demo(values: &[(&str, &str)]) -> TestEnv {
    TestEnv::new().with_manifest(MANIFEST).with_vault("local", values)
}

fn document(env: &TestEnv) -> Value {
    serde_json::from_str(&env.run("status --json").success()).unwrap()
}

#[test]
fn what_is_in_order_is_one_line() {
    let env = demo(&[("app/TOKEN", "t0k")]).with_file(".env", GOOD);
    let output = env.run("status --check");
    assert_eq!(
        output.stderr,
        "local: 4 keys, all in order in vault [ROOT]/work/.strongroom/local.age, .env\n"
    );
    assert_eq!(output.success(), "");
    let all = env.run("status --all").success();
    assert!(all.starts_with("ADDRESS    HOME"), "{all}");
    assert!(
        all.contains("app/MODE   in the manifest") && all.contains("app/CC     optional, not set"),
        "{all}"
    );
}

#[test]
fn what_is_not_in_order_is_a_row_with_its_next_step() {
    let env = demo(&[("app/TOKEN", "t0k"), ("app/OLD", "o"), ("xero/1/client_id", "i")])
        .with_file(".env", "MODE=dev\nTOKEN=stale\nURL=x://stale@h\nEXTRA=1\n");
    let output = env.run("status --check");
    assert_eq!(output.code, Some(3));
    let ages = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let rows: Vec<String> = output.stdout.lines().map(ages).collect();
    let held = &rows[1]["app/TOKEN v1, ".len()..rows[1].len() - " differs".len()];
    assert_eq!(
        rows,
        [
            "ADDRESS HOME APP".to_owned(),
            format!("app/TOKEN v1, {held} differs"),
            "app/URL derived differs".to_owned(),
            "xero/1/client_secret missing -".to_owned(),
            format!("app/OLD v1, {held}, not declared -"),
        ]
    );
    let notes = [
        "local: 3 of 6 keys not in order; --all shows the others\n",
        ".env has 1 variable that the target does not give; `strongroom import .env --add` takes them in, `strongroom render app` takes them out\n",
        "`strongroom set xero/1/client_secret` sets what is missing\n",
    ];
    for note in notes {
        assert!(output.stderr.contains(note), "{}", output.stderr);
    }
    let everything = output.stdout + &output.stderr;
    assert!(["t0k", "stale", "EXTRA"].iter().all(|value| !everything.contains(value)), "{everything}");
    assert_eq!(env.run("status").code, Some(0), "only --check ends with 3");
}

#[test]
fn a_file_that_is_not_there_or_cannot_be_compared_is_told_as_such() {
    let env = demo(&[("app/TOKEN", "t0k")]);
    let output = env.run("status --check");
    assert_eq!((output.code, output.stdout.as_str()), (Some(3), ""));
    assert!(
        output.stderr.contains(".env is not there; `strongroom render app` makes it"),
        "{}",
        output.stderr
    );
    env.write(".env", "TOKEN='t0k\n");
    assert_eq!(document(&env)["targets"][0]["state"], "misread");
    env.write(".env", b"TOKEN=\xff\n");
    assert_eq!(document(&env)["targets"][0]["problem"], "not UTF-8 from byte 6 on");
}

#[test]
fn a_document_tells_every_key_and_no_value() {
    let env = demo(&[("app/TOKEN", "t0k")]).with_file(".env", GOOD);
    let told = document(&env);
    assert_eq!(
        (&told["kind"], &told["strongroom"], &told["in_order"]),
        (&json!("status"), &json!(1), &json!(true))
    );
    assert_eq!(
        told["keys"][1],
        json!({"address": "app/TOKEN", "secret": true, "home": "present", "version": "1",
               "modified": "1970-01-01T00:00:00Z", "copies": {}, "targets": {"app": "agrees"}})
    );
    assert!(!told.to_string().contains("t0k"));
}

#[test]
fn an_environment_without_a_vault_lacks_what_is_required() {
    let env = TestEnv::new().with_manifest(MANIFEST);
    let output = env.run("status --check");
    assert_eq!(output.code, Some(3));
    assert!(
        output.stdout.contains("app/TOKEN  missing\napp/URL    a part is missing\n"),
        "{}",
        output.stdout
    );
}

#[test]
fn on_a_terminal_the_matrix_has_colours() {
    let (shown, code) = demo(&[]).terminal("status").end();
    assert_eq!(code, Some(0));
    assert!(shown.contains('\u{1b}') && shown.contains("a part is missing"), "{shown}");
}
