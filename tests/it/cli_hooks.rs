//! `hooks`: what is printed for each platform, what is written, and what is never replaced unasked. That the hook does what
//! it promises is shown in `consumers/hook.rs`.

use crate::support::env::TestEnv;
use serde_json::Value;
use std::fs;

const HOOK: &str = ".platform/hooks/predeploy/50_strongroom_env.sh";
const CONFIGHOOK: &str = ".platform/confighooks/predeploy/50_strongroom_env.sh";

fn manifest(home: &str, secrets: &str) -> String {
    format!(
        r#"version = 1
project = {{ name = "shop", region = "us-east-1" }}
[environments.local]
home = "vault"
[environments.prod]
home = "{home}"
account = "111122223333"
[environments.prod.copies.web]
kind = "beanstalk"
application = "shop"
environment = "shop-prod"
secrets = "{secrets}"
[groups.app.keys]
DEBUG = {{ value = "0" }}
SECRET_KEY = {{ secret = true }}
EMAIL_CC = {{ optional = true }}
"#
    )
}

fn shop() -> TestEnv {
    TestEnv::new().with_manifest(&manifest("ssm", "reference"))
}

#[test]
fn the_hook_and_the_compose_lines_are_printed() {
    let printed = shop().run("-e prod hooks").success();
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "hooks", omit_expression => true }, {
        insta::assert_snapshot!("docker", printed);
    });
    assert!(!shop().path(".platform").exists());
}

#[test]
fn hooks_are_made_and_then_are_as_they_should_be() {
    let env = shop();
    let said = env.run("-e prod hooks --write --dry-run");
    assert!(said.stderr.contains("dry run") && !env.path(".platform").exists());
    assert!(env.run("-e prod hooks --write").stderr.contains("predeploy/50_strongroom_env.sh made"));
    assert_eq!(env.read(HOOK), env.read(CONFIGHOOK));
    let again = env.run("-e prod hooks --write");
    assert_eq!(again.stderr.matches("is as it should be").count(), 2, "{}", again.stderr);
    assert_eq!(again.success(), "");
}

#[test]
fn a_hook_that_says_something_else_is_shown_and_not_replaced_unasked() {
    let env = shop().with_file(HOOK, "#!/bin/sh\n# of a person\n");
    let refused = env.run("-e prod hooks --write").failure(2);
    assert!(refused.contains("-# of a person") && refused.contains("--yes"), "{refused}");
    assert_eq!(env.read(HOOK), "#!/bin/sh\n# of a person\n");
    assert!(!env.path(CONFIGHOOK).exists(), "all or none");
    assert!(env.run("-e prod hooks --write --yes").stderr.contains("replaced"));
    assert_eq!(env.read(HOOK), env.read(CONFIGHOOK));
}

#[test]
fn a_hook_that_nobody_may_run_is_not_as_it_should_be() {
    use std::os::unix::fs::PermissionsExt;
    let env = shop();
    let _ = env.run("-e prod hooks --write").success();
    fs::set_permissions(env.path(HOOK), fs::Permissions::from_mode(0o644)).unwrap();
    let refused = env.run("-e prod hooks --write").failure(2);
    assert!(refused.contains("mode 0644, not 0755"), "{refused}");
}

fn block(home: &str, secrets: &str) -> (Value, String) {
    let dockerrun =
        r#"{"AWSEBDockerrunVersion": 2, "containerDefinitions": [{"name": "django"}, {"name": "flower"}]}"#;
    let env =
        TestEnv::new().with_manifest(&manifest(home, secrets)).with_file("Dockerrun.aws.json", dockerrun);
    let output = env.run("-e prod hooks");
    let said = output.stderr.clone();
    (serde_json::from_str(&output.success()).unwrap_or_default(), said)
}

#[test]
fn on_the_ecs_platform_each_container_has_references_in_the_spelling_of_ecs() {
    let (block, said) = block("secretsmanager", "value");
    for (container, name) in [(0, "django"), (1, "flower")] {
        let container = &block["containerDefinitions"][container];
        assert_eq!(container["name"], name);
        assert_eq!(container["secrets"].as_array().unwrap().len(), 1, "plain values are no references");
        assert_eq!(container["secrets"][0]["name"], "SECRET_KEY");
        let arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:shop/prod/app-SUFFIX:SECRET_KEY::";
        assert_eq!(container["secrets"][0]["valueFrom"], arn);
    }
    assert!(said.contains("`SUFFIX` stands for"), "{said}");
    assert!(!said.contains("twice"), "{said}");
}

#[test]
fn a_parameters_reference_needs_nothing_that_only_aws_knows() {
    let (block, said) = block("ssm", "reference");
    let arn = "arn:aws:ssm:us-east-1:111122223333:parameter/shop/prod/app/SECRET_KEY";
    assert_eq!(block["containerDefinitions"][0]["secrets"][0]["valueFrom"], arn);
    assert!(!said.contains("SUFFIX") && said.contains("twice"), "{said}");
}

#[test]
fn nothing_refers_to_what_beanstalk_holds_itself() {
    let (block, said) = block("beanstalk", "value");
    assert_eq!(block, Value::Null);
    assert!(said.contains("nothing belongs into Dockerrun.aws.json"), "{said}");
}

#[test]
fn json_has_the_files_and_the_snippets() {
    let document: Value = serde_json::from_str(&shop().run("-e prod --json hooks").success()).unwrap();
    assert_eq!(document["kind"], "hooks");
    assert_eq!(document["files"][0]["path"], HOOK);
    assert_eq!(document["files"][0]["mode"], "0755");
    assert!(document["files"][1]["text"].as_str().unwrap().starts_with("#!/bin/sh\n"));
    assert_eq!(document["snippets"][0]["file"], "docker-compose.yml");
}

#[test]
fn what_cannot_be_is_a_usage_error_that_names_the_way_out() {
    let said = shop().run("-e local hooks").failure(2);
    assert!(said.contains("no Beanstalk copy") && said.contains("copies.web"), "{said}");
    let said = shop().run("-e prod hooks --copy wbe").failure(2);
    assert!(said.contains("one of: web"), "{said}");
    let said = shop().run("-e prod hooks --platform ecs --write").failure(2);
    assert!(said.contains("Dockerrun.aws.json"), "{said}");
    let text = manifest("ssm", "reference").replace("DEBUG", "SECONDS");
    let said = TestEnv::new().with_manifest(&text).run("-e prod hooks").failure(4);
    assert!(said.contains("`SECONDS`"), "{said}");
}
