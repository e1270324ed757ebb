//! Reading the arguments of a JSON request: typed, and strict about what is not modelled.

use super::Refusal;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The members of a request, or of a structure in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arguments(Map<String, Value>);

impl Arguments {
    pub(crate) fn parse(body: &str) -> Result<Arguments, Refusal> {
        match serde_json::from_str(if body.is_empty() { "{}" } else { body }) {
            Ok(Value::Object(members)) => Ok(Arguments(members)),
            _ => Err(Refusal::new("SerializationException", "Could not parse the request body into json")),
        }
    }

    /// Refuses what nothing here reads, rather than ignore it.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Refusal> {
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(invalid(format!("{name} is not modelled here"))),
            None => Ok(()),
        }
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        self.typed(name, Value::as_str)
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, Refusal> {
        self.typed(name, Value::as_i64)
    }

    /// A number between two limits, as sizes of pages are.
    pub(crate) fn number_within(&self, name: &str, low: i64, high: i64) -> Result<Option<usize>, Refusal> {
        let Some(number) = self.number(name)? else { return Ok(None) };
        if number < low {
            return Err(constraint(name, number, format!("value greater than or equal to {low}")));
        }
        if number > high {
            return Err(constraint(name, number, format!("value less than or equal to {high}")));
        }
        Ok(usize::try_from(number).ok())
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        Ok(self.typed(name, Value::as_bool)?.unwrap_or(false))
    }

    /// A list of strings; `None` where it is absent.
    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        let Some(items) = self.typed(name, Value::as_array)? else { return Ok(None) };
        let texts = items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>();
        texts.ok_or_else(|| mistyped(name)).map(Some)
    }

    /// A list of structures; empty where it is absent.
    pub(crate) fn structures(&self, name: &str) -> Result<Vec<Arguments>, Refusal> {
        let Some(items) = self.typed(name, Value::as_array)? else { return Ok(Vec::new()) };
        let members = items.iter().map(|item| item.as_object().cloned().map(Arguments));
        members.collect::<Option<_>>().ok_or_else(|| mistyped(name))
    }

    /// A list of tags.
    pub(crate) fn tags(&self, name: &str) -> Result<BTreeMap<String, String>, Refusal> {
        let mut tags = BTreeMap::new();
        for tag in self.structures(name)? {
            tag.only(&["Key", "Value"])?;
            let (key, value) = (tag.required("Key")?, tag.required("Value")?);
            if key.is_empty() || key.chars().count() > 128 || key.to_lowercase().starts_with("aws:") {
                return Err(invalid(format!("the tag key {key:?} is not valid")));
            }
            if value.chars().count() > 256 {
                return Err(invalid(format!("the value of the tag {key} is longer than 256 characters")));
            }
            if tags.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(invalid(format!("duplicate tag key {key}")));
            }
        }
        Ok(tags)
    }

    fn typed<'a, T>(
        &'a self,
        name: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| mistyped(name)),
        }
    }
}

/// `ValidationException`, which every JSON service has.
pub(crate) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationException", message)
}

/// AWS's sentence about a member out of bounds.
pub(crate) fn constraint(
    name: &str,
    value: impl std::fmt::Display,
    bound: impl std::fmt::Display,
) -> Refusal {
    let member = lowered(name);
    invalid(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must have {bound}"
    ))
}

fn missing(name: &str) -> Refusal {
    let member = lowered(name);
    invalid(format!(
        "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must not be null"
    ))
}

fn mistyped(name: &str) -> Refusal {
    Refusal::new("SerializationException", format!("{name} has a wrong type"))
}

fn lowered(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars).collect()
}

/// Tags as AWS lists them.
pub(crate) fn tag_list(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| serde_json::json!({"Key": key, "Value": value})).collect()
}

/// A point in time as JSON services write it.
pub(crate) fn seconds(at: jiff::Timestamp) -> Value {
    Value::from(at.as_millisecond() as f64 / 1000.0)
}
