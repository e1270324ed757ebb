//! The login in a URL: what it is, and another one in its place, with every other byte as it was.
//!
//! Owns where a URL's login begins and ends, and which URLs are not touched because that cannot be told. It knows no
//! server, and takes no URL apart beyond its login.

use crate::manifest::derive::encode;
use crate::secret::Secret;
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

/// Why the login of a URL is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoLogin {
    #[error("it is no URL of the form scheme://user:password@host/…")]
    NoUrl,
    #[error("it holds no `user:password@`")]
    Nobody,
    #[error(
        "its password has a `/`, `?` or `#` that is not percent-encoded, so that nobody can tell where it ends"
    )]
    Unclear,
    #[error("it names a user or a password after `?` too")]
    Twice,
}

/// A URL around its login.
struct Parts<'a> {
    before: &'a str,
    user: &'a str,
    password: &'a str,
    /// From the `@` on.
    after: &'a str,
}

fn parts(url: &str) -> Result<Parts<'_>, NoLogin> {
    let start = url.find("://").ok_or(NoLogin::NoUrl)? + 3;
    let (before, rest) = url.split_at(start);
    let scheme = &before[..start - 3];
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    if scheme.is_empty() || !scheme.bytes().all(plain) {
        return Err(NoLogin::NoUrl);
    }
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let Some(at) = authority.rfind('@') else {
        let path_ends = rest.find('?').unwrap_or(rest.len());
        return Err(if rest[..path_ends].contains('@') || authority.contains(':') && rest.contains('@') {
            NoLogin::Unclear
        } else {
            NoLogin::Nobody
        });
    };
    let after = &rest[at..];
    let query = after.split_once('?').map_or("", |(_, query)| query);
    let names = |pair: &str| matches!(pair.split('=').next(), Some("user" | "password"));
    if query.split(['&', '#']).any(names) {
        return Err(NoLogin::Twice);
    }
    let (user, password) = authority[..at].split_once(':').ok_or(NoLogin::Nobody)?;
    Ok(Parts { before, user, password, after })
}

/// The login that a URL holds, percent-decoded; and the password as it is written, for those that nobody encoded.
pub(super) struct Held {
    pub(super) user: String,
    passwords: [Option<Secret>; 2],
}

impl Held {
    /// Whether one reading of the password is this one.
    pub(super) fn has_password(&self, is: impl Fn(&Secret) -> bool) -> bool {
        self.passwords.iter().flatten().any(is)
    }
}

pub(super) fn login_of(url: &Secret) -> Result<Held, NoLogin> {
    let Parts { user, password, .. } = parts(url.expose())?;
    let decoded = |text: &str| {
        let bytes = Zeroizing::new(percent_decode_str(text).collect::<Vec<u8>>());
        std::str::from_utf8(&bytes).ok().map(str::to_owned)
    };
    let secret = |text: Option<String>| text.and_then(|text| Secret::new(text).ok());
    let passwords = [secret(decoded(password)), secret(Some(password.to_owned()))];
    Ok(Held { user: decoded(user).unwrap_or_default(), passwords })
}

/// The URL with another login, and nothing else changed.
pub(super) fn with_login(url: &Secret, user: &Secret, password: &Secret) -> Result<Secret, NoLogin> {
    let Parts { before, after, .. } = parts(url.expose())?;
    let (user, password) = (encode(user), encode(password));
    let length = before.len() + user.len() + password.len() + after.len() + 1;
    let mut text = String::with_capacity(length);
    for part in [before, &user, ":", &password, after] {
        text.push_str(part);
    }
    Ok(Secret::new(text).expect("a URL without NUL and a login without one"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned()).unwrap()
    }

    fn changed(url: &str) -> Result<String, NoLogin> {
        with_login(&secret(url), &secret("app_b"), &secret("New1")).map(|url| url.expose().to_owned())
    }

    #[test]
    fn only_the_login_of_a_url_is_another() {
        for (url, new) in [
            ("postgres://app:old@h:5432/db", "postgres://app_b:New1@h:5432/db"),
            (
                "postgis://app:o%40ld@h/db?sslmode=require&x=%20y#f",
                "postgis://app_b:New1@h/db?sslmode=require&x=%20y#f",
            ),
            (
                "postgresql+psycopg://app:old@h1:1,h2:2/db?options=-c%20a%3Db",
                "postgresql+psycopg://app_b:New1@h1:1,h2:2/db?options=-c%20a%3Db",
            ),
            ("postgres://app:p@ss@[::1]:5432/db", "postgres://app_b:New1@[::1]:5432/db"),
            ("postgres://app:@/db?host=/run/x", "postgres://app_b:New1@/db?host=/run/x"),
            ("postgres://app:a:b@h", "postgres://app_b:New1@h"),
            ("postgres://app:old@h/db?mail=a@b.example", "postgres://app_b:New1@h/db?mail=a@b.example"),
        ] {
            assert_eq!(changed(url).as_deref(), Ok(new), "{url}");
        }
    }

    #[test]
    fn a_url_whose_login_is_unclear_is_left_alone() {
        for (url, why) in [
            ("app", NoLogin::NoUrl),
            ("://app:old@h", NoLogin::NoUrl),
            ("postgres://h/db", NoLogin::Nobody),
            ("postgres://app@h/db", NoLogin::Nobody),
            ("postgres:///db?user=app&password=x", NoLogin::Nobody),
            ("postgres://app:p/ss@h/db", NoLogin::Unclear),
            ("postgres://app:p?ss@h/db", NoLogin::Unclear),
            ("postgres://app:p#ss@h/db", NoLogin::Unclear),
            ("postgres://app:old@h/db?password=x", NoLogin::Twice),
            ("postgres://app:old@h/db?sslmode=require&user=y", NoLogin::Twice),
        ] {
            assert_eq!(changed(url), Err(why), "{url}");
        }
    }

    #[test]
    fn a_password_that_nobody_encoded_is_recognised_too() {
        let held = login_of(&secret("postgres://app:100%25@h/db")).unwrap();
        assert_eq!(held.user, "app");
        assert!(held.has_password(|text| text.expose() == "100%"));
        assert!(held.has_password(|text| text.expose() == "100%25"));
    }

    proptest! {
        #[test]
        fn any_login_that_is_put_in_is_read_again_and_taken_out_again(user in "\\PC{1,12}", password in "\\PC{1,20}") {
            let url = secret("postgres://app:old@h:5432/db?a=b@c");
            let (user, password) = (secret(&user), secret(&password));
            let changed = with_login(&url, &user, &password).unwrap();
            let held = login_of(&changed).unwrap();
            prop_assert_eq!(&held.user, user.expose());
            prop_assert!(held.has_password(|text| text.same_as(&password)));
            let back = with_login(&changed, &secret("app"), &secret("old")).unwrap();
            prop_assert_eq!(back.expose(), url.expose());
        }

        #[test]
        fn no_text_makes_it_fail_otherwise(text in "\\PC{0,40}") {
            let _ = changed(&text);
        }
    }
}
