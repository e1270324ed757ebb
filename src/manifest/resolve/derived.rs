//! Derived keys: what their templates refer to, in which order they follow, what is secret because of it.

use super::{Resolver, step};
use crate::manifest::address::{self, Groups};
use crate::manifest::derive::{self, Reference, ReferenceInstance, Template, TemplateOf};
use crate::manifest::model::{InstancesSpec, Origin};
use crate::manifest::problem::any_of;
use crate::manifest::schema::{self, Audience};
use crate::manifest::source::{On, Trail, trail};
use crate::name;
use indexmap::IndexMap;
use std::collections::BTreeMap;

type Place = (name::Group, name::Key);

impl Resolver<'_> {
    pub(super) fn derived(&mut self, written: &IndexMap<String, schema::Group>, groups: &mut Groups) {
        let mut templates = Vec::new();
        for (group, key, text) in written.iter().flat_map(|(name, group)| {
            group.keys.iter().filter_map(move |(key, spec)| Some((name, key, spec.derive.as_ref()?)))
        }) {
            let trail = trail!["groups", group, "keys", key, "derive"];
            let Some(group) = groups.keys().find(|name| name.as_str() == group).cloned() else { continue };
            let Some(key) = groups[&group].keys.keys().find(|name| name.as_str() == key).cloned() else {
                continue;
            };
            if let Some(template) = self.derive(&trail, text, &group, &key, groups) {
                let line = self.source.line(&trail);
                templates.push(((group, key), template, line));
            }
        }
        let follows: BTreeMap<Place, Vec<Place>> = templates
            .iter()
            .map(|(place, template, _)| {
                let parts = template.parts().map(|part| (part.group.clone(), part.key.clone()));
                (place.clone(), parts.collect())
            })
            .collect();
        if let Some(circle) = derive::cycle(&follows) {
            return self.circle(&circle);
        }
        let secret: Vec<Place> =
            follows.keys().filter(|place| is_secret(place, &follows, groups)).cloned().collect();
        for ((group, key), template, line) in templates {
            let spec = groups.get_mut(&group).and_then(|group| group.keys.get_mut(&key));
            let spec = spec.expect("the template was made for a key of this group");
            spec.secret |= secret.contains(&(group, key));
            spec.origin = Origin::Derived { template, line };
        }
    }

    fn derive(
        &mut self,
        trail: &Trail,
        text: &str,
        group: &name::Group,
        key: &name::Key,
        groups: &Groups,
    ) -> Option<Template> {
        if derive::holds_password(text) {
            let help = "declare it as a key, and write `{THAT_KEY}` in its place";
            self.help(
                trail,
                On::Value,
                "a password in a template; a secret never stands in the manifest",
                help,
            );
        }
        let template = match TemplateOf::parse(text) {
            Ok(template) => template,
            Err(error) => {
                self.found(trail, On::Value, &error.to_string());
                return None;
            }
        };
        let resolved = template.resolve(|part| reference(part, group, groups));
        let template = match resolved {
            Ok(template) => template,
            Err(error) => {
                self.unknown(trail, error);
                return None;
            }
        };
        let before = self.findings.len();
        for part in template.parts() {
            self.part(trail, part, &groups[group], key, groups);
        }
        (self.findings.len() == before).then_some(template)
    }

    /// Whether a part is there wherever the key is, and may go where the key goes.
    fn part(
        &mut self,
        trail: &Trail,
        part: &Reference,
        group: &crate::manifest::model::GroupSpec,
        key: &name::Key,
        groups: &Groups,
    ) {
        let of = &groups[&part.group];
        let missing: Vec<&str> = group.keys[key]
            .environments
            .iter()
            .filter(|name| !of.keys[&part.key].environments.contains(name))
            .map(name::Environment::as_str)
            .collect();
        if !missing.is_empty() {
            let here = of.keys[&part.key].environments.iter().map(|name| format!("\"{name}\""));
            let list = here.collect::<Vec<_>>().join(", ");
            let message = format!(
                "`{}/{}` does not belong to the environment {}",
                part.group,
                part.key,
                any_of(missing)
            );
            self.help(trail, On::Value, &message, &format!("add `environments = [{list}]` to `{key}`"));
        }
        if of.audience == Audience::Operator && group.audience == Audience::App {
            let message = format!("`{}` is for operators only, and `{key}` goes to the app", part.group);
            self.found(trail, On::Value, &message);
        }
    }

    fn circle(&mut self, circle: &[Place]) {
        let names: Vec<String> = circle.iter().map(|(_, key)| format!("`{key}`")).collect();
        let (group, key) = &circle[0];
        let trail = step(&trail!["groups", group, "keys", key], "derive");
        self.found(&trail, On::Value, &format!("derived in a circle: {}", names.join(" from ")));
    }
}

/// What a part of a template means in `group`: a key of the same group (and instance) before any other.
fn reference(text: &str, group: &name::Group, groups: &Groups) -> Result<Reference, address::UnknownName> {
    let own = &groups[group];
    let short = text.split_once('/').is_none_or(|(name, rest)| name == group.as_str() && !rest.contains('/'));
    let key = text.rsplit('/').next().unwrap_or(text);
    if short && let Some(key) = own.keys.keys().find(|name| name.as_str() == key) {
        let instance = match own.instances {
            InstancesSpec::None => ReferenceInstance::None,
            InstancesSpec::Discovered | InstancesSpec::Listed(_) => ReferenceInstance::Same,
        };
        return Ok(Reference { group: group.clone(), instance, key: key.clone() });
    }
    let address = address::find(groups, text, |_| true)?;
    let instance = address.instance.map_or(ReferenceInstance::None, ReferenceInstance::Named);
    Ok(Reference { group: address.group, instance, key: address.key })
}

fn is_secret(place: &Place, follows: &BTreeMap<Place, Vec<Place>>, groups: &Groups) -> bool {
    groups[&place.0].keys[&place.1].secret
        || follows.get(place).is_some_and(|parts| parts.iter().any(|part| is_secret(part, follows, groups)))
}
