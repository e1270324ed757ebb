//! AWS's quotas of calls a second: one token bucket per family of actions, off unless asked for.

use super::service::Service;
use std::collections::BTreeMap;
use std::time::Instant;

/// The quotas of one region.
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    per_second: BTreeMap<&'static str, f64>,
    buckets: BTreeMap<&'static str, Bucket>,
}

/// A second's worth of calls may be made at once.
#[derive(Clone, Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

const STANDARD: &[(&str, f64)] = &[
    ("ssm reads", 40.0),
    ("ssm writes", 3.0),
    ("ssm deletes", 3.0),
    ("ssm descriptions", 3.0),
    ("secret reads", 10_000.0),
    ("secret descriptions", 40_000.0),
    ("secret batches", 100.0),
    ("secret lists", 100.0),
    ("secret creations", 50.0),
    ("secret values", 50.0),
    ("secret deletions", 50.0),
    ("secret restorations", 50.0),
    ("secret tags", 50.0),
    ("secret versions", 50.0),
    ("beanstalk", 10.0),
];

impl Rates {
    /// What an account has by default. AWS publishes none for Beanstalk; ten a second is invented.
    pub(crate) fn standard() -> Rates {
        Rates { per_second: STANDARD.iter().copied().collect(), buckets: BTreeMap::new() }
    }

    /// The same with other rates for reading and writing parameters.
    pub(crate) fn parameters(mut self, reads: f64, writes: f64) -> Rates {
        self.per_second.insert("ssm reads", reads);
        self.per_second.insert("ssm writes", writes);
        self
    }

    /// Takes a token; `false` where there is none left.
    pub(crate) fn allow(&mut self, service: Service, action: &str, now: Instant) -> bool {
        let Some(family) = family(service, action) else { return true };
        let rate = self.per_second[family];
        let bucket = self.buckets.entry(family).or_insert(Bucket { tokens: rate, filled: now });
        let gained = now.saturating_duration_since(bucket.filled).as_secs_f64() * rate;
        *bucket = Bucket { tokens: (bucket.tokens + gained).min(rate.max(1.0)), filled: now };
        let has_one = bucket.tokens >= 1.0;
        if has_one {
            bucket.tokens -= 1.0;
        }
        has_one
    }
}

fn family(service: Service, action: &str) -> Option<&'static str> {
    Some(match (service, action) {
        (Service::Sts | Service::Iam, _) => return None,
        (Service::Beanstalk, _) => "beanstalk",
        (Service::Ssm, "GetParameter" | "GetParameters" | "GetParametersByPath") => "ssm reads",
        (Service::Ssm, "PutParameter") => "ssm writes",
        (Service::Ssm, "DeleteParameter" | "DeleteParameters") => "ssm deletes",
        (Service::Ssm, _) => "ssm descriptions",
        (Service::SecretsManager, "GetSecretValue") => "secret reads",
        (Service::SecretsManager, "DescribeSecret") => "secret descriptions",
        (Service::SecretsManager, "BatchGetSecretValue") => "secret batches",
        (Service::SecretsManager, "ListSecrets") => "secret lists",
        (Service::SecretsManager, "CreateSecret") => "secret creations",
        (Service::SecretsManager, "DeleteSecret") => "secret deletions",
        (Service::SecretsManager, "RestoreSecret") => "secret restorations",
        (Service::SecretsManager, "TagResource" | "UntagResource") => "secret tags",
        (Service::SecretsManager, "ListSecretVersionIds") => "secret versions",
        // PutSecretValue, UpdateSecret and UpdateSecretVersionStage share one.
        (Service::SecretsManager, _) => "secret values",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_of_a_second_is_allowed_and_then_the_rate() {
        let mut rates = Rates::standard();
        let start = Instant::now();
        let allowed = |rates: &mut Rates, action: &str, after: u64| {
            let now = start + Duration::from_millis(after);
            (0..100).filter(|_| rates.allow(Service::Ssm, action, now)).count()
        };
        assert_eq!(allowed(&mut rates, "GetParameter", 0), 40);
        assert_eq!(allowed(&mut rates, "GetParametersByPath", 0), 0, "the three reads share a bucket");
        assert_eq!(allowed(&mut rates, "PutParameter", 0), 3);
        assert_eq!(allowed(&mut rates, "GetParameters", 500), 20);
        assert_eq!(allowed(&mut rates, "GetParameters", 10_000), 40);
    }

    #[test]
    fn secrets_are_made_at_fifty_a_second_and_their_values_and_stages_share_another_fifty() {
        let mut rates = Rates::standard();
        let start = Instant::now();
        let mut allowed =
            |action: &str| (0..100).filter(|_| rates.allow(Service::SecretsManager, action, start)).count();
        assert_eq!(allowed("CreateSecret"), 50);
        assert_eq!(allowed("PutSecretValue"), 50);
        assert_eq!((allowed("UpdateSecret"), allowed("UpdateSecretVersionStage")), (0, 0));
        assert_eq!((allowed("DeleteSecret"), allowed("RestoreSecret"), allowed("TagResource")), (50, 50, 50));
        assert_eq!(allowed("BatchGetSecretValue"), 100);
    }
}
