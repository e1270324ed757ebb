//! A change of a password: it happens once, in the order of epochs, or not at all, and a lost answer is told as such.

use super::{APP, alter, first, prepared, proof, role};
use crate::support::postgres::Cluster;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use strongroom::database::{
    self, Change, DatabaseError, Ended, Fence, LoginError, Outcome, Server, Verifier,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn a_password_of_any_text_logs_in_with_the_verifier_that_was_made_here() {
    let cluster = prepared().await;
    let plain = cluster.plain();
    let mut passwords: Vec<String> =
        ["pässwörd", "\u{2168} \u{00a0}x", "\u{00ad}soft", "'\"\\$", "\u{7}bell", "😀", "a b", "%p{x}"]
            .map(str::to_owned)
            .into();
    let mut runner = TestRunner::deterministic();
    let any = prop_oneof!["[A-Za-z0-9]{32}", "[!-~]{1,40}", "\\PC{1,40}"];
    passwords.extend((0..60).map(|_| any.new_tree(&mut runner).unwrap().current()));
    for (epoch, password) in (1..).zip(&passwords) {
        assert_eq!(
            alter(&plain, "app_b", password, epoch, "one").await,
            Ok(Outcome::Altered),
            "{password:?}"
        );
        assert_eq!(proof(&plain, "app_b", password).await, Ok(()), "{password:?}");
    }
    let kept = cluster.ask("SELECT rolpassword FROM pg_authid WHERE rolname = 'app_b'").await;
    assert!(kept.starts_with("SCRAM-SHA-256$4096:"), "{kept}");
}

#[tokio::test]
async fn a_verifier_is_kept_as_it_is_where_the_server_would_make_md5_of_a_password() {
    let cluster = prepared().await;
    cluster.sql("ALTER SYSTEM SET password_encryption = 'md5'").await;
    cluster.sql("SELECT pg_reload_conf()").await;
    assert_eq!(alter(&cluster.server(), "app", "next", 1, "one").await, Ok(Outcome::Altered));
    assert!(
        cluster.ask("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'").await.starts_with("SCRAM-")
    );
    assert_eq!(proof(&cluster.server(), "app", "next").await, Ok(()));
}

#[tokio::test]
async fn changes_at_once_wait_for_each_other_and_the_highest_epoch_stays() {
    let cluster = prepared().await;
    let server = &cluster.plain();
    let change = async |epoch: i64| {
        alter(server, "app_b", &format!("password-{epoch}"), epoch, &format!("operation-{epoch}")).await
    };
    let outcomes = futures::future::join_all((1..=8).map(change)).await;
    let altered = outcomes.iter().filter(|outcome| **outcome == Ok(Outcome::Altered)).count();
    let fenced = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Outcome::Fenced { .. }))).count();
    assert!(altered >= 1 && altered + fenced == 8, "{outcomes:?}");
    assert_eq!(outcomes[7], Ok(Outcome::Altered));
    assert_eq!(proof(server, "app_b", "password-8").await, Ok(()));
    assert!(!cluster.log().contains("tuple concurrently updated"));
}

#[tokio::test]
async fn one_that_slept_while_another_went_on_changes_nothing() {
    let cluster = prepared().await;
    let server = cluster.server();
    // It is logged in, has its epoch and its verifier, and is stopped here.
    let sleeper = cluster.login("rotator", super::ROTATOR).await;
    let verifier = Verifier::of(&super::secret("of-the-sleeper")).unwrap();
    assert_eq!(alter(&server, "app_b", "of-the-other", 2, "other").await, Ok(Outcome::Altered));

    let change = Change { role: &role("app_b"), verifier: &verifier, epoch: 1, operation: "sleeper" };
    let fenced = Outcome::Fenced { epoch: 2, operation: "other".to_owned() };
    assert_eq!(database::alter(sleeper, &change).await, Ok(fenced.clone()));
    // Nor does one that thinks it has the same epoch.
    assert_eq!(alter(&server, "app_b", "of-the-sleeper", 2, "sleeper").await, Ok(fenced));
    assert_eq!(proof(&server, "app_b", "of-the-other").await, Ok(()));
    assert_eq!(proof(&server, "app_b", "of-the-sleeper").await, Err(LoginError::WrongPassword));
    // The same operation may do it again, and go on from another machine under a higher epoch.
    assert_eq!(alter(&server, "app_b", "of-the-other", 2, "other").await, Ok(Outcome::Altered));
    assert_eq!(alter(&server, "app_b", "of-the-other", 3, "other").await, Ok(Outcome::Altered));
    let session = cluster.login("rotator", super::ROTATOR).await;
    let fence = database::fence(&session, &role("app_b")).await;
    assert_eq!(fence, Ok(Fence { epoch: 3, operation: "other".to_owned() }));
}

/// What becomes of the COMMIT that a client sends.
#[derive(Clone, Copy)]
enum Commit {
    /// It never arrives.
    Lost,
    /// It arrives, and its answer does not.
    Unanswered,
}

/// Somebody between the client and the server, who cuts the connection at COMMIT.
async fn cutter(cluster: &Cluster, at: Commit) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server { port: listener.local_addr().unwrap().port(), ..cluster.plain() };
    let behind = cluster.port();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = TcpStream::connect(("127.0.0.1", behind)).await.unwrap();
        let (mut asked, mut said) = (vec![0; 65536], vec![0; 65536]);
        loop {
            tokio::select! {
                length = client.read(&mut asked) => {
                    let sent = &asked[..length.unwrap()];
                    let commits = sent.windows(7).any(|word| word == b"COMMIT\0");
                    if commits && matches!(at, Commit::Lost) {
                        return;
                    }
                    server.write_all(sent).await.unwrap();
                    if commits {
                        assert!(server.read(&mut said).await.unwrap() > 0);
                        return;
                    }
                }
                length = server.read(&mut said) => client.write_all(&said[..length.unwrap()]).await.unwrap(),
            }
        }
    });
    server
}

#[tokio::test]
async fn a_commit_without_an_answer_is_unknown_and_a_login_tells() {
    let cluster = prepared().await;
    let (good, cut) = (cluster.plain(), cutter(&cluster, Commit::Unanswered).await);
    assert_eq!(alter(&cut, "app_b", "next", 1, "one").await, Ok(Outcome::Unknown));
    assert_eq!(proof(&good, "app_b", "next").await, Ok(()));

    let cut = cutter(&cluster, Commit::Lost).await;
    assert_eq!(alter(&cut, "app_b", "after-next", 2, "two").await, Ok(Outcome::Unknown));
    assert_eq!(proof(&good, "app_b", "after-next").await, Err(LoginError::WrongPassword));
    assert_eq!(proof(&good, "app_b", "next").await, Ok(()));
    // The same again is not in its own way, whichever of the two it was.
    assert_eq!(alter(&good, "app_b", "after-next", 2, "two").await, Ok(Outcome::Altered));
    assert_eq!(proof(&good, "app_b", "after-next").await, Ok(()));
}

#[tokio::test]
async fn what_the_server_refuses_has_changed_nothing_and_its_kind_is_told() {
    let cluster = prepared().await;
    let server = cluster.plain();
    assert_eq!(alter(&server, "postgres", "x", 1, "one").await, Err(DatabaseError::NotPrepared));
    cluster.sql("INSERT INTO strongroom.fence VALUES ('postgres', 0, ''), ('nobody', 0, '')").await;
    let denied = alter(&server, "postgres", "x", 1, "one").await.unwrap_err();
    assert!(matches!(denied, DatabaseError::Denied { .. }), "{denied:?}");
    assert_eq!(alter(&server, "nobody", "x", 1, "one").await, Err(DatabaseError::NoRole));

    cluster.sql("ALTER DATABASE postgres SET default_transaction_read_only = on").await;
    assert_eq!(alter(&server, "app", "x", 1, "one").await, Err(DatabaseError::ReadOnly));
    let superuser = cluster.superuser().await;
    superuser.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    superuser.batch_execute("ALTER DATABASE postgres RESET ALL").await.unwrap();
    let fences = cluster.ask("SELECT sum(epoch) FROM strongroom.fence").await;
    assert_eq!((fences.as_str(), proof(&server, "app", APP).await), ("0", Ok(())));

    cluster.sql("DROP SCHEMA strongroom CASCADE").await;
    assert_eq!(alter(&server, "app", "x", 1, "one").await, Err(DatabaseError::NotPrepared));
}

#[tokio::test]
async fn somebody_who_holds_the_fence_is_waited_for_and_then_told() {
    let cluster = prepared().await;
    let holder = cluster.superuser().await;
    holder.batch_execute("BEGIN; SELECT * FROM strongroom.fence FOR UPDATE").await.unwrap();
    assert_eq!(alter(&cluster.plain(), "app", "x", 1, "one").await, Err(DatabaseError::Busy));
    assert_eq!(proof(&cluster.plain(), "app", APP).await, Ok(()));
}

#[tokio::test]
async fn sessions_outlive_a_change_until_they_are_ended() {
    let cluster = prepared().await;
    let old = cluster.app("app", APP).await;
    assert_eq!(alter(&cluster.plain(), "app", "next", 1, "one").await, Ok(Outcome::Altered));
    assert_eq!(first(&old, "SELECT 'still here'").await, "still here");

    let session = cluster.login("rotator", super::ROTATOR).await;
    let end = async |by: (i64, &str)| database::end_sessions(&session, &role("app"), by).await;
    // One that slept until another had changed the password ends nobody's session.
    let fenced = || Ok(Ended::Fenced { epoch: 1, operation: "one".to_owned() });
    assert_eq!((end((0, "sleeper")).await, end((1, "sleeper")).await), (fenced(), fenced()));
    assert_eq!(first(&old, "SELECT 'still here'").await, "still here");
    assert_eq!(end((1, "one")).await, Ok(Ended::Told { told: 1, left: 0 }));
    old.simple_query("SELECT 1").await.unwrap_err();
    assert_eq!(end((1, "one")).await, Ok(Ended::Told { told: 0, left: 0 }));
    assert_eq!(proof(&cluster.plain(), "app", APP).await, Err(LoginError::WrongPassword));
}
