//! What a failed login proves, case by case: of all that can go wrong only one thing says that a password is wrong.

use super::{APP, fresh, proof, role, secret};
use crate::support::postgres::{Cluster, HOST};
use std::io::Write as _;
use strongroom::database::{LoginError, Server, Tls, Verifier, identity, login, role_facts, sessions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_role_that_is_gone_and_one_whose_time_is_over_look_like_a_wrong_password() {
    let cluster = fresh().await;
    let server = cluster.server();
    assert_eq!(proof(&server, "app", APP).await, Ok(()));
    assert_eq!(proof(&server, "app", "another").await, Err(LoginError::WrongPassword));
    assert_eq!(proof(&server, "app", "").await, Err(LoginError::WrongPassword));
    assert_eq!(proof(&server, "nobody", APP).await, Err(LoginError::WrongPassword));
    cluster.sql("ALTER ROLE app VALID UNTIL '2001-02-03 04:05:06Z'").await;
    assert_eq!(proof(&server, "app", APP).await, Err(LoginError::WrongPassword));

    let session = cluster.login("rotator", super::ROTATOR).await;
    let facts = role_facts(&session, &role("app")).await.unwrap().unwrap();
    assert!(facts.expired && facts.login);
    assert_eq!(facts.valid_until.unwrap().to_string(), "2001-02-03T04:05:06Z");
    assert_eq!(role_facts(&session, &role("nobody")).await, Ok(None));
}

#[tokio::test]
async fn whatever_else_the_server_says_is_not_about_the_password() {
    let cluster = fresh().await;
    let server = cluster.server();
    cluster.sql("ALTER ROLE app NOLOGIN").await;
    let error = proof(&server, "app", APP).await.unwrap_err();
    assert!(matches!(error, LoginError::NotPermitted { .. }), "{error:?}");
    assert!(!error.to_string().contains("app"), "{error}");

    cluster.sql("ALTER ROLE app LOGIN CONNECTION LIMIT 0").await;
    let error = proof(&server, "app", APP).await.unwrap_err();
    assert!(matches!(error, LoginError::TooManyConnections { .. }), "{error:?}");

    cluster.sql("ALTER ROLE app CONNECTION LIMIT -1").await;
    let elsewhere = Server { database: "nowhere".to_owned(), ..server.clone() };
    assert_eq!(proof(&elsewhere, "app", APP).await, Err(LoginError::NoDatabase));
    assert_eq!(proof(&server, "app", APP).await, Ok(()));
}

#[tokio::test]
async fn a_server_that_takes_no_logins_yet_is_not_ready() {
    let cluster = fresh().await;
    cluster.restarted(|data| {
        std::fs::write(data.join("standby.signal"), "").unwrap();
        let settings = std::fs::OpenOptions::new().append(true).open(data.join("postgresql.auto.conf"));
        settings.unwrap().write_all(b"hot_standby = off\n").unwrap();
    });
    let error = proof(&cluster.server(), "app", APP).await.unwrap_err();
    assert_eq!(error, LoginError::NotReady { code: "57P03".to_owned() });
}

#[tokio::test]
async fn a_certificate_counts_for_the_servers_own_name_only_through_a_tunnel_too() {
    let cluster = fresh().await;
    let tunnel = cluster.server();
    assert_eq!((tunnel.host.as_str(), tunnel.via.is_some()), (HOST, true));
    assert_eq!(proof(&tunnel, "app", APP).await, Ok(()));
    let direct = Server { host: "localhost".to_owned(), port: cluster.port(), via: None, ..tunnel.clone() };
    assert_eq!(proof(&direct, "app", APP).await, Ok(()));

    for host in ["other.strongroom.test", "strongroom.test", "127.0.0.1", "not a name"] {
        let other = Server { host: host.to_owned(), ..tunnel.clone() };
        let refused = proof(&other, "app", APP).await.unwrap_err();
        let at_name = matches!(refused, LoginError::WrongName);
        assert!(at_name || host == "not a name", "{host}: {refused:?}");
    }
    let stranger = Server { tls: Tls::VerifyFull { ca: None }, ..tunnel.clone() };
    let refused = proof(&stranger, "app", APP).await.unwrap_err();
    assert!(matches!(refused, LoginError::Untrusted { .. }), "{refused:?}");
    // Nobody got as far as a login: the server knows of the good ones alone.
    assert_eq!(cluster.log().matches("connection authorized: user=app").count(), 2);
    assert!(!cluster.log().contains("authentication failed"), "{}", cluster.log());
}

#[tokio::test]
async fn a_server_without_tls_gets_nothing() {
    let cluster = Cluster::with(&["ssl = off"]);
    super::roles(&cluster).await;
    assert_eq!(proof(&cluster.server(), "app", APP).await, Err(LoginError::NoTls));
    assert_eq!(proof(&cluster.plain(), "app", APP).await, Ok(()));
}

#[tokio::test]
async fn a_socket_is_logged_in_to_as_well() {
    let cluster = fresh().await;
    let host = cluster.socket().to_str().unwrap().to_owned();
    let socket = Server { host, ..cluster.plain() };
    assert_eq!(proof(&socket, "app", APP).await, Ok(()));
    assert_eq!(proof(&socket, "app", "another").await, Err(LoginError::WrongPassword));
}

/// Somebody who says these bytes to whatever comes first, and hangs up.
async fn hangs_up_after(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = [0; 8];
        stream.read_exact(&mut asked).await.unwrap();
        stream.write_all(answer).await.unwrap();
    });
    port
}

#[tokio::test]
async fn a_connection_that_ends_in_the_middle_says_nothing_about_the_password() {
    let cluster = Cluster::start();
    // At once; with TLS begun; in the middle of an answer; after asking for a proof.
    let half_an_error = b"E\0\0\0\x20SFATAL\0C28P01";
    let asks = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";
    for (answer, tls) in [(&b""[..], true), (b"S", true), (b"", false), (half_an_error, false), (asks, false)]
    {
        let port = hangs_up_after(answer).await;
        let server = match tls {
            true => Server { via: Some(("127.0.0.1".to_owned(), port)), ..cluster.server() },
            false => Server { port, ..cluster.plain() },
        };
        assert_eq!(proof(&server, "app", APP).await, Err(LoginError::Cut), "{answer:?}");
    }
}

#[tokio::test]
async fn a_server_that_asks_for_an_unknown_proof_is_told_nothing() {
    let cluster = fresh().await;
    let port = hangs_up_after(b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-257\0\0").await;
    let server = Server { port, ..cluster.plain() };
    let error = proof(&server, "app", APP).await.unwrap_err();
    assert!(matches!(error, LoginError::Protocol { .. }), "{error:?}");
}

#[tokio::test]
async fn passwords_kept_as_md5_still_log_in() {
    let cluster = Cluster::with(&["password_encryption = md5"]);
    super::roles(&cluster).await;
    assert!(cluster.ask("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'").await.starts_with("md5"));
    assert_eq!(proof(&cluster.server(), "app", APP).await, Ok(()));
    assert_eq!(proof(&cluster.server(), "app", "another").await, Err(LoginError::WrongPassword));
}

#[tokio::test]
async fn who_is_connected_is_told_with_address_and_name() {
    let cluster = fresh().await;
    cluster.sql("GRANT pg_read_all_stats TO rotator").await;
    let _one = cluster.app("app", APP).await;
    let _two = cluster.app("app", APP).await;
    let session = cluster.login("rotator", super::ROTATOR).await;
    let connected = sessions(&session, &role("app")).await.unwrap();
    assert_eq!(connected.len(), 1);
    assert_eq!(connected[0].address.as_deref(), Some("127.0.0.1"));
    assert_eq!((connected[0].application.as_str(), connected[0].sessions), ("the-app", 2));
    // Itself it leaves out.
    assert_eq!(sessions(&session, &role("rotator")).await, Ok(Vec::new()));
    let who = identity(&session).await.unwrap();
    assert_eq!(
        (who.session_user.as_str(), who.current_user.as_str(), who.read_only),
        ("rotator", "rotator", false)
    );
}

#[tokio::test]
async fn no_error_repeats_a_password_or_a_verifier() {
    let cluster = fresh().await;
    let password = secret("invented-and-wrong");
    for user in ["app", "nobody"] {
        let error = login(&cluster.server(), user, &password).await.unwrap_err();
        let shown = format!("{error} {error:?} {:?}", Verifier::of(&password));
        assert!(!shown.contains("invented-and-wrong") && !shown.contains("SCRAM"), "{shown}");
    }
}
