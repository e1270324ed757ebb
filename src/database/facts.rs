//! What a server says about roles, their sessions and their fences.
//!
//! Owns the questions. It changes nothing, and it asks for no password: a verifier can be read by superusers only, and
//! never on RDS.

use super::{DatabaseError, Role, Session};
use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

/// Who a session is, after what the role's own settings made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who logged in.
    pub session_user: String,
    /// As whom it acts; new tables are this role's.
    pub current_user: String,
    /// The server's version, as 150018.
    pub version: i32,
    /// Whether it is a replica, or a primary that was stood down.
    pub read_only: bool,
    /// What the server makes of a password in clear (`scram-sha-256`, `md5`); a verifier is kept as it is under both.
    pub password_encryption: String,
}

/// A role as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleFacts {
    /// Whether it may log in; without it every password fails with 28000.
    pub login: bool,
    /// Whether its password's time is over; then every password fails as if it were wrong.
    pub expired: bool,
    /// VALID UNTIL, if there is one that ever comes.
    pub valid_until: Option<Timestamp>,
    /// Whether it may do anything.
    pub superuser: bool,
    /// How many sessions it may have, if that is limited.
    pub connection_limit: Option<i32>,
    /// The roles that it is a member of.
    pub member_of: Vec<String>,
    /// The role that its sessions act as (`ALTER ROLE … SET role`), in any database.
    pub acts_as: Option<String>,
    /// How many objects of this database it owns itself.
    pub owns: i64,
}

/// What the session's own role may do about another role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privileges {
    /// Whether ALTER ROLE … PASSWORD would be allowed, as far as the catalogue tells.
    pub may_alter: bool,
    /// Whether it may do anything.
    pub superuser: bool,
    /// CREATEROLE.
    pub create_role: bool,
    /// ADMIN OPTION on the other role; needed from PostgreSQL 16 on.
    pub admin_option: bool,
    /// Whether it sees where the sessions of others come from.
    pub sees_sessions: bool,
    /// Whether it may end the sessions of others.
    pub ends_sessions: bool,
    /// What RDS adds, on RDS.
    pub rds: Option<Rds>,
}

/// What RDS adds to PostgreSQL's own rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rds {
    /// `rds.restrict_password_commands`: only members of `rds_password` may change a password.
    pub restricted: bool,
    /// Whether the session's role is such a member.
    pub may_set_passwords: bool,
    /// Whether the other role is a member of `rds_iam`: then it logs in with tokens, and with no password.
    pub by_token: bool,
    /// Whether the other role is a member of `rds_superuser`, as a master user is: RDS itself may change its password.
    pub master: bool,
}

/// Sessions of one role that come from one address and call themselves by one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// Where from; nothing for a socket, and for those who may not see it.
    pub address: Option<String>,
    /// What they call themselves.
    pub application: String,
    /// How many.
    pub sessions: i64,
}

/// How far the password of a role has come: a change with a smaller epoch is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The epoch of the last change.
    pub epoch: i64,
    /// The operation that made it; empty before the first.
    pub operation: String,
}

/// Who this session is.
pub async fn identity(session: &Session) -> Result<Identity, DatabaseError> {
    let row = one(session.ask(IDENTITY, &[]).await?)?;
    Ok(Identity {
        session_user: get(&row, 0)?,
        current_user: get(&row, 1)?,
        version: get(&row, 2)?,
        read_only: get(&row, 3)?,
        password_encryption: get(&row, 4)?,
    })
}

const IDENTITY: &str = "SELECT session_user::text, current_user::text, current_setting('server_version_num')::int4,
    pg_is_in_recovery() OR current_setting('transaction_read_only')::bool, current_setting('password_encryption')";

/// A role, or nothing if there is none of that name.
pub async fn role_facts(session: &Session, role: &Role) -> Result<Option<RoleFacts>, DatabaseError> {
    let rows = session.ask(ROLE, &[(&role.as_str(), Type::TEXT)]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let until: Option<i64> = get(row, 2)?;
    let limit: i32 = get(row, 4)?;
    Ok(Some(RoleFacts {
        login: get(row, 0)?,
        expired: get(row, 1)?,
        valid_until: until.and_then(|seconds| Timestamp::from_second(seconds).ok()),
        superuser: get(row, 3)?,
        connection_limit: (limit >= 0).then_some(limit),
        member_of: get(row, 5)?,
        acts_as: get(row, 6)?,
        owns: get(row, 7)?,
    }))
}

const ROLE: &str = "SELECT r.rolcanlogin, coalesce(r.rolvaliduntil <= now(), false),
    CASE WHEN isfinite(r.rolvaliduntil) THEN extract(epoch FROM r.rolvaliduntil)::int8 END,
    r.rolsuper, r.rolconnlimit,
    ARRAY(SELECT g.rolname::text FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
        WHERE m.member = r.oid GROUP BY g.rolname ORDER BY g.rolname),
    (SELECT substr(c, 6) FROM pg_catalog.pg_db_role_setting s, unnest(s.setconfig) c
        WHERE s.setrole = r.oid AND s.setdatabase = 0 AND c LIKE 'role=%'),
    (SELECT count(*) FROM pg_catalog.pg_shdepend d WHERE d.refclassid = 'pg_catalog.pg_authid'::regclass
        AND d.refobjid = r.oid AND d.deptype = 'o'
        AND d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
    FROM pg_catalog.pg_roles r WHERE r.rolname = $1";

/// What the session's own role, as it logged in, may do about a role. [`DatabaseError::NoRole`] if there is none.
pub async fn privileges(session: &Session, role: &Role) -> Result<Privileges, DatabaseError> {
    let rows = session.ask(PRIVILEGES, &[(&role.as_str(), Type::TEXT)]).await?;
    let row = rows.first().ok_or(DatabaseError::NoRole)?;
    let (version, superuser, create_role, admin_option): (i32, bool, bool, bool) =
        (get(row, 0)?, get(row, 1)?, get(row, 2)?, get(row, 3)?);
    let target_is_superuser: bool = get(row, 4)?;
    let on_rds: bool = get(row, 7)?;
    let rds = on_rds.then(|| {
        Ok(Rds {
            restricted: get(row, 8)?,
            may_set_passwords: get(row, 9)?,
            by_token: get(row, 10)?,
            master: get(row, 11)?,
        })
    });
    let rds: Option<Rds> = rds.transpose()?;
    let by_rds = rds.as_ref().is_none_or(|rds| !rds.restricted || rds.may_set_passwords);
    let by_role = create_role && !target_is_superuser && (version < 160_000 || admin_option);
    Ok(Privileges {
        may_alter: by_rds && (superuser || by_role),
        superuser,
        create_role,
        admin_option,
        sees_sessions: get(row, 5)?,
        ends_sessions: get(row, 6)?,
        rds,
    })
}

const PRIVILEGES: &str = "SELECT current_setting('server_version_num')::int4, me.rolsuper, me.rolcreaterole,
    pg_has_role(me.oid, r.oid, 'MEMBER WITH ADMIN OPTION'), r.rolsuper,
    pg_has_role(me.oid, 'pg_read_all_stats', 'USAGE'),
    pg_has_role(me.oid, 'pg_signal_backend', 'USAGE') OR pg_has_role(me.oid, r.oid, 'USAGE'),
    EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'rds_superuser'),
    coalesce(current_setting('rds.restrict_password_commands', true), '') IN ('on', '1', 'true'),
    EXISTS (SELECT FROM pg_catalog.pg_roles g WHERE g.rolname = 'rds_password' AND pg_has_role(me.oid, g.oid, 'MEMBER')),
    EXISTS (SELECT FROM pg_catalog.pg_roles g WHERE g.rolname = 'rds_iam' AND pg_has_role(r.oid, g.oid, 'MEMBER')),
    EXISTS (SELECT FROM pg_catalog.pg_roles g WHERE g.rolname = 'rds_superuser' AND pg_has_role(r.oid, g.oid, 'MEMBER'))
    FROM pg_catalog.pg_roles me, pg_catalog.pg_roles r WHERE me.rolname = session_user AND r.rolname = $1";

/// The sessions that a role has, the session that asks left out; most first.
pub async fn sessions(session: &Session, role: &Role) -> Result<Vec<Connected>, DatabaseError> {
    let rows = session.ask(SESSIONS, &[(&role.as_str(), Type::TEXT)]).await?;
    let connected = |row: &Row| {
        Ok(Connected { address: get(row, 0)?, application: get(row, 1)?, sessions: get(row, 2)? })
    };
    rows.iter().map(connected).collect()
}

const SESSIONS: &str = "SELECT host(client_addr), coalesce(application_name, ''), count(*)
    FROM pg_catalog.pg_stat_activity WHERE usename = $1 AND pid <> pg_backend_pid()
    GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2";

/// The fence of a role. [`DatabaseError::NotPrepared`] where nobody set one up.
pub async fn fence(session: &Session, role: &Role) -> Result<Fence, DatabaseError> {
    let sql = "SELECT epoch, operation FROM strongroom.fence WHERE role = $1";
    let rows = session.ask(sql, &[(&role.as_str(), Type::TEXT)]).await?;
    let row = rows.first().ok_or(DatabaseError::NotPrepared)?;
    Ok(Fence { epoch: get(row, 0)?, operation: get(row, 1)? })
}

fn one(rows: Vec<Row>) -> Result<Row, DatabaseError> {
    rows.into_iter().next().ok_or_else(|| broken("no row"))
}

pub(super) fn get<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a Row,
    at: usize,
) -> Result<T, DatabaseError> {
    row.try_get(at).map_err(|why| broken(&why.to_string()))
}

fn broken(said: &str) -> DatabaseError {
    DatabaseError::Other { code: "protocol".to_owned(), said: said.to_owned() }
}
