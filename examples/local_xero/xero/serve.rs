//! What each address answers.
//!
//! Owns the strictness of the endpoints: the shape of a request, then the app, then the grant, in this order, as
//! IdentityServer does it. Where it does not know what Xero would do it refuses.

use super::State;
use super::http::{Request, Response};
use super::world::{self, App, Code, World};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub(crate) const TOKEN: &str = "/connect/token";
pub(crate) const CONNECTIONS: &str = "/connections";
pub(crate) const AUTHORIZE: &str = "/identity/connect/authorize";
const REVOCATION: &str = "/connect/revocation";
const DISCOVERY: &str = "/.well-known/openid-configuration";

pub(super) fn answer(state: &mut State, request: &Request) -> Response {
    let world = &mut state.world;
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", TOKEN) => token(world, request).unwrap_or_else(Refused::answer),
        ("POST", REVOCATION) => revocation(world, request).unwrap_or_else(Refused::answer),
        ("GET", AUTHORIZE | "/authorize") => authorize(world, &fields(request.query.as_bytes())),
        ("GET", DISCOVERY) => discovery(world),
        ("GET", CONNECTIONS) => connections(world, request),
        ("DELETE", path) if path.starts_with("/connections/") => disconnect(world, request),
        ("POST", "/_ctl/advance") => advance(world, &fields(request.query.as_bytes())),
        ("GET", "/_ctl/audit") => audit(world),
        (_, TOKEN | REVOCATION | CONNECTIONS | AUTHORIZE) => Response::new(405, "text/plain", ""),
        _ => Response::new(404, "text/plain", ""),
    }
}

/// A refusal in OAuth's words.
struct Refused(u16, &'static str);

impl Refused {
    fn answer(self) -> Response {
        let Refused(status, code) = self;
        let response = Response::json(status, &json!({ "error": code }));
        if status == 401 { response.with("WWW-Authenticate", "Basic realm=\"identity\"") } else { response }
    }
}

const fn refused(code: &'static str) -> Refused {
    Refused(400, code)
}

type Fields = Vec<(String, String)>;

fn fields(bytes: &[u8]) -> Fields {
    form_urlencoded::parse(bytes).into_owned().collect()
}

fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
}

/// A form, and the app that sent it.
fn form(world: &World, request: &Request) -> Result<(Fields, String, App), Refused> {
    let content = request.header("content-type").unwrap_or_default();
    if content.split(';').next() != Some("application/x-www-form-urlencoded") {
        return Err(refused("invalid_request"));
    }
    let fields = fields(&request.body);
    let twice =
        fields.iter().enumerate().any(|(at, (name, _))| fields[..at].iter().any(|(own, _)| own == name));
    if twice {
        return Err(refused("invalid_request"));
    }
    let wrong = || Refused(world.behaviour.wrong_client, "invalid_client");
    let (id, secret) = match request.header("authorization") {
        Some(header) => basic(header).ok_or_else(wrong)?,
        None => {
            let given = |name| field(&fields, name).map(str::to_owned);
            (given("client_id").ok_or_else(wrong)?, given("client_secret").unwrap_or_default())
        }
    };
    let app = world.apps.get(&id).ok_or_else(wrong)?.clone();
    let is_known = if app.secrets.is_empty() { secret.is_empty() } else { app.secrets.contains(&secret) };
    if is_known { Ok((fields, id, app)) } else { Err(wrong()) }
}

/// RFC 6749, 2.3.1: both parts are form-encoded in it.
fn basic(header: &str) -> Option<(String, String)> {
    let pair = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let (id, secret) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    let decoded = |text: &str| fields(format!("x={}", text.replace('&', "%26")).as_bytes()).remove(0).1;
    Some((decoded(id), decoded(secret)))
}

fn token(world: &mut World, request: &Request) -> Result<Response, Refused> {
    let (fields, client, app) = form(world, request)?;
    let grant = field(&fields, "grant_type").unwrap_or_default();
    if !["refresh_token", "authorization_code", "client_credentials"].contains(&grant) {
        return Err(refused("unsupported_grant_type"));
    }
    if !app.grants.contains(&grant) {
        return Err(refused("unauthorized_client"));
    }
    match grant {
        "refresh_token" => {
            let token = field(&fields, "refresh_token").ok_or(refused("invalid_request"))?;
            let taken = world.take(token, &client).ok_or(refused("invalid_grant"))?;
            Ok(pair(world, &client, &taken.user, &taken.scope, Some(token)))
        }
        "authorization_code" => {
            let code = field(&fields, "code").ok_or(refused("invalid_request"))?;
            // Whatever comes of it, it is used up.
            let given = world.codes.remove(code).ok_or(refused("invalid_grant"))?;
            let is_good = given.client == client
                && field(&fields, "redirect_uri") == Some(given.redirect.as_str())
                && world.now() <= given.given + world::CODE
                && given.challenge == field(&fields, "code_verifier").map(challenge);
            if is_good {
                Ok(pair(world, &client, &given.user, &given.scope, None))
            } else {
                Err(refused("invalid_grant"))
            }
        }
        _ => {
            let scope = field(&fields, "scope").unwrap_or("accounting.settings");
            if scope.split(' ').any(|one| ["offline_access", "openid"].contains(&one)) {
                return Err(refused("invalid_scope"));
            }
            let access = world.mint_access(&client, &client, scope);
            let body =
                json!({"access_token": access, "expires_in": 1800, "token_type": "Bearer", "scope": scope});
            Ok(Response::json(200, &body))
        }
    }
}

fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

fn pair(world: &mut World, client: &str, user: &str, scope: &str, parent: Option<&str>) -> Response {
    let access = world.mint_access(client, user, scope);
    let mut body =
        json!({"access_token": access, "expires_in": 1800, "token_type": "Bearer", "scope": scope});
    let has = |wanted: &str| scope.split(' ').any(|one| one == wanted);
    if has("offline_access") {
        body["refresh_token"] = Value::from(world.mint_refresh(client, user, scope, parent));
    }
    if has("openid") {
        let now = world.now().as_second();
        let claims = json!({"iss": world.issuer, "aud": client, "nbf": now, "iat": now, "exp": now + 300,
            "sub": world.users[user].replace('-', ""), "xero_userid": world.users[user]});
        body["id_token"] = Value::from(super::jwt::signed(&claims));
    }
    Response::json(200, &body)
}

fn revocation(world: &mut World, request: &Request) -> Result<Response, Refused> {
    let (fields, client, _) = form(world, request)?;
    let token = field(&fields, "token").ok_or(refused("invalid_request"))?;
    // A token that is not known is no error: RFC 7009.
    world.revoke(token, &client);
    Ok(Response::new(200, "text/plain", ""))
}

/// Logs in whom the address names as `user`, or the only one; otherwise a page to choose.
fn authorize(world: &mut World, fields: &Fields) -> Response {
    let page = |status, text: String| {
        Response::new(status, "text/html; charset=utf-8", format!("<html><body>{text}</body></html>"))
    };
    let wrong = |text: &str| page(400, format!("<p>Error: {text}</p>"));
    let Some(client) = field(fields, "client_id") else { return wrong("unauthorized_client") };
    let Some(app) = world.apps.get(client) else { return wrong("unauthorized_client") };
    let redirect = field(fields, "redirect_uri").unwrap_or_default();
    if !app.redirects.iter().any(|own| own == redirect) {
        return wrong("Invalid redirect_uri");
    }
    let sign = if redirect.contains('?') { '&' } else { '?' };
    let back = |answer: &[(&str, &str)]| {
        let state = field(fields, "state").map(|state| ("state", state));
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(answer.iter().copied().chain(state))
            .finish();
        page(302, String::new()).with("Location", format!("{redirect}{sign}{query}"))
    };
    let scope = field(fields, "scope").unwrap_or_default();
    let method = field(fields, "code_challenge_method").unwrap_or("S256");
    if field(fields, "response_type") != Some("code")
        || method != "S256"
        || !app.grants.contains(&"authorization_code")
    {
        return back(&[("error", "invalid_request")]);
    }
    if scope.split(' ').all(|one| one == "offline_access" || one.is_empty()) {
        return back(&[("error", "invalid_scope")]);
    }
    if field(fields, "deny").is_some() {
        return back(&[("error", "access_denied")]);
    }
    let only = if world.users.len() == 1 { world.users.keys().next().map(String::as_str) } else { None };
    let Some(user) = field(fields, "user").or(only).filter(|user| world.users.contains_key(*user)) else {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let link = |user: &String| {
            format!(
                "<p><a href=\"{AUTHORIZE}?{}&amp;user={user}\">Log in as {user}</a></p>",
                query.replace('&', "&amp;")
            )
        };
        return page(200, world.users.keys().map(link).collect());
    };
    let (code, owned) = (world::random(), str::to_owned);
    let given = Code {
        client: owned(client),
        user: owned(user),
        redirect: owned(redirect),
        scope: owned(scope),
        challenge: field(fields, "code_challenge").map(owned),
        given: world.now(),
    };
    world.codes.insert(code.clone(), given);
    back(&[("code", &code), ("scope", scope)])
}

fn discovery(world: &World) -> Response {
    let issuer = &world.issuer;
    Response::json(
        200,
        &json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}{AUTHORIZE}"),
            "token_endpoint": format!("{issuer}{TOKEN}"),
            "revocation_endpoint": format!("{issuer}{REVOCATION}"),
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
        }),
    )
}

fn bearer(world: &World, request: &Request) -> Result<(String, String), Response> {
    let token = request.header("authorization").and_then(|header| header.strip_prefix("Bearer "));
    token.and_then(|token| world.bearer(token)).ok_or_else(|| {
        let detail =
            if token.is_some() { "TokenExpired: token expired" } else { "AuthenticationUnsuccessful" };
        Response::json(401, &json!({"Type": null, "Title": "Unauthorized", "Status": 401, "Detail": detail}))
    })
}

fn connections(world: &World, request: &Request) -> Response {
    let of = match bearer(world, request) {
        Ok(of) => of,
        Err(refusal) => return refusal,
    };
    let tenants = world.tenants.get(&of).map(Vec::as_slice).unwrap_or_default();
    let list = tenants.iter().map(|tenant| {
        json!({"id": tenant.connection, "authEventId": tenant.connection, "tenantId": tenant.id,
            "tenantType": "ORGANISATION", "tenantName": tenant.name,
            "createdDateUtc": "2026-01-02T03:04:05.1234567", "updatedDateUtc": "2026-01-02T03:04:05.1234567"})
    });
    Response::json(200, &list.collect())
}

fn disconnect(world: &mut World, request: &Request) -> Response {
    let of = match bearer(world, request) {
        Ok(of) => of,
        Err(refusal) => return refusal,
    };
    let id = request.path.trim_start_matches("/connections/");
    let tenants = world.tenants.entry(of).or_default();
    let before = tenants.len();
    tenants.retain(|tenant| tenant.connection != id);
    Response::new(if tenants.len() < before { 204 } else { 404 }, "text/plain", "")
}

fn advance(world: &mut World, fields: &Fields) -> Response {
    let Some(seconds) = field(fields, "seconds").and_then(|text| text.parse().ok()) else {
        return Response::new(400, "text/plain", "advance by how many seconds?\n");
    };
    world.ahead += SignedDuration::from_secs(seconds);
    Response::new(200, "text/plain", format!("{}\n", world.now()))
}

/// The story of every refresh token, without the tokens.
fn audit(world: &World) -> Response {
    let place = |token: &String| world.refresh.iter().position(|one| one.token == *token);
    let list = world.refresh.iter().enumerate().map(|(at, one)| {
        json!({"token": at, "parent": one.parent.as_ref().and_then(place), "client": one.client, "user": one.user,
            "minted": one.minted.to_string(), "consumed": one.consumed.map(|at| at.to_string()), "uses": one.uses,
            "standing": format!("{:?}", world.standing(&one.token))})
    });
    Response::json(200, &list.collect())
}
