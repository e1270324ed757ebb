//! What is decided: what is a secret, what becomes a reference, and what a dry run and `--json` say of it.

use super::{NAME, PROPERTIES, Site, TO_SECRETS_MANAGER, TO_SSM};
use crate::aws::DOCKER;
use crate::support::cloud::beanstalk::handles::Seed;
use crate::support::tree::Tree;
use serde_json::Value;

fn with(more: &[(&str, &str)]) -> Site {
    Site::of(Seed::new("shop", NAME, DOCKER).properties(PROPERTIES).properties(more.iter().copied()))
}

#[test]
fn a_dry_run_writes_nothing_anywhere() {
    let site = Site::new();
    for words in ["migrate --to ssm --dry-run", "migrate --to secretsmanager -n --only SECRET_KEY --json"] {
        let before = Tree::of(&site.env);
        let told = site.run(words);
        assert!(Tree::of(&site.env) == before, "{words}");
        assert_eq!(site.writes(), [""; 0]);
        assert!(!format!("{}{}", told.stdout, told.stderr).contains("canary-"), "{}", told.stderr);
        let _ = told.success();
    }
}

#[test]
fn undeclared_secrets_are_found_declared_and_moved_and_the_rest_is_left_alone() {
    let site = with(&[("STRIPE_API_KEY", "canary-stripe"), ("THEME", "dark"), ("ODD", "canary-odd")]);
    let told = site.run("migrate --to ssm --yes --secret ODD");
    for piece in ["app/STRIPE_API_KEY", "app/ODD", "you said so", "not declared, and left as it is: THEME"] {
        assert!(told.stderr.contains(piece), "{piece}\n{}", told.stderr);
    }
    let _ = told.success();
    assert_eq!(site.references(), ["DATABASE_URL", "DB_PASSWORD", "ODD", "SECRET_KEY", "STRIPE_API_KEY"]);
    assert_eq!(site.properties()["THEME"], "dark");
    assert_eq!(site.seen()["ODD"], "canary-odd");
    assert_eq!(site.run("get ODD").success(), "canary-odd");
    let _ = site.run("undo --yes").success();
    assert_eq!(site.references(), [""; 0]);
    assert_eq!(site.properties()["STRIPE_API_KEY"], "canary-stripe");
    assert!(!site.manifest().contains("STRIPE"));
}

#[test]
fn what_is_a_secret_can_be_overruled_in_both_directions() {
    let site = with(&[("STRIPE_API_KEY", "canary-stripe")]);
    let _ = site.run("migrate --to ssm --yes --secret EMAIL_CC --plain SECRET_KEY,STRIPE_API_KEY").success();
    assert_eq!(site.references(), ["DATABASE_URL", "DB_PASSWORD", "EMAIL_CC"]);
    assert_eq!(site.properties()["SECRET_KEY"], "canary-key");
    assert_eq!(site.properties()["STRIPE_API_KEY"], "canary-stripe");
    assert!(site.manifest().contains("EMAIL_CC = { optional = true, secret = true }"), "{}", site.manifest());
}

#[test]
fn a_gradual_move_ends_as_a_whole_one_does_and_is_taken_back_step_by_step() {
    let (site, whole) = (Site::new(), Site::new());
    let (begun, seen) = (site.manifest(), site.seen());
    let _ = site.run("migrate --to ssm --yes --only DB_PASSWORD").success();
    assert_eq!(site.references(), ["DB_PASSWORD"]);
    assert_eq!(site.seen(), seen);
    let _ = site.run("diff home web --check").success();
    let first = site.manifest();
    let plan = site.run("migrate --to ssm --dry-run --only EMAIL_CC").stderr;
    for (key, becomes) in [
        ("app/EMAIL_CC", "becomes a reference"),
        ("app/SECRET_KEY", "stays a plain property"),
        ("database/DB_PASSWORD", "is a reference"),
        ("database/DB_USER", "stays a plain property"),
    ] {
        let line = plan.lines().find(|line| line.split_whitespace().nth(1) == Some(key));
        assert!(line.is_some_and(|line| line.ends_with(becomes)), "{key} {becomes}\n{plan}");
    }
    let _ = site.run("migrate --to ssm --yes --only SECRET_KEY").success();
    assert_eq!(site.references(), ["DB_PASSWORD", "SECRET_KEY"]);
    let _ = site.run(TO_SSM).success();
    let _ = whole.run(TO_SSM).success();
    let place = |site: &Site| site.manifest().split("[environments.prod]").nth(1).map(str::to_owned);
    assert_eq!(place(&site), place(&whole));
    assert_eq!(site.references(), whole.references());
    site.cloud.reset_calls();
    assert!(site.run(TO_SSM).stderr.contains("nothing to do"));
    assert!(site.run("migrate --to ssm --yes --only DB_PASSWORD").stderr.contains("nothing to do"));
    assert_eq!(site.writes(), [""; 0], "again is a no-op");
    for left in [&["DB_PASSWORD", "SECRET_KEY"][..], &["DB_PASSWORD"], &[]] {
        let _ = site.run("undo --yes").success();
        assert_eq!(site.references(), left);
        assert_eq!(site.seen(), seen);
        if left.len() == 1 {
            assert_eq!(site.manifest(), first);
        }
    }
    assert_eq!(site.manifest(), begun);
    assert_eq!(
        site.cloud.world(|world| world
            .ssm
            .names()
            .into_iter()
            .filter(|name| !name.contains("_strongroom"))
            .count()),
        0
    );
}

#[test]
fn a_full_budget_is_an_obstacle_only_to_what_does_not_make_it_less() {
    let long = "x".repeat(4_090 - 169 - ",BANNER=".len());
    let site = with(&[("BANNER", long.as_str())]);
    // One short value less, and STRONGROOM_REVISION more.
    let told = site.refused("migrate --to ssm --yes --only DB_USER", 1);
    assert!(told.contains("4,096"), "{told}");
    let _ = site.run("migrate --to ssm --yes --secret BANNER").success();
    assert_eq!(site.seen()["BANNER"], long);
}

#[test]
fn the_document_says_what_the_plan_says_and_no_value() {
    let site = with(&[("STRIPE_API_KEY", "canary-stripe")]);
    let text = site.run(&format!("--json {TO_SECRETS_MANAGER}")).success();
    assert!(!text.contains("canary-"), "{text}");
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["kind"], "migration");
    assert_eq!(told["home"], "secretsmanager");
    let of = |address: &str| {
        let all = told["variables"].as_array().unwrap();
        all.iter().find(|one| one["address"] == address).unwrap().clone()
    };
    assert_eq!(of("app/SECRET_KEY")["by_reference"], true);
    assert_eq!(of("app/EMAIL_CC")["by_reference"], false);
    assert_eq!(of("app/STRIPE_API_KEY")["secret"], true);
    assert_eq!(told["instance_policy"]["Version"], "2012-10-17");
    assert!(told["cost"].as_str().unwrap().contains("2 secrets, $0.80 a month"));
    assert!(std::path::Path::new(told["backup"].as_str().unwrap()).extension().is_some());
    let report = std::fs::read_to_string(
        told["report"].as_str().unwrap().replace("[ROOT]", site.env.root().to_str().unwrap()),
    )
    .unwrap();
    assert!(report.contains("| `app/STRIPE_API_KEY` | secret |") && !report.contains("canary-"), "{report}");
}

#[test]
fn a_probe_that_is_answered_badly_stops_before_the_manifest_says_so() {
    let site = Site::new();
    let (begun, seen) = (site.manifest(), site.seen());
    site.cloud.world(|world| world.beanstalk.app_answers(NAME, Some(500)));
    let told = site.run(&format!("{TO_SSM} --probe {}", site.cloud.app(NAME))).failure(7);
    assert!(told.contains("it answers with 500"), "{told}");
    assert_eq!(site.manifest(), begun);
    let _ = site.run("undo --yes").success();
    assert_eq!((site.references(), site.seen()), (Vec::new(), seen));
}
