//! Whether a document has the shape that the schema describes: known fields, right types, nothing missing.
//!
//! Owns the messages about fields and types. It walks the document beside the JSON Schema of `schema.rs`, so that what it
//! accepts and what the schema says are one thing; serde would lose position and expectation in untagged choices.

use crate::manifest::address::shown;
use crate::manifest::problem::{any_of, instead};
use crate::manifest::source::{Finding, On, Trail};
use serde_json::{Map, Value};
use toml_edit::{Item, TableLike};

/// Everything in the document that is not as the schema says.
pub(super) fn check(schema: &Value, document: &Item) -> Vec<Finding> {
    let mut walk = Walk { root: schema, trail: Trail::new(), findings: Vec::new() };
    walk.item(schema, document);
    walk.findings
}

struct Walk<'a> {
    root: &'a Value,
    trail: Trail,
    findings: Vec<Finding>,
}

impl<'a> Walk<'a> {
    fn item(&mut self, schema: &'a Value, item: &Item) {
        let schema = self.follow(schema);
        if let Some(names) = self.names(schema) {
            return self.name(&names, item);
        }
        if let Some(branches) = choice(schema) {
            return match self.tag(branches) {
                Some(tag) => self.tagged(tag, branches, item),
                None => self.one_of(schema, branches, item),
            };
        }
        if !fits(schema, item) {
            return self.mismatch(schema, item);
        }
        if let Some(table) = item.as_table_like() {
            self.table(schema, table, None);
        } else if let (Some(array), Some(items)) = (item.as_array(), schema.get("items")) {
            if schema
                .get("minItems")
                .and_then(Value::as_u64)
                .is_some_and(|least| (array.len() as u64) < least)
            {
                self.found(On::Value, "an empty list".to_owned(), None);
            }
            for (index, value) in array.iter().enumerate() {
                self.within(&index.to_string(), |walk| walk.item(items, &Item::Value(value.clone())));
            }
        } else if let Some(number) = item.as_integer() {
            #[expect(clippy::cast_precision_loss, reason = "no limit is that large")]
            self.range(schema, number as f64, &number.to_string());
        } else if let Some(number) = item.as_float() {
            self.range(schema, number, &number.to_string());
        }
    }

    fn table(&mut self, schema: &'a Value, table: &dyn TableLike, tag: Option<&str>) {
        let none = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        for (field, item) in table.iter() {
            if tag == Some(field) {
                continue;
            }
            let known = properties.and_then(|properties| properties.get(field));
            match known.or_else(|| schema.get("additionalProperties").filter(|rest| rest.is_object())) {
                Some(schema) => self.within(field, |walk| walk.item(schema, item)),
                None => self.unknown(field, properties.unwrap_or(&none)),
            }
        }
        let required = schema.get("required").and_then(Value::as_array);
        for field in required.into_iter().flatten().filter_map(Value::as_str) {
            if !table.contains_key(field) {
                let what =
                    properties.and_then(|properties| properties.get(field)?.get("description")?.as_str());
                let words = |what: &str| what.split_whitespace().collect::<Vec<_>>().join(" ");
                let help = what.map(|what| format!("{field}: {}", words(what).trim_end_matches('.')));
                self.found(On::Key, format!("missing field `{field}`"), help);
            }
        }
    }

    fn unknown(&mut self, field: &str, properties: &Map<String, Value>) {
        let help = match self.trail.as_slice() {
            [groups, group] if groups == "groups" && field.chars().any(|c| c.is_ascii_uppercase()) => {
                Some(format!("keys stand in `[groups.{group}.keys]`"))
            }
            _ => instead(field, properties.keys().map(String::as_str)),
        };
        self.within(field, |walk| walk.found(On::Key, format!("unknown field `{}`", shown(field)), help));
    }

    fn name(&mut self, names: &[&str], item: &Item) {
        match item.as_str() {
            Some(text) if names.contains(&text) => {}
            Some(text) => {
                let help = instead(text, names.iter().copied());
                self.found(On::Value, format!("unknown {} `{}`", self.noun(), shown(text)), help);
            }
            None => {
                let message = format!("expected {}, found {}", any_of(names.iter().copied()), kind(item).1);
                self.found(On::Value, message, None);
            }
        }
    }

    fn tagged(&mut self, tag: &'a str, branches: &'a [Value], item: &Item) {
        let Some(table) = item.as_table_like() else {
            return self.found(On::Value, format!("expected a table, found {}", kind(item).1), None);
        };
        let names: Vec<&str> =
            branches.iter().filter_map(|branch| constant(self.follow(branch), tag)).collect();
        let Some(chosen) = table.get(tag) else {
            let help = format!("{tag} is {}", any_of(names));
            return self.found(On::Key, format!("missing field `{tag}`"), Some(help));
        };
        self.within(tag, |walk| walk.name(&names, chosen));
        let chosen = chosen.as_str();
        let branch = branches.iter().map(|branch| self.follow(branch));
        let branch = branch.into_iter().find(|branch| chosen.is_some() && constant(branch, tag) == chosen);
        if let Some(branch) = branch {
            self.table(branch, table, Some(tag));
        }
    }

    fn one_of(&mut self, schema: &'a Value, branches: &'a [Value], item: &Item) {
        let fitting =
            branches.iter().map(|branch| self.follow(branch)).find(|branch| self.takes(branch, item));
        match fitting {
            Some(branch) => self.item(branch, item),
            None => self.mismatch(schema, item),
        }
    }

    fn range(&mut self, schema: &Value, number: f64, found: &str) {
        let least = schema.get("minimum").and_then(Value::as_f64);
        let most = schema.get("maximum").and_then(Value::as_f64);
        let outside = least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most);
        if number.is_nan() || outside {
            #[expect(clippy::float_cmp, reason = "a constant is written as its own least and most")]
            let wanted = match (least, most) {
                (Some(least), Some(most)) if least == most => format!("{least}"),
                (Some(least), Some(most)) => format!("a number from {least} to {most}"),
                (Some(least), None) => format!("a number from {least} on"),
                (None, _) => format!("a number up to {}", most.unwrap_or(f64::MAX)),
            };
            self.found(On::Value, format!("expected {wanted}, found {found}"), None);
        }
    }

    fn mismatch(&mut self, schema: &'a Value, item: &Item) {
        let (_, found) = kind(item);
        let wanted = self.wanted(schema);
        let help = match (self.trail.as_slice(), item) {
            ([groups, _, keys, key], _) if groups == "groups" && keys == "keys" => Some(format!(
                "a key is declared by a table, `{} = {{ secret = true }}`; a secret never stands here",
                shown(key)
            )),
            (_, Item::Value(value))
                if wanted == "a string" && !value.is_array() && !value.is_inline_table() =>
            {
                Some("put it in quotes".to_owned())
            }
            _ => None,
        };
        self.found(On::Value, format!("expected {wanted}, found {found}"), help);
    }

    /// What the schema takes, for people.
    fn wanted(&self, schema: &'a Value) -> String {
        let schema = self.follow(schema);
        if let Some(names) = self.names(schema) {
            return any_of(names);
        }
        if let Some(branches) = choice(schema) {
            let wanted: Vec<String> = branches.iter().map(|branch| self.wanted(branch)).collect();
            return wanted.join(" or ");
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("string") => "a string".to_owned(),
            Some("integer" | "number") => "a number".to_owned(),
            Some("boolean") => "true or false".to_owned(),
            Some("array") => "a list of strings".to_owned(),
            _ => "a table".to_owned(),
        }
    }

    fn takes(&self, schema: &'a Value, item: &Item) -> bool {
        match self.names(schema) {
            Some(_) => item.is_str(),
            None => fits(schema, item),
        }
    }

    /// The names that the schema lists, where it lists names.
    fn names(&self, schema: &'a Value) -> Option<Vec<&'a str>> {
        if let Some(names) = schema.get("enum").and_then(Value::as_array) {
            return names.iter().map(Value::as_str).collect();
        }
        if let Some(name) = schema.get("const") {
            return name.as_str().map(|name| vec![name]);
        }
        let lists: Option<Vec<Vec<&str>>> =
            choice(schema)?.iter().map(|branch| self.names(self.follow(branch))).collect();
        lists.map(|lists| lists.concat())
    }

    /// The field that tells the branches apart, where each branch has a constant for it.
    fn tag(&self, branches: &'a [Value]) -> Option<&'a str> {
        let first = self.follow(branches.first()?).get("properties")?.as_object()?;
        let mut fields = first.keys().map(String::as_str);
        fields.find(|field| branches.iter().all(|branch| constant(self.follow(branch), field).is_some()))
    }

    fn follow(&self, schema: &'a Value) -> &'a Value {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
        match target.and_then(|target| self.root.pointer(target)) {
            Some(schema) => self.follow(schema),
            None => schema,
        }
    }

    /// What the item at hand is called: its field, or the field that lists it, in the singular.
    fn noun(&self) -> &str {
        let field = self.trail.iter().rev().find(|step| step.parse::<usize>().is_err());
        field.map_or("name", |field| field.as_str())
    }

    fn within(&mut self, step: &str, then: impl FnOnce(&mut Self)) {
        self.trail.push(step.to_owned());
        then(self);
        self.trail.pop();
    }

    fn found(&mut self, on: On, message: String, help: Option<String>) {
        self.findings.push(Finding { trail: self.trail.clone(), on, message, help });
    }
}

fn choice(schema: &Value) -> Option<&[Value]> {
    schema.get("oneOf").or_else(|| schema.get("anyOf"))?.as_array().map(Vec::as_slice)
}

fn constant<'a>(schema: &'a Value, field: &str) -> Option<&'a str> {
    schema.get("properties")?.get(field)?.get("const")?.as_str()
}

fn fits(schema: &Value, item: &Item) -> bool {
    match (schema.get("type").and_then(Value::as_str), kind(item).0) {
        (Some("number"), "integer") => true,
        (wanted, found) => wanted == Some(found),
    }
}

/// An item's type in the schema's words, and for people.
fn kind(item: &Item) -> (&'static str, &'static str) {
    match item {
        Item::None => ("null", "nothing"),
        Item::Table(_) => ("object", "a table"),
        Item::ArrayOfTables(_) => ("tables", "a list of tables"),
        Item::Value(value) if value.is_inline_table() => ("object", "a table"),
        Item::Value(value) if value.is_array() => ("array", "a list"),
        Item::Value(value) if value.is_str() => ("string", "a string"),
        Item::Value(value) if value.is_integer() => ("integer", "a number"),
        Item::Value(value) if value.is_bool() => ("boolean", "true or false"),
        Item::Value(value) if value.is_float() => ("number", "a number with a fraction"),
        Item::Value(_) => ("date", "a date"),
    }
}
