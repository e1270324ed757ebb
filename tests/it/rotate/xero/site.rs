//! A project with Xero connections: a home that the app writes to too, a local Xero, and what both know at the end.

use crate::support::cloud::ssm::Seed;
use crate::support::cloud::{self, Cloud};
use crate::support::env::{Output, STRONGROOM, TestEnv};
use crate::support::xero::{self as local, Standing, Xero};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use strongroom::seal::Identities;

const MANIFEST: &str = r#"
version = 1
[project]
name = "dev-app"
region = "us-east-1"
default_environment = "prod"
recipients = ["RECIPIENT"]

[environments.prod]
home = "HOME"
HOME-SETTINGS

[groups.app.keys]
OTHER = { secret = true, optional = true }

[groups.xero]
instances = true
path.ssm = "/{project}/xero/{instance}/{key}"
[groups.xero.keys]
client_id = { secret = true }
client_secret = { secret = true }
access_token = { secret = true }
refresh_token = { secret = true }
tenant_id = {}
token_expires_at = {}

[rotate.xero]
kind = "xero"
group = "xero"
token_url = "TOKEN"
api_url = "API"
every = "7d"
"#;

/// Where the record of a login is kept.
pub(super) const RECORD: &str = "/dev-app/_strongroom/prod/xero_xero";
pub(super) const LEASE: &str = "/dev-app/_strongroom/prod/lease";

/// How the app spells the time.
pub(super) const SPELLED: &str = "2026-11-22T14:30:00.123456+00:00";

/// One host.
pub(super) struct Site {
    pub(super) xero: Xero,
    pub(super) cloud: Cloud,
    pub(super) env: TestEnv,
    home: &'static str,
    identities: Arc<Identities>,
}

/// What home holds of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) refresh: String,
    pub(super) access: String,
    pub(super) expires: String,
}

impl Site {
    /// A home without connections.
    pub(super) fn new(home: &'static str) -> Site {
        let identities = Arc::new(Identities::generate());
        Site::of(home, Xero::start(), Cloud::start(), identities)
    }

    fn of(home: &'static str, xero: Xero, cloud: Cloud, identities: Arc<Identities>) -> Site {
        let recipient = identities.recipients()[0].to_string();
        let settings = match home {
            "vault" => String::new(),
            _ => "account = \"111122223333\"\nquota = { reads = 5000, writes = 5000 }".to_owned(),
        };
        let manifest = MANIFEST
            .replace("HOME-SETTINGS", &settings)
            .replace("HOME", home)
            .replace("RECIPIENT", &recipient)
            .replace("TOKEN", &xero.url(local::TOKEN))
            .replace("API", &xero.url(""));
        let mut env = TestEnv::in_memory().with_manifest(&manifest);
        env.on(&cloud);
        env.set("STRONGROOM_POLL_INTERVAL_MS", "2");
        env.keep_identity(&identities);
        Site { xero, cloud, env, home, identities }
    }

    /// The same with a connection: instance `1`, of the user `demo`.
    pub(super) fn connected(home: &'static str) -> Site {
        let site = Site::new(home);
        site.connect("1", "demo", "Acme Ltd");
        site
    }

    /// Another host, with nothing in its state folder.
    pub(super) fn elsewhere(&self) -> Site {
        let identities = Arc::clone(&self.identities);
        Site::of(self.home, self.xero.clone(), self.cloud.clone(), identities)
    }

    /// How many operations of this host are unfinished: each file tells by its last line.
    pub(super) fn unfinished(&self) -> usize {
        let Ok(folders) = std::fs::read_dir(self.env.state("dev-app/prod")) else { return 0 };
        let journals = folders
            .filter_map(|folder| std::fs::read_to_string(folder.unwrap().path().join("journal.jsonl")).ok());
        let begun = |text: &String| text.contains("\"acting\"") || text.contains("\"planned\"");
        let ended = |text: &String| text.lines().last().is_some_and(|line| line.contains("\"ended\""));
        journals.filter(|text| begun(text) && !ended(text)).count()
    }

    /// What became of every refresh token.
    pub(super) fn story(&self) -> Vec<(String, Option<String>, Standing)> {
        self.xero.world(|world| {
            let all = world.refresh.iter().map(|one| one.token.clone()).collect::<Vec<_>>();
            let name = |token: &String| format!("token {}", all.iter().position(|one| one == token).unwrap());
            let told = world.refresh.iter();
            told.map(|one| (name(&one.token), one.parent.as_ref().map(name), world.standing(&one.token)))
                .collect()
        })
    }

    /// The app refreshes by itself; nothing where Xero takes the token no more.
    pub(super) fn app_refreshes(&self, token: &str) -> Option<Tokens> {
        App { xero: self.xero.clone(), commands: Mutex::default() }.refreshes(token)
    }

    /// What the app does on this host beside us, once.
    pub(super) fn app(&self, does: impl Fn(&App) + Send + Sync + 'static) -> cloud::faults::Callback {
        let keys = ["refresh_token", "access_token", "token_expires_at"];
        let command = |key: &str| {
            let mut command = self.env.command(STRONGROOM);
            let address = format!("xero/1/{key}");
            command.args(["set", &address, "--yes", "--quiet"]).stdin(Stdio::piped());
            (key.to_owned(), command)
        };
        let app = App { xero: self.xero.clone(), commands: Mutex::new(keys.map(command).into()) };
        Arc::new(move || does(&app))
    }

    /// A user's login, stored as an instance as the app would.
    pub(super) fn connect(&self, instance: &str, user: &str, organisation: &str) -> Tokens {
        let (access, refresh) = self.xero.login(user, &[organisation]);
        let tenant = self.xero.world(|world| {
            let of = (local::CLIENT_ID.to_owned(), user.to_owned());
            world.tenants[&of].last().unwrap().id.clone()
        });
        let tokens = Tokens { refresh, access, expires: SPELLED.to_owned() };
        self.put(instance, "client_id", local::CLIENT_ID);
        self.put(instance, "client_secret", local::CLIENT_SECRET);
        self.put(instance, "tenant_id", &tenant);
        self.store(instance, &tokens);
        tokens
    }

    /// Stores a pair as the app does.
    pub(super) fn store(&self, instance: &str, tokens: &Tokens) {
        self.put(instance, "refresh_token", &tokens.refresh);
        self.put(instance, "access_token", &tokens.access);
        self.put(instance, "token_expires_at", &tokens.expires);
    }

    pub(super) fn put(&self, instance: &str, key: &str, value: &str) {
        match self.home {
            "ssm" => self.cloud.world(|world| {
                let name = format!("/dev-app/xero/{instance}/{key}");
                world.ssm.seed(Seed { name: &name, value, kind: "SecureString" });
            }),
            _ => drop(
                self.env.run_with_stdin(&format!("set xero/{instance}/{key} --yes --quiet"), value).success(),
            ),
        }
    }

    pub(super) fn get(&self, instance: &str, key: &str) -> String {
        match self.home {
            "ssm" => self
                .cloud
                .world(|world| world.ssm.held(&format!("/dev-app/xero/{instance}/{key}")).unwrap().value),
            _ => self.env.run(&format!("get xero/{instance}/{key}")).success(),
        }
    }

    pub(super) fn tokens(&self, instance: &str) -> Tokens {
        let get = |key| self.get(instance, key);
        Tokens {
            refresh: get("refresh_token"),
            access: get("access_token"),
            expires: get("token_expires_at"),
        }
    }

    /// The record of a login, where home is SSM.
    pub(super) fn record(&self, instance: &str) -> Option<String> {
        self.cloud.world(|world| world.ssm.held(&format!("{RECORD}/{instance}")).map(|held| held.value))
    }

    /// Runs the binary, and lets it be killed by whoever has the handle.
    pub(super) fn run_known(&self, words: &str, id: &Arc<OnceLock<u32>>) -> Output {
        let mut command = self.env.command(STRONGROOM);
        command.args(words.split_whitespace());
        self.env.finish_known(command, b"", |known| id.set(known).unwrap())
    }

    /// A run that is killed, by whoever has the handle; the faults heal, and its lease ends.
    #[track_caller]
    pub(super) fn is_killed(&self, words: &str, id: &Arc<OnceLock<u32>>) {
        assert_eq!(self.run_known(words, id).code, None, "it was killed");
        self.cloud.heal();
        self.xero.heal();
        self.lease_ends();
    }

    /// The tokens of the first instance are deleted on another host, which knows of nothing that is under way here.
    pub(super) fn delete_first(&self) {
        let words = "delete xero/1/refresh_token xero/1/access_token xero/1/token_expires_at --yes";
        let _ = self.elsewhere().env.run(words).success();
    }

    /// The lease of a killed process ends.
    pub(super) fn lease_ends(&self) {
        self.cloud.world(|world| {
            world.ssm.age(LEASE, 600);
            world.secrets.age(&LEASE[1..], 600);
        });
    }

    /// Asserts that an instance has a pair that is good: the newest refresh token of its user, and an access token that is
    /// taken.
    #[track_caller]
    pub(super) fn assert_good(&self, what: &str, instance: &str) {
        let tokens = self.tokens(instance);
        assert_eq!(self.xero.standing(&tokens.refresh), Standing::Live, "{what}: the refresh token");
        let user = self.xero.world(|world| world.bearer(&tokens.access));
        assert!(user.is_some(), "{what}: the access token");
        let now = self.xero.world(|world| world.now());
        let ends: jiff::Timestamp =
            tokens.expires.parse().unwrap_or_else(|_| panic!("{what}: {}", tokens.expires));
        let life = ends.duration_since(now).as_secs();
        assert!((1700..=1800).contains(&life), "{what}: {life} s");
    }
}

/// The app, which knows nothing of us.
pub(super) struct App {
    xero: Xero,
    commands: Mutex<BTreeMap<String, Command>>,
}

impl App {
    /// A pair for a token; nothing where Xero takes it no more.
    pub(super) fn refreshes(&self, token: &str) -> Option<Tokens> {
        use strongroom::secret::Secret;
        use strongroom::xero::{Client, Grant, Tokens as Pair, Xero as Api};
        let secret = |text: &str| Secret::new(text.to_owned()).unwrap();
        let (token_url, api_url) = (self.xero.url(local::TOKEN), self.xero.url(""));
        let patience = strongroom::web::Patience { total: Duration::from_secs(60), ..Default::default() };
        let api = Api { token_url: &token_url, api_url: &api_url, patience };
        let (token, key) = (secret(token), secret(local::CLIENT_SECRET));
        let client = Client { id: local::CLIENT_ID, secret: Some(&key) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(api.token(&client, &Grant::Refresh(&token))).unwrap().minted().ok()?;
        let pair = Pair::parse(&answer).unwrap();
        let ends = pair.access.expires_at(jiff::Timestamp::now());
        Some(Tokens {
            refresh: pair.refresh_token.expose().to_owned(),
            access: pair.access.token.expose().to_owned(),
            expires: ends.strftime("%Y-%m-%dT%H:%M:%S.000000+00:00").to_string(),
        })
    }

    /// Stores it.
    pub(super) fn store(&self, instance: &str, tokens: &Tokens) {
        assert_eq!(instance, "1");
        let values = [&tokens.refresh, &tokens.access, &tokens.expires];
        for (key, value) in ["refresh_token", "access_token", "token_expires_at"].into_iter().zip(values) {
            let mut commands = self.commands.lock().unwrap();
            let mut child = commands.get_mut(key).unwrap().spawn().unwrap();
            child.stdin.take().unwrap().write_all(value.as_bytes()).unwrap();
            assert!(child.wait().unwrap().success(), "{key}");
        }
    }
}

/// Kills a process as soon as it is known which.
pub(super) fn signal(id: &Arc<OnceLock<u32>>, signal: Signal) -> cloud::faults::Callback {
    let id = Arc::clone(id);
    Arc::new(move || {
        let pid = i32::try_from(*id.wait()).ok().and_then(Pid::from_raw).unwrap();
        // It may have ended meanwhile; the run tells.
        let _ = kill_process(pid, signal);
    })
}

/// Tries each case, several at a time.
pub(super) fn each<T: Sync>(cases: &[T], test: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    test(case);
                }
            });
        }
    });
}
