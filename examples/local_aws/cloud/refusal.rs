//! What a service says instead of an answer: a code, a message and an HTTP status.

/// An error as AWS names it, before it is written as JSON or XML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Refusal {
    /// An error of the caller's, with status 400 as nearly all of them have.
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Refusal {
        Refusal { status: 400, code: code.to_owned(), message: message.into() }
    }

    /// The same error with another status.
    pub(crate) fn status(self, status: u16) -> Refusal {
        Refusal { status, ..self }
    }
}
