//! Logins that go wrong: each is told, leaves home as it was, and stands in nobody's way; and what is sealed is stored by
//! whoever goes on.

use super::{Site, browse, get, logged_in, paste, with_person};
use crate::support::env::STRONGROOM;
use crate::support::tree::Tree;
use crate::support::xero::{self as local, Effect, When};
use jiff::SignedDuration;
use rustix::process::{Pid, Signal, kill_process};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};

/// Kills the process that is known by then.
fn killer(id: &Arc<OnceLock<u32>>) -> local::faults::Callback {
    let id = Arc::clone(id);
    Arc::new(move || {
        let pid = i32::try_from(*id.wait()).ok().and_then(Pid::from_raw).unwrap();
        let _ = kill_process(pid, Signal::KILL);
    })
}

/// Whatever else a browser, a scanner or a page of a stranger asks for, the login goes on until its own answer comes.
#[test]
fn only_the_answer_to_this_login_ends_it() {
    let site = Site::with_vault().with_app("1");
    site.local.login("demo", &["Acme Ltd"]);
    let (output, pages) = with_person(&site, "1 --timeout 60", |address, _| {
        let back = logged_in(address, "&user=demo");
        let state = back.split("state=").nth(1).unwrap().split('&').next().unwrap();
        let others = [
            "/favicon.ico".to_owned(),
            "/".to_owned(),
            "/callback".to_owned(),
            "/callback?code=canary-stolen".to_owned(),
            "/callback?code=canary-stolen&state=x".to_owned(),
            "/callback?error=access_denied&state=x".to_owned(),
            format!("/callback?state={state}&state={state}&code=canary-stolen"),
            format!("/callback?state={state}"),
        ];
        let base = site.redirect.trim_end_matches("/callback");
        let host = base.trim_start_matches("http://");
        let mut noise = TcpStream::connect(host).unwrap();
        noise.write_all(b"\x16\x03\x01 not HTTP\r\n\r\n").unwrap();
        drop(noise);
        let pages = others.map(|path| get(&format!("{base}{path}")).1);
        (pages, get(&back).1)
    });
    let (turned_away, page) = pages;
    assert!(turned_away.iter().take(2).all(|page| page.contains("nothing here")), "{turned_away:?}");
    assert!(turned_away.iter().skip(2).all(|page| page.contains("not the login")), "{turned_away:?}");
    assert!(page.contains("Logged in. You can close"), "{page}");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stderr.contains("with the state of another login: turned away"), "{}", output.stderr);
    assert!(!output.stderr.contains("canary"), "{}", output.stderr);
    assert_eq!(site.get("xero/1/refresh_token"), site.local.newest("demo").unwrap());
}

/// Home as it was, and nothing open.
fn is_untouched(site: &Site) {
    let _ = site.env.run("get xero/1/refresh_token").failure(1);
    site.nothing_is_open();
}

#[test]
fn what_a_person_or_a_stranger_does_wrong_changes_nothing_and_says_so() {
    let site = Site::with_vault().with_app("1");
    site.local.login("demo", &["Acme Ltd"]);

    let (output, page) = browse(&site, "1", "&deny=1");
    let said = output.failure_after_data(8);
    assert!(said.contains("access_denied") && page.contains("Not logged in"), "{said} {page}");

    let said = paste(&site, "1", |address| logged_in(address, "&user=demo").replace("state=", "state=x"));
    let said = said.failure_after_data(8);
    assert!(said.contains("of another login"), "{said}");
    let said = paste(&site, "1", |_| "http://localhost/".to_owned()).failure_after_data(8);
    assert!(said.contains("no code"), "{said}");
    let said = paste(&site, "1", |_| String::new()).failure_after_data(2);
    assert!(said.contains("nothing came on stdin"), "{said}");

    // Nobody comes; somebody else listens; nobody can be asked.
    let said = site.login("1 --timeout 0").failure_after_data(8);
    assert!(said.contains("nobody came back"), "{said}");
    let port = site.redirect.split(':').nth(2).unwrap().trim_end_matches("/callback");
    let other = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
    let said = site.login("1").failure(1);
    assert!(
        said.contains(&format!("port {port} of this machine is in use")) && said.contains("--paste"),
        "{said}"
    );
    drop(other);
    let said = site.env.run("xero login 1").failure(2);
    assert!(said.contains("--yes"), "{said}");
    assert_eq!(site.local.count(local::TOKEN), 0);
    is_untouched(&site);
}

#[test]
fn what_xero_refuses_or_does_not_answer_is_told_and_home_is_as_it_was() {
    let site = Site::with_vault().with_app("1");
    site.local.login("demo", &["Acme Ltd"]);
    site.set("xero/1/client_secret", "wrong");
    let said = site.login("1").failure_after_data(8);
    assert!(
        said.contains("invalid_client") && said.contains("`strongroom set xero/1/client_secret`"),
        "{said}"
    );
    site.set("xero/1/client_secret", local::CLIENT_SECRET);

    let effects: [(Effect, &str); 6] = [
        (Effect::Drop(When::After), "did not arrive"),
        (Effect::Cut, "did not arrive"),
        (Effect::Short, "cut off"),
        (Effect::Without("refresh_token"), "no refresh_token"),
        (Effect::Page(When::After, 502), "status 502"),
        (Effect::Error(400, "invalid_grant"), "does not take the code"),
    ];
    for (effect, told) in effects {
        site.local.fault(local::TOKEN, 1..=1, effect);
        let said = site.login("1").failure_after_data(8);
        assert!(said.contains(told) && said.contains("strongroom xero login xero/1"), "{told}: {said}");
        site.local.heal();
        is_untouched(&site);
    }
    site.local.world(|world| world.tenants.clear());
    let said = site.login("1").failure_after_data(8);
    assert!(said.contains("connected to no organisation"), "{said}");
    is_untouched(&site);
}

#[test]
fn a_sealed_answer_is_stored_by_whoever_goes_on_without_a_second_exchange() {
    let site = Site::with_vault().with_app("1");
    site.local.login("demo", &["Acme Ltd"]);
    site.local.fault(local::CONNECTIONS, 1..=1, Effect::Page(When::Before, 503));
    let said = site.login("1").failure_after_data(7);
    assert!(said.contains("asks again, without another login"), "{said}");
    let _ = site.env.run("--yes resume").success();
    assert_eq!(site.local.count(local::TOKEN), 1);
    assert_eq!(site.get("xero/1/refresh_token"), site.local.newest("demo").unwrap());

    // After an hour its access token has ended, and is refreshed before it is stored; so is one after two.
    site.local.fault(local::CONNECTIONS, 1..=2, Effect::Page(When::Before, 503));
    let _ = site.login("1").failure_after_data(7);
    site.local.advance(SignedDuration::from_hours(1));
    let _ = site.env.run("--yes resume").failure(7);
    let _ = site.env.run("--yes resume").success();
    assert_eq!(site.local.count(local::TOKEN), 3);
    let newest = site.local.newest("demo").unwrap();
    assert_eq!(site.get("xero/1/refresh_token"), newest);
    assert_eq!(site.local.standing(&newest), local::Standing::Live);
    site.nothing_is_open();
}

#[test]
fn a_login_that_was_killed_is_gone_on_with_or_ended_by_the_same_command() {
    // While the organisations are asked for, the tokens are sealed; while the code is exchanged, they are not.
    for (path, seals) in [(local::CONNECTIONS, true), (local::TOKEN, false)] {
        let site = Site::with_vault().with_app("1");
        site.local.login("demo", &["Acme Ltd"]);
        let id = Arc::new(OnceLock::new());
        site.local.fault(path, 1..=1, Effect::Afterwards(killer(&id)));
        let mut command = site.env.command(STRONGROOM);
        command.args(["--yes", "xero", "login", "1"]);
        let output = site.env.finish_known(command, b"", |known| id.set(known).unwrap());
        assert_eq!(output.code, None, "{}", output.stderr);
        assert_eq!(site.newest().1, "unfinished");
        let before = Tree::of(&site.env);
        let resume = |words: &str| {
            before.restore(&site.env);
            site.local.heal();
            site.env.run(words)
        };
        for words in ["--yes resume", "--yes xero login 1"] {
            let output = resume(words);
            match seals {
                true => {
                    let _ = output.success();
                    assert_eq!(site.get("xero/1/refresh_token"), site.local.newest("demo").unwrap());
                }
                false => {
                    let said = output.failure(8);
                    assert!(said.contains("interrupted before Xero's answer came"), "{said}");
                    is_untouched(&site);
                }
            }
        }
        assert_eq!(site.local.count(local::TOKEN), 1);
        let _ = resume("--yes undo").success();
        is_untouched(&site);
    }
}
