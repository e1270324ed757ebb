//! A project on the local AWS that can be put back as it was, with all that it holds, and runs of the binary in it that
//! meet a fault at one of their calls.

use super::DOCKER;
use crate::support::cloud::beanstalk::handles::Seed as EnvironmentSeed;
use crate::support::cloud::faults::Callback;
use crate::support::cloud::ssm::Seed;
use crate::support::cloud::{Cloud, Effect, World};
use crate::support::env::{Output, STRONGROOM, TestEnv};
use crate::support::tree::Tree;
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use strongroom::document::{Document, State};
use strongroom::journal::{Journal, Outside, Standing, Summary};
use strongroom::seal::{self, Identities};

/// How every value begins that the binary is given, so that it can be looked for.
pub(super) const CANARY: &str = "canary";

/// The access key of another person.
const COLLEAGUE: &str = "AKIALOCALCOLLEAGUEXA";

const MANIFEST: &str = r#"
version = 1
[project]
name = "dev-app"
region = "us-east-1"
default_environment = "prod"
recipients = ["RECIPIENT"]

[environments.prod]
home = "HOME"
account = "111122223333"
quota = { reads = 5000, writes = 5000 }

[environments.prod.copies.web]
kind = "beanstalk"
application = "dev-app"
environment = "dev-app-prod"
groups = ["app", "database"]
secrets = "SECRETS"

[environments.staging]
home = "STAGING"
account = "111122223333"
quota = { reads = 5000, writes = 5000 }

[groups.app.keys]
DJANGO_SETTINGS_MODULE = { value = "dev_app.settings.production" }
SECRET_KEY = { secret = true }
EMAIL_CC = { optional = true }
TOKEN = { secret = true, optional = true }

[groups.database.keys]
RDS_HOSTNAME = { type = "String" }
RDS_USERNAME = {}
RDS_PASSWORD = { secret = true }
DATABASE_URL = { derive = "postgres://{RDS_USERNAME}:{RDS_PASSWORD}@{RDS_HOSTNAME}:5432/app" }
"#;

/// Where the truth is, and how the copy has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) home: &'static str,
    pub(super) secrets: &'static str,
}

pub(super) const SSM: Kind = Kind { home: "ssm", secrets: "reference" };
pub(super) const SSM_BY_VALUE: Kind = Kind { home: "ssm", secrets: "value" };
pub(super) const SECRETS_MANAGER: Kind = Kind { home: "secretsmanager", secrets: "reference" };
pub(super) const BEANSTALK: Kind = Kind { home: "beanstalk", secrets: "value" };

/// A project, an account, and the identity that opens what is sealed.
pub(super) struct Site {
    pub(super) cloud: Cloud,
    pub(super) env: TestEnv,
    pub(super) kind: Kind,
    /// Whether the revision of what is deployed hangs on names that are chosen anew in each run.
    pub(super) revision_varies: bool,
    identities: Arc<Identities>,
}

/// Everything that a run can change.
#[derive(Clone)]
pub(super) struct Still {
    world: World,
    pub(super) files: Tree,
}

/// What happens at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum How {
    KillBefore,
    KillAfter,
    LoseReply,
    Reset,
    Throttle,
    Deny,
    Internal,
    InternalAfter,
    StaleRead,
    Delay,
    /// From that call on nothing answers.
    Gone,
}

impl How {
    pub(super) const ALL: [How; 11] = [
        How::KillBefore,
        How::KillAfter,
        How::LoseReply,
        How::Reset,
        How::Throttle,
        How::Deny,
        How::Internal,
        How::InternalAfter,
        How::StaleRead,
        How::Delay,
        How::Gone,
    ];

    /// Whether the process does not survive it.
    pub(super) fn kills(self) -> bool {
        matches!(self, How::KillBefore | How::KillAfter)
    }

    fn effect(self, kill: Callback) -> Effect {
        match self {
            How::KillBefore => Effect::KillBefore(kill),
            How::KillAfter => Effect::KillAfter(kill),
            How::LoseReply => Effect::LoseReply,
            How::Reset | How::Gone => Effect::Reset,
            How::Throttle => Effect::Throttle,
            How::Deny => Effect::Deny,
            How::Internal => Effect::Internal,
            How::InternalAfter => Effect::InternalAfter,
            How::StaleRead => Effect::StaleRead,
            How::Delay => Effect::Delay(Duration::from_millis(20)),
        }
    }
}

impl Site {
    /// A project whose places hold nothing yet but what is not its own.
    pub(super) fn new(kind: Kind) -> Site {
        let seed = EnvironmentSeed::new("dev-app", "dev-app-prod", DOCKER);
        Site::of(kind, MANIFEST, seed.property("LEFT_ALONE", "theirs"))
    }

    /// A project with this manifest and this environment.
    pub(super) fn of(kind: Kind, manifest: &str, environment: EnvironmentSeed) -> Site {
        let cloud = Cloud::start();
        cloud.world(|world| world.beanstalk.add(environment, Timestamp::now()));
        let identities = Identities::generate();
        let manifest = manifest.replace("RECIPIENT", &identities.recipients()[0].to_string());
        let staging = if kind.home == "beanstalk" { "ssm" } else { kind.home };
        let manifest = manifest.replace("STAGING", staging).replace("HOME", kind.home);
        let manifest = manifest.replace("SECRETS", kind.secrets);
        let mut env = TestEnv::in_memory().with_manifest(&manifest);
        env.on(&cloud);
        env.set("STRONGROOM_POLL_INTERVAL_MS", "1");
        env.keep_identity(&identities);
        let site = Site { cloud, env, kind, revision_varies: false, identities: Arc::new(identities) };
        site.seed("other", &[("THEIRS", "theirs")]);
        site
    }

    /// The same with a value in every address that needs one; the password is under a key of the customer's.
    pub(super) fn filled(kind: Kind) -> Site {
        let site = Site::new(kind);
        site.seed("app", &[("SECRET_KEY", "canary-key")]);
        let database = [
            ("RDS_HOSTNAME", "canary-db.example"),
            ("RDS_USERNAME", "canary-app"),
            ("RDS_PASSWORD", "canary-pass"),
            ("DATABASE_URL", "postgres://canary-app:canary-pass@canary-db.example:5432/app"),
        ];
        site.seed("database", &database);
        let key = site.cloud.kms_key("alias/own");
        if kind.home == "ssm" {
            site.cloud.world(|world| world.ssm.encrypt_under("/dev-app/prod/database/RDS_PASSWORD", &key));
        }
        site
    }

    /// Another person with a checkout of the same project, on the same account.
    pub(super) fn colleague(&self) -> Site {
        let mut env = TestEnv::in_memory().with_manifest(&self.env.read("strongroom.toml"));
        let all = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;
        self.cloud.principal(COLLEAGUE, "arn:aws:iam::111122223333:user/colleague", all).unwrap();
        for (name, value) in self.cloud.environment_of(COLLEAGUE) {
            env.set(name, value);
        }
        env.set("STRONGROOM_POLL_INTERVAL_MS", "1");
        env.keep_identity(&self.identities);
        let (cloud, identities) = (self.cloud.clone(), Arc::clone(&self.identities));
        Site { cloud, env, kind: self.kind, revision_varies: self.revision_varies, identities }
    }

    /// The value of a key of the group `app` in home.
    pub(super) fn value(&self, key: &str) -> Option<String> {
        self.cloud.world(|world| match self.kind.home {
            "ssm" => world.ssm.held(&format!("/dev-app/prod/app/{key}")).map(|held| held.value),
            "secretsmanager" => {
                let text = world.secrets.held("dev-app/prod/app")?.text?;
                let document: serde_json::Value = serde_json::from_str(&text).unwrap();
                document[key].as_str().map(str::to_owned)
            }
            _ => world.beanstalk.properties("dev-app-prod").get(key).cloned(),
        })
    }

    /// The values that a key of the group `app` has had, where its place keeps them.
    pub(super) fn past(&self, key: &str) -> Vec<String> {
        self.cloud.world(|world| {
            let past = world.ssm.past(&format!("/dev-app/prod/app/{key}"));
            past.into_iter().map(|(_, value)| value).collect()
        })
    }

    /// What the newest operation found at a key of the group `app` when it was planned; nothing without an operation.
    pub(super) fn found(&self, key: &str) -> Option<Option<String>> {
        let newest = self.operations("prod").unwrap().pop()?;
        let path = self.env.state(format!("dev-app/prod/{}/plan-1.age", newest.id));
        let text = seal::open(&std::fs::read(path).ok()?, &self.identities).unwrap();
        let document = Document::from_json(&text).unwrap();
        let mut before = document.sections.iter().filter(|section| section.state == State::Before);
        let address = format!("app/{key}").parse().unwrap();
        let record = before.find_map(|section| section.records.get(&address))?;
        let entry = record.entry.as_ref();
        Some(entry.and_then(|entry| entry.held.value()).map(|value| value.expose().to_owned()))
    }

    /// Puts values into home as somebody else would.
    pub(super) fn seed(&self, group: &str, values: &[(&str, &str)]) {
        self.cloud.world(|world| match self.kind.home {
            "ssm" => {
                for (key, value) in values {
                    let name = format!("/dev-app/prod/{group}/{key}");
                    let kind = if *key == "RDS_HOSTNAME" { "String" } else { "SecureString" };
                    world.ssm.seed(Seed { name: &name, value, kind });
                }
            }
            "secretsmanager" => {
                let pairs: Vec<String> =
                    values.iter().map(|(key, value)| format!("\"{key}\": \"{value}\"")).collect();
                let text = format!("{{{}, \"foreign\": 1.50}}", pairs.join(", "));
                world.secrets.seed(&format!("dev-app/prod/{group}"), &text);
            }
            _ => {
                let values: Vec<_> = values.iter().map(|(key, value)| (*key, Some(*value))).collect();
                world.deploy_elsewhere("dev-app-prod", &values);
            }
        });
    }

    pub(super) fn still(&self) -> Still {
        Still { world: self.cloud.world(|world| world.clone()), files: Tree::of(&self.env) }
    }

    /// Puts everything back as it was.
    pub(super) fn restore(&self, still: &Still) {
        self.cloud.heal();
        self.cloud.world(|world| *world = still.world.clone());
        still.files.restore(&self.env);
    }

    /// Runs the binary, with a fault at a call counted from 1 or without one.
    pub(super) fn run(&self, words: &str, stdin: &str, fault: Option<(usize, How)>) -> Output {
        self.cloud.heal();
        self.cloud.reset_calls();
        let id = Arc::new(OnceLock::new());
        if let Some((at, how)) = fault {
            let last = if how == How::Gone { usize::MAX } else { at };
            self.cloud.fault("*", at..=last, how.effect(killer(&id)));
        }
        let mut command = self.env.command(STRONGROOM);
        command.args(words.split_whitespace());
        let output = self.env.finish_known(command, stdin.as_bytes(), |known| id.set(known).unwrap());
        self.cloud.heal();
        output
    }

    /// The time passes that the lease of a killed process lives.
    pub(super) fn lease_ends(&self) {
        self.cloud.world(|world| {
            for environment in ["prod", "staging"] {
                world.ssm.age(&format!("/dev-app/_strongroom/{environment}/lease"), 600);
                world.secrets.age(&format!("dev-app/_strongroom/{environment}/lease"), 600);
            }
        });
    }

    /// The actions that the last run called, in their order.
    pub(super) fn called(&self) -> Vec<String> {
        self.cloud.calls().iter().map(crate::support::cloud::Call::name).collect()
    }

    fn journal(&self, environment: &str) -> Journal {
        let names = ("dev-app".parse().unwrap(), environment.parse().unwrap());
        let outside = Outside { clock: Timestamp::now, random: || [7; 32] };
        let identities = Some(Arc::clone(&self.identities));
        Journal::new(&self.env.state(""), names, self.identities.recipients(), identities, outside)
    }

    pub(super) fn operations(&self, environment: &str) -> Result<Vec<Summary>, String> {
        self.journal(environment).list().map_err(|error| error.to_string())
    }

    pub(super) fn unfinished(&self, environment: &str) -> Result<usize, String> {
        let open = |summary: &&Summary| matches!(summary.standing, Standing::Unfinished | Standing::Running);
        Ok(self.operations(environment)?.iter().filter(open).count())
    }

    /// What is in every sealed file of this host's: all of them can be opened.
    pub(super) fn sealed(&self) -> Result<Vec<String>, String> {
        let tree = Tree::of(&self.env);
        let sealed = tree.files().filter(|path| path.extension().is_some_and(|extension| extension == "age"));
        let opened = sealed.map(|path| {
            let text = seal::open(tree.bytes(path), &self.identities);
            let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
            Ok(String::from_utf8_lossy(&text).into_owned())
        });
        opened.collect()
    }

    /// What all places hold: values with what belongs to them, and nothing that only counts; and the manifest.
    pub(super) fn held(&self) -> BTreeMap<String, String> {
        let mut all = self.cloud.world(|world| held(world));
        all.insert("manifest".to_owned(), self.env.read("strongroom.toml"));
        if self.revision_varies {
            let revision = |(name, _): &(&String, &mut String)| name.ends_with(" STRONGROOM_REVISION");
            all.iter_mut().filter(revision).for_each(|(_, told)| told.clear());
        }
        all
    }

    /// How often each thing was written: a parameter's version, what a secret held before, the updates of a copy.
    pub(super) fn turns(&self) -> BTreeMap<String, String> {
        self.cloud.world(|world| turns(world))
    }
}

/// Kills the process of that name, as soon as it is known.
pub(crate) fn killer(id: &Arc<OnceLock<u32>>) -> Callback {
    signaller(id, Signal::KILL)
}

pub(crate) fn signaller(id: &Arc<OnceLock<u32>>, signal: Signal) -> Callback {
    let id = Arc::clone(id);
    Arc::new(move || {
        let pid = i32::try_from(*id.wait()).ok().and_then(Pid::from_raw).unwrap();
        // It may have ended meanwhile; the run tells.
        let _ = kill_process(pid, signal);
    })
}

/// The lease counts its turns in another way, and holds no value.
fn is_value(name: &str) -> bool {
    !name.contains("/_strongroom/")
}

fn held(world: &World) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for name in world.ssm.names().into_iter().filter(|name| is_value(name)) {
        let held = world.ssm.held(&name).unwrap();
        let key = held.key.unwrap_or_default();
        all.insert(format!("ssm {name}"), format!("{} ({} {key} {})", held.value, held.kind, held.tier));
    }
    let mut arns = Vec::new();
    for name in world.secrets.names().into_iter().filter(|name| is_value(name)) {
        let held = world.secrets.held(&name).unwrap();
        arns.push((held.arn, format!("[arn of {name}]")));
        if let Some(text) = held.text.filter(|_| !held.is_scheduled_for_deletion) {
            all.insert(format!("secret {name}"), format!("{text} ({})", held.key.unwrap_or_default()));
        }
    }
    let environment = "dev-app-prod";
    for (what, variables) in [
        ("property", world.beanstalk.properties(environment)),
        ("reference", world.beanstalk.references(environment)),
        ("container", world.beanstalk.container_environment(environment)),
    ] {
        for (name, value) in variables {
            let value = arns.iter().fold(value, |value, (arn, shown)| value.replace(arn, shown));
            all.insert(format!("{what} {name}"), value);
        }
    }
    if world.beanstalk.environment(environment).is_some_and(|environment| environment.draft.is_some()) {
        all.insert("draft".to_owned(), String::new());
    }
    all
}

fn turns(world: &World) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for name in world.ssm.names().into_iter().filter(|name| is_value(name)) {
        all.insert(format!("ssm {name}"), world.ssm.held(&name).unwrap().version.to_string());
    }
    for name in world.secrets.names().into_iter().filter(|name| is_value(name)) {
        let versions = world.secrets.held(&name).unwrap().versions.into_iter();
        let mut previous = versions.filter(|(_, labels, _)| labels.iter().any(|one| one == "AWSPREVIOUS"));
        let text = previous.next().and_then(|(_, _, text)| text);
        all.insert(format!("secret {name}"), text.unwrap_or_default());
    }
    let begins = |message: &str| message.starts_with("Environment update is starting");
    let updates = world.beanstalk.events().iter().filter(|event| begins(&event.message)).count();
    all.insert("updates".to_owned(), updates.to_string());
    all
}
