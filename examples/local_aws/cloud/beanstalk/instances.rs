//! What an instance does when it bootstraps: it makes the environment of its containers, references resolved.
//!
//! Owns the syntax of references and what each platform can do with them. The values come from a [`Resolver`].

use super::Resolver;
use super::applications::Bundle;
use super::platforms::Platform;
use super::settings::{BUDGET, Layers, PROPERTIES, REFERENCES};
use std::collections::BTreeMap;

/// What containers see.
pub(crate) type Variables = BTreeMap<String, String>;

/// The errors of a deployment, as events tell them.
pub(crate) type Failures = Vec<String>;

/// The environment of the containers, or what the event stream says of the failure.
///
/// Where a name is a property and a reference, AWS does not say which counts; here the reference does.
pub(super) fn bootstrap(
    layers: &Layers,
    platform: &Platform,
    bundle: Bundle,
    resolver: &dyn Resolver,
) -> Result<Variables, Failures> {
    let plain = layers.namespace(PROPERTIES);
    let mut seen = plain.clone();
    let mut failed = Vec::new();
    for (name, reference) in layers.namespace(REFERENCES) {
        if platform.is_ecs() && bundle.lacks_execution_role {
            // AWS does not say which event that is; here it is that of every value that cannot be had.
            failed.push(format!("{name}: the task definition has secrets and no executionRoleArn"));
            continue;
        }
        match resolved(&reference, platform, resolver) {
            Ok(value) => drop(seen.insert(name, value)),
            Err(why) => failed.push(format!("{name}: {why}")),
        }
    }
    if !failed.is_empty() {
        let first =
            "Instance deployment failed to get one or more secrets. The deployment failed.".to_owned();
        return Err([first].into_iter().chain(failed).collect());
    }
    let secrets = layers.namespace(REFERENCES);
    if !platform.takes_many_lines() && secrets.keys().any(|name| seen[name].contains('\n')) {
        let why = "Instance deployment detected one or more multiline environment values, which are not supported \
                   for this platform.";
        return Err(vec![why.to_owned()]);
    }
    Ok(if bundle.env_from_get_config { plain } else { seen })
}

/// What CloudFormation says before any instance hears of the change.
pub(super) fn over_budget(layers: &Layers) -> Option<String> {
    (layers.joined().len() > BUDGET).then(|| {
        format!(
            "Service:AmazonCloudFormation, Message:Template format error: Parameter 'EnvironmentVariables' default \
             value '[****]' length is greater than {BUDGET}."
        )
    })
}

fn resolved(reference: &str, platform: &Platform, resolver: &dyn Resolver) -> Result<String, String> {
    let Some((arn, selector)) = selected(reference) else { return resolver.resolve(reference) };
    let key = if platform.is_ecs() { ecs_key(selector)? } else { key(selector) };
    if !platform.resolves_json_keys() {
        // Older engines ask for the whole text, and there is no secret of that name.
        return resolver.resolve(reference).and(Err("no secret has this ARN".to_owned()));
    }
    member(&resolver.resolve(arn)?, key)
}

/// The secret's own ARN, and what stands behind it. Parameters have no keys.
fn selected(reference: &str) -> Option<(&str, &str)> {
    if !reference.contains(":secretsmanager:") {
        return None;
    }
    let (colon, _) = reference.match_indices(':').nth(6)?;
    Some((&reference[..colon], &reference[colon + 1..]))
}

/// Beanstalk's own syntax is `arn:json-key`; text after a further colon is ignored.
fn key(selector: &str) -> &str {
    selector.split(':').next().unwrap_or(selector)
}

/// ECS's syntax is `arn:json-key:version-stage:version-id`; colons stand even where nothing is between them.
fn ecs_key(selector: &str) -> Result<&str, String> {
    match selector.split(':').collect::<Vec<_>>().as_slice() {
        [key, "" | "AWSCURRENT", ""] => Ok(key),
        [_, _, _] => Err("this server knows AWSCURRENT only".to_owned()),
        _ => Err("unexpected ARN format with parameters when trying to retrieve ASM secret".to_owned()),
    }
}

/// A top-level member of a secret's JSON: numbers as text, objects and lists as JSON again.
fn member(document: &str, key: &str) -> Result<String, String> {
    let parsed: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(document);
    let document = parsed.map_err(|_| "the secret is not a JSON object".to_owned())?;
    match document.get(key) {
        Some(serde_json::Value::String(text)) => Ok(text.clone()),
        Some(other) => Ok(other.to_string()),
        None => Err("the secret's JSON has no such key".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::options;
    use super::*;

    const SECRET: &str = "arn:aws:secretsmanager:us-east-1:111122223333:secret:demo/app-AbCdEf";
    const PARAMETER: &str = "arn:aws:ssm:us-east-1:111122223333:parameter/demo/app/KEY";
    const DOCKER: &str = "64bit Amazon Linux 2023 v4.9.1 running Docker";

    struct Shelf;

    impl Resolver for Shelf {
        fn resolve(&self, arn: &str) -> Result<String, String> {
            match arn {
                SECRET => Ok(r#"{"A": "alpha", "N": 7, "deep": {"B": [1]}}"#.to_owned()),
                PARAMETER => Ok("two\nlines".to_owned()),
                _ => Err("not found".to_owned()),
            }
        }
    }

    fn seen(stack: &str, reference: &str) -> Result<String, Failures> {
        let layers = Layers { direct: options(REFERENCES, [("KEY", reference)]), ..Layers::default() };
        let platform = Platform::named(stack).unwrap();
        bootstrap(&layers, &platform, Bundle::default(), &Shelf).map(|mut seen| seen.remove("KEY").unwrap())
    }

    #[test]
    fn a_json_key_is_a_top_level_member_and_text_after_a_further_colon_is_ignored() {
        let with = |selector: &str| seen(DOCKER, &format!("{SECRET}:{selector}"));
        assert_eq!(with("A").unwrap(), "alpha");
        assert_eq!(with("N").unwrap(), "7");
        assert_eq!(with("deep").unwrap(), r#"{"B":[1]}"#);
        assert_eq!(with("A:AWSPREVIOUS:").unwrap(), "alpha");
        assert!(
            with("absent").unwrap_err()[0]
                .starts_with("Instance deployment failed to get one or more secrets")
        );
        assert!(seen(DOCKER, &format!("{PARAMETER}:A")).is_err());
    }

    #[test]
    fn ecs_wants_both_further_colons() {
        let stack = "64bit Amazon Linux 2023 v4.3.2 running ECS";
        assert_eq!(seen(stack, &format!("{SECRET}:A::")).unwrap(), "alpha");
        assert!(seen(stack, &format!("{SECRET}:A")).is_err());
    }

    #[test]
    fn json_keys_need_the_newer_platform_and_amazon_linux_2023() {
        let reference = format!("{SECRET}:A");
        for stack in
            ["64bit Amazon Linux 2023 v4.9.0 running Docker", "64bit Amazon Linux 2 v4.4.1 running Docker"]
        {
            assert!(seen(stack, &reference).is_err(), "{stack}");
            assert!(seen(stack, SECRET).is_ok(), "{stack}");
        }
        assert!(seen("64bit Amazon Linux 2 v3.9.1 running ECS", &format!("{SECRET}:A::")).is_err());
    }

    #[test]
    fn several_lines_fail_on_amazon_linux_2_without_docker() {
        for stack in
            [DOCKER, "64bit Amazon Linux 2 v4.4.1 running Docker", "64bit Amazon Linux 2 v3.9.1 running ECS"]
        {
            assert_eq!(seen(stack, PARAMETER).unwrap(), "two\nlines", "{stack}");
        }
        let failures = seen("64bit Amazon Linux 2 v3.11.1 running Python 3.8", PARAMETER).unwrap_err();
        assert!(failures[0].contains("multiline environment values"));
    }
}
