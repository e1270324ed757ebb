//! IAM's one call that a migration needs: a policy for a role, such as the one of Beanstalk's instances.

use super::iam::{Identities, Policy, Principal};
use super::service::Service;
use super::{Form, Refusal};

/// The role of the profile that Beanstalk's instances have.
const INSTANCES: &str = "aws-elasticbeanstalk-ec2-role";

/// The XML inside of the action's `Result` element: there is none.
pub(super) fn answer(
    action: &str,
    form: &Form,
    caller: &Principal,
    identities: &mut Identities,
    instances: &mut Option<Policy>,
) -> Result<String, Refusal> {
    if action != "PutRolePolicy" {
        return Err(Service::Iam.unknown(action));
    }
    let required = |name: &str| {
        let empty = || Refusal::new("ValidationError", format!("{name} must not be null"));
        form.get(name).filter(|text| !text.is_empty()).ok_or_else(empty)
    };
    let (role, name, text) = (required("RoleName")?, required("PolicyName")?, required("PolicyDocument")?);
    let arn = identities.realm.identity("iam", &format!("role/{role}"));
    caller.may(Service::Iam, "iam:PutRolePolicy", &arn, &[])?;
    let policy = Policy::parse(text).map_err(|why| Refusal::new("MalformedPolicyDocument", why))?;
    let inline = identities.inline.entry(arn.clone()).or_default();
    inline.insert(name.to_owned(), policy);
    let all = Policy::together(inline.values());
    match role {
        INSTANCES => *instances = Some(all),
        _ => drop(identities.roles.insert(arn, all)),
    }
    Ok(String::new())
}
