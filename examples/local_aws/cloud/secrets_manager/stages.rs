//! Moving a staging label: the compare-and-swap of Secrets Manager.

use super::super::json::Arguments;
use super::super::{Refusal, Visit};
use super::{CURRENT, SecretsManager, bad_parameter};
use serde_json::{Value, json};

impl SecretsManager {
    /// A label moves only away from the version that the caller says it is on.
    pub(super) fn move_stage(&mut self, arguments: &Arguments, visit: &Visit) -> Result<Value, Refusal> {
        arguments.only(&["SecretId", "VersionStage", "RemoveFromVersionId", "MoveToVersionId"])?;
        let id = arguments.required("SecretId")?;
        let stage = arguments.required("VersionStage")?;
        let (from, to) = (arguments.text("RemoveFromVersionId")?, arguments.text("MoveToVersionId")?);
        let secret = self.usable(visit, "UpdateSecretVersionStage", id)?;
        let holder = secret.labelled(stage).map(|version| version.id.clone());
        for version in [from, to].into_iter().flatten() {
            if secret.version(version).is_none() {
                let message =
                    format!("Secrets Manager can't find the specified secret value for VersionId: {version}");
                return Err(Refusal::new("ResourceNotFoundException", message));
            }
        }
        match (holder.as_deref(), from) {
            (Some(holder), None) if Some(holder) != to => {
                return Err(bad_parameter(format!(
                    "The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to version {holder}, so you must explicitly reference that version in RemoveFromVersionId."
                )));
            }
            (holder, Some(from)) if holder != Some(from) => {
                return Err(bad_parameter(format!(
                    "The staging label {stage} is not attached to version {from}, which RemoveFromVersionId names."
                )));
            }
            _ => {}
        }
        if to.is_none() && (stage == CURRENT || from.is_none()) {
            return Err(bad_parameter(format!("You can't remove staging label {stage} without moving it.")));
        }
        secret.put_label(stage, to);
        secret.changed = visit.at;
        Ok(json!({"ARN": secret.arn, "Name": secret.name}))
    }
}
