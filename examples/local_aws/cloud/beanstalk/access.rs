//! The ARNs that a policy must allow an action on.

use super::environment::{Environment, Status};
use super::{Beanstalk, Form};

impl Beanstalk {
    /// The ARNs that a policy must allow the action on; `*` where the action knows no resource or names none.
    pub(crate) fn resources(&self, action: &str, form: &Form) -> Vec<String> {
        let found = match action {
            "CreateApplication" => form.get("ApplicationName").map(|name| vec![self.application_arn(name)]),
            "DescribeApplications" => {
                let names = form.values("ApplicationNames");
                Some(names.iter().map(|name| self.application_arn(name)).collect())
            }
            "CreateEnvironment" => self.named_within(form),
            "DescribePlatformVersion" => form.get("PlatformArn").map(|arn| vec![arn.to_owned()]),
            "ListTagsForResource" | "UpdateTagsForResource" => {
                form.get("ResourceArn").map(|arn| vec![arn.to_owned()])
            }
            "CreateConfigurationTemplate" | "DeleteConfigurationTemplate" | "UpdateConfigurationTemplate" => {
                self.template_arn(form)
            }
            "DescribeConfigurationSettings" | "ValidateConfigurationSettings" => {
                self.template_arn(form).or_else(|| self.named_within(form))
            }
            "DescribeEnvironments" => Some(self.listed(form)),
            "ListPlatformVersions" => None,
            _ => self.environment_arn(form),
        };
        found.filter(|arns| !arns.is_empty()).unwrap_or_else(|| vec!["*".to_owned()])
    }

    fn arn(&self, rest: &str) -> String {
        self.realm.arn("elasticbeanstalk", rest)
    }

    fn application_arn(&self, name: &str) -> String {
        self.arn(&format!("application/{name}"))
    }

    fn template_arn(&self, form: &Form) -> Option<Vec<String>> {
        let (application, name) = (form.get("ApplicationName")?, form.get("TemplateName")?);
        Some(vec![self.arn(&format!("configurationtemplate/{application}/{name}"))])
    }

    /// An environment by its own name and that of its application.
    fn named_within(&self, form: &Form) -> Option<Vec<String>> {
        let (application, name) = (form.get("ApplicationName")?, form.get("EnvironmentName")?);
        Some(vec![self.arn(&format!("environment/{application}/{name}"))])
    }

    /// An environment by its name or ID; one that does not exist belongs to no application.
    fn environment_arn(&self, form: &Form) -> Option<Vec<String>> {
        let (name, id) = (form.get("EnvironmentName"), form.get("EnvironmentId"));
        let own = |environment: &&Environment| {
            environment.status != Status::Terminated
                && (name == Some(environment.name.as_str()) || id == Some(environment.id.as_str()))
        };
        let application = form.get("ApplicationName").unwrap_or("unknown");
        match self.environments.iter().find(own) {
            Some(environment) => Some(vec![environment.arn(&self.realm)]),
            None => Some(vec![self.arn(&format!("environment/{application}/{}", name.or(id)?))]),
        }
    }

    fn listed(&self, form: &Form) -> Vec<String> {
        let (names, ids) = (form.values("EnvironmentNames"), form.values("EnvironmentIds"));
        let all = self.environments.iter();
        let chosen = all.filter(|own| names.contains(&own.name) || ids.contains(&own.id));
        let arn = |environment: &Environment| environment.arn(&self.realm);
        let mut arns: Vec<String> = chosen.map(arn).collect();
        let known = |name: &&String| !self.environments.iter().any(|own| own.name == **name);
        let application = form.get("ApplicationName").unwrap_or("unknown");
        let unknown = names.iter().filter(known);
        arns.extend(unknown.map(|name| self.arn(&format!("environment/{application}/{name}"))));
        arns
    }
}
