//! Values that anybody would guess, or that somebody forgot to replace.

use super::Project;
use super::finding::{Finding, Severity};
use crate::manifest::classify::classify;
use crate::name::Key;
use crate::secret::Secret;

/// Secrets of home that are examples, defaults or too short.
pub(super) fn weak_values(project: &Project<'_>) -> Vec<Finding> {
    let severity = if project.is_deployed() { Severity::Problem } else { Severity::Warning };
    let weak = project.held.secrets().filter_map(|held| {
        let weakness = weakness(&held.address.key, held.value)?;
        let generated = project.manifest.key(&held.address).is_some_and(|key| key.generate.is_some());
        let how = if generated { " --generate" } else { "" };
        let finding = Finding::new("weak-value", severity, format!("{} {weakness}", held.address))
            .why("a value that can be guessed protects nothing")
            .fix(format!("`strongroom -e {} set {}{how}`", project.environment.name, held.address));
        Some(finding.address(&held.address))
    });
    weak.collect()
}

fn weakness(key: &Key, value: &Secret) -> Option<&'static str> {
    placeholder(key, value).or_else(|| {
        let chosen = classify(key, value).reason.starts_with("the name says");
        (chosen && value.len() < 8 && !value.is_empty()).then_some("is shorter than 8 characters")
    })
}

/// Words that a value begins its life with.
const DEFAULTS: [&str; 29] = [
    "secret",
    "secrets",
    "password",
    "passwd",
    "pass",
    "changeme",
    "changeit",
    "change",
    "example",
    "sample",
    "test",
    "testing",
    "default",
    "admin",
    "root",
    "postgres",
    "mysql",
    "redis",
    "user",
    "guest",
    "dummy",
    "foobar",
    "qwerty",
    "letmein",
    "insecure",
    "placeholder",
    "todo",
    "none",
    "null",
];

/// What is left in a value that was to be replaced, in small letters and with `-` between words.
const MARKS: [&str; 12] = [
    "django-insecure-",
    "changeme",
    "change-me",
    "change-this",
    "replace-me",
    "replace-this",
    "your-secret",
    "your-password",
    "your-api-key",
    "my-secret-key",
    "akiaiosfodnn7example",
    "bpxrficyexamplekey",
];

/// Why a value is none to keep a secret with: an example, a default, a switch.
pub(super) fn placeholder(key: &Key, value: &Secret) -> Option<&'static str> {
    let text = zeroize::Zeroizing::new(value.expose().trim().to_ascii_lowercase().replace(['_', ' '], "-"));
    let text = text.as_str();
    let mut bytes = text.bytes();
    let first = bytes.next();
    match () {
        () if ["yes", "no", "true", "false", "on", "off"].contains(&text) => {
            Some("is a switch and no secret")
        }
        () if text.contains("django-insecure-") => {
            Some("is what Django's startproject made, and meant for trying")
        }
        () if DEFAULTS.contains(&text) || MARKS.iter().any(|mark| text.contains(mark)) => {
            Some("is an example's value")
        }
        () if text.starts_with('<') && text.ends_with('>') => Some("is a placeholder"),
        () if text.len() < 40 && bytes.all(|byte| Some(byte) == first) => Some("is one character many times"),
        () if text == key.as_str().to_ascii_lowercase().replace('_', "-") => Some("is its own name"),
        () if text.len() < 10 && "1234567890".starts_with(text) => Some("is a row of digits"),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::fixture::Fixture;

    fn told(value: &str) -> Option<&'static str> {
        weakness(&"DB_PASSWORD".parse().unwrap(), &Secret::new(value.to_owned()).unwrap())
    }

    #[test]
    fn examples_defaults_and_short_values_are_weak() {
        for weak in [
            "secret",
            "changeme",
            "Change_Me!",
            "django-insecure-x7$k2",
            "password",
            "<password>",
            "xxxxxxxx",
            "aaaa",
            "123456",
            "db_password",
            "a1b2",
            "your_secret_key_here",
            "AKIAIOSFODNN7EXAMPLE",
            "yes",
        ] {
            assert!(told(weak).is_some(), "{weak}");
        }
        for good in
            ["invented-p@ss/w0rd $1 #2", "h9zsb_pkm70fkwpys84lz", "a secret garden", "examples-are-fine"]
        {
            assert_eq!(told(good), None, "{good}");
        }
    }

    #[test]
    fn a_weak_value_is_a_problem_where_it_is_deployed_and_named_without_itself() {
        let fixture = Fixture::new("DB_PASSWORD = { secret = true }\n").held(&[("DB_PASSWORD", "letmein")]);
        let found = fixture.check(weak_values);
        assert_eq!(found[0].severity, Severity::Warning);
        assert!(!format!("{found:?}").contains("letmein"));
        assert_eq!(fixture.deployed().check(weak_values)[0].severity, Severity::Problem);
    }
}
