//! Two login roles that are one owner: what setting them up does, and that whatever either of them makes is the owner's.

use super::{APP, ROTATOR, alter, first, fresh, prepared, proof, role, roles, slots};
use crate::support::postgres::Cluster;
use strongroom::database::{
    DatabaseError, Need, Outcome, Prepared, SetupError, Slots, Statement, identity, missing, prepare,
    privileges, role_facts,
};

#[tokio::test]
async fn setting_up_twice_is_setting_up_once_and_looking_changes_nothing() {
    let cluster = fresh().await;
    let session = cluster.login("rotator", ROTATOR).await;
    let plan = missing(&session, &slots()).await.unwrap();
    assert_eq!(missing(&session, &slots()).await.unwrap(), plan);
    assert_eq!(role_facts(&session, &role("app_b")).await, Ok(None));

    let Prepared { ran, refused } = prepare(&session, &slots()).await.unwrap();
    assert_eq!((ran, refused), (plan, Vec::new()));
    assert_eq!(missing(&session, &slots()).await, Ok(Vec::new()));
    let again = prepare(&session, &slots()).await.unwrap();
    assert_eq!(again, Prepared { ran: Vec::new(), refused: Vec::new() });

    let facts = role_facts(&session, &role("app_b")).await.unwrap().unwrap();
    assert_eq!((facts.acts_as.as_deref(), facts.member_of), (Some("app"), vec!["app".to_owned()]));
    let rights = privileges(&session, &role("app_b")).await.unwrap();
    assert!(rights.may_alter && rights.sees_sessions && rights.ends_sessions && rights.rds.is_none());
}

#[tokio::test]
async fn what_one_slot_makes_the_other_can_change_because_the_owner_has_it() {
    let cluster = prepared().await;
    assert_eq!(alter(&cluster.plain(), "app_b", "invented-b", 1, "one").await, Ok(Outcome::Altered));
    let session = cluster.login("app_b", "invented-b").await;
    let who = identity(&session).await.unwrap();
    assert_eq!((who.session_user.as_str(), who.current_user.as_str()), ("app_b", "app"));

    let b = cluster.app("app_b", "invented-b").await;
    b.batch_execute("CREATE TABLE orders (id int); CREATE VIEW v AS SELECT 1").await.unwrap();
    b.batch_execute("DISCARD ALL").await.unwrap();
    b.batch_execute("CREATE TABLE after_discard (id int)").await.unwrap();
    assert_eq!(alter(&cluster.plain(), "app", "invented-a", 1, "two").await, Ok(Outcome::Altered));
    let a = cluster.app("app", "invented-a").await;
    a.batch_execute("ALTER TABLE orders ADD total int; DROP VIEW v; DROP TABLE after_discard").await.unwrap();
    assert_eq!(first(&b, "SELECT tableowner FROM pg_tables WHERE tablename = 'orders'").await, "app");

    let rotator = cluster.login("rotator", ROTATOR).await;
    assert_eq!(role_facts(&rotator, &role("app_b")).await.unwrap().unwrap().owns, 0);
    assert_eq!(role_facts(&rotator, &role("app")).await.unwrap().unwrap().owns, 1);
}

#[tokio::test]
async fn what_was_set_for_the_owner_holds_in_the_other_slot_too() {
    let cluster = fresh().await;
    cluster
        .sql(
            "CREATE SCHEMA \"My, Schema\"; ALTER ROLE app CONNECTION LIMIT 17;
             ALTER ROLE app SET search_path = \"$user\", \"My, Schema\", public; ALTER ROLE app SET timezone = 'UTC';
             ALTER ROLE app SET default_transaction_isolation = 'repeatable read';
             ALTER ROLE app IN DATABASE postgres SET app.tenant = 'it''s \\ one'",
        )
        .await;
    let session = cluster.login("rotator", ROTATOR).await;
    // An extension's setting is not the rotator's to set: the rest is set up, and this one is told as missing.
    let Prepared { refused, .. } = prepare(&session, &slots()).await.unwrap();
    let told: Vec<&Statement> = refused.iter().map(|(statement, _)| statement).collect();
    assert!(told.len() == 1 && told[0].need == Need::Rotation, "{told:?}");
    assert_eq!(missing(&session, &slots()).await.unwrap(), [told[0].clone()]);
    cluster.sql(&told[0].sql).await;
    assert_eq!(missing(&session, &slots()).await, Ok(Vec::new()));
    alter(&cluster.plain(), "app_b", "invented-b", 1, "one").await.unwrap();
    let (a, b) = (cluster.app("app", APP).await, cluster.app("app_b", "invented-b").await);
    for setting in ["search_path", "timezone", "default_transaction_isolation", "app.tenant"] {
        let show = format!("SHOW {setting}");
        assert_eq!(first(&a, &show).await, first(&b, &show).await, "{setting}");
    }
    assert_eq!(first(&b, "SHOW app.tenant").await, "it's \\ one");
    let facts = role_facts(&session, &role("app_b")).await.unwrap().unwrap();
    assert_eq!(facts.connection_limit, Some(17));
}

#[tokio::test]
async fn names_that_break_out_of_sql_are_names() {
    let cluster = fresh().await;
    let session = cluster.login("rotator", ROTATOR).await;
    for name in ["a\"; DROP ROLE app; --", "it's \\ one", "Ünï Cödé", "select"] {
        let owner = role(name);
        cluster.sql(&format!("CREATE ROLE \"{}\" LOGIN PASSWORD 'x'", name.replace('"', "\"\""))).await;
        let slots = Slots::of(owner, role("rotator")).unwrap();
        prepare(&session, &slots).await.unwrap();
        let other = slots.other.as_ref().unwrap().as_str();
        assert_eq!(
            alter(&cluster.plain(), other, "invented", 1, "one").await,
            Ok(Outcome::Altered),
            "{name}"
        );
        let acting = cluster.login(other, "invented").await;
        assert_eq!(identity(&acting).await.unwrap().current_user, name);
    }
    assert_eq!(proof(&cluster.plain(), "app", APP).await, Ok(()));
}

#[tokio::test]
async fn a_statement_that_is_refused_is_told_and_leaves_nothing_behind() {
    let cluster = fresh().await;
    cluster.sql("REVOKE CREATE ON DATABASE postgres FROM rotator").await;
    let session = cluster.login("rotator", ROTATOR).await;
    let error = prepare(&session, &slots()).await.unwrap_err();
    let SetupError::Refused { sql, source: DatabaseError::Denied { .. }, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(sql, "CREATE SCHEMA strongroom");
    assert_eq!(role_facts(&session, &role("app_b")).await, Ok(None));

    // What the master user sets up, the rotator can use.
    cluster.sql("ALTER ROLE rotator NOCREATEROLE; ALTER ROLE postgres PASSWORD 'invented-master'").await;
    let master = cluster.login("postgres", "invented-master").await;
    prepare(&master, &slots()).await.unwrap();
    assert_eq!(missing(&session, &slots()).await, Ok(Vec::new()));
    assert_eq!(alter(&cluster.server(), "app_b", "invented-b", 1, "one").await, Ok(Outcome::Altered));
}

#[tokio::test]
async fn roles_that_are_no_slots_are_refused_by_name() {
    let cluster = prepared().await;
    cluster
        .sql(
            "CREATE ROLE own LOGIN; CREATE ROLE own_b LOGIN; CREATE TABLE t (); ALTER TABLE t OWNER TO own_b",
        )
        .await;
    let session = cluster.login("rotator", ROTATOR).await;
    for (owner, rotator) in [
        ("nobody", "rotator"),
        ("postgres", "rotator"),
        ("app_b", "rotator"),
        ("own", "rotator"),
        ("app", "nobody"),
        ("rotator", "rotator"),
    ] {
        let slots = Slots::of(role(owner), role(rotator)).unwrap();
        let error = missing(&session, &slots).await.unwrap_err();
        assert!(matches!(error, SetupError::Role { .. }), "{owner}: {error:?}");
    }
}

#[tokio::test]
async fn from_sixteen_on_the_rotator_has_to_be_the_slots_admin_and_the_way_there_is_told() {
    let cluster = Cluster::seventeen();
    roles(&cluster).await;
    let session = cluster.login("rotator", ROTATOR).await;
    assert!(!privileges(&session, &role("app")).await.unwrap().may_alter);
    let error = prepare(&session, &slots()).await.unwrap_err();
    let SetupError::Refused { sql, .. } = &error else { panic!("{error:?}") };
    assert_eq!(sql, "GRANT \"app\" TO \"rotator\" WITH ADMIN OPTION");

    cluster.sql(sql).await;
    let done = prepare(&session, &slots()).await.unwrap();
    // To read everybody's sessions and to end them is the master's to give.
    let refused: Vec<&str> = done.refused.iter().map(|(statement, _)| statement.sql.as_str()).collect();
    assert_eq!(refused, ["GRANT pg_read_all_stats TO \"rotator\"", "GRANT pg_signal_backend TO \"rotator\""]);
    for (name, operation) in [("app", "one"), ("app_b", "two")] {
        assert!(privileges(&session, &role(name)).await.unwrap().may_alter, "{name}");
        assert_eq!(alter(&cluster.server(), name, "invented-next", 1, operation).await, Ok(Outcome::Altered));
        let acting = cluster.login(name, "invented-next").await;
        assert_eq!(identity(&acting).await.unwrap().current_user, "app");
    }
}
