//! Which parts of a URL are other keys' values: the inverse of `derive`, for `init`.
//!
//! Owns the guess, and proves it: what it offers derives exactly the bytes that it was given. It never leaves a password
//! in a template, because templates stand in the manifest.

use crate::manifest::derive::{TemplateOf, encode};
use crate::name::Key;
use crate::secret::Secret;
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

/// A template over `others` that derives exactly `url`, where its parts are theirs.
pub fn find(url: &Secret, others: &[(Key, &Secret)]) -> Option<String> {
    let template = compose(url.expose(), others)?;
    derives(&template, url, others).then_some(template)
}

/// Every value that follows from others, with its template, so that no two follow from each other.
pub fn find_all(values: &[(Key, &Secret)]) -> Vec<(Key, String)> {
    let is_url = |value: &Secret| value.expose().contains("://");
    let plain: Vec<(Key, &Secret)> = values.iter().filter(|(_, value)| !is_url(value)).cloned().collect();
    let mut found = Vec::new();
    for (index, (key, url)) in values.iter().enumerate().filter(|(_, (_, value))| is_url(value)) {
        let same = values[..index].iter().find(|(_, earlier)| is_url(earlier) && earlier.same_as(url));
        let template = same.map(|(key, _)| format!("{{{key}}}")).or_else(|| find(url, &plain));
        found.extend(template.map(|template| (key.clone(), template)));
    }
    found
}

fn derives(template: &str, url: &Secret, others: &[(Key, &Secret)]) -> bool {
    let lookup = |part: &String| others.iter().find(|(key, _)| key.as_str() == part).map(|(_, value)| *value);
    let derived = TemplateOf::parse(template).ok().and_then(|template| template.fill(lookup));
    derived.is_some_and(|derived| derived.same_as(url))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    User,
    Password,
    Host,
    Port,
    Database,
    Parameter,
}

/// The parts of `scheme://user:password@host:port/database?query`, each with its text; what stands between has no role.
struct Split<'a> {
    scheme: &'a str,
    tokens: Vec<(Option<Role>, &'a str)>,
}

fn split(url: &str) -> Option<Split<'_>> {
    let (scheme, rest) = url.split_once("://")?;
    let mut tokens = vec![(None, &url[..scheme.len() + 3])];
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // A password may hold an `@` that nobody encoded: the last one before the path ends the login.
    let (authority, tail) = rest.split_at(end);
    let (login, place) = match authority.rsplit_once('@') {
        Some((login, place)) => (Some(login), place),
        None => (None, authority),
    };
    if let Some(login) = login {
        match login.split_once(':') {
            Some((user, password)) => {
                tokens.extend([(Some(Role::User), user), (None, ":"), (Some(Role::Password), password)]);
            }
            None => tokens.push((Some(Role::User), login)),
        }
        tokens.push((None, "@"));
    }
    match place.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit())) {
        Some((host, port)) => {
            tokens.extend([(Some(Role::Host), host), (None, ":"), (Some(Role::Port), port)]);
        }
        None => tokens.push((Some(Role::Host), place)),
    }
    let (path, query) = tail.split_at(tail.find(['?', '#']).unwrap_or(tail.len()));
    match path.strip_prefix('/').filter(|name| !name.is_empty() && !name.contains('/')) {
        Some(name) => tokens.extend([(None, "/"), (Some(Role::Database), name)]),
        None => tokens.push((None, path)),
    }
    for piece in query.split_inclusive(['?', '&', '=', '#']) {
        let text = piece.trim_end_matches(['?', '&', '=', '#']);
        tokens.extend([(Some(Role::Parameter), text), (None, &piece[text.len()..])]);
    }
    tokens.retain(|(_, text)| !text.is_empty());
    Some(Split { scheme, tokens })
}

fn compose(url: &str, others: &[(Key, &Secret)]) -> Option<String> {
    let Split { scheme, tokens } = split(url)?;
    let mut template = String::new();
    let (mut telling, mut parameter) = (false, "");
    let has_password = tokens.iter().any(|(role, _)| *role == Some(Role::Password));
    for (role, text) in tokens {
        let part = role.and_then(|role| part(role, text, scheme, others));
        telling |= part.is_some() && matches!(role, Some(Role::Host | Role::Password | Role::User));
        let secret = match role {
            Some(Role::Password) => true,
            Some(Role::User) => !has_password,
            Some(Role::Parameter) => names_a_secret(parameter),
            _ => false,
        };
        match part {
            Some(part) => template.push_str(&part),
            None if secret => return None,
            None => template.push_str(&text.replace('{', "{{").replace('}', "}}")),
        }
        if role == Some(Role::Parameter) {
            parameter = text;
        }
    }
    telling.then_some(template)
}

fn names_a_secret(parameter: &str) -> bool {
    let parameter = parameter.to_lowercase();
    ["pass", "pwd", "token", "secret", "key", "sig"].iter().any(|word| parameter.contains(word))
}

/// The key whose value this part of a URL is, as it is written in a template.
fn part(role: Role, text: &str, scheme: &str, others: &[(Key, &Secret)]) -> Option<String> {
    let decoded = Zeroizing::new(percent_decode_str(text).decode_utf8().ok()?.into_owned());
    let fits = |(key, value): &&(Key, &Secret)| {
        let raw = value.expose() == text;
        let same = (raw || value.expose() == decoded.as_str()) && !value.is_empty();
        same && meant(role, key.as_str(), scheme) && (raw || encode(value).as_str() == text)
    };
    let (key, value) =
        others.iter().filter(fits).max_by_key(|(key, _)| likeness(role, key.as_str(), scheme))?;
    Some(if encode(value).as_str() == text { format!("{{{key}}}") } else { format!("{{{key}:raw}}") })
}

const FAMILIES: [(&[&str], &[&str]); 4] = [
    (
        &["postgres", "postgis", "pgsql", "psql", "mysql", "mariadb"],
        &["POSTGRES", "PG", "RDS", "DB", "DATABASE", "SQL"],
    ),
    (&["redis", "valkey"], &["REDIS", "VALKEY", "CACHE", "BROKER", "CELERY"]),
    (&["amqp"], &["AMQP", "RABBIT", "BROKER", "CELERY"]),
    (&["smtp", "submission"], &["SMTP", "EMAIL", "MAIL"]),
];

/// Whether a key of this name speaks of the service that the scheme speaks of; nothing where it names none.
fn of_family(key: &str, scheme: &str) -> Option<bool> {
    let words: Vec<&str> = key.split('_').collect();
    let speaks = |names: &[&str]| words.iter().any(|word| names.iter().any(|name| word.starts_with(name)));
    let mut named = FAMILIES.iter().filter(|(_, names)| speaks(names)).peekable();
    named.peek()?;
    Some(named.any(|(schemes, _)| schemes.iter().any(|known| scheme.starts_with(known))))
}

fn role_of(key: &str) -> Option<Role> {
    let has = |words: &[&str]| words.iter().any(|word| key.contains(word));
    match () {
        () if has(&["PASS", "PWD", "SECRET", "TOKEN"]) => Some(Role::Password),
        () if has(&["HOST", "ENDPOINT", "SERVER", "ADDRESS"]) => Some(Role::Host),
        () if has(&["PORT"]) => Some(Role::Port),
        () if has(&["USER", "LOGIN", "ROLE"]) => Some(Role::User),
        () if has(&["DB_NAME", "DATABASE"]) || key.ends_with("_DB") || key.ends_with("DBNAME") => {
            Some(Role::Database)
        }
        () => None,
    }
}

/// Whether the key's name agrees with the role. Equal text is not enough: `app` may be a user, a database and a
/// project, and only its own key must follow when one of them changes.
fn meant(role: Role, key: &str, scheme: &str) -> bool {
    let key = key.to_uppercase();
    if of_family(&key, scheme) == Some(false) {
        return false;
    }
    match role_of(&key) {
        Some(known) => known == role || (role == Role::Parameter && known == Role::Password),
        None => role == Role::Password,
    }
}

fn likeness(role: Role, key: &str, scheme: &str) -> (bool, bool, usize) {
    let key = key.to_uppercase();
    (role_of(&key) == Some(role), of_family(&key, scheme) == Some(true), usize::MAX - key.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(url: &str, others: &[(&str, &str)]) -> Option<String> {
        let values: Vec<(Key, Secret)> =
            others.iter().map(|(key, value)| (key.parse().unwrap(), secret(value))).collect();
        let others: Vec<(Key, &Secret)> = values.iter().map(|(key, value)| (key.clone(), value)).collect();
        find(&secret(url), &others)
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned()).unwrap()
    }

    const ANTENNA: [(&str, &str); 6] = [
        ("PROJECT_NAME", "antenna"),
        ("POSTGRES_DB", "antenna"),
        ("POSTGRES_USER", "antenna"),
        ("POSTGRES_PASSWORD", "p@ss/word"),
        ("POSTGRES_HOST", "db.internal"),
        ("POSTGRES_PORT", "5432"),
    ];

    #[test]
    fn each_part_becomes_the_key_of_its_role_even_where_values_are_equal() {
        assert_eq!(
            found("postgres://antenna:p%40ss%2Fword@db.internal:5432/antenna", &ANTENNA).unwrap(),
            "postgres://{POSTGRES_USER}:{POSTGRES_PASSWORD}@{POSTGRES_HOST}:{POSTGRES_PORT}/{POSTGRES_DB}"
        );
    }

    #[test]
    fn a_password_that_nobody_encoded_is_taken_raw() {
        assert_eq!(
            found("postgres://antenna:p@ssword@h/x", &[("DB_PASSWORD", "p@ssword")]).unwrap(),
            "postgres://antenna:{DB_PASSWORD:raw}@h/x"
        );
    }

    #[test]
    fn a_url_whose_password_is_no_key_is_not_offered() {
        assert_eq!(found("postgres://antenna:other@db.internal:5432/antenna", &ANTENNA), None);
        assert_eq!(found("https://publickey@db.internal/1", &ANTENNA), None);
        assert_eq!(found("https://db.internal/1?token=abc", &ANTENNA), None);
    }

    #[test]
    fn a_host_of_another_service_is_not_taken() {
        assert_eq!(found("redis://localhost:6379/0", &[("POSTGRES_HOST", "localhost")]), None);
        assert_eq!(
            found("rediss://cache:6379/0?ssl_cert_reqs=none", &[("REDIS_HOST", "cache")]).unwrap(),
            "rediss://{REDIS_HOST}:6379/0?ssl_cert_reqs=none"
        );
    }

    #[test]
    fn equal_urls_follow_the_first_and_never_each_other() {
        let (a, b) = (secret("redis://h/0"), secret("redis://h/0"));
        let values = [("REDIS_URL".parse().unwrap(), &a), ("CELERY_BROKER_URL".parse().unwrap(), &b)];
        assert_eq!(find_all(&values), [("CELERY_BROKER_URL".parse().unwrap(), "{REDIS_URL}".to_owned())]);
    }

    proptest! {
        #[test]
        fn what_was_derived_is_found_and_derives_the_same_bytes(
            user in "[a-z]{1,8}", password in "\\PC{1,20}", host in "[a-z.]{1,12}", name in "[a-z_]{1,8}",
        ) {
            let values = [("DB_USER", user), ("DB_PASSWORD", password), ("DB_HOST", host), ("DB_NAME", name)];
            let values: Vec<(Key, Secret)> = values.into_iter().map(|(k, v)| (k.parse().unwrap(), secret(&v))).collect();
            let others: Vec<(Key, &Secret)> = values.iter().map(|(key, value)| (key.clone(), value)).collect();
            let lookup = |part: &String| others.iter().find(|(key, _)| key.as_str() == part).map(|(_, value)| *value);
            let template = TemplateOf::parse("postgres://{DB_USER}:{DB_PASSWORD}@{DB_HOST}:5432/{DB_NAME}").unwrap();
            let url = template.fill(lookup).unwrap();
            prop_assert_eq!(find(&url, &others).unwrap(), template.to_string());
        }

        #[test]
        fn no_text_makes_the_search_fail(url in "[a-z:/@?&=#{}%0-9]{0,30}") {
            let _ = found(&url, &ANTENNA);
        }
    }
}
