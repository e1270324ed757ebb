//! How an environment changes: it is not Ready for some looks, then either has the new settings or the old ones again.
//!
//! Owns the steps and the events that tell them. Time passes by being looked at: nothing here sleeps.

use super::Resolver;
use super::applications::Bundle;
use super::environment::{Draft, Environment, Fate, Status};
use super::events::{Event, Events, Severity};
use super::instances::{self, Failures, Variables};
use super::settings::Layers;
use jiff::Timestamp;

/// How a deployment that was not yet begun ends, whatever it brings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// By itself: well, unless the settings are too large or an instance cannot resolve them.
    #[default]
    Natural,
    /// With this error, and the old settings again.
    Fail(String),
}

/// When the events that end a deployment can be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// With the environment's being Ready.
    #[default]
    OnTime,
    /// So many looks later.
    Late(usize),
    /// Never.
    Missing,
}

/// What a deployment that fails leaves behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Aftermath {
    /// The old settings again, and the others as a failed draft.
    #[default]
    Reverted,
    /// The old settings again, and nothing of the others.
    Clean,
    /// The old settings, a failed draft, and an environment that is not well: nothing was taken back.
    Left,
}

/// What an environment is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Launch,
    Configure,
    Restart,
    Tag,
    Terminate,
}

/// Work under way.
#[derive(Clone, Debug)]
pub(super) struct Deployment {
    work: Work,
    request: String,
    /// How many more looks see it under way.
    looks: usize,
    outcome: Outcome,
    aftermath: Aftermath,
}

/// The request that begins a piece of work, and how that goes.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) request: String,
    pub(super) at: Timestamp,
    pub(super) looks: usize,
    pub(super) outcome: Outcome,
    pub(super) aftermath: Aftermath,
}

impl Environment {
    /// Whether AbortEnvironmentUpdate has something to stop.
    pub(super) fn is_abortable(&self) -> bool {
        let configures =
            self.deployment.as_ref().is_some_and(|deployment| deployment.work == Work::Configure);
        configures && self.status == Status::Updating
    }

    /// Begins a deployment of a draft.
    pub(super) fn configure(&mut self, draft: Draft, order: Order, events: &mut Events) {
        self.draft = Some(draft);
        let (at, request) = (order.at, order.request.clone());
        self.occupy(Work::Configure, order, events);
        let line = format!("Updating environment {}'s configuration settings.", self.name);
        self.tell(events, at, Some(&request), Severity::Info, &line);
        let line = "Environment health has transitioned from Ok to Info. Configuration update in progress (running \
                    for 3 seconds).";
        self.tell(events, at, None, Severity::Info, line);
    }

    /// Begins a piece of work; what is deployed stays as it is until the end.
    pub(super) fn occupy(&mut self, work: Work, order: Order, events: &mut Events) {
        let (status, line) = match work {
            Work::Launch => (Status::Launching, "createEnvironment is starting."),
            Work::Configure => (Status::Updating, "Environment update is starting."),
            Work::Restart => (Status::Updating, "restartAppServer is starting."),
            Work::Tag => (Status::Updating, "Environment tag update is starting."),
            Work::Terminate => (Status::Terminating, "terminateEnvironment is starting."),
        };
        let Order { request, at, looks, outcome, aftermath } = order;
        self.status = status;
        self.tell(events, at, Some(&request), Severity::Info, line);
        self.deployment = Some(Deployment { work, request, looks, outcome, aftermath });
    }

    /// Stops a configuration deployment; it ends with the old settings.
    pub(super) fn abort(&mut self, request: &str, at: Timestamp, events: &mut Events) {
        self.status = Status::Aborting;
        self.tell(events, at, Some(request), Severity::Info, "Environment update is aborting.");
    }

    /// Somebody looks: what is under way comes one look nearer to its end.
    pub(super) fn looked_at(
        &mut self,
        at: Timestamp,
        delivery: Delivery,
        resolver: &dyn Resolver,
        events: &mut Events,
    ) {
        match &mut self.deployment {
            None => {}
            Some(deployment) if deployment.looks > 0 => deployment.looks -= 1,
            Some(_) => self.finish(at, delivery, resolver, events),
        }
    }

    fn finish(&mut self, at: Timestamp, delivery: Delivery, resolver: &dyn Resolver, events: &mut Events) {
        let Some(deployment) = self.deployment.take() else { return };
        let lines = self.end(&deployment, resolver);
        self.updated = at;
        let held = match delivery {
            Delivery::OnTime => 0,
            Delivery::Late(looks) => looks,
            Delivery::Missing => return,
        };
        for (severity, message) in lines {
            let request = Some(deployment.request.clone());
            events.push(Event { held, ..self.event(at, request, severity, message) });
        }
        let (_, word) = self.health();
        let line = format!("Environment health has transitioned from Info to {word}.");
        self.tell(events, at, None, Severity::Info, &line);
    }

    /// Takes the last step of a piece of work; the lines say how it went.
    fn end(&mut self, deployment: &Deployment, resolver: &dyn Resolver) -> Vec<(Severity, String)> {
        let aborted = self.status == Status::Aborting;
        self.status = Status::Ready;
        match deployment.work {
            Work::Tag => said(&["Environment tag update completed successfully."]),
            Work::Terminate => {
                self.status = Status::Terminated;
                said(&["terminateEnvironment completed successfully."])
            }
            Work::Configure if aborted => {
                self.turn_down();
                said(&["The environment was reverted to the previous configuration setting."])
            }
            Work::Configure => self.end_of_configuration(deployment, resolver),
            Work::Launch => match self.attempt(&self.layers, self.bundle, &deployment.outcome, resolver) {
                Ok(containers) => {
                    self.containers = containers;
                    said(&[&format!("Successfully launched environment: {}", self.name)])
                }
                Err(failures) => {
                    self.healthy = false;
                    failed(failures, "Create environment operation is complete, but with errors.")
                }
            },
            Work::Restart => match self.attempt(&self.layers, self.bundle, &deployment.outcome, resolver) {
                Ok(containers) => {
                    self.containers = containers;
                    said(&["Restarted application server on all ec2 instances."])
                }
                Err(failures) => failed(failures, "Failed to restart application server."),
            },
        }
    }

    fn end_of_configuration(
        &mut self,
        deployment: &Deployment,
        resolver: &dyn Resolver,
    ) -> Vec<(Severity, String)> {
        let deployed = (&self.layers, self.bundle);
        let (layers, bundle) = self.draft.as_ref().map_or(deployed, |draft| (&draft.layers, draft.bundle));
        match self.attempt(layers, bundle, &deployment.outcome, resolver) {
            Ok(containers) => {
                self.containers = containers;
                self.healthy = true;
                if let Some(draft) = self.draft.take() {
                    (self.layers, self.version, self.bundle) = (draft.layers, draft.version, draft.bundle);
                }
                said(&[
                    "Successfully deployed new configuration to environment.",
                    "Environment update completed successfully.",
                ])
            }
            Err(failures) => {
                self.turn_down();
                let mut lines = failed(failures, "Failed to deploy configuration.");
                if deployment.aftermath == Aftermath::Left {
                    self.healthy = false;
                    let last = "Update environment operation is complete, but with errors. For more information, see \
                                troubleshooting documentation.";
                    lines.push((Severity::Error, last.to_owned()));
                } else {
                    self.draft.take_if(|_| deployment.aftermath == Aftermath::Clean);
                    lines.extend(said(&[
                        "The environment was reverted to the previous configuration setting.",
                    ]));
                }
                lines
            }
        }
    }

    fn turn_down(&mut self) {
        if let Some(draft) = &mut self.draft {
            draft.fate = Fate::Failed;
        }
    }

    fn attempt(
        &self,
        layers: &Layers,
        bundle: Bundle,
        outcome: &Outcome,
        resolver: &dyn Resolver,
    ) -> Result<Variables, Failures> {
        if let Outcome::Fail(why) = outcome {
            return Err(vec![why.clone()]);
        }
        if let Some(why) = instances::over_budget(layers) {
            return Err(vec![why]);
        }
        instances::bootstrap(layers, &self.platform, bundle, resolver).map_err(|failures| {
            let instance = self.instance();
            // Events name no values and no names of secrets: the instance's own log does.
            let first = failures.into_iter().next().unwrap_or_default();
            vec![
                first,
                format!("[Instance: {instance}] Command failed on instance. Return code: 1 Output: Engine execution \
                         has encountered an error.."),
                format!("Unsuccessful command execution on instance id(s) '{instance}'. Aborting the operation."),
            ]
        })
    }

    fn tell(
        &self,
        events: &mut Events,
        at: Timestamp,
        request: Option<&str>,
        severity: Severity,
        message: &str,
    ) {
        events.push(self.event(at, request.map(str::to_owned), severity, message.to_owned()));
    }

    fn event(&self, at: Timestamp, request: Option<String>, severity: Severity, message: String) -> Event {
        let (application, environment) = (self.application.clone(), self.name.clone());
        Event { at, severity, message, application, environment, request, held: 0 }
    }
}

fn said(lines: &[&str]) -> Vec<(Severity, String)> {
    lines.iter().map(|line| (Severity::Info, (*line).to_owned())).collect()
}

fn failed(failures: Failures, last: &str) -> Vec<(Severity, String)> {
    let all = failures.into_iter().chain([last.to_owned()]);
    all.map(|line| (Severity::Error, line)).collect()
}
