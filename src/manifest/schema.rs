//! The manifest as written: one struct for each table of `strongroom.toml`, in its words and without its defaults.
//!
//! Owns the fields. The JSON Schema is derived from these structs and the parser checks documents against that schema,
//! so neither can know a field that the other does not. What the fields mean is decided in `resolve`.

mod rotate;

use crate::manifest::generate::Alphabet;
use crate::render::Dialect;
use indexmap::IndexMap;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde::Deserialize;
use serde_json::Value;

pub use rotate::{ChosenBy, Strategy, Tls, TlsMode};
pub(super) use rotate::{
    Rotate, RotateCommand, RotateDjangoSecretKey, RotateFollow, RotatePostgres, RotateRandom, RotateXero,
    XeroKeys,
};

/// A strongroom manifest: the environments of one project, its keys, and where their values go. It never holds a secret.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "strongroom.toml")]
pub(super) struct Manifest {
    /// The version of this format: 1.
    #[schemars(range(min = 1, max = 1))]
    #[expect(dead_code, reason = "the schema's range has checked it")]
    pub(super) version: u32,
    /// The app.
    pub(super) project: Project,
    /// The deployments of the app, by name.
    pub(super) environments: IndexMap<String, Environment>,
    /// Keys that live together, by the group's name.
    #[serde(default)]
    pub(super) groups: IndexMap<String, Group>,
    /// The files that are made from the values, by name.
    #[serde(default)]
    pub(super) render: IndexMap<String, Render>,
    /// What can be rotated and how, by name.
    #[serde(default)]
    pub(super) rotate: IndexMap<String, Rotate>,
    /// What AWS charges you, in US dollars, where it is not what strongroom knows.
    #[serde(default)]
    pub(super) prices: Prices,
}

/// Prices in US dollars.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Prices {
    /// A secret of Secrets Manager, a month.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(super) secret: Option<f64>,
    /// An advanced parameter of the Parameter Store, a month.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(super) advanced_parameter: Option<f64>,
    /// 10,000 calls.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(super) calls: Option<f64>,
}

/// The app.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Project {
    /// The app's name; it is a part of paths and files.
    pub(super) name: String,
    /// The AWS region of every environment that does not name its own.
    pub(super) region: Option<String>,
    /// The environment that commands use when none is named.
    pub(super) default_environment: Option<String>,
    /// Who can open vaults and backups: age recipients (`age1…`) and `ssh-ed25519` public keys.
    #[serde(default)]
    pub(super) recipients: Vec<String>,
}

/// One deployment of the app.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Environment {
    /// The place that is the truth: `vault`, `ssm`, `secretsmanager`, `beanstalk` (its one Beanstalk copy) or
    /// `beanstalk:COPY`; `memory` keeps nothing and is for tests.
    #[schemars(regex(pattern = r"^(vault|ssm|secretsmanager|memory|beanstalk(:[a-z][a-z0-9-]*)?)$"))]
    pub(super) home: String,
    /// The AWS account's twelve digits, checked before the first write.
    #[schemars(regex(pattern = r"^[0-9]{12}$"))]
    pub(super) account: Option<String>,
    /// The profile of AWS's shared configuration files; AWS_PROFILE goes before it.
    pub(super) profile: Option<String>,
    /// The AWS region; without it the project's.
    pub(super) region: Option<String>,
    /// A role to assume.
    pub(super) role_arn: Option<String>,
    /// The KMS key that secrets are encrypted with; without it AWS's own.
    pub(super) kms_key: Option<String>,
    /// The tier of SSM parameters that are created; without it standard. AWS charges for advanced ones.
    #[serde(default)]
    pub(super) parameter_tier: ParameterTier,
    /// Another endpoint than AWS's; AWS_ENDPOINT_URL goes before it.
    pub(super) endpoint_url: Option<String>,
    /// Tags on everything that is created there.
    #[serde(default)]
    pub(super) tags: IndexMap<String, String>,
    /// Asks for the environment's name before a change.
    #[serde(default)]
    pub(super) protected: bool,
    /// Calls a second, where AWS's defaults do not hold.
    pub(super) quota: Option<Quota>,
    /// Other places that must agree with home, by name.
    #[serde(default)]
    pub(super) copies: IndexMap<String, Copy>,
}

/// Calls a second.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Quota {
    /// Reads a second; AWS's default is 40.
    #[schemars(range(min = 1, max = 100_000))]
    pub(super) reads: Option<u32>,
    /// Writes a second; AWS's default is 3.
    #[schemars(range(min = 1, max = 100_000))]
    pub(super) writes: Option<u32>,
}

/// Another place that must agree with home.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "lowercase")]
pub(super) enum Copy {
    /// The environment properties of an Elastic Beanstalk environment.
    Beanstalk {
        /// The Beanstalk application's name.
        application: String,
        /// The Beanstalk environment's name.
        environment: String,
        /// The groups that it gets; without it every group of the environment.
        groups: Option<Vec<String>>,
        /// Whether secrets go there by value or as references (ARNs) that Beanstalk resolves at bootstrap.
        #[serde(default)]
        secrets: Secrets,
        /// With `secrets = "value"`, the keys that go there as references all the same.
        #[serde(default)]
        references: Vec<String>,
    },
}

/// How secrets reach a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Secrets {
    /// The value itself.
    #[default]
    Value,
    /// The ARN of the value in home.
    Reference,
}

/// Keys that live together under one path and have one audience.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    /// What the group is for.
    pub(super) description: Option<String>,
    /// The environments that the group belongs to; without it all of them.
    pub(super) environments: Option<Vec<String>>,
    /// `true` where instances are discovered, or their names.
    pub(super) instances: Option<Instances>,
    /// Where the values lie: one template, or one for each kind of place. `{project}`, `{environment}`, `{group}`,
    /// `{instance}` and `{key}` stand for the names.
    pub(super) path: Option<Path>,
    /// How the values of an instanced group are named in an environment: `XERO_{instance}_{key}`.
    pub(super) env: Option<String>,
    /// `app`, or `operator`: in home, and sent nowhere.
    #[serde(default)]
    pub(super) audience: Audience,
    /// Several environments mean the same values, at the same path.
    #[serde(default)]
    pub(super) shared: bool,
    /// The keys, by name.
    #[serde(default)]
    pub(super) keys: IndexMap<String, Key>,
}

/// The instances of a group: discovered, or these.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Instances {
    /// `true`: whatever home holds.
    Discovered(bool),
    /// Exactly these.
    Listed(Vec<String>),
}

/// Where values lie: one template for every kind of place, or one for each.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Path {
    /// For every kind of place.
    Everywhere(String),
    /// For each kind of place.
    PerPlace(PathPerPlace),
}

/// Where values lie in each kind of place.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PathPerPlace {
    /// The parameter's name; without it `/{project}/{environment}/{group}/{key}`.
    pub(super) ssm: Option<String>,
    /// The document's name; without it `{project}/{environment}/{group}`.
    pub(super) secretsmanager: Option<String>,
}

/// Whom the values of a group are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    /// The app: they reach its environment.
    #[default]
    App,
    /// The people and tools that run it: they are in home and sent nowhere.
    Operator,
}

/// One declared variable.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    /// The value is a secret.
    #[serde(default)]
    pub(super) secret: bool,
    /// The plain value, which lives here and only here.
    pub(super) value: Option<String>,
    /// The plain value in some environments, before `value`.
    #[serde(default)]
    pub(super) values: IndexMap<String, String>,
    /// May be missing.
    #[serde(default)]
    pub(super) optional: bool,
    /// What the value is for.
    pub(super) description: Option<String>,
    /// How a new value is made.
    pub(super) generate: Option<Generate>,
    /// A template over other keys; parts are percent-encoded, `{KEY:raw}` and a lone `{KEY}` are not, `{{` is a brace.
    pub(super) derive: Option<String>,
    /// The type of the SSM parameter; without it SecureString.
    #[serde(rename = "type")]
    pub(super) parameter_type: Option<ParameterType>,
    /// The environments that the key belongs to; without it those of its group.
    pub(super) environments: Option<Vec<String>>,
    /// Tags on what is created for it, beside the environment's.
    #[serde(default)]
    pub(super) tags: IndexMap<String, String>,
}

/// The tier of an SSM parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ParameterTier {
    /// Up to 4 KB, free.
    #[default]
    Standard,
    /// Up to 8 KB, charged for each parameter.
    Advanced,
    /// Advanced where a value has more than 4 KB.
    Intelligent,
}

/// The type of an SSM parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
pub enum ParameterType {
    /// Encrypted.
    #[default]
    SecureString,
    /// As it is.
    String,
}

impl ParameterType {
    /// Whether AWS encrypts it.
    pub fn is_encrypted(self) -> bool {
        self == ParameterType::SecureString
    }
}

/// How a new value is made: the name of an alphabet, or a length and an alphabet.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Generate {
    /// As long as is usual with this alphabet.
    Named(Alphabet),
    /// With a length.
    Sized(GenerateSized),
}

/// A length and an alphabet.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GenerateSized {
    /// How many characters; without it as many as are usual with the alphabet.
    #[schemars(range(min = 8, max = 4096))]
    pub(super) length: Option<u32>,
    /// Which characters; without it `alphanumeric`.
    #[serde(default)]
    pub(super) alphabet: Alphabet,
}

/// A file that is made from values.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Render {
    /// The file, from the manifest's folder on; `{project}` and `{environment}` stand for the names.
    pub(super) file: String,
    /// Who reads the file: one dialect, or several that must all read the same bytes.
    pub(super) dialect: Dialects,
    /// The file's permissions in octal; without it `0600`.
    #[schemars(regex(pattern = r"^0?[0-7]{3}$"))]
    pub(super) mode: Option<String>,
    /// The file's owner, as `USER`, `USER:GROUP` or `:GROUP`, names or numbers.
    pub(super) owner: Option<String>,
    /// The groups in it; without `groups` and `keys` every group of the environment.
    pub(super) groups: Option<Vec<String>>,
    /// Single keys in it.
    pub(super) keys: Option<Vec<String>>,
    /// Other names for some of its variables: `A = "B"` writes A as B.
    #[serde(default)]
    pub(super) rename: IndexMap<String, String>,
    /// The environments that it is made for; without it all of them.
    pub(super) environments: Option<Vec<String>>,
}

/// One dialect or several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Dialects {
    /// One.
    One(Dialect),
    /// Several, which must all read the same bytes.
    Several(#[schemars(length(min = 1))] Vec<Dialect>),
}

/// TOML has no null, so that a field that may be left out is of its own type only.
fn without_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    let branches = object.get_mut("anyOf").and_then(Value::as_array_mut);
    let Some(branches) = branches else { return };
    branches.retain(|branch| branch.get("type").is_none_or(|kind| kind != "null"));
    if branches.len() == 1
        && let Some(Value::Object(only)) = branches.pop()
    {
        object.remove("anyOf");
        object.extend(only.into_iter().filter(|(field, _)| field != "description"));
    }
}

/// The schema of a manifest, as a JSON value.
pub(super) fn value() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Manifest>();
    RecursiveTransform(without_null).transform(&mut schema);
    schema.to_value()
}

/// The JSON Schema of a manifest, for editors: what `docs/manifest.schema.json` holds.
pub fn json_schema() -> String {
    let mut text = serde_json::to_string_pretty(&value()).expect("a JSON value has no key but strings");
    text.push('\n');
    text
}
