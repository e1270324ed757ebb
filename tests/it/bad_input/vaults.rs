//! A vault that is damaged, newer, or something else; an identity that is.

use crate::support::env::TestEnv;
use jiff::Timestamp;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use strongroom::document::{Document, Kind};
use strongroom::name::Address;
use strongroom::plan::{Change, Want};
use strongroom::seal::{self, Identities};
use strongroom::secret::Secret;
use strongroom::store::{ErrorKind, OperationId, Receipt, Store, Vault};

const ADDRESS: &str = "app/TOKEN";

/// A project with a vault that holds one value.
pub(super) struct Project {
    pub(super) env: TestEnv,
    identities: Arc<Identities>,
}

impl Project {
    pub(super) fn new() -> Project {
        let identities = Identities::generate();
        let env = TestEnv::in_memory().with_manifest(&format!(
            "version = 1\n[project]\nname = \"demo\"\ndefault_environment = \"local\"\nrecipients = [\"{}\"]\n\
             [environments.local]\nhome = \"vault\"\n[groups.app.keys]\nTOKEN = {{ secret = true }}\n",
            identities.recipients()[0]
        ));
        env.keep_identity(&identities);
        let _ = env.run_with_stdin("--yes set TOKEN", "the value").success();
        Project { env, identities: Arc::new(identities) }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.env.path(".strongroom/local.age")
    }

    /// The vault, as the library opens it.
    fn vault(&self, path: &Path) -> Vault {
        let names = ("demo".parse().unwrap(), "local".parse().unwrap());
        let identities = Some(Arc::clone(&self.identities));
        Vault::new(path.to_owned(), names, self.identities.recipients(), identities, Timestamp::now)
    }

    fn seal(&self, text: &[u8]) -> Vec<u8> {
        seal::seal(text, &self.identities.recipients()).unwrap()
    }

    /// What a vault of these bytes makes of a read and of a write; panics where one of them works or changes the file.
    fn refusal(&self, bytes: &[u8]) -> ErrorKind {
        let path = self.env.path("spoilt.age");
        fs::write(&path, bytes).unwrap();
        let vault = self.vault(&path);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let read = runtime.block_on(vault.read(&[ADDRESS.parse().unwrap()])).unwrap_err();
        let after = Want::value(Secret::new("new".to_owned()).unwrap());
        let change = Change { address: ADDRESS.parse::<Address>().unwrap(), before: None, after };
        let (unit, operation) = (vault.unit_of(&change.address), OperationId::parse("test").unwrap());
        match runtime.block_on(vault.write(&unit, None, &operation, &[change])) {
            Receipt::NotApplied(error) => assert_eq!(error.kind, read.kind),
            other => panic!("{other:?}"),
        }
        assert_eq!(fs::read(&path).unwrap(), bytes, "the file is as it was");
        assert!(read.hint.is_some() || read.kind == ErrorKind::Damaged, "{read}");
        read.kind
    }

    /// Runs everything that opens the vault; each fails with this code and these words, and the file stays as it is.
    #[track_caller]
    pub(super) fn every_verb_fails(&self, code: i32, words: &[&str]) {
        let before = fs::read(self.path()).ok();
        for (verb, stdin) in VERBS {
            let stderr = self.env.run_with_stdin(verb, stdin).failure(code);
            for word in words {
                assert!(stderr.contains(word), "`{verb}` does not say {word:?}:\n{stderr}");
            }
            assert!(!stderr.contains("a bug in strongroom"), "{stderr}");
            assert_eq!(fs::read(self.path()).ok(), before, "`{verb}` changed the file");
        }
    }
}

/// What opens the vault.
const VERBS: &[(&str, &str)] = &[
    ("get TOKEN", ""),
    ("--yes set TOKEN", "new"),
    ("--yes delete TOKEN", ""),
    ("history TOKEN", ""),
    ("exec -- true", ""),
];

#[test]
fn every_flipped_byte_and_every_truncation_of_a_vault_is_refused_and_left_as_it_is() {
    let project = Project::new();
    let whole = fs::read(project.path()).unwrap();
    assert!(whole.len() > 300);
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        let kinds = [project.refusal(&flipped), project.refusal(&whole[..at])];
        let known = |kind: &ErrorKind| matches!(kind, ErrorKind::Damaged | ErrorKind::Denied);
        assert!(kinds.iter().all(known), "{at}: {kinds:?}");
    }
}

#[test]
fn a_damaged_vault_is_named_by_every_verb() {
    let project = Project::new();
    let whole = fs::read(project.path()).unwrap();
    let last = whole.len() - 1;
    for at in [0, last - 40, last] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(project.path(), bytes).unwrap();
        let what = if at == 0 { "not an age file" } else { "local.age" };
        project.every_verb_fails(1, &["local.age", what, "bring an older one back"]);
    }
    // Among the recipients, damage and somebody else's key look alike.
    let mut bytes = whole.clone();
    bytes[30] ^= 1;
    fs::write(project.path(), bytes).unwrap();
    project.every_verb_fails(5, &["local.age", "not sealed to this identity"]);
    for length in [0, 1, 200, last] {
        fs::write(project.path(), &whole[..length]).unwrap();
        project.every_verb_fails(1, &["local.age", "bring an older one back"]);
    }
}

#[test]
fn a_vault_of_a_newer_format_asks_for_a_newer_strongroom() {
    let project = Project::new();
    let newer = br#"{"format": "strongroom/snapshot", "version": 2, "kind": "vault", "anything": []}"#;
    fs::write(project.path(), project.seal(newer)).unwrap();
    project.every_verb_fails(1, &["local.age", "format version 2", "upgrade strongroom"]);
}

#[test]
fn what_opens_and_is_no_vault_is_refused() {
    let project = Project::new();
    let backup = Document {
        kind: Kind::Backup,
        project: "demo".to_owned(),
        environment: "local".to_owned(),
        created: Timestamp::UNIX_EPOCH,
        fingerprint_key: None,
        sections: Vec::new(),
    };
    fs::write(project.path(), project.seal(&backup.to_json())).unwrap();
    project.every_verb_fails(
        1,
        &["local.age", "a backup or an operation's snapshot", "strongroom backup restore"],
    );
    for text in
        ["", "null", "[]", "{}", "{\"format\": \"strongroom/snapshot\", \"version\": 1}", "TOKEN=x", "\u{0}"]
    {
        fs::write(project.path(), project.seal(text.as_bytes())).unwrap();
        project.every_verb_fails(1, &["local.age", "cannot be read"]);
    }
}

#[test]
fn a_vault_for_somebody_else_is_exit_5_with_the_way_in() {
    let project = Project::new();
    let stranger = Identities::generate();
    fs::write(project.env.config("identity.txt"), stranger.to_file().as_bytes()).unwrap();
    project.every_verb_fails(5, &["local.age", "not sealed to this identity", "strongroom recipients add"]);
    fs::remove_file(project.env.config("identity.txt")).unwrap();
    project.every_verb_fails(5, &["local.age", "no identity", "STRONGROOM_IDENTITY"]);
}

#[test]
fn an_identity_that_is_none_is_exit_5_and_its_text_is_not_told() {
    let project = Project::new();
    let path = project.env.config("identity.txt");
    let whole = fs::read_to_string(&path).unwrap();
    let key = whole.lines().last().unwrap().to_owned();
    let cut = &whole[..whole.len() - 10];
    let other_letter = whole.replace(&key[20..24], "QQQQ");
    for text in [
        cut.as_bytes(),
        other_letter.as_bytes(),
        b"",
        b"# only a comment\n",
        b"\xff\xfe",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\n",
    ] {
        fs::write(&path, text).unwrap();
        project.every_verb_fails(5, &["identity.txt"]);
        assert!(!project.env.run("get TOKEN").stderr.contains(&key[16..30]));
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    project.every_verb_fails(5, &["identity.txt"]);
}

#[test]
fn a_chosen_identity_that_is_not_there_is_not_taken_for_none() {
    let mut project = Project::new();
    project.env.set("STRONGROOM_IDENTITY", project.env.path("gone.txt"));
    project.every_verb_fails(5, &["gone.txt"]);
}

#[test]
fn values_of_seventy_kilobytes_come_back_byte_for_byte() {
    let project = Project::new();
    let long = "0123456789 \t\"'$\\é\n".repeat(4_000);
    assert!(long.len() > 70_000);
    project.env.write("long.txt", &long);
    let _ = project.env.run("--yes set TOKEN --from-file long.txt").success();
    assert!(project.env.run("get TOKEN").success() == long);
}

#[test]
fn a_value_that_is_too_long_for_a_line_of_dockers_is_refused_and_no_file_is_touched() {
    let project = Project::new();
    let target = |name: &str, dialect: &str| {
        format!("[render.{name}]\nfile = \"{name}.env\"\ndialect = \"{dialect}\"\ngroups = [\"app\"]\n")
    };
    let manifest = project.env.read("strongroom.toml") + &target("a", "json") + &target("b", "docker");
    project.env.write("strongroom.toml", manifest);
    let _ = project.env.run("render").success();
    let files = || [project.env.read("a.env"), project.env.read("b.env")];
    let before = files();
    let _ = project.env.run_with_stdin("--yes set TOKEN", "0123456789".repeat(7_000)).success();
    let stderr = project.env.run("render").failure(1);
    assert!(stderr.contains("TOKEN") && stderr.contains("docker") && !stderr.contains("01234"), "{stderr}");
    assert_eq!(files(), before);
}

#[test]
fn values_that_no_environment_can_hold_are_refused_with_their_position() {
    let project = Project::new();
    let before = fs::read(project.path()).unwrap();
    for (bytes, word) in [(&b"ab\0cd"[..], "NUL byte at offset 2"), (b"ab\xffcd", "not UTF-8 from byte 2")] {
        project.env.write("value.bin", bytes);
        let by_file = project.env.run("--yes set TOKEN --from-file value.bin");
        let by_stdin = project.env.run_with_stdin("--yes set TOKEN", bytes);
        for output in [by_file, by_stdin] {
            let stderr = output.failure(1);
            assert!(stderr.contains(word) && !stderr.contains("cd"), "{stderr}");
        }
    }
    assert_eq!(fs::read(project.path()).unwrap(), before);
}
