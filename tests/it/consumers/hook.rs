//! The hook that `strongroom hooks` makes for an instance: run by the shells that instances have, with every hostile value
//! in its environment, and what it wrote read by Docker Compose's own binary.

use super::{EnvFile, Folder, all, corpus};
use crate::support::env::TestEnv;
use crate::support::program;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

/// The hook of a project with these keys, as it is written into the app's folder.
fn hook(keys: &str) -> String {
    let manifest = format!(
        "version = 1\nproject = {{ name = \"shop\", region = \"us-east-1\" }}\n\
         [environments.prod]\nhome = \"ssm\"\n\
         [environments.prod.copies.web]\nkind = \"beanstalk\"\napplication = \"shop\"\nenvironment = \"shop-prod\"\n\
         secrets = \"reference\"\n[groups.app.keys]\n{keys}"
    );
    let env = TestEnv::new().with_manifest(&manifest);
    assert_eq!(env.run("hooks --write --yes").success(), "");
    let [hook, other] =
        ["hooks", "confighooks"].map(|kind| format!(".platform/{kind}/predeploy/50_strongroom_env.sh"));
    assert_eq!(env.read(&hook), env.read(&other));
    assert_eq!(fs::metadata(env.path(&hook)).unwrap().permissions().mode() & 0o7777, 0o755);
    env.read(&hook)
}

fn run(shell: &Path, hook: &str, folder: &Folder, values: &[(String, String)]) -> Output {
    fs::write(folder.path().join("hook.sh"), hook).unwrap();
    let values = values.iter().map(|(name, value)| (name, value));
    folder.command(shell).arg("hook.sh").envs(values).output().unwrap()
}

fn shells() -> Vec<std::path::PathBuf> {
    ["bash", "dash"].iter().filter_map(|shell| program(shell)).collect()
}

#[test]
fn what_compose_reads_of_the_hooks_file_is_what_the_environment_held() {
    let mut values = corpus::named();
    values.extend(corpus::random(300));
    values.retain(|(_, value)| !value.contains('\0') && value.len() < 100_000);
    assert!(values.len() > 400);
    let hook =
        hook(&values.iter().map(|(name, _)| format!("{name} = {{ secret = true }}\n")).collect::<String>());
    let names: Vec<String> = values.iter().map(|(name, _)| name.clone()).collect();
    let expected: BTreeMap<String, Vec<u8>> =
        values.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
    let mut texts = Vec::new();
    for shell in shells() {
        let folder = Folder::with(&[]);
        let output = run(&shell, &hook, &folder, &values);
        assert!(
            output.status.success() && output.stderr.is_empty() && output.stdout.is_empty(),
            "{output:?}"
        );
        let file = folder.path().join(".env");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
        let text = fs::read(&file).unwrap();
        fs::remove_file(folder.path().join("hook.sh")).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        for consumer in all().iter().filter(|consumer| consumer.dialect == "compose") {
            let file = EnvFile { names: names.clone(), text: text.clone() };
            let readings = consumer.read(&[file]).unwrap();
            let reading = readings[0].as_ref().unwrap();
            for (name, value) in &expected {
                assert_eq!(reading.get(name), Some(value), "{name}, {}, {}", shell.display(), consumer.name);
            }
        }
        texts.push(text);
    }
    assert!(texts.windows(2).all(|pair| pair[0] == pair[1]), "the shells disagree");
}

#[test]
fn a_missing_value_stops_the_deployment_by_name_and_leaves_the_file() {
    let hook = hook("A = { secret = true }\nB = {}\nC = { optional = true }\n");
    for shell in shells() {
        let folder = Folder::with(&[]);
        fs::write(folder.path().join(".env"), "A=old\n").unwrap();
        let output = run(&shell, &hook, &folder, &[("A".to_owned(), "canary".to_owned())]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(" not written: B\n") && !said.contains("canary"), "{said}");
        assert_eq!(fs::read(folder.path().join(".env")).unwrap(), b"A=old\n");
    }
}

#[test]
fn an_optional_value_that_is_missing_is_left_out_and_what_beanstalk_doubled_is_not_kept() {
    let hook = hook("A = { secret = true }\nC = { optional = true }\n");
    for shell in shells() {
        let folder = Folder::with(&[]);
        let doubled = "A=pa$$$$word\nOTHER=1\nEB_LOG_BASE_DIR=/var/log/eb-docker/containers\n";
        fs::write(folder.path().join(".env"), doubled).unwrap();
        let output = run(&shell, &hook, &folder, &[("A".to_owned(), "pa$$word".to_owned())]);
        assert!(output.status.success(), "{output:?}");
        let text = fs::read_to_string(folder.path().join(".env")).unwrap();
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(lines, ["EB_LOG_BASE_DIR=/var/log/eb-docker/containers", "A='pa$$word'"]);
    }
}
