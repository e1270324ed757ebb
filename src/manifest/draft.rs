//! The text of a new manifest, for `init`.
//!
//! Owns how a manifest looks that nobody has edited yet: the order, and a short comment where a beginner needs one. What
//! goes into it was decided by whoever asks.

use crate::manifest::edit::{NewKey, declaration};
use crate::manifest::{Manifest, ManifestError};
use crate::name::{Address, Environment, Group, Key, Project};
use crate::render::Dialect;
use std::fmt::Write;
use toml_edit::Value;

/// What a new manifest declares.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The project's name.
    pub project: Project,
    /// Its one environment.
    pub environment: Environment,
    /// The home of that environment.
    pub home: DraftHome,
    /// Who can open the vault.
    pub recipients: Vec<String>,
    /// The groups with their keys.
    pub groups: Vec<DraftGroup>,
    /// The files to render.
    pub renders: Vec<DraftRender>,
}

/// The home of a new manifest's environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DraftHome {
    /// A file beside the manifest.
    Vault,
    /// SSM parameters of this account and region.
    Ssm {
        /// The account.
        account: String,
        /// The region.
        region: String,
    },
    /// The properties of a Beanstalk environment, as they are.
    Beanstalk {
        /// The account.
        account: String,
        /// The region.
        region: String,
        /// The Beanstalk application.
        application: String,
        /// The Beanstalk environment.
        environment: String,
    },
}

/// A group of a new manifest.
#[derive(Debug, Clone)]
pub struct DraftGroup {
    /// Its name.
    pub name: Group,
    /// Where its keys were found, for a comment.
    pub origin: Option<String>,
    /// Its keys.
    pub keys: Vec<(Key, NewKey)>,
    /// Whether it has instances, to be discovered in home.
    pub instances: bool,
    /// The names of its SSM parameters, where they are other than usual.
    pub ssm_path: Option<String>,
}

impl DraftGroup {
    /// A group without instances, where values lie as usual.
    pub fn new(name: Group, origin: Option<String>, keys: Vec<(Key, NewKey)>) -> DraftGroup {
        DraftGroup { name, origin, keys, instances: false, ssm_path: None }
    }
}

/// A render target of a new manifest.
#[derive(Debug, Clone)]
pub struct DraftRender {
    /// Its name.
    pub name: String,
    /// The file, from the manifest's folder on.
    pub file: String,
    /// Who reads it.
    pub dialects: Vec<Dialect>,
    /// The groups in it.
    pub groups: Vec<Group>,
    /// Single keys in it, of other groups.
    pub keys: Vec<Address>,
}

/// The text of a new manifest; it is read before it is given out.
pub fn new_manifest(draft: &Draft) -> Result<String, ManifestError> {
    let text = write(draft);
    Manifest::parse("strongroom.toml", &text)?;
    Ok(text)
}

fn write(draft: &Draft) -> String {
    let Draft { project, environment, home, recipients, groups, renders } = draft;
    let mut text = String::from(
        "# What this app needs to know, where each value lives and where it goes. Commit this file: it holds no secret.\n\
         # `strongroom set KEY` stores a value, `strongroom render` writes the files below.\n\
         version = 1\n\n[project]\n",
    );
    line(&mut text, "name", &project.as_str().into());
    line(&mut text, "default_environment", &environment.as_str().into());
    text.push_str("# Who can open the vault; `strongroom recipients add` adds a colleague.\n");
    match recipients.as_slice() {
        [] => text.push_str("recipients = []\n"),
        several => {
            text.push_str("recipients = [\n");
            for recipient in several {
                let _ = writeln!(text, "    {},", quoted(recipient));
            }
            text.push_str("]\n");
        }
    }
    write_environment(&mut text, environment, home);
    for group in groups {
        write_group(&mut text, group);
    }
    for render in renders {
        write_render(&mut text, render);
    }
    text
}

fn write_environment(text: &mut String, environment: &Environment, home: &DraftHome) {
    let name = bare(environment.as_str());
    let _ = writeln!(text, "\n[environments.{name}]");
    let place = |text: &mut String, home: &str, account: &String, region: &String| {
        line(text, "home", &home.into());
        line(text, "account", &account.as_str().into());
        line(text, "region", &region.as_str().into());
    };
    match home {
        DraftHome::Vault => {
            let _ = writeln!(
                text,
                "home = \"vault\"    # .strongroom/{environment}.age beside this file, sealed; it may be committed"
            );
        }
        DraftHome::Ssm { account, region } => place(text, "ssm", account, region),
        DraftHome::Beanstalk { account, region, application, environment } => {
            place(text, "beanstalk", account, region);
            let _ = writeln!(text, "\n[environments.{name}.copies.web]    # the truth, as it is today");
            line(text, "kind", &"beanstalk".into());
            line(text, "application", &application.as_str().into());
            line(text, "environment", &environment.as_str().into());
            line(text, "secrets", &"value".into());
        }
    }
}

fn write_group(text: &mut String, group: &DraftGroup) {
    text.push('\n');
    if let Some(origin) = &group.origin {
        let origin: String = origin.chars().filter(|c| !c.is_control()).collect();
        let _ = writeln!(text, "# From {origin}.");
    }
    if group.instances || group.ssm_path.is_some() {
        let _ = writeln!(text, "[groups.{}]", group.name);
        if group.instances {
            text.push_str("instances = true\n");
        }
        if let Some(path) = &group.ssm_path {
            line(text, "path.ssm", &path.as_str().into());
        }
    }
    let _ = writeln!(text, "[groups.{}.keys]", group.name);
    if group.keys.is_empty() {
        text.push_str(
            "# SECRET_KEY = { secret = true, generate = { length = 50, alphabet = \"url-safe\" } }\n",
        );
    }
    let widest = group.keys.iter().map(|(key, _)| key.as_str().len()).max().unwrap_or(0);
    for (key, new) in &group.keys {
        let _ = writeln!(text, "{key:widest$} = {}", declaration(new));
    }
}

fn write_render(text: &mut String, render: &DraftRender) {
    let _ = writeln!(text, "\n[render.{}]", bare(&render.name));
    line(text, "file", &render.file.as_str().into());
    let names: Vec<&str> = render.dialects.iter().map(|dialect| dialect.as_str()).collect();
    match names.as_slice() {
        [one] => line(text, "dialect", &(*one).into()),
        several => line(text, "dialect", &several.iter().copied().collect()),
    }
    if !render.groups.is_empty() || render.keys.is_empty() {
        line(text, "groups", &render.groups.iter().map(Group::as_str).collect());
    }
    if !render.keys.is_empty() {
        line(text, "keys", &render.keys.iter().map(ToString::to_string).collect());
    }
}

fn line(text: &mut String, field: &str, value: &Value) {
    let _ = writeln!(text, "{field} = {}", value.to_string().trim());
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A name as it stands in a table's header: in quotes where it is more than letters, digits, `-` and `_`.
fn bare(name: &str) -> String {
    let plain =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if plain { name.to_owned() } else { quoted(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_manifest_reads_well_and_is_one() {
        let key = |name: &str, new| (name.parse().unwrap(), new);
        let draft = Draft {
            project: "antenna".parse().unwrap(),
            environment: "prod.eu".parse().unwrap(),
            home: DraftHome::Vault,
            recipients: vec!["age1example".to_owned()],
            groups: vec![DraftGroup {
                name: "django".parse().unwrap(),
                origin: Some(".envs/.production/.django".to_owned()),
                keys: vec![
                    key("DJANGO_SECRET_KEY", NewKey { secret: true, ..NewKey::default() }),
                    key(
                        "DEBUG",
                        NewKey { value: Some("a \"quoted\" \\ value".to_owned()), ..NewKey::default() },
                    ),
                    key("HOST", NewKey::default()),
                    key("URL", NewKey { derive: Some("http://{HOST}/".to_owned()), ..NewKey::default() }),
                ],
                instances: false,
                ssm_path: None,
            }],
            renders: vec![DraftRender {
                name: "django".to_owned(),
                file: ".envs/.production/.django".to_owned(),
                dialects: vec![Dialect::Compose, Dialect::Docker],
                groups: vec!["django".parse().unwrap()],
                keys: vec![],
            }],
        };
        insta::assert_snapshot!(new_manifest(&draft).unwrap(), @r##"
# What this app needs to know, where each value lives and where it goes. Commit this file: it holds no secret.
# `strongroom set KEY` stores a value, `strongroom render` writes the files below.
version = 1

[project]
name = "antenna"
default_environment = "prod.eu"
# Who can open the vault; `strongroom recipients add` adds a colleague.
recipients = [
    "age1example",
]

[environments."prod.eu"]
home = "vault"    # .strongroom/prod.eu.age beside this file, sealed; it may be committed

# From .envs/.production/.django.
[groups.django.keys]
DJANGO_SECRET_KEY = { secret = true }
DEBUG             = { value = 'a "quoted" \ value' }
HOST              = {}
URL               = { derive = "http://{HOST}/" }

[render.django]
file = ".envs/.production/.django"
dialect = ["compose", "docker"]
groups = ["django"]
"##);
    }
}
