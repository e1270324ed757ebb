//! The body of a query-protocol request: names with dots and numbers, taken apart.

use std::collections::BTreeMap;

/// Decoded parameters of a request, or of one member of a list in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// The parameters of a body in `application/x-www-form-urlencoded`.
    pub(crate) fn parse(body: &str) -> Form {
        Form(form_urlencoded::parse(body.as_bytes()).into_owned().collect())
    }

    /// The parameter of that name; `Some("")` if it is there and empty, which is not the same as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The members `NAME.member.N.…` of a list of structures, in the order of their numbers.
    pub(crate) fn list(&self, name: &str) -> Vec<Form> {
        let mut members: BTreeMap<usize, Form> = BTreeMap::new();
        for (number, rest, value) in self.members(name) {
            if let Some(field) = rest.strip_prefix('.') {
                members.entry(number).or_default().0.push((field.to_owned(), value.to_owned()));
            }
        }
        members.into_values().collect()
    }

    /// The members `NAME.member.N` of a list of strings, in the order of their numbers.
    pub(crate) fn values(&self, name: &str) -> Vec<String> {
        let plain = self.members(name).filter(|(_, rest, _)| rest.is_empty());
        let members: BTreeMap<usize, String> =
            plain.map(|(number, _, value)| (number, value.to_owned())).collect();
        members.into_values().collect()
    }

    fn members<'a>(&'a self, name: &str) -> impl Iterator<Item = (usize, &'a str, &'a str)> {
        let prefix = format!("{name}.member.");
        self.0.iter().filter_map(move |(own, value)| {
            let rest = own.strip_prefix(&prefix)?;
            let end = rest.find('.').unwrap_or(rest.len());
            Some((rest[..end].parse().ok()?, &rest[end..], value.as_str()))
        })
    }
}
