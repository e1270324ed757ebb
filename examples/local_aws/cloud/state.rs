//! What the cloud knows at one moment, and how one call is answered from it.

use super::beanstalk::Beanstalk;
use super::beanstalk::instances::{Failures, Variables};
use super::bootstrap::Stores;
use super::faults::Faults;
use super::iam::{Identities, Policy, Principal};
use super::json::Arguments;
use super::kms::Keys;
use super::rates::Rates;
use super::secrets_manager::SecretsManager;
use super::service::Service;
use super::ssm::Ssm;
use super::{Form, Pages, Realm, Refusal, roles, sts};
use jiff::Timestamp;
use serde_json::Value;
use std::time::Duration;

/// When a call is handled, and the request ID that its answer carries.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) at: Timestamp,
    pub(crate) request: String,
}

/// What a service needs beside the arguments.
pub(crate) struct Visit<'a> {
    pub(crate) at: Timestamp,
    pub(crate) caller: &'a Principal,
    pub(crate) keys: &'a Keys,
    pub(crate) pages: Pages,
}

/// A call that arrived, whatever became of it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) service: &'static str,
    pub(crate) action: String,
    /// The request as it was sent: JSON, or a form.
    pub(crate) body: String,
    pub(crate) principal: String,
    pub(crate) at: Timestamp,
    /// How many calls were under way when this one arrived, with it.
    pub(crate) in_flight: usize,
}

impl Call {
    /// The action as IAM names it: `ssm:GetParameters`.
    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.service, self.action)
    }
}

/// What the services hold.
#[derive(Clone, Default)]
pub(crate) struct World {
    pub(crate) realm: Realm,
    pub(crate) ssm: Ssm,
    pub(crate) secrets: SecretsManager,
    pub(crate) beanstalk: Beanstalk,
    /// What the profile of Beanstalk's instances allows; without one it allows everything.
    pub(crate) instance_policy: Option<Policy>,
    pub(crate) keys: Keys,
    pub(crate) identities: Identities,
    pub(crate) pages: Pages,
}

/// Everything that is known, behind one lock.
pub(super) struct State {
    pub(super) world: World,
    /// What there was before the last write, where a stale read is planned.
    pub(super) earlier: Option<World>,
    pub(super) faults: Faults,
    pub(super) rates: Option<Rates>,
    pub(super) latency: Duration,
    pub(super) calls: Vec<Call>,
    pub(super) in_flight: usize,
}

/// What a service answers, before it is wrapped.
pub(super) enum Reply {
    Json(Value),
    Xml(String),
}

impl State {
    pub(super) fn new(realm: Realm) -> State {
        State {
            world: World::of(realm),
            earlier: None,
            faults: Faults::default(),
            rates: None,
            latency: Duration::ZERO,
            calls: Vec::new(),
            in_flight: 0,
        }
    }

    /// Answers a call from what there is now.
    pub(super) fn answer(
        &mut self,
        service: Service,
        action: &str,
        body: &str,
        caller: &Principal,
        moment: &Moment,
    ) -> Result<Reply, Refusal> {
        if !is_read(action) && self.faults.look_back() {
            self.earlier = Some(self.world.clone());
        }
        self.world.answer(service, action, body, caller, moment)
    }

    /// Answers a read from what there was before the last write; anything else from what there is now.
    pub(super) fn answer_stale(
        &mut self,
        service: Service,
        action: &str,
        body: &str,
        caller: &Principal,
        moment: &Moment,
    ) -> Result<Reply, Refusal> {
        match &mut self.earlier {
            Some(earlier) if is_read(action) => earlier.answer(service, action, body, caller, moment),
            _ => self.answer(service, action, body, caller, moment),
        }
    }
}

impl World {
    /// An empty one.
    fn of(realm: Realm) -> World {
        let mut world = World { identities: Identities::of(realm.clone()), ..World::default() };
        world.ssm.realm = realm.clone();
        world.secrets.realm = realm.clone();
        world.beanstalk.realm = realm.clone();
        world.keys.realm = realm.clone();
        World { realm, ..world }
    }

    /// What the containers of an instance would see that an environment of Beanstalk starts now, or what its log says.
    pub(crate) fn bootstrap_now(&mut self, environment: &str) -> Result<Variables, Failures> {
        self.as_instance(|beanstalk, stores| beanstalk.bootstrap_now(environment, stores))
    }

    /// The same of an instance that the update under way starts.
    pub(crate) fn bootstrap_next(&mut self, environment: &str) -> Result<Variables, Failures> {
        self.as_instance(|beanstalk, stores| beanstalk.bootstrap_next(environment, stores))
    }

    /// Somebody else deploys properties of an environment at once; one without a value is removed.
    pub(crate) fn deploy_elsewhere(&mut self, environment: &str, values: &[(&str, Option<&str>)]) {
        self.as_instance(|beanstalk, stores| {
            beanstalk.deploy_elsewhere(environment, values, Timestamp::now(), stores);
        });
    }

    /// Time passes until what is under way in an environment is over.
    pub(crate) fn let_finish(&mut self, environment: &str) {
        self.as_instance(|beanstalk, stores| beanstalk.let_finish(environment, Timestamp::now(), stores));
    }

    fn as_instance<T>(&mut self, visit: impl FnOnce(&mut Beanstalk, &Stores) -> T) -> T {
        let caller = Principal::instance(&self.realm, self.instance_policy.clone());
        let asked = Visit { at: Timestamp::now(), caller: &caller, keys: &self.keys, pages: self.pages };
        visit(&mut self.beanstalk, &Stores::new(&mut self.ssm, &mut self.secrets, asked))
    }

    fn answer(
        &mut self,
        service: Service,
        action: &str,
        body: &str,
        caller: &Principal,
        moment: &Moment,
    ) -> Result<Reply, Refusal> {
        let visit = Visit { at: moment.at, caller, keys: &self.keys, pages: self.pages };
        match service {
            Service::Ssm => self.ssm.answer(action, &Arguments::parse(body)?, &visit).map(Reply::Json),
            Service::SecretsManager => {
                self.secrets.expire(moment.at);
                self.secrets.answer(action, &Arguments::parse(body)?, &visit).map(Reply::Json)
            }
            Service::Sts => {
                let form = Form::parse(body);
                sts::answer(action, &form, caller, &mut self.identities, moment).map(Reply::Xml)
            }
            Service::Iam => {
                let form = Form::parse(body);
                let instances = &mut self.instance_policy;
                roles::answer(action, &form, caller, &mut self.identities, instances).map(Reply::Xml)
            }
            Service::Beanstalk => {
                let form = Form::parse(body);
                for resource in self.beanstalk.resources(action, &form) {
                    let allowed = caller.may(service, &format!("elasticbeanstalk:{action}"), &resource, &[]);
                    if allowed.is_err() && action == "DescribeConfigurationSettings" {
                        return Ok(Reply::Xml(Beanstalk::hidden_settings()));
                    }
                    allowed?;
                }
                let instance = Principal::instance(&self.realm, self.instance_policy.clone());
                let visit = Visit { caller: &instance, ..visit };
                let stores = Stores::new(&mut self.ssm, &mut self.secrets, visit);
                self.beanstalk.answer(action, &form, moment, &stores).map(Reply::Xml)
            }
        }
    }
}

fn is_read(action: &str) -> bool {
    ["Get", "BatchGet", "Describe", "List", "Validate", "Check"].iter().any(|verb| action.starts_with(verb))
}
