//! Operations that tell what there is. Two of them are looks: they bring deployments nearer to their end.

use super::catalogue;
use super::environment::Status;
use super::events::time;
use super::handles::Members;
use super::settings::Layers;
use super::{Beanstalk, Call, Refusal, invalid, pages, required, xml};

impl Beanstalk {
    /// DescribeEnvironments. Terminated environments are told for a while, unless IncludeDeleted is false.
    pub(super) fn describe_environments(&mut self, call: Call<'_>) -> Result<String, Refusal> {
        let (names, ids) = (call.form.values("EnvironmentNames"), call.form.values("EnvironmentIds"));
        let deleted = call.form.get("IncludeDeleted") != Some("false");
        let back_to = time(call.form, "IncludedDeletedBackTo")?;
        let asked =
            |name: &str, own: Option<&str>| call.form.get(name).is_none_or(|value| own == Some(value));
        let chosen: Vec<usize> = self
            .environments
            .iter()
            .enumerate()
            .filter(|(_, environment)| {
                let gone = environment.status == Status::Terminated;
                (names.is_empty() || names.contains(&environment.name))
                    && (ids.is_empty() || ids.contains(&environment.id))
                    && asked("ApplicationName", Some(&environment.application))
                    && asked("VersionLabel", environment.version.as_deref())
                    && (!gone || deleted && back_to.is_none_or(|time| environment.updated >= time))
            })
            .map(|(index, _)| index)
            .collect();
        for index in &chosen {
            self.look(*index, call);
        }
        let (page, token) = pages::cut(chosen, call.form)?;
        let told = page.iter().map(|index| self.environments[*index].describe(&self.realm));
        Ok(xml::list("Environments", told) + &token)
    }

    /// DescribeEvents: of one environment, or of all that the filters leave.
    pub(super) fn describe_events(&mut self, call: Call<'_>) -> Result<String, Refusal> {
        let by_id = call.form.get("EnvironmentId");
        let by_name = call.form.get("EnvironmentName");
        let chosen: Vec<usize> = (0..self.environments.len())
            .filter(|index| {
                let environment = &self.environments[*index];
                by_id.is_none_or(|id| id == environment.id)
                    && by_name.is_none_or(|name| name == environment.name)
            })
            .collect();
        for index in &chosen {
            self.look(*index, call);
        }
        let of_id = chosen.first().map(|index| self.environments[*index].name.clone());
        let name = if by_id.is_some() { Some(of_id.unwrap_or_default()) } else { by_name.map(str::to_owned) };
        self.events.describe(call.form, name.as_deref(), call.moment)
    }

    fn look(&mut self, index: usize, call: Call<'_>) {
        let environment = &mut self.environments[index];
        self.events.looked_at(&environment.name);
        let delivery = self.behaviour.delivery;
        environment.looked_at(call.moment.at, delivery, call.resolver, &mut self.events);
    }

    /// DescribeConfigurationSettings: what is deployed and a draft, in an order that AWS does not promise. Nothing at
    /// all for who may not see it.
    pub(super) fn describe_settings(&self, call: Call<'_>) -> Result<String, Refusal> {
        required(call.form, "ApplicationName")?;
        if self.behaviour.hides_settings {
            return Ok(Self::hidden_settings());
        }
        let application = self.application(call.form)?;
        let (environment, template) = (call.form.get("EnvironmentName"), call.form.get("TemplateName"));
        let members = match (environment, template) {
            (Some(_), Some(_)) => {
                let message = "You may specify either EnvironmentName or TemplateName, but not both.";
                return Err(Refusal::new("InvalidParameterCombination", message));
            }
            (None, None) => {
                let message = "Either EnvironmentName or TemplateName must be specified.";
                return Err(Refusal::new("MissingRequiredParameter", message));
            }
            (None, Some(name)) => {
                vec![application.template(name)?.describe(&application.name, name, &self.realm)]
            }
            (Some(name), None) => {
                let environment = &self.environments[self.named(call.form)?];
                if environment.application != application.name {
                    return Err(invalid(format!("No Environment found for EnvironmentName = '{name}'.")));
                }
                let mut members = environment.configurations(&self.realm);
                if self.behaviour.members == Members::DraftFirst {
                    members.reverse();
                }
                members
            }
        };
        Ok(xml::list("ConfigurationSettings", members))
    }

    /// What DescribeConfigurationSettings answers instead of AccessDenied.
    pub(crate) fn hidden_settings() -> String {
        xml::list("ConfigurationSettings", [])
    }

    /// DescribeConfigurationOptions: the options with their defaults.
    pub(super) fn describe_options(&self, call: Call<'_>) -> Result<String, Refusal> {
        let platform = if call.form.get("EnvironmentName").is_some() {
            self.environments[self.named(call.form)?].platform
        } else {
            super::create::platform(call.form)?
        };
        let wanted = call.form.list("Options");
        let asked = |namespace: &str, name: &str| {
            wanted.is_empty()
                || wanted.iter().any(|option| {
                    let matches = |field: &str, own: &str| option.get(field).is_none_or(|value| value == own);
                    matches("Namespace", namespace) && matches("OptionName", name)
                })
        };
        let layers = Layers { defaults: catalogue::defaults(&platform), ..Layers::default() };
        let valued = layers.defaults.iter().map(|(option, value)| (option.clone(), Some(value.clone())));
        let all = valued.chain(catalogue::without_value().map(|option| (option, None)));
        let members =
            all.filter(|(option, _)| asked(&option.namespace, &option.name)).map(|(option, value)| {
                let value = value.map(|value| xml::text("DefaultValue", &value));
                xml::text("Namespace", &option.namespace)
                    + &xml::text("Name", &option.name)
                    + &value.unwrap_or_default()
                    + &xml::text("ChangeSeverity", "RestartApplicationServer")
                    + &xml::text("UserDefined", "false")
                    + &xml::text("ValueType", "Scalar")
            });
        let stack = xml::text("SolutionStackName", &platform.stack());
        Ok(stack + &xml::text("PlatformArn", &platform.arn(&self.realm)) + &xml::list("Options", members))
    }

    /// DescribeEnvironmentResources: one instance in one group.
    pub(super) fn describe_resources(&self, call: Call<'_>) -> Result<String, Refusal> {
        let environment = &self.environments[self.named(call.form)?];
        let group = format!("awseb-{}-stack-AWSEBAutoScalingGroup", environment.id);
        let inner = xml::text("EnvironmentName", &environment.name)
            + &xml::list("AutoScalingGroups", [xml::text("Name", &group)])
            + &xml::list("Instances", [xml::text("Id", &environment.instance())])
            + &xml::list("LaunchConfigurations", [])
            + &xml::list("LaunchTemplates", [])
            + &xml::list("LoadBalancers", [])
            + &xml::list("Triggers", [])
            + &xml::list("Queues", []);
        Ok(xml::element("EnvironmentResources", &inner))
    }
}
