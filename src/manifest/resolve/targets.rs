//! Render targets, and the selections of groups and keys that they and copies name.

use super::{Resolver, step};
use crate::manifest::address;
use crate::manifest::model::{GroupSpec, Manifest, Owner, RenderSpec, Selection};
use crate::manifest::schema::{self, Audience};
use crate::manifest::source::{On, Trail, trail};
use crate::manifest::template::Placeholder;
use crate::name;
use crate::render::Dialect;
use indexmap::IndexMap;
use std::collections::BTreeMap;

impl Resolver<'_> {
    pub(super) fn renders(
        &mut self,
        written: &IndexMap<String, schema::Render>,
        manifest: &Manifest,
    ) -> IndexMap<String, RenderSpec> {
        let mut renders = IndexMap::new();
        for (name, render) in written {
            if let Some(spec) = self.render(name, render, manifest) {
                renders.insert(name.clone(), spec);
            }
        }
        renders
    }

    fn render(&mut self, name: &str, written: &schema::Render, manifest: &Manifest) -> Option<RenderSpec> {
        let trail = trail!["render", name];
        let all: Vec<name::Environment> = manifest.environments.keys().cloned().collect();
        let environments =
            self.listed(&step(&trail, "environments"), written.environments.as_ref(), &all, "");
        let file = step(&trail, "file");
        let template = self.template(&file, &written.file, &[Placeholder::Project, Placeholder::Environment]);
        if written.file.is_empty() || written.file.ends_with('/') {
            self.found(&file, On::Value, "not the name of a file");
        }
        let selection = Selection {
            groups: written
                .groups
                .as_ref()
                .map(|groups| self.group_list(&step(&trail, "groups"), groups, &environments, manifest)),
            keys: written.keys.as_ref().map(|keys| self.key_list(&step(&trail, "keys"), keys, manifest)),
            rename: self.renames(&step(&trail, "rename"), &written.rename),
        };
        let dialects = self.dialects(&step(&trail, "dialect"), &written.dialect);
        let mode = self.mode(&step(&trail, "mode"), written.mode.as_deref());
        let owner = self.owner(&step(&trail, "owner"), written.owner.as_deref());
        let line = self.source.line(&trail);
        let name = name.to_owned();
        Some(RenderSpec { name, file: template?, dialects, mode, owner, selection, environments, line })
    }

    /// The groups of a list, which must be able to go where it leads.
    pub(super) fn group_list(
        &mut self,
        trail: &Trail,
        written: &[String],
        environments: &[name::Environment],
        manifest: &Manifest,
    ) -> Vec<name::Group> {
        let mut found = Vec::new();
        for (index, text) in written.iter().enumerate() {
            let trail = step(trail, &index);
            match address::group_of(&manifest.groups, text) {
                Err(error) => self.unknown(&trail, error),
                Ok(group) if found.contains(&group.name) => {
                    self.found(&trail, On::Value, &format!("the group `{text}` is listed twice"));
                }
                Ok(group) => {
                    self.sendable(&trail, group);
                    if !group.environments.iter().any(|name| environments.contains(name)) {
                        self.found(&trail, On::Value, &format!("the group `{text}` does not belong here"));
                    }
                    found.push(group.name.clone());
                }
            }
        }
        found
    }

    pub(super) fn sendable(&mut self, trail: &Trail, group: &GroupSpec) {
        if group.audience == Audience::Operator {
            let message = format!("the group `{}` is for operators only and is sent nowhere", group.name);
            self.found(trail, On::Value, &message);
        } else if group.env.is_none() {
            let name = &group.name;
            let help =
                format!("say how its values are named: `env = \"{}_{{instance}}_{{key}}\"`", shout(name));
            self.help(trail, On::Value, &format!("the instances of `{name}` reach no environment"), &help);
        }
    }

    fn key_list(&mut self, trail: &Trail, written: &[String], manifest: &Manifest) -> Vec<name::Address> {
        let mut found = Vec::new();
        for (index, text) in written.iter().enumerate() {
            let trail = step(trail, &index);
            match address::find(&manifest.groups, text, |_| true) {
                Err(error) => self.unknown(&trail, error),
                Ok(address) if found.contains(&address) => {
                    self.found(&trail, On::Value, &format!("`{address}` is listed twice"));
                }
                Ok(address) => {
                    self.sendable(&trail, &manifest.groups[&address.group]);
                    found.push(address);
                }
            }
        }
        found
    }

    fn renames(
        &mut self,
        trail: &Trail,
        written: &IndexMap<String, String>,
    ) -> BTreeMap<name::Key, name::Key> {
        let mut renames = BTreeMap::new();
        for (from, to) in written {
            let trail = step(trail, from);
            let from = self.name::<name::Key>(&trail, On::Key, from);
            let to = self.name::<name::Key>(&trail, On::Value, to);
            renames.extend(from.zip(to));
        }
        renames
    }

    fn dialects(&mut self, trail: &Trail, written: &schema::Dialects) -> Vec<Dialect> {
        let dialects = match written {
            schema::Dialects::One(dialect) => vec![*dialect],
            schema::Dialects::Several(dialects) => dialects.clone(),
        };
        for (index, dialect) in dialects.iter().enumerate() {
            if dialects[..index].contains(dialect) {
                let message = format!("the dialect `{}` is listed twice", dialect.as_str());
                self.found(&step(trail, &index), On::Value, &message);
            }
        }
        if dialects.len() > 1 && dialects.contains(&Dialect::Json) {
            self.found(trail, On::Value, "no other dialect reads `json`; make two targets");
        }
        dialects
    }

    fn mode(&mut self, trail: &Trail, text: Option<&str>) -> u32 {
        const USUAL: u32 = 0o600;
        let Some(text) = text else { return USUAL };
        let octal = text.len() == 3 || (text.len() == 4 && text.starts_with('0'));
        match u32::from_str_radix(text, 8).ok().filter(|_| octal && !text.starts_with('+')) {
            None => {
                self.help(trail, On::Value, "not a mode", "write three octal digits: `0640`");
                USUAL
            }
            Some(mode) if mode & 0o002 != 0 => {
                self.found(trail, On::Value, "everybody could write this file");
                USUAL
            }
            Some(mode) if mode & 0o400 == 0 => {
                self.found(trail, On::Value, "its owner could not read this file");
                USUAL
            }
            Some(mode) => mode,
        }
    }

    fn owner(&mut self, trail: &Trail, text: Option<&str>) -> Option<Owner> {
        let text = text?;
        let (user, group) = text.split_once(':').unwrap_or((text, ""));
        let fits = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        if text.is_empty() || text == ":" || !fits(user) || !fits(group) {
            self.help(
                trail,
                On::Value,
                "not an owner",
                "write `USER`, `USER:GROUP` or `:GROUP`, names or numbers",
            );
            return None;
        }
        let given = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        Some(Owner { user: given(user), group: given(group) })
    }
}

fn shout(name: &name::Group) -> String {
    name.as_str().to_uppercase().replace('-', "_")
}
