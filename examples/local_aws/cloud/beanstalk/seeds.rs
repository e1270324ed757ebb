//! The two deployments that strongroom is made for, as they run on Beanstalk. All values are invented.
//!
//! They agree with the manifests of the examples: literals are the manifests', derived values are made of the others.

use super::Beanstalk;
use super::applications::Bundle;
use super::handles::Seed;
use jiff::Timestamp;

/// One of the two, at some point of its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Example {
    /// Django in docker-compose
    DevApp,
    /// The same with everything in the console, and an .env made from `get-config environment` until v2 is deployed
    DevAppConsole,
    /// Django, Celery and Flower on the ECS platform of Amazon Linux 2, with every secret in the console
    Antenna,
    /// The same on Amazon Linux 2023, whose newest platform resolves keys of a secret's JSON
    #[value(name = "antenna-al2023")]
    AntennaAl2023,
}

const DOCKER: &str = "64bit Amazon Linux 2023 v4.9.1 running Docker";
const ECS_ON_AL2: &str = "64bit Amazon Linux 2 v3.9.1 running ECS";
const ECS_ON_AL2023: &str = "64bit Amazon Linux 2023 v4.3.2 running ECS";

impl Beanstalk {
    /// Adds the environment of an example, with what belongs to its application.
    pub(crate) fn add_example(&mut self, example: Example, at: Timestamp) {
        match example {
            Example::DevApp => self.add(dev_app(), at),
            Example::DevAppConsole => {
                self.add(dev_app_console(), at);
                self.add_version("dev-app", "v2", Default::default(), at);
            }
            Example::Antenna => self.add_antenna(ECS_ON_AL2, at),
            Example::AntennaAl2023 => self.add_antenna(ECS_ON_AL2023, at),
        }
    }

    /// With a saved configuration from before, in which old secrets live on.
    fn add_antenna(&mut self, stack: &str, at: Timestamp) {
        let old = "invented-antenna-key-of-last-year-0123456789abcd";
        self.add(antenna(stack), at);
        self.add_template(antenna(stack).property("DJANGO_SECRET_KEY", old), "antenna-before-v10", at);
    }
}

fn dev_app() -> Seed {
    Seed::new("dev-app", "dev-app-prod", DOCKER)
        .shipped("DJANGO_SETTINGS_MODULE", "dev_app.settings.production_aws")
        .option("aws:autoscaling:launchconfiguration", "InstanceType", "t3.small")
        .option("aws:elasticbeanstalk:environment", "EnvironmentType", "LoadBalanced")
        .properties([
            ("PROJECT_NAME", "dev-app"),
            ("SECRET_KEY", "invented-django-key-that-opens-nothing-0123456789"),
            ("DEFAULT_FROM_EMAIL", "office@dev-app.example"),
            ("RDS_HOSTNAME", "dev-app.invented.us-east-1.rds.example"),
            ("RDS_PORT", "5432"),
            ("RDS_DB_NAME", "dev_app"),
            ("RDS_USERNAME", "dev_app"),
            ("RDS_PASSWORD", "invented-database-password"),
            ("AWS_STORAGE_BUCKET_NAME", "dev-app-media.example"),
            ("AWS_S3_REGION_NAME", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "AKIAINVENTED00000000"),
            ("AWS_SECRET_ACCESS_KEY", "invented/secret/access/key/of/nobody0000"),
        ])
}

fn dev_app_console() -> Seed {
    let database =
        "postgres://dev_app:invented-database-password@dev-app.invented.us-east-1.rds.example:5432/dev_app";
    dev_app().bundled(Bundle { env_from_get_config: true, ..Bundle::default() }).properties([
        ("DJANGO_SETTINGS_MODULE", "dev_app.settings.production_aws"),
        ("DEFAULT_FROM_EMAIL", "Dev App <office@dev-app.example>"),
        ("EMAIL_HOST_USER", "invented-mail-user"),
        ("EMAIL_HOST_PASSWORD", "invented-mail-password"),
        ("EMAIL_CC", "invented@dev-app.example"),
        ("XERO_ENCRYPTION_KEY", "invented-fernet-key-of-nobody-0123456789abc="),
        ("DATABASE_URL", database),
    ])
}

fn antenna(stack: &str) -> Seed {
    let database =
        "postgres://antenna:invented-postgres-password@antenna.invented.us-west-2.rds.example:5432/antenna";
    let redis = "rediss://antenna.invented.cache.example:6379/0?ssl_cert_reqs=none";
    Seed::new("antenna-backend", "antenna-prod", stack)
        .shipped("EB_HEALTHCHECK", "1")
        .shipped("DJANGO_SECURE_SSL_REDIRECT", "False")
        .option("aws:autoscaling:launchconfiguration", "InstanceType", "t3.large")
        .option("aws:elasticbeanstalk:application", "Application Healthcheck URL", "/api/v2/")
        .properties([
            ("DJANGO_SETTINGS_MODULE", "config.settings.production"),
            ("DJANGO_SECRET_KEY", "invented-antenna-key-that-opens-nothing-01234567"),
            ("DJANGO_ALLOWED_HOSTS", "antenna.example,api.antenna.example"),
            ("DJANGO_ADMIN_URL", "invented-admin-path/"),
            ("DJANGO_AWS_ACCESS_KEY_ID", "AKIAINVENTED11111111"),
            ("DJANGO_AWS_SECRET_ACCESS_KEY", "invented/secret/access/key/of/nobody1111"),
            ("DJANGO_AWS_STORAGE_BUCKET_NAME", "antenna-media.example"),
            ("DJANGO_AWS_S3_REGION_NAME", "us-west-2"),
            ("POSTGRES_DB", "antenna"),
            ("POSTGRES_USER", "antenna"),
            ("POSTGRES_PASSWORD", "invented-postgres-password"),
            ("POSTGRES_HOST", "antenna.invented.us-west-2.rds.example"),
            ("POSTGRES_PORT", "5432"),
            ("DATABASE_URL", database),
            ("REDIS_URL", redis),
            ("CELERY_BROKER_URL", redis),
            ("SENDGRID_API_KEY", "SG.invented.sendgrid-key"),
            ("SENTRY_DSN", "https://invented@sentry.example/1"),
        ])
}
