//! What a failed call means: by AWS's error code, never by the text around it.
//!
//! Owns the one classification of AWS's errors, and what may be quoted of them. It never keeps the SDK's error, which
//! may hold a whole response, and never a value: AWS quotes what it refuses.

use crate::secret::Secret;
use crate::store::{ErrorKind, StoreError};
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error;

/// How far a call that failed came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Reach {
    /// It never left, or AWS says that it did nothing.
    Nothing,
    /// No answer, or one that does not say: it may have been done.
    Unknown,
}

/// A call that failed.
#[derive(Debug, Clone)]
pub(in crate::store) struct Failure {
    /// AWS's error code (`ParameterNotFound`), where AWS answered.
    pub(in crate::store) code: Option<String>,
    /// What AWS said, or what went wrong on the way.
    pub(in crate::store) message: String,
    /// AWS's name for the call.
    pub(in crate::store) request: Option<String>,
    /// Whether it may have been done.
    pub(in crate::store) reach: Reach,
    /// What it means.
    pub(in crate::store) kind: ErrorKind,
}

/// Codes that say: not now, and nothing was done.
const THROTTLED: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "TooManyUpdates",
    "BandwidthLimitExceeded",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
];

/// Codes that say: you may not, or I do not know you.
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "InsufficientPrivileges",
    "InsufficientPrivilegesException",
    "OptInRequired",
];

/// Codes that say that the credentials are no good, whatever they may be allowed.
const CREDENTIALS: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "RequestExpired",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "AuthFailure",
    "NotAuthorized",
];

const BUSY: &[&str] = &["OperationInProgress", "OperationInProgressFailure"];

const INVALID: &[&str] = &[
    "ValidationException",
    "ValidationError",
    "InvalidParameterException",
    "ConfigurationValidationException",
    "HierarchyLevelLimitExceededException",
    "HierarchyTypeMismatchException",
    "ParameterLimitExceeded",
    "ParameterPatternMismatchException",
    "UnsupportedParameterType",
    "LimitExceededException",
    "InvalidKeyId",
];

impl Failure {
    /// What became of a call. `values` are those that the request carried: they are cut out of what AWS says.
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>, values: &[&Secret]) -> Failure
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let plain = |message: &str, reach, kind| Failure {
            code: None,
            message: message.to_owned(),
            request: None,
            reach,
            kind,
        };
        match error {
            SdkError::ConstructionFailure(_) => plain(
                &format!("the call could not be made: {}", chain(error)),
                Reach::Nothing,
                ErrorKind::Failed,
            ),
            SdkError::TimeoutError(_) => plain("no answer in time", Reach::Unknown, ErrorKind::Transient),
            // Whatever else it is that failed on the way, a connection that ended before its answer among it, may have
            // come after the call was made.
            SdkError::DispatchFailure(_) if lacks_credentials(error) => plain(
                &format!("no credentials that work: {}", chain(error)),
                Reach::Nothing,
                ErrorKind::Denied,
            ),
            SdkError::DispatchFailure(_) => {
                plain(&format!("no answer: {}", chain(error)), Reach::Unknown, ErrorKind::Transient)
            }
            SdkError::ServiceError(answer) => {
                let meta = answer.err().meta();
                let status = answer.raw().status().as_u16();
                let header = answer.raw().headers().get("x-amzn-requestid").map(str::to_owned);
                let code = meta.code().unwrap_or("no code").to_owned();
                let kind = kind_of(&code, meta.message().unwrap_or_default(), status);
                let refused = THROTTLED.contains(&code.as_str()) || status < 500;
                Failure {
                    message: quotable(meta.message().unwrap_or("no message"), values),
                    request: meta.request_id_of().or(header),
                    reach: if refused { Reach::Nothing } else { Reach::Unknown },
                    code: Some(code),
                    kind,
                }
            }
            _ => plain("an answer that is none of AWS's", Reach::Unknown, ErrorKind::Transient),
        }
    }

    /// Whether AWS answered with this code.
    pub(in crate::store) fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether the credentials are no good, whatever they may be allowed.
    pub(in crate::store) fn is_of_credentials(&self) -> bool {
        let never_sent = self.code.is_none() && self.kind == ErrorKind::Denied;
        never_sent || self.code.as_deref().is_some_and(|code| CREDENTIALS.contains(&code))
    }

    /// Whether AWS asked for patience.
    pub(super) fn throttled(&self) -> bool {
        self.code.as_deref().is_some_and(|code| THROTTLED.contains(&code))
    }

    /// The failure as a place tells it. `action` and `resource` are what the identity would have to be allowed.
    pub(in crate::store) fn at(self, location: &str, action: &str, resource: &str) -> StoreError {
        let said = match (&self.code, &self.request) {
            (Some(code), Some(id)) => {
                format!("AWS refused {action} on {resource}: {code}: {} (request {id})", self.message)
            }
            (Some(code), None) => format!("AWS refused {action} on {resource}: {code}: {}", self.message),
            (None, _) => format!("{action} on {resource}: {}", self.message),
        };
        let error = StoreError::new(self.kind, location, said);
        match self.hint(action, resource) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    fn hint(&self, action: &str, resource: &str) -> Option<String> {
        if self.is_of_credentials() {
            return Some(
                "log in again (`aws sso login`, or new keys); `aws sts get-caller-identity` shows who you are"
                    .to_owned(),
            );
        }
        match self.kind {
            ErrorKind::Denied if self.message.contains("kms:") || self.message.contains("KMS") => Some(
                "the KMS key's policy, or yours, must allow it; `strongroom policy` prints what is needed"
                    .to_owned(),
            ),
            ErrorKind::Denied => Some(format!(
                "your identity must be allowed `{action}` on `{resource}`; `strongroom policy --for operator` prints all that is needed"
            )),
            ErrorKind::Transient if self.throttled() => Some(
                "others use the account's quota too: try again later, or lower `quota` in the manifest"
                    .to_owned(),
            ),
            ErrorKind::Transient => Some("look at the network and at AWS's status, and try again".to_owned()),
            _ => None,
        }
    }
}

/// AWS's name for a call, where the metadata carries it.
trait RequestName {
    fn request_id_of(&self) -> Option<String>;
}

impl RequestName for aws_smithy_types::error::ErrorMetadata {
    fn request_id_of(&self) -> Option<String> {
        self.extra("aws_request_id").map(str::to_owned)
    }
}

fn kind_of(code: &str, message: &str, status: u16) -> ErrorKind {
    let is = |codes: &[&str]| codes.contains(&code);
    if is(THROTTLED) {
        ErrorKind::Transient
    } else if is(DENIED) || is(CREDENTIALS) {
        ErrorKind::Denied
    } else if is(BUSY) || (code == "InvalidParameterValue" && message.contains("Must be Ready")) {
        // AWS has no code of its own for an environment that is updating.
        ErrorKind::Busy
    } else if is(INVALID) {
        ErrorKind::Invalid
    } else if status >= 500 {
        ErrorKind::Transient
    } else {
        ErrorKind::Failed
    }
}

/// Whether the call was never sent, as there was nothing to sign it with.
fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        if cause.is::<CredentialsError>() {
            return true;
        }
        next = cause.source();
    }
    false
}

/// The causes of an error that never reached AWS: they hold no request and no answer.
fn chain(error: &dyn Error) -> String {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !causes.contains(&text) {
            causes.push(text);
        }
        next = cause.source();
    }
    causes.join(": ")
}

/// How much of a value's beginning shows that it is quoted.
const START: usize = 8;
/// How much of a value shows it anywhere: names and hosts that stand in messages too are mostly shorter.
const PIECE: usize = 16;

/// What AWS said, without the values that the request carried. A refusal may quote a value as it is, escaped or cut, so
/// nothing is left between `Value` and `at`, where AWS's validation puts it.
pub(in crate::store) fn quotable(message: &str, values: &[&Secret]) -> String {
    let mut text = message.to_owned();
    while let Some(start) = text.find("Value '") {
        let rest = &text[start..];
        let end = rest.find("' at '").map_or(text.len(), |at| start + at + 1);
        text.replace_range(start..end, "A value");
    }
    for value in values.iter().filter(|value| !value.is_empty()) {
        let raw = value.expose();
        let escaped = serde_json::to_string(raw).unwrap_or_default();
        for form in [raw, escaped.trim_matches('"')] {
            text = text.replace(form, "[value]");
        }
        // A long quotation is cut somewhere, behind or before.
        let start: String = raw.chars().take(START).collect();
        let cut = start.chars().count() == START && text.contains(&start);
        if cut || shares(&text, raw) || shares(&text, &escaped) {
            return "AWS's message quotes the value and is not shown".to_owned();
        }
    }
    text
}

/// Whether the text has a long piece of the value in it, wherever that begins.
fn shares(text: &str, value: &str) -> bool {
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    starts.windows(PIECE + 1).any(|piece| value.contains(&text[piece[0]..piece[PIECE]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_decides_and_the_text_only_where_aws_has_no_code() {
        for (code, message, status, kind) in [
            ("ThrottlingException", "Rate exceeded", 400, ErrorKind::Transient),
            ("TooManyUpdates", "", 400, ErrorKind::Transient),
            ("AccessDeniedException", "", 400, ErrorKind::Denied),
            ("ExpiredTokenException", "", 403, ErrorKind::Denied),
            (
                "InvalidParameterValue",
                "Environment named x is in an invalid state for this operation. Must be Ready.",
                400,
                ErrorKind::Busy,
            ),
            (
                "InvalidParameterValue",
                "No Environment found for EnvironmentName = 'x'.",
                400,
                ErrorKind::Failed,
            ),
            ("InternalServerError", "", 500, ErrorKind::Transient),
            ("ParameterNotFound", "AccessDenied is only a word here", 400, ErrorKind::Failed),
        ] {
            assert_eq!(kind_of(code, message, status), kind, "{code}");
        }
    }

    #[test]
    fn what_aws_quotes_of_a_value_is_not_repeated() {
        let value = Secret::new("canary\"line\nend".to_owned()).unwrap();
        let said = "1 validation error detected: Value 'canary\"li' at 'value' failed to satisfy constraint";
        assert_eq!(
            quotable(said, &[&value]),
            "1 validation error detected: A value at 'value' failed to satisfy constraint"
        );
        for said in ["got canary\"line\nend", r#"got canary\"line\nend"#, "got canary\"l…"] {
            assert!(!quotable(said, &[&value]).contains("canary"), "{said}");
        }
        let url = Secret::new("postgres://app:canary-pass@host.example/db".to_owned()).unwrap();
        assert!(!quotable("got …app:canary-pass@host…", &[&url]).contains("canary"));
        assert_eq!(quotable("no such host host.example", &[&url]), "no such host host.example");
        assert_eq!(quotable("plain", &[]), "plain");
    }
}
