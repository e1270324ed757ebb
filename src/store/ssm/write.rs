//! Writing one parameter: created, overwritten or deleted in one call that is never repeated blindly.

use super::{DESCRIPTION, Details, KMS_KEY, Left, Ssm, TIER, TYPE, number, receipt};
use crate::manifest::{ParameterTier, ParameterType};
use crate::name::Address;
use crate::plan::{Change, Want, Wanted};
use crate::secret::Secret;
use crate::snapshot::{Attributes, Entry, Held, Unit, Version};
use crate::store::aws::{Again, Clients, Failure, Family, Reach, Request, created_tags};
use crate::store::{Applied, ErrorKind, Receipt, StoreError, unchanged_since};
use aws_sdk_ssm::operation::RequestId;
use aws_sdk_ssm::types::{ParameterTier as AwsTier, ParameterType as AwsType, Tag};
use std::time::Duration;

const PUT: &str = "ssm:PutParameter";
const DELETE: &str = "ssm:DeleteParameter";
/// The pauses in which a name that was deleted just now becomes free: AWS asks for 30 seconds.
const FREES: [u64; 9] = [1, 2, 3, 4, 5, 5, 5, 5, 5];

/// What is sent of a parameter, beside its name and whether it is there.
struct Put<'a> {
    value: &'a Secret,
    kind: String,
    key: Option<String>,
    tier: AwsTier,
    description: Option<String>,
    /// Tags of one that is created; one that is overwritten keeps its own.
    tags: Option<Vec<Tag>>,
}

impl Ssm {
    pub(super) async fn write_one(&self, name: &str, base: i64, change: &Change) -> Receipt {
        receipt(match (&change.after, &change.before) {
            (Want::Present(wanted), None) => self.create(name, change, wanted).await,
            (Want::Present(wanted), Some(before)) => {
                self.overwrite(name, base, &change.address, before, wanted).await
            }
            (Want::Absent, _) => self.delete(name, change).await,
        })
    }

    async fn create(&self, name: &str, change: &Change, wanted: &Wanted) -> Result<Applied, Receipt> {
        let address = &change.address;
        let mut attributes = self.declared(address);
        let asked = &wanted.attributes;
        if asked.contains_key(TYPE) {
            // It comes back as it was, and not with what the manifest says.
            attributes.clear();
        }
        attributes.extend(asked.clone());
        let tags = Some(self.tags(address).map_err(Receipt::NotApplied)?);
        let tier = match (asked.contains_key(TIER), self.spec().parameter_tier) {
            (true, _) | (false, ParameterTier::Advanced) => AwsTier::Advanced,
            (false, ParameterTier::Standard) => AwsTier::Standard,
            (false, ParameterTier::Intelligent) => AwsTier::IntelligentTiering,
        };
        let put = self.put_of(address, wanted, &attributes, tier, tags)?;
        let mut frees = FREES.iter();
        let clients = self.aws.clients().await.map_err(Receipt::NotApplied)?;
        loop {
            let failure = match self.put(clients, name, 0, &put).await {
                Ok(applied) => return Ok(applied),
                Err(failure) => failure,
            };
            if !failure.is("ParameterAlreadyExists") {
                return Err(self.refused(name, 0, failure, address));
            }
            // Somebody else's, or the shadow of one that was deleted less than 30 seconds ago.
            let there = self.get_one(address, name).await.map_err(Receipt::NotApplied)?;
            match (there, frees.next()) {
                (None, Some(seconds)) => tokio::time::sleep(Duration::from_secs(*seconds)).await,
                _ => return Err(Receipt::NotApplied(self.conflict(address))),
            }
        }
    }

    async fn overwrite(
        &self,
        name: &str,
        base: i64,
        address: &Address,
        before: &Entry,
        wanted: &Wanted,
    ) -> Result<Applied, Receipt> {
        let known = before.attributes.contains_key(KMS_KEY) || !is_encrypted(&before.attributes);
        let mut attributes = before.attributes.clone();
        if !known {
            let version = number(before.version.as_ref());
            let details = self.details_of(name, version).await.map_err(Receipt::NotApplied)?;
            details.tell(&mut attributes);
        }
        attributes.extend(wanted.attributes.clone());
        if !is_encrypted(&attributes) {
            attributes.remove(KMS_KEY);
        }
        // A parameter never goes back to standard, and a larger value makes it advanced where that is wanted.
        let tier = match (attributes.contains_key(TIER), self.spec().parameter_tier) {
            (true, _) => AwsTier::Advanced,
            (false, ParameterTier::Standard) => AwsTier::Standard,
            (false, ParameterTier::Advanced | ParameterTier::Intelligent) => AwsTier::IntelligentTiering,
        };
        let put = self.put_of(address, wanted, &attributes, tier, None)?;
        let clients = self.aws.clients().await.map_err(Receipt::NotApplied)?;
        self.put(clients, name, base, &put)
            .await
            .map_err(|failure| self.refused(name, base, failure, address))
    }

    fn put_of<'a>(
        &self,
        address: &Address,
        wanted: &'a Wanted,
        attributes: &Attributes,
        tier: AwsTier,
        tags: Option<Vec<Tag>>,
    ) -> Result<Put<'a>, Receipt> {
        let Held::Value(value) = &wanted.held else {
            let error = self.error(ErrorKind::Invalid, "a parameter holds values, not references");
            return Err(Receipt::NotApplied(error.at(address)));
        };
        let text = |name: &str| attributes.get(name).cloned();
        let kind = text(TYPE).unwrap_or_else(|| kind_name(ParameterType::default()).to_owned());
        Ok(Put { value, kind, key: text(KMS_KEY), tier, description: text(DESCRIPTION), tags })
    }

    async fn put(&self, clients: &Clients, name: &str, base: i64, put: &Put<'_>) -> Result<Applied, Failure> {
        let values = [put.value];
        let request = Request {
            action: PUT,
            family: Family::ParameterWrites,
            again: Again::IfRefused,
            values: &values,
        };
        let answer = self.aws.call(&request, || {
            let call = clients.ssm.put_parameter().name(name).value(put.value.expose());
            let call = call.r#type(AwsType::from(put.kind.as_str())).set_key_id(put.key.clone());
            let call = call.tier(put.tier.clone()).set_description(put.description.clone());
            call.overwrite(put.tags.is_none()).set_tags(put.tags.clone()).send()
        });
        let answer = answer.await?;
        let version = answer.version;
        let advanced = answer.tier == Some(AwsTier::Advanced);
        let details = Details::of(&put.kind, put.key.clone(), advanced, put.description.clone());
        {
            let mut known = self.known();
            let known = known.entry(name.to_owned()).or_default();
            known.left = Some(Left::Version(version));
            known.details = Some((version, details));
        }
        Ok(Applied {
            unit: Unit(name.to_owned()),
            version: Some(Version(version.to_string())),
            request: answer.request_id().map(str::to_owned),
            // There is no compare-and-swap: that somebody else wrote meanwhile is told by the number.
            overwrote: (version != base + 1).then(|| Version((version - 1).max(0).to_string())),
        })
    }

    async fn delete(&self, name: &str, change: &Change) -> Result<Applied, Receipt> {
        let address = &change.address;
        let seen = self.read_all(std::slice::from_ref(address)).await.map_err(Receipt::NotApplied)?;
        let now = seen.entries.get(address);
        unchanged_since(&self.location, std::slice::from_ref(change), |_| now)
            .map_err(Receipt::NotApplied)?;
        // One that was deleted and made anew counts from 1 again.
        let moment = |entry: Option<&Entry>| entry.and_then(|entry| entry.modified);
        if moment(now) != moment(change.before.as_ref()) && moment(change.before.as_ref()).is_some() {
            return Err(Receipt::NotApplied(self.conflict(address)));
        }
        let version = number(now.and_then(|entry| entry.version.as_ref()));
        let clients = self.aws.clients().await.map_err(Receipt::NotApplied)?;
        let request =
            Request { action: DELETE, family: Family::ParameterWrites, again: Again::IfRefused, values: &[] };
        let answer = self.aws.call(&request, || clients.ssm.delete_parameter().name(name).send()).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) if failure.is("ParameterNotFound") => {
                return Err(Receipt::NotApplied(self.conflict(address)));
            }
            Err(failure) => {
                let unknown = failure.reach == Reach::Unknown;
                if unknown {
                    self.leave(name, Left::Nothing(version));
                }
                let error = self.failed(failure, DELETE, name).at(address);
                return Err(if unknown { Receipt::Unknown(error) } else { Receipt::NotApplied(error) });
            }
        };
        self.leave(name, Left::Nothing(version));
        let request = answer.request_id().map(str::to_owned);
        Ok(Applied { unit: Unit(name.to_owned()), version: None, request, overwrote: None })
    }

    /// What a put that failed means.
    fn refused(&self, name: &str, base: i64, failure: Failure, address: &Address) -> Receipt {
        let unknown = failure.reach == Reach::Unknown;
        if unknown {
            // If it was made, a read that answers the version before is late: it is asked again before it is believed.
            self.leave(name, Left::Version(base + 1));
        }
        let denied = failure.kind == ErrorKind::Denied;
        let mut error = self.failed(failure, PUT, name).at(address);
        if denied && base > 0 {
            let hint = error.hint.take().unwrap_or_default();
            error.hint = Some(format!("{hint}; a condition on `ssm:Overwrite` may forbid to overwrite"));
        }
        if unknown { Receipt::Unknown(error) } else { Receipt::NotApplied(error) }
    }

    fn leave(&self, name: &str, left: Left) {
        let mut known = self.known();
        let known = known.entry(name.to_owned()).or_default();
        *known = super::Known { left: Some(left), details: None };
    }

    fn conflict(&self, address: &Address) -> StoreError {
        self.error(ErrorKind::Conflict, "somebody else changed it after the plan was made")
            .at(address)
            .hint("look at what is there now, and run the command again")
    }

    /// The tags of a parameter that is created: what is narrower goes before what is wider.
    fn tags(&self, address: &Address) -> Result<Vec<Tag>, StoreError> {
        let narrower = self.key(address).into_iter().flat_map(|key| key.tags.clone());
        let tags = created_tags(&self.manifest, &self.environment, narrower);
        let built = tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
        built.collect::<Result<_, _>>().map_err(|error| self.error(ErrorKind::Failed, error.to_string()))
    }
}

pub(super) fn kind_name(kind: ParameterType) -> &'static str {
    match kind {
        ParameterType::SecureString => "SecureString",
        ParameterType::String => "String",
    }
}

fn is_encrypted(attributes: &Attributes) -> bool {
    attributes.get(TYPE).is_none_or(|kind| kind == "SecureString")
}
