//! Option settings in their layers, and the one list that an environment makes of them.
//!
//! Owns precedence: what is set directly goes before a saved configuration, that before .ebextensions, that before the
//! platform's defaults. Which options exist is in `catalogue`.

use std::collections::BTreeMap;

/// Plain environment properties.
pub(crate) const PROPERTIES: &str = "aws:elasticbeanstalk:application:environment";
/// Variables by reference: ARNs that instances resolve when they bootstrap.
pub(crate) const REFERENCES: &str = "aws:elasticbeanstalk:application:environmentsecrets";
/// What Beanstalk tells CloudFormation; it repeats all properties in one string.
pub(crate) const TEMPLATE: &str = "aws:cloudformation:template:parameter";
/// The most bytes that the properties, joined, may have.
pub(crate) const BUDGET: usize = 4096;

/// Namespace and name of an option.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OptionName {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl OptionName {
    pub(crate) fn new(namespace: &str, name: &str) -> OptionName {
        OptionName { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// Options with values, in the order in which they are told.
pub(crate) type Options = BTreeMap<OptionName, String>;

/// Where the values of an environment come from, lowest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layers {
    /// What the platform and the catalogue set by themselves.
    pub(crate) defaults: Options,
    /// From `.ebextensions` of the deployed version: goes away with a version that does not have it.
    pub(crate) ebextensions: Options,
    /// From a saved configuration that was applied.
    pub(crate) saved: Options,
    /// From the API, the console or the EB CLI.
    pub(crate) direct: Options,
}

impl Layers {
    /// What the environment runs with; AWS does not tell from where a value comes.
    pub(crate) fn effective(&self) -> Options {
        let mut all = self.defaults.clone();
        for layer in [&self.ebextensions, &self.saved, &self.direct] {
            all.extend(layer.clone());
        }
        all
    }

    /// The effective options of one namespace, by name.
    pub(crate) fn namespace(&self, namespace: &str) -> BTreeMap<String, String> {
        let all = self.effective().into_iter().filter(|(option, _)| option.namespace == namespace);
        all.map(|(option, value)| (option.name, value)).collect()
    }

    /// Every property as the one string that CloudFormation gets, defaults of the platform included.
    pub(crate) fn joined(&self) -> String {
        let pairs = self.namespace(PROPERTIES).into_iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join(",")
    }

    /// Sets and takes away what was set directly; whatever lies below comes to light.
    ///
    /// AWS does not say what an empty value does. Here it takes the direct value away, as the EB CLI means `KEY=`.
    pub(crate) fn change(&mut self, sets: &Options, removes: &[OptionName]) {
        for option in removes {
            self.direct.remove(option);
        }
        for (option, value) in sets {
            if value.is_empty() {
                self.direct.remove(option);
            } else {
                self.direct.insert(option.clone(), value.clone());
            }
        }
    }
}

/// Properties by name, as options of their namespace.
pub(crate) fn options<'a>(namespace: &str, values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Options {
    let named = values.into_iter().map(|(name, value)| (OptionName::new(namespace, name), value.to_owned()));
    named.collect()
}

#[test]
fn a_removed_direct_value_surfaces_the_saved_one_then_that_of_ebextensions() {
    let mut layers = Layers {
        ebextensions: options(PROPERTIES, [("MODE", "shipped")]),
        saved: options(PROPERTIES, [("MODE", "saved")]),
        direct: options(PROPERTIES, [("MODE", "direct"), ("ONLY", "1")]),
        ..Layers::default()
    };
    assert_eq!(layers.joined(), "MODE=direct,ONLY=1");
    layers.change(&Options::new(), &[OptionName::new(PROPERTIES, "MODE")]);
    assert_eq!(layers.joined(), "MODE=saved,ONLY=1");
    layers.saved.clear();
    layers.change(&options(PROPERTIES, [("ONLY", "")]), &[OptionName::new(PROPERTIES, "MODE")]);
    assert_eq!(layers.joined(), "MODE=shipped");
}
