//! Elastic Beanstalk: applications, environments and their deployments.
//!
//! Owns what Beanstalk holds and which operation answers what. An environment is Ready after it was looked at often
//! enough, by DescribeEnvironments or DescribeEvents: no clock runs here. Secrets and parameters belong to the other
//! services; instances get them through a [`Resolver`] when they bootstrap.

mod access;
pub(crate) mod applications;
mod catalogue;
mod change;
mod create;
pub(crate) mod deployment;
mod describe;
pub(crate) mod environment;
pub(crate) mod events;
pub(crate) mod handles;
mod health;
pub(crate) mod instances;
mod pages;
mod platforms;
pub(crate) mod seeds;
pub(crate) mod settings;
mod tags;
mod templates;

use super::{Form, Moment, Realm, Refusal, xml};
use applications::Application;
use environment::{Environment, Status};
use events::Events;
use handles::Behaviour;
use std::collections::BTreeMap;

/// Where instances get the values of references from.
pub(crate) trait Resolver {
    /// The text behind the ARN of a secret or a parameter, as the instance profile may read it; else why not.
    fn resolve(&self, arn: &str) -> Result<String, String>;
}

/// What Beanstalk holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beanstalk {
    pub(super) realm: Realm,
    /// How it behaves where AWS leaves room; tests set it.
    pub(crate) behaviour: Behaviour,
    applications: BTreeMap<String, Application>,
    environments: Vec<Environment>,
    events: Events,
}

/// One call, with what it needs besides the state.
#[derive(Clone, Copy)]
struct Call<'a> {
    form: &'a Form,
    moment: &'a Moment,
    resolver: &'a dyn Resolver,
}

impl Beanstalk {
    /// The XML inside of the action's `Result` element; empty where AWS sends none.
    pub(crate) fn answer(
        &mut self,
        action: &str,
        form: &Form,
        moment: &Moment,
        resolver: &dyn Resolver,
    ) -> Result<String, Refusal> {
        let call = Call { form, moment, resolver };
        match action {
            "AbortEnvironmentUpdate" => self.abort(call),
            "CreateApplication" => self.create_application(call),
            "CreateConfigurationTemplate" => self.create_template(call),
            "CreateEnvironment" => self.create_environment(call),
            "DeleteConfigurationTemplate" => self.delete_template(call),
            "DeleteEnvironmentConfiguration" => self.delete_draft(call),
            "DescribeApplications" => self.describe_applications(call),
            "DescribeConfigurationOptions" => self.describe_options(call),
            "DescribeConfigurationSettings" => self.describe_settings(call),
            "DescribeEnvironmentHealth" => self.describe_health(call),
            "DescribeEnvironmentResources" => self.describe_resources(call),
            "DescribeEnvironments" => self.describe_environments(call),
            "DescribeEvents" => self.describe_events(call),
            "DescribeInstancesHealth" => self.describe_instances(call),
            "DescribePlatformVersion" => platforms::describe(form, &self.realm),
            "ListPlatformVersions" => platforms::list(form, &self.realm),
            "ListTagsForResource" => self.list_tags(call),
            "RestartAppServer" => self.restart(call),
            "TerminateEnvironment" => self.terminate(call),
            "UpdateConfigurationTemplate" => self.update_template(call),
            "UpdateEnvironment" => self.update(call),
            "UpdateTagsForResource" => self.update_tags(call),
            "ValidateConfigurationSettings" => self.validate(call),
            _ => {
                let message = format!("Could not find operation {action} for version 2010-12-01");
                Err(Refusal::new("InvalidAction", message))
            }
        }
    }

    /// Index of the environment that EnvironmentName, EnvironmentId or both name; a terminated one is not found.
    fn named(&self, form: &Form) -> Result<usize, Refusal> {
        let (name, id) = (form.get("EnvironmentName"), form.get("EnvironmentId"));
        if name.is_none() && id.is_none() {
            let message = "Either EnvironmentName or EnvironmentId must be specified.";
            return Err(Refusal::new("MissingRequiredParameter", message));
        }
        let found = self.environments.iter().position(|environment| {
            environment.status != Status::Terminated
                && name.is_none_or(|name| name == environment.name)
                && id.is_none_or(|id| id == environment.id)
        });
        found.ok_or_else(|| {
            let (field, value) = match (name, id) {
                (Some(name), _) => ("EnvironmentName", name),
                (None, id) => ("EnvironmentId", id.unwrap_or_default()),
            };
            invalid(format!("No Environment found for {field} = '{value}'."))
        })
    }

    /// The same, if it is in a state in which it can be changed.
    fn ready(&self, form: &Form) -> Result<usize, Refusal> {
        let index = self.named(form)?;
        let environment = &self.environments[index];
        if environment.status == Status::Ready {
            return Ok(index);
        }
        let name = &environment.name;
        Err(invalid(format!(
            "Environment named {name} is in an invalid state for this operation. Must be Ready."
        )))
    }

    fn application(&self, form: &Form) -> Result<&Application, Refusal> {
        let name = required(form, "ApplicationName")?;
        self.applications.get(name).ok_or_else(|| no_application(name))
    }
}

fn no_application(name: &str) -> Refusal {
    invalid(format!("No Application named '{name}' found."))
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterValue", message)
}

/// A parameter that the API's model requires.
fn required<'a>(form: &'a Form, name: &str) -> Result<&'a str, Refusal> {
    form.get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
        let field: String =
            name.chars().take(1).flat_map(char::to_lowercase).chain(name.chars().skip(1)).collect();
        let message = format!(
            "1 validation error detected: Value null at '{field}' failed to satisfy constraint: Member must not be null"
        );
        Refusal::new("ValidationError", message)
    })
}
