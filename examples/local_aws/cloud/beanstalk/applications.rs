//! Applications: their versions, which bring .ebextensions, and their saved configurations.

use super::events::date;
use super::settings::{Layers, Options};
use super::{Beanstalk, Call, Realm, Refusal, environment, invalid, platforms::Platform, required, xml};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// An application.
#[derive(Clone, Debug)]
pub(super) struct Application {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) created: Timestamp,
    /// What the .ebextensions of each version set.
    pub(super) versions: BTreeMap<String, Options>,
    pub(super) templates: BTreeMap<String, Template>,
    pub(super) tags: BTreeMap<String, String>,
}

/// A saved configuration.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) platform: Platform,
    pub(super) options: Options,
    pub(super) created: Timestamp,
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

impl Template {
    /// A member of ConfigurationSettings; a saved configuration has no DeploymentStatus.
    pub(super) fn describe(&self, application: &str, name: &str, realm: &Realm) -> String {
        let layers = Layers { saved: self.options.clone(), ..Layers::default() };
        xml::text("SolutionStackName", &self.platform.stack())
            + &xml::text("PlatformArn", &self.platform.arn(realm))
            + &xml::text("ApplicationName", application)
            + &xml::text("TemplateName", name)
            + &xml::text("DateCreated", &date(self.created))
            + &xml::text("DateUpdated", &date(self.created))
            + &environment::option_settings(&layers)
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

    /// CreateConfigurationTemplate: from an environment, or from settings.
    pub(super) fn create_template(&mut self, call: Call<'_>) -> Result<String, Refusal> {
        let name = required(call.form, "TemplateName")?;
        let application = self.application(call.form)?.name.clone();
        let (platform, mut options) = if call.form.get("EnvironmentId").is_some() {
            let environment = &self.environments[self.named(call.form)?];
            let mut options = environment.layers.saved.clone();
            options.extend(environment.layers.direct.clone());
            (environment.platform, options)
        } else {
            (super::create::platform(call.form)?, Options::new())
        };
        options.extend(super::change::sets(call.form)?);
        let template = Template { platform, options, created: call.moment.at };
        let described = template.describe(&application, name, &self.realm);
        if let Some(application) = self.applications.get_mut(&application) {
            application.templates.insert(name.to_owned(), template);
        }
        Ok(described)
    }
}
