//! YAML, from the parser's events: no alias is ever followed, and no plain word that some version of YAML takes for a
//! number, a truth or a date is taken for text.

use super::{ReadError, Table, What};
use granit_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

pub(super) fn read(text: &str) -> Result<Table, ReadError> {
    let mut events = Events(Parser::new_from_str(text));
    let mut table = Table::default();
    let mut documents = 0;
    while let Some(event) = events.next()? {
        match event {
            Event::DocumentStart(..) => documents += 1,
            _ if documents > 1 => return Err(ReadError::NotATable { found: "several documents" }),
            Event::MappingStart(..) => mapping(&mut events, &mut table)?,
            Event::SequenceStart(..) => return Err(ReadError::NotATable { found: "a list" }),
            // A document without content is a table without rows.
            Event::Scalar(text, ScalarStyle::Plain, _, _) if text.is_empty() => {}
            Event::Scalar(..) | Event::Alias(_) => return Err(ReadError::NotATable { found: "one value" }),
            _ => {}
        }
    }
    Ok(table)
}

/// The parser without comments, its errors without text.
struct Events<'a>(Parser<'a, granit_parser::StrInput<'a>>);

impl<'a> Events<'a> {
    fn next(&mut self) -> Result<Option<Event<'a>>, ReadError> {
        self.0.next().map(|next| next.map(|(event, _)| event)).transpose().map_err(|error| syntax(&error))
    }

    /// The next event within a document that has begun.
    fn inside(&mut self) -> Result<Event<'a>, ReadError> {
        self.next()?.ok_or(ReadError::Syntax { kind: "YAML", line: 1, column: 1 })
    }
}

fn syntax(error: &ScanError) -> ReadError {
    let at = error.marker();
    ReadError::Syntax { kind: "YAML", line: at.line(), column: at.col() + 1 }
}

fn mapping(events: &mut Events<'_>, table: &mut Table) -> Result<(), ReadError> {
    loop {
        let name = match events.inside()? {
            Event::MappingEnd => return Ok(()),
            Event::Scalar(name, ..) => name.into_owned(),
            start => {
                skip(events, &start)?;
                "(a name that is not text)".to_owned()
            }
        };
        let value = match events.inside()? {
            Event::Scalar(text, style, _, tag) => scalar(&text, style, tag.as_deref()),
            start => {
                skip(events, &start)?;
                Err(match start {
                    Event::SequenceStart(..) => What::Nested("a list"),
                    Event::MappingStart(..) => What::Nested("a table"),
                    _ => What::Alias,
                })
            }
        };
        table.take(name, value);
    }
}

/// Passes over the rest of what has begun with `start`.
fn skip(events: &mut Events<'_>, start: &Event<'_>) -> Result<(), ReadError> {
    let opens = |event: &Event<'_>| matches!(event, Event::SequenceStart(..) | Event::MappingStart(..));
    let closes = |event: &Event<'_>| matches!(event, Event::SequenceEnd | Event::MappingEnd);
    let mut depth = usize::from(opens(start));
    while depth > 0 {
        let event = events.inside()?;
        depth = depth + usize::from(opens(&event)) - usize::from(closes(&event));
    }
    Ok(())
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<String, What> {
    let is_text = match tag {
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix() == "str" => true,
        Some(_) => return Err(What::Tag),
        None => style != ScalarStyle::Plain,
    };
    match meant(text).filter(|_| !is_text) {
        Some(what) => Err(what),
        None => Ok(text.to_owned()),
    }
}

/// What a plain word is instead of text, to YAML 1.2 or 1.1.
fn meant(text: &str) -> Option<What> {
    match text.to_ascii_lowercase().as_str() {
        "" | "~" | "null" => return Some(What::Null),
        "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n" => {
            return Some(What::Unquoted("true or false"));
        }
        ".inf" | "+.inf" | "-.inf" | ".nan" => return Some(What::Unquoted("a number")),
        _ => {}
    }
    let digits = text.trim_start_matches(['+', '-']);
    let numeral = digits.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit());
    let bare = digits.replace('_', "");
    let based = |mark: &str, base: u32| {
        let rest = bare.strip_prefix(mark).unwrap_or_default();
        !rest.is_empty() && rest.chars().all(|c| c.is_digit(base))
    };
    let sexagesimal = bare.contains(':') && bare.chars().all(|c| c.is_ascii_digit() || ":.".contains(c));
    match numeral {
        true if date(text) => Some(What::Unquoted("a date")),
        true if bare.parse::<f64>().is_ok() || sexagesimal => Some(What::Unquoted("a number")),
        true if based("0x", 16) || based("0o", 8) || based("0b", 2) => Some(What::Unquoted("a number")),
        _ => None,
    }
}

/// Whether the text begins like `2020-01-02`, alone or with a time.
fn date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let digits = |part: Option<&str>, lengths: &[usize]| {
        part.is_some_and(|part| {
            lengths.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let (year, month, rest) = (parts.next(), parts.next(), parts.next());
    let day = rest.map(|rest| rest.split(['T', 't', ' ']).next().unwrap_or_default());
    digits(year, &[4]) && digits(month, &[1, 2]) && digits(day, &[1, 2])
}
