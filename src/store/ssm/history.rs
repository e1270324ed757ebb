//! The versions that AWS keeps of a parameter: a hundred, or fewer.

use super::Ssm;
use crate::name::Address;
use crate::snapshot::{Past, Version};
use crate::store::aws::{Family, Request, timestamp};
use crate::store::{History, StoreError};
use async_trait::async_trait;
use aws_sdk_ssm::types::ParameterHistory;

const HISTORY: &str = "ssm:GetParameterHistory";
/// Versions on one page: AWS's limit.
const PAGE: i32 = 50;

#[async_trait]
impl History for Ssm {
    async fn history(&self, address: &Address) -> Result<Vec<Past>, StoreError> {
        let name = self.name_of(address)?;
        let mut states = Vec::new();
        for past in self.versions(&name).await.map_err(|error| error.at(address))? {
            let value = Some(self.value(address, past.value)?);
            let modified = past.last_modified_date.as_ref().and_then(timestamp).unwrap_or_default();
            states.push(Past { value, version: Version(past.version.to_string()), modified });
        }
        states.reverse();
        Ok(states)
    }

    async fn version(&self, address: &Address, version: &Version) -> Result<Option<Past>, StoreError> {
        // What follows the colon may be a label too.
        let fits = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if version.0.is_empty() || !version.0.chars().all(fits) {
            return Ok(None);
        }
        let name = self.name_of(address)?;
        let seen = self.get_one(address, &format!("{name}:{version}")).await?;
        Ok(seen.map(|seen| Past {
            value: Some(seen.value),
            version: Version(seen.version.to_string()),
            modified: seen.modified.unwrap_or_default(),
        }))
    }
}

impl Ssm {
    /// Every version that is kept, oldest first; none where the parameter is not there.
    pub(super) async fn versions(&self, name: &str) -> Result<Vec<ParameterHistory>, StoreError> {
        let clients = self.aws.clients().await?;
        let request = Request::read(HISTORY, Family::ParameterLists);
        let (mut found, mut token) = (Vec::new(), None::<String>);
        loop {
            let answer = self.aws.call(&request, || {
                let page = clients.ssm.get_parameter_history().name(name).with_decryption(true);
                page.max_results(PAGE).set_next_token(token.clone()).send()
            });
            let answer = match answer.await {
                Ok(answer) => answer,
                Err(failure) if failure.is("ParameterNotFound") => return Ok(Vec::new()),
                Err(failure) => return Err(self.failed(failure, HISTORY, name)),
            };
            found.extend(answer.parameters.unwrap_or_default());
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                found.sort_by_key(|past| past.version);
                return Ok(found);
            }
        }
    }
}
