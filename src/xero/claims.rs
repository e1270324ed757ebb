//! What a JWT says of itself.
//!
//! Owns the reading of Xero's access tokens, for what helps: whose they are and when they end. Nothing is verified and
//! nothing is decided by it that Xero would not decide again.

use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

/// What an access token says of itself; each part is missing where it is not there or not plain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// `xero_userid`: two connections of one user share their tokens.
    pub user: Option<String>,
    /// `client_id`.
    pub client: Option<String>,
    /// `nbf`, or `iat`: of two pairs the later one was minted later.
    pub issued: Option<Timestamp>,
    /// `exp`.
    pub expires: Option<Timestamp>,
    /// `scope`: what the user agreed to.
    pub scopes: Vec<String>,
}

#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow)]
    xero_userid: Option<&'a RawValue>,
    #[serde(borrow)]
    client_id: Option<&'a RawValue>,
    #[serde(borrow)]
    nbf: Option<&'a RawValue>,
    #[serde(borrow)]
    iat: Option<&'a RawValue>,
    #[serde(borrow)]
    exp: Option<&'a RawValue>,
    #[serde(borrow)]
    scope: Option<&'a RawValue>,
}

impl Claims {
    /// Reads them; a token that is no JWT says nothing.
    pub fn of(token: &Secret) -> Claims {
        Claims::read(token.expose()).unwrap_or_default()
    }

    fn read(token: &str) -> Option<Claims> {
        let mut parts = token.split('.');
        let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let json = Zeroizing::new(URL_SAFE_NO_PAD.decode(payload).ok()?);
        let written: Written<'_> = serde_json::from_slice(&json).ok()?;
        Some(Claims {
            user: written.xero_userid.and_then(word),
            client: written.client_id.and_then(word),
            issued: written.nbf.or(written.iat).and_then(moment),
            expires: written.exp.and_then(moment),
            scopes: written.scope.and_then(scopes).unwrap_or_default(),
        })
    }
}

/// A text that may be shown: ids are hexadecimal digits and dashes.
fn word(raw: &RawValue) -> Option<String> {
    let text: String = serde_json::from_str(raw.get()).ok()?;
    let plain =
        (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    plain.then_some(text)
}

/// A list, or words with a space between two of them; nothing where one of them is no scope.
fn scopes(raw: &RawValue) -> Option<Vec<String>> {
    let listed = serde_json::from_str::<Vec<String>>(raw.get());
    let words =
        || serde_json::from_str::<String>(raw.get()).map(|text| text.split(' ').map(str::to_owned).collect());
    let scopes = listed.or_else(|_| words()).ok()?;
    let plain = |scope: &String| {
        (1..=64).contains(&scope.len())
            && scope.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    (scopes.len() <= 64 && scopes.iter().all(plain)).then_some(scopes)
}

fn moment(raw: &RawValue) -> Option<Timestamp> {
    let seconds: i64 = raw.get().parse().ok()?;
    Timestamp::from_second(seconds).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in crate::xero) fn jwt(claims: &str) -> String {
        format!("eyJhbGciOiJub25lIn0.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    fn claims(token: &str) -> Claims {
        Claims::of(&Secret::new(token.to_owned()).unwrap())
    }

    #[test]
    fn a_token_tells_its_user_and_its_end() {
        let token = jwt(r#"{"nbf":1795356000,"exp":1795357800,"xero_userid":"1b2c-3d","client_id":"AB"}"#);
        let told = claims(&token);
        assert_eq!((told.user.as_deref(), told.client.as_deref()), (Some("1b2c-3d"), Some("AB")));
        assert_eq!(told.expires.unwrap().as_second() - told.issued.unwrap().as_second(), 1800);
    }

    #[test]
    fn scopes_are_a_list_or_words() {
        let of = |scope: &str| claims(&jwt(&format!(r#"{{"scope":{scope}}}"#))).scopes;
        assert_eq!(
            of(r#"["offline_access","accounting.settings"]"#),
            ["offline_access", "accounting.settings"]
        );
        assert_eq!(of(r#""offline_access accounting.settings""#), ["offline_access", "accounting.settings"]);
        for none in ["7", "[1]", r#"["a b"]"#, r#"["\u001b"]"#, r#""""#] {
            assert_eq!(of(none), [""; 0], "{none}");
        }
    }

    #[test]
    fn what_is_odd_is_not_there_and_leaves_the_rest() {
        let token = jwt(r#"{"exp":"soon","nbf":1.5,"xero_userid":"a b\u001b","client_id":"AB","aud":["x"]}"#);
        assert_eq!(claims(&token), Claims { client: Some("AB".to_owned()), ..Claims::default() });
        for none in ["", "opaque", "a.b", "a.!.c", "a.e30.c.d", &jwt("[]"), &jwt(r#"{"exp":1,"exp":2}"#)] {
            assert_eq!(claims(none), Claims::default(), "{none}");
        }
    }

    proptest! {
        #[test]
        fn no_token_is_too_odd(text in "[^\0]*", inner: Vec<u8>) {
            claims(&text);
            claims(&format!("x.{}.y", URL_SAFE_NO_PAD.encode(inner)));
        }
    }
}
