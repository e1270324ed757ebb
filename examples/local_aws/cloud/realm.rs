//! The account and the region that everything here is in, and the ARNs that name both.

/// One region of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Realm {
    pub(crate) account: String,
    pub(crate) region: String,
}

impl Default for Realm {
    fn default() -> Realm {
        Realm::new(super::ACCOUNT, super::REGION)
    }
}

impl Realm {
    pub(crate) fn new(account: &str, region: &str) -> Realm {
        Realm { account: account.to_owned(), region: region.to_owned() }
    }

    /// The ARN of something that a service has here.
    pub(crate) fn arn(&self, service: &str, rest: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{rest}", self.region, self.account)
    }

    /// The ARN of an identity, which belongs to no region.
    pub(crate) fn identity(&self, service: &str, rest: &str) -> String {
        format!("arn:aws:{service}::{}:{rest}", self.account)
    }

    /// The host that KMS hears of when a service here uses a key for somebody.
    pub(crate) fn host(&self, service: &str) -> String {
        format!("{service}.{}.amazonaws.com", self.region)
    }
}
