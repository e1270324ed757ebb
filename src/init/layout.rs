//! Names for what a new project has, found in the names of folders and files.
//!
//! Owns the guess: every name that it gives is valid, and none is asked for twice.

use crate::name::{Environment, Group, Project};

/// What deployments are called.
const ENVIRONMENTS: [&str; 12] = [
    "local",
    "dev",
    "development",
    "test",
    "testing",
    "ci",
    "qa",
    "preview",
    "stage",
    "staging",
    "prod",
    "production",
];

/// Folders of env files, each with a folder for every deployment: `.envs/.production/.django`.
const FOLDERS: [&str; 4] = [".envs", "envs", ".env", "env"];

/// A project that is called like its folder; `app` where the name has nothing that a name may have.
pub fn project(folder: &str) -> Project {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let text: String = folder.chars().map(|c| if allowed(c) { c } else { '-' }).take(100).collect();
    let text = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    Project::parse(text).unwrap_or_else(|_| Project::parse("app").expect("a name"))
}

/// The deployment that files belong to, where all of them say the same one: by their folder (`.envs/.production/…`) or by
/// their own name (`.env.production`); else `local`.
pub fn environment(files: &[String]) -> Environment {
    let mut told = files.iter().map(|file| environment_of(file));
    let first = told.next().flatten();
    let name = first.filter(|name| told.all(|other| other.as_ref() == Some(name)));
    name.and_then(|name| Environment::parse(&name).ok())
        .unwrap_or_else(|| Environment::parse("local").expect("a name"))
}

fn environment_of(file: &str) -> Option<String> {
    let mut parts = file.rsplit('/');
    let name = parts.next()?;
    let known = |text: &str| ENVIRONMENTS.contains(&text).then(|| text.to_owned());
    if let Some(found) = name.trim_start_matches('.').split('.').find_map(known) {
        return Some(found);
    }
    let folder = parts.next()?.trim_start_matches('.');
    match parts.next() {
        Some(above) if FOLDERS.contains(&above) && !folder.is_empty() => Some(folder.to_owned()),
        _ => known(folder),
    }
}

/// A group for each file, all different: `.envs/.production/.django` is `django`, a `.env` is `app`, or called like its
/// folder where there are several.
pub fn groups(files: &[String]) -> Vec<Group> {
    let mut found: Vec<Group> = Vec::new();
    for file in files {
        let name = group_of(file, files.len() == 1);
        let mut candidates =
            (1..).map(|count| if count == 1 { name.clone() } else { format!("{name}-{count}") });
        let group =
            candidates.find_map(|name| Group::parse(&name).ok().filter(|group| !found.contains(group)));
        found.push(group.expect("one of infinitely many names is free"));
    }
    found
}

fn group_of(file: &str, alone: bool) -> String {
    let mut parts = file.rsplit('/');
    let name = parts.next().unwrap_or(file).trim_start_matches('.');
    let words: Vec<&str> = name.split('.').collect();
    let telling = words.iter().find(|word| !["env", "txt"].contains(word) && !ENVIRONMENTS.contains(word));
    let folder = parts.next().map(|folder| folder.trim_start_matches('.')).filter(|_| !alone);
    let text = telling.copied().or(folder.filter(|name| !ENVIRONMENTS.contains(name))).unwrap_or("app");
    let small = text.to_ascii_lowercase();
    let valid = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
    let name: String = small.chars().map(valid).take(60).collect();
    let name = name.trim_matches('-');
    if name.starts_with(|c: char| c.is_ascii_lowercase()) { name.to_owned() } else { "app".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn owned(files: &[&str]) -> Vec<String> {
        files.iter().map(|file| (*file).to_owned()).collect()
    }

    fn groups_of(files: &[&str]) -> Vec<String> {
        groups(&owned(files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_project_is_called_like_its_folder() {
        for (folder, name) in [
            ("shop", "shop"),
            ("My Shop (2)", "My-Shop--2"),
            ("_x", "x"),
            ("日本", "app"),
            ("", "app"),
            ("/", "app"),
        ] {
            assert_eq!(project(folder).as_str(), name);
        }
    }

    #[test]
    fn each_file_has_a_group_of_its_own() {
        assert_eq!(
            groups_of(&[".envs/.production/.django", ".envs/.production/.postgres"]),
            ["django", "postgres"]
        );
        assert_eq!(groups_of(&[".env"]), ["app"]);
        assert_eq!(groups_of(&["backend/.env"]), ["app"]);
        assert_eq!(groups_of(&[".env.production"]), ["app"]);
        assert_eq!(groups_of(&["web/.env", "worker/.env", ".env"]), ["web", "worker", "app"]);
        assert_eq!(groups_of(&["a/Django_2.env", "b/Django_2.env"]), ["django-2", "django-2-2"]);
        assert_eq!(groups_of(&["1.env", "...", "é"]), ["app", "app-2", "app-3"]);
    }

    #[test]
    fn an_environment_is_one_that_all_files_name() {
        for (files, name) in [
            (&[".env"][..], "local"),
            (&[".env.production"], "production"),
            (&["staging.env"], "staging"),
            (&[".envs/.production/.django", ".envs/.production/.postgres"], "production"),
            (&[".envs/.eu-west/.django"], "eu-west"),
            (&[".envs/.production/.django", ".envs/.local/.django"], "local"),
            (&["web/.env", "prod/.env"], "local"),
            (&[], "local"),
        ] {
            assert_eq!(environment(&owned(files)).as_str(), name, "{files:?}");
        }
    }

    proptest! {
        #[test]
        fn any_names_of_files_give_valid_and_different_groups(files in proptest::collection::vec("\\PC{0,12}", 0..5)) {
            let found = groups(&files);
            let different: std::collections::BTreeSet<_> = found.iter().collect();
            prop_assert_eq!(different.len(), files.len());
            let _ = (environment(&files), project(&files.concat()));
        }
    }
}
