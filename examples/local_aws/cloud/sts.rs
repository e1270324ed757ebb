//! STS: who is calling.

use super::service::Service;
use super::{ACCOUNT, Form, Refusal, Visit, xml};

/// The XML inside of the action's `Result` element. Nobody can be denied to ask who they are.
pub(crate) fn answer(action: &str, _form: &Form, visit: &Visit) -> Result<String, Refusal> {
    match action {
        "GetCallerIdentity" => {
            let id = xml::text("UserId", "AIDALOCALOPERATORXMPL");
            Ok(xml::text("Arn", &visit.caller.arn) + &id + &xml::text("Account", ACCOUNT))
        }
        other => Err(Service::Sts.unknown(other)),
    }
}
