//! The login of a person: where the browser is sent, and what it comes back with.
//!
//! Owns PKCE, the state that ties the answer to the question, and the reading of the address that the browser was sent
//! back to. It opens nothing and listens nowhere.

use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// Without it Xero gives no refresh token.
const OFFLINE: &str = "offline_access";

/// What a login is begun with, and ended with: nobody who only saw the address can use the code.
#[derive(Debug)]
pub struct Pkce {
    pub(super) verifier: Secret,
    state: Secret,
}

impl Pkce {
    /// Makes one of random bytes that are used for nothing else.
    pub fn new(verifier: &[u8; 32], state: &[u8; 32]) -> Pkce {
        let text = |bytes: &[u8; 32]| Secret::new(URL_SAFE_NO_PAD.encode(bytes)).expect("base64 has no NUL");
        Pkce { verifier: text(verifier), state: text(state) }
    }

    /// RFC 7636, 4.2: what is shown of the verifier.
    fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.expose()))
    }
}

/// The address that a person opens in a browser. `offline_access` is always asked for.
pub fn authorize_address(
    authorize_url: &str,
    client_id: &str,
    redirect: &str,
    scopes: &[String],
    pkce: &Pkce,
) -> String {
    let mut asked: Vec<&str> = Vec::new();
    for scope in scopes.iter().map(String::as_str).chain([OFFLINE]) {
        if !asked.contains(&scope) {
            asked.push(scope);
        }
    }
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("response_type", "code")
        .append_pair("client_id", client_id)
        .append_pair("redirect_uri", redirect)
        .append_pair("scope", &asked.join(" "))
        .append_pair("state", pkce.state.expose())
        .append_pair("code_challenge", &pkce.challenge())
        .append_pair("code_challenge_method", "S256")
        .finish();
    let sign = if authorize_url.contains('?') { '&' } else { '?' };
    // In a form a space is a plus, which not everybody reads back in an address.
    format!("{authorize_url}{sign}{}", query.replace('+', "%20"))
}

/// Why an address that a browser was sent back to gives no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// It has no `code`.
    #[error("the address has no code in it; paste the whole address that the browser shows after the login")]
    NoCode,
    /// It is of another login.
    #[error(
        "the address is of another login: its state is not the one of this login; log in again from the start"
    )]
    OtherLogin,
    /// The person said no.
    #[error("the login was refused or cancelled (access_denied)")]
    Denied,
    /// Xero refused for another reason.
    #[error("Xero refused the login ({0})")]
    Refused(&'static str),
    /// Something is there twice.
    #[error("the address has `{0}` twice; log in again from the start")]
    Twice(&'static str),
}

impl LoginError {
    /// Whether it is the answer to this login all the same: only who has its state says so.
    pub fn is_of_this_login(&self) -> bool {
        matches!(self, LoginError::Denied | LoginError::Refused(_))
    }
}

/// OAuth's and OpenID's reasons, which are quoted; others might repeat anything.
const REASONS: &[&str] = &[
    "invalid_request",
    "invalid_scope",
    "invalid_redirect_uri",
    "unauthorized_client",
    "unsupported_response_type",
    "server_error",
    "temporarily_unavailable",
    "login_required",
    "consent_required",
    "interaction_required",
];

/// The code in the address that the browser was sent back to: the whole address, or what stands behind its `?`.
pub fn redirected(address: &str, pkce: &Pkce) -> Result<Secret, LoginError> {
    let address = address.trim();
    let query = address.split_once('?').map_or(address, |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let mut seen = BTreeSet::new();
    let (mut code, mut state, mut error) = (None, None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = Zeroizing::new(value.into_owned());
        let (name, slot) = match name.as_ref() {
            "code" => ("code", &mut code),
            "state" => ("state", &mut state),
            "error" => ("error", &mut error),
            _ => continue,
        };
        if !seen.insert(name) {
            return Err(LoginError::Twice(name));
        }
        *slot = Secret::new(value.to_string()).ok();
    }
    // Before anything else in it is believed.
    if (code.is_some() || error.is_some()) && !state.is_some_and(|state| state.same_as(&pkce.state)) {
        return Err(LoginError::OtherLogin);
    }
    if let Some(error) = error {
        let reason = REASONS.iter().find(|reason| **reason == error.expose());
        return Err(match error.expose() {
            "access_denied" => LoginError::Denied,
            _ => LoginError::Refused(reason.copied().unwrap_or("for a reason that OAuth does not know")),
        });
    }
    code.filter(|code| !code.is_empty()).ok_or(LoginError::NoCode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pkce() -> Pkce {
        Pkce::new(&[1; 32], &[2; 32])
    }

    /// RFC 7636, appendix B.
    #[test]
    fn the_challenge_is_the_one_of_the_rfc() {
        let octets = [
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105,
            214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
        ];
        let pkce = Pkce::new(&octets, &[0; 32]);
        assert_eq!(pkce.verifier.expose(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(pkce.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn the_address_asks_for_everything_and_for_a_refresh_token_too() {
        let scopes = ["accounting.settings".to_owned(), "offline_access".to_owned()];
        let there = "https://login.example/authorize";
        let address = authorize_address(there, "ID", "http://localhost:8080/x?y", &scopes, &pkce());
        let (base, query) = address.split_once('?').unwrap();
        let fields: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let field = |name: &str| fields.iter().find(|(own, _)| own == name).unwrap().1.as_str();
        assert_eq!((base, field("client_id"), field("response_type")), (there, "ID", "code"));
        assert_eq!(field("scope"), "accounting.settings offline_access");
        assert_eq!(field("redirect_uri"), "http://localhost:8080/x?y");
        assert_eq!((field("state").len(), field("code_challenge_method")), (43, "S256"));
        assert!(!address.contains('+') && !address.contains(pkce().verifier.expose()), "{address}");
    }

    #[test]
    fn only_the_answer_to_this_login_gives_a_code() {
        let state = pkce().state.expose().to_owned();
        let read = |query: &str| {
            let query = query.replace("STATE", &state);
            redirected(&query, &pkce()).map(|code| code.expose().to_owned())
        };
        let good = Ok("a/b c".to_owned());
        assert_eq!(read("http://localhost:1/?code=a%2Fb%20c&state=STATE&scope=x"), good);
        assert_eq!(read("  code=a%2Fb+c&state=STATE#_=_\n"), good);
        assert_eq!(read("http://localhost:1/?code=x"), Err(LoginError::OtherLogin));
        assert_eq!(read("http://localhost:1/?code=x&state=other"), Err(LoginError::OtherLogin));
        assert_eq!(read("http://localhost:1/?error=access_denied"), Err(LoginError::OtherLogin));
        assert_eq!(read("?error=access_denied&state=STATE"), Err(LoginError::Denied));
        assert_eq!(read("?error=invalid_scope&state=STATE"), Err(LoginError::Refused("invalid_scope")));
        assert!(!read("?error=canary&state=STATE").unwrap_err().to_string().contains("canary"));
        assert_eq!(read("?code=x&code=y&state=STATE"), Err(LoginError::Twice("code")));
        assert_eq!(read("?code=&state=STATE"), Err(LoginError::NoCode));
        for nothing in ["", "http://localhost:1/", "abc", "?state=STATE"] {
            assert_eq!(read(nothing), Err(LoginError::NoCode), "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn no_address_is_too_odd(text in "\\PC*") {
            prop_assert!(redirected(&text, &pkce()).is_err());
        }
    }
}
