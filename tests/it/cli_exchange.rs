//! `import` and `export`: every format in and out, and nothing taken where something stands against it.

use crate::support::env::TestEnv;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const KEYS: &str = r#"
[groups.app.keys]
# Which settings.
MODE = { value = "dev" }
TOKEN = { secret = true }
EMPTY = { optional = true }
[groups.database.keys]
PASSWORD = { secret = true, optional = true }
URL = { derive = "postgres://app:{PASSWORD}@db/app", optional = true }
[groups.xero]
instances = ["1"]
env = "XERO_{instance}_{key}"
[groups.xero.keys]
client_secret = { secret = true, optional = true }
[groups.operator]
audience = "operator"
[groups.operator.keys]
ROOT_PASSWORD = { secret = true, optional = true }
[groups.later]
environments = ["prod"]
[groups.later.keys]
LATER = {}
"#;

/// A project whose identity is there, and whose vault is not.
fn empty() -> TestEnv {
    let env = TestEnv::new().with_vault("local", &[]);
    fs::remove_dir_all(env.path(".strongroom")).unwrap();
    let identity = fs::read_to_string(env.config("identity.txt")).unwrap();
    let public = identity.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
    env.with_manifest(&format!(
        "version = 1\n[project]\nname = \"demo\"\nrecipients = [\"{public}\"]\ndefault_environment = \"local\"\n\
         [environments.local]\nhome = \"vault\"\n[environments.prod]\nhome = \"vault\"\n{KEYS}"
    ))
}

const HOSTILE: &str = "canary $HOME \"q\" 'a' #x\\ é\nsecond line\t";

/// A project whose vault holds values that are hard to write.
fn full() -> TestEnv {
    let env = empty();
    env.write(
        "values.json",
        serde_json::json!({"TOKEN": HOSTILE, "PASSWORD": "p@ss", "EMPTY": ""}).to_string(),
    );
    env.run("import values.json --yes").success();
    env
}

fn untouched(env: &TestEnv, manifest: &str) {
    assert!(!env.path(".strongroom").exists() && !env.state("").exists());
    assert_eq!(env.read("strongroom.toml"), manifest);
}

#[test]
fn every_format_that_is_exported_imports_as_the_same_values() {
    let source = full();
    for (format, file, more) in [
        ("json", "out.json", ""),
        ("yaml", "out.yaml", ""),
        ("toml", "out.toml", ""),
        ("shell", "out.sh", ""),
        ("chamber", "out.json", "--format chamber"),
        ("dotenv", "out.env", "--dialect compose"),
        ("dotenv --dialect python-dotenv", ".env", "--dialect python-dotenv"),
    ] {
        let text = source.run(&format!("export --format {format}")).success();
        let env = empty().with_file(file, text);
        env.run(&format!("import {file} --yes {more}")).success();
        assert_eq!(env.run("get TOKEN").success(), HOSTILE, "{format}");
        assert_eq!(env.run("get PASSWORD").success(), "p@ss", "{format}");
        assert_eq!(env.run("get EMPTY").success(), "", "{format}");
        assert_eq!(env.run("export --format json").success(), source.run("export --format json").success());
    }
}

#[test]
fn an_export_is_what_a_process_gets_and_nothing_for_operators() {
    let env = empty();
    let text = "ROOT_PASSWORD=root\nXERO_1_client_secret=first\nTOKEN=t\n";
    env.run_with_stdin("import - --format dotenv --yes", text).success();
    assert_eq!(
        env.run("export --format json").success(),
        "{\n  \"MODE\": \"dev\",\n  \"TOKEN\": \"t\",\n  \"XERO_1_client_secret\": \"first\"\n}\n"
    );
    assert_eq!(env.run("get operator/ROOT_PASSWORD").success(), "root");
    assert_eq!(env.run("export -f toml --only MODE").success(), "MODE = \"dev\"\n");
    assert_eq!(
        env.run("export -f yaml --only xero/1/client_secret").success(),
        "XERO_1_client_secret: \"first\"\n"
    );
}

#[test]
fn an_exported_file_is_private_and_one_that_is_there_is_asked_about() {
    let env = full();
    env.run("export -f json -o out/values.json").success();
    let mode = fs::metadata(env.path("out/values.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    env.write("out/values.json", "mine");
    let _ = env.run("export -f json -o out/values.json").failure(2);
    assert_eq!(env.read("out/values.json"), "mine");
    env.run("export -f json -o other.json -n").success();
    assert!(!env.path("other.json").exists());
}

#[test]
fn what_a_dialect_cannot_hold_is_refused_by_name_and_nothing_is_printed() {
    let said = full().run("export -f dotenv --dialect docker").failure(1);
    assert!(said.contains("TOKEN cannot be written for docker: the value has a line break"), "{said}");
    assert!(!said.contains("canary"));
    let said = full().run("export -f dotenv --dialect json").failure(2);
    assert!(said.contains("--format json"), "{said}");
}

#[test]
fn everything_that_stands_against_an_import_is_told_at_once_and_nothing_is_written() {
    let env = empty();
    let manifest = env.read("strongroom.toml");
    env.write(".env", "TOKEN=canary\nTOKNE=canary\nMODE=canary\nPASSWORD=canary\nURL=canary\nLATER=canary\n");
    let said = env.run("import .env --yes").failure(1);
    for line in [
        "error: nothing is taken from .env",
        "unknown key `TOKNE`; did you mean `TOKEN`?",
        "app/MODE has another value in the manifest, where it lives (strongroom.toml:",
        "database/URL is derived, and what follows from the other keys is another value",
        "`later/LATER` does not belong to the environment `local`",
        "hint: --add declares",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    assert!(!said.contains("canary"), "{said}");
    untouched(&env, &manifest);
}

#[test]
fn values_that_are_in_the_manifest_or_follow_from_the_file_itself_may_stand_in_it() {
    let env = empty();
    env.write(".env", "MODE=dev\nPASSWORD=p@ss\nURL=postgres://app:p%40ss@db/app\n");
    let output = env.run("import .env --yes");
    assert!(output.stderr.contains("2 values as the manifest has it already"), "{}", output.stderr);
    output.success();
    assert_eq!(env.run("get PASSWORD").success(), "p@ss");
    assert!(env.run("import .env --yes").stderr.contains("nothing to do"));
}

#[test]
fn what_is_not_text_is_refused_with_its_path() {
    let env = empty();
    let manifest = env.read("strongroom.toml");
    for (file, text) in [
        ("a.json", "{\"TOKEN\": 12345678, \"db\": {\"port\": \"canary\"}}"),
        ("a.yml", "TOKEN: 12345678\ndb:\n  port: canary\n"),
        ("a.toml", "TOKEN = 12345678\n[db]\nport = \"canary\"\n"),
    ] {
        env.write(file, text);
        let said = env.run(&format!("import {file} --yes --add")).failure(1);
        assert!(said.contains("TOKEN: a number; put it in quotes"), "{said}");
        assert!(said.contains("db: a table; a value is text"), "{said}");
        assert!(!said.contains("12345678") && !said.contains("canary"), "{said}");
    }
    untouched(&env, &manifest);
}

#[test]
fn input_that_is_no_text_of_its_format_is_refused_by_position_and_never_quoted() {
    let env = empty();
    let manifest = env.read("strongroom.toml");
    for (file, bytes, expected) in [
        ("a.json", &b"{\"TOKEN\": \"canary\",\n canary}"[..], "not valid JSON: line 2"),
        ("a.toml", b"TOKEN = canary", "not valid TOML: line 1"),
        ("a.yaml", b"TOKEN: \"canary\nX: y", "not valid YAML: line"),
        (".env", b"TOKEN=canary\xff", "is not UTF-8 from byte 12 on"),
        (".env.nul", b"TOKEN=can\0ary", "has a NUL byte at offset 9"),
        ("b.json", b"{\"TOKEN\": \"can\\u0000ary\"}", "TOKEN: the value has a NUL byte"),
        (
            "c.json",
            b"{\"TOKEN\": \"canary\", \"TOKEN\": \"canary\"}",
            "TOKEN: the name stands there more than once",
        ),
        ("d.json", b"[\"canary\"]", "it is a list"),
    ] {
        env.write(file, bytes);
        let said = env.run(&format!("import {file} --yes")).failure(1);
        assert!(said.contains(expected), "{file}: {said}");
        assert!(!said.contains("canary"), "{file}: {said}");
    }
    env.write("big.json", vec![b' '; (16 << 20) + 1]);
    assert!(env.run("import big.json").failure(1).contains("larger than 16 MiB"));
    assert!(env.run("import nothing.json").failure(1).contains("cannot read nothing.json"));
    assert!(env.run("import strongroom").failure(2).contains("give --format"));
    assert!(env.run("import -").failure(2).contains("give --format"));
    untouched(&env, &manifest);
}

#[test]
fn lines_that_are_read_differently_ask_for_the_dialect_and_name_the_key() {
    let env = empty().with_file(".env", "TOKEN=canary #1\n");
    let said = env.run("import .env --yes").failure(2);
    assert!(said.contains("line 1: TOKEN is one value for"), "{said}");
    assert!(said.contains("--dialect compose") && !said.contains("canary"), "{said}");
    env.run("import .env --yes --dialect docker").success();
    assert_eq!(env.run("get TOKEN").success(), "canary #1");
    env.run("import .env --yes --dialect compose").success();
    assert_eq!(env.run("get TOKEN").success(), "canary");
}

#[test]
fn added_names_are_declared_with_the_reason_and_the_manifest_keeps_its_text() {
    let env = empty().with_file("new.env", "TOKEN=t\nAPI_KEY=canary-canary\nGREETING=hello\n");
    let manifest = env.read("strongroom.toml");
    let output = env.run("import new.env --add -n");
    assert!(output.stderr.contains("+ app/API_KEY   secret  (the name says API key)"), "{}", output.stderr);
    assert!(output.stderr.contains("+ app/GREETING  plain   ("), "{}", output.stderr);
    output.success();
    untouched(&env, &manifest);
    let _ = env.run("import new.env --add").failure(2);
    untouched(&env, &manifest);
    env.run("import new.env --add --yes").success();
    let expected = manifest.replace(
        "EMPTY = { optional = true }\n",
        "EMPTY = { optional = true }\nAPI_KEY = { secret = true }\nGREETING = {}\n",
    );
    assert_eq!(env.read("strongroom.toml"), expected);
    assert_eq!(env.run("get API_KEY").success(), "canary-canary");
    // Once more: all is declared, and nothing is to be done.
    assert!(env.run("import new.env --yes").stderr.contains("nothing to do"));
    env.write("more.env", "OTHER=x\n");
    env.run("import more.env --add --group database --yes").success();
    assert_eq!(env.run("get database/OTHER").success(), "x");
    env.write("most.env", "YET_ANOTHER=x\n");
    let said = env.run("import most.env --add --group xero --yes").failure(2);
    assert!(said.contains("the group `xero` cannot take keys of `local`"), "{said}");
}

#[test]
fn an_import_that_stopped_after_the_declarations_is_finished_by_a_second_run() {
    let env = empty().with_file("new.env", "API_KEY=canary\n");
    // A vault that cannot be written: a file is where its folder should be.
    env.write(".strongroom", "");
    assert_ne!(env.run("import new.env --add --yes").code, Some(0));
    fs::remove_file(env.path(".strongroom")).unwrap();
    env.run("import new.env --add --yes").success();
    assert_eq!(env.run("get API_KEY").success(), "canary");
}

#[test]
fn chambers_small_names_are_the_manifests_and_two_for_one_are_refused() {
    let env = empty();
    let text = r#"{"token": "t", "xero_1_client_secret": "no", "password": "p"}"#;
    let said = env.run_with_stdin("import - --format chamber --yes", text).failure(1);
    assert!(said.contains("unknown key `XERO_1_CLIENT_SECRET`"), "{said}");
    let text = r#"{"token": "t", "TOKEN": "u"}"#;
    let said = env.run_with_stdin("import - --format chamber --yes", text).failure(1);
    assert!(said.contains("token and TOKEN both mean TOKEN"), "{said}");
    env.run_with_stdin("import - --format chamber --yes", r#"{"token": "t", "password": "p"}"#).success();
    assert_eq!(env.run("get TOKEN").success(), "t");
}
