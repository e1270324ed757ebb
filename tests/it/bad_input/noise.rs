//! Random bytes, and good files with random changes, wherever we read a file: an error or a meaning, never a panic.

use crate::support::env::TestEnv;
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use std::fs;
use std::sync::{Arc, LazyLock};
use strongroom::document::Document;
use strongroom::journal::{Journal, Outside};
use strongroom::manifest::Manifest;
use strongroom::seal::{self, Identities};

/// A change of a good file.
#[derive(Debug, Clone)]
enum Spoil {
    Cut(prop::sample::Index),
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        at().prop_map(Spoil::Cut),
        (at(), any::<u8>()).prop_map(|(at, byte)| Spoil::Replace(at, byte)),
        (at(), vec(any::<u8>(), 1..6)).prop_map(|(at, bytes)| Spoil::Insert(at, bytes)),
        (at(), 1..9_usize).prop_map(|(at, many)| Spoil::Remove(at, many)),
        (at(), 1..40_usize).prop_map(|(at, many)| Spoil::Repeat(at, many)),
    ]
}

fn spoilt(good: &[u8], changes: &[Spoil]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for change in changes.iter().filter(|_| !good.is_empty()) {
        if bytes.is_empty() {
            break;
        }
        let length = bytes.len();
        match change {
            Spoil::Cut(at) => bytes.truncate(at.index(length)),
            Spoil::Replace(at, byte) => bytes[at.index(length)] = *byte,
            Spoil::Insert(at, new) => {
                drop(bytes.splice(at.index(length)..at.index(length), new.iter().copied()));
            }
            Spoil::Remove(at, many) => {
                drop(bytes.drain(at.index(length)..(at.index(length) + many).min(length)));
            }
            Spoil::Repeat(at, many) => {
                let from = at.index(length);
                let again = bytes[from..(from + many).min(length)].to_vec();
                drop(bytes.splice(from..from, again));
            }
        }
    }
    bytes
}

/// Noise, or a good file with a few changes.
fn bytes(good: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => vec(any::<u8>(), 0..300),
        3 => vec(spoil(), 1..4).prop_map(|changes| spoilt(good, &changes)),
    ]
}

const MANIFEST: &[u8] = br#"version = 1
[project]
name = "demo"
default_environment = "local"
[environments.local]
home = "vault"
[environments.prod]
home = "ssm"
quota = { reads = 40, writes = 3 }
[groups.app.keys]
A = { value = "x", values.prod = "y" }
B = { secret = true, generate = { length = 50, alphabet = "url-safe" } }
C = { derive = "postgres://{B}@{A:raw}/{{x}}" }
[groups.xero]
instances = ["1", "2"]
env = "XERO_{instance}_{key}"
path.ssm = "/{project}/xero/{instance}/{key}"
[groups.xero.keys]
client_secret = { secret = true }
[render.app]
file = ".env"
dialect = ["docker", "compose"]
groups = ["app"]
"#;

const DOCUMENT: &[u8] = br#"{"format":"strongroom/snapshot","version":1,"kind":"vault","project":"dev-app","environment":"local","created":"2026-01-02T03:04:05Z","fingerprint_key":"0000000000000000000000000000000000000000000000000000000000000000","sections":[{"place":"vault","state":"held","entries":{"app/KEY":{"value":"x","version":"2","modified":"2026-01-02T03:04:05Z","history":[{"value":"y","version":"1","modified":"2026-01-02T03:04:05Z"}]},"app/GONE":{"version":"4","modified":"2026-01-02T03:04:05Z"}}}]}"#;

const LINES: &[u8] = br#"{"at":"2026-01-02T03:04:05Z","state":"begun","format":"strongroom/journal","version":1,"project":"demo","environment":"local","command":"set app/KEY"}
{"at":"2026-01-02T03:04:05Z","state":"planned","plan":1,"writes":[{"place":"vault","location":"vault /nowhere","unit":"local.age","addresses":["app/KEY"]}]}
{"at":"2026-01-02T03:04:05Z","state":"intent","write":0}
{"at":"2026-01-02T03:04:05Z","state":"applied","write":0}
{"at":"2026-01-02T03:04:05Z","state":"settled","write":0}
{"at":"2026-01-02T03:04:05Z","state":"ended","ending":"done"}
"#;

static KEYS: LazyLock<Identities> = LazyLock::new(Identities::generate);
static SEALED: LazyLock<Vec<u8>> = LazyLock::new(|| seal::seal(b"a value", &KEYS.recipients()).unwrap());
static KEY_FILE: LazyLock<Vec<u8>> = LazyLock::new(|| KEYS.to_file().as_bytes().to_vec());

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_manifest_of_noise_is_an_error_with_a_line(bytes in bytes(MANIFEST)) {
        let text = String::from_utf8_lossy(&bytes);
        if let Err(error) = Manifest::parse("strongroom.toml", &text) {
            prop_assert!(error.to_string().contains("strongroom.toml:"), "{}", error);
        }
    }

    #[test]
    fn a_document_of_noise_is_an_error(bytes in bytes(DOCUMENT)) {
        if let Ok(document) = Document::from_json(&bytes) {
            let text = document.to_json();
            prop_assert_eq!(Document::from_json(&text).unwrap().to_json(), text);
        }
    }

    #[test]
    fn an_identity_of_noise_is_an_error(bytes in bytes(KEY_FILE.as_slice())) {
        let _ = Identities::parse(&bytes, &mut || None);
    }

    #[test]
    fn what_is_sealed_opens_to_itself_or_not_at_all(bytes in bytes(SEALED.as_slice())) {
        if let Ok(plain) = seal::open(&bytes, &KEYS) {
            prop_assert_eq!(plain.as_slice(), b"a value");
        }
    }

    #[test]
    fn a_journal_of_noise_is_told_or_named(bytes in bytes(LINES)) {
        let env = TestEnv::in_memory();
        let folder = env.state("demo/local/20260102-030405-k3x9pq");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("journal.jsonl"), &bytes).unwrap();
        let names = ("demo".parse().unwrap(), "local".parse().unwrap());
        let outside = Outside { clock: Timestamp::now, random: || [7; 32] };
        let own = Arc::new(Identities::generate());
        let journal = Journal::new(&env.state(""), names, own.recipients(), Some(own), outside);
        match journal.list() {
            Ok(summaries) => {
                for summary in summaries {
                    // Its sealed values are not there.
                    let _ = journal.open(&summary.id);
                }
            }
            Err(error) => prop_assert!(error.to_string().contains("journal.jsonl"), "{}", error),
        }
    }
}

/// A journal that cannot be read is named with its line, and stands in nobody's way.
#[test]
fn a_damaged_journal_is_told_with_its_file_and_line_and_left_as_it_is() {
    let project = super::vaults::Project::new();
    let folder = fs::read_dir(project.env.state("demo/local")).unwrap().next().unwrap().unwrap().path();
    let path = folder.join("journal.jsonl");
    let mut bytes = fs::read(&path).unwrap();
    let second = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    bytes[second] = b'#';
    fs::write(&path, &bytes).unwrap();
    let id = folder.file_name().unwrap().to_str().unwrap().to_owned();
    let listed = project.env.run("operations");
    assert!(listed.stderr.contains("journal.jsonl is damaged: line 2"), "{}", listed.stderr);
    assert!(listed.success().contains("damaged"));
    for words in [format!("--yes resume {id}"), format!("--yes undo {id}")] {
        let stderr = project.env.run(&words).failure(1);
        assert!(stderr.contains("journal.jsonl is damaged: line 2"), "{words}: {stderr}");
    }
    project.env.run_with_stdin("--yes set TOKEN", "new").success();
    assert_eq!(project.env.run("get TOKEN").success(), "new");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}
