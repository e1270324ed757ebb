//! Each obstacle, found where it is; and what is none, left alone.

use super::{Asked, in_environment, in_files};
use crate::doctor::{File, Finding, Tree};
use crate::manifest::{CopySpec, Secrets, Selection};
use crate::store::{Condition, PlatformFacts, Support};
use std::collections::BTreeSet;
use zeroize::Zeroizing;

const DOCKER: PlatformFacts =
    PlatformFacts { ecs: false, docker: true, amazon_linux_2: false, takes_many_lines: true };
const ECS: PlatformFacts = PlatformFacts { ecs: true, docker: false, ..DOCKER };
const PYTHON: PlatformFacts =
    PlatformFacts { docker: false, amazon_linux_2: true, takes_many_lines: false, ..DOCKER };

const GOOD: (&str, &str) = ("docker-compose.yml", "services:\n  web:\n    env_file: .env\n");

fn file((path, text): (&str, &str), tracked: bool) -> File {
    let text = Zeroizing::new(text.to_owned());
    File { path: path.to_owned(), text, mode: 0o644, tracked }
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn findings(platform: &PlatformFacts, files: Vec<File>) -> Vec<Finding> {
    let moving = names(&["TOKEN", "RDS_PASSWORD", "DJANGO_SECRET_KEY"]);
    let found = in_files(&Tree { files }, platform, &moving);
    for finding in &found {
        assert!(!finding.why.is_empty() && finding.fix.is_some(), "{finding:?}");
        assert!(!format!("{finding:?}").contains("canary"), "{finding:?}");
    }
    found
}

/// Findings as `severity code place`.
fn told(found: &[Finding]) -> Vec<String> {
    let line = |finding: &Finding| {
        let place = finding.place.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{} {} {place}", finding.severity.word(), finding.code).trim_end().to_owned()
    };
    found.iter().map(line).collect()
}

fn in_tree(platform: &PlatformFacts, files: &[(&str, &str)]) -> Vec<String> {
    told(&findings(platform, files.iter().map(|named| file(*named, true)).collect()))
}

const NOTHING: [String; 0] = [];

#[test]
fn the_script_of_dev_app_is_found_and_its_containers_are_not_to_blame() {
    let script = include_str!("../../../examples/dev-app/.ebextensions/04_docker_env.config");
    let compose = include_str!("../../../examples/dev-app/docker-compose.yml");
    let path = ".ebextensions/04_docker_env.config";
    let found =
        findings(&DOCKER, vec![file((path, script), true), file(("docker-compose.yml", compose), true)]);
    assert_eq!(told(&found), [format!("problem env-from-get-config {path}:11")]);
    let fix = found[0].fix.as_deref().unwrap();
    assert!(fix.contains(&format!("delete {path}")) && fix.contains("strongroom hooks --write"), "{fix}");
    assert!(found[0].why.contains("without DJANGO_SECRET_KEY, RDS_PASSWORD, TOKEN"), "{}", found[0].why);
    let hook = (".platform/hooks/predeploy/a.sh", "get-config environment > .env\n");
    assert_eq!(
        in_tree(&DOCKER, &[GOOD, hook]),
        ["problem env-from-get-config .platform/hooks/predeploy/a.sh:1"]
    );
}

#[test]
fn antenna_is_ready_with_its_role_and_not_without_it() {
    let dockerrun = include_str!("../../../examples/antenna/Dockerrun.aws.json");
    let compose = include_str!("../../../examples/antenna/docker-compose.yml");
    let setup = include_str!("../../../examples/antenna/.ebextensions/00_setup.config");
    let of = |dockerrun: &str| {
        let others = [("docker-compose.yml", compose), (".ebextensions/00_setup.config", setup)];
        in_tree(&ECS, &[&[("Dockerrun.aws.json", dockerrun)][..], &others].concat())
    };
    assert_eq!(of(dockerrun), NOTHING);
    let roleless: Vec<&str> = dockerrun.lines().filter(|line| !line.contains("executionRoleArn")).collect();
    assert!(roleless.len() < dockerrun.lines().count());
    assert_eq!(of(&roleless.join("\n")), ["problem no-execution-role Dockerrun.aws.json:1"]);
    assert_eq!(of("{").last().unwrap(), "warning unreadable-file Dockerrun.aws.json:1");
    assert_eq!(in_tree(&ECS, &[]), ["warning no-dockerrun"]);
    assert_eq!(in_tree(&ECS, &[("deploy/Dockerrun.aws.json", dockerrun)]), NOTHING);
}

#[test]
fn a_container_of_ecs_may_not_have_a_moving_name_of_its_own() {
    let text = "{\"AWSEBDockerrunVersion\": 2, \"executionRoleArn\": \"r\", \"containerDefinitions\": [{\"name\": \"web\",\n\
                \"environment\": [{\"name\": \"TOKEN\", \"value\": \"canary\"}, {\"name\": \"OTHER\", \"value\": \"x\"}],\n\
                \"secrets\": [{\"name\": \"RDS_PASSWORD\", \"valueFrom\": \"arn\"}]}]}";
    assert_eq!(
        in_tree(&ECS, &[("Dockerrun.aws.json", text)]),
        ["problem set-by-container Dockerrun.aws.json:2", "problem set-by-container Dockerrun.aws.json:3"]
    );
}

#[test]
fn a_script_that_asks_for_other_variables_is_not_in_the_way() {
    let hook = |text: &str| in_tree(&PYTHON, &[(".platform/hooks/prebuild/a.sh", text)]);
    for (text, found) in [
        ("get-config environment -k PORT > .env", None),
        ("get-config optionsettings > .env", None),
        ("get-config environment -k TOKEN", Some("problem")),
        ("x=$(get-config environment --key \"RDS_PASSWORD\")", Some("problem")),
        ("get-config environment -k \"$1\"", Some("warning")),
        ("export $(get-config environment | jq -r '…')", Some("warning")),
    ] {
        let expected = found.map(|word| format!("{word} reads-get-config .platform/hooks/prebuild/a.sh:1"));
        assert_eq!(hook(text), expected.into_iter().collect::<Vec<_>>(), "{text}");
    }
    let others = [
        ("README.md", "get-config environment > .env"),
        (".platform/hooks/predeploy/b.sh", "cat /opt/elasticbeanstalk/deployment/env.list > .env"),
    ];
    assert_eq!(in_tree(&PYTHON, &others), NOTHING);
    let called = ("scripts/env.sh", "#!/bin/sh\nget-config environment > .env\n");
    assert_eq!(in_tree(&DOCKER, &[GOOD, called]), ["problem env-from-get-config scripts/env.sh:2"]);
}

#[test]
fn what_ebextensions_set_comes_back_in_every_form_they_are_written_in() {
    let list = "option_settings:\n  - namespace: aws:elasticbeanstalk:application:environment\n    \
                option_name: TOKEN\n    value: canary\n  - option_name: RDS_PASSWORD\n    value: \"`{\\\"Ref\\\": \\\"X\\\"}`\"\n  \
                - namespace: aws:other\n    option_name: TOKEN\n    value: 1\n  - {option_name: OTHER, value: a}\n";
    let map = "option_settings:\n  aws:elasticbeanstalk:application:environment:\n    DJANGO_SECRET_KEY: \"\"\n    A: b\n";
    let json =
        "{\"option_settings\": {\"aws:elasticbeanstalk:application:environment\":\n{\"TOKEN\": \"canary\"}}}";
    for (text, lines) in [(list, vec![4, 6]), (map, vec![3]), (json, vec![2])] {
        let found = in_tree(&PYTHON, &[(".ebextensions/a.config", text)]);
        let expected: Vec<String> = lines
            .iter()
            .map(|line| format!("problem value-comes-back .ebextensions/a.config:{line}"))
            .collect();
        assert_eq!(found, expected, "{text}");
    }
    assert_eq!(
        in_tree(&PYTHON, &[(".ebextensions/a.config", "a: [\n")]),
        ["warning unreadable-file .ebextensions/a.config:1"]
    );
}

#[test]
fn a_saved_configuration_is_a_warning_once() {
    let text = "AWSConfigurationTemplateVersion: 1.1.0.0\nOptionSettings:\n  \
                aws:elasticbeanstalk:application:environment:\n    TOKEN: canary\n    RDS_PASSWORD: canary\n    B: c\n";
    let path = ".elasticbeanstalk/saved_configs/prod.cfg.yml";
    let found = findings(&DOCKER, vec![file(GOOD, true), file((path, text), false)]);
    assert_eq!(told(&found), [format!("warning saved-configuration {path}:4")]);
    assert!(found[0].what.contains("TOKEN, RDS_PASSWORD"), "{}", found[0].what);
    assert!(crate::doctor::is_wanted(path) && crate::doctor::is_wanted(".ebignore"));
    assert_eq!(in_tree(&DOCKER, &[GOOD, ("env.yaml", "dependencies: [a]\n")]), NOTHING);
}

#[test]
fn a_service_that_sets_a_moving_name_itself_hides_it() {
    let of = |environment: &str| {
        let text = format!("services:\n  web:\n    env_file: .env\n    environment:\n{environment}\n");
        in_tree(&DOCKER, &[("docker-compose.yml", &text)])
    };
    let hidden = |word: &str| vec![format!("{word} hidden-by-compose docker-compose.yml:5")];
    for bad in [
        "      TOKEN: canary",
        "      TOKEN: ${TOKEN:-canary}",
        "      TOKEN: \"${TOKEN-canary}\"",
        "      - TOKEN=canary",
        "      - TOKEN=a$$b",
    ] {
        assert_eq!(of(bad), hidden("problem"), "{bad}");
    }
    assert_eq!(of("      TOKEN: ${TOKEN:-}"), hidden("warning"));
    for good in [
        "      TOKEN: ${TOKEN}",
        "      TOKEN: $TOKEN",
        "      TOKEN: ${TOKEN:?}",
        "      TOKEN:",
        "      - TOKEN",
        "      OTHER: literal",
        "      DB: ${RDS_PASSWORD}",
    ] {
        assert_eq!(of(good), NOTHING, "{good}");
    }
}

#[test]
fn compose_files_are_looked_at_where_they_are_deployed_and_merged_maps_too() {
    let text = "x-all: &all\n  TOKEN: canary\nservices:\n  web:\n    env_file: .env\n    environment: { <<: *all, B: c }\n";
    assert_eq!(
        in_tree(&DOCKER, &[("docker-compose.yml", text)]),
        ["problem hidden-by-compose docker-compose.yml:2"]
    );
    assert_eq!(
        in_tree(&DOCKER, &[GOOD, ("docker-compose.override.yml", text)]),
        ["problem hidden-by-compose docker-compose.override.yml:2"]
    );
    assert_eq!(in_tree(&DOCKER, &[GOOD, ("docker-compose.dev.yml", text)]), NOTHING);
    assert_eq!(in_tree(&PYTHON, &[("docker-compose.yml", text)]), NOTHING);
    let none = "services:\n  web:\n    image: a\n";
    assert_eq!(
        in_tree(&DOCKER, &[("docker-compose.yml", none)]),
        ["warning compose-without-env-file docker-compose.yml:2"]
    );
}

#[test]
fn a_file_of_variables_that_is_deployed_is_believed_instead() {
    let env = |tracked, ignore: Option<&str>| {
        let mut files = vec![file(GOOD, true), file((".env", "A=canary\n"), tracked)];
        files.extend(ignore.map(|text| file((".ebignore", text), true)));
        told(&findings(&DOCKER, files))
    };
    assert_eq!(env(true, None), ["problem env-in-bundle .env"]);
    assert_eq!(env(false, None), ["warning env-in-bundle .env"]);
    assert_eq!(env(false, Some("csv/\n")), ["problem env-in-bundle .env"]);
    assert_eq!(env(true, Some(".env\n")), NOTHING);
    let compose = ("docker-compose.yml", "services:\n  web:\n    env_file: [.env, ./.envs/prod]\n");
    assert_eq!(
        in_tree(&DOCKER, &[compose, (".envs/prod", "A=b\nTOKEN=canary\n")]),
        ["problem hidden-by-env-file .envs/prod:2"]
    );
    assert_eq!(in_tree(&DOCKER, &[compose, (".envs/prod", "A=b\n")]), NOTHING);
    assert_eq!(in_tree(&PYTHON, &[("Procfile", ""), (".env", "TOKEN=canary\n")]), NOTHING);
}

#[test]
fn a_folder_without_a_deployment_is_told() {
    assert_eq!(in_tree(&PYTHON, &[("strongroom.toml", "")]), ["warning bundle-not-seen"]);
    assert_eq!(in_tree(&PYTHON, &[("Procfile", "web: x")]), NOTHING);
}

fn copy() -> CopySpec {
    let text = |text: &str| text.to_owned();
    let (application, environment) = (text("demo"), text("demo-prod"));
    CopySpec {
        name: text("web"),
        application,
        environment,
        selection: Selection::default(),
        secrets: Secrets::Value,
        references: Default::default(),
    }
}

fn condition(facts: PlatformFacts) -> Condition {
    Condition {
        status: "Ready".to_owned(),
        health: "Green".to_owned(),
        platform: "a platform".to_owned(),
        facts,
        bytes: 100,
        doubled: Vec::new(),
        undeclared: Vec::new(),
        failed_draft: false,
        in_draft: Vec::new(),
    }
}

fn asked() -> Asked {
    Asked { despite_health: false, references: Support::Yes, json_keys: None, many_lines: BTreeSet::new() }
}

fn environment(condition: &Condition, asked: &Asked) -> Vec<String> {
    let found = in_environment(&copy(), condition, asked);
    assert!(found.iter().all(|finding| finding.fix.is_some() && !finding.why.is_empty()));
    let told = told(&found).into_iter();
    told.map(|line| line.strip_suffix(" demo/demo-prod").unwrap().to_owned()).collect()
}

#[test]
fn an_environment_that_is_busy_unwell_or_in_disorder_is_refused() {
    assert_eq!(environment(&condition(DOCKER), &asked()), NOTHING);
    let bad = Condition {
        status: "Updating".to_owned(),
        health: "Grey".to_owned(),
        doubled: vec!["A".to_owned()],
        failed_draft: true,
        ..condition(DOCKER)
    };
    assert_eq!(
        environment(&bad, &asked()),
        ["problem environment-not-ready", "problem in-both-namespaces", "warning failed-draft",]
    );
    let unwell = Condition { health: "Red".to_owned(), ..condition(DOCKER) };
    assert_eq!(
        environment(&unwell, &Asked { despite_health: true, ..asked() }),
        ["warning environment-health"]
    );
}

#[test]
fn a_platform_that_cannot_is_refused_and_one_that_nobody_knows_is_told() {
    let no = || Support::No("it is old".to_owned());
    let of = |asked: Asked| environment(&condition(PYTHON), &asked);
    assert_eq!(
        of(Asked { references: no(), json_keys: Some(no()), ..asked() }),
        ["problem platform-too-old"]
    );
    assert_eq!(of(Asked { json_keys: Some(no()), ..asked() }), ["problem platform-without-json-keys"]);
    assert_eq!(of(Asked { json_keys: Some(Support::Unknown), ..asked() }), ["warning platform-unknown"]);
    let lines = Asked { many_lines: names(&["TLS_KEY"]), ..asked() };
    assert_eq!(of(lines.clone()), ["problem several-lines"]);
    assert_eq!(environment(&condition(DOCKER), &lines), NOTHING);
}
