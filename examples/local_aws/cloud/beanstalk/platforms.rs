//! Platform versions with the dates they came out on, which decide what an environment can resolve.
//!
//! Dates and versions that AWS's notes name are theirs; those between are invented.

use super::settings::PROPERTIES;
use super::{Form, Realm, Refusal, pages, xml};

/// A platform version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Platform {
    /// `Docker`, `ECS`, `Python 3.11`.
    pub(crate) runs: &'static str,
    /// `64bit Amazon Linux 2023`.
    pub(crate) system: &'static str,
    pub(crate) version: &'static str,
    /// The day it was released on, which its DateCreated tells.
    pub(crate) released: &'static str,
}

const AL2023: &str = "64bit Amazon Linux 2023";
const AL2: &str = "64bit Amazon Linux 2";
/// Before this day `environmentsecrets` does not exist.
const REFERENCES_SINCE: &str = "2025-03-26";
/// Before this day `arn:json-key` is no reference; Amazon Linux 2 never got it.
const JSON_KEYS_SINCE: &str = "2026-01-13";

const fn version(
    runs: &'static str,
    system: &'static str,
    version: &'static str,
    released: &'static str,
) -> Platform {
    Platform { runs, system, version, released }
}

/// Every version that there is, the newest of a branch first.
const ALL: &[Platform] = &[
    version("Docker", AL2023, "4.9.1", "2026-01-13"),
    version("Docker", AL2023, "4.9.0", "2025-12-16"),
    version("Docker", AL2023, "4.5.0", "2025-03-26"),
    version("Docker", AL2023, "4.4.4", "2025-02-18"),
    version("Docker", AL2, "4.4.1", "2026-01-13"),
    version("Docker", AL2, "4.0.8", "2025-02-18"),
    version("ECS", AL2023, "4.3.2", "2026-01-13"),
    version("ECS", AL2023, "4.2.0", "2025-03-26"),
    version("ECS", AL2023, "4.1.4", "2025-02-18"),
    version("ECS", AL2, "3.9.1", "2026-01-13"),
    version("ECS", AL2, "3.6.0", "2025-02-18"),
    version("Python 3.11", AL2023, "4.9.1", "2026-01-13"),
    version("Python 3.11", AL2023, "4.5.0", "2025-03-26"),
    version("Python 3.8", AL2, "3.11.1", "2026-01-13"),
];

impl Platform {
    /// The platform of that ARN or solution stack's name.
    pub(crate) fn named(name: &str) -> Option<Platform> {
        ALL.iter().copied().find(|platform| {
            let own = format!("platform/{}/{}", platform.name(), platform.version);
            platform.stack() == name || name.split_once("::").is_some_and(|(_, rest)| rest == own)
        })
    }

    /// `Docker running on 64bit Amazon Linux 2023`.
    fn name(&self) -> String {
        format!("{} running on {}", self.runs, self.system)
    }

    /// `64bit Amazon Linux 2023 v4.9.1 running Docker`.
    pub(crate) fn stack(&self) -> String {
        format!("{} v{} running {}", self.system, self.version, self.runs)
    }

    pub(crate) fn arn(&self, realm: &Realm) -> String {
        let (region, name) = (&realm.region, self.name());
        format!("arn:aws:elasticbeanstalk:{region}::platform/{name}/{}", self.version)
    }

    fn is_amazon_linux_2(&self) -> bool {
        self.system == AL2
    }

    /// Tasks of ECS fetch the secrets, with ECS's own syntax.
    pub(super) fn is_ecs(&self) -> bool {
        self.runs == "ECS"
    }

    /// Whether `environmentsecrets` exists.
    pub(super) fn resolves_references(&self) -> bool {
        self.released >= REFERENCES_SINCE
    }

    /// Whether a reference may go on to a key of a secret's JSON.
    pub(super) fn resolves_json_keys(&self) -> bool {
        self.released >= JSON_KEYS_SINCE && !self.is_amazon_linux_2()
    }

    /// Whether a resolved value may have several lines.
    pub(super) fn takes_many_lines(&self) -> bool {
        !self.is_amazon_linux_2() || self.runs == "Docker" || self.is_ecs()
    }

    /// Options that the platform has and sets by itself.
    pub(super) fn defaults(&self) -> &'static [(&'static str, &'static str, &'static str)] {
        const PYTHON: &str = "aws:elasticbeanstalk:container:python";
        if self.runs.starts_with("Python") {
            &[
                (PROPERTIES, "PYTHONPATH", "/var/app/venv/staging-LQM1lest/bin"),
                (PYTHON, "NumProcesses", "1"),
                (PYTHON, "NumThreads", "15"),
                (PYTHON, "WSGIPath", "application"),
            ]
        } else {
            &[]
        }
    }

    fn summary(&self, realm: &Realm) -> String {
        let branch_state = ("PlatformBranchLifecycleState", "Supported");
        let arn = self.arn(realm);
        let branch = self.name();
        let (system, release) = ("Amazon Linux", if self.is_amazon_linux_2() { "2" } else { "2023" });
        let fields = [
            ("PlatformArn", arn.as_str()),
            ("PlatformOwner", "AWSElasticBeanstalk"),
            ("PlatformStatus", "Ready"),
            ("PlatformCategory", self.runs.split(' ').next().unwrap_or(self.runs)),
            ("OperatingSystemName", system),
            ("OperatingSystemVersion", release),
            ("PlatformVersion", self.version),
            ("PlatformBranchName", branch.as_str()),
            branch_state,
        ];
        fields.iter().map(|(name, value)| xml::text(name, value)).collect()
    }
}

/// DescribePlatformVersion: DateCreated is what tells which references the version resolves.
pub(super) fn describe(form: &Form, realm: &Realm) -> Result<String, Refusal> {
    let arn = form.get("PlatformArn").unwrap_or_default();
    let platform = Platform::named(arn).ok_or_else(|| {
        Refusal::new("InvalidParameterValue", format!("No Platform Version found for PlatformArn = '{arn}'."))
    })?;
    let date = format!("{}T00:00:00.000Z", platform.released);
    let inner = platform.summary(realm)
        + &xml::text("PlatformName", &platform.name())
        + &xml::text("SolutionStackName", &platform.stack())
        + &xml::text("DateCreated", &date)
        + &xml::text("DateUpdated", &date)
        + &xml::text("Maintainer", "aws-elasticbeanstalk@example.com");
    Ok(xml::element("PlatformDescription", &inner))
}

/// ListPlatformVersions, with the filters that narrow by name, version, branch, status and operating system.
pub(super) fn list(form: &Form, realm: &Realm) -> Result<String, Refusal> {
    let mut chosen: Vec<Platform> = ALL.to_vec();
    for filter in form.list("Filters") {
        let kind = filter.get("Type").unwrap_or_default().to_owned();
        let (operator, values) = (filter.get("Operator").unwrap_or("="), filter.values("Values"));
        let read: fn(&Platform) -> String = match kind.as_str() {
            "PlatformName" | "PlatformBranchName" => Platform::name,
            "PlatformVersion" => |platform| platform.version.to_owned(),
            "PlatformStatus" => |_| "Ready".to_owned(),
            "PlatformOwner" => |_| "AWSElasticBeanstalk".to_owned(),
            _ => {
                let message = format!("Invalid filter type: {kind}");
                return Err(Refusal::new("InvalidParameterValue", message));
            }
        };
        chosen.retain(|platform| {
            let own = read(platform);
            values.iter().any(|value| match operator {
                "contains" => own.contains(value),
                "begins_with" => own.starts_with(value),
                "ends_with" => own.ends_with(value),
                "!=" => own != *value,
                _ => own == *value,
            })
        });
    }
    let (page, token) = pages::cut(chosen, form)?;
    let summaries = page.iter().map(|platform| platform.summary(realm));
    Ok(xml::list("PlatformSummaryList", summaries) + &token)
}
