//! What an environment is deployed with, out of AWS's answer that also holds drafts and every value a second time.
//!
//! Owns the choice of the member that is deployed, by its status and never by its place. Each value of the answer goes
//! into a [`Secret`] at once, those too that nobody asked for; nothing of the answer is ever formatted.

use super::limits::joined;
use super::platform::Platform;
use crate::secret::{InvalidValue, Secret};
use crate::snapshot::Setting;
use aws_sdk_elasticbeanstalk::types::{
    ConfigurationDeploymentStatus, ConfigurationOptionSetting, ConfigurationSettingsDescription,
};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Plain environment properties.
pub(super) const PROPERTIES: &str = "aws:elasticbeanstalk:application:environment";
/// Variables by reference.
pub(super) const REFERENCES: &str = "aws:elasticbeanstalk:application:environmentsecrets";

/// The variables of one configuration.
#[derive(Debug, Default)]
pub(super) struct Variables {
    /// Plain properties by name: every source merged, the platform's own among them.
    pub(super) properties: BTreeMap<String, Secret>,
    /// References by name, as AWS has them.
    pub(super) references: BTreeMap<String, String>,
}

/// A configuration that is not deployed.
#[derive(Debug)]
pub(super) enum Draft {
    /// On its way.
    Pending,
    /// Turned down, and kept until somebody deletes it or deploys another.
    Failed(Variables),
}

/// What an environment is deployed with.
#[derive(Debug)]
pub(super) struct Deployed {
    pub(super) variables: Variables,
    pub(super) platform: Platform,
    pub(super) draft: Option<Draft>,
}

/// Why an answer tells nothing.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// No member at all: what AWS answers instead of a refusal.
    Hidden,
    /// Members, and none of them is deployed.
    NotDeployed,
    /// A property is no value of ours.
    Value(String, InvalidValue),
}

impl Deployed {
    /// Takes AWS's answer apart.
    pub(super) fn of(members: Vec<ConfigurationSettingsDescription>) -> Result<Deployed, Unreadable> {
        if members.is_empty() {
            return Err(Unreadable::Hidden);
        }
        let (mut deployed, mut draft) = (None, None);
        for mut member in members {
            let variables = Variables::of(member.option_settings.take().unwrap_or_default());
            match member.deployment_status {
                Some(ConfigurationDeploymentStatus::Deployed) => {
                    let (stack, arn) =
                        (member.solution_stack_name.as_deref(), member.platform_arn.as_deref());
                    deployed = Some((variables?, Platform::of(stack, arn)));
                }
                Some(ConfigurationDeploymentStatus::Failed) => {
                    draft = Some(Draft::Failed(variables.unwrap_or_default()));
                }
                Some(ConfigurationDeploymentStatus::Pending) => draft = Some(Draft::Pending),
                Some(_) | None => {}
            }
        }
        let (variables, platform) = deployed.ok_or(Unreadable::NotDeployed)?;
        Ok(Deployed { variables, platform, draft })
    }
}

impl Variables {
    /// Takes the settings of one configuration apart.
    pub(super) fn of(settings: Vec<ConfigurationOptionSetting>) -> Result<Variables, Unreadable> {
        let mut variables = Variables::default();
        for mut setting in settings {
            // The joined copy of all values, too, is wiped here.
            let Some(mut value) = setting.value.take().map(Zeroizing::new) else { continue };
            let Some(name) = setting.option_name else { continue };
            match setting.namespace.as_deref() {
                Some(PROPERTIES) => {
                    let secret = Secret::new(std::mem::take(&mut *value));
                    let secret = secret.map_err(|invalid| Unreadable::Value(name.clone(), invalid))?;
                    variables.properties.insert(name, secret);
                }
                Some(REFERENCES) => drop(variables.references.insert(name, std::mem::take(&mut *value))),
                Some(_) | None => {}
            }
        }
        Ok(variables)
    }

    /// All of them as AWS has them.
    pub(super) fn settings(&self) -> Vec<Setting> {
        let setting = |namespace: &str, name: &String, value: Secret| Setting {
            namespace: namespace.to_owned(),
            name: name.clone(),
            value,
        };
        let plain = self.properties.iter().map(|(name, value)| setting(PROPERTIES, name, value.clone()));
        let references = self.references.iter().filter_map(|(name, reference)| {
            // An ARN has no NUL, which is all that a value may not have.
            Some(setting(REFERENCES, name, Secret::new(reference.clone()).ok()?))
        });
        plain.chain(references).collect()
    }

    /// Names that are a property and a reference; AWS does not say which of the two the app gets.
    pub(super) fn doubled(&self) -> impl Iterator<Item = &str> {
        self.references.keys().filter(|name| self.properties.contains_key(*name)).map(String::as_str)
    }

    /// Every variable's name, once.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let only = self.properties.keys().filter(|name| !self.references.contains_key(*name));
        self.references.keys().chain(only).map(String::as_str)
    }

    /// Bytes of the budget in use.
    pub(super) fn bytes(&self) -> usize {
        joined(&self.properties)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(status: &str, settings: &[(&str, &str, Option<&str>)]) -> ConfigurationSettingsDescription {
        let setting = |(namespace, name, value): &(&str, &str, Option<&str>)| {
            let setting = ConfigurationOptionSetting::builder().namespace(*namespace).option_name(*name);
            setting.set_value(value.map(str::to_owned)).build()
        };
        ConfigurationSettingsDescription::builder()
            .deployment_status(status.into())
            .solution_stack_name("64bit Amazon Linux 2023 v4.9.1 running Docker")
            .set_option_settings(Some(settings.iter().map(setting).collect()))
            .build()
    }

    #[test]
    fn what_is_deployed_is_found_by_its_status_wherever_it_stands() {
        let (live, draft) = (
            member("deployed", &[(PROPERTIES, "A", Some("live")), (PROPERTIES, "UNSET", None)]),
            member("failed", &[(PROPERTIES, "A", Some("draft"))]),
        );
        for members in [vec![live.clone(), draft.clone()], vec![draft.clone(), live]] {
            let deployed = Deployed::of(members).unwrap();
            assert_eq!(deployed.variables.properties["A"].expose(), "live");
            assert_eq!(deployed.variables.names().collect::<Vec<_>>(), ["A"]);
            assert!(matches!(deployed.draft, Some(Draft::Failed(_))));
        }
        assert!(matches!(Deployed::of(vec![draft]), Err(Unreadable::NotDeployed)));
        assert!(matches!(Deployed::of(Vec::new()), Err(Unreadable::Hidden)));
    }

    #[test]
    fn neither_the_joined_copy_nor_a_draft_is_seen_and_nothing_tells_a_value() {
        let all = [
            (PROPERTIES, "A", Some("canary")),
            ("aws:cloudformation:template:parameter", "EnvironmentVariables", Some("A=canary")),
            (REFERENCES, "B", Some("arn:aws:ssm:us-east-1:111122223333:parameter/b")),
        ];
        let deployed = Deployed::of(vec![member("deployed", &all), member("pending", &all)]).unwrap();
        assert_eq!(deployed.variables.names().collect::<Vec<_>>(), ["B", "A"]);
        assert!(!format!("{deployed:?}").contains("canary"));
    }
}
