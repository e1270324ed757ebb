//! What is asked of Xero: a token, and who it is good for.
//!
//! Owns the form, the client's login, and the addresses. Each call is one request.

use super::connections::{self, Connection};
use super::outcome::{KEPT, Outcome};
use super::{Pkce, XeroError};
use crate::journal::Answer;
use crate::secret::Secret;
use crate::web::{self, Patience, Question};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Where Xero is. An address is https, or a loopback one.
#[derive(Debug, Clone, Copy)]
pub struct Xero<'a> {
    /// Where tokens are exchanged.
    pub token_url: &'a str,
    /// The API, without `/connections`.
    pub api_url: &'a str,
    /// How long is waited.
    pub patience: Patience,
}

/// The app, as it is registered at Xero.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its secret; an app for desktops has none.
    pub secret: Option<&'a Secret>,
}

/// For what a token is asked.
#[derive(Debug)]
pub enum Grant<'a> {
    /// For a refresh token, which is used up by it.
    Refresh(&'a Secret),
    /// For the code that a person's login gave.
    Code {
        /// The code.
        code: &'a Secret,
        /// What the login was begun with.
        pkce: &'a Pkce,
        /// Where the person was sent back to.
        redirect: &'a str,
    },
    /// For being the app: a Custom Connection, which has no refresh token.
    Client,
}

impl Xero<'_> {
    /// Whether secrets may be sent to both addresses, without sending anything.
    pub fn check(&self) -> Result<(), XeroError> {
        web::check_private(self.token_url)?;
        web::check_private(self.api_url)?;
        Ok(())
    }

    /// Asks for a token, once. An error says what became of the refresh token; an outcome has to be sealed first.
    pub async fn token(&self, client: &Client<'_>, grant: &Grant<'_>) -> Result<Outcome, XeroError> {
        let form = form(client, grant);
        let login = client.secret.map(|secret| basic(client.id, secret));
        let login = login.as_ref().map(|login| login.as_str());
        let reply = web::ask(self.token_url, Question::Form(&form), login, KEPT, self.patience).await?;
        Ok(Outcome::from(reply))
    }

    /// Which organisations an access token is good for: all that its user connected to the app.
    pub async fn connections(&self, access_token: &Secret) -> Result<Vec<Connection>, XeroError> {
        let address = format!("{}/connections", self.api_url.trim_end_matches('/'));
        let bearer = Zeroizing::new(format!("Bearer {}", access_token.expose()));
        let reply = web::ask(&address, Question::Get, Some(&bearer), KEPT, self.patience).await?;
        connections::read(&Outcome::from(reply))
    }
}

/// RFC 6749, 2.3.1: id and secret are form-encoded first.
fn basic(id: &str, secret: &Secret) -> Zeroizing<String> {
    let mut pair = Zeroizing::new(encoded(id));
    pair.push(':');
    pair.push_str(&Zeroizing::new(encoded(secret.expose())));
    let coded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
    Zeroizing::new(format!("Basic {}", *coded))
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// No scope is sent with a refresh: what was agreed to stays agreed to.
fn form(client: &Client<'_>, grant: &Grant<'_>) -> Answer {
    let mut fields: Vec<(&str, &str)> = match grant {
        Grant::Refresh(token) => vec![("grant_type", "refresh_token"), ("refresh_token", token.expose())],
        Grant::Code { code, pkce, redirect } => vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", redirect),
            ("code_verifier", pkce.verifier.expose()),
        ],
        Grant::Client => vec![("grant_type", "client_credentials")],
    };
    if client.secret.is_none() {
        fields.push(("client_id", client.id));
    }
    // At worst each byte becomes three: it never grows, which would leave a copy behind.
    let length: usize = fields.iter().map(|(name, value)| name.len() + 3 * value.len() + 2).sum();
    let mut form = Zeroizing::new(String::with_capacity(length));
    for (name, value) in fields {
        if !form.is_empty() {
            form.push('&');
        }
        form.push_str(name);
        form.push('=');
        for part in form_urlencoded::byte_serialize(value.as_bytes()) {
            form.push_str(part);
        }
    }
    Answer::new(std::mem::take(&mut *form).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned()).unwrap()
    }

    fn text(form: &Answer) -> &str {
        std::str::from_utf8(form.expose()).unwrap()
    }

    #[test]
    fn a_refresh_sends_the_token_and_nothing_of_the_client() {
        let (token, key) = (secret("invented+token/="), secret("x"));
        let client = Client { id: "ID", secret: Some(&key) };
        let form = form(&client, &Grant::Refresh(&token));
        assert_eq!(text(&form), "grant_type=refresh_token&refresh_token=invented%2Btoken%2F%3D");
    }

    #[test]
    fn a_client_without_a_secret_names_itself_in_the_form() {
        let token = secret("t");
        let form = form(&Client { id: "ID", secret: None }, &Grant::Refresh(&token));
        assert_eq!(text(&form), "grant_type=refresh_token&refresh_token=t&client_id=ID");
    }

    #[test]
    fn a_colon_in_the_id_does_not_move_the_border_of_the_secret() {
        let login = basic("a:b", &secret("c d:é"));
        let pair = STANDARD.decode(login.strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(pair, b"a%3Ab:c+d%3A%C3%A9");
    }

    #[test]
    fn tokens_are_not_sent_in_clear_over_a_network() {
        let there = |token_url, api_url| Xero { token_url, api_url, patience: Patience::default() }.check();
        assert!(there("https://identity.example/token", "http://127.0.0.1:8080").is_ok());
        assert!(matches!(there("http://identity.example/", "https://x.example"), Err(XeroError::Unsent(_))));
        assert!(matches!(there("https://identity.example/", "http://x.example"), Err(XeroError::Unsent(_))));
    }
}
