//! A value that can be recognised, through every command, on success and on failure: it is told by those whose purpose
//! that is, and nowhere else.

mod aws;

use crate::support::env::{Output, STRONGROOM, TestEnv};
use jiff::Timestamp;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use strongroom::document::{Document, Kind, Record, Section, State};
use strongroom::name::Address;
use strongroom::plan::{Desired, Want, diff};
use strongroom::seal::Identities;
use strongroom::secret::{FingerprintKey, Secret};
use strongroom::snapshot::{Entry, Past, Setting, Snapshot, Unit, Version};

/// Its first letters survive URL, JSON, shell and `Debug` escapes; the rest does not.
const CANARY: &str = "kAnArIe5d\"9e/\\+é";
const CORE: &str = "kAnArIe5d";

/// The canary as somebody might write it.
fn disguises() -> Vec<(&'static str, Vec<u8>)> {
    let hex = |upper: bool| -> Vec<u8> {
        let digits =
            CORE.bytes().map(|byte| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") });
        digits.collect::<String>().into_bytes()
    };
    let numbers = CORE.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
    let mut found = vec![
        ("as it is", CORE.as_bytes().to_vec()),
        ("hexadecimal", hex(false)),
        ("HEXADECIMAL", hex(true)),
        ("a list of bytes", numbers.into_bytes()),
        ("backwards", CORE.bytes().rev().collect()),
    ];
    // What stands before it decides which of three ways base64 goes.
    for (name, before) in [("base64", 0), ("base64, one off", 1), ("base64, two off", 2)] {
        let padded: Vec<u8> = std::iter::repeat_n(b'_', before).chain(CANARY.bytes()).collect();
        let text = base64(&padded);
        // Without the digits that depend on the neighbours.
        found.push((name, text[if before == 0 { 0 } else { 4 }..text.len() - 4].to_vec()));
    }
    found
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::new();
    for three in bytes.chunks(3) {
        let at = |index: usize| u32::from(three.get(index).copied().unwrap_or_default());
        let word = at(0) << 16 | at(1) << 8 | at(2);
        text.extend((0..4).map(|digit| DIGITS[(word >> (18 - 6 * digit)) as usize & 63]));
    }
    text
}

/// In which disguise the canary is in there.
fn seen(bytes: &[u8]) -> Option<&'static str> {
    let is_in = |needle: &[u8]| bytes.windows(needle.len()).any(|part| part == needle);
    disguises().into_iter().find(|(_, needle)| is_in(needle)).map(|(name, _)| name)
}

#[test]
fn the_search_finds_the_canary_in_every_disguise() {
    let url: String = CANARY
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    let json = serde_json::to_string(CANARY).unwrap();
    let debug = format!("{:?} {:?}", CANARY.as_bytes(), CANARY);
    let hex: String = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
    for plain in [CANARY.to_owned(), url, json, debug, hex.to_uppercase(), hex] {
        assert!(seen(format!("noise {plain} noise").as_bytes()).is_some(), "{plain}");
    }
    for before in 0..7 {
        let text = base64(format!("{}{CANARY} and so on", "x".repeat(before)).as_bytes());
        assert!(seen(&text).is_some(), "base64 {before} off");
    }
    assert_eq!(seen(b"nothing of the kind"), None);
}

/// A project whose every secret is the canary, with operations behind it.
fn project() -> TestEnv {
    let identities = Identities::generate();
    let env = TestEnv::in_memory().with_manifest(&format!(
        r#"version = 1
[project]
name = "demo"
default_environment = "local"
recipients = ["{}"]
[environments.local]
home = "vault"
[environments.staging]
home = "vault"
[groups.app.keys]
TOKEN = {{ secret = true }}
OTHER = {{ secret = true, optional = true }}
URL = {{ derive = "https://me:{{TOKEN}}@host.example/" }}
[render.app]
file = ".env"
dialect = "json"
groups = ["app"]
[render.docker]
file = "docker.env"
dialect = "docker"
groups = ["app"]
"#,
        identities.recipients()[0]
    ));
    env.keep_identity(&identities);
    for value in [&format!("{CANARY}1"), &format!("{CANARY}2"), CANARY] {
        let output = env.run_with_stdin("--yes set TOKEN", value);
        clean("set", &output, Told::Nothing);
        let _ = output.success();
    }
    env
}

/// What a command may tell.
#[derive(Clone, Copy, PartialEq)]
enum Told {
    Nothing,
    OnStdout,
}

#[track_caller]
fn clean(what: &str, output: &Output, told: Told) {
    assert_eq!(seen(output.stderr.as_bytes()), None, "stderr of `{what}`:\n{}", output.stderr);
    let stdout = seen(&output.stdout_bytes);
    assert!(told == Told::OnStdout || stdout.is_none(), "stdout of `{what}`:\n{}", output.stdout);
}

/// Files below a folder that show the canary.
fn spilled(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            spilled(&path, found);
        } else if fs::read(&path).is_ok_and(|bytes| seen(&bytes).is_some())
            || seen(path.as_os_str().as_encoded_bytes()).is_some()
        {
            found.push(path);
        }
    }
}

/// The verbs that the binary has.
fn verbs() -> Vec<String> {
    let help = TestEnv::new().run("--help").success();
    let lines =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let named = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    named
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
        .map(str::to_owned)
        .collect()
}

/// Words that may follow a verb. Not every verb takes each: a refusal must not tell the value either.
const FOLLOWED_BY: &[&str] = &[
    "",
    "TOKEN",
    "app/TOKEN",
    "URL",
    "OTHER",
    "--json",
    "TOKEN --json",
    "TOKEN --generate",
    "TOKEN --from-file value.bin",
    "TOKEN --from-file missing.bin",
    "--dry-run",
    "TOKEN --dry-run",
    "app",
    "app --check",
    "docker",
    "list",
    "create",
    "verify 2",
    "show 2",
    "restore 2",
    "prune --keep 1",
    "--stdout",
    "app --stdout",
    "verify 2",
    "show 2",
    "restore 2",
    "values.env",
    "values.env --dialect compose",
    "values.env --dialect compose --add",
    "values.json",
    "values.broken",
    "--format shell",
    "--format json",
    "--to staging",
    "bash",
    "TOKEN --version 1",
    "TOKEN --version nonsense",
    "--all",
    "--check",
    "-- true",
    "-- does-not-exist",
    "--only TOKEN -- true",
];

/// Whether telling the value is what the words are for.
fn may_tell(verb: &str, rest: &str) -> Told {
    match verb {
        "get" | "export" => Told::OnStdout,
        "render" if rest.contains("--stdout") => Told::OnStdout,
        _ => Told::Nothing,
    }
}

/// Files that hold the value because a person put it there, or asked for them.
fn asked_for(env: &TestEnv, path: &Path) -> bool {
    let names = ["value.bin", "values.env", "values.json", "values.broken", ".env", "docker.env"];
    names.iter().any(|name| path == env.path(name))
}

/// Runs every verb with everything that might follow, and looks at all that was said and written.
fn every_verb(env: &TestEnv, quick: bool) {
    env.write("value.bin", CANARY);
    env.write("values.env", format!("TOKEN='{CANARY}'\nUNKNOWN='{CANARY}'\n"));
    env.write("values.json", serde_json::json!({"TOKEN": CANARY, "OTHER": [CANARY]}).to_string());
    env.write("values.broken", format!("TOKEN=\"{CANARY}\nOTHER='{CANARY}"));
    let rests: Vec<&str> = FOLLOWED_BY.iter().copied().filter(|rest| !quick || rest.len() < 8).collect();
    for verb in verbs() {
        for rest in &rests {
            let words = format!("-vv --yes --non-interactive {verb} {rest}");
            let output = env.run_with_stdin(&words, CANARY);
            clean(&words, &output, may_tell(&verb, rest));
            assert!(!output.stderr.contains("a bug in strongroom"), "{words}: {}", output.stderr);
        }
    }
    let mut found = Vec::new();
    spilled(&env.root(), &mut found);
    found.retain(|path| !asked_for(env, path));
    assert_eq!(found, Vec::<PathBuf>::new());
}

#[test]
fn no_verb_tells_a_value_whatever_follows_it() {
    assert!(verbs().len() >= 12, "{:?}", verbs());
    let env = project().with("RUST_LOG", "trace").with("RUST_BACKTRACE", "full");
    assert_eq!(env.run("get TOKEN").success(), CANARY);
    every_verb(&env, false);
}

#[test]
fn no_verb_tells_a_value_when_it_fails() {
    type Break = fn(&TestEnv);
    let ways: [(&str, Break); 6] = [
        ("another identity", |env| {
            fs::write(env.config("identity.txt"), Identities::generate().to_file().as_bytes()).unwrap();
        }),
        ("no identity", |env| fs::remove_file(env.config("identity.txt")).unwrap()),
        ("a damaged vault", |env| {
            let path = env.path(".strongroom/local.age");
            let mut bytes = fs::read(&path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(path, bytes).unwrap();
        }),
        ("no manifest", |env| fs::remove_file(env.path("strongroom.toml")).unwrap()),
        ("a value in the manifest, in the wrong place", |env| {
            let text = env.read("strongroom.toml");
            env.write(
                "strongroom.toml",
                text.replace("home = \"vault\"", &format!("home = '{}'", "nowhere")),
            );
        }),
        ("a state folder that is a file", |env| {
            fs::remove_dir_all(env.state("")).unwrap();
            fs::write(env.root().join("state/strongroom"), "").unwrap();
        }),
    ];
    for (name, spoil) in ways {
        let env = project().with("RUST_LOG", "trace");
        spoil(&env);
        let output = env.run_with_stdin("--yes set TOKEN", format!("{CANARY}9"));
        assert_ne!(output.code, Some(0), "{name}");
        every_verb(&env, true);
    }
}

#[test]
fn a_project_that_is_made_from_a_file_tells_none_of_its_values() {
    for rest in ["", "--dry-run", "--json", "--plain TOKEN", "--dialect compose", "--dry-run --json"] {
        let env = TestEnv::in_memory().with("RUST_LOG", "trace");
        let quoted = CANARY.replace(['"', '\\'], "_");
        env.write(
            "values.env",
            format!(
                "SECRET_KEY='{quoted}'\nURL='https://me:{quoted}@host.example/'\nOPTIONS='login {quoted}'\n"
            ),
        );
        let words = format!("-vv --yes --non-interactive init --from-dotenv values.env {rest}");
        let output = env.run(&words);
        clean(&words, &output, Told::Nothing);
        assert!(rest.contains("TOKEN") || output.code == Some(0), "{words}: {}", output.stderr);
        let mut found = Vec::new();
        spilled(&env.root(), &mut found);
        assert_eq!(found, [env.path("values.env")], "{words}");
    }
}

#[test]
fn an_edited_value_is_told_by_nobody_and_its_file_is_gone_however_the_editor_ends() {
    let mut env = project().with("RUST_LOG", "trace");
    let runtime = env.root().join("runtime");
    fs::create_dir(&runtime).unwrap();
    env.set("XDG_RUNTIME_DIR", &runtime);
    let editors: [(&str, i32); 6] = [
        ("true", 0),
        ("printf more >>", 0),
        ("false", 1),
        ("does-not-exist", 1),
        ("printf '\\377' >>", 1),
        ("kill -9 $$; :", 1),
    ];
    for (editor, code) in editors {
        env.set("EDITOR", editor);
        let output = env.run("-vv --yes edit TOKEN");
        clean(editor, &output, Told::Nothing);
        assert_eq!(output.code, Some(code), "{editor}: {}", output.stderr);
        let mut found = Vec::new();
        spilled(&env.root(), &mut found);
        assert_eq!(found, Vec::<PathBuf>::new(), "{editor}");
        assert_eq!(fs::read_dir(&runtime).unwrap().count(), 0, "{editor}");
    }
}

#[test]
fn a_conflict_tells_where_the_values_are_and_not_what_they_are() {
    let env = project();
    let listed = env.run("operations --json").success();
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let first = listed["operations"][1]["id"].as_str().unwrap();
    let output = env.run(&format!("-vv --yes undo {first}"));
    clean("undo", &output, Told::Nothing);
    assert_eq!(output.code, Some(6), "{}", output.stderr);
}

/// A `set` that waits on its stdin while it is looked at from outside, by somebody who is not root.
#[test]
fn a_waiting_process_shows_the_value_in_no_argument_and_lets_nobody_read_its_memory() {
    let env = project();
    let mut command = env.command(STRONGROOM);
    let root = rustix::process::geteuid().is_root();
    if root {
        // Root may look into everything, which would show nothing: somebody else runs it.
        let binary = env.root().join("strongroom");
        env.copy_binary(&binary);
        command = env.command(&binary);
        command.uid(NOBODY).gid(NOBODY);
        give_away(&env.root());
    }
    command.args(["--yes", "set", "TOKEN"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stdin.write_all(CANARY.as_bytes()).unwrap();
    let mut said = String::new();
    // It says where it will write before it reads.
    stderr.read_line(&mut said).unwrap();
    assert!(said.contains("app/TOKEN"), "{said}");
    let process = PathBuf::from(format!("/proc/{}", child.id()));
    for file in ["cmdline", "environ", "comm"] {
        assert_eq!(fs::read(process.join(file)).ok().and_then(|bytes| seen(&bytes)), None, "{file}");
    }
    let limits = fs::read_to_string(process.join("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    // The kernel gives the files of a process that is not dumpable to root, whoever runs it.
    assert_eq!(fs::metadata(process.join("mem")).unwrap().uid(), 0);
    let control = fs::metadata("/proc/self/mem").unwrap().uid();
    assert_eq!(control, rustix::process::geteuid().as_raw(), "the file of a dumpable process is its user's");
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

const NOBODY: u32 = 65_534;

fn give_away(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path());
        }
    }
}

#[test]
fn debug_of_what_holds_values_tells_none() {
    let secret = || Secret::new(CANARY.to_owned()).unwrap();
    let address: Address = "app/TOKEN".parse().unwrap();
    let past =
        Past { value: Some(secret()), version: Version("1".to_owned()), modified: Timestamp::UNIX_EPOCH };
    let record = Record { entry: Some(Entry::of(secret())), absent_since: None, history: vec![past] };
    let setting = Setting { namespace: "n".to_owned(), name: "TOKEN".to_owned(), value: secret() };
    let section = Section {
        options: Some(vec![setting]),
        ..Section::new("vault", State::Held, [(address.clone(), record)].into())
    };
    let document = Document {
        kind: Kind::Vault,
        project: "demo".to_owned(),
        environment: "local".to_owned(),
        created: Timestamp::UNIX_EPOCH,
        fingerprint_key: Some(FingerprintKey::new([7; 32])),
        sections: vec![section],
    };
    let mut snapshot = Snapshot::default();
    snapshot.entries.insert(address.clone(), Entry::of(secret()));
    let desired = Desired::from([(address, Want::value(Secret::new(format!("{CANARY}2")).unwrap()))]);
    let plan = diff("vault", &desired, &snapshot, |_| Unit("file".to_owned()));
    let identities = Identities::generate();
    let shown = format!("{:?} {document:#?} {snapshot:#?} {desired:?} {plan:#?} {identities:?}", secret());
    assert_eq!(seen(shown.as_bytes()), None, "{shown}");
    assert!(!shown.contains("7, 7, 7"), "{shown}");
    let key = identities.to_file();
    let key = key.lines().last().unwrap();
    assert!(!shown.contains(&key[..24]), "{shown}");
}
