//! Who we are for AWS, and whether this is the account that the manifest means.
//!
//! Owns the question to STS and the file that remembers the answer for a set of credentials. It never keeps a
//! credential: what it remembers is found by a hash of the access key's ID.

use super::Aws;
use super::call::Request;
use super::pace::Family;
use crate::durable;
use crate::store::{ErrorKind, StoreError};
use aws_credential_types::provider::ProvideCredentials;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The identity in use, as STS's GetCallerIdentity tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The account: 12 digits.
    pub account: String,
    /// The user or the assumed role.
    pub arn: String,
}

/// So many are remembered; a session's key is forgotten when others come.
const REMEMBERED: usize = 50;

impl Aws {
    /// Who we are: asked once for a set of credentials.
    pub async fn caller(&self) -> Result<&Caller, StoreError> {
        self.caller.get_or_try_init(|| self.identify()).await
    }

    /// Who we are, where that was asked already.
    pub fn known_caller(&self) -> Option<&Caller> {
        self.caller.get()
    }

    /// Refuses another account than the one that the manifest declares. To be asked before anything is written.
    pub async fn check_account(&self) -> Result<&Caller, StoreError> {
        let caller = self.caller().await?;
        match &self.settings.account {
            Some(declared) if *declared != caller.account => {
                let message = format!(
                    "these credentials are of account {}, and the manifest says {declared}",
                    caller.account
                );
                Err(StoreError::new(ErrorKind::Denied, "AWS", message).hint(format!(
                    "you are {}; choose the profile of account {declared}, or correct `account` in the manifest",
                    caller.arn
                )))
            }
            _ => Ok(caller),
        }
    }

    /// Refuses what belongs to another account than the declared one, as its ARN tells: a read asks nobody who we are.
    pub(in crate::store) fn check_arn(&self, arn: Option<&str>) -> Result<(), StoreError> {
        let account = arn.and_then(|arn| arn.split(':').nth(4)).unwrap_or_default();
        match &self.settings.account {
            Some(declared) if !account.is_empty() && declared != account => {
                let message = format!("this is of account {account}, and the manifest says {declared}");
                Err(StoreError::new(ErrorKind::Denied, "AWS", message).hint(
                    "choose the profile of the account that is meant, or correct `account` in the manifest",
                ))
            }
            _ => Ok(()),
        }
    }

    async fn identify(&self) -> Result<Caller, StoreError> {
        let key = self.credentials_hash().await;
        let file = self.settings.callers.as_deref();
        if let (Some(file), Some(key)) = (file, &key)
            && let Some(known) = remembered(file).remove(key)
        {
            return Ok(known);
        }
        let clients = self.clients().await?;
        let request = Request::read("sts:GetCallerIdentity", Family::Identity);
        let answer = self.call(&request, || clients.sts.get_caller_identity().send()).await;
        let answer = answer.map_err(|failure| failure.at("AWS", request.action, "*"))?;
        let caller =
            Caller { account: answer.account.unwrap_or_default(), arn: answer.arn.unwrap_or_default() };
        if let (Some(file), Some(key)) = (file, key) {
            remember(file, key, &caller);
        }
        Ok(caller)
    }

    /// What stands for the credentials and for whom they are shown to. An access key's ID means one identity for ever.
    async fn credentials_hash(&self) -> Option<String> {
        let clients = self.clients().await.ok()?;
        let credentials = clients.config.credentials_provider()?.provide_credentials().await.ok()?;
        let endpoint = self.settings.endpoints.sts.as_deref().or(clients.config.endpoint_url());
        let text = format!("{}\n{}", credentials.access_key_id(), endpoint.unwrap_or_default());
        Some(Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

fn remembered(file: &Path) -> BTreeMap<String, Caller> {
    // A file that cannot be read costs a call, nothing else.
    fs::read(file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn remember(file: &Path, key: String, caller: &Caller) {
    let mut all = remembered(file);
    while all.len() >= REMEMBERED {
        all.pop_first();
    }
    all.insert(key, caller.clone());
    if let (Some(folder), Ok(bytes)) = (file.parent(), serde_json::to_vec(&all)) {
        let written =
            fs::create_dir_all(folder).and_then(|()| durable::replace(file, &bytes, durable::PRIVATE));
        if let Err(error) = written {
            tracing::debug!(%error, "the identity is not remembered");
        }
    }
}
