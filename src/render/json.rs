//! A JSON object with a string for each variable, in their order.
//!
//! It is no dialect of lines: no header, no models to agree with, no other dialect beside it.

use super::buffer::Buffer;
use super::read::{Fault, ReadProblem, Reading};
use crate::name::Key;
use crate::secret::Secret;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::fmt;
use zeroize::Zeroizing;

pub(super) fn write(variables: &[(Key, &Secret)]) -> Zeroizing<String> {
    let mut out = Buffer::new();
    out.push('{');
    for (at, (key, secret)) in variables.iter().enumerate() {
        out.push_str(if at == 0 { "\n  \"" } else { ",\n  \"" });
        out.push_str(key.as_str());
        out.push_str("\": \"");
        secret.expose().chars().for_each(|c| character(&mut out, c));
        out.push('"');
    }
    out.push_str(if variables.is_empty() { "}\n" } else { "\n}\n" });
    out.finish()
}

fn character(out: &mut Buffer, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if c < ' ' => {
            let digit = |nibble: u32| char::from_digit(nibble, 16).expect("a nibble is one digit");
            out.push_str("\\u00");
            out.push(digit(c as u32 >> 4));
            out.push(digit(c as u32 & 0xf));
        }
        c => out.push(c),
    }
}

pub(super) fn model(text: &str) -> Result<Reading, Fault> {
    let mut json = serde_json::Deserializer::from_str(text);
    let read = json.deserialize_map(Object).and_then(|pairs| json.end().map(|()| pairs));
    let pairs = read.map_err(|error| Fault::new(error.line().max(1), ReadProblem::NotJson))?;
    let mut reading = Reading::default();
    for (name, value) in pairs {
        reading.set(1, &name, value);
    }
    Ok(reading)
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Vec<(String, Zeroizing<String>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, String>()? {
            pairs.push((name, Zeroizing::new(value)));
        }
        Ok(pairs)
    }
}
