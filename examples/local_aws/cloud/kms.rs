//! KMS as far as other services need it: which keys there are, and how they are named.
//!
//! It encrypts nothing. A service asks for the key behind a name and then for the caller's permission on that key; the
//! two keys that AWS manages need no permission, as their key policies allow the whole account.

use super::Realm;

/// A customer-managed key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) alias: String,
    pub(crate) enabled: bool,
}

/// The keys of the account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    pub(super) realm: Realm,
    keys: Vec<Key>,
}

impl Keys {
    /// Adds an enabled key with that alias (`alias/…`) and tells its ARN.
    pub(crate) fn add(&mut self, alias: &str) -> String {
        let id = uuid::Uuid::new_v4().to_string();
        let arn = self.realm.arn("kms", &format!("key/{id}"));
        self.keys.push(Key { id, arn: arn.clone(), alias: alias.to_owned(), enabled: true });
        arn
    }

    /// Turns a key on or off.
    pub(crate) fn enable(&mut self, name: &str, enabled: bool) {
        let found = self.keys.iter_mut().find(|key| named(key, name));
        found.expect("a test names a key that it has added").enabled = enabled;
    }

    /// The enabled key that an ID, an alias or the ARN of either names.
    pub(crate) fn usable(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| named(key, name) && key.enabled)
    }
}

fn named(key: &Key, name: &str) -> bool {
    let prefix = key.arn.split("key/").next().unwrap_or_default();
    let name = name.strip_prefix(prefix).unwrap_or(name);
    name == key.alias || name.strip_prefix("key/").unwrap_or(name) == key.id
}
