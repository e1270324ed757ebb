//! What no read of a value tells of a parameter, and what must be sent with every overwrite to stay as it is: its KMS
//! key, its tier, its description.
//!
//! Owns the look-up, fifty names in a call, and its answer by version. It never asks twice about one version.

use super::{DESCRIPTION, KMS_KEY, Ssm, TIER, number};
use crate::name::Address;
use crate::snapshot::{Attributes, Snapshot};
use crate::store::aws::{Family, Request};
use crate::store::{ErrorKind, StoreError};
use aws_sdk_ssm::types::{ParameterMetadata, ParameterStringFilter, ParameterTier, ParameterType};
use std::collections::BTreeMap;

const DESCRIBE: &str = "ssm:DescribeParameters";
/// Values of one filter, and descriptions on one page: AWS's limit for both.
const BATCH: usize = 50;
/// The key of a SecureString whose writer named none.
const DEFAULT_KEY: &str = "alias/aws/ssm";

/// What a version of a parameter has beside its value and type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Details {
    key: Option<String>,
    advanced: bool,
    description: Option<String>,
}

impl Details {
    pub(super) fn of(
        kind: &str,
        key: Option<String>,
        advanced: bool,
        description: Option<String>,
    ) -> Details {
        let encrypted = kind == ParameterType::SecureString.as_str();
        let key = encrypted.then(|| key.unwrap_or_else(|| DEFAULT_KEY.to_owned()));
        Details { key, advanced, description: description.filter(|text| !text.is_empty()) }
    }

    fn described(metadata: ParameterMetadata) -> Details {
        let kind = metadata.r#type.map(|kind| kind.as_str().to_owned()).unwrap_or_default();
        let advanced = metadata.tier == Some(ParameterTier::Advanced);
        Details::of(&kind, metadata.key_id, advanced, metadata.description)
    }

    /// Adds them to what a read has told.
    pub(super) fn tell(&self, attributes: &mut Attributes) {
        let tier = self.advanced.then(|| ParameterTier::Advanced.as_str().to_owned());
        let told = [(KMS_KEY, self.key.clone()), (TIER, tier), (DESCRIPTION, self.description.clone())];
        attributes.extend(told.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?))));
    }
}

impl Ssm {
    pub(super) async fn tell_details(
        &self,
        seen: &mut Snapshot,
        addresses: &[Address],
    ) -> Result<(), StoreError> {
        let mut names = BTreeMap::new();
        for address in addresses {
            if let Some(entry) = seen.entries.get(address) {
                names.insert(self.name_of(address)?, number(entry.version.as_ref()));
            }
        }
        let details = self.look_up(names).await?;
        for address in addresses {
            if let Some(entry) = seen.entries.get_mut(address)
                && let Some(details) = details.get(&self.name_of(address)?)
            {
                details.tell(&mut entry.attributes);
            }
        }
        Ok(())
    }

    pub(super) async fn details_of(&self, name: &str, version: i64) -> Result<Details, StoreError> {
        let mut found = self.look_up(BTreeMap::from([(name.to_owned(), version)])).await?;
        found.remove(name).ok_or_else(|| self.error(ErrorKind::Transient, format!("AWS describes no {name}")))
    }

    /// The details of these versions. AWS's descriptions lag behind, so one of another version is not believed: the
    /// history tells.
    async fn look_up(&self, names: BTreeMap<String, i64>) -> Result<BTreeMap<String, Details>, StoreError> {
        let mut found = BTreeMap::new();
        {
            let known = self.known();
            for (name, version) in &names {
                if let Some((of, details)) = known.get(name).and_then(|known| known.details.as_ref())
                    && of == version
                {
                    found.insert(name.clone(), details.clone());
                }
            }
        }
        let open: Vec<String> = names.keys().filter(|name| !found.contains_key(*name)).cloned().collect();
        for batch in open.chunks(BATCH) {
            for described in self.describe(batch).await? {
                let Some(name) = described.name.clone() else { continue };
                if names.get(&name) == Some(&described.version) {
                    found.insert(name, Details::described(described));
                }
            }
        }
        for (name, version) in &names {
            if !found.contains_key(name)
                && let Some(details) = self.details_in_history(name, *version).await?
            {
                found.insert(name.clone(), details);
            }
        }
        let mut known = self.known();
        for (name, details) in &found {
            known.entry(name.clone()).or_default().details = Some((names[name], details.clone()));
        }
        Ok(found)
    }

    /// Who wrote the parameters of these addresses last, as AWS knows them. Those that are not there are left out; so is
    /// everything where this identity may not ask.
    pub async fn writers(&self, addresses: &[Address]) -> Result<BTreeMap<Address, String>, StoreError> {
        let mut named = BTreeMap::new();
        for address in addresses {
            named.insert(self.name_of(address)?, address);
        }
        let names: Vec<String> = named.keys().cloned().collect();
        let mut writers = BTreeMap::new();
        for batch in names.chunks(BATCH) {
            for described in self.describe(batch).await? {
                let address = described.name.as_ref().and_then(|name| named.get(name));
                if let (Some(address), Some(user)) = (address, described.last_modified_user) {
                    writers.insert((*address).clone(), user);
                }
            }
        }
        Ok(writers)
    }

    async fn describe(&self, names: &[String]) -> Result<Vec<ParameterMetadata>, StoreError> {
        let clients = self.aws.clients().await?;
        let filter = ParameterStringFilter::builder().key("Name").option("Equals");
        let filter = filter.set_values(Some(names.to_vec())).build();
        let filter = filter.map_err(|error| self.error(ErrorKind::Failed, error.to_string()))?;
        let request = Request::read(DESCRIBE, Family::ParameterLists);
        let (mut found, mut token) = (Vec::new(), None::<String>);
        loop {
            let answer = self.aws.call(&request, || {
                let page = clients.ssm.describe_parameters().parameter_filters(filter.clone());
                page.max_results(BATCH as i32).set_next_token(token.clone()).send()
            });
            let answer = match answer.await {
                Ok(answer) => answer,
                // The histories tell the same, where they are allowed.
                Err(failure) if failure.kind == ErrorKind::Denied => return Ok(Vec::new()),
                Err(failure) => return Err(self.failed(failure, DESCRIBE, "*")),
            };
            found.extend(answer.parameters.unwrap_or_default());
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() || found.len() == names.len() {
                return Ok(found);
            }
        }
    }

    async fn details_in_history(&self, name: &str, version: i64) -> Result<Option<Details>, StoreError> {
        let versions = self.versions(name).await.map_err(|error| {
            let hint = format!(
                "which KMS key it has must be known before it is overwritten: allow `{DESCRIBE}` on `*`, or `ssm:GetParameterHistory` on it"
            );
            error.hint(hint)
        })?;
        let found = versions.into_iter().find(|past| past.version == version);
        Ok(found.map(|past| {
            let kind = past.r#type.map(|kind| kind.as_str().to_owned()).unwrap_or_default();
            let advanced = past.tier == Some(ParameterTier::Advanced);
            Details::of(&kind, past.key_id, advanced, past.description)
        }))
    }
}
