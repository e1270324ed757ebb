//! The order of writing and flushing, told from the calls that were made: what a power failure would find.
//!
//! A killed process leaves its writes in the system's memory, a power failure does not. So before the vault is replaced,
//! everything that a resume would need has to be flushed, names as well as bytes, and at the end everything has.

use super::shim::{Call, How, run};
use super::world::World;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What is in memory only.
#[derive(Default)]
struct Unflushed {
    bytes: BTreeSet<PathBuf>,
    names: BTreeSet<PathBuf>,
}

impl Unflushed {
    fn see(&mut self, call: &Call) {
        let Call { name, path, to, .. } = call;
        match name.as_str() {
            "write" | "truncate" | "chmod" => drop(self.bytes.insert(path.clone())),
            "create" | "mkdir" => drop(self.names.insert(path.clone())),
            "unlink" => {
                self.bytes.remove(path);
                self.names.remove(path);
            }
            "rename" => {
                if self.bytes.remove(path) {
                    self.bytes.insert(to.clone());
                }
                self.names.remove(path);
                self.names.insert(to.clone());
            }
            "link" => drop(self.names.insert(to.clone())),
            "flush" => {
                self.bytes.remove(path);
                self.names.retain(|name| name.parent() != Some(path));
            }
            "reopen" => {}
            other => panic!("what does {other} do?"),
        }
    }

    /// All of it that matters: locks hold nothing, and a temporary file is swept by whoever comes next.
    fn told(&self) -> Vec<String> {
        let matters = |path: &&PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name != "lock" && !name.ends_with(".lock") && !name.ends_with(".strongroom-tmp")
        };
        let bytes = self.bytes.iter().map(|path| format!("the bytes of {}", path.display()));
        bytes
            .chain(self.names.iter().filter(matters).map(|path| format!("the name {}", path.display())))
            .collect()
    }
}

/// What was not flushed when the vault was replaced, and at the end.
fn unflushed(calls: &[Call], vault: &Path) -> Vec<String> {
    let mut unflushed = Unflushed::default();
    let mut told = Vec::new();
    for call in calls.iter().filter(|call| call.worked) {
        if call.name == "rename" && call.to == vault {
            told.extend(
                unflushed.told().into_iter().map(|what| format!("before the vault is replaced: {what}")),
            );
        }
        unflushed.see(call);
    }
    told.extend(unflushed.told().into_iter().map(|what| format!("at the end: {what}")));
    told
}

const CHANGES: &[(&str, &str)] =
    &[("--yes set NEW", "x"), ("--yes set OLD", "y"), ("--yes delete OLD", ""), ("--yes undo", "")];

#[test]
fn everything_is_flushed_before_the_vault_is_replaced_and_at_the_end() {
    for world in [World::empty(), World::new()] {
        for (words, stdin) in CHANGES {
            let (output, calls) = run(&world, words, stdin, None);
            let _ = output.success();
            assert!(
                calls.iter().any(|call| call.name == "rename" && call.to == world.vault()),
                "{words}: {calls:?}"
            );
            assert_eq!(unflushed(&calls, &world.vault()), Vec::<String>::new(), "{words}");
        }
    }
}

/// Also what is written without a journal lasts once the command says that it is done.
#[test]
fn files_that_are_made_are_flushed_when_the_command_ends() {
    let world = World::bare();
    world.env.write(".env", "SECRET_KEY=canary-secret\n");
    let init = "--yes --non-interactive init --from-dotenv .env";
    let (output, calls) = run(&world, init, "", None);
    let _ = output.success();
    assert_eq!(unflushed(&calls, &world.vault()), Vec::<String>::new(), "init");
    fs::write(world.env.path(".env"), "").unwrap();
    for words in ["backup create", "render"] {
        let (output, calls) = run(&world, words, "", None);
        let _ = output.success();
        assert!(calls.iter().any(|call| call.name == "rename"), "{words}: {calls:?}");
        assert_eq!(unflushed(&calls, &world.vault()), Vec::<String>::new(), "{words}");
    }
}

/// What a resume needs is on disk in this order: the values sealed, the plan told, the intent told, the vault replaced.
#[test]
fn the_values_are_sealed_and_the_intent_is_told_before_the_vault_is_replaced() {
    let world = World::new();
    let (output, calls) = run(&world, "--yes set OLD", "y", None);
    let _ = output.success();
    let is_line = |call: &&Call| call.path.ends_with("journal.jsonl") && call.name == "write";
    let position =
        |name: &str| calls.iter().position(|call| call.name == "rename" && call.to.ends_with(name)).unwrap();
    let (sealed, replaced) = (position("plan-1.age"), position("local.age"));
    assert_eq!(calls[..sealed].iter().filter(is_line).count(), 1, "begun");
    assert_eq!(calls[sealed..replaced].iter().filter(is_line).count(), 2, "planned, intent");
    assert_eq!(calls[replaced..].iter().filter(is_line).count(), 3, "applied, settled, ended");
}

#[test]
fn a_program_that_flushes_nothing_is_noticed() {
    let world = World::new();
    let (output, calls) = run(&world, "--yes set OLD", "y", Some((0, How::Lazy)));
    let _ = output.success();
    let told = unflushed(&calls, &world.vault());
    for missing in [
        "before the vault is replaced: the bytes of",
        "before the vault is replaced: the name",
        "at the end: the name",
    ] {
        assert!(told.iter().any(|line| line.starts_with(missing)), "{missing} is not among {told:#?}");
    }
}
