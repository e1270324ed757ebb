//! The two deployments that strongroom is made for, as they run on Beanstalk. All values are invented.

use super::Beanstalk;
use super::handles::Seed;
use jiff::Timestamp;

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Example {
    /// Django in docker-compose; `.env` is made from the properties.
    DevApp,
    /// Django, Celery and Flower on the ECS platform; every secret is in the console.
    Antenna,
}

impl Example {
    /// The example of that name, as `--seed` takes it.
    pub(crate) fn named(name: &str) -> Option<Example> {
        match name {
            "dev-app" => Some(Example::DevApp),
            "antenna" => Some(Example::Antenna),
            _ => None,
        }
    }

    fn seed(self) -> Seed {
        match self {
            Example::DevApp => dev_app(),
            Example::Antenna => antenna(),
        }
    }
}

impl Beanstalk {
    /// Adds the environment of an example.
    pub(crate) fn add_example(&mut self, example: Example, at: Timestamp) {
        self.add(example.seed(), at);
    }
}

fn dev_app() -> Seed {
    Seed::new("dev-app", "dev-app-prod", "64bit Amazon Linux 2023 v4.9.1 running Docker")
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

fn antenna() -> Seed {
    let database =
        "postgres://antenna:invented-postgres-password@antenna.invented.us-west-2.rds.example:5432/antenna";
    let redis = "rediss://antenna.invented.cache.example:6379/0?ssl_cert_reqs=none";
    Seed::new("antenna-backend", "antenna-prod", "64bit Amazon Linux 2 v3.9.1 running ECS")
        .shipped("EB_HEALTHCHECK", "1")
        .shipped("DJANGO_SECURE_SSL_REDIRECT", "False")
        .option("aws:autoscaling:launchconfiguration", "InstanceType", "t3.large")
        .option("aws:elasticbeanstalk:application", "Application Healthcheck URL", "/api/v2/")
        .properties([
            ("DJANGO_SETTINGS_MODULE", "config.settings.production"),
            ("DJANGO_SECRET_KEY", "invented-antenna-key-that-opens-nothing-01234567"),
            ("DJANGO_ALLOWED_HOSTS", "antenna.example"),
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
