//! What a test, or the start of the example, sets up and looks at without a call.
//!
//! Owns how the server behaves where AWS leaves room, what somebody else does, and environments that are there from the
//! start.

use super::applications::{Application, Bundle, Version};
use super::deployment::{Aftermath, Delivery, Order, Outcome};
use super::environment::{Draft, Environment, Fate, Health, Status};
use super::events::Event;
use super::instances::{self, Failures, Variables};
use super::platforms::Platform;
use super::settings::{Layers, OptionName, Options, PROPERTIES, REFERENCES};
use super::templates::Template;
use super::{Beanstalk, Resolver, catalogue};
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};

/// The order of the members of DescribeConfigurationSettings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Members {
    /// What runs, then the draft.
    #[default]
    DeployedFirst,
    /// The draft, then what runs.
    DraftFirst,
}

/// How the server behaves where AWS leaves room.
#[derive(Clone, Debug)]
pub(crate) struct Behaviour {
    /// How many looks (DescribeEnvironments, DescribeEvents) see a deployment under way.
    pub(crate) looks: usize,
    pub(crate) members: Members,
    pub(crate) delivery: Delivery,
    /// How the next deployments end; after the last, by themselves.
    pub(crate) outcomes: VecDeque<Outcome>,
    /// What the next deployments leave behind that fail.
    pub(crate) aftermath: Aftermath,
    /// Nobody may see configuration settings: the answer is an empty list.
    pub(crate) hides_settings: bool,
}

impl Default for Behaviour {
    fn default() -> Behaviour {
        Behaviour {
            looks: 2,
            members: Members::default(),
            delivery: Delivery::default(),
            outcomes: VecDeque::new(),
            aftermath: Aftermath::default(),
            hides_settings: false,
        }
    }
}

/// An environment that is there from the start, Ready.
#[derive(Clone, Debug)]
pub(crate) struct Seed {
    application: String,
    name: String,
    platform: Platform,
    layers: Layers,
    bundle: Bundle,
}

impl Seed {
    /// An environment on a solution stack such as `64bit Amazon Linux 2023 v4.9.1 running Docker`.
    pub(crate) fn new(application: &str, name: &str, stack: &str) -> Seed {
        let platform = Platform::named(stack).expect("a solution stack of this server");
        let layers = Layers { defaults: catalogue::defaults(&platform), ..Layers::default() };
        let (application, name) = (application.to_owned(), name.to_owned());
        Seed { application, name, platform, layers, bundle: Bundle::default() }
    }

    /// With a plain property, set directly.
    pub(crate) fn property(self, name: &str, value: &str) -> Seed {
        self.option(PROPERTIES, name, value)
    }

    /// With several of them.
    pub(crate) fn properties<'a>(self, values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Seed {
        values.into_iter().fold(self, |seed, (name, value)| seed.property(name, value))
    }

    /// With a variable by reference.
    pub(crate) fn reference(self, name: &str, arn: &str) -> Seed {
        self.option(REFERENCES, name, arn)
    }

    /// With any option, set directly.
    pub(crate) fn option(mut self, namespace: &str, name: &str, value: &str) -> Seed {
        self.layers.direct.insert(OptionName::new(namespace, name), value.to_owned());
        self
    }

    /// With a property that the deployed version's .ebextensions set.
    pub(crate) fn shipped(mut self, name: &str, value: &str) -> Seed {
        self.layers.ebextensions.insert(OptionName::new(PROPERTIES, name), value.to_owned());
        self
    }

    /// With files of the deployed version that do this with references.
    pub(crate) fn bundled(self, bundle: Bundle) -> Seed {
        Seed { bundle, ..self }
    }

    /// With a property of a saved configuration that was applied.
    pub(crate) fn saved(mut self, name: &str, value: &str) -> Seed {
        self.layers.saved.insert(OptionName::new(PROPERTIES, name), value.to_owned());
        self
    }
}

impl Beanstalk {
    /// Adds an environment, and its application with a version `v1` if that is not there. Its containers see what needs
    /// no resolving; references count from its next deployment on.
    pub(crate) fn add(&mut self, seed: Seed, at: Timestamp) {
        let Seed { application, name, platform, layers, bundle } = seed;
        let own = self.applications.entry(application.clone());
        let own = own.or_insert_with(|| Application::new(&application, at));
        let version = Version { shipped: layers.ebextensions.clone(), bundle };
        own.versions.insert("v1".to_owned(), version);
        let environment = Environment {
            id: self.next_id(),
            name,
            application,
            description: String::new(),
            version: Some("v1".to_owned()),
            platform,
            status: Status::Ready,
            healthy: true,
            told_health: None,
            app_status: None,
            bundle,
            containers: layers.namespace(PROPERTIES),
            layers,
            draft: None,
            deployment: None,
            tags: BTreeMap::new(),
            created: at,
            updated: at,
        };
        self.environments.push(environment);
    }

    /// A version of an application, with the properties that its .ebextensions set.
    pub(crate) fn add_version(&mut self, application: &str, label: &str, shipped: Options, at: Timestamp) {
        let own = self.applications.entry(application.to_owned());
        let own = own.or_insert_with(|| Application::new(application, at));
        own.versions.insert(label.to_owned(), Version { shipped, bundle: Bundle::default() });
    }

    /// A saved configuration of an application.
    pub(crate) fn add_template(&mut self, seed: Seed, template: &str, at: Timestamp) {
        let own = self.applications.entry(seed.application.clone());
        let own = own.or_insert_with(|| Application::new(&seed.application, at));
        let kept = Template {
            platform: seed.platform,
            description: String::new(),
            options: seed.layers.direct,
            created: at,
            updated: at,
        };
        own.templates.insert(template.to_owned(), kept);
    }

    /// A draft as a failed deployment of these properties would have left it.
    pub(crate) fn add_failed_draft(&mut self, environment: &str, values: &Options, at: Timestamp) {
        let environment = self.live(environment);
        let mut layers = environment.layers.clone();
        layers.change(values, &[]);
        let (version, bundle) = (environment.version.clone(), environment.bundle);
        environment.draft = Some(Draft { fate: Fate::Failed, layers, version, bundle, created: at });
    }

    /// The environment of that name that is not terminated.
    pub(crate) fn environment(&self, name: &str) -> Option<&Environment> {
        let live = |own: &&Environment| own.name == name && own.status != Status::Terminated;
        self.environments.iter().find(live)
    }

    /// What the containers of the environment see.
    pub(crate) fn container_environment(&self, environment: &str) -> Variables {
        self.environment(environment).map(|own| own.containers.clone()).unwrap_or_default()
    }

    /// What they would see if an instance bootstrapped now, as one that scaling adds does; or what its log says.
    pub(crate) fn bootstrap_now(
        &self,
        environment: &str,
        resolver: &dyn Resolver,
    ) -> Result<Variables, Failures> {
        let own = self.environment(environment);
        let own = own.ok_or_else(|| vec![format!("no environment {environment}")])?;
        instances::bootstrap(&own.layers, &own.platform, own.bundle, resolver)
    }

    /// What an instance would see that the update under way starts now; where nothing is under way, any other that starts.
    pub(crate) fn bootstrap_next(
        &self,
        environment: &str,
        resolver: &dyn Resolver,
    ) -> Result<Variables, Failures> {
        let own = self.environment(environment).filter(|own| own.deployment.is_some());
        match own.and_then(|own| Some((own, own.draft.as_ref()?))) {
            Some((own, next)) => instances::bootstrap(&next.layers, &own.platform, next.bundle, resolver),
            None => self.bootstrap_now(environment, resolver),
        }
    }

    /// Plain properties as they are deployed.
    pub(crate) fn properties(&self, environment: &str) -> Variables {
        self.environment(environment).map(|own| own.layers.namespace(PROPERTIES)).unwrap_or_default()
    }

    /// References as they are deployed.
    pub(crate) fn references(&self, environment: &str) -> Variables {
        self.environment(environment).map(|own| own.layers.namespace(REFERENCES)).unwrap_or_default()
    }

    /// Every event, oldest first, those too that cannot be seen yet.
    pub(crate) fn events(&self) -> &[Event] {
        self.events.all()
    }

    /// What the files of the deployed version do with references from the next deployment on.
    pub(crate) fn bundle(&mut self, environment: &str, bundle: Bundle) {
        self.live(environment).bundle = bundle;
    }

    /// What the health of the environment is told to be from now on; nothing: what it is.
    pub(crate) fn tell_health(&mut self, environment: &str, health: Option<Health>) {
        self.live(environment).told_health = health;
    }

    /// What the app of the environment answers with from now on; nothing: what its containers make of it.
    pub(crate) fn app_answers(&mut self, environment: &str, status: Option<u16>) {
        self.live(environment).app_status = status;
    }

    fn live(&mut self, name: &str) -> &mut Environment {
        let live = |own: &&mut Environment| own.name == name && own.status != Status::Terminated;
        self.environments.iter_mut().find(live).expect("an environment that was added before")
    }

    /// Somebody else deploys properties at once; one without a value is removed.
    pub(crate) fn deploy_elsewhere(
        &mut self,
        name: &str,
        values: &[(&str, Option<&str>)],
        at: Timestamp,
        resolver: &dyn Resolver,
    ) {
        let mut layers = self.live(name).layers.clone();
        for (name, value) in values {
            let option = OptionName::new(PROPERTIES, name);
            match value {
                Some(value) => drop(layers.direct.insert(option, (*value).to_owned())),
                None => drop(layers.direct.remove(&option)),
            }
        }
        self.begin_elsewhere(name, layers, 0, at);
        let mut events = std::mem::take(&mut self.events);
        self.live(name).looked_at(at, Delivery::OnTime, resolver, &mut events);
        self.events = events;
    }

    /// Whether something is under way in an environment, so that it takes no other change.
    pub(crate) fn is_busy(&self, name: &str) -> bool {
        self.environment(name).is_some_and(|own| own.deployment.is_some())
    }

    /// Time passes until what is under way in an environment is over.
    pub(crate) fn let_finish(&mut self, name: &str, at: Timestamp, resolver: &dyn Resolver) {
        let delivery = self.behaviour.delivery;
        let mut events = std::mem::take(&mut self.events);
        let own = self.live(name);
        while own.deployment.is_some() {
            own.looked_at(at, delivery, resolver, &mut events);
        }
        self.events = events;
    }

    /// Somebody else begins a deployment that changes nothing; so many looks see it.
    pub(crate) fn occupy_elsewhere(&mut self, name: &str, looks: usize, at: Timestamp) {
        let layers = self.live(name).layers.clone();
        self.begin_elsewhere(name, layers, looks, at);
    }

    fn begin_elsewhere(&mut self, name: &str, layers: Layers, looks: usize, at: Timestamp) {
        let request = format!("somebody-else-{}", self.events.all().len());
        let order =
            Order { request, at, looks, outcome: Outcome::Natural, aftermath: self.behaviour.aftermath };
        let mut events = std::mem::take(&mut self.events);
        let own = self.live(name);
        let (version, bundle) = (own.version.clone(), own.bundle);
        let draft = Draft { fate: Fate::Pending, layers, version, bundle, created: at };
        own.configure(draft, order, &mut events);
        self.events = events;
    }
}
