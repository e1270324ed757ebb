//! What instances fetch when they bootstrap: the values behind the references of an environment.
//!
//! They ask as any caller does, under the policy of their profile, so that permissions, keys and a secret's scheduled
//! deletion count. Nobody's calls are written down for it.

use super::Visit;
use super::beanstalk::Resolver;
use super::json::Arguments;
use super::secrets_manager::SecretsManager;
use super::ssm::Ssm;
use serde_json::json;
use std::cell::RefCell;

/// The stores as an instance sees them.
pub(super) struct Stores<'a> {
    ssm: RefCell<&'a mut Ssm>,
    secrets: RefCell<&'a mut SecretsManager>,
    visit: Visit<'a>,
}

impl<'a> Stores<'a> {
    /// For a visit with the instance as the caller.
    pub(super) fn new(ssm: &'a mut Ssm, secrets: &'a mut SecretsManager, visit: Visit<'a>) -> Stores<'a> {
        Stores { ssm: RefCell::new(ssm), secrets: RefCell::new(secrets), visit }
    }
}

impl Resolver for Stores<'_> {
    fn resolve(&self, arn: &str) -> Result<String, String> {
        let ask = |body: serde_json::Value| Arguments::parse(&body.to_string());
        let answer = if arn.contains(":ssm:") {
            ask(json!({"Name": arn, "WithDecryption": true})).and_then(|asked| {
                let answer = self.ssm.borrow_mut().answer("GetParameter", &asked, &self.visit)?;
                Ok(answer["Parameter"]["Value"].clone())
            })
        } else {
            ask(json!({"SecretId": arn})).and_then(|asked| {
                let answer = self.secrets.borrow_mut().answer("GetSecretValue", &asked, &self.visit)?;
                Ok(answer["SecretString"].clone())
            })
        };
        let value = answer.map_err(|refusal| format!("{}: {}", refusal.code, refusal.message))?;
        value.as_str().map(str::to_owned).ok_or_else(|| "the secret is not text".to_owned())
    }
}
