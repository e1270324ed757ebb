//! HTTP with servers that are not AWS: the app itself, asked whether it answers, and Xero.
//!
//! Owns the one client, over rustls with ring. It follows no redirect, asks nothing twice, and knows no meaning: whoever
//! asks says what is sent, and gets bytes. A secret is sent over https, or to a loopback address.

use crate::journal::Answer;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use std::net::IpAddr;
use std::time::Duration;

/// How long one question may take, in all.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no answer. Its text never holds what was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebError {
    /// It is no address that can be asked.
    #[error("`{0}` is no http:// or https:// address")]
    Address(String),
    /// The address has a login in it, which would be told wherever the address is.
    #[error("the address has a login in it, and would be kept in the journal and in reports")]
    Login,
    /// Nobody answered: refused, no such host, a certificate that is not good, or too slow.
    #[error("{host} does not answer: {reason}")]
    Silent {
        /// Who was asked.
        host: String,
        /// The innermost cause, as the system tells it.
        reason: String,
    },
    /// It would carry a secret over a network in clear.
    #[error("{0} is neither https:// nor a loopback address: secrets are not sent there")]
    InClear(String),
    /// The question cannot be put: a part of it is no text that HTTP carries.
    #[error(
        "the question to {0} cannot be put: what it is asked with has characters that HTTP does not carry"
    )]
    Unspeakable(String),
    /// Nobody was reached, so nothing was sent.
    #[error("{host} was not reached: {reason}")]
    Unsent {
        /// Who was to be asked.
        host: String,
        /// The innermost cause, as the system tells it.
        reason: String,
    },
    /// The question may have arrived, and there is no whole answer.
    #[error("{host} did not answer: {reason}")]
    Unanswered {
        /// Who was asked.
        host: String,
        /// The innermost cause, as the system tells it.
        reason: String,
    },
}

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For all of it, to the last byte of the answer.
    pub total: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience { connect: Duration::from_secs(5), total: PATIENCE }
    }
}

/// A question that carries a secret.
#[derive(Debug)]
pub enum Question<'a> {
    /// A GET.
    Get,
    /// A POST of a form, encoded already.
    Form(&'a Answer),
}

/// What a server said, before anybody looks into it.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers that were wanted, as far as they are text.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Answer,
}

/// The longest answer that is read.
const LONGEST: usize = 1 << 20;

/// Asks once, with that `Authorization`, and keeps those headers of the answer.
pub async fn ask(
    address: &str,
    question: Question<'_>,
    authorization: Option<&str>,
    keep: &[&'static str],
    patience: Patience,
) -> Result<Reply, WebError> {
    let url = private(address)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let failed = |error: reqwest::Error| {
        let reason = innermost(&error, patience.total);
        let host = host.clone();
        if error.is_connect() || error.is_builder() {
            WebError::Unsent { host, reason }
        } else {
            WebError::Unanswered { host, reason }
        }
    };
    let mut builder = builder().timeout(patience.total).connect_timeout(patience.connect);
    if is_loopback(&url) {
        builder = builder.no_proxy();
    }
    let client = builder.build().map_err(failed)?;
    let mut request = match question {
        Question::Get => client.get(url),
        Question::Form(form) => client
            .post(url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.expose().to_vec()),
    };
    if let Some(authorization) = authorization {
        let value = HeaderValue::from_str(authorization);
        let mut value = value.map_err(|_| WebError::Unspeakable(host.clone()))?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    let answer = request.header("accept", "application/json").send().await.map_err(failed)?;
    read(answer, keep, &host, failed).await
}

async fn read(
    mut answer: reqwest::Response,
    keep: &[&'static str],
    host: &str,
    failed: impl Fn(reqwest::Error) -> WebError,
) -> Result<Reply, WebError> {
    let status = answer.status().as_u16();
    let text =
        |name: &'static str| answer.headers().get(name)?.to_str().ok().map(|text| (name, text.to_owned()));
    let headers = keep.iter().filter_map(|name| text(name)).collect();
    // Room for all of it, so that growing leaves no copy behind.
    let mut body = zeroize::Zeroizing::new(Vec::with_capacity(64 * 1024));
    while let Some(part) = answer.chunk().await.map_err(&failed)? {
        if body.len() + part.len() > LONGEST {
            let reason = format!("its answer is longer than {LONGEST} bytes");
            return Err(WebError::Unanswered { host: host.to_owned(), reason });
        }
        body.extend_from_slice(&part);
    }
    Ok(Reply { status, headers, body: Answer::new(std::mem::take(&mut *body)) })
}

/// Whether secrets may be sent to an address, without sending any.
pub fn check_private(address: &str) -> Result<(), WebError> {
    private(address).map(drop)
}

fn private(address: &str) -> Result<reqwest::Url, WebError> {
    let url = parsed(address)?;
    let in_clear = url.scheme() != "https" && !is_loopback(&url);
    if in_clear { Err(WebError::InClear(url.host_str().unwrap_or_default().to_owned())) } else { Ok(url) }
}

fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The status code that a GET of this address is answered with; a redirect is an answer like any other.
pub async fn status(address: &str) -> Result<u16, WebError> {
    let url = parsed(address)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let silent =
        |error: reqwest::Error| WebError::Silent { host: host.clone(), reason: innermost(&error, PATIENCE) };
    let answer = client().map_err(silent)?.get(url).send().await.map_err(silent)?;
    Ok(answer.status().as_u16())
}

/// Whether the address is one that [`status`] can ask and that may be told, without asking.
pub fn check(address: &str) -> Result<(), WebError> {
    let url = parsed(address)?;
    let login = !url.username().is_empty() || url.password().is_some();
    if login { Err(WebError::Login) } else { Ok(()) }
}

/// An address as it may be told: without what stands behind its path.
pub fn shown(address: &str) -> String {
    address.split(['?', '#']).next().unwrap_or_default().to_owned()
}

fn parsed(address: &str) -> Result<reqwest::Url, WebError> {
    let url = reqwest::Url::parse(address).ok().filter(|_| !address.contains(char::is_whitespace));
    let url = url.filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
    url.ok_or_else(|| WebError::Address(address.escape_debug().take(80).collect()))
}

fn client() -> Result<reqwest::Client, reqwest::Error> {
    builder().timeout(PATIENCE).build()
}

fn builder() -> reqwest::ClientBuilder {
    // A second call finds it done, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().redirect(Policy::none()).retry(reqwest::retry::never())
}

/// What is at the bottom of an error: what is above it repeats the address, which may hold a login.
fn innermost(error: &reqwest::Error, patience: Duration) -> String {
    if error.is_timeout() {
        return format!("not within {} seconds", patience.as_secs_f32());
    }
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_has_a_status() {
        for good in ["http://127.0.0.1:8000/health", "https://app.example/"] {
            assert!(check(good).is_ok(), "{good}");
        }
        assert_eq!(shown("https://app.example/health?token=invented"), "https://app.example/health");
        assert!(matches!(check("https://ops:invented@app.example/"), Err(WebError::Login)));
        let bad =
            ["", "app.example", "ftp://app.example/", "file:///etc/passwd", "https://", "http://a.b/c d"];
        for bad in bad {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_go_over_https_or_stay_on_this_machine() {
        for good in [
            "https://identity.example/token",
            "http://127.0.0.1:1/",
            "http://[::1]:1/",
            "http://localhost:1/",
        ] {
            assert!(check_private(good).is_ok(), "{good}");
        }
        for bad in [
            "http://identity.example/",
            "http://10.0.0.1/",
            "http://localhost.example/",
            "http://127.0.0.1.example/",
        ] {
            assert!(matches!(check_private(bad), Err(WebError::InClear(_))), "{bad}");
        }
    }

    #[tokio::test]
    async fn where_nobody_listens_nothing_was_sent() {
        let form = Answer::new(b"a=invented-token".to_vec());
        let asked =
            ask("http://127.0.0.1:1/x", Question::Form(&form), Some("Basic eA=="), &[], Patience::default());
        assert!(matches!(asked.await, Err(WebError::Unsent { .. })));
    }

    #[tokio::test]
    async fn nobody_there_is_told_without_the_login_of_the_address() {
        let error = status("http://somebody:invented-pw@127.0.0.1:1/x").await.unwrap_err().to_string();
        assert!(error.starts_with("127.0.0.1 does not answer: "), "{error}");
        assert!(!error.contains("invented-pw"), "{error}");
    }
}
