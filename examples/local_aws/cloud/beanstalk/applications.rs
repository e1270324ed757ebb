//! Applications, and their versions, which bring files that matter to what instances see.

use super::events::date;
use super::settings::Options;
use super::templates::Template;
use super::{Beanstalk, Call, Realm, Refusal, invalid, required, xml};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// An application.
#[derive(Clone, Debug)]
pub(super) struct Application {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) created: Timestamp,
    pub(super) versions: BTreeMap<String, Version>,
    pub(super) templates: BTreeMap<String, Template>,
    pub(super) tags: BTreeMap<String, String>,
}

/// A version of an application.
#[derive(Clone, Debug, Default)]
pub(super) struct Version {
    /// What its .ebextensions set.
    pub(super) shipped: Options,
    pub(super) bundle: Bundle,
}

/// What the files of a version do with references.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bundle {
    /// Its Dockerrun.aws.json names no `executionRoleArn`, as which ECS fetches values.
    pub(crate) lacks_execution_role: bool,
    /// It makes `.env` from `get-config environment`, which does not tell what was resolved.
    pub(crate) env_from_get_config: bool,
}

impl Application {
    pub(super) fn new(name: &str, created: Timestamp) -> Application {
        Application {
            name: name.to_owned(),
            description: String::new(),
            created,
            versions: BTreeMap::new(),
            templates: BTreeMap::new(),
            tags: BTreeMap::new(),
        }
    }

    pub(super) fn arn(&self, realm: &Realm) -> String {
        realm.arn("elasticbeanstalk", &format!("application/{}", self.name))
    }

    pub(super) fn version(&self, label: &str) -> Result<&Version, Refusal> {
        let found = self.versions.get(label);
        found.ok_or_else(|| invalid(format!("No Application Version named '{label}' found.")))
    }

    pub(super) fn template(&self, name: &str) -> Result<&Template, Refusal> {
        let application = &self.name;
        self.templates
            .get(name)
            .ok_or_else(|| invalid(format!("No Configuration Template named '{application}/{name}' found.")))
    }

    fn describe(&self, realm: &Realm) -> String {
        let names =
            |names: Vec<&String>| names.into_iter().map(|name| xml::escaped(name)).collect::<Vec<_>>();
        xml::text("ApplicationArn", &self.arn(realm))
            + &xml::text("ApplicationName", &self.name)
            + &xml::text("Description", &self.description)
            + &xml::text("DateCreated", &date(self.created))
            + &xml::text("DateUpdated", &date(self.created))
            + &xml::list("Versions", names(self.versions.keys().rev().collect()))
            + &xml::list("ConfigurationTemplates", names(self.templates.keys().collect()))
    }
}

impl Beanstalk {
    pub(super) fn describe_applications(&self, call: Call<'_>) -> Result<String, Refusal> {
        let wanted = call.form.values("ApplicationNames");
        let all = self.applications.values();
        let chosen = all.filter(|application| wanted.is_empty() || wanted.contains(&application.name));
        let members = chosen.map(|application| application.describe(&self.realm));
        Ok(xml::list("Applications", members))
    }

    pub(super) fn create_application(&mut self, call: Call<'_>) -> Result<String, Refusal> {
        let name = required(call.form, "ApplicationName")?;
        if self.applications.contains_key(name) {
            return Err(invalid(format!("Application {name} already exists.")));
        }
        let application = Application {
            description: call.form.get("Description").unwrap_or_default().to_owned(),
            tags: super::tags::listed(call.form, "Tags"),
            ..Application::new(name, call.moment.at)
        };
        let described = application.describe(&self.realm);
        self.applications.insert(name.to_owned(), application);
        Ok(xml::element("Application", &described))
    }
}
