//! `migrate` by the real binary, against a local AWS: what it refuses, what it decides, and from where to where it moves.

mod choices;
mod homes;
mod refusals;
mod since;

use crate::aws::DOCKER;
use crate::support::cloud::Cloud;
use crate::support::cloud::beanstalk::handles::Seed;
use crate::support::env::{Output, TestEnv};
use crate::support::tree::Tree;
use std::collections::BTreeMap;
use std::path::PathBuf;
use strongroom::seal::Identities;

const NAME: &str = "shop-prod";

const MANIFEST: &str = r#"
version = 1
[project]
name = "shop"
region = "us-east-1"
default_environment = "prod"
recipients = ["RECIPIENT"]

[environments.prod]
home = "beanstalk"
account = "111122223333"
quota = { reads = 5000, writes = 5000 }

[environments.prod.copies.web]
kind = "beanstalk"
application = "shop"
environment = "shop-prod"
secrets = "value"

[groups.app.keys]
SECRET_KEY = { secret = true }
EMAIL_CC = { optional = true }
CERTIFICATE = { secret = true, optional = true }
DEBUG = { value = "0" }

[groups.database.keys]
DB_USER = {}
DB_PASSWORD = { secret = true }
DATABASE_URL = { derive = "postgres://{DB_USER}:{DB_PASSWORD}@db.example:5432/shop" }
"#;

const COMPOSE: &str = "services:\n  web:\n    image: shop\n    env_file: [.env]\n";

const PROPERTIES: [(&str, &str); 6] = [
    ("SECRET_KEY", "canary-key"),
    ("EMAIL_CC", "canary@shop.example"),
    ("DEBUG", "0"),
    ("DB_USER", "shop"),
    ("DB_PASSWORD", "canary-pass/word"),
    ("DATABASE_URL", "postgres://shop:canary-pass%2Fword@db.example:5432/shop"),
];

/// A project whose secrets stand in the console, and the account.
struct Site {
    cloud: Cloud,
    env: TestEnv,
}

impl Site {
    /// On Docker, with references of every kind.
    fn new() -> Site {
        Site::of(Seed::new("shop", NAME, DOCKER).properties(PROPERTIES))
    }

    fn of(seed: Seed) -> Site {
        let cloud = Cloud::start();
        cloud.world(|world| world.beanstalk.add(seed, jiff::Timestamp::now()));
        let identities = Identities::generate();
        let manifest = MANIFEST.replace("RECIPIENT", &identities.recipients()[0].to_string());
        let mut env = TestEnv::new().with_manifest(&manifest).with_file("docker-compose.yml", COMPOSE);
        env.keep_identity(&identities);
        env.on(&cloud);
        env.set("STRONGROOM_POLL_INTERVAL_MS", "2");
        Site { cloud, env }
    }

    /// The manifest with a piece of it replaced.
    fn edit(&self, from: &str, to: &str) {
        let text = self.env.read("strongroom.toml");
        assert!(text.contains(from), "{from}");
        self.env.write("strongroom.toml", text.replacen(from, to, 1));
    }

    fn manifest(&self) -> String {
        self.env.read("strongroom.toml")
    }

    fn run(&self, words: &str) -> Output {
        self.env.run(words)
    }

    /// What the containers see of what the app needs.
    fn seen(&self) -> BTreeMap<String, String> {
        let mut seen = self.cloud.world(|world| world.beanstalk.container_environment(NAME));
        seen.remove("STRONGROOM_REVISION");
        seen
    }

    /// The names of the references.
    fn references(&self) -> Vec<String> {
        self.cloud.world(|world| world.beanstalk.references(NAME).into_keys().collect())
    }

    /// The name of the newest operation of a command.
    fn operation(&self, command: &str) -> String {
        let told: serde_json::Value = serde_json::from_str(&self.run("operations --json").success()).unwrap();
        let all = told["operations"].as_array().unwrap();
        let own = all.iter().rev().find(|one| one["command"] == command);
        own.and_then(|one| one["id"].as_str()).unwrap_or_else(|| panic!("{told}")).to_owned()
    }

    fn properties(&self) -> BTreeMap<String, String> {
        self.cloud.world(|world| world.beanstalk.properties(NAME))
    }

    /// The calls of the last runs that change something at AWS.
    fn writes(&self) -> Vec<String> {
        let verbs = ["Put", "Create", "Update", "Delete", "Restore", "Tag", "Untag"];
        let names = self.cloud.calls().into_iter().map(|call| call.name());
        names.filter(|name| verbs.iter().any(|verb| name.contains(&format!(":{verb}")))).collect()
    }

    /// Every file with what is in it; who we are is remembered by whatever asks AWS.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let tree = Tree::of(&self.env);
        let files = tree.files().filter(|path| !path.ends_with("callers.json"));
        files.map(|path| (path.clone(), tree.bytes(path).to_owned())).collect()
    }

    /// Runs something that is to change nothing anywhere, and end so.
    #[track_caller]
    fn refused(&self, words: &str, code: i32) -> String {
        let before = self.files();
        self.cloud.reset_calls();
        let told = self.run(words).failure(code);
        assert_eq!(self.writes(), [""; 0], "{told}");
        assert_eq!(self.files(), before, "{told}");
        assert!(!told.contains("canary-"), "{told}");
        told
    }
}

const TO_SSM: &str = "migrate --to ssm --yes";
const TO_SECRETS_MANAGER: &str = "migrate --to secretsmanager --yes";
