//! HTTP with servers that are not AWS: the app itself, asked whether it answers.
//!
//! Owns the one client, over rustls with ring. It follows no redirect, sends nothing of ours, and keeps no answer.

use reqwest::redirect::Policy;
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
    /// Nobody answered: refused, no such host, a certificate that is not good, or too slow.
    #[error("{host} does not answer: {reason}")]
    Silent {
        /// Who was asked.
        host: String,
        /// The innermost cause, as the system tells it.
        reason: String,
    },
}

/// The status code that a GET of this address is answered with; a redirect is an answer like any other.
pub async fn status(address: &str) -> Result<u16, WebError> {
    let url = parsed(address)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let silent = |error: reqwest::Error| WebError::Silent { host: host.clone(), reason: innermost(&error) };
    let answer = client().map_err(silent)?.get(url).send().await.map_err(silent)?;
    Ok(answer.status().as_u16())
}

/// Whether the address is one that [`status`] can ask, without asking.
pub fn check(address: &str) -> Result<(), WebError> {
    parsed(address).map(drop)
}

fn parsed(address: &str) -> Result<reqwest::Url, WebError> {
    let url = reqwest::Url::parse(address).ok();
    let url = url.filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
    url.ok_or_else(|| WebError::Address(address.escape_debug().take(80).collect()))
}

fn client() -> Result<reqwest::Client, reqwest::Error> {
    // A second call finds it done, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().redirect(Policy::none()).timeout(PATIENCE).build()
}

/// What is at the bottom of an error: what is above it repeats the address, which may hold a login.
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("not within {} seconds", PATIENCE.as_secs());
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
        for bad in ["", "app.example", "ftp://app.example/", "file:///etc/passwd", "https://"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn nobody_there_is_told_without_the_login_of_the_address() {
        let error = status("http://somebody:invented-pw@127.0.0.1:1/x").await.unwrap_err().to_string();
        assert!(error.starts_with("127.0.0.1 does not answer: "), "{error}");
        assert!(!error.contains("invented-pw"), "{error}");
    }
}
