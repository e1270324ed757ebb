//! Enhanced health, which environments with basic health do not have.

use super::environment::Environment;
use super::events::date;
use super::settings::OptionName;
use super::{Beanstalk, Call, Refusal, xml};

impl Beanstalk {
    pub(super) fn describe_health(&self, call: Call<'_>) -> Result<String, Refusal> {
        let environment = self.with_enhanced_health(call)?;
        let wanted = call.form.values("AttributeNames");
        let (colour, word) = environment.health();
        let (ok, other) = if word == "Ok" { ("1", "0") } else { ("0", "1") };
        let instances: String =
            ["NoData", "Unknown", "Pending", "Ok", "Info", "Warning", "Degraded", "Severe"]
                .iter()
                .map(|state| {
                    xml::text(
                        state,
                        if *state == "Ok" {
                            ok
                        } else if *state == word {
                            other
                        } else {
                            "0"
                        },
                    )
                })
                .collect();
        let attributes = [
            ("Status", xml::text("Status", &format!("{:?}", environment.status))),
            ("Color", xml::text("Color", colour)),
            ("Causes", xml::list("Causes", [])),
            ("HealthStatus", xml::text("HealthStatus", word)),
            ("InstancesHealth", xml::element("InstancesHealth", &instances)),
            ("RefreshedAt", xml::text("RefreshedAt", &date(call.moment.at))),
        ];
        let asked = |name: &str| wanted.iter().any(|wanted| wanted == name || wanted == "All");
        let told = attributes.into_iter().filter(|(name, _)| asked(name)).map(|(_, xml)| xml);
        Ok(xml::text("EnvironmentName", &environment.name) + &told.collect::<String>())
    }

    pub(super) fn describe_instances(&self, call: Call<'_>) -> Result<String, Refusal> {
        let environment = self.with_enhanced_health(call)?;
        let (colour, word) = environment.health();
        let instance = xml::text("InstanceId", &environment.instance())
            + &xml::text("HealthStatus", word)
            + &xml::text("Color", colour)
            + &xml::list("Causes", [])
            + &xml::text("LaunchedAt", &date(environment.created))
            + &xml::text("InstanceType", "t3.micro");
        let refreshed = xml::text("RefreshedAt", &date(call.moment.at));
        Ok(xml::list("InstanceHealthList", [instance]) + &refreshed)
    }

    fn with_enhanced_health(&self, call: Call<'_>) -> Result<&Environment, Refusal> {
        let environment = &self.environments[self.named(call.form)?];
        let system = OptionName::new("aws:elasticbeanstalk:healthreporting:system", "SystemType");
        if environment.layers.effective().get(&system).is_some_and(|kind| kind == "enhanced") {
            return Ok(environment);
        }
        let message = format!(
            "DescribeEnvironmentHealth is not supported for {}: it does not report enhanced health.",
            environment.name
        );
        Err(Refusal::new("InvalidRequestException", message))
    }
}
