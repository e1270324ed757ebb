//! STS: who is calling, and being somebody else for an hour.

use super::iam::{Identities, Principal};
use super::service::Service;
use super::{Form, Moment, Refusal, SECRET_KEY, xml};
use jiff::SignedDuration;

/// The XML inside of the action's `Result` element. Nobody can be denied to ask who they are.
pub(super) fn answer(
    action: &str,
    form: &Form,
    caller: &Principal,
    identities: &mut Identities,
    moment: &Moment,
) -> Result<String, Refusal> {
    match action {
        "GetCallerIdentity" => Ok(xml::text("Arn", &caller.arn)
            + &xml::text("UserId", "AIDALOCALOPERATORXMPL")
            + &xml::text("Account", &identities.realm.account)),
        "AssumeRole" => assume(form, caller, identities, moment),
        other => Err(Service::Sts.unknown(other)),
    }
}

fn assume(
    form: &Form,
    caller: &Principal,
    identities: &mut Identities,
    moment: &Moment,
) -> Result<String, Refusal> {
    let required = |name: &str| {
        form.get(name).ok_or_else(|| Refusal::new("ValidationError", format!("{name} must not be null")))
    };
    let (role, session) = (required("RoleArn")?, required("RoleSessionName")?);
    caller.may(Service::Sts, "sts:AssumeRole", role, &[])?;
    let policy = identities.roles.get(role).cloned();
    let name = role.rsplit('/').next().unwrap_or(role);
    // A role that is not there is denied like one that does not trust the caller.
    let policy = policy.ok_or_else(|| {
        let message =
            format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {role}", caller.arn);
        Service::Sts.denied(message)
    })?;
    let arn = identities.realm.identity("sts", &format!("assumed-role/{name}/{session}"));
    let key = format!("ASIALOCALSESSION{:04}", identities.principals.len());
    identities.principals.insert(key.clone(), Principal { arn: arn.clone(), policy: Some(policy) });
    let credentials = xml::text("AccessKeyId", &key)
        + &xml::text("SecretAccessKey", SECRET_KEY)
        + &xml::text("SessionToken", "invented-session-token")
        + &xml::text("Expiration", &(moment.at + SignedDuration::from_hours(1)).to_string());
    let user = xml::text("AssumedRoleId", &format!("AROALOCALROLEXMPL:{session}")) + &xml::text("Arn", &arn);
    Ok(xml::element("Credentials", &credentials) + &xml::element("AssumedRoleUser", &user))
}
