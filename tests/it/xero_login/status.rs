//! What `xero status` says of connections, as home has them.

use super::{Site, local};
use jiff::{SignedDuration, Timestamp};
use std::fs;
use strongroom::document::{Document, State};
use strongroom::seal::{self, Identities};

impl Site {
    /// As if the refresh token of a connection had been written so many days ago.
    fn age(&self, instance: &str, days: i64) {
        let identities =
            Identities::parse(&fs::read(self.env.config("identity.txt")).unwrap(), &mut || None).unwrap();
        let path = self.env.path(".strongroom/local.age");
        let plain = seal::open(&fs::read(&path).unwrap(), &identities).unwrap();
        let mut document = Document::from_json(&plain).unwrap();
        let address = format!("xero/{instance}/refresh_token").parse().unwrap();
        let section = document.sections.iter_mut().find(|section| section.state == State::Held).unwrap();
        let entry = section.records.get_mut(&address).unwrap().entry.as_mut().unwrap();
        entry.modified = Some(Timestamp::now() - SignedDuration::from_hours(24 * days));
        fs::write(path, seal::seal(&document.to_json(), &identities.recipients()).unwrap()).unwrap();
    }
}

#[test]
fn each_connection_is_told_with_what_is_left_and_what_is_wrong() {
    let site = Site::with_vault();
    let said = site.env.run("xero status");
    assert!(said.stderr.contains("no connection yet"), "{}", said.stderr);
    let site = site.with_app("1").with_app("2").with_app("10");
    site.local.login("demo", &["Acme Ltd"]);
    let _ = site.login("1").success();
    let _ = site.login("2").success();
    let tenant = site.get("xero/1/tenant_id");

    let output = site.env.run("xero status --check");
    assert_eq!(output.code, Some(3), "10 has no login");
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert!(lines[0].starts_with("CONNECTION  ORGANISATION"), "{}", output.stdout);
    assert!(lines[1].starts_with("xero/1 ") && lines[3].starts_with("xero/10 "), "{}", output.stdout);
    assert!(lines[1].contains(&tenant) && lines[1].contains("29 min left") && lines[1].contains("59 d left"));
    assert!(!output.stdout.contains('█'), "in a pipe it is words");
    assert!(output.stderr.contains("xero/10: nobody has logged in for it: `strongroom xero login xero/10`"));
    assert!(!output.stderr.contains("missing"), "a login brings the rest: {}", output.stderr);

    let mut delete = site.env.run("--yes delete xero/10/client_id xero/10/client_secret");
    delete.code.take_if(|code| *code == 0).unwrap();
    let _ = site.env.run("xero status --check").success();
    for (days, code, told) in [
        (44, 0, ""),
        (46, 3, "ends in 13 d unless it is used: `strongroom rotate xero/1`"),
        (61, 3, "not used for 60 days"),
    ] {
        site.age("1", days);
        let output = site.env.run("xero status --check");
        assert_eq!(output.code, Some(code), "{}", output.stderr);
        assert!(output.stderr.contains(told), "{}", output.stderr);
        // `doctor` says the same, by what it has read.
        let doctor = site.env.run("doctor --json");
        let doctor: serde_json::Value = serde_json::from_str(&doctor.stdout).unwrap();
        let found = doctor["findings"].as_array().unwrap().iter();
        let found: Vec<_> = found.filter(|one| one["code"] == "xero-connection").collect();
        assert_eq!(found.len(), usize::from(code == 3), "{doctor}");
        if let Some(one) = found.first() {
            assert!(one["what"].as_str().unwrap().starts_with("xero/1: its refresh token"), "{one}");
            let fix = if days < 60 { "rotate xero/1`" } else { "xero login xero/1`" };
            assert!(one["fix"].as_str().unwrap().ends_with(fix), "{one}");
        }
    }
    let _ = site.env.run("--yes delete xero/2/tenant_id xero/2/client_secret").success();
    site.set("xero/2/token_expires_at", "tomorrow");
    let output = site.env.run("xero status");
    let missing = "xero/2: client_secret, tenant_id missing: `strongroom set xero/2/client_secret`";
    assert!(output.stderr.contains(missing), "{}", output.stderr);
    assert!(output.stderr.contains("token_expires_at is no time that is known"), "{}", output.stderr);
    let _ = output.success();
    assert_eq!(site.local.count(local::CONNECTIONS), 2, "Xero is asked by the logins only");
}

#[test]
fn xero_is_asked_for_names_where_somebody_says_so_and_the_document_has_no_token() {
    let site = Site::with_vault().with_app("1");
    site.local.login("demo", &["Acme Ltd"]);
    let _ = site.login("1").success();
    let said = site.env.run("xero status --ask").success();
    assert!(said.contains("Acme Ltd"), "{said}");
    let text = site.env.run("xero status --ask --json").success();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let row = &document["connections"][0];
    assert_eq!((&document["kind"], &row["tenant_name"]), (&"xero-status".into(), &"Acme Ltd".into()));
    assert_eq!((&row["connection"], &row["missing"]), (&"xero/1".into(), &serde_json::json!([])));
    assert!(row["refresh_left"].as_i64().unwrap() > 59 * 86_400);
    for token in ["access_token", "refresh_token"] {
        assert!(!text.contains(&site.get(&format!("xero/1/{token}"))));
    }
    site.local.world(|world| world.tenants.clear());
    let output = site.env.run("xero status --ask");
    assert!(output.stderr.contains("not connected to its organisation any more"), "{}", output.stderr);
    site.local.advance(SignedDuration::from_mins(31));
    let output = site.env.run("xero status --ask");
    assert!(output.stderr.contains("status 401"), "{}", output.stderr);
    let _ = output.success();
}

#[test]
fn on_a_terminal_lives_are_bars() {
    let site = Site::with_vault().with_app("1");
    site.local.login("demo", &["Acme Ltd"]);
    let _ = site.login("1").success();
    let terminal = site.env.terminal("xero status");
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    // The session takes each byte for a character.
    let full: String = "████████".bytes().map(char::from).collect();
    assert!(shown.contains(&format!("{full} 29 min")), "{shown}");
}
