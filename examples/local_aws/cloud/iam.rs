//! Who calls and what they may do: principals, and identity policies as JSON.
//!
//! A policy is parsed strictly: an element, an operator or a condition key that is not modelled here is an error, never
//! ignored, because ignoring it would make a policy mean more than it says.

use super::service::Service;
use super::{ACCOUNT, Refusal};
use serde_json::{Map, Value};

/// Somebody who calls.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    pub(crate) arn: String,
    /// Without a policy everything is allowed.
    pub(crate) policy: Option<Policy>,
}

impl Principal {
    pub(crate) fn administrator() -> Principal {
        Principal { arn: format!("arn:aws:iam::{ACCOUNT}:user/operator"), policy: None }
    }

    /// An instance of Beanstalk, with what its profile allows.
    pub(crate) fn instance(policy: Option<Policy>) -> Principal {
        let session = "assumed-role/aws-elasticbeanstalk-ec2-role/i-0local";
        Principal { arn: format!("arn:aws:sts::{ACCOUNT}:{session}"), policy }
    }

    /// Whether an action on a resource is allowed, in AWS's words if not.
    pub(crate) fn may(
        &self,
        service: Service,
        action: &str,
        resource: &str,
        context: &[(&str, &str)],
    ) -> Result<(), Refusal> {
        let Some(policy) = &self.policy else { return Ok(()) };
        let because = match policy.verdict(action, resource, context) {
            Verdict::Allowed => return Ok(()),
            Verdict::Denied => "with an explicit deny in an identity-based policy".to_owned(),
            Verdict::NotAllowed => format!("because no identity-based policy allows the {action} action"),
        };
        let arn = &self.arn;
        let message =
            format!("User: {arn} is not authorized to perform: {action} on resource: {resource} {because}");
        Err(service.denied(message))
    }
}

/// A policy document.
#[derive(Clone, Debug)]
pub(crate) struct Policy(Vec<Statement>);

#[derive(Clone, Debug)]
struct Statement {
    allows: bool,
    actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
struct Condition {
    like: bool,
    key: String,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Allowed,
    Denied,
    NotAllowed,
}

/// What a condition may ask for; `kms:EncryptionContext:` keys are the services' own.
const CONDITION_KEYS: &[&str] =
    &["kms:EncryptionContext:PARAMETER_ARN", "kms:EncryptionContext:SecretARN", "kms:ViaService"];

impl Policy {
    /// Reads a policy document; the error says what in it is not understood.
    pub(crate) fn parse(json: &str) -> Result<Policy, String> {
        let document: Value = serde_json::from_str(json).map_err(|why| format!("not JSON: {why}"))?;
        let members = object(&document, "the document", &["Version", "Id", "Statement"])?;
        if members.get("Version").and_then(Value::as_str) != Some("2012-10-17") {
            return Err("Version is not 2012-10-17".to_owned());
        }
        let statements = match members.get("Statement") {
            Some(Value::Array(list)) => list.iter().map(statement).collect::<Result<_, _>>()?,
            Some(one) => vec![statement(one)?],
            None => return Err("no Statement".to_owned()),
        };
        Ok(Policy(statements))
    }

    fn verdict(&self, action: &str, resource: &str, context: &[(&str, &str)]) -> Verdict {
        let mut verdict = Verdict::NotAllowed;
        for statement in self.0.iter().filter(|statement| statement.applies(action, resource, context)) {
            if !statement.allows {
                return Verdict::Denied;
            }
            verdict = Verdict::Allowed;
        }
        verdict
    }
}

impl Statement {
    fn applies(&self, action: &str, resource: &str, context: &[(&str, &str)]) -> bool {
        let action = action.to_lowercase();
        self.actions.iter().any(|pattern| matches(&pattern.to_lowercase(), &action))
            && self.resources.iter().any(|pattern| matches(pattern, resource))
            && self.conditions.iter().all(|condition| condition.holds(context))
    }
}

impl Condition {
    /// A key that the request does not have fails the condition.
    fn holds(&self, context: &[(&str, &str)]) -> bool {
        let found = context.iter().find(|(key, _)| key.eq_ignore_ascii_case(&self.key));
        let equal = |value: &String, own: &str| if self.like { matches(value, own) } else { value == own };
        found.is_some_and(|(_, own)| self.values.iter().any(|value| equal(value, own)))
    }
}

fn statement(value: &Value) -> Result<Statement, String> {
    let members = object(value, "a statement", &["Sid", "Effect", "Action", "Resource", "Condition"])?;
    let allows = match members.get("Effect").and_then(Value::as_str) {
        Some("Allow") => true,
        Some("Deny") => false,
        other => return Err(format!("Effect is {other:?}")),
    };
    let list = |name: &str| match members.get(name) {
        Some(value) => strings(value).filter(|list| !list.is_empty()).ok_or(format!("{name} names nothing")),
        None => Err(format!("a statement without {name}")),
    };
    let actions = list("Action")?;
    if let Some(odd) = actions.iter().find(|action| *action != "*" && !action.contains(':')) {
        return Err(format!("the action {odd} names no service"));
    }
    let resources = list("Resource")?;
    if let Some(odd) = resources.iter().find(|name| *name != "*" && name.split(':').count() < 6) {
        return Err(format!("the resource {odd} is no ARN"));
    }
    let mut conditions = Vec::new();
    if let Some(value) = members.get("Condition") {
        for (operator, tests) in object(value, "Condition", &["StringEquals", "StringLike"])? {
            for (key, values) in object(tests, operator, CONDITION_KEYS)? {
                let values = strings(values).ok_or(format!("the values of {key} are no strings"))?;
                conditions.push(Condition { like: operator == "StringLike", key: key.clone(), values });
            }
        }
    }
    Ok(Statement { allows, actions, resources, conditions })
}

fn object<'a>(value: &'a Value, what: &str, known: &[&str]) -> Result<&'a Map<String, Value>, String> {
    let members = value.as_object().ok_or(format!("{what} is no object"))?;
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("{name} in {what} is not modelled here")),
        None => Ok(members),
    }
}

fn strings(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(list) => list.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// Whether a text fits a pattern with `*` for any characters and `?` for one.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            (p, t) = (at + 1, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|rest| *rest == '*')
}
