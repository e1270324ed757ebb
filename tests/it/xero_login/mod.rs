//! `xero login` and `xero status`, as the real binary does them with the local Xero, and a browser that is a program.

mod failures;
mod homes;
mod snippet;
mod status;

use crate::support::env::{Output, STRONGROOM, TestEnv};
use crate::support::xero::{self as local, Xero as Local};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{ChildStdin, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use strongroom::seal::Identities;
use strongroom::web::{self, Patience, Question};

/// Follows an address and every redirect, logged in as somebody.
const BROWSER: &str = r#"#!/usr/bin/env python3
import os, sys, urllib.request
more = os.environ.get("LOGGED_IN", "&user=demo")
urllib.request.urlopen(sys.argv[1] + more, timeout=30).read()
"#;

/// A project with one rotation of the kind, and the local Xero that it knows.
struct Site {
    env: TestEnv,
    local: Local,
    redirect: String,
}

/// A port that nobody listens on just now.
/// Below those that the kernel gives to whoever asks for any: the servers of other tests do.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    let mut ports = std::iter::repeat_with(|| NEXT.fetch_add(1, Ordering::Relaxed)).take(10_000);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

impl Site {
    /// With a vault as home.
    fn with_vault() -> Site {
        Site::of("home = \"vault\"", "")
    }

    /// With that home, and lines more in the manifest.
    fn of(home: &str, more: &str) -> Site {
        let local = Local::start();
        let redirect = format!("http://localhost:{}/callback", free_port());
        local.world(|world| {
            world.apps.get_mut(local::CLIENT_ID).unwrap().redirects.push(redirect.clone());
        });
        let identities = Identities::generate();
        let env = TestEnv::new()
            .with("BROWSER", "./browser")
            .with_file("strongroom.toml", manifest(&local, &redirect, home, more, &identities));
        env.write_script("browser", BROWSER);
        env.keep_identity(&identities);
        Site { env, local, redirect }
    }

    /// With the app of a connection set.
    fn with_app(self, instance: &str) -> Site {
        self.set(&format!("xero/{instance}/client_id"), local::CLIENT_ID);
        self.set(&format!("xero/{instance}/client_secret"), local::CLIENT_SECRET);
        self
    }

    fn set(&self, address: &str, value: &str) {
        let _ = self.env.run_with_stdin(&format!("--yes set {address}"), value).success();
    }

    fn get(&self, address: &str) -> String {
        self.env.run(&format!("get {address}")).success()
    }

    /// Logs in with the browser.
    fn login(&self, words: &str) -> Output {
        self.env.run(&format!("--yes xero login {words}"))
    }

    fn operations(&self) -> Vec<(String, String)> {
        let listed = self.env.run("operations --json").success();
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let text = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().to_owned();
        listed["operations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (text(row, "command"), text(row, "state")))
            .collect()
    }

    /// How the newest operation stands.
    fn newest(&self) -> (String, String) {
        self.operations().pop().unwrap()
    }

    /// Nothing is open, so that other things can be changed.
    fn nothing_is_open(&self) {
        assert!(self.operations().iter().all(|(_, state)| state != "unfinished"), "{:?}", self.operations());
    }
}

fn manifest(local: &Local, redirect: &str, home: &str, more: &str, identities: &Identities) -> String {
    format!(
        r#"version = 1
[project]
name = "demo"
default_environment = "local"
region = "us-east-1"
recipients = ["{}"]
[environments.local]
{home}
[groups.app.keys]
TOKEN = {{ secret = true, generate = {{ length = 20 }} }}
[groups.xero]
instances = true
path.ssm = "/{{project}}/xero/{{instance}}/{{key}}"
[groups.xero.keys]
client_id = {{}}
client_secret = {{ secret = true }}
access_token = {{ secret = true, optional = true }}
refresh_token = {{ secret = true, optional = true }}
tenant_id = {{ optional = true }}
token_expires_at = {{ optional = true }}
[rotate.tokens]
kind = "random"
keys = ["app/TOKEN"]
[rotate.xero]
kind = "xero"
group = "xero"
token_url = "{}"
api_url = "{}"
authorize_url = "{}"
redirect_url = "{redirect}"
{more}
"#,
        identities.recipients()[0],
        local.url(local::TOKEN),
        local.url(""),
        local.url(local::AUTHORIZE),
    )
}

/// One GET: where it leads, and the page.
fn get(address: &str) -> (String, String) {
    let run = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asked = web::ask(address, Question::Get, None, &["location"], Patience::default());
    let reply = run.block_on(asked).unwrap();
    let there = reply.headers.first().map(|(_, there)| there.clone()).unwrap_or_default();
    (there, String::from_utf8_lossy(reply.body.expose()).into_owned())
}

/// Where a login ends: the address with the code in it, to which nobody has gone yet.
fn logged_in(address: &str, more: &str) -> String {
    get(&format!("{address}{more}")).0
}

/// Runs a login, and `person` with the address that it prints and its stdin.
fn with_person<T>(site: &Site, words: &str, person: impl FnOnce(&str, &mut ChildStdin) -> T) -> (Output, T) {
    let mut command = site.env.command(STRONGROOM);
    command.args(["-vv", "--yes", "xero", "login"]).args(words.split_whitespace()).env("BROWSER", "true");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut address = String::new();
    stdout.read_line(&mut address).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let told = person(address.trim(), &mut stdin);
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (Output { code: output.status.code(), stdout: address, stdout_bytes: Vec::new(), stderr }, told)
}

/// Logs in with `--paste` in a pipe: `back` makes the address to paste of the one that is printed.
fn paste(site: &Site, words: &str, back: impl FnOnce(&str) -> String) -> Output {
    let paste = |address: &str, stdin: &mut ChildStdin| writeln!(stdin, "{}", back(address)).unwrap();
    with_person(site, &format!("--paste {words}"), paste).0
}

/// Logs in with a browser that is asked for other things first, and says nothing on one connection. Gives the last page.
fn browse(site: &Site, words: &str, more: &str) -> (Output, String) {
    with_person(site, words, |address, _| {
        let back = logged_in(address, more);
        let host = site.redirect.trim_start_matches("http://").split('/').next().unwrap();
        let silent = TcpStream::connect(host).unwrap();
        let (_, other) = get(&format!("http://{host}/favicon.ico"));
        assert!(other.contains("nothing here"), "{other}");
        let (_, page) = get(&back);
        drop(silent);
        page
    })
}

#[test]
fn a_login_asks_for_its_app_first_and_ends_with_a_whole_connection() {
    let site = Site::with_vault();
    site.local.login("demo", &["Acme Ltd"]);
    let said = site.login("1").failure(1);
    assert!(said.contains("`strongroom -e local set xero/1/client_id`"), "{said}");
    assert!(said.contains("`strongroom -e local set xero/1/client_secret`"), "{said}");
    let said = site.env.run("xero login").failure(2);
    assert!(said.contains("name the first one"), "{said}");

    let site = site.with_app("1");
    let dry = site.env.run("--dry-run xero login 1");
    assert!(dry.stderr.contains(&format!("comes back to {}", site.redirect)), "{}", dry.stderr);
    assert_eq!(dry.success(), "");
    assert_eq!(site.local.calls().len(), 0);

    // Without a name: there is one.
    let output = site.login("");
    let said = output.stderr.clone();
    assert!(output.success().starts_with(&site.local.url(local::AUTHORIZE)));
    assert!(said.contains("connected to Acme Ltd ("), "{said}");
    assert_eq!(site.get("xero/1/refresh_token"), site.local.newest("demo").unwrap());
    let tenant = site.local.world(|world| world.tenants.values().next().unwrap()[0].id.clone());
    assert_eq!(site.get("xero/1/tenant_id"), tenant);
    let expires: jiff::Timestamp = site.get("xero/1/token_expires_at").parse().unwrap();
    let left = expires.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((1700..=1800).contains(&left), "{left}");
    let access = site.get("xero/1/access_token");
    assert!(site.local.world(|world| world.bearer(&access)).is_some());
    assert_eq!(site.newest(), ("xero login xero/1".to_owned(), "done".to_owned()));

    let (output, page) = browse(&site, "1", "&user=demo");
    assert!(page.contains("Logged in."), "{page}");
    let _ = output.success();
    assert_eq!(site.get("xero/1/refresh_token"), site.local.newest("demo").unwrap());
}

#[test]
fn a_second_login_keeps_how_the_app_spells_the_time_and_what_it_was_agreed_to() {
    let site = Site::with_vault().with_app("1").with_app("2");
    site.local.login("demo", &["Acme Ltd"]);
    let _ = site.login("1").success();
    site.set("xero/1/token_expires_at", "2026-11-22 14:30:05.000001+00:00");
    let output = site.login("1");
    let address = output.success();
    assert!(address.contains("accounting.contacts"), "what the first login asked for: {address}");
    let written = site.get("xero/1/token_expires_at");
    assert!(written.len() == 32 && written.ends_with("+00:00") && &written[10..11] == " ", "{written}");
    // A new connection is spelled as the others are, and the same user is told.
    let output = site.login("2");
    assert!(output.stderr.contains("the same Xero user is behind xero/1"), "{}", output.stderr);
    let _ = output.success();
    assert_eq!(site.get("xero/2/token_expires_at").len(), 32);
}

#[test]
fn an_address_can_be_pasted_where_no_browser_is() {
    let site = Site::with_vault().with_app("1");
    site.local.login("demo", &["Acme Ltd"]);
    let output = paste(&site, "1", |address| logged_in(address, "&user=demo"));
    let _ = output.success();
    assert_eq!(site.get("xero/1/refresh_token"), site.local.newest("demo").unwrap());

    // On a terminal it is asked for, and not shown.
    let mut terminal = site.env.terminal("--yes xero login 1 --paste");
    terminal.expect("/identity/connect/authorize?");
    let rest = terminal.expect("open that address");
    let address = site.local.url(&format!("{}?{}", local::AUTHORIZE, rest.trim().replace(['\r', '\n'], "")));
    terminal.expect("(not shown): ");
    let back = logged_in(&address, "&user=demo");
    terminal.type_line(&back);
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    let secret = back.split("code=").nth(1).unwrap().split('&').next().unwrap();
    assert!(shown.contains("connected to Acme Ltd") && !shown.contains(secret), "{shown}");
    assert_eq!(site.get("xero/1/refresh_token"), site.local.newest("demo").unwrap());
}

#[test]
fn of_several_organisations_a_person_chooses_and_another_one_never_takes_the_place_of_the_one_in_home() {
    let site = Site::with_vault().with_app("1");
    site.local.login("demo", &["Acme Ltd", "Beta", "Beta"]);
    let said = site.login("1").failure_after_data(8);
    assert!(said.contains("Acme Ltd") && said.contains("--tenant ID"), "{said}");
    assert_eq!(site.newest().1, "unfinished");
    let refused = site.env.run("--yes rotate tokens").failure(7);
    assert!(refused.contains("stopped midway"), "{refused}");
    let said = site.login("1 --tenant Beta").failure(8);
    assert!(said.contains("more than one, is called that"), "{said}");

    // A terminal asks.
    let mut terminal = site.env.terminal("--yes resume");
    terminal.expect("Its number");
    terminal.type_line("1");
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(site.local.count(local::TOKEN), 1, "no second exchange");
    let acme = site.get("xero/1/tenant_id");

    // What home has is found among many, and is left where it is not there.
    let _ = site.login("1").success();
    assert_eq!(site.get("xero/1/tenant_id"), acme);
    site.set("xero/1/tenant_id", "00000000-0000-0000-0000-000000000000");
    let before = site.get("xero/1/refresh_token");
    let _ = site.login("1").failure_after_data(8);
    assert_eq!(site.get("xero/1/refresh_token"), before);
    let _ = site.env.run("--yes undo").success();
    site.nothing_is_open();
    let _ = site.login("1 --tenant").failure(2);
    let _ = site.login(&format!("1 --tenant {}", acme.to_uppercase())).success();
    assert_eq!(site.get("xero/1/tenant_id"), acme);
}

impl Output {
    /// What a login said that told its address and then ended with this exit code.
    #[track_caller]
    fn failure_after_data(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self.stderr
    }
}
