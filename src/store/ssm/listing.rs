//! What lies below a path, whatever a manifest says: for a project that has none yet.

use super::Ssm;
use crate::secret::Secret;
use crate::store::{ErrorKind, StoreError};
use aws_sdk_ssm::types::ParameterType;

impl Ssm {
    /// Every parameter below a path: its name, whether it is a SecureString, its value. A path that nothing is below
    /// gives nothing; one that is wrong is AWS's error.
    pub async fn below(&self, path: &str) -> Result<Vec<(String, bool, Secret)>, StoreError> {
        let mut found = Vec::new();
        for parameter in self.walk_path(path).await? {
            let (Some(name), Some(value)) = (parameter.name, parameter.value) else { continue };
            let encrypted = parameter.r#type == Some(ParameterType::SecureString);
            let value = Secret::new(value).map_err(|_| {
                self.error(ErrorKind::Invalid, format!("{name} holds a value that nothing can carry"))
            })?;
            found.push((name, encrypted, value));
        }
        found.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(found)
    }
}
