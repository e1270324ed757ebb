//! Options of Beanstalk that a file sets: the properties of an environment, by name and line, whatever they are set to.

use super::tree::File;
use super::yaml::{self, Node};

const PROPERTIES: &str = "aws:elasticbeanstalk:application:environment";

/// A property that is set, and the node that it is set to.
#[derive(Debug)]
pub(super) struct Property<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a Node,
}

/// The properties of `option_settings` (or `OptionSettings`, in what was saved): a list of options, or a map of
/// namespaces.
pub(super) fn properties(root: &Node) -> Vec<Property<'_>> {
    let Some(options) = root.get("option_settings").or_else(|| root.get("OptionSettings")) else {
        return Vec::new();
    };
    let listed = options.items().iter().filter_map(|option| {
        let namespace = option.get("namespace").and_then(Node::text).unwrap_or(PROPERTIES);
        let name = option.get("option_name").and_then(Node::text)?;
        (namespace == PROPERTIES).then_some(Property { name, value: option.get("value")? })
    });
    let mapped = options.get(PROPERTIES).into_iter().flat_map(Node::entries);
    listed.chain(mapped.map(|(name, value)| Property { name, value })).collect()
}

/// The names of the properties that a file sets, with their lines; the line of what is wrong with it where nobody could
/// read it.
pub(crate) fn set_in(file: &File) -> Result<Vec<(String, usize)>, usize> {
    let root = yaml::read(&file.text)?;
    let all = properties(&root).into_iter();
    Ok(all.map(|property| (property.name.to_owned(), property.value.line)).collect())
}
