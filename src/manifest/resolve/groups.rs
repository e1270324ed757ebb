//! Groups and their keys.

use super::{Resolver, step};
use crate::manifest::address::UnknownName;
use crate::manifest::generate::{Alphabet, Generator};
use crate::manifest::model::{EnvironmentSpec, GroupSpec, InstancesSpec, KeySpec, Origin};
use crate::manifest::reserved::RESERVED;
use crate::manifest::schema::{self, Audience};
use crate::manifest::source::{Finding, On, Trail, trail};
use crate::manifest::template::{NameTemplate, Placeholder};
use crate::name;
use crate::secret::Secret;
use indexmap::IndexMap;
use std::collections::BTreeMap;

impl Resolver<'_> {
    pub(super) fn groups(
        &mut self,
        written: &IndexMap<String, schema::Group>,
        environments: &IndexMap<name::Environment, EnvironmentSpec>,
    ) -> IndexMap<name::Group, GroupSpec> {
        let all: Vec<name::Environment> = environments.keys().cloned().collect();
        let mut groups = IndexMap::new();
        for (text, group) in written {
            let trail = trail!["groups", text];
            if let Some(name) = self.name::<name::Group>(&trail, On::Key, text) {
                groups.insert(name.clone(), self.group(&trail, name, group, &all));
            }
        }
        groups
    }

    fn group(
        &mut self,
        trail: &Trail,
        name: name::Group,
        written: &schema::Group,
        all: &[name::Environment],
    ) -> GroupSpec {
        let environments = self.listed(&step(trail, "environments"), written.environments.as_ref(), all, "");
        let instances = self.instances(&step(trail, "instances"), written.instances.as_ref());
        let instanced = instances != InstancesSpec::None;
        let (ssm_path, secretsmanager_path) =
            self.paths(&step(trail, "path"), written.path.as_ref(), &instances);
        let env = self.env(&step(trail, "env"), written, &instances);
        let mut keys = IndexMap::new();
        for (text, key) in &written.keys {
            let trail = trail!["groups", name, "keys", text];
            if text == RESERVED {
                self.found(&trail, On::Key, &format!("`{RESERVED}` is reserved for strongroom itself"));
            } else if let Some(name) = self.name::<name::Key>(&trail, On::Key, text) {
                keys.insert(name.clone(), self.key(&trail, name, key, &environments, instanced));
            }
        }
        let line = self.source.line(trail);
        GroupSpec {
            name,
            description: written.description.clone(),
            environments,
            instances,
            ssm_path,
            secretsmanager_path,
            env,
            audience: written.audience,
            shared: written.shared,
            keys,
            line,
        }
    }

    fn instances(&mut self, trail: &Trail, written: Option<&schema::Instances>) -> InstancesSpec {
        match written {
            None | Some(schema::Instances::Discovered(false)) => InstancesSpec::None,
            Some(schema::Instances::Discovered(true)) => InstancesSpec::Discovered,
            Some(schema::Instances::Listed(texts)) => {
                let mut names: Vec<name::Instance> = Vec::new();
                for (index, text) in texts.iter().enumerate() {
                    let trail = step(trail, &index);
                    let Some(name) = self.name::<name::Instance>(&trail, On::Value, text) else { continue };
                    if names.contains(&name) {
                        self.found(&trail, On::Value, &format!("the instance `{name}` is listed twice"));
                    }
                    names.push(name);
                }
                if texts.is_empty() {
                    let help = "name them, or write `instances = true` to discover them";
                    self.help(trail, On::Value, "no instance", help);
                }
                InstancesSpec::Listed(names)
            }
        }
    }

    fn paths(
        &mut self,
        trail: &Trail,
        written: Option<&schema::Path>,
        instances: &InstancesSpec,
    ) -> (NameTemplate, NameTemplate) {
        let instanced = *instances != InstancesSpec::None;
        let (ssm, document) = match written {
            None => (None, None),
            Some(schema::Path::Everywhere(text)) => {
                let path = self.path(trail, text, instances);
                (path.clone(), path)
            }
            Some(schema::Path::PerPlace(schema::PathPerPlace { ssm, secretsmanager })) => (
                ssm.as_ref().and_then(|text| self.path(&step(trail, "ssm"), text, instances)),
                secretsmanager
                    .as_ref()
                    .and_then(|text| self.path(&step(trail, "secretsmanager"), text, instances)),
            ),
        };
        let usual = |plain, with_instance| NameTemplate::known(if instanced { with_instance } else { plain });
        (
            ssm.unwrap_or_else(|| {
                usual(
                    "/{project}/{environment}/{group}/{key}",
                    "/{project}/{environment}/{group}/{instance}/{key}",
                )
            }),
            document.unwrap_or_else(|| {
                usual("{project}/{environment}/{group}", "{project}/{environment}/{group}/{instance}")
            }),
        )
    }

    fn path(&mut self, trail: &Trail, text: &str, instances: &InstancesSpec) -> Option<NameTemplate> {
        let allowed = [
            Placeholder::Project,
            Placeholder::Environment,
            Placeholder::Group,
            Placeholder::Key,
            Placeholder::Instance,
        ];
        let instanced = *instances != InstancesSpec::None;
        let template = self.template(trail, text, if instanced { &allowed } else { &allowed[..4] })?;
        let fits = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
        if let Some(bad) = template.texts().flat_map(str::chars).find(|c| !fits(*c)) {
            let message = format!("`{}` in a path", bad.escape_debug());
            self.help(trail, On::Value, &message, "a path has letters, digits, `_`, `.`, `-` and `/`");
        }
        if text.split('/').any(|segment| segment == RESERVED) {
            self.found(trail, On::Value, &format!("`{RESERVED}` is reserved for strongroom itself"));
        }
        if text.contains("//") || text.ends_with('/') || text.is_empty() {
            self.found(trail, On::Value, "a path with an empty part");
        }
        let whole = text.split('/').any(|segment| segment == "{instance}");
        if *instances == InstancesSpec::Discovered && !whole {
            let help = "write `{instance}` between two `/`, or list the instances";
            self.help(trail, On::Value, "instances cannot be discovered from this path", help);
        } else if instanced && !template.uses(Placeholder::Instance) {
            self.found(trail, On::Value, "every instance would lie at one path; add `{instance}`");
        }
        Some(template)
    }

    fn env(
        &mut self,
        trail: &Trail,
        written: &schema::Group,
        instances: &InstancesSpec,
    ) -> Option<NameTemplate> {
        let instanced = *instances != InstancesSpec::None;
        let Some(text) = &written.env else {
            return (!instanced).then(|| NameTemplate::known("{key}"));
        };
        if written.audience == Audience::Operator {
            self.found(
                trail,
                On::Key,
                "the values of a group with `audience = \"operator\"` reach no environment",
            );
        }
        let allowed = [
            Placeholder::Project,
            Placeholder::Environment,
            Placeholder::Group,
            Placeholder::Key,
            Placeholder::Instance,
        ];
        let template = self.template(trail, text, if instanced { &allowed } else { &allowed[..4] })?;
        if instanced && !template.uses(Placeholder::Instance) {
            self.found(trail, On::Value, "every instance would have one name; add `{instance}`");
        }
        if written.keys.len() > 1 && !template.uses(Placeholder::Key) {
            self.found(trail, On::Value, "every key would have one name; add `{key}`");
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if let Some(bad) = template.texts().flat_map(str::chars).find(|c| !fits(*c)) {
            let message = format!("`{}` in the name of a variable", bad.escape_debug());
            self.help(trail, On::Value, &message, "a name has letters, digits and `_`");
        }
        if text.starts_with(|c: char| c.is_ascii_digit()) || text.starts_with("{instance}") {
            let help = "an instance may start with a digit, and no variable can";
            self.help(trail, On::Value, "names that start with a digit", help);
        }
        Some(template)
    }

    pub(super) fn template(
        &mut self,
        trail: &Trail,
        text: &str,
        allowed: &[Placeholder],
    ) -> Option<NameTemplate> {
        match NameTemplate::parse(text, allowed) {
            Ok(template) => Some(template),
            Err(bad) => {
                match bad.help {
                    Some(help) => self.help(trail, On::Value, &bad.message, &help),
                    None => self.found(trail, On::Value, &bad.message),
                }
                None
            }
        }
    }

    fn key(
        &mut self,
        trail: &Trail,
        name: name::Key,
        written: &schema::Key,
        group: &[name::Environment],
        instanced: bool,
    ) -> KeySpec {
        let environments = match &written.environments {
            None => group.to_vec(),
            some => self.listed(&step(trail, "environments"), some.as_ref(), group, " of this group"),
        };
        self.exclusive(trail, written);
        let origin = self.literal(trail, written, &environments).unwrap_or(Origin::Home);
        if instanced && matches!(origin, Origin::Literal { .. }) {
            let field = if written.value.is_some() { "value" } else { "values" };
            let help = "an instance's values live in home; move the key to a group without instances";
            self.help(&step(trail, field), On::Key, "one value for every instance", help);
        }
        KeySpec {
            name,
            secret: written.secret,
            optional: written.optional,
            description: written.description.clone(),
            generate: written.generate.as_ref().and_then(|generate| self.generator(trail, generate)),
            parameter_type: written.parameter_type.unwrap_or_default(),
            environments,
            tags: written.tags.clone().into_iter().collect(),
            stands_for: None,
            line: self.source.line(trail),
            origin,
        }
    }

    /// What must not stand together.
    fn exclusive(&mut self, trail: &Trail, key: &schema::Key) {
        let field = if key.value.is_some() { "value" } else { "values" };
        let literal = key.value.is_some() || !key.values.is_empty();
        if !literal && key.derive.is_none() && key.parameter_type.is_none() {
            return;
        }
        let (literal_trail, derive) = (step(trail, field), step(trail, "derive"));
        if literal && key.secret {
            let help =
                "remove the value here and store it: `strongroom set`; change it if it was ever committed";
            self.help(&literal_trail, On::Key, "a secret never stands in the manifest", help);
        }
        if literal && key.derive.is_some() {
            self.found(&derive, On::Key, &format!("a key has `{field}` or `derive`, not both"));
        }
        if literal && key.generate.is_some() {
            let message = format!("a key with `{field}` is not generated");
            self.found(&step(trail, "generate"), On::Key, &message);
        }
        if key.derive.is_some() && key.generate.is_some() {
            self.found(&step(trail, "generate"), On::Key, "a derived key is not generated");
        }
        if literal && key.parameter_type.is_some() {
            let message = format!("a key with `{field}` is in no SSM parameter");
            self.found(&step(trail, "type"), On::Key, &message);
        }
        if key.secret && key.parameter_type == Some(schema::ParameterType::String) {
            let help = "leave `type` out, or `secret`";
            self.help(
                &step(trail, "type"),
                On::Value,
                "a secret in an SSM parameter that is not encrypted",
                help,
            );
        }
    }

    fn literal(
        &mut self,
        trail: &Trail,
        key: &schema::Key,
        environments: &[name::Environment],
    ) -> Option<Origin> {
        if key.value.is_none() && key.values.is_empty() {
            return None;
        }
        let mut by_environment = BTreeMap::new();
        for (text, value) in &key.values {
            let trail = trail!["groups", trail[1], "keys", trail[3], "values", text];
            let known = environments.iter().find(|name| name.as_str() == text).cloned();
            if known.is_none() {
                let UnknownName { message, help } =
                    UnknownName::environment(text, " of this key", environments);
                self.findings.push(Finding { trail: trail.clone(), on: On::Key, message, help });
            }
            let value = self.plain(&trail, value);
            by_environment.extend(known.zip(value));
        }
        let everywhere = match &key.value {
            Some(value) => self.plain(&step(trail, "value"), value),
            None => None,
        };
        let without = environments.iter().find(|name| !by_environment.contains_key(name));
        if let (None, false, Some(name)) = (&key.value, key.optional, without) {
            let help = format!("add `values.{name}`, `value` for all others, or `optional = true`");
            self.help(
                &step(trail, "values"),
                On::Key,
                &format!("no value in the environment `{name}`"),
                &help,
            );
        }
        Some(Origin::Literal { everywhere, by_environment })
    }

    fn plain(&mut self, trail: &Trail, text: &str) -> Option<(Secret, usize)> {
        match Secret::new(text.to_owned()) {
            Ok(value) => Some((value, self.source.line(trail))),
            Err(error) => {
                self.found(trail, On::Value, &error.to_string());
                None
            }
        }
    }

    fn generator(&mut self, trail: &Trail, written: &schema::Generate) -> Option<Generator> {
        let (alphabet, length) = match written {
            schema::Generate::Named(alphabet) => (*alphabet, None),
            schema::Generate::Sized(schema::GenerateSized { length, alphabet }) => (*alphabet, *length),
        };
        let Some(length) = length else { return Some(Generator::usual(alphabet)) };
        let generator = usize::try_from(length).ok().and_then(|length| Generator::sized(length, alphabet));
        if generator.is_none() && alphabet == Alphabet::Uuid {
            let trail = step(&step(trail, "generate"), "length");
            self.found(&trail, On::Key, "a UUID has a length of its own");
        }
        generator
    }
}
