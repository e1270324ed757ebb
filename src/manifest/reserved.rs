//! What strongroom keeps for itself in a home on AWS, and under which names: beside the project's own, never among them.
//!
//! Owns the names and the word that no group or path may use.

use crate::manifest::model::{Manifest, Place};
use crate::name::{self, Address, Group};

/// Kept for the tool itself, under the project's path.
pub(super) const RESERVED: &str = "_strongroom";

impl Manifest {
    /// The start of every name that strongroom keeps for itself in an environment's home: the lease, and values that were
    /// minted and not published yet. Nothing where home has no names of its own.
    pub fn reserved_path(&self, environment: &name::Environment) -> Option<String> {
        let path = format!("{}/{RESERVED}/{environment}/", self.project);
        match self.environments.get(environment)?.home {
            Place::Ssm => Some(format!("/{path}")),
            Place::SecretsManager => Some(path),
            Place::Vault | Place::Beanstalk { .. } | Place::Memory => None,
        }
    }

    /// The name of the lease that an operation on an environment holds, where home can keep one.
    pub fn lease_name(&self, environment: &name::Environment) -> Option<String> {
        self.reserved_path(environment).map(|path| format!("{path}lease"))
    }

    /// The name of what strongroom keeps at an address of its own group, where home can keep it.
    pub fn own_name(&self, environment: &name::Environment, address: &Address) -> Option<String> {
        let path = self.reserved_path(environment).filter(|_| address.group == Group::own())?;
        Some(match &address.instance {
            Some(instance) => format!("{path}{}/{instance}", address.key),
            None => format!("{path}{}", address.key),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lease_is_under_the_project_and_where_no_group_can_be() {
        let text = "version = 1\nproject.name = \"shop\"\nenvironments.prod.home = \"ssm\"\n\
                    environments.next.home = \"secretsmanager\"\nenvironments.local.home = \"vault\"\n";
        let manifest = Manifest::parse("f", text).unwrap();
        let lease = |name: &str| manifest.lease_name(&name.parse().unwrap());
        assert_eq!(lease("prod").unwrap(), "/shop/_strongroom/prod/lease");
        assert_eq!(lease("next").unwrap(), "shop/_strongroom/next/lease");
        assert_eq!(lease("local"), None);
        assert_eq!(lease("other"), None);
        let own = |address: Address| manifest.own_name(&"prod".parse().unwrap(), &address);
        let key = || name::Key::parse("xero_a").unwrap();
        assert_eq!(own(Address::new(Group::own(), key())).unwrap(), "/shop/_strongroom/prod/xero_a");
        let instance = Address::in_instance(Group::own(), "1".parse().unwrap(), key());
        assert_eq!(own(instance).unwrap(), "/shop/_strongroom/prod/xero_a/1");
        assert_eq!(own("app/KEY".parse().unwrap()), None);
    }
}
