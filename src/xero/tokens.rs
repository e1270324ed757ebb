//! A pair of tokens, out of an answer that was sealed.
//!
//! Owns how strictly it is read. The refresh token must be beyond doubt: twice in one answer is not. What is said of the
//! time may be odd, and then it is taken for as late as is safe.

use super::{Claims, Outcome, XeroError};
use crate::journal::Answer;
use crate::secret::Secret;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

/// The longest that an access token is believed to live; Xero's live for half an hour.
const LONGEST: i64 = 24 * 60 * 60;

/// A pair of tokens.
#[derive(Debug)]
pub struct Tokens {
    /// For calls.
    pub access: AccessToken,
    /// For the next pair.
    pub refresh_token: Secret,
}

/// A token for calls, with what is known about its time.
#[derive(Debug)]
pub struct AccessToken {
    /// The token.
    pub token: Secret,
    /// What it says of itself.
    pub claims: Claims,
    /// How many seconds it is good for, where that was said and can be true.
    pub expires_in: Option<i64>,
    /// Xero's time when it answered.
    pub answered: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow)]
    access_token: Option<&'a RawValue>,
    #[serde(borrow)]
    refresh_token: Option<&'a RawValue>,
    #[serde(borrow)]
    expires_in: Option<&'a RawValue>,
}

impl Tokens {
    /// Reads a pair.
    pub fn parse(answer: &Answer) -> Result<Tokens, XeroError> {
        let (access, refresh_token) = read(answer)?;
        let refresh_token = refresh_token.ok_or(unreadable("it has no refresh_token"))?;
        Ok(Tokens { access, refresh_token })
    }
}

impl AccessToken {
    /// Reads the answer to [`super::Grant::Client`], which has no refresh token.
    pub fn parse(answer: &Answer) -> Result<AccessToken, XeroError> {
        read(answer).map(|(access, _)| access)
    }

    /// When it ends, by Xero's clock where Xero told its time: as it says itself, or as the answer said, whichever is
    /// earlier. Where neither can be true it ends when it came: whoever uses it then asks for the next one.
    pub fn expires_at(&self, received: Timestamp) -> Timestamp {
        let from = self.answered.unwrap_or(received);
        let said =
            self.expires_in.and_then(|seconds| from.checked_add(SignedDuration::from_secs(seconds)).ok());
        let likely = |at: &Timestamp| (0..=LONGEST).contains(&(at.as_second() - from.as_second()));
        let ends = [said, self.claims.expires.filter(likely)];
        ends.into_iter().flatten().min().unwrap_or(from)
    }

    /// How far the clock here is ahead of Xero's.
    pub fn ahead(&self, received: Timestamp) -> Option<SignedDuration> {
        self.answered.map(|answered| received.duration_since(answered))
    }
}

fn unreadable(reason: &'static str) -> XeroError {
    XeroError::Unreadable { reason }
}

fn read(answer: &Answer) -> Result<(AccessToken, Option<Secret>), XeroError> {
    let outcome = Outcome::of(answer).ok_or(unreadable("what was kept of it is damaged"))?;
    // What the parser complains of may quote a token.
    let written: Written<'_> = serde_json::from_slice(outcome.body()).map_err(|error| {
        unreadable(match error.classify() {
            serde_json::error::Category::Eof => "it is cut off",
            serde_json::error::Category::Data => "a token is there twice, or it is no object",
            _ => "it is no JSON",
        })
    })?;
    let token = secret(written.access_token)?.ok_or(unreadable("it has no access_token"))?;
    let refresh_token = secret(written.refresh_token)?;
    let claims = Claims::of(&token);
    let access = AccessToken {
        token,
        claims,
        expires_in: written.expires_in.and_then(seconds),
        answered: outcome.date(),
    };
    Ok((access, refresh_token))
}

/// A token; an empty one is none.
fn secret(raw: Option<&RawValue>) -> Result<Option<Secret>, XeroError> {
    let Some(raw) = raw else { return Ok(None) };
    let text = serde_json::from_str::<String>(raw.get()).map(Zeroizing::new);
    let mut text = text.map_err(|_| unreadable("a token is no text"))?;
    if text.is_empty() {
        return Ok(None);
    }
    // It goes into a header and a form: whatever is not visible ASCII was never Xero's.
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(unreadable("a token has characters that no token has"));
    }
    Secret::new(std::mem::take(&mut *text)).map(Some).map_err(|_| unreadable("a token has a NUL byte"))
}

/// Also where it is written as a text; what cannot be true, as milliseconds, was not said.
fn seconds(raw: &RawValue) -> Option<i64> {
    let seconds: i64 = raw.get().trim_matches('"').parse().ok()?;
    (0..=LONGEST).contains(&seconds).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::super::claims::tests::jwt;
    use super::super::outcome::tests::outcome;
    use super::*;
    use crate::xero::RefreshToken;
    use proptest::prelude::*;

    const AT: i64 = 1_795_356_000;

    fn answer(body: &str) -> Answer {
        let date = [("date", "Sun, 22 Nov 2026 14:00:00 GMT")];
        outcome(200, &date, body.as_bytes()).minted().unwrap()
    }

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_pair_is_read_whatever_stands_beside_it() {
        let body = r#"{"id_token":"x","access_token":"AA","expires_in":1800,"token_type":"Bearer",
            "refresh_token":"RR","scope":"offline_access","new":{"refresh_token":"no"}}"#;
        let tokens = Tokens::parse(&answer(body)).unwrap();
        assert_eq!((tokens.access.token.expose(), tokens.refresh_token.expose()), ("AA", "RR"));
        assert_eq!(tokens.access.answered, Some(time(AT)));
        assert!(!format!("{tokens:?}").contains("RR"));
    }

    #[test]
    fn an_answer_with_any_doubt_about_the_tokens_is_not_read_and_may_have_spent_the_old_one() {
        let bad = [
            "",
            "null",
            "[]",
            "<html></html>",
            r#"{"access_token":"canary","refresh_tok"#,
            r#"{"access_token":"canary","expires_in":1800}"#,
            r#"{"refresh_token":"canary","expires_in":1800}"#,
            r#"{"access_token":"canary","refresh_token":""}"#,
            r#"{"access_token":"canary","refresh_token":null}"#,
            r#"{"access_token":"canary","refresh_token":["canary"]}"#,
            r#"{"access_token":"canary","refresh_token":"canary","refresh_token":"canary2"}"#,
            r#"{"access_token":"canary","refresh_token":"can\u0000ary"}"#,
            r#"{"access_token":"canary","refresh_token":"can\nary"}"#,
            r#"{"access_token":"canary","refresh_token":"canary"} {}"#,
        ];
        for body in bad {
            let error = Tokens::parse(&answer(body)).unwrap_err();
            assert_eq!(error.refresh_token(), RefreshToken::MayBeSpent, "{body}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
        assert!(Tokens::parse(&Answer::new(b"not ours".to_vec())).is_err());
    }

    #[test]
    fn the_end_is_by_the_servers_clock_and_never_later_than_anybody_said() {
        let ends = |expires_in: &str, access: &str| {
            let body =
                format!(r#"{{"access_token":"{access}","refresh_token":"R","expires_in":{expires_in}}}"#);
            // The clock here is four minutes ahead.
            Tokens::parse(&answer(&body)).unwrap().access.expires_at(time(AT + 240)).as_second() - AT
        };
        let says = |seconds: i64| jwt(&format!(r#"{{"exp":{}}}"#, AT + seconds));
        assert_eq!(ends("1800", "opaque"), 1800);
        assert_eq!(ends("1800", &says(1799)), 1799);
        assert_eq!(ends("1700", &says(1800)), 1700);
        assert_eq!(ends(r#""1800""#, "opaque"), 1800);
        assert_eq!(ends("1800000", &says(1800)), 1800);
        assert_eq!(ends("1800", &says(-10_000_000)), 1800);
        for odd in ["1800000", "null", "-5", "1.5e9", "{}"] {
            assert_eq!(ends(odd, "opaque"), 0, "{odd}");
        }
    }

    #[test]
    fn a_custom_connection_has_no_refresh_token() {
        let access = AccessToken::parse(&answer(r#"{"access_token":"A","expires_in":1800}"#)).unwrap();
        assert_eq!(access.token.expose(), "A");
    }

    proptest! {
        #[test]
        fn an_answer_that_is_cut_anywhere_is_no_pair(at in 0_usize..69) {
            let whole = r#"{"access_token":"AAAA","refresh_token":"RRRR","expires_in":1800}"#;
            if at < whole.len() {
                prop_assert!(Tokens::parse(&answer(&whole[..at])).is_err());
            }
        }
    }
}
