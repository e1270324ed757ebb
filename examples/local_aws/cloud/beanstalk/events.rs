//! The event stream: what happened to environments, newest first, with the ID of the request that caused it.

use super::pages;
use super::{Form, Moment, Refusal, xml};
use jiff::{SignedDuration, Timestamp};

/// How bad an event is; also the order that a Severity filter cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl Severity {
    const ALL: [Severity; 6] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal];

    fn as_str(self) -> &'static str {
        match self {
            Severity::Trace => "TRACE",
            Severity::Debug => "DEBUG",
            Severity::Info => "INFO",
            Severity::Warn => "WARN",
            Severity::Error => "ERROR",
            Severity::Fatal => "FATAL",
        }
    }
}

/// One line of the stream.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) at: Timestamp,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) application: String,
    pub(crate) environment: String,
    /// None for what AWS says by itself, such as transitions of health.
    pub(crate) request: Option<String>,
    /// How many looks at the environment it takes until it can be seen.
    pub(crate) held: usize,
}

/// How many events a page has if nobody says.
const PAGE: usize = 100;
/// Older events are gone.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 42);

/// Every event, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Events(Vec<Event>);

impl Events {
    pub(super) fn push(&mut self, event: Event) {
        self.0.push(event);
    }

    pub(super) fn all(&self) -> &[Event] {
        &self.0
    }

    /// Somebody looked at the environment: what is held back for it comes one look nearer.
    pub(super) fn looked_at(&mut self, environment: &str) {
        for event in self.0.iter_mut().filter(|event| event.environment == environment) {
            event.held = event.held.saturating_sub(1);
        }
    }

    /// DescribeEvents; `id_of` gives the name of an environment's ID.
    pub(super) fn describe(
        &self,
        form: &Form,
        environment: Option<&str>,
        moment: &Moment,
    ) -> Result<String, Refusal> {
        let least = severity(form)?;
        let (start, end) = (time(form, "StartTime")?, time(form, "EndTime")?);
        let before = pages::token(form)?.unwrap_or(usize::MAX);
        let size = pages::size(form)?.unwrap_or(PAGE);
        let asked = |name: &str, own: &str| form.get(name).is_none_or(|value| value == own);
        let chosen = self.0.iter().enumerate().rev().filter(|(number, event)| {
            *number < before
                && event.held == 0
                && moment.at.duration_since(event.at) <= KEPT
                && asked("ApplicationName", &event.application)
                && environment.is_none_or(|name| name == event.environment)
                && form.get("RequestId").is_none_or(|id| event.request.as_deref() == Some(id))
                && least.is_none_or(|least| event.severity >= least)
                && start.is_none_or(|start| event.at >= start)
                && end.is_none_or(|end| event.at < end)
        });
        let mut chosen: Vec<(usize, &Event)> = chosen.collect();
        let more = chosen.len() > size;
        chosen.truncate(size);
        let token = match chosen.last() {
            Some((number, _)) if more => pages::next(*number),
            _ => String::new(),
        };
        Ok(xml::list("Events", chosen.iter().map(|(_, event)| event.to_xml())) + &token)
    }
}

impl Event {
    fn to_xml(&self) -> String {
        let request = self.request.as_deref().map(|id| xml::text("RequestId", id));
        xml::text("EventDate", &date(self.at))
            + &xml::text("Message", &self.message)
            + &xml::text("ApplicationName", &self.application)
            + &xml::text("EnvironmentName", &self.environment)
            + &request.unwrap_or_default()
            + &xml::text("Severity", self.severity.as_str())
    }
}

/// A point in time as Beanstalk writes it.
pub(super) fn date(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn severity(form: &Form) -> Result<Option<Severity>, Refusal> {
    let Some(asked) = form.get("Severity") else { return Ok(None) };
    let found = Severity::ALL.into_iter().find(|severity| severity.as_str() == asked);
    found.map(Some).ok_or_else(|| {
        let message = format!(
            "1 validation error detected: Value '{asked}' at 'severity' failed to satisfy constraint: Member must \
             satisfy enum value set: [TRACE, DEBUG, INFO, WARN, ERROR, FATAL]"
        );
        Refusal::new("ValidationError", message)
    })
}

pub(super) fn time(form: &Form, name: &str) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = form.get(name) else { return Ok(None) };
    let parsed: Result<Timestamp, _> = text.parse();
    parsed
        .map(Some)
        .map_err(|_| Refusal::new("ValidationError", format!("{name} must be a date in ISO 8601")))
}
