//! The URL of a login as those read it who use it: dj-database-url, django-environ and psycopg. A password of any
//! characters is the same for all of them, and what is beside the login is not touched by a rotation.

use super::super::rig::site::APP;
use super::{local, takes};
use crate::support::env::TestEnv;
use crate::support::provision;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Everything that means something somewhere: in a URL, in percent-encoding, to a shell, to Python, in a .env file.
const PASSWORDS: [&str; 8] = [
    "p@ss:w/rd?x#y",
    "100%25 %zz %p{x}",
    "a+b c&d=e;f,g",
    "[::1]~!*'()<>|^",
    "\"quoted\" 'twice' `thrice`",
    "back\\slash$HOME${HOME}$$",
    "\u{e9}\u{df}\u{1f600}\u{4e2d}",
    "/@:?#[]%",
];

/// What each reader understood of a URL, once all of it logged in as `user`.
fn read(url: &str, user: &str) -> Vec<Vec<String>> {
    let mut python = Command::new(provision::database_urls());
    python.args(["-c", include_str!("clients.py")]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = python.spawn().unwrap();
    child.stdin.take().unwrap().write_all(url.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "no login with {url}");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["session"], user);
    let readers = ["dj-database-url", "django-environ", "psycopg"];
    readers.iter().map(|reader| serde_json::from_value(told[reader].clone()).unwrap()).collect()
}

fn get(env: &TestEnv, key: &str) -> String {
    env.run(&format!("get {key}")).success()
}

#[test]
fn a_url_with_a_password_of_any_characters_says_the_same_to_all_who_read_it() {
    let (runtime, cluster, env) = local("alternating");
    let port = cluster.port().to_string();
    for password in PASSWORDS {
        let quoted = password.replace('\'', "''");
        runtime.block_on(cluster.sql(&format!("ALTER ROLE app PASSWORD '{quoted}'")));
        env.run_with_stdin("set RDS_PASSWORD", password).success();
        for understood in read(&get(&env, "DATABASE_URL"), "app") {
            assert_eq!(understood, ["app", password, "127.0.0.1", "postgres", &port]);
        }
    }
}

#[test]
fn a_login_is_rotated_from_a_password_of_any_characters_and_a_url_keeps_the_rest_of_its_bytes() {
    let (runtime, cluster, env) = local("alternating");
    let manifest = env.read("strongroom.toml");
    let manifest = manifest
        .replace("DATABASE_URL = {", "WORKER_URL = { secret = true }\nDATABASE_URL = {")
        .replace("[rotate.database]", "[rotate.database]\nurls = [\"WORKER_URL\"]");
    env.write("strongroom.toml", manifest);
    env.run_with_stdin("set WORKER_URL", format!("postgres://app:{APP}@127.0.0.1/x")).success();
    env.run("rotate database --setup").success();
    // Encoded by somebody else, who writes small letters and encodes what need not be.
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let rest = format!(
        "@127.0.0.1:{}/postgres?sslmode=disable&options=-c%20search_path%3dpublic&target_session_attrs=any",
        cluster.port()
    );
    for password in PASSWORDS {
        let user = get(&env, "RDS_USERNAME");
        let quoted = password.replace('\'', "''");
        runtime.block_on(cluster.sql(&format!("ALTER ROLE {user} PASSWORD '{quoted}'")));
        env.run_with_stdin("set RDS_PASSWORD", password).success();
        let url = format!("postgresql://{user}:{}{rest}", encode(password));
        read(&url, &user);
        env.run_with_stdin("set WORKER_URL", url).success();
        env.run("rotate database").success();
        let (new, its) = (get(&env, "RDS_USERNAME"), get(&env, "RDS_PASSWORD"));
        assert!(new != user && takes(&runtime, &cluster, &new, &its));
        assert_eq!(get(&env, "WORKER_URL"), format!("postgresql://{new}:{its}{rest}"));
        for url in ["WORKER_URL", "DATABASE_URL"] {
            for understood in read(&get(&env, url), &new) {
                assert_eq!(understood[..2], [new.clone(), its.clone()]);
            }
        }
    }
}
