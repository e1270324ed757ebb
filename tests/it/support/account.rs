//! The local AWS as an account that stores are opened on, without a process environment.

use super::cloud::{ACCESS_KEY, Cloud, Realm, SECRET_KEY};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use std::time::Duration;
use strongroom::store::{Endpoints, Settings};

/// The account as its default principal, which may do everything, sees it.
pub(crate) fn settings(cloud: &Cloud) -> Settings {
    settings_of(cloud, ACCESS_KEY)
}

/// The account as another principal sees it. Deployments are looked at without a pause.
pub(crate) fn settings_of(cloud: &Cloud, access_key: &str) -> Settings {
    settings_for(&cloud.endpoint(), access_key, cloud.realm())
}

/// The same account somewhere else, as moto keeps one.
pub(crate) fn settings_at(endpoint: &str) -> Settings {
    settings_for(endpoint, ACCESS_KEY, Realm::default())
}

fn settings_for(endpoint: &str, access_key: &str, realm: Realm) -> Settings {
    let credentials = Credentials::new(access_key, SECRET_KEY, None, None, "invented");
    let endpoint = Some(endpoint.to_owned());
    Settings {
        region: Some(realm.region),
        account: Some(realm.account),
        endpoints: Endpoints {
            ssm: endpoint.clone(),
            secrets_manager: endpoint.clone(),
            beanstalk: endpoint.clone(),
            sts: endpoint,
        },
        poll: Duration::from_millis(1),
        credentials: Some(SharedCredentialsProvider::new(credentials)),
        ..Settings::default()
    }
}
