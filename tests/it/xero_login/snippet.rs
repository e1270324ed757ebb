//! The lock that an app takes before it refreshes: the program of docs/xero.md, run as it is written there.
//!
//! With boto3 on the local AWS, against our own lease: one has it, the other waits or is told; and whatever they race for,
//! there is one holder.

use super::local;
use crate::support::account::settings;
use crate::support::cloud::ssm::Seed;
use crate::support::cloud::{Cloud, Effect};
use crate::support::env::{Output, TestEnv};
use crate::support::policy::become_bearer;
use crate::support::provision;
use crate::support::xero::{Siblings, Standing, Xero as Local};
use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use strongroom::manifest::Quota;
use strongroom::store::{Aws, ErrorKind, Leases, ParameterLeases, Settings, Terms};

const LEASE: &str = "/shop/_strongroom/prod/lease";

const MANIFEST: &str = r#"version = 1
[project]
name = "shop"
region = "us-east-1"
[environments.prod]
home = "ssm"
account = "111122223333"
[groups.app.keys]
TOKEN = { secret = true }
OTHER = { secret = true }
[groups.xero]
instances = true
path.ssm = "/dev-app/xero/{instance}/{key}"
[groups.xero.keys]
client_id = {}
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
"#;

/// The programs of the page, in a project whose home is on a local AWS.
fn site() -> (TestEnv, Cloud) {
    site_of("https://xero.example/token", "https://xero.example")
}

fn site_of(token_url: &str, api_url: &str) -> (TestEnv, Cloud) {
    let cloud = Cloud::start();
    let manifest = MANIFEST.replace("TOKEN\"", &format!("{token_url}\"")).replace("API", api_url);
    let mut env = TestEnv::new().with_manifest(&manifest).with("XERO_LEASE", LEASE);
    env.on(&cloud);
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/xero.md")).unwrap();
    let mut programs = 0;
    for block in page.split("```python\n# ").skip(1) {
        let (name, rest) = block.split_once('\n').unwrap();
        env.write(name, rest.split("```").next().unwrap());
        programs += 1;
    }
    assert_eq!(programs, 2);
    (env, cloud)
}

fn python(env: &TestEnv, script: &str) -> std::process::Command {
    let mut command = env.command(provision::boto3());
    command.args(["-c", script]);
    command
}

fn run(env: &TestEnv, script: &str) -> Output {
    env.finish(python(env, script), b"")
}

/// Asks once, and says who has it.
const ASK: &str = "
import strongroom_lease
try:
    with strongroom_lease.lease('refresh of xero/1', patience=0) as ours:
        ours()
        print('had it')
except strongroom_lease.Busy as busy:
    print(busy)
";

#[test]
fn the_app_is_told_while_we_hold_the_lease_and_we_are_while_the_app_does() {
    let (env, cloud) = site();
    assert_eq!(run(&env, ASK).success(), "had it\n");
    assert_eq!(run(&env, ASK).success(), "had it\n", "it was given back");
    for key in ["TOKEN", "OTHER"] {
        let _ = env.run_with_stdin(&format!("--yes set {key}"), "x").success();
    }

    // In the middle of a deletion of two values, which holds it.
    let told = Arc::new(Mutex::new(String::new()));
    let (slot, asks) = (Arc::clone(&told), Mutex::new(Some(python(&env, ASK))));
    let meanwhile = move || {
        let Some(mut command) = asks.lock().unwrap().take() else { return };
        let output = command.stderr(Stdio::inherit()).output().unwrap();
        *slot.lock().unwrap() = String::from_utf8(output.stdout).unwrap();
    };
    cloud.fault("ssm:DeleteParameter", 1..=1, Effect::Meanwhile(Arc::new(meanwhile)));
    let _ = env.run("--yes delete TOKEN OTHER").success();
    let told = told.lock().unwrap().clone();
    assert!(told.starts_with("held by ") && told.ends_with(" for delete app/OTHER app/TOKEN\n"), "{told}");
    cloud.heal();

    // And the other way round.
    for key in ["TOKEN", "OTHER"] {
        let _ = env.run_with_stdin(&format!("--yes set {key}"), "x").success();
    }
    let hold = "
import subprocess, sys, strongroom_lease
with strongroom_lease.lease('refresh of xero/1'):
    done = subprocess.run([sys.argv[1], '--yes', 'delete', 'TOKEN', 'OTHER'], capture_output=True, text=True)
print(done.returncode, done.stderr)
";
    let mut command = python(&env, hold);
    command.arg(crate::support::env::STRONGROOM);
    let said = env.finish(command, b"").success();
    assert!(said.starts_with("9 ") && said.contains("held by app@"), "{said}");
    assert!(said.contains("for `refresh of xero/1`"), "{said}");
    let _ = env.run("--yes delete TOKEN OTHER").success();
}

#[test]
fn what_is_not_a_lease_and_what_its_owner_let_lapse_are_in_nobodys_way() {
    let (env, cloud) = site();
    cloud.world(|world| world.ssm.seed(Seed { name: LEASE, value: "by hand", kind: "String" }));
    assert_eq!(run(&env, ASK).success(), "had it\n");
    // Its process ends without giving it back.
    let dies = "
import os, strongroom_lease
with strongroom_lease.lease('dies'):
    os._exit(0)
";
    let _ = run(&env, dies).success();
    assert!(run(&env, ASK).success().contains(" for dies"));
    cloud.world(|world| world.ssm.age(LEASE, 120));
    assert_eq!(run(&env, ASK).success(), "had it\n");
    // Somebody's put that came too late hides nothing.
    let _ = run(&env, dies).success();
    let late = r#"{"strongroom":"lease","state":"free","owner":"late","operation":"x","ttl":90000,"nonce":"n","base":1,"after":null}"#;
    cloud.world(|world| world.ssm.seed(Seed { name: LEASE, value: late, kind: "String" }));
    assert!(run(&env, ASK).success().contains(" for dies"));
    // A laptop has none.
    let mut local = python(&env, ASK);
    local.env_remove("XERO_LEASE").env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    assert_eq!(env.finish(local, b"").success(), "had it\n");
}

#[test]
fn an_answer_that_is_lost_leaves_one_holder_who_knows_it() {
    let (env, cloud) = site();
    for effect in [Effect::LoseReply, Effect::InternalAfter, Effect::Internal, Effect::Reset] {
        cloud.heal();
        cloud.fault("ssm:PutParameter", 1..=1, effect);
        assert_eq!(run(&env, &format!("{ASK}{ASK}")).success(), "had it\nhad it\n");
    }
}

/// Takes it again and again; whoever has it makes a file that must not be there yet.
const RACE: &str = "
import os, strongroom_lease
print('ready', flush=True)
for turn in range(6):
    with strongroom_lease.lease(f'turn {turn}', patience=120) as ours:
        ours()
        os.close(os.open('holder', os.O_CREAT | os.O_EXCL))
        os.remove('holder')
print('done')
";

#[test]
fn of_processes_of_both_kinds_that_race_for_it_one_holds_it_at_a_time() {
    let (env, cloud) = site();
    let start = || {
        let mut command = python(&env, RACE);
        let mut app = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(app.stdout.take().unwrap());
        let mut ready = String::new();
        stdout.read_line(&mut ready).unwrap();
        (app, stdout)
    };
    let mut apps = [start(), start()];
    let aws = Aws::new(Settings { quota: Quota { reads: 5_000, writes: 5_000 }, ..settings(&cloud) });
    let terms = Terms::new("ours".to_owned(), Duration::from_secs(90));
    let leases = ParameterLeases::new(Arc::new(aws), LEASE.to_owned(), Vec::new(), terms);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let turns = runtime.block_on(async {
        let mut turns = 0;
        while !apps.iter_mut().all(|(app, _)| app.try_wait().unwrap().is_some()) {
            match leases.take("race").await {
                Ok(lease) => {
                    let file = env.path("holder");
                    OpenOptions::new().write(true).create_new(true).open(&file).unwrap();
                    fs::remove_file(file).unwrap();
                    lease.release().await.unwrap();
                    turns += 1;
                }
                Err(error) if error.kind == ErrorKind::Busy => {}
                Err(error) => panic!("{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        turns
    });
    for (app, mut stdout) in apps {
        let mut said = String::new();
        stdout.read_to_string(&mut said).unwrap();
        let output = app.wait_with_output().unwrap();
        assert_eq!(said, "done\n", "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(turns > 0, "the apps were done before it was ours once");
}

/// A site with a connection, whose time says that it has ended.
fn connected(siblings: Siblings) -> (TestEnv, Cloud, Local) {
    let xero = Local::start();
    xero.world(|world| world.behaviour.siblings = siblings);
    let (env, cloud) = site_of(&xero.url(local::TOKEN), &xero.url(""));
    let (access, refresh) = xero.login("demo", &["Acme Ltd"]);
    let tenant = xero.world(|world| world.tenants.values().next().unwrap()[0].id.clone());
    let values = [
        ("client_id", local::CLIENT_ID),
        ("client_secret", local::CLIENT_SECRET),
        ("access_token", &access),
        ("refresh_token", &refresh),
        ("tenant_id", &tenant),
        ("token_expires_at", "1763800000"),
    ];
    for (key, value) in values {
        let name = format!("/dev-app/xero/1/{key}");
        cloud.world(|world| world.ssm.seed(Seed { name: &name, value, kind: "SecureString" }));
    }
    (env, cloud, xero)
}

/// The program of the app, which asks the local Xero.
fn token(env: &TestEnv, xero: &Local) -> std::process::Command {
    let url = xero.url(local::TOKEN);
    let script =
        format!("import xero_tokens\nxero_tokens.TOKEN_URL = '{url}'\nprint(xero_tokens.access_token(1))");
    let mut command = python(env, &script);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn held(cloud: &Cloud, key: &str) -> String {
    cloud.world(|world| world.ssm.held(&format!("/dev-app/xero/1/{key}")).unwrap()).value
}

#[test]
fn of_three_workers_that_need_a_token_one_refreshes_and_all_have_it() {
    for siblings in [Siblings::Valid, Siblings::LastOnly] {
        let (mut env, cloud, xero) = connected(siblings);
        become_bearer(&cloud, &mut env, "prod", "instance");
        let workers: Vec<_> = (0..3).map(|_| token(&env, &xero).spawn().unwrap()).collect();
        let mut given = Vec::new();
        for worker in workers {
            let output = worker.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            given.push(String::from_utf8(output.stdout).unwrap().trim().to_owned());
        }
        assert_eq!(xero.count(local::TOKEN), 1, "{siblings:?}");
        let newest = xero.newest("demo").unwrap();
        assert_eq!((held(&cloud, "refresh_token"), xero.standing(&newest)), (newest.clone(), Standing::Live));
        assert!(given.iter().all(|one| *one == held(&cloud, "access_token")));
        assert!(xero.world(|world| world.bearer(&given[0])).is_some());
    }
}

/// The same token is never sent twice, and what stands at the end is good.
#[test]
fn an_app_and_a_rotation_that_refresh_at_the_same_time_use_no_token_twice() {
    for siblings in [Siblings::Valid, Siblings::LastOnly] {
        let (env, cloud, xero) = connected(siblings);
        let workers: Vec<_> = (0..2).map(|_| token(&env, &xero).spawn().unwrap()).collect();
        let mut codes = Vec::new();
        for _ in 0..8 {
            codes.push(env.run("--yes rotate xero/1").code.unwrap());
        }
        for worker in workers {
            let output = worker.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        assert!(codes.iter().all(|code| [0, 9].contains(code)) && codes.contains(&0), "{codes:?}");
        let twice = xero.world(|world| world.refresh.iter().filter(|one| one.uses > 1).count());
        assert_eq!(twice, 0, "{siblings:?}");
        let newest = xero.newest("demo").unwrap();
        assert_eq!((held(&cloud, "refresh_token"), xero.standing(&newest)), (newest.clone(), Standing::Live));
        assert!(xero.world(|world| world.bearer(&held(&cloud, "access_token"))).is_some());
    }
}
