//! What names, values, tiers and labels may be.

use super::super::json::{constraint, invalid};
use super::super::{Realm, Refusal};
use super::{arn, bare};

/// A name that a parameter may be given.
pub(super) fn name(realm: &Realm, name: &str) -> Result<String, Refusal> {
    let name = name.trim();
    let lowered = bare(name).to_lowercase();
    for reserved in ["aws", "ssm"] {
        if lowered.starts_with(reserved) {
            return Err(if name.starts_with('/') && reserved == "aws" {
                Refusal::new(
                    "AccessDeniedException",
                    format!("No access to reserved parameter name: {name}."),
                )
            } else {
                invalid(format!("Parameter name: can't be prefixed with \"{reserved}\" (case-insensitive)."))
            });
        }
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    let has_empty_level = name.strip_prefix('/').unwrap_or(name).split('/').any(str::is_empty);
    if name.is_empty() || !name.chars().all(allowed) || has_empty_level {
        return Err(invalid(
            "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_",
        ));
    }
    if name.contains('/') && !name.starts_with('/') {
        return Err(invalid("Parameter name must be a fully qualified name."));
    }
    if name.starts_with('/') && name[1..].split('/').count() > 15 {
        let message = "The hierarchy has more than 15 levels.";
        return Err(Refusal::new("HierarchyLevelLimitExceededException", message));
    }
    if arn(realm, name).len() > 1011 {
        return Err(invalid("Parameter name is longer than 1,011 characters with its ARN."));
    }
    Ok(name.to_owned())
}

/// A path that can be walked.
pub(super) fn path(path: &str) -> Result<(), Refusal> {
    let inside = path.strip_prefix('/').map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let is_level = |level: &str| !level.is_empty() && level.chars().all(allowed);
    if inside.is_some_and(|inside| inside.is_empty() || inside.split('/').all(is_level)) {
        return Ok(());
    }
    Err(invalid(
        "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\". It can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol \"/\". Valid example: /get/parameters2-/by1./path0_.",
    ))
}

/// A value that some tier could hold.
pub(super) fn value(value: &str) -> Result<(), Refusal> {
    if value.is_empty() {
        return Err(constraint("Value", value, "length greater than or equal to 1"));
    }
    if value.contains("{{") {
        return Err(invalid(
            "Parameter value can't nest another parameter. Do not use \"{{}}\" in the value.",
        ));
    }
    if value.len() > 8192 {
        return Err(invalid(
            "Advanced tier parameters support a maximum parameter value of 8192 characters.",
        ));
    }
    Ok(())
}

/// The tier that a value gets: what was asked for, what it had, and what its size needs.
pub(super) fn tier(asked: Option<&str>, had: Option<&str>, size: usize) -> Result<String, Refusal> {
    let is_large = size > 4096;
    match asked.unwrap_or("Standard") {
        "Standard" if had == Some("Advanced") => Err(invalid(
            "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.",
        )),
        "Standard" if is_large => Err(invalid(
            "Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html",
        )),
        "Standard" => Ok("Standard".to_owned()),
        "Intelligent-Tiering" if !is_large && had != Some("Advanced") => Ok("Standard".to_owned()),
        "Intelligent-Tiering" | "Advanced" => Ok("Advanced".to_owned()),
        other => Err(constraint(
            "Tier",
            other,
            "satisfy enum value set: [Standard, Advanced, Intelligent-Tiering]",
        )),
    }
}

/// Whether a version may carry that label.
pub(super) fn is_label(label: &str) -> bool {
    let lowered = label.to_lowercase();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !label.is_empty()
        && label.len() <= 100
        && label.chars().all(allowed)
        && !label.starts_with(|c: char| c.is_ascii_digit())
        && !lowered.starts_with("aws")
        && !lowered.starts_with("ssm")
}
