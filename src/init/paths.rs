//! The groups that the names of parameters tell: what lies below a path, sorted into keys, groups and instances.
//!
//! Owns the guess. Names that fit no layout are told, never dropped in silence.

use crate::manifest::edit::NewKey;
use crate::manifest::{DraftGroup, classify::classify};
use crate::name::{Environment, Group, Instance, Key, Project};
use crate::secret::Secret;
use std::collections::{BTreeMap, BTreeSet};

/// A parameter that was found.
#[derive(Debug)]
pub struct Parameter {
    /// Its whole name, with the slash it begins with.
    pub name: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Its value.
    pub value: Secret,
}

/// What was made of the names below a path.
#[derive(Debug)]
pub struct Layout {
    /// The groups, with where their parameters lie.
    pub groups: Vec<DraftGroup>,
    /// How many parameters they account for.
    pub taken: usize,
    /// Names that cannot be a key, a group and an instance.
    pub left_out: Vec<String>,
}

/// Sorts the parameters below a path as [`layout`] does; those below a folder of the environment's own name, where values
/// usually lie, by themselves. What is strongroom's own is not spoken of.
pub fn sorted(path: &str, project: &Project, environment: &Environment, found: Vec<Parameter>) -> Layout {
    let root = path.trim_end_matches('/');
    let inner = format!("{root}/{environment}");
    let found = found.into_iter().filter(|parameter| !parameter.name.contains("/_strongroom/"));
    let (below, beside): (Vec<_>, Vec<_>) =
        found.partition(|parameter| parameter.name.starts_with(&format!("{inner}/")));
    let mut all = layout(&inner, project, environment, &below);
    let other = layout(root, project, environment, &beside);
    all.taken += other.taken;
    all.left_out.extend(other.left_out);
    for group in other.groups {
        match all.groups.iter().any(|known| known.name == group.name) {
            false => all.groups.push(group),
            true => {
                all.taken -= group.keys.len();
                all.left_out.extend(group.keys.iter().map(|(key, _)| format!("{root}/{}/{key}", group.name)));
            }
        }
    }
    all
}

/// Sorts the parameters below `path`: `path/KEY` is in the group `app` (or `root`, where there is a folder of that name), `path/group/KEY` in that group,
/// `path/group/instance/KEY` in an instance of it.
pub fn layout(path: &str, project: &Project, environment: &Environment, found: &[Parameter]) -> Layout {
    let root = path.trim_end_matches('/');
    let mut sorted: BTreeMap<(Group, bool), BTreeMap<Key, Seen>> = BTreeMap::new();
    let mut instances: BTreeMap<Group, BTreeSet<Instance>> = BTreeMap::new();
    let mut left_out = Vec::new();
    let mut taken = 0;
    let at_root =
        ["app", "root", "top"].into_iter().find(|name| !found_below(root, name, found)).unwrap_or("at-root");
    for parameter in found {
        let Some((group, instance, key)) = place(root, at_root, &parameter.name) else {
            left_out.push(parameter.name.clone());
            continue;
        };
        taken += 1;
        let seen =
            sorted.entry((group.clone(), instance.is_some())).or_default().entry(key.clone()).or_default();
        seen.count += 1;
        seen.encrypted |= parameter.encrypted;
        // A SecureString is a secret until somebody says otherwise: that is what it was made for.
        seen.secret |= parameter.encrypted || classify(&key, &parameter.value).secret;
        instances.entry(group).or_default().extend(instance);
    }
    let of = |((group, instanced), keys): ((Group, bool), BTreeMap<Key, Seen>)| {
        let all = if instanced { instances[&group].len() } else { 1 };
        let usual = root == format!("/{project}/{environment}");
        let middle = match (instanced, group.as_str()) {
            (true, name) => format!("{name}/{{instance}}/"),
            // What lies at the root itself has no folder of its own.
            (false, name) if name == at_root => String::new(),
            (false, name) => format!("{name}/"),
        };
        let own = format!("{root}/{middle}{{key}}");
        let ssm_path = (!usual || middle.is_empty()).then_some(own);
        let keys = keys.into_iter().map(|(key, seen)| (key, seen.declared(all))).collect();
        DraftGroup {
            name: group,
            origin: Some(format!("{root}/{middle}")),
            keys,
            instances: instanced,
            ssm_path,
        }
    };
    // One name cannot be a group with instances and one without.
    let both: BTreeSet<Group> = sorted
        .keys()
        .filter(|(group, instanced)| *instanced && sorted.contains_key(&(group.clone(), false)))
        .map(|(group, _)| group.clone())
        .collect();
    for group in both {
        if let Some(keys) = sorted.remove(&(group.clone(), false)) {
            taken -= keys.len();
            left_out.extend(keys.keys().map(|key| format!("{root}/{group}/{key}")));
        }
    }
    Layout { groups: sorted.into_iter().map(of).collect(), taken, left_out }
}

#[derive(Debug, Default)]
struct Seen {
    count: usize,
    encrypted: bool,
    secret: bool,
}

impl Seen {
    /// How a key is declared that was seen in some of so many instances.
    fn declared(&self, instances: usize) -> NewKey {
        NewKey {
            secret: self.secret,
            optional: self.count < instances,
            plain_parameter: !self.encrypted,
            ..NewKey::default()
        }
    }
}

fn found_below(root: &str, group: &str, found: &[Parameter]) -> bool {
    found.iter().any(|parameter| parameter.name.starts_with(&format!("{root}/{group}/")))
}

fn place(root: &str, at_root: &str, name: &str) -> Option<(Group, Option<Instance>, Key)> {
    let inside = name.strip_prefix(root)?.strip_prefix('/')?;
    match inside.split('/').collect::<Vec<_>>().as_slice() {
        [key] => Some((Group::parse(at_root).ok()?, None, Key::parse(key).ok()?)),
        [group, key] => Some((Group::parse(group).ok()?, None, Key::parse(key).ok()?)),
        [group, instance, key] => {
            Some((Group::parse(group).ok()?, Some(Instance::parse(instance).ok()?), Key::parse(key).ok()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid_out(path: &str, names: &[&str]) -> Layout {
        let parameter = |name: &&str| Parameter {
            name: (*name).to_owned(),
            encrypted: !name.ends_with("HOST"),
            value: Secret::new("x".to_owned()).unwrap(),
        };
        let found: Vec<Parameter> = names.iter().map(parameter).collect();
        layout(path, &"dev-app".parse().unwrap(), &"prod".parse().unwrap(), &found)
    }

    fn told(layout: &Layout) -> Vec<String> {
        let key = |(key, new): &(Key, NewKey)| format!("{key}{}", if new.optional { "?" } else { "" });
        let group = |group: &DraftGroup| {
            let keys: Vec<String> = group.keys.iter().map(key).collect();
            format!("{} {} {}", group.name, group.ssm_path.as_deref().unwrap_or("as usual"), keys.join(" "))
        };
        layout.groups.iter().map(group).collect()
    }

    #[test]
    fn folders_are_groups_and_folders_in_them_are_instances() {
        let found = laid_out(
            "/dev-app/",
            &[
                "/dev-app/SECRET_KEY",
                "/dev-app/db/HOST",
                "/dev-app/xero/1/client_id",
                "/dev-app/xero/2/client_id",
                "/dev-app/xero/2/tenant_id",
            ],
        );
        assert_eq!(
            told(&found),
            [
                "app /dev-app/{key} SECRET_KEY",
                "db /dev-app/db/{key} HOST",
                "xero /dev-app/xero/{instance}/{key} client_id tenant_id?",
            ]
        );
        assert_eq!((found.taken, found.left_out.len()), (5, 0));
    }

    #[test]
    fn keys_at_the_root_are_no_part_of_a_folder_that_has_the_usual_name() {
        let found = laid_out("/x", &["/x/A", "/x/app/B"]);
        assert_eq!(told(&found), ["app /x/app/{key} B", "root /x/{key} A"]);
    }

    #[test]
    fn a_folder_of_the_environments_name_is_where_values_usually_lie() {
        let names = ["/dev-app/prod/app/A", "/dev-app/prod/_strongroom/lease", "/dev-app/xero/1/k"];
        let parameter = |name: &&str| Parameter {
            name: (*name).to_owned(),
            encrypted: true,
            value: Secret::new("x".to_owned()).unwrap(),
        };
        let found = names.iter().map(parameter).collect();
        let laid = sorted("/dev-app", &"dev-app".parse().unwrap(), &"prod".parse().unwrap(), found);
        assert_eq!(told(&laid), ["app as usual A", "xero /dev-app/xero/{instance}/{key} k"]);
        assert!(laid.left_out.is_empty());
    }

    #[test]
    fn the_usual_layout_needs_no_path() {
        let found = laid_out("/dev-app/prod", &["/dev-app/prod/app/A", "/dev-app/prod/db/HOST"]);
        assert_eq!(told(&found), ["app as usual A", "db as usual HOST"]);
    }

    #[test]
    fn what_fits_no_layout_is_told() {
        let found = laid_out("/x", &["/x/a-b", "/x/a/b/c/d", "/x/G/k", "/x/g/k", "/x/g/1/k"]);
        assert_eq!(found.left_out, ["/x/a-b", "/x/a/b/c/d", "/x/G/k", "/x/g/k"]);
        assert_eq!(found.taken, 1);
    }
}
