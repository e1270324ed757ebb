//! The addresses of one connection: what a rotation of the kind `xero` calls by its fields.

use crate::manifest::XeroSpec;
use crate::name::{Address, Instance, Key};

/// Where home keeps one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// The app's id.
    pub client_id: Address,
    /// The app's secret.
    pub client_secret: Address,
    /// The token for calls.
    pub access_token: Address,
    /// The token for the next pair.
    pub refresh_token: Address,
    /// The organisation.
    pub tenant_id: Address,
    /// When the access token ends.
    pub token_expires_at: Address,
}

impl Parts {
    /// Those of an instance of the rotation's group; of the group itself where it has no instances.
    pub fn of(spec: &XeroSpec, instance: Option<&Instance>) -> Parts {
        let at =
            |key: &Key| Address { group: spec.group.clone(), instance: instance.cloned(), key: key.clone() };
        Parts {
            client_id: at(&spec.client_id),
            client_secret: at(&spec.client_secret),
            access_token: at(&spec.access_token),
            refresh_token: at(&spec.refresh_token),
            tenant_id: at(&spec.tenant_id),
            token_expires_at: at(&spec.token_expires_at),
        }
    }

    /// All of them.
    pub fn all(&self) -> [&Address; 6] {
        let [id, secret] = [&self.client_id, &self.client_secret];
        let [access, refresh] = [&self.access_token, &self.refresh_token];
        [id, secret, &self.tenant_id, refresh, access, &self.token_expires_at]
    }
}
