//! URLs of databases that are stored, beside the parts that they are made of.
//!
//! A derived URL follows its parts and is none of these.

use super::Project;
use super::finding::Finding;
use super::held::Value;
use crate::secret::Secret;
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

/// The parts of a login, and the names that keys have for each.
const PARTS: [(&str, &[&str]); 5] = [
    ("user", &["USERNAME", "USER"]),
    ("password", &["PASSWORD", "PASS"]),
    ("host", &["HOSTNAME", "HOST"]),
    ("port", &["PORT"]),
    ("database", &["DB_NAME", "DBNAME", "NAME", "DB", "DATABASE"]),
];

/// What the names of such keys begin with.
const PREFIXES: [&str; 6] = ["RDS_", "POSTGRES_", "DATABASE_", "DB_", "PG", "MYSQL_"];

/// Stored URLs that say something else than the keys beside them.
pub(super) fn urls_that_disagree_with_their_parts(project: &Project<'_>) -> Vec<Finding> {
    let urls = project.held.values.iter().filter(|held| is_database(held.value));
    urls.filter_map(|url| of_url(project, url)).collect()
}

fn is_database(value: &Secret) -> bool {
    let schemes = ["postgres://", "postgresql://", "postgis://", "mysql://", "psql://", "pgsql://"];
    schemes.iter().any(|scheme| value.expose().starts_with(scheme))
}

fn of_url(project: &Project<'_>, url: &Value<'_>) -> Option<Finding> {
    let in_url = Login::of(url.value.expose());
    let siblings: Vec<&Value<'_>> =
        project.held.values.iter().filter(|held| held.address.group == url.address.group).collect();
    let all: Vec<&Value<'_>> = project.held.values.iter().collect();
    let mut sets: Vec<Vec<(usize, &Value<'_>)>> =
        PREFIXES.iter().filter_map(|prefix| set(prefix, &siblings)).collect();
    if sets.is_empty() {
        sets = PREFIXES.iter().filter_map(|prefix| set(prefix, &all)).collect();
    }
    let differing = |set: &Vec<(usize, &Value<'_>)>| -> Vec<(usize, String)> {
        let differs = set.iter().filter(|(part, held)| {
            in_url.parts[*part].as_ref().is_some_and(|text| text.as_bytes() != held.value.expose().as_bytes())
        });
        differs.map(|(part, held)| (*part, held.address.to_string())).collect()
    };
    // With several logins at hand, the URL is of the one that it agrees with.
    let nearest = sets.iter().map(differing).min_by_key(Vec::len)?;
    nearest.first()?;
    let names: Vec<String> =
        nearest.iter().map(|(part, address)| format!("{} ({address})", PARTS[*part].0)).collect();
    let finding = Finding::problem(
        "url-disagrees",
        format!("{} has another {} than its parts say", url.address, names.join(", ")),
    );
    Some(
        finding
            .why("what reads the URL and what reads the parts connect to different databases, or only one of them does")
            .fix(format!(
                "let it follow its parts: write `{} = {{ derive = \"…\" }}` in the manifest (docs/manifest.md), or \
                 `strongroom -e {} set {}`",
                url.address.key, project.environment.name, url.address
            ))
            .address(&url.address),
    )
}

/// The keys of one login: at least a host or a password, and something else.
fn set<'a, 'b>(prefix: &str, values: &[&'a Value<'b>]) -> Option<Vec<(usize, &'a Value<'b>)>> {
    let find = |names: &[&str]| {
        names.iter().find_map(|name| {
            let whole = format!("{prefix}{name}");
            values.iter().find(|held| held.address.key.as_str().eq_ignore_ascii_case(&whole)).copied()
        })
    };
    let found: Vec<(usize, &Value<'_>)> =
        PARTS.iter().enumerate().filter_map(|(part, (_, names))| Some((part, find(names)?))).collect();
    (found.len() >= 2 && found.iter().any(|(part, _)| [1, 2].contains(part))).then_some(found)
}

/// What a URL says of a login, decoded, in the order of [`PARTS`].
struct Login {
    parts: [Option<Zeroizing<String>>; 5],
}

impl Login {
    fn of(url: &str) -> Login {
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        let rest = rest.split(['?', '#']).next().unwrap_or(rest);
        // A password may have a `/` or an `@` that nobody encoded.
        let (login, place) =
            rest.rsplit_once('@').map_or((None, rest), |(login, place)| (Some(login), place));
        let (server, database) =
            place.split_once('/').map_or((place, None), |(server, rest)| (server, Some(rest)));
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (server, None),
        };
        let (user, password) = match login {
            Some(login) => {
                login.split_once(':').map_or((Some(login), None), |(user, pass)| (Some(user), Some(pass)))
            }
            None => (None, None),
        };
        let host = Some(host.trim_matches(['[', ']']));
        Login {
            parts: [user, password, host, port, database]
                .map(|part| part.filter(|text| !text.is_empty()).map(decoded)),
        }
    }
}

fn decoded(text: &str) -> Zeroizing<String> {
    let bytes = Zeroizing::new(percent_decode_str(text).collect::<Vec<u8>>());
    Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use crate::doctor::fixture::Fixture;

    const KEYS: &str = "RDS_HOSTNAME = {}\nRDS_PORT = { value = \"5432\" }\nRDS_USERNAME = {}\n\
                        RDS_PASSWORD = { secret = true }\nRDS_DB_NAME = {}\nDATABASE_URL = { secret = true }\n";

    fn found(url: &str) -> Vec<String> {
        let held = [
            ("RDS_HOSTNAME", "db.example"),
            ("RDS_USERNAME", "app"),
            ("RDS_PASSWORD", "p@/ss"),
            ("RDS_DB_NAME", "main"),
            ("DATABASE_URL", url),
        ];
        let fixture = Fixture::new(KEYS).held(&held);
        let found = fixture.check(super::urls_that_disagree_with_their_parts);
        assert!(found.iter().all(|finding| !format!("{finding:?}").contains("p@/ss")));
        found.into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_url_that_says_the_same_is_in_order_however_it_is_spelled() {
        for url in [
            "postgres://app:p%40%2Fss@db.example:5432/main",
            "postgresql://app:p%40%2fss@db.example/main?sslmode=require",
            "postgres://app:p@/ss@db.example:5432/main",
        ] {
            assert_eq!(found(url), Vec::<String>::new(), "{url}");
        }
    }

    #[test]
    fn each_part_that_differs_is_named() {
        assert_eq!(
            found("postgres://app:old@db.example:5433/main"),
            [
                "app/DATABASE_URL has another password (app/RDS_PASSWORD), port (app/RDS_PORT) than its parts say"
            ]
        );
        assert_eq!(found("postgres://app:p%40%2Fss@localhost:5432/main").len(), 1);
        assert_eq!(found("https://app:old@elsewhere.example/main"), Vec::<String>::new());
    }
}
