//! Values that are computed from other values: `postgres://{USER}:{PASSWORD}@{HOST}/{NAME}`.
//!
//! Owns the template's grammar, what is percent-encoded, and the order in which derived keys follow from each other.
//! Whose values they are and where they lie is not its business.

use crate::name;
use crate::secret::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt;
use zeroize::Zeroizing;

pub use crate::manifest::composed::{find, find_all};

/// What stands in a URL as it is (RFC 3986, "unreserved"); every other byte is percent-encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A value with everything percent-encoded that may mean something in a URL.
pub fn encode(value: &Secret) -> Zeroizing<String> {
    // Room for the worst case, so that no half-written copy stays behind when the string grows.
    let mut text = Zeroizing::new(String::with_capacity(value.len() * 3));
    text.extend(utf8_percent_encode(value.expose(), ENCODED));
    text
}

/// A part of a template that is another key's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The group of the other key.
    pub group: name::Group,
    /// Which instance of it.
    pub instance: ReferenceInstance,
    /// The other key.
    pub key: name::Key,
}

/// Which instance a reference means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferenceInstance {
    /// The group has none.
    None,
    /// That of the value which is derived.
    Same,
    /// This one.
    Named(name::Instance),
}

impl Reference {
    /// The address that is meant in a value of `instance`.
    pub fn address(&self, instance: Option<&name::Instance>) -> name::Address {
        let instance = match &self.instance {
            ReferenceInstance::None => None,
            ReferenceInstance::Same => instance.cloned(),
            ReferenceInstance::Named(name) => Some(name.clone()),
        };
        name::Address { group: self.group.clone(), instance, key: self.key.clone() }
    }
}

/// A derived key's template; its parts are what was written, or what it was resolved to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateOf<R> {
    pieces: Vec<Piece<R>>,
}

/// A template whose parts are resolved.
pub type Template = TemplateOf<Reference>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece<R> {
    Text(String),
    Part { part: R, encoding: Encoding },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Percent,
    Raw,
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTemplate {
    /// A brace that opens nothing.
    #[error("a `{{` without its `}}`; write `{{{{` for a brace")]
    Unclosed,
    /// A brace that closes nothing.
    #[error("a `}}` without its `{{`; write `}}}}` for a brace")]
    Unopened,
    /// Nothing is derived.
    #[error("no part of it is a key; write a value that does not follow from others with `value`")]
    NoPart,
    /// `{KEY:…}` with anything but `raw`.
    #[error("`:{0}` means nothing; a part is `{{KEY}}`, or `{{KEY:raw}}` without percent-encoding")]
    Modifier(String),
}

impl TemplateOf<String> {
    /// Reads a template; its parts stay as they are written.
    pub fn parse(text: &str) -> Result<TemplateOf<String>, InvalidTemplate> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            let after = &rest[at + 1..];
            if after.starts_with(brace) {
                plain.push_str(brace);
                rest = &after[1..];
                continue;
            }
            if brace == "}" {
                return Err(InvalidTemplate::Unopened);
            }
            let (part, after) = after.split_once('}').ok_or(InvalidTemplate::Unclosed)?;
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(part_of(part)?);
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        if let [Piece::Part { encoding, .. }] = pieces.as_mut_slice() {
            *encoding = Encoding::Raw;
        }
        let template = TemplateOf { pieces };
        if template.parts().next().is_none() { Err(InvalidTemplate::NoPart) } else { Ok(template) }
    }
}

fn part_of(text: &str) -> Result<Piece<String>, InvalidTemplate> {
    let (part, encoding) = match text.split_once(':') {
        None => (text, Encoding::Percent),
        Some((part, "raw")) => (part, Encoding::Raw),
        Some((_, other)) => {
            return Err(InvalidTemplate::Modifier(
                other.chars().take(40).flat_map(char::escape_debug).collect(),
            ));
        }
    };
    Ok(Piece::Part { part: part.to_owned(), encoding })
}

impl<R> TemplateOf<R> {
    /// The keys that it is made of, as often as they occur.
    pub fn parts(&self) -> impl Iterator<Item = &R> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Part { part, .. } => Some(part),
            Piece::Text(_) => None,
        })
    }

    /// The same template over other parts.
    pub(super) fn resolve<S, E>(&self, mut part: impl FnMut(&R) -> Result<S, E>) -> Result<TemplateOf<S>, E> {
        let mut pieces = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            pieces.push(match piece {
                Piece::Text(text) => Piece::Text(text.clone()),
                Piece::Part { part: written, encoding } => {
                    Piece::Part { part: part(written)?, encoding: *encoding }
                }
            });
        }
        Ok(TemplateOf { pieces })
    }

    /// The value, from those of its parts; nothing where one of them has none.
    pub fn fill<'a>(&self, mut value: impl FnMut(&R) -> Option<&'a Secret>) -> Option<Secret> {
        let mut parts = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            parts.push(match piece {
                Piece::Text(text) => Zeroizing::new(text.clone()),
                Piece::Part { part, encoding } => {
                    let value = value(part)?;
                    match encoding {
                        Encoding::Percent => encode(value),
                        Encoding::Raw => Zeroizing::new(value.expose().to_owned()),
                    }
                }
            });
        }
        let mut text = String::with_capacity(parts.iter().map(|part| part.len()).sum());
        for part in &parts {
            text.push_str(part);
        }
        Secret::new(text).ok()
    }
}

impl<R: fmt::Display> fmt::Display for TemplateOf<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}"))?,
                Piece::Part { part, encoding: Encoding::Percent } => write!(f, "{{{part}}}")?,
                Piece::Part { part, encoding: Encoding::Raw } => write!(f, "{{{part}:raw}}")?,
            }
        }
        Ok(())
    }
}

/// Whether a template holds a password itself, where a URL has its login.
pub(super) fn holds_password(text: &str) -> bool {
    text.split("://").skip(1).any(|rest| {
        let authority = &rest[..rest.find(['?', '#', '/']).unwrap_or(rest.len())];
        let login = authority.rsplit_once('@').map(|(login, _)| login);
        let password = login.and_then(|login| login.split_once(':')).map(|(_, password)| password);
        password.is_some_and(|password| !password.is_empty() && !password.contains('{'))
    })
}

/// A circle in `follows` (a key and the keys that it is made of), where there is one: its members in order, the first
/// again at the end.
pub(super) fn cycle<N: Clone + Ord>(follows: &std::collections::BTreeMap<N, Vec<N>>) -> Option<Vec<N>> {
    let mut done = std::collections::BTreeSet::new();
    for start in follows.keys() {
        let mut path = Vec::new();
        if let Some(found) = walk(start, follows, &mut path, &mut done) {
            return Some(found);
        }
    }
    None
}

fn walk<N: Clone + Ord>(
    node: &N,
    follows: &std::collections::BTreeMap<N, Vec<N>>,
    path: &mut Vec<N>,
    done: &mut std::collections::BTreeSet<N>,
) -> Option<Vec<N>> {
    if done.contains(node) {
        return None;
    }
    if let Some(at) = path.iter().position(|on_path| on_path == node) {
        let mut found = path[at..].to_vec();
        found.push(node.clone());
        return Some(found);
    }
    path.push(node.clone());
    for next in follows.get(node).into_iter().flatten() {
        if let Some(found) = walk(next, follows, path, done) {
            return Some(found);
        }
    }
    path.pop();
    done.insert(node.clone());
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned()).unwrap()
    }

    fn derive(template: &str, values: &[(&str, &str)]) -> String {
        let values: BTreeMap<&str, Secret> =
            values.iter().map(|(key, value)| (*key, secret(value))).collect();
        let template = TemplateOf::parse(template).unwrap();
        template.fill(|part| values.get(part.as_str())).unwrap().expose().to_owned()
    }

    #[test]
    fn parts_of_a_url_are_percent_encoded_and_lone_or_raw_ones_are_not() {
        let values = [("U", "a b"), ("P", "p@ss/wörd%"), ("H", "[::1]:5432")];
        assert_eq!(
            derive("pg://{U}:{P}@{H:raw}/x", &values),
            "pg://a%20b:p%40ss%2Fw%C3%B6rd%25@[::1]:5432/x"
        );
        assert_eq!(derive("{P}", &values), "p@ss/wörd%");
        assert_eq!(derive("{P:raw}", &values), "p@ss/wörd%");
    }

    #[test]
    fn doubled_braces_are_braces() {
        assert_eq!(derive("{{{A}}}{{}}", &[("A", "x y")]), "{x%20y}{}");
    }

    #[test]
    fn what_is_no_template_is_told_from_one() {
        use InvalidTemplate::{Modifier, NoPart, Unclosed, Unopened};
        for (text, error) in [
            ("{A", Unclosed),
            ("a}", Unopened),
            ("plain", NoPart),
            ("{{}}", NoPart),
            ("{A:url}", Modifier("url".to_owned())),
        ] {
            assert_eq!(TemplateOf::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_part_without_a_value_gives_none() {
        assert!(TemplateOf::parse("{A}-{B}").unwrap().fill(|_| None).is_none());
    }

    #[test]
    fn a_password_in_a_template_is_told_from_a_key_in_its_place() {
        assert!(holds_password("postgres://app:hunter2@{HOST}/db"));
        for fine in [
            "pg://{U}:{P}@{H}:5432/x",
            "pg://app:{P:raw}@h/x",
            "https://{H}:80/a@b",
            "{A}:b@c",
            "x://app@{H}",
        ] {
            assert!(!holds_password(fine), "{fine}");
        }
    }

    #[test]
    fn a_circle_is_found_with_its_members_in_order() {
        let follows = |pairs: &[(&str, &[&str])]| -> BTreeMap<String, Vec<String>> {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            pairs.iter().map(|(name, parts)| ((*name).to_owned(), owned(parts))).collect()
        };
        let circle = cycle(&follows(&[("a", &["b"]), ("b", &["x", "c"]), ("c", &["b"])]));
        assert_eq!(circle.unwrap(), ["b", "c", "b"]);
        assert_eq!(cycle(&follows(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])])), None);
    }

    proptest::proptest! {
        #[test]
        fn a_template_is_what_it_prints(text in "[a-z:/{}@]{0,12}") {
            if let Ok(template) = TemplateOf::parse(&text) {
                proptest::prop_assert_eq!(TemplateOf::parse(&template.to_string()).unwrap(), template);
            }
        }
    }
}
