//! A running cloud with one environment, and the Rust SDK's client of it with short words for its calls.

use crate::support::cloud::beanstalk::Beanstalk;
use crate::support::cloud::beanstalk::handles::Seed;
use crate::support::cloud::beanstalk::settings::{PROPERTIES, REFERENCES};
use crate::support::cloud::{ACCESS_KEY, Cloud, REGION, SECRET_KEY};
use aws_sdk_elasticbeanstalk::Client;
use aws_sdk_elasticbeanstalk::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use aws_sdk_elasticbeanstalk::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_elasticbeanstalk::operation::RequestId;
use aws_sdk_elasticbeanstalk::types::{ConfigurationOptionSetting, OptionSpecification};
use jiff::Timestamp;
use std::collections::BTreeMap;
use tokio::runtime::Runtime;

pub(super) const APP: &str = "shop";
pub(super) const ENVIRONMENT: &str = "shop-prod";
pub(super) const DOCKER: &str = "64bit Amazon Linux 2023 v4.9.1 running Docker";

/// What a call was refused with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) code: String,
    pub(super) message: String,
}

/// One member of DescribeConfigurationSettings.
#[derive(Debug)]
pub(super) struct Configuration {
    pub(super) status: String,
    options: BTreeMap<(String, String), Option<String>>,
}

impl Configuration {
    /// The value of an option that is there and has one.
    pub(super) fn option(&self, namespace: &str, name: &str) -> Option<&str> {
        self.options.get(&(namespace.to_owned(), name.to_owned()))?.as_deref()
    }

    pub(super) fn property(&self, name: &str) -> Option<&str> {
        self.option(PROPERTIES, name)
    }

    pub(super) fn has(&self, namespace: &str, name: &str) -> bool {
        self.options.contains_key(&(namespace.to_owned(), name.to_owned()))
    }
}

/// The cloud, and a client of it.
pub(super) struct Stage {
    pub(super) cloud: Cloud,
    pub(super) client: Client,
    runtime: Runtime,
}

impl Stage {
    /// With an environment on the newest Docker platform that has these properties.
    pub(super) fn with<'a>(properties: impl IntoIterator<Item = (&'a str, &'a str)>) -> Stage {
        Stage::seeded(Seed::new(APP, ENVIRONMENT, DOCKER).properties(properties))
    }

    pub(super) fn seeded(seed: Seed) -> Stage {
        let cloud = Cloud::start();
        cloud.world(|world| world.beanstalk.add(seed, Timestamp::now()));
        let client = client(&cloud, ACCESS_KEY);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Stage { cloud, client, runtime }
    }

    /// The same cloud as somebody who may do only what a policy says.
    pub(super) fn limited(self, policy: &serde_json::Value) -> Stage {
        let arn = "arn:aws:iam::111122223333:user/limited";
        self.cloud.principal("AKIALOCALLIMITEDEXAM", arn, &policy.to_string()).unwrap();
        Stage { client: client(&self.cloud, "AKIALOCALLIMITEDEXAM"), ..self }
    }

    pub(super) fn beanstalk<T>(&self, visit: impl FnOnce(&mut Beanstalk) -> T) -> T {
        self.cloud.world(|world| visit(&mut world.beanstalk))
    }

    /// Runs one call.
    pub(super) fn call<T, E, R>(
        &self,
        call: impl Future<Output = Result<T, SdkError<E, R>>>,
    ) -> Result<T, Refused>
    where
        E: ProvideErrorMetadata,
        SdkError<E, R>: ProvideErrorMetadata + std::fmt::Debug,
    {
        self.runtime.block_on(call).map_err(|error| Refused {
            code: error.code().unwrap_or_else(|| panic!("{error:?}")).to_owned(),
            message: error.message().unwrap_or_default().to_owned(),
        })
    }

    /// UpdateEnvironment with properties; one without a value is removed. The answer is the request's ID.
    pub(super) fn update(&self, properties: &[(&str, Option<&str>)]) -> Result<String, Refused> {
        let mut call = self.client.update_environment().environment_name(ENVIRONMENT);
        for (name, value) in properties {
            call = match value {
                Some(value) => call.option_settings(setting(PROPERTIES, name, value)),
                None => call.options_to_remove(option(PROPERTIES, name)),
            };
        }
        let answer = self.call(call.send())?;
        assert_eq!(answer.status().unwrap().as_str(), "Updating");
        assert_eq!(answer.health().unwrap().as_str(), "Grey");
        Ok(answer.request_id().unwrap().to_owned())
    }

    /// UpdateEnvironment with a variable by reference.
    pub(super) fn refer(&self, name: &str, arn: &str) -> Result<String, Refused> {
        let call = self.client.update_environment().environment_name(ENVIRONMENT);
        let answer = self.call(call.option_settings(setting(REFERENCES, name, arn)).send())?;
        Ok(answer.request_id().unwrap().to_owned())
    }

    /// The environment's status, by one look.
    pub(super) fn status(&self) -> String {
        let call = self.client.describe_environments().environment_names(ENVIRONMENT);
        let answer = self.call(call.send()).unwrap();
        answer.environments()[0].status().unwrap().as_str().to_owned()
    }

    /// Looks until the environment is Ready.
    pub(super) fn wait(&self) {
        while self.status() != "Ready" {}
    }

    /// What the environment's app answers a plain request with.
    pub(super) fn app(&self) -> u16 {
        self.runtime.block_on(strongroom::web::status(&self.cloud.app(ENVIRONMENT))).unwrap()
    }

    pub(super) fn settings(&self) -> Vec<Configuration> {
        let call = self.client.describe_configuration_settings().application_name(APP);
        let answer = self.call(call.environment_name(ENVIRONMENT).send()).unwrap();
        let members = answer.configuration_settings().iter().map(|member| {
            let option = |setting: &ConfigurationOptionSetting| {
                let text = |text: Option<&str>| text.unwrap().to_owned();
                let name = (text(setting.namespace()), text(setting.option_name()));
                (name, setting.value().map(str::to_owned))
            };
            Configuration {
                status: member.deployment_status().unwrap().as_str().to_owned(),
                options: member.option_settings().iter().map(option).collect(),
            }
        });
        members.collect()
    }

    /// Severity and message of the events of a request, oldest first.
    pub(super) fn events(&self, request: &str) -> Vec<String> {
        let call = self.client.describe_events().environment_name(ENVIRONMENT).request_id(request);
        let answer = self.call(call.send()).unwrap();
        let line = |event: &aws_sdk_elasticbeanstalk::types::EventDescription| {
            format!("{} {}", event.severity().unwrap().as_str(), event.message().unwrap())
        };
        answer.events().iter().rev().map(line).collect()
    }
}

fn client(cloud: &Cloud, access_key: &str) -> Client {
    let config = aws_sdk_elasticbeanstalk::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(cloud.endpoint())
        .credentials_provider(Credentials::new(access_key, SECRET_KEY, None, None, "invented"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

pub(super) fn setting(namespace: &str, name: &str, value: &str) -> ConfigurationOptionSetting {
    ConfigurationOptionSetting::builder().namespace(namespace).option_name(name).value(value).build()
}

pub(super) fn option(namespace: &str, name: &str) -> OptionSpecification {
    OptionSpecification::builder().namespace(namespace).option_name(name).build()
}
