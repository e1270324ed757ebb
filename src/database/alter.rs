//! A new password for a role, which happens once, in the order of epochs, or not at all.
//!
//! Owns the one transaction that sends a verifier, and the one that ends sessions. Two rotators at a time wait for each
//! other, and one that slept while another went on is refused by the fence that is moved in the same transaction. It never
//! repeats anything by itself.

use super::facts::get;
use super::role::literal;
use super::{DatabaseError, Fence, Role, Session, Verifier};
use tokio_postgres::types::Type;

/// The password that a role shall have.
#[derive(Debug)]
pub struct Change<'a> {
    /// Whose.
    pub role: &'a Role,
    /// What the server keeps of it.
    pub verifier: &'a Verifier,
    /// Where in the order of changes it stands: above the fence's, or the fence's own for the same operation again.
    pub epoch: i64,
    /// The operation that it belongs to.
    pub operation: &'a str,
}

/// What became of a change that nothing refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is committed.
    Altered,
    /// Nothing was changed: somebody with this epoch, or a higher one, was here before.
    Fenced {
        /// Its epoch.
        epoch: i64,
        /// Its operation.
        operation: String,
    },
    /// COMMIT was sent, and its answer is not known. A login with the password tells; the same change may be sent again.
    Unknown,
}

/// Gives a role its new password. The session is used up: whatever happens, no transaction of it is left open.
///
/// An error means that nothing was changed.
pub async fn alter(session: Session, change: &Change<'_>) -> Result<Outcome, DatabaseError> {
    let outcome = attempt(&session, change).await;
    // A server that does not answer any more is not waited for.
    if matches!(outcome, Ok(Outcome::Altered | Outcome::Fenced { .. })) {
        session.close().await;
    }
    outcome
}

/// A rotator that is stopped in the middle must not hold its locks; a commit that was reported must survive a crash.
pub(super) const BEGIN: &str = "BEGIN; SET LOCAL ROLE NONE; SET LOCAL search_path = pg_catalog; SET LOCAL lock_timeout = '5s';
    SET LOCAL statement_timeout = '15s'; SET LOCAL idle_in_transaction_session_timeout = '30s'; SET LOCAL synchronous_commit = on";

/// Whoever changes roles for strongroom in this database goes one at a time.
pub(super) const TURN: &str = "SELECT pg_advisory_xact_lock(hashtextextended('strongroom', 0))";

const PASS: &str = "UPDATE strongroom.fence SET epoch = $2, operation = $3, at = now()
    WHERE role = $1 AND (epoch < $2 OR (epoch = $2 AND operation = $3)) RETURNING epoch";

async fn attempt(session: &Session, change: &Change<'_>) -> Result<Outcome, DatabaseError> {
    if let Some(Fence { epoch, operation }) =
        fenced(session, change.role, change.epoch, change.operation).await?
    {
        return Ok(Outcome::Fenced { epoch, operation });
    }
    let verifier = literal(change.verifier.expose());
    let statement =
        zeroize::Zeroizing::new(format!("ALTER ROLE {} PASSWORD {verifier}", change.role.quoted()));
    session.run(&statement).await?;
    // From here on no error proves that nothing was changed, whatever it says.
    Ok(session.run("COMMIT").await.map_or(Outcome::Unknown, |()| Outcome::Altered))
}

/// Begins a transaction, waits for one's turn and passes the fence of a role; or, where somebody was here before, tells whose
/// it is, and no transaction is open.
async fn fenced(
    session: &Session,
    role: &Role,
    epoch: i64,
    operation: &str,
) -> Result<Option<Fence>, DatabaseError> {
    session.run(BEGIN).await?;
    session.ask(TURN, &[]).await?;
    let name = role.as_str();
    let place = [(&name as _, Type::TEXT), (&epoch as _, Type::INT8), (&operation as _, Type::TEXT)];
    if !session.ask(PASS, &place).await?.is_empty() {
        return Ok(None);
    }
    let fence = super::fence(session, role).await;
    session.run("ROLLBACK").await?;
    fence.map(Some)
}

/// Passes the fence of a role without changing it: whoever was to change it at this epoch or a lower one, and wakes after
/// this, is refused. Where somebody was here before, nothing is moved, and his fence is told. An error leaves it open whether
/// it was.
pub async fn pass(
    session: &Session,
    role: &Role,
    (epoch, operation): (i64, &str),
) -> Result<Option<Fence>, DatabaseError> {
    let theirs = fenced(session, role, epoch, operation).await?;
    if theirs.is_none() {
        session.run("COMMIT").await?;
    }
    Ok(theirs)
}

/// What became of the sessions of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// They were told to end.
    Told {
        /// How many.
        told: i64,
        /// How many are still there.
        left: i64,
    },
    /// They go on: somebody with this epoch, or a higher one, was here before, and they may be his.
    Fenced {
        /// Its epoch.
        epoch: i64,
        /// Its operation.
        operation: String,
    },
}

/// Ends every session of a role, and waits a little until they are gone, if nobody has changed its password since this
/// epoch of this operation. New ones can log in with a password that holds: change it first.
pub async fn end_sessions(
    session: &Session,
    role: &Role,
    (epoch, operation): (i64, &str),
) -> Result<Ended, DatabaseError> {
    if let Some(Fence { epoch, operation }) = fenced(session, role, epoch, operation).await? {
        return Ok(Ended::Fenced { epoch, operation });
    }
    let mine = "FROM pg_catalog.pg_stat_activity WHERE usename = $1 AND pid <> pg_backend_pid()";
    let count = async |what: &str, from: &str| {
        let sql = format!("SELECT count({what}) {from}");
        let rows = session.ask(&sql, &[(&role.as_str(), Type::TEXT)]).await?;
        rows.first().map_or(Ok(0), |row| get(row, 0))
    };
    let told = count("pg_terminate_backend(pid)", mine).await?;
    // All were told at once, so only few are waited for. In one transaction they are the same ones.
    if told > 0 && super::identity(session).await?.version >= 140_000 {
        let few = format!("FROM (SELECT pid {mine} LIMIT 10) few");
        count("pg_terminate_backend(pid, 1000)", &few).await?;
    }
    session.run("COMMIT").await?;
    Ok(Ended::Told { told, left: count("*", mine).await? })
}
