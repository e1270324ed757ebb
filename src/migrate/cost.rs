//! What keeping values in a place costs a month, and what the other layouts would.
//!
//! Owns the prices, with their date, and the counting of what AWS charges for. It asks AWS nothing: what is there
//! already, and how often values are read, it does not know.

use crate::manifest::{EnvironmentSpec, Manifest, Money, ParameterTier, Place};
use crate::name::{Address, Group, Instance};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What AWS charges in US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prices {
    /// A secret of Secrets Manager, a month.
    pub secret: Money,
    /// An advanced parameter of the Parameter Store, a month. A standard one is free.
    pub advanced_parameter: Money,
    /// 10,000 calls to Secrets Manager, or for advanced parameters.
    pub calls: Money,
    /// Whether each of them is the manifest's.
    own: bool,
}

impl Prices {
    /// The month of the figures below, and where they hold. They are from secondary sources; AWS's own page decides.
    pub const AS_OF: &str = "2026-11";
    /// The region of the figures.
    pub const REGION: &str = "us-east-1";

    const KNOWN: Prices = Prices {
        secret: Money::cents(40),
        advanced_parameter: Money::cents(5),
        calls: Money::cents(5),
        own: false,
    };

    /// The manifest's prices, and the known ones where it gives none.
    pub fn of(manifest: &Manifest) -> Prices {
        let (given, known) = (manifest.prices(), Prices::KNOWN);
        Prices {
            secret: given.secret.unwrap_or(known.secret),
            advanced_parameter: given.advanced_parameter.unwrap_or(known.advanced_parameter),
            calls: given.calls.unwrap_or(known.calls),
            own: given.secret.is_some() && given.advanced_parameter.is_some() && given.calls.is_some(),
        }
    }

    /// Where the prices are from, for people.
    pub fn source(&self) -> String {
        match self.own {
            true => "prices of the manifest".to_owned(),
            false => format!(
                "prices of {}, {}; other regions differ: `[prices]` in the manifest sets yours",
                Self::REGION,
                Self::AS_OF
            ),
        }
    }
}

/// What some values are kept in, and what that costs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cost {
    /// Secrets of Secrets Manager.
    pub secrets: usize,
    /// Standard parameters.
    pub parameters: usize,
    /// Advanced parameters.
    pub advanced: usize,
    /// A month, without calls: a look at each value at every start of an instance is far below a cent.
    pub monthly: Money,
    /// What cannot be kept so: too large, or empty where nothing may be. Documents are judged by the bytes of what is
    /// in them, and escapes in their JSON may add to that.
    pub unfit: Vec<Address>,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted =
            [(self.secrets, "secret"), (self.parameters, "parameter"), (self.advanced, "advanced parameter")];
        let units: Vec<String> = counted
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, unit)| format!("{count} {unit}{}", if *count == 1 { "" } else { "s" }))
            .collect();
        match (units.is_empty(), self.monthly.is_zero()) {
            (true, _) => f.write_str("nothing that AWS charges for"),
            (false, true) => write!(f, "{}, free", units.join(" and ")),
            (false, false) => write!(f, "{}, {} a month", units.join(" and "), self.monthly),
        }
    }
}

/// A way to lay values out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// A secret for each group or instance, with a JSON key for each value.
    Documents,
    /// A secret for each value.
    SecretPerKey,
    /// A parameter for each value.
    Parameters,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Layout::Documents => "a secret per group",
            Layout::SecretPerKey => "a secret per key",
            Layout::Parameters => "ssm",
        })
    }
}

/// The most bytes of a secret, of a standard and of an advanced parameter.
const SECRET: usize = 65_536;
const STANDARD: usize = 4_096;
const ADVANCED: usize = 8_192;

/// What values, each with its bytes, cost in a place as the manifest lays them out there. Places that are not AWS's, and
/// Beanstalk, cost nothing.
pub fn cost(
    manifest: &Manifest,
    environment: &EnvironmentSpec,
    values: &[(Address, usize)],
    to: &Place,
) -> Cost {
    match to {
        Place::SecretsManager => {
            let name =
                |address: &Address| manifest.document_name(&environment.name, address).unwrap_or_default();
            in_secrets(manifest, values, name)
        }
        Place::Ssm => in_parameters(manifest, environment, values),
        Place::Vault | Place::Beanstalk { .. } | Place::Memory => Cost::default(),
    }
}

/// What the same values cost in each layout, whatever the manifest says.
pub fn alternatives(
    manifest: &Manifest,
    environment: &EnvironmentSpec,
    values: &[(Address, usize)],
) -> [(Layout, Cost); 3] {
    let by_group = |address: &Address| -> (Group, Option<Instance>) {
        (address.group.clone(), address.instance.clone())
    };
    [
        (Layout::Documents, in_secrets(manifest, values, by_group)),
        (Layout::SecretPerKey, in_secrets(manifest, values, Address::clone)),
        (Layout::Parameters, in_parameters(manifest, environment, values)),
    ]
}

/// The cost of values of which those with one name are in one secret.
fn in_secrets<N: Ord>(
    manifest: &Manifest,
    values: &[(Address, usize)],
    name: impl Fn(&Address) -> N,
) -> Cost {
    let mut documents: BTreeMap<N, Vec<&(Address, usize)>> = BTreeMap::new();
    for value in values {
        documents.entry(name(&value.0)).or_default().push(value);
    }
    let mut cost = Cost { secrets: documents.len(), ..Cost::default() };
    for within in documents.values().filter(|within| document_bytes(within) > SECRET) {
        cost.unfit.extend(within.iter().map(|(address, _)| address.clone()));
    }
    cost.monthly = Prices::of(manifest).secret * cost.secrets;
    cost
}

/// The bytes of `{"KEY":"value","KEY":"value"}`.
fn document_bytes(within: &[&(Address, usize)]) -> usize {
    let pairs = within.iter().map(|(address, bytes)| address.key.as_str().len() + bytes + r#""":"","#.len());
    pairs.sum::<usize>() + 1
}

fn in_parameters(manifest: &Manifest, environment: &EnvironmentSpec, values: &[(Address, usize)]) -> Cost {
    let mut cost = Cost::default();
    let mut seen = BTreeSet::new();
    for (address, bytes) in values.iter().filter(|(address, _)| seen.insert(address)) {
        match *bytes > STANDARD || environment.parameter_tier == ParameterTier::Advanced {
            true => cost.advanced += 1,
            false => cost.parameters += 1,
        }
        if *bytes == 0 || *bytes > ADVANCED {
            cost.unfit.push(address.clone());
        }
    }
    cost.monthly = Prices::of(manifest).advanced_parameter * cost.advanced;
    cost
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn manifest(more: &str) -> Manifest {
        let text = format!(
            "version = 1\nproject.name = \"shop\"\n{more}\n\
             [groups.app.keys]\nA = {{}}\nB = {{}}\nC = {{}}\n\
             [groups.mail.keys]\nA = {{}}\n\
             [groups.xero]\ninstances = true\nkeys.id = {{}}\n"
        );
        Manifest::parse("f", &text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn values(all: &[(&str, usize)]) -> Vec<(Address, usize)> {
        all.iter().map(|(address, bytes)| (address.parse().unwrap(), *bytes)).collect()
    }

    const PROD: &str = "[environments.prod]\nhome = \"ssm\"\n";
    const ALL: [(&str, usize); 6] = [
        ("app/A", 10),
        ("app/B", 10),
        ("app/C", 5_000),
        ("mail/A", 10),
        ("xero/1/id", 10),
        ("xero/2/id", 10),
    ];

    fn told(manifest: &Manifest, to: &Place) -> String {
        cost(manifest, manifest.environment("prod").unwrap(), &values(&ALL), to).to_string()
    }

    #[test]
    fn a_document_is_one_secret_and_a_value_of_more_than_4096_bytes_an_advanced_parameter() {
        let manifest = manifest(PROD);
        assert_eq!(told(&manifest, &Place::SecretsManager), "4 secrets, $1.60 a month");
        assert_eq!(told(&manifest, &Place::Ssm), "5 parameters and 1 advanced parameter, $0.05 a month");
        assert_eq!(told(&manifest, &Place::Vault), "nothing that AWS charges for");
        let few = values(&ALL[..2]);
        let few = cost(&manifest, manifest.environment("prod").unwrap(), &few, &Place::Ssm);
        assert_eq!(few.to_string(), "2 parameters, free");
    }

    #[test]
    fn the_manifest_says_what_is_charged_and_for_how_many() {
        let own = manifest(&format!(
            "[prices]\nsecret = 0.5\nadvanced_parameter = 1\n{PROD}parameter_tier = \"advanced\""
        ));
        assert_eq!(told(&own, &Place::Ssm), "6 advanced parameters, $6.00 a month");
        assert_eq!(told(&own, &Place::SecretsManager), "4 secrets, $2.00 a month");
        assert!(Prices::of(&own).source().contains("us-east-1, 2026-11"), "that of calls is not its own");
        let own = manifest(&format!("[prices]\nsecret = 0.5\nadvanced_parameter = 1\ncalls = 0\n{PROD}"));
        assert_eq!(Prices::of(&own).source(), "prices of the manifest");
        let text = format!(
            "version = 1\nproject.name = \"shop\"\n{PROD}\n[groups.app]\npath.secretsmanager = \"x/{{key}}\"\nkeys.A = {{}}\nkeys.B = {{}}\n"
        );
        let by_key = Manifest::parse("f", &text).unwrap();
        let by_key =
            cost(&by_key, by_key.environment("prod").unwrap(), &values(&ALL[..2]), &Place::SecretsManager);
        assert_eq!((by_key.secrets, by_key.monthly), (2, Money::cents(80)));
    }

    #[test]
    fn a_refusal_can_offer_each_layout_with_its_price_and_what_it_cannot_hold() {
        let manifest = manifest(PROD);
        let environment = manifest.environment("prod").unwrap();
        let told = |values: &[(Address, usize)]| {
            let all = alternatives(&manifest, environment, values);
            all.map(|(layout, cost)| format!("{layout}: {cost}, {} unfit", cost.unfit.len()))
        };
        assert_eq!(
            told(&values(&ALL)),
            [
                "a secret per group: 4 secrets, $1.60 a month, 0 unfit",
                "a secret per key: 6 secrets, $2.40 a month, 0 unfit",
                "ssm: 5 parameters and 1 advanced parameter, $0.05 a month, 0 unfit",
            ]
        );
        let strange = values(&[("app/A", 40_000), ("app/B", 40_000), ("mail/A", 0)]);
        let [documents, by_key, parameters] = told(&strange);
        assert!(documents.ends_with("2 unfit") && by_key.ends_with("0 unfit"), "{documents}; {by_key}");
        assert!(parameters.ends_with("3 unfit"), "{parameters}");
    }

    #[test]
    fn thirty_variables_of_one_group_cost_what_the_layouts_are_known_for() {
        let manifest = manifest(PROD);
        let thirty: Vec<_> = (0..30).map(|index| (format!("app/K{index}").parse().unwrap(), 40)).collect();
        let all = alternatives(&manifest, manifest.environment("prod").unwrap(), &thirty);
        assert_eq!(all.map(|(_, cost)| cost.monthly.to_string()), ["$0.40", "$12.00", "$0.00"]);
    }

    proptest! {
        #[test]
        fn documents_never_cost_more_than_a_secret_for_each_key(
            all in prop::collection::vec((0..5_usize, 1..9_000_usize), 0..20)
        ) {
            let manifest = manifest(PROD);
            let environment = manifest.environment("prod").unwrap();
            let all: Vec<_> = all.into_iter().map(|(at, bytes)| (ALL[at].0, bytes)).collect();
            let all = values(&all);
            let [(_, documents), (_, by_key), (_, parameters)] = alternatives(&manifest, environment, &all);
            prop_assert!(documents.monthly <= by_key.monthly);
            prop_assert_eq!(by_key.secrets, parameters.parameters + parameters.advanced);
            prop_assert_eq!(cost(&manifest, environment, &all, &Place::SecretsManager).secrets, documents.secrets);
            prop_assert_eq!(cost(&manifest, environment, &all, &Place::Ssm), parameters);
        }
    }
}
