//! One environment: what is deployed, the draft that may follow, and how both are told.

use super::applications::Bundle;
use super::deployment::Deployment;
use super::events::date;
use super::instances::Variables;
use super::platforms::Platform;
use super::settings::{Layers, PROPERTIES, REFERENCES, TEMPLATE};
use super::{Realm, catalogue, xml};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Where an environment stands; the words are AWS's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Launching,
    Updating,
    Aborting,
    Ready,
    Terminating,
    Terminated,
}

/// What becomes of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Pending,
    Failed,
}

/// A set of settings that is not deployed: on its way, or turned down and kept until somebody deletes it.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) fate: Fate,
    pub(crate) layers: Layers,
    /// The version to run with them.
    pub(crate) version: Option<String>,
    pub(crate) bundle: Bundle,
    pub(crate) created: Timestamp,
}

/// How well an environment is, as its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Green,
    Yellow,
    Red,
}

/// An environment and everything that it holds.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) application: String,
    pub(crate) description: String,
    pub(crate) version: Option<String>,
    pub(crate) platform: Platform,
    pub(crate) status: Status,
    /// Nothing is wrong with it; false after a launch that failed, and after a deployment that was left as it failed.
    pub(crate) healthy: bool,
    /// What a test says of its health, whatever becomes of it.
    pub(crate) told_health: Option<Health>,
    /// What its app answers with, where a test says so.
    pub(crate) app_status: Option<u16>,
    pub(crate) layers: Layers,
    pub(crate) bundle: Bundle,
    pub(crate) draft: Option<Draft>,
    pub(super) deployment: Option<Deployment>,
    /// What the containers saw when they started.
    pub(crate) containers: Variables,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

impl Environment {
    pub(super) fn arn(&self, realm: &Realm) -> String {
        realm.arn("elasticbeanstalk", &format!("environment/{}/{}", self.application, self.name))
    }

    pub(super) fn instance(&self) -> String {
        format!("i-0{}", self.id.trim_start_matches("e-"))
    }

    /// Colour, and the word of enhanced health.
    pub(super) fn health(&self) -> (&'static str, &'static str) {
        match self.status {
            Status::Ready => match self.told_health {
                Some(Health::Yellow) => ("Yellow", "Warning"),
                Some(Health::Red) => ("Red", "Severe"),
                None if !self.healthy => ("Red", "Severe"),
                Some(Health::Green) | None => ("Green", "Ok"),
            },
            Status::Launching => ("Grey", "Pending"),
            Status::Updating | Status::Aborting => ("Grey", "Info"),
            Status::Terminating | Status::Terminated => ("Grey", "Unknown"),
        }
    }

    /// What the app answers a plain request with. It is up while nothing is under way and its containers have started
    /// with everything that is set: no reference that was not resolved, no empty value.
    pub(crate) fn app_answers(&self) -> u16 {
        let seen = |name: &String| self.containers.get(name).is_some_and(|value| !value.is_empty());
        let is_whole =
            || [PROPERTIES, REFERENCES].iter().all(|part| self.layers.namespace(part).keys().all(seen));
        self.app_status.unwrap_or(if self.status == Status::Ready && is_whole() { 200 } else { 503 })
    }

    /// An EnvironmentDescription without its own element.
    pub(super) fn describe(&self, realm: &Realm) -> String {
        let (health, word) = self.health();
        let cname = format!("{}.{}.elasticbeanstalk.example", self.name, realm.region);
        let version = self.version.as_deref().map(|version| xml::text("VersionLabel", version));
        let tier =
            xml::text("Name", "WebServer") + &xml::text("Type", "Standard") + &xml::text("Version", "1.0");
        xml::text("EnvironmentName", &self.name)
            + &xml::text("EnvironmentId", &self.id)
            + &xml::text("ApplicationName", &self.application)
            + &version.unwrap_or_default()
            + &xml::text("SolutionStackName", &self.platform.stack())
            + &xml::text("PlatformArn", &self.platform.arn(realm))
            + &xml::text("Description", &self.description)
            + &xml::text("EndpointURL", "192.0.2.10")
            + &xml::text("CNAME", &cname)
            + &xml::text("DateCreated", &date(self.created))
            + &xml::text("DateUpdated", &date(self.updated))
            + &xml::text("Status", &format!("{:?}", self.status))
            + &xml::text("AbortableOperationInProgress", &self.is_abortable().to_string())
            + &xml::text("Health", health)
            + &xml::text("HealthStatus", word)
            + &xml::element("Tier", &tier)
            + &xml::list("EnvironmentLinks", [])
            + &xml::text("EnvironmentArn", &self.arn(realm))
    }

    /// Members of ConfigurationSettings: what is deployed, and a draft if there is one.
    pub(super) fn configurations(&self, realm: &Realm) -> Vec<String> {
        let deployed = self.configuration(realm, "deployed", &self.layers, self.updated);
        let draft = self.draft.as_ref().map(|draft| {
            let status = match draft.fate {
                Fate::Pending => "pending",
                Fate::Failed => "failed",
            };
            self.configuration(realm, status, &draft.layers, draft.created)
        });
        [Some(deployed), draft].into_iter().flatten().collect()
    }

    fn configuration(&self, realm: &Realm, status: &str, layers: &Layers, updated: Timestamp) -> String {
        xml::text("SolutionStackName", &self.platform.stack())
            + &xml::text("PlatformArn", &self.platform.arn(realm))
            + &xml::text("ApplicationName", &self.application)
            + &xml::text("Description", "")
            + &xml::text("EnvironmentName", &self.name)
            + &xml::text("DeploymentStatus", status)
            + &xml::text("DateCreated", &date(self.created))
            + &xml::text("DateUpdated", &date(updated))
            + &option_settings(layers)
    }
}

/// Every option with its effective value, options without one, and the properties once more in one string.
pub(super) fn option_settings(layers: &Layers) -> String {
    let valued = layers.effective();
    let mut told: Vec<(String, String, Option<String>)> = valued
        .iter()
        .map(|(option, value)| (option.namespace.clone(), option.name.clone(), Some(value.clone())))
        .collect();
    let unset = catalogue::without_value().filter(|option| !valued.contains_key(option));
    told.extend(unset.map(|option| (option.namespace, option.name, None)));
    told.push((TEMPLATE.to_owned(), "EnvironmentVariables".to_owned(), Some(layers.joined())));
    told.sort();
    let members = told.into_iter().map(|(namespace, name, value)| {
        let resource = catalogue::resource(&namespace).map(|name| xml::text("ResourceName", name));
        let value = value.map(|value| xml::text("Value", &value));
        resource.unwrap_or_default()
            + &xml::text("Namespace", &namespace)
            + &xml::text("OptionName", &name)
            + &value.unwrap_or_default()
    });
    xml::list("OptionSettings", members)
}
