//! A project with values and a past, that can be put back as it was, and what can be told of it without the binary.

use crate::support::env::TestEnv;
use crate::support::tree::Tree;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use strongroom::document::Document;
use strongroom::journal::{Journal, Outside, Standing, Summary};
use strongroom::name::Address;
use strongroom::seal::{self, Identities};

/// How every value begins that the binary is given, so that it can be looked for.
pub(super) const CANARY: &str = "canary";

/// The present value of each key that has one.
pub(super) type Values = BTreeMap<String, String>;

pub(super) struct World {
    pub(super) env: TestEnv,
    identities: Arc<Identities>,
}

impl World {
    /// A vault with a value in `OLD` and one in `OTHER`, and two finished operations.
    pub(super) fn new() -> World {
        let world = World::empty();
        for (key, value) in [("OLD", "canary-old-of-old"), ("OTHER", "canary-other")] {
            let _ = world.env.run_with_stdin(&format!("--yes set {key}"), value).success();
        }
        world
    }

    /// A project whose vault and state folder are not made yet.
    pub(super) fn empty() -> World {
        let identities = Identities::generate();
        let manifest = format!(
            r#"version = 1
[project]
name = "demo"
default_environment = "local"
recipients = ["{}"]
[environments.local]
home = "vault"
[groups.app.keys]
OLD = {{ secret = true, optional = true }}
OTHER = {{ secret = true, optional = true }}
NEW = {{ secret = true, optional = true }}
"#,
            identities.recipients()[0]
        );
        let env = TestEnv::in_memory().with_manifest(&manifest);
        env.keep_identity(&identities);
        World { env, identities: Arc::new(identities) }
    }

    /// A folder with nothing in it, and nobody's identity.
    pub(super) fn bare() -> World {
        World { env: TestEnv::in_memory(), identities: Arc::new(Identities::generate()) }
    }

    pub(super) fn vault(&self) -> PathBuf {
        self.env.path(".strongroom/local.age")
    }

    /// What the vault holds; an error where it cannot be opened, nothing where it is not there.
    pub(super) fn document(&self) -> Result<Option<Document>, String> {
        let path = self.vault();
        if !path.exists() {
            return Ok(None);
        }
        let sealed = fs::read(&path).map_err(|error| error.to_string())?;
        let text = seal::open(&sealed, &self.identities).map_err(|error| format!("the vault: {error}"))?;
        Document::from_json(&text).map(Some).map_err(|error| format!("the vault: {error}"))
    }

    /// The present values.
    pub(super) fn values(&self) -> Result<Values, String> {
        let sections = self.document()?.map(|document| document.sections).unwrap_or_default();
        let mut values = Values::new();
        for (address, record) in sections.into_iter().flat_map(|section| section.records) {
            if let Some(value) = record.entry.as_ref().and_then(|entry| entry.held.value()) {
                values.insert(address.key.to_string(), value.expose().to_owned());
            }
        }
        Ok(values)
    }

    /// Every value that can still be read somewhere: in the vault, in its history, in what operations keep.
    pub(super) fn readable(&self) -> Result<Vec<String>, String> {
        let mut found: Vec<String> = self.values()?.into_values().collect();
        for section in self.document()?.map(|document| document.sections).unwrap_or_default() {
            let past = section.records.into_values().flat_map(|record| record.history);
            found.extend(past.filter_map(|past| past.value.map(|value| value.expose().to_owned())));
        }
        for path in self.tree().files().filter(|path| is_plan(path)) {
            let sealed = fs::read(path).map_err(|error| error.to_string())?;
            let text = seal::open(&sealed, &self.identities).map_err(|error| format!("{path:?}: {error}"))?;
            let document = Document::from_json(&text).map_err(|error| format!("{path:?}: {error}"))?;
            let records = document.sections.into_iter().flat_map(|section| section.records.into_values());
            let held = records.filter_map(|record| record.entry).map(|entry| entry.held);
            found.extend(held.filter_map(|held| held.value().map(|value| value.expose().to_owned())));
        }
        Ok(found)
    }

    pub(super) fn operations(&self) -> Result<Vec<Summary>, String> {
        self.journal().list().map_err(|error| error.to_string())
    }

    pub(super) fn unfinished(&self) -> Result<usize, String> {
        let open = |summary: &&Summary| matches!(summary.standing, Standing::Unfinished | Standing::Running);
        Ok(self.operations()?.iter().filter(open).count())
    }

    fn journal(&self) -> Journal {
        let names = ("demo".parse().unwrap(), "local".parse().unwrap());
        let outside = Outside { clock: Timestamp::now, random: || [7; 32] };
        let identities = Some(Arc::clone(&self.identities));
        Journal::new(&self.env.state(""), names, self.identities.recipients(), identities, outside)
    }

    /// The history of one key, the present value first.
    pub(super) fn history(&self, key: &str) -> Vec<String> {
        let address: Address = format!("app/{key}").parse().unwrap();
        let document = self.document().unwrap().unwrap();
        let record = &document.sections[0].records[&address];
        let present = record.entry.iter().filter_map(|entry| entry.held.value());
        let past = record.history.iter().filter_map(|past| past.value.as_ref());
        present.chain(past).map(|value| value.expose().to_owned()).collect()
    }

    /// Files whose bytes show a value.
    pub(super) fn spilled(&self) -> Vec<PathBuf> {
        let shows = |bytes: &[u8]| bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes());
        let tree = self.tree();
        tree.files().filter(|path| shows(tree.bytes(path))).cloned().collect()
    }

    /// Everything that the binary may have written.
    pub(super) fn tree(&self) -> Tree {
        Tree::of(&self.env)
    }

    /// Puts everything back as it was.
    pub(super) fn restore(&self, tree: &Tree) {
        tree.restore(&self.env);
    }
}

fn is_plan(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("plan-") && name.ends_with(".age")
}
