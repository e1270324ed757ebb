//! What an environment gets, under which names, and what is missing.

use super::*;
use crate::snapshot::Entry;

const TEXT: &str = r#"
version = 1
project.name = "shop"

[environments.local]
home = "vault"
[environments.prod]
home = "ssm"

[groups.app.keys]
DEBUG = { value = "0", values.local = "1" }
ONLY_LOCAL = { optional = true, values.local = "x" }
SECRET_KEY = { secret = true }
EMAIL_CC = { optional = true }
COPY_URL = { derive = "mailto:{EMAIL_CC}", optional = true }

[groups.database.keys]
DATABASE_URL = { derive = "postgres://u:{PASSWORD}@{HOST}/db" }
PASSWORD = { secret = true }
HOST = {}
READ_URL = { derive = "{DATABASE_URL}" }

[groups.xero]
instances = true
env = "XERO_{instance}_{key}"
keys.id = {}
keys.login = { derive = "{id}:{app/SECRET_KEY}" }

[groups.silent]
instances = ["a"]
keys.id = {}

[groups.operator]
audience = "operator"
keys.ADMIN = { secret = true }
"#;

fn manifest() -> Manifest {
    Manifest::parse("f", TEXT).unwrap_or_else(|error| panic!("{error}"))
}

fn home(values: &[(&str, &str)]) -> Snapshot {
    let entry = |value: &str| Entry::of(Secret::new(value.to_owned()).unwrap());
    let entries = values.iter().map(|(address, value)| (address.parse().unwrap(), entry(value)));
    Snapshot { entries: entries.collect(), ..Snapshot::default() }
}

fn instances(names: &[&str]) -> Instances {
    let names = names.iter().map(|name| name.parse().unwrap()).collect();
    [("xero".parse().unwrap(), names)].into()
}

const FULL: [(&str, &str); 6] = [
    ("app/SECRET_KEY", "k/1"),
    ("database/PASSWORD", "p@ss"),
    ("database/HOST", "db"),
    ("xero/1/id", "i1"),
    ("xero/b-c/id", "i2"),
    ("operator/ADMIN", "a"),
];

fn lines(environment: &str, home: &Snapshot, found: &[&str], selection: &Selection) -> Vec<String> {
    let environment = environment.parse().unwrap();
    let variables = manifest().variables(&environment, home, &instances(found), selection).unwrap();
    variables.iter().map(|variable| format!("{}={}", variable.name, variable.value.expose())).collect()
}

#[test]
fn literals_stored_and_derived_values_come_in_the_order_of_the_manifest() {
    assert_eq!(
        lines("local", &home(&FULL), &["1", "b-c"], &Selection::default()),
        [
            "DEBUG=1",
            "ONLY_LOCAL=x",
            "SECRET_KEY=k/1",
            "DATABASE_URL=postgres://u:p%40ss@db/db",
            "PASSWORD=p@ss",
            "HOST=db",
            "READ_URL=postgres://u:p%40ss@db/db",
            "XERO_1_id=i1",
            "XERO_1_login=i1:k%2F1",
            "XERO_b_c_id=i2",
            "XERO_b_c_login=i2:k%2F1",
        ]
    );
}

#[test]
fn optional_values_that_are_missing_are_left_out_and_what_is_derived_from_them() {
    let mut all = FULL.to_vec();
    let prod = lines("prod", &home(&all), &[], &Selection::default());
    assert_eq!(prod[..2], ["DEBUG=0", "SECRET_KEY=k/1"]);
    all.push(("app/EMAIL_CC", "a@b"));
    let prod = lines("prod", &home(&all), &[], &Selection::default());
    assert_eq!(prod[2..4], ["EMAIL_CC=a@b", "COPY_URL=mailto:a%40b"]);
}

#[test]
fn everything_that_is_required_and_missing_is_told_at_once_and_by_its_own_name() {
    let environment = "prod".parse().unwrap();
    let error = manifest().variables(&environment, &home(&[]), &instances(&["1"]), &Selection::default());
    assert_eq!(
        error.unwrap_err().to_string(),
        "the environment `prod` lacks values for `app/SECRET_KEY`, `database/PASSWORD`, `database/HOST`, `xero/1/id`"
    );
}

#[test]
fn a_selection_takes_groups_and_single_keys_and_renames() {
    let selection = Selection {
        groups: Some(vec!["app".parse().unwrap()]),
        keys: Some(vec!["database/HOST".parse().unwrap()]),
        rename: [("HOST".parse().unwrap(), "PGHOST".parse().unwrap())].into(),
    };
    let names = lines("prod", &home(&FULL), &["1"], &selection);
    assert_eq!(names, ["DEBUG=0", "SECRET_KEY=k/1", "PGHOST=db"]);
}

#[test]
fn instances_whose_names_become_one_name_clash() {
    let error =
        manifest().names(&"prod".parse().unwrap(), &instances(&["a.b", "a-b"]), &Selection::default());
    assert_eq!(
        error.unwrap_err().to_string(),
        "`xero/a.b/id` and `xero/a-b/id` would both be the variable `XERO_a_b_id`"
    );
}

#[test]
fn derived_secrets_live_in_a_home_that_others_refer_to_and_not_in_a_vault() {
    let (manifest, found) = (manifest(), instances(&["1"]));
    let addresses = |environment: &str| {
        let all = manifest.home_addresses(&environment.parse().unwrap(), &found);
        all.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let stored = ["database/DATABASE_URL", "database/READ_URL", "xero/1/login"].map(String::from);
    assert!(stored.iter().all(|address| addresses("prod").contains(address)));
    assert!(!stored.iter().any(|address| addresses("local").contains(address)));
    let derived = manifest.derived_in_home(&"prod".parse().unwrap(), &home(&FULL), &found);
    let names: Vec<String> = derived.iter().map(|(address, _)| address.to_string()).collect();
    assert_eq!(names, stored);
    assert_eq!(derived[2].1.as_ref().unwrap().expose(), "i1:k%2F1");
}

#[test]
fn a_key_is_as_secret_as_its_parts() {
    let manifest = manifest();
    for (address, secret) in
        [("database/DATABASE_URL", true), ("database/READ_URL", true), ("app/COPY_URL", false)]
    {
        assert_eq!(manifest.key(&address.parse().unwrap()).unwrap().secret, secret, "{address}");
    }
}
