//! What can go wrong with Xero, and what it means for the refresh token that was sent.
//!
//! Owns the table of refusals. No text here ever holds a token or a secret.

use crate::web::WebError;
use std::time::Duration;

/// What became of the refresh token that a request carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshToken {
    /// Xero has not looked at it: it is as good as before.
    Unspent,
    /// Xero may have taken it and given another one that nobody has. It is taken again for half an hour from then on.
    MayBeSpent,
    /// Xero does not take it.
    Refused,
}

/// Whether asking again can help without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// No: the same would be said again.
    No,
    /// Yes, after a wait of the asker's choice.
    Yes,
    /// Yes, but not before that.
    After(Duration),
}

/// Why there is no token, or no list of connections.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum XeroError {
    /// Nobody was reached, or the question cannot be put.
    #[error("nothing was sent to Xero")]
    Unsent(#[source] WebError),
    /// The question was sent and there is no whole answer.
    #[error("Xero was asked, and its answer did not arrive")]
    Unanswered(#[source] WebError),
    /// `invalid_grant`: used more than half an hour ago, unused for 60 days, or taken back by a user.
    #[error("Xero does not take this refresh token (invalid_grant){}", quoted(.request))]
    Grant {
        /// The request's id at Xero.
        request: Option<String>,
    },
    /// `invalid_client`: the id or the secret of the app is wrong.
    #[error("Xero does not know this client id with this client secret (invalid_client){}", quoted(.request))]
    Client {
        /// The request's id at Xero.
        request: Option<String>,
    },
    /// `unauthorized_client`: this app may not ask for that.
    #[error("Xero does not allow this app to do that (unauthorized_client){}", quoted(.request))]
    NotAllowed {
        /// The request's id at Xero.
        request: Option<String>,
    },
    /// The request itself is wrong.
    #[error("Xero does not understand the request ({code}){}", quoted(.request))]
    Request {
        /// OAuth's code for it.
        code: &'static str,
        /// The request's id at Xero.
        request: Option<String>,
    },
    /// Too many calls.
    #[error("Xero has been asked too often{}", told(.problem, .wait))]
    TooOften {
        /// How long to wait, where it was said.
        wait: Option<Duration>,
        /// Which limit: `minute`, `day`, …
        problem: Option<String>,
    },
    /// The access token is not taken by the API.
    #[error("Xero's API does not take this access token (status {status})")]
    Access {
        /// 401 or 403.
        status: u16,
    },
    /// Something between here and Xero answered, or Xero is not well.
    #[error("Xero answered with status {status} and nothing that its protocol has{}", quoted(.request))]
    Broken {
        /// The status.
        status: u16,
        /// The request's id at Xero.
        request: Option<String>,
    },
    /// It said yes, in a way that cannot be read.
    #[error("Xero's answer cannot be read: {reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: &'static str,
    },
}

fn quoted(request: &Option<String>) -> String {
    request.as_ref().map(|id| format!("; its id for this is {id}")).unwrap_or_default()
}

fn told(problem: &Option<String>, wait: &Option<Duration>) -> String {
    let problem = problem.as_ref().map(|which| format!(" (limit: {which})")).unwrap_or_default();
    let wait = wait.map(|wait| format!("; it takes calls again in {} s", wait.as_secs())).unwrap_or_default();
    problem + &wait
}

impl From<WebError> for XeroError {
    fn from(error: WebError) -> XeroError {
        match error {
            WebError::Unanswered { .. } | WebError::Silent { .. } => XeroError::Unanswered(error),
            _ => XeroError::Unsent(error),
        }
    }
}

impl XeroError {
    /// What became of the refresh token. Where it is not known for sure, it may be spent.
    pub fn refresh_token(&self) -> RefreshToken {
        match self {
            // The client is checked before the token is looked at; a request that is not understood has no token.
            XeroError::Unsent(_)
            | XeroError::Client { .. }
            | XeroError::NotAllowed { .. }
            | XeroError::Request { .. }
            | XeroError::Access { .. } => RefreshToken::Unspent,
            XeroError::Grant { .. } => RefreshToken::Refused,
            // A 429 or a page of a gateway may stand in front of an answer that was given.
            XeroError::Unanswered(_)
            | XeroError::TooOften { .. }
            | XeroError::Broken { .. }
            | XeroError::Unreadable { .. } => RefreshToken::MayBeSpent,
        }
    }

    /// Whether to ask again.
    pub fn again(&self) -> Again {
        match self {
            XeroError::Unsent(WebError::Unsent { .. })
            | XeroError::Unanswered(_)
            | XeroError::Unreadable { .. } => Again::Yes,
            XeroError::TooOften { wait, .. } => wait.map_or(Again::Yes, Again::After),
            XeroError::Broken { status, .. } if *status >= 500 || *status < 300 => Again::Yes,
            _ => Again::No,
        }
    }

    /// What a person does about it.
    pub fn advice(&self) -> &'static str {
        match self {
            XeroError::Unsent(WebError::Unsent { .. }) => {
                "nothing has changed; check the network and the address, and try again"
            }
            XeroError::Unsent(_) => "nothing has changed; correct token_url and api_url in the manifest",
            XeroError::Unanswered(_) | XeroError::Unreadable { .. } => {
                "the old refresh token is taken for 30 minutes from the first try on: run it again before that"
            }
            XeroError::Grant { .. } => {
                "the token was used up elsewhere, was not used for 60 days, or a user has disconnected the app: authorise it again with `strongroom xero login`"
            }
            XeroError::Client { .. } => {
                "the token was not used up; set the client_secret that the app has at developer.xero.com"
            }
            XeroError::NotAllowed { .. } => {
                "the token was not used up; is the app a Custom Connection, disabled or deleted?"
            }
            XeroError::Request { .. } => "this is an error of strongroom; please report it with the id above",
            XeroError::TooOften { .. } => "wait and run it again",
            XeroError::Access { .. } => {
                "a user may have disconnected the app: look at Connected Apps in Xero, or authorise it again with `strongroom xero login`"
            }
            XeroError::Broken { status, .. } if (300..500).contains(status) => {
                "something else than Xero answers there: check token_url and api_url, and proxies in between"
            }
            XeroError::Broken { .. } => "wait and run it again within 30 minutes from the first try on",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_counts_as_unspent_only_where_xero_cannot_have_looked_at_it() {
        let host = || "identity.example".to_owned();
        let reason = || "invented".to_owned();
        let unsent = XeroError::from(WebError::Unsent { host: host(), reason: reason() });
        assert_eq!((unsent.refresh_token(), unsent.again()), (RefreshToken::Unspent, Again::Yes));
        let lost = XeroError::from(WebError::Unanswered { host: host(), reason: reason() });
        assert_eq!((lost.refresh_token(), lost.again()), (RefreshToken::MayBeSpent, Again::Yes));
        let misspelled = XeroError::from(WebError::Address("x".to_owned()));
        assert_eq!((misspelled.refresh_token(), misspelled.again()), (RefreshToken::Unspent, Again::No));
    }
}
