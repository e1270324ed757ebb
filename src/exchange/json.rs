//! JSON, with every type seen as it is written.

use super::{ReadError, Table, What};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::fmt;

pub(super) fn read(text: &str) -> Result<Table, ReadError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let other = Cell::new(None);
    let read = Top(&other).deserialize(&mut json).and_then(|table| json.end().map(|()| table));
    read.map_err(|error| match other.get() {
        Some(found) => ReadError::NotATable { found },
        None => ReadError::Syntax { kind: "JSON", line: error.line().max(1), column: error.column().max(1) },
    })
}

/// The whole document. What it is instead of an object is left in the cell.
struct Top<'a>(&'a Cell<Option<&'static str>>);

impl Top<'_> {
    fn is<E: Error>(&self, found: &'static str) -> Result<Table, E> {
        self.0.set(Some(found));
        Err(E::custom(""))
    }
}

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = Table;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Table, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = Table;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table, A::Error> {
        let mut table = Table::default();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value_seed(Value)?;
            table.take(name, value);
        }
        Ok(table)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Table, A::Error> {
        self.is("a list")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Table, E> {
        self.is("text")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Table, E> {
        self.is("true or false")
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Table, E> {
        self.is("a number")
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Table, E> {
        self.is("a number")
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Table, E> {
        self.is("a number")
    }

    fn visit_unit<E: Error>(self) -> Result<Table, E> {
        self.is("null")
    }
}

/// One value, or what it is instead of text.
struct Value;

type Taken = Result<String, What>;

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Taken;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Taken, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Taken;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Taken, E> {
        Ok(Ok(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Taken, E> {
        Ok(Ok(text))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Taken, E> {
        Ok(Err(What::Unquoted("true or false")))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Taken, E> {
        Ok(Err(What::Unquoted("a number")))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Taken, E> {
        Ok(Err(What::Unquoted("a number")))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Taken, E> {
        Ok(Err(What::Unquoted("a number")))
    }

    fn visit_unit<E: Error>(self) -> Result<Taken, E> {
        Ok(Err(What::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Taken, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Err(What::Nested("a list")))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Taken, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Err(What::Nested("a table")))
    }
}
