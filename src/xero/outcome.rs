//! An answer of Xero before anybody looks into its body: what is sealed of it, and what a refusal says.
//!
//! Owns the sealed shape: the status and a few headers stand above the body, so that a process that reads the answer
//! later knows the server's time too.

use super::XeroError;
use crate::journal::Answer;
use crate::web::Reply;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde::Deserialize;
use std::time::Duration;
use zeroize::Zeroizing;

const DATE: &str = "date";
const RETRY: &str = "retry-after";
const PROBLEM: &str = "x-rate-limit-problem";
const REQUEST: &str = "xero-correlation-id";

/// The headers that matter.
pub(super) const KEPT: &[&str] = &[DATE, RETRY, PROBLEM, REQUEST];

const OPENING: &str = "strongroom/answer 1";

/// What Xero answered.
#[derive(Debug)]
pub struct Outcome {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Answer,
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Outcome {
        Outcome { status: reply.status, headers: reply.headers, body: reply.body }
    }
}

impl Outcome {
    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Xero's time when it answered.
    pub fn date(&self) -> Option<Timestamp> {
        self.header(DATE).and_then(http_date)
    }

    pub(super) fn body(&self) -> &[u8] {
        self.body.expose()
    }

    /// What is to be sealed, of an answer that says yes, whether it can be read or not. One that says no has no token in
    /// it, and is what it says.
    pub fn minted(self) -> Result<Answer, XeroError> {
        if (200..300).contains(&self.status) { Ok(self.sealable()) } else { Err(self.refusal()) }
    }

    fn sealable(&self) -> Answer {
        use std::fmt::Write as _;
        let mut head = format!("{OPENING}\nstatus: {}\n", self.status);
        for (name, value) in &self.headers {
            // A header of HTTP has no line break in it.
            let _ = writeln!(head, "{name}: {value}");
        }
        head.push('\n');
        let mut whole = Vec::with_capacity(head.len() + self.body().len());
        whole.extend_from_slice(head.as_bytes());
        whole.extend_from_slice(self.body());
        Answer::new(whole)
    }

    /// What was sealed.
    pub(super) fn of(answer: &Answer) -> Option<Outcome> {
        let whole = answer.expose();
        let end = whole.windows(2).position(|two| two == b"\n\n")?;
        let mut lines = std::str::from_utf8(&whole[..end]).ok()?.lines();
        (lines.next() == Some(OPENING)).then_some(())?;
        let status = lines.next()?.strip_prefix("status: ")?.parse().ok()?;
        let header = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            KEPT.iter().find(|kept| **kept == name).map(|kept| (*kept, value.to_owned()))
        };
        let headers = lines.filter_map(header).collect();
        Some(Outcome { status, headers, body: Answer::new(whole[end + 2..].to_vec()) })
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
    }

    /// What an answer says that is no yes.
    pub(super) fn refusal(&self) -> XeroError {
        let (status, request) = (self.status, self.request());
        if status == 429 {
            let problem = self.header(PROBLEM).filter(|text| is_word(text)).map(str::to_owned);
            return XeroError::TooOften { wait: self.wait(), problem };
        }
        // Only a client's error is OAuth's to tell: a 5xx may carry anything.
        match self.code().as_deref() {
            Some(code) if (400..500).contains(&status) => match code.as_str() {
                "invalid_grant" => XeroError::Grant { request },
                "invalid_client" => XeroError::Client { request },
                "unauthorized_client" => XeroError::NotAllowed { request },
                "invalid_request" => XeroError::Request { code: "invalid_request", request },
                "invalid_scope" => XeroError::Request { code: "invalid_scope", request },
                "unsupported_grant_type" => XeroError::Request { code: "unsupported_grant_type", request },
                _ => XeroError::Broken { status, request },
            },
            _ => XeroError::Broken { status, request },
        }
    }

    /// OAuth's code. A description may repeat what was sent, and is not read.
    fn code(&self) -> Option<Zeroizing<String>> {
        #[derive(Deserialize)]
        struct Said {
            error: String,
        }
        serde_json::from_slice::<Said>(self.body()).ok().map(|said| Zeroizing::new(said.error))
    }

    fn request(&self) -> Option<String> {
        self.header(REQUEST).filter(|text| is_word(text)).map(str::to_owned)
    }

    /// Seconds, or a time, which is measured from the answer's own.
    fn wait(&self) -> Option<Duration> {
        let text = self.header(RETRY)?.trim();
        if let Ok(seconds) = text.parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        let (until, from) = (http_date(text)?, self.date()?);
        Some(Duration::try_from(until.duration_since(from)).unwrap_or_default())
    }
}

fn http_date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// Short enough and plain enough to be quoted.
fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::xero::{Again, RefreshToken};
    use proptest::prelude::*;

    pub(in crate::xero) fn outcome(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> Outcome {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Outcome { status, headers, body: Answer::new(body.to_vec()) }
    }

    /// Status, headers and body; what became of the token, and whether to ask again.
    type Row = (u16, &'static [(&'static str, &'static str)], String, RefreshToken, Again);

    const AT: &str = "Sun, 22 Nov 2026 14:00:00 GMT";

    /// The table of what is seen and what it means for the token that was sent.
    #[test]
    fn each_refusal_says_what_became_of_the_token_and_whether_to_ask_again() {
        use Again::{No, Yes};
        use RefreshToken::{MayBeSpent, Refused, Unspent};
        let after = |seconds| Again::After(Duration::from_secs(seconds));
        let said = |code: &str| format!(r#"{{"error":"{code}"}}"#);
        let html = "<html><body>Bad Gateway</body></html>".to_owned();
        let table: &[Row] = &[
            (400, &[], said("invalid_grant"), Refused, No),
            (400, &[], r#"{"error":"invalid_grant","error_description":"x"}"#.to_owned(), Refused, No),
            (400, &[], said("invalid_client"), Unspent, No),
            (401, &[], said("invalid_client"), Unspent, No),
            (400, &[], said("unauthorized_client"), Unspent, No),
            (400, &[], said("unsupported_grant_type"), Unspent, No),
            (400, &[], said("invalid_request"), Unspent, No),
            (400, &[], said("something_new"), MayBeSpent, No),
            (400, &[], html.clone(), MayBeSpent, No),
            (404, &[], html.clone(), MayBeSpent, No),
            (302, &[], String::new(), MayBeSpent, No),
            (429, &[(RETRY, "37"), (DATE, AT)], String::new(), MayBeSpent, after(37)),
            (
                429,
                &[(RETRY, "Sun, 22 Nov 2026 14:02:00 GMT"), (DATE, AT)],
                html.clone(),
                MayBeSpent,
                after(120),
            ),
            (
                429,
                &[(RETRY, "Sun, 22 Nov 2026 13:02:00 GMT"), (DATE, AT)],
                html.clone(),
                MayBeSpent,
                after(0),
            ),
            (429, &[(RETRY, "-1")], String::new(), MayBeSpent, Yes),
            (429, &[], said("invalid_grant"), MayBeSpent, Yes),
            (500, &[], said("invalid_grant"), MayBeSpent, Yes),
            (502, &[], html.clone(), MayBeSpent, Yes),
            (503, &[], html, MayBeSpent, Yes),
        ];
        for (status, headers, body, token, again) in table {
            let error = outcome(*status, headers, body.as_bytes()).minted().unwrap_err();
            assert_eq!((error.refresh_token(), error.again()), (*token, *again), "{status} {body}: {error}");
            assert!(!error.advice().is_empty());
        }
    }

    #[test]
    fn nothing_of_a_body_and_only_plain_headers_are_told() {
        let headers = [(REQUEST, "canary with blanks"), (PROBLEM, "canary\u{1b}[1m")];
        for status in [302, 400, 401, 404, 429, 500] {
            for body in [
                "canary",
                r#"{"error":"canary"}"#,
                r#"{"error":"invalid_grant","error_description":"canary"}"#,
            ] {
                let outcome = outcome(status, &headers, body.as_bytes());
                let shown = format!("{outcome:?}");
                let error = outcome.minted().unwrap_err();
                let told = format!("{error} {error:?} {}", error.advice());
                assert!(!told.contains("canary"), "{told}");
                assert!(!shown.contains("invalid_grant"), "{shown}");
            }
        }
        let told =
            outcome(400, &[(REQUEST, "0b3f-9a")], br#"{"error":"invalid_grant"}"#).refusal().to_string();
        assert!(told.ends_with("its id for this is 0b3f-9a"), "{told}");
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_what_was_answered(body: Vec<u8>, dated: bool) {
            let headers: &[(&'static str, &str)] = if dated { &[(DATE, AT), (RETRY, "1: 2")] } else { &[] };
            let before = outcome(200, headers, &body);
            let answer = outcome(200, headers, &body).minted().unwrap();
            let after = Outcome::of(&answer).unwrap();
            prop_assert_eq!(after.body(), before.body());
            prop_assert_eq!(&after.headers, &before.headers);
            prop_assert_eq!(after.date().is_some(), dated);
            prop_assert_eq!(after.status(), 200);
        }

        #[test]
        fn any_bytes_that_were_sealed_can_be_looked_at(bytes: Vec<u8>) {
            let _ = Outcome::of(&Answer::new(bytes));
        }
    }
}
