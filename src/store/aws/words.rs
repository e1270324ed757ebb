//! What is said to AWS and heard from it in the same words by every store: tags of what is created, points in time.

use crate::manifest::Manifest;
use crate::name::Environment;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The tag that tells what strongroom has created. Nobody's tags go before it: what is deleted is known by it.
pub(in crate::store) const MANAGED_BY: (&str, &str) = ("managed-by", "strongroom");

/// The tags of what is created in an environment: its names, the manifest's tags of it, and `more`, which is narrower and
/// goes before them.
pub fn created_tags(
    manifest: &Manifest,
    environment: &Environment,
    more: impl IntoIterator<Item = (String, String)>,
) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::from([
        ("project".to_owned(), manifest.project().to_string()),
        ("environment".to_owned(), environment.to_string()),
    ]);
    tags.extend(manifest.environment(environment.as_str()).into_iter().flat_map(|spec| spec.tags.clone()));
    tags.extend(more);
    tags.insert(MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned());
    tags
}

/// A point in time of the SDK; none where it is beyond what a time can be.
pub(in crate::store) fn timestamp(date: &aws_smithy_types::DateTime) -> Option<Timestamp> {
    Timestamp::new(date.secs(), i32::try_from(date.subsec_nanos()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tag_is_there_once_the_narrower_before_the_wider_and_ours_before_all() {
        let text = "version = 1\nproject.name = \"demo\"\n[environments.prod]\nhome = \"ssm\"\nregion = \"us-east-1\"\n\
                    tags = { project = \"billing\", managed-by = \"hand\", team = \"web\" }\n";
        let manifest = Manifest::parse("f", text).unwrap_or_else(|error| panic!("{error}"));
        let more = [("team".to_owned(), "data".to_owned())];
        let tags = created_tags(&manifest, &"prod".parse().unwrap(), more);
        let told: Vec<(&str, &str)> =
            tags.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(
            told,
            [("environment", "prod"), ("managed-by", "strongroom"), ("project", "billing"), ("team", "data")]
        );
    }
}
