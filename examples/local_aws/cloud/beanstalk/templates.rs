//! Saved configurations: settings that an application keeps under a name, and that are lost with no environment.

use super::events::date;
use super::platforms::Platform;
use super::settings::{Layers, Options};
use super::{
    Beanstalk, Call, Form, Realm, Refusal, catalogue, change, create, environment, invalid, required, xml,
};
use jiff::Timestamp;

/// The most that an account may have.
const LIMIT: usize = 2000;

/// A saved configuration.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) platform: Platform,
    pub(super) description: String,
    pub(super) options: Options,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
}

impl Template {
    /// A member of ConfigurationSettings; a saved configuration has no DeploymentStatus.
    pub(super) fn describe(&self, application: &str, name: &str, realm: &Realm) -> String {
        let layers = Layers { saved: self.options.clone(), ..Layers::default() };
        xml::text("SolutionStackName", &self.platform.stack())
            + &xml::text("PlatformArn", &self.platform.arn(realm))
            + &xml::text("ApplicationName", application)
            + &xml::text("TemplateName", name)
            + &xml::text("Description", &self.description)
            + &xml::text("DateCreated", &date(self.created))
            + &xml::text("DateUpdated", &date(self.updated))
            + &environment::option_settings(&layers)
    }
}

impl Beanstalk {
    /// CreateConfigurationTemplate: from an environment, from another one, or from settings alone.
    pub(super) fn create_template(&mut self, call: Call<'_>) -> Result<String, Refusal> {
        let name = required(call.form, "TemplateName")?;
        let application = self.application(call.form)?;
        if application.templates.contains_key(name) {
            return Err(invalid(format!("Configuration Template {name} already exists.")));
        }
        if self.applications.values().map(|own| own.templates.len()).sum::<usize>() >= LIMIT {
            let message = "The maximum number of configuration templates was reached.";
            return Err(Refusal::new("TooManyConfigurationTemplatesException", message));
        }
        let (platform, mut options) = self.template_source(call.form)?;
        let sets = change::sets(call.form)?;
        complain(&platform, &sets, call.form)?;
        options.extend(sets);
        let at = call.moment.at;
        let description = call.form.get("Description").unwrap_or_default().to_owned();
        let template = Template { platform, description, options, created: at, updated: at };
        self.keep_template(call.form, name, template)
    }

    fn template_source(&self, form: &Form) -> Result<(Platform, Options), Refusal> {
        let source =
            (form.get("SourceConfiguration.ApplicationName"), form.get("SourceConfiguration.TemplateName"));
        match (form.get("EnvironmentId"), source) {
            (Some(_), (None, None)) => {
                let environment = &self.environments[self.named(form)?];
                let mut options = environment.layers.saved.clone();
                options.extend(environment.layers.direct.clone());
                Ok((environment.platform, options))
            }
            (None, (Some(application), Some(name))) => {
                let own =
                    self.applications.get(application).ok_or_else(|| super::no_application(application))?;
                let template = own.template(name)?;
                Ok((template.platform, template.options.clone()))
            }
            (None, (None, None)) => Ok((create::platform(form)?, Options::new())),
            _ => {
                let message = "Specify one of EnvironmentId and SourceConfiguration, with both of its names.";
                Err(Refusal::new("InvalidParameterCombination", message))
            }
        }
    }

    /// UpdateConfigurationTemplate: an environment that it was applied to keeps its copy.
    pub(super) fn update_template(&mut self, call: Call<'_>) -> Result<String, Refusal> {
        let name = required(call.form, "TemplateName")?;
        let mut template = self.application(call.form)?.template(name)?.clone();
        let (sets, removes) = (change::sets(call.form)?, change::removes(call.form)?);
        complain(&template.platform, &sets, call.form)?;
        template.options.retain(|option, _| !removes.contains(option));
        template.options.extend(sets);
        template.updated = call.moment.at;
        if let Some(description) = call.form.get("Description") {
            template.description = description.to_owned();
        }
        self.keep_template(call.form, name, template)
    }

    fn keep_template(&mut self, form: &Form, name: &str, template: Template) -> Result<String, Refusal> {
        let application = required(form, "ApplicationName")?;
        let described = template.describe(application, name, &self.realm);
        let own = self.applications.get_mut(application).ok_or_else(|| super::no_application(application))?;
        own.templates.insert(name.to_owned(), template);
        Ok(described)
    }

    /// DeleteConfigurationTemplate. What ran with it runs on.
    pub(super) fn delete_template(&mut self, call: Call<'_>) -> Result<String, Refusal> {
        let name = required(call.form, "TemplateName")?;
        self.application(call.form)?.template(name)?;
        let application = required(call.form, "ApplicationName")?;
        if let Some(own) = self.applications.get_mut(application) {
            own.templates.remove(name);
        }
        Ok(String::new())
    }
}

fn complain(platform: &Platform, sets: &Options, form: &Form) -> Result<(), Refusal> {
    let complaint = catalogue::complaints(platform, sets, &change::removes(form)?).into_iter().next();
    complaint.map_or(Ok(()), |complaint| Err(complaint.into()))
}
