//! What can be read in the server afterwards: every statement is logged there, in four ways, and the password is in none.

use super::{alter, prepared, proof};
use crate::support::postgres::Cluster;
use strongroom::database::Outcome;

/// With characters that look different in a URL, in base64 and in SQL.
const PASSWORD: &str = "invented'pass\"word/+&%64=\\x";

/// Everything that an operator of the server could look at.
async fn readable(cluster: &Cluster) -> String {
    let mut seen = cluster.log();
    for query in [
        "SELECT string_agg(query, E'\\n') FROM pg_stat_activity",
        "SELECT string_agg(rolname || ' ' || coalesce(rolpassword, ''), E'\\n') FROM pg_authid",
        "SELECT string_agg(f::text, E'\\n') FROM strongroom.fence f",
    ] {
        seen += &cluster.ask(query).await;
    }
    if cluster.ask("SHOW shared_preload_libraries").await.contains("pg_stat_statements") {
        cluster.sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements").await;
        seen += &cluster.ask("SELECT string_agg(query, E'\\n') FROM pg_stat_statements").await;
    }
    seen
}

/// How a password may be written: as it is, in SQL, in a URL, in base64 (of its middle, whatever stands before).
fn forms() -> Vec<String> {
    let url: String = form_urlencoded::byte_serialize(PASSWORD.as_bytes()).collect();
    let sql = PASSWORD.replace('\'', "''");
    let escaped = sql.replace('\\', "\\\\");
    vec![PASSWORD.to_owned(), sql, escaped, url, "aW52ZW50ZWQncGFzcyJ3b3JkLysmJTY0".to_owned()]
}

#[tokio::test]
async fn a_password_is_nowhere_in_the_server_whether_its_change_succeeds_or_fails() {
    let cluster = prepared().await;
    let server = cluster.server();
    assert_eq!(alter(&server, "app_b", PASSWORD, 1, "one").await, Ok(Outcome::Altered));
    assert_eq!(proof(&server, "app_b", PASSWORD).await, Ok(()));
    // Failures are where a server repeats the statement: no such role, not allowed, no fence, a wrong login.
    cluster.sql("INSERT INTO strongroom.fence VALUES ('nobody', 0, ''), ('postgres', 0, '')").await;
    for name in ["nobody", "postgres", "unknown"] {
        alter(&server, name, PASSWORD, 1, "one").await.unwrap_err();
        proof(&server, name, PASSWORD).await.unwrap_err();
    }
    let seen = readable(&cluster).await;
    assert!(
        seen.contains("ALTER ROLE \"app_b\" PASSWORD 'SCRAM-SHA-256$4096:"),
        "the log tells of no change"
    );
    let leaked: Vec<String> = forms().into_iter().filter(|form| seen.contains(form.as_str())).collect();
    assert_eq!(leaked, Vec::<String>::new());
}

/// The same look finds what a password in clear leaves behind.
#[tokio::test]
async fn a_password_in_clear_would_be_found() {
    let cluster = prepared().await;
    let literal = PASSWORD.replace('\'', "''");
    cluster.sql(&format!("ALTER ROLE app_b PASSWORD '{literal}'")).await;
    let seen = readable(&cluster).await;
    assert!(seen.matches(literal.as_str()).count() >= 2, "neither the log nor the statistics have it");
}
