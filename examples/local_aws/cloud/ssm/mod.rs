//! SSM Parameter Store: parameters with versions, labels, tiers and tags.
//!
//! Owns what it holds and which action is answered where; `rules` has what names and values may be, `parameter` one
//! parameter, `write` and `read` the actions. Policies of parameters and patterns are not modelled and refused.

mod parameter;
mod read;
mod rules;
mod write;

use super::iam::Principal;
use super::json::Arguments;
use super::service::Service;
use super::{Realm, Refusal, Visit};
use jiff::{SignedDuration, Timestamp};
use parameter::Parameter;
use serde_json::Value;
use std::collections::BTreeMap;

/// The key that AWS manages for the account's parameters.
const OWN_KEY: &str = "alias/aws/ssm";

/// What Parameter Store holds, by name without its first slash: `/X` and `X` are one.
#[derive(Clone, Default)]
pub(crate) struct Ssm {
    pub(super) realm: Realm,
    parameters: BTreeMap<String, Parameter>,
    deleted: BTreeMap<String, Timestamp>,
    /// Whether a name can be used again only 30 seconds after its deletion, as AWS's documentation warns.
    pub(crate) remembers_deletions: bool,
    /// Names of parameters whose type an overwrite has changed: AWS's documentation says that this cannot be.
    pub(crate) retyped: Vec<String>,
}

/// What a test or a person gives a parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: &'a str,
    /// `String`, `StringList` or `SecureString`.
    pub(crate) kind: &'a str,
}

/// A parameter as a test looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) value: String,
    pub(crate) kind: String,
    pub(crate) key: Option<String>,
    pub(crate) tier: String,
    pub(crate) version: i64,
    pub(crate) modified_by: String,
    pub(crate) labels: Vec<String>,
    pub(crate) tags: BTreeMap<String, String>,
}

impl Ssm {
    pub(super) fn answer(
        &mut self,
        action: &str,
        arguments: &Arguments,
        visit: &Visit,
    ) -> Result<Value, Refusal> {
        match action {
            "PutParameter" => self.put(arguments, visit),
            "DeleteParameter" => self.delete(arguments, visit),
            "DeleteParameters" => self.delete_several(arguments, visit),
            "LabelParameterVersion" => self.label(arguments, visit),
            "UnlabelParameterVersion" => self.unlabel(arguments, visit),
            "AddTagsToResource" => self.add_tags(arguments, visit),
            "RemoveTagsFromResource" => self.remove_tags(arguments, visit),
            "ListTagsForResource" => self.list_tags(arguments, visit),
            "GetParameter" => self.get(arguments, visit),
            "GetParameters" => self.get_several(arguments, visit),
            "GetParametersByPath" => self.get_by_path(arguments, visit),
            "GetParameterHistory" => self.history(arguments, visit),
            "DescribeParameters" => self.describe(arguments, visit),
            other => Err(Service::Ssm.unknown(other)),
        }
    }

    /// Puts a parameter as if its first or next version had just been written with AWS's own key.
    pub(crate) fn seed(&mut self, seed: Seed) {
        let Seed { name, value, kind } = seed;
        let body = serde_json::json!({"Name": name, "Value": value, "Type": kind, "Overwrite": true});
        let arguments = Arguments::parse(&body.to_string()).expect("it is an object");
        let (keys, caller) = (super::kms::Keys::default(), Principal::administrator(&self.realm));
        let visit = Visit { at: Timestamp::now(), caller: &caller, keys: &keys, pages: super::Pages::Full };
        self.put(&arguments, &visit).expect("a test seeds what AWS accepts");
    }

    /// As if the newest version had been written so many seconds earlier.
    pub(crate) fn age(&mut self, name: &str, seconds: i64) {
        let versions = self.parameters.get_mut(bare(name)).map(|parameter| &mut parameter.versions);
        if let Some(newest) = versions.and_then(|versions| versions.last_mut()) {
            newest.at -= SignedDuration::from_secs(seconds);
        }
    }

    /// Puts the newest version of a parameter under a customer's key, as if its writer had named it.
    pub(crate) fn encrypt_under(&mut self, name: &str, key: &str) {
        let parameter = self.parameters.get_mut(bare(name)).expect("a parameter that was seeded before");
        let newest = parameter.versions.last_mut().expect("a parameter has a version from the start");
        newest.key = Some(key.to_owned());
    }

    /// A parameter as it is now.
    pub(crate) fn held(&self, name: &str) -> Option<Held> {
        let parameter = self.parameters.get(bare(name))?;
        let newest = parameter.newest();
        Some(Held {
            value: newest.value.clone(),
            kind: newest.kind.clone(),
            key: newest.key.clone(),
            tier: newest.tier.clone(),
            version: newest.number,
            modified_by: newest.by.clone(),
            labels: newest.labels.clone(),
            tags: parameter.tags.clone(),
        })
    }

    /// The values of all versions that are kept, oldest first.
    pub(crate) fn past(&self, name: &str) -> Vec<(i64, String)> {
        let parameter = self.parameters.get(bare(name));
        let versions = parameter.into_iter().flat_map(|parameter| &parameter.versions);
        versions.map(|version| (version.number, version.value.clone())).collect()
    }

    /// The names of all parameters.
    pub(crate) fn names(&self) -> Vec<String> {
        self.parameters.values().map(|parameter| parameter.name.clone()).collect()
    }

    fn find(&self, name: &str) -> Result<&Parameter, Refusal> {
        self.parameters.get(self.identity(name)).ok_or_else(not_found)
    }

    /// What a name or an ARN of this realm is known by.
    fn identity<'a>(&self, name: &'a str) -> &'a str {
        identity(&self.realm, name)
    }

    fn arn(&self, name: &str) -> String {
        arn(&self.realm, name)
    }

    fn may(&self, visit: &Visit, action: &str, name: &str) -> Result<(), Refusal> {
        visit.caller.may(Service::Ssm, &format!("ssm:{action}"), &self.arn(name), &[])
    }

    /// The permission that a SecureString needs on its key, unless AWS manages that key.
    fn may_use_key(&self, visit: &Visit, action: &str, key: &str, name: &str) -> Result<(), Refusal> {
        if key.ends_with(OWN_KEY) {
            return Ok(());
        }
        let found = visit.keys.usable(key);
        let found = found.ok_or_else(|| Refusal::new("InvalidKeyId", format!("Invalid keyId {key}")))?;
        let (parameter, via) = (self.arn(name), self.realm.host("ssm"));
        let context = [
            ("kms:EncryptionContext:PARAMETER_ARN", parameter.as_str()),
            ("kms:ViaService", via.as_str()),
            ("kms:ResourceAliases", found.alias.as_str()),
        ];
        visit.caller.may(Service::Ssm, action, &found.arn, &context)
    }
}

/// A name without its first slash, by which it is known.
fn bare(name: &str) -> &str {
    let name = name.trim();
    name.strip_prefix('/').unwrap_or(name)
}

/// The same of a name or of an ARN of this realm.
fn identity<'a>(realm: &Realm, name: &'a str) -> &'a str {
    let name = name.trim();
    bare(name.strip_prefix(&realm.arn("ssm", "parameter")).unwrap_or(name))
}

fn arn(realm: &Realm, name: &str) -> String {
    realm.arn("ssm", &format!("parameter/{}", identity(realm, name)))
}

/// AWS sends no message with it.
fn not_found() -> Refusal {
    Refusal::new("ParameterNotFound", "")
}
