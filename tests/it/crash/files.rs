//! Commands that write files and no values into a place: stopped at every call, a file is the old one or the new one, and
//! the same command again ends well.

use super::matrix::cases;
use super::shim::run;
use super::world::World;
use std::fs;
use std::path::Path;
use strongroom::seal::{self, Identities};

/// A world whose values are rendered to a file, which is of an older value.
fn rendered() -> World {
    let world = World::new();
    let render = "[render.app]\nfile = \".env\"\ndialect = \"json\"\ngroups = [\"app\"]\n";
    world.env.write("strongroom.toml", world.env.read("strongroom.toml") + render);
    let _ = world.env.run("render").success();
    let _ = world.env.run_with_stdin("--yes set OLD", "canary-newer").success();
    world
}

#[test]
fn a_render_leaves_the_old_file_or_the_new_one_and_the_next_one_tidies_up() {
    let world = rendered();
    let (base, old) = (world.tree(), world.env.read(".env"));
    let (output, calls) = run(&world, "render", "", None);
    let _ = output.success();
    let new = world.env.read(".env");
    assert!(old != new && calls.len() >= 4, "{calls:?}");
    for (at, how) in cases(&calls) {
        world.restore(&base);
        let (output, _) = run(&world, "render", "", Some((at, how)));
        let what = format!("{how:?} at {at} {:?}, then {}", calls[at - 1], output.stderr);
        let now = world.env.read(".env");
        assert!(now == old || now == new, "{what}");
        assert!(output.code != Some(0) || now == new, "{what}");
        let private = |path: &std::path::PathBuf| {
            use std::os::unix::fs::PermissionsExt;
            path.metadata().unwrap().permissions().mode() & 0o077 == 0
        };
        assert!(world.spilled().iter().all(private), "{what}: {:?}", world.spilled());
        // A file that is right is not written again, so a crash after the rename leaves nothing to sweep.
        let again = world.env.run("render");
        assert_eq!(again.code, Some(0), "{what}, then {}", again.stderr);
        assert_eq!(world.env.read(".env"), new, "{what}");
        assert_eq!(world.spilled(), [world.env.path(".env")], "{what}");
    }
}

#[test]
fn a_backup_that_is_listed_is_whole() {
    let world = World::new();
    let base = world.tree();
    let (output, calls) = run(&world, "backup create", "", None);
    let _ = output.success();
    assert!(calls.len() >= 6, "{calls:?}");
    for (at, how) in cases(&calls) {
        world.restore(&base);
        let (output, _) = run(&world, "backup create", "", Some((at, how)));
        let what = format!("{how:?} at {at} {:?}, then {}", calls[at - 1], output.stderr);
        let listed = world.env.run("backup list --json").success();
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let backups = listed["backups"].as_array().unwrap();
        assert!(output.code != Some(0) || backups.len() == 1, "{what}: {listed}");
        for backup in backups {
            let id = backup["id"].as_str().unwrap();
            let verified = world.env.run(&format!("backup verify {id}"));
            assert_eq!(verified.code, Some(0), "{what}: {}", verified.stderr);
        }
        assert!(world.spilled().is_empty(), "{what}");
        assert_eq!(world.env.run("operations").code, Some(0), "{what}");
        assert_eq!(world.env.run("backup create").code, Some(0), "{what}");
        let listed = world.env.run("backup list --json").success();
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let file = listed["backups"][0]["file"].as_str().unwrap();
        let folder = Path::new(file).parent().unwrap().file_name().unwrap();
        let folder = world.env.state("demo/local").join(folder);
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let whole = names.filter(|name| name.to_string_lossy().ends_with(".age")).count();
        assert_eq!(whole, backups.len() + 1, "{what}");
    }
}

/// The manifest first, then the vault: in between, the vault opens for those of before, and the same command finishes.
#[test]
fn a_recipient_that_is_added_shuts_nobody_out() {
    let world = World::new();
    let ada = Identities::generate();
    let words = format!("--yes recipients add {}", ada.recipients()[0]);
    let (base, values) = (world.tree(), world.values().unwrap());
    let opens = || {
        let sealed = fs::read(world.vault()).unwrap();
        seal::open(&sealed, &ada).is_ok()
    };
    assert!(!opens());
    let (output, calls) = run(&world, &words, "", None);
    let _ = output.success();
    assert!(opens() && calls.len() >= 8, "{calls:?}");
    for (at, how) in cases(&calls) {
        world.restore(&base);
        let (output, _) = run(&world, &words, "", Some((at, how)));
        let what = format!("{how:?} at {at} {:?}, then {}", calls[at - 1], output.stderr);
        assert!(matches!(output.code, None | Some(0 | 1)), "{what}");
        assert!(output.code != Some(0) || opens(), "{what}");
        assert_eq!(world.values(), Ok(values.clone()), "{what}");
        assert_eq!(world.env.run("get OLD").stdout, values["OLD"], "{what}");
        assert_eq!(world.env.run_with_stdin("--yes set NEW", "canary-new").code, Some(0), "{what}");
        let again = world.env.run(&words);
        assert_eq!(again.code, Some(0), "{what}, then {}", again.stderr);
        assert!(opens() && world.env.run("recipients list").stdout.contains("age1"), "{what}");
        assert_eq!(world.spilled(), Vec::<std::path::PathBuf>::new(), "{what}");
    }
}
