//! What is right by itself and wrong together: two keys at one path, two files of one name, two variables of one name,
//! values without a home.

use super::{Resolver, step};
use crate::manifest::model::{
    EnvironmentSpec, GroupSpec, InstancesSpec, KeySpec, Manifest, Place, RotationKind, Selection,
};
use crate::manifest::problem::nearest;
use crate::manifest::source::{On, Trail, trail};
use crate::manifest::template::{Placeholder, may_be_same};
use crate::manifest::variables::{Instances, NameClash};
use crate::name;
use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path};

/// One key of one environment, at one path.
struct Placed<'a> {
    environment: &'a EnvironmentSpec,
    group: &'a GroupSpec,
    key: &'a KeySpec,
    path: String,
}

impl Placed<'_> {
    /// Whether both are one key, or one document, in two environments.
    fn is_same_as(&self, other: &Placed<'_>) -> bool {
        self.group.name == other.group.name
            && (self.key.name == other.key.name || self.environment.home == Place::SecretsManager)
    }
}

impl Resolver<'_> {
    pub(super) fn clashes(&mut self, manifest: &Manifest) {
        self.paths_clash(manifest);
        self.refreshed_twice(manifest);
        self.files_clash(manifest);
        self.names_clash(manifest);
        self.homeless(manifest);
    }

    fn paths_clash(&mut self, manifest: &Manifest) {
        let placed = placed(manifest);
        let mut exact: HashMap<&str, Vec<&Placed<'_>>> = HashMap::new();
        let mut open: Vec<&Placed<'_>> = Vec::new();
        let mut told: Vec<(&name::Group, &name::Group)> = Vec::new();
        // What has an open instance first: it is compared with everything that comes behind it.
        let (opens, closed): (Vec<_>, Vec<_>) =
            placed.iter().partition(|one| one.path.contains("{instance}"));
        for one in opens.into_iter().chain(closed) {
            self.ssm_path(one);
            let same = exact.entry(&one.path).or_default();
            let alike = open.iter().filter(|other| may_be_same(&one.path, &other.path));
            let other = same.iter().chain(alike).find(|other| clash(one, other));
            // One finding for two groups: what is wrong is the template, not each of its keys.
            if let Some(other) = other
                && !told.contains(&(&one.group.name, &other.group.name))
            {
                told.push((&one.group.name, &other.group.name));
                self.path_clash(one, other);
            }
            same.push(one);
            if one.path.contains("{instance}") {
                open.push(one);
            }
        }
    }

    fn path_clash(&mut self, one: &Placed<'_>, other: &Placed<'_>) {
        let group = trail!["groups", one.group.name];
        let path = &one.path;
        if one.is_same_as(other) {
            let message =
                format!("`{}` and `{}` would share `{path}`", other.environment.name, one.environment.name);
            let help = "add `{environment}` to the path, `shared = true` if both mean the same values, or `account` to \
                        both if they are two accounts";
            self.help(&self.path_trail(&group), On::Key, &message, help);
        } else {
            let message = format!(
                "`{}/{}` and `{}/{}` would share `{path}`",
                other.group.name, other.key.name, one.group.name, one.key.name
            );
            self.help(&self.path_trail(&group), On::Key, &message, "give each its own path");
        }
    }

    /// Tokens that are good once may be sent by one environment only: each has a lease of its own, and neither sees that
    /// of the other.
    fn refreshed_twice(&mut self, manifest: &Manifest) {
        let placed = placed(manifest);
        let mut seen: Vec<&Placed<'_>> = Vec::new();
        for rotation in manifest.rotations.values() {
            let RotationKind::Xero(spec) = &rotation.kind else { continue };
            let is_refreshed = |one: &&Placed<'_>| {
                one.group.name == spec.group && rotation.environments.contains(&one.environment.name)
            };
            let here: Vec<&Placed<'_>> = placed.iter().filter(is_refreshed).collect();
            let is_same = |one: &Placed<'_>, other: &Placed<'_>| {
                let places = may_be_one_place(one.environment, other.environment);
                places && one.environment.name != other.environment.name && one.path == other.path
            };
            let twice = here.iter().enumerate().find_map(|(at, one)| {
                let other = seen.iter().chain(&here[..at]).find(|other| is_same(other, one))?;
                Some((*other, *one))
            });
            if let Some((first, second)) = twice {
                let message = format!(
                    "`{}` and `{}` share the tokens of `{}`, and each would refresh them under a lease of its own",
                    first.environment.name, second.environment.name, spec.group
                );
                let help = format!(
                    "let one of them refresh (`environments = [\"{}\"]`): the others read what it has stored",
                    first.environment.name
                );
                self.help(&step(&trail!["rotate", rotation.name], "environments"), On::Key, &message, &help);
            }
            seen.extend(here);
        }
    }

    fn path_trail(&self, group: &Trail) -> Trail {
        // A trail that does not exist ends at the nearest part that does: the group, where the path is the default.
        step(group, "path")
    }

    fn ssm_path(&mut self, placed: &Placed<'_>) {
        let path = &placed.path;
        if placed.environment.home == Place::Ssm && path.contains('/') && !path.starts_with('/') {
            let trail = trail!["groups", placed.group.name, "path"];
            self.help(&trail, On::Key, "a parameter's path starts with `/`", &format!("write `/{path}`"));
        }
    }

    fn files_clash(&mut self, manifest: &Manifest) {
        let mut files: BTreeMap<(name::Environment, String), &str> = BTreeMap::new();
        for render in manifest.renders.values() {
            for environment in &render.environments {
                let file = plain(&render.file_in(manifest, environment));
                if let Some(other) = files.insert((environment.clone(), file.clone()), &render.name) {
                    let message = format!("`{other}` and `{}` would both write `{file}`", render.name);
                    self.found(&trail!["render", render.name, "file"], On::Value, &message);
                    break;
                }
            }
        }
    }

    /// Variables of one name in a file or a copy, and renames of what is not in it. The instances that will be
    /// discovered are not known here; one stands for all.
    fn names_clash(&mut self, manifest: &Manifest) {
        let instances = sample(manifest);
        for render in manifest.renders.values() {
            let trail = trail!["render", render.name];
            let mut known: Vec<name::Key> = Vec::new();
            for environment in &render.environments {
                let plain = Selection { rename: BTreeMap::new(), ..render.selection.clone() };
                match manifest.names(environment, &instances, &plain) {
                    Ok(names) => known.extend(names.into_iter().map(|name| name.name)),
                    Err(clash) => self.name_clash(&trail, &clash),
                }
                if let Err(clash) = manifest.names(environment, &instances, &render.selection) {
                    self.name_clash(&trail, &clash);
                }
            }
            let open =
                |group: &&GroupSpec| group.instances == InstancesSpec::Discovered && group.env.is_some();
            let guess = manifest.groups.values().any(|group| open(&group));
            for from in render.selection.rename.keys().filter(|from| !known.contains(from) && !guess) {
                let near = nearest(from.as_str(), known.iter().map(name::Key::as_str));
                let help = near.map_or("rename only what is in the file".to_owned(), |near| {
                    format!("did you mean `{near}`?")
                });
                let message = format!("no variable `{from}` in this file");
                self.help(&step(&step(&trail, "rename"), from), On::Key, &message, &help);
            }
        }
        for environment in manifest.environments.values() {
            for copy in environment.copies.values() {
                if let Err(clash) = manifest.names(&environment.name, &instances, &copy.selection) {
                    self.name_clash(&trail!["environments", environment.name, "copies", copy.name], &clash);
                }
            }
        }
    }

    fn name_clash(&mut self, trail: &Trail, clash: &NameClash) {
        let help = "choose with `groups` or `keys`, or give one another name";
        self.help(trail, On::Key, &clash.to_string(), help);
    }

    /// A Beanstalk home has what its copy gets and nothing else, and the app sees all of it.
    fn homeless(&mut self, manifest: &Manifest) {
        for environment in manifest.environments.values() {
            let Place::Beanstalk { copy } = &environment.home else { continue };
            let chosen = environment.copies.get(copy).and_then(|copy| copy.selection.groups.as_ref());
            for group in
                manifest.groups.values().filter(|group| group.environments.contains(&environment.name))
            {
                let lives = group.keys.values().any(|key| key.lives_in(&environment.home));
                let message = match () {
                    () if !lives => continue,
                    () if !group.reaches_environments() => {
                        format!(
                            "`{}` would be in `{}`, where the app sees every value",
                            group.name, environment.home
                        )
                    }
                    () if chosen.is_some_and(|groups| !groups.contains(&group.name)) => format!(
                        "`{}` lives nowhere in `{}`: the copy `{copy}` is its home and does not list it",
                        group.name, environment.name
                    ),
                    () => continue,
                };
                let help =
                    format!("say which `environments` the group belongs to, without `{}`", environment.name);
                self.help(&trail!["groups", group.name], On::Key, &message, &help);
            }
        }
    }
}

/// Every key that lives in a home with paths, at its path; where a group is one document, one key for all of them.
fn placed(manifest: &Manifest) -> Vec<Placed<'_>> {
    let mut placed = Vec::new();
    for environment in manifest.environments.values() {
        for group in manifest.groups.values() {
            let lives = |key: &&KeySpec| {
                key.environments.contains(&environment.name) && key.lives_in(&environment.home)
            };
            let document = environment.home == Place::SecretsManager
                && !group.secretsmanager_path.uses(Placeholder::Key);
            let count = if document { 1 } else { usize::MAX };
            for key in group.keys.values().filter(lives).take(count) {
                let instances = match &group.instances {
                    InstancesSpec::None | InstancesSpec::Discovered => vec![None],
                    InstancesSpec::Listed(names) => names.iter().map(Some).collect(),
                };
                let paths = instances
                    .into_iter()
                    .filter_map(|name| manifest.open_path(environment, group, name, key));
                placed.extend(paths.map(|path| Placed { environment, group, key, path }));
            }
        }
    }
    placed
}

/// Whether two keys must not lie at one path.
fn clash(one: &Placed<'_>, other: &Placed<'_>) -> bool {
    let (here, there) = (one.environment, other.environment);
    may_be_one_place(here, there) && (here.name == there.name || !(one.is_same_as(other) && one.group.shared))
}

/// Whether the homes of two environments may be one, as far as the manifest tells.
fn may_be_one_place(here: &EnvironmentSpec, there: &EnvironmentSpec) -> bool {
    let known_to_differ =
        |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if a != b);
    here.home == there.home
        && !known_to_differ(&here.account, &there.account)
        && !known_to_differ(&here.region, &there.region)
        && here.endpoint_url == there.endpoint_url
}

fn plain(file: &str) -> String {
    let parts = Path::new(file).components().filter(|part| *part != Component::CurDir);
    parts.collect::<std::path::PathBuf>().to_string_lossy().into_owned()
}

/// One instance for each group that discovers its own.
fn sample(manifest: &Manifest) -> Instances {
    let one = name::Instance::parse("1").expect("a digit is the name of an instance");
    let open = manifest.groups.values().filter(|group| group.instances == InstancesSpec::Discovered);
    open.map(|group| (group.name.clone(), vec![one.clone()])).collect()
}
