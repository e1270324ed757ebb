//! A real PostgreSQL server as strongroom meets it: what a login proves, what a change of a password does and when it is
//! refused, who owns what under two login roles, and what can be read in the server's log afterwards.

mod changes;
mod hygiene;
mod logins;
mod slots;

use crate::support::postgres::Cluster;
use strongroom::database::{self, Change, DatabaseError, LoginError, Outcome, Role, Server, Slots, Verifier};
use strongroom::secret::Secret;
use tokio_postgres::Client;

const ROTATOR: &str = "invented-rotator-password";
const APP: &str = "invented-app-password";

fn role(name: &str) -> Role {
    Role::parse(name).unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned()).unwrap()
}

fn slots() -> Slots {
    Slots::of(role("app"), role("rotator")).unwrap()
}

/// A server with the app's role and a rotator that may do what it has to, and nothing else set up.
async fn fresh() -> Cluster {
    let cluster = Cluster::start();
    roles(&cluster).await;
    cluster
}

async fn roles(cluster: &Cluster) {
    let statements = format!(
        "CREATE ROLE app LOGIN PASSWORD '{APP}'; CREATE ROLE rotator LOGIN CREATEROLE PASSWORD '{ROTATOR}';
         GRANT CREATE ON DATABASE postgres TO rotator; GRANT CREATE ON SCHEMA public TO app"
    );
    cluster.sql(&statements).await;
}

/// The same, set up for an alternating rotation.
async fn prepared() -> Cluster {
    let cluster = fresh().await;
    let session = cluster.login("rotator", ROTATOR).await;
    database::prepare(&session, &slots()).await.unwrap();
    cluster
}

/// The rotator gives a role a password, over this way.
async fn alter(
    server: &Server,
    name: &str,
    password: &str,
    epoch: i64,
    operation: &str,
) -> Result<Outcome, DatabaseError> {
    let session = database::login(server, "rotator", &secret(ROTATOR)).await.unwrap();
    let verifier = Verifier::of(&secret(password)).unwrap();
    let change = Change { role: &role(name), verifier: &verifier, epoch, operation };
    database::alter(session, &change).await
}

/// Whether a login is answered with yes, or why not.
async fn proof(server: &Server, user: &str, password: &str) -> Result<(), LoginError> {
    database::login(server, user, &secret(password)).await?.close().await;
    Ok(())
}

async fn first(client: &Client, query: &str) -> String {
    let rows = client.simple_query(query).await.unwrap();
    let row = rows.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
        _ => None,
    });
    row.unwrap_or_default()
}
