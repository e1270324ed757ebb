//! The manifest as meant: every default filled in, every name checked, every reference to another part resolved.
//!
//! Owns the types that the use cases ask. They are made by `resolve` only and never change; an edit is an edit of the
//! text, read again.

use crate::manifest::derive::Template;
use crate::manifest::generate::Generator;
use crate::manifest::prices::PricesSpec;
use crate::manifest::schema;
use crate::manifest::template::{NameTemplate, Names};
use crate::name;
use crate::render::Dialect;
use crate::secret::Secret;
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

pub use schema::{Audience, ChosenBy, ParameterTier, ParameterType, Secrets, Strategy, Tls, TlsMode};

/// A manifest as meant. Everything in it keeps the order of the file.
#[derive(Debug)]
pub struct Manifest {
    pub(super) file: String,
    pub(super) project: name::Project,
    pub(super) default_environment: Option<name::Environment>,
    pub(super) recipients: Vec<String>,
    pub(super) environments: IndexMap<name::Environment, EnvironmentSpec>,
    pub(super) groups: IndexMap<name::Group, GroupSpec>,
    pub(super) renders: IndexMap<String, RenderSpec>,
    pub(super) rotations: IndexMap<String, RotationSpec>,
    pub(super) prices: PricesSpec,
}

/// A kind of place, as far as the manifest tells it. Generic code never branches on it; what opens stores does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A local sealed file.
    Vault,
    /// AWS Systems Manager's Parameter Store.
    Ssm,
    /// AWS Secrets Manager.
    SecretsManager,
    /// The environment's Beanstalk copy of this name.
    Beanstalk {
        /// The name of the copy that is the truth.
        copy: String,
    },
    /// This process; keeps nothing, for tests.
    Memory,
}

impl Place {
    /// Whether it is reached over a network, where every look costs a call.
    pub fn is_remote(&self) -> bool {
        match self {
            Place::Vault | Place::Memory => false,
            Place::Ssm | Place::SecretsManager | Place::Beanstalk { .. } => true,
        }
    }

    /// Whether it keeps records of ours beside the values, for other hosts.
    pub fn keeps_records(&self) -> bool {
        matches!(self, Place::Ssm | Place::SecretsManager)
    }

    /// Whether a value there has a name by which Beanstalk can refer to it.
    pub fn can_be_referred_to(&self) -> bool {
        match self {
            Place::Ssm | Place::SecretsManager => true,
            Place::Vault | Place::Memory | Place::Beanstalk { .. } => false,
        }
    }

    /// Whether a secret that is derived is stored there, so that others can refer to it. A vault stands beside the
    /// manifest that says how to derive it.
    pub fn stores_derived_secrets(&self) -> bool {
        match self {
            Place::Vault => false,
            Place::Ssm | Place::SecretsManager | Place::Beanstalk { .. } | Place::Memory => true,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Vault => f.pad("vault"),
            Place::Ssm => f.pad("ssm"),
            Place::SecretsManager => f.pad("secretsmanager"),
            Place::Beanstalk { copy } => f.pad(&format!("beanstalk:{copy}")),
            Place::Memory => f.pad("memory"),
        }
    }
}

/// One deployment of the app.
#[derive(Debug, Clone)]
pub struct EnvironmentSpec {
    /// Its name.
    pub name: name::Environment,
    /// The place that is the truth.
    pub home: Place,
    /// The AWS account that must be the one in use.
    pub account: Option<String>,
    /// The profile of AWS's shared configuration files.
    pub profile: Option<String>,
    /// The AWS region: the environment's, or the project's.
    pub region: Option<String>,
    /// A role to assume.
    pub role_arn: Option<String>,
    /// The KMS key for secrets.
    pub kms_key: Option<String>,
    /// The tier of SSM parameters that are created.
    pub parameter_tier: ParameterTier,
    /// Another endpoint than AWS's.
    pub endpoint_url: Option<String>,
    /// Tags on everything that is created there.
    pub tags: BTreeMap<String, String>,
    /// Whether a change asks for the environment's name.
    pub protected: bool,
    /// Calls a second.
    pub quota: Quota,
    /// Other places that must agree with home, by name.
    pub copies: IndexMap<String, CopySpec>,
}

/// Calls a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Reads a second.
    pub reads: u32,
    /// Writes a second.
    pub writes: u32,
}

impl Default for Quota {
    /// What AWS allows where nobody asked for more.
    fn default() -> Quota {
        Quota { reads: 40, writes: 3 }
    }
}

/// The properties of a Beanstalk environment, which must agree with home.
#[derive(Debug, Clone)]
pub struct CopySpec {
    /// The copy's name in the manifest.
    pub name: String,
    /// The Beanstalk application.
    pub application: String,
    /// The Beanstalk environment.
    pub environment: String,
    /// What it gets.
    pub selection: Selection,
    /// How secrets go there.
    pub secrets: Secrets,
    /// What goes there as a reference, whatever goes for secrets.
    pub references: Vec<name::Address>,
}

impl CopySpec {
    /// Whether a value that the copy gets goes there as a reference; `secret` says whether it is one.
    pub fn refers_to(&self, address: &name::Address, secret: bool) -> bool {
        (secret && self.secrets == Secrets::Reference) || self.references.contains(address)
    }

    /// Whether anything may go there as a reference.
    pub fn has_references(&self) -> bool {
        self.secrets == Secrets::Reference || !self.references.is_empty()
    }
}

/// What goes into one process, file or copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Whole groups; without them and without keys, every group that is for the app.
    pub groups: Option<Vec<name::Group>>,
    /// Single keys.
    pub keys: Option<Vec<name::Address>>,
    /// Other names for some variables.
    pub rename: BTreeMap<name::Key, name::Key>,
}

/// The instances of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstancesSpec {
    /// The group has none.
    None,
    /// Whatever home holds.
    Discovered,
    /// Exactly these.
    Listed(Vec<name::Instance>),
}

/// Keys that live together and have one audience.
#[derive(Debug, Clone)]
pub struct GroupSpec {
    /// Its name.
    pub name: name::Group,
    /// What it is for.
    pub description: Option<String>,
    /// The environments that it belongs to.
    pub environments: Vec<name::Environment>,
    /// Its instances.
    pub instances: InstancesSpec,
    /// The names of SSM parameters.
    pub ssm_path: NameTemplate,
    /// The names of Secrets Manager documents.
    pub secretsmanager_path: NameTemplate,
    /// How its values are named in an environment; none where they go to none.
    pub env: Option<NameTemplate>,
    /// Whom its values are for.
    pub audience: Audience,
    /// Whether environments mean the same values.
    pub shared: bool,
    /// The keys.
    pub keys: IndexMap<name::Key, KeySpec>,
    /// The line that declares it.
    pub line: usize,
}

impl GroupSpec {
    /// Whether its values reach an environment at all.
    pub fn reaches_environments(&self) -> bool {
        self.audience == Audience::App && self.env.is_some()
    }

    /// Whether the group has instances.
    pub fn is_instanced(&self) -> bool {
        self.instances != InstancesSpec::None
    }
}

/// One declared variable.
#[derive(Debug, Clone)]
pub struct KeySpec {
    /// Its name.
    pub name: name::Key,
    /// Whether the value is a secret, by its own word or by a part that it is derived from.
    pub secret: bool,
    /// Whether it may be missing.
    pub optional: bool,
    /// What it is for.
    pub description: Option<String>,
    /// How a new value is made.
    pub generate: Option<Generator>,
    /// The type of its SSM parameter.
    pub parameter_type: ParameterType,
    /// The environments that it belongs to.
    pub environments: Vec<name::Environment>,
    /// Tags on what is created for it, beside the environment's.
    pub tags: BTreeMap<String, String>,
    /// The key of the same group in whose place others refer to this one, as long as both hold the same value. Such a
    /// key is declared by a rotation; it is sent nowhere itself.
    pub stands_for: Option<name::Key>,
    /// The line that declares it.
    pub line: usize,
    pub(super) origin: Origin,
}

/// Where the values of a key come from.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    Literal {
        everywhere: Option<(Secret, usize)>,
        by_environment: BTreeMap<name::Environment, (Secret, usize)>,
    },
    Derived {
        template: Template,
        line: usize,
    },
    Home,
}

/// Where the value of a key comes from in one environment.
#[derive(Debug)]
pub enum ValueSource<'a> {
    /// The manifest, at this line.
    Literal {
        /// The plain value.
        value: &'a Secret,
        /// The line that it stands in.
        line: usize,
    },
    /// Other values.
    Derived {
        /// How.
        template: &'a Template,
        /// The line that it stands in.
        line: usize,
    },
    /// The environment's home.
    Home,
    /// Nowhere: it is optional and has values in other environments only.
    Absent,
}

impl KeySpec {
    /// Where the value comes from in an environment.
    pub fn source(&self, environment: &name::Environment) -> ValueSource<'_> {
        match &self.origin {
            Origin::Home => ValueSource::Home,
            Origin::Derived { template, line } => ValueSource::Derived { template, line: *line },
            Origin::Literal { everywhere, by_environment } => {
                match by_environment.get(environment).or(everywhere.as_ref()) {
                    Some((value, line)) => ValueSource::Literal { value, line: *line },
                    None => ValueSource::Absent,
                }
            }
        }
    }

    /// Whether the value is in the home of the environment, which keeps derived secrets or does not.
    pub(super) fn lives_in(&self, home: &Place) -> bool {
        match &self.origin {
            Origin::Home => true,
            Origin::Derived { .. } => self.secret && home.stores_derived_secrets(),
            Origin::Literal { .. } => false,
        }
    }
}

/// A file that is made from values.
#[derive(Debug, Clone)]
pub struct RenderSpec {
    /// The target's name.
    pub name: String,
    /// The file, from the manifest's folder on.
    pub file: NameTemplate,
    /// Who reads it.
    pub dialects: Vec<Dialect>,
    /// Its permissions.
    pub mode: u32,
    /// Its owner, where it is not whoever runs the tool.
    pub owner: Option<Owner>,
    /// What is in it.
    pub selection: Selection,
    /// The environments that it is made for.
    pub environments: Vec<name::Environment>,
    /// The line that declares it.
    pub line: usize,
}

impl RenderSpec {
    /// The file in one environment, from the manifest's folder on.
    pub fn file_in(&self, manifest: &Manifest, environment: &name::Environment) -> String {
        let names =
            Names { project: Some(&manifest.project), environment: Some(environment), ..Names::default() };
        self.file.fill(&names)
    }
}

/// The owner of a file: names or numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub user: Option<String>,
    /// The group.
    pub group: Option<String>,
}

/// Something that can be rotated.
#[derive(Debug, Clone)]
pub struct RotationSpec {
    /// Its name.
    pub name: String,
    /// How often.
    pub every: Option<Duration>,
    /// The environments that it exists in.
    pub environments: Vec<name::Environment>,
    /// What it is.
    pub kind: RotationKind,
    /// The line that declares it.
    pub line: usize,
}

/// What can be rotated. Addresses name where values are; the values are read when it runs.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields are those of the schema, and are told there")]
pub enum RotationKind {
    /// The login of a PostgreSQL role.
    Postgres(Box<PostgresSpec>),
    /// The tokens of Xero connections.
    Xero(Box<XeroSpec>),
    /// Django's SECRET_KEY.
    DjangoSecretKey { key: name::Address, fallbacks: Option<name::Address>, soak: Option<Duration> },
    /// Values that nothing else must learn first.
    Random { keys: Vec<name::Address>, verify: Option<Program> },
    /// Values that AWS rotates in a secret of its own; which member of it each key gets.
    Follow { secret: String, keys: Vec<(name::Address, String)> },
    /// Values that programs publish to their target.
    Command {
        keys: Vec<name::Address>,
        chosen_by: ChosenBy,
        apply: Program,
        verify: Option<Program>,
        retire: Option<Program>,
        soak: Option<Duration>,
    },
}

/// A program of a person's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its name, and its arguments.
    pub words: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}

/// The login of a PostgreSQL role.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the schema, and are told there")]
pub struct PostgresSpec {
    pub strategy: Strategy,
    pub host: name::Address,
    pub port: Option<name::Address>,
    pub database: name::Address,
    pub user: name::Address,
    pub password: name::Address,
    pub urls: Vec<name::Address>,
    pub admin: Option<AdminSpec>,
    pub tls: Tls,
}

/// The login of the role that may alter others.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the schema, and are told there")]
pub struct AdminSpec {
    pub user: name::Address,
    pub password: name::Address,
}

/// The tokens of Xero connections: one connection for each instance of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the schema, and are told there")]
pub struct XeroSpec {
    pub group: name::Group,
    pub token_url: String,
    pub api_url: String,
    pub authorize_url: String,
    pub redirect_url: Option<String>,
    pub scopes: Vec<String>,
    pub client_id: name::Key,
    pub client_secret: name::Key,
    pub access_token: name::Key,
    pub refresh_token: name::Key,
    pub tenant_id: name::Key,
    pub token_expires_at: name::Key,
}
