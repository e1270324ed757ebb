//! One AWS account as an environment of the manifest means it: who we are there, a client for each service, and one way
//! to make a call.
//!
//! Owns the settings, the clients (made when first used, one set for all places of an environment), time-outs, and the
//! order of credentials. It knows no parameter, document or property; the stores beside it do, and go through
//! [`Aws::call`]. The SDK's own retries are off everywhere: what may be sent twice is decided in `call`.

mod call;
mod caller;
mod failure;
mod pace;
mod words;

pub(in crate::store) use call::{Again, Request};
pub use caller::Caller;
pub(in crate::store) use failure::{Failure, Reach, quotable};
pub(in crate::store) use pace::Family;
pub use words::created_tags;
pub(in crate::store) use words::{MANAGED_BY, timestamp};

use crate::manifest::Quota;
use crate::store::{ErrorKind, StoreError};
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ssm::config::retry::RetryConfig;
use aws_sdk_ssm::config::timeout::TimeoutConfig;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Connector, tls};
use pace::Pacers;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::OnceCell;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// How long one call may take in all; a call that took longer may have been made.
const CALL: Duration = Duration::from_secs(30);

/// What an environment says of its AWS account. `None` leaves the matter to AWS's own chain (environment variables,
/// shared configuration files, SSO, the instance's role).
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The region; of the chain where it is not declared.
    pub region: Option<String>,
    /// The profile of the shared configuration files, where `AWS_PROFILE` names none.
    pub profile: Option<String>,
    /// A role that the credentials of the chain assume.
    pub role_arn: Option<String>,
    /// The account that must be the one in use.
    pub account: Option<String>,
    /// The KMS key for what is created.
    pub kms_key: Option<String>,
    /// Tags on what is created.
    pub tags: BTreeMap<String, String>,
    /// Calls a second.
    pub quota: Quota,
    /// Other endpoints than AWS's, for services that no `AWS_ENDPOINT_URL…` of the environment names.
    pub endpoints: Endpoints,
    /// A file that remembers which identity a set of credentials turned out to be, so that it is asked for once.
    pub callers: Option<PathBuf>,
    /// How often a deployment is looked at.
    pub poll: Duration,
    /// Credentials in the place of the chain's, for programs that bring their own.
    pub credentials: Option<SharedCredentialsProvider>,
}

/// An endpoint for each service that is used.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each is a service's endpoint")]
pub struct Endpoints {
    pub ssm: Option<String>,
    pub secrets_manager: Option<String>,
    pub beanstalk: Option<String>,
    pub sts: Option<String>,
}

/// An AWS account and region, as one environment uses it. Cheap to make: nothing is read or sent before the first call.
pub struct Aws {
    settings: Settings,
    pacers: Pacers,
    clients: OnceCell<Clients>,
    caller: OnceCell<Caller>,
}

/// A client for each service, over one pool of connections.
pub(in crate::store) struct Clients {
    config: SdkConfig,
    pub(in crate::store) region: String,
    pub(in crate::store) ssm: aws_sdk_ssm::Client,
    pub(in crate::store) secrets_manager: aws_sdk_secretsmanager::Client,
    pub(in crate::store) beanstalk: aws_sdk_elasticbeanstalk::Client,
    sts: aws_sdk_sts::Client,
}

impl std::fmt::Debug for Aws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aws").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Aws {
    /// The account that these settings mean.
    pub fn new(settings: Settings) -> Aws {
        let pacers = Pacers::new(settings.quota);
        Aws { settings, pacers, clients: OnceCell::new(), caller: OnceCell::new() }
    }

    /// What it was made of.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where this is, for [`crate::store::Store::location`]: the declared account and region, which need no call. An
    /// endpoint that is not AWS's is part of it.
    pub(in crate::store) fn whereabouts(&self, endpoint: Option<&String>) -> String {
        let region = self.settings.region.as_deref().unwrap_or("the default region");
        let account = self.settings.account.as_deref().map(|id| format!(" of account {id}"));
        let endpoint = endpoint.map(|url| format!(" at {url}"));
        format!("{region}{}{}", account.unwrap_or_default(), endpoint.unwrap_or_default())
    }

    /// The region in use.
    pub async fn region(&self) -> Result<String, StoreError> {
        Ok(self.clients().await?.region.clone())
    }

    /// The clients, made when they are first asked for.
    pub(in crate::store) async fn clients(&self) -> Result<&Clients, StoreError> {
        self.clients.get_or_try_init(|| self.connect()).await
    }

    async fn connect(&self) -> Result<Clients, StoreError> {
        let settings = &self.settings;
        let http = aws_smithy_http_client::Builder::new().build_with_connector_fn(|timeouts, components| {
            let mut connector = Connector::builder()
                .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
                .proxy_config(ProxyConfig::from_env());
            connector.set_connector_settings(timeouts.cloned());
            connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
            connector.build()
        });
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_timeout(CALL);
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build())
            .app_name(AppName::new(concat!("strongroom-", env!("CARGO_PKG_VERSION"))).expect("a plain name"));
        if let Some(region) = &settings.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &settings.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(credentials) = &settings.credentials {
            loader = loader.credentials_provider(credentials.clone());
        }
        let mut config = loader.load().await;
        if let Some(role) = &settings.role_arn {
            config = assume(config, role, settings.endpoints.sts.as_deref()).await;
        }
        let Some(region) = config.region().map(ToString::to_string) else {
            return Err(StoreError::new(ErrorKind::Failed, "AWS", "no region is known")
                .hint("write `region = \"us-east-1\"` (or yours) under [project] in the manifest, or set AWS_REGION"));
        };
        Ok(Clients::new(config, region, &settings.endpoints))
    }
}

async fn assume(config: SdkConfig, role: &str, sts: Option<&str>) -> SdkConfig {
    let mut base = config.to_builder();
    base.set_endpoint_url(sts.map(str::to_owned).or_else(|| config.endpoint_url().map(str::to_owned)));
    let provider = aws_config::sts::AssumeRoleProvider::builder(role)
        .session_name("strongroom")
        .configure(&base.build());
    let provider = provider.build().await;
    let shared = SharedCredentialsProvider::new(provider);
    config.into_builder().credentials_provider(shared).build()
}

impl Clients {
    fn new(config: SdkConfig, region: String, endpoints: &Endpoints) -> Clients {
        let mut ssm = aws_sdk_ssm::config::Builder::from(&config);
        if let Some(url) = &endpoints.ssm {
            ssm = ssm.endpoint_url(url);
        }
        let mut secrets_manager = aws_sdk_secretsmanager::config::Builder::from(&config);
        if let Some(url) = &endpoints.secrets_manager {
            secrets_manager = secrets_manager.endpoint_url(url);
        }
        let mut beanstalk = aws_sdk_elasticbeanstalk::config::Builder::from(&config);
        if let Some(url) = &endpoints.beanstalk {
            beanstalk = beanstalk.endpoint_url(url);
        }
        let mut sts = aws_sdk_sts::config::Builder::from(&config);
        if let Some(url) = &endpoints.sts {
            sts = sts.endpoint_url(url);
        }
        Clients {
            region,
            ssm: aws_sdk_ssm::Client::from_conf(ssm.build()),
            secrets_manager: aws_sdk_secretsmanager::Client::from_conf(secrets_manager.build()),
            beanstalk: aws_sdk_elasticbeanstalk::Client::from_conf(beanstalk.build()),
            sts: aws_sdk_sts::Client::from_conf(sts.build()),
            config,
        }
    }
}
