//! Who calls and what they may do: principals, and identity policies as JSON.
//!
//! A policy is parsed strictly: an element, an operator or a condition key that is not modelled here is an error, never
//! ignored, because ignoring it would make a policy mean more than it says.

use super::service::Service;
use super::{ACCESS_KEY, Realm, Refusal};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Somebody who calls.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    pub(crate) arn: String,
    /// Without a policy everything is allowed.
    pub(crate) policy: Option<Policy>,
}

impl Principal {
    pub(crate) fn administrator(realm: &Realm) -> Principal {
        Principal { arn: realm.identity("iam", "user/operator"), policy: None }
    }

    /// An instance of Beanstalk, with what its profile allows.
    pub(crate) fn instance(realm: &Realm, policy: Option<Policy>) -> Principal {
        let session = "assumed-role/aws-elasticbeanstalk-ec2-role/i-0local";
        Principal { arn: realm.identity("sts", session), policy }
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

/// Who there is: principals by their access key ID, and roles by their ARN.
#[derive(Clone, Debug)]
pub(crate) struct Identities {
    pub(super) realm: Realm,
    pub(crate) principals: BTreeMap<String, Principal>,
    pub(crate) roles: BTreeMap<String, Policy>,
    /// What a role was given, by its ARN and the policy's name.
    pub(super) inline: BTreeMap<String, BTreeMap<String, Policy>>,
}

impl Default for Identities {
    fn default() -> Identities {
        Identities::of(Realm::default())
    }
}

impl Identities {
    /// Only the default principal.
    pub(super) fn of(realm: Realm) -> Identities {
        let administrator = (ACCESS_KEY.to_owned(), Principal::administrator(&realm));
        let principals = BTreeMap::from([administrator]);
        Identities { principals, roles: BTreeMap::new(), inline: BTreeMap::new(), realm }
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

/// How a condition may compare.
const OPERATORS: &[&str] =
    &["StringEquals", "StringLike", "ForAnyValue:StringEquals", "ForAnyValue:StringLike"];

/// What a condition may ask for; `kms:EncryptionContext:` keys are the services' own.
const CONDITION_KEYS: &[&str] =
    &["kms:EncryptionContext:PARAMETER_ARN", "kms:EncryptionContext:SecretARN", "kms:ViaService"];

/// The one key that a request may have several values of; only `ForAnyValue:` can ask for it.
const MULTIVALUED: &[&str] = &["kms:ResourceAliases"];

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

    /// One that allows nothing.
    pub(crate) fn none() -> Policy {
        Policy(Vec::new())
    }

    /// What several policies of one bearer mean.
    pub(super) fn together<'a>(all: impl Iterator<Item = &'a Policy>) -> Policy {
        Policy(all.flat_map(|one| one.0.iter().cloned()).collect())
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
        let mut found = context.iter().filter(|(key, _)| key.eq_ignore_ascii_case(&self.key));
        let equal = |value: &String, own: &str| if self.like { matches(value, own) } else { value == own };
        found.any(|(_, own)| self.values.iter().any(|value| equal(value, own)))
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
        for (operator, tests) in object(value, "Condition", OPERATORS)? {
            let known = if operator.starts_with("ForAnyValue:") { MULTIVALUED } else { CONDITION_KEYS };
            for (key, values) in object(tests, operator, known)? {
                let values = strings(values).ok_or(format!("the values of {key} are no strings"))?;
                let like = operator.ends_with("StringLike");
                conditions.push(Condition { like, key: key.clone(), values });
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn verdict(statements: &Value, action: &str, resource: &str, context: &[(&str, &str)]) -> Verdict {
        let document = json!({"Version": "2012-10-17", "Statement": statements});
        Policy::parse(&document.to_string()).unwrap().verdict(action, resource, context)
    }

    const XERO: &str = "arn:aws:ssm:us-east-1:111122223333:parameter/dev-app/xero";

    #[test]
    fn what_nothing_allows_is_denied_and_a_deny_beats_every_allow() {
        let allow = json!({"Effect": "Allow", "Action": "ssm:Get*", "Resource": "*"});
        let deny = json!({"Effect": "Deny", "Action": "*", "Resource": format!("{XERO}/*")});
        let of = |statements: &[&Value], action: &str, resource: &str| {
            verdict(&json!(statements), action, resource, &[])
        };
        assert_eq!(of(&[], "ssm:GetParameter", XERO), Verdict::NotAllowed);
        assert_eq!(of(&[&allow], "ssm:PutParameter", XERO), Verdict::NotAllowed);
        assert_eq!(of(&[&deny, &allow], "ssm:GetParameter", XERO), Verdict::Allowed);
        assert_eq!(of(&[&deny, &allow], "ssm:GetParameter", &format!("{XERO}/1/id")), Verdict::Denied);
        assert_eq!(of(&[&allow, &deny], "ssm:GetParameter", &format!("{XERO}/1/id")), Verdict::Denied);
    }

    #[test]
    fn a_star_is_any_characters_and_a_question_mark_is_one() {
        let secret = "secret:prod/app-??????";
        for (pattern, text, fits) in [
            ("*", "", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abcd", false),
            ("*/*", "a/b/c", true),
            (secret, "secret:prod/app-AbCdEf", true),
            (secret, "secret:prod/app-AbCdEfG", false),
            (secret, "secret:prod/app", false),
            ("parameter/a", "parameter/a/b", false),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn actions_ignore_case_and_resources_do_not() {
        let statement = json!({"Effect": "Allow", "Action": ["SSM:getparameter"], "Resource": [XERO]});
        assert_eq!(verdict(&statement, "ssm:GetParameter", XERO, &[]), Verdict::Allowed);
        assert_eq!(verdict(&statement, "ssm:GetParameter", &XERO.to_uppercase(), &[]), Verdict::NotAllowed);
    }

    #[test]
    fn every_condition_must_hold_and_an_absent_key_holds_none() {
        let statement = json!({
            "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*",
            "Condition": {
                "StringEquals": {"kms:ViaService": "ssm.us-east-1.amazonaws.com"},
                "StringLike": {"kms:EncryptionContext:PARAMETER_ARN": [format!("{XERO}/*")]},
            },
        });
        let via = ("kms:ViaService", "ssm.us-east-1.amazonaws.com");
        let below = format!("{XERO}/1");
        let of = |context: &[(&str, &str)]| verdict(&statement, "kms:Decrypt", XERO, context);
        assert_eq!(of(&[via, ("kms:EncryptionContext:PARAMETER_ARN", &below)]), Verdict::Allowed);
        assert_eq!(of(&[via, ("kms:EncryptionContext:PARAMETER_ARN", XERO)]), Verdict::NotAllowed);
        assert_eq!(of(&[("kms:EncryptionContext:PARAMETER_ARN", &below)]), Verdict::NotAllowed);
    }

    #[test]
    fn what_is_not_modelled_in_a_policy_is_an_error() {
        let good = json!({"Effect": "Allow", "Action": "ssm:*", "Resource": "*"});
        let with = |name: &str, value: Value| {
            let mut statement = good.clone();
            statement[name] = value;
            Policy::parse(&json!({"Version": "2012-10-17", "Statement": [statement]}).to_string())
        };
        with("Sid", json!("Read")).unwrap();
        for (name, value) in [
            ("NotAction", json!("ssm:*")),
            ("Effect", json!("allow")),
            ("Action", json!("GetParameter")),
            ("Action", json!([])),
            ("Resource", json!("parameter/dev-app")),
            ("Condition", json!({"StringEqualsIfExists": {"kms:ViaService": "x"}})),
            ("Condition", json!({"StringEquals": {"aws:PrincipalArn": "x"}})),
            ("Condition", json!({"StringEquals": {"kms:ResourceAliases": "alias/x"}})),
        ] {
            with(name, value.clone()).unwrap_err();
        }
        Policy::parse(r#"{"Version": "2008-10-17", "Statement": []}"#).unwrap_err();
    }
}
