//! The two login roles of an alternating rotation, and the fences that changes of their passwords have to pass.
//!
//! Owns what has to be set up once. The role that the app logs in with stays what it is, the owner of everything; the
//! other one acts as it, so that whatever a migration makes is the owner's in both. It sets no password.

use super::alter::{BEGIN, TURN};
use super::facts::get;
use super::role::{identifier, literal};
use super::{DatabaseError, InvalidRole, Role, Session, identity, privileges, role_facts};
use tokio_postgres::types::Type;

/// The roles of one rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    /// The role that the app logs in with today, and that owns its tables.
    pub owner: Role,
    /// The role that will alternate with it; none where one role has to do.
    pub other: Option<Role>,
    /// The role that will change their passwords.
    pub rotator: Role,
}

impl Slots {
    /// The slots of an owner, the other one called as it with `_b` behind.
    pub fn of(owner: Role, rotator: Role) -> Result<Slots, InvalidRole> {
        Ok(Slots { other: Some(owner.other_slot()?), owner, rotator })
    }

    /// One role alone, whose password changes under its users.
    pub fn alone(owner: Role, rotator: Role) -> Slots {
        Slots { owner, other: None, rotator }
    }

    /// Both, or the one.
    fn roles(&self) -> impl Iterator<Item = &Role> {
        std::iter::once(&self.owner).chain(&self.other)
    }
}

/// One statement of the set-up, and why it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What is sent. There is no value in it.
    pub sql: String,
    /// Why, for the one who is asked.
    pub why: String,
    /// What does not work without it.
    pub need: Need,
}

/// What does not work without a statement of the set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The rest of the set-up: a refusal takes everything back.
    Setup,
    /// The first rotation: the app would behave differently in the other slot. A refusal is told, and somebody who may
    /// has to run it; until then it is [`missing`].
    Rotation,
    /// A convenience. A refusal is told.
    Nothing,
}

/// What was set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// What was run, in this order; nothing if all of it was there.
    pub ran: Vec<Statement>,
    /// What the server refused, and the rest of the set-up works without.
    pub refused: Vec<(Statement, DatabaseError)>,
}

/// Why nothing was set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// A statement was refused, and nothing was changed.
    #[error(
        "`{sql}` ({why}): {source}; if only the master user may, let him run exactly this, then set up again"
    )]
    Refused {
        /// The statement.
        sql: String,
        /// Why it is there.
        why: String,
        /// What the server said.
        source: DatabaseError,
    },
    /// The app's role is not there, or is none that another could stand in for.
    #[error("the role `{role}` cannot be a slot: {reason}")]
    Role {
        /// Its name.
        role: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// It could not be looked at.
    #[error(transparent)]
    Server(#[from] DatabaseError),
    /// COMMIT was sent and its answer is not known.
    #[error(
        "the connection was lost while the set-up was committed; set up again: what is there is left as it is"
    )]
    Unknown,
}

/// What is still missing, in the order in which it is run. Changes nothing.
pub async fn missing(session: &Session, slots: &Slots) -> Result<Vec<Statement>, SetupError> {
    let mut missing = Vec::new();
    owner(session, slots, &mut missing).await?;
    if let Some(other) = &slots.other {
        second(session, slots, other, &mut missing).await?;
        settings(session, &slots.owner, other, &mut missing).await?;
    }
    fences(session, slots, &mut missing).await?;
    rights(session, slots, &mut missing).await?;
    Ok(missing)
}

/// Sets up what is missing, in one transaction.
pub async fn prepare(session: &Session, slots: &Slots) -> Result<Prepared, SetupError> {
    let done = attempt(session, slots).await;
    if !matches!(done, Ok(_) | Err(SetupError::Unknown)) {
        // The connection may be gone, and then so is the transaction.
        let _ = session.run("ROLLBACK").await;
    }
    done
}

async fn attempt(session: &Session, slots: &Slots) -> Result<Prepared, SetupError> {
    session.run(BEGIN).await?;
    session.ask(TURN, &[]).await?;
    let mut prepared = Prepared { ran: Vec::new(), refused: Vec::new() };
    for statement in missing(session, slots).await? {
        if statement.need == Need::Setup {
            let Statement { sql, why, .. } = &statement;
            let refused = |source| SetupError::Refused { sql: sql.clone(), why: why.clone(), source };
            session.run(sql).await.map_err(refused)?;
            prepared.ran.push(statement);
            continue;
        }
        session.run("SAVEPOINT by_itself").await?;
        match session.run(&statement.sql).await {
            Ok(()) => prepared.ran.push(statement),
            Err(refused) => {
                session.run("ROLLBACK TO SAVEPOINT by_itself").await?;
                prepared.refused.push((statement, refused));
            }
        }
    }
    session.run("COMMIT").await.map_err(|_| SetupError::Unknown)?;
    Ok(prepared)
}

fn needed(sql: String, why: impl Into<String>) -> Statement {
    Statement { sql, why: why.into(), need: Need::Setup }
}

fn unfit(role: &Role, reason: &'static str) -> Result<(), SetupError> {
    Err(SetupError::Role { role: role.to_string(), reason })
}

async fn owner(session: &Session, slots: &Slots, missing: &mut Vec<Statement>) -> Result<(), SetupError> {
    let Slots { owner, rotator, .. } = slots;
    if slots.roles().any(|role| role == rotator) {
        return unfit(rotator, "a rotator that changed its own password would lock itself out");
    }
    let Some(first) = role_facts(session, owner).await? else {
        return unfit(owner, "the server has none of that name");
    };
    if first.superuser {
        return unfit(owner, "it is a superuser; give the app a role of its own");
    }
    if first.acts_as.is_some() {
        return unfit(owner, "it acts as another role itself; name the role that owns the tables");
    }
    if role_facts(session, rotator).await?.is_none() {
        return unfit(rotator, "the server has none of that name");
    }
    if by_option(session).await? && !privileges_of(session, rotator, owner).await? {
        missing.push(admin_option(owner, rotator));
    }
    Ok(())
}

/// The role that alternates with the owner.
async fn second(
    session: &Session,
    slots: &Slots,
    other: &Role,
    missing: &mut Vec<Statement>,
) -> Result<(), SetupError> {
    let Slots { owner, rotator, .. } = slots;
    let limit = role_facts(session, owner).await?.and_then(|first| first.connection_limit);
    let limit = limit.map_or(String::new(), |limit| format!(" CONNECTION LIMIT {limit}"));
    let second = role_facts(session, other).await?;
    match &second {
        None => missing.push(needed(
            format!("CREATE ROLE {} LOGIN{limit}", other.quoted()),
            format!("the second login beside {owner}; it has no password until the first rotation"),
        )),
        Some(second) if second.superuser => return unfit(other, "it is a superuser"),
        Some(second) if second.owns > 0 => {
            return unfit(other, "it owns objects of its own; REASSIGN OWNED them to the app's role first");
        }
        Some(second) if !second.login => missing
            .push(needed(format!("ALTER ROLE {} LOGIN", other.quoted()), "a slot has to be able to log in")),
        Some(_) => {}
    }
    let member = second.as_ref().is_some_and(|role| role.member_of.iter().any(|of| of == owner.as_str()));
    if !member {
        missing.push(needed(
            format!("GRANT {} TO {}", owner.quoted(), other.quoted()),
            format!("{other} may do what {owner} may"),
        ));
    }
    if second.as_ref().is_none_or(|role| role.acts_as.as_deref() != Some(owner.as_str())) {
        missing.push(needed(
            format!("ALTER ROLE {} SET role = {}", other.quoted(), literal(owner.as_str())),
            format!("its sessions act as {owner}, so that whatever they make is {owner}'s"),
        ));
    }
    if second.is_some() && by_option(session).await? && !privileges_of(session, rotator, other).await? {
        missing.push(admin_option(other, rotator));
    }
    Ok(())
}

/// Before 16 CREATEROLE is enough, and nobody can give himself an option on a role.
async fn by_option(session: &Session) -> Result<bool, DatabaseError> {
    Ok(identity(session).await?.version >= 160_000)
}

fn admin_option(of: &Role, rotator: &Role) -> Statement {
    needed(
        format!("GRANT {} TO {} WITH ADMIN OPTION", of.quoted(), rotator.quoted()),
        "from PostgreSQL 16 on only the admin of a role may change its password",
    )
}

/// Whether a role has the admin option on another.
async fn privileges_of(session: &Session, member: &Role, of: &Role) -> Result<bool, DatabaseError> {
    let sql = "SELECT pg_has_role(m.oid, r.oid, 'MEMBER WITH ADMIN OPTION') OR m.rolsuper FROM pg_catalog.pg_roles m,
        pg_catalog.pg_roles r WHERE m.rolname = $1 AND r.rolname = $2";
    answer(session, sql, &[member.as_str(), of.as_str()]).await
}

/// Settings belong to the role that logs in: what was set for the owner has to be set for the other slot too.
async fn settings(
    session: &Session,
    owner: &Role,
    other: &Role,
    missing: &mut Vec<Statement>,
) -> Result<(), SetupError> {
    let sql = "SELECT d.datname::text, split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
        FROM pg_catalog.pg_db_role_setting s CROSS JOIN unnest(s.setconfig) c
        JOIN pg_catalog.pg_roles r ON r.oid = s.setrole LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
        WHERE r.rolname = $1 AND c NOT LIKE 'role=%' AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_db_role_setting t JOIN pg_catalog.pg_roles o ON o.oid = t.setrole
            WHERE o.rolname = $2 AND t.setdatabase = s.setdatabase AND c = ANY (t.setconfig))
        ORDER BY 1 NULLS FIRST, 2";
    let names = [(&owner.as_str() as _, Type::TEXT), (&other.as_str() as _, Type::TEXT)];
    for row in session.ask(sql, &names).await? {
        let (database, name, value): (Option<String>, String, String) =
            (get(&row, 0)?, get(&row, 1)?, get(&row, 2)?);
        let within = database.map_or(String::new(), |name| format!(" IN DATABASE {}", identifier(&name)));
        let role = other.quoted();
        // A list is kept with its elements quoted, and would be quoted again as a whole.
        let sql = if LISTS.contains(&name.as_str()) {
            format!(
                "SELECT set_config({}, {}, true); ALTER ROLE {role}{within} SET {} FROM CURRENT; SET LOCAL search_path = pg_catalog",
                literal(&name),
                literal(&value),
                setting(&name),
            )
        } else {
            format!("ALTER ROLE {role}{within} SET {} = {}", setting(&name), literal(&value))
        };
        let why = format!("{owner} has this setting, and {other} is to behave like it");
        missing.push(Statement { sql, why, need: Need::Rotation });
    }
    Ok(())
}

/// Settings that a server keeps as a list of quoted names.
const LISTS: &[&str] =
    &["search_path", "temp_tablespaces", "local_preload_libraries", "session_preload_libraries"];

/// A setting's name, whose part before the dot is an extension's.
fn setting(name: &str) -> String {
    name.split('.').map(identifier).collect::<Vec<_>>().join(".")
}

async fn fences(session: &Session, slots: &Slots, missing: &mut Vec<Statement>) -> Result<(), SetupError> {
    let schema = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'strongroom')";
    if !answer(session, schema, &[]).await? {
        missing.push(needed("CREATE SCHEMA strongroom".to_owned(), "where strongroom keeps its fences"));
    }
    let table = "SELECT to_regclass('strongroom.fence') IS NOT NULL";
    let there = answer(session, table, &[]).await?;
    if !there {
        missing.push(needed(
            "CREATE TABLE strongroom.fence (role text PRIMARY KEY, epoch bigint NOT NULL, operation text NOT NULL, \
             at timestamptz NOT NULL DEFAULT now())"
                .to_owned(),
            "a rotator that slept while another went on is refused here; no value is in it",
        ));
    }
    for role in slots.roles() {
        let row = "SELECT EXISTS (SELECT FROM strongroom.fence WHERE role = $1)";
        if !there || !answer(session, row, &[role.as_str()]).await? {
            missing.push(needed(
                format!("INSERT INTO strongroom.fence VALUES ({}, 0, '')", literal(role.as_str())),
                format!("the fence of {role}"),
            ));
        }
    }
    let rotator = slots.rotator.as_str();
    let may = "SELECT has_schema_privilege($1, 'strongroom', 'USAGE') AND has_table_privilege($1, 'strongroom.fence', 'SELECT')
        AND has_table_privilege($1, 'strongroom.fence', 'UPDATE')";
    let is_owner = !there && identity(session).await?.session_user == rotator;
    if !is_owner && (!there || !answer(session, may, &[rotator]).await?) {
        missing.push(needed(
            format!(
                "GRANT USAGE ON SCHEMA strongroom TO {0}; GRANT SELECT, UPDATE ON strongroom.fence TO {0}",
                slots.rotator.quoted()
            ),
            format!("{rotator} moves the fences"),
        ));
    }
    Ok(())
}

async fn rights(session: &Session, slots: &Slots, missing: &mut Vec<Statement>) -> Result<(), SetupError> {
    let (rotator, name) = (slots.rotator.quoted(), slots.rotator.as_str());
    let creates = "SELECT rolcreaterole OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = $1";
    if !answer(session, creates, &[name]).await? {
        missing.push(needed(
            format!("ALTER ROLE {rotator} CREATEROLE"),
            "nobody else but a superuser may change another role's password",
        ));
    }
    let restricted = privileges(session, &slots.owner).await?.rds.is_some_and(|rds| rds.restricted);
    let optional = [
        ("pg_read_all_stats", "it sees where the sessions of the old slot come from"),
        ("pg_signal_backend", "`--compromised` ends the sessions of the old slot"),
    ];
    let member = "SELECT pg_has_role($1, $2, 'USAGE')";
    if restricted && !answer(session, member, &[name, "rds_password"]).await? {
        missing.push(needed(
            format!("GRANT rds_password TO {rotator}"),
            "`rds.restrict_password_commands` is on: only its members may change passwords",
        ));
    }
    for (role, why) in optional {
        if !answer(session, member, &[name, role]).await? {
            let sql = format!("GRANT {role} TO {rotator}");
            missing.push(Statement { sql, why: why.to_owned(), need: Need::Nothing });
        }
    }
    Ok(())
}

/// One yes or no about names.
async fn answer(session: &Session, sql: &str, names: &[&str]) -> Result<bool, DatabaseError> {
    let names: Vec<_> = names.iter().map(|name| (name as _, Type::TEXT)).collect();
    let rows = session.ask(sql, &names).await?;
    rows.first().map_or(Ok(false), |row| get(row, 0))
}
