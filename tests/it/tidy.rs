//! The rules that a reviewer would repeat, as tests: layers, the one home of each loud or dangerous thing, no forgotten
//! file. Each rule is shown to find a violation before it is believed.

use std::fs;
use std::path::{Path, PathBuf};

/// A source file: its path from the package's root on, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// A file that exists for a positive control only.
    fn sketch(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    /// The module under `src` that the file belongs to: `cli` for `src/cli/ui.rs`, `seal` for `src/seal.rs`.
    fn module(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        inside.split(['/', '.']).next().unwrap_or(inside)
    }

    /// Lines of code that ship, with their numbers: no comments, and nothing from the inline tests on.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let shipped = self.text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
        let numbered = shipped.enumerate().map(|(index, line)| (index + 1, line));
        numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Where one of these words stands in code; a word may begin and end anywhere but inside a longer name.
    fn uses(&self, words: &[&str]) -> Vec<String> {
        let finds = |line: &str, word: &str| {
            line.match_indices(word).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
            })
        };
        let hits = self.code().filter(|(_, line)| words.iter().any(|word| finds(line, word)));
        hits.map(|(number, line)| format!("{}:{number}: {}", self.path, line.trim())).collect()
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root().join(folder), &mut found);
    assert!(!found.is_empty(), "{folder} has no files");
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let inside = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            found.push(Source { path: inside, text: fs::read_to_string(&path).unwrap() });
        }
    }
}

#[track_caller]
fn holds(rule: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{rule}:\n{}", violations.join("\n"));
}

/// The layers of the crate, from the bottom up; a module may import its own layer and those below.
const LAYERS: &[&[&str]] = &[
    &["secret", "name", "snapshot"],
    &["manifest", "plan", "render", "seal", "document", "exchange"],
    &["durable", "deliver", "store", "journal", "program", "web", "database", "xero"],
    &[
        "apply",
        "authorise",
        "desired",
        "rotate",
        "migrate",
        "policy",
        "hooks",
        "backup",
        "import",
        "init",
        "doctor",
    ],
    &["cli"],
    &["main", "lib"],
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The modules of the crate that a file names as `crate::module` or `strongroom::module`.
fn imports(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in source.code() {
        for prefix in ["crate::", "strongroom::"] {
            for (at, _) in line.match_indices(prefix) {
                let rest = &line[at + prefix.len()..];
                let names: Vec<&str> = match rest.strip_prefix('{') {
                    Some(list) => list.split('}').next().unwrap_or(list).split(',').collect(),
                    None => vec![rest],
                };
                for name in names {
                    let end = name.trim().find(|c: char| !c.is_alphanumeric() && c != '_');
                    let name = &name.trim()[..end.unwrap_or(name.trim().len())];
                    found.push((number, name.to_owned()));
                }
            }
        }
    }
    found.retain(|(_, name)| !name.is_empty());
    found
}

fn imports_that_point_up(sources: &[Source]) -> Vec<String> {
    let mut violations = Vec::new();
    for source in sources {
        let Some(own) = layer(source.module()) else {
            violations.push(format!("{} is in no layer: add `{}` to LAYERS", source.path, source.module()));
            continue;
        };
        for (number, name) in imports(source) {
            if layer(&name).is_some_and(|other| other > own) {
                violations.push(format!("{}:{number}: imports `{name}`", source.path));
            }
        }
    }
    violations
}

#[test]
fn imports_point_down() {
    let up = Source::sketch(
        "src/plan/mod.rs",
        "use crate::{name::Key, store::Store};\nuse crate::secret::Secret;\n",
    );
    let nowhere = Source::sketch("src/helpers.rs", "");
    assert_eq!(imports_that_point_up(&[up, nowhere]).len(), 2);
    holds("a layer imports only what is below it", &imports_that_point_up(&sources("src")));
}

/// What may stand in some modules only: the words, and the paths that they may stand in.
struct Home {
    rule: &'static str,
    words: &'static [&'static str],
    allowed: &'static [&'static str],
}

const HOMES: &[Home] = &[
    Home { rule: "age is seal.rs's", words: &["age::"], allowed: &["src/seal.rs", "src/seal/"] },
    Home { rule: "AWS is the stores'", words: &["aws_sdk_", "aws_config"], allowed: &["src/store/"] },
    Home { rule: "HTTP to others is web.rs's", words: &["reqwest"], allowed: &["src/web.rs"] },
    Home {
        rule: "PostgreSQL is database's",
        words: &["tokio_postgres", "postgres_protocol"],
        allowed: &["src/database/"],
    },
    Home {
        rule: "clap and anyhow are the command line's",
        words: &["clap", "anyhow"],
        allowed: &["src/cli/"],
    },
    Home {
        rule: "only ui.rs and what it asks with talk",
        words: &[
            "println!",
            "print!",
            "eprintln!",
            "eprint!",
            "dbg!",
            "stdout()",
            "stderr()",
            "io::stdout",
            "io::stderr",
        ],
        allowed: &["src/cli/ui.rs", "src/cli/prompt.rs", "src/cli/harden.rs"],
    },
    Home {
        rule: "the process's environment is read in one file",
        words: &["std::env", "env::var", "env::args"],
        allowed: &["src/cli/context.rs"],
    },
    Home {
        rule: "the clock is the command line's",
        words: &["Timestamp::now", "SystemTime::now"],
        allowed: &["src/cli/context.rs"],
    },
    Home {
        rule: "the pure layers know no files, no runtime and no processes",
        words: &["std::fs", "fs::", "tokio", "std::process", "rustix", "tempfile"],
        allowed: &[
            "src/cli/",
            "src/main.rs",
            "src/apply",
            "src/rotate",
            "src/migrate",
            "src/backup",
            "src/import",
            "src/init",
            "src/store",
            "src/journal",
            "src/durable",
            "src/deliver",
            "src/database",
            "src/program.rs",
        ],
    },
];

impl Home {
    fn violations(&self, sources: &[Source]) -> Vec<String> {
        let strangers =
            sources.iter().filter(|source| !self.allowed.iter().any(|home| source.path.starts_with(home)));
        strangers.flat_map(|source| source.uses(self.words)).collect()
    }
}

#[test]
fn loud_and_dangerous_things_have_one_home() {
    let sources = sources("src");
    for home in HOMES {
        let control = Source::sketch(
            "src/name.rs",
            &format!("    let x = {}x;\n// {}\n", home.words[0], home.words[0]),
        );
        assert_eq!(home.violations(&[control]).len(), 1, "the check of `{}` is blind", home.rule);
        holds(home.rule, &home.violations(&sources));
    }
}

#[test]
fn a_word_inside_a_longer_name_or_in_a_comment_is_no_use() {
    let source =
        Source::sketch("src/name.rs", "//! age::x\nlet y = storage::new();\n#[cfg(test)]\nuse age::x;\n");
    assert_eq!(source.uses(&["age::"]), Vec::<String>::new());
}

#[test]
fn every_file_opens_with_what_it_owns() {
    let mut all = sources("src");
    all.extend(sources("tests"));
    let silent: Vec<String> =
        all.into_iter().filter(|source| !source.text.starts_with("//!")).map(|source| source.path).collect();
    holds("a file opens with `//!`", &silent);
}

/// A list may be long; splitting one in two makes it no clearer.
const LISTS: &[&str] = &["src/manifest/schema.rs"];

#[test]
fn no_file_outgrows_its_concept() {
    let long = |source: &Source| source.text.lines().count() > 450;
    assert!(long(&Source::sketch("x", &"\n".repeat(451))));
    let long_ones = sources("src").into_iter().filter(long).map(|source| source.path);
    let violations: Vec<String> = long_ones.filter(|path| !LISTS.contains(&path.as_str())).collect();
    holds("a file in src has at most 450 lines", &violations);
}

#[test]
fn nothing_is_left_for_later_in_a_comment() {
    // Put together here, so that this file does not find itself.
    let words = [["TO", "DO"], ["FIX", "ME"], ["X", "XX"]].map(|halves| halves.concat());
    let finds = |source: &Source| words.iter().any(|word| source.text.contains(word.as_str()));
    assert!(finds(&Source::sketch("x", &format!("// {} later", words[0]))));
    let mut all = sources("src");
    all.extend(sources("tests"));
    let violations: Vec<String> = all.into_iter().filter(finds).map(|source| source.path).collect();
    holds("what is to be done is not kept in comments", &violations);
}

#[test]
fn no_test_file_is_forgotten() {
    for folder in ["tests/it", "tests/it/support"] {
        let list = if folder == "tests/it" { "main.rs" } else { "mod.rs" };
        let listed = fs::read_to_string(root().join(folder).join(list)).unwrap();
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let is_module = path.extension().is_some_and(|extension| extension == "rs")
                && path.file_name().unwrap() != list;
            assert!(
                !is_module || listed.contains(&format!("mod {name};")),
                "{folder}/{name}.rs is not in {list}"
            );
        }
    }
}
