//! Static keys of AWS, where the instances have an identity of their own.

use super::Project;
use super::finding::Finding;
use crate::name::Address;

/// Keys of an IAM user that are sent to instances.
pub(super) fn keys_where_a_profile_would_do(project: &Project<'_>) -> Vec<Finding> {
    let sent = |address: &Address| {
        project.environment.copies.values().any(|copy| {
            let to_the_app = project
                .manifest
                .group(address.group.as_str())
                .is_ok_and(|group| group.reaches_environments());
            to_the_app && copy.selection.takes(address)
        })
    };
    let keys =
        project.held.secrets().filter(|held| is_access_key(held.value.expose()) || is_named(&held.address));
    let sent = keys.filter(|held| sent(&held.address));
    sent.map(|held| {
        Finding::warning("static-aws-key", format!("{} is a static key of AWS that goes to the instances", held.address))
            .why(
                "it never expires, and whoever reads it once can use it from anywhere; the instances have an identity of \
                 their own that needs no key",
            )
            .fix(
                "give the instance profile's role what the app does with it (S3, …), take the key out of the app's \
                 settings, and then delete it here and in IAM",
            )
            .address(&held.address)
    })
    .collect()
}

fn is_access_key(value: &str) -> bool {
    value.len() == 20 && value.starts_with("AKIA") && value.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_named(address: &Address) -> bool {
    let name = address.key.as_str().to_ascii_uppercase();
    ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_KEY"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use crate::doctor::fixture::{Fixture, places};

    #[test]
    fn a_key_is_told_by_its_name_or_its_shape_where_it_is_sent_to_instances() {
        let keys = "DJANGO_AWS_SECRET_ACCESS_KEY = { secret = true }\nOTHER = { secret = true }\nA = { secret = true }\n";
        let held = [
            ("DJANGO_AWS_SECRET_ACCESS_KEY", "x"),
            ("OTHER", "AKIAINVENTEDEXAMPLE0"),
            ("A", "ASIAINVENTEDEXAMPLE0"),
        ];
        let fixture = Fixture::new(keys).held(&held);
        assert!(fixture.check(super::keys_where_a_profile_would_do).is_empty());
        assert_eq!(
            places(&fixture.deployed().check(super::keys_where_a_profile_would_do)),
            ["static-aws-key app/DJANGO_AWS_SECRET_ACCESS_KEY", "static-aws-key app/OTHER"]
        );
    }
}
