//! Operations that change an environment: settings, restarts, drafts.

use super::catalogue::{self, Complaint};
use super::deployment::{Order, Work};
use super::environment::{Draft, Environment, Fate};
use super::settings::{OptionName, Options};
use super::{Beanstalk, Call, Form, Refusal, invalid, required, xml};

impl Beanstalk {
    /// UpdateEnvironment: begins one configuration deployment, or that of another version.
    ///
    /// Settings that are as they were are deployed all the same, for AWS does not say that they are not.
    pub(super) fn update(&mut self, call: Call<'_>) -> Result<String, Refusal> {
        let (sets, removes) = (sets(call.form)?, removes(call.form)?);
        let configures = !sets.is_empty() || !removes.is_empty();
        let version = call.form.get("VersionLabel").filter(|label| !label.is_empty());
        let template = call.form.get("TemplateName").filter(|name| !name.is_empty());
        if version.is_some() && (configures || template.is_some()) {
            let message = "Attempting to update both the release and configuration is not allowed.";
            return Err(Refusal::new("InvalidParameterCombination", message));
        }
        if let Some(option) = removes.iter().find(|option| sets.contains_key(option)) {
            // AWS does not say which of the two it would do.
            let message = format!("Option {} is both set and removed.", option.name);
            return Err(Refusal::new("InvalidParameterCombination", message));
        }
        let index = self.ready(call.form)?;
        let environment = &self.environments[index];
        let (mut layers, mut bundle) = (environment.layers.clone(), environment.bundle);
        let application = &self.applications[&environment.application];
        if let Some(label) = version {
            let version = application.version(label)?;
            (layers.ebextensions, bundle) = (version.shipped.clone(), version.bundle);
        }
        if let Some(name) = template {
            layers.saved = application.template(name)?.options.clone();
        }
        if let Some(complaint) =
            catalogue::complaints(&environment.platform, &sets, &removes).into_iter().next()
        {
            return Err(complaint.into());
        }
        layers.change(&sets, &removes);
        let order = self.order(call);
        let environment = &mut self.environments[index];
        if let Some(description) = call.form.get("Description") {
            environment.description = description.to_owned();
        }
        let version = version.map(str::to_owned).or_else(|| environment.version.clone());
        let draft = Draft { fate: Fate::Pending, layers, version, bundle, created: order.at };
        environment.configure(draft, order, &mut self.events);
        Ok(self.environments[index].describe(&self.realm))
    }

    /// ValidateConfigurationSettings: what would be refused, as messages. It does not know how long all values are.
    pub(super) fn validate(&self, call: Call<'_>) -> Result<String, Refusal> {
        let application = self.application(call.form)?;
        let platform = match (call.form.get("EnvironmentName"), call.form.get("TemplateName")) {
            (Some(_), Some(_)) => {
                let message = "You may specify either EnvironmentName or TemplateName, but not both.";
                return Err(Refusal::new("InvalidParameterCombination", message));
            }
            (None, Some(name)) => application.template(name)?.platform,
            _ => self.environments[self.named(call.form)?].platform,
        };
        let complaints = catalogue::complaints(&platform, &sets(call.form)?, &[]);
        let members = complaints.into_iter().map(|Complaint { option, message }| {
            xml::text("Message", &message)
                + &xml::text("Severity", "error")
                + &xml::text("Namespace", &option.namespace)
                + &xml::text("OptionName", &option.name)
        });
        Ok(xml::list("Messages", members))
    }

    pub(super) fn restart(&mut self, call: Call<'_>) -> Result<String, Refusal> {
        self.occupy(call, Work::Restart).map(|_| String::new())
    }

    pub(super) fn terminate(&mut self, call: Call<'_>) -> Result<String, Refusal> {
        let index = self.occupy(call, Work::Terminate)?;
        Ok(self.environments[index].describe(&self.realm))
    }

    /// Begins work on an environment that is Ready.
    pub(super) fn occupy(&mut self, call: Call<'_>, work: Work) -> Result<usize, Refusal> {
        let index = self.ready(call.form)?;
        let order = self.order(call);
        self.environments[index].occupy(work, order, &mut self.events);
        Ok(index)
    }

    pub(super) fn order(&mut self, call: Call<'_>) -> Order {
        Order {
            request: call.moment.request.clone(),
            at: call.moment.at,
            looks: self.behaviour.looks,
            outcome: self.behaviour.outcomes.pop_front().unwrap_or_default(),
            aftermath: self.behaviour.aftermath,
        }
    }

    pub(super) fn abort(&mut self, call: Call<'_>) -> Result<String, Refusal> {
        let index = self.named(call.form)?;
        let environment = &mut self.environments[index];
        if !environment.is_abortable() {
            let name = &environment.name;
            return Err(invalid(format!(
                "Environment named {name} is in an invalid state for this operation. Must be pending deployment."
            )));
        }
        environment.abort(&call.moment.request, call.moment.at, &mut self.events);
        Ok(String::new())
    }

    /// DeleteEnvironmentConfiguration: takes away a draft that was turned down; none is as good as deleted.
    pub(super) fn delete_draft(&mut self, call: Call<'_>) -> Result<String, Refusal> {
        let application = self.application(call.form)?.name.clone();
        let name = required(call.form, "EnvironmentName")?;
        let index = self.named(call.form)?;
        let environment: &mut Environment = &mut self.environments[index];
        if environment.application != application {
            return Err(invalid(format!("No Environment found for EnvironmentName = '{name}'.")));
        }
        match environment.draft.as_ref().map(|draft| draft.fate) {
            Some(Fate::Pending) => Err(invalid(format!(
                "Environment named {name} is in an invalid state for this operation. Must be Ready."
            ))),
            Some(Fate::Failed) | None => {
                environment.draft = None;
                Ok(String::new())
            }
        }
    }
}

/// OptionSettings of a request. A setting without a value is as one with an empty value.
pub(super) fn sets(form: &Form) -> Result<Options, Refusal> {
    let members = form.list("OptionSettings");
    members
        .iter()
        .map(|member| Ok((option(member)?, member.get("Value").unwrap_or_default().to_owned())))
        .collect()
}

/// OptionsToRemove of a request.
pub(super) fn removes(form: &Form) -> Result<Vec<OptionName>, Refusal> {
    form.list("OptionsToRemove").iter().map(option).collect()
}

fn option(member: &Form) -> Result<OptionName, Refusal> {
    Ok(OptionName::new(required(member, "Namespace")?, required(member, "OptionName")?))
}
