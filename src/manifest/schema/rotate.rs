//! What can be rotated, as written: one struct for each kind.
//!
//! Owns the fields of `[rotate.NAME]`, as `schema` owns the others.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

/// Something that can be rotated.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(in crate::manifest) enum Rotate {
    /// The login of a PostgreSQL role.
    Postgres(RotatePostgres),
    /// The tokens of Xero connections.
    Xero(RotateXero),
    /// Django's SECRET_KEY, with SECRET_KEY_FALLBACKS.
    DjangoSecretKey(RotateDjangoSecretKey),
    /// Values that nothing else must learn first.
    Random(RotateRandom),
    /// Values that programs of your own publish to their target.
    Command(RotateCommand),
    /// Values that AWS itself rotates in a secret of its own, as RDS does with a master password: they are brought along.
    Follow(RotateFollow),
}

/// The login of a PostgreSQL role.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::manifest) struct RotatePostgres {
    /// `alternating`: two roles take turns and nothing is ever down; `single`: one role, with a gap.
    #[serde(default)]
    pub(in crate::manifest) strategy: Strategy,
    /// The key that holds the server's host.
    pub(in crate::manifest) host: String,
    /// The key that holds the server's port; without it 5432.
    pub(in crate::manifest) port: Option<String>,
    /// The key that holds the database's name.
    pub(in crate::manifest) database: String,
    /// The key that holds the role's name.
    pub(in crate::manifest) user: String,
    /// The key that holds the role's password.
    pub(in crate::manifest) password: String,
    /// Keys that hold a URL with this login and are not derived.
    #[serde(default)]
    pub(in crate::manifest) urls: Vec<String>,
    /// The keys of the role that may alter the others.
    pub(in crate::manifest) admin: Option<Admin>,
    /// How the connection is protected; without it `verify-full` with the system's authorities.
    pub(in crate::manifest) tls: Option<Tls>,
    /// How often: `90d`, `12h`, `8w`.
    #[schemars(regex(pattern = "^[1-9][0-9]*[hdw]$"))]
    pub(in crate::manifest) every: Option<String>,
    /// The environments that it exists in; without it all of them.
    pub(in crate::manifest) environments: Option<Vec<String>>,
}

/// Whether two roles take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// Two roles take turns; the one in use is never changed.
    #[default]
    Alternating,
    /// One role, whose password changes under its users.
    Single,
}

/// The keys of the role that may alter the others.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::manifest) struct Admin {
    /// The key that holds its name.
    pub(in crate::manifest) user: String,
    /// The key that holds its password.
    pub(in crate::manifest) password: String,
}

/// How a connection is protected.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// `verify-full`, or `disable` for a loopback address or a socket.
    #[serde(default)]
    pub mode: TlsMode,
    /// A file of certificates to trust, from the manifest's folder on; without it the system's.
    pub ca: Option<String>,
}

/// Whether a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// Encrypted, and the server's certificate names the host.
    #[default]
    VerifyFull,
    /// Not at all; for a loopback address or a socket only.
    Disable,
}

/// The tokens of Xero connections.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::manifest) struct RotateXero {
    /// The group whose instances are connections.
    pub(in crate::manifest) group: String,
    /// Where tokens are exchanged; without it Xero's.
    pub(in crate::manifest) token_url: Option<String>,
    /// Where the new token is tried; without it Xero's.
    pub(in crate::manifest) api_url: Option<String>,
    /// Where a person authorises; without it Xero's.
    pub(in crate::manifest) authorize_url: Option<String>,
    /// Where Xero sends a person back to, as registered with the app; without it http://localhost:8765/callback.
    pub(in crate::manifest) redirect_url: Option<String>,
    /// What the app asks for when a person authorises; `offline_access` is always among it.
    #[serde(default)]
    pub(in crate::manifest) scopes: Vec<String>,
    /// The group's keys, where they are not named as here.
    pub(in crate::manifest) keys: Option<XeroKeys>,
    /// How often: `90d`, `12h`, `8w`.
    #[schemars(regex(pattern = "^[1-9][0-9]*[hdw]$"))]
    pub(in crate::manifest) every: Option<String>,
    /// The environments that it exists in; without it all of them.
    pub(in crate::manifest) environments: Option<Vec<String>>,
}

/// Which keys of the group hold what; each is called as its field where it is not named.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::manifest) struct XeroKeys {
    /// The app's id.
    pub(in crate::manifest) client_id: Option<String>,
    /// The app's secret.
    pub(in crate::manifest) client_secret: Option<String>,
    /// The token for calls, good for half an hour.
    pub(in crate::manifest) access_token: Option<String>,
    /// The token for the next pair.
    pub(in crate::manifest) refresh_token: Option<String>,
    /// The organisation.
    pub(in crate::manifest) tenant_id: Option<String>,
    /// When the access token ends.
    pub(in crate::manifest) token_expires_at: Option<String>,
}

/// Django's SECRET_KEY, with SECRET_KEY_FALLBACKS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::manifest) struct RotateDjangoSecretKey {
    /// The key that signs.
    pub(in crate::manifest) key: String,
    /// The key that holds what is still accepted, separated by commas.
    pub(in crate::manifest) fallbacks: Option<String>,
    /// How long the old value is still accepted, `14d` without it: no shorter than a session or a reset link lives.
    #[schemars(regex(pattern = "^[1-9][0-9]*[hdw]$"))]
    pub(in crate::manifest) soak: Option<String>,
    /// How often: `90d`, `12h`, `8w`.
    #[schemars(regex(pattern = "^[1-9][0-9]*[hdw]$"))]
    pub(in crate::manifest) every: Option<String>,
    /// The environments that it exists in; without it all of them.
    pub(in crate::manifest) environments: Option<Vec<String>>,
}

/// Values that nothing else must learn first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::manifest) struct RotateRandom {
    /// The keys that get new values; each says with `generate` how.
    pub(in crate::manifest) keys: Vec<String>,
    /// A program, and its arguments, that tries the new values once all have them.
    pub(in crate::manifest) verify: Option<Vec<String>>,
    /// How long the program may take: `30s`, `5m`; without it a minute.
    #[schemars(regex(pattern = "^[1-9][0-9]*[smh]$"))]
    pub(in crate::manifest) timeout: Option<String>,
    /// How often: `90d`, `12h`, `8w`.
    #[schemars(regex(pattern = "^[1-9][0-9]*[hdw]$"))]
    pub(in crate::manifest) every: Option<String>,
    /// The environments that it exists in; without it all of them.
    pub(in crate::manifest) environments: Option<Vec<String>>,
}

/// Who chooses a new value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChosenBy {
    /// We do, as `generate` says.
    #[default]
    Strongroom,
    /// The target does, and `apply` answers with it.
    Target,
}

/// Values that programs of your own publish to their target. They get values on standard input, never as arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::manifest) struct RotateCommand {
    /// The keys that get new values; each says with `generate` how, unless the target chooses.
    pub(in crate::manifest) keys: Vec<String>,
    /// Who chooses the new values: `strongroom`, or the `target`, whose choice `apply` answers with.
    #[serde(default)]
    pub(in crate::manifest) chosen_by: ChosenBy,
    /// The program, and its arguments, that makes the target accept the new values.
    pub(in crate::manifest) apply: Vec<String>,
    /// The program that tries the values.
    pub(in crate::manifest) verify: Option<Vec<String>>,
    /// The program that makes the target refuse the old values.
    pub(in crate::manifest) retire: Option<Vec<String>>,
    /// How long old and new are both accepted before `retire`: `1h`.
    #[schemars(regex(pattern = "^[1-9][0-9]*[hdw]$"))]
    pub(in crate::manifest) soak: Option<String>,
    /// How long each program may take: `30s`, `5m`; without it a minute.
    #[schemars(regex(pattern = "^[1-9][0-9]*[smh]$"))]
    pub(in crate::manifest) timeout: Option<String>,
    /// How often: `90d`, `12h`, `8w`.
    #[schemars(regex(pattern = "^[1-9][0-9]*[hdw]$"))]
    pub(in crate::manifest) every: Option<String>,
    /// The environments that it exists in; without it all of them.
    pub(in crate::manifest) environments: Option<Vec<String>>,
}

/// Values that AWS itself rotates in a secret of its own: they are brought along.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::manifest) struct RotateFollow {
    /// The ARN of the secret in Secrets Manager, whose value is a JSON object.
    #[schemars(regex(pattern = "^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:.+$"))]
    pub(in crate::manifest) secret: String,
    /// Which member of it each key gets: `{ RDS_USERNAME = "username", RDS_PASSWORD = "password" }`.
    pub(in crate::manifest) keys: IndexMap<String, String>,
    /// The environments that it exists in; without it all of them.
    pub(in crate::manifest) environments: Option<Vec<String>>,
}
