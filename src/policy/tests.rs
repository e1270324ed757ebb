//! Who may do what, as claims about the statements of small manifests.

use super::*;
use std::collections::BTreeMap;

/// What an answer allows: each action with the resources that it is allowed on.
fn allowed(answer: &Answer) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for statement in answer.policy.statements() {
        for action in statement.actions() {
            found.entry(action.to_owned()).or_default().extend(statement.resources().map(str::to_owned));
        }
    }
    found
}

fn ask(text: &str, environment: &str, bearer: Bearer) -> Answer {
    let manifest = Manifest::parse("f", text).unwrap_or_else(|error| panic!("{error}"));
    policy(&manifest, manifest.environment(environment).unwrap(), bearer)
}

/// The parameters that an action is allowed on, without what is the same in all ARNs.
fn parameters(answer: &Answer, action: &str) -> Vec<String> {
    let resources = allowed(answer).remove(action).unwrap_or_default();
    let name = |arn: String| arn.rsplit_once(":parameter/").map_or(arn.clone(), |(_, name)| name.to_owned());
    resources.into_iter().map(name).collect()
}

const SHOP: &str = r#"
version = 1
project = { name = "shop", region = "us-east-1" }

[environments.prod]
home = "ssm"
account = "111122223333"
[environments.prod.copies.web]
kind = "beanstalk"
application = "shop"
environment = "shop-prod"
groups = ["app", "database"]
secrets = "reference"

[groups.app.keys]
SECRET_KEY = { secret = true }
[groups.database.keys]
DB_USER = {}
DB_PASSWORD = { secret = true }
[groups.links.keys]
DATABASE_URL = { derive = "postgres://{DB_USER}:{DB_PASSWORD}@{DB_HOST}/shop" }
[groups.hosts.keys]
DB_HOST = {}
[groups.xero]
instances = true
path.ssm = "/{project}/xero/{instance}/{key}"
[groups.xero.keys]
client_id = {}
client_secret = { secret = true }
access_token = { secret = true, optional = true }
refresh_token = { secret = true, optional = true }
tenant_id = { optional = true }
token_expires_at = { optional = true }
[groups.admin]
audience = "operator"
keys = { NAME = {}, PASSWORD = { secret = true } }

[rotate.database]
kind = "postgres"
host = "DB_HOST"
database = "hosts/DB_HOST"
user = "DB_USER"
password = "DB_PASSWORD"
admin = { user = "admin/NAME", password = "admin/PASSWORD" }
"#;

#[test]
fn an_operator_changes_every_group_and_holds_the_lease() {
    let answer = ask(SHOP, "prod", Bearer::Operator);
    let groups = ["admin", "app", "database", "hosts", "links"].map(|group| format!("shop/prod/{group}/*"));
    let lease = "shop/_strongroom/prod/lease".to_owned();
    let mut all: Vec<String> = groups.into_iter().chain(["shop/xero/*".to_owned()]).collect();
    assert_eq!(parameters(&answer, "ssm:DeleteParameter"), all);
    all.insert(0, lease);
    assert_eq!(parameters(&answer, "ssm:PutParameter"), all);
    assert_eq!(parameters(&answer, "ssm:DescribeParameters"), ["*"]);
}

#[test]
fn a_path_that_is_walked_is_allowed_with_and_without_what_is_below_it() {
    for bearer in [Bearer::Reader, Bearer::Instance] {
        let walked = parameters(&ask(SHOP, "prod", bearer), "ssm:GetParametersByPath");
        assert_eq!(walked, ["shop/xero", "shop/xero/*"]);
    }
    // A backup has what is there beside what is declared too.
    let walked = parameters(&ask(SHOP, "prod", Bearer::Operator), "ssm:GetParametersByPath");
    for path in ["shop/xero", "shop/prod/app", "shop/prod/admin", "shop/prod/admin/*"] {
        assert!(walked.contains(&path.to_owned()), "{path}");
    }
}

#[test]
fn a_reader_writes_nothing_and_has_nothing_that_is_for_operators() {
    let answer = ask(SHOP, "prod", Bearer::Reader);
    let writes = ["Put", "Delete", "Add", "Create", "Update", "Restore", "Tag"];
    for action in allowed(&answer).keys() {
        assert!(!writes.iter().any(|verb| action.split(':').nth(1).unwrap().starts_with(verb)), "{action}");
    }
    assert!(!answer.policy.json().contains("admin"));
}

#[test]
fn an_instance_gets_what_references_lead_to_and_what_the_app_reads_itself() {
    let answer = ask(SHOP, "prod", Bearer::Instance);
    let read = parameters(&answer, "ssm:GetParameter");
    assert_eq!(read, ["shop/prod/app/*", "shop/prod/database/*", "shop/xero/*"]);
    assert_eq!(parameters(&answer, "ssm:GetParameters"), ["shop/xero/*"]);
    assert_eq!(parameters(&answer, "ssm:PutParameter"), Vec::<String>::new());
    assert!(answer.remarks.contains(&Remark::ResolvesReferences));

    let rotated = format!("{SHOP}\n[rotate.xero]\nkind = \"xero\"\ngroup = \"xero\"\n");
    let answer = ask(&rotated, "prod", Bearer::Instance);
    assert_eq!(parameters(&answer, "ssm:PutParameter"), ["shop/_strongroom/prod/lease", "shop/xero/*"]);
}

#[test]
fn an_instance_needs_nothing_for_values_that_beanstalk_holds_itself() {
    let text = SHOP.replace("secrets = \"reference\"", "secrets = \"value\"");
    let answer = ask(&text, "prod", Bearer::Instance);
    assert_eq!(parameters(&answer, "ssm:GetParameter"), ["shop/xero/*"]);
}

#[test]
fn an_instance_resolves_exactly_what_a_list_of_references_names() {
    let list = |keys: &str| {
        let text = SHOP.replace("secrets = \"reference\"", "secrets = \"value\"\nreferences = [KEYS]");
        ask(&text.replace("KEYS", keys), "prod", Bearer::Instance)
    };
    let answer = list("\"database/DB_USER\", \"SECRET_KEY\"");
    let read = ["shop/prod/app/SECRET_KEY", "shop/prod/database/DB_USER", "shop/xero/*"];
    assert_eq!(parameters(&answer, "ssm:GetParameter"), read);
    assert!(answer.remarks.contains(&Remark::ResolvesReferences));
    let slots = ["", "_A", "_B"].map(|slot| format!("shop/prod/database/DB_PASSWORD{slot}"));
    assert_eq!(parameters(&list("\"DB_PASSWORD\""), "ssm:GetParameter")[..3], slots);

    let text = documents().replace("secrets = \"reference\"", "references = [\"SECRET_KEY\"]");
    let read = &allowed(&ask(&text, "prod", Bearer::Instance))["secretsmanager:GetSecretValue"];
    let names: Vec<&str> = read.iter().filter_map(|arn| arn.split(":secret:").nth(1)).collect();
    assert_eq!(names, ["shop/prod/app-??????", "shop/prod/xero/*-??????"]);
}

#[test]
fn a_rotator_changes_what_is_rotated_and_what_follows_and_reads_what_it_logs_in_with() {
    let answer = ask(SHOP, "prod", Bearer::Rotator);
    let changed = ["shop/_strongroom/prod/*", "shop/prod/database/*", "shop/prod/links/*"];
    assert_eq!(parameters(&answer, "ssm:PutParameter"), changed);
    let read = parameters(&answer, "ssm:GetParameter");
    for group in ["admin", "app", "hosts"] {
        assert!(read.contains(&format!("shop/prod/{group}/*")), "{group}");
    }
    assert!(
        read.contains(&"shop/xero/*".to_owned()),
        "what holds what is found out by all that is the app's"
    );
}

#[test]
fn who_rotates_nothing_and_whose_home_is_here_needs_no_permission() {
    let vault = "version = 1\nproject.name = \"shop\"\nenvironments.local.home = \"vault\"\n\
                 groups.app.keys.A = { secret = true }\n";
    for bearer in [Bearer::Operator, Bearer::Instance, Bearer::Rotator, Bearer::Reader] {
        let answer = ask(vault, "local", bearer);
        assert!(answer.policy.is_empty() && answer.remarks.is_empty(), "{bearer:?}");
    }
    let (without, _) = SHOP.split_once("[rotate.database]").unwrap();
    assert!(ask(without, "prod", Bearer::Rotator).policy.is_empty());
}

#[test]
fn names_are_told_one_by_one_where_a_pattern_would_match_those_of_another_audience() {
    let text = SHOP.replace(
        "[groups.app.keys]",
        "[groups.app]\npath.ssm = \"/{project}/prod/{key}\"\n[groups.app.keys]",
    );
    let answer = ask(&text, "prod", Bearer::Reader);
    assert!(parameters(&answer, "ssm:GetParameter").contains(&"shop/prod/SECRET_KEY".to_owned()));
    assert!(!answer.policy.json().contains("shop/prod/*"));
    assert_eq!(answer.remarks.iter().filter(|remark| remark.is_warning()).count(), 0);
}

#[test]
fn a_walk_that_cannot_leave_out_another_audience_is_told() {
    let text = SHOP.replace("/{project}/xero/{instance}/{key}", "/{project}/{instance}/xero/{key}");
    let answer = ask(&text, "prod", Bearer::Reader);
    let overlap = Remark::Overlap { group: "xero".to_owned(), other: "admin".to_owned() };
    assert!(answer.remarks.contains(&overlap));
    let operator = ask(&text, "prod", Bearer::Operator);
    assert!(!operator.remarks.iter().any(|remark| matches!(remark, Remark::Overlap { .. })));
}

#[test]
fn what_the_manifest_does_not_say_is_a_star_and_told() {
    let text = SHOP.replace("account = \"111122223333\"\n", "").replace(", region = \"us-east-1\"", "");
    let answer = ask(&text, "prod", Bearer::Reader);
    assert!(answer.policy.json().contains("\"arn:aws:ssm:*:*:parameter/shop/prod/app/*\""));
    assert!(answer.remarks.contains(&Remark::AnyAccount) && answer.remarks.contains(&Remark::AnyRegion));
}

#[test]
fn regions_of_other_partitions_have_their_own_arns() {
    for (region, start) in [("cn-north-1", "arn:aws-cn:"), ("us-gov-west-1", "arn:aws-us-gov:")] {
        let text = SHOP.replace("us-east-1", region);
        let json = ask(&text, "prod", Bearer::Operator).policy.json();
        assert!(json.contains(&format!("\"{start}ssm:{region}:")) && !json.contains("arn:aws:"));
    }
}

fn documents() -> String {
    SHOP.replace("home = \"ssm\"", "home = \"secretsmanager\"").replace("path.ssm", "#")
}

#[test]
fn a_secret_is_named_with_six_unknown_characters_and_no_star() {
    let answer = ask(&documents(), "prod", Bearer::Operator);
    let all = allowed(&answer);
    let arn = |name: &str| format!("arn:aws:secretsmanager:us-east-1:111122223333:secret:{name}-??????");
    assert!(all["secretsmanager:DeleteSecret"].contains(&arn("shop/prod/app")));
    assert!(all["secretsmanager:DeleteSecret"].contains(&arn("shop/prod/xero/*")));
    assert!(all["secretsmanager:PutSecretValue"].contains(&arn("shop/_strongroom/prod/lease")));
    assert!(!all["secretsmanager:DeleteSecret"].contains(&arn("shop/_strongroom/prod/lease")));
    assert_eq!(all["secretsmanager:BatchGetSecretValue"], BTreeSet::from(["*".to_owned()]));
    assert_eq!(all["secretsmanager:ListSecrets"], BTreeSet::from(["*".to_owned()]));
    let instance = allowed(&ask(&documents(), "prod", Bearer::Instance));
    assert!(!instance.contains_key("secretsmanager:BatchGetSecretValue"));
}

#[test]
fn a_key_of_the_customers_is_used_for_these_values_only() {
    let key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    for (written, resource) in [
        (key, key),
        ("1234abcd-12ab-34cd-56ef-1234567890ab", key),
        ("alias/shop", "arn:aws:kms:us-east-1:111122223333:key/*"),
        ("arn:aws:kms:us-east-1:111122223333:alias/shop", "arn:aws:kms:us-east-1:111122223333:key/*"),
    ] {
        let text = SHOP.replace("account =", &format!("kms_key = \"{written}\"\naccount ="));
        let answer = ask(&text, "prod", Bearer::Reader);
        assert_eq!(allowed(&answer)["kms:Decrypt"], BTreeSet::from([resource.to_owned()]));
        assert!(!allowed(&answer).contains_key("kms:Encrypt"));
        let document: serde_json::Value = serde_json::from_str(&answer.policy.json()).unwrap();
        let statement =
            document["Statement"].as_array().unwrap().iter().find(|one| one["Sid"] == "UseKeyToRead");
        let condition = &statement.unwrap()["Condition"];
        assert_eq!(
            condition["StringLike"]["kms:EncryptionContext:PARAMETER_ARN"][0],
            "arn:aws:ssm:us-east-1:111122223333:parameter/shop/prod/app/*"
        );
        let alias = written.contains("alias/");
        let aliases = &condition["ForAnyValue:StringEquals"]["kms:ResourceAliases"];
        assert_eq!(aliases.is_array().then(|| aliases[0].as_str().unwrap()), alias.then_some("alias/shop"));
        assert_eq!(answer.remarks.iter().any(|remark| matches!(remark, Remark::Alias(_))), alias);
    }
}

#[test]
fn what_is_too_large_is_drawn_together_where_nothing_foreign_comes_with_it() {
    let many = |audience: &str| {
        let group = |n| format!("[groups.part-{n}]\n{audience}\nkeys = {{ A = {{ secret = true }} }}\n");
        (0..200).map(group).collect::<String>()
    };
    let answer = ask(&format!("{SHOP}\n{}", many("")), "prod", Bearer::Operator);
    assert!(answer.policy.characters() <= MANAGED_POLICY);
    assert!(answer.remarks.contains(&Remark::Folded));
    assert!(parameters(&answer, "ssm:PutParameter").contains(&"shop/prod/*".to_owned()));

    let reader = ask(&format!("{SHOP}\n{}", many("")), "prod", Bearer::Reader);
    assert!(!parameters(&reader, "ssm:GetParameter").contains(&"shop/prod/*".to_owned()));
    assert!(reader.remarks.iter().any(|remark| matches!(remark, Remark::TooLarge(_))));
}
