//! What can be rotated: the keys that each kind needs, and whether a rotation may write them.

use super::{Resolver, step};
use crate::manifest::address;
use crate::manifest::model::{
    AdminSpec, GroupSpec, KeySpec, Manifest, Origin, PostgresSpec, Program, RotationKind, RotationSpec,
    XeroSpec,
};
use crate::manifest::schema::{self, ChosenBy, Rotate};
use crate::manifest::source::{On, Trail, trail};
use crate::name::{self, Address};
use indexmap::IndexMap;
use std::time::Duration;

const XERO_TOKEN_URL: &str = "https://identity.xero.com/connect/token";
const XERO_API_URL: &str = "https://api.xero.com";
const XERO_AUTHORIZE_URL: &str = "https://login.xero.com/identity/connect/authorize";

impl Resolver<'_> {
    pub(super) fn rotations(
        &mut self,
        written: &IndexMap<String, Rotate>,
        manifest: &Manifest,
    ) -> IndexMap<String, RotationSpec> {
        let mut rotations = IndexMap::new();
        for (name, rotate) in written {
            let trail = trail!["rotate", name];
            let (every, environments) = match rotate {
                Rotate::Postgres(spec) => (&spec.every, &spec.environments),
                Rotate::Xero(spec) => (&spec.every, &spec.environments),
                Rotate::DjangoSecretKey(spec) => (&spec.every, &spec.environments),
                Rotate::Random(spec) => (&spec.every, &spec.environments),
                Rotate::Command(spec) => (&spec.every, &spec.environments),
                Rotate::Follow(spec) => (&None, &spec.environments),
            };
            let every = self.duration(&step(&trail, "every"), every.as_ref());
            let all: Vec<name::Environment> = manifest.environments.keys().cloned().collect();
            let environments = self.listed(&step(&trail, "environments"), environments.as_ref(), &all, "");
            let kind = match rotate {
                Rotate::Postgres(spec) => self.postgres(&trail, spec, manifest),
                Rotate::Xero(spec) => self.xero(&trail, spec, manifest),
                Rotate::DjangoSecretKey(spec) => self.django_secret_key(&trail, spec, manifest),
                Rotate::Random(spec) => self.random(&trail, spec, manifest),
                Rotate::Command(spec) => self.command(&trail, spec, manifest),
                Rotate::Follow(spec) => self.follow(&trail, spec, manifest),
            };
            let line = self.source.line(&trail);
            if let Some(kind) = kind {
                let spec = RotationSpec { name: name.clone(), every, environments, kind, line };
                rotations.insert(name.clone(), spec);
            }
        }
        rotations
    }

    fn postgres(
        &mut self,
        trail: &Trail,
        written: &schema::RotatePostgres,
        manifest: &Manifest,
    ) -> Option<RotationKind> {
        let host = self.reads(&step(trail, "host"), &written.host, manifest);
        let port = written.port.as_ref().and_then(|port| self.reads(&step(trail, "port"), port, manifest));
        let database = self.reads(&step(trail, "database"), &written.database, manifest);
        let user = match written.strategy {
            schema::Strategy::Alternating => self.writes(&step(trail, "user"), &written.user, manifest),
            schema::Strategy::Single => self.reads(&step(trail, "user"), &written.user, manifest),
        };
        let password = self.writes(&step(trail, "password"), &written.password, manifest);
        let urls = self.all_written(&step(trail, "urls"), &written.urls, manifest);
        let admin = written.admin.as_ref().and_then(|admin| {
            let trail = step(trail, "admin");
            let user = self.reads(&step(&trail, "user"), &admin.user, manifest);
            let password = self.reads(&step(&trail, "password"), &admin.password, manifest);
            Some(AdminSpec { user: user?, password: password? })
        });
        Some(RotationKind::Postgres(Box::new(PostgresSpec {
            strategy: written.strategy,
            host: host?,
            port,
            database: database?,
            user: user?,
            password: password?,
            urls,
            admin,
            tls: written.tls.clone().unwrap_or_default(),
        })))
    }

    fn xero(
        &mut self,
        trail: &Trail,
        written: &schema::RotateXero,
        manifest: &Manifest,
    ) -> Option<RotationKind> {
        let group = match address::group_of(&manifest.groups, &written.group) {
            Ok(group) => group,
            Err(error) => {
                self.unknown(&step(trail, "group"), error);
                return None;
            }
        };
        let none = schema::XeroKeys::default();
        let keys = written.keys.as_ref().unwrap_or(&none);
        let mut key =
            |field: &str, named: &Option<String>| self.key_in(trail, group, field, named.as_deref());
        let client_id = key("client_id", &keys.client_id);
        let client_secret = key("client_secret", &keys.client_secret);
        let access_token = key("access_token", &keys.access_token);
        let refresh_token = key("refresh_token", &keys.refresh_token);
        let tenant_id = key("tenant_id", &keys.tenant_id);
        let token_expires_at = key("token_expires_at", &keys.token_expires_at);
        let url = |given: &Option<String>, usual: &str| given.clone().unwrap_or_else(|| usual.to_owned());
        Some(RotationKind::Xero(Box::new(XeroSpec {
            group: group.name.clone(),
            token_url: url(&written.token_url, XERO_TOKEN_URL),
            api_url: url(&written.api_url, XERO_API_URL),
            authorize_url: url(&written.authorize_url, XERO_AUTHORIZE_URL),
            redirect_url: written.redirect_url.clone(),
            scopes: written.scopes.clone(),
            client_id: client_id?,
            client_secret: client_secret?,
            access_token: access_token?,
            refresh_token: refresh_token?,
            tenant_id: tenant_id?,
            token_expires_at: token_expires_at?,
        })))
    }

    /// The key of a group that a field names, or that is called as the field.
    fn key_in(
        &mut self,
        trail: &Trail,
        group: &GroupSpec,
        field: &str,
        named: Option<&str>,
    ) -> Option<name::Key> {
        let text = named.unwrap_or(field);
        match address::key_of(group, text, |_| true) {
            Ok(key) => Some(key.name.clone()),
            Err(error) if named.is_some() => {
                self.unknown(&step(&step(trail, "keys"), field), error);
                None
            }
            Err(_) => {
                let help = format!("declare it, or say which key it is: `keys.{field} = \"…\"`");
                let message = format!("the group `{}` has no key `{field}`", group.name);
                self.help(&step(trail, "group"), On::Value, &message, &help);
                None
            }
        }
    }

    fn django_secret_key(
        &mut self,
        trail: &Trail,
        written: &schema::RotateDjangoSecretKey,
        manifest: &Manifest,
    ) -> Option<RotationKind> {
        let key = self.writes(&step(trail, "key"), &written.key, manifest);
        let fallbacks = written.fallbacks.as_ref();
        let fallbacks = fallbacks.and_then(|key| self.writes(&step(trail, "fallbacks"), key, manifest));
        let good = |key: &KeySpec| key.secret && key.optional;
        if fallbacks.as_ref().is_some_and(|address| !manifest.key(address).is_some_and(good)) {
            let help =
                "it holds old keys, and is not there most of the time: `{ secret = true, optional = true }`";
            self.help(&step(trail, "fallbacks"), On::Value, "it must be secret and optional", help);
        }
        let soak = self.duration(&step(trail, "soak"), written.soak.as_ref());
        Some(RotationKind::DjangoSecretKey { key: key?, fallbacks, soak })
    }

    fn random(
        &mut self,
        trail: &Trail,
        written: &schema::RotateRandom,
        manifest: &Manifest,
    ) -> Option<RotationKind> {
        let keys = self.generated(&step(trail, "keys"), &written.keys, manifest);
        let timeout = self.patience(trail, written.timeout.as_deref());
        let verify =
            written.verify.as_ref().map(|words| self.program(&step(trail, "verify"), words, timeout));
        Some(RotationKind::Random { keys, verify })
    }

    fn command(
        &mut self,
        trail: &Trail,
        written: &schema::RotateCommand,
        manifest: &Manifest,
    ) -> Option<RotationKind> {
        let keys = step(trail, "keys");
        let keys = match written.chosen_by {
            ChosenBy::Strongroom => self.generated(&keys, &written.keys, manifest),
            ChosenBy::Target => self.any(&keys, &written.keys, manifest),
        };
        let timeout = self.patience(trail, written.timeout.as_deref());
        let mut program =
            |field: &str, words: &Vec<String>| self.program(&step(trail, field), words, timeout);
        let apply = program("apply", &written.apply);
        let verify = written.verify.as_ref().map(|words| program("verify", words));
        let retire = written.retire.as_ref().map(|words| program("retire", words));
        let soak = self.duration(&step(trail, "soak"), written.soak.as_ref());
        if soak.is_some() && retire.is_none() {
            let help = "without `retire` nothing follows; say which program ends the old values, or leave `soak` out";
            self.help(&step(trail, "soak"), On::Key, "nothing to wait for", help);
        }
        Some(RotationKind::Command { keys, chosen_by: written.chosen_by, apply, verify, retire, soak })
    }

    fn follow(
        &mut self,
        trail: &Trail,
        written: &schema::RotateFollow,
        manifest: &Manifest,
    ) -> Option<RotationKind> {
        let arn = written.secret.split(':').collect::<Vec<_>>();
        if !matches!(arn.as_slice(), ["arn", _, "secretsmanager", _, _, "secret", ..]) {
            let help = "the ARN that RDS or Secrets Manager shows: `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME`";
            self.help(&step(trail, "secret"), On::Value, "not the ARN of a secret", help);
        }
        let all = step(trail, "keys");
        if written.keys.is_empty() {
            self.found(&all, On::Value, "no key to bring along");
        }
        let member = |(key, member): (&String, &String)| {
            Some((self.writes(&step(&all, key), key, manifest)?, member.clone()))
        };
        let keys = written.keys.iter().filter_map(member).collect();
        Some(RotationKind::Follow { secret: written.secret.clone(), keys })
    }

    fn program(&mut self, trail: &Trail, words: &[String], timeout: Duration) -> Program {
        if words.first().is_none_or(String::is_empty) {
            let help = "name the program and its arguments: `[\"./rotate-token\", \"--apply\"]`";
            self.help(trail, On::Value, "no program", help);
        }
        Program { words: words.to_owned(), timeout }
    }

    /// How long a program may take.
    fn patience(&mut self, trail: &Trail, written: Option<&str>) -> Duration {
        const USUAL: Duration = Duration::from_secs(60);
        let Some(text) = written else { return USUAL };
        let seconds = |unit: char| match unit {
            's' => Some(1),
            'm' => Some(60),
            'h' => Some(3600),
            _ => None,
        };
        let parsed = text.chars().last().and_then(seconds).and_then(|seconds| {
            let count: u32 = text.get(..text.len() - 1)?.parse().ok().filter(|count| *count > 0)?;
            Some(Duration::from_secs(u64::from(count) * seconds))
        });
        parsed.unwrap_or_else(|| {
            let help = "write seconds, minutes or hours: `30s`, `5m`, `1h`";
            self.help(&step(trail, "timeout"), On::Value, "not a time", help);
            USUAL
        })
    }

    /// Keys, each with a name of its own: programs know them by that.
    fn any(&mut self, trail: &Trail, written: &[String], manifest: &Manifest) -> Vec<Address> {
        let keys = self.all_written(trail, written, manifest);
        if written.is_empty() {
            self.found(trail, On::Value, "no key to rotate");
        }
        for (index, address) in keys.iter().enumerate() {
            if let Some(other) = keys[..index].iter().find(|other| other.key == address.key) {
                let message = format!("`{address}` is called as `{other}` is");
                let help = "programs know a value by its key: give them one rotation each";
                self.help(&step(trail, &index), On::Value, &message, help);
            }
        }
        keys
    }

    fn generated(&mut self, trail: &Trail, written: &[String], manifest: &Manifest) -> Vec<Address> {
        let keys = self.any(trail, written, manifest);
        for address in &keys {
            let generates = manifest.key(address).is_some_and(|key| key.generate.is_some());
            if !generates {
                let index = keys.iter().position(|other| other == address).unwrap_or_default();
                let help = format!("add `generate = \"alphanumeric\"` to `{address}`");
                self.help(
                    &step(trail, &index),
                    On::Value,
                    &format!("`{address}` does not say how it is made"),
                    &help,
                );
            }
        }
        keys
    }

    fn all_written(&mut self, trail: &Trail, written: &[String], manifest: &Manifest) -> Vec<Address> {
        let each = written.iter().enumerate();
        each.filter_map(|(index, key)| self.writes(&step(trail, &index), key, manifest)).collect()
    }

    /// A key whose value a rotation reads.
    fn reads(&mut self, trail: &Trail, text: &str, manifest: &Manifest) -> Option<Address> {
        match address::find(&manifest.groups, text, |_| true) {
            Ok(address) => Some(address),
            Err(error) => {
                self.unknown(trail, error);
                None
            }
        }
    }

    /// A key that a rotation gives a new value: it must live in home.
    fn writes(&mut self, trail: &Trail, text: &str, manifest: &Manifest) -> Option<Address> {
        let address = self.reads(trail, text, manifest)?;
        let key = manifest.key(&address).expect("the address was found among the keys");
        let why = match &key.origin {
            Origin::Home => return Some(address),
            Origin::Literal { .. } => format!("its value stands here, in line {}", key.line),
            Origin::Derived { line, .. } => format!("it is derived, in line {line}"),
        };
        self.help(trail, On::Value, &format!("`{text}` cannot be rotated"), &why);
        None
    }
}
