//! Environments, their homes and copies.

use super::{Resolver, step};
use crate::manifest::address::shown;
use crate::manifest::model::{CopySpec, EnvironmentSpec, Manifest, Place, Quota, Secrets, Selection};
use crate::manifest::problem::{any_of, instead};
use crate::manifest::schema;
use crate::manifest::source::{On, Trail, trail};
use crate::name;
use indexmap::IndexMap;

const HOMES: [&str; 5] = ["vault", "ssm", "secretsmanager", "beanstalk", "memory"];

impl Resolver<'_> {
    pub(super) fn environments(
        &mut self,
        written: &schema::Manifest,
    ) -> IndexMap<name::Environment, EnvironmentSpec> {
        let mut environments = IndexMap::new();
        for (text, environment) in &written.environments {
            let trail = trail!["environments", text];
            let name = self.name::<name::Environment>(&trail, On::Key, text);
            let home = self.home(&trail, environment);
            self.account(&trail, environment);
            let (Some(name), Some(home)) = (name, home) else { continue };
            let region = environment.region.clone().or_else(|| written.project.region.clone());
            environments.insert(name.clone(), spec(name, home, region, environment));
        }
        if written.environments.is_empty() {
            self.help(&trail!["environments"], On::Key, "no environment", "add one: `[environments.local]`");
        }
        environments
    }

    fn home(&mut self, trail: &Trail, environment: &schema::Environment) -> Option<Place> {
        let trail = step(trail, "home");
        match environment.home.as_str() {
            "vault" => Some(Place::Vault),
            "ssm" => Some(Place::Ssm),
            "secretsmanager" => Some(Place::SecretsManager),
            "memory" => Some(Place::Memory),
            "beanstalk" => self.only_copy(&trail, environment),
            text => match text.strip_prefix("beanstalk:") {
                Some(copy) => {
                    let copy = self.known(&trail, "copy", copy, environment.copies.keys())?.clone();
                    Some(Place::Beanstalk { copy })
                }
                None => {
                    let shown = shown(text);
                    let help = instead(text, HOMES).unwrap_or_default();
                    self.help(&trail, On::Value, &format!("unknown place `{shown}`"), &help);
                    None
                }
            },
        }
    }

    fn only_copy(&mut self, trail: &Trail, environment: &schema::Environment) -> Option<Place> {
        let names: Vec<&str> = environment.copies.keys().map(String::as_str).collect();
        match names.as_slice() {
            [copy] => Some(Place::Beanstalk { copy: (*copy).to_owned() }),
            [] => {
                let name = &trail[1];
                let help = format!("add it: `[environments.{name}.copies.web]` with `kind = \"beanstalk\"`");
                self.help(trail, On::Value, "home is a Beanstalk copy, and there is none", &help);
                None
            }
            several => {
                let choices: Vec<String> = several.iter().map(|name| format!("beanstalk:{name}")).collect();
                let help = format!("say which: {}", any_of(choices.iter().map(String::as_str)));
                self.help(trail, On::Value, "home is one of several Beanstalk copies", &help);
                None
            }
        }
    }

    fn account(&mut self, trail: &Trail, environment: &schema::Environment) {
        let digits = |text: &String| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        if environment.account.as_ref().is_some_and(|account| !digits(account)) {
            self.found(&step(trail, "account"), On::Value, "an AWS account is twelve digits");
        }
    }

    /// The copies, once the groups that they name are known.
    pub(super) fn copies(&mut self, written: &schema::Manifest, manifest: &mut Manifest) {
        for (text, environment) in &written.environments {
            let Some(name) = manifest.environments.keys().find(|name| name.as_str() == text).cloned() else {
                continue;
            };
            for (copy, written) in &environment.copies {
                let trail = trail!["environments", text, "copies", copy];
                let spec = self.copy(&trail, copy, written, &name, manifest);
                let environment = manifest.environments.get_mut(&name).expect("the name is one of its keys");
                environment.copies.insert(copy.clone(), spec);
            }
        }
    }

    fn copy(
        &mut self,
        trail: &Trail,
        name: &str,
        written: &schema::Copy,
        environment: &name::Environment,
        manifest: &Manifest,
    ) -> CopySpec {
        let schema::Copy::Beanstalk { application, environment: beanstalk, groups, secrets, references } =
            written;
        let groups = groups.as_ref().map(|groups| {
            let here = std::slice::from_ref(environment);
            self.group_list(&step(trail, "groups"), groups, here, manifest)
        });
        let selection = Selection { groups, ..Selection::default() };
        let references = self.references(trail, *secrets, references, environment, &selection, manifest);
        CopySpec {
            name: name.to_owned(),
            application: application.clone(),
            environment: beanstalk.clone(),
            selection,
            secrets: *secrets,
            references,
        }
    }

    /// What goes by reference beside the rest, and whether anything can.
    fn references(
        &mut self,
        trail: &Trail,
        secrets: Secrets,
        written: &[String],
        environment: &name::Environment,
        selection: &Selection,
        manifest: &Manifest,
    ) -> Vec<name::Address> {
        let home = &manifest.environments[environment].home;
        let list = step(trail, "references");
        if !home.can_be_referred_to() {
            let message = format!("nothing can refer to a value in {home}");
            let told = "references are to values in `ssm` or `secretsmanager`";
            if secrets == Secrets::Reference {
                let help = format!("{told}; use `secrets = \"value\"`");
                self.help(&step(trail, "secrets"), On::Value, &message, &help);
            } else if !written.is_empty() {
                self.help(&list, On::Key, &message, &format!("{told}; remove `references`"));
            }
            return Vec::new();
        }
        if secrets == Secrets::Reference && !written.is_empty() {
            let help = "remove `references`, or write `secrets = \"value\"` to send the others by value";
            self.help(&list, On::Key, "every secret is a reference already", help);
            return Vec::new();
        }
        let mut found = Vec::new();
        for (index, text) in written.iter().enumerate() {
            let trail = step(&list, &index);
            match manifest.address(environment, text) {
                Err(error) => self.unknown(&trail, error),
                Ok(address) if found.contains(&address) => {
                    self.found(&trail, On::Value, &format!("`{address}` is listed twice"));
                }
                Ok(address) => {
                    self.referable(&trail, &address, environment, selection, manifest);
                    found.push(address);
                }
            }
        }
        found
    }

    /// Whether a copy gets a value, from a home that has it.
    fn referable(
        &mut self,
        trail: &Trail,
        address: &name::Address,
        environment: &name::Environment,
        selection: &Selection,
        manifest: &Manifest,
    ) {
        let group = &manifest.groups[&address.group];
        if !group.reaches_environments() {
            self.sendable(trail, group);
        } else if !selection.takes(address) {
            let help = format!("add `{}` to its `groups`", group.name);
            self.help(trail, On::Value, &format!("the copy does not get `{address}`"), &help);
        } else if !manifest.lives_in_home(environment, address) {
            let message = format!("`{address}` is in no home, and nothing can refer to it");
            let help = "what stands in the manifest, or is derived without a secret, goes by value";
            self.help(trail, On::Value, &message, help);
        }
    }
}

fn spec(
    name: name::Environment,
    home: Place,
    region: Option<String>,
    written: &schema::Environment,
) -> EnvironmentSpec {
    let usual = Quota::default();
    let quota = written.quota.as_ref();
    EnvironmentSpec {
        name,
        home,
        account: written.account.clone(),
        profile: written.profile.clone(),
        region,
        role_arn: written.role_arn.clone(),
        kms_key: written.kms_key.clone(),
        parameter_tier: written.parameter_tier,
        endpoint_url: written.endpoint_url.clone(),
        tags: written.tags.clone().into_iter().collect(),
        protected: written.protected,
        quota: Quota {
            reads: quota.and_then(|quota| quota.reads).unwrap_or(usual.reads),
            writes: quota.and_then(|quota| quota.writes).unwrap_or(usual.writes),
        },
        copies: IndexMap::new(),
    }
}
