//! Waiting: for an environment to be Ready, and for the end of a deployment of ours.
//!
//! Owns what counts as done: the environment is Ready, AWS's event stream says how our request ended, and no draft is on
//! its way. Events come late, or never; then what is deployed decides. It never changes anything.

use super::deployed::{Deployed, Draft};
use super::{Beanstalk, Sent};
use crate::secret::Secret;
use crate::store::aws::{Family, Request, quotable};
use crate::store::{ErrorKind, StoreError};
use aws_sdk_elasticbeanstalk::types::{EnvironmentStatus, EventDescription, EventSeverity};
use rand::RngExt;
use std::time::Duration;

/// How often it is looked whether somebody else's update is over before a write of ours: ten minutes at the usual pace.
pub(super) const PATIENCE: u32 = 120;
/// How often it is looked whether a deployment of ours is over: two hours at the usual pace.
const LONGEST: u32 = 1440;
/// How often an environment is seen Ready without a word of how our request ended, until what is deployed decides.
const SILENT: u32 = 6;
/// How often in a row a look may fail without ending the wait.
const BLIND: u32 = 5;
/// So many events are quoted in an error.
const QUOTED: usize = 6;

/// Ends of an update in AWS's words, which have no code (EB CLI, `resources/strings.py`).
const GOOD: &[&str] = &[
    "Successfully deployed new configuration to environment.",
    "Environment update completed successfully.",
];
const BAD: &[&str] = &[
    "Failed to deploy configuration.",
    "The environment was reverted to the previous configuration setting.",
    "Update environment operation is complete, but with errors.",
    "Instance deployment failed to get one or more secrets",
    "Instance deployment detected one or more multiline environment values",
];

/// One look at an environment.
pub(super) struct Look {
    pub(super) status: String,
    pub(super) health: String,
    pub(super) ready: bool,
    /// It is going away, or gone.
    ending: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Good,
    Bad,
}

/// An event of AWS's stream.
#[derive(Debug, Clone)]
struct Event {
    at: i64,
    text: String,
    severe: bool,
}

impl Beanstalk {
    /// How the environment stands.
    pub(super) async fn look(&self) -> Result<Look, StoreError> {
        let clients = self.aws.clients().await?;
        let request = Request::read("elasticbeanstalk:DescribeEnvironments", Family::Beanstalk);
        let send = || {
            let call = clients.beanstalk.describe_environments().application_name(&self.application);
            call.environment_names(&self.name).include_deleted(false).send()
        };
        let answer = match self.aws.call(&request, send).await {
            Ok(answer) => answer,
            Err(failure) => return Err(self.failed(failure, request.action).await),
        };
        let Some(own) = answer.environments().first() else {
            return Err(self
                .error(ErrorKind::Failed, format!("there is no environment `{}`, or it is not shown", self.name))
                .hint("correct `application` and `environment` of the copy in the manifest; your identity must be allowed `elasticbeanstalk:DescribeEnvironments`"));
        };
        let status = own.status().map_or("unknown", EnvironmentStatus::as_str);
        Ok(Look {
            status: status.to_owned(),
            health: own.health().map_or("unknown", |health| health.as_str()).to_owned(),
            ready: own.status() == Some(&EnvironmentStatus::Ready),
            ending: matches!(
                own.status(),
                Some(EnvironmentStatus::Terminating | EnvironmentStatus::Terminated)
            ),
        })
    }

    /// Waits until nothing is under way. `patience` is how many more looks that may take.
    pub(super) async fn wait_until_ready(&self, patience: &mut u32) -> Result<(), StoreError> {
        loop {
            let look = self.look().await?;
            if look.ready {
                return Ok(());
            }
            if look.ending {
                return Err(self.error(ErrorKind::Failed, format!("the environment is {}", look.status)));
            }
            let events = self.events(None).await?;
            if *patience == 0 {
                return Err(self.busy(&look, &events));
            }
            *patience -= 1;
            self.tell(&events);
            self.pause().await;
        }
    }

    fn busy(&self, look: &Look, events: &[Event]) -> StoreError {
        let last: Vec<&str> = events.iter().rev().take(3).rev().map(|event| event.text.as_str()).collect();
        let said =
            if last.is_empty() { String::new() } else { format!("; AWS said last: {}", last.join(" | ")) };
        let message = format!("the environment is {}, and an update needs it Ready{said}", look.status);
        self.error(ErrorKind::Busy, message).hint("wait until it is Ready, and run the command again")
    }

    /// Waits for the end of a request of ours.
    pub(super) async fn settle_heard(&self, request: &str) -> Result<(), StoreError> {
        // What is deployed and on its way is known first, so that no event is told that quotes a secret of it.
        if self.memory().read.is_none() {
            self.deployed().await?;
        }
        let sent = self.memory().sent.clone().filter(|sent| sent.request.as_deref() == Some(request));
        let (mut silent, mut blind) = (0, 0);
        for _ in 0..LONGEST {
            match self.progress(request, sent.as_ref(), &mut silent).await {
                Ok(Some(())) => return Ok(()),
                Ok(None) => blind = 0,
                Err(error) if error.kind == ErrorKind::Transient && blind < BLIND => blind += 1,
                Err(error) => return Err(error),
            }
            self.pause().await;
        }
        Err(self
            .error(ErrorKind::Busy, format!("the update is not over yet (request {request})"))
            .hint("`strongroom resume` goes on waiting for it"))
    }

    /// One look at a request of ours: its end, or nothing yet.
    async fn progress(
        &self,
        request: &str,
        sent: Option<&Sent>,
        silent: &mut u32,
    ) -> Result<Option<()>, StoreError> {
        let look = self.look().await?;
        let events = self.events(Some(request)).await?;
        self.tell(&events);
        if look.ending {
            return Err(self.error(ErrorKind::Failed, format!("the environment is {}", look.status)));
        }
        if !look.ready {
            *silent = 0;
            return Ok(None);
        }
        let end = end(&events);
        *silent += 1;
        if end.is_none() && *silent < SILENT {
            return Ok(None);
        }
        let now = self.deployed().await?;
        match (end, &now.draft) {
            (_, Some(Draft::Pending)) => Ok(None),
            (Some(End::Bad), draft) => match sent {
                // Bad news of instances, and the new settings are deployed all the same: nothing was taken back.
                Some(sent) if sent.update.is_in(&now.variables) => Err(self.with_errors(&events, &now, sent)),
                None if draft.is_none() => self.in_force(&now, None, *silent),
                Some(_) | None => Err(self.rolled_back(&events, &now, sent)),
            },
            (Some(End::Good), _) => self.in_force(&now, sent, *silent),
            (None, Some(Draft::Failed(_))) => {
                let all = self.events(None).await?;
                Err(self.rolled_back(&all, &now, sent))
            }
            (None, None) => match sent {
                Some(sent) if !sent.update.is_in(&now.variables) => {
                    Err(self.rolled_back(&events, &now, Some(sent)))
                }
                Some(_) | None => self.in_force(&now, sent, *silent),
            },
        }
    }

    /// Whether what was sent is what is deployed. An answer may be older than the event that announced it, so it is
    /// looked again some times; in the end whoever asked for the write reads it back.
    fn in_force(&self, now: &Deployed, sent: Option<&Sent>, looks: u32) -> Result<Option<()>, StoreError> {
        let Some(Sent { update, .. }) = sent else { return Ok(Some(())) };
        let resurfaced = update.resurfaced(&now.variables);
        if update.is_in(&now.variables) && resurfaced.is_empty() {
            return Ok(Some(()));
        }
        if looks < SILENT {
            return Ok(None);
        }
        if resurfaced.is_empty() {
            return Ok(Some(()));
        }
        Err(self.came_back(&resurfaced, update))
    }

    /// A removal takes away what was set directly; what lies below it comes to light. That is an error and no rollback:
    /// the rest of the write is in force. The operation stays unfinished: resumed, it finishes once nothing sets the name
    /// any more; else what came back counts as somebody else's. Where a reference took the name over it is what is read
    /// there, so that an undo finds its own work.
    fn came_back(&self, names: &[&str], update: &super::Update) -> StoreError {
        let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let moved = names.iter().any(|name| update.references.contains_key(*name));
        let (twice, otherwise) = match moved {
            true => (
                "; it is a property and a reference now, and AWS does not say which the app gets",
                "`strongroom undo` takes the change back",
            ),
            false => ("", "`strongroom resume --skip-changed` leaves it there"),
        };
        let message = format!(
            "{} was removed and came back: the deployed version's .ebextensions, or a saved configuration, set it{twice}",
            quoted.join(", ")
        );
        let error = self.error(ErrorKind::Failed, message).hint(format!(
            "deploy a version whose .ebextensions do not set it, then `strongroom resume`; {otherwise}"
        ));
        let address = self.naming.address_of(names.first().copied().unwrap_or_default());
        match address {
            Some(address) if names.len() == 1 => error.at(&address),
            _ => error,
        }
    }

    /// The new settings are deployed, and AWS tells of errors on the way.
    fn with_errors(&self, events: &[Event], now: &Deployed, sent: &Sent) -> StoreError {
        let said = self.rolled_back(events, now, Some(sent));
        StoreError { kind: ErrorKind::Failed, ..said }.hint(
            "the new settings are deployed: look at the environment's health, then `strongroom resume` ends it and `strongroom undo` takes it back",
        )
    }

    /// The deployment failed; what was deployed before is deployed again, or what is there now stands.
    fn rolled_back(&self, events: &[Event], now: &Deployed, sent: Option<&Sent>) -> StoreError {
        let secrets = self.unspeakable(Some(now), sent);
        let told = |event: &&Event| event.severe || BAD.iter().any(|bad| event.text.contains(bad));
        let mut said: Vec<String> =
            events.iter().filter(told).map(|event| self.said(&event.text, &secrets)).collect();
        if said.len() > QUOTED {
            said.drain(QUOTED / 2..said.len() - QUOTED / 2);
        }
        let said = if said.is_empty() { "it said nothing of why".to_owned() } else { said.join(" | ") };
        let stands = match sent {
            Some(sent) if sent.update.is_in(&now.variables) => "the new settings are deployed all the same",
            Some(_) => "what was deployed before stands",
            None => "what is deployed now stands",
        };
        let message = format!("AWS did not keep the update, and {stands}; AWS: {said}");
        self.error(ErrorKind::RolledBack, message).hint(self.way_out(&said, now))
    }

    fn way_out(&self, said: &str, now: &Deployed) -> String {
        let first = if said.contains("failed to get one or more secrets") {
            "let the instance profile read what the references name (`strongroom policy --for instance` prints it; while a migration is under way, with `--migrated-to`)"
        } else if said.contains("multiline environment values") {
            "this platform takes no value of several lines by reference: encode it, for example as base64"
        } else if said.contains("length is greater than") {
            "the properties are too long in all: let secrets go there by reference, or remove what nobody needs"
        } else {
            "look into the logs of its instances (`eb logs`)"
        };
        let mut hint =
            format!("{first}, and run the command again (`strongroom resume` where it stopped midway)");
        if matches!(now.draft, Some(Draft::Failed(_))) {
            hint.push_str(&format!(
                "; the failed draft stays until `aws elasticbeanstalk delete-environment-configuration --application-name {} --environment-name {}`",
                self.application, self.name
            ));
        }
        hint
    }

    /// Waits until nothing is under way, after a call of which nothing was heard: it may have begun only just now. Where
    /// it was this process's own and failed, that is told like any other failure.
    pub(super) async fn settle_unheard(&self) -> Result<(), StoreError> {
        let mut patience = LONGEST;
        self.wait_until_ready(&mut patience).await?;
        self.pause().await;
        self.wait_until_ready(&mut patience).await?;
        let sent = self.memory().sent.clone().filter(|sent| sent.request.is_none());
        let Some(sent) = sent else { return Ok(()) };
        let now = self.deployed().await?;
        match &now.draft {
            Some(Draft::Failed(draft)) if sent.update.is_in(draft) && !sent.update.is_in(&now.variables) => {
                let events = self.events(None).await?;
                Err(self.rolled_back(&events, &now, Some(&sent)))
            }
            _ => Ok(()),
        }
    }

    /// The events of a request, or the last ones of the environment; oldest first.
    async fn events(&self, request_id: Option<&str>) -> Result<Vec<Event>, StoreError> {
        let clients = self.aws.clients().await?;
        let request = Request::read("elasticbeanstalk:DescribeEvents", Family::Beanstalk);
        let most = if request_id.is_some() { 100 } else { 10 };
        let send = || {
            let call = clients.beanstalk.describe_events().application_name(&self.application);
            let call = call.environment_name(&self.name).max_records(most);
            call.set_request_id(request_id.map(str::to_owned)).send()
        };
        let answer = match self.aws.call(&request, send).await {
            Ok(answer) => answer,
            Err(failure) => return Err(self.failed(failure, request.action).await),
        };
        let mut events: Vec<Event> = answer.events.unwrap_or_default().into_iter().map(Event::of).collect();
        events.reverse();
        let read = self.memory().read.clone();
        let sent = self.memory().sent.clone();
        let secrets = self.unspeakable(read.as_deref(), sent.as_ref());
        for event in &mut events {
            event.text = self.said(&event.text, &secrets);
        }
        Ok(events)
    }

    /// Values that no event may repeat: those of secrets, and of what nobody declares.
    fn unspeakable<'a>(&self, now: Option<&'a Deployed>, sent: Option<&'a Sent>) -> Vec<&'a Secret> {
        let deployed = now.into_iter().flat_map(|now| {
            let draft = match &now.draft {
                Some(Draft::Failed(draft)) => Some(draft),
                Some(Draft::Pending) | None => None,
            };
            [Some(&now.variables), draft].into_iter().flatten().flat_map(|variables| &variables.properties)
        });
        let sent = sent.into_iter().flat_map(|sent| &sent.update.properties);
        let all =
            deployed.chain(sent).filter(|(name, value)| value.len() >= 4 && !self.naming.is_plain(name));
        all.map(|(_, value)| value).collect()
    }

    /// An event's text as it may be shown.
    fn said(&self, text: &str, secrets: &[&Secret]) -> String {
        quotable(text, secrets).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }

    fn tell(&self, events: &[Event]) {
        for event in events {
            if self.memory().told.insert((event.at, event.text.clone())) {
                (self.on_event)(&event.text);
            }
        }
    }

    /// Until the next look: never in step with others.
    pub(super) async fn pause(&self) {
        let poll = self.aws.settings().poll.max(Duration::from_millis(1));
        let factor = rand::rng().random_range(0.8..1.2);
        tokio::time::sleep(poll.mul_f64(factor)).await;
    }
}

impl Event {
    fn of(told: EventDescription) -> Event {
        let severe =
            matches!(told.severity, Some(EventSeverity::Warn | EventSeverity::Error | EventSeverity::Fatal));
        let at = told.event_date.and_then(|date| date.to_millis().ok()).unwrap_or_default();
        Event { at, text: told.message.unwrap_or_default(), severe }
    }
}

/// How a request ended, by the events of it. A failure is told in several events, and one of them may sound well.
fn end(events: &[Event]) -> Option<End> {
    let says = |texts: &[&str]| events.iter().any(|event| texts.iter().any(|text| event.text.contains(text)));
    match (says(BAD), says(GOOD)) {
        (true, _) => Some(End::Bad),
        (false, true) => Some(End::Good),
        (false, false) => None,
    }
}
