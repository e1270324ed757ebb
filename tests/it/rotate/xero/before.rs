//! What is found out before a token is sent, and who has left a login meanwhile.

use super::site::{RECORD, Site, Tokens, each};
use crate::support::cloud;
use crate::support::policy;
use crate::support::xero::{self as local, Effect, Standing};
use serde_json::json;
use std::sync::Arc;

/// When somebody logs an instance in as another user.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// Just before one of our writes: the lease, two times put back, the intent, the answer, the first token.
    BeforePut(usize),
    /// While Xero is asked.
    InTheCall,
}

#[test]
fn an_instance_that_is_logged_in_as_another_user_meanwhile_keeps_his_tokens() {
    let moments = (1..=6).map(Moment::BeforePut).chain([Moment::InTheCall]);
    let cases: Vec<_> = moments.flat_map(|moment| ["1", "2"].map(|who| (moment, who))).collect();
    each(&cases, |(moment, who)| {
        let site = Site::connected("ssm");
        let shared = site.connect("2", "demo", "Beta Ltd");
        site.store("1", &shared);
        let (other, name) = (site.elsewhere(), *who);
        let login = Arc::new(move || drop(other.connect(name, "somebody", "Other Ltd")));
        match *moment {
            Moment::BeforePut(put) => {
                site.cloud.fault("ssm:PutParameter", put..=put, cloud::Effect::Meanwhile(login));
            }
            Moment::InTheCall => site.xero.fault(local::TOKEN, 1..=1, Effect::Meanwhile(login)),
        }
        let output = site.env.run("rotate xero/1 --yes");
        let what = format!("{moment:?} {who}: {}", output.stderr);
        assert_eq!(output.code, Some(0), "{what}");
        // Whose token it is, the access token tells: each of both users has an instance of his own.
        let user = |instance| {
            let tokens: Tokens = site.tokens(instance);
            assert_eq!(site.xero.standing(&tokens.refresh), Standing::Live, "{what}");
            site.xero.world(|world| world.bearer(&tokens.access)).unwrap_or_else(|| panic!("{what}"))
        };
        assert_ne!(user("1"), user("2"), "{what}");
        let warned = output.stderr.contains(&format!("xero/{who} is not of the login that is refreshed"));
        // The first one names the login: where it was somebody else's from the start, that is the one that is refreshed.
        let named = (*who == "1") && matches!(moment, Moment::BeforePut(1));
        assert!(warned || named, "{what}");
        assert_eq!(site.unfinished(), 0, "{what}");
    });
}

#[test]
fn tokens_that_may_not_be_written_are_found_before_one_is_spent() {
    for home in ["ssm", "secretsmanager"] {
        let mut site = Site::connected(home);
        let mut allowed = policy::of(&site.env, "prod", "rotator");
        let (actions, tokens) = match home {
            "ssm" => ("ssm:PutParameter", "arn:aws:ssm:us-east-1:111122223333:parameter/dev-app/xero/*"),
            _ => {
                ("secretsmanager:*SecretV*", "arn:aws:secretsmanager:us-east-1:111122223333:secret:*/xero/*")
            }
        };
        let deny = match home {
            "ssm" => json!({"Effect": "Deny", "Action": actions, "Resource": tokens}),
            _ => json!({"Effect": "Deny", "Action": ["secretsmanager:PutSecretValue",
                "secretsmanager:UpdateSecretVersionStage", "secretsmanager:UpdateSecret"], "Resource": tokens}),
        };
        allowed["Statement"].as_array_mut().unwrap().push(deny);
        let key = "AKIAINVENTED00READER";
        site.cloud.principal(key, "arn:aws:iam::111122223333:user/reader", &allowed.to_string()).unwrap();
        for (name, value) in site.cloud.environment_of(key) {
            site.env.set(name, value);
        }
        let before = site.tokens("1");
        let output = site.env.run("rotate xero --yes");
        assert_eq!(output.code, Some(5), "{home}: {}", output.stderr);
        assert!(output.stderr.contains("home cannot be written, so nothing was sent"), "{}", output.stderr);
        assert_eq!((site.xero.count(local::TOKEN), site.unfinished()), (0, 0), "{home}");
        assert_eq!(site.tokens("1"), before, "{home}");
    }
}

#[test]
fn what_shows_that_home_can_be_written_is_one_write_of_what_is_there() {
    let site = Site::connected("ssm");
    let texts = |key: &str| {
        let name = format!("/dev-app/xero/1/{key}");
        site.cloud.world(|world| world.ssm.past(&name)).into_iter().map(|(_, text)| text).collect::<Vec<_>>()
    };
    let before = texts("token_expires_at");
    let _ = site.env.run("rotate xero --yes").success();
    let after = texts("token_expires_at");
    assert_eq!((after.len(), &after[1]), (3, &before[0]), "as it was, and then the new one");
    assert_eq!((texts("refresh_token").len(), texts("access_token").len()), (2, 2));
}

#[test]
fn without_the_apps_id_or_secret_nothing_is_begun_and_the_key_is_named() {
    for missing in ["client_id", "client_secret"] {
        let site = Site::new("ssm");
        let (access, refresh) = site.xero.login("demo", &["Acme Ltd"]);
        site.store("1", &Tokens { refresh, access, expires: super::SPELLED.to_owned() });
        let there = if missing == "client_id" { "client_secret" } else { "client_id" };
        site.put("1", there, "invented");
        let output = site.env.run("rotate xero --yes");
        assert_eq!(output.code, Some(8), "{missing}: {}", output.stderr);
        let set = format!("`strongroom set xero/1/{missing}`");
        assert!(output.stderr.contains(&set), "{missing}: {}", output.stderr);
        assert!(output.stderr.contains("nothing was sent"), "{missing}: {}", output.stderr);
        assert_eq!((site.xero.count(local::TOKEN), site.unfinished()), (0, 0), "{missing}");
        assert!(site.cloud.world(|world| world.ssm.past(&format!("{RECORD}/1"))).is_empty(), "{missing}");
    }
}

#[test]
fn a_time_that_is_spelled_in_no_known_way_is_told_with_its_instance() {
    let site = Site::connected("ssm");
    assert!(!site.env.run("rotate xero --dry-run").stderr.contains("RFC 3339"));
    site.put("1", "token_expires_at", "half past two");
    let output = site.env.run("rotate xero --dry-run");
    let told = "xero/1: token_expires_at is written in no way that is known here";
    assert!(output.stderr.contains(told), "{}", output.stderr);
    assert!(!output.stderr.contains("half past two"), "{}", output.stderr);
}
