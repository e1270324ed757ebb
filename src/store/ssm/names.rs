//! Names of parameters: what AWS takes, and the way back from a name to the address that it belongs to.
//!
//! Owns the rules of names and values that are known before any call, and the reading of path templates. It never makes
//! a call.

use crate::manifest::{GroupSpec, InstancesSpec, Manifest, Names};
use crate::name::{Address, Environment, Group, Instance, Key};

/// The longest name in characters, the ARN's start included. It is taken as that of the longest region.
const LONGEST: usize = 1_011;
const ARN_START: usize = "arn:aws-us-gov:ssm:ap-southeast-1:111122223333:parameter".len();
const LEVELS: usize = 15;
/// What a standard parameter holds.
pub(super) const STANDARD: usize = 4_096;
/// What an advanced one holds.
pub(super) const ADVANCED: usize = 8_192;

/// Why AWS takes no parameter of this name, in its own rules.
pub(super) fn refusal_of_name(name: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    if let Some(bad) = name.chars().find(|c| !fits(*c)) {
        return Some(format!("the name {name} has a `{}`", bad.escape_debug()));
    }
    if name.contains('/') && !name.starts_with('/') {
        return Some(format!("the name {name} has levels and does not start with /"));
    }
    let levels = name.split('/').skip(usize::from(name.starts_with('/'))).count();
    if levels > LEVELS {
        return Some(format!("the name {name} has {levels} levels, and {LEVELS} is the most"));
    }
    let whole = name.len() + ARN_START;
    if whole > LONGEST {
        return Some(format!(
            "a name of {} characters is too long: {LONGEST} with its ARN is the most",
            name.len()
        ));
    }
    let start = name.trim_start_matches('/').to_ascii_lowercase();
    (start.starts_with("aws") || start.starts_with("ssm"))
        .then(|| format!("the name {name} starts with a word that AWS keeps for itself (`aws`, `ssm`)"))
}

/// Why AWS takes no such value. `room` is what the parameter's tier holds.
pub(super) fn refusal_of_value(value: &str, room: usize) -> Option<String> {
    if value.is_empty() {
        return Some("an empty value: a parameter cannot hold one".to_owned());
    }
    if value.contains("{{") {
        return Some("the value has `{{`, which AWS reads as a reference to another parameter".to_owned());
    }
    let size = value.len();
    (size > room).then(|| format!("the value has {size} bytes, and the parameter holds {room}"))
}

/// Where a group's parameters are looked for: every level of their names that is the same for all of them.
pub(super) fn path_of(manifest: &Manifest, environment: &Environment, group: &GroupSpec) -> String {
    let open = open_name(manifest, environment, group);
    let fixed = open.split('{').next().unwrap_or_default();
    let path = fixed.rsplit_once('/').map_or("", |(path, _)| path);
    if path.is_empty() { "/".to_owned() } else { path.to_owned() }
}

/// The address of a name among these groups. A declared key goes before one that merely fits a path, and a name that
/// is declared in another group belongs to that one.
pub(super) fn address_of(
    manifest: &Manifest,
    environment: &Environment,
    groups: &[Group],
    name: &str,
) -> Option<Address> {
    let mut fits = None;
    for group in manifest.groups_in(environment) {
        let Some(address) = in_group(manifest, environment, group, name) else { continue };
        if manifest.key(&address).is_some() {
            return groups.contains(&address.group).then_some(address);
        }
        if groups.contains(&address.group) {
            fits = fits.or(Some(address));
        }
    }
    fits
}

fn in_group(
    manifest: &Manifest,
    environment: &Environment,
    group: &GroupSpec,
    name: &str,
) -> Option<Address> {
    let open = open_name(manifest, environment, group);
    let (mut instance, mut key) = (None, None);
    let (mut levels, mut found) = (open.split('/'), name.split('/'));
    loop {
        match (levels.next(), found.next()) {
            (None, None) => break,
            (Some(level), Some(text)) => read_level(level, text, &mut instance, &mut key)?,
            _ => return None,
        }
    }
    let key = match key {
        Some(key) => key,
        // A path that names no key is the path of the only one.
        None => group.keys.values().next()?.name.clone(),
    };
    let fits = instance.is_some() == (group.instances != InstancesSpec::None);
    fits.then(|| Address { group: group.name.clone(), instance, key })
}

/// Reads one level of a name by one level of a template: text, and at most one name on each side of it.
fn read_level(level: &str, text: &str, instance: &mut Option<Instance>, key: &mut Option<Key>) -> Option<()> {
    let Some(open) = level.find('{') else { return (level == text).then_some(()) };
    let rest = text.strip_prefix(&level[..open])?;
    let close = open + level[open..].find('}')?;
    let after = &level[close + 1..];
    let end = match after.find('{').map(|next| &after[..next]) {
        // What stands between two names ends the first of them where it stands first.
        Some("") => return None,
        Some(between) => rest.find(between)?,
        None => rest.len().checked_sub(after.len())?,
    };
    let (this, rest) = (rest.get(..end)?, rest.get(end..)?);
    match &level[open + 1..close] {
        "instance" => *instance = Some(Instance::parse(this).ok()?),
        "key" => *key = Some(Key::parse(this).ok()?),
        _ => return None,
    }
    read_level(after, rest, instance, key)
}

fn open_name(manifest: &Manifest, environment: &Environment, group: &GroupSpec) -> String {
    group.ssm_path.fill(&Names {
        project: Some(manifest.project()),
        environment: Some(environment),
        group: Some(&group.name),
        ..Names::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let text = "version = 1\nproject.name = \"shop\"\nenvironments.prod.home = \"ssm\"\n\
                    [groups.app.keys]\nA = { secret = true }\n\
                    [groups.xero]\ninstances = true\npath.ssm = \"/{project}/xero/{instance}/{key}\"\n\
                    [groups.xero.keys]\ntoken = { secret = true }\n\
                    [groups.relay]\ninstances = [\"in\", \"out\"]\npath.ssm = \"/{project}/relay-{instance}-{key}\"\n\
                    [groups.relay.keys]\nhost = {}\n";
        Manifest::parse("f", text).unwrap()
    }

    #[test]
    fn a_name_is_read_back_by_the_path_of_its_group_declared_or_not() {
        let (manifest, prod) = (manifest(), "prod".parse().unwrap());
        let groups: Vec<Group> = manifest.groups().map(|group| group.name.clone()).collect();
        let address = |name| address_of(&manifest, &prod, &groups, name).map(|address| address.to_string());
        for (name, expected) in [
            ("/shop/prod/app/A", Some("app/A")),
            ("/shop/prod/app/EXTRA", Some("app/EXTRA")),
            ("/shop/xero/1/token", Some("xero/1/token")),
            ("/shop/xero/7.b/other", Some("xero/7.b/other")),
            ("/shop/relay-in-host", Some("relay/in/host")),
            ("/shop/prod/app/deeper/A", None),
            ("/shop/prod/app/not-a-key", None),
            ("/shop/xero/_x/token", None),
            ("/other/prod/app/A", None),
        ] {
            assert_eq!(address(name).as_deref(), expected, "{name}");
        }
        let only = address_of(&manifest, &prod, &["xero".parse().unwrap()], "/shop/prod/app/A");
        assert_eq!(only, None);
        let paths = manifest.groups().map(|group| path_of(&manifest, &prod, group));
        assert_eq!(paths.collect::<Vec<_>>(), ["/shop/prod/app", "/shop/xero", "/shop"]);
    }

    #[test]
    fn a_name_that_aws_does_not_take_is_refused_with_its_rule() {
        let long = format!("/{}", "x".repeat(960));
        let deep = "/a".repeat(16);
        for (name, said) in [
            ("/shop/a b", "has a ` `"),
            ("shop/a", "does not start with /"),
            (long.as_str(), "too long"),
            (deep.as_str(), "16 levels"),
            ("/AWS-shop/a", "keeps for itself"),
            ("ssm-shop", "keeps for itself"),
        ] {
            let refusal = refusal_of_name(name).unwrap_or_default();
            assert!(refusal.contains(said), "{name}: {refusal}");
        }
        assert_eq!(refusal_of_name(&"/a".repeat(15)), None);
        assert_eq!(refusal_of_name("/shop/prod/app/SECRET_KEY"), None);
    }

    #[test]
    fn a_value_that_a_parameter_cannot_hold_is_refused() {
        assert!(refusal_of_value("", STANDARD).unwrap().contains("empty"));
        assert!(refusal_of_value("{{ssm:x}}", STANDARD).unwrap().contains("`{{`"));
        assert!(refusal_of_value(&"é".repeat(2_049), STANDARD).unwrap().contains("4098 bytes"));
        assert_eq!(refusal_of_value(&"é".repeat(2_048), STANDARD), None);
        assert_eq!(refusal_of_value(&"x".repeat(8_192), ADVANCED), None);
    }
}
