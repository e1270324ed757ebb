//! Which manifest and which environment a run is about, and what is told of them without opening a place.

use crate::support::env::STRONGROOM;
use crate::support::env::TestEnv;

const MANIFEST: &str = r#"version = 1
[project]
name = "demo"
[environments.local]
home = "vault"
[environments.prod]
home = "vault"
[groups.app.keys]
MODE = { value = "dev", description = "which settings" }
TOKEN = { secret = true, optional = true }
[groups.app2.keys]
TOKEN = { secret = true }
[groups.xero]
instances = true
[groups.xero.keys]
client_secret = { secret = true }
[render.app]
file = ".env"
dialect = "compose"
groups = ["app"]
"#;

fn demo() -> TestEnv {
    TestEnv::new().with_manifest(MANIFEST).with_file("below/deep/file", "")
}

#[test]
fn the_nearest_manifest_upwards_is_meant() {
    let env = demo();
    let stdout = env.sh("cd below/deep && strongroom -e local list").success();
    assert!(stdout.contains("../../strongroom.toml:9"), "{stdout}");
    env.write(
        "below/strongroom.toml",
        "version = 1\n[project]\nname = \"nearer\"\n[environments.only]\nhome = \"vault\"\n",
    );
    assert_eq!(
        env.sh("cd below/deep && strongroom list --json").success(),
        "{\"strongroom\":1,\"kind\":\"list\",\"environment\":\"only\",\"keys\":[]}\n"
    );
}

#[test]
fn without_a_manifest_the_next_step_is_told() {
    let stderr = TestEnv::new().run("list").failure(4);
    assert!(
        stderr.starts_with("error: there is no strongroom.toml here or in a folder above\n  hint: "),
        "{stderr}"
    );
}

#[test]
fn a_manifest_can_be_named_by_flag_or_twin() {
    let env = demo();
    env.write("other.toml", MANIFEST);
    for stdout in [
        env.run("list -c other.toml -e prod").success(),
        env.sh("STRONGROOM_CONFIG=other.toml STRONGROOM_ENVIRONMENT=prod strongroom list").success(),
    ] {
        assert!(stdout.contains("other.toml:9"), "{stdout}");
    }
    let stderr = env.run("-c missing.toml list").failure(4);
    assert!(stderr.contains("cannot read the manifest missing.toml"), "{stderr}");
}

#[test]
fn a_broken_manifest_is_exit_4_with_its_place() {
    let env = demo();
    env.write("strongroom.toml", "version = 1\n[project]\nnaem = \"x\"\n");
    assert!(env.run("list").failure(4).contains("strongroom.toml:3:1"));
    env.write("strongroom.toml", b"version = 1\n# \xff\n");
    assert!(env.run("list").failure(4).contains("not UTF-8 from byte 14 on"));
}

#[test]
fn an_environment_must_be_known_and_must_be_meant() {
    let stderr = demo().run("-e prdo list").failure(2);
    assert_eq!(stderr, "error: unknown environment `prdo`; did you mean `prod`?\n");
    let stderr = demo().run("list").failure(2);
    assert!(stderr.contains("--environment, one of: local, prod"), "{stderr}");
}

#[test]
fn a_list_tells_what_is_declared_and_opens_nothing() {
    assert_eq!(
        demo().run("-e local list").success(),
        "\
ADDRESS               KIND              FROM               DESCRIPTION
app/MODE              plain             strongroom.toml:9  which settings
app/TOKEN             secret, optional  vault              -
app2/TOKEN            secret            vault              -
xero/*/client_secret  secret            vault              -
"
    );
}

#[test]
fn on_a_terminal_a_list_is_a_table() {
    let (shown, code) = demo().terminal("-e local --color never list").end();
    assert_eq!(code, Some(0));
    assert!(
        shown.contains("address ") && shown.contains("app/TOKEN ") && !shown.contains('\u{1b}'),
        "{shown}"
    );
    let (shown, _) = demo().terminal("-e local list").end();
    assert!(shown.contains('\u{1b}'), "{shown}");
}

/// What a shell would offer for this line, whose last word is being typed.
fn offered(env: &TestEnv, words: &[&str]) -> Vec<String> {
    let mut command = env.command(STRONGROOM);
    command.env("_STRONGROOM_COMPLETE", "fish").arg("--").arg("strongroom").args(words);
    let stdout = env.finish(command, b"").success();
    stdout.lines().map(|line| line.split('\t').next().unwrap_or(line).to_owned()).collect()
}

#[test]
fn shells_are_offered_names_from_the_manifest() {
    let env = demo();
    assert_eq!(offered(&env, &["-e", ""]), ["local", "prod"]);
    assert_eq!(offered(&env, &["exec", "--only", "app"]), ["app/TOKEN", "app2/TOKEN"]);
    assert_eq!(offered(&env, &["exec", "--only", "M"]), ["MODE"]);
    assert!(offered(&env, &[""]).contains(&"exec".to_owned()));
    env.write("below/strongroom.toml", "broken");
    assert_eq!(offered(&env, &["-c", "below/strongroom.toml", "-e", ""]), Vec::<String>::new());
}

#[test]
fn only_v_makes_it_talk_and_rust_log_does_not() {
    let quiet = demo().with("RUST_LOG", "trace").run("-e local list");
    assert_eq!(quiet.stderr, "");
    let told = demo().run("-e local -v list");
    assert!(told.stderr.contains("strongroom.toml"), "{}", told.stderr);
}

#[test]
fn the_schema_is_json() {
    let schema: serde_json::Value = serde_json::from_str(&demo().run("schema").success()).unwrap();
    assert!(schema["properties"]["project"].is_object());
}

#[test]
fn a_passphrase_is_asked_for_once_however_often_the_identity_is_needed() {
    let env = TestEnv::new().with_vault("local", &[("app/KEY", "old")]);
    let identity = std::fs::read_to_string(env.config("identity.txt")).unwrap();
    let public = identity.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
    let env = env.with_passphrase("right horse").with_manifest(&format!(
        "version = 1\n[project]\nname = \"demo\"\nrecipients = [\"{public}\"]\n[environments.local]\nhome = \"vault\"\n\
         [groups.app.keys]\nKEY = {{ secret = true }}\n"
    ));
    let mut terminal = env.terminal("set KEY --generate --yes");
    terminal.expect("Passphrase of");
    terminal.type_line("right horse");
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("Passphrase of"), "{shown}");
}
