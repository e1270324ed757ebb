//! The actions of each service, and the ARNs that they are allowed on.
//!
//! Owns the tables: what a bearer with some access calls at AWS, no more. `sts:GetCallerIdentity` is in none of them: AWS
//! lets everybody call it.

use super::arn::{ANY_SUFFIX, Site};
use super::document::{Policy, Statement};
use super::needs::{Access, Needs, Own, Updates};
use super::pattern::{Held, Patterns};
use crate::manifest::{EnvironmentSpec, Manifest};
use std::collections::{BTreeMap, BTreeSet};

/// What a service is asked to do with the names of one access.
struct Calls {
    sid: &'static str,
    actions: &'static [&'static str],
    /// What the service does with the key in the caller's name.
    key: &'static [&'static str],
}

fn ssm(access: Access) -> Calls {
    let (sid, actions, key): (_, &[&str], &[&str]) = match access {
        Access::Resolve => ("ResolveReferences", &["ssm:GetParameter"], DECRYPT),
        Access::AppReads => ("AppReads", &["ssm:GetParameter", "ssm:GetParameters"], DECRYPT),
        Access::AppWrites => (
            "AppWrites",
            &["ssm:DeleteParameter", "ssm:GetParameter", "ssm:GetParameters", "ssm:PutParameter"],
            PARAMETER_KEY,
        ),
        Access::Read => {
            ("ReadParameters", &["ssm:GetParameter", "ssm:GetParameterHistory", "ssm:GetParameters"], DECRYPT)
        }
        Access::Change | Access::Keep => (
            "ChangeParameters",
            &[
                "ssm:AddTagsToResource",
                "ssm:DeleteParameter",
                "ssm:GetParameter",
                "ssm:GetParameterHistory",
                "ssm:GetParameters",
                "ssm:PutParameter",
            ],
            PARAMETER_KEY,
        ),
    };
    Calls { sid, actions, key }
}

fn secrets_manager(access: Access) -> Calls {
    let (sid, actions, key): (_, &[&str], &[&str]) = match access {
        Access::Resolve => ("ResolveReferences", &["secretsmanager:GetSecretValue"], DECRYPT),
        Access::AppReads => ("AppReads", &["secretsmanager:GetSecretValue"], DECRYPT),
        Access::AppWrites => (
            "AppWrites",
            &[
                "secretsmanager:CreateSecret",
                "secretsmanager:DeleteSecret",
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetSecretValue",
                "secretsmanager:PutSecretValue",
            ],
            SECRET_KEY,
        ),
        Access::Read => (
            "ReadSecrets",
            &[
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetSecretValue",
                "secretsmanager:ListSecretVersionIds",
            ],
            DECRYPT,
        ),
        Access::Change | Access::Keep => (
            "ChangeSecrets",
            &[
                "secretsmanager:CreateSecret",
                "secretsmanager:DeleteSecret",
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetSecretValue",
                "secretsmanager:ListSecretVersionIds",
                "secretsmanager:PutSecretValue",
                "secretsmanager:RestoreSecret",
                "secretsmanager:TagResource",
                "secretsmanager:UpdateSecretVersionStage",
            ],
            SECRET_KEY,
        ),
    };
    Calls { sid, actions, key }
}

const DECRYPT: &[&str] = &["kms:Decrypt"];
/// `Encrypt` for a standard parameter, `GenerateDataKey` for an advanced one.
const PARAMETER_KEY: &[&str] = &["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"];
const SECRET_KEY: &[&str] = &["kms:Decrypt", "kms:GenerateDataKey"];

/// A lease is written and never deleted.
const PARAMETER_LEASE: &[&str] =
    &["ssm:AddTagsToResource", "ssm:GetParameter", "ssm:GetParameterHistory", "ssm:PutParameter"];
const SECRET_LEASE: &[&str] = &[
    "secretsmanager:CreateSecret",
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetSecretValue",
    "secretsmanager:ListSecretVersionIds",
    "secretsmanager:PutSecretValue",
    "secretsmanager:TagResource",
    "secretsmanager:UpdateSecretVersionStage",
];

/// What Secrets Manager puts in the place of an ARN when it asks whether the caller may use a key at all.
const VALIDATION: &str = "RequestToValidateKeyAccess";

/// The statements for a home in the Parameter Store.
pub(super) fn parameters(policy: &mut Policy, environment: &EnvironmentSpec, site: &Site, held: &Held) {
    let mut keys = Keys::of(environment, "kms:EncryptionContext:PARAMETER_ARN");
    for (access, names) in by_access(held) {
        let Calls { sid, actions, key } = ssm(access);
        let resources: Vec<String> = names.iter().map(|name| site.parameter(name)).collect();
        keys.use_for(key, resources.iter().cloned());
        policy.add(Statement::new(sid, actions, resources));
    }
    let walked = held.groups.iter().filter(|(access, _)| *access != Access::Resolve);
    let walked = walked.filter_map(|(_, patterns)| patterns.walked.as_deref());
    // A walk is authorised on the path that is asked for, with or without what is below it.
    let walked = walked.flat_map(|path| [site.parameter(path), site.parameter(&format!("{path}/*"))]);
    policy.add(Statement::new("WalkPaths", &["ssm:GetParametersByPath"], walked));
    let own: Vec<String> = held.own.iter().map(|name| site.parameter(name)).collect();
    let actions: &[&str] = match held.own.iter().any(|name| name.ends_with('*')) {
        true => ssm(Access::Change).actions,
        false => PARAMETER_LEASE,
    };
    keys.use_for(PARAMETER_KEY, own.iter().cloned());
    policy.add(Statement::new("StrongroomsOwn", actions, own));
    let writes = held
        .groups
        .iter()
        .any(|(access, _)| matches!(access, Access::Change | Access::Keep | Access::AppWrites));
    if writes {
        policy.add(Statement::new("DescribeParameters", &["ssm:DescribeParameters"], ["*".to_owned()]));
    }
    keys.state(policy, site);
}

/// The statements for a home in Secrets Manager.
pub(super) fn secrets(policy: &mut Policy, environment: &EnvironmentSpec, site: &Site, held: &Held) {
    let mut keys = Keys::of(environment, "kms:EncryptionContext:SecretARN");
    for (access, names) in by_access(held) {
        let Calls { sid, actions, key } = secrets_manager(access);
        let resources: Vec<String> = names.iter().map(|name| site.secret(name, ANY_SUFFIX)).collect();
        keys.use_for(key, resources.iter().cloned());
        if key == SECRET_KEY {
            keys.use_for(key, [VALIDATION.to_owned()]);
        }
        policy.add(Statement::new(sid, actions, resources));
    }
    let own: Vec<String> = held.own.iter().map(|name| site.secret(name, ANY_SUFFIX)).collect();
    if !own.is_empty() {
        keys.use_for(SECRET_KEY, own.iter().cloned().chain([VALIDATION.to_owned()]));
    }
    let actions = match held.own.iter().any(|name| name.ends_with('*')) {
        true => secrets_manager(Access::Change).actions,
        false => SECRET_LEASE,
    };
    policy.add(Statement::new("StrongroomsOwn", actions, own));
    let mut anywhere = Vec::new();
    if held.groups.iter().any(|(access, _)| *access >= Access::Read) {
        anywhere.push("secretsmanager:BatchGetSecretValue");
    }
    let discovers =
        |(access, patterns): &(Access, Patterns)| *access != Access::Resolve && patterns.walked.is_some();
    if held.groups.iter().any(discovers) {
        anywhere.push("secretsmanager:ListSecrets");
    }
    policy.add(Statement::new("ListAndBatch", &anywhere, ["*".to_owned()]));
    keys.state(policy, site);
}

fn by_access(held: &Held) -> BTreeMap<Access, BTreeSet<&str>> {
    let mut found: BTreeMap<Access, BTreeSet<&str>> = BTreeMap::new();
    for (access, patterns) in &held.groups {
        found.entry(*access).or_default().extend(patterns.names.iter().map(String::as_str));
    }
    found
}

/// What may be done with the customer's key, for whose values.
struct Keys<'a> {
    key: Option<&'a str>,
    context: &'static str,
    uses: BTreeMap<&'static [&'static str], BTreeSet<String>>,
}

impl<'a> Keys<'a> {
    fn of(environment: &'a EnvironmentSpec, context: &'static str) -> Keys<'a> {
        Keys { key: environment.kms_key.as_deref(), context, uses: BTreeMap::new() }
    }

    fn use_for(&mut self, actions: &'static [&'static str], values: impl IntoIterator<Item = String>) {
        self.uses.entry(actions).or_default().extend(values);
    }

    /// Without a key of the customer's own, AWS's is used, which asks for no permission.
    fn state(self, policy: &mut Policy, site: &Site) {
        let Some(key) = self.key else { return };
        for (actions, values) in self.uses.into_iter().filter(|(_, values)| !values.is_empty()) {
            let sid = if actions == DECRYPT { "UseKeyToRead" } else { "UseKeyToWrite" };
            let statement = Statement::new(sid, actions, [key_arn(key, site)]);
            let statement = statement.only_if("StringLike", self.context, values);
            policy.add(match alias(key) {
                Some(alias) => {
                    statement.only_if("ForAnyValue:StringEquals", "kms:ResourceAliases", [alias.to_owned()])
                }
                None => statement,
            });
        }
    }
}

/// The alias that a key is named by.
pub(super) fn alias(key: &str) -> Option<&str> {
    match key.rsplit_once(":alias/") {
        Some((before, _)) => Some(&key[before.len() + 1..]),
        None => Some(key).filter(|key| key.starts_with("alias/")),
    }
}

/// A policy names a key by the ARN of the key itself: on an alias it would be about the alias, not about its key.
fn key_arn(key: &str, site: &Site) -> String {
    match alias(key) {
        Some(_) => site.arn("kms", "key/*"),
        None if key.starts_with("arn:") => key.to_owned(),
        None => site.arn("kms", &format!("key/{key}")),
    }
}

/// The statements for Beanstalk environments.
pub(super) fn beanstalk(policy: &mut Policy, site: &Site, needs: &Needs<'_>) {
    const LOOK: &[&str] = &[
        "elasticbeanstalk:DescribeConfigurationSettings",
        "elasticbeanstalk:DescribeEnvironments",
        "elasticbeanstalk:DescribeEvents",
    ];
    const UPDATE: &[&str] = &[
        "elasticbeanstalk:DescribeConfigurationSettings",
        "elasticbeanstalk:DescribeEnvironments",
        "elasticbeanstalk:DescribeEvents",
        "elasticbeanstalk:UpdateEnvironment",
        "elasticbeanstalk:ValidateConfigurationSettings",
    ];
    let of = |wanted: Updates| {
        let copies = needs.copies.iter().filter(move |(_, updates)| *updates == wanted);
        copies.map(|(copy, _)| {
            let resource = format!("environment/{}/{}", copy.application, copy.environment);
            site.arn("elasticbeanstalk", &resource)
        })
    };
    policy.add(Statement::new("LookAtEnvironments", LOOK, of(Updates::No)));
    policy.add(Statement::new("UpdateEnvironments", UPDATE, of(Updates::Yes)));
    if needs.looks_at_saved {
        let referring = needs.copies.iter().map(|(copy, _)| copy).filter(|copy| copy.has_references());
        let applications: BTreeSet<&str> = referring.map(|copy| copy.application.as_str()).collect();
        let of = |kind: &'static str, rest: &'static str| {
            let names = applications.iter();
            names.map(move |name| site.arn("elasticbeanstalk", &format!("{kind}/{name}{rest}")))
        };
        policy.add(Statement::new(
            "LookAtApplications",
            &["elasticbeanstalk:DescribeApplications"],
            of("application", ""),
        ));
        policy.add(Statement::new(
            "LookAtSavedConfigurations",
            &["elasticbeanstalk:DescribeConfigurationSettings"],
            of("configurationtemplate", "/*"),
        ));
    }
    if !needs.copies.is_empty() {
        let actions = &["elasticbeanstalk:DescribePlatformVersion"];
        policy.add(Statement::new("LookAtPlatforms", actions, [site.platforms()]));
    }
}

/// What reads secrets that others keep. One that is sealed with a key of its own needs `kms:Decrypt` for that beside it,
/// which no manifest knows.
pub(super) fn followed(policy: &mut Policy, secrets: &[&str]) {
    let resources: Vec<String> = secrets.iter().map(|&arn| arn.to_owned()).collect();
    policy.add(Statement::new("ReadFollowed", &["secretsmanager:GetSecretValue"], resources));
}

/// What strongroom keeps for itself in home, as far as it is needed.
pub(super) fn own_names(manifest: &Manifest, environment: &EnvironmentSpec, own: Own) -> BTreeSet<String> {
    let name = match own {
        Own::Nothing => None,
        Own::Lease => manifest.lease_name(&environment.name),
        Own::Minted => manifest.reserved_path(&environment.name).map(|path| format!("{path}*")),
    };
    name.map(|name| name.trim_start_matches('/').to_owned()).into_iter().collect()
}
