//! Values that are required and missing.

use super::Project;
use super::finding::Finding;

/// What home should hold and does not.
pub(super) fn missing_values(project: &Project<'_>) -> Vec<Finding> {
    let missing = project.held.missing.iter().map(|address| {
        Finding::problem("missing-value", format!("{address} is required and home has no value for it"))
            .why("nothing that needs it can be rendered, synced or started")
            .fix(format!("`strongroom -e {} set {address}`", project.environment.name))
            .address(address)
    });
    missing.collect()
}

#[cfg(test)]
mod tests {
    use crate::doctor::fixture::{Fixture, places};

    #[test]
    fn what_is_required_and_missing_is_told_and_what_is_optional_is_not() {
        let fixture = Fixture::new("A = {}\nB = { optional = true }\nC = { value = \"c\" }\nD = {}\n");
        assert_eq!(
            places(&fixture.held(&[("D", "d")]).check(super::missing_values)),
            ["missing-value app/A"]
        );
    }
}
