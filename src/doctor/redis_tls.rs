//! URLs of Redis over TLS that say nothing about the certificate, or that nobody is to look at it.

use super::Project;
use super::finding::Finding;
use super::held::Value;

/// `rediss://` without `ssl_cert_reqs`, or with `none`.
pub(super) fn redis_without_a_checked_certificate(project: &Project<'_>) -> Vec<Finding> {
    project.held.values.iter().filter_map(|held| of_value(project, held)).collect()
}

fn of_value(project: &Project<'_>, held: &Value<'_>) -> Option<Finding> {
    let url = held.value.expose();
    if !url.starts_with("rediss://") {
        return None;
    }
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let says = query.split(['&', '#']).find_map(|pair| pair.strip_prefix("ssl_cert_reqs="));
    let finding = match says.map(str::to_ascii_lowercase).as_deref() {
        None => Finding::problem(
            "redis-tls-unsaid",
            format!("{} is a rediss:// URL without `ssl_cert_reqs`", held.address),
        )
        .why("Celery refuses such a URL, and other clients differ in whether they look at the certificate"),
        Some("none" | "cert_none" | "optional" | "cert_optional") => Finding::warning(
            "redis-tls-unchecked",
            format!("{} tells its reader not to check the certificate", held.address),
        )
        .why("whoever gets between the app and its cache reads and changes everything; ElastiCache's certificate is one that every machine knows"),
        Some(_) => return None,
    };
    let (environment, address) = (&project.environment.name, &held.address);
    let finding = match held.line {
        Some(line) => finding
            .fix("write `?ssl_cert_reqs=required` behind the URL in the manifest")
            .line(project.manifest.file(), line),
        None => finding
            .fix(format!(
                "`strongroom -e {environment} set {address}`, with `?ssl_cert_reqs=required` behind the URL"
            ))
            .address(address),
    };
    Some(finding)
}

#[cfg(test)]
mod tests {
    use crate::doctor::fixture::{Fixture, places};

    #[test]
    fn a_url_of_redis_says_that_its_certificate_is_checked() {
        for (url, code) in [
            ("rediss://h:6379/0", Some("redis-tls-unsaid")),
            ("rediss://h:6379/0?a=1&ssl_cert_reqs=none", Some("redis-tls-unchecked")),
            ("rediss://h:6379/0?ssl_cert_reqs=CERT_NONE", Some("redis-tls-unchecked")),
            ("rediss://h:6379/0?ssl_cert_reqs=required", None),
            ("redis://h:6379/0", None),
        ] {
            let fixture = Fixture::new("REDIS_URL = {}\n").held(&[("REDIS_URL", url)]);
            let found = places(&fixture.check(super::redis_without_a_checked_certificate));
            let expected: Vec<String> = code.iter().map(|code| format!("{code} app/REDIS_URL")).collect();
            assert_eq!(found, expected, "{url}");
        }
    }

    #[test]
    fn a_url_of_the_manifest_is_told_at_its_line() {
        let fixture = Fixture::new("X = {}\nREDIS_URL = { value = \"rediss://h:1\" }\n");
        let found = places(&fixture.check(super::redis_without_a_checked_certificate));
        assert_eq!(found, ["redis-tls-unsaid strongroom.toml:11"]);
    }
}
