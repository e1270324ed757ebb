//! Whether a variable of a .env file is a secret, and why, for `init`.
//!
//! Owns a guess that a person sees and can change. It leans to the safe side: a plain value that is treated as a secret
//! costs nothing, the other way round it ends in a commit. The reason never holds a part of the value.

use crate::name::Key;
use crate::secret::Secret;
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

/// What a variable is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is a secret.
    pub secret: bool,
    /// Why, for people: a fragment that goes behind the name.
    pub reason: &'static str,
}

const fn secret(reason: &'static str) -> Verdict {
    Verdict { secret: true, reason }
}

const fn plain(reason: &'static str) -> Verdict {
    Verdict { secret: false, reason }
}

/// What a variable is taken for, by its name and the shape of its value.
pub fn classify(key: &Key, value: &Secret) -> Verdict {
    let value = value.expose();
    if let Some(verdict) = by_marks(value) {
        return verdict;
    }
    let name = key.as_str().to_uppercase();
    if let Some(verdict) = by_name(&name) {
        return verdict;
    }
    if value.contains("://") {
        return by_url(&name, value);
    }
    if looks_random(value) {
        return secret("long and random");
    }
    plain("nothing about it looks secret")
}

/// Whether a value that stands in a text is there because it is that value: a short one is in many a text by chance, and
/// `postgres` is also the name of the database.
pub fn is_telling(secret: &Secret) -> bool {
    secret.len() >= 6 && !secret.expose().bytes().all(|byte| byte.is_ascii_lowercase())
}

/// Whether a value tells another one that is a secret: has it in it, as it is or percent-encoded.
pub fn tells(value: &Secret, secret: &Secret) -> bool {
    let decoded = Zeroizing::new(percent_decode_str(value.expose()).collect::<Vec<u8>>());
    let is_in = |bytes: &[u8]| bytes.windows(secret.len()).any(|part| part == secret.expose().as_bytes());
    is_telling(secret) && (is_in(value.expose().as_bytes()) || is_in(&decoded))
}

/// Values that tell what they are, whatever their name.
fn by_marks(value: &str) -> Option<Verdict> {
    let starts = |marks: &[&str]| marks.iter().any(|mark| value.starts_with(mark));
    match () {
        () if value.contains("PRIVATE KEY-----") || value.contains("AGE-SECRET-KEY-") => {
            Some(secret("a private key"))
        }
        () if starts(&[
            "sk_live_",
            "sk_test_",
            "rk_live_",
            "SG.",
            "xoxb-",
            "xoxp-",
            "ghp_",
            "github_pat_",
            "glpat-",
        ]) && value.len() >= 16 =>
        {
            Some(secret("starts like an access token"))
        }
        () if starts(&["AKIA", "ASIA"]) && value.len() == 20 => {
            Some(secret("an AWS access key's id, which goes with its secret"))
        }
        () if value.starts_with("eyJ") && value.matches('.').count() == 2 => Some(secret("a signed token")),
        () if value.starts_with("arn:aws") => Some(plain("the name of an AWS resource")),
        () if value.starts_with("-----BEGIN CERTIFICATE") => Some(plain("a certificate")),
        () => None,
    }
}

/// Words in a name that tell a secret, and why. A word is what stands between two `_`.
const SECRET_WORDS: [(&str, &str); 17] = [
    ("PASSWORD", "the name says password"),
    ("PASSWD", "the name says password"),
    ("PASSPHRASE", "the name says passphrase"),
    ("PASS", "the name says password"),
    ("PWD", "the name says password"),
    ("SECRET", "the name says secret"),
    ("TOKEN", "the name says token"),
    ("DSN", "a DSN holds the right to write"),
    ("CREDENTIAL", "the name says credentials"),
    ("CREDENTIALS", "the name says credentials"),
    ("APIKEY", "the name says API key"),
    ("SALT", "the name says salt"),
    ("PEPPER", "the name says pepper"),
    ("SIGNATURE", "the name says signature"),
    ("WEBHOOK", "who knows a webhook can call it"),
    ("JWT", "the name says signed token"),
    ("OTP", "the name says one-time password"),
];

/// Pairs of words that tell a secret together.
const SECRET_PAIRS: [(&str, &str, &str); 8] = [
    ("API", "KEY", "the name says API key"),
    ("ACCESS", "KEY", "the name says access key"),
    ("ENCRYPTION", "KEY", "the name says encryption key"),
    ("SIGNING", "KEY", "the name says signing key"),
    ("PRIVATE", "KEY", "the name says private key"),
    ("FERNET", "KEY", "the name says encryption key"),
    ("MASTER", "KEY", "the name says key"),
    ("ADMIN", "URL", "an address that is to stay unknown"),
];

/// Last words that tell a plain value, also where a secret's word stands before: SECRET_NAME, TOKEN_EXPIRES_AT.
const PLAIN_ENDS: [&str; 18] = [
    "NAME",
    "HOST",
    "HOSTNAME",
    "PORT",
    "REGION",
    "BUCKET",
    "PATH",
    "FILE",
    "DIR",
    "TTL",
    "EXPIRES",
    "AT",
    "AGE",
    "LENGTH",
    "TIMEOUT",
    "ENABLED",
    "ALGORITHM",
    "ARN",
];

fn by_name(name: &str) -> Option<Verdict> {
    let words: Vec<&str> = name.split('_').filter(|word| !word.is_empty()).collect();
    if words.last().is_some_and(|last| PLAIN_ENDS.contains(last)) {
        return Some(plain("the name says what it is"));
    }
    if matches!(words.as_slice(), [.., "PUBLIC" | "PUBLISHABLE", "KEY"]) {
        return Some(plain("the name says public"));
    }
    // DATABASE_URL and the like are judged by the login in them.
    if words.last() == Some(&"URL") && !words.contains(&"ADMIN") && !words.contains(&"WEBHOOK") {
        return None;
    }
    let single = SECRET_WORDS.iter().find(|(word, _)| words.contains(word)).map(|(_, reason)| *reason);
    let pair =
        SECRET_PAIRS.iter().find(|(first, second, _)| words.windows(2).any(|pair| pair == [*first, *second]));
    // Names without `_`: PGPASSWORD, SECRETKEY.
    let joined = ["PASSWORD", "SECRETKEY"].iter().any(|word| name.ends_with(word));
    single.or(pair.map(|(_, _, reason)| *reason)).or(joined.then_some("the name says secret")).map(secret)
}

fn by_url(name: &str, value: &str) -> Verdict {
    let rest = value.split_once("://").map_or("", |(_, rest)| rest);
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let login = authority.rsplit_once('@').map(|(login, _)| login);
    let query = rest.split_once('?').map_or("", |(_, query)| query).to_lowercase();
    let told =
        |word: &&str| query.split('&').any(|pair| pair.split('=').next().unwrap_or("").contains(*word));
    match login {
        Some(login) if login.split_once(':').is_some_and(|(_, password)| !password.is_empty()) => {
            secret("a URL with a password in it")
        }
        Some(login) if looks_random(login) || name.contains("SENTRY") => secret("a URL with a key in it"),
        _ if ["password", "token", "secret", "key", "sig"].iter().any(told) => {
            secret("a URL with a key in it")
        }
        // A password with a `/` of its own ends the part in which a login belongs, and is one all the same.
        None if rest.rsplit_once('@').is_some_and(|(before, _)| before.contains(':')) => {
            secret("a URL with what may be a password in it")
        }
        _ => plain("a URL without a login"),
    }
}

/// Long text of many kinds of characters that no person chose: digits and letters mixed, no words.
fn looks_random(value: &str) -> bool {
    let plausible = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | '.' | ',' | ':' | '@' | '\\');
    if value.len() < 20 || !value.chars().all(|c| plausible(c) || c == '/') || value.matches('/').count() > 3
    {
        return false;
    }
    if uuid(value) {
        return true;
    }
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let letters = value.bytes().filter(u8::is_ascii_alphabetic).count();
    let longest_run = value.split(|c: char| !c.is_ascii_lowercase()).map(str::len).max().unwrap_or(0);
    digits * 12 >= value.len() && letters > 0 && longest_run < 9
}

fn uuid(value: &str) -> bool {
    value.len() == 36
        && value.split('-').count() == 5
        && value.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_secret(name: &str, value: &str) -> bool {
        let verdict = classify(&name.parse().unwrap(), &Secret::new(value.to_owned()).unwrap());
        assert!(!verdict.reason.is_empty());
        verdict.secret
    }

    #[test]
    fn the_variables_of_antenna_are_told_apart() {
        for (name, value) in [
            ("DJANGO_SECRET_KEY", "x"),
            ("DJANGO_ADMIN_URL", "Zh3kK2/"),
            ("DJANGO_AWS_ACCESS_KEY_ID", "AKIAEXAMPLEEXAMPLE00"),
            ("DJANGO_AWS_SECRET_ACCESS_KEY", "x"),
            ("POSTGRES_PASSWORD", "x"),
            ("DATABASE_URL", "postgres://antenna:pass@db:5432/antenna"),
            ("SENDGRID_API_KEY", "SG.x"),
            ("SENTRY_DSN", "https://abc@o0.ingest.example/1"),
        ] {
            assert!(is_secret(name, value), "{name}");
        }
        for (name, value) in [
            ("DJANGO_SETTINGS_MODULE", "config.settings.production"),
            ("DJANGO_ALLOWED_HOSTS", "antenna.example,api.antenna.example"),
            ("DJANGO_SECURE_SSL_REDIRECT", "True"),
            ("DJANGO_AWS_STORAGE_BUCKET_NAME", "antenna-media"),
            ("DJANGO_AWS_S3_REGION_NAME", "us-west-2"),
            ("POSTGRES_DB", "antenna"),
            ("POSTGRES_USER", "antenna"),
            ("POSTGRES_HOST", "antenna.c0abc1def2gh.us-west-2.rds.amazonaws.com"),
            ("POSTGRES_PORT", "5432"),
            (
                "REDIS_URL",
                "rediss://master.antenna.abc123.usw2.cache.amazonaws.com:6379/0?ssl_cert_reqs=none",
            ),
            ("CELERY_BROKER_URL", "rediss://master.antenna.abc123.usw2.cache.amazonaws.com:6379/0"),
            ("EB_HEALTHCHECK", "1"),
            ("USE_DOCKER", "yes"),
        ] {
            assert!(!is_secret(name, value), "{name}");
        }
    }

    #[test]
    fn the_variables_of_dev_app_are_told_apart() {
        for (name, value) in [
            ("SECRET_KEY", "x"),
            ("RDS_PASSWORD", "x"),
            ("AWS_ACCESS_KEY_ID", "x"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("EMAIL_HOST_PASSWORD", "x"),
            ("XERO_ENCRYPTION_KEY", "x"),
            ("client_secret", "x"),
            ("access_token", "x"),
            ("refresh_token", "x"),
        ] {
            assert!(is_secret(name, value), "{name}");
        }
        for (name, value) in [
            ("DJANGO_SETTINGS_MODULE", "dev_app.settings.production_aws"),
            ("RDS_HOSTNAME", "dev-app.c0abc1def2gh.us-east-1.rds.amazonaws.com"),
            ("RDS_DB_NAME", "devapp"),
            ("RDS_USERNAME", "devapp"),
            ("RDS_PORT", "5432"),
            ("AWS_STORAGE_BUCKET_NAME", "dev-app-media-bucket"),
            ("AWS_S3_REGION_NAME", "us-east-1"),
            ("PROJECT_NAME", "Dev App"),
            ("EMAIL_HOST_USER", "robot@dev-app.example"),
            ("EMAIL_CC", "office@dev-app.example"),
            ("DEFAULT_FROM_EMAIL", "Dev App <robot@dev-app.example>"),
            ("LETTERHEAD_PATH", "static/letterhead.png"),
            ("BACKGROUND_IMAGE_PATH", "static/background.png"),
            ("tenant_id", "acme"),
            ("token_expires_at", "2026-01-03T10:00:00Z"),
        ] {
            assert!(!is_secret(name, value), "{name}");
        }
    }

    #[test]
    fn a_value_with_a_secret_in_it_tells_it_in_either_spelling() {
        let tells = |value: &str, secret: &str| {
            tells(&Secret::new(value.to_owned()).unwrap(), &Secret::new(secret.to_owned()).unwrap())
        };
        assert!(tells("--login=me:pA/ss1", "pA/ss1") && tells("//me:pA%2Fss1@host", "pA/ss1"));
        assert!(!tells("a1", "a1") && !tells("postgres", "postgres") && !tells("", "pA/ss1"));
    }

    #[test]
    fn the_value_tells_where_the_name_does_not() {
        for value in [
            "-----BEGIN RSA PRIVATE KEY-----\nx",
            "eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl",
            "x7Kp2mQ9vT4wZ8bN3cR6yL1d",
            "8f14e45fceea167a5a36dedd4bea2543",
            "redis://:pw@cache:6379/0",
            "https://hooks.example/?token=abc",
            "https://me:with/a-slash@host.example/",
        ] {
            assert!(is_secret("THING", value));
        }
        for value in [
            "",
            "true",
            "a normal sentence of some length, with 3 digits",
            "arn:aws:s3:::bucket-123456789012",
        ] {
            assert!(!is_secret("THING", value));
        }
    }
}
