//! The `secrets` block of Dockerrun.aws.json for the ECS platform: references that ECS resolves for each container.
//!
//! Owns ECS's spelling of a reference, which is not Beanstalk's: after a secret's ARN come the JSON key, the stage and the
//! version, the last two left empty.

use super::Variables;
use crate::manifest::{EnvironmentSpec, Manifest, Place, Placeholder};
use crate::name::Address;
use crate::policy::Site;
use serde_json::{Value, json};

/// Stands for the six characters that AWS adds to the name of a secret when it is made.
pub const SUFFIX: &str = "SUFFIX";

/// What is to be put into Dockerrun.aws.json.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dockerrun {
    /// The members, each container with its references.
    pub json: Value,
    /// Whether an ARN has [`SUFFIX`] in the place of what only AWS knows.
    pub has_suffix: bool,
}

/// The references to the secrets among `variables`, for each of the containers; nothing where home is a place that
/// nothing can refer to.
pub fn dockerrun(
    manifest: &Manifest,
    environment: &EnvironmentSpec,
    variables: &Variables,
    containers: &[String],
) -> Option<Dockerrun> {
    let secrets = variables.given.iter().filter(|variable| variable.secret);
    let secrets: Option<Vec<Value>> = secrets
        .map(|variable| {
            let reference = reference(manifest, environment, &variable.address)?;
            Some(json!({ "name": variable.name.as_str(), "valueFrom": reference }))
        })
        .collect();
    let secrets = secrets?;
    let site = Site::of(environment);
    let container = |name: &String| json!({ "name": name, "secrets": secrets });
    let json = json!({
        "executionRoleArn": site.role("ecsTaskExecutionRole"),
        "containerDefinitions": containers.iter().map(container).collect::<Vec<_>>(),
    });
    Some(Dockerrun { json, has_suffix: environment.home == Place::SecretsManager })
}

fn reference(manifest: &Manifest, environment: &EnvironmentSpec, address: &Address) -> Option<String> {
    let site = Site::of(environment);
    match environment.home {
        Place::Ssm => {
            let name = manifest.ssm_name(&environment.name, address)?;
            Some(site.parameter(name.trim_start_matches('/')))
        }
        Place::SecretsManager => {
            let name = manifest.document_name(&environment.name, address)?;
            let arn = site.secret(&name, SUFFIX);
            let group = manifest.group(address.group.as_str()).ok()?;
            match group.secretsmanager_path.uses(Placeholder::Key) {
                true => Some(arn),
                false => Some(format!("{arn}:{}::", address.key)),
            }
        }
        Place::Vault | Place::Beanstalk { .. } | Place::Memory => None,
    }
}
