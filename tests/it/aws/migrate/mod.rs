//! `migrate` against a strict local AWS: thirty variables of a Beanstalk environment on their way into a store.

mod edits;
mod failures;
mod matrix;
mod together;
mod undo;

use super::DOCKER;
use super::site::{Kind, Site};
use super::telling::ensure;
use crate::support::cloud::World;
use crate::support::cloud::beanstalk::handles::Seed as EnvironmentSeed;
use crate::support::cloud::ssm::Seed as Parameter;
use std::collections::BTreeMap;

const MANIFEST: &str = r#"# What the app needs; the order and these lines stay.
version = 1
[project]
name = "dev-app"
region = "us-east-1"
default_environment = "prod"
recipients = ["RECIPIENT"]

[environments.prod]
home = "HOME"   # everything was typed into the console
account = "111122223333"
quota = { reads = 5000, writes = 5000 }

[environments.prod.copies.web]
kind = "beanstalk"
application = "dev-app"
environment = "dev-app-prod"
groups = ["app", "database", "xero"]
secrets = "SECRETS"

[groups.app.keys]
DJANGO_SETTINGS_MODULE = { value = "dev_app.settings.production" }
SECRET_KEY = { secret = true }
EMAIL_CC = { optional = true }
EMAIL_HOST = {}
EMAIL_PORT = {}
EMAIL_USER = {}
EMAIL_PASSWORD = { secret = true }
SENTRY_DSN = { secret = true }
REDIS_URL = { secret = true }
TIME_ZONE = {}
S3_BUCKET = {}
S3_KEY = { secret = true }
S3_SECRET = { secret = true }
FLOWER_USER = {}
FLOWER_PASSWORD = { secret = true }
MAPBOX_TOKEN = { secret = true }
TOKEN = { secret = true, optional = true }

[groups.database.keys]
RDS_HOSTNAME = {}
RDS_PORT = {}
RDS_DB_NAME = {}
RDS_USERNAME = {}
RDS_PASSWORD = { secret = true }
DATABASE_URL = { derive = "postgres://{RDS_USERNAME}:{RDS_PASSWORD}@{RDS_HOSTNAME}:{RDS_PORT}/{RDS_DB_NAME}" }
REPLICA_URL = { secret = true }

[groups.xero]
instances = true
env = "XERO_{instance}_{key}"
[groups.xero.keys]
tenant_id = {}
client_id = { secret = true }
client_secret = { secret = true }
"#;

/// The variables as somebody typed them into the console; the last of them no manifest declares.
const VARIABLES: [(&str, &str); 30] = [
    ("DJANGO_SETTINGS_MODULE", "dev_app.settings.production"),
    ("SECRET_KEY", r#"canary-'k"e\y$(x)=#`"#),
    ("EMAIL_CC", "canary-cc@dev-app.example"),
    ("EMAIL_HOST", "canary-mail.example"),
    ("EMAIL_PORT", "25"),
    ("EMAIL_USER", "canary-mailer"),
    ("EMAIL_PASSWORD", "canary mail password"),
    ("SENTRY_DSN", "https://canary-sentry@sentry.example/1"),
    ("REDIS_URL", "rediss://:canary-redis@cache.example:6379/0?ssl_cert_reqs=none"),
    ("TIME_ZONE", "Europe/Berlin"),
    ("S3_BUCKET", "canary-bucket"),
    ("S3_KEY", "canary-s3-key"),
    ("S3_SECRET", "canary/s3+secret=="),
    ("FLOWER_USER", "canary-flower"),
    ("FLOWER_PASSWORD", "canary-blüte-花"),
    ("MAPBOX_TOKEN", "canary-mapbox"),
    ("RDS_HOSTNAME", "canary-db.example"),
    ("RDS_PORT", "5432"),
    ("RDS_DB_NAME", "ebdb"),
    ("RDS_USERNAME", "canary-app"),
    ("RDS_PASSWORD", "canary-pass"),
    ("DATABASE_URL", "postgres://canary-app:canary-pass@canary-db.example:5432/ebdb"),
    ("REPLICA_URL", "postgres://canary-app:canary-pass@canary-replica.example/ebdb"),
    ("XERO_1_tenant_id", "canary-tenant-1"),
    ("XERO_1_client_id", "canary-client-1"),
    ("XERO_1_client_secret", "canary-secret-1"),
    ("XERO_2_tenant_id", "canary-tenant-2"),
    ("XERO_2_client_id", "canary-client-2"),
    ("XERO_2_client_secret", "canary-secret-2"),
    ("STRIPE_SECRET_KEY", "canary-stripe"),
];

/// A project whose home is the environment itself, and whose stores have what is not its own.
fn from_properties(kind: Kind) -> Site {
    let seed = EnvironmentSeed::new("dev-app", "dev-app-prod", DOCKER);
    let mut site = Site::of(kind, MANIFEST, seed.properties(VARIABLES).property("LEFT_ALONE", "theirs"));
    site.revision_varies = true;
    site.cloud.world(|world| {
        world.secrets.seed("dev-app/prod/other", r#"{"THEIRS": "theirs"}"#);
        world.secrets.seed("dev-app/staging/app", r#"{"SECRET_KEY": "theirs"}"#);
    });
    site
}

/// The same where parameters are home, and the environment has copies of them by value.
fn from_parameters(kind: Kind) -> Site {
    let site = from_properties(kind);
    site.cloud.world(|world| {
        for (name, value) in VARIABLES {
            let path = match name.split('_').collect::<Vec<_>>().as_slice() {
                ["XERO", instance, ..] => format!("xero/{instance}/{}", &name["XERO_1_".len()..]),
                ["RDS" | "DATABASE" | "REPLICA", ..] => format!("database/{name}"),
                // It lives in the manifest, and nobody declared that.
                ["DJANGO", ..] | ["STRIPE", ..] => continue,
                _ => format!("app/{name}"),
            };
            let name = format!("/dev-app/prod/{path}");
            world.ssm.seed(Parameter { name: &name, value, kind: "SecureString" });
        }
    });
    site
}

/// The variables of the containers are what somebody typed, each value is held by a place, and what is sealed opens.
fn whole(site: &Site) -> Result<(), String> {
    seen_by_containers(site)?;
    site.cloud.world(held_somewhere)?;
    sealed(site)
}

/// The variables of the containers are what somebody typed: now, in an instance that starts at this moment, and in those
/// that there are once a deployment that is under way is over.
fn seen_by_containers(site: &Site) -> Result<(), String> {
    let (now, at_once, deployed, later) = site.cloud.world(|world| {
        let now = world.beanstalk.container_environment("dev-app-prod");
        let mut then = world.clone();
        let at_once = then.bootstrap_now("dev-app-prod");
        then.let_finish("dev-app-prod");
        let deployed = then.beanstalk.container_environment("dev-app-prod");
        (Ok(now), at_once, Ok(deployed), then.bootstrap_now("dev-app-prod"))
    });
    let all =
        [("now", now), ("that start now", at_once), ("deployed", deployed), ("that start later", later)];
    for (when, seen) in all {
        let seen = seen.map_err(|why| format!("containers {when}: {}", why.join("; ")))?;
        let lost: Vec<&str> = VARIABLES
            .into_iter()
            .filter(|(name, value)| seen.get(*name).is_none_or(|seen| seen != value))
            .map(|(name, _)| name)
            .collect();
        ensure(lost.is_empty(), || format!("containers {when} do not see {}", lost.join(", ")))?;
    }
    Ok(())
}

/// Every sealed file can be opened, and from the moment at which a migration begins one of them has every value.
fn sealed(site: &Site) -> Result<(), String> {
    let texts = site.sealed()?;
    if site.operations("prod")?.is_empty() {
        return Ok(());
    }
    let quoted = VARIABLES.map(|(_, value)| serde_json::to_string(value).unwrap());
    let whole = texts.iter().any(|text| quoted.iter().all(|value| text.contains(value)));
    ensure(whole, || "no backup has every value".to_owned())
}

/// Every value can be read where somebody looks for it: as a property, or in a store that would give it out.
fn held_somewhere(world: &mut World) -> Result<(), String> {
    let properties = world.beanstalk.properties("dev-app-prod");
    let mut stored: Vec<String> = Vec::new();
    stored.extend(world.ssm.names().iter().filter_map(|name| world.ssm.held(name)).map(|held| held.value));
    for name in world.secrets.names() {
        let Some(held) = world.secrets.held(&name).filter(|held| !held.is_scheduled_for_deletion) else {
            continue;
        };
        let text = held.text.unwrap_or_default();
        match serde_json::from_str::<BTreeMap<String, serde_json::Value>>(&text) {
            Ok(document) => {
                stored.extend(document.values().filter_map(|value| value.as_str().map(str::to_owned)));
            }
            Err(_) => stored.push(text),
        }
    }
    let lost: Vec<&str> = VARIABLES
        .into_iter()
        .filter(|(name, value)| {
            properties.get(*name).is_none_or(|held| held != value) && !stored.iter().any(|held| held == value)
        })
        .map(|(name, _)| name)
        .collect();
    ensure(lost.is_empty(), || format!("in no place any more: {}", lost.join(", ")))
}
