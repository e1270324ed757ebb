//! Xero: the local one is judged by clients that others wrote, and ours by the local one.

mod faults;

use crate::support::provision;
use crate::support::xero::{self as local, Xero as Local};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use strongroom::secret::Secret;
use strongroom::web::{self, Patience, Question};
use strongroom::xero::{
    AccessToken, Claims, Client, Grant, LoginError, Pkce, RefreshToken, Spelling, Tokens, Xero, XeroError,
    authorize_address, redirected,
};

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned()).unwrap()
}

/// What is asked of the local Xero as its invented app.
struct Ours {
    token_url: String,
    api_url: String,
    id: &'static str,
    secret: Option<Secret>,
    patience: Patience,
}

impl Ours {
    fn of(local: &Local) -> Ours {
        let patience = Patience { connect: Duration::from_secs(20), total: Duration::from_secs(60) };
        let (token_url, api_url) = (local.url(local::TOKEN), local.url(""));
        Ours {
            token_url,
            api_url,
            id: local::CLIENT_ID,
            secret: Some(secret(local::CLIENT_SECRET)),
            patience,
        }
    }

    fn xero(&self) -> Xero<'_> {
        Xero { token_url: &self.token_url, api_url: &self.api_url, patience: self.patience }
    }

    async fn refresh(&self, token: &str) -> Result<Tokens, XeroError> {
        self.ask(&Grant::Refresh(&secret(token))).await
    }

    async fn ask(&self, grant: &Grant<'_>) -> Result<Tokens, XeroError> {
        let client = Client { id: self.id, secret: self.secret.as_ref() };
        Tokens::parse(&self.xero().token(&client, grant).await?.minted()?)
    }
}

#[test]
fn clients_that_others_wrote_find_the_local_xero_as_they_expect_it() {
    let local = Local::start();
    local.login("demo", &["Acme", "Beta"]);
    let mut python = Command::new(provision::oauth());
    python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/xero/clients.py")).arg(local.url(""));
    python.args([local::CLIENT_ID, local::CLIENT_SECRET, local::CUSTOM_ID]);
    python
        .env("AUTHLIB_INSECURE_TRANSPORT", "1")
        .env("OAUTHLIB_INSECURE_TRANSPORT", "1")
        .env("NO_PROXY", "*");
    let output = python.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_refresh_gives_a_pair_that_tells_its_user_its_end_and_its_organisations() {
    let local = Local::start();
    let (before, first) = local.login("demo", &["Acme", "Beta"]);
    let ours = Ours::of(&local);
    let tokens = ours.refresh(&first).await.unwrap();
    assert_eq!(local.newest("demo").unwrap(), tokens.refresh_token.expose());

    let claims = &tokens.access.claims;
    assert_eq!(claims.user, local.world(|world| world.users.get("demo").cloned()));
    assert_eq!(
        (claims.client.as_deref(), claims.user.clone()),
        (Some(local::CLIENT_ID), Claims::of(&secret(&before)).user)
    );
    let now = local.world(|world| world.now());
    let life = tokens.access.expires_at(now).duration_since(now).as_secs();
    assert!((1700..=1800).contains(&life), "{life}");

    let connections = ours.xero().connections(&tokens.access.token).await.unwrap();
    let names: Vec<_> = connections.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["Acme", "Beta"]);
}

#[tokio::test]
async fn the_end_of_a_token_is_by_the_clock_of_xero() {
    let local = Local::start();
    let (_, first) = local.login("demo", &["Acme"]);
    local.advance(jiff::SignedDuration::from_mins(10));
    let here = jiff::Timestamp::now();
    let access = Ours::of(&local).refresh(&first).await.unwrap().access;
    let life = access.expires_at(here).duration_since(here).as_secs();
    assert!((2399..=2460).contains(&life), "{life}");
    let behind = access.ahead(here).unwrap().as_secs();
    assert!((-660..=-599).contains(&behind), "{behind}");
}

#[tokio::test]
async fn a_token_that_a_user_took_back_is_refused_and_its_organisations_are_gone() {
    let local = Local::start();
    let (_, first) = local.login("demo", &["Acme"]);
    let ours = Ours::of(&local);
    let tokens = ours.refresh(&first).await.unwrap();
    local.world(|world| world.disconnect(local::CLIENT_ID, "demo"));
    assert_eq!(ours.xero().connections(&tokens.access.token).await.unwrap(), []);
    let error = ours.refresh(tokens.refresh_token.expose()).await.unwrap_err();
    assert!(matches!(error, XeroError::Grant { request: Some(_) }), "{error}");
    assert_eq!(error.refresh_token(), RefreshToken::Refused);
}

#[tokio::test]
async fn an_access_token_that_has_ended_is_told_from_a_missing_organisation() {
    let local = Local::start();
    let (access, _) = local.login("demo", &["Acme"]);
    local.advance(jiff::SignedDuration::from_mins(31));
    let error = Ours::of(&local).xero().connections(&secret(&access)).await.unwrap_err();
    assert!(matches!(error, XeroError::Access { status: 401 }), "{error}");
}

#[tokio::test]
async fn a_wrong_secret_is_found_without_using_up_the_token() {
    let local = Local::start();
    let (_, first) = local.login("demo", &["Acme"]);
    for status in [400, 401] {
        local.world(|world| world.behaviour.wrong_client = status);
        let ours = Ours { secret: Some(secret("wrong")), ..Ours::of(&local) };
        let error = ours.refresh(&first).await.unwrap_err();
        assert!(matches!(error, XeroError::Client { .. }), "{error}");
        assert_eq!(
            (error.refresh_token(), local.standing(&first)),
            (RefreshToken::Unspent, local::Standing::Live)
        );
    }
    // A second secret can be tried before it is stored: a token that never was is refused after the client is known.
    let error = Ours::of(&local).refresh("probe-not-a-token").await.unwrap_err();
    assert!(matches!(error, XeroError::Grant { .. }), "{error}");
    let custom = Ours { id: local::CUSTOM_ID, ..Ours::of(&local) };
    assert!(matches!(custom.refresh(&first).await.unwrap_err(), XeroError::NotAllowed { .. }));
}

#[tokio::test]
async fn any_character_in_a_secret_arrives() {
    let local = Local::start();
    let odd = "in+vented:secret/of nobody%20&é=";
    local.world(|world| world.apps.get_mut(local::CLIENT_ID).unwrap().secrets.push(odd.to_owned()));
    let (_, first) = local.login("demo", &["Acme"]);
    let ours = Ours { secret: Some(secret(odd)), ..Ours::of(&local) };
    assert!(ours.refresh(&first).await.is_ok());
}

#[tokio::test]
async fn a_custom_connection_gets_its_token_without_a_refresh_token() {
    let local = Local::start();
    let ours = Ours { id: local::CUSTOM_ID, ..Ours::of(&local) };
    let client = Client { id: ours.id, secret: ours.secret.as_ref() };
    let answer = ours.xero().token(&client, &Grant::Client).await.unwrap().minted().unwrap();
    assert!(Tokens::parse(&answer).is_err());
    assert!(AccessToken::parse(&answer).unwrap().expires_in.is_some());
}

#[tokio::test]
async fn a_login_ends_with_a_pair_and_only_the_browser_that_began_it_has_the_code() {
    let local = Local::start();
    local.login("demo", &["Acme"]);
    local.login("else@example.com", &["Other"]);
    let pkce = Pkce::new(&[7; 32], &[8; 32]);
    let redirect = "http://localhost:8765/callback";
    let scopes = ["accounting.settings".to_owned()];
    let address = authorize_address(&local.url(local::AUTHORIZE), local::CLIENT_ID, redirect, &scopes, &pkce);
    let browser = async |more: &str| {
        let address = format!("{address}{more}");
        let reply =
            web::ask(&address, Question::Get, None, &["location"], Patience::default()).await.unwrap();
        reply.headers.first().map(|(_, there)| there.clone()).unwrap_or_default()
    };
    assert_eq!(browser("").await, "", "it asks which user");
    assert_eq!(redirected(&browser("&deny=1").await, &pkce).unwrap_err(), LoginError::Denied);

    let back = browser("&user=demo").await;
    assert_eq!(redirected(&back, &Pkce::new(&[7; 32], &[9; 32])).unwrap_err(), LoginError::OtherLogin);
    let code = redirected(&back, &pkce).unwrap();
    let ours = Ours::of(&local);
    let tokens = ours.ask(&Grant::Code { code: &code, pkce: &pkce, redirect }).await.unwrap();
    assert_eq!(local.newest("demo").unwrap(), tokens.refresh_token.expose());

    let again = ours.ask(&Grant::Code { code: &code, pkce: &pkce, redirect }).await.unwrap_err();
    assert!(matches!(again, XeroError::Grant { .. }), "{again}");
    let other = redirected(&browser("&user=demo").await, &pkce).unwrap();
    let thief = Pkce::new(&[1; 32], &[8; 32]);
    let stolen = ours.ask(&Grant::Code { code: &other, pkce: &thief, redirect }).await.unwrap_err();
    assert!(matches!(stolen, XeroError::Grant { .. }), "{stolen}");
}

/// The app's own datetime reads what is written in each spelling.
#[test]
fn python_reads_each_spelling_as_the_time_that_was_meant() {
    let examples = [
        "1795357805",
        "1795357805.25",
        "2026-11-22T14:30:05Z",
        "2026-11-22T14:30:05.000000",
        "2026-11-22T14:30:05+00:00",
        "2026-11-22 14:30:05.000001+00:00",
        "2026-11-23T01:30:05+11:00",
        "2026-11-22 14:30:05",
    ];
    let at: jiff::Timestamp = "2027-06-07T08:09:10.123456Z".parse().unwrap();
    let script = r"
import sys
from datetime import datetime, timezone
for text in sys.argv[1:]:
    try:
        print(int(float(text)))
    except ValueError:
        at = datetime.fromisoformat(text.replace('Z', '+00:00'))
        print(int((at if at.tzinfo else at.replace(tzinfo=timezone.utc)).timestamp()))
";
    let written = examples.map(|text| Spelling::read(text, None).unwrap().0.write(at));
    let output = Command::new("python3").args(["-c", script]).args(written).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().collect::<Vec<_>>(), vec![at.as_second().to_string(); examples.len()]);
}
