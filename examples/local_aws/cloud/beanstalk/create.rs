//! CreateEnvironment.

use super::applications::Version;
use super::deployment::Work;
use super::environment::{Environment, Status};
use super::platforms::Platform;
use super::settings::Layers;
use super::{Beanstalk, Call, Form, Refusal, catalogue, change, invalid, required, tags};
use std::collections::BTreeMap;

impl Beanstalk {
    /// Begins the launch of an environment; if that fails, the environment stays, without health.
    pub(super) fn create_environment(&mut self, call: Call<'_>) -> Result<String, Refusal> {
        let application = self.application(call.form)?;
        let name = required(call.form, "EnvironmentName")?;
        if !(4..=40).contains(&name.len()) {
            let message = format!(
                "1 validation error detected: Value '{name}' at 'environmentName' failed to satisfy constraint: Member \
                 must have length between 4 and 40"
            );
            return Err(Refusal::new("ValidationError", message));
        }
        let taken =
            |environment: &Environment| environment.name == name && environment.status != Status::Terminated;
        if self.environments.iter().any(taken) {
            return Err(invalid(format!("Environment {name} already exists.")));
        }
        let template = call.form.get("TemplateName").map(|name| application.template(name)).transpose()?;
        let platform = match template {
            Some(template) => template.platform,
            None => platform(call.form)?,
        };
        let version = call.form.get("VersionLabel").map(str::to_owned);
        let shipped = version.as_ref().map(|label| application.version(label)).transpose()?.cloned();
        let sets = change::sets(call.form)?;
        if let Some(complaint) = catalogue::complaints(&platform, &sets, &[]).into_iter().next() {
            return Err(complaint.into());
        }
        let Version { shipped, bundle } = shipped.unwrap_or_default();
        let layers = Layers {
            defaults: catalogue::defaults(&platform),
            ebextensions: shipped,
            saved: template.map(|template| template.options.clone()).unwrap_or_default(),
            direct: sets.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
        };
        let environment = Environment {
            id: self.next_id(),
            name: name.to_owned(),
            application: application.name.clone(),
            description: call.form.get("Description").unwrap_or_default().to_owned(),
            version,
            platform,
            status: Status::Launching,
            healthy: true,
            told_health: None,
            app_status: None,
            layers,
            bundle,
            draft: None,
            deployment: None,
            containers: BTreeMap::new(),
            tags: tags::listed(call.form, "Tags"),
            created: call.moment.at,
            updated: call.moment.at,
        };
        let order = self.order(call);
        self.environments.push(environment);
        let index = self.environments.len() - 1;
        self.environments[index].occupy(Work::Launch, order, &mut self.events);
        Ok(self.environments[index].describe(&self.realm))
    }

    pub(super) fn next_id(&self) -> String {
        format!("e-local{:05}", self.environments.len() + 1)
    }
}

/// The platform that a request names.
pub(super) fn platform(form: &Form) -> Result<Platform, Refusal> {
    let (arn, stack) = (form.get("PlatformArn"), form.get("SolutionStackName"));
    match (arn, stack) {
        (Some(name), None) => {
            let missing = || invalid(format!("No Platform Version found for PlatformArn = '{name}'."));
            Platform::named(name).ok_or_else(missing)
        }
        (None, Some(name)) => {
            Platform::named(name).ok_or_else(|| invalid(format!("No Solution Stack named '{name}' found.")))
        }
        (Some(_), Some(_)) => {
            let message = "You may specify either PlatformArn or SolutionStackName, but not both.";
            Err(Refusal::new("InvalidParameterCombination", message))
        }
        (None, None) => {
            let message = "Either PlatformArn, SolutionStackName or TemplateName must be specified.";
            Err(Refusal::new("MissingRequiredParameter", message))
        }
    }
}
