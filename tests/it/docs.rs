//! What the documents show is what happens: every `console` block of README and docs is run as written.
//!
//! In a block, lines that begin with `$ ` are run by `sh`, in a project that the document's story is about, and each must
//! end well; a line `$ command  # exit N` must end with N. Other lines are what is said, and are not compared: wording is
//! fixed by the tests of each command.

use crate::support::cloud::beanstalk::seeds::Example;
use crate::support::cloud::iam::Policy;
use crate::support::cloud::{Cloud, Realm};
use crate::support::env::{Output, TestEnv};
use crate::support::provision;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every document with its text.
fn documents() -> Vec<(String, String)> {
    let mut paths = vec![root().join("README.md")];
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    paths.extend(docs.filter(|path| path.extension().is_some_and(|end| end == "md")));
    let name = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
    paths.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

/// The lines to run of every `console` block, with their line numbers.
fn commands(text: &str) -> Vec<(usize, String)> {
    let mut inside = false;
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let (true, Some(command)) = (inside, line.strip_prefix("$ ")) {
            found.push((index + 1, command.to_owned()));
        }
    }
    found
}

/// The project that the documents speak of: Alice's, after the README's tour has begun.
fn story() -> TestEnv {
    let env = TestEnv::new()
        .with("STRONGROOM_YES", "1")
        .with("STRONGROOM_NON_INTERACTIVE", "1")
        .with_file(".env", "SECRET_KEY=invented-8f3e1c7a9d\nDB_PASSWORD=invented-p@ss\nDEBUG=1\n")
        .with_file("manage.py", "import os\nassert os.environ['SECRET_KEY']\n");
    env.run("init --from-dotenv .env").success();
    let bob = TestEnv::new().with("STRONGROOM_YES", "1");
    bob.run("init").success();
    let identity = std::fs::read_to_string(bob.config("identity.txt")).unwrap();
    let public = identity.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    env.write("bob.pub", format!("{public}\n"));
    for name in ["dev-app", "antenna"] {
        let manifest = format!("examples/{name}/strongroom.toml");
        env.write(&manifest, std::fs::read(root().join(&manifest)).unwrap());
    }
    env
}

/// A document's story on the local AWS, where it has one: the account as the document has it started, and the example
/// as it is in the repository.
fn on_aws(document: &str, env: &mut TestEnv) -> Option<Cloud> {
    let (example, name, realm) = match document {
        "docs/aws.md" => (Example::DevApp, "dev-app", Realm::default()),
        "README.md" | "docs/migrate-antenna.md" => {
            (Example::Antenna, "antenna", Realm::new("444455556666", "us-west-2"))
        }
        "docs/migrate-dev-app.md" => (Example::DevAppConsole, "dev-app", Realm::default()),
        _ => return None,
    };
    let cloud = Cloud::of(realm);
    cloud.world(|world| world.beanstalk.add_example(example, jiff::Timestamp::now()));
    if document == "docs/migrate-dev-app.md" {
        // `aws … wait` looks once in twenty seconds.
        cloud.world(|world| world.beanstalk.behaviour.looks = 0);
    }
    if document == "docs/migrate-antenna.md" {
        cloud.world(|world| world.instance_policy = Some(Policy::none()));
    }
    env.on(&cloud);
    env.set("STRONGROOM_POLL_INTERVAL_MS", "5");
    copy_folder(env, &format!("examples/{name}"));
    if document.starts_with("docs/migrate") {
        let aws = provision::aws();
        let path = std::env::var("PATH").unwrap();
        env.set("PATH", format!("{}:{path}", aws.parent().unwrap().display()));
    }
    Some(cloud)
}

/// A folder of the repository, in the project folder.
fn copy_folder(env: &TestEnv, folder: &str) {
    for entry in std::fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(env, &path),
            false => env.write(&path, std::fs::read(entry.path()).unwrap()),
        }
    }
}

fn expected(command: &str) -> (&str, i32) {
    match command.rsplit_once("# exit ") {
        Some((line, code)) => (line, code.trim().parse().unwrap()),
        None => (command, 0),
    }
}

#[test]
fn every_command_of_the_documents_runs_as_written() {
    let mut count = 0;
    // The page on recovery has a story of its own, with what a crash leaves: recovery.rs tells it.
    for (name, text) in documents().into_iter().filter(|(name, _)| name != "docs/recovery.md") {
        let mut env = story();
        let cloud = on_aws(&name, &mut env);
        if name == "docs/rotations.md" {
            copy_folder(&env, "examples/mailer");
        }
        let mut shell = String::new();
        for (line, command) in commands(&text) {
            let (run, code) = expected(&command);
            let output: Output = env.sh(&format!("{shell}{run}"));
            if ["cd ", "export "].iter().any(|lasting| run.starts_with(lasting)) {
                shell.push_str(&format!("{run}\n"));
            }
            assert_eq!(
                output.code,
                Some(code),
                "{name}:{line}: {command}\nstdout:\n{}\nstderr:\n{}",
                output.stdout,
                output.stderr
            );
            count += 1;
        }
        drop(cloud);
    }
    assert!(count >= 8, "only {count} commands were found: is the fence spelled ```console?");
}

#[test]
fn links_between_documents_lead_somewhere() {
    for (name, text) in documents() {
        let folder = root().join(&name).parent().unwrap().to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap();
            if !target.is_empty() && !target.contains("://") {
                assert!(folder.join(target).exists(), "{name} links to {target}");
            }
        }
    }
}

#[test]
fn the_manifests_document_says_who_reads_each_dialect() {
    let text = std::fs::read_to_string(root().join("docs/manifest.md")).unwrap();
    for dialect in strongroom::render::Dialect::ALL {
        assert!(text.contains(&format!("\n| `{dialect}` | ")), "{dialect}");
    }
}
