//! What a value in a new home will be referred to by, before it is there.
//!
//! Owns the `?` that stand for what Secrets Manager chooses. It asks AWS nothing.

use crate::manifest::{EnvironmentSpec, Manifest, Place, Placeholder};
use crate::name::Address;
use crate::policy::{ANY_SUFFIX, Site};

/// The ARN that an address of the environment's home will have; none in a home that nothing can refer to.
pub(super) fn foreseen(manifest: &Manifest, spec: &EnvironmentSpec, address: &Address) -> Option<String> {
    let site = Site::of(spec);
    match spec.home {
        Place::Ssm => Some(site.parameter(manifest.ssm_name(&spec.name, address)?.trim_start_matches('/'))),
        Place::SecretsManager => {
            let arn = site.secret(&manifest.document_name(&spec.name, address)?, ANY_SUFFIX);
            let group = manifest.group(address.group.as_str()).ok()?;
            Some(match group.secretsmanager_path.uses(Placeholder::Key) {
                true => arn,
                false => format!("{arn}:{}", address.key),
            })
        }
        Place::Vault | Place::Beanstalk { .. } | Place::Memory => None,
    }
}
