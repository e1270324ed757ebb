//! Tags of applications and environments, by ARN.

use super::deployment::Work;
use super::environment::Status;
use super::{Beanstalk, Call, Form, Refusal, invalid, required, xml};
use std::collections::BTreeMap;

/// The most tags that a resource can have.
const LIMIT: usize = 50;

/// Members with Key and Value.
pub(super) fn listed(form: &Form, name: &str) -> BTreeMap<String, String> {
    let text = |tag: &Form, field: &str| tag.get(field).unwrap_or_default().to_owned();
    form.list(name).iter().map(|tag| (text(tag, "Key"), text(tag, "Value"))).collect()
}

/// What an ARN names.
enum Tagged {
    Application(String),
    Environment(usize),
}

impl Beanstalk {
    pub(super) fn list_tags(&self, call: Call<'_>) -> Result<String, Refusal> {
        let arn = required(call.form, "ResourceArn")?;
        let tags = match self.tagged(arn)? {
            Tagged::Application(name) => &self.applications[&name].tags,
            Tagged::Environment(index) => &self.environments[index].tags,
        };
        let members = tags.iter().map(|(key, value)| xml::text("Key", key) + &xml::text("Value", value));
        Ok(xml::text("ResourceArn", arn) + &xml::list("ResourceTags", members))
    }

    /// UpdateTagsForResource. An environment is Updating while its tags change, and must be Ready before.
    pub(super) fn update_tags(&mut self, call: Call<'_>) -> Result<String, Refusal> {
        let tagged = self.tagged(required(call.form, "ResourceArn")?)?;
        let (adds, removes) = (listed(call.form, "TagsToAdd"), call.form.values("TagsToRemove"));
        if let Tagged::Environment(index) = tagged {
            let environment = &self.environments[index];
            if environment.status != Status::Ready {
                let name = &environment.name;
                return Err(invalid(format!(
                    "Environment named {name} is in an invalid state for this operation. Must be Ready."
                )));
            }
        }
        let tags = match &tagged {
            Tagged::Application(name) => self.applications.get(name).map(|application| &application.tags),
            Tagged::Environment(index) => Some(&self.environments[*index].tags),
        };
        let mut tags = tags.cloned().unwrap_or_default();
        tags.retain(|key, _| !removes.contains(key));
        tags.extend(adds);
        if tags.len() > LIMIT {
            return Err(Refusal::new("TooManyTagsException", "The number of tags exceeds the limit."));
        }
        match tagged {
            Tagged::Application(name) => {
                if let Some(application) = self.applications.get_mut(&name) {
                    application.tags = tags;
                }
            }
            Tagged::Environment(index) => {
                self.environments[index].tags = tags;
                let order = self.order(call);
                self.environments[index].occupy(Work::Tag, order, &mut self.events);
            }
        }
        Ok(String::new())
    }

    fn tagged(&self, arn: &str) -> Result<Tagged, Refusal> {
        let mut applications = self.applications.values();
        if let Some(application) = applications.find(|own| own.arn(&self.realm) == arn) {
            return Ok(Tagged::Application(application.name.clone()));
        }
        let index = self.environments.iter().position(|environment| {
            environment.status != Status::Terminated && environment.arn(&self.realm) == arn
        });
        index.map(Tagged::Environment).ok_or_else(|| {
            let message = format!("Resource not found for arn '{arn}'.");
            Refusal::new("ResourceNotFoundException", message)
        })
    }
}
