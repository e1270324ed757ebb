//! What plain properties can hold: 4,096 bytes in all, joined as AWS joins them, and characters that it lists.
//!
//! Owns the counting and the lists. It never shows a value.

use crate::secret::Secret;
use std::collections::BTreeMap;

/// The most bytes that all plain properties of an environment may have, joined; AWS raises it for nobody.
pub const BUDGET: usize = 4096;
/// From here on a person should know that there is little room left.
pub(super) const TIGHT: usize = 3800;

/// How long `NAME=value,NAME=value` is: the one parameter that AWS hands to CloudFormation. Properties that the platform
/// sets count too.
pub(super) fn joined(properties: &BTreeMap<String, Secret>) -> usize {
    let pairs: usize = properties.iter().map(|(name, value)| name.len() + 1 + value.len()).sum();
    pairs + properties.len().saturating_sub(1)
}

/// Why a value cannot be a plain property.
pub(super) fn unfit(value: &Secret) -> Option<&'static str> {
    if value.is_empty() {
        return Some("Beanstalk holds no empty value");
    }
    // What XML 1.0 cannot carry would never be read back.
    let control =
        |c: char| (c < ' ' && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{fffe}' | '\u{ffff}');
    value
        .expose()
        .chars()
        .any(control)
        .then_some("it has a control character, which Beanstalk cannot answer with")
}

/// What of a value is outside the characters that AWS lists for plain properties; it takes them, and says nothing of
/// what becomes of them on the way to the app.
pub(super) fn unlisted(value: &Secret) -> Option<&'static str> {
    let listed =
        |c: char| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || "_.:/=+\\-@'\"".contains(c);
    let text = value.expose();
    match text.chars().find(|c| matches!(c, '\n' | '\r') || !listed(*c))? {
        _ if text.contains(['\n', '\r']) => Some("a line break"),
        _ if text.contains(',') => Some("a comma"),
        c if !c.is_ascii() => Some("a character beyond ASCII"),
        _ => Some("other punctuation than _.:/=+\\-@'\""),
    }
}

/// `4096` as `4,096`.
pub(super) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned()).unwrap()
    }

    proptest! {
        #[test]
        fn the_budget_is_counted_as_aws_joins_it(
            properties in prop::collection::btree_map("[A-Z]{1,8}", "[ -~é]{0,20}", 0..8),
        ) {
            let all = properties.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",");
            let held = properties.iter().map(|(name, value)| (name.clone(), secret(value))).collect();
            prop_assert_eq!(joined(&held), all.len());
        }
    }

    #[test]
    fn an_empty_value_and_control_characters_are_no_property() {
        for (value, fits) in [("", false), ("a\u{1}", false), ("a\tb\nc", true), ("é\u{7f}", true)] {
            assert_eq!(unfit(&secret(value)).is_none(), fits, "{value:?}");
        }
    }

    #[test]
    fn what_aws_does_not_list_is_told_by_its_kind() {
        for (value, kind) in [
            ("plain_.:/=+\\-@'\" 1", None),
            ("a,b", Some("a comma")),
            ("a,b\nc", Some("a line break")),
            ("é", Some("a character beyond ASCII")),
            ("$x", Some("other punctuation than _.:/=+\\-@'\"")),
        ] {
            assert_eq!(unlisted(&secret(value)), kind, "{value:?}");
        }
    }

    #[test]
    fn thousands_are_told_apart() {
        assert_eq!(
            [0, 999, 1234, 4096, 1_000_000].map(thousands),
            ["0", "999", "1,234", "4,096", "1,000,000"]
        );
    }
}
