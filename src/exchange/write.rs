//! Writing: every value as a string in double quotes with escapes that JSON, YAML and TOML read alike.

use super::Document;
use crate::name::Key;
use crate::secret::Secret;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Two names that chamber cannot tell apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("chamber has small names only, and {} and {} would both be `{name}`", .keys[0], .keys[1])]
pub struct SameName {
    /// Both, in their order.
    pub keys: Box<[Key; 2]>,
    /// What they would be.
    pub name: String,
}

/// Writes a document, in the order given.
pub fn write(kind: Document, variables: &[(Key, &Secret)]) -> Result<Zeroizing<String>, SameName> {
    // Reserved whole, so that growing leaves no copies of values behind: an escape has six bytes at most.
    let longest =
        variables.iter().map(|(key, value)| key.as_str().len() + 6 * value.len() + 16).sum::<usize>();
    let mut out = Zeroizing::new(String::with_capacity(longest + 8));
    match kind {
        Document::Json => json(&mut out, variables, |key| key.to_string()),
        Document::Chamber => {
            one_name_each(variables)?;
            json(&mut out, variables, small);
        }
        Document::Yaml if variables.is_empty() => out.push_str("{}\n"),
        Document::Yaml | Document::Toml => {
            let sign = if kind == Document::Yaml { ": " } else { " = " };
            for (key, value) in variables {
                let quote = kind == Document::Yaml && is_word(key);
                [if quote { "\"" } else { "" }, key.as_str(), if quote { "\"" } else { "" }, sign]
                    .iter()
                    .for_each(|piece| out.push_str(piece));
                quoted(&mut out, value.expose());
                out.push('\n');
            }
        }
    }
    Ok(out)
}

fn json(out: &mut String, variables: &[(Key, &Secret)], name: impl Fn(&Key) -> String) {
    out.push('{');
    for (at, (key, value)) in variables.iter().enumerate() {
        out.push_str(if at == 0 { "\n  " } else { ",\n  " });
        quoted(out, &name(key));
        out.push_str(": ");
        quoted(out, value.expose());
    }
    out.push_str(if variables.is_empty() { "}\n" } else { "\n}\n" });
}

fn small(key: &Key) -> String {
    key.as_str().to_ascii_lowercase()
}

fn one_name_each(variables: &[(Key, &Secret)]) -> Result<(), SameName> {
    let mut names: BTreeMap<String, &Key> = BTreeMap::new();
    for (key, _) in variables {
        let name = small(key);
        if let Some(first) = names.insert(name.clone(), key) {
            return Err(SameName { keys: Box::new([first.clone(), key.clone()]), name });
        }
    }
    Ok(())
}

/// Whether YAML would not take the name for text.
fn is_word(key: &Key) -> bool {
    let words = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    words.contains(&small(key).as_str())
}

/// What is not printable everywhere, or would be folded or dropped somewhere, is escaped.
fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => escape(out, c),
            c if c.is_control() => escape(out, c),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn escape(out: &mut String, c: char) {
    out.push_str("\\u");
    for shift in [12, 8, 4, 0] {
        let nibble = (u32::from(c) >> shift) & 0xf;
        out.push(char::from_digit(nibble, 16).expect("a nibble is one digit"));
    }
}
