//! What is in the way is told before anything is written, with its exit code and the way on.

use super::{COMPOSE, NAME, PROPERTIES, Site, TO_SECRETS_MANAGER, TO_SSM};
use crate::aws::DOCKER;
use crate::support::cloud::beanstalk::environment::Health;
use crate::support::cloud::beanstalk::handles::Seed;
use strongroom::seal::Identities;

const ON_AL2: &str = "64bit Amazon Linux 2 v4.4.1 running Docker";
const PYTHON_ON_AL2: &str = "64bit Amazon Linux 2 v3.11.1 running Python 3.8";
const BEFORE_REFERENCES: &str = "64bit Amazon Linux 2023 v4.4.4 running Docker";
const BEFORE_JSON_KEYS: &str = "64bit Amazon Linux 2023 v4.9.0 running Docker";
const ECS: &str = "64bit Amazon Linux 2023 v4.3.2 running ECS";

fn on(stack: &str) -> Site {
    Site::of(Seed::new("shop", NAME, stack).properties(PROPERTIES))
}

#[track_caller]
fn tells(told: &str, pieces: &[&str]) {
    for piece in pieces {
        assert!(told.contains(piece), "{piece}\n--\n{told}");
    }
}

#[test]
fn an_environment_that_somebody_updates_is_busy() {
    let site = Site::new();
    site.cloud.world(|world| world.beanstalk.occupy_elsewhere(NAME, 100_000, jiff::Timestamp::now()));
    tells(&site.refused(TO_SSM, 9), &["the environment is Updating", "wait until it is Ready"]);
}

#[test]
fn an_environment_that_is_unwell_is_left_alone_unless_somebody_insists() {
    let site = Site::new();
    site.cloud.world(|world| world.beanstalk.tell_health(NAME, Some(Health::Red)));
    tells(&site.refused(TO_SSM, 1), &["its health is Red", "bring it to Green", "--despite-health"]);
    let told = site.run("migrate --to ssm --yes --despite-health");
    assert!(told.stderr.contains("its health is Red"), "{}", told.stderr);
    let _ = told.success();
    assert_eq!(site.references(), ["DATABASE_URL", "DB_PASSWORD", "SECRET_KEY"]);
}

#[test]
fn a_platform_is_asked_for_what_it_resolves_before_anything_is_written() {
    let told = on(BEFORE_REFERENCES).refused(TO_SSM, 1);
    tells(&told, &["its platform does not resolve references", "update the platform version"]);
    for stack in [ON_AL2, BEFORE_JSON_KEYS] {
        let site = on(stack);
        let ways = [
            "key of a JSON secret",
            "`--secret-per-key`",
            "5 secrets, $2.00 a month",
            "`--to ssm`",
            "5 parameters, free",
        ];
        tells(&site.refused(TO_SECRETS_MANAGER, 1), &ways);
        let seen = site.seen();
        let _ = site.run("migrate --to secretsmanager --secret-per-key --yes").success();
        assert_eq!(site.references(), ["DATABASE_URL", "DB_PASSWORD", "SECRET_KEY"], "{stack}");
        assert_eq!(site.seen(), seen);
    }
}

#[test]
fn a_value_of_several_lines_does_not_go_by_reference_where_that_fails() {
    let lines = "-----BEGIN-----\ncanary\n-----END-----";
    let site = Site::of(
        Seed::new("shop", NAME, PYTHON_ON_AL2).properties(PROPERTIES).property("CERTIFICATE", lines),
    );
    tells(&site.refused(TO_SSM, 1), &["values of several lines become references: CERTIFICATE"]);
    // Leaving it where it is is a way on.
    let _ = site.run("migrate --to ssm --yes --only SECRET_KEY,DB_PASSWORD,DATABASE_URL").success();
    assert_eq!(site.seen()["CERTIFICATE"], lines);
    let site =
        Site::of(Seed::new("shop", NAME, DOCKER).properties(PROPERTIES).property("CERTIFICATE", lines));
    let _ = site.run(TO_SSM).success();
    assert_eq!(site.seen()["CERTIFICATE"], lines);
}

#[test]
fn a_name_in_both_namespaces_is_nobodys_to_decide() {
    let arn = "arn:aws:ssm:us-east-1:111122223333:parameter/elsewhere";
    let seed = Seed::new("shop", NAME, DOCKER).properties(PROPERTIES).reference("SECRET_KEY", arn);
    tells(&Site::of(seed).refused(TO_SSM, 1), &["SECRET_KEY"]);
}

#[test]
fn files_of_the_app_that_would_undo_it_are_named_with_their_line() {
    let options =
        "option_settings:\n  aws:elasticbeanstalk:application:environment:\n    SECRET_KEY: invented\n";
    let script = "#!/bin/sh\n/opt/elasticbeanstalk/bin/get-config environment > /var/app/staging/.env\n";
    let default =
        COMPOSE.replace("env_file: [.env]", "environment: { SECRET_KEY: \"${SECRET_KEY:-invented}\" }");
    for (file, text, pieces) in [
        (".ebextensions/01_options.config", options, [".ebextensions/01_options.config:3", "SECRET_KEY"]),
        (
            ".platform/hooks/predeploy/01_env.sh",
            script,
            ["01_env.sh:2", "it makes `.env` from `get-config environment`"],
        ),
        ("docker-compose.yml", default.as_str(), ["docker-compose.yml:4", "has a default for SECRET_KEY"]),
    ] {
        let site = Site::new();
        site.env.write(file, text);
        let told = site.refused(TO_SSM, 1);
        tells(&told, &pieces);
        tells(&told, &["fix: "]);
    }
    let site = Site::new();
    site.env.write(".env", "SECRET_KEY=canary-old\n");
    site.env.write(".ebignore", "node_modules/\n");
    tells(&site.refused(TO_SSM, 1), &["a `.env` would be deployed with the app", "name .env in .ebignore"]);
    site.env.write(".ebignore", ".env\n");
    let _ = site.run(TO_SSM).success();
}

#[test]
fn a_task_on_ecs_needs_a_role_and_containers_no_names_of_their_own() {
    let site = on(ECS);
    let dockerrun = |role: &str, variable: &str| {
        format!(
            "{{\"AWSEBDockerrunVersion\": 2,\n{role}\"containerDefinitions\": [{{\"name\": \"web\",\n\
             \"environment\": [{{\"name\": \"{variable}\", \"value\": \"x\"}}]}}]}}\n"
        )
    };
    site.env.write("Dockerrun.aws.json", dockerrun("", "SECRET_KEY"));
    let told = site.refused(TO_SECRETS_MANAGER, 1);
    tells(
        &told,
        &["2 things are in the way", "no `executionRoleArn`", "has SECRET_KEY in its `environment`"],
    );
    let role = "\"executionRoleArn\": \"arn:aws:iam::111122223333:role/tasks\",\n";
    site.env.write("Dockerrun.aws.json", dockerrun(role, "USE_DOCKER"));
    let _ = site.run(TO_SECRETS_MANAGER).success();
}

#[test]
fn a_backup_that_nobody_could_open_is_none() {
    let site = Site::new();
    let theirs = Identities::generate().recipients()[0].to_string();
    let manifest = site.manifest();
    let start = manifest.find("age1").unwrap();
    let ours = &manifest[start..start + manifest[start..].find('"').unwrap()];
    site.env.write("strongroom.toml", manifest.replace(ours, &theirs));
    for words in [TO_SSM, "migrate --to ssm --dry-run"] {
        tells(
            &site.refused(words, 5),
            &["no identity at hand opens what is sealed", "`strongroom recipients add`"],
        );
    }
    site.env.write("strongroom.toml", manifest.replace(&format!("recipients = [\"{ours}\"]"), ""));
    tells(&site.refused(TO_SSM, 1), &["there is no recipient to seal to", "`strongroom recipients add"]);
    assert_eq!(site.references(), [""; 0]);
}

#[test]
fn a_value_that_the_target_cannot_hold_is_named_and_another_target_takes_it() {
    let braces = "canary-{{x}}";
    let site =
        Site::of(Seed::new("shop", NAME, DOCKER).properties(PROPERTIES).property("SECRET_KEY", braces));
    tells(&site.refused(TO_SSM, 1), &["SECRET_KEY"]);
    let _ = site.run(TO_SECRETS_MANAGER).success();
    assert_eq!(site.seen()["SECRET_KEY"], braces);
}

#[test]
fn containers_never_see_another_value_than_before() {
    for (property, value, pieces) in [
        ("DEBUG", "1", ["app/DEBUG", "strongroom.toml:2"]),
        (
            "DATABASE_URL",
            "postgres://shop:canary-other@db.example:5432/shop",
            ["database/DATABASE_URL", "strongroom.toml:2"],
        ),
    ] {
        let seed = Seed::new("shop", NAME, DOCKER).properties(PROPERTIES).property(property, value);
        let told = Site::of(seed).refused(TO_SSM, 1);
        tells(&told, &pieces);
        tells(&told, &["make them agree first"]);
    }
}

#[test]
fn names_are_looked_for_near_what_was_typed() {
    let site = Site::new();
    for flag in ["only", "canary", "secret", "plain"] {
        tells(&site.refused(&format!("{TO_SSM} --{flag} SECRET_KEI"), 2), &["SECRET_KEI", "SECRET_KEY"]);
        // A value of the manifest is no variable that could move.
        tells(&site.refused(&format!("{TO_SSM} --{flag} DEBUG"), 2), &["DEBUG"]);
    }
    tells(&site.refused("migrate --to ssm --secret-per-key", 2), &["--secret-per-key"]);
    tells(&site.refused("migrate --to ssm --probe ftp://shop.example", 2), &["--probe"]);
    tells(&site.refused("-e prod migrate --to vault", 2), &["vault", "secretsmanager"]);
}

#[test]
fn nobody_is_asked_where_nobody_is_there() {
    let site = Site::new();
    tells(&site.refused("--non-interactive migrate --to ssm", 2), &["--yes"]);
    site.edit("account =", "protected = true\naccount =");
    let _ = site.run(TO_SSM).success();
    assert_eq!(site.references().len(), 3, "--yes is an answer for a protected environment too");
}
