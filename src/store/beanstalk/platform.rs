//! Platform versions: which references they resolve, and how they spell them.
//!
//! Owns the dates on which AWS brought references, and ECS's own spelling. It asks nobody: a release date that no table
//! here knows is given to it.

use jiff::civil::Date;

/// The Linux below a platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum System {
    AmazonLinux2,
    AmazonLinux2023,
    Other,
}

/// A platform version, as its solution stack or its ARN names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Platform {
    /// As AWS names it, for people.
    pub(super) name: String,
    /// What its date can be asked with.
    pub(super) arn: Option<String>,
    runs: String,
    system: System,
    version: Option<[u32; 3]>,
}

/// What a platform is, as far as it decides how variables come to an app there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlatformFacts {
    /// Containers by `Dockerrun.aws.json`, under ECS.
    pub ecs: bool,
    /// Containers by Docker: one, or what a Compose file says.
    pub docker: bool,
    /// The system below is Amazon Linux 2, whose references have no JSON keys.
    pub amazon_linux_2: bool,
    /// A value of several lines can come by reference.
    pub takes_many_lines: bool,
}

/// Something that only newer platform versions do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feature {
    /// Variables by reference at all.
    References,
    /// References to one key of a secret's JSON.
    JsonKeys,
}

/// Whether a platform version does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fit {
    Yes,
    /// With the reason.
    No(String),
    Unknown,
}

/// Versions whose release date AWS's notes name: they and all that are newer have every feature.
const COMPLETE: &[(&str, System, [u32; 3])] =
    &[("Docker", System::AmazonLinux2023, [4, 9, 1]), ("ECS", System::AmazonLinux2023, [4, 3, 2])];

/// A version is made some days before it is released, and only the day it was made can be asked for.
const DAYS_UNTIL_RELEASED: i32 = 14;

impl Feature {
    /// The first release date of the versions that have it.
    fn since(self) -> Date {
        match self {
            Feature::References => Date::constant(2025, 3, 26),
            Feature::JsonKeys => Date::constant(2026, 1, 13),
        }
    }

    fn what(self) -> &'static str {
        match self {
            Feature::References => "references",
            Feature::JsonKeys => "references to a key of a JSON secret",
        }
    }
}

impl Platform {
    /// `64bit Amazon Linux 2023 v4.9.1 running Docker`, or an ARN that ends in
    /// `platform/Docker running on 64bit Amazon Linux 2023/4.9.1`.
    pub(super) fn of(stack: Option<&str>, arn: Option<&str>) -> Platform {
        let parsed = stack.and_then(of_stack).or_else(|| arn.and_then(of_arn));
        let (runs, system, version) = parsed.unwrap_or(("", "", ""));
        let name = stack.or(arn).unwrap_or("an unknown platform").to_owned();
        let system = match system.trim_start_matches("64bit ") {
            "Amazon Linux 2" => System::AmazonLinux2,
            "Amazon Linux 2023" => System::AmazonLinux2023,
            _ => System::Other,
        };
        Platform {
            name,
            arn: arn.map(str::to_owned),
            runs: runs.to_owned(),
            system,
            version: numbers(version),
        }
    }

    /// What it is.
    pub(super) fn facts(&self) -> PlatformFacts {
        PlatformFacts {
            ecs: self.is_ecs(),
            docker: self.runs == "Docker",
            amazon_linux_2: self.system == System::AmazonLinux2,
            takes_many_lines: self.takes_many_lines(),
        }
    }

    /// Whether the date of the version has to be asked for before [`Platform::fits`] can tell.
    pub(super) fn needs_date(&self, feature: Feature) -> bool {
        self.arn.is_some() && self.fits(feature, None) == Fit::Unknown
    }

    /// Whether this version has a feature; `made` is the day it was made, where that is known.
    pub(super) fn fits(&self, feature: Feature, made: Option<Date>) -> Fit {
        if feature == Feature::JsonKeys && self.system == System::AmazonLinux2 {
            return Fit::No(format!(
                "{} does not resolve {}: Amazon Linux 2 never will",
                self.name,
                feature.what()
            ));
        }
        let complete = COMPLETE.iter().any(|(runs, system, least)| {
            self.runs == *runs && self.system == *system && self.version.is_some_and(|own| own >= *least)
        });
        let since = feature.since();
        match made {
            _ if complete => Fit::Yes,
            Some(made) if made >= since => Fit::Yes,
            Some(made) if (since - made).get_days() > DAYS_UNTIL_RELEASED => Fit::No(format!(
                "{} does not resolve {}: that came with the versions of {since}, and this one is of {made}",
                self.name,
                feature.what()
            )),
            Some(_) | None => Fit::Unknown,
        }
    }

    /// Whether a value of several lines can come by reference.
    pub(super) fn takes_many_lines(&self) -> bool {
        self.system != System::AmazonLinux2 || self.runs == "Docker" || self.is_ecs()
    }

    /// A reference as this platform spells it: ECS wants the colons of a version behind a JSON key.
    pub(super) fn spelled(&self, reference: &str) -> String {
        match self.is_ecs() && json_key(reference).is_some_and(|key| !key.contains(':')) {
            true => format!("{reference}::"),
            false => reference.to_owned(),
        }
    }

    /// The reference that is meant by what this platform has.
    pub(super) fn meant(&self, spelled: &str) -> String {
        let plain = spelled.strip_suffix("::").filter(|plain| json_key(plain).is_some());
        plain.filter(|_| self.is_ecs()).unwrap_or(spelled).to_owned()
    }

    fn is_ecs(&self) -> bool {
        self.runs == "ECS" || self.runs.starts_with("ECS ")
    }
}

/// What is wrong with a reference, if anything is, whatever the platform.
pub(super) fn misspelled(reference: &str) -> Option<&'static str> {
    let parts: Vec<&str> = reference.splitn(6, ':').collect();
    let named = match parts.as_slice() {
        ["arn", _, "secretsmanager", _, _, rest] => rest.strip_prefix("secret:"),
        ["arn", _, "ssm", _, _, rest] => match rest.strip_prefix("parameter/") {
            Some(name) if name.contains(':') => return Some("a parameter has no JSON keys"),
            name => name,
        },
        _ => None,
    };
    match named {
        Some(name) if !name.is_empty() => None,
        _ => Some("it is not the ARN of a secret or a parameter"),
    }
}

/// What stands behind the ARN of a secret.
pub(super) fn json_key(reference: &str) -> Option<&str> {
    if !reference.contains(":secretsmanager:") {
        return None;
    }
    reference.splitn(8, ':').nth(7).filter(|key| !key.is_empty())
}

fn of_stack(stack: &str) -> Option<(&str, &str, &str)> {
    let (before, runs) = stack.split_once(" running ")?;
    let (system, version) = before.rsplit_once(" v")?;
    Some((runs, system, version))
}

fn of_arn(arn: &str) -> Option<(&str, &str, &str)> {
    let (_, rest) = arn.split_once(":platform/")?;
    let (named, version) = rest.rsplit_once('/')?;
    let (runs, system) = named.split_once(" running on ")?;
    Some((runs, system, version))
}

fn numbers(version: &str) -> Option<[u32; 3]> {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    Some([parts.next()??, parts.next()??, parts.next()??])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "arn:aws:secretsmanager:us-east-1:111122223333:secret:demo/app-AbCdEf";
    const PARAMETER: &str = "arn:aws:ssm:us-east-1:111122223333:parameter/demo/app/KEY";

    fn stack(name: &str) -> Platform {
        Platform::of(Some(name), None)
    }

    #[test]
    fn a_stack_and_an_arn_name_the_same_platform() {
        let arn =
            "arn:aws:elasticbeanstalk:us-east-1::platform/Docker running on 64bit Amazon Linux 2023/4.9.1";
        let (by_stack, by_arn) =
            (stack("64bit Amazon Linux 2023 v4.9.1 running Docker"), Platform::of(None, Some(arn)));
        let parts = |platform: &Platform| (platform.runs.clone(), platform.system, platform.version);
        assert_eq!(parts(&by_stack), ("Docker".to_owned(), System::AmazonLinux2023, Some([4, 9, 1])));
        assert_eq!(parts(&by_arn), parts(&by_stack));
        assert_eq!(stack("something else").version, None);
    }

    #[test]
    fn known_versions_need_no_date_and_others_are_judged_by_the_day_they_were_made() {
        let date = |text: &str| Some(text.parse().unwrap());
        for (name, feature, made, fit) in [
            ("64bit Amazon Linux 2023 v4.9.1 running Docker", Feature::JsonKeys, None, "yes"),
            ("64bit Amazon Linux 2023 v4.10.0 running Docker", Feature::JsonKeys, None, "yes"),
            ("64bit Amazon Linux 2023 v4.3.2 running ECS", Feature::JsonKeys, None, "yes"),
            ("64bit Amazon Linux 2023 v4.9.0 running Docker", Feature::JsonKeys, None, "unknown"),
            ("64bit Amazon Linux 2023 v4.9.0 running Docker", Feature::JsonKeys, date("2025-12-16"), "no"),
            ("64bit Amazon Linux 2023 v4.9.0 running Docker", Feature::References, date("2025-12-16"), "yes"),
            (
                "64bit Amazon Linux 2023 v4.9.0 running Docker",
                Feature::JsonKeys,
                date("2026-01-09"),
                "unknown",
            ),
            ("64bit Amazon Linux 2023 v4.4.4 running Docker", Feature::References, date("2025-02-18"), "no"),
            ("64bit Amazon Linux 2 v4.4.1 running Docker", Feature::JsonKeys, date("2026-03-01"), "no"),
            ("64bit Amazon Linux 2 v4.4.1 running Docker", Feature::References, date("2026-01-13"), "yes"),
            ("a custom platform", Feature::References, None, "unknown"),
        ] {
            let told = match stack(name).fits(feature, made) {
                Fit::Yes => "yes",
                Fit::No(_) => "no",
                Fit::Unknown => "unknown",
            };
            assert_eq!(told, fit, "{name} {feature:?} {made:?}");
        }
    }

    #[test]
    fn ecs_has_the_colons_of_a_version_behind_a_json_key_and_nobody_else_sees_them() {
        let (ecs, docker) = (
            stack("64bit Amazon Linux 2023 v4.3.2 running ECS"),
            stack("64bit Amazon Linux 2023 v4.9.1 running Docker"),
        );
        let key = format!("{SECRET}:TOKEN");
        assert_eq!(ecs.spelled(&key), format!("{key}::"));
        assert_eq!(ecs.meant(&format!("{key}::")), key);
        let pinned = format!("{key}:AWSPREVIOUS:");
        assert_eq!((ecs.spelled(&pinned), ecs.meant(&pinned)), (pinned.clone(), pinned));
        for plain in [SECRET, PARAMETER] {
            assert_eq!((ecs.spelled(plain).as_str(), ecs.meant(plain).as_str()), (plain, plain));
        }
        assert_eq!(
            (docker.spelled(&key), docker.meant(&format!("{key}::"))),
            (key.clone(), format!("{key}::"))
        );
    }

    #[test]
    fn only_secrets_have_json_keys() {
        assert_eq!(json_key(&format!("{SECRET}:A")), Some("A"));
        assert_eq!((json_key(SECRET), json_key(PARAMETER)), (None, None));
        assert_eq!(misspelled(SECRET), None);
        assert_eq!(misspelled(PARAMETER), None);
        assert_eq!(misspelled(&format!("{PARAMETER}:A")), Some("a parameter has no JSON keys"));
        for bad in ["", "value", "arn:aws:s3:::bucket/x", "arn:aws:ssm:us-east-1:111122223333:parameter/"] {
            assert!(misspelled(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn several_lines_fail_on_amazon_linux_2_without_containers_only() {
        assert!(!stack("64bit Amazon Linux 2 v3.11.1 running Python 3.8").takes_many_lines());
        for good in
            ["64bit Amazon Linux 2 v3.9.1 running ECS", "64bit Amazon Linux 2023 v4.9.1 running Python 3.11"]
        {
            assert!(stack(good).takes_many_lines(), "{good}");
        }
    }
}
