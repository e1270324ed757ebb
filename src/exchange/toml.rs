//! TOML: one table, without tables in it.

use super::{ReadError, Table, What, position};
use toml_edit::{Document, Item, Value};

pub(super) fn read(text: &str) -> Result<Table, ReadError> {
    let document = Document::parse(text).map_err(|error| {
        let (line, column) = position(text, error.span().map_or(0, |span| span.start));
        ReadError::Syntax { kind: "TOML", line, column }
    })?;
    let mut table = Table::default();
    for (name, item) in document.iter() {
        let value = match item {
            Item::Value(Value::String(text)) => Ok(text.value().clone()),
            Item::Value(Value::Integer(_) | Value::Float(_)) => Err(What::Unquoted("a number")),
            Item::Value(Value::Boolean(_)) => Err(What::Unquoted("true or false")),
            Item::Value(Value::Datetime(_)) => Err(What::Unquoted("a date")),
            Item::Value(Value::Array(_)) | Item::ArrayOfTables(_) => Err(What::Nested("a list")),
            Item::Value(Value::InlineTable(_)) | Item::Table(_) | Item::None => Err(What::Nested("a table")),
        };
        table.take(name.to_owned(), value);
    }
    Ok(table)
}
