//! What is kept beside what is deployed: the application's saved configurations, by the names of their plain properties.
//!
//! Owns the calls that find them. Each value of an answer goes into a `Secret` at once and is dropped; names are all that
//! comes out. It never changes anything.

use super::Beanstalk;
use super::deployed::{Unreadable, Variables};
use crate::store::aws::{Family, Request};
use crate::store::{Store, StoreError};

/// An application may have 2,000; a call is made for each of so many.
const MOST: usize = 100;

/// The saved configurations of an application.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Saved {
    /// Those that were looked at.
    pub configurations: Vec<SavedConfiguration>,
    /// How many more there are.
    pub unseen: usize,
}

/// A configuration that somebody saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedConfiguration {
    /// Its name.
    pub name: String,
    /// The names of the plain properties that it has values of.
    pub plain: Vec<String>,
}

impl Beanstalk {
    /// What the application has saved, whichever of its environments it was of.
    pub async fn saved(&self) -> Result<Saved, StoreError> {
        let mut names = self.template_names().await?;
        let unseen = names.len().saturating_sub(MOST);
        names.truncate(MOST);
        let mut configurations = Vec::new();
        for name in names {
            let plain = self.plain_of_template(&name).await?;
            configurations.push(SavedConfiguration { name, plain });
        }
        Ok(Saved { configurations, unseen })
    }

    async fn template_names(&self) -> Result<Vec<String>, StoreError> {
        let clients = self.aws.clients().await?;
        let request = Request::read("elasticbeanstalk:DescribeApplications", Family::Beanstalk);
        let send = || clients.beanstalk.describe_applications().application_names(&self.application).send();
        let answer = match self.aws.call(&request, send).await {
            Ok(answer) => answer,
            Err(failure) => {
                let resource = self.arn(&format!("application/{}", self.application)).await;
                return Err(failure.at(&self.location(), request.action, &resource));
            }
        };
        let own = answer.applications.unwrap_or_default().into_iter().next();
        Ok(own.and_then(|own| own.configuration_templates).unwrap_or_default())
    }

    async fn plain_of_template(&self, name: &str) -> Result<Vec<String>, StoreError> {
        let clients = self.aws.clients().await?;
        let request = Request::read("elasticbeanstalk:DescribeConfigurationSettings", Family::Beanstalk);
        let send = || {
            let call = clients.beanstalk.describe_configuration_settings();
            call.application_name(&self.application).template_name(name).send()
        };
        let resource = self.arn(&format!("configurationtemplate/{}/{name}", self.application)).await;
        let answer = match self.aws.call(&request, send).await {
            Ok(answer) => answer,
            Err(failure) => return Err(failure.at(&self.location(), request.action, &resource)),
        };
        let member = answer.configuration_settings.unwrap_or_default().into_iter().next();
        let Some(mut member) = member else { return Err(self.hidden(&resource)) };
        match Variables::of(member.option_settings.take().unwrap_or_default()) {
            Ok(variables) => Ok(variables.properties.into_keys().collect()),
            // Nobody asked for the value: that it is none of ours says that there is one.
            Err(Unreadable::Value(name, _)) => Ok(vec![name]),
            Err(other) => Err(self.unreadable(other).await),
        }
    }
}
